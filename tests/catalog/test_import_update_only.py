"""Imports that only change products that there are: files of prices and stocks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.test import Client

from accounts.models import User
from catalog.models import Product
from jobs.models import Job
from tests.catalog.importing import counts, problems, run

pytestmark = pytest.mark.django_db

CATALOGUE = (
    "sku,title,brand,category,price,currency,stock\n"
    "m1,Mug,Kiln,Home > Mugs,12.50,CHF,4\n"
    "m2,Jug,Kiln,Home > Jugs,30,CHF,0\n"
)
STOCK = "sku;price;stock\nm1;11,90;0\nm2;30,00;0\nx9;5,00;1\n;1,00;1\n"


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """A file of prices and stocks, of a shop with two products."""
    (tmp_path / "products.csv").write_text(CATALOGUE)
    run(tmp_path / "products.csv")
    path = tmp_path / "stock.csv"
    path.write_text(STOCK)
    return path


def test_prices_and_stocks_change_and_nothing_else(stock: Path) -> None:
    report = run(stock, "--update-only")

    assert (counts(report), report["unknown"], report["rows"]) == ((0, 1, 1, 1), 1, 4)
    assert [reason for _, reason in problems(report)] == ["there is no SKU"]
    assert not any("currency" in note for note in report["notes"])
    mug = Product.objects.get(sku="m1")
    assert (mug.price, mug.currency, mug.available) == (Decimal("11.90"), "CHF", False)
    assert (mug.title, mug.brand, mug.category and mug.category.path) == ("Mug", "Kiln", "home/mugs")
    assert not Product.objects.filter(sku="x9").exists()


def test_without_the_option_a_title_is_needed_and_the_option_is_named(stock: Path) -> None:
    with pytest.raises(CommandError, match=r"field title.*\n.*--update-only"):
        run(stock)


def test_a_dry_run_says_what_would_be_left_out(stock: Path) -> None:
    report = run(stock, "--update-only", "--dry-run")

    assert (counts(report), report["unknown"]) == ((0, 1, 1, 1), 1)
    assert Product.objects.get(sku="m1").price == Decimal("12.50")


def test_a_title_that_is_there_is_changed_and_an_empty_one_stays(stock: Path) -> None:
    stock.write_text("sku,title\nm1,Large mug\nm2,\nx9,New\n")
    report = run(stock, "--update-only")

    assert (counts(report), report["unknown"]) == ((0, 1, 1, 0), 1)
    assert [*Product.objects.order_by("sku").values_list("title", flat=True)] == ["Large mug", "Jug"]


def test_photos_of_rows_that_are_left_out_are_not_asked_for(stock: Path) -> None:
    stock.write_text("sku,image\nm1,none.jpg\nx9,gone.jpg\n")
    report = run(stock, "--update-only")

    assert (report["unknown"], report["photos_rejected"]) == (1, 1)
    assert "none.jpg" in problems(report)[0][1]


def test_many_rows_of_other_skus_are_only_counted(stock: Path) -> None:
    stock.write_text("sku,price\n" + "".join(f"x{number},1\n" for number in range(300)) + "m1,9\nm2,9\n")
    report = run(stock, "--update-only")

    assert (counts(report), report["unknown"]) == ((0, 2, 0, 0), 300)


def test_the_api_takes_it(stock: Path, settings: Any) -> None:
    settings.API_WRITES = "open"
    settings.CELERY_BROKER_URL = ""
    refused = Client().post("/api/imports", STOCK, content_type="text/csv")
    assert "field title" in refused.json()["detail"]

    answer = Client().post("/api/imports?update_only=true", STOCK, content_type="text/csv")

    assert answer.status_code == 202, answer.content
    assert Job.objects.get().parameters["update_only"] is True


def test_the_admin_offers_it_where_no_column_is_the_title(stock: Path) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    with stock.open("rb") as file:
        page = client.post("/admin/catalog/product/import/", {"file": file}).headers["Location"]
    assert "or tick “Only change products that there are”" in client.get(page).content.decode()
    chosen = {"column_0": "sku", "column_1": "price", "column_2": "available", "action": "check"}

    assert client.post(page, chosen).status_code == 200
    assert client.post(page, {**chosen, "update_only": "on"}).status_code == 302

    assert Job.objects.get().parameters["update_only"] is True


def test_a_mapping_file_does_not_decide_it(stock: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "stock.toml"
    mapping.write_text('update_only = "true"\n')
    with pytest.raises(CommandError, match="has update_only: allowed are"):
        run(stock, "--mapping", str(mapping))
