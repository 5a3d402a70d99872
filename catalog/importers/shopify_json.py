"""Shopify's products as JSON: the `/products.json` of a shop or of its Admin API, a list of products, or one product a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from catalog import facts
from catalog.importers.encodings import find_encoding
from catalog.importers.json_objects import JsonUnreadable, dicts_of, json_objects, text_of
from catalog.importers.mapping import FieldMapping
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rows import Row
from catalog.importers.shop_rows import ShopExport
from catalog.importers.shopify_products import ShopifyProduct, ShopifyRows, ShopifyVariant

_HEAD = re.compile(r'\s*(?:\{\s*"products"\s*:\s*)?\[?\s*\{')

# Of variants in the products of Medusa, which have handles, too.
_OTHER_PRICES = ('"prices"', '"calculated_price"')


class ShopifyJson(ShopExport[ShopifyRows]):
    """A row per variant, numbered by product. The variants of a product are a family.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.

    Raises:
        InvalidSource: the encoding is not supported.
    """

    format = "shopify_json"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._path = path
        self._encoding = find_encoding(path, mapping.encoding).codec
        self._rows = ShopifyRows(mapping, ("handle", "vendor", "product_type"), photos=photos)

    @staticmethod
    def matches(head: str) -> bool:
        """Whether a file with these first characters has such products."""
        has_others = '"price"' not in head and any(name in head for name in _OTHER_PRICES)
        return bool(_HEAD.match(head)) and '"handle"' in head and '"variants"' in head and not has_others

    def __iter__(self) -> Iterator[Row]:
        number = 0
        with closing(self._rows.start()):
            try:
                for number, content in enumerate(json_objects(self._path, self._encoding), start=1):
                    yield from self._rows.build(_product(number, content))
            except JsonUnreadable as error:
                yield Row(number + 1, "", error=str(error), is_last_readable=True)


def _product(number: int, content: Mapping[str, Any]) -> ShopifyProduct:
    photos = {
        text_of(image, "src"): text_of(image, "alt") for image in dicts_of(content, "images") if text_of(image, "src")
    }
    by_id = {
        text_of(image, "id"): text_of(image, "src") for image in dicts_of(content, "images") if text_of(image, "id")
    }
    names = [text_of(option, "name") for option in dicts_of(content, "options")]
    tags = content.get("tags")
    found = tags if isinstance(tags, list) else str(tags or "").split(",")
    raw = {name: text_of(content, name) for name in ("handle", "vendor", "product_type")}
    variants = dicts_of(content, "variants")
    return ShopifyProduct(
        handle=raw["handle"],
        title=text_of(content, "title"),
        description=text_of(content, "body_html") if "body_html" in content else None,
        vendor=raw["vendor"] if "vendor" in content else None,
        category=raw["product_type"] if "product_type" in content else None,
        tags=[tag.strip() for tag in map(str, found)] if tags is not None else None,
        active=_active(content),
        photos=list(photos) if "images" in content else None,
        alts=photos,
        variants=[_variant(number, variant, names, by_id, raw) for variant in variants or [{}]],
        error="" if raw["handle"] and variants else facts.NO_HANDLE() if variants else facts.NO_VARIANTS(),
    )


def _variant(
    number: int, variant: Mapping[str, Any], names: Sequence[str], photos: Mapping[str, str], columns: Mapping[str, str]
) -> ShopifyVariant:
    options = {}
    for position in (1, 2, 3):
        if value := text_of(variant, f"option{position}"):
            options[names[position - 1] if position <= len(names) else f"option{position}"] = value
    featured = variant.get("featured_image")
    own = text_of(featured, "src") if isinstance(featured, dict) else photos.get(text_of(variant, "image_id"), "")
    barcode = text_of(variant, "barcode")
    return ShopifyVariant(
        line=number,
        sku=text_of(variant, "sku"),
        options=options,
        price=text_of(variant, "price"),
        compare_at=text_of(variant, "compare_at_price"),
        available=_is_available(variant),
        photo=own,
        attributes={"gtin": barcode} if barcode else {},
        columns=columns,
    )


def _is_available(variant: Mapping[str, Any]) -> bool | None:
    """Whether a variant can be bought; None if nothing says so."""
    if isinstance(variant.get("available"), bool):
        return bool(variant["available"])
    if "inventory_quantity" not in variant:
        return None
    if not variant.get("inventory_management", "shopify") or variant.get("inventory_policy") == "continue":
        return True
    quantity = text_of(variant, "inventory_quantity")
    return quantity.isascii() and quantity.isdigit() and bool(quantity.strip("0"))


def _active(content: Mapping[str, Any]) -> str | None:
    """As the row builder reads it; None if nothing says so. What is not published has no date of it."""
    if "status" not in content and "published_at" not in content:
        return None
    published = content.get("published_at", "yes") is not None
    return "yes" if published and text_of(content, "status").lower() in ("", "active") else "no"
