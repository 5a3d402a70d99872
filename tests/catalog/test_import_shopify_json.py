"""Import of Shopify's products as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from product_files.json_files.shopify_json import ShopifyJson
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.sources import detect_format
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.catalog.shop_exports import families, product
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

SHIRT: dict[str, Any] = {
    "id": 1,
    "title": "Shirt",
    "handle": "shirt",
    "body_html": "<p>Of <b>linen</b></p>",
    "vendor": "Acme",
    "product_type": "Shirts",
    "tags": ["summer", "linen"],
    "variants": [
        {"id": 11, "sku": "S-S", "option1": "S", "price": "49.00", "compare_at_price": "60.00", "available": True},
        {
            "id": 12,
            "sku": "S-M",
            "option1": "M",
            "price": "49.00",
            "compare_at_price": None,
            "available": False,
            "featured_image": {"src": "blue.jpg"},
        },
    ],
    "images": [{"id": 5, "src": "red.jpg", "alt": "Front"}, {"id": 6, "src": "blue.jpg"}],
    "options": [{"name": "Size", "position": 1, "values": ["S", "M"]}],
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.jpg").write_bytes(jpeg(colour))
    return tmp_path / "products.json"


def test_the_products_of_the_cases(real_data: Path) -> None:
    report = run(real_data / "cases/catalogue/shopify_products.json")
    assert (counts(report), families()) == ((2, 0, 0, 0), {"LD-S": {"LD-S", "LD-M"}})
    assert (product("LD-S").available, product("LD-M").available) == (True, False)


@pytest.mark.parametrize("form", ["object", "indented", "list", "lines"])
def test_each_variant_is_a_product_in_every_form_of_the_file(shop: Path, form: str) -> None:
    mug = SHIRT | {
        "handle": "mug",
        "title": "Mug",
        "variants": [{"sku": "", "price": "5.00", "option1": "Default Title"}],
    }
    contents = {
        "object": json.dumps({"products": [SHIRT, mug]}),
        "indented": json.dumps({"products": [SHIRT, mug]}, indent=2),
        "list": json.dumps([SHIRT, mug]),
        "lines": f"{json.dumps(SHIRT)}\n{json.dumps(mug)}\n",
    }
    shop.write_text(contents[form])
    assert detect_format(shop) == "shopify_json"
    report = run(shop)
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"S-S": {"S-S", "S-M"}, "mug": {"mug"}}
    small, medium = product("S-S"), product("S-M")
    assert (small.price, small.list_price, small.available) == (Decimal(49), Decimal(60), True)
    assert (medium.price, medium.list_price, medium.available) == (Decimal(49), None, False)
    assert (small.title, small.description, small.brand, str(small.category)) == ("Shirt", "Of linen", "Acme", "shirts")
    assert (small.tags, small.attributes) == (["summer", "linen"], {"size": "S", "handle": "shirt"})
    assert [image.alt for image in small.images.order_by("position")] == ["Front", ""]
    assert medium.images.count() == 2


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({"published_at": "2026-01-01T00:00:00Z"}, True),
        ({"published_at": None}, False),
        ({"status": "active"}, True),
        ({"status": "draft"}, False),
    ],
)
def test_what_is_not_published_is_not_active(shop: Path, values: dict[str, Any], active: bool) -> None:
    shop.write_text(json.dumps({"products": [SHIRT | values]}))
    run(shop)
    assert product("S-S").active is active


@pytest.mark.parametrize(
    ("values", "available"),
    [
        ({"inventory_quantity": 3}, True),
        ({"inventory_quantity": -3}, False),
        ({"inventory_quantity": 0, "inventory_policy": "continue"}, True),
        ({"inventory_quantity": 0, "inventory_management": None}, True),
    ],
)
def test_the_stock_of_the_admin_api_decides_about_availability(
    shop: Path, values: dict[str, Any], available: bool
) -> None:
    shop.write_text(json.dumps({"products": [SHIRT | {"variants": [{"sku": "S", "price": "1.00"} | values]}]}))
    run(shop)
    assert product("S").available is available


def test_a_damaged_file_yields_what_stands_before(shop: Path) -> None:
    shop.write_text(json.dumps({"products": [SHIRT, SHIRT | {"handle": "mug"}]})[:-200])
    report = run(shop)
    assert (report["created"], report["rejected"], report["broken_off"]) == (2, 1, True)
    assert problems(report)[0][1].startswith("the object cannot be read as JSON")


def test_a_product_without_variants_is_rejected(shop: Path) -> None:
    shop.write_text(json.dumps({"products": [SHIRT | {"variants": []}]}))
    assert problems(run(shop)) == [(1, "the product has no variants")]


@pytest.mark.any_database
def test_memory_does_not_grow_with_the_products(tmp_path: Path) -> None:
    products = 1_000
    path = tmp_path / "products.json"
    path.write_text(json.dumps({"products": [SHIRT | {"handle": f"h{number}"} for number in range(products)]}))

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        rows = ShopifyJson(path, FieldMapping(), photos=PhotoFolder.open(tmp_path))
        return sum(row.product is not None for row in watched(rows))

    assert memory_growth(read, after=products, rows=2 * products) < 1.025


def test_products_of_medusa_are_not_of_shopify(shop: Path) -> None:
    prices = [{"currency_code": "eur", "amount": 1950}]
    medusa = {"title": "Shirt", "handle": "shirt", "variants": [{"sku": "S-1", "title": "S", "prices": prices}]}
    shop.write_text(json.dumps({"products": [medusa]}))
    assert detect_format(shop) == "medusa_json"
