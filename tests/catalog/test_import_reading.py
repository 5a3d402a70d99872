"""How tables and feeds are read that nobody has prepared: encodings, columns, lists in cells, XML, JSON, zips, names of photos."""

from __future__ import annotations

import json
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from PIL import Image

from catalog.importers.writer import import_rows
from catalog.models import Category, Product, ProductImage
from catalog.services import category_path
from product_files.columns.synonyms import find_columns
from product_files.containers.charsets import UnclearCharset, detect
from product_files.json_files.json_lines import JsonLines
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.tables.csv_catalogue import CsvCatalogue
from product_files.values.cell_lists import split_categories, split_photos
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.factories import jpeg
from tests.zips import packed

pytestmark = pytest.mark.django_db


def source(folder: Path, content: str | bytes, name: str = "products.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def only(**fields: Any) -> None:
    """There is one product, with these fields."""
    product = Product.objects.get()
    assert {name: getattr(product, name) for name in fields} == fields


# Encodings


TEXTS = {
    "German": ("Küchenmesser für Gemüse, weiß", ("cp1252", "cp850")),
    "French": ("Jupe plissée d’été, robe à fleurs légère, col roulé", ("cp1252", "mac_roman")),
    "Polish": ("Sukienka żółta, spódnica długa, płaszcz męski ciepły", ("cp1250", "iso8859_2", "cp852")),
    "Czech": ("Žlutý kůň, šaty dámské, příliš žluťoučký", ("cp1250", "iso8859_2", "cp852")),
    "Hungarian": ("Női ruha, kék színű, bő szárú", ("cp1250",)),
    "Turkish": ("Elbise kırmızı, ayakkabı şık, çanta", ("cp1254",)),
    "Lithuanian": ("Suknelė žalia, batų ąčę", ("cp1257",)),
    "Russian": ("Платье летнее, юбка длинная", ("cp1251", "koi8_r", "cp866", "mac_cyrillic", "iso8859_5")),
    "Greek": ("Φόρεμα μακρύ, φούστα", ("cp1253",)),
    "Japanese": ("ワンピース、スカート赤", ("cp932", "euc_jp")),
    "Japanese without kana": (
        "■期間限定 送料無料 ■春夏新作 綿麻 婦人服 長袖 前開 花柄 青 白 黒 紺",
        ("cp932", "euc_jp"),
    ),
    "Japanese with few kana": ("■茶碗 大 花柄、青 ■湯呑 小 無地、白 ■急須 中 常滑焼、朱泥 ※在庫少", ("cp932",)),
    "Chinese with signs": ("★新款 连衣裙 ●红色 ●蓝色 ※包邮 短袖上衣", ("gb18030",)),
    "Chinese": ("连衣裙红色, 裙子, 短袖上衣", ("gb18030",)),
    "signs only": ("Tee “Best” – 5 €", ("cp1252",)),
    "Thai": ("ชุดเดรส สีแดง", ("cp874",)),
}


@pytest.mark.parametrize(
    ("text", "encoding"), [(text, encoding) for text, encodings in TEXTS.values() for encoding in encodings]
)
def test_an_encoding_is_detected_from_the_text(tmp_path: Path, text: str, encoding: str) -> None:
    report = run(source(tmp_path, f"sku;title\nm1;{text}\n".encode(encoding, errors="ignore")))
    only(title=text.encode(encoding, errors="ignore").decode(encoding))
    assert any(note.startswith("encoding: ") and note.endswith("detected from the text") for note in report["notes"])


@pytest.mark.parametrize("text", ["Crème", "El niño", "שמלה אדומה"])
def test_a_text_that_makes_sense_in_several_encodings_is_left_to_a_person(tmp_path: Path, text: str) -> None:
    encoding = "cp1252" if text.isascii() or text[0] < "\u0590" else "cp1255"
    path = source(tmp_path, f"sku,title\nm1,{text}\n".encode(encoding))
    with pytest.raises(CommandError, match="the encoding of the file is not certain, so nothing was read") as error:
        run(path)
    assert f"--encoding {encoding}  # m1,{text}" in str(error.value)
    assert not Product.objects.exists()
    run(path, "--encoding", encoding)
    only(title=text)


def test_no_guess_is_wrong_about_one_accent() -> None:
    for encoding, letters in (("cp1252", "éèàçñãøõò"), ("cp1250", "čšžłőąęř"), ("cp1254", "şğı"), ("mac_roman", "éèü")):
        for letter in letters:
            sample = f"T{letter}sta".encode(encoding)
            try:
                found = detect(sample)
            except UnclearCharset as unclear:
                assert len(unclear.choices) > 1
            else:
                assert sample.decode(found) == f"T{letter}sta"


def test_one_accent_behind_a_megabyte_of_ascii_is_seen(tmp_path: Path) -> None:
    rows = "".join(f"m{number},,{'plain ' * 20}\n" for number in range(10_000))
    path = source(
        tmp_path,
        f"sku,title,description\n{rows}z,\"Jupe plissée d'été, très légère, à l'école, brodée\",\n".encode("cp1252"),
    )
    run(path)
    only(title="Jupe plissée d'été, très légère, à l'école, brodée")


def test_a_few_damaged_lines_of_a_utf_8_table_are_rejected(tmp_path: Path) -> None:
    content = "sku,title\nm1,Müg\nm2,Tüte\n".encode() + b"m3,B\xe4r\n"
    report = run(source(tmp_path, content))
    assert counts(report) == (2, 0, 0, 1)
    assert "encoding: utf-8; 1 lines have bytes that are not valid in it" in report["notes"]
    assert "title has bytes that are not in the encoding of the file" in problems(report)[0][1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_unicode_is_read_in_every_form(tmp_path: Path, encoding: str, ending: str) -> None:
    content = ending.join(("sku\ttitle\tprice", "m1\tÜber-Φόρεμα\t5,00 €", ""))
    run(source(tmp_path, content.encode(encoding)))
    only(sku="m1", title="Über-Φόρεμα", price=Decimal(5))


@pytest.mark.parametrize("name", ["CP1250", "windows-1250", "iso-8859-2", "mac_latin2"])
def test_any_text_codec_can_be_named(tmp_path: Path, name: str) -> None:
    run(source(tmp_path, "sku,title\nm1,Čaj\n".encode(name)), "--encoding", name)
    only(title="Čaj")


def test_names_in_old_zips_are_read_in_the_character_set_they_were_written_in(tmp_path: Path) -> None:
    names = ("żółta/sukienka.jpg", "płaszcz męski/ciepły.jpg")
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for mark, name in zip("xy", names, strict=True):
            archive.writestr(zipfile.ZipInfo(mark * len(name)), jpeg((1, 2, len(name))))
    content = path.read_bytes()
    for mark, name in zip("xy", names, strict=True):
        content = content.replace(mark.encode() * len(name), name.encode("cp852"))
    path.write_bytes(content)
    run(path)
    assert set(Product.objects.values_list("sku", flat=True)) == set(names)


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_text_that_is_not_utf_8(tmp_path: Path) -> None:
    rows = 8_000
    text = "Žluťoučký kůň příliš"
    content = "sku,title,category\n" + "".join(f"m{n},,{text} > {n % 50}\n" for n in range(rows))
    path = source(tmp_path, content.encode("cp1250"))

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        return import_rows(watched(CsvCatalogue(path, FieldMapping(), photos=PhotoFolder.open(tmp_path)))).rejected

    assert memory_growth(read, after=1_500, rows=rows) < 1.035


# Tables


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\r\nsku;title;price\r\nm1;Mug, blue;5,00\r\n",
        "\n\n;;\nsku;title;price\nm1;Mug, blue;5,00\n",
        '"sku";"title";"price"\n"m1";"Mug, blue";"5,00"\n',
        'sep=\t\nsku\ttitle\tprice\nm1\t"Mug, blue"\t5,00\n',
        'sku,title,"price, with ; and |"\nm1,"Mug, blue","5,00"\n',
        "sku|title|price\nm1|Mug, blue|5,00\n",
    ],
)
def test_a_table_is_read_with_the_delimiter_that_fits(tmp_path: Path, content: str) -> None:
    run(source(tmp_path, content))
    only(sku="m1", title="Mug, blue")


