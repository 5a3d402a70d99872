"""Rows of a table that belong together: products that others name as theirs, and one product in several categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from product_files.product_data import ProductData
from product_files.rows import Row
from product_files.temporary_database import TemporaryDatabase, text_key
from product_files.values.cell_lists import deepest_first

Records = Iterable[Mapping[str, str]]


class Parents:
    """The SKUs that rows name as that of their product, on the disk.

    Args:
        sku: column of the SKUs; "" for none.
        family: column of the product that a row is a variant of; "" for none.
    """

    def __init__(self, sku: str, family: str) -> None:
        self._sku = sku
        self._family = family
        self._database = TemporaryDatabase(
            "CREATE TABLE parent (sku BLOB PRIMARY KEY) WITHOUT ROWID", contents="families"
        )

    def are_in(self, records: Records) -> bool:
        """Whether any of these records names another one that is in no family itself, as tables of variants do."""
        if not (self._sku and self._family):
            return False
        named: set[str] = set()
        free: set[str] = set()
        for record in records:
            family, sku = (_plain(record.get(column, "")) for column in (self._family, self._sku))
            (named if family else free).add(family or sku)
        return not named.isdisjoint(free - {""})

    def read(self, records: Records) -> None:
        """Keep what these records name."""
        names = dict.fromkeys(_plain(record.get(self._family, "")) for record in records)
        self._database.write("INSERT OR IGNORE INTO parent VALUES (?)", ((text_key(name),) for name in names if name))

    def joined(self, row: Row) -> Row:
        """A row that others name, in the family of its own SKU; others as they are."""
        if row.product is None or row.product.family:
            return row
        if self._database.first("SELECT sku FROM parent WHERE sku = ?", text_key(row.sku)) is None:
            return row
        return replace(row, product=replace(row.product, family=row.sku))

    def close(self) -> None:
        """Forget them."""
        self._database.close()


def in_all_categories(rows: Iterable[Row]) -> Iterator[Row]:
    """Join rows that follow each other and differ in their categories only: a table has one for each category of a product.

    Args:
        rows: of the table.

    Yields:
        The rows.
    """
    held: Row | None = None
    for row in rows:
        if held is not None and held.product is not None and row.product is not None and _is_same(held, row):
            paths = deepest_first(
                list(map(list, dict.fromkeys([*_categories(held.product), *_categories(row.product)])))
            )
            category, *others = paths or [()]
            held = replace(held, product=replace(held.product, category=category, other_categories=others))
            continue
        if held is not None:
            yield held
        held = row
    if held is not None:
        yield held


def _is_same(one: Row, other: Row) -> bool:
    def without_categories(row: Row) -> tuple[object, ...]:
        product = row.product
        return (
            row.sku,
            product and replace(product, category=(), other_categories=()),
            [photo.name for photo in row.photos or ()],
            row.error,
            row.warnings,
        )

    if one.sku != other.sku or one.product is None or other.product is None:
        return False
    # One that stands there twice is counted as such.
    differ = _categories(one.product) != _categories(other.product)
    return differ and without_categories(one) == without_categories(other)


def _categories(product: ProductData) -> list[tuple[str, ...]]:
    return [tuple(each) for each in (product.category, *product.other_categories) if each]


def _plain(text: str) -> str:
    return " ".join(text.split())
