"""Vendure: `products` with `priceWithTax`.

https://docs.vendure.io/reference/graphql-api/shop/object-types/
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    flag,
    from_cents,
)
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    photos = [_preview(asset) for asset in (dict_of(content, "featuredAsset"), *dicts_of(content, "assets"))]
    facets = [
        (text_of(dict_of(each, "facet"), "name").lower(), text_of(each, "name"))
        for each in dicts_of(content, "facetValues")
    ]
    return Product(
        family=text_of(content, "slug") or text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=dict(facets).get("brand", ""),
        active=flag(content, "enabled"),
        photos=[photo for photo in photos if photo],
        variants=[_variant(variant) for variant in dicts_of(content, "variants")],
        attributes={name: text for name, text in facets if name and text},
    )


def _variant(variant: Content) -> Variant:
    currency = text_of(variant, "currencyCode")
    cents = variant.get("priceWithTax") or variant.get("price")
    stock, photo = text_of(variant, "stockLevel"), _preview(dict_of(variant, "featuredAsset"))
    return Variant(
        sku=text_of(variant, "sku"),
        prices=[Price(from_cents({"centAmount": cents, "currencyCode": currency}), currency=currency)],
        # A word, or a number, as the shop is set up.
        available=stock not in ("OUT_OF_STOCK", "0") if stock else None,
        photos=[photo] if photo else [],
        attributes={
            text_of(dict_of(option, "group"), "name").lower() or "option": text_of(option, "name")
            for option in dicts_of(variant, "options")
        },
    )


def _preview(asset: Content) -> str:
    return text_of(asset, "source") or text_of(asset, "preview")


SYSTEM = ApiSystem("Vendure", (("variants", "priceWithTax"),), _product)