@pytest.mark.parametrize(
    "content",
    [
        "| sku | title |\n|-----|:-----:|\n| m1 | Mug |\n",
        "+-----+-------+\n| sku | title |\n+-----+-------+\n| m1  | Mug   |\n+-----+-------+\n",
        " sku | title \n-----+-------\n m1  | Mug   \n",
        "sku,title\n---,-----\nm1,Mug\n",
        "sku,title\n , \n\xa0,\n   \nm1,Mug\n",
    ],
)
def test_rules_and_rows_of_blanks_are_no_products(tmp_path: Path, content: str) -> None:
    assert counts(run(source(tmp_path, content))) == (1, 0, 0, 0)
    only(sku="m1", title="Mug")


def test_cells_that_a_spreadsheet_keeps_as_texts(tmp_path: Path) -> None:
    run(source(tmp_path, 'sku,title,attribute.size,price\n"=""0012""","=""7 """"inch""""""",\'038,\'12.50\n'))
    only(sku="0012", title='7 "inch"', attributes={"size": "038"}, price=Decimal("12.50"))


@pytest.mark.parametrize(
    ("sku", "warned"), [("4.00638E+12", True), ("4,00638E+12", True), ("4E12", False), ("E+12", False)]
)
def test_a_sku_that_a_spreadsheet_has_shortened_is_reported(tmp_path: Path, sku: str, warned: bool) -> None:
    report = run(source(tmp_path, f"sku;title\n{sku};Mug\n"))
    assert counts(report) == (1, 0, 0, 0)
    assert ["has lost digits" in reason for _, reason in problems(report)] == [True] * warned


