"""Answers that clients and proxies keep: their ETag changes with whatever they are made of, and 304 is said without a search."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.keys import create
from accounts.models import ApiKey
from catalog.duplicates import merge
from catalog.models import Category, Product, ProductImage
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from recommender.models import Event, Experiment, LearnedOrder, PairCount, Rule, RuleSet
from recommender.rules.services import save_rule, save_set
from tests.factories import CategoryFactory
from tests.memory_index import MemoryVectorIndex
from tests.recommender.conftest import Shop
from tests.recommender.learning.conftest import at_hour  # noqa: F401  # a fixture
from tests.stamped import as_if_committed

pytestmark = pytest.mark.django_db

RED, REDDISH, PINK = (1, 0, 0), (0.95, 0.3, 0), (0.8, 0.6, 0)


@pytest.fixture
def product(shop: Shop) -> Product:
    """A product in a category with two similar ones."""
    category = CategoryFactory.create(slug="mugs", name="Mugs")
    product = shop.add(RED, sku="MUG/1", category=category)
    shop.add(REDDISH, sku="MUG-2", category=category, price=Decimal(12))
    shop.add(PINK, sku="MUG-3")
    return product


def address(product: Product) -> str:
    return f"/api/products/{product.pk}/similar"


def asked_again(api: Client, url: str, tag: str, **headers: str) -> Any:
    return api.get(url, headers={"If-None-Match": tag, **headers})


def rule(**parameters: Any) -> None:
    save_rule(RuleSet.objects.get(), {"kind": "hide", "scope": "everywhere", "target": "", "parameters": parameters})


CHANGES: dict[str, Callable[[], object]] = {
    "a price": lambda: Product.objects.filter(sku="MUG-2").update(price=13),
    "a title by hand": lambda: Product.objects.get(sku="MUG-2").save(),
    "a product that goes": lambda: Product.objects.filter(sku="MUG-3").delete(),
    "a category's name": lambda: Category.objects.update(name="Cups"),
    "another category": lambda: Product.objects.get(sku="MUG-3").other_categories.add(
        Category.objects.get(slug="mugs")
    ),
    "the order of photos": lambda: ProductImage.objects.update(position=3),
    "a merge": lambda: merge(Product.objects.get(sku="MUG-2").pk, [Product.objects.get(sku="MUG-3").pk]),
    "what the index has": lambda: ImageEmbedding.objects.mark_indexed(),
    "a generation": lambda: EncoderVersion.objects.update(index_generation=7),
    "weights": lambda: EncoderVersion.objects.update(weights={}),
    "a new rule": lambda: rule(products=["MUG-3"]),
    "a rule that goes": lambda: Rule.objects.all().delete(),
    "clicks": lambda: PairCount.objects.create(
        collection=Collection.objects.get(), product_id=1, result_id=2, clicks=1, looks=2
    ),
    "a learned order": lambda: LearnedOrder.objects.all().delete(),
    "a test": lambda: Experiment.objects.all().delete(),
}


@pytest.mark.parametrize("endpoint", ["similar", "substitutes"])
def test_a_request_with_the_etag_gets_304_without_a_search(
    product: Product, api: Client, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any, endpoint: str
) -> None:
    url = f"/api/products/{product.pk}/{endpoint}?limit=2"
    first = api.get(url)
    assert first["ETag"].startswith('"')
    asked: list[object] = []
    monkeypatch.setattr(MemoryVectorIndex, "query", lambda *arguments: asked.append(arguments))

    with django_assert_num_queries(1):
        again = asked_again(api, url, first["ETag"])

    assert (again.status_code, again.content, asked) == (304, b"", [])
    assert {name: again[name] for name in ("ETag", "Cache-Control")} == {
        "ETag": first["ETag"],
        "Cache-Control": "public, max-age=10, stale-while-revalidate=60",
    }
    assert again["Access-Control-Allow-Origin"] == "*"
    assert "Content-Length" not in again
    assert asked_again(api, url, f'"other", W/{first["ETag"]}').status_code == 304


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_etag_changes_with_what_an_answer_is_made_of(
    product: Product, api: Client, change: Callable[[], object]
) -> None:
    save_set({"name": "season", "active": True})
    rule(products=["MUG-2"])
    collection = Collection.objects.get()
    Experiment.objects.create(kind="order", share=0.5, collection=collection, started_at=timezone.now())
    LearnedOrder.objects.create(collection=collection, learned_at=timezone.now())
    tag = api.get(address(product))["ETag"]
    assert api.get(address(product))["ETag"] == tag
    as_if_committed()

    change()

    assert api.get(address(product)).get("ETag") != tag


def test_what_visitors_do_leaves_the_etag(product: Product, api: Client) -> None:
    tag = api.get(address(product))["ETag"]
    for kind in (Event.Type.IMPRESSION, Event.Type.CLICK):
        Event.objects.create(type=kind, product_id=product.pk, created_at=timezone.now())
    assert asked_again(api, address(product), tag).status_code == 304


def test_each_request_has_an_etag_of_its_own(product: Product, api: Client, settings: Any) -> None:
    by_sku = "/api/products/by-sku/MUG%2F1/similar"
    urls = [address(product), by_sku, f"{address(product)}?limit=1", f"{address(product)}?max_price=20"]
    tags = [api.get(url)["ETag"] for url in urls]
    tags.append(api.get(urls[0], headers={"Host": "127.0.0.1"})["ETag"])
    settings.SHOP_CURRENCY = "CHF"
    tags.append(api.get(urls[3])["ETag"])
    settings.PRODUCT_URL = "https://shop.example/{sku}"
    tags.append(api.get(urls[0])["ETag"])
    assert len({*tags}) == len(tags)


def test_a_product_that_is_gone_is_not_found_whatever_the_etag(product: Product, api: Client) -> None:
    tag = api.get(address(product))["ETag"]
    as_if_committed()
    Product.objects.filter(pk=product.pk).update(active=False)
    assert asked_again(api, address(product), tag).status_code == 404
    assert asked_again(api, address(product), "*").status_code == 404


def test_any_etag_stands_for_an_answer_that_there_is(product: Product, api: Client) -> None:
    assert asked_again(api, address(product), "*").status_code == 304


def test_what_a_key_may_read_is_kept_by_its_client_alone(product: Product, api: Client, settings: Any) -> None:
    key = create(ApiKey(name="shop", kind=ApiKey.Kind.PUBLISHABLE, origins="https://shop.example")).text
    settings.API_READS = "keys"
    headers = {"X-API-Key": key, "Origin": "https://shop.example"}
    first = api.get(address(product), headers=headers)
    again = asked_again(api, address(product), first["ETag"], **headers)
    for response in (first, again):
        assert response["Cache-Control"] == "private, max-age=10, stale-while-revalidate=60"
        assert "Origin" in response["Vary"]
        assert response["Access-Control-Allow-Origin"] == "https://shop.example"
    assert asked_again(api, address(product), first["ETag"]).status_code == 401


def test_answers_do_not_vary_by_language_or_cookie(product: Product, api: Client) -> None:
    response = api.get(address(product), headers={"Accept-Language": "de"})
    assert "Vary" not in response
    assert "Content-Language" not in response


def test_an_answer_that_explains_is_not_kept(product: Product, api: Client) -> None:
    response = api.get(f"{address(product)}?explain=true")
    assert "ETag" not in response
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "moving",
    [
        {"kind": "boost", "parameters": {"newer_than_days": 3}},
        {"kind": "when_few", "parameters": {"show": "bestsellers"}},
    ],
    ids=["age", "bestsellers"],
)
def test_an_answer_that_changes_by_itself_has_no_etag(product: Product, api: Client, moving: dict[str, Any]) -> None:
    rules = save_set({"name": "season", "active": True})
    save_rule(rules, {"scope": "everywhere", "target": "", **moving})
    assert "ETag" not in api.get(address(product))


def test_the_etag_and_the_time_to_keep_end_with_the_hour_of_tests(
    product: Product,
    api: Client,
    settings: Any,
    at_hour: Callable[[float], None],  # noqa: F811
) -> None:
    settings.LEARNING = "on"
    at_hour(500_000)
    tag = api.get(address(product))["ETag"]
    at_hour(500_000 + 3570 / 3600)
    again = asked_again(api, address(product), tag)
    assert (again.status_code, again["Cache-Control"]) == (304, "public, max-age=10, stale-while-revalidate=20")
    at_hour(500_000 + 3595 / 3600)
    assert asked_again(api, address(product), tag)["Cache-Control"] == "public, max-age=5, stale-while-revalidate=0"
    at_hour(500_001)
    assert asked_again(api, address(product), tag).status_code == 200


def test_a_rule_counts_at_once_in_every_process(product: Product, api: Client) -> None:
    """A change by another process: this one is not notified, and looks for changes every second otherwise."""
    save_set({"name": "season", "active": True})
    api.get(address(product))
    rules = RuleSet.objects.get()
    as_if_committed()
    Rule.objects.create(rule_set=rules, kind="hide", scope="everywhere", parameters={"products": ["MUG-2"]}, position=1)
    RuleSet.objects.update(changed_at=timezone.now() + timedelta(seconds=1))
    found = [each["product"]["sku"] for each in api.get(address(product)).json()["results"]]
    assert found == ["MUG-3"]
