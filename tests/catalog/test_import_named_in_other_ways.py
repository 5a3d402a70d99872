"""Names with a language in brackets, names that are paths, products under their ids, and combinations without products."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from catalog.models import Product
from tests.catalog.importing import counts, problems, run

pytestmark = pytest.mark.django_db


def written(folder: Path, name: str, content: str | Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("headers", "language", "title"),
    [
        ("SellerSKU,Product Name(Malay),*Product Name(English)", "en", "Shirt"),
        ("SellerSKU,Product Name(Malay),*Product Name(English)", "de", "Baju"),
        ("SKU,Name [msa],Name [eng]", "en", "Shirt"),
        ("SKU,Bezeichnung (Bahasa Melayu),Bezeichnung (Deutsch)", "de", "Shirt"),
        ("sku,Title (Size),Title (English)", "en", "Shirt"),
    ],
)
def test_of_names_with_a_language_in_brackets_that_of_the_shop_is_taken(
    tmp_path: Path, settings: Any, headers: str, language: str, title: str
) -> None:
    settings.LANGUAGE_CODE = language
    assert counts(run(written(tmp_path, "products.csv", f"{headers}\nS-1,Baju,Shirt\n"))) == (1, 0, 0, 0)
    assert Product.objects.get(sku="S-1").title == title


@pytest.mark.parametrize("at", ["@", "/@"])
def test_a_table_whose_columns_are_paths(tmp_path: Path, settings: Any, at: str) -> None:
    settings.LANGUAGE_CODE = "pl"
    headers = (
        f"@id;/price{at}gross;/price{at}net;/description/name[eng];/description/name[pol];/description/long_desc[pol];"
        f"/producer{at}name;/category{at}name;/images/large/image{at}url"
    )
    line = "101;19.90;16.18;Shirt;Koszula;Miękka;Acme;Odzież > Koszule;https://example.com/1.jpg"
    report = run(written(tmp_path, "products.csv", f"{headers}\n{line}\n"), "--no-fetch", "--set", "currency=PLN")

    assert (counts(report), problems(report), report["photos_left_out"]) == ((1, 0, 0, 0), [], 1)
    product = Product.objects.get(sku="101")
    assert (product.title, product.description, product.brand) == ("Koszula", "Miękka", "Acme")
    assert (product.price, str(product.category)) == (Decimal("19.9"), "odzież/koszule")


SHIRT, MUG = {"name": "Shirt", "price": 19.9, "tags": ["new"]}, {"name": "Mug", "price": 5}


@pytest.mark.parametrize(
    "content",
    [
        {"-Mx1": SHIRT, "-Mx2": MUG},
        {"products": {"-Mx1": SHIRT, "-Mx2": MUG}},
        {"users": {"u1": {"name": "N"}, "u2": {"name": "O"}}, "products": {"-Mx1": SHIRT, "-Mx2": MUG}},
        {
            "-Mx1": {"variants": {"a": {"title": "S", "price": 1}, "b": {"title": "M", "price": 2}}, **SHIRT},
            "-Mx2": MUG,
        },
    ],
)
def test_products_under_their_ids(tmp_path: Path, content: Any) -> None:
    report = run(written(tmp_path, "products.json", content))
    assert (counts(report), problems(report)) == ((2, 0, 0, 0), [])
    assert dict(Product.objects.values_list("sku", "title")) == {"-Mx1": "Shirt", "-Mx2": "Mug"}


def test_products_under_their_ids_have_their_own_skus_where_they_have_some(tmp_path: Path) -> None:
    run(written(tmp_path, "products.json", {"1": {**SHIRT, "sku": "S"}, "2": {**MUG, "sku": "M"}}))
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["M", "S"]


def test_a_file_of_products_under_their_ids_that_is_cut_off_gives_those_before(tmp_path: Path) -> None:
    text = json.dumps({"1": SHIRT, "2": MUG, "3": SHIRT})[:-20]
    report = run(written(tmp_path, "products.json", text))
    assert (counts(report), report["broken_off"]) == ((2, 0, 0, 1), True)


@pytest.mark.parametrize(
    "product",
    [
        {"sku": "s1", "title": "Shirt", "in": {"en": {"title": "A", "description": "b"}, "de": {"title": "C", "description": "d"}}},
        {"brand": {"name": "A", "description": "b"}, "category": {"name": "C", "image": "d.jpg"}, "sku": "s1", "title": "Shirt"},
    ],
)  # fmt: skip
def test_objects_in_one_product_are_no_products(tmp_path: Path, product: Any) -> None:
    assert counts(run(written(tmp_path, "products.json", product), "--no-fetch")) == (1, 0, 0, 0)
    assert list(Product.objects.values_list("sku", "title")) == [("s1", "Shirt")]


def test_combinations_alone_are_refused_with_what_to_import_instead(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "combinations.csv",
        "Product ID*;Attribute (Name:Type:Position)*;Value (Value:Position)*;Reference;Quantity\n"
        "1;Size:select:0;M:0;R-1;5\n",
    )
    with pytest.raises(CommandError, match="without names: import its table of products"):
        run(path)
