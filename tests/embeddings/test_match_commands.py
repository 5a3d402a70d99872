"""manage.py match and fit_matcher: the same products in two files, and what a shop's decisions change."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from catalog.duplicates import mark_as_different, merge
from catalog.models import DuplicateDecision
from embeddings import match_fitting
from embeddings.matches import coefficients
from embeddings.matching.probability import default_coefficients
from storefront.demo.catalogue import demo_products, photo_files
from tests.catalog.shop import stock
from tests.recommender.conftest import Shop, empty_index, shop  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def feeds(tmp_path: Path) -> tuple[Path, Path]:
    """Two sellers with three products in common; of two the titles say little, and their photos are the same."""
    photos = [photo_files(product)[0] for product in demo_products()[:3]]
    for seller in ("a", "b"):
        (tmp_path / seller).mkdir()
        for number, photo in enumerate(photos):
            (tmp_path / seller / f"{number}.jpg").write_bytes(photo)
    left = ["A-1,Morning Roast Coffee Beans 500 g,8.90,", "A-2,Item 17,20.00,0.jpg", "A-3,Garden chair,80.00,1.jpg"]
    right = [
        "B-9,Garden chair,81.00,1.jpg",
        "B-8,Lot 4,20.50,0.jpg",
        "B-7,coffe beans roast Morning 0.5kg,9.20,",
        "B-6,Bench,99.00,2.jpg",
    ]
    for name, rows in (("a", left), ("b", right)):
        (tmp_path / name / "feed.csv").write_text("\n".join(["sku,title,price,image", *rows, ""]))
    return tmp_path / "a" / "feed.csv", tmp_path / "b" / "feed.csv"


def pairs(*feeds: Path, **options: Any) -> dict[str, str]:
    out = io.StringIO()
    call_command("match", left=feeds[0], right=feeds[1], stdout=out, stderr=io.StringIO(), **options)
    return {row["left_sku"]: row["right_sku"] for row in csv.DictReader(io.StringIO(out.getvalue()))}


def test_the_same_products_are_found_by_text_and_by_photo(feeds: tuple[Path, Path]) -> None:
    found = pairs(*feeds, one_to_one=True, min_probability=0.2)
    assert found == {"A-1": "B-7", "A-2": "B-8", "A-3": "B-9"}


def test_without_photos_words_alone_count(feeds: tuple[Path, Path]) -> None:
    found = pairs(*feeds, one_to_one=True, no_photos=True)
    assert (found.get("A-1"), found.get("A-2")) == ("B-7", None)


def test_one_to_one_gives_each_product_away_once(tmp_path: Path) -> None:
    left, right = tmp_path / "left.csv", tmp_path / "right.csv"
    left.write_text("sku,title\nA-1,Blue enamel mug WX-4410\nA-2,Blue enamel mug\n")
    right.write_text("sku,title\nB-1,Enamel mug blue WX4410\n")
    assert len(pairs(left, right, no_photos=True, min_probability=0.01)) == 2
    assert pairs(left, right, no_photos=True, min_probability=0.01, one_to_one=True) == {"A-1": "B-1"}


def test_the_pairs_are_written_to_a_file(feeds: tuple[Path, Path], tmp_path: Path) -> None:
    said = io.StringIO()
    out = tmp_path / "pairs.csv"
    call_command("match", left=feeds[0], right=feeds[1], no_photos=True, out=out, stderr=said)
    assert out.read_text().startswith("left_sku,right_sku,probability,photo,text,left_title,right_title\nA-1,B-7,0.")
    assert "pairs of 3 products (3 without a photo) and 4 products" in said.getvalue()


def test_what_is_no_catalogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv"):
        pairs(tmp_path / "nowhere.csv", tmp_path / "nowhere.csv")


def refused(folder: Path, right: bytes, name: str = "right.csv", **options: Any) -> str:
    """What the command says of a file."""
    (folder / "left.csv").write_text("sku,title\nA-1,Blue enamel mug\n")
    (folder / name).write_bytes(right)
    with pytest.raises(CommandError) as caught:
        pairs(folder / "left.csv", folder / name, no_photos=True, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"foo,name\n1,Mug\n", '--right-mapping FILE.toml: [columns], and below it sku = "COLUMN"'),
        (b"sku,title\n", "has no product"),
        (b"sku,title\n,Mug\n", "has no product: line 2, there is no SKU"),
        (b"", "the file is empty"),
        (b"%PDF-1.7", "is a PDF"),
    ],
)
def test_a_file_that_cannot_be_matched_is_named_with_a_remedy(tmp_path: Path, content: bytes, said: str) -> None:
    text = refused(tmp_path, content)
    assert said in text
    assert "right.csv" in text


def test_columns_of_other_names_are_mapped_by_a_file(tmp_path: Path) -> None:
    mapping = tmp_path / "right.toml"
    mapping.write_text('encoding = "cp1250"\n[columns]\nsku = "Nr"\ntitle = "Was"\n')
    (tmp_path / "left.csv").write_text("sku,title\nA-1,Kr\u00fag blau Emaille\n", encoding="utf-8")
    (tmp_path / "right.csv").write_bytes("Nr;Was\nB-1;Kr\u00fag blau Emaille\n".encode("cp1250"))
    found = pairs(tmp_path / "left.csv", tmp_path / "right.csv", no_photos=True, right_mapping=mapping)
    assert found == {"A-1": "B-1"}


def test_one_of_several_sheets_is_chosen(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet, sku in ((book.active, "B-1"), (book.create_sheet("Archive"), "B-2")):
        sheet.append(["sku", "title"])
        sheet.append([sku, "Blue enamel mug"])
    book.save(tmp_path / "right.xlsx")
    content = (tmp_path / "right.xlsx").read_bytes()
    assert "--right-table NAME: Sheet, Archive" in refused(tmp_path, content, "right.xlsx")
    found = pairs(tmp_path / "left.csv", tmp_path / "right.xlsx", no_photos=True, right_table="Archive")
    assert found == {"A-1": "B-2"}


def test_rows_that_are_left_out_are_named(tmp_path: Path) -> None:
    left, right = tmp_path / "left.csv", tmp_path / "right.csv"
    left.write_text("sku,title\nA-1,Blue enamel mug\n")
    right.write_text("sku;title;price\nB-1;Blue enamel mug;12,90\nB-1;Blue mug;9,50\n;Cup;1,00\n", encoding="utf-8-sig")
    out, said = io.StringIO(), io.StringIO()
    call_command("match", left=left, right=right, no_photos=True, stdout=out, stderr=said)
    assert len(out.getvalue().splitlines()) == 2
    assert f"{right}, line 3: the SKU B-1 is already on line 2" in said.getvalue()
    assert f"{right}, line 4: there is no SKU" in said.getvalue()
    assert "1 products (2 left out, 1 without a photo)" in said.getvalue()


class TestFit:
    @staticmethod
    def decide(count: int) -> None:
        """A shop whose merged products have the same title, and whose others have the same price alone."""
        for number in range(count):
            one, same, other = (stock(f"{title} {number}") for title in ("Lamp model", "Lamp model", "Carpet of wool"))
            mark_as_different([one.pk, other.pk])
            merge(one.pk, [same.pk])

    @pytest.mark.any_database
    @pytest.mark.usefixtures("shop")
    def test_decisions_change_the_probability_and_the_default_comes_back(self) -> None:
        self.decide(12)
        assert coefficients() == default_coefficients()
        said = io.StringIO()
        call_command("fit_matcher", stdout=said)
        assert "fitted on 12 pairs of one product and 12 others" in said.getvalue()
        fitted = coefficients()
        assert fitted.origin == "24 pairs of this shop"
        assert fitted.values["text_lead"] != default_coefficients().values["text_lead"]
        call_command("fit_matcher", default=True, stdout=io.StringIO())
        assert coefficients() == default_coefficients()

    @pytest.mark.usefixtures("shop")
    def test_undone_decisions_do_not_count_and_too_few_are_refused(self) -> None:
        self.decide(2)
        with pytest.raises(
            CommandError, match=rf"2 pairs were merged and 2 were not: {match_fitting.LEAST_PAIRS} are needed"
        ):
            call_command("fit_matcher")
        DuplicateDecision.objects.update(undone_at="2026-01-01T00:00Z")
        with pytest.raises(CommandError, match="0 pairs were merged"):
            call_command("fit_matcher")
