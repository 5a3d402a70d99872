"""Shopee: items as its shops' pages ask for them. Prices are in 1/100,000, photos are names on a server by country."""

from __future__ import annotations

from decimal import Decimal

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
from product_files.values.row_prices import SHOPEE_UNIT

# Of the server of photos, by the currency of the shop.
_DOMAINS = {
    "VND": "vn",
    "IDR": "co.id",
    "THB": "co.th",
    "MYR": "com.my",
    "SGD": "sg",
    "PHP": "ph",
    "TWD": "tw",
    "BRL": "com.br",
    "MXN": "com.mx",
    "CLP": "cl",
    "COP": "com.co",
}


def _product(content: Content) -> Product | None:
    item = dict_of(content, "item_basic") or dict_of(content, "item") or dict(content)
    number = text_of(item, "itemid")
    if not number or not text_of(item, "name"):
        return None
    models = [each for each in dicts_of(item, "models") if text_of(each, "status") in ("", "1")]
    domain = _DOMAINS.get(text_of(item, "currency"), "sg")
    names = [as_text(each) for each in list_of(item, "images")] or [text_of(item, "image")]
    return Product(
        family=number,
        title=text_of(item, "name"),
        description=text_of(item, "description"),
        brand=text_of(item, "brand"),
        categories=[[name for each in dicts_of(item, "categories") if (name := text_of(each, "display_name"))]]
        if dicts_of(item, "categories")
        else None,
        photos=[f"https://cf.shopee.{domain}/file/{name}" for name in names if name],
        variants=[_variant(item, each) for each in models] if len(models) > 1 else [_variant(item, {})],
    )


def _variant(item: Content, model: Content) -> Variant:
    source, code = model or item, text_of(item, "currency")
    stock = text_of(source, "stock")
    tiers = [text_of(each, "name").lower() for each in dicts_of(item, "tier_variations")]
    values = text_of(model, "name").split(",")
    return Variant(
        sku=f"{text_of(item, 'itemid')}-{text_of(model, 'modelid')}" if model else text_of(item, "itemid"),
        prices=[Price(_in_units(source, "price"), _in_units(source, "price_before_discount"), code)],
        available=number_of(stock) > 0 if stock else None,
        attributes={name: value.strip() for name, value in zip(tiers, values, strict=False) if name and value.strip()},
    )


def _in_units(content: Content, name: str) -> str:
    parts = number_of(text_of(content, name))
    return str((parts / SHOPEE_UNIT).quantize(Decimal("0.01"))) if parts > 0 else ""


SYSTEM = ApiSystem("Shopee", (("itemid", "shopid"),), _product)
