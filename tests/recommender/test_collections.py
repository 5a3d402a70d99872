"""What GET /api/collections answers."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from jobs.models import Job
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


def test_what_a_collection_covers_is_set_and_a_job_follows(shop: Shop, api: Client, settings: Any) -> None:
    settings.API_WRITES = "open"
    CategoryFactory(slug="shoes")

    def patch(slug: str, document: Any) -> Any:
        return api.patch(f"/api/collections/{slug}", json.dumps(document), content_type="application/json")

    answer = patch("all", {"categories": ["shoes"]})

    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["collection"], job["state"]) == ("coverage", "all", "queued")
    assert answer["Location"] == f"http://testserver/api/jobs/{job['id']}"
    (collection,) = api.get("/api/collections").json()["results"]
    assert (collection["categories"], collection["covers_all"]) == (["shoes"], False)
    assert "is under way" in problem(patch("all", {"covers_all": True}), 409)["detail"]
    Job.objects.update(state="succeeded")
    wrong = problem(patch("all", {"categories": ["shoe"]}), 400)
    assert wrong["errors"] == [{"parameter": "categories", "detail": "there is no category shoe; the nearest: shoes"}]
    for document in ({}, {"categories": ["shoes"], "covers_all": True}, {"categories": "shoes"}, {"name": "x"}):
        problem(patch("all", document), 400)
    problem(patch("nobody", {"covers_all": True}), 404)


def test_what_a_collection_covers_is_set_with_a_key_only(shop: Shop, api: Client, settings: Any) -> None:
    settings.API_WRITES = "keys"
    body = json.dumps({"covers_all": True})
    assert api.patch("/api/collections/all", body, content_type="application/json").status_code in (401, 403)
