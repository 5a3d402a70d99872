"""commercetools: product projections and products.

https://docs.commercetools.com/api/projects/productProjections
"""

from __future__ import annotations

from typing import Any

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    from_cents,
    localized,
)
from product_files.json_files.json_objects import dicts_of, text_of

# Of a price that not everybody pays, or not always.
_LIMITS_OF_PRICES = ("country", "customerGroup", "channel", "validFrom", "validUntil")


def _product(content: Content) -> Product:
    data = dict_of(content, "masterData")
    current = dict_of(data, "current") or content
    published = data.get("published", content.get("published"))
    family = localized(current.get("slug")) or text_of(content, "key") or text_of(content, "id")
    found = [dict_of(current, "masterVariant"), *dicts_of(current, "variants")]
    variants = [_variant(family, variant) for variant in found if variant]
    categories = [names for each in dicts_of(current, "categories") if (names := _category(each))]
    return Product(
        family=family,
        title=localized(current.get("name")),
        description=localized(current.get("description")),
        brand=next((variant.attributes["brand"] for variant in variants if "brand" in variant.attributes), ""),
        categories=categories or None,
        active=published if isinstance(published, bool) else None,
        variants=variants,
        photos=next((variant.photos for variant in variants if variant.photos), ()),
    )


def _variant(family: str, variant: Content) -> Variant:
    selected = dict_of(variant, "price")
    prices = [selected] if selected else dicts_of(variant, "prices")
    stock = dict_of(variant, "availability")
    in_channels = [dict_of(dict_of(stock, "channels"), name) for name in dict_of(stock, "channels")]
    in_stock = [each["isOnStock"] for each in (stock, *in_channels) if isinstance(each.get("isOnStock"), bool)]
    named = {
        text_of(each, "name").lower(): _attribute_value(each.get("value")) for each in dicts_of(variant, "attributes")
    }
    return Variant(
        sku=text_of(variant, "sku") or text_of(variant, "key") or f"{family}-{text_of(variant, 'id')}",
        prices=[_price(price) for price in sorted(prices, key=_is_limited)],
        available=any(in_stock) if in_stock else None,
        photos=[url for each in dicts_of(variant, "images") if (url := text_of(each, "url"))],
        attributes={name: text for name, text in named.items() if name and text},
    )


def _is_limited(price: Content) -> bool:
    return any(price.get(name) for name in _LIMITS_OF_PRICES)


def _price(price: Content) -> Price:
    value, reduced = dict_of(price, "value"), dict_of(dict_of(price, "discounted"), "value")
    return Price(from_cents(reduced or value), from_cents(value) if reduced else "", text_of(value, "currencyCode"))


def _category(reference: Content) -> list[str]:
    """The names of a category that was sent with the product; what has only an id has no name."""
    category = dict_of(reference, "obj")
    above = [localized(dict_of(each, "obj").get("name")) for each in dicts_of(category, "ancestors")]
    return [name for name in (*above, localized(category.get("name"))) if name]


def _attribute_value(value: Any) -> str:
    """The text of a value: a text in several languages, an entry of a list with its label, a set of those."""
    if isinstance(value, list):
        return ", ".join(text for each in value if (text := _attribute_value(each)))
    return localized(value["label"]) if isinstance(value, dict) and "label" in value else localized(value)


SYSTEM = ApiSystem("commercetools", (("masterVariant",),), _product)
