"""Import of the product export of Magento and Adobe Commerce."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.sources import detect_format
from product_files.tables.magento import MagentoExport
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, export, families, product
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

BAG = {
    "sku": "bag",
    "store_view_code": "",
    "attribute_set_code": "Bag",
    "product_type": "simple",
    "categories": "Default Category/Gear/Bags,Default Category",
    "name": "Bag",
    "description": "",
    "product_online": "1",
    "visibility": "Catalog, Search",
    "price": "52.000000",
    "special_price": "",
    "special_price_from_date": "",
    "special_price_to_date": "",
    "base_image": "",
    "base_image_label": "",
    "additional_images": "",
    "additional_image_labels": "",
    "additional_attributes": "",
    "qty": "100.0000",
    "is_in_stock": "1",
    "configurable_variations": "",
}
SHIRT = BAG | {"sku": "shirt", "name": "Shirt", "product_type": "configurable", "qty": "0"}
SMALL = BAG | {"sku": "shirt-S", "name": "Shirt-S", "visibility": "Not Visible Individually"}
MEDIUM = SMALL | {"sku": "shirt-M", "name": "Shirt-M"}
VARIATIONS = {"configurable_variations": "sku=shirt-S,size=S,color=Red|sku=shirt-M,size=M,color=Red"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "images/b/a"
    folder.mkdir(parents=True)
    for colour in ("red", "blue"):
        (folder / f"{colour}.jpg").write_bytes(jpeg(colour))
    return tmp_path / "catalog_product.csv"


def test_the_export_of_the_cases(real_data: Path) -> None:
    cases = real_data / "cases/catalogue"
    report = run(cases / "magento.csv", "--images", str(cases / "images"))
    assert (counts(report), report["photos_rejected"]) == ((3, 0, 0, 0), 0)
    assert report["notes"][0] == "read as a product export of Magento"
    assert families() == {"MH": {"MH", "MH-S-Red", "MH-M-Red"}}
    red, medium = product("MH-S-Red"), product("MH-M-Red")
    assert (red.price, red.list_price, red.available, red.active, red.images.count()) == (
        Decimal(52),
        None,
        True,
        True,
        2,
    )
    assert (medium.price, medium.list_price, medium.available, medium.active) == (Decimal(39), Decimal(52), False, True)
    assert (red.description, red.attributes) == ("Warm & soft.", {"size": "S", "color": "Red"})
    assert categories("MH-S-Red") == ["men/tops", "sale"]


@pytest.mark.parametrize("first", ["configurable", "variations"])
def test_the_variations_of_a_configurable_product_are_its_family(shop: Path, first: str) -> None:
    lines = [SMALL, MEDIUM, SHIRT | VARIATIONS]
    report = run(export(shop, *(lines if first == "variations" else reversed(lines))))
    assert counts(report) == (3, 0, 0, 0)
    assert families() == {"shirt": {"shirt", "shirt-S", "shirt-M"}}
    assert product("shirt-M").attributes == {"size": "M", "color": "Red"}
    assert product("shirt").available is True


def test_what_has_no_page_of_its_own_and_no_family_is_inactive(shop: Path) -> None:
    report = run(export(shop, SMALL, MEDIUM, SHIRT | {"configurable_variations": "sku=shirt-S,size=S"}))
    assert (product("shirt-S").active, product("shirt-M").active) == (True, False)
    note = "1 products are not visible individually and belong to no configurable product: they are inactive"
    assert note in report["notes"]


@pytest.mark.parametrize(("online", "active"), [("1", True), ("2", False)])
def test_what_is_not_online_is_inactive(shop: Path, online: str, active: bool) -> None:
    run(export(shop, BAG | {"product_online": online}))
    assert product("bag").active is active


@pytest.mark.parametrize(
    ("values", "available"),
    [
        ({}, True),
        ({"is_in_stock": "0"}, False),
        ({"is_in_stock": "", "qty": "0.0000"}, False),
        ({"is_in_stock": "", "qty": "3.0000"}, True),
        ({"is_in_stock": "", "qty": "0", "manage_stock": "0"}, True),
    ],
)
def test_a_product_is_available_when_it_is_in_stock(shop: Path, values: dict[str, str], available: bool) -> None:
    run(export(shop, BAG | values))
    assert product("bag").available is available


@pytest.mark.parametrize(
    ("starts", "ends", "price", "list_price"),
    [
        ("", "", "39", "52"),
        ("2026-01-01 00:00:00", "2026-01-31 00:00:00", "39", "52"),
        ("1/15/26", "1/15/26", "39", "52"),
        ("15/1/26", "", "39", "52"),
        ("1/15/2026, 11:00 AM", "1/15/2026, 1:00 PM", "39", "52"),
        ("1/15/2026, 1:00 PM", "", "52", None),
        ("", "1/14/26", "52", None),
    ],
)
def test_the_special_price_is_the_price_while_it_holds(
    shop: Path, starts: str, ends: str, price: str, list_price: str | None
) -> None:
    dates = {"special_price_from_date": starts, "special_price_to_date": ends}
    path = export(shop, BAG | {"special_price": "39.000000"} | dates)
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    (row,) = MagentoExport(path, FieldMapping(), photos=PhotoFolder.open(shop.parent), now=now)
    assert row.product is not None
    assert (row.product.price, row.product.list_price) == (Decimal(price), list_price and Decimal(list_price))


def test_a_date_that_cannot_be_read_is_reported(shop: Path) -> None:
    report = run(export(shop, BAG | {"special_price": "39", "special_price_from_date": "soon"}))
    assert problems(report) == [(2, "'soon' is not a date such as 2026-12-31: the special price was left out")]
    assert product("bag").price == 52


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        ("has_options=0,required_options=0,size=XS,color=Black", {"size": "XS", "color": "Black"}),
        (
            "material=Nylon|Polyester,note=Warm, soft,size=S",
            {"material": "Nylon, Polyester", "note": "Warm, soft", "size": "S"},
        ),
        ('note="Warm, ""soft""",size="S"', {"note": 'Warm, "soft"', "size": "S"}),
        ("Size=S,empty=", {"size": "S"}),
    ],
)
def test_additional_attributes_become_attributes(shop: Path, text: str, attributes: dict[str, str]) -> None:
    run(export(shop, BAG | {"additional_attributes": text}))
    assert product("bag").attributes == attributes


