"""Tables and documents as shops have them: below instructions, with currencies in names, and with words for nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalog.models import Product
from product_files.sources import detect_format
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, product

pytestmark = pytest.mark.django_db

NO_CURRENCY = "the prices have no currency: EUR was assumed; name the currency of the import if it is another"


def table(folder: Path, *lines: str, name: str = "products.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "above",
    [
        ["Price list of autumn"],
        ["#INFO,Version=1.0,Template=drafts", "#INFO Fill in all columns,,,", '"#INFO Then send it, please",,,'],
        ["", "Our shop;;", ""],
        ["Article;Name;Amount"],
    ],
)
def test_column_names_are_found_below_a_title_or_instructions(tmp_path: Path, above: Sequence[str]) -> None:
    path = table(tmp_path, *above, "SKU,Title,Price,Quantity", 'm1,"Mug, blue",12.50,3', "m2,Bowl,9,0")
    report = run(path)
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    mug, bowl = product("m1"), product("m2")
    assert (mug.title, mug.price, mug.available, bowl.available) == ("Mug, blue", Decimal("12.50"), True, False)


def test_lines_are_numbered_as_in_the_file_below_instructions(tmp_path: Path) -> None:
    path = table(tmp_path, "Price list", "", "sku,title,price", "m1,Mug,5", ",Bowl,6")
    assert problems(run(path)) == [(5, "there is no SKU")]


def test_of_names_in_several_lines_the_last_ones_count(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "TemplateType=home\tVersion=2026.1\tThe first three rows are not for you",
        "Seller SKU\tProduct Name\tStandard Price\tMain Image URL\tOther Image URL1\tBrand Name\tColour",
        "item_sku\titem_name\tstandard_price\tmain_image_url\tother_image_url1\tbrand_name\tcolor_name",
        "m1\tMug\t12.50\thttps://example.com/1.jpg\thttps://example.com/2.jpg\tAnna\tblue",
        name="template.txt",
    )
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report), report["photos_left_out"]) == ((1, 0, 0, 0), [], 2)
    mug = product("m1")
    assert (mug.title, mug.price, mug.brand, mug.attributes) == ("Mug", Decimal("12.50"), "Anna", {"color": "blue"})


def test_a_template_of_ebay_is_read_with_its_marks_of_required_columns(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "#INFO,Version=1.0,Template=drafts,,,,",
        "*Action(SiteID=US|Country=US|Currency=USD),Custom label (SKU),*Title,*StartPrice,Item photo URL,*C:Brand,C:Color",
        "Draft,m1,Mug,12.50,https://example.com/1.jpg,Anna,blue",
    )
    report = run(path, "--no-fetch", "--map", "price=*StartPrice")
    assert (counts(report), report["photos_left_out"]) == ((1, 0, 0, 0), 1)
    mug = product("m1")
    assert (mug.title, mug.brand, mug.attributes) == ("Mug", "Anna", {"color": "blue"})


PADDED = (
    "sku   , name               , description                 , price ",
    'P-12  , Paper stretcher    , "Stretches paper, any size" , 45.30 ',
    'P-13  , "Easel ""Studio""" , "A line,',
    'and another"               , 910.70',
)


def test_blanks_that_put_columns_below_each_other_are_no_part_of_a_cell(tmp_path: Path) -> None:
    report = run(table(tmp_path, *PADDED))

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    stretcher, easel = product("P-12"), product("P-13")
    assert (stretcher.title, stretcher.description) == ("Paper stretcher", "Stretches paper, any size")
    assert (easel.title, easel.description, easel.price) == (
        'Easel "Studio"',
        "A line,\nand another",
        Decimal("910.70"),
    )


def test_a_line_may_end_behind_the_columns_that_are_used(tmp_path: Path) -> None:
    report = run(table(tmp_path, "sku,title,price,note,colour code", "a,Mug,9,red,5", "b,Cup,8", "c,Bowl", "d,Jug,7,x"))

    assert (counts(report), problems(report)) == ((3, 0, 0, 1), [(4, "2 columns instead of 5")])


def test_a_table_in_which_every_line_lacks_a_column_may_lack_it_in_the_middle(tmp_path: Path) -> None:
    report = run(table(tmp_path, "sku,title,brand,price,note", "a,Mug,9,red", "b,Cup,8,blue"))

    assert (counts(report), problems(report)[0]) == ((0, 0, 0, 2), (2, "4 columns instead of 5"))


