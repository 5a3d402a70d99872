"""Allegro: offers of a seller.

https://developer.allegro.pl/documentation#tag/User's-offer-information
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    list_of,
    number_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of

_ACTIVE = "ACTIVE"


def _product(content: Content) -> Product:
    price = dict_of(content, "sellingMode", "price")
    stock, status = text_of(dict_of(content, "stock"), "available"), text_of(dict_of(content, "publication"), "status")
    photos = [text_of(dict_of(content, "primaryImage"), "url"), *map(as_text, list_of(content, "images"))]
    photos += [text_of(each, "url") for each in dicts_of(content, "images")]
    return Product(
        family=text_of(content, "id"),
        title=text_of(content, "name"),
        description=None,
        active=status == _ACTIVE if status else None,
        variants=[
            Variant(
                # The seller's own number, or else that of the offer.
                sku=text_of(dict_of(content, "external"), "id") or text_of(content, "id"),
                prices=[Price(text_of(price, "amount"), "", text_of(price, "currency"))],
                available=number_of(stock) > 0 if stock else None,
                photos=list(dict.fromkeys(filter(None, photos))),
            )
        ],
    )


SYSTEM = ApiSystem("Allegro", (("sellingMode", "publication"),), _product)
