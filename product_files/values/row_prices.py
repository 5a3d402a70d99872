"""Reads the prices of a row, as the columns of its source write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from statistics import median

from product_files import row_facts
from product_files.product_data import DEFAULT_CURRENCY
from product_files.rows import RowRejected
from product_files.values.currencies import currencies_of
from product_files.values.prices import NOTHING_SHOWN, DecimalsOfColumn, Price, decimals_of_column, parse_price, rounded

PRICES = ("price", "list_price")
SALE_PRICE = "sale_price"
# A text without a number that so many products have in place of a list price says that there is none: `No old price`.
_MIN_REPEATED = 3
# Columns that only answers of Shopee have together, whose prices are whole numbers of such a part of the currency's unit.
_SHOPEE, SHOPEE_UNIT = frozenset(("itemid", "shopid")), 100_000
# Of Shopee's currencies, those whose prices are whole numbers of at least so many units: they look like parts of others.
_LARGE, _MIN_LARGE = frozenset(("VND", "IDR", "COP", "CLP")), 100
# What half of the prices are above in a currency that is not named.
_MIN_USUAL = 5


@dataclass(frozen=True, slots=True)
class RowPrices:
    """The prices of a row.

    Attributes:
        currency: of both.
        price: None if there is none, or it cannot be read.
        list_price: None if there is none that is higher than the price.
        names_currency: whether the price names its currency itself.
        warnings: what cannot be read, or was rounded.
    """

    currency: str
    price: Decimal | None = None
    list_price: Decimal | None = None
    names_currency: bool = False
    warnings: list[str] = field(default_factory=list)


class PriceReader:
    """Reads prices.

    Args:
        decimal: "." or "," in all prices; "" to find it.
    """

    def __init__(self, decimal: str) -> None:
        self._decimal = decimal
        self._usual: dict[str, DecimalsOfColumn] = {}
        self._of_all = NOTHING_SHOWN
        self._no_prices: frozenset[str] = frozenset()
        self._unit = 1
        self._likely_mark = ""

    def learn(self, texts: Mapping[str, Sequence[str]], columns: Collection[str], currencies: Iterable[str]) -> None:
        """Find out how a source writes its prices.

        Args:
            texts: some prices of each field.
            columns: of the source.
            currencies: that records name.
        """
        together = [text for each in texts.values() for text in each]
        self._usual = {name: decimals_of_column(each) for name, each in texts.items()}
        self._of_all = decimals_of_column(together)
        reduced = Counter(text for text in together if not any(each.isdigit() for each in text))
        self._no_prices = frozenset(text for text, number in reduced.items() if number >= _MIN_REPEATED)
        names = {column.rpartition(".")[2].casefold() for column in columns}
        codes = {code for each in set(currencies) for code in currencies_of(each)[:1]}
        self._unit = SHOPEE_UNIT if names >= _SHOPEE and _are_parts(together, codes) else 1

    @property
    def notes(self) -> list[str]:
        """What was learned, and what was assumed of the prices so far."""
        notes: list[str] = []
        if self._decimal:
            return notes
        if self._of_all.shown == ",":
            notes.append(row_facts.DECIMAL_COMMA())
        if self._likely_mark:
            notes.append(row_facts.LIKELY_THOUSANDS(mark=repr(self._likely_mark)))
        if self._unit > 1:
            notes.append(row_facts.PRICES_IN_PARTS(unit=self._unit))
        return notes

    def read(self, texts: Mapping[str, str], declared: str) -> RowPrices:
        """Read the prices of a row.

        Args:
            texts: of the price, the list price and the price of a sale, "" for none.
            declared: the currency that the row names; "" for none.

        Returns:
            The prices. That of a sale is the price where it is lower, and the other one the list price.
        """
        declared_codes = currencies_of(declared)
        warnings: list[str] = []
        read: dict[str, Price | None] = {}
        for name, text in texts.items():
            is_none = name != "price" and text in self._no_prices
            try:
                read[name] = None if is_none else self._price(name, text, declared_codes[0] if declared_codes else "")
            except RowRejected as error:
                warnings.append(str(error))
                read[name] = None
        price, before, sale = read.get("price"), read.get("list_price"), read.get(SALE_PRICE)
        if sale is not None and price is not None and 0 < sale.amount < price.amount:
            price, before = replace(sale, currencies=sale.currencies or price.currencies), price
        try:
            currency = _currency(declared, declared_codes, price)
        except RowRejected as error:
            # An amount without its currency is not a price.
            return RowPrices(DEFAULT_CURRENCY, warnings=[*warnings, str(error)])
        current, former = (_amount(each, currency, warnings) for each in (price, before))
        if current is not None and former is not None and former <= current:
            # It is crossed out beside the price, which nothing was taken off.
            former = None
        names_currency = price is not None and bool(price.currencies)
        return RowPrices(currency, current, former, names_currency, warnings)

    def _price(self, name: str, text: str, currency: str) -> Price | None:
        usual = self._usual.get(name, NOTHING_SHOWN)
        price = parse_price(text, decimal=self._decimal, usual=usual, others=self._of_all.shown, currency=currency)
        if price is None:
            return None
        if usual.likely_groups in text and not (currency or price.currencies or self._of_all.shown):
            self._likely_mark = usual.likely_groups
        return replace(price, amount=price.amount / self._unit) if self._unit > 1 else price


def _are_parts(texts: Iterable[str], currencies: Collection[str]) -> bool:
    """Whether all prices are whole numbers of hundredths in a unit of Shopee, and are no prices of a currency with large ones."""
    numbers = [number for text in texts if (number := text.strip()) not in ("", "0", "-1")]
    if not numbers or not all(number.isascii() and number.isdigit() and len(number) < 20 for number in numbers):
        return False
    parts = [int(number) for number in numbers]
    if not _LARGE.isdisjoint(currencies):
        return all(part % SHOPEE_UNIT == 0 and part >= _MIN_LARGE * SHOPEE_UNIT for part in parts)
    are_hundredths = all(part % (SHOPEE_UNIT // 100) == 0 for part in parts)
    return are_hundredths and (bool(currencies) or median(parts) >= _MIN_USUAL * SHOPEE_UNIT)


def _amount(price: Price | None, currency: str, warnings: list[str]) -> Decimal | None:
    if price is None:
        return None
    amount = rounded(price.amount, currency)
    if amount != price.amount:
        warnings.append(row_facts.PRICE_ROUNDED(price=str(price.amount), amount=str(amount), currency=currency))
    return amount


def _currency(declared: str, declared_codes: Sequence[str], price: Price | None) -> str:
    allowed = () if price is None else price.currencies
    if not declared:
        return allowed[0] if allowed else DEFAULT_CURRENCY
    if not declared_codes:
        raise RowRejected(row_facts.CURRENCY_UNKNOWN(currency=repr(declared[:40])))
    if not allowed:
        return declared_codes[0]
    both = [code for code in declared_codes if code in allowed]
    if not both:
        raise RowRejected(row_facts.CURRENCIES_DIFFER(of_price=allowed[0], declared=declared_codes[0]))
    return both[0]
