"""The product export of Magento 1 as CSV: lines without a SKU have further categories, photos and variations of the one above."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from product_files import row_facts
from product_files.rows import Row
from product_files.tables.csv_file import TableRow
from product_files.tables.magento_table import Families, MagentoTable, cell, is_available, product_photos
from product_files.tables.shop_rows import ShopProduct, split_escaped
from product_files.values.cell_lists import deepest_first
from product_files.values.html_text import html_to_text

_MEMBER, _CODE, _OPTION = "_super_products_sku", "_super_attribute_code", "_super_attribute_option"
_ENABLED, _ALONE_HIDDEN = "1", "1"
# Of the columns that have the names of attributes, those that shoppers see in nearly any shop.
_ATTRIBUTES = frozenset(("color", "colour", "size", "shoe_size", "material", "gender", "pattern", "style", "season"))
_MAX_LINES = 5000


class Magento1Export(MagentoTable):
    """A row per product. A configurable product and its variations, which stand in front of it, are a family.

    The file is read twice for this.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.
        now: time that decides whether a special price is on; by default the current time.

    Attributes:
        headers: columns of the export.
        total: approximate number of lines.

    Raises:
        InvalidSource: the file is not such an export.
    """

    format = "magento_1"
    system = "Magento 1"
    required = ("sku", "_type", "_attribute_set", "name", "price")
    special_price_dates = ("special_from_date", "special_to_date")

    @classmethod
    def matches(cls, headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such an export."""
        return set(cls.required) <= set(headers)

    def __iter__(self) -> Iterator[Row]:
        with closing(Families()) as families:
            for product in self._products():
                if isinstance(product, _Lines):
                    families.add(cell(product.first, "sku"), _variations(product))
            self._translations = self._alone = 0
            for product in self._products():
                yield self._row(product, families) if isinstance(product, _Lines) else product

    def _products(self) -> Iterator[_Lines | Row]:
        """The lines of each product, and those that cannot be read."""
        product: _Lines | None = None
        for line in self._table:
            if line.error or (product is None and not cell(line, "sku")):
                yield Row(line.line, "", error=line.error or row_facts.NO_SKU(), cells=line.cells)
            elif cell(line, "sku"):
                if product is not None:
                    yield product
                product = _Lines(line)
            elif product is not None and cell(line, "_store"):
                self._translations += 1
            elif product is not None and len(product.others) < _MAX_LINES:
                product.others.append(line)
        if product is not None:
            yield product

    def _row(self, product: _Lines, families: Families) -> Row:
        line = product.first
        warnings: list[str] = []
        sku = cell(line, "sku")
        family, options = families.of(sku)
        is_configurable = cell(line, "_type") == "configurable"
        price, list_price = self._prices(line, warnings)
        categories = deepest_first(split_escaped(cell(each, "_category"), "/") for each in product.all)
        record: dict[str, str | Sequence[str]] = {
            **line.values,
            "title": cell(line, "name"),
            "price": price,
            "list_price": list_price,
            "family": family or (sku if is_configurable else ""),
        }
        # What an export has no columns of stays as it is.
        if self._has("description", "short_description"):
            record["description"] = html_to_text(cell(line, "description") or cell(line, "short_description"))
        if self._has("manufacturer", "brand"):
            record["brand"] = cell(line, "manufacturer") or cell(line, "brand")
        if self._has("_category"):
            record["category"] = categories[0] if categories else ()
        if self._has("image", "_media_image"):
            shown = (cell(each, "_media_image") for each in product.all if _is_shown(each))
            record["image"] = product_photos([cell(line, "image"), *shown])
        if self._has("is_in_stock", "qty"):
            record["available"] = "yes" if is_available(line, has_own_stock=not is_configurable) else "no"
        if self._has("status", "visibility"):
            record["active"] = "yes" if self._is_active(line, family) else "no"
        found = {name: text for name in self.headers if name in _ATTRIBUTES and (text := cell(line, name))}
        return self._rows.build(
            ShopProduct(
                line=line.line,
                record=record,
                attributes={**found, **options},
                other_categories=categories[1:],
                warnings=tuple(warnings),
                cells=tuple(cells for each in product.all for cells in each.cells),
            )
        )

    def _has(self, *names: str) -> bool:
        return not set(names).isdisjoint(self.headers)

    def _is_active(self, line: TableRow, family: str) -> bool:
        """Enabled, and on a page: its own, or that of its configurable product."""
        if cell(line, "status") not in ("", _ENABLED):
            return False
        if cell(line, "visibility") == _ALONE_HIDDEN and not family:
            self._alone += 1
            return False
        return True


@dataclass(slots=True)
class _Lines:
    """The line of a product, and those without a SKU below it."""

    first: TableRow
    others: list[TableRow] = field(default_factory=list)

    @property
    def all(self) -> list[TableRow]:
        return [self.first, *self.others]


def _variations(product: _Lines) -> list[tuple[str, Mapping[str, str]]]:
    """The variations of a configurable product, each with its options."""
    found: dict[str, dict[str, str]] = {}
    for line in product.all:
        if member := cell(line, _MEMBER):
            options = found.setdefault(member, {})
            if (code := cell(line, _CODE)) and (option := cell(line, _OPTION)):
                options[code] = option
    return list(found.items())


def _is_shown(line: TableRow) -> bool:
    return cell(line, "_media_is_disabled") != "1"
