"""A product filter means the same in SQL, in the vector index and for a card."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from catalog.cards import visible_cards
from catalog.filters import NO_FILTER, ProductFilter
from catalog.models import Product
from catalog.selectors import ids_not_matching
from embeddings.backends import get_vector_index
from embeddings.vector_index.base import VectorQuery
from recommender.filtering import to_index_filter
from tests.factories import CategoryFactory
from tests.recommender.conftest import Shop

RED = (1, 0, 0)
# An example of each condition, with the titles of the products that meet it.
EXAMPLES: dict[str, tuple[Any, set[str]]] = {
    "category": ("clothing", {"shirt", "cap"}),
    "brand": ("Pier", {"shirt"}),
    "brands": (("Pier", "Harbour"), {"shirt", "mug"}),
    "min_price": (Decimal("12.50"), {"shirt", "mug"}),
    "max_price": (Decimal("12.50"), {"cap", "mug"}),
    "available": (False, {"shirt"}),
    "currency": ("CHF", {"cap"}),
    "tag": (("new", "warm"), {"shirt"}),
    "attribute": ((("colour", ("red", "blue")), ("washable", ("true",))), {"shirt", "cap"}),
    "not_category": (("clothing/shirts", "sale"), {"cap", "gift"}),
    "not_brand": (("Pier", "Harbour"), {"cap", "gift"}),
    "exclude": ((1, 3), {"cap", "gift"}),
    "not_tag": (("warm", "news"), {"mug", "gift"}),
    "not_attribute": ((("colour", ("blue", "redder")), ("washable", ("false",))), {"cap", "gift"}),
}
# Others of conditions that hold several values.
MORE: list[tuple[dict[str, Any], set[str]]] = [
    ({"tag": ("new",)}, {"shirt", "mug"}),
    ({"tag": ("ne",)}, set()),
    ({"attribute": (("colour", ("red",)),)}, {"cap"}),
    ({"attribute": (("colour", ("Red",)),)}, set()),
    ({"attribute": (("size", ("38",)),)}, {"shirt"}),
    ({"attribute": (("size", ("38.5", "M")),)}, {"cap", "mug"}),
    ({"attribute": (("washable", ("false",)),)}, {"mug"}),
    ({"attribute": (("with \"quotes\" and 'more'", ("50%",)),)}, {"gift"}),
    ({"attribute": (("none", ("null", "None", "")),)}, set()),
    ({"attribute": (("nested", ('{"a": 1}', '{"a":1}')),)}, set()),
    ({"not_attribute": (("none", ("null",)), ("nested", ('{"a": 1}',)))}, {"shirt", "cap", "mug", "gift"}),
    ({"category": "Clothing"}, set()),
    ({"category": "SALE"}, {"gift"}),
    ({"category": "sal?"}, set()),
    ({"not_category": ("Clothing",)}, {"shirt", "cap", "mug", "gift"}),
    ({"not_category": ("clothing",)}, {"mug", "gift"}),
    ({"category": "clothing", "not_category": ("clothing/shirts",)}, {"cap"}),
    ({"brands": ("Pier", "pier"), "not_brand": ("Pier",)}, {"cap"}),
    ({"exclude": (2,), "tag": ("new",), "currency": "EUR"}, {"shirt", "mug"}),
]


@pytest.fixture
def titles(shop: Shop) -> dict[int, str]:
    """The titles of four products by id."""
    clothing = CategoryFactory(slug="clothing")
    shirts = CategoryFactory(slug="shirts", parent=clothing)
    other = CategoryFactory(slug="clothing-care")
    sale = CategoryFactory(slug="sale")
    # Written as an administrator wants it.
    capitals = CategoryFactory.create(slug="Gifts", parent=CategoryFactory.create(slug="SALE"))
    shirt = {"category": shirts, "brand": "Pier", "price": Decimal(30), "available": False, "tags": ["new", "warm"]}
    cap = {"category": clothing, "brand": "pier", "price": Decimal("12.49"), "currency": "CHF", "tags": ["news"]}
    mug = {
        "category": other,
        "brand": "Harbour",
        "price": Decimal("12.50"),
        "tags": ["new"],
        "other_categories": [sale],
    }
    products = [
        shop.add(
            RED, id=1, title="shirt", attributes={"colour": ["white", "blue"], "size": 38, "washable": True}, **shirt
        ),
        shop.add(RED, id=2, title="cap", attributes={"colour": "red", "size": 38.5, "washable": True}, **cap),
        shop.add(RED, id=3, title="mug", attributes={"colour": "redder", "size": "M", "washable": False}, **mug),
        shop.add(
            RED,
            id=4,
            title="gift",
            category=None,
            brand="",
            price=None,
            attributes={"with \"quotes\" and 'more'": "50%", "none": None, "nested": {"a": 1}},
            other_categories=[capitals],
        ),
    ]
    return {product.pk: product.title for product in products}


def matches(shop: Shop, titles: dict[int, str], product_filter: ProductFilter) -> list[set[str]]:
    """What SQL, the index and the cards find."""
    query = VectorQuery(positive=(np.array(RED, np.float32),), filter=to_index_filter(product_filter, ()), limit=10)
    hits = get_vector_index().query(shop.version.index_collection().name, query)
    cards = visible_cards(titles)
    unmet = ids_not_matching(titles, product_filter) if product_filter.needs_database else set()
    return [
        {product.title for product in Product.objects.matching(product_filter)},
        {titles[hit.product_id] for hit in hits},
        {card.title for card in cards.values() if product_filter.matches(card) and card.id not in unmet},
    ]


@pytest.mark.parametrize("name", [field.name for field in fields(ProductFilter)])
def test_each_condition_means_the_same_everywhere(shop: Shop, titles: dict[int, str], name: str) -> None:
    value, expected = EXAMPLES[name]

    assert matches(shop, titles, ProductFilter(**{name: value})) == [expected] * 3


@pytest.mark.parametrize(("conditions", "expected"), MORE)
def test_a_condition_may_have_several_values(
    shop: Shop, titles: dict[int, str], conditions: dict[str, Any], expected: set[str]
) -> None:
    assert matches(shop, titles, ProductFilter(**conditions)) == [expected] * 3


def test_all_conditions_have_to_be_met(shop: Shop, titles: dict[int, str]) -> None:
    product_filter = ProductFilter(
        category="clothing", min_price=Decimal(5), max_price=Decimal(20), available=True, currency="CHF"
    )

    assert matches(shop, titles, product_filter) == [{"cap"}] * 3


@pytest.mark.parametrize("product_filter", [NO_FILTER, ProductFilter(category="", brand="", brands=())])
def test_a_condition_without_a_value_is_left_out(
    shop: Shop, titles: dict[int, str], product_filter: ProductFilter
) -> None:
    assert matches(shop, titles, product_filter) == [set(titles.values())] * 3
