"""Forms of files that shops and data sets have published: names of columns, lists in cells, products by category, prices."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from product_files.mapping import FieldMapping
from product_files.rows import Row
from product_files.sources import open_catalogue
from product_files.values import parse_price


def rows(path: Path, **columns: str) -> list[Row]:
    mapping = FieldMapping().with_columns(list(columns.items()))
    with open_catalogue(path, mapping) as catalogue:
        return list(catalogue)


def notes(path: Path) -> list[str]:
    with open_catalogue(path, FieldMapping()) as catalogue:
        assert list(catalogue)
        return [str(note) for note in catalogue.notes]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def table(folder: Path, *lines: str) -> Path:
    return written(folder, "products.csv", "\n".join(lines) + "\n")


def in_json(folder: Path, content: Any) -> Path:
    return written(folder, "products.json", json.dumps(content))


# Prices


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("Rs. 500/-", "500", "INR"),
        ("199:-", "199", ""),
        ("USD $12.50", "12.50", "USD"),
        ("MXN$ 120", "120", "MXN"),
        ("AU $12.00", "12.00", "AUD"),
        ("1,200円(税込)", "1200", "JPY"),
        ("12,50 € (inkl. MwSt.)", "12.50", "EUR"),
        ("1.299.000 VNĐ", "1299000", "VND"),
        ("150 LE", "150", "EGP"),
        ("1,200 Tk", "1200", "BDT"),
        ("12 тенге", "12", "KZT"),
    ],
)
def test_prices_are_read_as_shops_of_their_country_write_them(text: str, amount: str, currency: str) -> None:
    price = parse_price(text)
    assert price is not None
    assert (price.amount, next(iter(price.currencies), "")) == (Decimal(amount), currency)
