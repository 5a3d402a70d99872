"""Import of a catalogue: what is imported, what is rejected and why, and that it can be repeated."""

from __future__ import annotations

import csv
import io
import signal
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from catalog.importers.writer import import_rows
from catalog.management.commands.import_catalog import Command
from catalog.models import Category, Product, ProductImage
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row, RowRejected
from product_files.tables.csv_catalogue import CsvCatalogue
from product_files.values.availability import Availability, parse_availability, parse_boolean
from product_files.values.prices import Price, parse_price
from tests.catalog.importing import counts, memory_growth, problems, run

pytestmark = pytest.mark.django_db

HEADER = "sku,title,category,price,image\n"
MAPPINGS = Path(__file__).parents[2] / "examples" / "mappings"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with photos of four colours in images/."""
    folder = tmp_path / "shop"
    (folder / "images").mkdir(parents=True)
    for colour in ("red", "green", "blue", "white"):
        Image.new("RGB", (40, 30), colour).save(folder / "images" / f"{colour}.jpg")
    return folder


def table(shop: Path, content: str | bytes, name: str = "products.csv") -> Path:
    path = shop / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def printed(path: Path, *options: str) -> str:
    """What the command prints for people."""
    out = io.StringIO()
    call_command("import_catalog", str(path), *options, stdout=out)
    return out.getvalue()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


# A CSV with a folder of photos


def test_a_csv_becomes_products_with_photos_and_a_category_tree(shop: Path, media_root: Path) -> None:
    report = run(
        table(shop, HEADER + "m1,Red mug,Kitchen > Mugs,9.90,red.jpg\nm2,Blue mug,Kitchen > Mugs,,blue.jpg|white.jpg\n")
    )
    assert counts(report) == (2, 0, 0, 0)
    red, blue = Product.objects.order_by("sku")
    assert (red.title, str(red.category), red.price, red.currency) == (
        "Red mug",
        "kitchen/mugs",
        Decimal("9.90"),
        "EUR",
    )
    assert (blue.price, blue.images.count()) == (None, 2)
    assert len(files(media_root)) == 3


def test_a_second_run_changes_nothing(shop: Path) -> None:
    path = table(shop, HEADER + "m1,Red mug,Kitchen,9.90,red.jpg\n")
    run(path)
    report = run(path)
    assert counts(report) == (0, 0, 1, 0)
    assert (report["photos_added"], report["photos_unchanged"]) == (0, 1)


def test_a_changed_row_updates_its_product(shop: Path) -> None:
    run(table(shop, HEADER + "m1,Red mug,Kitchen,9.90,red.jpg\nm2,Blue mug,Kitchen,5,blue.jpg\n"))
    report = run(table(shop, HEADER + "m1,Red mug,Kitchen,8.90,red.jpg\nm2,Blue mug,Kitchen,5,blue.jpg\n"))
    assert counts(report) == (0, 1, 1, 0)
    assert Product.objects.get(sku="m1").price == Decimal("8.90")


def test_photos_follow_the_row_in_number_and_order(shop: Path) -> None:
    run(table(shop, HEADER + "m1,Mug,,,red.jpg|green.jpg|blue.jpg\n"))
    before = {image.sha256: image.pk for image in ProductImage.objects.all()}
    report = run(table(shop, HEADER + "m1,Mug,,,blue.jpg|white.jpg|red.jpg\n"))
    assert counts(report) == (0, 1, 0, 0)
    assert (report["photos_added"], report["photos_removed"], report["photos_unchanged"]) == (1, 1, 2)
    images = list(ProductImage.objects.order_by("position"))
    assert [image.position for image in images] == [0, 1, 2]
    assert [before.get(image.sha256) == image.pk for image in images] == [True, False, True]


def test_a_photo_named_twice_is_there_once(shop: Path) -> None:
    run(table(shop, HEADER + "m1,Mug,,,red.jpg|red.jpg\n"))
    assert ProductImage.objects.count() == 1


def test_a_table_without_photos_leaves_the_photos_alone(shop: Path) -> None:
    run(table(shop, HEADER + "m1,Red mug,Kitchen,9.90,red.jpg\n"))
    report = run(table(shop, "sku,title,price\nm1,Red mug,7\n"))
    product = Product.objects.get()
    assert counts(report) == (0, 1, 0, 0)
    assert (product.price, str(product.category), product.images.count()) == (Decimal(7), "kitchen", 1)


def test_a_refused_photo_is_reported_and_its_product_comes_in_with_the_others(shop: Path) -> None:
    (shop / "images" / "page.jpg").write_text("<html>404</html>")
    report = run(table(shop, HEADER + "m1,Mug,,,page.jpg|red.jpg|missing.jpg\n"))
    assert counts(report) == (1, 0, 0, 0)
    assert (report["photos_added"], report["photos_rejected"]) == (1, 2)
    assert [(problem["line"], problem["photo"]) for problem in report["problems"]] == [
        (2, "page.jpg"),
        (2, "missing.jpg"),
    ]
    assert "web page" in report["problems"][0]["reason"]
    assert "there is no file missing.jpg" in report["problems"][1]["reason"]


def test_photos_that_cannot_be_found_for_a_while_are_not_removed(shop: Path, tmp_path: Path) -> None:
    path = table(shop, HEADER + "m1,Mug,,,red.jpg|blue.jpg\n")
    run(path)
    (shop / "images").rename(tmp_path / "unmounted")
    (shop / "images").mkdir()
    report = run(path)
    assert (report["photos_rejected"], report["photos_removed"]) == (2, 0)
    assert ProductImage.objects.count() == 2


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "/etc/hostname",
        "sub/../../secret.jpg",
        "link.jpg",
        "folder",
        "..\\secret.jpg",
        "ftp://x.test/1.jpg",
    ],
)
def test_a_photo_is_looked_for_in_its_folder_only(shop: Path, tmp_path: Path, name: str) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.jpg")
    (shop / "images" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (shop / "images" / "folder").mkdir()
    report = run(table(shop, HEADER + f"m1,Mug,,,{name}\n"))
    assert (report["created"], report["photos_added"], report["photos_rejected"]) == (1, 0, 1)


def test_a_photo_in_a_folder_below_may_be_named_as_windows_does(shop: Path) -> None:
    (shop / "images" / "mugs").mkdir()
    (shop / "images" / "red.jpg").rename(shop / "images" / "mugs" / "red.jpg")
    assert run(table(shop, HEADER + "m1,Mug,,,mugs\\red.jpg\n"))["photos_added"] == 1


def test_photos_lie_beside_the_table_or_in_a_folder_that_is_named(shop: Path, tmp_path: Path) -> None:
    (shop / "images").rename(tmp_path / "elsewhere")
    path = table(shop, HEADER + "m1,Mug,,,red.jpg\n")
    assert run(path)["photos_rejected"] == 1
    assert run(path, "--images", str(tmp_path / "elsewhere"))["photos_added"] == 1


def test_a_column_of_photos_whose_name_has_a_comma_is_named_whole(shop: Path) -> None:
    path = table(shop, 'sku,title,"File, main"\nm1,Mug,red.jpg\n')
    assert "(use one by --map 'image=File, main')" in printed(path, "--dry-run")


def test_a_column_with_names_of_photos_that_is_not_used_is_named(shop: Path) -> None:
    lines = "sku,title,Main file,manual,portrait\n", "m1,Mug,,m1.pdf,lost.jpg\n", "m2,Cup,RED.JPG,m2.pdf,away.jpg\n"
    path = table(shop, "".join(lines))
    note = "columns with names of photos in the folder that are not used: Main file"
    assert note in run(path, "--dry-run")["notes"]
    assert f"{note} (use one by --map 'image=Main file')\n" in printed(path, "--dry-run")
    assert "not used" not in printed(path, "--map", "image=Main file")
    assert "not used" not in printed(path, "--map", "image=portrait")


def test_a_folder_of_photos_that_no_row_names_is_said(shop: Path) -> None:
    path = table(shop, "sku,title\nm1,Mug\n")
    said = "no row names a photo: --images was not needed"
    assert said in printed(path, "--images", str(shop / "images"))
    assert said not in printed(path)
    path = table(shop, HEADER + "m1,Mug,,,red.jpg\n")
    assert said not in printed(path, "--images", str(shop / "images"))


# Bad rows


BAD_ROWS = {
    ",No sku,,,": "there is no SKU",
    "b1,,,,": "the title is empty",
    f"b1,{'x' * 301},,,": "title: Ensure this value has at most 300 characters",
    f"{'x' * 256},Mug,,,": "sku: Ensure this value has at most 255 characters",
    "b1,Mug": "2 columns instead of 5",
    "b1,Mug,,,red.jpg,more": "6 columns instead of 5",
    "b1,Mu\x00g,,,": "title has a NUL byte",
    f"b1,{'x' * 200_000},,,": "title: Ensure this value has at most 300 characters",
    f"b1,{'x' * 3_000_000},,,": "the line is longer than 1,048,576 characters",
    "b1,Caf\udce9,,,": "title has bytes that are not in the encoding of the file",
    'b1,"Never closed,,,': "cannot be read as CSV: text follows the quote that closes a cell",
    'b1,"5" plate",,,': "cannot be read as CSV: text follows the quote that closes a cell: write a quote within a cell as two",
    "good-1,Mug again,,,": "the SKU good-1 is already on line 2",
}


@pytest.mark.parametrize("row", BAD_ROWS, ids=[reason[:30] for reason in BAD_ROWS.values()])
def test_a_bad_row_is_rejected_with_its_line_and_the_rest_comes_in(shop: Path, row: str) -> None:
    content = (
        f'{HEADER}good-1,"A ""fine"" mug\nin two lines",,,\n{row}\ngood-2,"Mug, blue",,5,blue.jpg\ngood-3,Müg,,,\n'
    )
    report = run(table(shop, content.encode("utf-8", errors="surrogateescape")))
    assert counts(report) == (3, 0, 0, 1)
    ((line, reason),) = problems(report)
    assert line == 4
    assert BAD_ROWS[row] in reason
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["good-1", "good-2", "good-3"]


def test_a_quote_that_is_never_closed_costs_only_its_own_row(shop: Path) -> None:
    rows = "".join(f'm{number},"Mug {number}",{"long " * 100}\n' for number in range(400))
    report = run(table(shop, 'sku,title,description\nbad,Mug,"never closed\n' + rows))
    assert counts(report) == (400, 0, 0, 1)
    assert problems(report)[0][0] == 2


def test_a_quote_that_is_never_closed_is_named(shop: Path) -> None:
    ((line, reason),) = problems(run(table(shop, 'sku,title\ngood,Mug\nbad,"Mug\n')))
    assert (line, reason) == (3, "the line cannot be read as CSV: a cell starts with a quote that is not closed")


def test_a_cell_without_end_is_named(shop: Path) -> None:
    lines = "long line\n" * 150_000
    line, reason = problems(run(table(shop, f'sku,title\nbad,"Mug\n{lines}')))[0]
    assert (line, reason) == (2, "a cell is longer than 1,048,576 characters: is its quote closed?")


def test_a_description_with_pictures_in_it_comes_in(shop: Path) -> None:
    text = f'<p>Stoneware.</p><img src=""data:image/png;base64,{"A" * 400_000}"">'
    assert counts(run(table(shop, f'sku,title,description\nm1,Mug,"{text}"\n'))) == (1, 0, 0, 0)
    assert Product.objects.get().description.startswith("Stoneware.")


def test_a_sku_is_free_again_when_its_first_row_was_rejected(shop: Path) -> None:
    report = run(table(shop, HEADER + "m1,,,,\nm1,Mug,,,\n"))
    assert counts(report) == (1, 0, 0, 1)


def test_empty_lines_and_a_spreadsheet_s_empty_columns_are_passed_over(shop: Path) -> None:
    content = "sku,title,,\nm1,Mug,,\n\n,,,\nm2,Mug,,\n"
    assert counts(run(table(shop, content))) == (2, 0, 0, 0)


def test_every_problem_goes_into_the_report_file_and_a_few_on_the_screen(shop: Path, tmp_path: Path) -> None:
    path = table(shop, HEADER + "".join(f"m{number},,,,\n" for number in range(50)))
    out = io.StringIO()
    call_command("import_catalog", str(path), "--report", str(tmp_path / "report.csv"), stdout=out)
    with (tmp_path / "report.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    assert [rows[0][name] for name in ("line", "sku", "photo", "reason")] == ["2", "m0", "", "the title is empty"]
    assert out.getvalue().count("the title is empty") == 20
    assert "and 30 more" in out.getvalue()


# Dry run, interruption, memory


def test_a_dry_run_reports_the_same_and_writes_nothing(shop: Path, media_root: Path) -> None:
    run(table(shop, HEADER + "m1,Mug,Kitchen,5,red.jpg\nm2,Mug,Kitchen,5,red.jpg\n"))
    stored = (set(files(media_root)), set(ProductImage.objects.values_list("pk", "position")))
    path = table(
        shop, HEADER + "m1,Mug,Kitchen,5,red.jpg\nm2,Mug,Garden,6,blue.jpg|no.jpg\nm3,Mug,New,,white.jpg\nm3,,,,\n"
    )
    dry = run(path, "--dry-run")
    assert (Product.objects.count(), Category.objects.count()) == (2, 1)
    assert (set(files(media_root)), set(ProductImage.objects.values_list("pk", "position"))) == stored
    real = run(path)
    assert counts(real) == (1, 1, 1, 1)
    assert {**dry, "dry_run": False} == real


def test_an_interrupted_import_keeps_what_it_did_and_goes_on_when_started_again(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table(shop, HEADER + "".join(f"m{number},Mug,,,red.jpg\n" for number in range(10)))
    original = CsvCatalogue.__iter__

    def with_ctrl_c(self: CsvCatalogue) -> Iterator[Row]:
        for row in original(self):
            if row.sku == "m3":
                signal.raise_signal(signal.SIGINT)
            yield row

    monkeypatch.setattr(CsvCatalogue, "__iter__", with_ctrl_c)
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(
        CommandError, match=r"after line 5; the 4 rows before it are imported. Run the same command"
    ) as stopped:
        run(path)
    assert stopped.value.returncode == 130
    assert signal.getsignal(signal.SIGINT) is former
    assert Product.objects.count() == 4
    monkeypatch.undo()
    assert counts(run(path)) == (6, 0, 4, 0)


def test_progress_is_reported_whenever_rows_were_saved() -> None:
    seen: list[tuple[int, int]] = []
    rows = [Row(line, f"m{line}", error="bad") for line in range(2, 702)]
    import_rows(rows, on_progress=lambda report: seen.append((report.rows, report.last_line)))
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == (700, 701)


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    rows = 10_000
    path = table(tmp_path, "sku,title,description\n" + "".join(f"m{n},,{'long ' * 50}\n" for n in range(rows)))

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        return import_rows(watched(CsvCatalogue(path, FieldMapping(), photos=PhotoFolder.open(tmp_path)))).rejected

    assert memory_growth(read, after=2_000, rows=rows) < 1.1


# Mapping


def test_a_shop_s_own_headers_are_mapped_on_the_command_line(shop: Path) -> None:
    path = table(shop, "Datei;Name;Art;Unterart;Preis;Farbe\nred.jpg;Rote Tasse;Küche;Tassen;1.234,50 €;rot\n")
    report = run(
        path,
        *("--map", "title=Name", "--map", "category=Art", "--map", "category=Unterart", "--map", "price=Preis"),
        *(
            "--map",
            "image=Datei",
            "--map",
            "attribute.colour=Farbe",
            "--set",
            "sku=DE-{Datei}",
            "--set",
            "tags=neu, rot",
        ),
    )
    assert counts(report) == (1, 0, 0, 0)
    product = Product.objects.get()
    assert (product.sku, product.title, str(product.category)) == ("DE-red.jpg", "Rote Tasse", "küche/tassen")
    assert (product.price, product.currency) == (Decimal("1234.50"), "EUR")
    assert (product.attributes, product.tags) == ({"colour": "rot"}, ["neu", "rot"])


def test_a_mapping_file_is_overridden_by_the_command_line(shop: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "shop.toml"
    mapping.write_text(
        'delimiter = "|"\nencoding = "cp1252"\nimage_separator = ";"\n'
        '[columns]\nsku = "no"\ntitle = "name"\nimage = ["front", "back"]\n[values]\ncurrency = "USD"\nbrand = "Acme"\n'
    )
    path = table(shop, "no|name|front|back\n7|Café|red.jpg;green.jpg|blue.jpg\n".encode("cp1252"))
    run(path, "--mapping", str(mapping), "--set", "currency=CHF")
    product = Product.objects.get()
    assert (product.sku, product.title, product.brand, product.currency) == ("7", "Café", "Acme", "CHF")
    assert product.images.count() == 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_delimiter_is_detected_from_the_header_and_a_byte_order_mark_is_ignored(
    shop: Path, delimiter: str, encoding: str
) -> None:
    content = (
        delimiter.join(("sku", '"title, or; name|x"', "Brand")) + "\n" + delimiter.join(("ä1", "Mug", "Acme")) + "\n"
    )
    report = run(table(shop, content.encode(encoding)), "--map", "title=title, or; name|x")
    assert counts(report) == (1, 0, 0, 0)
    assert Product.objects.get().brand == "Acme"


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, (), "there is no file or folder"),
        ("", (), "the file is empty"),
        ("\n\n", (), "the file is empty"),
        (b"s\x00k\x00\x00\x00", (), "the file is not text"),
        ("name,price\nMug,5\n", (), "no column is mapped to the field sku.*Columns found: name, price"),
        ("sku,colour\nm1,red\n", (), "no column is mapped to the field title.*Columns found: sku, colour"),
        ("sku,title\n", ("--map", "price=cost"), "there is no column cost. Columns found: sku, title"),
        ("sku,title\n", ("--set", "brand={maker}"), "there is no column maker"),
        ("sku,title,title\n", (), "several columns have the name title"),
        ("sku,title\n", ("--map", "colour=title"), "there is no field colour: the fields are sku, title"),
        ("sku,title\n", ("--map", "price"), "not of the form FIELD=COLUMN"),
        ("sku,title\n", ("--map", "title=sku", "--map", "title=title"), "title can have only one column"),
        ("sku,title\n", ("--encoding", "base64"), "there is no text encoding 'base64': use one such as utf-8"),
        ("sku,title\n", ("--delimiter", "ab"), "delimiter is 'ab'"),
        ("sku,title\n", ("--decimal", "x"), "decimal is 'x'"),
        ("sku,title\n", ("--images", "/nowhere"), "/nowhere is not a folder of photos"),
        ("sku,title\n", ("--mapping", "/nowhere.toml"), "cannot be read"),
        ("sku,title\n", ("--report", "/nowhere/report.csv"), "cannot be written"),
    ],
)
def test_a_source_of_which_nothing_can_be_read_is_an_error_that_says_what_to_do(
    shop: Path, content: str | bytes | None, options: tuple[str, ...], message: str
) -> None:
    path = shop / "products.csv" if content is None else table(shop, content)
    with pytest.raises(CommandError, match=message) as error:
        run(path, *options)
    assert error.value.returncode == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("columns = 5", "columns in the mapping"),
        ("[columns\n", "is not TOML"),
        ("colums = {}", "has colums: allowed are columns, values"),
        ("[values]\nprice = 5", "is not text"),
        ('[columns]\nname = "x"', "there is no field name"),
    ],
)
def test_a_mapping_file_that_is_wrong_is_explained(shop: Path, content: str, message: str) -> None:
    mapping = table(shop, content, "shop.toml")
    with pytest.raises(CommandError, match=message):
        run(table(shop, "sku,title\n"), "--mapping", str(mapping))


def test_a_header_alone_is_an_empty_catalogue(shop: Path) -> None:
    assert counts(run(table(shop, HEADER))) == (0, 0, 0, 0)


# Values


@pytest.mark.parametrize(
    ("text", "amount", "currencies"),
    [
        ("19.99", "19.99", ()),
        ("19,9", "19.9", ()),
        ("1299", "1299", ()),
        ("0", "0", ()),
        ("109.9900", "109.99", ()),
        ("1.234,50 €", "1234.50", ("EUR",)),
        ("€1,234.50", "1234.50", ("EUR",)),
        ("1 234,50\u00a0€", "1234.50", ("EUR",)),
        ("1\u202f234\u202f567", "1234567", ()),
        ("1,234,567", "1234567", ()),
        ("1.234.567,8", "1234567.8", ()),
        ("CHF 1'200.-", "1200", ("CHF",)),
        ("19,-", "19", ()),
        ("249 kr.", "249", ("SEK", "DKK", "NOK", "ISK")),
        ("9.99 USD", "9.99", ("USD",)),
        ("  £5 ", "5", ("GBP", "EGP", "GIP")),
        ("12,34,567", "1234567", ()),
        ("₹1,39,900.50", "139900.50", ("INR",)),
        ("٣", "3", ()),
        ("１２３円", "123", ("JPY",)),
        ("us$12.50", "12.50", ("USD",)),
        ("12.50 eur", "12.50", ("EUR",)),
        ("0.750 BHD", "0.750", ("BHD",)),
        ("1.299 Ft", "1299", ("HUF",)),
        ("₫ 129.000", "129000", ("VND",)),
        ("1,299 ₩", "1299", ("KRW",)),
        ("S/ 12.50", "12.50", ("PEN",)),
        (".5", "0.5", ()),
    ],
)
def test_a_price_is_read_as_it_is_written(text: str, amount: str, currencies: tuple[str, ...]) -> None:
    assert parse_price(text) == Price(Decimal(amount), currencies)


def test_a_dollar_alone_is_american_and_goes_with_other_dollars() -> None:
    price = parse_price("$19.99")
    assert price is not None
    assert price.currencies[0] == "USD"
    assert "CAD" in price.currencies


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1,234",
            "1.234",
            "-5",
            "€ -5",
            "--5",
            "5-10",
            "from 5",
            "free",
            "n/a",
            "1e3",
            "1.2.3",
            "12,34,56",
            "1.234.56",
            "12.50 EUR/kg",
        ),
        *("9.999", "9,99,", "5 TTC", "€5 USD", "12k", ".", "€", "1" + "0" * 10),
    ],
)
def test_what_is_not_clearly_a_price_is_refused(text: str) -> None:
    with pytest.raises(RowRejected):
        parse_price(text)


def test_the_decimal_mark_of_the_source_settles_what_is_unclear() -> None:
    assert parse_price("1,234", decimal=".") == Price(Decimal(1234))
    assert parse_price("1.234", decimal=",") == Price(Decimal(1234))
    assert parse_price("1234,5", decimal=",") == Price(Decimal("1234.5"))
    assert parse_price("1.234", others=".") == Price(Decimal("1.234"))
    assert parse_price("1.234", currency="EUR") == Price(Decimal(1234))
    assert parse_price("1.234", currency="KWD") == Price(Decimal("1.234"))
    with pytest.raises(RowRejected, match="groups of three"):
        parse_price("12,5", decimal=".")


@pytest.mark.parametrize(
    ("price", "currency", "stored"), [("$5", "", "USD"), ("$5", "cad", "CAD"), ("5", "", "EUR"), ("5 €", "EUR", "EUR")]
)
def test_the_currency_is_the_column_s_or_else_the_price_s(shop: Path, price: str, currency: str, stored: str) -> None:
    run(table(shop, f"sku,title,price,currency\nm1,Mug,{price},{currency}\n"))
    assert Product.objects.get().currency == stored


@pytest.mark.parametrize(
    ("price", "currency", "warning"),
    [
        ("about ten", "", "'about ten' is not a price"),
        ("-5", "", "the price -5 is negative"),
        ("1.234", "", "the price 1.234 is ambiguous, thousands or decimals: set the decimal separator"),
        ("5 €", "USD", "the price is in EUR, but the currency is USD"),
        ("5", "Taler", "the currency 'Taler' is not known: use its three letters, as in EUR"),
    ],
)
def test_a_price_that_cannot_be_read_is_left_out_with_a_warning(
    shop: Path, price: str, currency: str, warning: str
) -> None:
    report = run(table(shop, f"sku,title,price,currency\nm1,Mug,{price},{currency}\n"))
    assert (counts(report), report["warnings"], problems(report)) == ((1, 0, 0, 0), 1, [(2, warning)])
    assert Product.objects.get().price is None


def test_a_list_price_that_cannot_be_read_leaves_the_price_alone(shop: Path) -> None:
    report = run(table(shop, "sku,title,price,list_price\nm1,Mug,5,was ten\n"))
    assert problems(report) == [(2, "'was ten' is not a price")]
    assert Product.objects.values_list("price", "list_price").get() == (Decimal(5), None)


def test_a_price_with_more_decimals_than_its_currency_is_rounded_with_a_warning(shop: Path) -> None:
    report = run(table(shop, "sku,title,price\nm1,Mug,12.6050 EUR\nm2,Mug,12.5000 EUR\n"))
    assert problems(report) == [(2, "the price 12.6050 was rounded to 12.61 EUR")]


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (("9.50", "1.234", "12"), "1.23"),
        (("9,50", "1.234", "12"), "1234"),
        (("1.234.567", "1.234", "12"), "1234"),
        (("9,50", "1.234", "7.25"), None),
    ],
)
def test_the_other_prices_of_the_column_settle_what_is_unclear(
    shop: Path, prices: tuple[str, ...], expected: str | None
) -> None:
    rows = "".join(f"m{number};Mug;{price}\n" for number, price in enumerate(prices))
    run(table(shop, f"sku;title;price\n{rows}"))
    assert Product.objects.get(sku="m1").price == (expected and Decimal(expected))


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("published", True),
        ("Draft", False),
        ("Ja", True),
        ("-1", False),
        ("12", True),
        ("0", False),
        ("TRUE", True),
        ("n", False),
        ("9" * 5000, True),
        ("0" * 5000, False),
    ],
)
def test_yes_and_no_as_shops_write_them(text: str, truth: bool) -> None:
    assert parse_boolean(text, name="active") is truth


def test_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(RowRejected, match="active: 'soon' is neither yes nor no"):
        parse_boolean("soon", name="active")


@pytest.mark.parametrize(
    ("text", "available"),
    [
        *(("In Stock", True), ("https://schema.org/LimitedAvailability", True), ("schema.org/BackOrder", True)),
        *(("https://schema.org/SoldOut", False), ("http://schema.org/Discontinued", False), ("InStoreOnly", True)),
        *(("auf Lager", True), ("nicht vorrätig", False), ("Rupture de stock", False), ("agotado", False)),
        *(("op voorraad", True), ("wyprzedane", False), ("non disponibile", False), ("Esgotado", False)),
        *(
            ("3.0", True),
            ("12.0000", True),
            ("0,00", False),
            ("-3", False),
            ("\u22122", False),
            ("10+", True),
            ("> 10", True),
        ),
        *(
            ("5 pcs", True),
            ("0 in stock", False),
            ("TRUE", True),
            ("n", False),
            ("9" * 5000, True),
            ("0" * 5000, False),
        ),
    ],
)
def test_what_shops_say_about_availability(text: str, available: bool) -> None:
    assert parse_availability(text) == Availability(available)


@pytest.mark.parametrize("text", ["pre-order", "PreOrder", "on_display_to_order", "Vorbestellbar"])
def test_a_word_that_says_more_than_available_is_kept(text: str) -> None:
    assert parse_availability(text) == Availability(available=True, word=text)


def test_a_word_that_is_not_known_leaves_the_product_as_it_is(shop: Path) -> None:
    run(table(shop, "sku,title,available,active\nm1,Mug,no,no\n"))
    report = run(table(shop, "sku,title,available,active\nm1,Jug,perhaps,maybe\n"))
    assert (counts(report), report["warnings"]) == ((0, 1, 0, 0), 2)
    product = Product.objects.get()
    assert (product.title, product.available, product.active) == ("Jug", False, False)


def test_a_word_is_forgotten_when_the_product_is_available_as_others(shop: Path) -> None:
    run(table(shop, "sku,title,available,attribute.size\nm1,Mug,pre-order,S\n"))
    assert Product.objects.get().attributes == {"availability": "pre-order", "size": "S"}
    run(table(shop, "sku,title,available\nm1,Mug,yes\n"))
    assert Product.objects.get().attributes == {"size": "S"}


# A folder of photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name, colour in (
        ("shirts/long sleeve/blue_linen-shirt.jpg", "blue"),
        ("shirts/009b3c31-fb62-45c0-be9a-37a5c238cb88.png", "red"),
        ("mug.webp", "green"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), colour).save(folder / name)
    return folder


def test_a_folder_s_photos_become_products_and_its_folders_the_category_tree(photos: Path) -> None:
    assert counts(run(photos)) == (3, 0, 0, 0)
    found = {product.sku: (product.title, str(product.category or "")) for product in Product.objects.all()}
    assert found == {
        "shirts/long sleeve/blue_linen-shirt.jpg": ("Blue linen shirt", "shirts/long-sleeve"),
        "shirts/009b3c31-fb62-45c0-be9a-37a5c238cb88.png": ("Shirts 009b3c31", "shirts"),
        "mug.webp": ("Mug", ""),
    }
    assert ProductImage.objects.count() == 3
    assert counts(run(photos)) == (0, 0, 3, 0)


def test_what_is_no_photo_makes_no_product(photos: Path, tmp_path: Path) -> None:
    (photos / "README.md").write_text("Photos of shirts.")
    (photos / ".DS_Store").write_text("hidden")
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.jpg")
    (photos / "shirts" / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (photos / "shirts" / "folder").symlink_to(tmp_path)
    report = run(photos)
    assert counts(report) == (3, 0, 0, 3)
    reasons = {problem["sku"]: problem["reason"] for problem in report["problems"]}
    assert reasons["README.md"] == "the file is not a picture: use JPEG, PNG or WebP"
    assert "outside the folder" in reasons["shirts/link.jpg"]


def test_fixed_texts_apply_to_a_folder_too(photos: Path) -> None:
    run(photos, "--set", "brand=Acme", "--set", "sku=A-{name}")
    assert Product.objects.get(sku="A-mug").brand == "Acme"


def test_a_long_path_still_makes_a_sku_that_stays_the_same(photos: Path) -> None:
    deep = photos / "/".join(["very-long-name-of-a-folder"] * 6)
    deep.mkdir(parents=True)
    for name in ("one.jpg", "two.jpg"):
        (photos / "mug.webp").rename(deep / name) if name == "one.jpg" else Image.new("RGB", (5, 5)).save(deep / name)
    assert counts(run(photos)) == (4, 0, 0, 0)
    assert counts(run(photos)) == (0, 0, 4, 0)


def test_a_folder_without_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="there is no file in"):
        run(tmp_path / "empty")


# Real catalogues


@pytest.mark.parametrize(
    ("name", "products", "categories"),
    [("eshop_adventure", 101, ["climbing", "footwear"]), ("retail_demo_store", 84, ["accessories", "accessories/bag"])],
)
def test_a_real_table_comes_in_whole_with_its_own_headers(
    real_data: Path, name: str, products: int, categories: list[str]
) -> None:
    source, mapping = real_data / "data" / name / "products.csv", MAPPINGS / f"{name}.toml"
    report = run(source, "--mapping", str(mapping))
    assert (*counts(report), report["photos_added"]) == (products, 0, 0, 0, products)
    assert set(categories) <= set(Category.objects.values_list("path", flat=True))
    assert not Product.objects.filter(price=None).exists()
    assert counts(run(source, "--mapping", str(mapping))) == (0, 0, products, 0)


# One transaction per row, as in production: PostgreSQL slows down inside a transaction with thousands of savepoints.
@pytest.mark.django_db(transaction=True)
def test_a_real_folder_comes_in_whole(real_data: Path) -> None:
    folder = real_data / "data" / "clothing" / "validation"
    report = run(folder)
    assert (*counts(report), report["photos_added"]) == (341, 0, 0, 0, 341)
    assert Category.objects.count() == 10


def test_the_usage_stays_short_and_the_help_lists_the_formats() -> None:
    parser = Command().create_parser("manage.py", "import_catalog")

    assert "--format FORMAT" in parser.format_usage()
    assert "woocommerce" not in parser.format_usage()
    assert "woocommerce" in parser.format_help()


def test_a_mistyped_format_is_reported_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no 'Shopfy'; the nearest: shopify"):
        call_command("import_catalog", str(tmp_path), "--format", "Shopfy")
