"""Variants within a product in XML and JSON of any kind, texts in several languages in XML, and nested names in JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import open_catalogue
from tests.catalog.importing import counts, of, photos, run
from tests.catalog.shop_exports import families, product

SHIRT = """
<product><id>1</id><name>Shirt</name><description>Soft</description><brand>Anna</brand><category>Clothes</category>
  <images><image>https://example.com/1.jpg</image></images>
  <variants>
    <variant><sku>s-1</sku><size>S</size><price>10.00</price><stock>1</stock></variant>
    <variant><sku>s-2</sku><size>M</size><price>11.00</price><stock>0</stock>
      <images><image>https://example.com/2.jpg</image><image>https://example.com/3.jpg</image></images></variant>
  </variants></product>
"""
MUG = "<product><id>2</id><name>Mug</name><description>Blue</description><price>5</price><category>Home</category></product>"


def xml(folder: Path, *products: str) -> Path:
    path = folder / "shop.xml"
    path.write_text(f'<?xml version="1.0"?><shop><products>{"".join(products)}</products></shop>', encoding="utf-8")
    return path


def jsonl(folder: Path, *objects: Any) -> Path:
    path = folder / "shop.jsonl"
    path.write_text("\n".join(map(json.dumps, objects)), encoding="utf-8")
    return path


def rows(path: Path, mapping: FieldMapping | None = None) -> list[Row]:
    with open_catalogue(path, mapping or FieldMapping()) as catalogue:
        return list(catalogue)


def sold(path: Path) -> list[tuple[str, str, Decimal | None, str]]:
    return [(row.sku, of(row).title, of(row).price, of(row).family) for row in rows(path)]


@pytest.mark.django_db
def test_variants_in_xml_are_a_family(tmp_path: Path) -> None:
    path = xml(tmp_path, SHIRT, MUG)
    report = run(path, "--no-fetch")
    assert counts(report) == (3, 0, 0, 0)
    assert families() == {"s-1": {"s-1", "s-2"}, "2": {"2"}}
    small, medium, mug = product("s-1"), product("s-2"), product("2")
    assert [(each.title, each.price) for each in (small, medium, mug)] == [
        ("Shirt", Decimal(10)),
        ("Shirt", Decimal(11)),
        ("Mug", Decimal(5)),
    ]
    assert (small.attributes, medium.available, mug.attributes) == ({"size": "S"}, False, {})
    assert (small.description, small.brand, str(small.category)) == ("Soft", "Anna", "clothes")
    assert "variants/variant in a product are its variants, a family of products" in report["notes"]


def test_a_variant_has_its_own_photos_or_those_of_its_product(tmp_path: Path) -> None:
    small, medium, _ = rows(xml(tmp_path, SHIRT, MUG))
    assert photos(small) == ["https://example.com/1.jpg"]
    assert photos(medium) == ["https://example.com/2.jpg", "https://example.com/3.jpg"]


def test_a_variant_without_a_sku_has_that_of_its_product_with_a_number(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><code>t</code><title>Tee</title><price>9</price><variations>"
        "<variation><size>S</size><stock>1</stock></variation><variation><size>M</size><stock>0</stock></variation>"
        "</variations></product>",
    )
    assert sold(path) == [("t-1", "Tee", Decimal(9), "t"), ("t-2", "Tee", Decimal(9), "t")]


def test_a_variant_s_number_in_a_database_does_not_stand_for_another_product(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><id>7</id><title>Tee</title><price>9</price><variants>"
        '<variant id="1"><size>S</size><price>9</price></variant><variant id="2"><size>M</size><price>9</price></variant>'
        "</variants></product>",
        "<product><id>1</id><title>Mug</title><price>5</price></product>",
    )
    assert [row.sku for row in rows(path)] == ["7-1", "7-2", "1"]


def test_what_a_variant_differs_in_may_have_its_name_beside_it(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><code>p</code><title>Tričko</title><variants>"
        "<variant><code>p-s</code><price>242</price><parameters><parameter><name>Velikost</name><value>S</value></parameter>"
        "</parameters></variant>"
        '<variant><code>p-m</code><price>302.5</price><param name="Velikost">M</param></variant></variants></product>',
    )
    assert [(row.sku, of(row).price, of(row).attributes) for row in rows(path)] == [
        ("p-s", Decimal(242), {"velikost": "S"}),
        ("p-m", Decimal("302.5"), {"velikost": "M"}),
    ]


def test_a_bundle_is_sold_itself(tmp_path: Path) -> None:
    children = [{"sku": "cup", "name": "Cup", "price": 4}, {"sku": "saucer", "name": "Saucer", "price": 3}]
    path = jsonl(tmp_path, {"sku": "set", "name": "Coffee set", "price": 6, "children": children})
    assert sold(path) == [("set", "Coffee set", Decimal(6), "")]


def test_a_product_with_one_variant_is_no_family(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><code>p</code><title>Tee</title><variants><variant><sku>p-1</sku><price>9</price></variant></variants></product>",
    )
    assert sold(path) == [("p-1", "Tee", Decimal(9), "")]


def test_columns_of_variants_can_be_chosen(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><code>t</code><title>Tee</title><variants>"
        "<variant><sku>s</sku><price>9</price><b2b>7</b2b><stock>0</stock></variant>"
        "<variant><sku>m</sku><price>9</price><b2b>8</b2b><stock>1</stock></variant></variants></product>",
    )
    chosen = FieldMapping().with_columns([("price", "variants/variant/b2b")])
    assert [(row.sku, of(row).price) for row in rows(path, chosen)] == [("s", Decimal(7)), ("m", Decimal(8))]


@pytest.mark.parametrize("column", ["variants.prices.b2b", "variants/prices/b2b"])
def test_columns_of_variants_in_json_can_be_chosen(tmp_path: Path, column: str) -> None:
    variants = [{"sku": name, "price": 9, "prices": {"b2b": price}} for name, price in (("s", 7), ("m", 8))]
    path = jsonl(tmp_path, {"id": 7, "title": "Tee", "variants": variants})
    chosen = FieldMapping().with_columns([("price", column)])
    assert [(row.sku, of(row).price) for row in rows(path, chosen)] == [("s", Decimal(7)), ("m", Decimal(8))]


@pytest.mark.parametrize("read", [xml, jsonl])
def test_what_a_look_has_shown_is_read_in_the_same_way(tmp_path: Path, read: Any) -> None:
    """The admin sends the columns of all fields, as they were found."""
    tee = {
        "id": "1",
        "name": "Shirt",
        "variants": [{"sku": "s-1", "size": "S", "stock": 0}, {"sku": "s-2", "size": "M", "stock": 1}],
    }
    path = read(tmp_path, SHIRT, MUG) if read is xml else read(tmp_path, tee)
    with open_catalogue(path, FieldMapping()) as catalogue:
        found = list(catalogue)
        columns = dict(catalogue.columns)
    again = rows(path, FieldMapping(columns=columns, automatic=False))
    assert [of(row) for row in again] == [of(row) for row in found]
    without = {name: column for name, column in columns.items() if name != "available"}
    assert all(of(row).available for row in rows(path, FieldMapping(columns=without, automatic=False)))


def test_options_that_are_not_sold_are_no_variants(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><code>p</code><title>Tee</title><price>9</price>"
        "<sizes><size><name>S</name></size><size><name>M</name></size></sizes></product>",
    )
    assert [row.sku for row in rows(path)] == ["p"]


@pytest.mark.parametrize(
    "texts",
    [
        '<name lang="de">Tasse</name><name lang="en">Mug</name>',
        '<name><language id="1" code="de">Tasse</language><language id="2" code="en">Mug</language></name>',
        '<a><translation lang="de"><title>Tasse</title></translation><translation lang="en"><title>Mug</title></translation></a>',
    ],
    ids=["text", "inside", "around"],
)
def test_a_title_in_several_languages_is_that_of_the_shop(tmp_path: Path, texts: str) -> None:
    (row,) = rows(xml(tmp_path, f"<product><sku>m1</sku>{texts}<price>5</price><brand>Anna</brand></product>"))
    assert of(row).title == "Mug"


def test_a_title_in_languages_that_are_only_numbers_is_the_first(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><reference>m1</reference><name><language id='1'>Mug</language><language id='2'>Tasse</language></name>"
        "<price>5</price></product>",
    )
    (row,) = rows(path)
    assert of(row).title == "Mug"


def test_variants_in_json_are_a_family(tmp_path: Path) -> None:
    tee = {
        "id": 7,
        "title": "Tee",
        "images": [{"src": "https://example.com/1.jpg"}],
        "variants": [
            {"sku": "t-s", "size": "S", "price": 9.5, "stock": 0},
            {"sku": "t-m", "size": "M", "price": 10, "image": "https://example.com/2.jpg"},
        ],
    }
    path = jsonl(tmp_path, tee, {"id": 8, "title": "Mug", "price": 5})
    assert sold(path) == [
        ("t-s", "Tee", Decimal("9.5"), "7"),
        ("t-m", "Tee", Decimal(10), "7"),
        ("8", "Mug", Decimal(5), ""),
    ]
    small, medium, _ = rows(path)
    assert (of(small).available, of(small).attributes, of(medium).attributes) == (False, {"size": "S"}, {"size": "M"})
    assert (photos(small), photos(medium)) == (["https://example.com/1.jpg"], ["https://example.com/2.jpg"])


@pytest.mark.parametrize("nothing", [[], None, {}])
def test_products_beside_those_with_variants_may_have_an_empty_list(tmp_path: Path, nothing: Any) -> None:
    tee = {"id": 7, "title": "Tee", "variants": [{"sku": "t-s", "price": 9}, {"sku": "t-m", "price": 9}]}
    path = jsonl(tmp_path, {"id": 8, "title": "Mug", "price": 5, "variants": nothing}, tee)
    assert sold(path) == [
        ("8", "Mug", Decimal(5), ""),
        ("t-s", "Tee", Decimal(9), "7"),
        ("t-m", "Tee", Decimal(9), "7"),
    ]


def test_variants_that_all_have_the_sku_of_their_product_stay_apart(tmp_path: Path) -> None:
    variants = [{"sku": "t", "size": size, "price": 9} for size in ("S", "M", "L")]
    path = jsonl(tmp_path, {"sku": "t", "title": "Tee", "variants": variants})
    assert [(row.sku, of(row).family, of(row).attributes["size"]) for row in rows(path)] == [
        ("t", "t", "S"),
        ("t-2", "t", "M"),
        ("t-3", "t", "L"),
    ]


def test_a_variant_has_its_own_description(tmp_path: Path) -> None:
    variants = [{"sku": name, "price": 5, "description": f"Size {name}"} for name in ("s", "m")]
    path = jsonl(tmp_path, {"id": 7, "title": "Tee", "variants": variants})
    assert [of(row).description for row in rows(path)] == ["Size s", "Size m"]


def test_photos_categories_and_brands_of_json_may_be_nested(tmp_path: Path) -> None:
    mug = {
        "sku": "m1",
        "title": "Mug",
        "price": 5,
        "brand": {"id": 3, "name": "Anna"},
        "categories": [{"name": "Home"}, {"name": "Gifts"}],
        "pictures": [{"url": "https://example.com/1.jpg"}, {"url": "https://example.com/2.jpg"}],
        "thumbnail": {"url": "https://example.com/t.jpg"},
    }
    (row,) = rows(jsonl(tmp_path, mug))
    assert (of(row).brand, of(row).category, list(of(row).other_categories)) == ("Anna", ("Home",), [("Gifts",)])
    assert photos(row) == ["https://example.com/1.jpg", "https://example.com/2.jpg"]


def test_a_nested_price_of_json_is_not_taken_since_it_may_be_in_cents(tmp_path: Path) -> None:
    (row,) = rows(jsonl(tmp_path, {"sku": "m1", "title": "Mug", "offer": {"price": 1999, "currency": "USD"}}))
    assert of(row).price is None


def test_a_variant_has_the_price_that_is_called_as_that_of_other_products(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        '<product><NAME>Coat</NAME><DESCRIPTION>Warm</DESCRIPTION><VARIANTS><VARIANT id="11"><CODE>c/m</CODE>'
        "<PRICE_VAT>1990</PRICE_VAT><STANDARD_PRICE>2490</STANDARD_PRICE></VARIANT>"
        '<VARIANT id="12"><CODE>c/l</CODE><PRICE_VAT>2090</PRICE_VAT></VARIANT></VARIANTS></product>',
        "<product><NAME>Mug</NAME><CODE>m</CODE><PRICE_VAT>190</PRICE_VAT></product>",
    )
    found = [(row.sku, of(row).price, of(row).list_price, of(row).family) for row in rows(path)]
    assert found == [
        ("c/m", Decimal(1990), Decimal(2490), "c/m"),
        ("c/l", Decimal(2090), None, "c/m"),
        ("m", Decimal(190), None, ""),
    ]


def test_the_barcode_of_a_product_is_not_that_of_its_variants(tmp_path: Path) -> None:
    path = xml(
        tmp_path,
        "<product><Code>a1</Code><Description>Maglia</Description><DescriptionHtml>&lt;p&gt;Bella&lt;/p&gt;</DescriptionHtml>"
        "<GrossPrice1>20.00</GrossPrice1><Barcode>8000000000011</Barcode><Variants>"
        "<Variant><Barcode>a1/m</Barcode><AvailableQty>2</AvailableQty><Size>M</Size></Variant>"
        "<Variant><Barcode>a1/l</Barcode><AvailableQty>0</AvailableQty><Size>L</Size></Variant></Variants></product>",
    )
    medium, large = rows(path)
    assert (medium.sku, of(medium).title, of(medium).description) == ("a1/m", "Maglia", "Bella")
    assert (of(medium).attributes, of(large).available, of(large).price) == ({"size": "M"}, False, Decimal(20))
