"""Forms of files that shops and data sets have published: names of columns, lists in cells, products by category, prices."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from product_files.mapping import FieldMapping
from product_files.rows import InvalidSource, NoColumn, Row, RowRejected
from product_files.sources import open_catalogue
from product_files.values.prices import parse_price
from tests.catalog.importing import of, photos


def rows(path: Path, **columns: str) -> list[Row]:
    mapping = FieldMapping().with_columns(list(columns.items()))
    with open_catalogue(path, mapping) as catalogue:
        return list(catalogue)


def notes(path: Path) -> list[str]:
    with open_catalogue(path, FieldMapping()) as catalogue:
        assert list(catalogue)
        return [str(note) for note in catalogue.notes]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def table(folder: Path, *lines: str) -> Path:
    return written(folder, "products.csv", "\n".join(lines) + "\n")


def in_json(folder: Path, content: Any) -> Path:
    return written(folder, "products.json", json.dumps(content))


# Prices


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("Rs. 500/-", "500", "INR"),
        ("199:-", "199", ""),
        ("USD $12.50", "12.50", "USD"),
        ("MXN$ 120", "120", "MXN"),
        ("AU $12.00", "12.00", "AUD"),
        ("1,200円(税込)", "1200", "JPY"),
        ("12,50 € (inkl. MwSt.)", "12.50", "EUR"),
        ("12.50 (USD)", "12.50", "USD"),
        ("$12.50 (AUD)", "12.50", "AUD"),
        ("12,50 € (EUR)", "12.50", "EUR"),
        ("1.299.000 VNĐ", "1299000", "VND"),
        ("150 LE", "150", "EGP"),
        ("1,200 Tk", "1200", "BDT"),
        ("12 тенге", "12", "KZT"),
    ],
)
def test_prices_are_read_as_shops_of_their_country_write_them(text: str, amount: str, currency: str) -> None:
    price = parse_price(text)
    assert price is not None
    assert (price.amount, next(iter(price.currencies), "")) == (Decimal(amount), currency)


def test_a_price_with_another_currency_in_brackets_is_not_read() -> None:
    with pytest.raises(RowRejected, match="not a price"):
        parse_price("12.50 € (USD)")


# Names of columns


def test_a_list_price_is_no_price_beside_a_column_of_prices_with_another_name(tmp_path: Path) -> None:
    path = table(
        tmp_path, "ID товара;Название;Цена магазина;Старая цена", *(f"t{n};Чай;{n}90;Нет старой цены" for n in "123")
    )
    found = rows(path)
    assert [(of(row).price, of(row).list_price, row.warnings) for row in found] == [
        (Decimal(f"{n}90"), None, ()) for n in "123"
    ]


@pytest.mark.parametrize(
    ("name", "cell"), [("price group", "gold"), ("price level", "1"), ("price info", "from stock")]
)
def test_a_list_price_beside_a_column_without_prices_is_the_price(tmp_path: Path, name: str, cell: str) -> None:
    (row,) = rows(table(tmp_path, f"sku;title;msrp;{name}", f"m1;Mug;9.50;{cell}"))
    assert (of(row).price, of(row).list_price) == (Decimal("9.50"), None)


def test_the_only_column_with_prices_is_the_price_in_the_currency_of_its_name(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "Артикул;Название;Цена в рублях;Оценка", "a1;Пальто;10593;4.8"))
    assert (of(row).price, of(row).currency) == (Decimal(10593), "RUB")


@pytest.mark.parametrize("names", ["Cost price", "Price min;Price max", "Price type", "Preis pro Einheit netto"])
def test_what_others_pay_and_what_is_no_price_is_not_taken_for_the_price(tmp_path: Path, names: str) -> None:
    (row,) = rows(table(tmp_path, f"sku;title;{names}", "m1;Mug;5;6" if ";" in names else "m1;Mug;5"))
    assert of(row).price is None


def test_a_column_of_products_has_their_titles_where_nothing_else_does(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "ID;Artikel;VK", "1;Handschuhe;8,21"))
    assert (row.sku, of(row).title, of(row).price) == ("1", "Handschuhe", Decimal("8.21"))


def test_numbers_of_products_are_no_titles(tmp_path: Path) -> None:
    with pytest.raises(NoColumn, match="no column is mapped to the field title"):
        rows(table(tmp_path, "id,product,quantity", "1,17,2", "2,18,1"))


def test_the_names_of_spanish_templates_and_turkish_exports_are_known(tmp_path: Path) -> None:
    (shirt,) = rows(
        table(
            tmp_path,
            "NOMBRE DEL PRODUCTO;TIPO DE PRODUCTO;SKU;INVENTARIO;PRECIO;NOMBRE DE LA IMAGEN",
            "Camisa;Camisetas;c1;0;74,90;c1.jpg",
        )
    )
    assert (of(shirt).category, of(shirt).available, photos(shirt)) == (("Camisetas",), False, ["c1.jpg"])
    path = written(
        tmp_path,
        "urunler.xml",
        "<root><urun><StokKodu>s1</StokKodu><StokAdi>Manet</StokAdi><MarkId>17</MarkId><MarkaAdi>Accel</MarkaAdi>"
        "<SatisFiyati1>45,00</SatisFiyati1><currencyAbbr>TL</currencyAbbr><Envanter>3</Envanter></urun></root>",
    )
    (lever,) = rows(path)
    assert (of(lever).title, of(lever).brand, of(lever).price, of(lever).currency) == (
        "Manet",
        "Accel",
        Decimal(45),
        "TRY",
    )


def test_a_product_without_sku_is_known_by_its_link(tmp_path: Path) -> None:
    path = table(tmp_path, "name,price,link", "Lamp,10,https://x.test/lamp", "Sofa,20,https://x.test/sofa")
    assert [row.sku for row in rows(path)] == ["https://x.test/lamp", "https://x.test/sofa"]
    assert "there is no column of SKUs: the SKU of a product is its link in link" in notes(path)


def test_a_table_without_skus_and_links_says_that_titles_can_be_mapped_and_takes_them(tmp_path: Path) -> None:
    path = table(tmp_path, "name,price", "Lamp,10", "Sofa,20")
    with pytest.raises(NoColumn, match="If no two products have the same title, map name to sku"):
        rows(path)
    assert [(row.sku, of(row).title) for row in rows(path, sku="name")] == [("Lamp", "Lamp"), ("Sofa", "Sofa")]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "Mã sản phẩm;Tên sản phẩm;Danh mục;Thương hiệu;Giá bán;Tồn kho;Hình ảnh",
            "a1;Áo;Thời trang;Canifa;199000;0;a.jpg",
        ),
        ("รหัสสินค้า;ชื่อสินค้า;หมวดหมู่;แบรนด์;ราคา;สต็อก;รูปภาพ", "a1;Áo;Thời trang;Canifa;199000;0;a.jpg"),
        ("Šifra;Naziv;Kategorija;Proizvođač;Cijena;Zaliha;Slika", "a1;Áo;Thời trang;Canifa;199000;0;a.jpg"),
        ("Kód produktu;Názov;Kategória;Značka;Cena;Sklad;Obrázok", "a1;Áo;Thời trang;Canifa;199000;0;a.jpg"),
        ("Tootekood;Toote nimi;Kategooria;Tootja;Hind;Laoseis;Pilt", "a1;Áo;Thời trang;Canifa;199000;0;a.jpg"),
        ("קוד מוצר;שם מוצר;קטגוריה;מותג;מחיר;מלאי;תמונה", "a1;Áo;Thời trang;Canifa;199000;0;a.jpg"),
        (
            "SKU (unique);Name (as customers see it);Category (the lowest);Brand;Price;Stock;Image (jpg or png)",
            "a1;Áo;Thời trang;Canifa;199000;0;a.jpg",
        ),
    ],
    ids=["vi", "th", "hr", "sk", "et", "he", "template"],
)
def test_more_languages_and_explained_names_are_known(tmp_path: Path, header: str, line: str) -> None:
    (row,) = rows(table(tmp_path, header, line))
    shirt = of(row)
    assert (row.sku, shirt.title, shirt.category, shirt.brand) == ("a1", "Áo", ("Thời trang",), "Canifa")
    assert (shirt.price, shirt.available, photos(row)) == (Decimal(199000), False, ["a.jpg"])


def test_a_kind_of_price_in_brackets_is_not_the_price(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "sku;title;Price (wholesale)", "m1;Mug;5"))
    assert of(row).price is None


def test_the_only_price_is_the_price_whatever_columns_have_no_prices_in_them(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "sku;title;MRP;our selling price", "m1;Mug;5;"))
    assert (of(row).price, of(row).list_price) == (Decimal(5), None)


# Feeds


def heureka(folder: Path, *items: tuple[str, str]) -> Path:
    products = "".join(
        f"<SHOPITEM><ITEM_ID>{n}</ITEM_ID><PRODUCTNAME>Tričko</PRODUCTNAME><URL>{link}</URL><PRICE_VAT>250</PRICE_VAT>"
        f"<CATEGORYTEXT>{category}</CATEGORYTEXT></SHOPITEM>"
        for n, (link, category) in enumerate(items)
    )
    return written(folder, "heureka.xml", f"<SHOP>{products}</SHOP>")


def test_a_feed_has_the_currency_that_one_of_its_categories_names(tmp_path: Path) -> None:
    path = heureka(tmp_path, ("https://x.test/1", "Móda"), ("https://x.test/2", "Heureka.cz | Móda"))
    assert [of(row).currency for row in rows(path)] == ["CZK", "CZK"]


def test_a_feed_without_currency_has_that_of_the_country_of_its_links(tmp_path: Path) -> None:
    path = heureka(tmp_path, ("https://obchod.cz/1", "Móda"), ("https://www.obchod.cz/2", "Móda"))
    assert [of(row).currency for row in rows(path)] == ["CZK", "CZK"]
    assert "the currency is CZK, as the column URL says" in notes(path)


def test_variants_with_the_sku_of_their_product_have_their_own_where_a_column_has_it(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,name,variant_sku", "v1,Vest,v1-s", "v1,Vest,v1-m", "t1,Tie,t1-one", "t1,Tie,t1-two")
    assert [(row.sku, of(row).family) for row in rows(path)] == [
        ("v1-s", "v1"),
        ("v1-m", "v1"),
        ("t1-one", "t1"),
        ("t1-two", "t1"),
    ]
    note = "several products have the same text in sku, so that it is their family; their SKUs are in variant_sku"
    assert note in notes(path)


def test_products_that_a_table_has_twice_stay_what_they_are(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,name,variant_sku,order_id", "v1,Vest,,1", "v1,Vest,,2", "t1,Tie,t1-one,3")
    assert [row.sku for row in rows(path)] == ["v1", "v1", "t1"]


def test_a_price_with_its_currency_counts_before_a_base_price(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "sku,name,base_price,price_usd", "v1,Vest,6500,$65.00"))
    assert (of(row).price, of(row).currency) == (Decimal(65), "USD")


def test_further_photos_in_two_columns_of_one_name_do_not_keep_a_table_from_being_read(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "sku,name,image,gallery_urls,gallery_urls", "v1,Vest,1.jpg,2.jpg,3.jpg"))
    assert photos(row) == ["1.jpg"]


def test_a_sku_that_a_correction_repeats_is_still_the_sku_beside_numbers_of_styles(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,name,style id", "v1,Vest,1", "v1,Vest in blue,2", "t1,Tie,3", "t2,Tie,4")
    assert [row.sku for row in rows(path)] == ["v1", "v1", "t1", "t2"]


def test_a_table_of_variants_without_rows_has_no_family(tmp_path: Path) -> None:
    with open_catalogue(table(tmp_path, "vendorSkuCode,name,styleId"), FieldMapping()) as catalogue:
        assert "family" not in catalogue.columns
        assert catalogue.columns["sku"] == ("vendorSkuCode",)


def test_a_number_that_a_data_set_repeats_gives_way_to_its_id(tmp_path: Path) -> None:
    path = table(tmp_path, "id,product_uid,product_title", "1,100,Shirt", "2,100,Shirt in blue", "3,101,Watch")
    assert [row.sku for row in rows(path)] == ["1", "2", "3"]


# Cells


def test_lists_in_a_cell_are_read_as_json_and_python_write_them(tmp_path: Path) -> None:
    (row,) = rows(
        table(
            tmp_path,
            "sku;title;category;tags;image",
            """s1;Shorts;"[""Clothing >> Women's Clothing >> Shorts""]";['cycling', 'black'];"""
            "['https://x.test/1.jpg', 'https://x.test/2.jpg', 'https://x.test/1.jpg']",
        )
    )
    assert (of(row).category, of(row).tags) == (("Clothing", "Women's Clothing", "Shorts"), ["cycling", "black"])
    assert photos(row) == ["https://x.test/1.jpg", "https://x.test/2.jpg"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["Home > Laundry, Cleaning & Storage > Tissues"], [("Home", "Laundry, Cleaning & Storage", "Tissues")]),
        (["Clothing > Shirts, Sale > Summer"], [("Clothing", "Shirts"), ("Sale", "Summer")]),
        (
            ["Sport > Balls, Home & Garden > Pools", "Home & Garden > Chairs"],
            [("Sport", "Balls"), ("Home & Garden", "Pools")],
        ),
        # The first part is a category elsewhere, so that the comma ends it, but not where several have the name with the comma.
        (["Sport > Balls, Home & Garden > Pools", "Sport > Balls"], [("Sport", "Balls"), ("Home & Garden", "Pools")]),
        (
            ["Home > Kitchen, Dining and Bar > Cups", "Home > Kitchen > Pots"],
            [("Home", "Kitchen, Dining and Bar", "Cups")],
        ),
        (
            [
                "Home > Laundry, Cleaning & Storage > Tissues",
                "Home > Laundry, Cleaning & Storage > Bins",
                "Home > Laundry",
            ],
            [("Home", "Laundry, Cleaning & Storage", "Tissues")],
        ),
    ],
)
def test_a_comma_in_the_name_of_a_category_is_not_between_two(
    tmp_path: Path, cells: list[str], expected: list[tuple[str, ...]]
) -> None:
    found = of(rows(table(tmp_path, "sku;title;category", *(f"s{n};Thing;{cell}" for n, cell in enumerate(cells))))[0])
    assert [tuple(found.category), *map(tuple, found.other_categories)] == expected


# JSON


_TEE = {"id": "t", "name": "Tee", "price": 10}
_DRESS = {"id": "d", "name": "Dress", "price": 40}


@pytest.mark.parametrize(
    "content",
    [
        {"men": [_TEE], "women": [_DRESS]},
        {"store": {"men": {"items": [_TEE]}, "women": {"items": [_DRESS]}}},
        [{"name": "men", "products": [_TEE]}, {"name": "women", "products": [_DRESS]}],
        {"categories": [{"category": "men", "items": [_TEE]}, {"category": "women", "items": [_DRESS]}]},
    ],
)
def test_products_that_are_listed_by_category_are_in_it(tmp_path: Path, content: Any) -> None:
    found = [(row.sku, of(row).title, of(row).category, of(row).price) for row in rows(in_json(tmp_path, content))]
    assert found == [("t", "Tee", ("men",), Decimal(10)), ("d", "Dress", ("women",), Decimal(40))]


def test_categories_by_the_names_around_a_list_have_their_levels(tmp_path: Path) -> None:
    screws = [{"Наименование": "Винт", "Артикул": "v1", "Описание": "шаг"}]
    nuts = [{"Наименование": "Гайка", "Артикул": "g1", "Описание": "шаг"}]
    found = rows(in_json(tmp_path, {"Крепёж": {"Винты": screws, "Гайки": nuts}}))
    assert [of(row).category for row in found] == [("Крепёж", "Винты"), ("Крепёж", "Гайки")]


@pytest.mark.parametrize(
    "content",
    [
        {"featured": [_TEE], "products": [_TEE, _DRESS]},
        {"products": [_TEE, _DRESS], "bestsellers": [_TEE], "items": [_TEE]},
    ],
)
def test_of_a_list_of_products_beside_others_that_one_alone_is_read(tmp_path: Path, content: Any) -> None:
    found = rows(in_json(tmp_path, content))
    assert [(row.sku, of(row).category) for row in found] == [("t", ()), ("d", ())]


def test_products_of_a_category_in_a_named_list_are_read_with_those_of_others(tmp_path: Path) -> None:
    found = rows(in_json(tmp_path, {"store": {"men": {"items": [_TEE]}, "women": [_DRESS]}}))
    assert [(row.sku, of(row).category) for row in found] == [("t", ("men",)), ("d", ("women",))]


@pytest.mark.parametrize("own", [{"sku": "b", "name": "Outfit"}, {"id": "b", "name": "Outfit", "brand": "Acme"}])
@pytest.mark.parametrize("place", ["products", "items"])
def test_a_bundle_is_a_product_and_no_category_of_what_it_consists_of(
    tmp_path: Path, own: dict[str, str], place: str
) -> None:
    found = rows(in_json(tmp_path, [{**own, place: [_TEE, _DRESS]}, {next(iter(own)): "c", "name": "Cap", "price": 5}]))
    assert [(row.sku, of(row).title) for row in found] == [("b", "Outfit"), ("c", "Cap")]


def test_the_only_list_of_products_is_read_whatever_its_name_is_and_what_stands_beside_it(tmp_path: Path) -> None:
    found = rows(in_json(tmp_path, {"generated_at": "2026-02-08", "dishes": [_TEE, _DRESS], "notes": ["a"]}))
    assert [row.sku for row in found] == ["t", "d"]


def test_attributes_in_a_list_of_names_and_values_are_those_of_products_and_variants(tmp_path: Path) -> None:
    size = [{"name": "Colour", "value": "red"}, {"name": "Sizes", "values": ["S", "M"]}]
    (mug,) = rows(in_json(tmp_path, [{**_TEE, "attributes": size}]))
    assert of(mug).attributes == {"colour": "red", "sizes": "S, M"}
    variants = [
        {"sku": "t1", "price": 10, "attributes": [{"key": "fit", "value": {"text": ["slim"]}}]},
        {"sku": "t2", "price": 12, "attributes": {"fit": "wide"}},
    ]
    found = rows(in_json(tmp_path, [{**_TEE, "attributes": {"fit": "any", "wash": "cold"}, "variants": variants}]))
    assert [of(row).attributes for row in found] == [{"fit": "slim", "wash": "cold"}, {"fit": "wide", "wash": "cold"}]


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_attribute_without_a_value_in_a_list_is_none(tmp_path: Path, empty: Any) -> None:
    size = {"name": "Size", "value": empty}
    found = rows(
        in_json(
            tmp_path,
            [{**_TEE, "attributes": [{"name": "Colour", "value": "red"}, size]}, {**_DRESS, "attributes": [size]}],
        )
    )
    assert [of(row).attributes for row in found] == [{"colour": "red"}, {}]


def test_products_of_googles_retail_api_have_prices_photos_brands_and_families(tmp_path: Path) -> None:
    product = {
        "id": "h-red",
        "type": "VARIANT",
        "primaryProductId": "h",
        "title": "Horse - Red",
        "brands": ["Acme", "Toys"],
        "categories": ["Toys > Animals, Bugs & Dinosaurs > Horses", "Gifts, Cards & Games > For Children"],
        "priceInfo": {"currencyCode": "USD", "price": 24.99, "originalPrice": 29.99},
        "images": [{"uri": "https://x.test/h.jpg", "height": 100, "width": 100}],
    }
    (row,) = rows(in_json(tmp_path, [product]))
    horse = of(row)
    assert (horse.price, horse.list_price, horse.currency) == (Decimal("24.99"), Decimal("29.99"), "USD")
    assert (horse.brand, horse.family, photos(row)) == ("Acme, Toys", "h", ["https://x.test/h.jpg"])
    assert [tuple(path) for path in (horse.category, *horse.other_categories)] == [
        ("Toys", "Animals, Bugs & Dinosaurs", "Horses"),
        ("Gifts, Cards & Games", "For Children"),
    ]


# XML


def test_a_document_type_may_say_what_elements_have_and_define_signs(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "products.xml",
        '<?xml version="1.0"?>\n<!DOCTYPE products [<!ELEMENT product (sku,name)><!ATTLIST product id CDATA #IMPLIED>'
        '<!ENTITY half "½">]>\n<products><product id="1"><sku>m1</sku><name>Mug &half;</name></product></products>',
    )
    assert [of(row).title for row in rows(path)] == ["Mug ½"]


@pytest.mark.parametrize(
    "definition",
    ['<!ENTITY long "0123456789">', '<!ENTITY file SYSTEM "x.txt">', '<!ATTLIST product kind CDATA "of a default">'],
)
def test_a_document_type_may_not_make_a_file_longer(tmp_path: Path, definition: str) -> None:
    content = f"<!DOCTYPE products [{definition}]><products><product><sku>m1</sku><name>Mug</name></product></products>"
    with pytest.raises(InvalidSource, match="document type declaration"):
        rows(written(tmp_path, "products.xml", content))


def test_elements_in_any_language_and_encoding_are_no_feed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.xml"
    text = (
        '<?xml version="1.0" encoding="windows-1251"?><Товары>'
        '<Товар Код="1" Название="Бумага"><Цена>11.50</Цена></Товар><Товар Код="2" Название="Перо"><Цена>2</Цена></Товар></Товары>'
    )
    path.write_text(text, encoding="cp1251")
    assert [(row.sku, of(row).title, of(row).price) for row in rows(path)] == [
        ("1", "Бумага", Decimal("11.50")),
        ("2", "Перо", Decimal(2)),
    ]
