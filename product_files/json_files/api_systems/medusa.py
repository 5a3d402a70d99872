"""Medusa: products of its Store and Admin APIs. Version 1 has prices in cents, version 2 has not.

https://docs.medusajs.com/api/store#products
https://docs.medusajs.com/v1/api/store#products
"""

from __future__ import annotations

from collections.abc import Sequence

from product_files import row_facts
from product_files.json_files.api_systems.base import (
    ApiSystem,
    Content,
    Price,
    Product,
    Variant,
    dict_of,
    flag,
    from_cents,
    number_of,
)
from product_files.json_files.json_objects import dicts_of, text_of

# What only products and prices of one version have.
_OF_VERSION_1 = frozenset(("profile_id", "profiles", "region_id", "price_list_id"))
_OF_VERSION_2 = frozenset(("raw_amount", "price_set_id", "rules", "rules_count"))


def _product(content: Content) -> Product:
    variants = dicts_of(content, "variants")
    prices = [price for variant in variants for price in dicts_of(variant, "prices")]
    in_cents = _are_in_cents(content, prices)
    photos = [text_of(content, "thumbnail"), *(text_of(image, "url") for image in dicts_of(content, "images"))]
    names = {text_of(option, "id"): text_of(option, "title") for option in dicts_of(content, "options")}
    categories = [text_of(each, "name") for each in dicts_of(content, "categories")]
    others = [text_of(dict_of(content, "type"), "value"), text_of(dict_of(content, "collection"), "title")]
    status = text_of(content, "status")
    return Product(
        family=text_of(content, "handle") or text_of(content, "id"),
        title=text_of(content, "title"),
        description=text_of(content, "description"),
        categories=[[name] for name in (categories or [each for each in others if each][:1])] or None,
        tags=[text_of(each, "value") for each in dicts_of(content, "tags")] if "tags" in content else None,
        active=status == "published" if status else None,
        photos=[photo for photo in dict.fromkeys(photos) if photo],
        variants=[_variant(variant, names, in_cents=in_cents) for variant in variants],
        warnings=(row_facts.PERHAPS_IN_CENTS(),) if prices and in_cents is None else (),
        attributes={"material": material} if (material := text_of(content, "material")) else {},
    )


def _are_in_cents(product: Content, prices: Sequence[Content]) -> bool | None:
    """Whether prices are in cents; None if nothing shows it."""
    # Prices of version 2 may have a price list, too.
    if any(not _OF_VERSION_2.isdisjoint(each) or "." in text_of(each, "amount") for each in prices):
        return False
    return True if any(not _OF_VERSION_1.isdisjoint(each) for each in (product, *prices)) else None


def _variant(variant: Content, names: Content, *, in_cents: bool | None) -> Variant:
    options = {
        text_of(dict_of(each, "option"), "title") or names.get(text_of(each, "option_id"), ""): text_of(each, "value")
        for each in dicts_of(variant, "options")
    }
    barcode = text_of(variant, "barcode") or text_of(variant, "ean")
    return Variant(
        sku=text_of(variant, "sku") or text_of(variant, "id"),
        prices=_prices(variant, in_cents=in_cents),
        available=_is_available(variant),
        attributes={
            **({"gtin": barcode} if barcode else {}),
            **{name.lower(): text for name, text in options.items() if name and text},
        },
    )


def _prices(variant: Content, *, in_cents: bool | None) -> Sequence[Price]:
    if selected := dict_of(variant, "calculated_price"):
        amounts = text_of(selected, "calculated_amount"), text_of(selected, "original_amount")
        return [Price(*amounts, text_of(selected, "currency_code").upper())]
    if in_cents is None:
        return ()
    # Prices of a region or of a list count for some customers only.
    found = sorted(
        dicts_of(variant, "prices"), key=lambda price: bool(price.get("region_id") or price.get("price_list_id"))
    )
    return [_price(price, in_cents=in_cents) for price in found]


def _price(price: Content, *, in_cents: bool) -> Price:
    amount, currency = text_of(price, "amount"), text_of(price, "currency_code").upper()
    return Price(
        from_cents({"centAmount": amount, "currencyCode": currency}) if in_cents else amount, currency=currency
    )


def _is_available(variant: Content) -> bool | None:
    if flag(variant, "manage_inventory") is False or flag(variant, "allow_backorder"):
        return True
    quantity = text_of(variant, "inventory_quantity")
    return number_of(quantity) > 0 if quantity else None


SYSTEM = ApiSystem(
    "Medusa", (("handle", "variants", "prices", "currency_code"), ("handle", "variants", "calculated_price")), _product
)
