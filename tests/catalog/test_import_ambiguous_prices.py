"""Prices whose only mark has three digits behind it: thousands or decimals, as the rest of the file shows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from catalog.models import Product
from tests.catalog.importing import problems, run
from tests.catalog.shop_exports import product, write

pytestmark = pytest.mark.django_db

LIKELY = (
    "prices are read with ',' between thousands, since nothing says that there are three decimals: set the decimal separator"
    " if there are"
)


def prices(*skus: str) -> list[tuple[Decimal | None, Decimal | None]]:
    return [(found.price, found.list_price) for found in map(product, skus)]


@pytest.mark.parametrize(("first", "second", "amounts"), [
    ("79,999", "1,299", (79999, 1299)),
    ("2,500", "900", (2500, 900)),
    ("79,999", "2,500", (79999, 2500)),
])  # fmt: skip
def test_the_column_shows_that_a_mark_is_between_thousands(
    tmp_path: Path, first: str, second: str, amounts: tuple[int, int]
) -> None:
    path = write(tmp_path / "products.csv", "sku;title;price", f"p1;Phone;{first}", f"p2;Case;{second}")
    report = run(path)
    assert problems(report) == []
    assert (prices("p1", "p2"), LIKELY in report["notes"]) == ([(amount, None) for amount in amounts], True)


def test_a_price_with_several_groups_shows_what_is_between_them(tmp_path: Path) -> None:
    path = write(tmp_path / "products.csv", "sku;title;price", "p1;Phone;1,20,000", "p2;Case;5,500")
    report = run(path)
    assert (prices("p1", "p2"), LIKELY in report["notes"]) == ([(120000, None), (5500, None)], False)


@pytest.mark.parametrize("text", ["12.750", "2,500"])
def test_a_price_that_nothing_decides_about_is_left_out(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "products.csv", "sku;title;price", f"p1;Phone;{text}")
    report = run(path)
    assert problems(report) == [(2, f"the price {text} is ambiguous, thousands or decimals: set the decimal separator")]
    assert (prices("p1"), LIKELY in report["notes"]) == ([(None, None)], False)


def test_three_decimals_of_a_currency_are_no_thousands(tmp_path: Path) -> None:
    path = write(tmp_path / "products.csv", "sku;title;price;currency", "p1;Ring;12.755;KWD", "p2;Case;9;KWD")
    run(path)
    assert prices("p1", "p2") == [(Decimal("12.755"), None), (9, None)]


@pytest.mark.parametrize(
    ("prices_of", "currency"), [(("12,500", "45"), "TND"), (("12,500 DT", "145 DT"), ""), (("5,499", "900"), "KWD")]
)
def test_a_comma_before_three_digits_says_nothing_where_the_currency_has_three_decimals(
    tmp_path: Path, prices_of: tuple[str, str], currency: str
) -> None:
    lines = [f"p{number};Ring;{price};{currency}" for number, price in enumerate(prices_of)]
    report = run(write(tmp_path / "products.csv", "sku;title;price;currency", *lines))
    assert problems(report) == [
        (2, f"the price {prices_of[0]} is ambiguous, thousands or decimals: set the decimal separator")
    ]
    assert prices("p0") == [(None, None)]


def test_small_whole_prices_do_not_show_thousands(tmp_path: Path) -> None:
    path = write(tmp_path / "products.csv", "sku;title;price", "p1;Screw;1.125", "p2;Nut;2", "p3;Bolt;1.375")
    run(path)
    assert prices("p1", "p2", "p3") == [(None, None), (2, None), (None, None)]


def test_a_list_price_may_be_written_unlike_the_price(tmp_path: Path) -> None:
    path = write(
        tmp_path / "products.csv",
        "sku;title;price;old price",
        "p1;Lamp;265,0;SR 1,385",
        "p2;Chair;1120,5;SR 1,999",
    )
    report = run(path)
    assert problems(report) == []
    assert prices("p1", "p2") == [(265, 1385), (Decimal("1120.5"), 1999)]


def test_prices_of_shopee_are_whole_numbers_of_small_parts(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    write(path, "itemid,shopid,name,price,currency", "77,9,Bag,1990000000,VND", "78,9,Purse,45000000,VND")
    report = run(path)
    assert prices("77", "78") == [(19900, None), (450, None)]
    assert "prices are divided by 100,000: answers of Shopee have them in such parts" in report["notes"]
    assert Product.objects.count() == 2


@pytest.mark.parametrize(
    ("amounts", "currency", "expected"),
    [
        # Of VND and IDR, whole numbers that somebody has divided already.
        (("150000", "45000"), "IDR", (150000, 45000)),
        (("1500000", "2000000"), "VND", (1500000, 2000000)),
        (("150000", "45000"), "", (150000, 45000)),
        (("1990000", "550000"), "MYR", (Decimal("19.90"), Decimal("5.50"))),
        (("1990000", "550000"), "", (Decimal("19.90"), Decimal("5.50"))),
    ],
)
def test_prices_of_shopee_that_are_in_units_already_stay(
    tmp_path: Path, amounts: tuple[str, str], currency: str, expected: tuple[Decimal, Decimal]
) -> None:
    lines = [f"{number},9,Bag,{amount},{currency}" for number, amount in enumerate(amounts, start=77)]
    run(write(tmp_path / "products.csv", "itemid,shopid,name,price,currency", *lines))
    assert prices("77", "78") == [(expected[0], None), (expected[1], None)]
