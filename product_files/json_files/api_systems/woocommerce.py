"""WooCommerce: products of its REST API with their variations, and of the Store API, which every shop answers.

https://woocommerce.github.io/woocommerce-rest-api-docs/#products
https://developer.woocommerce.com/docs/apis/store-api/resources-endpoints/products
"""

from __future__ import annotations

import re
from contextlib import suppress
from decimal import Decimal

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    flag,
    from_cents,
    number_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of
from product_files.rows import RowRejected
from product_files.values.html_text import html_to_line
from product_files.values.prices import Price as ShownPrice
from product_files.values.prices import parse_price

# The markup of a price: what is read aloud in place of it, the former price, the present one, and an amount with its currency.
_SPOKEN = re.compile(r'<span class="screen-reader-text">.*?</span>', re.DOTALL)
_DELETED, _INSERTED = (
    re.compile(r"<del\b[^>]*>(.*?)</del>", re.DOTALL),
    re.compile(r"<ins\b[^>]*>(.*?)</ins>", re.DOTALL),
)
_AMOUNT = re.compile(r'<span class="woocommerce-Price-amount amount">\s*<bdi>(.*?)</bdi>', re.DOTALL)
_HIGHEST_TAX = Decimal("1.3")


def _product(content: Content) -> Product:
    number, parent = text_of(content, "id"), text_of(content, "parent_id") or text_of(content, "parent")
    is_variation = parent not in ("", "0")
    status = text_of(content, "status")
    return Product(
        # Variations are objects of their own, beside their product.
        family=f"id:{parent}" if is_variation else f"id:{number}",
        has_relatives=is_variation or text_of(content, "type") == "variable",
        key=f"id:{number}",
        title=text_of(content, "name"),
        description=text_of(content, "description") or text_of(content, "short_description"),
        brand=next((text_of(each, "name") for each in dicts_of(content, "brands")), ""),
        categories=[[text_of(each, "name")] for each in dicts_of(content, "categories")] or None,
        tags=[text_of(each, "name") for each in dicts_of(content, "tags")] if "tags" in content else None,
        active=status == "publish" and text_of(content, "catalog_visibility") != "hidden" if status else None,
        variants=[
            Variant(
                sku=text_of(content, "sku") or f"id:{number}",
                prices=[_price(content)],
                available=_is_available(content),
                photos=[url for each in dicts_of(content, "images") if (url := text_of(each, "src"))],
                attributes={
                    text_of(each, "name").lower(): text
                    for each in dicts_of(content, "attributes")
                    if (text := _values(each))
                },
            )
        ],
    )


def _price(content: Content) -> Price:
    if prices := dict_of(content, "prices"):
        code, digits = text_of(prices, "currency_code"), text_of(prices, "currency_minor_unit")
        price, before = (
            from_cents({"centAmount": text_of(prices, name), "currencyCode": code, "fractionDigits": digits})
            for name in ("price", "regular_price")
        )
        return Price(price, before, code)
    price, before = text_of(content, "price"), text_of(content, "regular_price")
    return _shown(content, price, before) or Price(price, before)


def _shown(content: Content, price: str, before: str) -> Price | None:
    """The price as the shop shows it, with tax and currency, which the others do not say; None where it cannot be read."""
    text = _SPOKEN.sub("", text_of(content, "price_html"))
    current = _INSERTED.search(text)
    texts = [current[1] if current else text, *(match[1] for match in [_DELETED.search(text)] if match)]
    shown = [_amount_shown(each) for each in texts]
    entered = number_of(price)
    if None in shown or not entered or (len(shown) > 1) != bool(current):
        return None
    found = [each for each in shown if each is not None]
    if not entered <= found[0].amount <= entered * _HIGHEST_TAX:
        return None
    currency = next(iter(found[0].currencies), "")
    if found[0].amount == entered:
        return Price(price, before, currency)
    return Price(str(found[0].amount), str(found[-1].amount), currency)


def _amount_shown(markup: str) -> ShownPrice | None:
    """The only amount in the markup of a price; None for a range."""
    amounts = _AMOUNT.findall(markup)
    with suppress(RowRejected):
        return parse_price(html_to_line(amounts[0])) if len(amounts) == 1 else None
    return None


def _is_available(content: Content) -> bool | None:
    if (in_stock := flag(content, "is_in_stock")) is not None:
        return in_stock
    status = text_of(content, "stock_status")
    return status != "outofstock" if status else None


def _values(attribute: Content) -> str:
    """The value of a variation, or those that a product has."""
    found = attribute.get("options")
    options = found if isinstance(found, list) else [attribute.get("option")]
    terms = [text_of(each, "name") for each in dicts_of(attribute, "terms")]
    return ", ".join(text for each in (terms or map(as_text, options)) if (text := each))


SYSTEM = ApiSystem(
    "WooCommerce", (("stock_status", "regular_price", "permalink"), ("prices", "currency_minor_unit")), _product
)