def test_the_manufacturer_is_the_brand(shop: Path) -> None:
    run(export(shop, BAG | {"additional_attributes": "manufacturer=Acme,size=S"}))
    assert (product("bag").brand, product("bag").attributes) == ("Acme", {"size": "S"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Default Category/Men,Default Category/Men/Tops,Default Category", ["men/tops"]),
        ("Default Category/Sale,Default Category/Men/Tops", ["men/tops", "sale"]),
        (r"Default Category/Bags \/ Cases,Default Category", ["bags-cases"]),
        ("Our Shop/Men/Tops,Our Shop", ["men/tops"]),
        ("Men/Tops", ["men/tops"]),
    ],
)
def test_categories_are_those_below_the_root_the_deepest_first(shop: Path, text: str, expected: list[str]) -> None:
    run(export(shop, BAG | {"categories": text}))
    assert categories("bag") == expected


def test_photos_lie_below_the_folder_and_each_comes_once(shop: Path) -> None:
    photos = {
        "base_image": "/b/a/red.jpg",
        "base_image_label": "Front",
        "additional_images": "/b/a/red.jpg,/b/a/blue.jpg",
    }
    report = run(export(shop, BAG | photos, BAG | {"sku": "none", "base_image": "no_selection"}))
    assert (report["photos_added"], report["photos_rejected"]) == (2, 0)
    assert [image.alt for image in product("bag").images.order_by("position")] == ["Front", ""]


def test_a_path_that_leads_out_of_the_folder_is_refused(shop: Path) -> None:
    (shop.parent / "secret.jpg").write_bytes(jpeg("red"))
    report = run(export(shop, BAG | {"base_image": "/../secret.jpg"}))
    assert (report["photos_added"], report["photos_rejected"]) == (0, 1)


def test_translations_for_store_views_are_left_out_and_counted(shop: Path) -> None:
    report = run(export(shop, BAG, BAG | {"store_view_code": "de", "name": "Tasche"}))
    assert (counts(report), product("bag").title) == ((1, 0, 0, 0), "Bag")
    assert "1 rows of store views were left out: they translate products of other rows" in report["notes"]


def test_a_second_run_changes_nothing(shop: Path) -> None:
    path = export(shop, SMALL, MEDIUM, SHIRT | VARIATIONS)
    run(path)
    assert counts(run(path)) == (0, 0, 3, 0)


def test_a_plain_table_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("sku,name,price,categories,description\n")
    assert detect_format(tmp_path / "table.csv") == "csv"


def test_a_file_that_is_no_such_export_is_explained(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("sku,title\n")
    with pytest.raises(CommandError, match="there is no column name, price: is it a product export of Magento"):
        run(tmp_path / "table.csv", "--format", "magento")
