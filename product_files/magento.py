"""The product export of Magento and Adobe Commerce as CSV.

Columns: https://experienceleague.adobe.com/en/docs/commerce-admin/systems/data-transfer/data-attributes-product
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.cell_lists import deepest_first
from product_files.csv_file import CsvTable, TableRow
from product_files.html_text import html_to_text
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row, RowRejected
from product_files.shop_rows import (
    ShopExport,
    ShopProduct,
    ShopRows,
    lasts,
    machine_price,
    split_escaped,
    with_list_price,
)
from product_files.temporary_database import TemporaryDatabase, text_key

# Columns that identify the export.
REQUIRED = ("sku", "name", "price")
_IDENTIFYING = frozenset(
    (
        "attribute_set_code",
        "product_type",
        "store_view_code",
        "product_websites",
        "product_online",
        "additional_attributes",
    )
)
_IDENTIFYING_AT_LEAST = 2

_DEFAULT_ROOT = "Default Category"
_NO_PHOTO = "no_selection"
_HIDDEN = "not visible individually"
_ONLINE = "1"
# Attributes of the shop's own bookkeeping.
_INTERNAL = frozenset(("has_options", "required_options"))
_MULTISELECT_MARK = "|"

# `size="S",note="with, comma and ""quotes"""`, as written with the option "Fields Enclosure".
_ENCLOSED = re.compile(r'([a-zA-Z0-9_]+)="((?:[^"]|"")*)"')
_EXACT_DECIMALS = re.compile(r"(\d+\.\d\d)0+", re.ASCII)


class MagentoExport(ShopExport[ShopRows]):
    """A row per product. A configurable product and its variations are a family.

    The file is read twice, because the variations stand before their configurable product, which names them.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.
        now: time that decides whether a special price is on; by default the current time.

    Attributes:
        headers: columns of the export.
        total: approximate number of rows.

    Raises:
        InvalidSource: the file is not such an export.
    """

    format = "magento"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._decimal = mapping.decimal
        self._table = CsvTable(path, mapping)
        self.headers = self._table.headers
        missing = [name for name in REQUIRED if name not in self.headers]
        if missing:
            raise InvalidSource(
                file_facts.NOT_AN_EXPORT(missing=", ".join(missing), system="Magento", columns=", ".join(self.headers))
            )
        self._rows = ShopRows(mapping, self.headers, photos=photos, system="Magento")
        self._translations = 0
        self._alone = 0
        self.total = self._table.total

    @staticmethod
    def matches(headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such an export."""
        return set(REQUIRED) <= set(headers) and len(_IDENTIFYING & set(headers)) >= _IDENTIFYING_AT_LEAST

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the export as a whole."""
        notes = [*super().notes, *self._table.notes]
        if self._translations:
            notes.append(row_facts.STORE_VIEWS(rows=self._translations))
        if self._alone:
            notes.append(row_facts.NOT_VISIBLE_ALONE(products=self._alone))
        return notes

    def __iter__(self) -> Iterator[Row]:
        self._translations = self._alone = 0
        with closing(Families()) as families:
            roots = self._read_families(families)
            for line in self._table:
                if line.error:
                    yield Row(line.line, "", error=line.error, cells=line.cells)
                elif cell(line, "store_view_code"):
                    self._translations += 1
                else:
                    yield self._row(line, families, roots)

    def _read_families(self, families: Families) -> frozenset[str]:
        """Read which products belong to which configurable one. Returns the names of root categories, which shops do not show."""
        first_levels: set[str] = set()
        bare: set[str] = set()
        for line in self._table:
            if line.error or cell(line, "store_view_code"):
                continue
            for path in _paths(line):
                if len(first_levels) < 2:
                    first_levels.add(path[0])
                if len(path) == 1 and len(bare) < 2:
                    bare.add(path[0])
            if variations := cell(line, "configurable_variations"):
                families.add(cell(line, "sku"), _variations(variations))
        # Magento lists the root itself among the categories of a product.
        only = first_levels if len(first_levels) == 1 and first_levels == bare else set()
        return frozenset(only | {_DEFAULT_ROOT})

    def _row(self, line: TableRow, families: Families, roots: frozenset[str]) -> Row:
        warnings: list[str] = []
        sku = cell(line, "sku")
        family, options = families.of(sku)
        is_configurable = cell(line, "product_type") == "configurable"
        try:
            price, list_price = self._prices(line)
        except RowRejected as error:
            warnings.append(row_facts.SPECIAL_PRICE_LEFT_OUT(reason=str(error)))
            price, list_price = exact_price(line, "price"), ""
        categories = deepest_first(path[1:] if path[0] in roots else path for path in _paths(line))
        attributes = _attributes(cell(line, "additional_attributes"))
        record: dict[str, str | Sequence[str]] = {
            **line.values,
            "title": cell(line, "name"),
            "price": price,
            "list_price": list_price,
            "family": family or (sku if is_configurable else ""),
        }
        if "description" in self.headers or "short_description" in self.headers:
            record["description"] = html_to_text(cell(line, "description") or cell(line, "short_description"))
        if "categories" in self.headers:
            record["category"] = categories[0] if categories else ()
        if "base_image" in self.headers:
            record["image"] = _photos(line)
        if "is_in_stock" in self.headers or "qty" in self.headers:
            record["available"] = "yes" if is_available(line, has_own_stock=not is_configurable) else "no"
        if "product_online" in self.headers or "visibility" in self.headers:
            record["active"] = "yes" if self._is_active(line, family) else "no"
        if brand := attributes.pop("manufacturer", "") or attributes.pop("brand", ""):
            record["brand"] = brand
        return self._rows.build(
            ShopProduct(
                line=line.line,
                record=record,
                attributes={**attributes, **options},
                other_categories=categories[1:],
                alts=_alts(line),
                warnings=tuple(warnings),
                cells=line.cells,
            )
        )

    def _prices(self, line: TableRow) -> tuple[str, str]:
        """The price that a buyer pays now, and the one before the reduction, or ""."""
        price, special = exact_price(line, "price"), exact_price(line, "special_price")
        starts, ends = cell(line, "special_price_from_date"), cell(line, "special_price_to_date")
        if not special or not lasts(starts, ends, self._now):
            return price, ""
        return with_list_price(special, price, self._decimal)

    def _is_active(self, line: TableRow, family: str) -> bool:
        """Online, and on a page: its own, or that of its configurable product."""
        if cell(line, "product_online") not in ("", _ONLINE):
            return False
        if cell(line, "visibility").lower() == _HIDDEN and not family:
            self._alone += 1
            return False
        return True


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


def _variations(text: str) -> list[tuple[str, dict[str, str]]]:
    """The variations of `sku=MH-S,size=S|sku=MH-M,size=M`, each with its options."""
    found = []
    for variation in text.split("|"):
        pairs = _pairs(variation)
        if sku := pairs.pop("sku", ""):
            found.append((sku, pairs))
    return found


def _attributes(text: str) -> dict[str, str]:
    """The attributes of `size=S,color=Red`."""
    enclosed = {code.lower(): value.replace('""', '"') for code, value in _ENCLOSED.findall(text)}
    pairs = enclosed or _pairs(text)
    return {
        code: ", ".join(part.strip() for part in value.split(_MULTISELECT_MARK) if part.strip())
        for code, value in pairs.items()
        if value and code not in _INTERNAL
    }


def _pairs(text: str) -> dict[str, str]:
    """Names and values; what has no equals sign belongs to the value before it, which has a comma."""
    pairs: dict[str, str] = {}
    name = ""
    for part in text.split(","):
        before, equals, value = part.partition("=")
        if equals:
            name = before.strip().lower()
            pairs[name] = value.strip()
        elif name:
            pairs[name] += f",{part}"
    return pairs


def _paths(line: TableRow) -> list[list[str]]:
    """The categories, from the root down. A slash in a name has a backslash before it."""
    return [levels for path in cell(line, "categories").split(",") if (levels := split_escaped(path, "/"))]


def _photos(line: TableRow) -> list[str]:
    """The photos by their paths below the folder of photos, each once."""
    return product_photos([cell(line, "base_image"), *cell(line, "additional_images").split(",")])


def product_photos(names: Sequence[str]) -> list[str]:
    """The photos by their paths below the folder of photos, each once. names: as the export has them."""
    paths = (name.strip().lstrip("/") for name in names)
    return [path for path in dict.fromkeys(paths) if path and path != _NO_PHOTO]


def _alts(line: TableRow) -> dict[str, str]:
    names = cell(line, "additional_images").split(",")
    labels = cell(line, "additional_image_labels").split(",")
    alts = dict(zip(names, labels, strict=True)) if len(names) == len(labels) else {}
    alts |= {name: label for name, label in [(cell(line, "base_image"), cell(line, "base_image_label"))] if label}
    return {name.strip().lstrip("/"): label.strip() for name, label in alts.items()}


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
