"""Import of Shopify's product export: several lines are one product with its variants."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.importers.writer import import_rows
from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.tables.shopify import ShopifyExport
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.catalog.shop_exports import families
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

COLUMNS = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published", "Option1 Name", "Option1 Value",
    "Option2 Name", "Option2 Value", "Variant SKU", "Variant Inventory Tracker", "Variant Inventory Qty",
    "Variant Inventory Policy", "Variant Price", "Variant Compare At Price",
    "Image Src", "Image Position", "Image Alt Text", "Variant Image", "Status",
)  # fmt: skip
SHIRT = {
    "Handle": "linen-shirt",
    "Title": "Linen shirt",
    "Body (HTML)": "<p>Soft &amp; cool.</p><ul><li>Linen</li></ul>",
    "Vendor": "Acme",
    "Product Category": "Apparel & Accessories > Clothing > Shirts",
    "Type": "Shirts",
    "Tags": "summer, linen",
    "Published": "true",
    "Option1 Name": "Size",
    "Option1 Value": "S",
    "Option2 Name": "Color",
    "Option2 Value": "Blue",
    "Variant SKU": "LS-S",
    "Variant Inventory Tracker": "shopify",
    "Variant Inventory Qty": "0",
    "Variant Inventory Policy": "deny",
    "Variant Price": "49.00",
    "Image Src": "blue.jpg",
    "Image Position": "2",
    "Image Alt Text": "From the back",
    "Status": "active",
}


def further(**values: str) -> dict[str, str]:
    """A further line of the shirt."""
    return {"Handle": "linen-shirt", **values}


def variant(size: str, price: str, quantity: str = "0") -> dict[str, str]:
    return further(
        **{
            "Option1 Value": size,
            "Option2 Value": "Blue",
            "Variant SKU": f"LS-{size}",
            "Variant Inventory Tracker": "shopify",
            "Variant Inventory Qty": quantity,
            "Variant Inventory Policy": "deny",
            "Variant Price": price,
        }
    )


def export(folder: Path, *lines: dict[str, str]) -> Path:
    path = folder / "products_export.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    for colour in ("red", "blue"):
        (folder / f"{colour}.jpg").write_bytes(jpeg(colour))
    (folder / "detail.jpg").write_bytes(jpeg("green"))
    return folder


def photos_of(sku: str) -> list[str]:
    return list(Product.objects.get(sku=sku).images.order_by("position").values_list("alt", flat=True))


def test_each_variant_is_a_product_and_the_handle_is_their_family(shop: Path) -> None:
    front = further(**{"Image Src": "red.jpg", "Image Position": "1", "Image Alt Text": "From the front"})
    report = run(export(shop, SHIRT, variant("M", "45.00", "3"), front), "--set", "currency=CAD")
    assert (counts(report), report["notes"]) == (
        (2, 0, 0, 0),
        ["read as a product export of Shopify", "encoding: utf-8"],
    )
    assert families() == {"LS-S": {"LS-S", "LS-M"}}
    small, medium = Product.objects.get(sku="LS-S"), Product.objects.get(sku="LS-M")
    for product in (small, medium):
        assert (product.title, product.brand, product.family_code) == ("Linen shirt", "Acme", "linen-shirt")
        assert product.description == "Soft & cool.\nLinen"
        assert str(product.category) == "apparel-accessories/clothing/shirts"
        assert (product.active, product.tags, product.currency) == (True, ["summer", "linen"], "CAD")
        assert photos_of(product.sku) == ["From the front", "From the back"]
    assert (small.price, small.available) == (Decimal(49), False)
    assert (medium.price, medium.available) == (Decimal(45), True)
    assert small.attributes == {"size": "S", "color": "Blue", "handle": "linen-shirt"}
    assert medium.attributes == {"size": "M", "color": "Blue", "handle": "linen-shirt"}


def test_a_second_run_changes_nothing(shop: Path) -> None:
    path = export(shop, SHIRT, variant("M", "45.00"))
    run(path)
    assert counts(run(path)) == (0, 0, 2, 0)


@pytest.mark.parametrize(
    ("values", "available"),
    [
        ({}, False),
        ({"Variant Inventory Qty": "2"}, True),
        ({"Variant Inventory Qty": "9" * 5000, "Image Position": "9" * 5000}, True),
        ({"Variant Inventory Qty": "0" * 5000}, False),
        ({"Variant Inventory Qty": "-2"}, False),
        ({"Variant Inventory Policy": "continue"}, True),
        ({"Variant Inventory Tracker": ""}, True),
    ],
)
def test_a_variant_is_available_when_it_can_be_bought(shop: Path, values: dict[str, str], available: bool) -> None:
    run(export(shop, {**SHIRT, **values}))
    assert Product.objects.get().available is available


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({}, True),
        ({"Status": "draft"}, False),
        ({"Status": "archived"}, False),
        ({"Status": "unlisted"}, False),
        ({"Published": "false"}, False),
    ],
)
def test_what_is_not_published_is_not_active(shop: Path, values: dict[str, str], active: bool) -> None:
    run(export(shop, {**SHIRT, **values}))
    assert Product.objects.get().active is active


@pytest.mark.parametrize("category", ["", "Uncategorized"])
def test_the_type_is_the_category_where_there_is_none(shop: Path, category: str) -> None:
    run(export(shop, {**SHIRT, "Product Category": category}))
    assert str(Product.objects.get().category) == "shirts"


def test_a_product_without_options_has_no_attribute_of_them(shop: Path) -> None:
    run(export(shop, {**SHIRT, "Option1 Name": "Title", "Option1 Value": "Default Title", "Option2 Name": ""}))
    assert Product.objects.get().attributes == {"handle": "linen-shirt"}


def test_a_column_of_the_export_can_be_mapped(shop: Path) -> None:
    run(export(shop, SHIRT, variant("M", "45.00")), "--map", "sku=Variant SKU", "--map", "category=Type")
    for product in Product.objects.all():
        assert str(product.category) == "shirts"


def test_a_compare_at_price_is_the_list_price_where_it_is_higher(shop: Path) -> None:
    lines = [
        {**SHIRT, "Handle": sku, "Variant SKU": sku, "Variant Price": "12.50", "Variant Compare At Price": before}
        for sku, before in {"a": "20.00", "b": "10.00", "c": "", "d": "12.50"}.items()
    ]
    run(export(shop, *lines))
    found = dict(Product.objects.values_list("sku", "list_price"))
    assert found == {"a": Decimal(20), "b": None, "c": None, "d": None}


def test_the_report_says_that_the_prices_have_no_currency(shop: Path) -> None:
    note = "the prices have no currency: EUR was assumed; name the currency of the import if it is another"
    assert run(export(shop, SHIRT))["notes"] == ["read as a product export of Shopify", note, "encoding: utf-8"]


def test_the_photo_of_a_variant_comes_first_and_those_of_other_variants_do_not_come(shop: Path) -> None:
    path = export(
        shop,
        {
            **SHIRT,
            "Image Src": "detail.jpg",
            "Image Position": "1",
            "Image Alt Text": "detail",
            "Variant Image": "blue.jpg",
        },
        {**variant("M", "45.00"), "Option2 Value": "Red", "Variant Image": "red.jpg"},
        variant("L", "45.00"),
        further(**{"Image Src": "blue.jpg", "Image Position": "2", "Image Alt Text": "blue"}),
        further(**{"Image Src": "red.jpg", "Image Position": "3", "Image Alt Text": "red"}),
    )
    run(path)
    assert {sku: photos_of(sku) for sku in ("LS-S", "LS-M", "LS-L")} == {
        "LS-S": ["blue", "detail"],
        "LS-M": ["red", "detail"],
        "LS-L": ["detail", "blue", "red"],
    }


def test_a_variant_without_sku_gets_one_from_the_handle_and_its_options(shop: Path) -> None:
    run(
        export(
            shop,
            {**SHIRT, "Variant SKU": ""},
            {**variant("M", "45.00"), "Variant SKU": ""},
            {**SHIRT, "Handle": "scarf", "Variant SKU": "", "Option1 Name": "", "Option2 Name": ""},
        )
    )
    assert families() == {"linen-shirt-S-Blue": {"linen-shirt-S-Blue", "linen-shirt-M-Blue"}, "scarf": {"scarf"}}


def test_an_sku_that_several_variants_have_loses_none_of_them(shop: Path) -> None:
    path = export(
        shop,
        SHIRT,
        {**variant("M", "45.00"), "Variant SKU": "LS-S"},
        {**variant("L", "45.00"), "Variant SKU": "LS-S"},
        {**SHIRT, "Handle": "other-shirt"},
    )
    report = run(path)
    assert counts(report) == (4, 0, 0, 0)
    assert problems(report) == [
        (3, "another variant has the SKU LS-S, too: this one became linen-shirt-M-Blue"),
        (4, "another variant has the SKU LS-S, too: this one became linen-shirt-L-Blue"),
        (5, "another variant has the SKU LS-S, too: this one became other-shirt"),
    ]
    assert counts(run(path)) == (0, 0, 4, 0)


@pytest.mark.parametrize("length", [121, 137, 255])
def test_a_long_handle_is_kept_whole(shop: Path, length: int) -> None:
    lines = [{**SHIRT, "Handle": "h" * length, "Variant SKU": ""}, {**variant("M", "45.00"), "Variant SKU": ""}]
    lines[1]["Handle"] = lines[0]["Handle"]
    assert counts(run(export(shop, *lines))) == (2, 0, 0, 0)
    assert {product.attributes["handle"] for product in Product.objects.all()} == {"h" * length}
    assert len(families()) == 1


def test_a_bad_variant_is_rejected_at_its_line_and_the_rest_comes_in(shop: Path) -> None:
    path = export(
        shop,
        SHIRT,
        {**SHIRT, "Handle": "a", "Variant SKU": "a" * 256},
        {**SHIRT, "Handle": "b", "Variant SKU": "b", "Title": ""},
        {**SHIRT, "Handle": "c", "Variant SKU": "c"},
        {**SHIRT, "Handle": ""},
        {**SHIRT, "Handle": "d", "Variant SKU": "d"},
        SHIRT,
    )
    report = run(path)
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["LS-S", "d"]
    assert problems(report) == [
        (3, "sku: Ensure this value has at most 255 characters (it has 256)."),
        (4, "the title is empty"),
        (6, "there is no handle"),
        (5, "line 6, which may belong to this product, cannot be read"),
        (8, "the SKU LS-S is already on line 2"),
    ]


def test_a_rejected_variant_comes_in_with_all_its_photos_once_it_is_corrected(shop: Path) -> None:
    front = further(**{"Image Src": "red.jpg", "Image Position": "1", "Image Alt Text": "From the front"})
    path = export(shop, SHIRT, {**variant("M", "45.00"), "Variant SKU": "x" * 256}, front)
    assert counts(run(path, "--report", str(shop / "rejected.csv"))) == (1, 0, 0, 1)
    mended = shop / "mended.csv"
    mended.write_text((shop / "rejected.csv").read_text().replace("x" * 256, "LS-M"))
    assert counts(run(mended)) == (1, 0, 0, 0)
    product = Product.objects.get(sku="LS-M")
    assert (product.title, product.price, photos_of("LS-M")) == (
        "Linen shirt",
        Decimal(45),
        ["From the front", "From the back"],
    )
    assert families() == {"LS-S": {"LS-S", "LS-M"}}


def test_an_export_without_its_columns_is_explained(shop: Path) -> None:
    (shop / "table.csv").write_text("sku,title\n")
    with pytest.raises(
        CommandError, match="there is no column “handle” / “url handle”, “variant price” / “price”: is it a"
    ):
        run(shop / "table.csv", "--format", "shopify")


# The present template


PRESENT = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Barcode,Option1 name,"
    "Option1 value,Option1 Linked To,Price,Compare-at price,Inventory tracker,Inventory quantity,"
    "Continue selling when out of stock,"
    "Product image URL,Image position,Image alt text,Variant image URL,Color (product.metafields.shopify.color-pattern)"
)


def test_the_present_template_is_recognised_by_its_columns_and_read_alike(shop: Path) -> None:
    (shop / "products.csv").write_text(
        f"{PRESENT}\n"
        "Mug,mug,<p>Holds tea</p>,Acme,Home > Mugs,Mugs,tea,TRUE,Active,M-S,4006381333931,Size,S,,12.50,20.00,shopify,3,FALSE,"
        "blue.jpg,1,From the side,,Blue\n"
        ",mug,,,,,,,,M-L,,,L,,14.00,,shopify,0,DENY,,,,red.jpg,\n"
        ",mug,,,,,,,,M-XL,,,XL,,14.00,,shopify,0,TRUE,,,,,\n"
    )
    run(shop / "products.csv", "--set", "currency=USD")
    assert families() == {"M-S": {"M-S", "M-L", "M-XL"}}
    small, large, largest = (Product.objects.get(sku=sku) for sku in ("M-S", "M-L", "M-XL"))
    assert (small.available, large.available, largest.available) == (True, False, True)
    assert small.attributes == {"size": "S", "color": "Blue", "gtin": "4006381333931", "handle": "mug"}
    assert (large.attributes, large.description) == ({"size": "L", "color": "Blue", "handle": "mug"}, "Holds tea")


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_the_case_of_the_columns_does_not_matter(shop: Path, change: Callable[[str], str]) -> None:
    path = export(shop, SHIRT)
    head, _, rest = path.read_text().partition("\n")
    path.write_text(f"{change(head)}\n{rest}")
    assert counts(run(path)) == (1, 0, 0, 0)
    assert Product.objects.get().attributes == {"size": "S", "color": "Blue", "handle": "linen-shirt"}


def test_the_present_template_of_the_cases(real_data: Path) -> None:
    report = run(real_data / "cases/catalogue/shopify_new.csv")
    assert counts(report) == (3, 0, 0, 0)
    assert families() == {"LD-S": {"LD-S", "LD-M"}, "DS-1": {"DS-1"}}
    small, medium, draft = (Product.objects.get(sku=sku) for sku in ("LD-S", "LD-M", "DS-1"))
    assert (small.price, small.list_price, small.available, small.active) == (Decimal("12.5"), Decimal(20), True, True)
    assert (medium.price, medium.available, medium.attributes["size"]) == (Decimal("12.5"), False, "M")
    assert draft.active is False


@pytest.mark.any_database
@pytest.mark.usefixtures("full_batches")
def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    products = 4_000
    lines = ({**SHIRT, "Handle": f"h{n}", "Variant SKU": f"s{n}", "Title": ""} for n in range(products))
    path = export(tmp_path, *lines)

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        rows = ShopifyExport(path, FieldMapping(), photos=PhotoFolder.open(tmp_path))
        return import_rows(watched(rows)).rejected

    assert memory_growth(read, after=products // 2, rows=products) < 1.02


def test_a_handle_of_too_many_lines_is_rejected(tmp_path: Path) -> None:
    report = run(export(tmp_path, SHIRT, *(variant("M", "45.00") for _ in range(5000))))
    assert problems(report) == [(2, "the handle has 5,001 lines; the maximum is 5,000")]
