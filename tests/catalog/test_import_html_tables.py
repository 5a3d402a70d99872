"""Tables in HTML, as shop systems write them for Excel, and as Excel saves them (MHTML): read like any other table."""

from __future__ import annotations

import quopri
import tempfile
from base64 import encodebytes
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.management import CommandError

from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.sources import open_catalogue
from tests.catalog.importing import counts, photos, problems, run
from tests.factories import jpeg
from tests.zips import packed

pytestmark = pytest.mark.django_db

EXCEL = """<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:x="urn:schemas-microsoft-com:office:excel">
<head><meta http-equiv=Content-Type content="text/html; charset={charset}">
<style>td {{mso-number-format:"\\@";}}</style></head>
<body>{tables}</body></html>"""
PRODUCTS = """<table border=1>
<tr><th>SKU<th>Title<th>Price<th>Category<th>Description</tr>
<tr><td>00017<td>Café &amp; mug<td>4,90 €<td rowspan=2>Kitchen<td><p>Stoneware.</p><p>Blue<br>glaze.</p></tr>
<tr><td>00018</td><td>Bowl</td><td>7,50 €</td><td></td></tr>
</table>"""


def written(folder: Path, content: str, name: str = "products.xls", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(content, encoding=encoding)
    return path


@pytest.mark.parametrize(("charset", "encoding"), [("utf-8", "utf-8"), ("windows-1252", "cp1252")])
def test_a_table_for_excel_is_read_as_a_table(tmp_path: Path, charset: str, encoding: str) -> None:
    report = run(written(tmp_path, EXCEL.format(charset=charset, tables=PRODUCTS), encoding=encoding))
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    mug, bowl = Product.objects.order_by("sku")
    assert (mug.sku, mug.title, mug.price, mug.currency) == ("00017", "Café & mug", Decimal("4.90"), "EUR")
    assert mug.description == "Stoneware.\nBlue\nglaze."
    assert str(bowl.category) == "kitchen"


def test_a_bare_table_is_read_too(tmp_path: Path) -> None:
    assert counts(run(written(tmp_path, PRODUCTS)))[0] == 2


def test_a_picture_is_what_its_cell_says(tmp_path: Path) -> None:
    table = "<table><tr><td>sku<td>title<td>image<tr><td>m1<td>Mug<td><a href='/mug'><img src='mug.jpg'></a></table>"
    assert problems(run(written(tmp_path, table)))[0][1].startswith("there is no file mug.jpg")


def test_bad_rows_are_named_by_their_number_in_the_table(tmp_path: Path) -> None:
    table = "<table><tr><th>sku<th>title<tr><td>m1<td>Mug<tr><td>m2<td></table>"
    report = run(written(tmp_path, table))
    assert (counts(report), problems(report)) == ((1, 0, 0, 1), [(3, "the title is empty")])


def test_of_several_tables_that_of_products_is_taken(tmp_path: Path) -> None:
    tables = f"<table><tr><td>Shop<td>Date</table>{PRODUCTS}<table><tr><td>Rows<td>2</table>"
    assert counts(run(written(tmp_path, EXCEL.format(charset="utf-8", tables=tables))))[0] == 2


def test_of_two_tables_of_products_one_has_to_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, EXCEL.format(charset="utf-8", tables=PRODUCTS + PRODUCTS.replace("000", "111")))
    with pytest.raises(CommandError, match=r"there are 2 tables in the HTML file \(1, 2\)"):
        run(path)
    report = run(path, "--table", "2")
    assert (counts(report)[0], report["notes"][0]) == (2, "read from table 2")
    assert set(Product.objects.values_list("sku", flat=True)) == {"11117", "11118"}
    with pytest.raises(CommandError, match="there is no table 3 in the HTML file: it has 2"):
        run(path, "--table", "3")


def test_a_table_within_another_is_found(tmp_path: Path) -> None:
    assert (
        counts(run(written(tmp_path, f"<html><table><tr><td>Products</td></tr><tr><td>{PRODUCTS}</td></tr></table>")))[
            0
        ]
        == 2
    )


def test_a_zip_may_have_it_with_photos(tmp_path: Path) -> None:
    page = EXCEL.format(charset="utf-8", tables=PRODUCTS).encode()
    path = tmp_path / "shop.zip"
    path.write_bytes(
        packed({"export/products.xls": page, "export/red.jpg": jpeg((200, 0, 0)), "export/about.html": b"<html>"})
    )
    assert counts(run(path))[0] == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<html><body><h1>Sign in</h1></body></html>", "web page without a table of products"),
        ("<table><tr><td>Nothing</table>", "web page without a table of products"),
        ("<html>" + "<table><tr><td>1<td>2</table>" * 51, "more than 50 tables"),
        ("<table><tr><td>sku<td>title<!-- " + "x" * 5_000_000, "a tag or comment in it is not closed"),
        (
            f"<table><tr><td>sku<td rowspan=9999>{'x' * 100_000}{'<tr><td>1' * 1_000}</table>",
            "in cells over several rows",
        ),
    ],
    ids=["page", "one-column", "many-tables", "unclosed", "repeated"],
)
def test_what_is_no_table_of_products_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run(written(tmp_path, content))


