"""Cafe24: products of its Admin API, with their variants if they were asked for (`embed=variants`).

https://developers.cafe24.com/docs/en/api/admin/#products
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import ApiSystem, Content, Price, Product, Variant, list_of, number_of
from product_files.json_files.json_objects import as_text, dicts_of, text_of

_YES = "T"
_PHOTOS = ("detail_image", "list_image", "small_image")


def _product(content: Content) -> Product:
    main = next((link for name in _PHOTOS if (link := text_of(content, name))), "")
    photos = [main, *(text_of(each, "big") for each in dicts_of(content, "additional_image"))]
    display = text_of(content, "display")
    variants = dicts_of(content, "variants")
    return Product(
        family=_code(content),
        title=text_of(content, "product_name"),
        description=text_of(content, "description"),
        tags=[tag for each in list_of(content, "product_tag") if (tag := as_text(each))],
        active=display == _YES if display else None,
        photos=list(filter(None, photos)),
        variants=[_variant(content, each, is_alone=len(variants) == 1) for each in variants or [{}]],
    )


def _code(content: Content) -> str:
    return text_of(content, "custom_product_code") or text_of(content, "product_code")


def _code_of_variant(content: Content) -> str:
    return text_of(content, "custom_variant_code") or text_of(content, "variant_code")


def _variant(product: Content, content: Content, *, is_alone: bool) -> Variant:
    price, more = text_of(product, "price"), number_of(text_of(content, "additional_amount"))
    quantity = text_of(content, "quantity") if text_of(content, "use_inventory") == _YES else ""
    is_sold = text_of(product, "selling") in ("", _YES) and text_of(product, "sold_out") != _YES
    return Variant(
        sku=_code(product) if is_alone or not content else _code_of_variant(content),
        prices=[Price(str(number_of(price) + more) if more else price, text_of(product, "retail_price"))],
        available=is_sold and (not quantity or number_of(quantity) > 0),
        attributes={
            text_of(each, "name").lower(): text
            for each in dicts_of(content, "options")
            if (text := text_of(each, "value"))
        },
    )


SYSTEM = ApiSystem("Cafe24", (("product_no", "custom_product_code"),), _product)
