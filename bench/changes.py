"""Changes a catalogue, one change after the other, in a process of its own; for bench/changing_shop.py.

Run as `python -m bench.changes`: it reads the changes as a line of JSON, and prints the number of each as soon as it is committed.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import django


def main() -> None:
    """Make each change at its time."""
    orders = json.loads(sys.stdin.readline())
    django.setup()
    make: dict[str, Callable[[Any], None]] = {"price": _set_price, "delete": _delete, "photo": _add_with_photo}
    started = time.monotonic()
    for number, change in enumerate(orders["changes"]):
        time.sleep(max(0.0, started + number * orders["pause_s"] - time.monotonic()))
        make[change["kind"]](change)
        # The clock is that of the machine, so another process can compare its time with this one.
        print(json.dumps({"number": number, "committed_at": time.monotonic()}), flush=True)


def _set_price(change: Any) -> None:
    from catalog.services import save_product
    from product_files.product_data import ProductData

    data = ProductData(sku=change["sku"], title=change["title"], price=Decimal(change["price"]))
    save_product(data, fields={"price"})


def _delete(change: Any) -> None:
    from catalog.services import delete_products

    delete_products([change["product"]])


def _add_with_photo(change: Any) -> None:
    """Add a product with a slightly cropped photo of another product."""
    from django.db import transaction
    from PIL import Image

    from catalog.models import ProductImage
    from catalog.services import attach_image, save_product
    from pictures.photos import validate_photo
    from product_files.product_data import ProductData

    beside = ProductImage.objects.filter(product=change["beside"])[0]
    with beside.file.open() as file, Image.open(file) as photo:
        width, height = photo.size
        nearer = photo.convert("RGB").crop((width // 40, height // 40, width - width // 40, height - height // 40))
    content = io.BytesIO()
    nearer.save(content, "JPEG", quality=90)
    with transaction.atomic():
        product, _ = save_product(ProductData(sku=change["sku"], title=change["title"], price=Decimal(change["price"])))
        attach_image(product, validate_photo(content.getvalue()))


if __name__ == "__main__":
    main()
