"""Ecwid: products.

https://docs.ecwid.com/api-reference/rest-api/products
"""

from __future__ import annotations

from dataclasses import replace

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, flag, number_of
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    main = text_of(content, "originalImageUrl") or text_of(content, "imageUrl")
    gallery = [text_of(each, "originalImageUrl") or text_of(each, "url") for each in dicts_of(content, "galleryImages")]
    product = Variant(
        sku=text_of(content, "sku"),
        prices=[Price(text_of(content, "price"), text_of(content, "compareToPrice"))],
        available=flag(content, "inStock"),
    )
    return Product(
        family=text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        active=flag(content, "enabled"),
        photos=[photo for photo in (main, *gallery) if photo],
        variants=[_variant(product, each) for each in dicts_of(content, "combinations")] or [product],
    )


def _variant(product: Variant, variant: Content) -> Variant:
    quantity = text_of(variant, "quantity")
    photo = text_of(variant, "originalImageUrl") or text_of(variant, "imageUrl")
    before = next((price.before for price in product.prices or ()), "")
    price = Price(text_of(variant, "price"), text_of(variant, "compareToPrice") or before)
    return replace(
        product,
        sku=text_of(variant, "sku"),
        prices=[price] if price.amount else product.prices,
        available=number_of(quantity) > 0 if quantity and variant.get("unlimited") is not True else product.available,
        photos=[photo] if photo else [],
        attributes={
            text_of(option, "name").lower(): text_of(option, "value") for option in dicts_of(variant, "options")
        },
    )


SYSTEM = ApiSystem("Ecwid", (("combinations", "galleryImages"),), _product)
