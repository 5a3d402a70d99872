"""Price books and inventory lists of Salesforce Commerce Cloud, which change products that there are."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.models import Product
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import product

pytestmark = pytest.mark.django_db

PRICES = """<?xml version="1.0" encoding="UTF-8"?>
<pricebooks xmlns="http://www.demandware.com/xml/impex/pricebook/2006-10-31">
  <pricebook>
    <header pricebook-id="usd-list"><currency>USD</currency><online-flag>true</online-flag></header>
    <price-tables>
      <price-table product-id="A"><amount quantity="10">40.00</amount><amount quantity="1">46.00</amount></price-table>
      <price-table product-id="B"><amount quantity="1">20.00</amount></price-table>
      <price-table product-id="C"><amount quantity="1">30.00</amount></price-table>
    </price-tables>
  </pricebook>
  <pricebook>
    <header pricebook-id="usd-sale"><currency>USD</currency><parent>usd-list</parent></header>
    <price-tables>
      <price-table product-id="A"><amount quantity="1">39.00</amount></price-table>
      <price-table product-id="B">
        <online-from>2019-01-01T00:00:00.000Z</online-from><online-to>2019-02-01T00:00:00.000Z</online-to>
        <amount quantity="1">9.00</amount>
      </price-table>
    </price-tables>
  </pricebook>
  <pricebook>
    <header pricebook-id="gbp-list"><currency>GBP</currency></header>
    <price-tables><price-table product-id="A"><amount quantity="1">35.00</amount></price-table></price-tables>
  </pricebook>
</pricebooks>
"""
STOCKS = """<inventory xmlns="http://www.demandware.com/xml/impex/inventory/2007-05-31">
  <inventory-list>
    <header list-id="main"/>
    <records>
      <record product-id="A"><allocation>10</allocation><ats>0</ats></record>
      <record product-id="B"><perpetual>true</perpetual><ats>0</ats></record>
    </records>
  </inventory-list>
</inventory>
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    for sku in ("A", "B"):
        Product.objects.create(sku=sku, title=f"Blouse {sku}", description="Of linen")
    path = tmp_path / "prices.xml"
    path.write_text(PRICES, encoding="utf-8")
    return path


def prices() -> list[tuple[Decimal | None, Decimal | None, str]]:
    return [(each.price, each.list_price, each.currency) for each in Product.objects.order_by("sku")]


def test_the_lowest_price_that_counts_is_the_price(book: Path) -> None:
    report = run(book, "--update-only")
    assert (counts(report), problems(report)) == ((0, 2, 0, 0), [])
    assert prices() == [(39, 46, "USD"), (20, None, "USD")]
    # What the file does not say stays as it is.
    assert (product("A").title, product("A").description) == ("Blouse A", "Of linen")
    assert "1 rows with prices in other currencies were left out" in report["notes"]


def test_the_books_of_a_currency_that_was_named(book: Path) -> None:
    run(book, "--update-only", "--set", "currency=GBP")
    assert prices()[0] == (35, None, "GBP")


def test_products_are_not_added_from_prices(book: Path) -> None:
    with pytest.raises(CommandError, match="has only prices or stocks of products that are there already"):
        run(book)


def test_a_price_that_is_none_is_reported(book: Path) -> None:
    book.write_text(PRICES.replace(">46.00<", ">cheap<"), encoding="utf-8")
    report = run(book, "--update-only")
    assert [reason for _line, reason in problems(report)] == ["'cheap' is not a price"]
    assert product("B").price == 20


def test_what_stands_before_a_fault_is_taken(book: Path) -> None:
    book.write_text(PRICES[: PRICES.index("usd-sale")], encoding="utf-8")
    report = run(book, "--update-only")
    assert prices() == [(46, None, "USD"), (20, None, "USD")]
    assert "the XML is broken or cut off" in problems(report)[-1][1]


def test_stocks_say_what_is_available(book: Path) -> None:
    book.write_text(STOCKS, encoding="utf-8")
    assert counts(run(book, "--update-only")) == (0, 1, 1, 0)
    assert (product("A").available, product("B").available) == (False, True)
