"""Similar products of several products in one request: the answers of requests for each alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from catalog.duplicates import merge
from catalog.models import Product
from catalog.services import withdraw_products
from embeddings.errors import IndexUnavailable
from embeddings.vector_index.base import VectorQuery
from jobs.process import process
from recommender.rules.services import save_rule, save_set
from tests.factories import CategoryFactory
from tests.memory_index import MemoryVectorIndex
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop

pytestmark = pytest.mark.django_db

RED, REDDISH, PINK, GREEN, BLUE = (1, 0, 0), (0.95, 0.3, 0), (0.8, 0.6, 0), (0, 1, 0), (0, 0, 1)


@pytest.fixture
def products(shop: Shop) -> list[Product]:
    """A red one with two photos, others of other colours, one without a photo."""
    mugs = CategoryFactory.create(slug="mugs")
    return [
        shop.add(RED, BLUE, sku="MUG/1", category=mugs),
        *(shop.add(colour, category=mugs) for colour in (REDDISH, PINK, GREEN, BLUE)),
        shop.add(category=mugs),
    ]


def sent(api: Client, products: Any, query: str = "", **headers: str) -> Any:
    return api.post(
        f"/api/similar:batch{query}", {"products": products}, content_type="application/json", headers=headers
    )


@pytest.mark.parametrize("query", ["", "?limit=2&offset=1", "?max_price=20&diversity=0.5"])
def test_the_answers_are_those_of_requests_for_each_alone(products: list[Product], api: Client, query: str) -> None:
    answer = sent(api, [product.pk for product in products], query).json()
    # Otherwise these would be kept for those.
    process.clear()
    alone = [api.get(f"/api/products/{product.pk}/similar{query}").json() for product in products]
    assert answer == {
        "ok": len(products),
        "errors": 0,
        "results": [{"status": "ok", "answer": each} for each in alone],
    }
    assert [each["fallback"] for each in alone] == [False] * 5 + [True]


def test_rules_and_merges_count(products: list[Product], api: Client) -> None:
    rules = save_set({"name": "season", "active": True})
    merge(products[1].pk, [products[2].pk])
    parameters = {"products": [products[3].sku]}
    save_rule(rules, {"kind": "hide", "scope": "product", "target": "MUG/1", "parameters": parameters})
    asked = [products[0].pk, products[2].pk]
    alone = [api.get(f"/api/products/{each}/similar").json() for each in asked]
    process.clear()
    assert [each["answer"] for each in sent(api, asked).json()["results"]] == [
        alone[0],
        {**alone[1], "product": products[2].pk},
    ]
    assert products[3].pk not in [each["product"]["id"] for each in alone[0]["results"]]


def test_a_product_that_does_not_exist_has_a_problem_in_its_place(products: list[Product], api: Client) -> None:
    withdraw_products([products[1].pk])
    answer = sent(api, ["MUG/1", "MUG 99", products[1].pk, 10**9]).json()
    assert (answer["ok"], answer["errors"]) == (1, 3)
    assert answer["results"][0]["answer"]["product"] == products[0].pk
    addresses = ["by-sku/MUG%2099", str(products[1].pk), str(10**9)]
    for each, address in zip(answer["results"][1:], addresses, strict=True):
        assert each["status"] == "error"
        assert each["problem"] == problem(api.get(f"/api/products/{address}/similar"), 404)


# Within one transaction PostgreSQL sets one stamp, and nothing is kept.
@pytest.mark.django_db(transaction=True)
def test_all_photos_are_asked_in_one_query_and_read_in_few_statements(
    products: list[Product], api: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    batches: list[int] = []
    ask = MemoryVectorIndex.query_batch

    def query_batch(self: MemoryVectorIndex, name: str, queries: list[VectorQuery]) -> Any:
        batches.append(len(queries))
        return ask(self, name, queries)

    monkeypatch.setattr(MemoryVectorIndex, "query_batch", query_batch)
    asked = [product.pk for product in products[:5]]
    sent(api, asked[:1], "?limit=2")
    batches.clear()
    with django_assert_max_num_queries(5):
        assert sent(api, asked, "?limit=1").json()["ok"] == 5
    # Of five products; what was found for the first, which has two photos, is kept.
    assert batches == [4]
    batches.clear()
    with django_assert_max_num_queries(3):
        assert sent(api, asked, "?limit=1").json()["ok"] == 5
    assert not batches


@pytest.mark.django_db(transaction=True)
def test_what_was_answered_alone_is_not_searched_for_again(
    products: list[Product], api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [product.pk for product in products[:3]]
    alone = api.get(f"/api/products/{asked[0]}/similar?limit=2")
    searched: list[int] = []
    ask = MemoryVectorIndex.query_batch

    def query_batch(self: MemoryVectorIndex, name: str, queries: list[VectorQuery]) -> Any:
        searched.append(len(queries))
        return ask(self, name, queries)

    monkeypatch.setattr(MemoryVectorIndex, "query_batch", query_batch)
    answer = sent(api, asked, "?limit=2").json()
    assert answer["results"][0]["answer"] == alone.json()
    # The first has two photos.
    assert searched == [2]
    with monkeypatch.context() as patched:
        patched.setattr(MemoryVectorIndex, "query", None)
        for each in answer["results"]:
            assert api.get(f"/api/products/{each['answer']['product']}/similar?limit=2").json() == each["answer"]


@pytest.mark.parametrize("fallback", [True, False])
def test_while_the_index_is_away_each_gets_the_fallback(
    products: list[Product], api: Client, monkeypatch: pytest.MonkeyPatch, fallback: bool
) -> None:
    def fail(*_: Any) -> None:
        raise IndexUnavailable("the index is away")

    monkeypatch.setattr(MemoryVectorIndex, "query", fail)
    monkeypatch.setattr(MemoryVectorIndex, "query_batch", fail)
    response = sent(api, [product.pk for product in products[:2]], f"?fallback={str(fallback).lower()}")
    if fallback:
        assert [each["answer"]["fallback"] for each in response.json()["results"]] == [True, True]
    else:
        problem(response, 503)


@pytest.mark.parametrize(
    ("products", "parameter"),
    [
        ([], "products"),
        ([1] * 21, "products"),
        ([1, True], "products[1]"),
        ([""], "products[0]"),
        ([-1], "products[0]"),
    ],
)
def test_what_is_wrong_is_named(shop: Shop, api: Client, products: list[Any], parameter: str) -> None:
    assert problem(sent(api, products), 400)["errors"][0]["parameter"] == parameter


@pytest.mark.parametrize("query", ["?explain=true", "?collection=none", "?limit=0"])
def test_wrong_parameters_are_an_error_of_the_request(shop: Shop, api: Client, query: str) -> None:
    assert problem(sent(api, [1], query), 400)["errors"][0]["parameter"] in query


def test_an_integer_may_be_written_as_json_allows(products: list[Product], api: Client) -> None:
    assert sent(api, [float(products[0].pk)]).json() == sent(api, [products[0].pk]).json()
    assert problem(sent(api, [1.5]), 400)["errors"][0]["parameter"] == "products[0]"


def test_other_fields_are_refused(shop: Shop, api: Client) -> None:
    body = {"products": [1], "limit": 3}
    response = api.post("/api/similar:batch", body, content_type="application/json")
    assert problem(response, 400)["errors"][0]["parameter"] == "limit"


def test_a_batch_counts_as_many_requests_as_it_has_products(shop: Shop, api: Client, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 5
    assert "r=2;" in sent(api, [1, 2, 3])["RateLimit"]
    problem(sent(api, [1, 2, 3]), 429)


def test_pages_of_any_origin_may_send_it(shop: Shop, api: Client) -> None:
    assert "POST" in api.options("/api/similar:batch")["Access-Control-Allow-Methods"]
    assert sent(api, [1], Origin="https://shop.example")["Access-Control-Allow-Origin"] == "*"
