"""What GET /api/collections answers."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.factories import CategoryFactory, CollectionFactory, EncoderVersionFactory
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop


def test_collections_have_their_categories_encoder_and_photos(
    shop: Shop, api: Client, django_assert_num_queries: Any
) -> None:
    shop.add((1, 0, 0), (0, 1, 0))
    fashion = CollectionFactory.create(slug="fashion", name="Fashion")
    fashion.categories.set([CategoryFactory(slug="shoes"), CategoryFactory(slug="clothing")])
    EncoderVersionFactory(collection=fashion)

    with django_assert_num_queries(3):
        body = api.get("/api/collections").json()

    everything = {"slug": "all", "name": "All products", "categories": [], "covers_all": True, "distance": "cosine"}
    assert body == {
        "results": [
            {**everything, "encoder": "all-v1", "photos": 2},
            {
                "slug": "fashion",
                "name": "Fashion",
                "categories": ["clothing", "shoes"],
                "covers_all": False,
                "distance": "cosine",
                "encoder": None,
                "photos": 0,
            },
        ]
    }


def test_the_list_takes_no_parameters(shop: Shop, api: Client) -> None:
    problem(api.get("/api/collections?page=2"), 400)
