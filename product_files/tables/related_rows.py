"""Rows of a table that belong together: products that others name as theirs, and one product in several categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from product_files.mapping import says_nothing
from product_files.product_data import ProductData
from product_files.rows import Row
from product_files.temporary_database import TemporaryDatabase, key_text, text_key
from product_files.values.cell_lists import deepest_first

# Records that are kept by one statement.
_AT_ONCE = 1000

Records = Iterable[Mapping[str, str]]


class Parents:
    """The products that rows name as theirs, by a SKU or by a number in a database, on the disk.

    Args:
        sku: column of the SKUs; "" for none.
        family: column of the product that a row is a variant of; "" for none.
        numbers: column of the products' numbers; "" for none.
    """

    def __init__(self, sku: str, family: str, numbers: str = "") -> None:
        self._sku = sku
        self._family = family
        self._numbers = numbers
        self._are_numbers = False
        self._database = TemporaryDatabase(
            "CREATE TABLE parent (name BLOB PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE numbered (number BLOB PRIMARY KEY, sku BLOB) WITHOUT ROWID",
            contents="families",
        )

    def are_in(self, records: Records) -> bool:
        """Whether any of these records names another one that is in no family itself, as tables of variants do."""
        if not (self._sku and self._family):
            return False
        named: set[str] = set()
        skus: set[str] = set()
        numbers: set[str] = set()
        for record in records:
            if family := self._named_by(record):
                named.add(family)
            else:
                skus.add(_plain(record.get(self._sku, "")))
                numbers.add(_plain(record.get(self._numbers, "")))
        by_sku, by_number = len(named & skus), len(named & numbers)
        self._are_numbers = by_number > by_sku
        return bool(by_sku or by_number)

    def read(self, records: Records) -> None:
        """Keep what these records name."""
        remaining = iter(records)
        while chunk := list(islice(remaining, _AT_ONCE)):
            names = {self._named_by(record) for record in chunk} - {""}
            self._database.write("INSERT OR IGNORE INTO parent VALUES (?)", ((text_key(name),) for name in names))
            if self._are_numbers:
                free = [record for record in chunk if not self._named_by(record)]
                pairs = ([_plain(record.get(column, "")) for column in (self._numbers, self._sku)] for record in free)
                own = ((text_key(number), text_key(sku or number)) for number, sku in pairs)
                self._database.write("INSERT OR IGNORE INTO numbered VALUES (?, ?)", own)

    def joined(self, row: Row) -> Row:
        """A row that others name, in the family of its own SKU, and one that names another, in that of the other's SKU."""
        if row.product is None:
            return row
        if family := row.product.family:
            found = None
            if self._are_numbers:
                found = self._database.first("SELECT sku FROM numbered WHERE number = ?", text_key(family))
            return replace(row, product=replace(row.product, family=key_text(found[0]))) if found else row
        name = "".join(row.record.get(self._numbers, "")) if self._are_numbers else row.sku
        if self._database.first("SELECT name FROM parent WHERE name = ?", text_key(_plain(name))) is None:
            return row
        return replace(row, product=replace(row.product, family=row.sku))

    def _named_by(self, record: Mapping[str, str]) -> str:
        """What a record names as its product; what has none has 0 in databases."""
        name = _plain(record.get(self._family, ""))
        return "" if name == "0" else name

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
    return "" if says_nothing(text) else " ".join(text.split())
