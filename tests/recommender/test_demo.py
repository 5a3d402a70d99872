"""The demo shop: what its products are is known, so whether its recommendations look alike can be counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from catalog.models import Product
from embeddings.selectors import clear_live_collection_cache
from recommender.pipeline import similar_to
from recommender.queries import SimilarQuery
from storefront.demo import loading
from storefront.demo.catalogue import photo_files


@pytest.fixture
def fresh_index(settings: Any) -> None:
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    clear_live_collection_cache()


@pytest.fixture
def small_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half as wide, and drawn in a third of the time; the encoder makes all photos smaller than that."""
    monkeypatch.setattr(loading, "photo_files", partial(photo_files, size=240))


@pytest.mark.any_database
@pytest.mark.django_db
@pytest.mark.usefixtures("fresh_index", "small_photos")
def test_recommendations_over_the_demo_share_category_colour_and_pattern_far_above_chance() -> None:
    call_command("demo", stdout=StringIO())
    products = {product.pk: product for product in Product.objects.select_related("category")}
    assert len(products) == 300
    pairs = [
        (product, products[result.product.id])
        for product in products.values()
        for result in similar_to(product.pk, SimilarQuery(limit=8)).results
    ]
    assert len(pairs) == 8 * len(products)

    assert _shared([(one.category_id, other.category_id) for one, other in pairs]) >= 0.8
    for attribute in ("colour", "pattern"):
        values = [product.attributes[attribute] for product in products.values()]
        shared = _shared([(one.attributes[attribute], other.attributes[attribute]) for one, other in pairs])
        assert shared >= 2 * _chance(values), attribute


@pytest.mark.django_db
def test_the_demo_can_be_run_again_and_changes_nothing(fresh_index: None) -> None:
    call_command("demo", count=20, stdout=StringIO())
    before = list(Product.objects.order_by("pk").values_list("pk", "sku", "updated_at"))

    again = StringIO()
    call_command("demo", count=20, stdout=again)

    assert list(Product.objects.order_by("pk").values_list("pk", "sku", "updated_at")) == before
    assert "0 photos indexed\n" in again.getvalue()
    assert "/api/products/" in again.getvalue()


def _shared(pairs: Sequence[tuple[Any, Any]]) -> float:
    return sum(one == other for one, other in pairs) / len(pairs)


def _chance(values: Sequence[str]) -> float:
    """How often two products drawn at random share a value."""
    return sum((count / len(values)) ** 2 for count in Counter(values).values())
