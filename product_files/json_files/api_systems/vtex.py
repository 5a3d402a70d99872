"""VTEX: its search.

https://developers.vtex.com/docs/api-reference/search-api
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
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    paths = [each for each in list_of(content, "categories") if isinstance(each, str)]
    return Product(
        family=text_of(content, "productId"),
        title=text_of(content, "productName"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand"),
        categories=[[name for name in max(paths, key=len).split("/") if name]] if paths else None,
        variants=[_variant(item) for item in dicts_of(content, "items")],
    )


def _variant(item: Content) -> Variant:
    sellers = dicts_of(item, "sellers")
    own = (seller for seller in sellers if seller.get("sellerDefault") is True)
    offer = dict_of(next(own, sellers[0] if sellers else {}), "commertialOffer")
    quantity, price = text_of(offer, "AvailableQuantity"), text_of(offer, "Price")
    names = [each for each in list_of(item, "variations") if isinstance(each, str)]
    reference = next((text for each in dicts_of(item, "referenceId") if (text := text_of(each, "Value"))), "")
    return Variant(
        sku=reference or text_of(item, "itemId"),
        # What cannot be bought has a price of 0.
        prices=[Price(price, text_of(offer, "ListPrice"))] if number_of(price) > 0 else [],
        available=number_of(quantity) > 0 if quantity else None,
        photos=[url for image in dicts_of(item, "images") if (url := text_of(image, "imageUrl"))],
        attributes={name.lower(): ", ".join(map(str, values)) for name in names if (values := list_of(item, name))},
    )


SYSTEM = ApiSystem("VTEX", (("commertialOffer",),), _product)
