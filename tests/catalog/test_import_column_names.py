"""Columns that are known by their names: in many languages, with the word for a product in them, and those that are empty."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.rows import InvalidSource, Row
from product_files.sources import open_catalogue
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, product

pytestmark = pytest.mark.django_db


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "products.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "Artikelnummer;Produktnamn;Beskrivning;Kategori;Varumärke;Pris;Jämförpris;Lagersaldo;Färg;Storlek",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;0;röd;M",
        ),
        (
            "Varenummer;Produktnavn;Beskrivelse;Kategori;Mærke;Pris;Førpris;På lager;Farve;Størrelse",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;ikke på lager;röd;M",
        ),
        (
            "Varenummer;Produktnavn;Beskrivelse;Kategori;Merke;Pris;Førpris;Lagerstatus;Farge;Størrelse",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;utsolgt;röd;M",
        ),
        (
            "Tuotekoodi;Tuotenimi;Tuotekuvaus;Kategoria;Valmistaja;Hinta;Vanha hinta;Saatavuus;Väri;Koko",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;loppu;röd;M",
        ),
        (
            "Cikkszám;Terméknév;Leírás;Kategória;Gyártó;Bruttó ár;Eredeti ár;Elérhetőség;Szín;Méret",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;nincs raktáron;röd;M",
        ),
        (
            "Cod produs;Denumire;Descriere;Categorie;Producător;Preț;Preț vechi;Disponibilitate;Culoare;Mărime",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;stoc epuizat;röd;M",
        ),
        (
            "Stok Kodu;Ürün Ad\u0131;Aç\u0131klama;Kategori;Marka;Sat\u0131ş Fiyat\u0131;Piyasa Fiyat\u0131;Stok Durumu;Renk;Beden",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;Stokta yok;röd;M",
        ),
        (
            "Κωδικός;Όνομα;Περιγραφή;Κατηγορία;Κατασκευαστής;Τιμή;Αρχική τιμή;Διαθεσιμότητα;Χρώμα;Μέγεθος",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;εξαντλημένο;röd;M",
        ),
        (
            "商品コード;商品名;商品説明;カテゴリ;ブランド;販売価格;通常価格;在庫状況;カラー;サイズ",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;在庫切れ;röd;M",
        ),
        (
            "상품코드;상품명;상품 상세설명;카테고리;브랜드;판매가;소비자가;재고;색상;사이즈",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;품절;röd;M",
        ),
        (
            "商品编码;商品名称;商品描述;商品分类;品牌;价格;市场价;库存;颜色;尺码",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;缺货;röd;M",
        ),
        (
            "Kode Produk;Nama Produk*;Deskripsi Produk;Kategori;Merek;Harga;Harga Coret;Ketersediaan;Warna;Ukuran",
            "t1;Tröja;Mjuk;Kläder > Tröjor;Anna;199,50;299,00;habis;röd;M",
        ),
    ],
    ids=["sv", "da", "nb", "fi", "hu", "ro", "tr", "el", "ja", "ko", "zh", "id"],
)
def test_columns_are_known_in_the_languages_of_shops(tmp_path: Path, header: str, line: str) -> None:
    report = run(table(tmp_path, header, line))
    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    found = product("t1")
    assert (found.title, found.description, found.brand) == ("Tröja", "Mjuk", "Anna")
    assert (found.price, found.list_price, found.available) == (Decimal("199.50"), Decimal(299), False)
    assert found.attributes == {"color": "röd", "size": "M"}
    assert categories("t1") == ["kläder/tröjor"]


def test_a_table_in_shift_jis_says_what_is_shown_in_japanese(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "商品コード,商品名,公開ステータス(名称),商品画像,販売価格,在庫数",
        'c1,抹茶アイス,公開,"c1.png,c2.png",1980,3',
        "c2,チェリーアイス,非公開,c3.png,2800,0",
        encoding="cp932",
    )
    shown, hidden = _rows(path)
    assert shown.product is not None
    assert hidden.product is not None
    assert (shown.product.title, shown.product.active, hidden.product.active) == ("抹茶アイス", True, False)
    assert (shown.product.price, hidden.product.available) == (Decimal(1980), False)
    assert [photo.name for photo in shown.photos or ()] == ["c1.png", "c2.png"]


def test_prices_stock_and_categories_of_jtl_are_known(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Artikelnummer;Artikelname;Brutto-VK;UVP;Lagerbestand Gesamt;Kategorie Ebene 1;Kategorie Ebene 2;"
        "Identifizierungsspalte Vaterartikel",
        "h1;Hemd S;29,90;39,90;0;Mode;Hemden;h",
    )
    run(path)
    shirt = product("h1")
    assert (shirt.price, shirt.list_price, shirt.available) == (Decimal("29.90"), Decimal("39.90"), False)
    assert (shirt.family_code, categories("h1")) == ("h", ["mode/hemden"])


def test_the_word_for_a_product_may_be_a_part_of_the_name(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "productcode,productname,productprice,listprice,productmanufacturer,products_description_en",
        "c1,Chair,199.99,249.99,Anna,Soft",
    )
    run(path)
    chair = product("c1")
    assert (chair.price, chair.list_price, chair.brand) == (Decimal("199.99"), Decimal("249.99"), "Anna")
    assert chair.description == "Soft"


def test_an_empty_column_gives_way_to_one_that_is_not(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "TITLE,NAME,product-code,code,price",
        ",Boots,,b1,99.99",
        ",Sandals,,b2,49.99",
    )
    report = run(path)
    assert counts(report) == (2, 0, 0, 0)
    assert "NAME → title" in str(report["notes"])
    assert product("b1").title == "Boots"


def test_a_column_that_is_not_always_empty_keeps_its_field(tmp_path: Path) -> None:
    path = table(tmp_path, "title,name,sku,price", ",Boots,b1,99.99", "Sandal,Sandals,b2,49.99")
    report = run(path)
    assert problems(report) == [(2, "the title is empty")]
    assert product("b2").title == "Sandal"


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("Référence;Nom;Label;Prix", "m1;Tasse;Bio;5"),
        ("Artikelnummer;Prod_ID;Name;Rubrik;Preis;Gross", "m1;77;Tasse;Küche;5;0,3"),
        ("Codice;Nome;Prezzo;Normal Price;Full Name", "m1;Tasse;5;9;Mario Rossi"),
        ("SKU;Label;Title (de);Gross;Price (EUR)", "m1;Bio;Tasse;7;5"),
    ],
)
def test_names_in_the_language_of_a_table_say_more_than_others(tmp_path: Path, header: str, line: str) -> None:
    run(table(tmp_path, header, line))
    assert (product("m1").title, product("m1").price) == ("Tasse", Decimal(5))


def test_a_german_rubric_is_a_category_and_no_title(tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match="no column is mapped to the field title"):
        _rows(table(tmp_path, "Artikelnummer;Rubrik;Preis", "m1;Küche;5"))


def test_a_currency_stands_in_the_name_of_a_required_column(tmp_path: Path) -> None:
    run(table(tmp_path, "SKU,Nama Produk*,Harga (Rp)*", "k1,Kaos,150.000"))
    shirt = product("k1")
    assert (shirt.price, shirt.currency) == (Decimal(150000), "IDR")


def _rows(path: Path) -> list[Row]:
    with open_catalogue(path, FieldMapping()) as catalogue:
        return list(catalogue)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("Codice;Descrizione;Prezzo;Giacenza", "a1;Tazza blu;12,50;0"),
        ("Art.-Nr.;Beschreibung;VK brutto;Bestand", "a1;Tazza blu;12,50;0"),
        ("Referencia;Descripción;PVP;Existencias", "a1;Tazza blu;12,50;0"),
        ("Stock Code;Description;Unit Price;Quantity", "a1;Tazza blu;12,50;0"),
    ],
)
def test_the_one_text_of_a_price_list_is_the_title(tmp_path: Path, header: str, line: str) -> None:
    report = run(table(tmp_path, header, line))
    assert (counts(report), product("a1").title, product("a1").price) == ((1, 0, 0, 0), "Tazza blu", Decimal("12.50"))
    assert product("a1").description == ""
    assert f"there is no column of titles: a title is {header.split(';')[1]}" in report["notes"]


def test_an_import_that_only_changes_products_takes_no_text_as_the_title(tmp_path: Path) -> None:
    with open_catalogue(table(tmp_path, "sku,description", "a1,Blue mug"), FieldMapping(update_only=True)) as catalogue:
        (row,) = catalogue
    assert row.product is not None
    assert row.fields is not None
    assert ("title" in row.fields, row.product.description) == (False, "Blue mug")


def test_a_text_of_html_is_no_title(tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match="no column is mapped to the field title"):
        _rows(table(tmp_path, "sku,description,price", "a1,<p>Blue mug</p>,5"))


def test_the_name_of_a_page_identifies_a_product_where_nothing_else_does(tmp_path: Path) -> None:
    (row,) = _rows(table(tmp_path, "name,slug,price", "Blue mug,blue-mug,5"))
    assert row.sku == "blue-mug"


def test_a_standard_price_is_the_list_price_beside_another(tmp_path: Path) -> None:
    (row,) = _rows(table(tmp_path, "sku,name,standard price,price with vat", "m1,Mug,12,10"))
    assert row.product is not None
    assert (row.product.price, row.product.list_price) == (Decimal(10), Decimal(12))


def test_html_that_was_escaped_twice_is_text(tmp_path: Path) -> None:
    (row,) = _rows(table(tmp_path, "sku,name,description", "m1,Mug,&lt;!--Start--&gt;&lt;p&gt;Blue&nbsp;mug&lt;/p&gt;"))
    assert row.product is not None
    assert row.product.description == "Blue mug"


def test_lines_that_say_which_cells_are_required_are_no_products(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "ps_category|0|0,ps_product_name|1|0,ps_price|1|1,ps_sku_short|0|0",
        "mass_new_basic,123,,",
        "Category,Product Name,Price,SKU",
        "Optional,Mandatory,Mandatory,Conditional",
        "100017,Shirt,199,s1",
    )
    (row,) = _rows(path)
    assert (row.line, row.sku) == (5, "s1")


@pytest.mark.parametrize("numbers", [("100017", "100018"), ("12;13", "14")])
def test_categories_that_are_numbers_are_left_out(tmp_path: Path, numbers: tuple[str, str]) -> None:
    path = table(tmp_path, "sku,title,category", f"s1,Shirt,{numbers[0]}", f"s2,Shirt,{numbers[1]}")
    report = run(path)
    assert product("s1").category is None
    assert "columns that are not used: category" in report["notes"]


def test_categories_of_which_one_is_a_number_are_names(tmp_path: Path) -> None:
    run(table(tmp_path, "sku,title,category", "s1,Shirt,1984", "s2,Shirt,Books"))
    assert categories("s1") == ["1984"]


def test_brands_that_are_numbers_are_left_out(tmp_path: Path) -> None:
    report = run(table(tmp_path, "sku,title,brand", "s1,Shirt,12", "s2,Shirt,7"))
    assert (report["new_brands"], report["notes"][-1]) == ([], "columns that are not used: brand")


def test_names_of_brands_stand_in_another_column_than_their_numbers(tmp_path: Path) -> None:
    run(table(tmp_path, "sku,title,brand,manufacturer", "s1,Shirt,12,Acme", "s2,Shirt,7,Kiln"))
    assert [each.brand for each in Product.objects.order_by("sku")] == ["Acme", "Kiln"]


def test_a_column_of_numbers_that_is_mapped_to_the_brand_is_the_brand(tmp_path: Path) -> None:
    run(table(tmp_path, "sku,title,brand", "s1,Cologne,4711", "s2,Soap,4711"), "--map", "brand=brand")
    assert {each.brand for each in Product.objects.all()} == {"4711"}


def test_brands_that_are_numbers_in_json_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "products.json"
    path.write_text('[{"sku": "s1", "title": "Shirt", "brand": 12}, {"sku": "s2", "title": "Cap", "brand": 7}]')
    assert run(path)["new_brands"] == []


@pytest.mark.parametrize("name", ["Artikelnummer", "Артикул", "kod produktu", "référence produit", "商品コード"])
def test_an_article_number_in_any_language_is_the_sku_rather_than_a_bare_id(tmp_path: Path, name: str) -> None:
    run(table(tmp_path, f"id,{name},title", "1,A-1,Shirt", "2,A-2,Cap"))
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["A-1", "A-2"]


@pytest.mark.parametrize(("tax", "is_net"), [("products_tax_class_id", True), ("products_weight", False)])
def test_prices_of_oscommerce_s_database_are_without_tax(tmp_path: Path, tax: str, is_net: bool) -> None:
    report = run(table(tmp_path, f"products_model,products_name,products_price,{tax}", "m1,Mug,10.0000,1"))
    assert ("the prices are without tax, of the type products_price" in report["notes"]) == is_net


def test_a_category_of_a_mark_alone_is_none(tmp_path: Path) -> None:
    assert counts(run(table(tmp_path, "sku,title,category", "s1,Shirt,>", "s2,Cap,Caps > Wool"))) == (2, 0, 0, 0)
    assert categories("s2") == ["caps/wool"]
