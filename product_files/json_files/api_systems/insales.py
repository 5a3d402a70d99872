"""InSales: products of its API.

https://api.insales.ru/?doc_format=JSON#product
"""

from __future__ import annotations

from collections.abc import Mapping

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, flag, number_of
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    options = _names(content, "option_names")
    properties = _names(content, "properties")
    return Product(
        family=text_of(content, "permalink") or text_of(content, "id"),
        title=text_of(content, "title"),
        description=text_of(content, "description") or text_of(content, "short_description"),
        active=not flag(content, "is_hidden"),
        photos=[link for each in dicts_of(content, "images") if (link := text_of(each, "original_url"))],
        attributes=_values(content, "characteristics", "property_id", properties),
        variants=[_variant(each, text_of(content, "currency_code"), options) for each in dicts_of(content, "variants")],
    )


def _variant(content: Content, currency: str, options: Mapping[str, str]) -> Variant:
    quantity = text_of(content, "quantity")
    is_available = flag(content, "available")
    barcode = text_of(content, "barcode")
    return Variant(
        sku=text_of(content, "sku") or text_of(content, "id"),
        prices=[Price(text_of(content, "price"), text_of(content, "old_price"), currency)],
        available=number_of(quantity) > 0 if is_available is None and quantity else is_available,
        attributes={
            **_values(content, "option_values", "option_name_id", options),
            **({"gtin": barcode} if barcode else {}),
        },
    )


def _names(content: Content, name: str) -> dict[str, str]:
    return {text_of(each, "id"): text_of(each, "title").lower() for each in dicts_of(content, name)}


def _values(content: Content, name: str, key: str, names: Mapping[str, str]) -> dict[str, str]:
    """The values of a list by the names that their numbers stand for; of several of one name all, with commas between them."""
    found: dict[str, list[str]] = {}
    for each in dicts_of(content, name):
        if (label := names.get(text_of(each, key), "")) and (text := text_of(each, "title")):
            found.setdefault(label, []).append(text)
    return {label: ", ".join(texts) for label, texts in found.items()}


SYSTEM = ApiSystem("InSales", (("option_names", "original_url"),), _product)
