"""How a product of Shopify becomes products of the catalogue: one for each variant, the handle is their family."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.tables.shop_rows import ShopProduct, ShopRows, SkusOfFile, machine_price, with_list_price
from product_files.values.html_text import html_to_text

# What Shopify writes as the only option of a product without options.
_NO_OPTION = "Default Title"


@dataclass(frozen=True, slots=True)
class ShopifyVariant:
    """A variant of a product.

    Attributes:
        line: of the source.
        sku: "" if the shop gave it none.
        options: its option values by the names of the options, in their order.
        price: as text.
        compare_at: the price before a reduction, or "".
        available: None if unknown.
        photo: its own photo, or "".
        attributes: further ones, of this variant.
        columns: cells of the export, by column.
        cells: as in Row.
    """

    line: int
    sku: str
    options: Mapping[str, str]
    price: str
    compare_at: str = ""
    available: bool | None = None
    photo: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    cells: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ShopifyProduct:
    """A product with its variants. A value is None if the source does not have it, which leaves it as it is.

    Attributes:
        handle: its name in URLs, unique in a shop.
        title: of the product.
        description: HTML.
        vendor: the brand.
        category: path of names, as text.
        tags: of the product.
        active: whether it is shown, as `parse_boolean` reads it.
        photos: of the product, in their order.
        alts: alternative texts of photos.
        attributes: of the product.
        variants: at least one.
        error: why the product cannot be imported, or "".
    """

    handle: str
    title: str
    description: str | None
    vendor: str | None
    category: str | None
    tags: Sequence[str] | None
    active: str | None
    photos: Sequence[str] | None
    variants: Sequence[ShopifyVariant]
    alts: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


class ShopifyRows:
    """Builds the rows of products.

    Args:
        mapping: how columns become fields.
        headers: columns of the export.
        photos: folder of the photos that are not links.
    """

    def __init__(self, mapping: FieldMapping, headers: Sequence[str], *, photos: PhotoFolder) -> None:
        self._rows = ShopRows(mapping, headers, photos=photos, system="Shopify")
        self._separator = mapping.category_separator or ">"
        self._decimal = mapping.decimal
        self._skus: SkusOfFile | None = None

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._rows.columns

    @property
    def notes(self) -> Sequence[str]:
        """What was found about all products."""
        return self._rows.notes

    def start(self) -> SkusOfFile:
        """Begin with the first product. Returns what the caller closes behind the last one."""
        self._skus = SkusOfFile()
        return self._skus

    def build(self, product: ShopifyProduct) -> Iterator[Row]:
        """Build a row for each variant.

        Args:
            product: the product.

        Yields:
            The rows; with `error` if the product or the variant is invalid.
        """
        of_variants = {variant.photo for variant in product.variants if variant.photo}
        common = self._common(product)
        for variant in product.variants:
            sku, warning = self._sku(product, variant)
            if product.error:
                yield Row(variant.line, sku, error=product.error, cells=variant.cells)
                continue
            price, list_price = with_list_price(
                machine_price(variant.price), machine_price(variant.compare_at), self._decimal
            )
            record: dict[str, str | Sequence[str]] = {
                **variant.columns,
                **common,
                "sku": sku,
                "price": price,
                "list_price": list_price,
            }
            if variant.available is not None:
                record["available"] = "yes" if variant.available else "no"
            if product.photos is not None:
                record["image"] = _photos_of(variant, product.photos, of_variants)
            yield self._rows.build(
                ShopProduct(
                    line=variant.line,
                    record=record,
                    attributes=self._attributes(product, variant),
                    alts=product.alts,
                    warnings=(warning,) if warning and self._rows.derives("sku") else (),
                    cells=variant.cells,
                )
            )

    def _common(self, product: ShopifyProduct) -> dict[str, str | Sequence[str]]:
        """Fields that all variants share."""
        known = {
            "title": product.title,
            "description": None if product.description is None else html_to_text(product.description),
            "brand": product.vendor,
            "category": None if product.category is None else _path(product.category, self._separator),
            "tags": product.tags,
            "active": product.active,
            "family": product.handle,
        }
        return {name: value for name, value in known.items() if value is not None}

    def _sku(self, product: ShopifyProduct, variant: ShopifyVariant) -> tuple[str, str]:
        if self._skus is None:
            raise RuntimeError("start() was not called")
        values = [value for value in variant.options.values() if value != _NO_OPTION]
        made = product.handle if len(product.variants) == 1 else "-".join([product.handle, *values])
        return self._skus.claim(variant.sku, "\0".join([product.handle, *values]), made)

    def _attributes(self, product: ShopifyProduct, variant: ShopifyVariant) -> dict[str, str]:
        options = {name.lower(): value for name, value in variant.options.items() if value != _NO_OPTION}
        return {**product.attributes, **variant.attributes, **options, "handle": product.handle}


def _photos_of(variant: ShopifyVariant, photos: Sequence[str], of_variants: Collection[str]) -> list[str]:
    """Its own photo, and those of the product that are not another variant's; all of the product's if it has none of its own.

    A photo of the blue one among those of the red one would make the red one an answer to blue.

    Returns:
        The names of the photos, in their order.
    """
    if not variant.photo:
        return list(photos)
    return [variant.photo, *(photo for photo in photos if photo not in of_variants)]


def _path(text: str, separator: str) -> list[str]:
    return [name.strip() for name in (text.split(separator) if separator else [text])]
