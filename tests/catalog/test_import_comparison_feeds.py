"""Imports of the feeds that shops make for price comparison sites."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import families, product

pytestmark = pytest.mark.django_db

YML = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE yml_catalog SYSTEM "shops.dtd">
<yml_catalog date="2026-10-01 12:00"><shop>
  <name>Кружка</name>
  <currencies><currency id="RUR" rate="1"/></currencies>
  <categories>
    <category id="1">Посуда</category>
    <category id="12" parentId="1">Кружки, чашки</category>
  </categories>
  <offers>
    <offer id="a1" available="true" group_id="77">
      <url>https://example.com/a1</url><price>1990.500</price><oldprice>2490</oldprice><currencyId>RUR</currencyId>
      <categoryId>12</categoryId><picture>https://example.com/a1.jpg</picture><picture>https://example.com/a1-2.jpg</picture>
      <name>Кружка синяя</name><vendor>Гжель</vendor><vendorCode>GZ-1</vendorCode>
      <description><![CDATA[<p>Фарфор</p>]]></description>
      <param name="Цвет">синий</param><param name="Объём" unit="мл">300</param>
    </offer>
    <offer id="a2" available="false" group_id="77" type="vendor.model">
      <price>1990</price><currencyId>RUR</currencyId><categoryId>12</categoryId>
      <typePrefix>Кружка</typePrefix><vendor>Гжель</vendor><model>Белая&nbsp;50</model>
    </offer>
  </offers>
</shop></yml_catalog>"""


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "feed.xml"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251"])
def test_offers_of_yml_have_their_categories_currency_and_params(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, YML.format(encoding=encoding), encoding)
    assert detect_format(path) == "yml"
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report), report["photos_left_out"]) == ((2, 0, 0, 0), [], 2)
    assert (report["notes"], report["currencies"]) == (["read as a feed for Yandex Market (YML)"], ["RUB"])
    assert families() == {"a1": {"a1", "a2"}}
    blue, white = product("a1"), product("a2")
    assert (blue.title, blue.brand, blue.description) == ("Кружка синяя", "Гжель", "Фарфор")
    assert (blue.price, blue.list_price, blue.currency) == (Decimal("1990.50"), Decimal(2490), "RUB")
    assert report["new_categories"] == ["Посуда > Кружки, чашки"]
    assert blue.attributes == {"цвет": "синий", "объём": "300", "mpn": "GZ-1", "link": "https://example.com/a1"}
    # Without a name, kind, brand and model are the title; HTML's entities are known without the file that the head names.
    assert (white.title, white.available, blue.available) == ("Кружка Гжель Белая 50", False, True)


HEUREKA = """<?xml version="1.0" encoding="utf-8"?>
<SHOP>
  <SHOPITEM>
    <ITEM_ID>H1</ITEM_ID><ITEMGROUP_ID>G1</ITEMGROUP_ID><PRODUCTNAME>Hrnek modrý</PRODUCTNAME>
    <DESCRIPTION>Porcelán &lt;b&gt;300 ml&lt;/b&gt;</DESCRIPTION><URL>https://example.com/h1</URL>
    <IMGURL>https://example.com/h1.jpg</IMGURL><IMGURL_ALTERNATIVE>https://example.com/h1b.jpg</IMGURL_ALTERNATIVE>
    <PRICE_VAT>1 299,50</PRICE_VAT><MANUFACTURER>Jitka</MANUFACTURER><EAN>4006381333931</EAN>
    <CATEGORYTEXT>{root}Domácnost | Hrnky a šálky</CATEGORYTEXT>
    <PARAM><PARAM_NAME>Barva</PARAM_NAME><VAL>modrá</VAL><VAL>bílá</VAL></PARAM>
    <PARAM><PARAM_NAME>Objem</PARAM_NAME><VAL>300 ml</VAL></PARAM>
  </SHOPITEM>
  <SHOPITEM><ITEM_ID>H2</ITEM_ID><PRODUCT>Hrnek červený</PRODUCT><PRICE_VAT>249</PRICE_VAT></SHOPITEM>
</SHOP>"""


def test_items_of_heureka_have_prices_photos_and_levels_of_categories(tmp_path: Path) -> None:
    path = write(tmp_path, HEUREKA.format(root="Heureka.cz | "))
    assert detect_format(path) == "heureka"
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report), report["photos_left_out"]) == ((2, 0, 0, 0), [], 2)
    blue, red = product("H1"), product("H2")
    assert (blue.title, blue.brand, blue.description) == ("Hrnek modrý", "Jitka", "Porcelán 300 ml")
    assert (blue.price, blue.currency) == (Decimal("1299.50"), "CZK")
    assert report["new_categories"] == ["Domácnost > Hrnky a šálky"]
    assert blue.attributes == {
        "barva": "modrá, bílá",
        "objem": "300 ml",
        "gtin": "4006381333931",
        "link": "https://example.com/h1",
    }
    assert (red.title, red.price) == ("Hrnek červený", 249)


