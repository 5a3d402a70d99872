"""Etsy: listings of its Open API v3 with `includes=images`. Prices are numbers with a divisor.

https://developers.etsy.com/documentation/reference/#operation/getListingsByShop
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, dict_of, number_of
from product_files.json_files.json_objects import as_text, dicts_of, text_of


def _product(content: Content) -> Product:
    skus = content.get("skus")
    sku = as_text(skus[0]) if isinstance(skus, list) and skus else ""
    quantity, state = text_of(content, "quantity"), text_of(content, "state")
    tags = content.get("tags")
    return Product(
        family=text_of(content, "listing_id"),
        title=text_of(content, "title"),
        description=text_of(content, "description"),
        tags=[as_text(each) for each in tags] if isinstance(tags, list) else None,
        active=state == "active" if state else None,
        variants=[
            Variant(
                sku=sku or text_of(content, "listing_id"),
                prices=[_price(dict_of(content, "price"))],
                available=number_of(quantity) > 0 if quantity else None,
                photos=[url for each in dicts_of(content, "images") if (url := text_of(each, "url_fullxfull"))],
            )
        ],
    )


def _price(price: Content) -> Price:
    amount, divisor = text_of(price, "amount"), number_of(text_of(price, "divisor"))
    return Price(str(number_of(amount) / divisor) if divisor else "", currency=text_of(price, "currency_code"))


SYSTEM = ApiSystem("Etsy", (("listing_id", "divisor"),), _product)
