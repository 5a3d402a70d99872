"""Rows of a table that belong together, and what shop systems write beside a product: as JTL-Wawi and Shoptet do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import open_catalogue
from tests.catalog.importing import of, photos

# As the Ameise of JTL-Wawi exports articles: the parent stands anywhere, and a line for each category.
JTL = """Artikelnummer;Identifizierungsspalte Vaterartikel;Artikelname;Kategorie Ebene 1;Kategorie Ebene 2;\
Variationsname 1;Variationswert 1;Brutto-VK
BODY-S;BODY;Body S;Kleidung;Bodys;Größe;S;49,90
BODY-S;BODY;Body S;Sale;;Größe;S;49,90
BODY-M;BODY;Body M;Kleidung;Bodys;Größe;M;49,90
HOSE;;Hose;Kleidung;Hosen;;;29,90
BODY;;Body;Kleidung;Bodys;Größe;;49,90
"""


def read(path: Path, text: str) -> tuple[list[Row], list[str]]:
    path.write_text(text, encoding="utf-8")
    with open_catalogue(path, FieldMapping()) as catalogue:
        return list(catalogue), list(catalogue.notes)


def test_a_parent_is_in_the_family_of_its_variants(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "a.csv", JTL)
    assert [(row.sku, of(row).family) for row in found] == [
        ("BODY-S", "BODY"),
        ("BODY-M", "BODY"),
        ("HOSE", ""),
        ("BODY", "BODY"),
    ]


@pytest.mark.parametrize("sku", ["SHIRT", ""])
def test_a_parent_is_also_named_by_its_number_in_a_database(tmp_path: Path, sku: str) -> None:
    lines = ("id,parent_id,sku,name", "2,1,SHIRT-S,Shirt S", f"1,0,{sku},Shirt", "3,1,SHIRT-M,Shirt M", "4,0,4,Mug")
    found, _ = read(tmp_path / "a.csv", "\n".join(lines))
    own = sku or "1"
    assert [(row.sku, of(row).family) for row in found] == [
        ("SHIRT-S", own),
        (own, own),
        ("SHIRT-M", own),
        ("4", ""),
    ]


def test_a_parent_that_is_named_by_its_sku_may_have_the_number_of_another(tmp_path: Path) -> None:
    lines = ("id,parent_sku,sku,name", "101,,1,Shirt", "102,1,2,Shirt S", "103,1,3,Shirt M", "1,,4,Mug")
    found, _ = read(tmp_path / "a.csv", "\n".join(lines))
    assert [(row.sku, of(row).family) for row in found] == [("1", "1"), ("2", "1"), ("3", "1"), ("4", "")]


@pytest.mark.parametrize("number", ["ID товара;ID варианта", "product_id;variant_id"])
def test_variants_of_one_title_share_the_number_of_their_product(tmp_path: Path, number: str) -> None:
    lines = ("1;11;SHIRT-S;Shirt", "1;12;SHIRT-M;Shirt", "2;13;;Mug")
    found, notes = read(tmp_path / "a.csv", "\n".join((f"{number};sku;title", *lines)))
    assert [(row.sku, of(row).family) for row in found] == [("SHIRT-S", "1"), ("SHIRT-M", "1"), ("13", "2")]
    assert f"columns known by their names: {number.split(';')[0]} → family" in notes


@pytest.mark.parametrize("lines", [("1;a;Mug", "1;b;Bowl"), ("1;a;Mug", "1;a;Mug"), ("1;a;Mug", ";b;Mug")])
def test_numbers_that_other_products_share_are_no_family(tmp_path: Path, lines: Sequence[str]) -> None:
    found, _ = read(tmp_path / "a.csv", "\n".join(("product_id;sku;title", *lines)))
    assert [of(row).family for row in found] == ["", ""]


def test_lines_that_differ_in_their_category_are_one_product_in_both(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "a.csv", JTL)
    assert (of(found[0]).category, list(of(found[0]).other_categories)) == (("Kleidung", "Bodys"), [("Sale",)])


def test_lines_that_differ_in_more_stay_apart(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "a.csv", "sku,title,category,price\na,Mug,Mugs,3\na,Mug,Sale,2\n")
    assert [(str(of(row).price), of(row).category) for row in found] == [("3.00", ("Mugs",)), ("2.00", ("Sale",))]


def test_pairs_of_columns_are_attributes(tmp_path: Path) -> None:
    found, notes = read(tmp_path / "a.csv", JTL)
    assert [dict(of(row).attributes) for row in found] == [{"größe": "S"}, {"größe": "M"}, {}, {}]
    assert "columns known by their names: Variationsname 1 + Variationswert 1 → attributes" in notes
    text = "sku,name,Option1 Name,Option1 Value,spec_name_2,spec_value_2,color\na,Mug,Color,red,Care,N/A,blue\n"
    (mug,), _ = read(tmp_path / "b.csv", text)
    assert dict(of(mug).attributes) == {"color": "blue"}


def test_prices_stocks_and_kinds_beside_a_product_are_not_its_own(tmp_path: Path) -> None:
    surcharge = (
        "<SURCHARGES><SURCHARGE><NAME>Gift</NAME><PRICE>5</PRICE><CURRENCY>CZK</CURRENCY></SURCHARGE></SURCHARGES>"
    )
    variants = """<VARIANTS><VARIANT><CODE>M-1/S</CODE><PRICE>189</PRICE><CURRENCY>EUR</CURRENCY>
      <STOCK><WAREHOUSES><WAREHOUSE><NAME>North</NAME><VALUE>-3</VALUE></WAREHOUSE></WAREHOUSES></STOCK>
      <PARAMETERS><PARAMETER><NAME>Size</NAME><VALUE>S</VALUE></PARAMETER></PARAMETERS></VARIANT></VARIANTS>"""
    item = f"""<ITEM><NAME>Mat {{}}</NAME><DESCRIPTION>For cars</DESCRIPTION><VISIBLE>1</VISIBLE>
      <ITEM_TYPE>product</ITEM_TYPE><CATEGORIES><CATEGORY>Car</CATEGORY></CATEGORIES>
      {surcharge}{variants}</ITEM>"""
    found, _ = read(tmp_path / "a.xml", f"<SHOP>{item.format(1)}{item.format(2).replace('M-1', 'M-2')}</SHOP>")
    assert [(row.sku, str(of(row).price), of(row).currency, of(row).category) for row in found] == [
        ("M-1/S", "189.00", "EUR", ("Car",)),
        ("M-2/S", "189.00", "EUR", ("Car",)),
    ]
    assert [dict(of(row).attributes) for row in found] == [{"size": "S"}, {"size": "S"}]


def test_a_report_of_zalando_has_the_shop_s_skus_and_families(tmp_path: Path) -> None:
    text = (
        "zalando_article_variant,partner_article_variant,ean,article_name,regular_price,discounted_price,currency,config_sku\n"
        "AN5-S,MUG-S,4001234567890,Shirt,29.95,19.95,EUR,AN5\nAN5-M,MUG-M,4001234567891,Shirt,29.95,,EUR,AN5\n"
    )
    found, _ = read(tmp_path / "a.csv", text)
    assert [(row.sku, of(row).family, of(row).attributes) for row in found] == [
        ("MUG-S", "AN5", {"gtin": "4001234567890"}),
        ("MUG-M", "AN5", {"gtin": "4001234567891"}),
    ]


def test_posts_of_wordpress_s_database_are_products_and_variants(tmp_path: Path) -> None:
    text = (
        "ID,post_parent,post_title,_sku,_regular_price\n1,0,Shirt,,20\n2,1,Shirt S,SHIRT-S,20\n3,1,Shirt M,SHIRT-M,20\n"
    )
    found, _ = read(tmp_path / "a.csv", text)
    assert [(row.sku, of(row).family, str(of(row).price)) for row in found] == [
        ("1", "1", "20.00"),
        ("SHIRT-S", "1", "20.00"),
        ("SHIRT-M", "1", "20.00"),
    ]


def test_tables_of_haravan_and_sapo_have_photos_and_prices(tmp_path: Path) -> None:
    (shirt,), _ = read(tmp_path / "a.csv", "Tên,SKU,Giá,Link hình\nÁo,A-1,150000,https://x.test/a.jpg\n")
    assert (str(of(shirt).price), photos(shirt)) == ("150000.00", ["https://x.test/a.jpg"])
    columns = "Tên sản phẩm*,Mã sản phẩm*,PL_Giá bán lẻ,PL_Giá bán buôn,PL_Giá nhập"
    (shirt,), _ = read(tmp_path / "b.csv", f"{columns}\nÁo,A-1,150000,120000,80000\n")
    assert str(of(shirt).price) == "150000.00"
