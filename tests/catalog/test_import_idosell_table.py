"""IdoSell's table of products: a line of a cell for each size, stock and parameter."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, product

pytestmark = pytest.mark.django_db

SHOE = {
    "@id": "101",
    "@currency": "PLN",
    "@code_producer": "M-7",
    "/producer@name": "Acme",
    "/category@name[pol]": "Obuwie/Botki",
    "/description/name[pol]": "Botki",
    "/description/long_desc[pol]": "<p>Miękkie</p>",
    "/price@gross": "199.90",
    "/price@net": "162.52",
    "/sizes/size@id": "512\n513\n514",
    "/sizes/size@name": "36\n37\n38",
    "/sizes/size@code_external": "B-36\nB-37\n",
    "/sizes/size@code_producer": "5900000000016\n\n",
    "/sizes/size/stock@stock_id": "1\n3\n1\n3",
    "/sizes/size/stock@size_id": "512\n512\n513\n514",
    "/sizes/size/stock@quantity": "0.000\n2.000\n0.000\n-1",
    "/images/large/image@url": "https://example.com/1.jpg\nhttps://example.com/2.jpg",
    "/parameters/parameter@id": "7\n9",
    "/parameters/parameter@name[pol]": "Kolor\nMateriał",
    "/parameters/parameter/value@parameter_id": "7\n7\n9",
    "/parameters/parameter/value@name[pol]": "czarny\nbiały\nskóra",
    "/visibility/site@visible": "y",
    "/taxcode": "1",
}
BAG = {
    "@id": "102",
    "@currency": "PLN",
    "/description/name[pol]": "Torba",
    "/price@net": "50",
    "/sizes/size@id": "uniw",
    "/sizes/size@name": "uniwersalny",
    "/sizes/size/stock@quantity": "0.000\n4.000",
    "/visibility/site@visible": "n",
}


def table(folder: Path, *products: dict[str, str]) -> Path:
    path = folder / "products.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(SHOE))
        writer.writeheader()
        writer.writerows(products)
    return path


def test_each_size_is_a_product_with_its_own_stock(tmp_path: Path) -> None:
    path = table(tmp_path, SHOE, BAG)
    report = run(path, "--no-fetch")

    assert (detect_format(path), counts(report), problems(report)) == ("idosell", (4, 0, 0, 0), [])
    assert report["photos_left_out"] == 6
    assert families() == {"B-36": {"B-36", "B-37", "101-514"}, "102": {"102"}}
    small, medium, large = product("B-36"), product("B-37"), product("101-514")
    assert [each.available for each in (small, medium, large)] == [True, False, True]
    assert (small.title, small.description, small.brand, small.price) == ("Botki", "Miękkie", "Acme", Decimal("199.90"))
    assert (small.currency, categories("B-36")) == ("PLN", ["obuwie/botki"])
    assert small.attributes == {
        "kolor": "czarny, biały",
        "materiał": "skóra",
        "size": "36",
        "gtin": "5900000000016",
    }
    assert (medium.attributes["mpn"], medium.attributes["size"]) == ("M-7", "37")


def test_a_product_of_one_size_has_the_stocks_of_all_places(tmp_path: Path) -> None:
    report = run(table(tmp_path, BAG))

    bag = product("102")
    assert (bag.price, bag.available, bag.active, bag.attributes) == (50, True, False, {})
    assert "the prices are without tax, of the type net" in report["notes"]


def test_stocks_that_name_no_size_leave_sizes_as_they_are(tmp_path: Path) -> None:
    run(table(tmp_path, SHOE))
    run(table(tmp_path, {**SHOE, "/sizes/size/stock@size_id": ""}))

    assert [product(sku).available for sku in ("B-36", "B-37", "101-514")] == [True, False, True]


def test_parameters_that_do_not_fit_their_values_are_left_out(tmp_path: Path) -> None:
    report = run(table(tmp_path, {**SHOE, "/parameters/parameter@id": ""}))

    assert problems(report)[0] == (2, "attributes: there are 2 names and 3 values: they were left out")
    assert "kolor" not in product("B-36").attributes