def test_a_feed_that_names_no_currency_says_which_one_was_assumed(tmp_path: Path) -> None:
    path = write(tmp_path, HEUREKA.format(root=""))
    note = "the prices have no currency: EUR was assumed; name the currency of the import if it is another"
    assert run(path, "--no-fetch")["notes"] == ["read as a feed for Heureka", note]
    assert run(path, "--no-fetch", "--set", "currency=CZK")["notes"] == ["read as a feed for Heureka"]
    assert product("H2").currency == "CZK"


def test_what_a_feed_does_not_say_stays_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, HEUREKA.format(root=""))
    run(path, "--no-fetch", "--set", "currency=CZK", "--set", "available=no")
    run(write(tmp_path, HEUREKA.format(root="").replace("249", "239")), "--no-fetch")
    red = product("H2")
    assert (red.price, red.currency, red.available) == (239, "CZK", False)


CENEO = """<?xml version="1.0" encoding="utf-8"?>
<offers xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="1"><group name="other">
  <o id="7" url="https://example.com/7" price="129.9" avail="1" stock="0">
    <cat><![CDATA[Dom i ogród/Kubki]]></cat><name><![CDATA[Kubek niebieski]]></name>
    <imgs><main url="https://example.com/7.jpg"/><i url="https://example.com/7b.jpg"/></imgs>
    <desc><![CDATA[Porcelana]]></desc>
    <attrs><a name="Producent">Bolek</a><a name="Kod_producenta">B-7</a><a name="EAN">4006381333931</a>
    <a name="Kolor">niebieski</a></attrs>
  </o></group>
</offers>"""


def test_offers_of_ceneo_are_in_zloty_with_photos_and_attributes(tmp_path: Path) -> None:
    path = write(tmp_path, CENEO)
    assert detect_format(path) == "ceneo"
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report), report["photos_left_out"]) == ((1, 0, 0, 0), [], 2)
    mug = product("7")
    assert (mug.title, mug.brand, mug.description, mug.available) == ("Kubek niebieski", "Bolek", "Porcelana", False)
    assert (mug.price, mug.currency) == (Decimal("129.90"), "PLN")
    assert report["new_categories"] == ["Dom i ogród > Kubki"]
    assert mug.attributes == {
        "mpn": "B-7",
        "gtin": "4006381333931",
        "kolor": "niebieski",
        "link": "https://example.com/7",
    }


SKROUTZ = """<?xml version="1.0" encoding="utf-8"?>
<mywebstore><created_at>2026-10-01 12:00</created_at><products><product>
  <id>s1</id><name>Κούπα μπλε</name><link>https://example.com/s1</link><image>
  https://example.com/s1.jpg</image><additional_imageurl>https://example.com/s1b.jpg</additional_imageurl>
  <category>Σπίτι &gt; Κούπες</category><price_with_vat>12.90</price_with_vat><manufacturer>Anna</manufacturer>
  <availability>1-3</availability><instock>N</instock><size>M,L</size>
</product></products></mywebstore>"""


def test_products_of_skroutz_are_in_stock_where_it_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, SKROUTZ)
    report = run(path, "--no-fetch")
    assert (detect_format(path), counts(report), problems(report)) == ("skroutz", (1, 0, 0, 0), [])
    mug = product("s1")
    assert (mug.title, mug.price, mug.currency, mug.available) == ("Κούπα μπλε", Decimal("12.90"), "EUR", False)
    assert (report["new_categories"], mug.attributes["size"]) == (["Σπίτι > Κούπες"], "M,L")


def test_a_feed_in_a_zip_is_found_among_other_files(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("ceneo.xml", CENEO)
        archive.writestr("sitemap.xml", "<urlset><url><loc>https://example.com</loc></url></urlset>")
    path = tmp_path / "feeds.zip"
    path.write_bytes(content.getvalue())
    assert counts(run(path, "--no-fetch")) == (1, 0, 0, 0)


def test_other_xml_with_such_a_root_is_mapped_as_before(tmp_path: Path) -> None:
    text = "<SHOP><SHOPITEM><CODE>c1</CODE><NAME>Hrnek</NAME><PRICE>5</PRICE></SHOPITEM></SHOP>"
    path = write(tmp_path, text)
    assert detect_format(path) == "xml"
    assert counts(run(path)) == (1, 0, 0, 0)


def test_whoever_names_the_elements_gets_them(tmp_path: Path) -> None:
    path = write(tmp_path, HEUREKA.format(root=""))
    report = run(path, "--no-fetch", "--item", "SHOPITEM", "--map", "price=PRICE_VAT", "--set", "currency=CZK")
    assert report["notes"][0] == "each element SHOPITEM is read as a product"


def test_the_file_that_a_document_type_names_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "shops.dtd").write_text('<!ENTITY secret "read">')
    text = YML.format(encoding="utf-8").replace("shops.dtd", (tmp_path / "shops.dtd").as_uri())
    report = run(write(tmp_path, text.replace("Кружка синяя", "Кружка &secret;")), "--no-fetch")
    assert (counts(report), product("a1").title) == ((2, 0, 0, 0), "Кружка &secret;")


