"""Tables of shop systems that a shipped mapping describes, with the columns that these systems write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.sources import detect_format
from product_files.tables.shipped_mappings import shipped_mappings
from product_files.tables.shop_table import ShopTable
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.catalog.shop_exports import categories, families, photos_in, product, write

pytestmark = pytest.mark.django_db

NO_CURRENCY = "the prices have no currency: EUR was assumed; name the currency of the import if it is another"
SQUARESPACE = (
    "Product ID [Non Editable],Variant ID [Non Editable],Product Type [Non Editable],Product Page,Product URL,Title,Description,"
    "SKU,Option Name 1,Option Value 1,Option Name 2,Option Value 2,Price,Sale Price,On Sale,Stock,Categories,Tags,Weight,"
    "Length,Width,Height,Visible,Hosted Image URLs"
)
WIX = (
    "handleId,fieldType,name,description,productImageUrl,collection,sku,ribbon,price,surcharge,visible,discountMode,discountValue,"
    "inventory,weight,cost,productOptionName1,productOptionType1,productOptionDescription1"
)
BIGCOMMERCE = (
    "Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Product Description,Price,Retail Price,Sale Price,"
    "Allow Purchases?,Product Visible?,Track Inventory,Current Stock Level,Category,Product Image File - 1,Product Image File - 2"
)
ETSY = (
    "TITLE,DESCRIPTION,PRICE,CURRENCY_CODE,QUANTITY,TAGS,MATERIALS,IMAGE1,IMAGE2,VARIATION 1 TYPE,VARIATION 1 NAME,SKU"
)
ECWID = (
    "type,product_internal_id,product_sku,product_name,product_price,product_compare_to_price,product_is_inventory_tracked,"
    "product_quantity,product_is_available,product_brand,product_category_1,product_category_2,product_description,"
    "product_media_main_image_url,product_media_gallery_image_url_1,product_variation_sku,product_variation_option_{Size}"
)
OPENCART = (
    "product_id,name(en-gb),categories,sku,upc,ean,quantity,model,manufacturer,image_name,shipping,price,status,tax_class_id,"
    "description(en-gb),stock_status_id,tags(en-gb)"
)
PRESTASHOP = (
    "Product ID;Active (0/1);Name *;Categories (x,y,z...);Price tax excluded;Tax rules ID;Reference #;Manufacturer;EAN13;Quantity;"
    "Summary;Description;Tags (x,y,z...);Image URLs (x,y,z...)"
)

VENDURE = (
    "name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,"
    "variantFacets"
)
SPREE = (
    "slug,sku,name,price,compare_at_price,currency,status,description,tags,category1,category2,option1_name,option1_value,image1_src,"
    "image2_src,inventory_count,track_inventory,custom_field.properties.material"
)
TIENDANUBE = (
    "Identificador de URL;Nombre;Categorías;Nombre de propiedad 1;Valor de propiedad 1;Precio;Precio promocional;Stock;SKU;"
    "Código de barras;Mostrar en tienda;Descripción;Tags;Marca;Visibilidad"
)
NUVEMSHOP = (
    "Identificador URL;Nome;Categorias;Nome da variação 1;Valor da variação 1;Preço;Preço promocional;Estoque;SKU;Exibir na loja;"
    "Tags"
)
SHOPTET = (
    "code;pairCode;name;shortDescription;defaultImage;image;image2;defaultCategory;categoryText;manufacturer;price;standardPrice;"
    "currency;ean;stock;productVisibility;variant:Velikost"
)
COMMERCETOOLS = "productType,variantId,sku,prices,tax,categories,images,name.de,name.en,slug.de,slug.en,color,size"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return photos_in(tmp_path) / "products.csv"


def test_squarespace(shop: Path) -> None:
    write(
        shop,
        SQUARESPACE,
        '1,11,PHYSICAL,shop,mug,Mug,<p>Holds tea</p>,M-S,Size,S,,,20.00,15.00,Yes,Unlimited,"/home/mugs, /sale","tea, cup",,,,,Yes,'
        "red.jpg blue.jpg",
        ",12,,,,,,,,L,,,22.00,,No,0,,,,,,,,",
        "2,21,PHYSICAL,shop,hat,Hat,,H-1,,,,,9.00,,No,3,,,,,,,No,",
    )
    report = run(shop)
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert report["notes"][:2] == ["read as a product export of Squarespace", NO_CURRENCY]
    assert report["notes"][2].startswith(
        "columns that are not used: Product Type [Non Editable], Product Page, Product URL, "
    )
    assert families() == {"M-S": {"M-S", "1-L"}, "H-1": {"H-1"}}
    small, large = product("M-S"), product("1-L")
    assert (small.price, small.list_price, small.available, small.active) == (15, 20, True, True)
    assert (large.price, large.list_price, large.available, large.active) == (22, None, False, True)
    assert (large.title, large.description, large.tags, large.attributes) == (
        "Mug",
        "Holds tea",
        ["tea", "cup"],
        {"size": "L"},
    )
    assert (categories("1-L"), large.images.count()) == (["home/mugs", "sale"], 2)
    assert product("H-1").active is False


def test_wix(shop: Path) -> None:
    write(
        shop,
        WIX,
        "tee,Product,Tee,Of cotton,a1_2~mv2.jpg;https://example.com/b.jpg,Tops;Sale,T-1,,20,,true,PERCENT,10,InStock,,,Size,DROP_DOWN,S;L",
        "tee,Variant,,,,,T-S,,,,,,,OutOfStock,,,,,S",
        "tee,Variant,,,,,,,,4,,,,2,,,,,L",
        "cap,Product,Cap,,,,C-1,,9.5,,false,PERCENT,0,0,,,,,",
    )
    report = run(shop, "--no-fetch")
    assert (counts(report), problems(report), report["photos_left_out"]) == ((3, 0, 0, 0), [], 4)
    # A product with variants is not sold itself.
    assert families() == {"T-S": {"T-S", "T-1-L"}, "C-1": {"C-1"}}
    small, large = product("T-S"), product("T-1-L")
    assert (small.list_price, small.price, small.available, small.attributes, small.title) == (
        20,
        18,
        False,
        {"size": "S"},
        "Tee",
    )
    assert (large.price, large.available, large.attributes) == (22, True, {"size": "L"})
    assert categories("T-S") == ["tops", "sale"]
    assert (product("C-1").available, product("C-1").active) == (False, False)


def test_bigcommerce(shop: Path) -> None:
    write(
        shop,
        BIGCOMMERCE,
        "Product,7,Tee,P,TEE,Acme,<p>Of cotton</p>,20.00,25.00,,Y,Y,by option,0,Clothing/Tees;Sale,red.jpg,blue.jpg",
        '  SKU,71,"[S]Size=Small,[CS]Color=Red:#ff0000",,TEE-S,,,,,,,,,4,,,',
        '  SKU,72,"[S]Size=Large,[CS]Color=Red:#ff0000",,TEE-L,,,[ADD]2,,,,,,0,,blue.jpg,',
        "  Rule,73,,,TEE-L,,,,,,,,,,,,",
        "Product,8,Gift card,P,GIFT,,,10.00,,8.00,Y,N,none,0,Gifts,,",
    )
    report = run(shop)
    assert (counts(report), problems(report)) == ((4, 0, 0, 0), [])
    assert families() == {"TEE": {"TEE", "TEE-S", "TEE-L"}, "GIFT": {"GIFT"}}
    small, large, gift = product("TEE-S"), product("TEE-L"), product("GIFT")
    assert (small.title, small.attributes, small.available) == ("Tee", {"size": "Small", "color": "Red"}, True)
    assert (small.price, small.list_price, small.brand, small.images.count()) == (20, 25, "Acme", 2)
    assert (large.available, large.images.count(), categories("TEE-L")) == (False, 1, ["clothing/tees", "sale"])
    assert (gift.price, gift.list_price, gift.available, gift.active) == (8, 10, True, False)


def test_etsy(shop: Path) -> None:
    write(
        shop,
        ETSY,
        '"Mug, blue","Holds tea",16.00,GBP,3,"tea,cup",clay,blue.jpg,red.jpg,,,M-1',
        "Print,,9.50,GBP,0,,,red.jpg,,,,",
    )
    report = run(shop)
    assert (counts(report), problems(report), NO_CURRENCY in report["notes"]) == ((2, 0, 0, 0), [], False)
    mug = product("M-1")
    assert (mug.title, mug.price, mug.currency, mug.tags) == ("Mug, blue", 16, "GBP", ["tea", "cup"])
    assert (mug.attributes, mug.images.count()) == ({"materials": "clay"}, 2)
    assert (product("Print").available, product("Print").currency) == (False, "GBP")


def test_ecwid(shop: Path) -> None:
    write(
        shop,
        ECWID,
        "product,5,TEE,Tee,20.00,25.00,true,0,true,Acme,Clothing / Tees,Sale,<p>Of cotton</p>,red.jpg,blue.jpg,,",
        "product_option,5,,,,,,,,,,,,,,,",
        "product_variation,5,,,22.00,,true,3,,,,,,,,TEE-L,L",
        "product,6,CAP,Cap,9.00,,false,,false,,,,,,,,",
    )
    report = run(shop)
    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"TEE": {"TEE", "TEE-L"}, "CAP": {"CAP"}}
    tee, large, cap = product("TEE"), product("TEE-L"), product("CAP")
    assert (tee.price, tee.list_price, tee.available, tee.brand, tee.images.count()) == (20, 25, False, "Acme", 2)
    assert (large.price, large.list_price, large.available, large.attributes) == (22, None, True, {"size": "L"})
    assert (categories("TEE-L"), large.title, large.description) == (["clothing/tees", "sale"], "Tee", "Of cotton")
    assert (cap.available, cap.active) == (True, False)


def test_opencart(shop: Path) -> None:
    write(
        shop,
        OPENCART,
        '28,"HTC Touch","20,24",,,4006381333931,939,Product 1,HTC,red.jpg,true,100.00,true,9,<p>Big</p>,7,"a,b"',
        "30,Camera,33,CAM,,,0,Product 3,Canon,,true,80.00,false,9,,6,",
    )
    report = run(shop)
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    phone, camera = product("Product 1"), product("CAM")
    assert (phone.title, phone.brand, phone.price, phone.available, phone.active) == (
        "HTC Touch",
        "HTC",
        100,
        True,
        True,
    )
    assert (phone.tags, phone.attributes, phone.images.count()) == (["a", "b"], {"gtin": "4006381333931"}, 1)
    assert (camera.available, camera.active) == (False, False)
    assert any("categories" in note for note in report["notes"])


def test_prestashop(shop: Path) -> None:
    write(
        shop,
        PRESTASHOP,
        '1;1;Mug;Home/Mugs,Sale;"12,50";1;REF-1;Acme;4006381333931;3;Short;<p>Holds tea</p>;tea,cup;red.jpg,blue.jpg',
        "2;0;Cap;Home;9.000000;1;;;;0;Short;;;",
    )
    report = run(shop)
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    mug, cap = product("REF-1"), product("2")
    assert (mug.price, mug.brand, mug.tags, mug.images.count()) == (Decimal("12.5"), "Acme", ["tea", "cup"], 2)
    assert (categories("REF-1"), mug.description) == (["home/mugs", "sale"], "Holds tea")
    assert (cap.description, cap.available, cap.active) == ("Short", False, False)


def test_the_list_of_products_of_prestashop(shop: Path) -> None:
    write(
        shop,
        "Product ID;Image;Name;Reference;Category;Price (tax excl.);Quantity;Status",
        "1;red.jpg;Mug;R1;Home;12.50;3;0",
        "2;blue.jpg;Cap;R2;Home;9.00;0;1",
    )
    report = run(shop)
    assert (product("R1").title, product("R1").price) == ("Mug", Decimal("12.5"))
    # There the status is 1 where nothing is in stock, and 0 elsewhere.
    assert [product(sku).active for sku in ("R1", "R2")] == [True, True]
    assert [product(sku).available for sku in ("R1", "R2")] == [True, False]
    assert "columns that are not used: Status" in report["notes"]


def test_the_import_template_of_older_versions_of_prestashop(shop: Path) -> None:
    write(
        shop,
        "ID;Active (0/1);Name;Categories (x,y,z...);Price tax excluded;Price tax included;Reference #;Brand;Image URLs (x,y,z...)",
        "1;1;Mug;Home/Mugs;10.00;12.50;;Acme;red.jpg",
    )
    run(shop)
    assert (product("1").title, product("1").brand, product("1").price) == ("Mug", "Acme", Decimal("12.5"))


def test_vendure(shop: Path) -> None:
    write(
        shop,
        VENDURE,
        "Easel,easel,For artists,red.jpg,category:Studio|category:Wood|brand:Acme|kind:tall,size|wood,S|oak,E-S,45.30,standard,0,"
        "false,,",
        ',,,,,,"L|oak",E-L,59.5,standard,0,true,blue.jpg,kind:wide|kind:low',
        "Ink,,Blue,,,,,I-1,4,standard,3,true,,",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert report["notes"][0] == "read as a product export of Vendure"
    assert families() == {"E-S": {"E-S", "E-L"}, "I-1": {"I-1"}}
    small, large = product("E-S"), product("E-L")
    assert (small.brand, small.attributes) == ("Acme", {"kind": "tall", "size": "S", "wood": "oak"})
    assert (large.title, large.brand, large.attributes) == (
        "Easel",
        "Acme",
        {"kind": "tall, wide, low", "size": "L", "wood": "oak"},
    )
    assert (categories("E-L"), small.available, large.available) == (["studio", "wood"], True, False)
    # Its own photo stands in front of that of the product.
    assert (small.images.count(), large.images.count()) == (1, 2)


def test_vendure_in_several_languages(shop: Path) -> None:
    write(
        shop,
        "name:de,name:en,slug:en,description:en,assets,facets:en,optionGroups,optionValues:en,sku,price,taxCategory,variantAssets",
        "Staffelei,Easel,easel,Tall,,brand:Acme,size,S,E-S,45.30,standard,",
        ",,,,,,,L,E-L,59.5,standard,",
    )
    run(shop)

    assert (product("E-L").title, product("E-L").attributes, product("E-S").brand) == ("Easel", {"size": "L"}, "Acme")


def test_spree(shop: Path) -> None:
    write(
        shop,
        SPREE,
        "shirt,SHIRT,Shirt,0,0,USD,active,Of linen,summer,Men -> Shirts,Sale,,,red.jpg,,,,linen",
        "shirt,SHIRT-S,,62.99,80,USD,,,,,,Size,S,blue.jpg,,4,true",
        "shirt,SHIRT-L,,62.99,,USD,,,,,,Size,L,,,0,true",
        "cap,CAP,Cap,9,,USD,draft,,,,,,,red.jpg,blue.jpg,,false,",
        "shirt,SHIRT-S,,59.99,,EUR,,,,,,,,,,,",
        "cap,CAP,,8,,EUR,,,,,,,,,,,",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert "2 rows with prices in other currencies were left out" in report["notes"]
    assert families() == {"SHIRT-S": {"SHIRT-S", "SHIRT-L"}, "CAP": {"CAP"}}
    small, large, cap = product("SHIRT-S"), product("SHIRT-L"), product("CAP")
    assert (small.title, small.price, small.list_price, small.currency, small.available) == (
        "Shirt",
        Decimal("62.99"),
        80,
        "USD",
        True,
    )
    assert (large.available, large.attributes) == (False, {"material": "linen", "size": "L"})
    assert categories("SHIRT-L") == ["men/shirts", "sale"]
    assert (cap.active, cap.available, cap.images.count()) == (False, True, 2)


def test_tiendanube(shop: Path) -> None:
    write(
        shop,
        TIENDANUBE,
        "taza;Taza;Mesa > Tazas, Regalos;Color;Azul;10,000.00;9,000.00;0;;779;SI;<p>Alta</p>;azul, alta;Sur;Visible",
        ";;;;Verde;;;;;;;;;;",
        "plato;Plato;Mesa;;;5,000.00;;3;P-1;;NO;;;;Oculto",
    )
    report = run(shop, "--set", "currency=ARS")

    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"taza-Azul": {"taza-Azul", "taza-Verde"}, "P-1": {"P-1"}}
    blue, green = product("taza-Azul"), product("taza-Verde")
    assert (blue.price, blue.list_price, blue.currency, blue.available) == (9000, 10000, "ARS", False)
    # An empty stock is not counted.
    assert (green.title, green.price, green.available, green.attributes["color"]) == ("Taza", 9000, True, "Verde")
    assert (categories("taza-Verde"), product("P-1").active) == (["mesa/tazas", "regalos"], False)


def test_nuvemshop(shop: Path) -> None:
    write(
        shop, NUVEMSHOP, "caneca;Caneca;Casa > Canecas;Cor;Azul;1.299,90;;4;C-1;SIM;azul", ";;;;Verde;1.299,90;;0;C-2;;"
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    assert (product("C-2").title, product("C-2").price, product("C-2").available) == (
        "Caneca",
        Decimal("1299.9"),
        False,
    )


def test_shoptet(shop: Path) -> None:
    write(
        shop,
        SHOPTET,
        "1/M;P1;Bunda;Teplá;red.jpg;red.jpg;blue.jpg;Muži > Bundy;Akce;Acme;1 259,90;1 469,90;CZK;859;5;visible;M;",
        "1/L;P1;Bunda;Teplá;red.jpg;;;Muži > Bundy;;Acme;1 259,90;;CZK;;0;hidden;L;",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    assert families() == {"1/M": {"1/M", "1/L"}}
    medium, large = product("1/M"), product("1/L")
    assert (medium.price, medium.list_price, medium.currency) == (Decimal("1259.9"), Decimal("1469.9"), "CZK")
    assert (medium.images.count(), medium.attributes) == (2, {"gtin": "859", "velikost": "M"})
    assert (categories("1/M"), large.available, large.active) == (["muži/bundy", "akce"], False, False)


def test_tilda(shop: Path) -> None:
    write(
        shop,
        "Tilda UID;Brand;SKU;Category;Title;Description;Text;Photo;Price;Quantity;Price Old;Editions;Parent UID;"
        "Characteristics:Цвет",
        "11;Acme;M-1;Посуда>>>Кружки;Кружка;;Синяя;https://example.com/1.jpg https://example.com/2.jpg;990.0000;5;1200.0000;;;синий",
        "22;Acme;TEE;Одежда;Футболка;;;https://example.com/3.jpg;;;;;;белый",
        "23;;T-S;;;;;;1500.0000;0;;Размер:S;22;",
        "24;;;;;;;;1500.0000;;;Размер:M;22;",
    )
    report = run(shop, "--no-fetch", "--set", "currency=RUB")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((3, 0, 0, 0), [], 4)
    assert families() == {"M-1": {"M-1"}, "T-S": {"T-S", "24"}}
    mug, tee = product("M-1"), product("T-S")
    assert (mug.price, mug.list_price, mug.attributes, categories("M-1")) == (
        990,
        1200,
        {"цвет": "синий"},
        ["посуда/кружки"],
    )
    assert (tee.title, tee.brand, tee.available, tee.attributes) == (
        "Футболка",
        "Acme",
        False,
        {"цвет": "белый", "размер": "S"},
    )


def test_commercetools(shop: Path) -> None:
    write(
        shop,
        COMMERCETOOLS,
        "main,1,S-5,DE-USD 27500;USD 34375;USD 19900 b2b,standard,New>Men>Shoes;Men,https://example.com/1.jpg;https://example.com/2.jpg,"
        "Schuhe,Shoes,schuhe,shoes,grey,5",
        ",2,S-6,JPY 9900|8900,standard,,,,,,,grey,6",
        "main,1,C-1,KWD 1234,standard,Men,,Kappe,Cap,kappe,cap,,",
    )
    report = run(shop, "--no-fetch")

    assert (counts(report), problems(report), report["currencies"]) == ((3, 0, 0, 0), [], ["USD", "JPY", "KWD"])
    assert families() == {"S-5": {"S-5", "S-6"}, "C-1": {"C-1"}}
    five, six, cap = product("S-5"), product("S-6"), product("C-1")
    assert (five.title, five.price, five.list_price, five.currency) == ("Shoes", Decimal("343.75"), None, "USD")
    assert (six.title, six.price, six.list_price, six.attributes) == (
        "Shoes",
        8900,
        9900,
        {"color": "grey", "size": "6"},
    )
    assert (cap.price, cap.currency, categories("S-6")) == (Decimal("1.234"), "KWD", ["new/men/shoes", "men"])
    assert not any("currency" in note for note in report["notes"])


def test_spryker(shop: Path) -> None:
    write(
        shop,
        "abstract_sku,concrete_sku,product_abstract.category_key,product.assigned_product_type,product.name.de_DE,product.name.en_US,"
        "product.attribute_key_1,product.value_1,product_stock.quantity,product_price.currency,product_price.value_net,"
        "product_price.value_gross,product_image.external_url_large,product_image.locale",
        "001,,cameras,abstract,Kamera,Camera,brand,Pier,,EUR,8999,9999,https://example.com/0.jpg,de_DE",
        "001,,,,,,,,,CHF,13004,14449,,",
        "001,001-R,,concrete,Kamera,Camera,color,Red,10,,,,https://example.com/1.jpg,de_DE",
        "001,001-R,,,,,,,,,,,https://example.com/1.jpg,en_US",
        "001,001-B,,concrete,Kamera,Camera,color,Blue,0,,,,https://example.com/2.jpg,de_DE",
        "002,002-1,tablets,both,Tafel,Tablet,,,3,JPY,,2100,,",
    )
    report = run(shop, "--no-fetch")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((3, 0, 0, 0), [], 2)
    assert families() == {"001-R": {"001-R", "001-B"}, "002-1": {"002-1"}}
    red, blue, tablet = product("001-R"), product("001-B"), product("002-1")
    assert (red.title, red.price, red.currency, red.attributes["color"]) == ("Camera", Decimal("99.99"), "EUR", "Red")
    assert (categories("001-B"), red.available, blue.available) == (["cameras"], True, False)
    assert (tablet.price, tablet.currency) == (2100, "JPY")


@pytest.mark.parametrize("slug", shipped_mappings())
def test_each_table_is_recognised_by_its_columns_in_any_case_and_order(tmp_path: Path, slug: str) -> None:
    for place in (0, -1):
        headers = [names[place].upper() for names in shipped_mappings()[slug].headers]
        cells = ",".join(f'"{header}"' for header in reversed(headers))
        assert detect_format(write(tmp_path / "table.csv", cells)) == slug


def test_a_column_of_ones_own_takes_precedence(shop: Path) -> None:
    write(shop, ETSY, "Mug,,16.00,GBP,3,,clay,,,,,M-1")
    run(shop, "--map", "brand=MATERIALS", "--set", "currency=USD")
    assert (product("M-1").brand, product("M-1").currency) == ("clay", "USD")


def test_a_second_run_changes_nothing(shop: Path) -> None:
    write(
        shop,
        SQUARESPACE,
        "1,11,PHYSICAL,shop,mug,Mug,,M-S,Size,S,,,20.00,,,3,,,,,,,Yes,red.jpg",
        ",12,,,,,,,,L,,,22.00,,,0,,,,,,,,",
    )
    run(shop)
    assert counts(run(shop)) == (0, 0, 2, 0)


def test_a_rejected_variant_can_be_corrected_and_imported_again(shop: Path) -> None:
    long = "m" * 255
    write(
        shop,
        SQUARESPACE,
        f"1,11,PHYSICAL,shop,mug,Mug,,{long}S,Size,S,,,20.00,,,1,,,,,,,Yes,",
        f",12,,,,,,{long}L,,L,,,22.00,,,2,,,,,,,,",
    )
    assert counts(run(shop, "--report", str(shop.parent / "rejected.csv"))) == (0, 0, 0, 2)
    mended = (shop.parent / "rejected.csv").read_text().replace(long, "M-")
    assert run(write(shop.parent / "mended.csv", mended))["created"] == 2


def test_a_table_of_another_kind_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is it a product export of Wix"):
        run(write(tmp_path / "table.csv", "sku,title", "1,Mug"), "--format", "wix")


@pytest.mark.any_database
def test_memory_does_not_grow_with_the_products(tmp_path: Path) -> None:
    products = 1_000
    mug, large = (
        "{0},1{0},PHYSICAL,shop,mug,Mug,,M-{0},Size,S,,,20.00,,,3,,,,,,,Yes,",
        ",2{0},,,,,,,,L,,,22.00,,,0,,,,,,,,",
    )
    lines = (line.format(number) for number in range(products) for line in (mug, large))
    path = write(tmp_path / "products.csv", SQUARESPACE, *lines)

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        mapping = shipped_mappings()["squarespace"]
        rows = ShopTable(path, FieldMapping(), photos=PhotoFolder.open(tmp_path), shipped=mapping)
        return sum(row.product is not None for row in watched(rows))

    assert memory_growth(read, after=500, rows=2 * products) < 1.05


ZEN_CART = (
    "v_products_model,v_products_type,v_products_image,v_products_name_1,v_products_description_1,v_specials_price,v_products_price,"
    "v_products_quantity,v_manufacturers_name,v_categories_name_1,v_status"
)


def test_zen_cart(shop: Path) -> None:
    write(
        shop,
        ZEN_CART,
        "MUG-1,1,red.jpg,Mug,<b>Blue</b>,9.5000,12.0000,4,Acme,Home^Mugs,1",
        "JUG-1,1,blue.jpg,Jug,Red,,30.0000,0,,Home^Jugs,0",
    )
    report = run(shop, "--set", "currency=USD")

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    assert report["notes"][0] == "read as a product export of Zen Cart"
    mug, jug = product("MUG-1"), product("JUG-1")
    assert (mug.title, mug.description, mug.brand, mug.images.count()) == ("Mug", "Blue", "Acme", 1)
    assert (mug.price, mug.list_price, mug.available, categories("MUG-1")) == (Decimal("9.5"), 12, True, ["home/mugs"])
    assert (jug.available, jug.active) == (False, False)


def test_oscommerce(shop: Path) -> None:
    write(
        shop,
        "v_products_model;v_products_image;v_products_name_1;v_products_price;v_categories_name_1;v_categories_name_2;v_status;EOREOR",
        "MUG-1;red.jpg;Mug;12.00;Home;Mugs;Active;EOREOR",
        "JUG-1;;Jug;30.00;Home;;Inactive;EOREOR",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    assert (categories("MUG-1"), categories("JUG-1")) == (["home/mugs"], ["home"])
    assert (product("MUG-1").active, product("JUG-1").active) == (True, False)


def test_vtex(shop: Path) -> None:
    write(
        shop,
        "_SkuId (Not changeable);_SkuName;_SkuIsActive (Not changeable);_SkuEan;_SKUReferenceCode;_ProductId (Not changeable);"
        "_ProductName (Required);_ProductIsActive (Not changeable);_ShowOnSite;_ProductDescription;_Keywords;_DepartamentName;"
        "_CategoryName;_BrandId;_Brand",
        "101;Camiseta azul P;YES;7891000000017;CAM-P;11;Camiseta;YES;YES;Algodão;azul, verão;Moda;Camisetas;5;Acme",
        "102;Camiseta azul M;YES;;CAM-M;11;Camiseta;YES;NO;Algodão;azul;Moda;Camisetas;5;Acme",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    assert families() == {"CAM-P": {"CAM-P", "CAM-M"}}
    small = product("CAM-P")
    assert (small.title, small.brand, small.tags, categories("CAM-P")) == (
        "Camiseta",
        "Acme",
        ["azul", "verão"],
        ["moda/camisetas"],
    )
    assert small.attributes == {"variant": "Camiseta azul P", "gtin": "7891000000017"}
    assert (small.active, product("CAM-M").active) == (True, False)


def test_lightspeed(shop: Path) -> None:
    write(
        shop,
        "Internal_ID;Internal_Variant_ID;Visible;Brand;NL_Title_Short;NL_Title_Long;NL_Description_Long;NL_Variant;Price;"
        "Price_Old;SKU;EAN;Stock_Track;Stock_Level;NL_Category_1;NL_Subcategory_1;NL_Subsubcategory_1;Tags;Images",
        "11;21;Y;Acme;Mok;Mok 350 ml;Een mok;Kleur: Blauw, Maat: L;12.50;15;MOK-B;8712345;Y;4;Wonen;Keuken;Mokken;mok;red.jpg",
        "11;22;Y;Acme;Mok;Mok 350 ml;Een mok;Kleur: Rood;12.50;;MOK-R;;N;0;Wonen;Keuken;;mok;blue.jpg,red.jpg",
        "12;23;N;Acme;Kan;Kan;Een kan;;30.00;;KAN;;Y;0;Wonen;;;;",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((3, 0, 0, 0), [])
    assert families() == {"MOK-B": {"MOK-B", "MOK-R"}, "KAN": {"KAN"}}
    blue, red = product("MOK-B"), product("MOK-R")
    assert (blue.title, blue.price, blue.list_price) == ("Mok", Decimal("12.5"), 15)
    assert blue.attributes == {"kleur": "Blauw", "maat": "L", "gtin": "8712345"}
    assert (categories("MOK-B"), categories("KAN")) == (["wonen/keuken/mokken"], ["wonen"])
    # Its stock is not counted.
    assert (red.available, red.images.count(), product("KAN").active) == (True, 2, False)


def test_unas(shop: Path) -> None:
    write(
        shop,
        "Cikkszám;Termék Név;Nettó Ár;Bruttó Ár;Akciós Nettó Ár;Akciós Bruttó Ár;Kategória;Rövid Leírás;Raktárkészlet;"
        "Paraméter: Márka||text;Paraméter: Szín||text;Alternatív Kategória 1",
        "B-1;Bögre;3150;4000;;3500;Otthon|Konyha;350 ml;4;Acme;kék;Ajándék",
        "B-2;Kancsó;3150;4000;;;Otthon|Konyha;;0;;;",
    )
    report = run(shop, "--set", "currency=HUF")

    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    mug, jug = product("B-1"), product("B-2")
    assert (mug.title, mug.brand, mug.price, mug.list_price) == ("Bögre", "Acme", 3500, 4000)
    assert (mug.attributes, categories("B-1")) == ({"szín": "kék"}, ["otthon/konyha", "ajándék"])
    assert (jug.price, jug.available) == (4000, False)
