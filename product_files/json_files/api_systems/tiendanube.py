"""Tiendanube and Nuvemshop: products of their API, with texts in each language.

https://tiendanube.github.io/api-documentation/resources/product
"""

from __future__ import annotations

from collections.abc import Sequence

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    flag,
    list_of,
    localized,
    number_of,
)
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    names = [localized(each).lower() for each in list_of(content, "attributes")]
    photos = {text_of(each, "id"): text_of(each, "src") for each in dicts_of(content, "images")}
    return Product(
        family=localized(content.get("handle")) or text_of(content, "id"),
        title=localized(content.get("name")),
        description=localized(content.get("description")),
        brand=text_of(content, "brand"),
        categories=[[localized(each.get("name"))] for each in dicts_of(content, "categories")] or None,
        tags=[tag for each in text_of(content, "tags").split(",") if (tag := each.strip())],
        active=flag(content, "published"),
        photos=[link for link in photos.values() if link],
        variants=[_variant(each, names, photos) for each in dicts_of(content, "variants")],
    )


def _variant(content: Content, names: Sequence[str], photos: dict[str, str]) -> Variant:
    price, offer = text_of(content, "price"), text_of(content, "promotional_price")
    own = photos.get(text_of(content, "image_id"), "")
    values = [localized(each) for each in list_of(content, "values")]
    stock = text_of(content, "stock")
    return Variant(
        sku=text_of(content, "sku"),
        prices=[Price(offer, price) if number_of(offer) else Price(price, text_of(content, "compare_at_price"))],
        # A stock that is not counted has no end.
        available=not stock or number_of(stock) > 0,
        photos=[own] if own else (),
        attributes={
            **{name: value for name, value in zip(names, values, strict=False) if name and value},
            **({"gtin": barcode} if (barcode := text_of(content, "barcode")) else {}),
        },
    )


SYSTEM = ApiSystem("Tiendanube", (("promotional_price", "variants"),), _product)
