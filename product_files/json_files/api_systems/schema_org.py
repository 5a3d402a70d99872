"""Products as shops describe them to search engines (JSON-LD): Product and ProductGroup, in a list or a graph with other things.

https://schema.org/Product
https://schema.org/ProductGroup
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant
from product_files.json_files.json_objects import as_text, dicts_of, text_of
from product_files.rows import RowRejected
from product_files.values.availability import parse_availability

_ATTRIBUTES = ("color", "size", "material", "pattern", "mpn")
_FORMER_PRICES = ("StrikethroughPrice", "ListPrice", "MSRP", "SRP")
_BARCODES = ("gtin", "gtin13", "gtin14", "gtin12", "gtin8", "isbn")


def _product(content: Content) -> Product | None:
    types = {each.rpartition("/")[2] for each in _texts(content.get("@type"))}
    if types.isdisjoint(("Product", "ProductGroup", "IndividualProduct", "ProductModel", "Book", "Vehicle", "Car")):
        return None
    variants = dicts_of(content, "hasVariant")
    category = [each for text in _texts(content.get("category")) if (each := _levels(text))]
    group, title = _first(content, "inProductGroupWithID", "productGroupID"), text_of(content, "name")
    return Product(
        family=group or _sku(content),
        has_relatives=bool(group),
        key=_sku(content) or (f"{group}-{title}" if group else ""),
        title=title,
        description=text_of(content, "description"),
        brand=next(iter(_texts(content.get("brand"))), "") or next(iter(_texts(content.get("manufacturer"))), ""),
        categories=category or None,
        photos=_photos(content),
        variants=[_variant(variant, text_of(variant, "name")) for variant in variants] or [_variant(content)],
        attributes=_attributes(content),
    )


def _variant(content: Content, title: str = "") -> Variant:
    offers = content.get("offers")
    found = [each for each in (offers if isinstance(offers, list) else [offers]) if isinstance(each, dict)]
    return Variant(
        sku=_sku(content),
        title=title,
        prices=[price for offer in found if (price := _price(offer)).amount],
        available=next((each for offer in found if (each := _is_available(offer)) is not None), None),
        photos=_photos(content),
        attributes=_attributes(content),
    )


def _sku(content: Content) -> str:
    return _first(content, "sku", "productID", *_BARCODES, "mpn", "@id", "url")


def _first(content: Content, *names: str) -> str:
    return next((text for name in names if (text := text_of(content, name))), "")


def _price(offer: Content) -> Price:
    """The price of an offer, or the lowest of several; it may be a specification of its own, beside that of a former price."""
    specified = _dicts(offer.get("priceSpecification"))
    former = [each for each in specified if text_of(each, "priceType").rpartition("/")[2] in _FORMER_PRICES]
    inner = next((each for each in specified if each not in former), {})
    amount = _first(offer, "price", "lowPrice") or text_of(inner, "price")
    before = text_of(former[0], "price") if former else ""
    return Price(amount, before, text_of(offer, "priceCurrency") or text_of(inner, "priceCurrency"))


def _is_available(offer: Content) -> bool | None:
    try:
        return parse_availability(text).available if (text := text_of(offer, "availability")) else None
    except RowRejected:
        return None


def _attributes(content: Content) -> dict[str, str]:
    barcode = _first(content, *_BARCODES)
    named = {name: ", ".join(_texts(content.get(name))) for name in _ATTRIBUTES}
    further = {
        text_of(each, "name").lower(): text_of(each, "value") for each in dicts_of(content, "additionalProperty")
    }
    return {name: text for name, text in {**further, **named, "gtin": barcode}.items() if name and text}


def _photos(content: Content) -> Sequence[str]:
    return _texts(content.get("image"), "contentUrl", "url")


def _levels(text: str) -> list[str]:
    return [name.strip() for name in text.split(">") if name.strip()]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _texts(value: Any, *names: str) -> list[str]:
    """The texts of a value: a text, an object with a name, or a list of those."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each, *names)]
    text = _first(value, *(names or ("name",))) if isinstance(value, dict) else as_text(value)
    return [text] if text else []


SYSTEM = ApiSystem(
    "schema.org",
    # Others mark their products with this type, too (API Platform), and have prices of their own.
    tuple(
        ("@type", f"{place}{name}", prices)
        for place in ("", "https://schema.org/", "http://schema.org/")
        for name, prices in (("Product", "offers"), ("ProductGroup", "hasVariant"))
    ),
    _product,
)