FRAMES = """<html><head><meta name="Excel Workbook Frameset"></head><frameset><frame src="book_files/sheet001.htm">
<noframes><body><p>This page uses frames.</p></body></noframes></frameset></html>"""
TABS = '<html><table><tr><td><a href="sheet001.htm">Products</a></td><td><a href="sheet002.htm">Old</a></td></tr></table></html>'


def archived(
    folder: Path,
    *sheets: str,
    name: str = "book.mht",
    charset: str = "us-ascii",
    codec: str = "ascii",
    encoding: str = "quoted-printable",
) -> Path:
    """What Excel saves as a single file web page."""
    contents = {"book.htm": FRAMES, **{f"book_files/sheet{n:03}.htm": text for n, text in enumerate(sheets, start=1)}}
    parts = []
    for location, text in {**contents, "book_files/tabstrip.htm": TABS}.items():
        page = text.encode(codec, "xmlcharrefreplace")
        body = {"quoted-printable": quopri.encodestring, "base64": encodebytes}.get(encoding, lambda whole: whole)(page)
        parts.append(
            f"Content-Location: file:///C:/1234/{location}\n"
            f'Content-Transfer-Encoding: {encoding}\nContent-Type: text/html; charset="{charset}"\n\n'.encode()
            + body
        )
    parts.append(b"Content-Location: file:///C:/1234/book_files/image001.png\nContent-Type: image/png\n\n\x89PNG")
    start = (
        b'MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: multipart/related;\n\tboundary="----=_Part_01DB"\n\n'
        b"This document is a single file web page.\n\n"
    )
    path = folder / name
    whole = start + b"".join(b"------=_Part_01DB\n" + part + b"\n\n" for part in parts) + b"------=_Part_01DB--\n"
    path.write_bytes(whole.replace(b"\n", b"\r\n"))
    return path


@pytest.mark.parametrize("name", ["book.mht", "book.xls"])
@pytest.mark.parametrize(
    ("charset", "codec", "encoding"),
    [
        ("us-ascii", "ascii", "quoted-printable"),
        ("windows-1252", "cp1252", "quoted-printable"),
        ("utf-8", "utf-8", "base64"),
        ("utf-8", "utf-8", "8bit"),
    ],
)
def test_a_workbook_saved_as_one_web_page_is_read_as_a_table(
    tmp_path: Path, name: str, charset: str, codec: str, encoding: str
) -> None:
    sheet = EXCEL.format(charset=charset, tables=PRODUCTS)
    report = run(archived(tmp_path, sheet, name=name, charset=charset, codec=codec, encoding=encoding))
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    mug = Product.objects.get(sku="00017")
    assert (mug.title, mug.price, mug.currency) == ("Café & mug", Decimal("4.90"), "EUR")


def test_a_sheet_of_a_web_page_is_chosen_as_a_table_is(tmp_path: Path) -> None:
    other = PRODUCTS.replace("000", "111")
    with pytest.raises(CommandError, match=r"there are 2 tables in the HTML file \(1, 2\)"):
        run(archived(tmp_path, PRODUCTS, other))
    assert counts(run(archived(tmp_path, PRODUCTS, other), "--table", "2"))[0] == 2
    assert set(Product.objects.values_list("sku", flat=True)) == {"11117", "11118"}


def test_the_names_of_sheets_are_no_table(tmp_path: Path) -> None:
    unknown = "<table><tr><td>No.<td>What<tr><td>m1<td>Mug</table>"
    path = archived(tmp_path, unknown, "<table><tr><td></table>")
    assert counts(run(path, "--map", "sku=No.", "--map", "title=What"))[0] == 1


def test_a_zip_may_have_a_web_page_with_photos(tmp_path: Path) -> None:
    page = archived(tmp_path, PRODUCTS).read_bytes()
    path = tmp_path / "shop.zip"
    path.write_bytes(packed({"export/book.mht": page, "export/red.jpg": jpeg((200, 0, 0))}))
    assert counts(run(path))[0] == 2


PICTURED = """<table><tr><td>SKU<td>Title<td>Photo<tr><td>m1<td>Mug<td><img src="{first}"><tr><td>m2<td>Cup<td><img src="{second}">
</table>"""


def part(content: bytes, kind: str, **headers: str) -> bytes:
    lines = [f"Content-Type: {kind}", "Content-Transfer-Encoding: base64"]
    lines += [f"Content-{name.title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", encodebytes(content).decode().replace("\n", "\r\n"), ""]).encode()


def saved(folder: Path, *parts: bytes) -> Path:
    path = folder / "page.mht"
    start = b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
    path.write_bytes(start + b"".join(b"--b\r\n" + each for each in parts) + b"--b--\r\n")
    return path


RED, BLUE = jpeg((200, 0, 0)), jpeg((0, 0, 200))