def test_an_apostrophe_of_a_title_stays(tmp_path: Path) -> None:
    run(source(tmp_path, "sku,title\nm1,'90s tee\n"))
    only(title="'90s tee")


def test_links_in_quotes_each_with_commas_between_them(tmp_path: Path) -> None:
    links = ("https://a.test/1.jpg", "https://a.test/2.jpg")
    listed = ",".join(f'"{link}"' for link in links)
    path = source(tmp_path, f"id\ttitle\timage_link\tadditional_image_link\nm1\tMug\t\t{listed}\n", "feed.txt")
    report = run(path, "--no-fetch")
    assert (counts(report), report["photos_left_out"]) == ((1, 0, 0, 0), 2)


def test_a_link_without_http_is_one(tmp_path: Path) -> None:
    report = run(
        source(tmp_path, "sku,title,image\nm1,Mug,//cdn.shop.test/1.jpg\nm2,Bowl,//photos/2.jpg\n"), "--no-fetch"
    )
    assert (report["photos_left_out"], [line for line, _ in problems(report)]) == (1, [3])


def test_columns_of_photos_may_have_the_same_name(tmp_path: Path) -> None:
    links = ("https://a.test/1.jpg", "", "https://a.test/2.jpg,https://a.test/3.jpg")
    path = source(tmp_path, f'sku,title,image,image,image\nm1,Mug,{links[0]},{links[1]},"{links[2]}"\n')
    assert run(path, "--no-fetch")["photos_left_out"] == 3
    assert run(path, "--no-fetch", "--image-separator", "#", "--dry-run")["photos_left_out"] == 2


@pytest.mark.parametrize(
    ("cell", "photos"),
    [
        ("a.jpg|b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg\nb.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg; b.png", ["a.jpg", "b.png"]),
        ("a.jpg,b.jpg , c.webp", ["a.jpg", "b.jpg", "c.webp"]),
        ("dress, red.jpg", ["dress, red.jpg"]),
        ("https://x.test/a, https://x.test/b", ["https://x.test/a", "https://x.test/b"]),
        (
            "https://x.test/a,https://x.test/b;http://y.test/c",
            ["https://x.test/a", "https://x.test/b", "http://y.test/c"],
        ),
        ("https://x.test/w_9,h_9/a.jpg", ["https://x.test/w_9,h_9/a.jpg"]),
        ("https://x.test/a.jpg https://x.test/b.jpg", ["https://x.test/a.jpg", "https://x.test/b.jpg"]),
        ("https://x.test/a.jpg|b.jpg", ["https://x.test/a.jpg", "b.jpg"]),
        ('["https://x.test/a", "b.jpg"]', ["https://x.test/a", "b.jpg"]),
        ("", []),
    ],
)
def test_the_photos_of_a_cell(cell: str, photos: list[str]) -> None:
    assert split_photos(cell) == photos


