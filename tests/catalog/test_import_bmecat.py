"""Catalogues of suppliers in BMEcat."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from catalog.importers.run import Checkpoint, ImportOptions, run_import
from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, product
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE BMECAT SYSTEM "bmecat_new_catalog_1_2.dtd">
<BMECAT version="1.2">
  <HEADER><CATALOG><LANGUAGE>deu</LANGUAGE><CATALOG_ID>K</CATALOG_ID><CURRENCY>CHF</CURRENCY></CATALOG></HEADER>"""
ARTICLES = (
    HEAD
    + """<T_NEW_CATALOG>
    <CATALOG_GROUP_SYSTEM>
      <CATALOG_STRUCTURE type="root"><GROUP_ID>1</GROUP_ID><GROUP_NAME>Katalog</GROUP_NAME>
        <PARENT_ID>0</PARENT_ID></CATALOG_STRUCTURE>
      <CATALOG_STRUCTURE type="node"><GROUP_ID>2</GROUP_ID><GROUP_NAME>Leuchten</GROUP_NAME>
        <PARENT_ID>1</PARENT_ID></CATALOG_STRUCTURE>
      <CATALOG_STRUCTURE type="leaf"><GROUP_ID>3</GROUP_ID><GROUP_NAME>Tisch</GROUP_NAME>
        <PARENT_ID>2</PARENT_ID></CATALOG_STRUCTURE>
    </CATALOG_GROUP_SYSTEM>
    <ARTICLE>
      <SUPPLIER_AID>L-1</SUPPLIER_AID>
      <ARTICLE_DETAILS>
        <DESCRIPTION_SHORT>Tischleuchte</DESCRIPTION_SHORT><DESCRIPTION_LONG>Aus Holz&lt;br&gt;und Stoff</DESCRIPTION_LONG>
        <EAN>4000000000017</EAN><MANUFACTURER_AID>TL</MANUFACTURER_AID><MANUFACTURER_NAME>Lux</MANUFACTURER_NAME>
        <KEYWORD>Lampe</KEYWORD><KEYWORD>Licht</KEYWORD>
      </ARTICLE_DETAILS>
      <ARTICLE_FEATURES>
        <FEATURE><FNAME>Farbe</FNAME><FVALUE>rot</FVALUE><FVALUE>blau</FVALUE><FORDER>1</FORDER></FEATURE>
        <FEATURE><FNAME>Höhe</FNAME><FVALUE>40</FVALUE><FUNIT>CMT</FUNIT><FORDER>2</FORDER></FEATURE>
        <FEATURE><FNAME>Lampen</FNAME><FVALUE>1</FVALUE><FUNIT>C62</FUNIT></FEATURE>
      </ARTICLE_FEATURES>
      <ARTICLE_PRICE_DETAILS>
        <ARTICLE_PRICE price_type="net_customer"><PRICE_AMOUNT>30</PRICE_AMOUNT></ARTICLE_PRICE>
        <ARTICLE_PRICE price_type="nrp"><PRICE_AMOUNT>59.90</PRICE_AMOUNT></ARTICLE_PRICE>
      </ARTICLE_PRICE_DETAILS>
      <MIME_INFO>
        <MIME><MIME_TYPE>image/jpeg</MIME_TYPE><MIME_SOURCE>red.jpg</MIME_SOURCE></MIME>
        <MIME><MIME_TYPE>application/pdf</MIME_TYPE><MIME_SOURCE>leaflet.pdf</MIME_SOURCE></MIME>
      </MIME_INFO>
    </ARTICLE>
    <ARTICLE mode="delete"><SUPPLIER_AID>L-2</SUPPLIER_AID>
      <ARTICLE_DETAILS><DESCRIPTION_SHORT>Kerze</DESCRIPTION_SHORT></ARTICLE_DETAILS></ARTICLE>
    <ARTICLE_TO_CATALOGGROUP_MAP><ART_ID>L-1</ART_ID><CATALOG_GROUP_ID>3</CATALOG_GROUP_ID></ARTICLE_TO_CATALOGGROUP_MAP>
  </T_NEW_CATALOG></BMECAT>"""
)
PRODUCTS = """<?xml version="1.0" encoding="UTF-8"?>
<BMECAT xmlns="http://www.bmecat.org/bmecat/2005" version="2005">
  <HEADER><CATALOG><CURRENCY>EUR</CURRENCY><MIME_ROOT>https://photos.example/</MIME_ROOT></CATALOG></HEADER>
  <{kind}>
    <CLASSIFICATION_SYSTEM><CLASSIFICATION_GROUPS>
      <CLASSIFICATION_GROUP><CLASSIFICATION_GROUP_ID>a</CLASSIFICATION_GROUP_ID>
        <CLASSIFICATION_GROUP_NAME>Garten</CLASSIFICATION_GROUP_NAME></CLASSIFICATION_GROUP>
      <CLASSIFICATION_GROUP><CLASSIFICATION_GROUP_ID>b</CLASSIFICATION_GROUP_ID>
        <CLASSIFICATION_GROUP_NAME>Kannen</CLASSIFICATION_GROUP_NAME>
        <CLASSIFICATION_GROUP_PARENT_ID>a</CLASSIFICATION_GROUP_PARENT_ID></CLASSIFICATION_GROUP>
    </CLASSIFICATION_GROUPS></CLASSIFICATION_SYSTEM>
    <PRODUCT><SUPPLIER_PID>P-1</SUPPLIER_PID>
      <PRODUCT_DETAILS><DESCRIPTION_SHORT>Kanne</DESCRIPTION_SHORT>
        <INTERNATIONAL_PID type="gtin">4000000000024</INTERNATIONAL_PID></PRODUCT_DETAILS>
      <PRODUCT_FEATURES><REFERENCE_FEATURE_GROUP_ID>b</REFERENCE_FEATURE_GROUP_ID></PRODUCT_FEATURES>
      <PRODUCT_PRICE_DETAILS><PRODUCT_PRICE price_type="net_customer"><PRICE_AMOUNT>12.5</PRICE_AMOUNT>
        <PRICE_CURRENCY>EUR</PRICE_CURRENCY></PRODUCT_PRICE></PRODUCT_PRICE_DETAILS>
      <MIME_INFO><MIME><MIME_SOURCE>p1.jpg</MIME_SOURCE></MIME></MIME_INFO>
    </PRODUCT>
  </{kind}></BMECAT>"""


