"""Lines of a table without a title: variants of the product above them, or further photos of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.sources import open_catalogue
from tests.catalog.importing import counts, photos, problems, run
from tests.catalog.shop_exports import categories, families, product

pytestmark = pytest.mark.django_db


def table(folder: Path, *lines: str) -> Path:
    path = folder / "products.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_lines_with_the_handle_of_the_product_above_have_what_it_has(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Handle,Name,Category,Article number,Price,Stock,Colour,Material",
        "linen-shirt,Linen shirt,Shirts,LS-S,39.90,3,white,linen",
        "linen-shirt,,,LS-M,,0,white,",
        "linen-shirt,,,LS-L,42.00,,blue,",
        "scarf,Scarf,Scarves,SC,15.00,1,red,wool",
    )
    report = run(path)
    assert (counts(report), problems(report)) == ((4, 0, 0, 0), [])
    assert families() == {"LS-S": {"LS-S", "LS-M", "LS-L"}, "SC": {"SC"}}
    medium, large = product("LS-M"), product("LS-L")
    assert (medium.title, categories("LS-M"), medium.price) == ("Linen shirt", ["shirts"], Decimal("39.90"))
    assert (large.price, large.attributes) == (Decimal("42.00"), {"color": "blue", "material": "linen"})
    # A stock is that of one variant.
    assert (medium.available, large.available) == (False, True)
    assert "2 rows without a title are variants of the product above them: they have its title, too" in report["notes"]


def test_a_product_without_a_sku_is_sold_as_the_variants_below_it(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "SKU,Name,Category,Price,Colour",
        ",Shirt,Tops,,",
        "S-1,,,19.90,red",
        "S-2,,,21.90,blue",
        "T-1,Cap,Hats,9,",
    )
    report = run(path)
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"S-1": {"S-1", "S-2"}, "T-1": {"T-1"}}
    assert product("S-2").title == "Shirt"


def test_lines_with_a_photo_alone_are_photos_of_the_product_above(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Handle;Name;SKU;Price;Image",
        "mug;Mug;m1;5;https://example.com/1.jpg",
        "mug;;m2;6;https://example.com/2.jpg",
        "mug;;;;https://example.com/3.jpg",
        "bowl;Bowl;b1;7;https://example.com/4.jpg",
    )
    with open_catalogue(path, FieldMapping()) as catalogue:
        found = {row.sku: [name[-5] for name in photos(row)] for row in catalogue}
    assert found == {"m1": ["1", "3"], "m2": ["2"], "b1": ["4"]}


def test_articles_whose_titles_are_missing_are_no_variants(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "SKU,Name,Category,Price",
        "8811,Lamp,Lighting,20",
        "3020,,Kitchen,4",
        "9107,,,6",
        "8812,Chair,Seats,80",
        "5500,,Seats,80",
    )
    report = run(path)
    assert problems(report) == [(3, "the title is empty"), (4, "the title is empty"), (6, "the title is empty")]
    assert Product.objects.count() == 2


@pytest.mark.parametrize(
    "lines",
    [
        # Numbers that go on from product to product.
        ("SKU,Name,Category,Price", "SKU-001,Mug,Cups,5", "SKU-002,Bowl,Bowls,6", "SKU-003,,,7"),
        ("SKU,Name,Description,Price", "1001,Mug,Blue,5", "1002,Bowl,Deep,6", "1003,,,7"),
        # Something that is no choice between variants.
        ("SKU,Name,Category,Weight", "7731,Mug,Cups,300", "1002,Bowl,Bowls,200", "9003,,,500"),
        ("SKU,Name,Category,EAN", "77,Mug,Cups,4006381333931", "12,Bowl,Bowls,4006381333948", "93,,,4006381333955"),
        # The category of the product above, which no other one is in.
        ("SKU,Name,Category,Price", "8811,Mug,Cups,5", "3020,Bowl,Bowls,4", "9107,,Bowls,6"),
    ],
)
def test_another_article_without_a_title_gets_that_of_no_product(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert problems(run(table(tmp_path, *lines))) == [(4, "the title is empty")]
    assert Product.objects.count() == 2


@pytest.mark.parametrize(
    "lines",
    [
        # Its number begins as that of the product, and those of two products do not.
        ("SKU,Name,Category,Price", "1001,Mug,Cups,5", "1002,Tee,Tops,6", "1002-M,,,7"),
        ("SKU,Name,Category,Price,Colour", "8811,Mug,Cups,5,", "3020,Tee,Tops,6,red", "9107,,,6,blue"),
        ("SKU,Name,Category,Price,Option 1", "8811,Mug,Cups,5,", "3020,Tee,Tops,6,3 m", "9107,,,6,5 m"),
    ],
)
def test_a_line_that_begins_as_its_product_or_names_an_option_is_its_variant(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    report = run(table(tmp_path, *lines))
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    skus = [line.partition(",")[0] for line in lines]
    assert families() == {skus[1]: {skus[1]}, skus[2]: {skus[2], skus[3]}}
    assert product(skus[3]).title == "Tee"