def test_a_separator_of_photos_can_be_set() -> None:
    assert split_photos("a.jpg#b.jpg|c.jpg", "#") == ["a.jpg", "b.jpg|c.jpg"]


# Categories


@pytest.mark.parametrize(
    ("cell", "categories"),
    [
        ("Home > Throws", [["Home", "Throws"]]),
        ("A > B | A > C", [["A", "B"], ["A", "C"]]),
        ("A > B\nC", [["A", "B"], ["C"]]),
        ("A > B, A > C", [["A", "B"], ["A", "C"]]),
        ("Bed, Bath > Towels", [["Bed, Bath", "Towels"]]),
        ("A » B", [["A", "B"]]),
        ("A -> B => C", [["A", "B => C"]]),
        ("A => B", [["A", "B"]]),
        ("smart-phones,new", [["smart-phones"], ["new"]]),
        ("Bed,Bath", [["Bed,Bath"]]),
        ("salt, pepper", [["salt, pepper"]]),
        ("home/throws", [["home", "throws"]]),
        ("TV/Hi-Fi", [["TV/Hi-Fi"]]),
        ("24/7", [["24/7"]]),
    ],
)
def test_the_categories_of_a_cell(cell: str, categories: list[list[str]]) -> None:
    assert split_categories(cell) == categories


def test_the_deepest_category_is_the_main_one_and_ancestors_are_no_others(tmp_path: Path) -> None:
    run(source(tmp_path, "sku,title,category\nm1,Tee,Sale | Men | Men > Tops > Tees | Women > Tees\n"))
    product = Product.objects.get()
    assert str(product.category) == "men/tops/tees"
    assert {str(category) for category in product.other_categories.all()} == {"sale", "women/tees"}


def test_slashes_between_levels_are_recognised_by_the_column(tmp_path: Path) -> None:
    report = run(source(tmp_path, "sku,title,category\nm1,Tee,Men/Tees\nm2,Cap,Men/Caps\nm3,TV,TV\n"))
    assert set(Category.objects.values_list("path", flat=True)) == {"men", "men/tees", "men/caps", "tv"}
    assert "categories are read with / between their levels" in report["notes"]


NAMES = (
    "1.5 L",
    "15 L",
    "1,5",
    "C",
    "C++",
    "C#",
    "R&B",
    "RB",
    "½ L",
    "12 L",
    "5 %",
    "5",
    "-5",
    "A@B",
    "AB",
    "10–12",
    "1012",
)


def test_names_that_differ_in_signs_have_paths_of_their_own() -> None:
    paths = {name: category_path([name]) for name in NAMES}
    assert len(set(paths.values())) == len(NAMES), paths
    assert {category_path([path]) for path in paths.values()} == set(paths.values())
    assert category_path(["Home & Garden"]) == category_path(["HOME GARDEN"]) == "home-garden"


def test_a_category_gets_its_name_when_a_product_spells_it(tmp_path: Path) -> None:
    run(source(tmp_path, "sku,title,category\nm1,Throw,home/sofa-throws\n"))
    run(source(tmp_path, "sku,title,category\nm1,Throw,Home > Sofa throws\n"))
    assert list(Category.objects.values_list("path", "name")) == [("home", "Home"), ("home/sofa-throws", "Sofa throws")]


