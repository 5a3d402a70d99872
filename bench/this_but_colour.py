"""How often "this, but red" keeps the shape and has the colour, on the demo's known attributes.

Usage: python -m bench.this_but_colour [--products 300] [--queries 200]
Each query likes a product and names another colour, which some product of the same shape has. "photo": the product's first photo is
sent instead of its SKU. "words": the words alone, with the name of the product's category. A shape is one of a category: mugs and
jeans may both be straight.
"""

from __future__ import annotations

import argparse
import io
import random
from collections.abc import Sequence

import httpx

from bench.demo_shop import demo_shop
from bench.tables import publish
from storefront.demo.catalogue import DemoProduct, demo_products, draw_view

SEED = 7


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    products = demo_products(count=options.products)
    pairs = _pairs(products, options.queries)
    with (
        demo_shop(products=options.products, debug=True) as (address, _),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        asked = {"liked": _liked, "photo": _photo, "words": _words}
        rows = [_measured(name, ask, client, products, pairs) for name, ask in asked.items()]
    publish("this_but_colour", rows, {"products": options.products, "queries": len(pairs)})


def _pairs(products: Sequence[DemoProduct], count: int) -> list[tuple[DemoProduct, str]]:
    """Products, each with another colour that its shape comes in."""
    colours: dict[tuple[str, str], set[str]] = {}
    for product in products:
        colours.setdefault(_shape(product), set()).add(product.attributes["colour"])
    chance = random.Random(SEED)
    pairs = [
        (product, chance.choice(sorted(others)))
        for product in products
        if (others := colours[_shape(product)] - {product.attributes["colour"]})
    ]
    return chance.sample(pairs, min(count, len(pairs)))


def _shape(product: DemoProduct) -> tuple[str, str]:
    return product.category, product.attributes["shape"]


def _liked(client: httpx.Client, product: DemoProduct, colour: str) -> httpx.Response:
    return client.get("/api/search", params={"text": f"but {colour}", "liked": product.sku, "limit": 1})


def _photo(client: httpx.Client, product: DemoProduct, colour: str) -> httpx.Response:
    file = io.BytesIO()
    draw_view(product, 0).save(file, "JPEG")
    data = {"text": f"but {colour}", "limit": "1"}
    return client.post("/api/collections/all/search", data=data, files={"photo": file.getvalue()})


def _words(client: httpx.Client, product: DemoProduct, colour: str) -> httpx.Response:
    return client.get("/api/search", params={"text": f"{product.category_names[-1]} {colour}", "limit": 1})


def _measured(name: str, ask, client: httpx.Client, products: Sequence[DemoProduct], pairs) -> dict[str, object]:
    by_sku = {product.sku: product for product in products}
    shapes = colours = both = 0
    for product, colour in pairs:
        answer = ask(client, product, colour).raise_for_status().json()
        if not answer["results"]:
            continue
        first = by_sku[answer["results"][0]["product"]["sku"]]
        has_shape, has_colour = _shape(first) == _shape(product), first.attributes["colour"] == colour
        shapes, colours, both = shapes + has_shape, colours + has_colour, both + (has_shape and has_colour)
    count = len(pairs)
    return {"asked by": name, "same shape": shapes / count, "the colour": colours / count, "both": both / count}


if __name__ == "__main__":
    main()
