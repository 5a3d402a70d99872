"""Squarespace: products of the Commerce API, and of the page of a shop with `?format=json`.

https://developers.squarespace.com/commerce-apis/products-overview
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
    list_of,
    number_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of


def _product(content: Content) -> Product:
    inner = dict_of(content, "structuredContent") or content
    photos = [
        text_of(content, "assetUrl"),
        *(text_of(each, "assetUrl") for each in dicts_of(content, "items")),
        *(text_of(each, "url") for each in dicts_of(content, "images")),
    ]
    gallery = [each for each in photos[1:] if each]
    categories = [[as_text(each)] for each in list_of(content, "categories") if as_text(each)]
    return Product(
        family=text_of(content, "urlId") or text_of(content, "id"),
        title=text_of(content, "title") or text_of(content, "name"),
        description=text_of(content, "body") or text_of(content, "excerpt") or text_of(content, "description"),
        categories=categories or None,
        tags=[as_text(each) for each in list_of(content, "tags")] if "tags" in content else None,
        active=flag(content, "isVisible"),
        photos=gallery or [each for each in photos if each],
        variants=[_variant(variant) for variant in dicts_of(inner, "variants")],
    )


def _variant(variant: Content) -> Variant:
    stock = dict_of(variant, "stock") or variant
    quantity = text_of(stock, "quantity") or text_of(stock, "qtyInStock")
    photo = text_of(dict_of(variant, "image"), "url") or text_of(dict_of(variant, "mainImage"), "assetUrl")
    return Variant(
        sku=text_of(variant, "sku") or text_of(variant, "id"),
        prices=[_price(variant)],
        available=True if flag(stock, "unlimited") else number_of(quantity) > 0 if quantity else None,
        photos=[photo] if photo else [],
        attributes={name.lower(): as_text(value) for name, value in dict_of(variant, "attributes").items()},
    )


def _price(variant: Content) -> Price:
    pricing = dict_of(variant, "pricing") or variant
    full = dict_of(pricing, "basePrice") or dict_of(pricing, "priceMoney")
    reduced = dict_of(pricing, "salePrice") or dict_of(pricing, "salePriceMoney")
    price = reduced if flag(pricing, "onSale") and reduced else full
    return Price(text_of(price, "value"), text_of(full, "value"), text_of(full, "currency"))


SYSTEM = ApiSystem(
    "Squarespace", (("variants", "basePrice", "storePageId"), ("structuredContent", "assetUrl", "variants")), _product
)
