"""Price books and inventory lists of Salesforce Commerce Cloud: the price and the stock of each product."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import cast

from product_files import file_facts, row_facts
from product_files.product_data import DEFAULT_CURRENCY
from product_files.rows import InvalidSource, RowRejected
from product_files.tables.shop_rows import lasts
from product_files.temporary_database import TemporaryDatabase, key_text, text_key
from product_files.values.availability import says_yes
from product_files.xml_files.xml_items import FeedSyntaxError, Item, XmlFile

PRICES, STOCKS = "pricebooks", "inventory"
BOOKS, RECORDS = ("pricebook/header", "price-tables/price-table"), ("records/record",)
_LISTS = ("inventory-list/header", *RECORDS)
SKU = "@product-id"

# Folders of an export of a whole site.
_CATALOGUES, _OF_PRICES, _OF_STOCKS = "catalogs", "pricebooks", "inventory-lists"


class PriceBooks:
    """The lowest and the highest price of each product that count now, of the books in one currency.

    Args:
        currency: of the books that count; "" for that of the first one.
        now: time that decides which prices count; by default the current time.

    Attributes:
        currency: of these books.
        left_out: number of prices in other currencies.
    """

    def __init__(self, currency: str, now: datetime | None = None) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE price (number INTEGER PRIMARY KEY, sku BLOB UNIQUE, low TEXT, high TEXT)",
            contents="prices of the file",
        )
        self._now = now or datetime.now(UTC)
        self._wanted = currency
        self.currency = ""
        self.left_out = 0
        self._is_open = self._is_foreign = False

    def read(self, item: Item) -> str:
        """Keep what an element says: the head of a book, or a price in it.

        Args:
            item: one of BOOKS, in the order of the file.

        Returns:
            Why it could not be read, or "".
        """
        sku = item.text(SKU)
        if not sku:
            self._begin(item.text("currency"), counts=item.text("online-flag") in ("", "true"))
            return ""
        if not self._is_open:
            self.left_out += self._is_foreign
            return ""
        try:
            if not lasts(item.text("online-from"), item.text("online-to"), self._now):
                return ""
            if (amount := _amount(item)) is not None:
                self._add(sku, amount)
        except RowRejected as error:
            return cast("str", error.args[0])
        return ""

    def of(self, sku: str) -> tuple[str, str] | None:
        """The lowest and the highest price of a product; None for one without any."""
        found = self._database.first("SELECT low, high FROM price WHERE sku = ?", text_key(sku))
        return None if found is None else (cast("str", found[0]), cast("str", found[1]))

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

    def _begin(self, currency: str, *, counts: bool) -> None:
        if counts and not self.currency:
            self.currency = self._wanted or currency
        self._is_foreign = counts and currency != self.currency
        self._is_open = counts and not self._is_foreign

    def _add(self, sku: str, amount: Decimal) -> None:
        amounts = [amount, *map(Decimal, self.of(sku) or ())]
        low, high = str(min(amounts)), str(max(amounts))
        self._database.write(
            "INSERT INTO price (sku, low, high) VALUES (?, ?, ?) ON CONFLICT (sku) DO UPDATE SET low = excluded.low, "
            "high = excluded.high",
            [(text_key(sku), low, high)],
        )


def price_record(low: str, high: str, currency: str) -> dict[str, str]:
    """The fields of a product with these prices.

    Args:
        low: the lowest price that counts.
        high: the highest one.
        currency: of both.

    Returns:
        `price`, `list_price` ("" where it is not higher) and `currency`.
    """
    return {"price": low, "list_price": high if Decimal(high) > Decimal(low) else "", "currency": currency}


def availability(record: Item) -> str:
    """What a record of an inventory list says about the stock: "yes" where it has no end, or else a number."""
    stock = record.text("ats") or record.text("allocation")
    endless = says_yes(record.text("perpetual")) or record.text("preorder-backorder-handling") in (
        "preorder",
        "backorder",
    )
    return "yes" if endless else stock


class OffersBeside:
    """The prices and stocks in files that belong to a catalogue: beside it, or in the folders of an export of a whole site.

    Args:
        catalogue: the file.
        currency: of the price books that count; "" for the shop's, or else that of the first one.

    Attributes:
        catalogues: files of other catalogues of the site.
        problems: why the price of a product could not be read, by its SKU.
    """

    def __init__(self, catalogue: Path, currency: str) -> None:
        roots = {path: _root(path) for path in _files_beside(catalogue)}
        self.catalogues = [path for path, root in roots.items() if root == "catalog"]
        self._books = [path for path, root in roots.items() if root == PRICES]
        self._lists = [path for path, root in roots.items() if root == STOCKS]
        self._currency = currency
        self.problems: dict[str, str] = {}
        self._left_out = 0

    @property
    def has_prices(self) -> bool:
        """Whether there are price books."""
        return bool(self._books)

    @property
    def notes(self) -> Sequence[str]:
        """Which files were read, and what was left out of them."""
        names = ", ".join(sorted(path.name for path in (*self._books, *self._lists)))
        left_out = [row_facts.OTHER_CURRENCIES(rows=self._left_out)] if self._left_out else []
        return [row_facts.OFFERS_FROM(files=names), *left_out] if names else []

    @contextlib.contextmanager
    def opened(self) -> Iterator[Offers]:
        """Read the files.

        Yields:
            What they say about each product.

        Raises:
            FeedSyntaxError: a file cannot be read to its end.
        """
        with closing(PriceBooks(self._currency or self._first_currency())) as books, closing(Offers(books)) as offers:
            self._left_out = 0
            for path in self._books:
                for item in _items(path, BOOKS):
                    if problem := books.read(item):
                        self.problems[item.text(SKU)] = problem
            for path in self._lists:
                offers.add_stocks(_items(path, _LISTS))
            self._left_out = books.left_out
            yield offers

    def _first_currency(self) -> str:
        found: dict[str, None] = {}
        for path in self._books:
            # It is reported where the prices are read.
            with contextlib.suppress(FeedSyntaxError):
                found |= dict.fromkeys(item.text("currency") for item in XmlFile(path, BOOKS[:1]))
        return DEFAULT_CURRENCY if DEFAULT_CURRENCY in found else next(iter(found), "")


class Offers:
    """What price books and inventory lists say about products. Of several stocks of a product, any is enough.

    A product that no list has a record of has what the lists say of those: any that says that they are in stock is enough.

    Args:
        books: that were read.
    """

    def __init__(self, books: PriceBooks) -> None:
        self._books = books
        self._database = TemporaryDatabase(
            "CREATE TABLE stock (sku BLOB PRIMARY KEY, available INTEGER) WITHOUT ROWID", contents="stocks of the file"
        )
        self._without_record: bool | None = None

    def add_stocks(self, elements: Iterable[Item]) -> None:
        """Add the heads and records of a file of inventory lists."""
        for record in elements:
            if not record.text(SKU):
                if said := record.text("default-instock"):
                    self._without_record = says_yes(said) or bool(self._without_record)
                continue
            text = availability(record)
            try:
                is_available = text == "yes" or Decimal(text) > 0
            except InvalidOperation:
                continue
            self._database.write(
                "INSERT INTO stock VALUES (?, ?) ON CONFLICT (sku) DO UPDATE SET available = MAX(available, "
                "excluded.available)",
                [(text_key(record.text(SKU)), int(is_available))],
            )

    def fields(self, sku: str) -> dict[str, str]:
        """The fields of a product that they say; the others stay as they are."""
        prices = self._books.of(sku)
        stock = self._database.first("SELECT available FROM stock WHERE sku = ?", text_key(sku))
        is_available = bool(stock[0]) if stock else self._without_record
        return {
            **(price_record(*prices, self._books.currency) if prices else {}),
            **({} if is_available is None else {"available": "yes" if is_available else "no"}),
        }

    def close(self) -> None:
        """Forget them."""
        self._database.close()


def _files_beside(catalogue: Path) -> list[Path]:
    folder = catalogue.parent
    found = sorted(folder.glob("*.xml"))
    if folder.parent.name == _CATALOGUES:
        site = folder.parent.parent
        found += sorted(folder.parent.glob("*/*.xml"))
        found += [path for name in (_OF_PRICES, _OF_STOCKS) for path in sorted((site / name).glob("*.xml"))]
    return [path for path in dict.fromkeys(found) if path != catalogue and path.is_file()]


def _items(path: Path, items: Sequence[str]) -> Iterator[Item]:
    try:
        yield from XmlFile(path, items)
    except FeedSyntaxError as error:
        raise FeedSyntaxError(file_facts.IN_FILE(file=path.name, reason=str(error))) from error


def _root(path: Path) -> str:
    with contextlib.suppress(InvalidSource):
        return XmlFile(path).root
    return ""


def _amount(item: Item) -> Decimal | None:
    """The price of the smallest quantity."""
    found = []
    for attributes, text in item.attributed.get("amount", ()):
        try:
            pair = Decimal(attributes.get("quantity") or 1), Decimal(text)
        except InvalidOperation:
            raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40]))) from None
        # Decimal reads `NaN` and `Infinity`, which cannot be compared or stored.
        if not all(each.is_finite() for each in pair):
            raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40])))
        found.append(pair)
    return min(found)[1] if found else None
