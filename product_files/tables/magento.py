"""The product export of Magento and Adobe Commerce as CSV.

Columns: https://experienceleague.adobe.com/en/docs/commerce-admin/systems/data-transfer/data-attributes-product
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing

from product_files.rows import Row
from product_files.tables.csv_file import TableRow
from product_files.tables.magento_table import Families, MagentoTable, cell, is_available, product_photos
from product_files.tables.shop_rows import (
    ShopProduct,
    split_escaped,
)
from product_files.values.cell_lists import deepest_first
from product_files.values.html_text import html_to_text

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
_HIDDEN = "not visible individually"
_ONLINE = "1"
# Attributes of the shop's own bookkeeping.
_INTERNAL = frozenset(("has_options", "required_options"))
_MULTISELECT_MARK = "|"

# `size="S",note="with, comma and ""quotes"""`, as written with the option "Fields Enclosure".
_ENCLOSED = re.compile(r'([a-zA-Z0-9_]+)="((?:[^"]|"")*)"')


class MagentoExport(MagentoTable):
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
    system = "Magento"
    required = ("sku", "name", "price")
    special_price_dates = ("special_price_from_date", "special_price_to_date")

    @classmethod
    def matches(cls, headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such an export."""
        return set(cls.required) <= set(headers) and len(_IDENTIFYING & set(headers)) >= _IDENTIFYING_AT_LEAST

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
        price, list_price = self._prices(line, warnings)
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

    def _is_active(self, line: TableRow, family: str) -> bool:
        """Online, and on a page: its own, or that of its configurable product."""
        if cell(line, "product_online") not in ("", _ONLINE):
            return False
        if cell(line, "visibility").lower() == _HIDDEN and not family:
            self._alone += 1
            return False
        return True


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


def _alts(line: TableRow) -> dict[str, str]:
    names = cell(line, "additional_images").split(",")
    labels = cell(line, "additional_image_labels").split(",")
    alts = dict(zip(names, labels, strict=True)) if len(names) == len(labels) else {}
    alts |= {name: label for name, label in [(cell(line, "base_image"), cell(line, "base_image_label"))] if label}
    return {name.strip().lstrip("/"): label.strip() for name, label in alts.items()}
