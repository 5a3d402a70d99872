"""BigCommerce: the V3 catalogue with `include=variants,images`.

https://developer.bigcommerce.com/docs/rest-catalog/products
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
    number_of,
)
from product_files.json_files.json_objects import dicts_of, text_of


def _product(content: Content) -> Product:
    found = dicts_of(content, "images") or [dict_of(content, "primary_image")]
    images = sorted(found, key=lambda image: not image.get("is_thumbnail"))
    variants = dicts_of(content, "variants")
    return Product(
        family=text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand_name"),
        active=flag(content, "is_visible"),
        photos=[url for image in images if (url := text_of(image, "url_zoom") or text_of(image, "url_standard"))],
        variants=[_variant(content, variant) for variant in variants or [{}]],
    )


def _variant(product: Content, variant: Content) -> Variant:
    """A variant has the price of its product, unless it has its own."""
    price = text_of(variant, "price") or text_of(product, "price")
    reductions = [text_of(variant, "sale_price"), text_of(variant, "calculated_price")]
    if number_of(price) == number_of(text_of(product, "price")):
        reductions.append(text_of(product, "sale_price"))
    reduced = [each for each in reductions if 0 < number_of(each) < number_of(price)]
    before = price if reduced else text_of(variant, "retail_price") or text_of(product, "retail_price")
    counted = {"product": product, "variant": variant or product}.get(text_of(product, "inventory_tracking"))
    in_stock = counted is None or number_of(text_of(counted, "inventory_level")) > 0
    is_sold = text_of(product, "availability") != "disabled" and variant.get("purchasing_disabled") is not True
    options = dicts_of(variant, "option_values")
    return Variant(
        sku=text_of(variant, "sku") or text_of(product, "sku"),
        prices=[Price(reduced[0] if reduced else price, before)],
        available=is_sold and in_stock,
        photos=[url] if (url := text_of(variant, "image_url")) else [],
        attributes={text_of(option, "option_display_name").lower(): text_of(option, "label") for option in options},
    )


SYSTEM = ApiSystem("BigCommerce", (("inventory_tracking", "custom_url"),), _product)
