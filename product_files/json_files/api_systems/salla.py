"""Salla: products of its Merchant API, with prices that are objects.

https://docs.salla.dev/5394168e0
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

_HIDDEN = frozenset(("hidden", "deleted"))


def _product(content: Content) -> Product:
    images = sorted(dicts_of(content, "images"), key=lambda image: image.get("main") is not True)
    values = {
        text_of(value, "id"): (text_of(option, "name").lower(), text_of(value, "name"))
        for option in dicts_of(content, "options")
        for value in dicts_of(option, "values")
    }
    status = text_of(content, "status")
    variants = [_variant(content, each, values) for each in dicts_of(content, "skus")]
    return Product(
        family=text_of(content, "sku") or text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=text_of(dict_of(content, "brand"), "name"),
        categories=[[text_of(each, "name")] for each in dicts_of(content, "categories")] or None,
        active=status not in _HIDDEN if status else None,
        photos=[link for each in images if (link := text_of(each, "url"))] or _texts(text_of(content, "thumbnail")),
        variants=variants
        if len(variants) > 1
        else [
            Variant(
                text_of(content, "sku") or next((each.sku for each in variants), ""),
                _prices(content),
                flag(content, "is_available"),
            )
        ],
    )


def _variant(product: Content, content: Content, values: dict[str, tuple[str, str]]) -> Variant:
    options = [values[number] for number in map(as_text, list_of(content, "related_option_values")) if number in values]
    stock = text_of(content, "stock_quantity")
    return Variant(
        sku=text_of(content, "sku"),
        prices=_prices(content) or _prices(product),
        available=number_of(stock) > 0 if stock else flag(product, "is_available"),
        attributes={name: value for name, value in options if name and value},
    )


def _prices(content: Content) -> list[Price]:
    """The price now, with the one before a sale."""
    price, regular = dict_of(content, "price"), dict_of(content, "regular_price")
    amount = text_of(price, "amount")
    return [Price(amount, text_of(regular, "amount"), text_of(price, "currency"))] if amount else []


def _texts(text: str) -> list[str]:
    return [text] if text else []


SYSTEM = ApiSystem("Salla", (("taxed_price", "regular_price"),), _product)
