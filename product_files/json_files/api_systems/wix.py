"""Wix: products of the Stores API (catalog V1).

https://dev.wix.com/docs/rest/business-solutions/stores/catalog-v1/catalog/query-products
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, dict_of, flag
from product_files.json_files.json_objects import as_text, dicts_of, text_of


def _product(content: Content) -> Product:
    media = dict_of(content, "media")
    photos = [
        text_of(dict_of(each, "image"), "url") for each in (dict_of(media, "mainMedia"), *dicts_of(media, "items"))
    ]
    # A product without options has a variant without choices.
    variants = [each for each in dicts_of(content, "variants") if dict_of(each, "choices")]
    return Product(
        family=text_of(content, "slug") or text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand"),
        active=flag(content, "visible"),
        photos=[url for url in dict.fromkeys(photos) if url],
        variants=[_variant(variant) for variant in variants]
        or [Variant(text_of(content, "sku"), [_price(content)], flag(dict_of(content, "stock"), "inStock"))],
    )


def _variant(variant: Content) -> Variant:
    own = dict_of(variant, "variant")
    return Variant(
        sku=text_of(own, "sku"),
        prices=[_price(own)],
        available=flag(dict_of(variant, "stock"), "inStock"),
        attributes={name.lower(): as_text(value) for name, value in dict_of(variant, "choices").items()},
    )


def _price(content: Content) -> Price:
    price = dict_of(content, "priceData")
    reduced, full = text_of(price, "discountedPrice"), text_of(price, "price")
    return Price(reduced or full, full, text_of(price, "currency"))


SYSTEM = ApiSystem("Wix", (("priceData", "mainMedia"),), _product)
