"""Tables of eBay: templates of File Exchange and Seller Hub, and its reports of listings."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, families, product, write

pytestmark = pytest.mark.django_db

EBAY = (
    "*Action(SiteID=UK|Country=GB|Currency=GBP|Version=1193),CustomLabel,*Category,*Title,PicURL,*StartPrice,*Quantity,*C:Brand,"
    "C:Style,Relationship,RelationshipDetails"
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return tmp_path / "products.csv"


def test_ebay(shop: Path) -> None:
    write(
        shop,
        EBAY,
        "Add,J-1,57988,Jacket,https://example.com/1.jpg|https://example.com/2.jpg,49.99,1,Acme,Slim,,",
        'Add,TEE,15687,Tee,https://example.com/3.jpg,,,Acme,Loose,,"Size=S;M|Color=Red"',
        ",TEE-S,,,,9.99,3,,,Variation,Size=S|Color=Red",
        ",TEE-M,,,,9.99,0,,,Variation,Size=M|Color=Red",
    )
    report = run(shop, "--no-fetch")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((3, 0, 0, 0), [], 4)
    assert families() == {"J-1": {"J-1"}, "TEE-S": {"TEE-S", "TEE-M"}}
    jacket, tee = product("J-1"), product("TEE-M")
    assert (jacket.price, jacket.currency, jacket.brand, jacket.attributes) == (
        Decimal("49.99"),
        "GBP",
        "Acme",
        {"style": "Slim"},
    )
    assert (jacket.category, tee.title, tee.available) == (None, "Tee", False)
    assert tee.attributes == {"style": "Loose", "size": "M", "color": "Red"}


def test_a_template_of_ebay_with_remarks_and_photos_by_value(shop: Path) -> None:
    write(
        shop,
        "#INFO,Version=1.0,,Template=fx_category_template,,, Indicates missing recommended field",
        "#INFO",
        "*Action(SiteID=UK|Country=GB|Currency=GBP|Version=1193),Custom label (SKU),Category name,Title,Relationship,"
        "Relationship details,Start price,Quantity,Item photo URL,Description",
        ",,,,,,,,,",
        "Info,>>> Read this first: https://example.com/help",
        "Add,,/Toys & Hobbies/Cards,Cards,,Card=Bat;Cat,,,https://example.com/all.jpg,<p>Drawn</p>",
        ",C-1,,,Variation,Card=Bat,1.50,4,Bat=https://example.com/1.jpg|https://example.com/2.jpg,",
        ",,,,Variation,Card=Cat,2.50,0,,",
    )
    report = run(shop, "--no-fetch")

    # Two photos of the bat, and that of all cards for the cat.
    assert (counts(report), problems(report), report["photos_left_out"]) == ((2, 0, 0, 0), [], 3)
    assert families() == {"C-1": {"C-1", "Cards-Cat"}}
    assert (categories("C-1"), product("C-1").description) == (["toys-hobbies/cards"], "Drawn")
    assert (product("Cards-Cat").attributes, product("Cards-Cat").currency) == ({"card": "Cat"}, "GBP")


def test_the_listings_of_ebay_with_prices_and_quantities(shop: Path) -> None:
    write(
        shop,
        "#INFO,Version=1.0.0,Template= eBay-active-revise-price-quantity-download_US,,,,,,,,,",
        "Action,Category name,Item number,Title,Listing site,Currency,Start price,Buy It Now price,Available quantity,Relationship,"
        "Relationship details,Custom label (SKU)",
        ",/Art,31801,Paint,US,USD,,,,,Color=Red;Blue,",
        ",,,,,,19.99,,2,Variation,Color=Red,P-RED",
        ",,,,,,21.99,,0,Variation,Color=Blue,",
        ",/Art,31802,Brush,US,USD,9.99,,1,,,",
    )
    assert counts(run(shop)) == (3, 0, 0, 0)
    assert families() == {"P-RED": {"P-RED", "31801-Blue"}, "31802": {"31802"}}
    assert (product("31801-Blue").price, product("31801-Blue").currency) == (Decimal("21.99"), "USD")


def test_the_report_of_active_listings_of_ebay(shop: Path) -> None:
    write(
        shop,
        '"Seller Hub Reports","Active listings"',
        "",
        "Item number,Title,Variation details,Custom label (SKU),Available quantity,Format,Currency,Start price,Current price,"
        "eBay category 1 name,Condition,P:EAN",
        '31801,"Paint, 15ml",Color=Red;Blue,,4,FIXED_PRICE,USD,19.99,19.99,Art & Craft,New,',
        '31801,"Paint, 15ml",Color=Red,P-RED,2,FIXED_PRICE,USD,19.99,18.99,Art & Craft,New,4000000000017',
        '31801,"Paint, 15ml",Color=Blue,,0,FIXED_PRICE,USD,21.99,21.99,Art & Craft,New,',
        "31802,Brush,,,1,FIXED_PRICE,USD,9.99,9.99,Brushes,Used,",
    )
    assert counts(run(shop)) == (3, 0, 0, 0)
    assert families() == {"P-RED": {"P-RED", "31801-Blue"}, "31802": {"31802"}}
    red = product("P-RED")
    assert (red.title, red.price, red.currency, categories("P-RED")) == (
        "Paint, 15ml",
        Decimal("18.99"),
        "USD",
        ["art-craft"],
    )
    assert red.attributes == {"color": "Red", "condition": "New", "gtin": "4000000000017"}
