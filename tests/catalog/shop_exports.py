"""What the tests of shop systems' exports read and write."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from catalog.models import Product
from tests.factories import jpeg


def families() -> dict[str, set[str]]:
    """The SKUs of each family by that of its main product."""
    found: dict[str, set[str]] = {}
    for product in Product.objects.select_related("variant_of"):
        found.setdefault((product.variant_of or product).sku, set()).add(product.sku)
    return found


def product(sku: str) -> Product:
    """The product with this SKU."""
    return Product.objects.get(sku=sku)


def categories(sku: str) -> list[str]:
    """The paths of a product's categories, the main one first."""
    found = product(sku)
    return [str(found.category), *sorted(str(each) for each in found.other_categories.all())]


def export(path: Path, *lines: Mapping[str, str]) -> Path:
    """Write a table with the columns of all these lines."""
    columns = list(dict.fromkeys(column for line in lines for column in line))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)
    return path


def write(path: Path, *lines: str) -> Path:
    """Write a table of these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def photos_in(folder: Path) -> Path:
    """Put red.jpg and blue.jpg into a folder."""
    for colour in ("red", "blue"):
        (folder / f"{colour}.jpg").write_bytes(jpeg(colour))
    return folder
