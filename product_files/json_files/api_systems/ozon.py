"""Ozon: products of its API for sellers.

https://docs.ozon.ru/api/seller/#operation/ProductAPI_GetProductInfoList
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

# Of answers that name none.
_CURRENCY = "RUB"


def _product(content: Content) -> Product:
    barcode = next(map(as_text, list_of(content, "barcodes")), "") or text_of(content, "barcode")
    photos = [text_of(content, "primary_image"), *map(as_text, list_of(content, "primary_image"))]
    photos += map(as_text, list_of(content, "images"))
    return Product(
        family=text_of(content, "offer_id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        active=False if flag(content, "is_archived") or flag(content, "archived") else None,
        variants=[
            Variant(
                sku=text_of(content, "offer_id"),
                prices=[
                    Price(
                        text_of(content, "price"),
                        text_of(content, "old_price"),
                        text_of(content, "currency_code") or _CURRENCY,
                    )
                ],
                available=_is_available(dict_of(content, "stocks")),
                photos=list(dict.fromkeys(filter(None, photos))),
                attributes={"gtin": barcode} if barcode else {},
            )
        ],
    )


def _is_available(stocks: Content) -> bool | None:
    if (has_stock := flag(stocks, "has_stock")) is not None:
        return has_stock
    present = [text_of(each, "present") for each in (dicts_of(stocks, "stocks") or [dict(stocks)]) if "present" in each]
    return any(number_of(each) > 0 for each in present) if present else None


SYSTEM = ApiSystem("Ozon", (("offer_id", "primary_image"), ("offer_id", "marketing_price")), _product)