@pytest.mark.parametrize(
    ("page", "sources", "pictures"),
    [
        (
            "file:///C:/shop_files/sheet001.htm",
            ("image001.jpg", "../photos/image001.jpg"),
            ({"location": "file:///C:/shop_files/image001.jpg"}, {"location": "file:///C:/photos/image001.jpg"}),
        ),
        ("", ("cid:one@shop", "cid:two@shop"), ({"id": "<one@shop>"}, {"id": "<two@shop>"})),
        ("sheet.htm", ("a%20b.jpg", "c.jpg"), ({"location": "a b.jpg"}, {"location": "c.jpg"})),
    ],
    ids=["Excel", "identifiers", "relative"],
)
def test_pictures_in_a_web_page_are_the_photos(
    tmp_path: Path, page: str, sources: tuple[str, str], pictures: tuple[dict[str, str], dict[str, str]]
) -> None:
    text = PICTURED.format(first=sources[0], second=sources[1]).encode()
    parts = [part(text, "text/html", location=page)]
    parts += [part(content, "image/jpeg", **each) for content, each in zip((RED, BLUE), pictures, strict=True)]
    report = run(saved(tmp_path, *parts))

    assert (counts(report), problems(report), report["photos_added"]) == ((2, 0, 0, 0), [], 2)
    hashes = [product.images.get().sha256 for product in Product.objects.order_by("sku")]
    assert hashes == [sha256(RED).hexdigest(), sha256(BLUE).hexdigest()]


def test_a_look_at_a_web_page_writes_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part(PICTURED.format(first="a.jpg", second="b.jpg").encode(), "text/html", location="sheet.htm")]
    path = saved(
        tmp_path, *parts, part(RED, "image/jpeg", location="a.jpg"), part(BLUE, "image/jpeg", location="b.jpg")
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with open_catalogue(path, FieldMapping(), sample=True) as catalogue:
        assert [photos(row) for row in catalogue] == [["a.jpg"], ["b.jpg"]]
        assert sum(file.stat().st_size for file in temporary.rglob("*.jpg")) == 0


def test_pictures_of_a_page_from_the_web_are_links(tmp_path: Path) -> None:
    text = PICTURED.format(first="/img/1.jpg", second="https://example.org/2.jpg").encode()
    report = run(saved(tmp_path, part(text, "text/html", location="https://example.com/shop/page")), "--no-fetch")
    assert (problems(report), report["photos_left_out"]) == ([], 2)


def test_names_of_pictures_stay_in_their_folder(tmp_path: Path) -> None:
    text = PICTURED.format(first="../../../../red.jpg", second="a").encode()
    pictures = [{"location": "file:///../../../../red.jpg"}, {"location": "a/b.jpg"}, {"location": "a"}]
    parts = [part(text, "text/html"), *(part(RED, "image/jpeg", **each) for each in pictures)]
    report = run(saved(tmp_path, *parts))
    assert (report["photos_added"], report["photos_rejected"]) == (1, 1)


def test_names_of_pictures_may_be_long_in_any_letters(tmp_path: Path) -> None:
    name = f"{quote('商品画像' * 40)}.jpg"
    text = PICTURED.format(first=name, second="b.jpg").encode()
    parts = [
        part(text, "text/html"),
        part(RED, "image/jpeg", location=name),
        part(BLUE, "image/jpeg", location="b.jpg"),
    ]
    assert run(saved(tmp_path, *parts))["photos_added"] == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Content-Type: text/html\n\n<html><h1>Sign in</h1></html>", "web page without a table of products"),
        (
            "Content-Type: multipart/related; boundary=b\n\n--b\n\nnothing\n--b--\n",
            "web page without a table of products",
        ),
        ("Content-Type: multipart/related; boundary=b\n\n" + "--b\n\n" * 10_001, "more than 10,000 parts"),
        (f"Content-Type: multipart/related; boundary=b\n\n--b\nX: {'x' * 20_000}\n\n", "is damaged"),
        (f"Content-Type: multipart/related; boundary=b\n\n{'x' * 5_000_000}", "is damaged"),
        ("Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n=YW=\n", "is damaged"),
        (
            "Content-Type: multipart/related; boundary=b\n\n" + "--b\nContent-Type: text/html\n\n<table>" * 51,
            "more than 50",
        ),
    ],
    ids=["page", "no-page", "parts", "headers", "line", "base64", "many-tables"],
)
def test_what_is_no_web_page_with_products_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        run(written(tmp_path, f"MIME-Version: 1.0\n{content}", "page.mhtml"))


@pytest.mark.parametrize(
    ("option", "reason"),
    [("--table", "no tables to choose from"), ("--item", "the format csv has no elements to choose")],
)
def test_options_for_other_formats_are_refused(tmp_path: Path, option: str, reason: str) -> None:
    path = written(tmp_path, "sku,title\nm1,Mug\n", "products.csv")
    with pytest.raises(CommandError, match=reason):
        run(path, option, "product")
