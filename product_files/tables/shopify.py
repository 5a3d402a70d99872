"""Shopify's product export as CSV, with its former and its present columns: a line for each variant and for each photo."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.json_files.shopify_products import ShopifyProduct, ShopifyRows, ShopifyVariant
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.product_data import SKU_LENGTH
from product_files.rows import InvalidSource, Row
from product_files.tables.csv_file import CsvTable, TableRow
from product_files.tables.shop_rows import ShopExport

# Names of the columns, the former and the present ones, in small letters.
_COLUMNS = {
    "handle": ("handle", "url handle"),
    "title": ("title",),
    "description": ("body (html)", "description"),
    "vendor": ("vendor",),
    "category": ("product category", "standard product type"),
    "type": ("type", "custom product type"),
    "tags": ("tags",),
    "published": ("published", "published on online store"),
    "status": ("status",),
    "sku": ("variant sku", "sku"),
    "barcode": ("variant barcode", "barcode", "barcodes", "variant barcodes"),
    "tracker": ("variant inventory tracker", "inventory tracker"),
    "quantity": ("variant inventory qty", "inventory quantity"),
    "policy": ("variant inventory policy", "continue selling when out of stock"),
    "price": ("variant price", "price"),
    "compare_at": ("variant compare at price", "compare-at price"),
    "photo": ("image src", "product image url"),
    "position": ("image position",),
    "alt": ("image alt text",),
    "variant_photo": ("variant image", "variant image url"),
    "gender": ("google shopping / gender",),
    "age_group": ("google shopping / age group",),
    **{f"option{number}_name": (f"option{number} name",) for number in (1, 2, 3)},
    **{f"option{number}_value": (f"option{number} value",) for number in (1, 2, 3)},
}
_OPTIONS = (1, 2, 3)
# Columns that identify the export: one of the former, or one of the present template.
_REQUIRED = ("handle", "title", "price")
_IDENTIFYING = ({"handle", "title", "variant price"}, {"url handle", "title", "price"})
# Columns of a variant; the others are those of the product, and stand on its first line.
_OF_VARIANT = frozenset(
    (
        "sku",
        "barcode",
        "tracker",
        "quantity",
        "policy",
        "price",
        "compare_at",
        "photo",
        "position",
        "alt",
        "variant_photo",
    )
) | {f"option{number}_value" for number in _OPTIONS}

# `Fabric (product.metafields.custom.fabric)`.
_METAFIELD = re.compile(r"(?P<label>.+?) \((?:product|variant)\.metafields\.[^()]+\)", re.IGNORECASE)

# Shopify has at most 2,048 variants and 250 photos a product.
_MAX_LINES = 5000
_POSITION_DIGITS = 9


class ShopifyExport(ShopExport[ShopifyRows]):
    """A row per variant, at its line. The variants of a handle are a family.

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

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._table = CsvTable(path, mapping)
        self.headers = headers = self._table.headers
        self._names = _column_names(headers)
        missing = [_COLUMNS[name] for name in _REQUIRED if name not in self._names]
        if missing:
            wanted = ", ".join(" / ".join(f"“{name}”" for name in names) for names in missing)
            raise InvalidSource(file_facts.NOT_AN_EXPORT(missing=wanted, system="Shopify", columns=", ".join(headers)))
        self._metafields = {
            header: match["label"].strip().lower() for header in headers if (match := _METAFIELD.fullmatch(header))
        }
        self._rows = ShopifyRows(mapping, headers, photos=photos)
        self.total = self._table.total

    @staticmethod
    def matches(headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such an export."""
        found = {header.casefold() for header in headers}
        return any(required <= found for required in _IDENTIFYING)

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the export as a whole."""
        return [*super().notes, *self._table.notes]

    def __iter__(self) -> Iterator[Row]:
        product: _Lines | None = None
        with closing(self._rows.start()):
            for line in self._table:
                handle = self._cell(line, "handle")
                if not handle:
                    yield Row(line.line, "", error=line.error or row_facts.NO_HANDLE(), cells=line.cells)
                    if product is not None:
                        product.error = row_facts.LINE_UNREADABLE(line=str(line.line))
                elif product is not None and product.handle == handle:
                    product.add(line)
                else:
                    if product is not None:
                        yield from self._build(product)
                    product = _Lines(handle, [line])
            if product is not None:
                yield from self._build(product)

    def _build(self, product: _Lines) -> Iterator[Row]:
        first = product.lines[0]
        if product.count > _MAX_LINES:
            reason = row_facts.HANDLE_TOO_LONG(lines=product.count, limit=_MAX_LINES)
            cells = tuple(cells for line in product.lines for cells in line.cells)
            yield Row(first.line, product.handle[:SKU_LENGTH], error=reason, cells=cells)
            return
        photos = self._photos(product)
        variants = [line for line in product.lines if line is first or self._is_variant(line)]
        yield from self._rows.build(
            ShopifyProduct(
                handle=product.handle,
                title=self._cell(first, "title"),
                description=self._known(first, "description"),
                vendor=self._known(first, "vendor"),
                category=self._category(first),
                tags=[tag.strip() for tag in self._cell(first, "tags").split(",")] if "tags" in self._names else None,
                active=self._is_active(first),
                photos=list(photos) if "photo" in self._names or "variant_photo" in self._names else None,
                alts=photos,
                attributes=self._attributes(first),
                variants=[self._variant(first, line, photos) for line in variants],
                error=product.error,
            )
        )

    def _variant(self, first: TableRow, line: TableRow, photos: Mapping[str, str]) -> ShopifyVariant:
        options = {}
        for number in _OPTIONS:
            name, value = self._cell(first, f"option{number}_name"), self._cell(line, f"option{number}_value")
            if name and value:
                options[name] = value
        attributes = {
            name: text for header, name in self._metafields.items() if (text := line.values.get(header, "").strip())
        }
        if barcode := self._cell(line, "barcode").lstrip("'"):
            attributes["gtin"] = barcode
        filled = {
            header: text or first.values[header] for header, text in line.values.items() if self._is_of_product(header)
        }
        return ShopifyVariant(
            line=line.line,
            sku=self._cell(line, "sku").removeprefix("'"),
            options=options,
            price=self._cell(line, "price"),
            compare_at=self._cell(line, "compare_at"),
            available=self._is_available(line),
            photo=self._cell(line, "variant_photo"),
            attributes=attributes,
            columns={**line.values, **filled},
            cells=self._cells(line, {**line.values, **filled}, photos),
        )

    def _cells(
        self, line: TableRow, values: Mapping[str, str], photos: Mapping[str, str]
    ) -> tuple[tuple[str, ...], ...]:
        """Lines that make this one variant with its photos, should it be rejected and imported again."""
        columns = [self._names.get(name, "") for name in ("handle", "photo", "position", "alt")]
        own = self._cell(line, "photo")
        lines: list[Mapping[str, str]] = [values]
        for position, (photo, alt) in enumerate(photos.items(), start=1):
            cells = dict(zip(columns, (values[columns[0]], photo, str(position), alt), strict=True))
            if photo == own:
                lines[0] = {**values, **cells}
            else:
                lines.append(cells)
        return tuple(tuple(cells.get(header, "") for header in self.headers) for cells in lines)

    def _photos(self, product: _Lines) -> dict[str, str]:
        """The photos of the product in their order, with their alternative texts."""
        positions: dict[str, int] = {}
        alts: dict[str, str] = {}
        for number, line in enumerate(product.lines, start=1):
            if photo := self._cell(line, "photo"):
                position = self._cell(line, "position")
                is_number = position.isascii() and position.isdigit() and len(position) <= _POSITION_DIGITS
                positions.setdefault(photo, int(position) if is_number else number)
                alts.setdefault(photo, self._cell(line, "alt"))
        return {photo: alts[photo] for photo in sorted(positions, key=lambda photo: positions[photo])}

    def _attributes(self, first: TableRow) -> dict[str, str]:
        found = {
            name: text for header, name in self._metafields.items() if (text := first.values.get(header, "").strip())
        }
        return found | {name: text for name in ("gender", "age_group") if (text := self._cell(first, name))}

    def _category(self, first: TableRow) -> str | None:
        """Shopify's own category, or the shop's type of product; None if the export has neither column."""
        if "category" not in self._names and "type" not in self._names:
            return None
        category = self._cell(first, "category")
        return category if category and category.lower() != "uncategorized" else self._cell(first, "type")

    def _is_variant(self, line: TableRow) -> bool:
        return any(
            self._cell(line, name) for name in ("sku", "price", *(f"option{number}_value" for number in _OPTIONS))
        )

    def _is_available(self, line: TableRow) -> bool | None:
        """Whether a variant has stock, has no inventory tracking, or is sold without stock."""
        if "quantity" not in self._names and "tracker" not in self._names:
            return None
        if "tracker" in self._names and not self._cell(line, "tracker"):
            return True
        if self._cell(line, "policy").lower() in ("continue", "true"):
            return True
        quantity = self._cell(line, "quantity")
        return not quantity or (quantity.isascii() and quantity.isdigit() and bool(quantity.strip("0")))

    def _is_active(self, first: TableRow) -> str | None:
        """As a text: the row builder rejects what is neither yes nor no."""
        if "status" not in self._names and "published" not in self._names:
            return None
        return (
            self._cell(first, "published") or "yes" if self._cell(first, "status").lower() in ("", "active") else "no"
        )

    def _is_of_product(self, header: str) -> bool:
        return header not in {self._names[name] for name in _OF_VARIANT if name in self._names}

    def _known(self, line: TableRow, name: str) -> str | None:
        return self._cell(line, name) if name in self._names else None

    def _cell(self, line: TableRow, name: str) -> str:
        return line.values.get(self._names.get(name, ""), "").strip()


@dataclass(slots=True)
class _Lines:
    """The lines of one handle; those behind the maximum are counted, and not kept."""

    handle: str
    lines: list[TableRow]
    error: str = ""
    count: int = field(default=1)

    def add(self, line: TableRow) -> None:
        self.count += 1
        if self.count <= _MAX_LINES:
            self.lines.append(line)


def _column_names(headers: Sequence[str]) -> dict[str, str]:
    """The columns of an export by what they hold."""
    found = {header.casefold(): header for header in reversed(headers)}
    return {
        name: next(found[alias] for alias in aliases if alias in found)
        for name, aliases in _COLUMNS.items()
        if any(alias in found for alias in aliases)
    }
