"""Rejected rows are returned as a table that is safe in a spreadsheet and can be corrected and imported again."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from catalog import events
from catalog.importers.run import Checkpoint, ImportOptions, run_import
from catalog.importers.writer import import_rows
from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.sources import validate_upload
from product_files.tables.csv_catalogue import CsvCatalogue
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.factories import jpeg
from tests.zips import packed

pytestmark = pytest.mark.django_db


def table(folder: Path, content: str | bytes, name: str = "products.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rejected(path: Path, *options: str) -> list[list[str]]:
    """The lines of the file of rejected rows."""
    report = path.parent / "rejected.csv"
    call_command("import_catalog", str(path), "--report", str(report), *options, stdout=io.StringIO())
    with report.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_rejected_row_comes_back_with_its_reason_and_its_own_cells(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,title,price,colour\nm1,Mug,5,red\nm2,,6,blue\n,Mug,cheap,\n")
    assert rejected(path) == [
        ["line", "sku", "photo", "reason", "sku", "title", "price", "colour"],
        ["3", "m2", "", "the title is empty", "m2", "", "6", "blue"],
        ["4", "", "", "there is no SKU", "", "Mug", "cheap", ""],
    ]


def test_a_row_is_there_once_however_many_photos_it_lost(tmp_path: Path) -> None:
    table(tmp_path, jpeg((1, 2, 3)), "red.jpg")
    path = table(tmp_path, "sku,title,image\nm1,Mug,a.jpg|red.jpg|b.jpg\n")
    _, line = rejected(path)
    assert line[:3] == ["2", "m1", "a.jpg | b.jpg"]
    assert line[3].startswith("a.jpg: there is no file a.jpg")
    assert "; b.jpg: there is no file b.jpg" in line[3]
    assert line[4:] == ["m1", "Mug", "a.jpg|red.jpg|b.jpg"]


def test_a_line_with_too_many_or_too_few_cells_comes_back_as_it_is(tmp_path: Path) -> None:
    path = table(tmp_path, 'sku,title\nm1,Mug,what\nm2\nm3,"Mug" x\n')
    assert rejected(path)[1:] == [
        ["2", "", "", "3 columns instead of 2", "m1", "Mug", "what"],
        ["3", "", "", "1 columns instead of 2", "m2"],
        [
            "4",
            "",
            "",
            "the line cannot be read as CSV: text follows the quote that closes a cell: write a quote within a cell as two",
        ],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "'="])
def test_no_cell_is_a_formula_to_a_spreadsheet(tmp_path: Path, start: str) -> None:
    title = f"{start}HYPERLINK(1)"
    path = table(tmp_path, f'sku,title,image\n{start}sku,"{title}",none.jpg\n')
    _, line = rejected(path)
    assert line[5] == f"'{title}"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line)


def test_a_mended_file_is_imported_as_it_is(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "ArtNo;Name;Preis;Bild\nm1;Tasse;5,00;\nm2;-20% Tasse;8,00;no.jpg\nm3;;6,00;\n'=4;+Tasse;7,00;no.jpg\n",
    )
    options = ("--set", "brand=Acme")
    assert len(rejected(path, *options)) == 4
    report = tmp_path / "rejected.csv"
    mended = report.read_text().replace("m3,,", "m3,Kanne,").replace("no.jpg", "")
    assert counts(run(table(tmp_path, mended, "mended.csv"), *options)) == (1, 0, 2, 0)
    titles = dict(Product.objects.values_list("sku", "title"))
    assert titles == {"m1": "Tasse", "m2": "-20% Tasse", "m3": "Kanne", "=4": "+Tasse"}


def test_a_variant_of_a_shopify_product_comes_back_with_what_the_product_has(tmp_path: Path) -> None:
    header = "Handle,Title,Variant SKU,Variant Price,Option1 Name,Option1 Value\n"
    long = "m" * 256
    path = table(tmp_path, f"{header}mug,Mug,m-s,9.00,Size,S\nmug,,{long},7.00,,L\nhat,Hat,h,5.00,,\n")
    lines = rejected(path)
    assert [line[4:] for line in lines[1:]] == [["mug", "Mug", long, "7.00", "Size", "L"]]
    assert lines[1][0] == "3"
    assert lines[1][3].startswith("sku: Ensure this value has at most 255 characters")
    mended = table(tmp_path, (tmp_path / "rejected.csv").read_text().replace(long, "m-l"), "mended.csv")
    assert counts(run(mended)) == (1, 0, 0, 0)
    assert Product.objects.get(sku="m-l").attributes == {"size": "L", "handle": "mug"}


def test_of_a_source_that_is_no_table_the_problems_come_back(tmp_path: Path) -> None:
    path = table(tmp_path, '{"sku": "m1", "title": ""}\n{"sku": "m2", "title": "Mug"}\nno\n', "products.jsonl")
    lines = rejected(path)
    assert [line[:4] for line in lines[:2]] == [
        ["line", "sku", "photo", "reason"],
        ["1", "m1", "", "the title is empty"],
    ]
    assert {len(line) for line in lines} == {4}


def test_what_cannot_be_decoded_is_a_question_mark(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,title\nm0,Müg\n".encode() + b"m1,M\xfcg\n")
    assert rejected(path)[1][4:] == ["m1", "M?g"]


# Rows are saved in batches


def rows(count: int, title: str = "Mug") -> str:
    return "sku,title,category,price\n" + "".join(f"m{n},{title} {n},Home > Mugs,5\n" for n in range(count))


def test_rows_take_a_few_statements_for_hundreds_of_them(tmp_path: Path, django_assert_max_num_queries: Any) -> None:
    path = table(tmp_path, rows(200))
    with django_assert_max_num_queries(30):
        assert counts(run(path)) == (200, 0, 0, 0)
    with django_assert_max_num_queries(10):
        assert counts(run(path)) == (0, 0, 200, 0)


def test_a_sku_is_known_from_hundreds_of_rows_before(tmp_path: Path) -> None:
    report = run(table(tmp_path, rows(700) + "m3,Again,,\n"))
    assert counts(report) == (700, 0, 0, 1)
    assert problems(report) == [(702, "the SKU m3 is already on line 5")]


def test_what_the_database_refuses_costs_its_own_row_alone(tmp_path: Path) -> None:
    run(table(tmp_path, rows(40)))
    refused = Product.objects.get(sku="m7").pk

    def refuse(product_ids: list[int], **_: object) -> None:
        if refused in product_ids:
            raise IntegrityError("no")

    events.products_changed.connect(refuse)
    try:
        report = run(table(tmp_path, rows(40, title="Dearer mug") + "m40,New,Home > New,5\n"))
    finally:
        events.products_changed.disconnect(refuse)
    assert counts(report) == (1, 39, 0, 1)
    assert problems(report) == [(9, "the database rejected it: no")]
    assert Product.objects.get(sku="m7").title == "Mug 7"
    assert str(Product.objects.get(sku="m40").category) == "home/new"


def test_a_row_that_is_refused_leaves_no_category_behind(tmp_path: Path) -> None:
    report = run(table(tmp_path, f"sku,title,category\nm1,{'x' * 301},Home > Mugs\nm2,Mug,Garden\n"))
    assert counts(report) == (1, 0, 0, 1)
    assert run(table(tmp_path, "sku,title\nm3,Mug\n"))["created"] == 1
    assert set(Product.objects.values_list("category__path", flat=True)) == {"garden", None}


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_the_products(tmp_path: Path) -> None:
    products = 1_500
    path = table(tmp_path, rows(products))

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        catalogue = CsvCatalogue(path, FieldMapping(), photos=PhotoFolder.open(tmp_path))
        return import_rows(watched(catalogue), dry_run=True).created

    assert memory_growth(read, after=500, rows=products) < 1.065


# A file that is uploaded alone


def test_a_table_that_is_sent_alone_reads_no_file_beside_it(tmp_path: Path) -> None:
    table(tmp_path, jpeg((1, 2, 3)), "secret.jpg")
    path = table(tmp_path, "sku,title,image\nm1,Mug,secret.jpg\n")
    report = run_import(path, ImportOptions(), is_upload=True)
    assert (report.created, report.photos_added, report.photos_rejected) == (1, 0, 1)
    assert (
        report.problems[0].reason
        == "there is no file secret.jpg in the upload: send a zip that contains the photos, too"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"# Products\n\nmug:\n  name: Mug\n  price: 5\n", "is YAML: save its products as JSON or CSV"),
        (b"- model: shop.product\r\n  pk: 7\r\n  fields:\r\n    name: Mug\r\n", "is YAML"),
        (b"---\nproducts:\n- name: Mug\n", "is YAML"),
        (b"%PDF-1.7 ...", "is a PDF: get its table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "older Office: save it as .xlsx, or its sheet as CSV"),
        (jpeg((1, 2, 3)), "is a picture: send a zip"),
        (b"\x1f\x8b\x08", "ends in the middle of its gzip: copy or send it again"),
        (b"\x1f\x8b\x07" + b"\xff" * 30, "is damaged, its gzip cannot be unpacked"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (gzip.compress(b"%PDF-1.7 ...", mtime=0), "sent is a PDF: get its table"),
        (gzip.compress(b"products.csv".ljust(257, b"\0") + b"ustar\x0000", mtime=0), "packed with tar"),
        (packed({"xl/workbook.xml": b"<x/>", "xl/sheet.xml": b"<x/>"}), "the workbook is damaged"),
        (packed({"a.csv": b"sku,title", "b.csv": b"sku,title"}), "there are 2 tables in the archive"),
        (packed()[:-30], "damaged"),
        (b"name,price\nMug,5\n", "no column is mapped to the field sku"),
        (b"<html></html>", "is a web page"),
    ],
)
def test_an_invalid_catalogue_is_rejected_at_once(tmp_path: Path, content: bytes, reason: str) -> None:
    path = table(tmp_path, content, "sent")
    with pytest.raises(ValueError, match=reason):
        validate_upload(path, FieldMapping())


def test_the_command_refuses_a_pdf_too(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is a PDF"):
        run(table(tmp_path, b"%PDF-1.7"))


def test_options_survive_as_plain_json() -> None:
    options = ImportOptions(format="csv", dry_run=True, source="feed", map=("sku=ArtNo",), decimal=",")
    parameters = options.as_parameters()
    assert parameters == {"format": "csv", "dry_run": True, "source": "feed", "map": ["sku=ArtNo"], "decimal": ","}
    assert ImportOptions.from_parameters({**parameters, "file": "x.csv"}) == options


def test_an_import_that_goes_on_takes_a_sku_whose_first_row_was_not_saved(tmp_path: Path) -> None:
    text = "sku,title,price\nm1," + "x" * 600 + ",5\nm2,Bowl,5\nm2,Bowl,6\nm1,Mug,7\nm1,Mug,8\nm2,Bowl,9\n"
    path = table(tmp_path, text)
    reached: list[dict[str, Any]] = []
    taken = itertools.count(1)

    report = run_import(
        path,
        ImportOptions(),
        on_checkpoint=lambda checkpoint: reached.append(checkpoint.as_json(20)),
        should_stop=lambda: next(taken) == 3,
    )
    assert (report.created, report.rejected, report.interrupted) == (1, 2, True)
    report = run_import(path, ImportOptions(), checkpoint=Checkpoint.from_json(json.loads(json.dumps(reached[-1]))))
    assert (report.created, report.rejected) == (2, 4)
    assert [problem.reason for problem in report.problems][1:] == [
        "the SKU m2 is already on line 3",
        "the SKU m1 is already on line 5",
        "the SKU m2 is already on line 3",
    ]
    assert Product.objects.get(sku="m1").price == 7
