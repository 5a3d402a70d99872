"""Adds products for tests, through the same services as the importers."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from catalog.models import Product
from catalog.services import attach_image, save_product
from pictures.photos import validate_photo
from product_files.product_data import ProductData
from tests.factories import jpeg, numbered_colour

_numbers = count(1)


def stock(title: str = "Blue mug", *, photos: int = 1, price: str | None = "12.50", **details: Any) -> Product:
    """Add a product. All photos are different."""
    number = next(_numbers)
    given = {"sku": f"SHOP-{number}", "category": ("Home", "Mugs"), **details}
    product, _ = save_product(ProductData(title=title, price=None if price is None else Decimal(price), **given))
    for view in range(photos):
        attach_image(product, validate_photo(jpeg(numbered_colour(number * 31 + view))))
    return product
