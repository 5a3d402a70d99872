"""Import of Shopify's product export: several lines are one product."""

from __future__ import annotations

import csv
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.importers.mapping import FieldMapping
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.shopify import ShopifyExport
from catalog.importers.writer import import_rows
from catalog.models import Product
from tests.catalog.importing import counts, problems, run
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

COLUMNS = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published", "Option1 Name", "Option1 Value",
    "Option2 Name", "Option2 Value", "Variant SKU", "Variant Inventory Tracker", "Variant Inventory Qty",
    "Variant Inventory Policy", "Variant Price", "Image Src", "Image Position", "Image Alt Text", "Status",
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
    return folder


def test_the_lines_of_a_handle_are_one_product(shop: Path) -> None:
    front = further(**{"Image Src": "red.jpg", "Image Position": "1", "Image Alt Text": "From the front"})
    report = run(export(shop, SHIRT, variant("M", "45.00", "3"), front), "--set", "currency=CAD")
    assert counts(report) == (1, 0, 0, 0)
    product = Product.objects.get()
    assert (product.sku, product.title, product.brand) == ("linen-shirt", "Linen shirt", "Acme")
    assert product.description == "Soft & cool.\nLinen"
    assert str(product.category) == "apparel-accessories/clothing/shirts"
    assert (product.price, product.currency) == (Decimal(45), "CAD")
    assert (product.available, product.active, product.tags) == (True, True, ["summer", "linen"])
    assert product.attributes == {"size": "S, M", "color": "Blue", "variant_skus": "LS-S, LS-M"}
    assert [image.alt for image in product.images.order_by("position")] == ["From the front", "From the back"]


def test_a_second_run_changes_nothing(shop: Path) -> None:
    path = export(shop, SHIRT, variant("M", "45.00"))
    run(path)
    assert counts(run(path)) == (0, 0, 1, 0)


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
def test_a_product_is_available_when_one_of_its_variants_can_be_bought(
    shop: Path, values: dict[str, str], available: bool
) -> None:
    run(export(shop, {**SHIRT, **values}))
    assert Product.objects.get().available is available


@pytest.mark.parametrize(
    ("values", "active"),
    [({}, True), ({"Status": "draft"}, False), ({"Status": "archived"}, False), ({"Published": "false"}, False)],
)
def test_what_is_not_published_is_not_active(shop: Path, values: dict[str, str], active: bool) -> None:
    run(export(shop, {**SHIRT, **values}))
    assert Product.objects.get().active is active


def test_the_type_is_the_category_where_there_is_none(shop: Path) -> None:
    run(export(shop, {**SHIRT, "Product Category": ""}))
    assert str(Product.objects.get().category) == "shirts"


def test_a_product_without_options_has_no_attribute_of_them(shop: Path) -> None:
    run(export(shop, {**SHIRT, "Option1 Name": "Title", "Option1 Value": "Default Title", "Option2 Name": ""}))
    assert Product.objects.get().attributes == {"variant_skus": "LS-S"}


def test_a_column_of_the_export_can_be_mapped(shop: Path) -> None:
    run(export(shop, SHIRT), "--map", "sku=Variant SKU", "--map", "category=Type")
    product = Product.objects.get()
    assert (product.sku, str(product.category)) == ("LS-S", "shirts")


def test_a_bad_product_is_rejected_at_its_first_line_and_the_rest_comes_in(shop: Path) -> None:
    path = export(
        shop,
        SHIRT,
        {**SHIRT, "Handle": "a", "Variant Price": "much"},
        {**SHIRT, "Handle": "b", "Title": ""},
        {**SHIRT, "Handle": "c"},
        {**SHIRT, "Handle": ""},
        {**SHIRT, "Handle": "d"},
        SHIRT,
    )
    report = run(path)
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["d", "linen-shirt"]
    assert problems(report) == [
        (3, "'much' is not a price"),
        (4, "the title is empty"),
        (6, "there is no handle"),
        (5, "line 6, which may belong to this product, cannot be read"),
        (8, "the SKU linen-shirt is already on line 2"),
    ]


def test_an_export_without_its_columns_is_explained(shop: Path) -> None:
    (shop / "table.csv").write_text("sku,title\n")
    with pytest.raises(CommandError, match="there is no column Handle, Title, Variant Price: is it a product export"):
        run(shop / "table.csv", "--format", "shopify")


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    def peak(products: int) -> int:
        path = export(tmp_path, *({**SHIRT, "Handle": f"h{number}", "Title": ""} for number in range(products)))
        tracemalloc.start()
        report = import_rows(ShopifyExport(path, FieldMapping(), photos=PhotoFolder.open(tmp_path)))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.rejected == products
        return used

    peak(100)
    assert peak(20_000) < peak(2_000) * 1.2


def test_a_handle_of_too_many_lines_is_rejected(tmp_path: Path) -> None:
    report = run(export(tmp_path, SHIRT, *(variant("M", "45.00") for _ in range(5000))))
    assert problems(report) == [(2, "the handle has 5,001 lines; the maximum is 5,000")]
