"""Sylius: products of the shop API. Prices are hundredths, of yen too, without their currency, and of the default variant.

https://docs.sylius.com/the-book/products
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
    default = dict_of(content, "defaultVariantData") or dict_of(content, "defaultVariant")
    taxon = dict_of(content, "mainTaxon")
    return Product(
        family=text_of(content, "code"),
        title=text_of(content, "name"),
        description=text_of(content, "description") or text_of(content, "shortDescription"),
        categories=[[text_of(taxon, "name")]] if text_of(taxon, "name") else None,
        photos=[path for each in dicts_of(content, "images") if (path := text_of(each, "path"))],
        variants=[
            Variant(
                sku=text_of(default, "code") or text_of(content, "code"),
                prices=[_price(default)],
                available=flag(default, "inStock"),
            )
        ],
    )


def _price(variant: Content) -> Price:
    price, before = (
        from_cents({"centAmount": text_of(variant, name), "fractionDigits": "2"}) for name in ("price", "originalPrice")
    )
    return Price(price, before)


SYSTEM = ApiSystem(
    "Sylius",
    (
        ("variants", "defaultVariantData"),
        ("hydra:member", "variants", "defaultVariant"),
        ("hydra:member", "variants", "mainTaxon"),
    ),
    _product,
)
