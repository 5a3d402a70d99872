"""Product cards: both readers return the same, and the API shows the declared fields."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from catalog.api import serializers
from catalog.cards import COLUMNS, product_cards, visible_cards
from catalog.models import Product
from tests.factories import CategoryFactory, ProductFactory, ProductImageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def products() -> list[int]:
    """Products that differ in all fields of a card: with and without category, price, photo and main product."""
    shirts = CategoryFactory(slug="shirts", parent=CategoryFactory(slug="clothing"))
    whole = ProductFactory(
        category=shirts, title="Mug “blue”", brand="Café, Ünal", price=Decimal("9999999999.99"), currency="CHF"
    )
    ProductImageFactory(product=whole, position=2)
    ProductImageFactory(product=whole, position=1)
    bare = ProductFactory(category=None, brand="", price=None, available=False)
    variants = [ProductFactory(variant_of=whole, price=price) for price in (Decimal(0), Decimal("0.10"), Decimal(12))]
    return [each.pk for each in (whole, bare, *variants)]


def test_both_readers_give_the_same_cards(products: list[int]) -> None:
    by_orm = product_cards(Product.objects.order_by("pk"))
    by_id = visible_cards(products)

    assert [card.id for card in by_orm] == products
    for card in by_orm:
        for column in COLUMNS:
            values = [getattr(each, column.name) for each in (card, by_id[card.id])]
            assert values[0] == values[1]
            assert type(values[0]) is type(values[1])


def test_cards_by_id_leave_out_what_may_not_be_shown_and_cost_one_query(
    products: list[int], django_assert_num_queries: object
) -> None:
    withdrawn = ProductFactory(active=False).pk
    visible_cards(products)

    with django_assert_num_queries(1):  # type: ignore[operator]
        cards = visible_cards([*products, withdrawn, 10**9])

    assert set(cards) == set(products)
    assert visible_cards([]) == {}


def _as_json(value: object) -> str:
    """Prices have as many decimals as their currency; the schema allows three."""
    text = json.dumps(value, default=str)
    return text.rstrip('0"') if isinstance(value, str | Decimal) and "." in text else text


def test_the_json_of_a_card_has_the_members_of_its_schema(products: list[int]) -> None:
    schema = serializers.ProductSerializer().fields
    public = [column.name for column in COLUMNS if column.public]

    for shown in serializers.product_cards(visible_cards(products).values(), "https://shop.example"):
        assert list(shown) == list(schema) == [*public, "image", "thumbnails", "url"]
        for name, value in shown.items():
            assert value is not None or schema[name].allow_null
            assert value in (None, "") or _as_json(schema[name].run_validation(value)) == _as_json(value)
