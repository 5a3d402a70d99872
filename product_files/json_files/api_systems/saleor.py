"""Saleor: products of its GraphQL API, with the prices that a channel shows, or those of its channels.

https://docs.saleor.io/api-reference/products/objects/product
"""

from __future__ import annotations

from collections.abc import Sequence

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    flag,
    number_of,
)
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    photos = [text_of(each, "url") for each in dicts_of(content, "media") or dicts_of(content, "images")]
    category = _category(dict_of(content, "category"))
    attributes = _attributes(content)
    published = [
        each for channel in dicts_of(content, "channelListings") if (each := flag(channel, "isPublished")) is not None
    ]
    variants = [_variant(variant) for variant in dicts_of(content, "variants")]
    price = _shown(dict_of(content, "pricing", "priceRange", "start"), {})
    return Product(
        family=text_of(content, "slug") or text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=attributes.get("brand", ""),
        categories=[category] if category else None,
        active=any(published) if published else None,
        photos=[url for url in photos if url]
        or [url for url in [text_of(dict_of(content, "thumbnail"), "url")] if url],
        # Of products without their variants, the price from which on they are sold.
        variants=variants
        or ([Variant("", [price], flag(content, "isAvailable"))] if "variants" not in content else []),
        attributes=attributes,
    )


def _category(content: Content) -> list[str]:
    """The path of a category, as far as its parents were asked for."""
    parents = [text_of(dict_of(each, "node"), "name") for each in dicts_of(dict_of(content, "ancestors"), "edges")]
    return [name for name in (*parents, text_of(content, "name")) if name]


def _variant(variant: Content) -> Variant:
    pricing = dict_of(variant, "pricing")
    shown = [_shown(dict_of(pricing, "price"), dict_of(pricing, "priceUndiscounted"))] if pricing else []
    quantity = text_of(variant, "quantityAvailable")
    return Variant(
        sku=text_of(variant, "sku") or text_of(variant, "id"),
        prices=shown or _of_channels(variant),
        available=number_of(quantity) > 0 if quantity else None,
        photos=[url for each in dicts_of(variant, "media") if (url := text_of(each, "url"))],
        attributes=_attributes(variant),
    )


def _shown(price: Content, before: Content) -> Price:
    gross, former = dict_of(price, "gross"), dict_of(before, "gross")
    return Price(text_of(gross, "amount"), text_of(former, "amount"), text_of(gross, "currency"))


def _of_channels(variant: Content) -> Sequence[Price]:
    found = [dict_of(each, "price") for each in dicts_of(variant, "channelListings")]
    return [Price(text_of(each, "amount"), currency=text_of(each, "currency")) for each in found if each]


def _attributes(content: Content) -> dict[str, str]:
    found = {
        text_of(dict_of(each, "attribute"), "name").lower(): ", ".join(
            name for value in dicts_of(each, "values") if (name := text_of(value, "name"))
        )
        for each in dicts_of(content, "attributes")
    }
    return {name: text for name, text in found.items() if name and text}


SYSTEM = ApiSystem("Saleor", (("pricing", "gross", "amount", "currency"), ("variants", "channelListings")), _product)
