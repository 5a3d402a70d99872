"""Odoo: products as its JSON-RPC and JSON-2 API answer `search_read`. What is empty is false, and a related record `[4, "Name"]`.

https://www.odoo.com/documentation/18.0/developer/reference/external_api.html
"""

from __future__ import annotations

from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    flag,
    list_of,
    number_of,
)
from product_files.json_files.json_objects import as_text, text_of

_DESCRIPTIONS = ("description_sale", "website_description")
_BETWEEN_LEVELS = " / "
_UNCOUNTED = frozenset(("service", "consu"))


def _product(content: Content) -> Product | None:
    title = _text(content, "name") or _text(content, "display_name")
    if not title:
        return None
    sku, barcode = _text(content, "default_code") or _text(content, "id"), _text(content, "barcode")
    category = _related(content, "categ_id").split(_BETWEEN_LEVELS)
    descriptions = [_text(content, name) for name in _DESCRIPTIONS if name in content]
    template = list_of(content, "product_tmpl_id")
    # What is not counted is never there: services, and consumables, which storable products may be among.
    is_counted = _text(content, "type") not in _UNCOUNTED or flag(content, "is_storable") is True
    stock = _text(content, "qty_available") if is_counted else ""
    return Product(
        family=as_text(template[0]) if template else sku,
        has_relatives=bool(template),
        key=sku,
        title=title,
        # Whoever asks names the fields of the answer.
        description=next(filter(None, descriptions), "") if descriptions else None,
        brand=_related(content, "product_brand_id") if "product_brand_id" in content else None,
        categories=[category] if category != [""] else None,
        active=flag(content, "active"),
        variants=[
            Variant(
                sku=sku,
                prices=[
                    Price(
                        _text(content, "lst_price") or _text(content, "list_price"),
                        "",
                        _related(content, "currency_id"),
                    )
                ],
                available=number_of(stock) > 0 if stock else None,
                attributes={"gtin": barcode} if barcode else {},
            )
        ],
    )


def _text(content: Content, name: str) -> str:
    return "" if content.get(name) is False else text_of(content, name)


def _related(content: Content, name: str) -> str:
    """The name of a related record; "" for none."""
    return as_text(next(iter(list_of(content, name)[1:]), None))


SYSTEM = ApiSystem("Odoo", (("default_code", "categ_id"), ("default_code", "product_tmpl_id")), _product)
