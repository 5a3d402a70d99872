"""Import of a feed for Google Merchant Center, in each of its three formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.importers.writer import import_rows
from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row, RowRejected
from product_files.values.html_text import html_to_text
from product_files.xml_files.feed import ATTRIBUTES, MerchantFeed, current_price
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

GOOGLE = 'xmlns:g="http://base.google.com/ns/1.0"'
ITEM = """<item><g:id>m1</g:id><title>Red mug</title><description>A &lt;b&gt;fine&lt;/b&gt; mug</description>
<link>https://shop.test/m1</link><g:image_link>red.jpg</g:image_link><g:additional_image_link>blue.jpg</g:additional_image_link>
<g:additional_image_link>green.jpg</g:additional_image_link><g:availability>in_stock</g:availability><g:price>15.00 USD</g:price>
<g:brand>Acme</g:brand><g:product_type>Kitchen &gt; Mugs</g:product_type><g:google_product_category>2169</g:google_product_category>
<g:color>red</g:color><g:gtin>4006381333931</g:gtin><g:item_group_id>mugs</g:item_group_id>
<g:shipping><g:country>US</g:country><g:price>6.49 USD</g:price></g:shipping></item>"""


def rss(items: str) -> str:
    return f'<?xml version="1.0"?>\n<rss version="2.0" {GOOGLE}><channel><title>A shop</title>{items}</channel></rss>'


def atom(entries: str) -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom" {GOOGLE}><title>A shop</title>{entries}</feed>'


def item(sku: str, extra: str = "", title: str = "Mug") -> str:
    return f"<item><g:id>{sku}</g:id><g:title>{title}</g:title>{extra}</item>"


def feed(folder: Path, content: str | bytes, name: str = "feed.xml") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        (folder / f"{colour}.jpg").write_bytes(jpeg(colour))
    return folder


def test_an_rss_item_becomes_a_product(shop: Path) -> None:
    assert counts(run(feed(shop, rss(ITEM)))) == (1, 0, 0, 0)
    product = Product.objects.get()
    assert (product.sku, product.title, product.description, product.brand) == ("m1", "Red mug", "A fine mug", "Acme")
    assert (product.price, product.currency, product.available) == (Decimal(15), "USD", True)
    assert str(product.category) == "kitchen/mugs"
    assert product.images.count() == 3
    assert product.attributes == {
        "link": "https://shop.test/m1",
        "color": "red",
        "gtin": "4006381333931",
        "item_group_id": "mugs",
        "google_product_category": "2169",
    }


def test_a_second_run_changes_nothing(shop: Path) -> None:
    path = feed(shop, rss(ITEM))
    run(path)
    assert counts(run(path)) == (0, 0, 1, 0)


def test_an_atom_entry_becomes_a_product(shop: Path) -> None:
    entry = (
        '<entry><id>tag:shop.test,1</id><g:id>m1</g:id><title>Mug</title><link rel="self" href="/no"/>'
        '<link href="https://shop.test/m1"/><summary>no</summary><g:price>3 EUR</g:price></entry>'
    )
    run(feed(shop, atom(entry)))
    product = Product.objects.get()
    assert (product.sku, product.title, product.price) == ("m1", "Mug", Decimal(3))
    assert product.attributes == {"link": "https://shop.test/m1"}


@pytest.mark.parametrize("style", ["id\ttitle\timage_link", "ID\tTitle\tImage Link", "g:id\tg:title\tg:image_link"])
def test_a_table_with_tabs_becomes_products(shop: Path, style: str) -> None:
    content = f"{style}\tprice\tavailability\tadditional image link\nm1\tMug\tred.jpg\t5 EUR\tout of stock\tblue.jpg\n"
    report = run(feed(shop, content, "feed.txt"))
    assert (counts(report), report["photos_added"]) == ((1, 0, 0, 0), 2)
    assert Product.objects.get().available is False


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "cp1252"])
def test_a_feed_says_its_own_encoding(shop: Path, encoding: str) -> None:
    declared = encoding.removesuffix("-sig").replace("cp", "windows-")
    content = f'<?xml version="1.0" encoding="{declared}"?>' + atom("<entry><g:id>é1</g:id><title>Café</title></entry>")
    run(feed(shop, content.encode(encoding)))
    assert Product.objects.get().title == "Café"


@pytest.mark.parametrize(
    ("availability", "available"),
    [("in_stock", True), ("out_of_stock", False), ("preorder", True), ("backorder", True), ("in stock", True)],
)
def test_what_can_be_ordered_is_available(shop: Path, availability: str, available: bool) -> None:
    run(feed(shop, rss(item("m1", f"<g:availability>{availability}</g:availability>"))))
    assert Product.objects.get().available is available


def test_google_s_category_counts_where_the_shop_names_none(shop: Path) -> None:
    extra = "<g:google_product_category>Apparel &gt; Shoes</g:google_product_category>"
    run(feed(shop, rss(item("m1", extra) + item("m2", "<g:google_product_category>187</g:google_product_category>"))))
    categories = [str(product.category or "") for product in Product.objects.order_by("sku")]
    assert categories == ["apparel/shoes", ""]


def test_an_attribute_of_the_shop_s_own_can_be_mapped(shop: Path) -> None:
    path = feed(shop, rss(item("m1", "<g:season>summer</g:season><g:custom_label_0>new</g:custom_label_0>")))
    run(path, "--map", "attribute.season=season", "--map", "tags=custom_label_0", "--set", "currency=CHF")
    product = Product.objects.get()
    assert (product.attributes, product.tags, product.currency) == ({"season": "summer"}, ["new"], "CHF")


# Sales


NOW = datetime(2030, 6, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sale", "dates", "price"),
    [
        ("", "", "20 EUR"),
        ("15 EUR", "", "15 EUR"),
        ("15 EUR", "2030-06-01T00:00+0200/2030-06-30T23:59+0200", "15 EUR"),
        ("15 EUR", "2030-06-15T12:00Z/2030-06-16T12:00Z", "15 EUR"),
        ("15 EUR", "2030-06-15T13:30+0200/2030-06-15T14:30+0200", "15 EUR"),
        ("15 EUR", "2030-06-15T14:30+0200/2030-06-16T14:30+0200", "20 EUR"),
        ("15 EUR", "2030-05-01/2030-06-01", "20 EUR"),
    ],
)
def test_the_sale_price_counts_while_the_sale_lasts(sale: str, dates: str, price: str) -> None:
    record = {
        **dict.fromkeys(ATTRIBUTES, ""),
        "price": "20 EUR",
        "sale_price": sale,
        "sale_price_effective_date": dates,
    }
    assert current_price(record, NOW) == price


@pytest.mark.parametrize("dates", ["soon", "2030-06-01", "2030-06-01/", "2030-13-01/2030-14-01"])
def test_a_sale_whose_dates_cannot_be_read_is_refused(dates: str) -> None:
    record = {"price": "20 EUR", "sale_price": "15 EUR", "sale_price_effective_date": dates}
    with pytest.raises(RowRejected, match="is not of the form"):
        current_price(record, NOW)


# Failures


def test_a_bad_item_is_rejected_by_its_number_and_the_rest_comes_in(shop: Path) -> None:
    bad = [
        item("", title="No id"),
        item("b2", title=""),
        item("b3" * 200),
        item("b4", f"<g:description>{'x' * 1_100_000}</g:description>"),
        item("m1"),
    ]
    report = run(feed(shop, rss(item("m1") + "".join(bad) + item("m7"))))
    assert counts(report) == (2, 0, 0, 5)
    assert [(line, reason[:30]) for line, reason in problems(report)] == [
        (2, "there is no SKU"),
        (3, "the title is empty"),
        (4, "sku: Ensure this value has at "),
        (5, "the item is longer than 1,048,"),
        (6, "the SKU m1 is already on line "),
    ]


@pytest.mark.parametrize(
    "rest", ["<item><g:id>m3</g:id><g:ti", "<item><g:id>m3</item>", "&nbsp;", "</channel></rss>trailing", ""]
)
def test_a_broken_feed_gives_the_items_before_and_one_problem(shop: Path, rest: str) -> None:
    whole = rss(item("m1") + "\n" + item("m2") + "\n")
    report = run(feed(shop, whole.removesuffix("</channel></rss>") + rest))
    assert counts(report) == (2, 0, 0, 1)
    ((line, reason),) = problems(report)
    assert line == 3
    assert "the XML is broken or cut off at line" in reason
    assert report["broken_off"] is True


@pytest.mark.parametrize(
    ("doctype", "body"),
    [
        ('<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>', "&b;"),
        ('<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"),
        ('<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://127.0.0.1/p.dtd"> %p;]>', "Mug"),
        ("<!DOCTYPE html>", "Mug"),
    ],
)
def test_a_document_type_is_refused_before_anything_of_it_is_used(shop: Path, doctype: str, body: str) -> None:
    content = (
        f'<?xml version="1.0"?>{doctype}<rss version="2.0" {GOOGLE}><channel>{item("m1", title=body)}</channel></rss>'
    )
    with pytest.raises(CommandError, match="document type declaration at line 1"):
        run(feed(shop, content))
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html><body>Not found</body></html>", "is a web page without a table of products"),
        ("<rss", "is empty"),
        ("< rss>", "broken or cut off at line 1"),
        (b"<?xml version='1.0' encoding='no-such'?><rss/>", "encoding"),
        ("<!--" + "x" * 5_000_000, "longer than"),
    ],
)
def test_what_is_no_feed_is_explained(shop: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(feed(shop, content))


def test_a_table_without_the_attributes_of_a_feed_is_explained(shop: Path) -> None:
    with pytest.raises(CommandError, match="there is no column id, title: a feed has id, title"):
        run(feed(shop, "sku\tname\n", "feed.txt"), "--format", "merchant")


@pytest.mark.any_database
@pytest.mark.parametrize("tail", ["<item>" + "<a>" * 200, "<item " + "a" * 5_000_000, "<!--" + "x" * 5_000_000])
def test_what_would_fill_the_memory_ends_the_feed(shop: Path, tail: str) -> None:
    report = run(feed(shop, rss(item("m1") + tail)))
    assert counts(report) == (1, 0, 0, 1)


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_the_items(tmp_path: Path) -> None:
    items = 5_000
    path = feed(tmp_path, rss("".join(item(f"m{number}", title="") for number in range(items))))

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        return import_rows(watched(MerchantFeed(path, FieldMapping(), photos=PhotoFolder.open(tmp_path)))).rejected

    assert memory_growth(read, after=1_000, rows=items) < 1.04


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain, 3 < 5 & more", "plain, 3 < 5 & more"),
        ("<p>One</p><p>two &amp; three</p>", "One\ntwo & three"),
        ("a<br>b<ul><li>c</li><li>d</li></ul>", "a\nb\nc\nd"),
        ("<style>p {}</style>seen<script>alert(1)</script>", "seen"),
        ("Caf&eacute; <b>bold</b>\n  text", "Café bold text"),
        (
            '{"blocks": [{"data": {"text": "Of <b>wool</b>"}}, {"data": {"items": ["soft", "warm"]}}]}',
            "Of wool\nsoft\nwarm",
        ),
        # Only like it.
        ('{"blocks": [{"data": {"text": "cut off', '{"blocks": [{"data": {"text": "cut off'),
        ('{"blocks": null, "more": {"blocks": [1]}}', '{"blocks": null, "more": {"blocks": [1]}}'),
        ('{"blocks": [' + "[" * 100_000, '{"blocks": [' + "[" * 100_000),
    ],
)
def test_html_becomes_what_a_reader_sees(html: str, text: str) -> None:
    assert html_to_text(html) == text
