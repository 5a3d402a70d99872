"""What stands at the end of a table and is no product: what a database's client says of its answer, and totals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.models import Product
from tests.catalog.importing import counts, run
from tests.catalog.shop_exports import product, write

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "below",
    [
        ["(2 rows)"],
        ["(2 Zeilen)"],
        ["(2 строки)"],
        ["(2 行)"],
        ["2 rows in set (0.00 sec)", ""],
        ["2 rows in set, 1 warning (0.01 sec)"],
        ["", "(2 rows affected)", "", "Completion time: 2026-01-02T10:00:00.1234567+01:00"],
        ["2 rows selected."],
        ["(2 rows)", "", "Time: 1.234 ms"],
        ["Total: 2;;"],
    ],
)
def test_what_a_client_says_below_its_answer_is_no_row(tmp_path: Path, below: Sequence[str]) -> None:
    report = run(write(tmp_path / "a.csv", "sku;title;price", "m1;Mug;5.00", "m2;Bowl;6.00", *below))
    assert counts(report) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    "below",
    [
        "Summe;;11,00;5",
        ";Summe:;11,00;5",
        ";;Total;5",
        "Итого;;;5",
        "合計;;11,00;",
        "Total;2;11,00;5",
        "Total;;11,00 €",
    ],
)
def test_a_line_of_totals_at_the_end_is_left_out(tmp_path: Path, below: str) -> None:
    path = write(tmp_path / "a.csv", "sku;title;price;stock", "m1;Mug;5,00;3", "m2;Bowl;6,00;2", below)
    report = run(path)
    assert (counts(report), Product.objects.count()) == ((2, 0, 0, 0), 2)
    assert "line 4 was left out: it has the totals of the lines above" in report["notes"]


def test_a_product_that_is_called_total_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "sku;title;price;stock", "1;Mug;5,00;3", "2;Bowl;6,00;2", "3;Total;7,00;4")
    assert (counts(run(path)), product("3").title) == ((3, 0, 0, 0), "Total")


def test_a_line_of_totals_in_the_middle_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "sku;title;price", "m1;Mug;5,00", "Total;;5,00", "m2;Bowl;6,00")
    assert counts(run(path)) == (2, 0, 0, 1)
