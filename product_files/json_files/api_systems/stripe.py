"""Stripe: products with their default price in the smallest unit of its currency (`expand[]=data.default_price`).

https://docs.stripe.com/api/products
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
    list_of,
)
from product_files.json_files.json_objects import as_text, text_of
from product_files.values.currencies import precision

# Currencies whose smallest unit is whole here. Others without coins have two decimals all the same: 500 ISK are 50000.
_WHOLE = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)


def _product(content: Content) -> Product | None:
    if text_of(content, "object") != "product":
        return None
    price = dict_of(content, "default_price")
    cents, code = text_of(price, "unit_amount"), text_of(price, "currency").upper()
    digits = "0" if code in _WHOLE else "3" if precision(code) == 3 else "2"
    amount = from_cents({"centAmount": cents, "fractionDigits": digits}) if cents else ""
    return Product(
        family=text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        active=flag(content, "active"),
        variants=[
            Variant(
                sku=text_of(dict_of(content, "metadata"), "sku") or text_of(content, "id"),
                prices=[Price(amount, "", code)],
                photos=[link for each in list_of(content, "images") if (link := as_text(each))],
            )
        ],
    )


SYSTEM = ApiSystem("Stripe", (("default_price", "unit_amount"),), _product)
