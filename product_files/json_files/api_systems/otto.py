"""Otto Market: product variations of its API for sellers. Those with one product reference are a family.

https://api.otto.market/docs/functional-interfaces/products/
"""

from __future__ import annotations

from datetime import UTC, datetime

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, dict_of, list_of
from product_files.json_files.json_objects import as_text, dicts_of, text_of
from product_files.rows import RowRejected
from product_files.tables.shop_rows import lasts

_PHOTOS = ("IMAGE", "COLOR_VARIANT")


def _product(content: Content, now: datetime | None = None) -> Product | None:
    described = dict_of(content, "productDescription")
    if not described:
        return None
    brand, category = text_of(described, "brand"), text_of(described, "category")
    ean = text_of(content, "ean") or text_of(content, "gtin")
    sku = text_of(content, "sku") or ean
    attributes = {
        text_of(each, "name").lower(): ", ".join(filter(None, map(as_text, list_of(each, "values"))))
        for each in dicts_of(described, "attributes")
    }
    more = {"gtin": ean, "mpn": text_of(content, "mpn")}
    return Product(
        family=text_of(content, "productReference") or sku,
        has_relatives=True,
        key=sku,
        # The shop makes its titles of these.
        title=" ".join(filter(None, (brand, category, text_of(described, "productLine")))),
        description=text_of(described, "description"),
        brand=brand if "brand" in described else None,
        categories=[[category]] if category else None,
        variants=[
            Variant(
                sku=sku,
                prices=_prices(dict_of(content, "pricing"), now or datetime.now(UTC)),
                photos=[
                    link
                    for each in dicts_of(content, "mediaAssets")
                    if text_of(each, "type") in _PHOTOS and (link := text_of(each, "location"))
                ],
                attributes={name: text for name, text in {**attributes, **more}.items() if text},
            )
        ],
    )


def _prices(pricing: Content, now: datetime) -> list[Price] | None:
    """The price, or that of a sale which is on; None if the answer has none at all."""
    standard, recommended, sale = (dict_of(pricing, name) for name in ("standardPrice", "msrp", "sale"))
    if not standard:
        return None
    amount, currency = text_of(standard, "amount"), text_of(standard, "currency")
    reduced = text_of(dict_of(sale, "salePrice"), "amount")
    try:
        is_on = bool(reduced) and lasts(text_of(sale, "startDate"), text_of(sale, "endDate"), now)
    except RowRejected:
        is_on = False
    before = amount if is_on else text_of(recommended, "amount")
    return [Price(reduced if is_on else amount, before, currency)]


SYSTEM = ApiSystem("Otto Market", (("productReference", "productDescription"),), _product)
