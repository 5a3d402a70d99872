"""Columns that have the name of a SKU and the same text in most products, and catalogues of Icecat, which have one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.models import Product
from tests.catalog.importing import counts, run

pytestmark = pytest.mark.django_db

NAMES = ("Shirt", "Mug", "Cup")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def csv(*names: str) -> str:
    """A table with the code 1 in all lines. names: of further columns, which differ."""
    lines = [",".join(("code", *names, "name"))]
    return "\n".join([*lines, *(",".join(("1", *(f"{n}{i}" for n in names), each)) for i, each in enumerate(NAMES))])


def objects(*names: str) -> str:
    return json.dumps([{"code": "1", **{n: f"{n}{i}" for n in names}, "name": each} for i, each in enumerate(NAMES)])


def xml(*names: str) -> str:
    products = "".join(
        f'<product code="1" {" ".join(f"{n}={chr(34)}{n}{i}{chr(34)}" for n in names)}><name>{each}</name></product>'
        for i, each in enumerate(NAMES)
    )
    return f"<shop>{products}</shop>"


FILES = {"products.csv": csv, "products.json": objects, "products.xml": xml}


@pytest.mark.parametrize("file", FILES)
def test_a_code_that_all_products_have_gives_way_to_one_that_differs(tmp_path: Path, file: str) -> None:
    report = run(written(tmp_path, file, FILES[file]("id")))

    assert (counts(report), sorted(Product.objects.values_list("sku", flat=True))) == (
        (3, 0, 0, 0),
        ["id0", "id1", "id2"],
    )
    assert any(note.startswith("most products have the same text in ") for note in report["notes"])


@pytest.mark.parametrize("file", FILES)
def test_without_another_column_nothing_is_imported(tmp_path: Path, file: str) -> None:
    path = written(tmp_path, file, FILES[file]("colour"))
    with pytest.raises(CommandError, match=r"most products have the same text in @?code\nMap a column with --map sku="):
        run(path)
    assert not Product.objects.exists()


def test_a_column_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path, "products.csv", csv("id"))
    assert counts(run(path, "--map", "sku=code")) == (1, 0, 0, 2)


def test_some_lines_with_the_same_sku_are_rejected_as_before(tmp_path: Path) -> None:
    path = written(tmp_path, "products.csv", "code,id,name\na,1,Shirt\na,2,Shirt\nb,3,Mug\nc,4,Cup\n")
    assert counts(run(path)) == (3, 0, 0, 1)


def test_a_product_that_a_short_table_has_twice_is_rejected_once(tmp_path: Path) -> None:
    path = written(tmp_path, "products.csv", "code,id,name\na,1,Shirt\na,2,Shirt\nb,3,Mug\n")
    assert counts(run(path)) == (2, 0, 0, 1)


def test_a_sku_that_many_products_do_not_have_yet_is_still_the_sku(tmp_path: Path) -> None:
    path = written(tmp_path, "products.csv", "sku,id,name\nn/a,1,Shirt\nN/A,2,Bag\nN/A,2,Hat\nb,3,Mug\nc,4,Cup\n")
    assert counts(run(path)) == (2, 0, 0, 3)


PRODUCT = """<Product Code="1" HighPic="https://example.com/{own}.jpg" ThumbPic="https://example.com/{own}t.jpg" ID="{own}"
  Name="Compact" Prod_id="{number}" Quality="ICECAT" Title="Acme Compact">
  <Category ID="151"><Name ID="10" Value="Computers" langid="1"/></Category>
  <EANCode EAN="4006381333931"/>
  <ProductDescription ID="1" LongDesc="A small computer." ShortDesc="Compact" langid="1"/>
  <ProductFeature ID="1" Value="Black"><Feature ID="1"><Name ID="3" Value="Colour" langid="1"/></Feature></ProductFeature>
  <ProductGallery><ProductPicture Pic="https://example.com/{own}b.jpg" ThumbPic="https://example.com/{own}bt.jpg"/></ProductGallery>
  <ProductRelated ID="9"><Product ID="5" Prod_id="X1" Name="Mouse"><Supplier ID="2" Name="Other"/></Product></ProductRelated>
  <Supplier ID="1" Name="Acme"/>
</Product>"""


def test_a_product_of_icecat_is_known_by_the_number_of_its_maker(tmp_path: Path) -> None:
    for own, number in ((7, "DG635A"), (8, "DG636A")):
        text = PRODUCT.format(own=own, number=number)
        path = written(tmp_path, f"{own}.xml", f'<?xml version="1.0"?><ICECAT-interface>{text}</ICECAT-interface>')
        report = run(path, "--no-fetch")
        assert (counts(report), report["photos_left_out"]) == ((1, 0, 0, 0), 2)

    product = Product.objects.get(sku="DG635A")
    assert (product.title, product.brand, str(product.category)) == ("Acme Compact", "Acme", "computers")
    assert (product.description, product.attributes) == ("A small computer.", {"gtin": "4006381333931"})


def test_texts_of_icecat_are_in_one_of_its_languages(tmp_path: Path) -> None:
    product = PRODUCT.format(own=7, number="DG635A").replace(
        '<Name ID="10" Value="Computers" langid="1"/>',
        '<Name ID="11" Value="Rechner" langid="4"/><Name ID="10" Value="Computers" langid="1"/>',
    )
    german = '<ProductDescription ID="2" LongDesc="Ein kleiner Rechner." langid="4"/>'
    text = product.replace("<ProductDescription", f"{german}<ProductDescription")
    path = written(tmp_path, "7.xml", f'<?xml version="1.0"?><ICECAT-interface>{text}</ICECAT-interface>')
    report = run(path, "--no-fetch")

    found = Product.objects.get(sku="DG635A")
    assert (found.description, str(found.category)) == ("A small computer.", "computers")
    assert list(found.other_categories.all()) == []
    assert "of texts in several languages, those with langid=1 are taken (the others: 4)" in report["notes"]
