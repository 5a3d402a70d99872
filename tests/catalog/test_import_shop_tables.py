"""Tables of shop systems that a shipped mapping describes, with the columns that these systems write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.importers.mapping import FieldMapping
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rows import Row
from catalog.importers.shipped_mappings import shipped_mappings
from catalog.importers.shop_table import ShopTable
from catalog.importers.sources import detect_format
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
    assert (counts(report), problems(report), report["photos_left_out"]) == ((4, 0, 0, 0), [], 6)
    assert families() == {"T-1": {"T-1", "T-S", "T-1-L"}, "C-1": {"C-1"}}
    main, small, large = product("T-1"), product("T-S"), product("T-1-L")
    assert (main.price, main.list_price, main.available) == (18, 20, True)
    assert (small.price, small.available, small.attributes, small.title) == (18, False, {"size": "S"}, "Tee")
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


@pytest.mark.parametrize("slug", shipped_mappings())
def test_each_table_is_told_by_its_columns_in_any_case_and_order(tmp_path: Path, slug: str) -> None:
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
