"""Trendyol: products of its API for sellers. Those with one main product are a family.

https://developers.trendyol.com/docs/product-filtering
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, flag, number_of
from product_files.json_files.json_objects import dicts_of, text_of

_CURRENCY = "TRY"


def _product(content: Content) -> Product:
    barcode = text_of(content, "barcode")
    quantity = text_of(content, "quantity")
    return Product(
        family=text_of(content, "productMainId") or barcode,
        has_relatives=True,
        key=barcode,
        title=text_of(content, "title"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand"),
        categories=[[name]] if (name := text_of(content, "categoryName")) else None,
        active=False if flag(content, "archived") or flag(content, "approved") is False else None,
        variants=[
            Variant(
                sku=text_of(content, "stockCode") or barcode,
                prices=[
                    Price(
                        text_of(content, "salePrice"),
                        text_of(content, "listPrice"),
                        text_of(content, "currencyType") or _CURRENCY,
                    )
                ],
                available=number_of(quantity) > 0 if quantity else None,
                photos=[link for each in dicts_of(content, "images") if (link := text_of(each, "url"))],
                attributes={
                    **{
                        text_of(each, "attributeName").lower(): text
                        for each in dicts_of(content, "attributes")
                        if (text := text_of(each, "attributeValue"))
                    },
                    **({"gtin": barcode} if barcode else {}),
                },
            )
        ],
    )


SYSTEM = ApiSystem("Trendyol", (("productMainId", "stockCode"),), _product)
