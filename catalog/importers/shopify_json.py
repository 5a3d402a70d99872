"""Shopify's products as JSON: the `/products.json` of a shop or of its Admin API, a list of products, or one product a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from catalog import facts
from catalog.importers.encodings import find_encoding
from catalog.importers.json_objects import JsonUnreadable, json_objects
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
    photos = {_text(image, "src"): _text(image, "alt") for image in _dicts(content, "images") if _text(image, "src")}
    by_id = {_text(image, "id"): _text(image, "src") for image in _dicts(content, "images") if _text(image, "id")}
    names = [_text(option, "name") for option in _dicts(content, "options")]
    tags = content.get("tags")
    found = tags if isinstance(tags, list) else str(tags or "").split(",")
    raw = {name: _text(content, name) for name in ("handle", "vendor", "product_type")}
    variants = _dicts(content, "variants")
    return ShopifyProduct(
        handle=raw["handle"],
        title=_text(content, "title"),
        description=_text(content, "body_html") if "body_html" in content else None,
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
        if value := _text(variant, f"option{position}"):
            options[names[position - 1] if position <= len(names) else f"option{position}"] = value
    featured = variant.get("featured_image")
    own = _text(featured, "src") if isinstance(featured, dict) else photos.get(_text(variant, "image_id"), "")
    barcode = _text(variant, "barcode")
    return ShopifyVariant(
        line=number,
        sku=_text(variant, "sku"),
        options=options,
        price=_text(variant, "price"),
        compare_at=_text(variant, "compare_at_price"),
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
    quantity = _text(variant, "inventory_quantity")
    return quantity.isascii() and quantity.isdigit() and bool(quantity.strip("0"))


def _active(content: Mapping[str, Any]) -> str | None:
    """As the row builder reads it; None if nothing says so. What is not published has no date of it."""
    if "status" not in content and "published_at" not in content:
        return None
    published = content.get("published_at", "yes") is not None
    return "yes" if published and _text(content, "status").lower() in ("", "active") else "no"


def _dicts(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = content.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()