def test_numbered_columns_are_the_levels_of_a_category_and_the_photos(tmp_path: Path) -> None:
    lines = [
        "sku,title,category_1,category_2,image_1_url,image_2_url,Price Old,price",
        "a,Dress,Women,Dresses,https://example.com/1.jpg,https://example.com/2.jpg,12,9",
        "b,Shirt,Men -> Shirts,,https://example.com/3.jpg,,,9",
    ]
    report = run(table(tmp_path, *lines), "--no-fetch")

    assert (counts(report), report["photos_left_out"]) == ((2, 0, 0, 0), 3)
    assert [str(product(sku).category) for sku in ("a", "b")] == ["women/dresses", "men/shirts"]
    assert product("a").list_price == 12


def test_what_to_do_with_variants_below_their_product_is_said(tmp_path: Path) -> None:
    lines = ["sku,title,size", "a,Shirt,", "a-s,,S", "a-m,,M", "a-l,,L"]
    note = (
        "3 rows have a SKU and no title: if they are variants of the row above, write its title into them, and its SKU into a"
        " column family"
    )
    assert note in run(table(tmp_path, *lines))["notes"]
    assert note not in run(table(tmp_path, *lines[:4]))["notes"]


def test_links_to_photos_in_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    lines = [
        "sku,title,portrait,website",
        "a,Mug,https://example.com/1.jpg,https://example.com/a",
        "b,Cup,,https://example.com/b",
    ]
    note = "columns with links to photos that are not used: portrait"
    assert note in run(table(tmp_path, *lines))["notes"]
    assert note not in run(table(tmp_path, *lines), "--map", "image=portrait", "--no-fetch")["notes"]


def test_a_table_without_known_names_keeps_its_first_line(tmp_path: Path) -> None:
    path = table(tmp_path, "kod1,nimi", "m1,Muki", "m2,Kulho")
    assert counts(run(path, "--map", "sku=kod1", "--map", "title=nimi")) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("column", "currency"),
    [
        ("price_usd", "USD"),
        ("Price (CHF)", "CHF"),
        ("Preis in PLN", "PLN"),
        ("Prix €", "EUR"),
        ("Cena [zł]", "PLN"),
        ("price-gbp", "GBP"),
    ],
)
def test_the_name_of_the_price_may_have_the_currency(tmp_path: Path, column: str, currency: str) -> None:
    report = run(table(tmp_path, f"sku,title,{column}", "m1,Mug,12.50"))
    assert f"the currency is {currency}, as the column {column} says" in report["notes"]
    assert (product("m1").price, product("m1").currency) == (Decimal("12.50"), currency)


