"""Columns that are chosen by what is in them, where their names alone are not enough."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.models import Product
from product_files.tables.csv_file import SAMPLE_RECORDS
from tests.catalog.importing import counts, problems, run
from tests.catalog.shop_exports import categories, product, write

pytestmark = pytest.mark.django_db


def skus() -> list[str]:
    return list(Product.objects.order_by("id").values_list("sku", flat=True))


@pytest.mark.parametrize(
    ("header", "pages"),
    [("SKU;Handle;Title", ("mug", "bowl")), ("sku;Link;Title", ("https://x.test/mug", "https://x.test/bowl"))],
)
def test_a_column_of_skus_that_is_empty_gives_way_to_pages(tmp_path: Path, header: str, pages: tuple[str, str]) -> None:
    report = run(write(tmp_path / "a.csv", header, f";{pages[0]};Mug", f";{pages[1]};Bowl"))
    assert (counts(report), skus()) == ((2, 0, 0, 0), list(pages))
    assert f"the column {header[:3]} is empty: SKUs are taken from another one" in report["notes"]


def test_a_column_of_skus_that_only_the_first_lines_lack_stays(tmp_path: Path) -> None:
    lines = [f";page-{number};Thing" for number in range(SAMPLE_RECORDS + 1)]
    report = run(write(tmp_path / "a.csv", "SKU;Handle;Title", *lines, "m1;mug;Mug"))
    assert (report["rejected"], skus()) == (SAMPLE_RECORDS + 1, ["m1"])


@pytest.mark.parametrize("header", ["id;sku;title", "ID do produto;Referência;Nome", "Product ID;Article number;Name"])
def test_where_no_product_has_a_sku_their_numbers_are_the_skus(tmp_path: Path, header: str) -> None:
    report = run(write(tmp_path / "a.csv", header, "11;;Mug", "12;N/A;Bowl"))
    assert (counts(report), skus()) == ((2, 0, 0, 0), ["11", "12"])
    assert f"the column {header.split(';')[1]} is empty: SKUs are taken from another one" in report["notes"]


FROM_ID = "where sku is empty, the SKU is the number in id"


@pytest.mark.parametrize("numbers", [("11", "12", "13"), ("11", "12", "A-3")])
def test_where_some_products_have_no_sku_it_is_their_number(tmp_path: Path, numbers: tuple[str, str, str]) -> None:
    first, second, third = numbers
    report = run(write(tmp_path / "a.csv", "id;sku;title", f"{first};A-1;Mug", f"{second};;Bowl", f"{third};A-3;Cup"))
    assert (counts(report), skus(), FROM_ID in report["notes"]) == ((3, 0, 0, 0), ["A-1", "12", "A-3"], True)


@pytest.mark.parametrize(
    "lines",
    [
        # A number that is the SKU of another product, that two products have, or that a product lacks.
        ("11;12;Mug", "12;;Bowl", "13;A-3;Cup"),
        ("11;A-1;Mug", "11;;Bowl", "13;A-3;Cup"),
        (";A-1;Mug", "12;;Bowl", "13;A-3;Cup"),
    ],
)
def test_numbers_that_may_be_of_other_products_are_no_skus(tmp_path: Path, lines: tuple[str, str, str]) -> None:
    report = run(write(tmp_path / "a.csv", "id;sku;title", *lines))
    assert (counts(report), problems(report)) == ((2, 0, 0, 1), [(3, "there is no SKU")])
    assert FROM_ID not in report["notes"]


def test_a_mapped_column_of_skus_is_not_mixed_with_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id;sku;title", "11;A-1;Mug", "12;;Bowl")
    assert problems(run(path, "--map", "sku=sku")) == [(3, "there is no SKU")]


def test_products_of_json_without_a_sku_have_their_number_with_that_of_the_variant(tmp_path: Path) -> None:
    path = tmp_path / "products.json"
    sizes = [{"sku": "", "size": size, "price": 9} for size in ("S", "M")]
    products = [
        {"id": 1, "sku": "A-1", "name": "Mug", "price": 5},
        {"id": 2, "sku": None, "name": "Bowl", "price": 6},
        {"id": 3, "sku": None, "name": "Shirt", "variants": sizes},
    ]
    path.write_text(json.dumps(products))
    assert (counts(run(path)), skus()) == ((4, 0, 0, 0), ["A-1", "2", "3-1", "3-2"])


# Of each, the net price first.
TAXED = [
    "VK netto;VK brutto",
    "Preis exkl. MwSt.;Preis inkl. MwSt.",
    "Price ex VAT;Price inc VAT",
    "Price (excl. tax);Price (incl. tax)",
    "price_tax_excl;price_tax_incl",
    "Prix HT;Prix TTC",
    "Prezzo IVA esclusa;Prezzo IVA inclusa",
    "Precio sin IVA;Precio con IVA",
    "Preço sem IVA;Preço com IVA",
    "Prijs excl.BTW;Prijs incl.BTW",
    "Cena netto;Cena brutto",
    "Cena bez DPH;Cena s DPH",
    "Pris exkl. moms;Pris inkl. moms",
    "Pris eks. mva;Pris inkl. mva",
    "Hinta (alv 0%);Hinta (sis. alv)",
    "Nettó ár;Bruttó ár",
    "Preț fără TVA;Preț cu TVA",
    "KDV Hariç Fiyat;KDV Dahil Fiyat",
    "Τιμή χωρίς ΦΠΑ;Τιμή με ΦΠΑ",
    "Цена без НДС;Цена с НДС",  # noqa: RUF001 -- Cyrillic
    "Ціна без ПДВ, €;Ціна з ПДВ, €",
    "€ без ПДВ;€ з ПДВ",
    "税抜価格;税込価格",
    "不含税价;含税价",
    "판매가(부가세별도);판매가(부가세포함)",
    "Harga sebelum PPN;Harga termasuk PPN",
]


@pytest.mark.parametrize("header", TAXED)
def test_of_two_prices_the_one_with_tax_is_taken_in_any_language(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "a.csv", f"sku;title;UVP;{header}", "m1;Mug;30,00;10,00;11,90", "m2;Bowl;30,00;20,00;23,80")
    report = run(path)
    assert (product("m1").price, product("m1").list_price) == (Decimal("11.90"), Decimal("30.00"))
    assert not any("without tax" in note for note in report["notes"])


@pytest.mark.parametrize("header", [each.split(";")[0] for each in TAXED])
def test_prices_without_tax_are_taken_where_there_are_no_others(tmp_path: Path, header: str) -> None:
    report = run(write(tmp_path / "a.csv", f"sku;title;{header}", "m1;Mug;10,00", "m2;Bowl;20,00"))
    assert product("m1").price == Decimal("10.00")
    assert f"the prices are without tax, of the type {header}" in report["notes"]


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("Netto;Brutto", "1,50;2,00"),
        ("tax included;vat", "1;20"),
        ("EK netto;Net cost", "1,50;2"),
        ("price_cs;x", "150;2"),
    ],
)
def test_weights_taxes_and_costs_are_no_prices(tmp_path: Path, header: str, cells: str) -> None:
    run(write(tmp_path / "a.csv", f"sku;title;{header}", f"m1;Mug;{cells}", f"m2;Bowl;{cells}"))
    assert product("m1").price is None


@pytest.mark.parametrize(
    ("header", "price"),
    [
        ("Cena brutto;Cena promocyjna brutto", "9.90"),
        ("Cena netto;Cena promocyjna netto", "9.90"),
        ("Cena brutto;Cena promocyjna netto", "12.30"),
        ("Price;Special price incl. VAT", "9.90"),
        ("Price;Special price excl. VAT", "12.30"),
    ],
)
def test_a_price_of_a_sale_counts_with_a_tax_as_the_other_price_has_it(tmp_path: Path, header: str, price: str) -> None:
    run(write(tmp_path / "a.csv", f"sku;title;{header}", "m1;Mug;12,30;9,90", "m2;Bowl;24,60;"))
    assert product("m1").price == Decimal(price)


def test_the_sign_in_front_of_what_a_name_says_of_a_tax_is_the_currency(tmp_path: Path) -> None:
    run(write(tmp_path / "a.csv", "sku;title;£ ex VAT", "m1;Mug;10.50"))
    assert (product("m1").price, product("m1").currency) == (Decimal("10.50"), "GBP")


def test_handles_that_several_products_share_are_no_skus(tmp_path: Path) -> None:
    report = run(write(tmp_path / "a.csv", "SKU;Handle;Title", ";new;Mug", ";new;Bowl", ";old;Cup"))
    assert problems(report) == [(line, "there is no SKU") for line in (2, 3, 4)]


def test_numbers_that_begin_again_in_each_category_are_skus_with_it(tmp_path: Path) -> None:
    menu = [
        {
            "category": "Pizza",
            "items": [{"id": 1, "name": "Plain", "price": 7.5}, {"id": 2, "name": "Hot", "price": 8}],
        },
        {"category": "Drinks", "items": [{"id": 1, "name": "Water", "price": 2}]},
    ]
    path = tmp_path / "menu.json"
    path.write_text(json.dumps(menu))
    report = run(path)
    assert (counts(report), skus()) == ((3, 0, 0, 0), ["Pizza-1", "Pizza-2", "Drinks-1"])
    note = "the numbers in id begin again in each category: a SKU is the text in category with the number"
    assert note in report["notes"]


@pytest.mark.parametrize("header", ["sku;title;category", "id;title;category"])
def test_a_product_that_is_listed_in_two_categories_is_one(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "a.csv", header, "1;Mug;Cups", "2;Cup;Cups", "1;Mug;Sale", "2;Cup;Sale")
    assert problems(run(path)) == [(4, "the SKU 1 is already on line 2"), (5, "the SKU 2 is already on line 3")]
    assert skus() == ["1", "2"]


def test_a_sku_that_occurs_twice_by_mistake_is_still_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id;title;category", "1;Mug;Cups", "2;Cup;Cups", "3;Bowl;Bowls", "2;Dish;Bowls")
    assert problems(run(path)) == [(5, "the SKU 2 is already on line 3")]


def test_the_currency_of_a_price_may_be_in_a_column_that_is_named_after_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "StokKodu;StokAdi;SatisFiyati1;SatisFiyati1ParaBirimi;SatisFiyati2ParaBirimi",
        "a;Kupa;45,00;EURO;TL",
        "b;Tabak;120,50;TL;TL",
    )
    run(path)
    assert [(found.price, found.currency) for found in map(product, "ab")] == [
        (45, "EUR"),
        (Decimal("120.50"), "TRY"),
    ]


def test_a_retail_price_beside_that_of_resellers_is_paid(tmp_path: Path) -> None:
    run(write(tmp_path / "a.csv", "id;name;retail;wholesale", "1;Mug;2490;1969"))
    assert product("1").price == 2490


@pytest.mark.parametrize(
    "lines",
    [
        ("1;Mug;10;12.10", "2;Cup;20;"),
        # A rate of tax.
        ("1;Mug;18;21", "2;Cup;20;21"),
    ],
)
def test_a_price_with_tax_that_not_all_products_have_is_left_out(tmp_path: Path, lines: tuple[str, str]) -> None:
    run(write(tmp_path / "a.csv", "id;name;price;price_vat", *lines))
    assert [product(sku).price for sku in "12"] == [Decimal(line.split(";")[2]) for line in lines]


@pytest.mark.parametrize("column", ["Price (pcs)", "center price"])
def test_a_price_by_the_piece_is_in_no_cents(tmp_path: Path, column: str) -> None:
    run(write(tmp_path / "a.csv", f"id;name;{column}", "1;Mug;24.90"))
    assert product("1").price == Decimal("24.90")


POLISH = "ID produktu;Zdjęcie;Nazwa;Indeks;Kategoria;Cena (netto);Cena (brutto);Ilość;Status;Pozycja"


def test_lines_that_all_lack_the_last_cell_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        POLISH,
        '1;https://x.test/1.jpg;Kubek;K-1;Kuchnia;"10,00 zł";"12,30 zł";3;1',
        '2;https://x.test/2.jpg;Miska;M-2;Kuchnia;"20,00 zł";"24,60 zł";0;1',
    )
    report = run(path, "--no-fetch")
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    bowl = product("M-2")
    assert (bowl.title, bowl.price, bowl.available, categories("M-2")) == (
        "Miska",
        Decimal("24.60"),
        False,
        ["kuchnia"],
    )


def test_lines_that_lack_a_cell_in_the_middle_are_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", POLISH, '1;https://x.test/1.jpg;Kubek;K-1;Kuchnia;"12,30 zł";3;1;0')
    assert problems(run(path, "--no-fetch")) == [(2, "9 columns instead of 10")]
