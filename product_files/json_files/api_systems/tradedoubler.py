"""Tradedoubler: products of its Open API and of its feeds in JSON, each with the offers of shops. The first offer counts.

https://dev.tradedoubler.com/products/publisher/
"""

from __future__ import annotations

import re

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
from product_files.rows import RowRejected
from product_files.values.availability import parse_availability

_LEVELS = re.compile(r"\s*[;>]\s*")
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_NO_CATEGORY = "not available"
# Further fields, whose names are those of the shop's own feed.
_PHOTO = re.compile(r"additional[ _]image[ _]link.*", re.IGNORECASE)
_BEFORE = ("previousprice", "strike_price", "price_old", "rrp_price")
_REDUCED = ("sale price", "sale_price", "finalprice")


def _product(content: Content) -> Product | None:
    offer = next(iter(dicts_of(content, "offers")), {})
    identifiers = dict_of(content, "identifiers")
    if not offer:
        return None
    fields = {
        name: value
        for each in dicts_of(content, "fields")
        if (name := text_of(each, "name").strip().lower()) and (value := text_of(each, "value"))
    }
    photos = [text_of(dict_of(content, "productImage"), "url")]
    photos += [value for name, value in fields.items() if _PHOTO.fullmatch(name)]
    gtin = text_of(identifiers, "ean") or text_of(identifiers, "upc")
    names = [text_of(each, "name") for each in dicts_of(content, "categories")] or [
        as_text(each) for each in list_of(content, "categories")
    ]
    categories = [[level for level in _LEVELS.split(name) if level] for name in names if name.lower() != _NO_CATEGORY]
    used = (*_BEFORE, *_REDUCED)
    return Product(
        family=text_of(offer, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description") or text_of(content, "shortDescription"),
        brand=text_of(content, "brand") or text_of(content, "manufacturer"),
        categories=[levels for levels in categories if levels] or None,
        photos=[url for url in dict.fromkeys(photos) if url],
        attributes={
            **{name: value for name, value in fields.items() if name not in used and not _PHOTO.fullmatch(name)},
            **({"gtin": gtin} if gtin else {}),
        },
        variants=[
            Variant(
                sku=text_of(offer, "sourceProductId")
                or text_of(identifiers, "sku")
                or gtin
                or text_of(identifiers, "mpn"),
                prices=_prices(offer, fields),
                available=_is_available(offer),
            )
        ],
    )


def _prices(offer: Content, fields: dict[str, str]) -> list[Price]:
    """The latest price, and the one before a reduction, where the shop's feed has it."""
    history = dicts_of(offer, "priceHistory")
    if not history:
        return []
    price = dict_of(max(history, key=_date), "price")
    value, currency = text_of(price, "value"), text_of(price, "currency")
    reduced = next((text for name in _REDUCED if (text := fields.get(name))), "")
    if 0 < number_of(reduced) < number_of(value):
        return [Price(str(number_of(reduced)), value, currency)]
    before = next((text for name in _BEFORE if (text := fields.get(name))), "")
    return [Price(value, str(number_of(before)) if number_of(before) else "", currency)]


def _date(entry: Content) -> int:
    """The milliseconds of a price; 0 where it has no date."""
    text = text_of(entry, "date")
    return int(text) if _DIGITS.fullmatch(text) else 0


def _is_available(offer: Content) -> bool | None:
    text = text_of(offer, "availability") or text_of(offer, "inStock")
    try:
        return parse_availability(text).available if text else None
    except RowRejected:
        return None


SYSTEM = ApiSystem("Tradedoubler", (("priceHistory", "productImage", "offers"),), _product)