def test_a_currency_of_its_own_column_or_option_counts_more(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,title,price_usd,currency", "m1,Mug,12.50,CHF")
    run(path)
    assert product("m1").currency == "CHF"
    run(path, "--set", "currency=EUR")
    assert product("m1").currency == "EUR"


def test_a_word_behind_the_price_is_no_currency(tmp_path: Path) -> None:
    report = run(table(tmp_path, "sku,title,price_all,price top", "m1,Mug,12.50,13"))
    assert (product("m1").price, report["currencies"]) == (None, [])


def test_an_assumed_currency_is_named_for_every_format(tmp_path: Path) -> None:
    assert NO_CURRENCY in run(table(tmp_path, "sku,title,price", "m1,Mug,12.50"))["notes"]
    assert NO_CURRENCY not in run(table(tmp_path, "sku,title,price", "m1,Mug,$12.50"))["notes"]
    lines = table(tmp_path, '{"sku": "m1", "title": "Mug", "price": 12.5}', name="products.jsonl")
    assert NO_CURRENCY in run(lines)["notes"]
    feed = table(tmp_path, "id,title,price,image_link,link", "m1,Mug,12.50,https://example.com/1.jpg,", name="feed.csv")
    assert NO_CURRENCY in run(feed, "--no-fetch")["notes"]


@pytest.mark.parametrize("nothing", ["N/A", "#N/A", "NaN", "null", "undefined", "-", "—"])
def test_words_for_nothing_are_nothing(tmp_path: Path, nothing: str) -> None:
    path = table(
        tmp_path,
        "sku,title,price,brand,category,description,color,image",
        f"m1,Mug,{','.join([nothing] * 6)}",
        f"{nothing},Bowl,1,,,,,",
    )
    report = run(path)
    # Somebody may have meant to write a price.
    assert problems(report) == [(2, f"{nothing!r} is not a price"), (3, "there is no SKU")]
    mug = product("m1")
    assert (mug.price, mug.brand, mug.category, mug.description, mug.attributes) == (None, "", None, "", {})


def test_a_list_price_that_is_not_higher_is_none(tmp_path: Path) -> None:
    run(table(tmp_path, "sku,title,price,list price", "m1,Mug,12.50,12.50", "m2,Bowl,9,12", "m3,Jug,9,8"))
    assert [product(sku).list_price for sku in ("m1", "m2", "m3")] == [None, 12, None]


def test_the_only_price_of_a_table_is_the_price(tmp_path: Path) -> None:
    run(table(tmp_path, "default_code,name,list_price", "m1,Mug,12.50"))
    assert (product("m1").price, product("m1").list_price) == (Decimal("12.50"), None)


def test_a_mark_of_utf_8_behind_an_empty_line_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_bytes(
        "\n\t\ufeffID,Тип,Артикул,Имя,Опубликован,В наличии?,Базовая цена,Категории\n".encode()
    )
    with (tmp_path / "export.csv").open("ab") as file:
        file.write("7,simple,,Кружка,1,1,240,Посуда > Кружки\n".encode())
    path = tmp_path / "export.csv"
    assert detect_format(path) == "woocommerce"
    report = run(path)
    assert (counts(report), report["new_categories"]) == ((1, 0, 0, 0), ["Посуда > Кружки"])
    assert (product("id:7").title, product("id:7").price) == ("Кружка", 240)


def test_a_listing_of_etsy_with_variations_has_the_first_of_their_skus(tmp_path: Path) -> None:
    skus = ",".join(f"mug-{number}" for number in range(1, 60))
    path = table(
        tmp_path,
        "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,IMAGE1,VARIATION 1 NAME,VARIATION 1 VALUES,SKU",
        f'Mug,Blue,12.50,USD,3,"mug,blue",,Size,"S,M,L","{skus}"',
    )
    report = run(path)
    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    assert product("mug-1").title == "Mug"


def test_a_table_of_prestashop_1_6_has_semicolons_in_its_lists(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Product ID,Active (0/1),Name *,Categories (x;y;z...),Price tax excluded or Price tax included,Reference #,Manufacturer,"
        "Quantity,Tags (x;y;z...),Image URLs (x;y;z...),Unit price",
        "1,1,Mug,Home/Mugs;Sale,12.50,R-1,Anna,3,mug; blue,https://example.com/1.jpg;https://example.com/2.jpg,",
    )
    report = run(path, "--no-fetch")
    assert (detect_format(path), counts(report), report["photos_left_out"]) == ("prestashop_16", (1, 0, 0, 0), 2)
    mug = product("R-1")
    assert (mug.price, mug.brand, mug.tags) == (Decimal("12.50"), "Anna", ["mug", "blue"])
    assert report["new_categories"] == ["Home > Mugs", "Sale"]


DOCUMENT: dict[str, Any] = {"name": "Mug", "price": 12.5, "colors": ["blue"]}


@pytest.mark.parametrize(
    "text",
    [
        # Elasticsearch: the bulk format, lines of a dump, and the answer of a search.
        json.dumps({"index": {"_index": "products", "_id": "m1"}}) + "\n" + json.dumps(DOCUMENT),
        json.dumps({"create": {"_id": "m1"}}) + "\n" + json.dumps(DOCUMENT),
        json.dumps({"_index": "products", "_id": "m1", "_score": 1, "_source": DOCUMENT}),
        json.dumps({"took": 3, "hits": {"total": {"value": 1}, "hits": [{"_id": "m1", "_source": DOCUMENT}]}}),
        # Algolia: records, and the answer of a search.
        json.dumps([DOCUMENT | {"objectID": "m1"}]),
        json.dumps({"hits": [DOCUMENT | {"objectID": "m1"}], "nbHits": 1, "page": 0}),
        # MongoDB.
        json.dumps(DOCUMENT | {"_id": {"$oid": "m1"}, "price": {"$numberDecimal": "12.5"}}),
    ],
)
def test_documents_of_search_engines_and_databases_are_products(tmp_path: Path, text: str) -> None:
    report = run(table(tmp_path, text, name="products.json"))
    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    assert (product("m1").title, product("m1").price) == ("Mug", Decimal("12.50"))


def test_an_object_of_ones_own_named_index_is_no_action(tmp_path: Path) -> None:
    path = table(tmp_path, '{"index": {"sku": "m1", "title": "Mug"}}', name="products.jsonl")
    run(path, "--map", "sku=index.sku", "--map", "title=index.title")
    assert product("m1").title == "Mug"


def test_a_list_of_an_attribute_is_one_text(tmp_path: Path) -> None:
    run(table(tmp_path, '{"sku": "m1", "title": "Mug", "color": ["blue", "white"]}', name="products.jsonl"))
    assert product("m1").attributes == {"color": "blue, white"}
    assert Product.objects.count() == 1


def test_a_report_of_amazon_has_the_seller_s_skus(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "item-name\tlisting-id\tseller-sku\tprice\tquantity\tasin1\tproduct-id",
        "Blue mug\tL1\tMUG-1\t12.99\t4\tB0001\tB0001",
        name="report.txt",
    )
    assert counts(run(path)) == (1, 0, 0, 0)
    assert product("MUG-1").title == "Blue mug"


def test_a_feed_for_tiktok_has_prices_of_sales(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "sku_id,title,description,availability,condition,price,link,image_link,brand,item_group_id,sale_price",
        "T1,Mug,Blue,in stock,new,12.90 USD,https://example.com/1,https://example.com/1.jpg,Pier,G1,9.90 USD",
    )
    assert detect_format(path) == "merchant"
    run(path, "--no-fetch")
    mug = product("T1")
    assert (mug.price, mug.list_price, mug.currency) == (Decimal("9.90"), Decimal("12.90"), "USD")


def test_a_table_of_tray_is_known_by_its_names(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Referência (código fornecedor);Nome do produto;Preço de venda em reais;Estoque do produto;Exibir produto ativo",
        "R-1;Caneca;39,90;5;1",
        "R-2;Prato;19,90;0;0",
    )
    run(path, "--set", "currency=BRL")
    mug, plate = product("R-1"), product("R-2")
    assert (mug.title, mug.price, mug.available, mug.active) == ("Caneca", Decimal("39.90"), True, True)
    assert (plate.available, plate.active) == (False, False)


def test_barcodes_stand_in_place_of_article_numbers_that_a_table_does_not_have(tmp_path: Path) -> None:
    path = table(tmp_path, "Code EAN,Nom de l’article,Prix TTC,stock", "3250391584123,Jambon,3.69,10")
    report = run(path)
    assert "Code EAN → sku" in " ".join(report["notes"])
    assert (product("3250391584123").title, product("3250391584123").price) == ("Jambon", Decimal("3.69"))


def test_the_word_for_a_product_in_names_of_columns_makes_no_difference(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "numero_prodotto,nome_prodotto,prezzo_prodotto,immagine_prodotto,Prezzo senza IVA",
        "1,Vaso,35.00,https://example.com/1.jpg,28.69",
    )
    report = run(path, "--no-fetch")
    assert (product("1").title, product("1").price, report["photos_left_out"]) == ("Vaso", 35, 1)
    assert "columns that are not used: Prezzo senza IVA" in report["notes"]


def test_a_lower_price_of_a_sale_is_the_price(tmp_path: Path) -> None:
    lines = [
        "sku,nome,Preço normal,Preço promocional",
        'A,Vinho,"20,00","15,50"',
        'B,Queijo,"8,00",',
        'C,Mel,"5,00","6,00"',
    ]
    path = table(tmp_path, *lines)
    report = run(path)
    found = [(product(sku).price, product(sku).list_price) for sku in ("A", "B", "C")]
    assert found == [(Decimal("15.5"), 20), (8, None), (5, None)]
    assert (
        "Preço promocional is the price where it is lower than the price, and the other one the list price"
        in report["notes"]
    )
    # The sale is over.
    run(table(tmp_path, lines[0], 'A,Vinho,"20,00",'))
    assert (product("A").price, product("A").list_price) == (20, None)


def test_a_column_can_be_named_as_the_price_of_a_sale(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,name,price,Outlet", "A,Mug,20,15")
    run(path, "--map", "sale_price=Outlet")
    assert (product("A").price, product("A").list_price) == (15, 20)


def test_a_sale_with_dates_is_left_to_who_knows_them(tmp_path: Path) -> None:
    report = run(table(tmp_path, "sku,name,price,sale_price,sale_price_start_date", "A,Mug,20,15,2099-01-01"))
    assert (product("A").price, product("A").list_price) == (20, None)
    assert any("sale_price" in note and "not used" in note for note in report["notes"])


def test_prices_in_francs_of_west_africa(tmp_path: Path) -> None:
    run(table(tmp_path, "sku,title,price", "M1,Mug,12 000Fcfa", "M2,Pot,15000 F CFA"))
    assert [(product(sku).price, product(sku).currency) for sku in ("M1", "M2")] == [(12000, "XOF"), (15000, "XOF")]


def test_listings_of_etsy_in_italian(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "TITOLO,DESCRIZIONE,PREZZO,CURRENCY_CODE,QUANTITÀ,TAG,MATERIALI,IMMAGINE1,IMMAGINE2,TIPO VARIANTE 1,NOME VARIANTE 1,"
        "VALORI VARIANTE 1,SKU",
        'Vaso,Di gres,35.00,EUR,1,"vaso,gres",gres,https://example.com/1.jpg,,Colore,Colore,"Blu,Rosso","V-1,V-2"',
        "Tazza,Di gres,12.00,EUR,0,,,https://example.com/2.jpg,",
    )
    assert detect_format(path) == "etsy"
    run(path, "--no-fetch")
    vase = product("V-1")
    assert (vase.title, vase.price, vase.attributes["colore"], vase.tags) == ("Vaso", 35, "Blu,Rosso", ["vaso", "gres"])
    assert product("Tazza").available is False


def test_items_of_walmart_have_their_second_photo(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "sku,productName,price,mainImageUrl,productSecondaryImageURL",
        "W1,Chair,59.90,https://example.com/1.jpg,https://example.com/2.jpg",
    )
    assert "mainImageUrl + productSecondaryImageURL → image" in " ".join(run(path, "--no-fetch")["notes"])


@pytest.mark.parametrize(
    ("columns", "parent", "child"),
    [
        ("item_sku,item_name,parent_child,parent_sku,standard_price", "P,Shirt,Parent,,", "{},Shirt,Child,P,19.99"),
        ("sku,name,type,parent_sku,price", "P,Shirt,configurable,,", "{},Shirt,simple,P,19.99"),
    ],
    ids=["amazon", "bagisto"],
)
def test_a_parent_is_in_the_family_of_its_variants(tmp_path: Path, columns: str, parent: str, child: str) -> None:
    run(table(tmp_path, columns, parent, child.format("S"), child.format("M"), child.format("X").replace(",P,", ",,")))
    assert families() == {"P": {"P", "S", "M"}, "X": {"X"}}


def test_names_and_numbers_of_categories_in_one_element_of_xml_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "shop.xml"
    path.write_text(
        """<PRODUCTS><PRODUCT>
          <CODE>R-1</CODE><STOCK>3</STOCK><MANUFACTURER>Acme</MANUFACTURER>
          <DESCRIPTIONS><DESCRIPTION><TITLE>Regatta</TITLE><URL>https://example.com/r</URL>
            <LONG_DESCRIPTION>Of silk</LONG_DESCRIPTION></DESCRIPTION></DESCRIPTIONS>
          <CATEGORIES><CATEGORY><CODE>K1</CODE><NAME>Weddings</NAME><PRIMARY_YN>1</PRIMARY_YN></CATEGORY></CATEGORIES>
          <PRICES><PRICE><PRICELISTS><PRICELIST><PRICE_WITH_VAT>1190</PRICE_WITH_VAT></PRICELIST></PRICELISTS>
            <CURRENCY>CZK</CURRENCY></PRICE></PRICES>
          <IMAGES><IMAGE><URL>https://example.com/1.jpg</URL><MAIN_YN>1</MAIN_YN></IMAGE></IMAGES>
        </PRODUCT></PRODUCTS>""",
        encoding="utf-8",
    )
    report = run(path, "--no-fetch")
    regatta = product("R-1")
    assert (regatta.title, regatta.description, regatta.price, regatta.currency) == ("Regatta", "Of silk", 1190, "CZK")
    assert (categories("R-1"), report["photos_left_out"]) == (["weddings"], 1)
