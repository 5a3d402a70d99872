"""Catalogues of Salesforce Commerce Cloud."""

from __future__ import annotations

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