@pytest.mark.parametrize(("value", "left"), [(">300<", "цвет"), (">синий<", "объём")])
def test_a_param_without_a_value_is_left_out_and_the_others_keep_theirs(tmp_path: Path, value: str, left: str) -> None:
    text = YML.format(encoding="utf-8").replace(value, "><")
    assert problems(run(write(tmp_path, text), "--no-fetch")) == []
    assert {"цвет": "синий", "объём": "300"}[left] == product("a1").attributes[left]
    assert len({"цвет", "объём"} & product("a1").attributes.keys()) == 1


HOTLINE = """<?xml version="1.0" encoding="UTF-8"?>
<price><date>2026-10-01 12:00</date><firmName>Глек</firmName>
  <categories>
    <category><id>1</id><name>Посуд</name></category>
    <category><id>2</id><parentId>1</parentId><name>Глеки</name></category>
  </categories>
  <items>
    <item><id>7</id><categoryId>2</categoryId><code>G-7</code><vendor>Гончар</vendor><name>Глек синій</name>
      <description>Для води</description><url>https://shop.example/7</url><image>https://shop.example/7.jpg</image>
      <priceRUAH>399</priceRUAH><oldprice>599</oldprice><stock>Під замовлення</stock>
      <param name="Колір">синій</param><param name="Ручка"/><param name="Висота">1 м</param></item>
    <item><id>8</id><categoryId>2</categoryId><name>Глек білий</name><priceRUAH>350</priceRUAH>
      <stock>Немає в наявності</stock></item>
  </items>
</price>"""


def test_a_feed_of_hotline(tmp_path: Path) -> None:
    path = write(tmp_path, HOTLINE)
    report = run(path, "--no-fetch")
    assert (detect_format(path), counts(report), problems(report)) == ("hotline", (2, 0, 0, 0), [])
    jug, white = product("G-7"), product("8")
    assert (jug.price, jug.list_price, jug.currency, jug.brand) == (Decimal(399), Decimal(599), "UAH", "Гончар")
    assert report["new_categories"] == ["Посуд > Глеки"]
    # An attribute without a value leaves the others to their names.
    assert jug.attributes == {"колір": "синій", "висота": "1 м", "link": "https://shop.example/7"}
    assert (jug.available, white.available) == (True, False)


def test_other_xml_with_the_root_of_hotline_is_read_by_its_names(tmp_path: Path) -> None:
    path = write(tmp_path, "<price><items><item><id>7</id><name>Jug</name><price>12.50</price></item></items></price>")
    run(path)
    assert (detect_format(path), product("7").price) == ("xml", Decimal("12.50"))


def test_a_price_list_of_kaspi(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """<kaspi_catalog xmlns="kaspiShopping"><offers>
        <offer sku="K1"><model>Құмыра</model><brand>Acme</brand>
        <availabilities><availability available="no" storeId="PP1"/></availabilities>
        <cityprices><cityprice cityId="1">5485</cityprice><cityprice cityId="2">5500</cityprice></cityprices></offer>
        </offers></kaspi_catalog>""",
    )
    report = run(path)
    assert (detect_format(path), counts(report), problems(report)) == ("kaspi", (1, 0, 0, 0), [])
    jug = product("K1")
    assert (jug.title, jug.brand, jug.price, jug.currency, jug.available) == ("Құмыра", "Acme", 5485, "KZT", False)


def test_yml_of_other_marketplaces(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """<torg_price date="2026-10-01"><shop><offers>
        <offer id="m1" available="true"><name_ru>Кувшин</name_ru><name_ua>Глек</name_ua><Price>350</Price>
        <currencyId>UAH</currencyId><category code="5">Посуд</category></offer>
        <offer id="m2"><name>Чашка</name><price>120</price><currencyId>UAH</currencyId>
        <quantity_in_stock>0</quantity_in_stock></offer>
        </offers></shop></torg_price>""",
    )
    report = run(path)
    assert (detect_format(path), counts(report), problems(report)) == ("yml", (2, 0, 0, 0), [])
    jug = product("m1")
    assert (jug.title, jug.price, str(jug.category)) == ("Глек", Decimal(350), "посуд")
    assert product("m2").available is False


def test_sections_that_a_program_has_escaped_are_no_text(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>a</g:id>
        <g:title>&lt;![CDATA[Jug &amp; cup]]&gt;</g:title><g:price>&lt;![CDATA[42.70 TRY]]&gt;</g:price></item></channel></rss>""",
    )
    run(path)
    assert (product("a").title, product("a").price, product("a").currency) == ("Jug & cup", Decimal("42.70"), "TRY")
