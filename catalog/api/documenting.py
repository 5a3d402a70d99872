"""Examples of products in the API's documentation."""

from __future__ import annotations

from catalog.errors import ProductNotFound
from catalog.problems import PRODUCT_NOT_FOUND
from rest.documenting import problem_example

CARD = {
    "id": 17, "sku": "MUG-017", "title": "Blue enamel mug", "category": "kitchen/mugs", "other_categories": [],
    "brand": "Harbour", "price": "14.50", "list_price": None, "currency": "EUR", "available": True,
    "image": "https://shop.example/media/products/3f/3f0c.jpg",
    "thumbnails": {
        "320": "https://shop.example/thumbs/320/products/3f/3f0c.jpg.webp",
        "640": "https://shop.example/thumbs/640/products/3f/3f0c.jpg.webp",
    },
    "url": "https://shop.example/products/17/blue-enamel-mug/",
}  # fmt: skip
DETAIL = {
    **CARD,
    "description": "Holds 350 ml.",
    "tags": ["camping"],
    "attributes": {"colour": "blue"},
    "images": [{"id": 17, "url": CARD["image"], "width": 800, "height": 600, "alt": "A mug"}],
}
NO_PRODUCT_WITH_SKU = problem_example(PRODUCT_NOT_FOUND, ProductNotFound(sku="MUG-17"), "/api/products/by-sku/MUG-17")
NO_PRODUCT = problem_example(PRODUCT_NOT_FOUND, ProductNotFound(4), "/api/products/4")
