"""Import of small files as shops have them, without options: each gives what the table of expected results says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Category, Product, ProductImage
from tests.catalog.importing import counts, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def cases(real_data: Path) -> Path:
    return real_data / "cases" / "catalogue"


def imported(cases: Path, name: str) -> dict[str, Any]:
    return run(cases / name, "--images", str(cases / "images"))


def warnings(report: dict[str, Any]) -> dict[str, str]:
    return {problem["sku"]: problem["reason"] for problem in report["problems"] if problem["is_warning"]}


def test_a_plain_table(cases: Path) -> None:
    assert counts(imported(cases, "plain.csv")) == (1, 0, 0, 0)
    product = Product.objects.get()
    assert (product.sku, product.price, str(product.category)) == ("PLAIN-1", Decimal("9.50"), "home/mugs")


def test_skus_as_they_are_written(cases: Path) -> None:
    report = imported(cases, "skus.csv")
    assert counts(report) == (9, 0, 0, 0)
    skus = set(Product.objects.values_list("sku", flat=True))
    assert skus == {"A1", "a1", "A2", "00123", "123", "00124", "00125", "AB/12.5 x", "H" * 137}
    assert warnings(report) == {"a1": "the SKU differs from A1 on line 2 in case only"}


def test_a_line_that_names_the_delimiter(cases: Path) -> None:
    imported(cases, "sep.csv")
    assert list(Product.objects.values_list("sku", "title", "price")) == [("G1", "Kleid", Decimal("12.50"))]


def test_empty_lines_before_the_header(cases: Path) -> None:
    imported(cases, "blank_first.csv")
    assert list(Product.objects.values_list("sku", flat=True)) == ["I1"]


def test_an_encoding_that_is_not_declared(cases: Path) -> None:
    report = imported(cases, "cp1250.csv")
    found = list(Product.objects.order_by("sku").values_list("title", "price"))
    assert found == [("Čajnik Žiža šiška", Decimal("12.50")), ("Đuveč lonac", Decimal("1299.00"))]
    assert "encoding: cp1250, detected from the text" in report["notes"]


def test_utf_16_by_its_mark(cases: Path) -> None:
    report = imported(cases, "utf16.tsv")
    assert list(Product.objects.values_list("sku", "title")) == [("U1", "Φόρεμα")]
    assert "encoding: utf-16" in report["notes"]


def test_prices_in_groups_of_india(cases: Path) -> None:
    imported(cases, "indian.csv")
    found = {product.sku: (product.price, product.currency) for product in Product.objects.all()}
    assert {sku: price for sku, (price, _) in found.items()} == {"I1": 139900, "I2": 129999, "I3": 12999}
    assert (found["I1"][1], found["I3"][1]) == ("INR", "INR")


PRICES = {
    "P00": ("1299.00", "EUR"),
    "P01": ("1299", "USD"),
    "P02": ("1299.00", "PLN"),
    "P03": ("1299.90", "BRL"),
    "P04": ("12.50", "MYR"),
    "P05": ("129000", "IDR"),
    "P06": ("1299", "RUB"),
    "P07": ("49.90", "ILS"),
    "P08": ("12.50", "KWD"),
    "P09": ("12.755", "KWD"),
    "P10": ("10.000", "KWD"),
    "P11": ("1299", "JPY"),
    "P12": ("12.50", "USD"),
    "P13": ("12.50", "EUR"),
    "P14": ("1299.00", "EUR"),
    "P19": ("1200", "CHF"),
}


def test_prices_as_the_world_writes_them(cases: Path) -> None:
    report = imported(cases, "prices.csv")
    assert counts(report) == (20, 0, 0, 0)
    found = {product.sku: (product.price, product.currency) for product in Product.objects.exclude(price=None)}
    assert found == {sku: (Decimal(price), currency) for sku, (price, currency) in PRICES.items()}
    assert warnings(report).keys() == {"P15", "P16", "P17", "P18"}
    assert report["warnings"] == 4


def test_words_for_availability(cases: Path) -> None:
    report = imported(cases, "availability.xml")
    assert counts(report) == (16, 0, 0, 0)
    unavailable = set(Product.objects.filter(available=False).values_list("sku", flat=True))
    assert unavailable == {"V04", "V07", "V11", "V12"}
    words = {product.sku: product.attributes.get("availability") for product in Product.objects.all()}
    assert {sku: word for sku, word in words.items() if word} == {"V08": "pre-order", "V10": "on_display_to_order"}
    assert warnings(report).keys() == {"V15"}
    assert "'perhaps'" in warnings(report)["V15"]


def test_a_feed_in_google_s_namespace_by_default(cases: Path) -> None:
    imported(cases, "default_namespace.xml")
    found = list(Product.objects.values_list("sku", "title", "description"))
    assert found == [("X1", "Dress & Co new", "Line 1\nA")]


def test_a_structured_title(cases: Path) -> None:
    imported(cases, "structured_title.xml")
    assert Product.objects.get().title == "Linen dress, blue"


def test_several_product_types(cases: Path) -> None:
    report = imported(cases, "two_product_types.xml")
    product = Product.objects.get()
    assert str(product.category) == "women/tees"
    assert [str(category) for category in product.other_categories.all()] == ["men/tees"]
    assert report["new_categories"] == ["Women > Tees", "Men > Tees"]


def test_an_array_of_objects_over_many_lines(cases: Path) -> None:
    imported(cases, "array.json")
    found = list(Product.objects.order_by("sku").values_list("sku", "title", "price"))
    assert found == [("a", "b", Decimal("12.50")), ("c", "d", None)]


def test_categories_whose_names_differ_in_signs_only(cases: Path) -> None:
    report = imported(cases, "slug_collisions.csv")
    assert counts(report) == (8, 0, 0, 0)
    paths = {product.sku: str(product.category) for product in Product.objects.all()}
    assert len(set(paths.values())) == 7
    assert paths["S7"] == paths["S8"] == "home/throws"
    assert Category.objects.get(path="home").name == "Home"
    again = imported(cases, "slug_collisions.csv")
    assert counts(again) == (0, 0, 8, 0)


def test_a_feed_as_text_in_a_zip(cases: Path) -> None:
    report = imported(cases, "feed_txt.zip")
    assert (counts(report), report["photos_added"]) == ((1, 0, 0, 0), 1)


def test_a_folder_of_photos_in_a_zip(cases: Path) -> None:
    report = imported(cases, "photos_folder.zip")
    assert (counts(report), report["photos_added"]) == ((3, 0, 0, 0), 3)


def test_families_by_item_group_id(cases: Path) -> None:
    imported(cases, "families.csv")
    assert Product.objects.filter(variant_of=None).count() == 6
    for main in Product.objects.filter(variant_of=None):
        family = [main, *main.variants.all()]
        assert {product.attributes["size"] for product in family} == {"XS", "S", "M", "L", "XL"}
    assert ProductImage.objects.count() == 30