def write(folder: Path, text: str) -> Path:
    path = folder / "catalogue.xml"
    path.write_text(text, encoding="utf-8")
    return path


def test_articles_with_the_price_of_shoppers_groups_features_and_photos(tmp_path: Path) -> None:
    (tmp_path / "red.jpg").write_bytes(jpeg("red"))
    path = write(tmp_path, ARTICLES)
    report = run(path)
    assert (detect_format(path), counts(report), problems(report)) == ("bmecat", (2, 0, 0, 0), [])
    lamp = product("L-1")
    assert (lamp.title, lamp.brand, lamp.description) == ("Tischleuchte", "Lux", "Aus Holz\nund Stoff")
    assert (lamp.price, lamp.currency, lamp.tags, lamp.images.count()) == (
        Decimal("59.90"),
        "CHF",
        ["Lampe", "Licht"],
        1,
    )
    assert lamp.attributes == {
        "farbe": "rot, blau",
        "höhe": "40 CMT",
        "lampen": "1",
        "gtin": "4000000000017",
        "mpn": "TL",
    }
    assert (categories("L-1"), product("L-2").active) == (["leuchten/tisch"], False)


def test_products_of_2005_in_a_classification(tmp_path: Path) -> None:
    report = run(write(tmp_path, PRODUCTS.format(kind="T_NEW_CATALOG")), "--no-fetch")
    can = product("P-1")
    assert (can.price, can.currency, can.attributes) == (Decimal("12.5"), "EUR", {"gtin": "4000000000024"})
    assert (categories("P-1"), report["photos_left_out"]) == (["garten/kannen"], 1)
    assert "read as a catalogue of BMEcat" in report["notes"]
    assert "the prices are without tax, of the type net_customer" in report["notes"]


