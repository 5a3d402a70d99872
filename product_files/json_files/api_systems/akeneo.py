"""Akeneo: products of its API, whose values have a locale and a channel. Photos are files, categories are codes.

https://api.akeneo.com/concepts/products.html
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    flag,
    list_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of

_TITLES = ("name", "title", "product_name", "label", "erp_name")
_DESCRIPTIONS = ("description", "long_description", "short_description")
_PRICES, _BRANDS, _BARCODES = ("price", "prices"), ("brand", "manufacturer"), ("ean", "gtin", "barcode", "upc")
_PHOTO = ("image", "picture", "photo", "packshot")
_READ = frozenset((*_TITLES, *_DESCRIPTIONS, *_PRICES, *_BRANDS, *_BARCODES))


def _product(content: Content) -> Product | None:
    sku = text_of(content, "identifier")
    values = {name: _value(content, name) for name in dict_of(content, "values")}
    texts = {name: text for name, value in values.items() if (text := _text(value))}
    photos = [text for name, text in texts.items() if any(word in name.lower() for word in _PHOTO)]
    if not sku:
        return None
    return Product(
        family=text_of(content, "parent") or sku,
        has_relatives=bool(text_of(content, "parent")),
        key=sku,
        title=_first(texts, _TITLES) or sku,
        description=_first(texts, _DESCRIPTIONS),
        brand=_first(texts, _BRANDS),
        categories=[[code] for each in list_of(content, "categories") if (code := as_text(each))] or None,
        active=flag(content, "enabled"),
        variants=[
            Variant(
                sku=sku,
                prices=[
                    Price(text_of(each, "amount"), "", text_of(each, "currency"))
                    for name in _PRICES
                    for each in dicts_of(values, name)
                ],
                photos=photos,
                attributes={
                    **{name: text for name, text in texts.items() if name not in _READ and text not in photos},
                    **({"gtin": barcode} if (barcode := _first(texts, _BARCODES)) else {}),
                },
            )
        ],
    )


def _value(content: Content, name: str) -> Any:
    """The data of a value: in the language of the shop, or else the first."""
    found = dicts_of(dict_of(content, "values"), name)
    own = [each for each in found if text_of(each, "locale")[:2] == settings.LANGUAGE_CODE[:2]]
    return next((each.get("data") for each in (own or found)), None)


def _text(value: Any) -> str:
    """A value as text; "" for objects and lists of them."""
    return ", ".join(filter(None, map(as_text, value))) if isinstance(value, list) else as_text(value)


def _first(texts: dict[str, str], names: tuple[str, ...]) -> str:
    return next((texts[name] for name in names if name in texts), "")


SYSTEM = ApiSystem("Akeneo", (("identifier", "values", "scope", "locale"),), _product)