def test_a_dry_run_lists_what_the_catalogue_does_not_have(tmp_path: Path) -> None:
    run(source(tmp_path, "sku,title,category,brand,price\nm0,Mug,Home,Acme,1\n"))
    path = source(
        tmp_path,
        "sku,title,category,brand,price\nm1,Mug,Home,Acme,5 €\nm2,Tee,Men > Tees,Bolt,$5\nm3,Tee,Men > Tees,Bolt,\n",
    )
    dry = run(path, "--dry-run")
    assert (dry["new_categories"], dry["new_brands"], dry["currencies"]) == (["Men > Tees"], ["Bolt"], ["EUR", "USD"])
    assert {**dry, "dry_run": False} == run(path)
    again = run(path)
    assert (again["new_categories"], again["new_brands"]) == ([], [])


# Columns that are known by their names


def test_columns_are_found_in_a_moment_beside_long_texts() -> None:
    texts = [f"{number} " + "lorem ipsum " * 1000 for number in range(300)]
    started = time.process_time()
    assert find_columns([*texts, "Price (EUR)"]) == {"price": ("Price (EUR)",)}
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("headers", "columns"),
    [
        (
            "Artikelnummer;Bezeichnung;Preis;Warengruppe;Bestand",
            ("Artikelnummer", "Bezeichnung", "Preis", "Warengruppe", "Bestand"),
        ),
        (
            "Référence;Désignation;Prix TTC;Catégorie;Quantité",
            ("Référence", "Désignation", "Prix TTC", "Catégorie", "Quantité"),
        ),
        ("Código;Nombre;Precio;Categoría;Existencias", ("Código", "Nombre", "Precio", "Categoría", "Existencias")),
        (
            "Codice;Nome prodotto;Prezzo;Categoria;Giacenza",
            ("Codice", "Nome prodotto", "Prezzo", "Categoria", "Giacenza"),
        ),
        ("Artikelnummer;Naam;Prijs;Categorie;Voorraad", ("Artikelnummer", "Naam", "Prijs", "Categorie", "Voorraad")),
        (
            "Kod produktu;Nazwa;Cena brutto;Kategoria;Ilość",
            ("Kod produktu", "Nazwa", "Cena brutto", "Kategoria", "Ilość"),
        ),
        ("Referência;Nome;Preço;Categoria;Estoque", ("Referência", "Nome", "Preço", "Categoria", "Estoque")),
        (
            "productCode;ProductName;retail_price;product-type;QTY",
            ("productCode", "ProductName", "retail_price", "product-type", "QTY"),
        ),
    ],
)
def test_columns_are_known_in_eight_languages(headers: str, columns: tuple[str, ...]) -> None:
    found = find_columns(headers.split(";"))
    assert tuple(found[name][0] for name in ("sku", "title", "price", "category", "available")) == columns


def test_a_field_s_own_name_comes_before_a_synonym() -> None:
    found = find_columns(["id", "Name", "SKU", "title", "product name", "image 2", "image", "Image 3"])
    assert (found["sku"], found["title"]) == (("SKU",), ("title",))
    assert found["image"] == ("image", "image 2", "Image 3")


def test_the_report_says_which_columns_were_known_and_which_are_not_used(tmp_path: Path) -> None:
    report = run(source(tmp_path, "code,name,weight,notes,sale price\nm1,Mug,3,x,2\n"))
    assert "columns known by their names: code → sku, name → title" in report["notes"]
    assert "columns that are not used: weight, sale price" in report["notes"]


def test_a_column_that_was_mapped_is_no_other_field(tmp_path: Path) -> None:
    run(source(tmp_path, "sku,title,farbe\nm1,Mug,rot\n"), "--map", "tags=farbe")
    only(tags=["rot"], attributes={})


# Feeds


def test_a_feed_with_commas_is_a_feed(tmp_path: Path) -> None:
    content = (
        "id,title,description,availability,condition,price,sale_price,link,image_link,brand,item_group_id\n"
        "m1,Tee S,<p>Soft</p>,in stock,new,20.00 EUR,15.00 EUR,https://x.test/1,,Acme,tee\n"
        "m2,Tee M,<p>Soft</p>,out of stock,new,20.00 EUR,,https://x.test/2,,Acme,tee\n"
    )
    run(source(tmp_path, content))
    small, medium = Product.objects.order_by("sku")
    assert (small.price, small.list_price, small.description, small.available) == (15, 20, "Soft", True)
    assert (medium.price, medium.list_price, medium.available) == (20, None, False)
    assert medium.variant_of == small


