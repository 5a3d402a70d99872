"""Tables of further shop systems and marketplaces, with the columns that these systems write."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from django.core.management import CommandError

from catalog.models import Product
from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, photos_in, product, write
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

AWIN = (
    "aw_deep_link,product_name,aw_product_id,merchant_product_id,merchant_image_url,alternate_image,description,merchant_category,"
    "brand_name,currency,search_price,rrp_price,in_stock,is_for_sale,Fashion:size,colour,ean"
)
SHOPWARE_5 = (
    "ordernumber;mainnumber;name;supplier;tax;price_EK;pseudoprice_EK;active;instock;description;description_long;laststock;ean;"
    "configuratorOptions;categories;keywords"
)
SHOPWARE = (
    "id;parent_id;product_number;active;stock;name;description;price_net;price_gross;tax_rate;cover_media_url;manufacturer_name;"
    "categories;optionIds"
)
MEDUSA = (
    "Product Id,Product Handle,Product Title,Product Description,Product Status,Product Thumbnail,Product Collection Title,"
    "Product Tags,Variant Id,Variant Title,Variant SKU,Variant Barcode,Variant Inventory Quantity,Price SEK,Price USD,"
    "Option 1 Name,Option 1 Value"
)
SQUARE = (
    "Token,Item Name,Variation Name,SKU,Description,Categories,GTIN,Item Type,Price,Archived,Option Name 1,Option Value 1,"
    "Current Quantity Old Town"
)
CS_CART = "Product code,Language,Category,List price,Price,Status,Quantity,Product name,Description,Detailed image"
AKENEO = "sku;family;parent;groups;categories;enabled;name-en_US;name-de_DE;description-en_US-print;price-EUR;color"
PROM = [
    *(
        "Код_товара",
        "Название_позиции",
        "Ключевые_слова",
        "Описание",
        "Цена",
        "Валюта",
        "Ссылка_изображения",
        "Наличие",
    ),
    *("Название_группы", "Уникальный_идентификатор", "Производитель", "Скидка", "ID_группы_разновидностей"),
    *("Название_Характеристики", "Измерение_Характеристики", "Значение_Характеристики") * 2,
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return photos_in(tmp_path) / "products.csv"


def prices(*skus: str) -> list[tuple[Decimal | None, str]]:
    return [(product(sku).price, product(sku).currency) for sku in skus]


def test_the_cost_of_a_product_in_odoo_is_not_its_price(table: Path) -> None:
    write(
        table,
        '"name","type","default_code","barcode","standard_price","list_price","categ_id","qty_available"',
        '"Oak shelf","Storable Product","SH-1","4000000000017",41.5,89.0,"All / Furniture / Shelves",3',
        '"Oak board","Storable Product","SH-2","",12.25,,"All / Furniture",0',
    )
    report = run(table)
    assert (counts(report), prices("SH-1", "SH-2")) == ((2, 0, 0, 0), [(Decimal(89), "EUR"), (None, "EUR")])
    assert (categories("SH-1"), product("SH-2").available) == (["all/furniture/shelves"], False)
    assert any("standard_price" in note for note in report["notes"] if note.startswith("columns that are not used"))


def test_an_export_of_odoo_with_its_labels(table: Path) -> None:
    write(
        table,
        "External ID,Name,Internal Reference,Product Type,Sales Price,Cost,Product Category,Quantity On Hand",
        "__export__.shelf_1,Oak shelf,SH-1,Goods,89.00,41.50,All / Shelves,3",
    )
    run(table)
    assert (prices("SH-1"), categories("SH-1")) == ([(Decimal(89), "EUR")], ["all/shelves"])


def test_a_feed_of_awin(table: Path) -> None:
    write(
        table,
        AWIN,
        "https://track.example/1,Rain coat,901,RC-1,red.jpg,blue.jpg,Dry in rain,Women > Coats,Acme,GBP,49.00,79.00,1,1,M,Navy,",
        "https://track.example/2,Sun hat,902,,,,,Women > Hats,Acme,GBP,9.50,,0,1,,,4000000000017",
    )
    report = run(table)
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    coat, hat = product("RC-1"), product("902")
    assert (coat.price, coat.list_price, coat.currency, coat.brand) == (Decimal(49), Decimal(79), "GBP", "Acme")
    assert (coat.images.count(), coat.attributes["size"], coat.attributes["color"]) == (2, "M", "Navy")
    assert (categories("RC-1"), hat.available, hat.attributes["gtin"]) == (["women/coats"], False, "4000000000017")


def test_variants_of_shopware_5_are_a_family_with_their_options(table: Path) -> None:
    write(
        table,
        SHOPWARE_5,
        "T-1;T-1;Tee;Acme;19;25.00;30.00;1;4;Short;<p>Soft cotton</p>;1;4000000000017;Colour:Red|Size:S;12|14;soft,light",
        "T-1.1;T-1;Tee;Acme;19;25.00;;1;0;;;1;;Colour:Red|Size:L;;",
        "T-1.2;T-1;Tee;Acme;19;25.00;;1;0;;;0;;Colour:Blue|Size:L;;",
    )
    assert counts(run(table)) == (3, 0, 0, 0)
    assert families() == {"T-1": {"T-1", "T-1.1", "T-1.2"}}
    assert product("T-1.1").attributes == {"colour": "Red", "size": "L"}
    # Without stock, only what is not on its last stock can be bought.
    assert [product(sku).available for sku in ("T-1", "T-1.1", "T-1.2")] == [True, False, True]
    assert (product("T-1").list_price, product("T-1").description) == (Decimal(30), "Soft cotton")


def test_variants_of_shopware_take_what_they_lack_from_their_product(table: Path) -> None:
    write(
        table,
        SHOPWARE,
        "a1;;TEE;1;9;Tee;Soft;16.80;20.00;19;red.jpg;Acme;c1|c2;",
        "a2;a1;TEE.1;1;0;;;;;;;;;o1",
        "b1;;CAP;0;3;Cap;;8.40;10.00;19;;;;",
    )
    assert counts(run(table)) == (3, 0, 0, 0)
    assert families() == {"TEE": {"TEE", "TEE.1"}, "CAP": {"CAP"}}
    assert (product("TEE.1").title, product("TEE.1").brand, product("TEE.1").available) == ("Tee", "Acme", False)
    assert (prices("TEE", "TEE.1", "CAP"), product("CAP").active) == (
        [(Decimal(20), "EUR"), (Decimal(20), "EUR"), (Decimal(10), "EUR")],
        False,
    )


def test_the_prices_of_medusa_have_the_currency_of_their_column(table: Path) -> None:
    write(
        table,
        MEDUSA,
        'p1,mug,Mug,Holds tea,published,red.jpg,Kitchen,"tea,cup",v1,Small,M-S,,4,120,12,Size,S',
        'p1,mug,Mug,Holds tea,published,red.jpg,Kitchen,"tea,cup",v2,Large,M-L,,0,140,14,Size,L',
        "p2,pot,Pot,,draft,,Kitchen,,v3,Default,,,1,300,30,,",
    )
    assert counts(run(table)) == (3, 0, 0, 0)
    assert prices("M-S", "M-L", "v3") == [(Decimal(120), "SEK"), (Decimal(140), "SEK"), (Decimal(300), "SEK")]
    assert families() == {"M-S": {"M-S", "M-L"}, "v3": {"v3"}}
    assert (product("M-L").attributes["size"], product("M-S").tags, product("v3").active) == (
        "L",
        ["tea", "cup"],
        False,
    )


def test_a_variant_of_medusa_without_a_price_in_the_first_currency_has_that_of_the_next(table: Path) -> None:
    write(
        table,
        "Product Handle,Product Title,Variant Id,Variant SKU,Variant Manage Inventory,Variant Inventory Quantity,"
        "Price France [EUR],Price USD,Price DKK",
        "mug,Mug,v1,M-S,true,0,11,13,90",
        "mug,Mug,v2,M-L,false,0,12,,95",
        "pot,Pot,v3,P-1,true,2,,,",
    )
    report = run(table)
    assert prices("M-S", "M-L", "P-1") == [(Decimal(13), "USD"), (Decimal(95), "DKK"), (None, "USD")]
    # Its stock is not counted.
    assert (product("M-S").available, product("M-L").available) == (False, True)
    assert [note for note in report["notes"] if "Price France [EUR]" in note and "not used" in note]


def test_the_prices_of_medusa_in_the_currency_that_was_named(table: Path) -> None:
    write(
        table,
        "Product Handle,Product Title,Variant Id,Variant SKU,Variant Price EUR,Variant Price USD",
        "mug,Mug,v1,M-S,11,13",
        "mug,Mug,v2,M-L,12,",
    )
    run(table, "--set", "currency=USD")
    assert prices("M-S", "M-L") == [(Decimal(13), "USD"), (None, "USD")]


def test_variations_of_square_are_a_family_and_what_is_archived_is_not_shown(table: Path) -> None:
    write(
        table,
        SQUARE,
        'T1,Candle,Small,C-S,Soy wax,"Home, Gifts",,Physical good,12.00,N,Size,Small,3',
        'T2,Candle,Large,C-L,Soy wax,"Home, Gifts",,Physical good,18.00,N,Size,Large,0',
        "T3,Old mug,Regular,,,,,Physical good,7.00,Y,,,",
    )
    assert counts(run(table)) == (3, 0, 0, 0)
    assert families() == {"C-S": {"C-S", "C-L"}, "T3": {"T3"}}
    assert [product(sku).available for sku in ("C-S", "C-L")] == [True, False]
    assert (product("C-L").attributes["size"], categories("C-S")) == ("Large", ["home", "gifts"])
    assert [product(sku).active for sku in ("C-S", "T3")] == [True, False]


def test_an_export_of_cs_cart(table: Path) -> None:
    write(
        table,
        CS_CART,
        "C-1,en,Electronics///Computers///Tablets,500.00,449.00,A,7,Tablet,Thin,red.jpg",
        "C-2,en,Electronics,,9.00,D,0,Cable,,",
    )
    assert counts(run(table)) == (2, 0, 0, 0)
    assert (categories("C-1"), product("C-1").list_price) == (["electronics/computers/tablets"], Decimal(500))
    assert [product(sku).active for sku in ("C-1", "C-2")] == [True, False]


def test_a_family_of_akeneo_is_a_kind_of_product_and_no_family(table: Path) -> None:
    write(
        table,
        AKENEO,
        "A-1;clothing;tee;;tops,summer;1;Tee red;T-Shirt rot;Soft;20.00;red",
        "A-2;clothing;tee;;tops;1;Tee blue;T-Shirt blau;;20.00;blue",
        "A-3;clothing;;;hats;0;Sun hat;Sonnenhut;;9.50;",
    )
    assert counts(run(table)) == (3, 0, 0, 0)
    assert families() == {"A-1": {"A-1", "A-2"}, "A-3": {"A-3"}}
    assert (product("A-1").title, product("A-1").description) == ("Tee red", "Soft")
    assert (prices("A-1"), product("A-3").active) == ([(Decimal(20), "EUR")], False)


def test_the_workbook_of_prom_has_attributes_in_columns_of_one_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Export Products Sheet"
    units = ("Размер", "", "M", "Ткань", "", "лён")
    for row in (
        PROM,
        [
            "R-1",
            "Рубашка",
            "лён, лето",
            "<p>Лёгкая</p>",
            "1200",
            "UAH",
            "red.jpg",
            "+",
            "Рубашки",
            "11",
            "Акме",
            "10%",
            "7",
            *units,
        ],
        ["R-2", "Рубашка", "", "", "1300", "UAH", "", "-", "Рубашки", "12", "Акме", "", "7", "Размер", "", "L"],
        [None, "Пояс", "", "", "300", "UAH", "", "5", "Пояса", "13", "", "50", ""],
    ):
        book.active.append(row)
    groups = book.create_sheet("Export Groups Sheet")
    groups.append(["Номер_группы", "Название_группы", "Идентификатор_группы"])
    groups.append(["1", "Рубашки", ""])
    book.save(tmp_path / "export.xlsx")
    (tmp_path / "red.jpg").write_bytes(jpeg("red"))
    report = run(tmp_path / "export.xlsx")
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"R-1": {"R-1", "R-2"}, "13": {"13"}}
    assert product("R-1").attributes == {"размер": "M", "ткань": "лён"}
    assert (product("R-1").price, product("R-1").list_price, product("13").price) == (1080, 1200, 250)
    assert [product(sku).available for sku in ("R-1", "R-2", "13")] == [True, False, True]


def test_listings_of_etsy_without_variations_have_shorter_lines(table: Path) -> None:
    write(
        table,
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,VARIATION 1 TYPE,VARIATION 1 NAME,VARIATION 1 VALUES",
        'Ring,Silver,38,USD,1,"ring,silver","silver",red.jpg',
        'Bowl,Clay,20,USD,2,bowl,clay,,Custom,Glaze,"blue,green"',
        "Vase,Clay,20,USD",
    )
    report = run(table)
    assert (counts(report), problems(report)) == ((2, 0, 0, 1), [(4, "4 columns instead of 11")])
    assert (product("Ring").price, product("Bowl").attributes["glaze"]) == (Decimal(38), "blue,green")


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("sku,name.en,name.de,description.en", "A-1,Jug,Krug,For water"),
        ("sku;name.de_DE;name.en_US;description.en_US", "A-1;Krug;Jug;For water"),
        ("SKU,Titel (de),Title (en),Description (en)", "A-1,Krug,Jug,For water"),
        ("sku,name-fr_FR,name-en_GB-web,description-en_GB-web", "A-1,Cruche,Jug,For water"),
    ],
)
def test_texts_in_several_languages_are_taken_in_that_of_the_shop(table: Path, header: str, line: str) -> None:
    run(write(table, header, line))
    assert (product("A-1").title, product("A-1").description) == ("Jug", "For water")


def test_a_text_in_other_languages_only_is_taken_in_the_first(table: Path) -> None:
    report = run(write(table, "REF;TITRE FR;TITRE ES;PRIX;category_id", "A-1;Cruche;Jarra;12;77"))
    assert (product("A-1").title, product("A-1").category) == ("Cruche", None)
    assert any("TITRE FR → title" in note for note in report["notes"])
    assert any("TITRE ES" in note for note in report["notes"] if note.startswith("columns that are not used"))


@pytest.mark.parametrize(
    ("header", "line", "gone"),
    [
        ("Артикул;Наименование;Цена, руб;Наличие;Категория;Бренд", "К-1;Кувшин;12,50;{};Посуда;Акме", "нет в наличии"),
        ("Артикул;Назва;Ціна;Наявність;Категорія;Виробник", "К-1;Глек;12,50;{};Посуд;Акме", "немає в наявності"),
        ("Kód;Název;Cena s DPH;Dostupnost;Kategorie;Výrobce", "К-1;Džbán;12,50;{};Nádobí;Acme", "není skladem"),
    ],
)
def test_names_of_columns_in_eastern_languages(table: Path, header: str, line: str, gone: str) -> None:
    report = run(write(table, header, line.format(gone)))
    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    found = Product.objects.get()
    assert (found.price, found.available, bool(found.category), bool(found.brand)) == (
        Decimal("12.5"),
        False,
        True,
        True,
    )


def test_a_table_of_vehicles_for_meta(table: Path) -> None:
    write(
        table,
        "vehicle_id,title,description,url,make,model,year,image[0].url,image[0].tag[0],image[1].url,price,availability",
        "V-1,Runner 2019,One owner,https://cars.example/v1,Acme,Runner,2019,red.jpg,front,blue.jpg,12900 EUR,available",
        "V-2,Runner 2020,,https://cars.example/v2,Acme,Runner,2020,,,,13900 EUR,sold",
    )
    assert counts(run(table)) == (2, 0, 0, 0)
    assert (prices("V-1"), product("V-1").brand, product("V-1").images.count()) == (
        [(Decimal(12900), "EUR")],
        "Acme",
        2,
    )
    assert [product(sku).available for sku in ("V-1", "V-2")] == [True, False]


def test_the_table_of_idealo(table: Path) -> None:
    write(
        table,
        "sku,brand,title,categoryPath,url,eans,hans,description,imageUrls,price,formerPrice,colour",
        "K-1,Acme,Jug,Kitchen > Jugs,https://shop.example/k,4000000000017,H-1,Clay,red.jpg;blue.jpg,12.90,15.90,blue",
    )
    run(table)
    jug = product("K-1")
    assert (jug.price, jug.list_price, jug.images.count()) == (Decimal("12.90"), Decimal("15.90"), 2)
    assert jug.attributes == {
        "color": "blue",
        "gtin": "4000000000017",
        "link": "https://shop.example/k",
        "mpn": "H-1",
    }


def test_lines_of_prom_end_behind_their_last_attribute(table: Path) -> None:
    header = ";".join(PROM)
    cells = "R-1;Рубаха;;;100;UAH;;+;Рубашки;11;Акме;;7"
    write(
        table, header, f"{cells};Размер;;M", f"{cells.replace('R-1', 'R-2')};Размер;;L;Ткань;;лён", "R-3;Пояс;;;30;UAH"
    )
    report = run(table)
    assert (counts(report), [line for line, _ in problems(report)]) == ((2, 0, 0, 1), [4])
    assert product("R-2").attributes == {"размер": "L", "ткань": "лён"}


def test_vehicles_without_titles_have_brand_and_model(tmp_path: Path) -> None:
    path = tmp_path / "cars.xml"
    path.write_text(
        "<data><cars><car><mark_id>Acme</mark_id><folder_id>Runner</folder_id><price>1300000</price><currency>RUB</currency>"
        "<unique_id>7</unique_id><availability>в наличии</availability></car></cars></data>",
        encoding="utf-8",
    )
    report = run(path)
    assert (product("7").title, product("7").brand, prices("7")) == ("Acme Runner", "Acme", [(Decimal(1300000), "RUB")])
    assert "there is no column of titles: a title is {mark_id} {folder_id}" in report["notes"]


def test_a_price_list_with_costs_and_recommended_prices(table: Path) -> None:
    write(table, "Код;Наименование;Цена закупки ГРН;РРЦ ГРН;Фото", "7;Кувшин;300,00;357,96;red.jpg")
    run(table)
    assert prices("7") == [(Decimal("357.96"), "UAH")]


def test_a_template_of_amazon_with_paths_below_its_columns(table: Path) -> None:
    write(
        table,
        "settings=feedType=113&contentLanguageTag=en_US,,,,",
        "Listing Identity,,Product Identity,,Offer",
        "SKU,Product Type,Item Name,Brand Name,List Price",
        "contribution_sku#1.value,product_type#1.value,item_name[language_tag=en_US]#1.value,brand#1.value,list_price#1.value_with_tax",
        "AM-1,SHIRT,Linen shirt,Acme,29.90",
    )
    report = run(table)
    assert (counts(report), problems(report), prices("AM-1")) == ((1, 0, 0, 0), [], [(Decimal("29.90"), "EUR")])


@pytest.mark.parametrize("command", ["INSERT_UPDATE Product;", "UPDATE Product[batchmode=true] ; "])
def test_a_script_of_sap_commerce_is_explained(table: Path, command: str) -> None:
    write(table, "# products", "$catalog=apparel", f"{command}code[unique=true];name[lang=en]", ";1;Mug")
    with pytest.raises(CommandError, match="is an ImpEx script of SAP Commerce: export the products as CSV"):
        run(table)


def test_a_table_behind_many_empty_lines_is_detected_in_a_moment(table: Path) -> None:
    write(table, *[""] * 60_000, "sku,title", "A-1,Jug")
    started = time.process_time()
    assert detect_format(table) == "csv"
    assert time.process_time() - started < 1


def test_prices_of_zero_are_counted(table: Path) -> None:
    report = run(
        write(
            table, "sku,title,price,currency", "A-1,Jug,0.00,EUR", "A-2,Mug,0,EUR", "A-3,Cup,9.50,EUR", "A-4,Pot,,EUR"
        )
    )
    assert prices("A-1", "A-4") == [(Decimal(0), "EUR"), (None, "EUR")]
    assert (
        "products with a price of 0: 2; where that means no price, leave its cell empty in the file" in report["notes"]
    )


def test_the_stocks_of_all_outlets_of_lightspeed_count(table: Path) -> None:
    write(
        table,
        "id,handle,sku,name,product_category,variant_option_one_name,variant_option_one_value,tags,supply_price,retail_price,"
        "brand_name,active,track_inventory,inventory_Main,reorder_point_Main,inventory_Mall,barcode",
        "1a,tee,T-S,Tee,Clothing / Tops,Size,S,soft;red,5,19.95,Acme,1,1,0,7,2,93001",
        "2a,cap,CAP,Cap,Clothing > Hats,,,,5,9.95,,0,1,0,9,0,",
        "1b,tee,T-M,Tee,Clothing / Tops,Size,M,,5,21.95,Acme,1,0,0,7,,",
    )
    assert counts(run(table, "--set", "currency=AUD")) == (3, 0, 0, 0)
    # Variants do not stand below each other.
    assert families() == {"T-S": {"T-S", "T-M"}, "CAP": {"CAP"}}
    small, medium, cap = product("T-S"), product("T-M"), product("CAP")
    assert (small.available, medium.available, cap.available, cap.active) == (True, True, False, False)
    # The barcode is that of the small one.
    assert (small.attributes, medium.attributes) == ({"size": "S", "gtin": "93001"}, {"size": "M"})
    assert (categories("T-S"), categories("CAP"), small.tags) == (["clothing/tops"], ["clothing/hats"], ["soft", "red"])


BAGISTO = (
    "sku,parent_sku,locale,attribute_family_code,type,categories,images,name,description,status,price,special_price,"
    "special_price_from,special_price_to,url_key,manage_stock,inventories"
)


def test_a_special_price_of_bagisto_counts_on_its_dates(table: Path) -> None:
    write(
        table,
        BAGISTO,
        'J,,en,default,configurable,Men/Winter,"red.jpg,blue.jpg",Jacket,,1,,,,,jacket,,',
        'J-M,J,en,default,simple,Men/Winter,red.jpg,Jacket M,,1,20,17,2024-02-01,2024-02-15,jacket-m,1,"default=0,shop=3"',
        "J-L,J,en,default,simple,Men/Winter,red.jpg,Jacket L,,0,20,17,2024-02-01,,jacket-l,1,default=0",
        "CAP,,en,default,simple,Men,red.jpg,Cap,,1,20,17,soon,,cap,0,",
    )
    report = run(table)
    assert counts(report) == (4, 0, 0, 0)
    assert families() == {"J": {"J", "J-M", "J-L"}, "CAP": {"CAP"}}
    medium, large = product("J-M"), product("J-L")
    assert (medium.price, medium.list_price, medium.available) == (20, None, True)
    assert (large.price, large.list_price, large.available, large.active) == (17, 20, False, False)
    assert (product("J").images.count(), product("CAP").available, categories("J-M")) == (2, True, ["men/winter"])
    reason = "'soon' is not a date such as 2026-12-31: the special price was left out"
    assert (product("CAP").price, problems(report)) == (20, [(5, reason)])


def test_lines_that_translate_products_are_left_out(table: Path) -> None:
    write(
        table,
        BAGISTO,
        "CAP,,fr,default,simple,Men,red.jpg,Casquette,,1,20,,,,cap,0,",
        "CAP,,en,default,simple,Men,red.jpg,Cap,,1,20,,,,cap,0,",
        "HAT,,en,default,simple,Men,red.jpg,Hat,,1,20,,,,hat,0,",
        "HAT,,fr,default,simple,Men,red.jpg,Chapeau,,1,20,,,,hat,0,",
    )
    report = run(table)
    assert (counts(report), product("CAP").title, product("HAT").title) == ((2, 0, 0, 0), "Cap", "Hat")
    assert "2 rows were left out: they translate products into other languages than en" in report["notes"]


def test_an_export_of_saleor_has_prices_by_channel_and_stocks_by_warehouse(table: Path) -> None:
    text = '"{""blocks"": [{""type"": ""paragraph"", ""data"": {""text"": ""Of <b>wool</b>""}}], ""version"": ""2.2""}"'
    write(
        table,
        "id,name,description,category,product type,collections,product media,variant sku,variant media,brand (product attribute),"
        "size (variant attribute),north (warehouse quantity),south (warehouse quantity),eu (channel published),"
        "eu (channel price amount),eu (channel variant currency code),us (channel published),us (channel price amount),"
        "us (channel variant currency code)",
        f'UHJ1,Tee,{text},tops,Top,"summer, new","red.jpg, blue.jpg",T-S,,Acme,s,0,5,True,19.9,EUR,True,22,USD',
        f"UHJ1,Tee,{text},tops,Top,,,T-M,,Acme,m,0,0,False,,,True,24,USD",
        "UHJ2,Pot,,home,Pot,,,,,,,,3,False,,,False,9,USD",
    )
    report = run(table)
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"T-S": {"T-S", "T-M"}, "UHJ2": {"UHJ2"}}
    small, medium, pot = product("T-S"), product("T-M"), product("UHJ2")
    assert (small.description, small.brand, small.tags) == ("Of wool", "Acme", ["summer", "new"])
    assert (small.attributes, small.images.count()) == ({"size": "s"}, 2)
    assert prices("T-S", "T-M", "UHJ2") == [(Decimal("19.9"), "EUR"), (Decimal(24), "USD"), (Decimal(9), "USD")]
    assert (small.available, medium.available, medium.active, pot.active) == (True, False, True, False)
    run(table, "--set", "currency=USD")
    assert prices("T-S", "T-M") == [(Decimal(22), "USD"), (Decimal(24), "USD")]
