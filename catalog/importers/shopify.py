"""Shopify's product export as CSV: several lines per product, for its variants and photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from catalog.importers.csv_file import CsvTable, TableRow
from catalog.importers.html_text import html_to_text
from catalog.importers.mapping import FieldMapping, RowBuilder
from catalog.importers.photo_files import PhotoFile, PhotoFolder, PhotoLink
from catalog.importers.rows import InvalidSource, PhotoSource, Row, RowRejected
from catalog.importers.values import parse_boolean, parse_price
from catalog.models import SKU_LENGTH

# Columns that identify the export.
REQUIRED = ("Handle", "Title", "Variant Price")

# Shopify has at most 2,048 variants and 250 photos a product.
_MAX_LINES = 5000
_POSITION_DIGITS = 9
_OPTIONS = (1, 2, 3)

# Columns derived from all lines of a product, which a mapping may use like those of the export.
_DESCRIPTION, _CATEGORY, _PRICE, _AVAILABLE, _ACTIVE, _PHOTOS = (
    "description",
    "category",
    "price",
    "available",
    "active",
    "image",
)


class ShopifyExport:
    """A row per product, at its first line.

    The SKU is the handle, because a product has many variants; their SKUs are in the attribute `variant_skus`. The price is
    that of the cheapest variant. The export has no currency.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.

    Attributes:
        headers: columns of the export.
        total: approximate number of lines.

    Raises:
        InvalidSource: the file is not such an export.
    """

    format = "shopify"
    notes: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._table = CsvTable(path, mapping)
        headers = self._table.headers
        missing = [name for name in REQUIRED if name not in headers]
        if missing:
            raise InvalidSource(
                f"there is no column {', '.join(missing)}: is it a product export of Shopify? Columns found: {', '.join(headers)}"
            )
        self._columns = frozenset(headers)
        self._decimal = mapping.decimal
        derived = _derivable_columns(self._columns)
        mapped = {*mapping.columns, *mapping.values}
        columns = {name: columns for name, columns in _defaults(self._columns, derived).items() if name not in mapped}
        self._builder = RowBuilder(
            replace(mapping, columns={**columns, **mapping.columns}, image_separator=""),
            [*headers, *(name for name in derived if name not in headers)],
            photos=photos,
        )
        self.headers = headers
        self.total = self._table.total

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    @staticmethod
    def matches(headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such an export."""
        return {name.casefold() for name in REQUIRED} <= {header.casefold() for header in headers}

    def __iter__(self) -> Iterator[Row]:
        product: _VariantLines | None = None
        for line in self._table:
            handle = line.values.get("Handle", "").strip()
            if not handle:
                yield Row(line.line, "", error=line.error or "there is no handle", cells=line.cells)
                if product is not None:
                    product.error = f"line {line.line}, which may belong to this product, cannot be read"
            elif product is not None and product.handle == handle:
                product.add(line)
            else:
                if product is not None:
                    yield self._row(product)
                product = _VariantLines(handle, line)
        if product is not None:
            yield self._row(product)

    def _row(self, product: _VariantLines) -> Row:
        line, sku = product.first.line, product.handle[:SKU_LENGTH]
        if product.count > _MAX_LINES:
            product.error = f"the handle has {product.count:,} lines; the maximum is {_MAX_LINES:,}"
        if product.error:
            return Row(line, sku, error=product.error, cells=tuple(product.cells))
        try:
            record = {**product.first.values, **product.derived_values(self._columns, self._decimal)}
        except RowRejected as error:
            return Row(line, sku, error=str(error), cells=tuple(product.cells))
        row = self._builder.build(line, record, cells=tuple(product.cells))
        if row.product is None:
            return row
        return replace(
            row,
            product=replace(row.product, attributes={**product.attributes(), **row.product.attributes}),
            fields=None if row.fields is None else row.fields | {"attributes"},
            photos=None if row.photos is None else tuple(_with_alt(photo, product.alts) for photo in row.photos),
        )


