"""Any bytes given as a catalogue: each row is imported or rejected with a reason, or the file is rejected with a reason."""

from __future__ import annotations

import csv
import html
import io
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.importers.report import ImportReport
from catalog.importers.run import ImportOptions, run_import
from product_files.rows import InvalidSource
from product_files.sources import validate_upload
from tests.fuzz.mutations import mutated

pytestmark = pytest.mark.django_db

CSV = (
    b"sku,title,description,category,brand,price,currency,available,tags,image,attribute.colour,active\r\n"
    b'A-1,"Mug, blue","Holds ""350"" ml.",Home > Mugs,Harbour,"1.299,50 \xe2\x82\xac",EUR,yes,a|b,mug.jpg|other/mug.png,blue,no\r\n'
    b"A-2,Plate,,Home,,$19.99,,0,,,,\r\n"
)
SHOPIFY = (
    b"Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
    b"Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,Image Src,Image Position,"
    b"Image Alt Text,Status\n"
    b'mug,Mug,"<p>Holds <b>350</b> ml &amp; more</p>",Harbour,Home > Mugs,Mugs,"a, b",true,Colour,blue,M-1,shopify,3,deny,19.99,'
    b"mug.jpg,1,A mug,active\n"
    b"mug,,,,,,,,,red,M-2,shopify,0,continue,18.50,red.jpg,2,,\n"
)
TSV = (
    b"id\ttitle\tdescription\timage_link\tadditional_image_link\tavailability\tprice\tsale_price\tsale_price_effective_date\tbrand\n"
    b"t1\tMug\t<b>blue</b>\ta.jpg\thttp://127.0.0.1/b.jpg,http://127.0.0.1/c.jpg\tin stock\t19.99 EUR\t15 EUR\t"
    b"2030-01-31T08:00+0100/2030-02-07T22:00+0100\tHarbour\n"
)
RSS = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>'
    b"<item><g:id>x1</g:id><title>Mug &amp; more</title><g:description><![CDATA[<b>blue</b>]]></g:description>"
    b"<g:price>19.99 EUR</g:price><g:sale_price>15.00 EUR</g:sale_price>"
    b"<g:sale_price_effective_date>2020-01-31T08:00+0100/2040-02-07T22:00+0100</g:sale_price_effective_date>"
    b"<g:image_link>a.jpg</g:image_link><g:product_type>Home &gt; Mugs</g:product_type></item>"
    b"<item><g:id>x2</g:id><g:title>Plate</g:title></item></channel></rss>"
)
ATOM = (
    '<?xml version="1.0" encoding="UTF-16"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">'
    '<entry><g:id>y1</g:id><title>Mug</title><link rel="alternate" href="http://127.0.0.1/"/></entry></feed>'
).encode("utf-16")
JSON_LINES = (
    b'{"sku": "j1", "title": "Mug", "price": 19.99, "tags": ["a", "b"], "category": ["Home", "Mugs"], "image": ["a.jpg"],'
    b' "attributes": {"colour": {"outer": "blue"}}, "available": true, "brand": null}\n'
    b'{"sku": "j2", "title": "\\u00e4\\ud83d\\ude00", "price": "1e3", "active": false}\n'
)
WEB_ARCHIVE = b"""MIME-Version: 1.0
Content-Type: multipart/related; boundary="--=_1"

----=_1
Content-Location: book.htm
Content-Transfer-Encoding: quoted-printable
Content-Type: text/html; charset=us-ascii

<table><tr><td width=3D9>sku=
<td>title<tr><td>w1<td>Caf&#233;</table>
----=_1
Content-Transfer-Encoding: base64
Content-Type: text/html

PHRhYmxlPjx0cj48dGQ+YTx0ZD5i
PC90YWJsZT4=
----=_1--
"""
TABLES = (CSV, SHOPIFY, TSV, RSS, ATOM, JSON_LINES, WEB_ARCHIVE)
FORMATS = st.sampled_from(["", "", "csv", "merchant", "shopify", "jsonl"])

AWKWARD = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "\ufeff", "9" * 5000, "-1", "1e999", "NaN", "1.2.3,4", "\u0661\u0662", "=1+1", "'=x", '"', "\r\n", "\u2028",
         "..", "a/../../b", "/etc/passwd", "file:///etc/passwd", "http://", "http://[::1", "<script>", "&#0;", "&#xD800;",
         "x" * 400, " > > ", "|", "0001-01-01T00:00+14:00/9999-12-31T23:59-14:00", "2030-01-31/2030-13-45", "\U0010ffff",
         "kr 5", "5 €", "ß", "İ"]
    ),
)  # fmt: skip


def imported_or_refused(content: bytes, kind: str = "", **options: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path, rejected = Path(temporary) / "table", Path(temporary) / "rejected.csv"
        path.write_bytes(content)
        refused_at_once = ""
        try:
            validate_upload(path, ImportOptions().mapping(), format=kind)
        except InvalidSource as error:
            refused_at_once = str(error)
            assert refused_at_once
        report = outcome(path, rejected, kind, **options)
        if report is None:
            return
        assert all(problem.reason for problem in report.problems)
        # The file of rejected rows can be imported again.
        if report.rejected:
            outcome(rejected, Path(temporary) / "again.csv", "")


def outcome(path: Path, rejected: Path, kind: str, **options: str) -> ImportReport | None:
    """The report of the import; None if the file was rejected."""
    asked = ImportOptions(format=kind, dry_run=True, fetch=False, **options)
    try:
        return run_import(path, asked, is_upload=True, rejected=rejected)
    except InvalidSource as error:
        assert str(error)
        return None


@given(mutated(st.sampled_from(TABLES)), FORMATS, st.sampled_from(["", "", "cp1252"]))
def test_a_catalogue_with_something_wrong_in_it(content: bytes, kind: str, encoding: str) -> None:
    imported_or_refused(content, kind, encoding=encoding)


@given(st.sampled_from([CSV, SHOPIFY, TSV]), st.data())
def test_a_table_with_awkward_cells(table: bytes, data: st.DataObject) -> None:
    text = table.decode()
    delimiter = "\t" if "\t" in text else ","
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for _ in range(data.draw(st.integers(1, 6))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(AWKWARD)
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(rows)
    imported_or_refused(file.getvalue().encode("utf-8", errors="surrogatepass"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | AWKWARD,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD, inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(
        ["sku", "title", "price", "category", "tags", "image", "attributes", "available", "currency", "brand"]
    ),
)
def test_a_json_line_with_awkward_values(value: object, name: str) -> None:
    lines = [{"sku": "j1", "title": "Mug", name: value}, {"sku": "j2", "title": "Plate"}, value]
    imported_or_refused("\n".join(json.dumps(line) for line in lines).encode())


@given(
    st.lists(AWKWARD, min_size=1, max_size=4),
    st.sampled_from(["g:id", "title", "g:price", "g:image_link", "g:sale_price", "g:x"]),
)
def test_a_feed_with_awkward_texts(texts: list[str], name: str) -> None:
    # Every other text is escaped correctly.
    escaped = [html.escape(text) if number % 2 else text for number, text in enumerate(texts)]
    elements = "".join(f"<{name}>{text}</{name}>" for text in escaped)
    feed = RSS.replace(b"<g:id>x2</g:id>", b"<g:id>x2</g:id>" + elements.encode("utf-8", errors="surrogatepass"))
    imported_or_refused(feed)


@given(st.binary(max_size=400), FORMATS)
def test_any_bytes_at_all(content: bytes, kind: str) -> None:
    imported_or_refused(content, kind)
