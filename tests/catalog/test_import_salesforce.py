"""Catalogues of Salesforce Commerce Cloud."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, product

pytestmark = pytest.mark.django_db

CATALOGUE = """<?xml version="1.0" encoding="UTF-8"?>
<catalog xmlns="http://www.demandware.com/xml/impex/catalog/2006-10-31" catalog-id="shop">
  <header><image-settings><external-location><https-url>https://example.com/pics</https-url></external-location></image-settings></header>
  <category category-id="root"/>
  <category category-id="women"><display-name xml:lang="x-default">Women</display-name><parent>root</parent></category>
  <category category-id="tops">
    <display-name xml:lang="x-default">Oberteile</display-name><display-name xml:lang="en">Tops</display-name><parent>women</parent>
  </category>
  <product product-id="V1">
    <ean>4006381333931</ean><online-flag>true</online-flag>
    <custom-attributes><custom-attribute attribute-id="color">red</custom-attribute></custom-attributes>
  </product>
  <product product-id="M1">
    <display-name xml:lang="x-default">Bluse</display-name><display-name xml:lang="en">Blouse</display-name>
    <long-description xml:lang="x-default">&lt;b&gt;Of linen&lt;/b&gt;</long-description>
    <online-flag>true</online-flag>
    <images>
      <image-group view-type="large"><image path="large/a.jpg"/><image path="large/b.jpg"/></image-group>
      <image-group view-type="small"><image path="small/a.jpg"/></image-group>
      <image-group view-type="swatch"><image path="swatch/c.jpg"/></image-group>
    </images>
    <brand>Acme</brand>
    <custom-attributes><custom-attribute attribute-id="fabric">linen</custom-attribute></custom-attributes>
    <variations><variants><variant product-id="V1"/><variant product-id="V2"/></variants></variations>
  </product>
  <product product-id="V2"><display-name xml:lang="x-default">Blouse, blue</display-name><online-flag>false</online-flag></product>
  <product product-id="S1"><display-name xml:lang="x-default">Scarf</display-name><online-flag>true</online-flag></product>
  <category-assignment category-id="tops" product-id="M1"/>
  <category-assignment category-id="women" product-id="S1"/>
</catalog>
"""


def catalogue(folder: Path, text: str = CATALOGUE) -> Path:
    path = folder / "catalog.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_variations_have_what_their_product_says(tmp_path: Path) -> None:
    report = run(catalogue(tmp_path), "--no-fetch")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((3, 0, 0, 0), [], 4)
    assert report["notes"] == ["read as a catalogue of Salesforce Commerce Cloud"]
    assert families() == {"V1": {"V1", "V2"}, "S1": {"S1"}}
    red, blue = product("V1"), product("V2")
    assert (red.title, red.description, red.brand, red.active) == ("Blouse", "Of linen", "Acme", True)
    assert red.attributes == {"fabric": "linen", "color": "red", "gtin": "4006381333931"}
    assert (blue.title, blue.active, categories("V2")) == ("Blouse, blue", False, ["women/tops"])
    assert categories("S1") == ["women"]


def test_a_product_whose_variations_are_not_in_the_file_is_one(tmp_path: Path) -> None:
    text = CATALOGUE.replace('product product-id="V', 'product product-id="X')
    assert counts(run(catalogue(tmp_path, text), "--no-fetch")) == (3, 0, 0, 1)
    assert (product("M1").title, categories("M1"), product("M1").images.count()) == ("Blouse", ["women/tops"], 0)


def test_prices_stay_which_are_in_another_file(tmp_path: Path) -> None:
    path = catalogue(tmp_path)
    run(path, "--no-fetch")
    scarf = product("S1")
    scarf.price = 9
    scarf.save()

    assert counts(run(path, "--no-fetch")) == (0, 0, 3, 0)
    assert product("S1").price == 9


def test_a_catalogue_is_recognised_by_its_identifier(tmp_path: Path) -> None:
    assert detect_format(catalogue(tmp_path)) == "salesforce"
    other = "<catalog><product><sku>a</sku><title>Mug</title></product></catalog>"
    assert detect_format(catalogue(tmp_path, other)) == "xml"


def test_a_catalogue_that_is_cut_off_is_reported(tmp_path: Path) -> None:
    report = run(catalogue(tmp_path, CATALOGUE[: CATALOGUE.index('<product product-id="V2">')]), "--no-fetch")
    assert "the XML is broken or cut off" in problems(report)[-1][1]


def _price_book(currency: str, *prices: tuple[str, str]) -> str:
    tables = "".join(
        f'<price-table product-id="{sku}"><amount quantity="1">{price}</amount></price-table>' for sku, price in prices
    )
    return f"""<pricebooks xmlns="http://www.demandware.com/xml/impex/pricebook/2006-10-31"><pricebook>
