"""Imports of Excel workbooks, as they come from a shop system or from a person."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from catalog.importers.preview import preview_catalogue
from catalog.importers.run import ImportOptions
from catalog.models import Product
from product_files.sources import validate_upload
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import families, product
from tests.catalog.workbooks import DATE, DIGITS, EUROS, OWN_DATE, Cell, workbook
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

HEADER: list[Cell] = ["sku", "title", "Price\n(gross)", "attribute.size", "attribute.since"]


@pytest.mark.parametrize("inline", [False, True])
def test_a_sheet_is_read_as_the_spreadsheet_shows_it(tmp_path: Path, inline: bool) -> None:
    rows: list[list[Cell]] = [
        HEADER,
        [(125, DIGITS), "Mug\nblue & white", (12.5, EUROS), "L", (46023, DATE)],
        [],
        [(4006381333931, 0), "Bowl", ("19.989999999999998", EUROS), (38, 0), (46023.75, OWN_DATE)],
        ["b-1", "Lamp", ("12.755", EUROS)],
        [" ", "", "  "],
    ]
    report = run(workbook(tmp_path / "shop.xlsx", {"Products": rows}, inline=inline), "--map", "price=Price (gross)")
    assert (counts(report), report["currencies"]) == ((3, 0, 0, 0), ["EUR"])
    assert "read from the sheet Products" in report["notes"]
    # A line is a row of the sheet, also behind one with line ends and one without cells.
    assert problems(report) == [(5, "the price 12.7550 was rounded to 12.76 EUR")]
    mug, bowl = product("00125"), product("4006381333931")
    assert (mug.title, mug.price, mug.attributes) == (
        "Mug blue & white",
        Decimal("12.50"),
        {"size": "L", "since": "2026-01-01"},
    )
    assert (bowl.price, bowl.attributes) == (Decimal("19.99"), {"size": "38", "since": "2026-01-01 18:00:00"})


def test_cells_of_formulas_truths_and_errors_have_what_is_shown(tmp_path: Path) -> None:
    cells = [
        '<c t="str"><f>A1</f><v>Mug</v></c>',
        '<c t="b"><v>0</v></c>',
        '<c t="e"><f>1/0</f><v>#DIV/0!</v></c>',
        '<c t="inlineStr"><is><r><t>Blue </t></r><r><t>glaze</t></r><rPh sb="0" eb="4"><t>ao</t></rPh></is></c>',
    ]
    rows: list[list[Cell]] = [["sku", "title", "available", "price", "description"], ["m1", *cells]]
    report = run(workbook(tmp_path / "shop.xlsx", {"Products": rows}))
    mug = product("m1")
    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    assert (mug.title, mug.available, mug.price, mug.description) == ("Mug", False, None, "Blue glaze")


def test_a_row_with_an_impossible_number_ends_the_sheet(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "shop.xlsx", {"Products": [HEADER, ["m1", "Mug"], ["m2", "Bowl"]]}, last_row=4_000_000_000
    )
    assert counts(run(path)) == (1, 0, 0, 0)
    assert product("m1").title == "Mug"


def test_the_sheet_with_products_is_found_among_others(tmp_path: Path) -> None:
    sheets = {
        "Read me": [["How to fill in this template"], ["Do not change the names of columns"]],
        "Products": [HEADER, ["m1", "Mug"]],
        "Old": [HEADER, ["m0", "Old mug"]],
        "Empty": [],
    }
    path = workbook(tmp_path / "shop.xlsx", sheets, hidden=["Old"])
    validate_upload(path, ImportOptions().mapping())
    assert counts(run(path)) == (1, 0, 0, 0)
    assert product("m1").title == "Mug"


def test_of_two_sheets_with_products_one_is_chosen(tmp_path: Path) -> None:
    path = workbook(tmp_path / "shop.xlsx", {"Mugs": [HEADER, ["m1", "Mug"]], "Bowls & co": [HEADER, ["b1", "Bowl"]]})
    with pytest.raises(CommandError, match=r"2 sheets in the workbook \(Mugs, Bowls & co\): name the table"):
        run(path)
    with pytest.raises(CommandError, match="there is no sheet Cups in the workbook: it has Mugs, Bowls & co"):
        run(path, "--table", "Cups")
    assert counts(run(path, "--table", "Bowls & co")) == (1, 0, 0, 0)
    assert set(Product.objects.values_list("sku", flat=True)) == {"b1"}


def test_a_sheet_of_prices_beside_that_of_products_is_named_and_can_be_imported_too(tmp_path: Path) -> None:
    book = workbook(
        tmp_path / "a.xlsx",
        {
            "Products": [["SKU", "Title"], ["m1", "Mug"], ["m2", "Bowl"]],
            "Prices, net": [["SKU", "Price", "Stock"], ["m2", "6.50", "0"], ["m1", "5.00", "3"]],
            "Sizes": [["Code", "Size"], ["S", "small"]],
        },
    )
    report = run(book)
    note = (
        "sheets that have SKUs, too, and were not read: Prices, net; import each as the table of the file, to change products"
        " only (update-only)"
    )
    assert (counts(report), note in report["notes"]) == ((2, 0, 0, 0), True)
    report = run(book, "--table", "Prices, net", "--update-only")
    assert (counts(report), note in report["notes"]) == ((0, 2, 0, 0), False)
    assert (product("m2").title, product("m2").price, product("m2").available) == ("Bowl", Decimal("6.50"), False)


def test_a_workbook_of_a_shop_system_is_known_by_its_columns(tmp_path: Path) -> None:
    header: list[Cell] = [
        "Handle",
        "Title",
        "Option1 Name",
        "Option1 Value",
        "Variant SKU",
        "Variant Price",
        "Image Src",
    ]
    rows: list[list[Cell]] = [
        header,
        ["mug", "Mug", "Colour", "Blue", "M-1", (12.5, 0)],
        ["mug", "", "", "Red", "M-2", (13, 0)],
    ]
    report = run(workbook(tmp_path / "products_export.xlsx", {"products_export": rows}))
    assert report["notes"][0] == "read as a product export of Shopify"
    assert (counts(report), families()) == ((2, 0, 0, 0), {"M-1": {"M-1", "M-2"}})


def test_photos_are_beside_the_workbook_or_in_a_zip_with_it(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [["sku", "title", "image"], ["m1", "Mug", "mug.jpg"]]
    path = workbook(tmp_path / "shop.xlsx", {"Products": rows})
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "mug.jpg").write_bytes(jpeg("red"))
    assert run(path)["photos_added"] == 1
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(path, "list/shop.xlsx")
        archive.writestr("list/mug.jpg", jpeg("blue"))
    (tmp_path / "shop.zip").write_bytes(content.getvalue())
    assert preview_catalogue(tmp_path / "shop.zip", ImportOptions()).table_kind == "Excel"
    report = run(tmp_path / "shop.zip")
    assert (counts(report), report["photos_added"]) == ((0, 1, 0, 0), 1)


def test_the_page_of_an_uploaded_workbook_shows_its_columns(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["Price list, autumn"],
        [],
        ["Artikelnummer", "Bezeichnung", "Preis"],
        ["m1", "Tasse", (12.5, EUROS)],
    ]
    preview = preview_catalogue(workbook(tmp_path / "shop.xlsx", {"Tabelle1": rows}), ImportOptions())
    assert [(column.name, column.values, column.field) for column in preview.columns] == [
        ("Artikelnummer", ("m1",), "sku"),
        ("Bezeichnung", ("Tasse",), "title"),
        ("Preis", ("12.5 €",), "price"),
    ]


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ("<worksheet><sheetData><row>", "the workbook is damaged"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><worksheet/>', "the workbook is damaged: save it again"),
        ("<worksheet/>", "no sheet with anything in it"),
    ],
)
def test_a_damaged_or_empty_workbook_is_refused_with_the_remedy(tmp_path: Path, sheet: str, message: str) -> None:
    source = workbook(tmp_path / "whole.xlsx", {"Products": [HEADER]})
    path = tmp_path / "shop.xlsx"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, sheet if name.endswith("sheet1.xml") else whole.read(name))
    with pytest.raises(CommandError, match=message):
        run(path)


def test_a_spreadsheet_of_libreoffice_says_how_to_save_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.ods"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("mimetype", "content.xml", "styles.xml"):
            archive.writestr(name, "<x/>")
    with pytest.raises(CommandError, match=r"an OpenDocument spreadsheet: save it as \.xlsx"):
        run(path)


def test_the_sheets_of_opencart_belong_together(tmp_path: Path) -> None:
    header: list[Cell] = [
        *("product_id", "name(en-gb)", "categories", "sku", "quantity", "model", "manufacturer", "image_name", "price", "status"),
        *("description(en-gb)", "stock_status_id", "tags(en-gb)"),
    ]  # fmt: skip
    link = "https://example.com/"
    sheets: dict[str, list[list[Cell]]] = {
        "Products": [
            header,
            ["28", "Phone", "20,24,99", "", "9", "P-1", "HTC", f"{link}1.jpg", "100.00", "true", "Big", "7"],
            [],
            ["30", "Camera", "", "", "9", "P-3", "Canon", f"{link}4.jpg", "80.00", "true", "", "7"],
        ],
        "AdditionalImages": [
            ["product_id", "image", "sort_order"],
            ["28", f"{link}3.jpg", "2"],
            ["28", f"{link}2.jpg", "1"],
        ],
        "Specials": [
            ["product_id", "customer_group", "priority", "price", "date_start", "date_end"],
            ["28", "Wholesale", "0", "50.00", "0000-00-00", "0000-00-00"],
            ["28", "Default", "2", "70.00", "0000-00-00", "0000-00-00"],
            ["28", "Default", "1", "90.00", "2020-01-01", "0000-00-00"],
            ["30", "Default", "1", "10.00", "2020-01-01", "2020-02-01"],
        ],
        "Categories": [
            ["category_id", "parent_id", "name(en-gb)"],
            ["20", "0", "Electronics"],
            ["24", "20", "Phones & PDAs"],
        ],
    }
    report = run(workbook(tmp_path / "shop.xlsx", sheets), "--no-fetch")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((2, 0, 0, 0), [], 4)
    phone, camera = product("P-1"), product("P-3")
    assert (phone.price, phone.list_price, camera.price, camera.list_price) == (90, 100, 80, None)
    assert (str(phone.category), camera.category) == ("electronics/phones-pdas", None)


_OPENCART_HEADER: list[Cell] = [
    *("product_id", "name(en-gb)", "model", "manufacturer", "image_name", "price", "stock_status_id"),
]  # fmt: skip


def test_attributes_and_options_of_opencart_are_attributes(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Cell]]] = {
        "Products": [_OPENCART_HEADER, ["28", "Tee", "T-1", "Anna", "", "100.00", "7"]],
        "ProductOptions": [
            ["product_id", "option", "default_option_value", "required"],
            ["28", "Size", "", "true"],
            ["28", "Engraving", "Your text", "false"],
        ],
        "ProductOptionValues": [
            ["product_id", "option", "option_value", "quantity", "subtract", "price", "price_prefix"],
            ["28", "Size", "S", "10", "true", "0.00", "+"],
            ["28", "Size", "M", "0", "true", "5.00", "+"],
        ],
        "ProductAttributes": [
            ["product_id", "attribute_group", "attribute", "text(de-de)", "text(en-gb)"],
            ["28", "Fabric", "Material", "Baumwolle", "Cotton"],
            ["29", "Fabric", "Material", "Leinen", "Linen"],
        ],
    }
    report = run(workbook(tmp_path / "shop.xlsx", sheets))

    assert (counts(report), problems(report)) == ((1, 0, 0, 0), [])
    assert product("T-1").attributes == {"material": "Cotton", "size": "S, M"}


def test_numbers_of_opencart_s_attributes_and_options_have_their_names(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Cell]]] = {
        "Products": [_OPENCART_HEADER, ["28", "Tee", "T-1", "Anna", "", "100.00", "7"]],
        "ProductOptionValues": [["product_id", "option_id", "option_value_id"], ["28", "11", "46"], ["28", "12", "50"]],
        "ProductAttributes": [["product_id", "attribute_id", "text(en-gb)"], ["28", "4", "Cotton"]],
        "Options": [["option_id", "type", "name(en-gb)"], ["11", "select", "Size"]],
        "OptionValues": [["option_value_id", "option_id", "name(en-gb)"], ["46", "11", "Small"], ["50", "12", "Red"]],
        "Attributes": [["attribute_id", "name(en-gb)"], ["4", "Material"]],
    }
    run(workbook(tmp_path / "shop.xlsx", sheets))

    assert product("T-1").attributes == {"material": "Cotton", "size": "Small"}


def test_discounts_of_opencart_on_one_piece_are_the_price(tmp_path: Path) -> None:
    header: list[Cell] = ["product_id", "customer_group", "quantity", "priority", "price", "date_start", "date_end"]
    sheets: dict[str, list[list[Cell]]] = {
        "Products": [
            _OPENCART_HEADER,
            ["28", "Tee", "T-1", "Anna", "", "100.00", "7"],
            ["30", "Cap", "C-1", "Anna", "", "80.00", "7"],
        ],
        "Discounts": [
            header,
            ["28", "Default", "1", "1", "88.00", "0000-00-00", "0000-00-00"],
            ["28", "Default", "10", "1", "77.00", "0000-00-00", "0000-00-00"],
            ["30", "Wholesale", "1", "1", "40.00", "0000-00-00", "0000-00-00"],
            ["30", "Default", "10", "1", "60.00", "0000-00-00", "0000-00-00"],
        ],
    }
    run(workbook(tmp_path / "shop.xlsx", sheets))

    assert (product("T-1").price, product("T-1").list_price, product("C-1").price) == (88, None, 80)


def test_the_default_group_of_customers_of_opencart_may_have_another_name(tmp_path: Path) -> None:
    header: list[Cell] = ["product_id", "customer_group", "quantity", "priority", "price", "date_start", "date_end"]
    sheets: dict[str, list[list[Cell]]] = {
        "Products": [_OPENCART_HEADER, ["28", "Tee", "T-1", "Anna", "", "100.00", "7"]],
        "Discounts": [
            header,
            ["28", "Wholesale", "1", "1", "40.00", "0000-00-00", "0000-00-00"],
            ["28", "Shoppers", "1", "1", "88.00", "0000-00-00", "0000-00-00"],
        ],
    }
    run(workbook(tmp_path / "shop.xlsx", sheets))

    assert product("T-1").price == 88


def test_of_sheets_without_skus_that_with_titles_and_prices_is_read(tmp_path: Path) -> None:
    sheets: dict[str, list[list[Cell]]] = {
        "Customers": [["Name", "Street", "Town"], ["Anna", "Main 1", "Graz"]],
        "Offer": [["Title", "Price", "Link"], ["Mug", "5", "https://x.test/mug"], ["Cup", "6", "https://x.test/cup"]],
        "Notes": [["When", "Who", "What"], ["today", "Anna", "sent"]],
    }
    report = run(workbook(tmp_path / "shop.xlsx", sheets))
    assert (counts(report), product("https://x.test/mug").price) == ((2, 0, 0, 0), 5)
    assert "read from the sheet Offer" in report["notes"]


def test_without_the_sheet_of_categories_those_of_opencart_stay_unknown(tmp_path: Path) -> None:
    header: list[Cell] = [
        "product_id",
        "name(en-gb)",
        "categories",
        "model",
        "manufacturer",
        "image_name",
        "stock_status_id",
    ]
    sheets: dict[str, list[list[Cell]]] = {"Products": [header, ["28", "Phone", "20,24", "P-1", "HTC", "", "7"]]}
    report = run(workbook(tmp_path / "shop.xlsx", sheets))

    assert (counts(report), product("P-1").category) == ((1, 0, 0, 0), None)
    assert any("categories" in note for note in report["notes"])
