"""The export of nopCommerce, of this and of older versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, photos_in, product, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return photos_in(tmp_path) / "products.csv"


def test_nopcommerce(shop: Path) -> None:
    write(
        shop,
        "ProductId,ProductType,ParentGroupedProductId,VisibleIndividually,Name,ShortDescription,FullDescription,Vendor,Published,SKU,"
        "ManufacturerPartNumber,Gtin,StockQuantity,Price,OldPrice,ProductCost,Categories,Manufacturers,ProductTags,Picture1,Picture2",
        "1,Simple Product,0,True,Desk,Oak,<p>Of oak</p>,Market,True,DESK,MPN-1,,5,1200,1300,0,Home >> Desks;Sale;,"
        "Acme;Other;,oak;desk,red.jpg,blue.jpg",
        # Names of the columns of its attributes, and one of them.
        ",AttributeId,AttributeName,DefaultValue,ValidationMinLength,,,,IsRequired,PriceAdjustment,,,,,,,,,,,",
        ",1,Size,,,,,,True,,,,,,,,,,,,",
    )
    report = run(shop)

    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    assert (
        "2 rows were left out: they are no products, but attributes and the like of the product above"
        in report["notes"]
    )
    desk = product("DESK")
    assert (desk.title, desk.description, desk.brand, desk.tags) == ("Desk", "Of oak", "Acme", ["oak", "desk"])
    assert (desk.price, desk.list_price, desk.images.count()) == (1200, 1300, 2)
    assert (categories("DESK"), desk.attributes) == (["home/desks", "sale"], {"mpn": "MPN-1"})


def test_an_older_export_of_nopcommerce(shop: Path) -> None:
    write(
        shop,
        "Name,ShortDescription,FullDescription,ProductTemplateId,SeName,Published,ProductVariantName,SKU,ManageInventoryMethodId,"
        "StockQuantity,Price,OldPrice,SpecialPrice,SpecialPriceStartDateTimeUtc,SpecialPriceEndDateTimeUtc,CategoryIds,"
        "ManufacturerIds,Picture1",
        "Desk,Oak,<p>Of oak</p>,1,desk,True,Large,DESK-L,0,0,100,0,80,2020-01-01,,3;,1;,red.jpg",
        "Desk,Oak,<p>Of oak</p>,1,desk,True,Small,DESK-S,1,0,90,0,70,2020-01-01,2020-02-01,3;,1;,red.jpg",
    )
    assert counts(run(shop)) == (2, 0, 0, 0)
    large, small = product("DESK-L"), product("DESK-S")
    assert (large.price, large.list_price, small.price, small.list_price) == (80, 100, 90, None)
    # The stock of the first is not counted.
    assert (large.available, small.available, large.attributes) == (True, False, {"variant": "Large"})


@pytest.mark.parametrize(
    ("categories_of", "found"),
    [
        ("<ProductCategories><ProductCategory><CategoryId>{0}</CategoryId></ProductCategory></ProductCategories>", []),
        ("<ProductCategories><ProductCategory>{0}</ProductCategory></ProductCategories>", []),
        ("<Categories><Category>{0}</Category><Category>12</Category></Categories>", []),
        ("<A><Category>{0}</Category></A><B><B><Category><Name>Desks</Name></Category></B></B>", ["desks"]),
    ],
)
def test_numbers_of_categories_in_xml_are_no_names(tmp_path: Path, categories_of: str, found: list[str]) -> None:
    products = "".join(
        f"<Product><ProductId>{number}</ProductId><Name>Desk</Name><SKU>D-{number}</SKU><Price>9</Price>"
        f"{categories_of.format(number)}</Product>"
        for number in (1, 2)
    )
    path = tmp_path / "products.xml"
    path.write_text(f"<Products>{products}</Products>", encoding="utf-8")

    assert counts(run(path)) == (2, 0, 0, 0)
    assert (product("D-1").category is not None, categories("D-1") if found else []) == (bool(found), found)