@pytest.mark.parametrize(
    "root",
    [
        '\n\n<?xml version="1.0"?><rss xmlns:g="https://base.google.com/ns/1.0"><channel>{}</channel></rss>',
        '<channel xmlns:g="http://base.google.com/ns/1.0">{}</channel>',
        '\ufeff\r\n<rss xmlns:g="http://base.google.com/ns/1.0" xmlns:m="urn:m"><channel>{}</channel></rss>',
    ],
)
def test_a_feed_may_begin_in_many_ways(tmp_path: Path, root: str) -> None:
    item = "<item><g:id>m1</g:id><g:title>Mug</g:title><g:price>5 EUR</g:price></item>"
    assert counts(run(source(tmp_path, root.format(item), "feed.xml"))) == (1, 0, 0, 0)
    only(sku="m1", price=Decimal(5))


def test_a_sale_whose_dates_cannot_be_read_leaves_the_price_without_it(tmp_path: Path) -> None:
    item = "<id>m1</id><title>Mug</title><price>20 EUR</price><sale_price>15 EUR</sale_price>"
    item += "<sale_price_effective_date>soon</sale_price_effective_date>"
    report = run(source(tmp_path, f"<rss><channel><item>{item}</item></channel></rss>", "feed.xml"))
    assert (counts(report), report["warnings"]) == ((1, 0, 0, 0), 1)
    only(price=Decimal(20))


def test_lines_of_html_within_a_feed_do_not_grow_together(tmp_path: Path) -> None:
    item = "<id>m1</id><title>Red <![CDATA[& blue]]> <b>tea</b>pot</title><price>20 EUR</price>"
    item += "<description><p>Holds 1 l<br/>of tea</p>and <ul><li>milk</li><li>sugar</li></ul></description>"
    report = run(source(tmp_path, f"<rss><channel><item>{item}</item></channel></rss>", "feed.xml"))
    assert counts(report) == (1, 0, 0, 0)
    only(title="Red & blue teapot")
    words = " ".join(Product.objects.get().description.split())
    assert words == "Holds 1 l of tea and milk sugar"


STORE = """<?xml version="1.0"?><store xmlns="urn:shop"><name>A shop</name><catalogue>
<product code="m1"><name>Mug &amp; lid</name><price currency="CHF">12.50</price>
<images><image>red.jpg</image><image>blue.jpg</image></images>
<categories><category>Home &gt; Mugs</category><category>Sale</category></categories><stock>3.0</stock>
<text>Two <b>big</b> mugs</text></product>
<product code="m2"><name>Jug</name><price currency="CHF">9</price><stock>0</stock></product></catalogue></store>"""


