"""Prices and stocks of Salesforce Commerce Cloud: its price books and inventory lists, which change products that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows
from product_files.values.currencies import currencies_of
from product_files.xml_files.salesforce_offers import (
    BOOKS,
    PRICES,
    RECORDS,
    SKU,
    STOCKS,
    PriceBooks,
    availability,
    price_record,
)
from product_files.xml_files.xml_items import Item, XmlFile, other_root, rows_of_items

FORMAT = "salesforce_updates"
# Roots of these files, and their children.
MARKS = {PRICES: "pricebook", STOCKS: "inventory-list"}

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
    is_of_stocks = XmlFile(path, encoding=mapping.encoding).root == STOCKS
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
        self._file = _opened(path, PRICES, BOOKS, mapping)
        self._now = now
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
        with closing(PriceBooks(self._currency, self._now)) as books:

            def rows_of(number: int, item: Item) -> Iterator[Row]:
                if problem := books.read(item):
                    yield Row(number, item.text(SKU), error=problem)

            # A file that cannot be read to its end is reported behind the prices that stand before the fault.
            faults = list(rows_of_items(self._file, rows_of, SKU))
            self._left_out = books.left_out
            for number, (sku, low, high) in enumerate(books, start=1):
                record = {"sku": sku, **price_record(low, high, books.currency)}
                yield self._rows.build(ShopProduct(line=number, record=record, has_attributes=False))
            yield from faults


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
        self._file = _opened(path, STOCKS, RECORDS, mapping)
        self._rows = ShopRows(mapping, [], photos=photos, system=_SYSTEM, read_as=row_facts.READ_AS_CATALOGUE)

    def __iter__(self) -> Iterator[Row]:
        return rows_of_items(self._file, self._row, SKU)

    def _row(self, number: int, item: Item) -> Iterator[Row]:
        record = {"sku": item.text(SKU), "available": availability(item)}
        yield self._rows.build(ShopProduct(line=number, record=record, has_attributes=False))


def _opened(path: Path, root: str, items: tuple[str, ...], mapping: FieldMapping) -> XmlFile:
    file = XmlFile(path, items, mapping.encoding)
    if file.root != root:
        raise other_root(file.root, root, _SYSTEM)
    if not mapping.update_only:
        raise InvalidSource(file_facts.CHANGES_ONLY())
    return file
