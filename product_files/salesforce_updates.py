"""Prices and stocks of Salesforce Commerce Cloud: its price books and inventory lists, which change products that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import cast

from product_files import file_facts, row_facts
from product_files.availability import says_yes
from product_files.currencies import currencies_of
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row, RowRejected
from product_files.shop_rows import ShopExport, ShopProduct, ShopRows, lasts
from product_files.temporary_database import TemporaryDatabase, key_text, text_key
from product_files.xml_items import Item, XmlFile, other_root, rows_of_items

FORMAT = "salesforce_updates"
# Roots of these files, and their children.
MARKS = {"pricebooks": "pricebook", "inventory": "inventory-list"}
_PRICES, _STOCKS = MARKS

_SKU = "@product-id"
_SYSTEM = "Salesforce Commerce Cloud"


def salesforce_updates(
    path: Path, mapping: FieldMapping, *, photos: PhotoFolder
) -> SalesforcePrices | SalesforceStocks:
    """The rows of a file of prices or of stocks.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: there are none.

    Returns:
        The rows.

    Raises:
        InvalidSource: the file is neither, or products are to be added from it.
    """
    is_of_stocks = XmlFile(path, encoding=mapping.encoding).root == _STOCKS
    return (SalesforceStocks if is_of_stocks else SalesforcePrices)(path, mapping, photos=photos)


class SalesforcePrices(ShopExport[ShopRows]):
    """A row per product of the price books: the lowest price that counts now, and the highest as its list price.

    Books in other currencies than the one that was named, or else that of the first book, are left out.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: there are none.
        now: time that decides which prices count; by default the current time.

    Raises:
        InvalidSource: the file has no price books, or products are to be added from it.
    """

    format = FORMAT

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._file = _opened(path, _PRICES, ("pricebook/header", "price-tables/price-table"), mapping)
        self._now = now or datetime.now(UTC)
        self._currency = (*currencies_of(mapping.values.get("currency", "")), "")[0]
        self._rows = ShopRows(
            mapping.with_derived_currency(),
            ["currency"],
            photos=photos,
            system=_SYSTEM,
            read_as=row_facts.READ_AS_CATALOGUE,
        )
        self._left_out = 0

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file as a whole."""
        return [*super().notes, *([row_facts.OTHER_CURRENCIES(rows=self._left_out)] if self._left_out else [])]

    def __iter__(self) -> Iterator[Row]:
        self._left_out = 0
        with closing(_Prices()) as prices:

            def rows_of(number: int, item: Item) -> Iterator[Row]:
                warning = self._read(item, prices)
                if warning:
                    yield Row(number, item.text(_SKU), error=warning)

            # A file that cannot be read to its end is reported behind the prices that stand before the fault.
            faults = list(rows_of_items(self._file, rows_of, _SKU))
            number = 0
            for number, (sku, low, high) in enumerate(prices, start=1):
                list_price = high if Decimal(high) > Decimal(low) else ""
                record = {"sku": sku, "price": low, "list_price": list_price, "currency": prices.currency}
                yield self._rows.build(ShopProduct(line=number, record=record, has_attributes=False))
            yield from faults

    def _read(self, item: Item, prices: _Prices) -> str:
        """Keep what an element says; why it could not be read, or ""."""
        sku = item.text(_SKU)
        if not sku:
            prices.begin_book(
                item.text("currency"), counts=item.text("online-flag") in ("", "true"), wanted=self._currency
            )
            return ""
        if not prices.is_open:
            self._left_out += prices.is_foreign
            return ""
        try:
            if not lasts(item.text("online-from"), item.text("online-to"), self._now):
                return ""
            if (amount := _amount(item)) is not None:
                prices.add(sku, amount)
        except RowRejected as error:
            return cast("str", error.args[0])
        return ""


class SalesforceStocks(ShopExport[ShopRows]):
    """A row per product of an inventory list, numbered in the order of the file.

    Args:
        path: the file.
        mapping: how fields are filled; takes precedence over what is read.
        photos: there are none.

    Raises:
        InvalidSource: the file is no inventory list, or products are to be added from it.
    """

    format = FORMAT

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._file = _opened(path, _STOCKS, ("records/record",), mapping)
        self._rows = ShopRows(mapping, [], photos=photos, system=_SYSTEM, read_as=row_facts.READ_AS_CATALOGUE)

    def __iter__(self) -> Iterator[Row]:
        return rows_of_items(self._file, self._row, _SKU)

    def _row(self, number: int, item: Item) -> Iterator[Row]:
        stock = item.text("ats") or item.text("allocation")
        endless = says_yes(item.text("perpetual")) or item.text("preorder-backorder-handling") in (
            "preorder",
            "backorder",
        )
        record = {"sku": item.text(_SKU), "available": "yes" if endless else stock}
        yield self._rows.build(ShopProduct(line=number, record=record, has_attributes=False))


def _opened(path: Path, root: str, items: tuple[str, ...], mapping: FieldMapping) -> XmlFile:
    file = XmlFile(path, items, mapping.encoding)
    if file.root != root:
        raise other_root(file.root, root, _SYSTEM)
    if not mapping.update_only:
        raise InvalidSource(file_facts.CHANGES_ONLY())
    return file


def _amount(item: Item) -> Decimal | None:
    """The price of the smallest quantity."""
    found = []
    for attributes, text in item.attributed.get("amount", ()):
        try:
            found.append((Decimal(attributes.get("quantity") or 1), Decimal(text)))
        except InvalidOperation:
            raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40]))) from None
    return min(found)[1] if found else None


class _Prices:
    """The lowest and the highest price of each product, of the books in one currency.

    Attributes:
        currency: of these books.
        is_open: whether prices of the present book count.
        is_foreign: they do not, because its currency is another one.
    """

    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE price (number INTEGER PRIMARY KEY, sku BLOB UNIQUE, low TEXT, high TEXT)",
            contents="prices of the file",
        )
        self.currency = ""
        self.is_open = self.is_foreign = False

    def begin_book(self, currency: str, *, counts: bool, wanted: str) -> None:
        """Begin a price book. wanted: the currency of those that count; "" for that of the first one that does."""
        if counts and not self.currency:
            self.currency = wanted or currency
        self.is_foreign = counts and currency != self.currency
        self.is_open = counts and not self.is_foreign

    def add(self, sku: str, amount: Decimal) -> None:
        """Add a price of a product."""
        found = self._database.first("SELECT low, high FROM price WHERE sku = ?", text_key(sku))
        amounts = [amount, *(Decimal(cast("str", each)) for each in found or ())]
        low, high = str(min(amounts)), str(max(amounts))
        self._database.write(
            "INSERT INTO price (sku, low, high) VALUES (?, ?, ?) ON CONFLICT (sku) DO UPDATE SET low = excluded.low, "
            "high = excluded.high",
            [(text_key(sku), low, high)],
        )

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """The products in the order of the file, with their lowest and highest prices."""
        number = 0
        while row := self._database.first(
            "SELECT number, sku, low, high FROM price WHERE number > ? ORDER BY number LIMIT 1", number
        ):
            number = cast("int", row[0])
            yield key_text(row[1]), cast("str", row[2]), cast("str", row[3])

    def close(self) -> None:
        """Forget them."""
        self._database.close()
