"""Answers of shop systems' APIs: products as JSON with their variants within them. Each variant becomes a product, in a family.

commercetools: https://docs.commercetools.com/api/projects/productProjections
BigCommerce: https://developer.bigcommerce.com/docs/rest-catalog/products
VTEX: https://developers.vtex.com/docs/api-reference/search-api
Vendure: https://docs.vendure.io/reference/graphql-api/shop/object-types/
Ecwid: https://docs.ecwid.com/api-reference/rest-api/products
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings

from catalog import facts
from catalog.importers.encodings import find_encoding
from catalog.importers.html_text import html_to_text
from catalog.importers.json_objects import JsonUnreadable, as_text, dicts_of, json_objects, text_of
from catalog.importers.mapping import FieldMapping
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rows import Row
from catalog.importers.shop_rows import (
    ShopExport,
    ShopProduct,
    ShopRows,
    SkusOfFile,
    amount,
    machine_price,
    with_list_price,
)
from catalog.models import DEFAULT_CURRENCY
from catalog.money import precision

_Content = Mapping[str, Any]
_CENTS, _DIGITS = re.compile(r"\d{1,20}", re.ASCII), re.compile(r"\d", re.ASCII)
# Of a price that not everybody pays, or not always.
_LIMITS_OF_PRICES = ("country", "customerGroup", "channel", "validFrom", "validUntil")


@dataclass(frozen=True, slots=True)
class _Price:
    """A price. before: the one before a reduction, or one to compare with. currency: "" if it is not named."""

    amount: str
    before: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class _Variant:
    """A variant. prices: those for everybody first. available: None if unknown. photos: its own."""

    sku: str
    prices: Sequence[_Price] = ()
    available: bool | None = None
    photos: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Product:
    """A product. family: what its variants have in common. photos: of all variants that have none of their own."""

    family: str
    title: str
    description: str
    variants: Sequence[_Variant]
    brand: str = ""
    category: Sequence[str] | None = None
    active: bool | None = None
    photos: Sequence[str] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiSystem:
    """A shop system.

    Attributes:
        name: for people.
        marks: names that its products have, and those of no other system together.
        product: reads a product.
    """

    name: str
    marks: tuple[str, ...]
    product: Callable[[_Content], _Product]

    def matches(self, head: str) -> bool:
        """Whether a file with these first characters has its products."""
        return all(f'"{mark}"' in head for mark in self.marks)


class ApiProducts(ShopExport[ShopRows]):
    """A row per variant, numbered by product. The variants of a product are a family.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos that are not links.
        slug: the format, one of API_SYSTEMS.

    Raises:
        InvalidSource: the encoding is not supported.
    """

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, slug: str) -> None:
        self.format = slug
        self._system = API_SYSTEMS[slug]
        self._path = path
        self._currency = mapping.values.get("currency", "") or DEFAULT_CURRENCY
        self._encoding = find_encoding(path, mapping.encoding).codec
        self._rows = ShopRows(mapping, [], photos=photos, system=self._system.name)

    def __iter__(self) -> Iterator[Row]:
        number = 0
        with closing(SkusOfFile()) as skus:
            try:
                for number, content in enumerate(json_objects(self._path, self._encoding), start=1):
                    yield from self._rows_of(number, self._system.product(content), skus)
            except JsonUnreadable as error:
                yield Row(number + 1, "", error=str(error), is_last_readable=True)

    def _rows_of(self, number: int, product: _Product, skus: SkusOfFile) -> Iterator[Row]:
        if not product.variants:
            yield Row(number, "", error=facts.NO_VARIANTS())
        common: dict[str, str | Sequence[str]] = {
            "title": product.title,
            "description": html_to_text(product.description),
            "brand": product.brand,
            "family": product.family if len(product.variants) > 1 else "",
        }
        if product.category is not None:
            common["category"] = product.category
        if product.active is not None:
            common["active"] = as_text(product.active)
        for place, variant in enumerate(product.variants, start=1):
            owner = f"{product.family}-{place}"
            sku, warning = skus.claim(variant.sku, owner, owner if len(product.variants) > 1 else product.family)
            price, list_price = self._price(variant)
            record = {
                **common,
                "sku": sku,
                "price": price,
                "list_price": list_price,
                "image": list(dict.fromkeys(variant.photos or product.photos)),
            }
            if variant.available is not None:
                record["available"] = as_text(variant.available)
            yield self._rows.build(
                ShopProduct(
                    line=number,
                    record=record,
                    attributes={**product.attributes, **variant.attributes},
                    warnings=(warning,) if warning and self._rows.derives("sku") else (),
                )
            )

    def _price(self, variant: _Variant) -> tuple[str, str]:
        """The price in the currency of the import, or else the first, and the one before a reduction."""
        own = (price for price in variant.prices if price.currency in ("", self._currency))
        price = next(own, variant.prices[0] if variant.prices else _Price(""))
        amounts = [f"{machine_price(text)} {price.currency}".strip() for text in (price.amount, price.before) if text]
        return with_list_price("".join(amounts[:1]), "".join(amounts[1:]), ".")


def _commercetools(content: _Content) -> _Product:
    data = _dict(content, "masterData")
    current = _dict(data, "current") or content
    published = data.get("published", content.get("published"))
    family = _localized(current.get("slug")) or text_of(content, "key") or text_of(content, "id")
    found = [_dict(current, "masterVariant"), *dicts_of(current, "variants")]
    variants = [_commercetools_variant(family, variant) for variant in found if variant]
    categories = [names for each in dicts_of(current, "categories") if (names := _commercetools_category(each))]
    return _Product(
        family=family,
        title=_localized(current.get("name")),
        description=_localized(current.get("description")),
        brand=next((variant.attributes["brand"] for variant in variants if "brand" in variant.attributes), ""),
        category=categories[0] if categories else None,
        active=published if isinstance(published, bool) else None,
        variants=variants,
        photos=next((variant.photos for variant in variants if variant.photos), ()),
    )


def _commercetools_variant(family: str, variant: _Content) -> _Variant:
    selected = _dict(variant, "price")
    prices = [selected] if selected else dicts_of(variant, "prices")
    stock = _dict(variant, "availability")
    in_channels = [_dict(_dict(stock, "channels"), name) for name in _dict(stock, "channels")]
    in_stock = [each["isOnStock"] for each in (stock, *in_channels) if isinstance(each.get("isOnStock"), bool)]
    named = {
        text_of(each, "name").lower(): _attribute_value(each.get("value")) for each in dicts_of(variant, "attributes")
    }
    return _Variant(
        sku=text_of(variant, "sku") or text_of(variant, "key") or f"{family}-{text_of(variant, 'id')}",
        prices=[_commercetools_price(price) for price in sorted(prices, key=_is_limited)],
        available=any(in_stock) if in_stock else None,
        photos=[url for each in dicts_of(variant, "images") if (url := text_of(each, "url"))],
        attributes={name: text for name, text in named.items() if name and text},
    )


def _is_limited(price: _Content) -> bool:
    return any(price.get(name) for name in _LIMITS_OF_PRICES)


def _commercetools_price(price: _Content) -> _Price:
    value, reduced = _dict(price, "value"), _dict(_dict(price, "discounted"), "value")
    return _Price(_from_cents(reduced or value), _from_cents(value) if reduced else "", text_of(value, "currencyCode"))


def _commercetools_category(reference: _Content) -> list[str]:
    """The names of a category that was sent with the product; what has only an id has no name."""
    category = _dict(reference, "obj")
    above = [_localized(_dict(each, "obj").get("name")) for each in dicts_of(category, "ancestors")]
    return [name for name in (*above, _localized(category.get("name"))) if name]


def _attribute_value(value: Any) -> str:
    """The text of a value: a text in several languages, an entry of a list with its label, a set of those."""
    if isinstance(value, list):
        return ", ".join(text for each in value if (text := _attribute_value(each)))
    return _localized(value["label"]) if isinstance(value, dict) and "label" in value else _localized(value)


def _from_cents(value: _Content) -> str:
    """The amount; as it stands where it is no number of cents."""
    cents, digits = text_of(value, "centAmount"), text_of(value, "fractionDigits")
    if not _CENTS.fullmatch(cents):
        return cents
    decimals = int(digits) if _DIGITS.fullmatch(digits) else precision(text_of(value, "currencyCode"))
    return str(Decimal(cents).scaleb(-decimals))


def _bigcommerce(content: _Content) -> _Product:
    found = dicts_of(content, "images") or [_dict(content, "primary_image")]
    images = sorted(found, key=lambda image: not image.get("is_thumbnail"))
    variants = dicts_of(content, "variants")
    return _Product(
        family=text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand_name"),
        active=content["is_visible"] if isinstance(content.get("is_visible"), bool) else None,
        photos=[url for image in images if (url := text_of(image, "url_zoom") or text_of(image, "url_standard"))],
        variants=[_bigcommerce_variant(content, variant) for variant in variants or [{}]],
    )


def _bigcommerce_variant(product: _Content, variant: _Content) -> _Variant:
    """A variant has the price of its product, unless it has its own."""
    price = text_of(variant, "price") or text_of(product, "price")
    reductions = [text_of(variant, "sale_price"), text_of(variant, "calculated_price")]
    if _amount(price) == _amount(text_of(product, "price")):
        reductions.append(text_of(product, "sale_price"))
    reduced = [each for each in reductions if 0 < _amount(each) < _amount(price)]
    before = price if reduced else text_of(variant, "retail_price") or text_of(product, "retail_price")
    counted = {"product": product, "variant": variant or product}.get(text_of(product, "inventory_tracking"))
    in_stock = counted is None or _amount(text_of(counted, "inventory_level")) > 0
    is_sold = text_of(product, "availability") != "disabled" and variant.get("purchasing_disabled") is not True
    options = dicts_of(variant, "option_values")
    return _Variant(
        sku=text_of(variant, "sku") or text_of(product, "sku"),
        prices=[_Price(reduced[0] if reduced else price, before)],
        available=is_sold and in_stock,
        photos=[url] if (url := text_of(variant, "image_url")) else [],
        attributes={text_of(option, "option_display_name").lower(): text_of(option, "label") for option in options},
    )


def _vtex(content: _Content) -> _Product:
    paths = [each for each in _list(content, "categories") if isinstance(each, str)]
    return _Product(
        family=text_of(content, "productId"),
        title=text_of(content, "productName"),
        description=text_of(content, "description"),
        brand=text_of(content, "brand"),
        category=[name for name in max(paths, key=len).split("/") if name] if paths else None,
        variants=[_vtex_variant(item) for item in dicts_of(content, "items")],
    )


def _vtex_variant(item: _Content) -> _Variant:
    sellers = dicts_of(item, "sellers")
    own = (seller for seller in sellers if seller.get("sellerDefault") is True)
    offer = _dict(next(own, sellers[0] if sellers else {}), "commertialOffer")
    quantity, price = text_of(offer, "AvailableQuantity"), text_of(offer, "Price")
    names = [each for each in _list(item, "variations") if isinstance(each, str)]
    reference = next((text for each in dicts_of(item, "referenceId") if (text := text_of(each, "Value"))), "")
    return _Variant(
        sku=reference or text_of(item, "itemId"),
        # What cannot be bought has a price of 0.
        prices=[_Price(price, text_of(offer, "ListPrice"))] if _amount(price) > 0 else [],
        available=_amount(quantity) > 0 if quantity else None,
        photos=[url for image in dicts_of(item, "images") if (url := text_of(image, "imageUrl"))],
        attributes={name.lower(): ", ".join(map(str, values)) for name in names if (values := _list(item, name))},
    )


def _ecwid(content: _Content) -> _Product:
    main = text_of(content, "originalImageUrl") or text_of(content, "imageUrl")
    gallery = [text_of(each, "originalImageUrl") or text_of(each, "url") for each in dicts_of(content, "galleryImages")]
    product = _Variant(
        sku=text_of(content, "sku"),
        prices=[_Price(text_of(content, "price"), text_of(content, "compareToPrice"))],
        available=content["inStock"] if isinstance(content.get("inStock"), bool) else None,
    )
    return _Product(
        family=text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        active=content["enabled"] if isinstance(content.get("enabled"), bool) else None,
        photos=[photo for photo in (main, *gallery) if photo],
        variants=[_ecwid_variant(product, each) for each in dicts_of(content, "combinations")] or [product],
    )


def _ecwid_variant(product: _Variant, variant: _Content) -> _Variant:
    quantity = text_of(variant, "quantity")
    photo = text_of(variant, "originalImageUrl") or text_of(variant, "imageUrl")
    price = _Price(text_of(variant, "price"), text_of(variant, "compareToPrice") or product.prices[0].before)
    return replace(
        product,
        sku=text_of(variant, "sku"),
        prices=[price] if price.amount else product.prices,
        available=_amount(quantity) > 0 if quantity and variant.get("unlimited") is not True else product.available,
        photos=[photo] if photo else [],
        attributes={
            text_of(option, "name").lower(): text_of(option, "value") for option in dicts_of(variant, "options")
        },
    )


def _vendure(content: _Content) -> _Product:
    photos = [_preview(asset) for asset in (_dict(content, "featuredAsset"), *dicts_of(content, "assets"))]
    facets = [
        (text_of(_dict(each, "facet"), "name").lower(), text_of(each, "name"))
        for each in dicts_of(content, "facetValues")
    ]
    return _Product(
        family=text_of(content, "slug") or text_of(content, "id"),
        title=text_of(content, "name"),
        description=text_of(content, "description"),
        brand=dict(facets).get("brand", ""),
        active=content["enabled"] if isinstance(content.get("enabled"), bool) else None,
        photos=[photo for photo in photos if photo],
        variants=[_vendure_variant(variant) for variant in dicts_of(content, "variants")],
        attributes={name: text for name, text in facets if name and text},
    )


def _vendure_variant(variant: _Content) -> _Variant:
    currency = text_of(variant, "currencyCode")
    cents = variant.get("priceWithTax") or variant.get("price")
    stock, photo = text_of(variant, "stockLevel"), _preview(_dict(variant, "featuredAsset"))
    return _Variant(
        sku=text_of(variant, "sku"),
        prices=[_Price(_from_cents({"centAmount": cents, "currencyCode": currency}), currency=currency)],
        # A word, or a number, as the shop is set up.
        available=stock not in ("OUT_OF_STOCK", "0") if stock else None,
        photos=[photo] if photo else [],
        attributes={
            text_of(_dict(option, "group"), "name").lower() or "option": text_of(option, "name")
            for option in dicts_of(variant, "options")
        },
    )


def _preview(asset: _Content) -> str:
    return text_of(asset, "source") or text_of(asset, "preview")


API_SYSTEMS: Mapping[str, ApiSystem] = {
    "commercetools_json": ApiSystem("commercetools", ("masterVariant",), _commercetools),
    "bigcommerce_json": ApiSystem("BigCommerce", ("inventory_tracking", "custom_url"), _bigcommerce),
    "vtex_json": ApiSystem("VTEX", ("commertialOffer",), _vtex),
    "vendure_json": ApiSystem("Vendure", ("variants", "priceWithTax"), _vendure),
    "ecwid_json": ApiSystem("Ecwid", ("combinations", "galleryImages"), _ecwid),
}


def api_system(head: str) -> str:
    """The format of JSON with these first characters, one of API_SYSTEMS; "" for other JSON."""
    return next((slug for slug, system in API_SYSTEMS.items() if system.matches(head)), "")


def _localized(value: Any) -> str:
    """A text in the language of the shop, or else in the first."""
    if not isinstance(value, dict):
        return as_text(value)
    own = settings.LANGUAGE_CODE.partition("-")[0]
    in_own = [text for code, text in value.items() if code.partition("-")[0].lower() == own]
    return next((text for each in (*in_own, *value.values()) if (text := as_text(each))), "")


def _dict(content: _Content, name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _list(content: _Content, name: str) -> list[Any]:
    value = content.get(name)
    return value if isinstance(value, list) else []


def _amount(text: str) -> Decimal:
    """A number; 0 for other texts."""
    return amount(text, ".") or Decimal(0)
