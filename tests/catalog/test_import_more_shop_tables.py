"""Tables of further shop systems that a shipped mapping describes, with the columns that these systems write."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import detect_format, open_catalogue
from tests.catalog.importing import of, photos

NO_CURRENCY = "the prices have no currency: EUR was assumed; name the currency of the import if it is another"
RAKUTEN = (
    (
        "商品管理番号(商品URL),商品番号,商品名,倉庫指定,PC用商品説明文,商品画像パス1,SKU管理番号,システム連携用SKU番号,"
        "バリエーション項目キー1,バリエーション項目選択肢1,販売価格,在庫数"
    )
    .replace("(", "\uff08")
    .replace(")", "\uff09")
)


def table(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "products.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def rows(path: Path) -> list[Row]:
    with open_catalogue(path, FieldMapping()) as catalogue:
        return list(catalogue)


def notes(path: Path) -> list[str]:
    with open_catalogue(path, FieldMapping()) as catalogue:
        list(catalogue)
        return list(catalogue.notes)


def prices(path: Path) -> list[tuple[str, Decimal | None, Decimal | None]]:
    return [(row.sku, of(row).price, of(row).list_price) for row in rows(path)]


def test_variants_of_oxid_are_sold_and_not_their_product(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "OXID;OXPARENTID;OXACTIVE;OXARTNUM;OXTITLE;OXLONGDESC;OXPRICE;OXTPRICE;OXPIC1;OXSTOCK;OXSTOCKFLAG;OXVARNAME;OXVARSELECT",
        "a1;;1;1401;Kite;<p>Light</p>;299;399;kite.jpg;0;1;Size | Colour;",
        "a2;a1;1;1401-1;;;289.5;0;;3;1;;6 | red",
        "a3;a1;1;1401-2;;;0;0;;0;4;;8 | blue",
        "b1;;0;1500;Mug;;5;0;mug.jpg;0;1;;",
    )
    assert detect_format(path) == "oxid"
    small, large, mug = rows(path)
    assert [row.sku for row in (small, large, mug)] == ["1401-1", "1401-2", "1500"]
    assert (of(small).title, of(small).description, of(small).family) == ("Kite", "Light", "1401")
    assert (of(small).attributes, of(large).attributes) == (
        {"size": "6", "colour": "red"},
        {"size": "8", "colour": "blue"},
    )
    assert (of(small).price, of(large).available, of(mug).active) == (Decimal("289.50"), True, False)
    assert photos(large) == ["kite.jpg"]


def test_prices_of_gambio_are_without_tax(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "XTSOL|p_id|p_model|p_stock|p_manufacturer|p_priceNoTax|p_tax|p_status|p_ean|p_image|p_image.1|p_name.en|p_desc.en|p_cat.0|p_cat.1",
        "XTSOL|1|m1|0|Anna|16.8067|1|1|4006381333931|mug.jpg|back.jpg|Mug|<p>Blue</p>|Kitchen|Mugs",
    )
    (row,) = rows(path)
    assert (of(row).title, of(row).price, row.warnings) == ("Mug", Decimal("16.81"), ())
    assert (of(row).category, of(row).brand, of(row).available) == (("Kitchen", "Mugs"), "Anna", False)
    assert photos(row) == ["mug.jpg", "back.jpg"]
    assert "the prices are without tax, of the type p_priceNoTax" in notes(path)


def test_variants_of_x_cart_have_their_own_skus_prices_and_stocks(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "sku,variantSKU,variantPrice,variantQuantity,price,images,enabled,stockLevel,inventoryTrackingEnabled,categories,name,"
        "marketPrice,Brand (field:global),Size (field:product)",
        "x1,x1-s,12.5,3,15,https://example.com/1.jpg&&https://example.com/2.jpg,Yes,10,Yes,Apparel >>> Tees&&Sale,Tee,20,Anna,S",
        "x1,x1-m,,0,15,,Yes,10,Yes,,Tee,,Anna,M",
    )
    small, medium = rows(path)
    assert prices(path) == [("x1-s", Decimal("12.5"), Decimal(20)), ("x1-m", Decimal(15), None)]
    assert (of(small).category, list(of(small).other_categories)) == (("Apparel", "Tees"), [("Sale",)])
    assert (of(medium).family, of(medium).available, of(medium).attributes) == ("x1", False, {"size": "M"})
    assert photos(medium) == ["https://example.com/1.jpg", "https://example.com/2.jpg"]


def test_variations_of_loja_integrada_take_what_their_product_has(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "tipo;sku-pai;sku;ativo;nome;descricao-completa;estoque-gerenciado;estoque-quantidade;preco-cheio;preco-promocional;marca;"
        "categoria-nome-nivel-1;categoria-nome-nivel-2;imagem-1;grade-cor;grade-tamanho",
        "com-variacao;;cam;S;Camiseta;<p>Leve</p>;;;;;Ana;Roupas;Camisetas;https://example.com/1.jpg;;",
        "variacao;cam;cam-p;S;;;S;0;99,90;79,90;;;;;Azul;P",
        "variacao;cam;cam-m;S;;;N;0;99,90;0;;;;;Azul;M",
        "sem-variacao;;bone;N;Boné;;S;2;1.059,00;;Ana;Acessórios;;;;",
    )
    small, medium, cap = rows(path)
    assert prices(path) == [
        ("cam-p", Decimal("79.90"), Decimal("99.90")),
        ("cam-m", Decimal("99.90"), None),
        ("bone", Decimal(1059), None),
    ]
    assert (of(small).title, of(small).category, of(small).attributes) == (
        "Camiseta",
        ("Roupas", "Camisetas"),
        {"cor": "Azul", "tamanho": "P"},
    )
    assert (of(small).available, of(medium).available, of(cap).active) == (False, True, False)


def test_classes_of_ec_cube_are_a_family(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "商品ID,公開ステータス(名称),商品名,商品説明(詳細),商品削除フラグ,商品画像,商品カテゴリ(名称),規格分類1(名称),商品コード,在庫数,"
        "在庫数無制限フラグ,通常価格,販売価格",
        '1,公開,抹茶アイス,<p>冬でも</p>,0,"a.png,b.png","新入荷,アイス",大,c1,,1,1200,1000',
        '1,公開,抹茶アイス,<p>冬でも</p>,0,"a.png,b.png","新入荷,アイス",小,c2,0,0,1200,800',
        "2,非公開,茶,,0,t.png,茶,,t1,3,0,,500",
        encoding="cp932",
    )
    assert detect_format(path) == "ec_cube"
    large, small, tea = rows(path)
    assert [(of(row).family, of(row).available, of(row).active) for row in (large, small, tea)] == [
        ("1", True, True),
        ("1", False, True),
        ("2", True, False),
    ]
    assert (of(large).attributes, of(large).price, of(large).list_price) == (
        {"規格1": "大"},
        Decimal(1000),
        Decimal(1200),
    )
    assert (of(large).category, photos(small)) == (("新入荷",), ["a.png", "b.png"])


def test_skus_of_rakuten_stand_below_their_product(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        RAKUTEN,
        "tee,t1,Tシャツ,0,説明,/tee/1.jpg,,,,,,",
        "tee,,,,,,normal,t1-red,color,赤,1980,5",
        'tee,,,,,,other,t1-blue,color,青,"1,980",0',
        encoding="cp932",
    )
    red, blue = rows(path)
    assert (red.sku, of(red).price, of(red).family, of(red).attributes) == (
        "t1-red",
        Decimal(1980),
        "t1",
        {"color": "赤"},
    )
    assert (of(blue).title, of(blue).available, photos(blue)) == ("Tシャツ", False, ["/tee/1.jpg"])
    # What cannot be read is reported, although its product has no price to take instead.
    assert [str(warning) for warning in blue.warnings] == [
        "the price 1,980 is ambiguous, thousands or decimals: set the decimal separator"
    ]


def test_sales_of_yahoo_shopping_count_on_their_dates(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "path,name,code,sub-code,original-price,price,sale-price,headline,explanation,sale-period-start,sale-period-end,jan,display,item-image-urls",
        "服:ワンピース,花柄,o1,,5980,4980,3980,人気,説明,20010101,2001-01-02,,1,https://example.com/1.jpg;https://example.com/2.jpg",
        "服,無地,o2,,,4980,3980,人気,,,,,0,",
    )
    first, second = rows(path)
    assert prices(path) == [("o1", Decimal(4980), Decimal(5980)), ("o2", Decimal(3980), Decimal(4980))]
    assert (of(first).category, of(second).active) == (("服", "ワンピース"), False)
    assert photos(first) == ["https://example.com/1.jpg", "https://example.com/2.jpg"]


def test_kinds_of_a_product_of_base_are_a_family(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "商品ID,商品名,種類ID,種類名,説明,価格,在庫数,公開状態,種類在庫数,画像1,商品コード,種類コード",
        "101,カップ,,,青い,1980,5,1,,https://example.com/1.jpg,,",
        "102,Tシャツ,201,S,綿,3500,,1,3,,,",
        "102,Tシャツ,202,M,綿,3500,,0,0,,,",
    )
    assert [(row.sku, of(row).family, of(row).available, of(row).active) for row in rows(path)] == [
        ("101", "101", True, True),
        ("201", "102", True, True),
        ("202", "102", False, False),
    ]


def test_a_sale_of_shift4shop_counts_where_it_is_on(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "catalogid,id,name,categories,price,retailprice,saleprice,onsale,stock,hide,image1",
        "1,l1,Lamp,Home/Lamps@Sale,49.99,59.99,39.99,1,5,0,assets/1.jpg",
        "2,l2,Chair,Home/Chairs,149.99,0,99.99,0,0,1,assets/2.jpg",
    )
    assert prices(path) == [("l1", Decimal("39.99"), Decimal("49.99")), ("l2", Decimal("149.99"), None)]
    lamp, chair = rows(path)
    assert (of(lamp).category, list(of(lamp).other_categories), of(chair).active) == (
        ("Home", "Lamps"),
        [("Sale",)],
        False,
    )


def test_a_sale_of_squarespace_counts_where_it_is_on(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Product ID [Non Editable],Variant ID [Non Editable],Title,SKU,Price,Sale Price,On Sale,Stock,Visible",
        "1,11,Mug,m1,20.00,15.00,Yes,3,Yes",
        "2,21,Bowl,b1,20.00,15.00,No,3,Yes",
    )
    assert prices(path) == [("m1", Decimal(15), Decimal(20)), ("b1", Decimal(20), None)]


@pytest.mark.parametrize("column", ["On Sale", "onsale", "is_on_sale"])
def test_a_sale_of_any_table_counts_where_it_is_on(tmp_path: Path, column: str) -> None:
    path = table(tmp_path, f"sku,title,price,sale price,{column}", "m1,Mug,20,15,true", "b1,Bowl,20,15,false")
    assert prices(path) == [("m1", Decimal(15), Decimal(20)), ("b1", Decimal(20), None)]


def test_prices_of_sylius_s_table_are_in_cents(tmp_path: Path) -> None:
    path = table(tmp_path, "Code,Locale,Name,Main_taxon,Taxons,Enabled,Price", "t1,en_US,Tee,tees,tees|men,1,1999")
    assert prices(path) == [("t1", Decimal("19.99"), None)]
    assert NO_CURRENCY in notes(path)
    with open_catalogue(path, FieldMapping(values={"currency": "JPY"})) as catalogue:
        assert [of(row).price for row in catalogue] == [Decimal("19.99")]


def test_the_kind_of_a_product_of_plytix_is_no_family(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "SKU,Label,Thumbnail,Categories,Family",
        "t1,Tee,,Apparel/Tees,Clothing",
        "t2,Hat,,Apparel/Hats,Clothing",
    )
    assert [(of(row).family, of(row).category) for row in rows(path)] == [
        ("", ("Apparel", "Tees")),
        ("", ("Apparel", "Hats")),
    ]


def test_listings_of_discogs_that_are_for_sale_are_shown(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "listing_id,artist,title,label,catno,format,release_id,status,price,comments,media_condition",
        '1,Anna,First,Pier,P1,"LP, Album",7,For Sale,24.99,Nice,Mint (M)',
        "2,Anna,Second,Pier,P2,LP,8,Sold,14.99,,Mint (M)",
    )
    first, second = rows(path)
    assert (of(first).brand, of(first).active, of(second).active) == ("Anna", True, False)
    assert of(first).attributes["label"] == "Pier"


def test_discounts_of_prestashop_count_on_their_dates(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Discount amount;Discount percent;"
        "Discount from (yyyy-mm-dd);Discount to (yyyy-mm-dd);Reference #;Visibility;Image URLs (x,y,z...)",
        "1;1;Mug;Home;50;;5;2001-01-01;2002-01-01;m1;both;",
        "2;1;Bowl;Home;50;;5;0000-00-00;0000-00-00;b1;both;",
        "3;1;Cup;Home;50;2.5;;;;c1;none;",
    )
    assert prices(path) == [
        ("m1", Decimal(50), None),
        ("b1", Decimal("47.50"), Decimal(50)),
        ("c1", Decimal("47.50"), Decimal(50)),
    ]
    assert [of(row).active for row in rows(path)] == [True, True, False]
    assert "the prices are without tax, of the type Price tax excluded" in notes(path)


def test_salla(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "النوع ,أسم المنتج,تصنيف المنتج,صورة المنتج,سعر المنتج,الوصف,رمز المنتج sku,السعر المخفض,الماركة,[1] الاسم,[1] القيمة",
        'منتج,كوب,"أكواب > ملون,هدايا","https://x.test/1.jpg,https://x.test/2.jpg",60,خزف,C-1,45,Anna,,',
        "منتج,قميص,ملابس,,90,,T-1,,Anna,,",
        "خيار,,,,95,,T-1-S,,,المقاس,S",
    )
    cup, tee, small = rows(path)
    assert (of(cup).title, of(cup).price, of(cup).list_price, of(cup).brand) == ("كوب", 45, 60, "Anna")
    assert (of(cup).category, of(cup).other_categories) == (("أكواب", "ملون"), [("هدايا",)])
    assert photos(cup) == ["https://x.test/1.jpg", "https://x.test/2.jpg"]
    assert (small.sku, of(small).title, of(small).price, of(small).family) == ("T-1-S", "قميص", 95, tee.sku)
    assert of(small).attributes == {"المقاس": "S"}


def test_naver(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "상품번호(스마트스토어),판매자 상품코드,상품명,전시상태,재고수량,판매가,할인가(PC),대표이미지 URL,"
        "대분류,중분류,소분류,제조사명,브랜드명",
        "8001,CUP-1,컵,전시중,0,13000,11000,https://x.test/1.jpg,생활/건강,주방용품,잔/컵,안나,",
    )
    (cup,) = rows(path)
    assert (cup.sku, of(cup).title, of(cup).price, of(cup).list_price) == ("CUP-1", "컵", 11000, 13000)
    assert (of(cup).category, of(cup).brand, of(cup).available) == (("생활/건강", "주방용품", "잔/컵"), "안나", False)


def test_ozon(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Артикул;Ozon Product ID;SKU;Barcode;Название товара;Бренд;Доступно к продаже по схеме FBO, шт.;"
        "Текущая цена с учетом скидки, ₽;Цена до скидки (перечеркнутая цена), ₽;Категория",
        "'MUG-1;123;456;OZN456;Кружка;Анна;5;590;900;Посуда",
    )
    (mug,) = rows(path)
    assert (mug.sku, of(mug).title, of(mug).price, of(mug).list_price) == ("MUG-1", "Кружка", 590, 900)
    assert (of(mug).currency, of(mug).category, of(mug).available) == ("RUB", ("Посуда",), True)


def test_haravan_s_lines_of_variants_have_the_address_of_their_product(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "Url,Tên,Mô tả,Hãng,Loại sản phẩm,Giá trị thuộc tính 1(Option1 Value),Mã phiên bản sản phẩm,Số lượng tồn kho,"
        "Giá,Giá so sánh,Hình",
        "ao-thun,Áo thun,<p>Vải</p>,Anna,Áo,S,AT-S,3,199000,250000,https://x.test/1.jpg",
        "ao-thun,,,,,M,AT-M,0,199000,,",
        "mu,Mũ,,Anna,Mũ,,M-1,1,90000,,",
    )
    first, second, cap = rows(path)
    assert (second.sku, of(second).title, of(second).category, of(second).brand) == ("AT-M", "Áo thun", ("Áo",), "Anna")
    assert (of(second).family, of(cap).family, of(second).available) == (first.sku, "", False)


def test_prices_in_cents_are_not_taken_for_others(tmp_path: Path) -> None:
    (mug,) = rows(table(tmp_path, "ean;title;price_cs;offer_id", "4006381333931;Tasse;1250;C-1"))
    assert (mug.sku, of(mug).price) == ("C-1", None)


def test_magento_1(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "sku,_store,_attribute_set,_type,_category,_root_category,color,description,image,is_in_stock,manufacturer,name,price,qty,"
        "special_price,status,visibility,_super_products_sku,_super_attribute_code,_super_attribute_option,_media_image,"
        "_media_is_disabled",
        "tee-s,,Default,simple,,,Red,,,1,Anna,Tee red,20.0000,5.0000,,1,1,,,,/t/e/tee.jpg,0",
        "tee,,Default,configurable,Clothing/Tees,Default Category,,<p>Soft</p>,/t/e/tee.jpg,1,,Tee,20.0000,0.0000,15.0000,1,4,"
        "tee-s,color,Red,/t/e/tee.jpg,0",
        ",,,,Sale,Default Category,,,,,,,,,,,,tee-m,color,Blue,/t/e/back.jpg,0",
        ",,,,,,,,,,,,,,,,,,,,/t/e/old.jpg,1",
        ",german,,,,,,<p>Weich</p>,,,,T-Shirt,,,,,,,,,,",
        "mug,,Default,simple,Kitchen,Default Category,,,no_selection,0,,Mug,5.5000,0.0000,,2,4,,,,,",
        "strap,,Default,simple,,,,,,1,,Strap,3.0000,1.0000,,1,1,,,,,",
    )
    small, tee, mug, strap = rows(path)
    assert (tee.sku, of(tee).title, of(tee).price, of(tee).list_price) == ("tee", "Tee", 15, 20)
    assert (of(tee).category, of(tee).other_categories) == (("Clothing", "Tees"), [("Sale",)])
    assert photos(tee) == ["t/e/tee.jpg", "t/e/back.jpg"]
    assert (of(small).family, of(tee).family, of(small).attributes) == ("tee", "tee", {"color": "Red"})
    assert (of(small).active, of(small).brand, of(mug).family) == (True, "Anna", "")
    assert (of(mug).available, of(mug).active, of(strap).active, photos(mug)) == (False, False, False, [])
    assert "1 rows of store views were left out: they translate products of other rows" in notes(path)


def test_a_line_without_a_product_above_it_is_rejected(tmp_path: Path) -> None:
    path = table(
        tmp_path, "sku,_type,_attribute_set,name,price,_category", ",,,,,Sale", "mug,simple,Default,Mug,5,Cups"
    )
    first, mug = rows(path)
    assert (first.error, of(mug).title) == ("there is no SKU", "Mug")


def test_an_export_of_magento_1_changes_only_what_it_has_columns_of(tmp_path: Path) -> None:
    path = table(tmp_path, "sku,_type,_attribute_set,name,price,special_price", "mug,simple,Default,Mug,5.0000,")
    (mug,) = rows(path)
    assert mug.photos is None
    assert mug.fields is not None
    assert mug.fields.isdisjoint({"description", "brand", "category", "image", "available", "active"})
