"""Shopify's products as JSON: the `/products.json` of a shop or of its Admin API, a list of products, or one product a line.

Answers of its GraphQL APIs and the files of bulk operations, in which variants and photos follow their product in lines of
their own, are read in the form that the REST API has.
https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from product_files import row_facts
from product_files.containers.encodings import find_encoding
from product_files.json_files.json_objects import dicts_of, json_objects, nodes_of, text_of
from product_files.json_files.json_source import JsonUnreadable
from product_files.json_files.shopify_products import ShopifyProduct, ShopifyRows, ShopifyVariant
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.tables.shop_rows import ShopExport

_HEAD = re.compile(r'\s*(?:\{\s*"products"\s*:\s*)?\[?\s*\{')

# Of products in GraphQL; slashes may be escaped.
_IDS = ("gid://shopify/Product/", r"gid:\/\/shopify\/Product\/")
# What each of these is called in the REST API.
_REST_NAMES = {
    "descriptionHtml": "body_html",
    "productType": "product_type",
    "publishedAt": "published_at",
    "compareAtPrice": "compare_at_price",
    "availableForSale": "available",
    "inventoryQuantity": "inventory_quantity",
    "inventoryPolicy": "inventory_policy",
}
# Of variants and photos of a product; Shopify allows fewer.
_MAX_PARTS = 10_000
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
        if any(start in head for start in _IDS):
            return True
        has_others = '"price"' not in head and any(name in head for name in _OTHER_PRICES)
        return (
            bool(_HEAD.match(head))
            and '"handle"' in head
            and '"variants"' in head
            and not has_others
            and '"title"' in head
        )

    def __iter__(self) -> Iterator[Row]:
        number = 0
        with closing(self._rows.start()):
            try:
                for number, content in _with_parts(json_objects(self._path, self._encoding)):
                    yield from self._rows.build(_product(number, _in_rest_form(content)))
            except JsonUnreadable as error:
                yield Row(number + 1, "", error=str(error), is_last_readable=True)


def _with_parts(objects: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The products with their numbers, and with the variants and photos that stand behind them as objects of their own."""
    product: dict[str, Any] = {}
    place = 0
    try:
        for number, content in enumerate(objects, start=1):
            parent = content.get("__parentId")
            if not parent:
                if product:
                    yield place, product
                product, place = content, number
            elif parent == product.get("id"):
                _add_part(product, content)
    except JsonUnreadable:
        # What stands before the fault is whole.
        if product:
            yield place, product
        raise
    if product:
        yield place, product


def _add_part(product: dict[str, Any], part: dict[str, Any]) -> None:
    parts = product.setdefault("variants" if "ProductVariant" in text_of(part, "id") else "images", [])
    if isinstance(parts, list) and len(parts) < _MAX_PARTS:
        parts.append(part)


def _in_rest_form(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A product of GraphQL with the names of the REST API; others as they are."""
    if not any(text_of(content, "id").startswith(start) for start in _IDS):
        return content
    variants = [_renamed(variant) for variant in nodes_of(content, "variants")]
    images = [*nodes_of(content, "images"), *nodes_of(content, "media"), {"image": content.get("featuredImage")}]
    photos = [image["image"] if isinstance(image.get("image"), dict) else image for image in images]
    options = [_options(variant) for variant in variants]
    return {
        **_renamed(content),
        "handle": text_of(content, "handle") or text_of(content, "id").rpartition("/")[2],
        "images": [{"src": src, "alt": text_of(photo, "altText")} for photo in photos if (src := _address(photo))],
        "options": [{"name": name} for name in (options[0] if options else ())],
        "variants": [
            {
                **variant,
                **{f"option{place}": value for place, value in enumerate(named.values(), start=1)},
                "featured_image": {"src": _address(image)} if isinstance(image := variant.get("image"), dict) else None,
            }
            for variant, named in zip(variants, options, strict=True)
        ],
    }


def _options(variant: Mapping[str, Any]) -> dict[str, str]:
    """The option values of a variant of GraphQL by the names of the options."""
    return {text_of(each, "name"): text_of(each, "value") for each in dicts_of(variant, "selectedOptions")}


def _renamed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {_REST_NAMES.get(name, name): _money(value) for name, value in content.items()}


def _money(value: Any) -> Any:
    """A price of the Storefront API, an object with its currency, as text."""
    is_money = isinstance(value, dict) and "amount" in value
    return f"{text_of(value, 'amount')} {text_of(value, 'currencyCode')}".strip() if is_money else value


def _address(photo: Mapping[str, Any]) -> str:
    return next((text for name in ("url", "src", "originalSrc") if (text := text_of(photo, name))), "")


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
        error="" if raw["handle"] and variants else row_facts.NO_HANDLE() if variants else row_facts.NO_VARIANTS(),
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