def test_features_of_a_template_have_names_and_texts_are_those_of_the_shops_language(tmp_path: Path) -> None:
    heading = """<FEATURE><FTEMPLATE><FT_ID>0173-1#02-A#1</FT_ID><FT_NAME>Dimensions</FT_NAME></FTEMPLATE>
      <VALUE_IDREF>0173-1#01-B#1</VALUE_IDREF><FVALUE_DETAILS>Dimensions</FVALUE_DETAILS></FEATURE>"""
    colour = """<FEATURE><FTEMPLATE><FT_ID>0173-1#02-C#1</FT_ID><FT_NAME lang="deu">Farbe</FT_NAME>
      <FT_NAME lang="eng">Colour</FT_NAME></FTEMPLATE><VALUE_IDREF>0173-1#07-D#1</VALUE_IDREF>
      <FVALUE_DETAILS>green</FVALUE_DETAILS><FID>4</FID><FPARENT_ID>-1</FPARENT_ID></FEATURE>"""
    width = """<FEATURE><FTEMPLATE><FT_ID>0173-1#02-E#1</FT_ID><FT_NAME>Width</FT_NAME></FTEMPLATE>
      <FVALUE>5</FVALUE><FUNIT>MMT</FUNIT></FEATURE>"""
    path = tmp_path / "catalogue.xml"
    path.write_text(
        HEAD.replace("1.2", "2005")
        + f"""<T_NEW_CATALOG><PRODUCT><SUPPLIER_PID>K-1</SUPPLIER_PID><PRODUCT_DETAILS>
      <DESCRIPTION_SHORT lang="deu">Klemme</DESCRIPTION_SHORT><DESCRIPTION_SHORT lang="eng">Terminal</DESCRIPTION_SHORT>
      <KEYWORD lang="deu">Reihenklemme</KEYWORD><KEYWORD lang="eng">PE terminal</KEYWORD><KEYWORD lang="eng">earth</KEYWORD>
      </PRODUCT_DETAILS><PRODUCT_FEATURES>{heading * 2000}{colour}{width}</PRODUCT_FEATURES></PRODUCT>
      </T_NEW_CATALOG></BMECAT>""",
        encoding="utf-8",
    )
    run(path)
    found = product("K-1")
    assert found.title == "Terminal"
    assert found.tags == ["PE terminal", "earth"]
    assert found.attributes == {"colour": "green", "width": "5 MMT"}


def test_an_update_withdraws_nothing(tmp_path: Path) -> None:
    run(write(tmp_path, ARTICLES), "--source", "supplier")
    path = write(tmp_path, PRODUCTS.format(kind="T_UPDATE_PRODUCTS"))
    report = run(path, "--source", "supplier", "--deactivate-missing", "--no-fetch")
    assert (report["created"], report["not_withdrawn"]) == (1, "the source has only what changed")
    assert product("L-1").active


def test_an_update_that_was_interrupted_behind_its_last_row_withdraws_nothing(tmp_path: Path) -> None:
    run(write(tmp_path, ARTICLES), "--source", "supplier")
    path = write(tmp_path, PRODUCTS.format(kind="T_UPDATE_PRODUCTS"))
    options = ImportOptions(source="supplier", deactivate_missing=True, fetch=False)
    reached: list[dict[str, Any]] = []
    run_import(path, options, on_checkpoint=lambda checkpoint: reached.append(checkpoint.as_json(20)))
    report = run_import(path, options, checkpoint=Checkpoint.from_json(reached[-1]))
    assert (report.created, report.not_withdrawn) == (1, "the source has only what changed")
    assert product("L-1").active


def test_other_xml_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is it a file of BMEcat"):
        run(write(tmp_path, "<shop><item/></shop>"), "--format", "bmecat")
