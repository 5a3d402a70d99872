"""What the product exports of Magento as CSV have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import ClassVar

from product_files import file_facts, row_facts
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, RowRejected
from product_files.tables.csv_file import CsvTable, TableRow
from product_files.tables.shop_rows import ShopExport, ShopRows, lasts, machine_price, with_list_price
from product_files.temporary_database import TemporaryDatabase, text_key

_NO_PHOTO = "no_selection"
_EXACT_DECIMALS = re.compile(r"(\d+\.\d\d)0+", re.ASCII)


class MagentoTable(ShopExport[ShopRows]):
    """A table with one price, special price and visibility in each line. Readers add how lines become products.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.
        now: time that decides whether a special price is on; by default the current time.

    Attributes:
        system: name of the shop system.
        required: columns that identify the export.
        special_price_dates: columns of the first and the last day of a special price.

    Raises:
        InvalidSource: the file is not such an export.
    """

    system: ClassVar[str]
    required: ClassVar[Sequence[str]]
    special_price_dates: ClassVar[tuple[str, str]]

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._decimal = mapping.decimal
        self._table = CsvTable(path, mapping)
        self.headers = self._table.headers
        missing = [name for name in self.required if name not in self.headers]
        if missing:
            columns = ", ".join(self.headers)
            raise InvalidSource(
                file_facts.NOT_AN_EXPORT(missing=", ".join(missing), system=self.system, columns=columns)
            )
        self._rows = ShopRows(mapping, self.headers, photos=photos, system=self.system)
        self._translations = 0
        self._alone = 0
        self.total = self._table.total

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the export as a whole."""
        notes = [*super().notes, *self._table.notes]
        if self._translations:
            notes.append(row_facts.STORE_VIEWS(rows=self._translations))
        if self._alone:
            notes.append(row_facts.NOT_VISIBLE_ALONE(products=self._alone))
        return notes

    def _prices(self, line: TableRow, warnings: list[str]) -> tuple[str, str]:
        """The price that a buyer pays now, and the one before the reduction, or "". warnings: gets what was left out."""
        price, special = exact_price(line, "price"), exact_price(line, "special_price")
        starts, ends = (cell(line, name) for name in self.special_price_dates)
        if not special:
            return price, ""
        try:
            return with_list_price(special, price, self._decimal) if lasts(starts, ends, self._now) else (price, "")
        except RowRejected as error:
            warnings.append(row_facts.SPECIAL_PRICE_LEFT_OUT(reason=str(error)))
            return price, ""


class Families:
    """The configurable product and the options of each variation, on the disk."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE member (sku BLOB PRIMARY KEY, family TEXT, options TEXT) WITHOUT ROWID", contents="variations"
        )

    def add(self, family: str, variations: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        """Keep the variations of a configurable product.

        Args:
            family: its SKU.
            variations: their SKUs and options.
        """
        self._database.write(
            "INSERT OR IGNORE INTO member VALUES (?, ?, ?)",
            [(text_key(sku), json.dumps(family), json.dumps(options)) for sku, options in variations],
        )

    def of(self, sku: str) -> tuple[str, dict[str, str]]:
        """The SKU of its configurable product, and its options; "" if it has none."""
        found = self._database.first("SELECT family, options FROM member WHERE sku = ?", text_key(sku))
        return (json.loads(str(found[0])), json.loads(str(found[1]))) if found else ("", {})

    def close(self) -> None:
        """Forget them."""
        self._database.close()


def product_photos(names: Sequence[str]) -> list[str]:
    """The photos by their paths below the folder of photos, each once. names: as the export has them."""
    paths = (name.strip().lstrip("/") for name in names)
    return [path for path in dict.fromkeys(paths) if path and path != _NO_PHOTO]


def is_available(line: TableRow, *, has_own_stock: bool) -> bool:
    """Whether a product is in stock; without that column, whether there are any.

    Args:
        line: of the product.
        has_own_stock: False for one that is sold as its variations.

    Returns:
        True where nothing is known.
    """
    if in_stock := cell(line, "is_in_stock"):
        return in_stock != "0"
    if not has_own_stock or cell(line, "manage_stock") == "0" or not cell(line, "qty"):
        return True
    try:
        return Decimal(cell(line, "qty")) > 0
    except InvalidOperation:
        return True


def exact_price(line: TableRow, name: str) -> str:
    """A price. Magento writes 52.000000: the zeros behind two decimals are no decimals of a currency.

    Args:
        line: of the product.
        name: of the column.

    Returns:
        The price without them.
    """
    text = cell(line, name)
    match = _EXACT_DECIMALS.fullmatch(text)
    return match[1] if match else machine_price(text)


def cell(line: TableRow, name: str) -> str:
    """The text of a line in the column of this name; "" where there is none."""
    return line.values.get(name, "").strip()
