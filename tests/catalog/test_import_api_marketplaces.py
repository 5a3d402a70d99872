"""Answers of the APIs of marketplaces and further shop systems: each has prices, photos, variants and states in its own way."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import open_catalogue
from tests.catalog.importing import of, photos

Found = tuple[str, str, str, str | None, str]


def rows(folder: Path, content: Any) -> tuple[str, list[Row]]:
    """The format of a file with this content, and its rows."""
    path = folder / "products.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    with open_catalogue(path, FieldMapping()) as catalogue:
        return catalogue.format, list(catalogue)


def shown(row: Row) -> Found:
    """SKU, title, price, list price and currency."""
    product = of(row)
    list_price = None if product.list_price is None else str(product.list_price)
    return product.sku, product.title, str(product.price), list_price, product.currency


TIENDANUBE = {
    "id": 1,
    "name": {"es": "Remera"},
    "handle": {"es": "remera"},
    "attributes": [{"es": "Talle"}],
    "published": True,
    "variants": [
        {"price": "100.00", "promotional_price": "80.00", "stock": 3, "sku": "R-S", "values": [{"es": "S"}]},
        {
            "price": "100.00",
            "promotional_price": None,
            "stock": 0,
            "sku": "R-M",
            "values": [{"es": "M"}],
            "image_id": 2,
        },
    ],
    "images": [{"id": 1, "src": "https://x.test/1.jpg"}, {"id": 2, "src": "https://x.test/2.jpg"}],
    "categories": [{"name": {"es": "Ropa"}}],
}


def test_tiendanube(tmp_path: Path) -> None:
    detected, (small, medium) = rows(tmp_path, [TIENDANUBE])
    assert detected == "tiendanube_json"
    assert shown(small) == ("R-S", "Remera", "80.00", "100.00", "EUR")
    assert (of(small).attributes, of(small).category, of(small).family) == ({"talle": "S"}, ("Ropa",), "remera")
    assert (of(small).available, of(medium).available) == (True, False)
    assert (photos(small), photos(medium)) == (
        ["https://x.test/1.jpg", "https://x.test/2.jpg"],
        ["https://x.test/2.jpg"],
    )


def test_wildberries(tmp_path: Path) -> None:
    card = {
        "nmID": 1,
        "imtID": 7,
        "vendorCode": "TEE",
        "subjectName": "Футболки",
        "title": "Футболка",
        "photos": [{"big": "https://x.test/1.webp", "tm": "https://x.test/t.webp"}],
        "characteristics": [{"id": 1, "name": "Цвет", "value": ["красный"]}],
        "sizes": [{"techSize": "S", "skus": ["2000000000017"]}, {"techSize": "M", "skus": []}],
    }
    mug = {**card, "nmID": 2, "imtID": 8, "vendorCode": "MUG", "sizes": [{"techSize": "0", "skus": []}]}
    detected, found = rows(tmp_path, {"cards": [card, mug], "cursor": {"total": 2}})
    assert (detected, [row.sku for row in found]) == ("wildberries_json", ["TEE-S", "TEE-M", "MUG"])
    tee = of(found[0])
    assert tee.attributes == {"цвет": "красный", "size": "S", "gtin": "2000000000017"}
    assert (tee.category, tee.family, photos(found[0])) == (("Футболки",), "7", ["https://x.test/1.webp"])
    # Cards have no prices: those of the product stay.
    assert found[0].fields is not None
    assert found[0].fields.isdisjoint({"price", "list_price", "currency"})


def test_trendyol(tmp_path: Path) -> None:
    tee = {
        "barcode": "869001",
        "stockCode": "TS-S",
        "productMainId": "TS",
        "title": "Tişört",
        "categoryName": "T-Shirt",
        "quantity": 0,
        "listPrice": 199.9,
        "salePrice": 149.9,
        "approved": True,
        "images": [{"url": "https://x.test/1.jpg"}],
        "attributes": [{"attributeName": "Beden", "attributeValue": "S"}],
    }
    detected, (row,) = rows(tmp_path, {"totalElements": 1, "content": [tee]})
    assert (detected, shown(row)) == ("trendyol_json", ("TS-S", "Tişört", "149.90", "199.90", "TRY"))
    assert (of(row).family, of(row).available, of(row).attributes["beden"]) == ("TS", False, "S")


def test_ozon(tmp_path: Path) -> None:
    mug = {
        "id": 901,
        "offer_id": "MUG",
        "name": "Кружка",
        "currency_code": "RUB",
        "old_price": "900.0000",
        "price": "590.0000",
        "stocks": {"has_stock": True},
        "primary_image": ["https://x.test/1.jpg"],
        "images": ["https://x.test/2.jpg"],
    }
    detected, (row, other) = rows(
        tmp_path, {"items": [mug, {**mug, "offer_id": "B", "images": [], "is_archived": True}]}
    )
    assert (detected, shown(row)) == ("ozon_json", ("MUG", "Кружка", "590.00", "900.00", "RUB"))
    assert (photos(row), photos(other)) == (["https://x.test/1.jpg", "https://x.test/2.jpg"], ["https://x.test/1.jpg"])
    assert (of(row).available, of(row).active, of(other).active) == (True, True, False)


def test_the_answer_for_one_product_is_that_product(tmp_path: Path) -> None:
    product = {
        "id": 7,
        "name": "Mug",
        "offer_id": "M-1",
        "images": ["https://cdn/2.jpg"],
        "primary_image": "https://cdn/1.jpg",
        "price": "1400.0000",
        "old_price": "1990.0000",
        "sources": [{"sku": 5, "source": "fbo"}],
        "stocks": {"present": 8},
    }
    detected, (row,) = rows(tmp_path, {"result": product})
    # Older answers name no currency.
    assert (detected, shown(row)) == ("ozon_json", ("M-1", "Mug", "1400.00", "1990.00", "RUB"))
    assert photos(row) == ["https://cdn/1.jpg", "https://cdn/2.jpg"]


def test_otto_market(tmp_path: Path) -> None:
    jacket = {
        "productReference": "J-1",
        "sku": "J-1-34",
        "ean": "3858389911564",
        "productDescription": {
            "category": "Outdoor jacket",
            "brand": "Fell",
            "productLine": "Storm",
            "description": "<p>Keeps dry.</p>",
            "attributes": [{"name": "Size", "values": ["34", "36"], "additional": True}],
        },
        "mediaAssets": [
            {"type": "IMAGE", "location": "https://example.com/1.jpg"},
            {"type": "ENERGY_EFFICIENCY_LABEL", "location": "https://example.com/label.png"},
        ],
        "pricing": {
            "standardPrice": {"amount": 90, "currency": "EUR"},
            "msrp": {"amount": 120, "currency": "EUR"},
            "sale": {
                "salePrice": {"amount": 70, "currency": "EUR"},
                "startDate": "2019-10-19T10:00:15.000+02:00",
                "endDate": "2999-11-19T10:00:15.000+02:00",
            },
        },
    }
    over = {**jacket["pricing"], "sale": {**jacket["pricing"]["sale"], "endDate": "2019-11-19T10:00:15.000+02:00"}}  # type: ignore[dict-item,index]
    detected, found = rows(tmp_path, {"productVariations": [jacket, {**jacket, "sku": "J-1-38", "pricing": over}]})
    assert detected == "otto_json"
    title = "Fell Outdoor jacket Storm"
    assert [shown(row) for row in found] == [
        ("J-1-34", title, "70.00", "90.00", "EUR"),
        ("J-1-38", title, "90.00", "120.00", "EUR"),
    ]
    first = of(found[0])
    assert (first.family, first.category, first.attributes) == (
        "J-1",
        ("Outdoor jacket",),
        {"size": "34, 36", "gtin": "3858389911564"},
    )
    assert photos(found[0]) == ["https://example.com/1.jpg"]


def test_salla(tmp_path: Path) -> None:
    def money(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": "SAR"}

    cup = {
        "id": 1,
        "sku": "C",
        "name": "كوب",
        "price": money(45),
        "taxed_price": money(52),
        "regular_price": money(60),
        "is_available": True,
        "status": "sale",
        "images": [{"url": "https://x.test/2.jpg", "main": False}, {"url": "https://x.test/1.jpg", "main": True}],
        "categories": [{"name": "أكواب"}],
    }
    options = [{"name": "المقاس", "values": [{"id": 5, "name": "S"}, {"id": 6, "name": "M"}]}]
    skus = [
        {
            "sku": "T-S",
            "price": money(30),
            "regular_price": money(30),
            "stock_quantity": 0,
            "related_option_values": [5],
        },
        {
            "sku": "T-M",
            "price": money(30),
            "regular_price": money(30),
            "stock_quantity": 2,
            "related_option_values": [6],
        },
    ]
    tee = {**cup, "id": 2, "sku": "T", "name": "قميص", "status": "hidden", "options": options, "skus": skus}
    detected, (row, small, medium) = rows(tmp_path, {"status": 200, "data": [cup, tee]})
    assert (detected, shown(row)) == ("salla_json", ("C", "كوب", "45.00", "60.00", "SAR"))
    assert photos(row) == ["https://x.test/1.jpg", "https://x.test/2.jpg"]
    assert (of(small).attributes, of(small).available, of(medium).available) == ({"المقاس": "S"}, False, True)
    assert (of(row).active, of(small).active, of(small).family) == (True, False, "T")
    _, (row,) = rows(tmp_path, {"status": 200, "data": [{**cup, "sku": "", "skus": [{"sku": "C-1"}]}]})
    assert row.sku == "C-1"


def test_allegro(tmp_path: Path) -> None:
    mug = {
        "id": "7",
        "name": "Kubek",
        "primaryImage": {"url": "https://x.test/1.jpg"},
        "sellingMode": {"price": {"amount": "29.90", "currency": "PLN"}},
        "stock": {"available": 0},
        "publication": {"status": "ENDED"},
        "external": {"id": "K-1"},
    }
    detected, (row, other) = rows(tmp_path, {"offers": [mug, {**mug, "id": "8", "external": None}], "count": 2})
    assert (detected, shown(row)) == ("allegro_json", ("K-1", "Kubek", "29.90", None, "PLN"))
    assert (other.sku, of(row).available, of(row).active) == ("8", False, False)
    # Offers have no descriptions and brands: those of the product stay.
    assert row.fields is not None
    assert row.fields.isdisjoint({"description", "brand"})


def test_stripe(tmp_path: Path) -> None:
    cup = {
        "id": "prod_1",
        "object": "product",
        "name": "Cup",
        "images": ["https://x.test/1.jpg"],
        "default_price": {"currency": "usd", "unit_amount": 1250},
    }
    yen = {**cup, "id": "prod_2", "metadata": {"sku": "Y"}, "default_price": {"currency": "jpy", "unit_amount": 1250}}
    krona = {**cup, "id": "prod_3", "default_price": {"currency": "isk", "unit_amount": 50000}}
    dinar = {**cup, "id": "prod_4", "default_price": {"currency": "rsd", "unit_amount": 99900}}
    detected, found = rows(tmp_path, {"object": "list", "data": [cup, yen, krona, dinar]})
    assert (detected, [shown(row) for row in found]) == (
        "stripe_json",
        [
            ("prod_1", "Cup", "12.50", None, "USD"),
            ("Y", "Cup", "1250.00", None, "JPY"),
            ("prod_3", "Cup", "500.00", None, "ISK"),
            ("prod_4", "Cup", "999.00", None, "RSD"),
        ],
    )


def test_cafe24(tmp_path: Path) -> None:
    cup = {
        "product_no": 11,
        "product_code": "P1",
        "custom_product_code": "CUP",
        "product_name": "컵",
        "price": "11000.00",
        "retail_price": "13000.00",
        "display": "T",
        "selling": "T",
        "sold_out": "F",
        "detail_image": "https://x.test/1.jpg",
        "list_image": "https://x.test/2.jpg",
    }
    sizes = [
        {"variant_code": "P2A", "options": [{"name": "색상", "value": "빨강"}], "additional_amount": "500.00"},
        {"variant_code": "P2B", "options": [{"name": "색상", "value": "파랑"}], "use_inventory": "T", "quantity": 0},
    ]
    tee = {**cup, "product_code": "P2", "custom_product_code": "", "display": "F", "variants": sizes}
    detected, (row, red, blue) = rows(tmp_path, {"products": [cup, tee]})
    assert (detected, shown(row)[:4]) == ("cafe24_json", ("CUP", "컵", "11000.00", "13000.00"))
    assert (red.sku, of(red).price, of(red).attributes, of(red).family) == ("P2A", 11500, {"색상": "빨강"}, "P2")
    assert (of(blue).available, of(blue).active, photos(row)) == (False, False, ["https://x.test/1.jpg"])
    one = {**cup, "variants": [{"variant_code": "P1A", "use_inventory": "T", "quantity": 0}]}
    _, (row,) = rows(tmp_path, {"products": [one]})
    assert (row.sku, of(row).family, of(row).available) == ("CUP", "", False)


def test_insales(tmp_path: Path) -> None:
    tee = {
        "id": 1,
        "title": "Футболка",
        "permalink": "tee",
        "currency_code": "RUR",
        "option_names": [{"id": 3, "title": "Размер"}],
        "variants": [
            {"id": 10, "sku": "T-S", "price": "900.0", "old_price": "1200.0", "quantity": 3,
             "option_values": [{"option_name_id": 3, "title": "S"}]},
            {"id": 11, "sku": None, "price": "900.0", "quantity": 0, "option_values": []},
        ],
        "images": [{"original_url": "https://x.test/1.jpg", "thumb_url": "https://x.test/t.jpg"}],
        "characteristics": [{"property_id": 1, "title": "Хлопок"}, {"property_id": 1, "title": "Лён"}],
        "properties": [{"id": 1, "title": "Материал"}],
    }  # fmt: skip
    detected, (small, other) = rows(tmp_path, [tee])
    assert (detected, shown(small)) == ("insales_json", ("T-S", "Футболка", "900.00", "1200.00", "RUB"))
    assert of(small).attributes == {"материал": "Хлопок, Лён", "размер": "S"}
    assert (other.sku, of(other).available, photos(small)) == ("11", False, ["https://x.test/1.jpg"])


def test_akeneo(tmp_path: Path) -> None:
    def in_all(data: Any) -> list[dict[str, Any]]:
        return [{"locale": None, "scope": None, "data": data}]

    cup = {
        "identifier": "cup",
        "enabled": False,
        "family": "mugs",
        "categories": ["cups"],
        "parent": "cups-all",
        "values": {
            "name": [
                {"locale": "de_DE", "scope": None, "data": "Tasse"},
                {"locale": "en_US", "scope": None, "data": "Cup"},
            ],
            "price": in_all([{"amount": "14.00", "currency": "USD"}, {"amount": "12.50", "currency": "EUR"}]),
            "color": in_all("blue"),
            "packshot_image": in_all("6/3/cup.jpg"),
        },
    }
    detected, (row,) = rows(tmp_path, {"_embedded": {"items": [cup]}})
    assert (detected, shown(row)) == ("akeneo_json", ("cup", "Cup", "12.50", None, "EUR"))
    assert (of(row).attributes, of(row).family, of(row).active) == ({"color": "blue"}, "cups-all", False)
    assert photos(row) == ["6/3/cup.jpg"]


def test_odoo(tmp_path: Path) -> None:
    cup = {
        "id": 1,
        "name": "Cup",
        "default_code": "C1",
        "list_price": 12.5,
        "standard_price": 5.0,
        "categ_id": [4, "All / Cups"],
        "barcode": False,
        "description_sale": False,
        "qty_available": 0.0,
    }
    detected, (row, other) = rows(
        tmp_path, {"jsonrpc": "2.0", "id": 1, "result": [cup, {**cup, "id": 2, "default_code": False}]}
    )
    assert (detected, shown(row)) == ("odoo_json", ("C1", "Cup", "12.50", None, "EUR"))
    assert (of(row).category, of(row).description, of(row).attributes) == (("All", "Cups"), "", {})
    assert (other.sku, of(row).available) == ("2", False)
    kinds: list[dict[str, Any]] = [{"type": "consu"}, {"type": "service"}, {"type": "consu", "is_storable": True}]
    _, found = rows(tmp_path, {"jsonrpc": "2.0", "result": [{**cup, "default_code": "C", **kind} for kind in kinds]})
    assert [of(each).available for each in found] == [True, True, False]
    del cup["description_sale"]
    _, (row,) = rows(tmp_path, {"jsonrpc": "2.0", "result": [cup]})
    assert row.fields is not None
    assert row.fields.isdisjoint({"description", "brand"})


def test_shopee(tmp_path: Path) -> None:
    bag = {
        "itemid": 77,
        "shopid": 9,
        "name": "Túi",
        "images": ["abc"],
        "currency": "VND",
        "stock": 5,
        "price": 1990000000,
        "price_before_discount": 2990000000,
    }
    models = [
        {"modelid": 1, "name": "Đỏ,S", "price": 100000000, "stock": 0, "status": 1},
        {"modelid": 2, "name": "Đỏ,M", "price": 200000000, "stock": 1, "status": 1},
    ]
    tiers = [{"name": "Màu"}, {"name": "Cỡ"}]
    items = [{"item_basic": bag}, {"item_basic": {**bag, "itemid": 78, "models": models, "tier_variations": tiers}}]
    detected, (row, small, medium) = rows(tmp_path, {"items": items})
    assert (detected, shown(row)) == ("shopee_json", ("77", "Túi", "19900.00", "29900.00", "VND"))
    assert photos(row) == ["https://cf.shopee.vn/file/abc"]
    assert (small.sku, of(small).attributes, of(small).available) == ("78-1", {"màu": "Đỏ", "cỡ": "S"}, False)
    assert (of(medium).price, of(medium).family) == (2000, "78")


# JSON of any kind


def test_a_product_in_an_object_around_it(tmp_path: Path) -> None:
    cup = {"id": "A1", "title": "Cup", "price": 5, "attributes": [{"id": "C", "name": "Colour", "value_name": "red"}]}
    _, found = rows(tmp_path, [{"code": 200, "body": cup}, {"code": 200, "body": {**cup, "id": "A2", "title": "Mug"}}])
    assert [(row.sku, of(row).title, of(row).attributes) for row in found] == [
        ("A1", "Cup", {"colour": "red"}),
        ("A2", "Mug", {"colour": "red"}),
    ]
    _, found = rows(
        tmp_path, {"count": 1, "Items": [{"Item": {"itemCode": "s:1", "itemName": "カップ", "itemPrice": 1980}}]}
    )
    assert [shown(row)[:3] for row in found] == [("s:1", "カップ", "1980.00")]


def test_attributes_whose_names_differ_in_capitals_only_are_one(tmp_path: Path) -> None:
    colours = [{"name": "color", "value": "red"}, {"name": "Color", "value": "blue"}]
    _, (row,) = rows(tmp_path, [{"sku": "a", "name": "A", "specs": colours}])
    assert of(row).attributes == {"color": "red, blue"}


def test_the_largest_of_photos_in_several_sizes_is_taken(tmp_path: Path) -> None:
    sizes = {name: f"https://x.test/{name}.jpg" for name in ("small", "big", "superbig", "thumbnail")}
    _, (row, other) = rows(
        tmp_path,
        [{"sku": "a", "name": "A", "images": [sizes]}, {"sku": "b", "name": "B", "images": []}],
    )
    assert (photos(row), photos(other)) == (["https://x.test/superbig.jpg"], [])


def test_an_empty_list_hides_no_names_that_are_nested_elsewhere(tmp_path: Path) -> None:
    cups = [{"id": 1, "name": "Cups"}]
    _, (row, other) = rows(
        tmp_path, [{"sku": "a", "name": "A", "categories": cups}, {"sku": "b", "name": "B", "categories": []}]
    )
    assert (of(row).category, of(other).category) == (("Cups",), ())


def test_the_categories_of_a_path_are_the_levels_of_one(tmp_path: Path) -> None:
    path = [{"id": "1", "name": "Kitchen"}, {"id": "2", "name": "Cups"}]
    _, (row,) = rows(tmp_path, [{"sku": "a", "name": "A", "categoryPath": path}])
    assert (of(row).category, of(row).other_categories) == (("Kitchen", "Cups"), [])


def test_levels_in_columns_of_their_own_may_have_slashes(tmp_path: Path) -> None:
    cup = {"productId": "8", "title": "컵", "lprice": "11000", "category1": "생활/건강", "category2": "잔/컵"}
    _, (row,) = rows(tmp_path, [cup])
    assert of(row).category == ("생활/건강", "잔/컵")


@pytest.mark.parametrize(("amounts", "price"), [(("29.90", "30"), "29.90"), (("2990", "30"), "None")])
def test_a_price_that_is_an_object_counts_where_it_cannot_be_in_cents(
    tmp_path: Path, amounts: tuple[str, str], price: str
) -> None:
    products = [{"sku": each, "name": "A", "offer": {"price": {"amount": each, "currency": "PLN"}}} for each in amounts]
    _, (row, _) = rows(tmp_path, products)
    assert str(of(row).price) == price


def test_a_variant_with_a_sku_is_not_known_by_its_number(tmp_path: Path) -> None:
    variants = [
        {"id": 10, "sku": "P-S", "price": 5, "options": [{"name": "Talla", "value": "S"}]},
        {"id": 11, "sku": "P-M", "price": 6, "options": [{"name": "Talla", "value": "M"}]},
    ]
    _, found = rows(tmp_path, [{"product": {"id": 2, "name": "Polera", "variants": variants}}])
    assert [(row.sku, of(row).attributes) for row in found] == [("P-S", {"talla": "S"}), ("P-M", {"talla": "M"})]


# Tables


def test_of_a_price_and_one_with_tax_the_latter_is_paid(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("sku;title;price;price_vat\na;Mug;100;121\nb;Cup;200;242\n")
    with open_catalogue(path, FieldMapping()) as catalogue:
        assert [of(row).price for row in catalogue] == [Decimal(121), Decimal(242)]
    # Here it is the amount of the tax.
    path.write_text("sku;title;price;price_vat\na;Mug;100;21\nb;Cup;200;42\n")
    with open_catalogue(path, FieldMapping()) as catalogue:
        assert [of(row).price for row in catalogue] == [Decimal(100), Decimal(200)]


@pytest.mark.parametrize(
    ("text", "code"),
    [("12.50 BGN", "BGN"), ("12.50 HRK", "HRK"), ("99 000 сум", "UZS"), ("15 JD", "JOD"), ('30 ש"ח', "ILS")],
)
def test_currencies_of_further_countries(tmp_path: Path, text: str, code: str) -> None:
    _, (row,) = rows(tmp_path, [{"sku": "a", "name": "A", "price": text}])
    assert of(row).currency == code
