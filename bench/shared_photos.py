"""Do size charts that many products share change what looks similar?

Usage: python -m bench.shared_photos
The demo shop, and the same shop with one size chart on every fourth product: half of them the same file, half of them re-saved.
Printed is the share of the eight most similar products that have a product's category, and how many charts are known as such.
"""

from __future__ import annotations

import io
import json
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw

from bench.demo_shop import demo_shop
from bench.tables import publish

PRODUCTS, EVERY, LIMIT = 300, 4, 8


def chart(quality: int) -> bytes:
    """A size chart as a JPEG of a quality."""
    image = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(image)
    for row in range(10):
        draw.line((40, 60 + row * 70, 560, 60 + row * 70), fill="black", width=3)
        for column in range(5):
            draw.text((60 + column * 110, 80 + row * 70), f"{36 + column * 2 + row}", fill="black", font_size=28)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def add_charts() -> None:
    """Give every fourth product of this process's shop the chart, as its last photo."""
    from catalog.models import Product, ProductImage
    from catalog.services import attach_image
    from pictures.photos import validate_photo

    for number, product in enumerate(Product.objects.order_by("pk")[::EVERY]):
        quality = 90 if number % 2 else 80 + number % 16
        attach_image(product, validate_photo(chart(quality)))
    print(f"{ProductImage.objects.filter(role='chart').count()} charts known")


def main() -> None:
    """Measure, print and save the results."""
    rows = []
    with demo_shop(products=PRODUCTS, debug=False) as (address, manage):
        rows.append({"shop": "without charts", **_shares(address)})
        manage("shell", "-v", "0", "-c", "from bench.shared_photos import add_charts; add_charts()")
        # The server's thread takes what is embedded of them out of the index.
        time.sleep(10)
        rows.append({"shop": f"a chart on {len(range(0, PRODUCTS, EVERY))}", **_shares(address)})
    publish("shared_photos", rows)


def _shares(address: str) -> dict[str, float]:
    products: Sequence[Any] = _get(f"{address}/api/products?page_size=100&pagination=cursor")
    shares = []
    for product in products:
        similar = _get(f"{address}/api/products/{product['id']}/similar?limit={LIMIT}")
        shares += [each["product"]["category"] == product["category"] for each in similar]
    return {"products": len(products), f"category share of the top {LIMIT}": sum(shares) / len(shares)}


def _get(url: str) -> list[Any]:
    """The results of all pages."""
    results: list[Any] = []
    address: str | None = url
    while address:
        with urllib.request.urlopen(address, timeout=60) as response:  # noqa: S310 - our own server
            body = json.load(response)
        results += body["results"]
        address = body.get("next")
    return results


if __name__ == "__main__":
    main()
