"""Magento and Adobe Commerce: products of the REST API. Photos lie in `pub/media/catalog/product`, categories are numbers.

So are the values of attributes, whose labels may be in the same file, in a list `attributes` as the API answers it.

https://developer.adobe.com/commerce/webapi/rest/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Relations,
    Variant,
    dict_of,
    flag,
    list_of,
    number_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of
from product_files.rows import RowRejected
from product_files.tables.shop_rows import lasts

# Their prices are those of the products that they consist of: the API answers 0.
_WITHOUT_PRICE = ("configurable", "grouped", "bundle")
# Of a variant, the SKU of the configurable product that lists its id.
_PARENT = "lookalike_parent"
# Of a product, the labels of its attributes; of an attribute, what its labels are kept by.
_LABELS, _OF_ATTRIBUTE = "lookalike_labels", "attribute:"
_ATTRIBUTES, _BRAND = "attributes", "manufacturer"


def read_product(content: Content, now: datetime | None = None) -> Product:
    """Read a product.

    Args:
        content: as the API answers it.
        now: time that decides whether a sale is on; by default the current time.

    Returns:
        The product, with one variant.
    """
    custom = {
        text_of(each, "attribute_code"): as_text(each.get("value")) for each in dicts_of(content, "custom_attributes")
    }
    gallery = [
        text_of(each, "file")
        for each in dicts_of(content, "media_gallery_entries")
        if text_of(each, "media_type") == "image" and flag(each, "disabled") is not True
    ]
    status = text_of(content, "status")
    labels = dict_of(content, _LABELS)
    return Product(
        family=text_of(content, _PARENT) or text_of(content, "sku"),
        has_relatives=_PARENT in content or bool(_links(content)),
        key=text_of(content, "sku"),
        title=text_of(content, "name"),
        brand=text_of(labels, _BRAND) if labels else None,
        description=custom.get("description") or custom.get("short_description", ""),
        active=status == "1" if status else None,
        variants=[
            Variant(
                sku=text_of(content, "sku"),
                prices=_prices(content, custom, now or datetime.now(UTC)),
                available=flag(dict_of(content, "extension_attributes", "stock_item"), "is_in_stock"),
                photos=[name for name in (custom.get("image", ""), *gallery) if name not in ("", "no_selection")],
                attributes={name: text_of(labels, name) for name in labels if name != _BRAND},
            )
        ],
    )


def _links(content: Content) -> Sequence[str]:
    """The ids of the variants of a configurable product."""
    return [as_text(each) for each in list_of(dict_of(content, "extension_attributes"), "configurable_product_links")]


def _kept(content: Content) -> Iterator[tuple[str, Content]]:
    if code := text_of(content, "attribute_code"):
        options = dicts_of(content, "options")
        yield f"{_OF_ATTRIBUTE}{code}", {text_of(each, "value"): text_of(each, "label") for each in options}
    for number in _links(content):
        yield number, {_PARENT: text_of(content, "sku")}


def _joined(content: Content, recall: Callable[[str], Content]) -> Content:
    labels: dict[str, str] = {}
    for each in dicts_of(content, "custom_attributes"):
        code, value = text_of(each, "attribute_code"), each.get("value")
        numbers = map(as_text, value) if isinstance(value, list) else as_text(value).split(",")
        named = [number.strip() for number in numbers if number.strip().isdigit()]
        known = recall(f"{_OF_ATTRIBUTE}{code}") if named else {}
        if found := [label for number in named if (label := text_of(known, number))]:
            labels[code] = ", ".join(found)
    return {**content, **recall(text_of(content, "id")), _LABELS: labels}


def _prices(content: Content, custom: dict[str, str], now: datetime) -> Sequence[Price]:
    if text_of(content, "type_id") in _WITHOUT_PRICE and not number_of(text_of(content, "price")):
        return ()
    price, special = text_of(content, "price"), custom.get("special_price", "")
    try:
        # The last day is a part of the sale.
        ends = custom.get("special_to_date", "").removesuffix(" 00:00:00")
        counts = lasts(custom.get("special_from_date", ""), ends, now)
    except RowRejected:
        counts = False
    return [Price(special, price) if special and counts else Price(price)]


SYSTEM = ApiSystem(
    "Magento", (("custom_attributes", "attribute_code"),), read_product, Relations(_kept, _joined, beside=_ATTRIBUTES)
)