def test_other_xml_is_read_by_the_element_that_is_repeated(tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        source(tmp_path, jpeg(colour), f"{colour}.jpg")
    path = source(tmp_path, STORE, "store.xml")
    report = run(path, "--map", "currency=price/@currency", "--map", "image=images/image", "--map", "description=text")
    assert (counts(report), report["photos_added"]) == ((2, 0, 0, 0), 2)
    mug, jug = Product.objects.order_by("sku")
    assert (mug.sku, mug.title, mug.price, mug.currency) == ("m1", "Mug & lid", Decimal("12.50"), "CHF")
    assert (mug.description, str(mug.category), jug.available) == ("Two big mugs", "home/mugs", False)
    assert "each element store/catalogue/product is read as a product" in report["notes"]


def test_the_ends_of_paths_are_known_in_other_xml(tmp_path: Path) -> None:
    path = tmp_path / "offer.xml"
    path.write_text(
        """<offer><products>
        <product id="15" currency="PLN">
          <producer id="9" name="Acme"/><category id="4" name="Bluzki"/><unit name="szt."/><supplier><name>Depot</name></supplier>
          <description><name>Bluzka</name><long_desc>Lniana</long_desc></description>
          <prices><price><group>EK</group><price>115</price></price><price><group>H</group><price>90</price></price></prices>
          <images><large><image url="https://example.com/1.jpg"/><image url="https://example.com/2.jpg"/></large></images>
        </product>
        <product id="16"><description><name>Spodnie</name></description></product>
        </products></offer>""",
        encoding="utf-8",
    )
    report = run(path, "--no-fetch")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((2, 0, 0, 0), [], 2)
    blouse = Product.objects.get(sku="15")
    assert (blouse.title, blouse.brand, str(blouse.category)) == ("Bluzka", "Acme", "bluzki")
    assert (blouse.price, blouse.currency) == (115, "PLN")
    assert "prices/price/price → price" in report["notes"][1]


def test_the_element_of_a_product_can_be_named(tmp_path: Path) -> None:
    content = "<data><x1><nr>7</nr><wie>Tasse</wie></x1><x1><nr>8</nr><wie>Kanne</wie></x1></data>"
    path = source(tmp_path, content, "data.xml")
    with pytest.raises(CommandError, match=r"set item to the name of one\. It has data, x1"):
        run(path)
    options = ("--item", "x1", "--map", "sku=nr", "--map", "title=wie")
    assert counts(run(path, *options)) == (2, 0, 0, 0)
    with pytest.raises(CommandError, match="the XML has no element y: it has data, x1"):
        run(path, "--item", "y")


def test_paths_of_xml_can_be_in_a_mapping_file(tmp_path: Path) -> None:
    path = source(tmp_path, STORE, "store.xml")
    mapping = source(tmp_path, 'item = "product"\n[columns]\nsku = "@code"\ntitle = "name"\n', "store.toml")
    assert counts(run(path, "--mapping", str(mapping))) == (2, 0, 0, 0)


# JSON


PRODUCTS = [{"sku": "m1", "title": "Mug", "price": 1.234}, {"sku": "m2", "title": "Jug", "price": "1.299,00 €"}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(PRODUCTS),
        json.dumps(PRODUCTS, indent=1),
        json.dumps({"products": PRODUCTS}),
        json.dumps({"shop": {"name": "A", "id": 1}, "page": 1, "items": PRODUCTS, "next": None}, indent=2),
        json.dumps({"data": {"products": PRODUCTS}}),
        "\n".join(map(json.dumps, PRODUCTS)),
        json.dumps(PRODUCTS, indent=1).encode("utf-16"),
    ],
)
def test_json_is_read_in_every_shape(tmp_path: Path, content: str | bytes) -> None:
    run(source(tmp_path, content, "products.json"))
    prices = dict(Product.objects.values_list("sku", "price"))
    assert prices == {"m1": Decimal("1.23"), "m2": Decimal("1299.00")}


def test_an_array_that_is_cut_off_gives_the_objects_before(tmp_path: Path) -> None:
    report = run(source(tmp_path, json.dumps(PRODUCTS)[:-9], "products.json"))
    assert (counts(report), report["broken_off"]) == ((1, 0, 0, 1), True)


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_the_length_of_an_array(tmp_path: Path) -> None:
    count = 10_000
    content = json.dumps([{"sku": f"m{number}", "title": "", "text": "long " * 50} for number in range(count)])
    path = source(tmp_path, content, "products.json")

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        return import_rows(watched(JsonLines(path, FieldMapping(), photos=PhotoFolder.open(tmp_path)))).rejected

    assert memory_growth(read, after=2_000, rows=count) < 1.1


# Zips


TABLE = b"sku,title,image\nm1,Mug,a.jpg\n"


@pytest.mark.parametrize(
    "files",
    [
        {"feed.txt": TABLE, "images/a.jpg": jpeg("red")},
        {"export/feed.txt": TABLE, "export/photos/a.jpg": jpeg("red"), "readme.txt": b"Hello,\nthis is it.\n"},
        {"data/products.json": b'[{"sku": "m1", "title": "Mug", "image": "a.jpg"}]', "deep/er/a.jpg": jpeg("red")},
        {"products.csv": TABLE, "stores.csv": b"city,street\nBonn,Ring\n", "A.JPG": jpeg("red")},
    ],
)
def test_the_catalogue_in_a_zip_is_found(tmp_path: Path, files: dict[str, bytes]) -> None:
    report = run(source(tmp_path, packed(files), "shop.zip"))
    assert (counts(report), report["photos_added"]) == ((1, 0, 0, 0), 1)


