"""Import of WooCommerce's own export: products, their variations, and what these take from their parent."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError

from catalog.models import Product
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import Row
from product_files.sources import detect_format
from product_files.tables.woocommerce import WooCommerceExport
from tests.catalog.importing import counts, memory_growth, problems, run
from tests.catalog.shop_exports import categories, export, families, product
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

MUG = {
    "ID": "1",
    "Type": "simple",
    "SKU": "mug",
    "Name": "Mug",
    "Published": "1",
    "Visibility in catalog": "visible",
    "Short description": "",
    "Description": "",
    "Date sale price starts": "",
    "Date sale price ends": "",
    "In stock?": "1",
    "Stock": "",
    "Backorders allowed?": "0",
    "Sale price": "",
    "Regular price": "20",
    "Categories": "Home > Mugs",
    "Tags": "",
    "Images": "",
    "Parent": "",
    "Attribute 1 name": "",
    "Attribute 1 value(s)": "",
}
TEE = MUG | {
    "ID": "5",
    "Type": "variable",
    "SKU": "tee",
    "Name": "Tee",
    "Regular price": "",
    "Categories": "Clothing > Tees, Clothing > Sale",
    "Tags": "cotton, soft",
    "Brands": "Acme",
    "Description": "Of cotton",
    "Images": "red.jpg, blue.jpg",
    "Attribute 1 name": "Size",
    "Attribute 1 value(s)": "S, M",
}


def variation(number: int, size: str, **values: str) -> dict[str, str]:
    of_tee = {
        "ID": str(number),
        "Type": "variation",
        "SKU": f"tee-{size}",
        "Name": f"Tee - {size}",
        "Categories": "",
        "Parent": "tee",
    }
    return MUG | of_tee | {"Attribute 1 name": "Size", "Attribute 1 value(s)": size} | values


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.jpg").write_bytes(jpeg(colour))
    return tmp_path / "products.csv"


def test_the_export_of_the_cases(real_data: Path) -> None:
    cases = real_data / "cases/catalogue"
    report = run(cases / "woo.csv", "--images", str(cases / "images"))
    assert counts(report) == (8, 0, 0, 0)
    assert report["notes"][0] == "read as a product export of WooCommerce"
    active = {"pub-1", "oversold-1", "par-1", "var-1", "id:7"}
    assert set(Product.objects.filter(active=True).values_list("sku", flat=True)) == active
    assert set(Product.objects.filter(active=False).values_list("sku", flat=True)) == {"draft-1", "private-1", "-1x"}
    assert (product("oversold-1").available, product("pub-1").available) == (False, True)
    assert (product("pub-1").price, product("pub-1").list_price, product("pub-1").images.count()) == (
        Decimal(15),
        Decimal(20),
        2,
    )
    assert categories("pub-1") == ["clothing/dresses", "clothing/sale"]
    assert families()["par-1"] == {"par-1", "var-1", "id:7"}
    assert product("id:7").attributes == {"size": "M"}


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_variation_takes_from_its_parent_what_it_lacks(shop: Path, shuffled: bool) -> None:
    own = {"Images": "blue.jpg", "Description": "The small one", "Tags": "small", "Categories": "Clothing > Small"}
    lines = [TEE, variation(6, "S", **own), variation(7, "M", Parent="id:5", **{"Regular price": "18"})]
    if shuffled:
        random.Random(1).shuffle(lines)
        lines.sort(key=lambda line: line["Type"] == "variable")
    assert counts(run(export(shop, *lines))) == (3, 0, 0, 0)
    assert families() == {"tee": {"tee", "tee-S", "tee-M"}}
    medium, small = product("tee-M"), product("tee-S")
    assert (medium.description, medium.brand, medium.tags) == ("Of cotton", "Acme", ["cotton", "soft"])
    assert (categories("tee-M"), medium.images.count()) == (["clothing/tees", "clothing/sale"], 2)
    assert (small.description, small.brand, small.tags) == ("The small one", "Acme", ["small"])
    assert (categories("tee-S"), small.images.count()) == (["clothing/small"], 1)


def test_the_price_of_a_product_with_variations_is_their_lowest_one(shop: Path) -> None:
    prices = [("S", "18", ""), ("M", "20", "16.50"), ("L", "22", "")]
    lines = [
        variation(n, size, **{"Regular price": price, "Sale price": sale})
        for n, (size, price, sale) in enumerate(prices, 6)
    ]
    run(export(shop, TEE, *lines, variation(9, "XL", **{"Regular price": "5", "Published": "-1"})))
    assert product("tee").price == Decimal("16.5")


@pytest.mark.parametrize(
    ("published", "visibility", "active"),
    [
        ("1", "visible", True),
        ("1", "catalog", True),
        ("1", "hidden", False),
        ("0", "visible", False),
        ("-1", "visible", False),
        ("'-1", "visible", False),
        ("2", "visible", False),
    ],
)
def test_only_what_is_published_and_visible_is_active(
    shop: Path, published: str, visibility: str, active: bool
) -> None:
    assert counts(run(export(shop, MUG | {"Published": published, "Visibility in catalog": visibility}))) == (
        1,
        0,
        0,
        0,
    )
    assert product("mug").active is active


def test_the_variations_of_a_draft_are_not_active(shop: Path) -> None:
    run(export(shop, variation(6, "S"), TEE | {"Published": "-1"}))
    assert product("tee-S").active is False


@pytest.mark.parametrize(
    ("in_stock", "stock", "backorders", "available"),
    [
        ("1", "", "0", True),
        ("1", "5", "0", True),
        ("0", "", "0", False),
        ("0", "-3", "0", False),
        ("1", "0", "0", False),
        ("1", "-3", "0", False),
        ("1", "-3", "1", True),
        ("1", "-3", "notify", True),
        ("1", "2.5", "0", True),
        ("backorder", "0", "0", True),
        ("", "3", "0", True),
        ("", "0", "0", False),
    ],
)
def test_a_product_is_available_by_its_status_and_its_stock(
    shop: Path, in_stock: str, stock: str, backorders: str, available: bool
) -> None:
    run(export(shop, MUG | {"In stock?": in_stock, "Stock": stock, "Backorders allowed?": backorders}))
    assert product("mug").available is available


@pytest.mark.parametrize(("stock", "available"), [("4", True), ("0", False)])
def test_the_stock_of_a_variation_may_be_that_of_its_parent(shop: Path, stock: str, available: bool) -> None:
    run(export(shop, TEE | {"Stock": stock}, variation(6, "S", Stock="parent")))
    assert product("tee-S").available is available


@pytest.mark.parametrize(
    ("starts", "ends", "price", "list_price"),
    [
        ("", "", "15", "20"),
        ("2026-01-01", "2026-01-31", "15", "20"),
        ("2026-01-15T00:00:00+00:00", "2026-01-15", "15", "20"),
        ("2026-01-16", "", "20", None),
        ("", "2026-01-14", "20", None),
    ],
)
def test_the_sale_price_is_the_price_while_the_sale_lasts(
    shop: Path, starts: str, ends: str, price: str, list_price: str | None
) -> None:
    path = export(shop, MUG | {"Sale price": "15", "Date sale price starts": starts, "Date sale price ends": ends})
    now = datetime(2026, 1, 15, 12, tzinfo=UTC)
    (row,) = WooCommerceExport(path, FieldMapping(), photos=PhotoFolder.open(shop.parent), now=now)
    assert row.product is not None
    assert (row.product.price, row.product.list_price) == (Decimal(price), list_price and Decimal(list_price))


def test_a_sale_whose_dates_cannot_be_read_is_reported_and_left_out(shop: Path) -> None:
    report = run(export(shop, MUG | {"Sale price": "15", "Date sale price starts": "soon"}))
    assert problems(report) == [(2, "'soon' is not a date such as 2026-12-31: the sale was left out")]
    assert product("mug").price == 20


@pytest.mark.parametrize(
    ("text", "price"), [("19,95", "19.95"), ("19.95", "19.95"), ("1299,5", "1299.5"), ("20,000", "20")]
)
def test_prices_have_the_decimal_separator_of_the_shop_and_no_groups(shop: Path, text: str, price: str) -> None:
    run(export(shop, MUG | {"Regular price": text}))
    assert product("mug").price == Decimal(price)


def test_what_the_export_escapes_is_read_as_it_was(shop: Path) -> None:
    escaped = {
        "SKU": "'-1x",
        "Name": "'+1 Mug",
        "Description": r"<p>First</p>\n<p>C:\\new, second</p>",
        "Categories": r"Home > Mugs\, cups, Sale",
        "Tags": r"red\, white, blue",
        "Attribute 1 name": "Colour",
        "Attribute 1 value(s)": r"Red\, dark, Blue",
    }
    run(export(shop, MUG | escaped))
    found = product("-1x")
    assert (found.title, found.tags) == ("+1 Mug", ["red, white", "blue"])
    assert found.description == "First\nC:\\new, second"
    assert (str(found.category), found.category and found.category.name) == ("home/mugs-cups", "Mugs, cups")
    assert found.attributes == {"colour": "Red, dark, Blue"}


def test_a_product_without_sku_has_its_id_and_one_with_a_used_sku_too(shop: Path) -> None:
    report = run(export(shop, MUG, MUG | {"ID": "2", "SKU": ""}, MUG | {"ID": "3"}))
    assert set(Product.objects.values_list("sku", flat=True)) == {"mug", "id:2", "id:3"}
    assert problems(report) == [(4, "another variant has the SKU mug, too: this one became id:3")]


@pytest.mark.parametrize("kind", ["grouped", "external", "simple, downloadable, virtual"])
def test_every_other_type_is_a_product_of_its_own(shop: Path, kind: str) -> None:
    assert counts(run(export(shop, MUG | {"Type": kind}))) == (1, 0, 0, 0)
    assert families() == {"mug": {"mug"}}


# The columns in other languages


LANGUAGES = {
    "de": (
        "ID,Typ,Artikelnummer,Name,Veröffentlicht,Sichtbarkeit im Katalog,Beschreibung,Vorrätig?,Lager,Angebotspreis,"
        "Regulärer Preis,Kategorien,Schlagwörter,Bilder,Übergeordnetes Produkt,Attribut 1 Name,Attribut 1 Wert(e)"
    ),
    "fr": (
        "ID,Type,UGS,Nom,Publié,Visibilité dans le catalogue,Description,En stock\u00a0?,Stock,Tarif promo,"
        "Tarif régulier,Catégories,Étiquettes,Images,Parent,Nom de l\u2019attribut 1,Valeur(s) de l\u2019attribut 1 "
    ),
    "es": (
        "ID,Tipo,SKU,Nombre,Publicado,Visibilidad en el catálogo,Descripción,¿Existencias?,Inventario,Precio rebajado,"
        "Precio normal,Categorías,Etiquetas,Imágenes,Superior,Nombre del atributo 1,Valor(es) del atributo 1"
    ),
    "it": (
        "ID,Tipo,COD,Nome,Pubblicato,Visibilità nel catalogo,Descrizione,In stock?,Magazzino,Prezzo in offerta,"
        "Prezzo di listino,Categorie,Tag,Immagine,Genitore,Attributo 1 nome,Attributo 1 valuta(e)"
    ),
    "nl": (
        "ID,Type,Artikelnummer,Naam,Gepubliceerd,Zichtbaarheid in catalogus,Beschrijving,Op voorraad?,Voorraad,Actieprijs,"
        "Reguliere prijs,Categorieën,Tags,Afbeeldingen,Hoofd,Naam eigenschap 1,Waarde eigenschap 1"
    ),
    "pl": (
        "ID,Typ,SKU,Nazwa,Opublikowano,Widoczność w katalogu,Opis,W magazynie?,Stan magazynowy,Cena promocyjna,"
        "Cena,Kategorie,Tagi,Obrazki,Element nadrzędny,Nazwa atrybutu 1,Wartości atrybutu 1"
    ),
    "pt-br": (
        "ID,Tipo,SKU,Nome,Publicado,Visibilidade no catálogo,Descrição,Em estoque?,Estoque,Preço promocional,"
        "Preço,Categorias,Tags,Imagens,Ascendente,Nome do atributo 1,Valores do atributo 1"
    ),
    "pt-pt": (
        "ID,Tipo,REF,Nome,Publicado,Visibilidade no catálogo,Descrição,Em stock?,Stock,Preço promocional,"
        "Preço normal,Categorias,Etiquetas,Imagens,Pai,Atributo 1 nome,Atributo 1 valor(es)"
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("change", [str, str.upper])
def test_the_columns_may_be_in_another_language(shop: Path, language: str, change: Callable[[str], str]) -> None:
    shop.write_text(
        f"{change(LANGUAGES[language])}\n"
        '5,variable,tee,Tee,1,visible,Of cotton,1,,,,"Clothing > Tees, Sale",cotton,red.jpg,,Size,"S, M"\n'
        '6,variation,tee-s,Tee S,1,visible,,0,0,"15,50",20,,,,tee,Size,S\n',
        encoding="utf-8",
    )
    assert detect_format(shop) == "woocommerce"
    assert counts(run(shop)) == (2, 0, 0, 0)
    assert families() == {"tee": {"tee", "tee-s"}}
    small = product("tee-s")
    assert (small.price, small.list_price, small.available, small.active) == (Decimal("15.5"), Decimal(20), False, True)
    assert (small.attributes, small.tags, small.images.count()) == ({"size": "S"}, ["cotton"], 1)
    assert (categories("tee-s"), small.description) == (["clothing/tees", "sale"], "Of cotton")


def test_a_plain_table_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("sku,name,type,price,categories,stock\n")
    assert detect_format(tmp_path / "table.csv") == "csv"


def test_a_file_that_is_no_such_export_is_explained(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("sku,title\n")
    with pytest.raises(CommandError, match="is it a product export of WooCommerce"):
        run(tmp_path / "table.csv", "--format", "woocommerce")


@pytest.mark.any_database
def test_memory_does_not_grow_with_the_parents(tmp_path: Path) -> None:
    products = 1_000
    lines = []
    for number in range(products):
        lines.append(variation(number * 2, "S", SKU=f"s{number}", Parent=f"p{number}"))
        lines.append(TEE | {"ID": str(number * 2 + 1), "SKU": f"p{number}"})
    path = export(tmp_path / "products.csv", *lines)

    def read(watched: Callable[[Iterable[Row]], Iterable[Row]]) -> int:
        rows = WooCommerceExport(path, FieldMapping(), photos=PhotoFolder.open(tmp_path))
        return sum(row.product is not None for row in watched(rows))

    assert memory_growth(read, after=products, rows=2 * products) < 1.05
