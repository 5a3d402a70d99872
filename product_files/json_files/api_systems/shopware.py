"""Shopware 6: products of the Store API and of the Admin API. A variant is an object of its own, with the id of its product.

https://shopware.stoplight.io/docs/store-api
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Relations,
    Variant,
    dict_of,
    flag,
    number_of,
)
from product_files.json_files.json_objects import as_text, dicts_of, text_of

_TRANSLATED = ("name", "description")
# What a variant has of its product where it has nothing itself; the Admin API leaves it out without the header `sw-inheritance`.
_INHERITED = (*_TRANSLATED, "translated", "price", "cover", "media", "manufacturer", "categories", "active")


def _product(content: Content) -> Product:
    parent, children = text_of(content, "parentId"), text_of(content, "childCount")
    categories = [
        # The first level is the root of the shop's navigation.
        [as_text(name) for name in path[1:]] or [text_of(each, "name")]
        for each in dicts_of(content, "categories")
        if isinstance(path := each.get("breadcrumb"), list)
    ]
    cover = _url(dict_of(content, "cover"))
    photos = [cover, *map(_url, dicts_of(content, "media"))]
    ean, stock = text_of(content, "ean"), text_of(content, "availableStock") or text_of(content, "stock")
    in_stock = flag(content, "available")
    return Product(
        family=parent or text_of(content, "id"),
        has_relatives=bool(parent) or number_of(children) > 0,
        key=text_of(content, "id"),
        title=_translated(content, "name"),
        description=_translated(content, "description"),
        brand=_translated(dict_of(content, "manufacturer"), "name"),
        categories=categories or None,
        active=flag(content, "active"),
        variants=[
            Variant(
                sku=text_of(content, "productNumber"),
                prices=[_price(content)],
                available=number_of(stock) > 0 if in_stock is None and stock else in_stock,
                photos=[url for url in dict.fromkeys(photos) if url],
                attributes={
                    **({"gtin": ean} if ean else {}),
                    **{
                        _translated(dict_of(each, "group"), "name").lower() or "option": _translated(each, "name")
                        for each in dicts_of(content, "options")
                    },
                },
            )
        ],
    )


def _kept(content: Content) -> Iterator[tuple[str, Content]]:
    if not text_of(content, "parentId") and text_of(content, "childCount") != "0":
        yield text_of(content, "id"), {name: content[name] for name in _INHERITED if not _is_empty(content, name)}


def _joined(content: Content, recall: Callable[[str], Content]) -> Content:
    parent = recall(text_of(content, "parentId"))
    return {
        **content,
        **{name: value for name, value in parent.items() if _is_empty(content, name)},
        "translated": {name: _translated(content, name) or _translated(parent, name) for name in _TRANSLATED},
    }


def _is_empty(content: Content, name: str) -> bool:
    return content.get(name) in (None, "", [], {})


def _translated(content: Content, name: str) -> str:
    return text_of(dict_of(content, "translated"), name) or text_of(content, name)


def _url(media: Content) -> str:
    return text_of(dict_of(media, "media"), "url")


def _price(content: Content) -> Price:
    """What the shop calculated, or else the first gross price."""
    if calculated := dict_of(content, "calculatedPrice"):
        return Price(text_of(calculated, "unitPrice"), text_of(dict_of(calculated, "listPrice"), "price"))
    first = next(iter(dicts_of(content, "price")), {})
    return Price(text_of(first, "gross"), text_of(dict_of(first, "listPrice"), "gross"))


SYSTEM = ApiSystem(
    "Shopware",
    (("productNumber", "translated"), ("productNumber", "manufacturerId")),
    _product,
    Relations(_kept, _joined),
)