<header pricebook-id="{currency}"><currency>{currency}</currency></header>
<price-tables>{tables}</price-tables></pricebook></pricebooks>"""


STOCKS = """<inventory xmlns="http://www.demandware.com/xml/impex/inventory/2007-05-31"><inventory-list>
<header list-id="main"/><records><record product-id="V1"><ats>0</ats></record>
<record product-id="V2"><ats>3</ats></record></records>
</inventory-list></inventory>"""


def test_price_books_and_inventory_lists_beside_the_catalogue_belong_to_it(tmp_path: Path) -> None:
    path = catalogue(tmp_path)
    (tmp_path / "list.xml").write_text(_price_book("USD", ("V1", "50.00"), ("V2", "dear")), encoding="utf-8")
    (tmp_path / "sale.xml").write_text(_price_book("USD", ("V1", "40.00")), encoding="utf-8")
    (tmp_path / "pounds.xml").write_text(_price_book("GBP", ("V1", "35.00")), encoding="utf-8")
    (tmp_path / "stocks.xml").write_text(STOCKS, encoding="utf-8")
    report = run(path, "--no-fetch", "--set", "currency=USD")

    red, blue, scarf = product("V1"), product("V2"), product("S1")
    assert (red.price, red.list_price, red.currency, red.available) == (40, 50, "USD", False)
    assert (blue.price, blue.available, scarf.price, scarf.available) == (None, True, None, True)
    assert [reason for _, reason in problems(report)] == ["'dear' is not a price"]
    assert "prices and stock are from list.xml, pounds.xml, sale.xml, stocks.xml" in report["notes"]
    assert "1 rows with prices in other currencies were left out" in report["notes"]


def test_a_price_that_is_no_finite_number_is_left_out(tmp_path: Path) -> None:
    path = catalogue(tmp_path)
    (tmp_path / "list.xml").write_text(
        _price_book("USD", ("V1", "NaN"), ("V1", "50.00"), ("V2", "Infinity")), encoding="utf-8"
    )
    report = run(path, "--no-fetch")

    assert (product("V1").price, product("V2").price) == (50, None)
    assert [reason for _, reason in problems(report)] == ["'NaN' is not a price", "'Infinity' is not a price"]


def test_an_export_of_a_site_in_a_zip(tmp_path: Path) -> None:
    head, assignments = CATALOGUE.split("  <category-assignment", 1)
    products = f"{head[: head.index('  <category ')]}{head[head.index('  <product') :]}</catalog>"
    shop = f"{head[: head.index('  <product')]}  <category-assignment{assignments}"
    path = tmp_path / "site.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("site/catalogs/all-products/catalog.xml", products)
        archive.writestr("site/catalogs/shop/catalog.xml", shop)
        archive.writestr("site/pricebooks/eur.xml", _price_book("EUR", ("V1", "50.00")))
        archive.writestr("site/pricebooks/cny.xml", _price_book("CNY", ("V1", "390.00")))
        archive.writestr("site/inventory-lists/main.xml", STOCKS)
    report = run(path, "--no-fetch")

    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    red = product("V1")
    assert (red.price, red.currency, red.available, categories("V1")) == (50, "EUR", False, ["women/tops"])


def test_a_price_book_that_is_cut_off_stops_the_import(tmp_path: Path) -> None:
    path = catalogue(tmp_path)
    (tmp_path / "list.xml").write_text(_price_book("USD", ("V1", "50.00"))[:-40], encoding="utf-8")
    report = run(path, "--no-fetch")

    assert counts(report)[0] == 0
    assert problems(report)[0][1].startswith("list.xml: the XML is broken or cut off")


@pytest.mark.parametrize(("said", "expected"), [("true", [False, True, True]), ("false", [False, True, False])])
def test_products_without_a_stock_have_what_the_list_says_of_them(
    tmp_path: Path, said: str, expected: list[bool]
) -> None:
    head = f'<header list-id="main"><default-instock>{said}</default-instock></header>'
    (tmp_path / "stocks.xml").write_text(STOCKS.replace('<header list-id="main"/>', head))
    run(catalogue(tmp_path), "--no-fetch")
    assert [product(sku).available for sku in ("V1", "V2", "S1")] == expected
