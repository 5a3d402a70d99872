"""Answers of shop systems' APIs: products with variants within them, as JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.sources import detect_format, open_catalogue
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import families, product

pytestmark = pytest.mark.django_db


def cents(amount: int, currency: str = "EUR", digits: int | None = 2, **more: Any) -> dict[str, Any]:
    value = {"type": "centPrecision", "currencyCode": currency, "centAmount": amount}
    return {"value": value if digits is None else value | {"fractionDigits": digits}, **more}


COAT: dict[str, Any] = {
    "id": "6f1",
    "key": "coat",
    "name": {"de": "Wollmantel", "en": "Wool coat"},
    "description": {"en": "<p>Warm</p>"},
    "slug": {"en": "wool-coat"},
    "categories": [
        {"id": "c2", "obj": {"name": {"en": "Coats"}, "ancestors": [{"id": "c1", "obj": {"name": {"en": "Women"}}}]}}
    ],
    "masterVariant": {
        "id": 1,
        "sku": "W-S",
        "prices": [cents(15900, "USD"), cents(9900, customerGroup={"id": "b2b"}), cents(14875)],
        "images": [{"url": "https://example.com/1.jpg"}],
        "attributes": [
            {"name": "color", "value": {"key": "red", "label": {"de": "Rot", "en": "Red"}}},
            {"name": "brand", "value": "Pier"},
        ],
        "availability": {"isOnStock": True, "availableQuantity": 3},
    },
    "variants": [
        {
            "id": 2,
            "sku": "W-M",
            "prices": [cents(15875, discounted={"value": {"currencyCode": "EUR", "centAmount": 12000}})],
            "images": [],
            "availability": {"channels": {"x": {"isOnStock": False}}},
        }
    ],
}
TOTE: dict[str, Any] = {
    "id": 77,
    "name": "Tote",
    "sku": "TOTE",
    "description": "<p>Nice</p>",
    "price": 49,
    "retail_price": 60,
    "sale_price": 39.5,
    "categories": [23],
    "inventory_level": 3,
    "inventory_tracking": "variant",
    "is_visible": True,
    "availability": "available",
    "custom_url": {"url": "/tote/"},
    "images": [
        {"url_zoom": "https://example.com/2.jpg", "is_thumbnail": False},
        {"url_zoom": "https://example.com/1.jpg", "is_thumbnail": True},
    ],
    "variants": [
        {
            "sku": "TOTE-R",
            "price": None,
            "inventory_level": 3,
            "image_url": "https://example.com/r.jpg",
            "option_values": [{"option_display_name": "Color", "label": "Red"}],
        },
        {"sku": "TOTE-B", "price": 55, "sale_price": None, "inventory_level": 0, "image_url": ""},
    ],
}
SOFA: dict[str, Any] = {
    "productId": "1",
    "productName": "Sofa",
    "brand": "Casa",
    "categories": ["/Home/Sofas/", "/Home/"],
    "items": [
        {
            "itemId": "11",
            "referenceId": [{"Key": "RefId", "Value": "S-BLUE"}],
            "variations": ["Cor"],
            "Cor": ["Azul"],
            "images": [{"imageUrl": "https://example.com/1.jpg"}],
            "sellers": [
                {"sellerDefault": False, "commertialOffer": {"Price": 1, "ListPrice": 1, "AvailableQuantity": 1}},
                {"sellerDefault": True, "commertialOffer": {"Price": 12.9, "ListPrice": 14.9, "AvailableQuantity": 3}},
            ],
        },
        {"itemId": "12", "sellers": [{"commertialOffer": {"Price": 0, "ListPrice": 0, "AvailableQuantity": 0}}]},
    ],
}
APPLE: dict[str, Any] = {
    "id": 5,
    "sku": "A",
    "name": "Apple",
    "price": 1.99,
    "compareToPrice": 2.5,
    "inStock": True,
    "enabled": True,
    "imageUrl": "https://example.com/400.jpg",
    "originalImageUrl": "https://example.com/1.jpg",
    "galleryImages": [{"url": "https://example.com/2.jpg"}],
    "combinations": [
        {"sku": "A-R", "price": 2.1, "quantity": 0, "options": [{"name": "Color", "value": "Red"}]},
        {"sku": "A-G", "unlimited": True, "options": [{"name": "Color", "value": "Green"}]},
    ],
}


def written(folder: Path, content: Any) -> Path:
    path = folder / "products.json"
    path.write_text(json.dumps(content))
    return path


def test_products_of_commercetools_have_prices_in_cents(tmp_path: Path) -> None:
    path = written(tmp_path, {"limit": 20, "count": 1, "results": [COAT]})
    assert detect_format(path) == "commercetools_json"
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report), families()) == ((2, 0, 0, 0), [], {"W-S": {"W-S", "W-M"}})
    small, medium = product("W-S"), product("W-M")
    assert (small.title, small.description, small.brand, str(small.category)) == (
        "Wool coat", "Warm", "Pier", "women/coats",
    )  # fmt: skip
    assert (small.price, small.currency, small.attributes["color"]) == (Decimal("148.75"), "EUR", "Red")
    assert (medium.price, medium.list_price) == (Decimal("120.00"), Decimal("158.75"))
    assert (small.available, medium.available) == (True, False)


def test_the_price_is_the_one_in_the_currency_of_the_import(tmp_path: Path) -> None:
    run(written(tmp_path, [COAT]), "--no-fetch", "--set", "currency=USD")
    assert (product("W-S").price, product("W-S").currency) == (Decimal("159.00"), "USD")


@pytest.mark.parametrize("digits", [0, None])
def test_a_currency_without_cents_has_none(tmp_path: Path, digits: int | None) -> None:
    hat = {"id": "h", "name": {"en": "Hat"}, "masterVariant": {"sku": "H", "prices": [cents(4000, "JPY", digits)]}}
    run(written(tmp_path, [hat]))
    assert (product("H").price, product("H").currency) == (Decimal(4000), "JPY")


def test_the_published_product_of_commercetools_counts(tmp_path: Path) -> None:
    draft = COAT | {"name": {"en": "Draft"}}
    whole = {"id": "6f1", "key": "coat", "masterData": {"current": COAT, "staged": draft, "published": False}}
    run(written(tmp_path, [whole]), "--no-fetch")
    assert (product("W-S").title, product("W-S").active) == ("Wool coat", False)


def test_products_of_bigcommerce_are_their_variants(tmp_path: Path) -> None:
    path = written(tmp_path, {"data": [TOTE, TOTE | {"id": 78, "sku": "BAG", "variants": []}], "meta": {}})
    assert detect_format(path) == "bigcommerce_json"
    report = run(path, "--no-fetch")
    assert (counts(report), families()) == ((3, 0, 0, 0), {"TOTE-R": {"TOTE-R", "TOTE-B"}, "BAG": {"BAG"}})
    red, blue, bag = product("TOTE-R"), product("TOTE-B"), product("BAG")
    assert (red.price, red.list_price, red.available, red.attributes) == (
        Decimal("39.50"), Decimal(49), True, {"color": "Red"},
    )  # fmt: skip
    assert (blue.price, blue.list_price, blue.available) == (Decimal(55), Decimal(60), False)
    assert (bag.price, bag.available) == (Decimal("39.50"), True)


def test_products_of_vtex_are_sold_by_their_seller(tmp_path: Path) -> None:
    path = written(tmp_path, [SOFA])
    assert detect_format(path) == "vtex_json"
    run(path, "--no-fetch", "--set", "currency=BRL")
    blue, other = product("S-BLUE"), product("12")
    assert (blue.title, blue.brand, str(blue.category)) == ("Sofa", "Casa", "home/sofas")
    assert (blue.price, blue.list_price, blue.attributes) == (Decimal("12.90"), Decimal("14.90"), {"cor": "Azul"})
    assert (other.price, other.available) == (None, False)


def test_products_of_vendure_have_prices_in_cents(tmp_path: Path) -> None:
    laptop = {
        "id": "1",
        "name": "Laptop",
        "slug": "laptop",
        "featuredAsset": {"preview": "https://example.com/1.jpg"},
        "facetValues": [{"name": "Pier", "facet": {"name": "Brand"}}],
        "variants": [
            {"sku": "L-13", "price": 129900, "priceWithTax": 155880, "currencyCode": "USD", "stockLevel": "IN_STOCK",
             "options": [{"name": "13 inch", "group": {"name": "Screen"}}]},
            {"sku": "L-15", "price": 139900, "priceWithTax": 167880, "currencyCode": "USD", "stockLevel": "OUT_OF_STOCK"},
        ],
    }  # fmt: skip
    path = written(tmp_path, {"data": {"products": {"totalItems": 1, "items": [laptop]}}})
    assert detect_format(path) == "vendure_json"
    run(path, "--no-fetch")
    small, large = product("L-13"), product("L-15")
    assert (small.price, small.currency, small.brand) == (Decimal("1558.80"), "USD", "Pier")
    assert (small.attributes["screen"], small.available, large.available) == ("13 inch", True, False)


def test_products_of_ecwid_are_their_combinations(tmp_path: Path) -> None:
    path = written(tmp_path, {"total": 1, "items": [APPLE]})
    assert detect_format(path) == "ecwid_json"
    run(path, "--no-fetch")
    red, green = product("A-R"), product("A-G")
    assert families() == {"A-R": {"A-R", "A-G"}}
    assert (red.price, red.list_price, red.available) == (Decimal("2.10"), Decimal("2.50"), False)
    assert (green.price, green.available, green.attributes) == (Decimal("1.99"), True, {"color": "Green"})


def test_what_is_no_such_product_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, [COAT, {"id": "x", "items": [3, "a", {}], "variants": "no"}, [1]])
    report = run(path, "--no-fetch")
    assert counts(report)[0] == 2
    assert [reason for _, reason in problems(report)] == [
        "the product has no variants",
        "the list has something that is not an object",
    ]
    assert Product.objects.count() == 2


def test_every_product_has_its_photos(tmp_path: Path) -> None:
    assert photos(tmp_path, [COAT], "W-M") == ["https://example.com/1.jpg"]
    assert photos(tmp_path, [TOTE], "TOTE-R") == ["https://example.com/r.jpg"]
    assert photos(tmp_path, [TOTE], "TOTE-B") == ["https://example.com/1.jpg", "https://example.com/2.jpg"]
    assert photos(tmp_path, [APPLE], "A-R") == ["https://example.com/1.jpg", "https://example.com/2.jpg"]


def photos(folder: Path, content: Any, sku: str) -> list[str]:
    """The links of a product's photos."""
    with open_catalogue(written(folder, content), FieldMapping()) as catalogue:
        return [photo.name for row in catalogue if row.sku == sku for photo in row.photos or ()]
