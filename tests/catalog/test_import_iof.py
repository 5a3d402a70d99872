"""Offers of IdoSell in IOF."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, product

pytestmark = pytest.mark.django_db

OFFER = """<?xml version="1.0" encoding="UTF-8"?>
<offer file_format="IOF" version="3.0" extensions="yes" xmlns:iaiext="http://www.iai-shop.com/developers/iof/extensions.phtml">
 <products language="pol" currency="PLN">
  <product id="11" code_on_card="T-11" vat="23.0" type="regular">
   <producer id="3" name="Kiln"/>
   <category id="5" name="Odzież/T-shirty"/>
   <iaiext:category_idosell path="Moda &gt; Odzież damska"/>
   <card url="https://shop.example/product-pol-11.html"/>
   <description>
    <name xml:lang="pol"><![CDATA[T-shirt niebieski]]></name><name xml:lang="eng"><![CDATA[Blue T-shirt]]></name>
    <short_desc xml:lang="eng">Of cotton</short_desc>
    <long_desc xml:lang="eng"><![CDATA[<p>Heavy cotton</p>]]></long_desc>
   </description>
   <price gross="49.00" net="39.84"/>
   <strikethrough_retail_price gross="59.00" net="47.97"/>
   <sizes>
    <size id="3" name="S" code="11-3" code_producer="5900000000016"><stock id="1" quantity="-1"/></size>
    <size id="4" name="M" code="11-4"><price gross="52.755"/><stock id="0" quantity="0"/><stock id="1" quantity="0"/></size>
    <size id="5" name="L" code="11-5" available="unavailable"/>
   </sizes>
   <images><large>
    <image url="https://shop.example/l/2.jpg" iaiext:priority="2"/><image url="https://shop.example/l/1.jpg" iaiext:priority="1"/>
   </large><icons><icon url="https://shop.example/i/1.jpg"/></icons></images>
   <parameters>
    <parameter type="section" id="1" name="Cechy" xml:lang="pol"/>
    <parameter type="parameter" id="7" name="Kolor" xml:lang="pol"><value id="9" name="Niebieski" xml:lang="pol"/></parameter>
    <parameter type="parameter" name="Colour" xml:lang="eng"><value id="9" name="Blue"/><value id="8" name="White"/></parameter>
   </parameters>
   <group id="16" first_product_id="11"/>
  </product>
  <product id="12" currency="EUR">
   <description><name xml:lang="pol">T-shirt zielony</name></description>
   <price net="15.45"/>
   <sizes><size id="uniw" name="uniwersalny" code_producer="K-12"><stock id="1" quantity="8"/></size></sizes>
   <iaiext:category_idosell path="Moda &gt; Odzież damska"/>
   <group id="16" first_product_id="11"/>
  </product>
  <product id="13"><description><name>Mug</name></description></product>
 </products>
</offer>
"""


def offer(folder: Path, text: str = OFFER) -> Path:
    path = folder / "full.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_size_is_a_product_and_sizes_and_groups_are_families(tmp_path: Path) -> None:
    report = run(offer(tmp_path), "--no-fetch")

    assert (counts(report), problems(report), report["photos_left_out"]) == (
        (5, 0, 0, 0),
        [(1, "the price 52.7550 was rounded to 52.76 PLN")],
        6,
    )
    assert report["notes"] == [
        "read as a catalogue of IdoSell",
        "the prices are without tax, of the type net",
    ]
    assert families() == {"11-3": {"11-3", "11-4", "11-5", "12-uniw"}, "13": {"13"}}
    small, medium, large = product("11-3"), product("11-4"), product("11-5")
    assert (small.title, small.description, small.brand, small.currency) == (
        "Blue T-shirt",
        "Heavy cotton",
        "Kiln",
        "PLN",
    )
    assert (small.price, small.list_price, small.available) == (49, 59, True)
    assert (medium.price, medium.list_price, medium.available) == (Decimal("52.76"), 59, False)
    assert (large.price, large.available, categories("11-5")) == (49, False, ["odzież/t-shirty"])
    assert small.attributes == {
        "colour": "Blue, White",
        "gtin": "5900000000016",
        "link": "https://shop.example/product-pol-11.html",
        "size": "S",
    }


def test_a_product_of_one_size_has_no_size_to_choose(tmp_path: Path) -> None:
    run(offer(tmp_path), "--no-fetch")

    green, mug = product("12-uniw"), product("13")
    assert (green.title, green.price, green.currency, green.available) == (
        "T-shirt zielony",
        Decimal("15.45"),
        "EUR",
        True,
    )
    assert (green.attributes, categories("12-uniw")) == ({"mpn": "K-12"}, ["moda/odzież-damska"])
    assert (mug.title, mug.price, mug.available) == ("Mug", None, True)


def test_photos_stand_in_the_order_of_their_priority(tmp_path: Path) -> None:
    report = run(offer(tmp_path, OFFER.replace("https://shop.example/l/", "")), "--dry-run")
    assert [reason.split(" in ")[0] for _, reason in problems(report)[:2]] == [
        "there is no file 1.jpg",
        "there is no file 2.jpg",
    ]


def test_mappings_take_precedence(tmp_path: Path) -> None:
    run(offer(tmp_path), "--no-fetch", "--set", "brand=House", "--set", "currency=CZK")
    assert (product("11-3").brand, product("11-3").currency) == ("House", "CZK")


def test_the_format_is_detected_by_its_root(tmp_path: Path) -> None:
    assert detect_format(offer(tmp_path)) == "iof"
    other = offer(tmp_path, OFFER.replace(' file_format="IOF"', ""))
    assert detect_format(other) == "xml"
    with pytest.raises(CommandError, match="is it a file of IdoSell"):
        run(other, "--format", "iof")


def test_a_file_that_is_cut_off_gives_what_stands_before(tmp_path: Path) -> None:
    report = run(offer(tmp_path, OFFER[: OFFER.index('<product id="13"') + 20]), "--no-fetch")
    assert counts(report) == (4, 0, 0, 1)
    assert "the XML is broken or cut off" in problems(report)[-1][1]


LIGHT = """<offer file_format="IOF" version="3.0"><products currency="PLN"><product id="11">
<price gross="45.00"/><sizes><size code="11-3"><stock quantity="0"/></size><size code="99-1"/></sizes>
</product></products></offer>"""


def test_the_file_of_prices_and_stocks_changes_nothing_else(tmp_path: Path) -> None:
    run(offer(tmp_path), "--no-fetch")
    report = run(offer(tmp_path, LIGHT), "--update-only")

    assert (counts(report), report["unknown"]) == ((0, 1, 0, 0), 1)
    small = product("11-3")
    assert (small.title, small.brand, small.price, small.available) == ("Blue T-shirt", "Kiln", 45, False)
    assert (categories("11-3"), small.attributes["colour"]) == (["odzież/t-shirty"], "Blue, White")