@dataclass(slots=True)
class _VariantLines:
    """The data of all lines of one handle."""

    handle: str
    first: TableRow
    error: str = ""
    count: int = 0
    prices: list[str] = field(default_factory=list)
    available: bool = False
    photos: dict[str, int] = field(default_factory=dict)
    alts: dict[str, str] = field(default_factory=dict)
    skus: dict[str, None] = field(default_factory=dict)
    options: dict[int, dict[str, None]] = field(default_factory=dict)
    cells: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(self.first)

    def add(self, record: TableRow) -> None:
        self.count += 1
        if self.count > _MAX_LINES:
            return
        self.cells += record.cells
        line = record.values
        if price := line["Variant Price"].strip():
            self.prices.append(price)
            self.available = self.available or _is_available(line)
        if sku := line.get("Variant SKU", "").strip().lstrip("'"):
            self.skus[sku] = None
        for number in _OPTIONS:
            if value := line.get(f"Option{number} Value", "").strip():
                self.options.setdefault(number, {})[value] = None
        if photo := line.get("Image Src", "").strip():
            position = line.get("Image Position", "").strip()
            is_number = position.isascii() and position.isdigit() and len(position) <= _POSITION_DIGITS
            self.photos.setdefault(photo, int(position) if is_number else self.count)
            self.alts.setdefault(photo, line.get("Image Alt Text", "").strip())

    def derived_values(self, columns: frozenset[str], decimal: str) -> dict[str, str | list[str]]:
        """Values of the derived columns."""
        first = self.first.values
        values: dict[str, str | list[str]] = {
            _PRICE: _cheapest(self.prices, decimal),
            _AVAILABLE: "yes" if self.available else "no",
            _DESCRIPTION: html_to_text(first.get("Body (HTML)", "")),
            _CATEGORY: first.get("Product Category", "").strip() or first.get("Type", "").strip(),
            _PHOTOS: sorted(self.photos, key=lambda photo: self.photos[photo]),
            _ACTIVE: "yes" if _is_active(first) else "no",
        }
        return {name: values[name] for name in _derivable_columns(columns)}

    def attributes(self) -> dict[str, str]:
        """Options by name with their values, and the SKUs of the variants."""
        attributes = {}
        for number, values in self.options.items():
            name = self.first.values.get(f"Option{number} Name", "").strip()
            if name and list(values) != ["Default Title"]:
                attributes[name.lower()] = ", ".join(values)
        if self.skus:
            attributes["variant_skus"] = ", ".join(self.skus)
        return attributes


def _derivable_columns(columns: frozenset[str]) -> list[str]:
    """Derived columns whose columns of origin the export has."""
    sources = {
        _PRICE: ("Variant Price",),
        _DESCRIPTION: ("Body (HTML)",),
        _CATEGORY: ("Product Category", "Type"),
        _AVAILABLE: ("Variant Inventory Qty", "Variant Inventory Tracker"),
        _ACTIVE: ("Status", "Published"),
        _PHOTOS: ("Image Src",),
    }
    return [name for name, needed in sources.items() if columns.intersection(needed)]


def _defaults(columns: frozenset[str], derived: list[str]) -> dict[str, tuple[str, ...]]:
    defaults: dict[str, tuple[str, ...]] = {"sku": ("Handle",), "title": ("Title",)}
    defaults |= {name: (name,) for name in derived}
    defaults |= {name: (column,) for name, column in {"brand": "Vendor", "tags": "Tags"}.items() if column in columns}
    return defaults


def _is_available(line: Mapping[str, str]) -> bool:
    """Whether a variant has stock, has no inventory tracking, or is sold without stock."""
    if not line.get("Variant Inventory Tracker", "shopify").strip():
        return True
    if line.get("Variant Inventory Policy", "").strip().lower() == "continue":
        return True
    quantity = line.get("Variant Inventory Qty", "").strip()
    return not quantity or (quantity.isascii() and quantity.isdigit() and bool(quantity.strip("0")))


def _is_active(line: Mapping[str, str]) -> bool:
    status = line.get("Status", "").strip().lower()
    published = line.get("Published", "").strip()
    return status in ("", "active") and (not published or parse_boolean(published, name="Published"))


def _cheapest(prices: list[str], decimal: str) -> str:
    """The text of the lowest price."""
    read = [(price.amount, text) for text in prices if (price := parse_price(text, decimal=decimal)) is not None]
    return min(read)[1] if read else ""


def _with_alt(photo: PhotoSource, alts: Mapping[str, str]) -> PhotoSource:
    if isinstance(photo, PhotoLink | PhotoFile):
        return replace(photo, alt=alts.get(photo.name, ""))
    return photo
