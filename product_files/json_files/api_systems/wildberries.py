"""Wildberries: cards of its Content API. A size is a variant; cards that are shown together are a family.

https://dev.wildberries.ru/openapi/work-with-products
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import ApiSystem, Content, Product, Variant, list_of
from product_files.json_files.json_objects import as_text, dicts_of, text_of

_SIZES_OF_PHOTOS = ("big", "c516x688", "square")
_ONE_SIZE = "0"


def _product(content: Content) -> Product | None:
    if not text_of(content, "vendorCode"):
        return None
    sizes = dicts_of(content, "sizes")
    return Product(
        family=text_of(content, "imtID") or text_of(content, "vendorCode"),
        has_relatives=True,
        key=text_of(content, "nmID"),
        title=text_of(content, "title"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand"),
        categories=[[name]] if (name := text_of(content, "subjectName")) else None,
        photos=[link for each in dicts_of(content, "photos") if (link := _photo(each))],
        attributes={
            text_of(each, "name").lower(): text
            for each in dicts_of(content, "characteristics")
            if (text := ", ".join(map(as_text, list_of(each, "value"))) or text_of(each, "value"))
        },
        variants=[_variant(content, each, is_alone=len(sizes) == 1) for each in sizes or [{}]],
    )


def _variant(product: Content, size: Content, *, is_alone: bool) -> Variant:
    name = text_of(size, "techSize") or text_of(size, "wbSize")
    name = "" if name == _ONE_SIZE else name
    code, barcode = text_of(product, "vendorCode"), next(map(as_text, list_of(size, "skus")), "")
    return Variant(
        sku=code if is_alone or not name else f"{code}-{name}",
        prices=None,
        attributes={**({"size": name} if name else {}), **({"gtin": barcode} if barcode else {})},
    )


def _photo(content: Content) -> str:
    return next((link for size in _SIZES_OF_PHOTOS if (link := text_of(content, size))), "")


SYSTEM = ApiSystem("Wildberries", (("nmID", "vendorCode"),), _product)