def test_of_two_catalogues_in_a_zip_one_is_named(tmp_path: Path) -> None:
    path = source(tmp_path, packed({"a/spring.csv": TABLE, "b/autumn.csv": TABLE.replace(b"m1", b"m2")}), "shop.zip")
    with pytest.raises(CommandError, match=r"there are 2 tables in the archive") as error:
        run(path)
    assert "--table a/spring.csv" in str(error.value)
    run(path, "--table", "autumn.csv")
    only(sku="m2")
    with pytest.raises(CommandError, match=r"there is no file winter\.csv in the archive"):
        run(path, "--table", "winter.csv")


# Names of photos


@pytest.mark.parametrize(
    ("stored_as", "named"),
    [
        ("red.jpg", "RED.JPG"),
        ("images/Red.JPG", "red.jpg"),
        ("photos/red.jpg", "red.jpg"),
        ("images/m/h/red.jpg", "/m/h/red.jpg"),
        ("somewhere/below/red.jpg", "red.jpg"),
        ("somewhere/red.jpg", "C:\\shop\\red.jpg"),
        ("images/red mug.jpg", "/media/red%20mug.jpg"),
        ("images/m1.jpg", "M1"),
        ("images/m1.5.jpg", "m1.5"),
        ("images/red.jpg", "red.PNG"),
        (unicodedata.normalize("NFD", "müsli.jpg"), unicodedata.normalize("NFC", "Müsli.jpg")),
        (unicodedata.normalize("NFC", "müsli.jpg"), unicodedata.normalize("NFD", "müsli.jpg")),
    ],
)
def test_a_photo_is_found(tmp_path: Path, stored_as: str, named: str) -> None:
    source(tmp_path, jpeg("red"), stored_as)
    report = run(source(tmp_path, f"sku,title,image\nm1,Mug,{named}\n"))
    assert (report["photos_added"], report["photos_rejected"]) == (1, 0)


def test_a_name_that_several_files_have_is_not_guessed(tmp_path: Path) -> None:
    source(tmp_path, jpeg("red"), "a/mug.jpg")
    source(tmp_path, jpeg("blue"), "b/mug.jpg")
    report = run(source(tmp_path, "sku,title,image\nm1,Mug,mug.jpg\nm2,Mug,b/mug.jpg\n"))
    assert report["photos_added"] == 1
    assert "there are several files mug.jpg" in problems(report)[0][1]


def test_photos_named_by_sku_need_no_column(tmp_path: Path) -> None:
    source(tmp_path, jpeg("red"), "images/1001.jpg")
    source(tmp_path, jpeg("blue"), "images/1002.jpg")
    source(tmp_path, b"no picture", "images/1003.txt")
    report = run(source(tmp_path, "sku,title\n1001,Mug\n1002,Bowl\n1003,Jug\n"), "--map", "image=sku")
    assert (report["photos_added"], [reason for _, reason in problems(report)]) == (
        2,
        [f"there is no file 1003 in {tmp_path}"],
    )


def test_a_photo_beside_the_folder_of_photos_is_not_read(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.jpg")
    report = run(source(tmp_path / "shop", "sku,title,image\nm1,Mug,../secret.jpg\nm2,Mug,/../secret.jpg\n"))
    assert (report["photos_rejected"], ProductImage.objects.count()) == (2, 0)


# Texts


def test_titles_and_descriptions_are_freed_of_html_in_every_format(tmp_path: Path) -> None:
    run(
        source(
            tmp_path, 'sku,title,description\nm1,<b>Tea</b> &amp; mug <M>,"<p>One</p><p>two</p>\\nthree &lt;4&gt;"\n'
        )
    )
    only(title="Tea & mug <M>", description="One\ntwo\nthree <4>")
