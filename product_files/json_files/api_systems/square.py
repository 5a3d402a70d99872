"""Square: items of the Catalog API, whose images, categories and options are objects of their own in the same answer.

https://developer.squareup.com/reference/square/objects/CatalogObject
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Relations,
    Variant,
    dict_of,
    list_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of
from product_files.values.cell_lists import levels_of
from product_files.values.currencies import precision

# What other objects say about an item, which is kept under their ids.
_RELATED = "lookalike_related"
_IMAGE, _CATEGORY, _OPTION, _VALUE = "image", "category", "option", "value"


def _product(content: Content) -> Product | None:
    item = dict_of(content, "item_data")
    if not item:
        return None
    related = dict_of(content, _RELATED)
    categories = [levels for each in list_of(related, _CATEGORY) if (levels := [as_text(name) for name in each])]
    is_gone = content.get("is_deleted") is True or item.get("is_archived") is True
    return Product(
        family=text_of(content, "id"),
        title=text_of(item, "name"),
        description=text_of(item, "description_html") or text_of(item, "description"),
        categories=categories or None,
        active=not is_gone,
        photos=_photos(_image_ids(content, item), related),
        variants=[_variant(each, related) for each in dicts_of(item, "variations")],
    )


def _variant(content: Content, related: Content) -> Variant:
    data = dict_of(content, "item_variation_data")
    sold_out = [each.get("sold_out") is True for each in dicts_of(data, "location_overrides")]
    gtin = text_of(data, "upc")
    options = {
        text_of(dict_of(related, _OPTION), text_of(each, "item_option_id")).lower(): text_of(
            dict_of(related, _VALUE), text_of(each, "item_option_value_id")
        )
        for each in dicts_of(data, "item_option_values")
    }
    own = {name: value for name, value in options.items() if name and value}
    return Variant(
        sku=text_of(data, "sku") or text_of(content, "id"),
        prices=_prices(dict_of(data, "price_money")),
        available=False if sold_out and all(sold_out) else None,
        photos=_photos(_image_ids(content, data), related),
        attributes={
            **(own or ({"variation": text_of(data, "name")} if text_of(data, "name") else {})),
            **({"gtin": gtin} if gtin else {}),
        },
    )


def _prices(money: Content) -> Sequence[Price]:
    """The amount is in cents; a variation whose price is entered at the counter has none."""
    cents, currency = text_of(money, "amount"), text_of(money, "currency")
    if not cents.isdecimal():
        return ()
    return [Price(str(Decimal(cents).scaleb(-precision(currency))), currency=currency)]


def _image_ids(content: Content, data: Content) -> list[str]:
    return [as_text(each) for each in list_of(data, "image_ids")] or [text_of(content, "image_id")]


def _photos(ids: Sequence[str], related: Content) -> list[str]:
    urls = dict_of(related, _IMAGE)
    return [url for each in ids if (url := text_of(urls, each))]


def _kept(content: Content) -> Iterator[tuple[str, Content]]:
    own = text_of(content, "id")
    if url := text_of(dict_of(content, "image_data"), "url"):
        yield own, {_IMAGE: url}
    elif category := dict_of(content, "category_data"):
        yield own, {_CATEGORY: text_of(category, "name"), "parent": text_of(dict_of(category, "parent_category"), "id")}
    elif option := dict_of(content, "item_option_data"):
        yield own, {_OPTION: text_of(option, "display_name") or text_of(option, "name")}
        for value in dicts_of(option, "values"):
            yield text_of(value, "id"), {_VALUE: text_of(dict_of(value, "item_option_value_data"), "name")}


def _joined(content: Content, recall: Callable[[str], Content]) -> Content:
    item = dict_of(content, "item_data")
    variations = dicts_of(item, "variations")
    data = [dict_of(each, "item_variation_data") for each in variations]
    chosen = [each for variation in data for each in dicts_of(variation, "item_option_values")]
    images = [
        each
        for owner, own in ((content, item), *zip(variations, data, strict=True))
        for each in _image_ids(owner, own)
        if each
    ]

    def level(key: str) -> tuple[str, str] | None:
        category = recall(key)
        return (text_of(category, _CATEGORY), text_of(category, "parent")) if category else None

    main = text_of(dict_of(item, "reporting_category"), "id") or text_of(item, "category_id")
    categories = dict.fromkeys([main, *(text_of(each, "id") for each in dicts_of(item, "categories"))])
    return {
        **content,
        _RELATED: {
            _IMAGE: {each: text_of(recall(each), _IMAGE) for each in images},
            _CATEGORY: [levels_of(each, level) for each in categories if each],
            _OPTION: {
                key: text_of(recall(key), _OPTION) for each in chosen if (key := text_of(each, "item_option_id"))
            },
            _VALUE: {
                key: text_of(recall(key), _VALUE) for each in chosen if (key := text_of(each, "item_option_value_id"))
            },
        },
    }


SYSTEM = ApiSystem(
    "Square",
    tuple(
        (name, "present_at_all_locations") for name in ("item_data", "category_data", "image_data", "item_option_data")
    ),
    _product,
    Relations(_kept, _joined, beside="related_objects"),
)
