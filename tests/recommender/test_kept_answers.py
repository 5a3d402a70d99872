"""Whole answers that a process keeps: a repeated request is answered without a search, and never by what is for another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey
from catalog.models import Category, Product
from embeddings.errors import IndexUnavailable
from embeddings.models import Collection, CollectionCategory, EncoderVersion
from recommender.learning import serving
from recommender.models import Experiment, LearnedOrder, RuleSet
from recommender.rules.services import save_rule, save_set
from tests.factories import CategoryFactory
from tests.memory_index import MemoryVectorIndex
from tests.recommender.conftest import Shop
from tests.recommender.learning.conftest import at_hour  # noqa: F401  # a fixture

# Within one transaction PostgreSQL sets one stamp, and nothing is kept.
pytestmark = pytest.mark.django_db(transaction=True)

RED, REDDISH, PINK = (1, 0, 0), (0.95, 0.3, 0), (0.8, 0.6, 0)


@pytest.fixture
def product(shop: Shop) -> Product:
    """A product with two similar ones."""
    category = CategoryFactory.create(slug="mugs", name="Mugs")
    product = shop.add(RED, sku="MUG-1", category=category)
    shop.add(REDDISH, sku="MUG-2", category=category)
    shop.add(PINK, sku="MUG-3")
    return product


@pytest.fixture
def searches(product: Product, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with each search of the index, of which nothing is kept: other processes may write to it."""
    made: list[object] = []
    query = MemoryVectorIndex.query

    def counted(*arguments: Any) -> Any:
        made.append(arguments)
        return query(*arguments)

    monkeypatch.setattr(MemoryVectorIndex, "query", counted)
    monkeypatch.setattr(MemoryVectorIndex, "revision", lambda *_: None)
    return made


def address(product: Product, endpoint: str = "similar") -> str:
    return f"/api/products/{product.pk}/{endpoint}"


def found(api: Client, url: str) -> list[str]:
    return [each["product"]["sku"] for each in api.get(url).json()["results"]]


@pytest.mark.parametrize("endpoint", ["similar", "substitutes"])
def test_a_repeated_request_gets_the_same_without_a_search(
    product: Product, api: Client, searches: list[object], django_assert_num_queries: Any, endpoint: str
) -> None:
    first = api.get(address(product, endpoint))

    with django_assert_num_queries(1):
        again = api.get(address(product, endpoint))

    assert len(searches) == 1
    assert (again.status_code, again.content) == (200, first.content)
    changing = {"X-Request-ID", "RateLimit"}
    assert {name: again[name] for name in again.headers if name not in changing} == {
        name: first[name] for name in first.headers if name not in changing
    }
    assert again["X-Request-ID"] != first["X-Request-ID"]


def test_other_requests_are_searched_for(product: Product, api: Client, searches: list[object], settings: Any) -> None:
    api.get(address(product))
    for number, url in enumerate(
        [f"{address(product)}?limit=1", f"{address(product)}?max_price=20", address(product, "substitutes")], start=2
    ):
        api.get(url)
        assert len(searches) == number
    assert (
        "127.0.0.1" in api.get(address(product), headers={"Host": "127.0.0.1"}).json()["results"][0]["product"]["url"]
    )
    settings.PRODUCT_URL = "https://shop.example/{sku}"
    assert api.get(address(product)).json()["results"][0]["product"]["url"] == "https://shop.example/MUG-2"


def test_a_collection_has_answers_of_its_own(product: Product, api: Client) -> None:
    mugs = Collection.objects.create(slug="mugs", covers_all=False)
    CollectionCategory.objects.create(collection=mugs, category=Category.objects.get(slug="mugs"))
    # Its version has no vectors yet: the newest of what it covers.
    version = EncoderVersion.objects.create(collection=mugs, number=1, encoder="tiny", fingerprint="0" * 64, dim=3)
    Collection.objects.filter(pk=mugs.pk).update(active_version=version)
    answers = [found(api, f"{address(product)}?collection={slug}") for slug in ("all", "mugs", "all", "mugs")]
    assert answers == [["MUG-2", "MUG-3"], ["MUG-2"]] * 2
    Collection.objects.filter(pk=mugs.pk).update(active_version=None)
    assert api.get(f"{address(product)}?collection=mugs").status_code == 400


def test_an_answer_is_for_keys_that_may_read_it(product: Product, api: Client, settings: Any) -> None:
    settings.API_READS = "keys"
    created = keys.create(ApiKey(name="shop", kind=ApiKey.Kind.PUBLISHABLE, origins="https://shop.example"))
    of_shop = {"X-API-Key": created.text, "Origin": "https://shop.example"}
    for _ in range(2):
        response = api.get(address(product), headers=of_shop)
        assert response["Cache-Control"].startswith("private")
        assert (response["Access-Control-Allow-Origin"], response["Vary"]) == ("https://shop.example", "Origin")
    assert api.get(address(product)).status_code == 401
    assert api.get(address(product), headers={**of_shop, "Origin": "https://other.example"}).status_code == 403
    keys.revoke(created.row)
    assert api.get(address(product), headers=of_shop).status_code == 401
    settings.API_READS = "all"
    assert api.get(address(product))["Cache-Control"].startswith("public")


def test_a_kept_answer_counts_for_the_rate_limit(product: Product, api: Client, settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    assert [api.get(address(product)).status_code for _ in range(3)] == [200, 200, 429]


def test_what_a_rule_hides_is_hidden_at_once(product: Product, api: Client) -> None:
    save_set({"name": "season", "active": True})
    rules = RuleSet.objects.get()
    assert found(api, address(product)) == ["MUG-2", "MUG-3"]
    save_rule(rules, {"kind": "hide", "scope": "everywhere", "target": "", "parameters": {"products": ["MUG-2"]}})
    assert found(api, address(product)) == ["MUG-3"]
    assert found(api, f"{address(product)}?rules=false") == ["MUG-2", "MUG-3"]
    RuleSet.objects.update(active=False)
    assert found(api, address(product)) == ["MUG-2", "MUG-3"]


@pytest.mark.parametrize(
    "moving",
    [
        {"kind": "boost", "parameters": {"newer_than_days": 3}},
        {"kind": "when_few", "parameters": {"show": "bestsellers"}},
    ],
    ids=["age", "bestsellers"],
)
def test_what_changes_by_itself_is_not_kept(
    product: Product, api: Client, searches: list[object], moving: dict[str, Any]
) -> None:
    save_rule(save_set({"name": "season", "active": True}), {"scope": "everywhere", "target": "", **moving})
    for _ in range(2):
        api.get(address(product))
    assert len(searches) == 2


def test_an_explanation_is_made_each_time(product: Product, api: Client, searches: list[object]) -> None:
    for _ in range(2):
        api.get(f"{address(product)}?explain=true")
    assert len(searches) == 4


def test_each_hour_has_its_own_exploring_places_and_tests(
    product: Product,
    api: Client,
    shop: Shop,
    settings: Any,
    searches: list[object],
    at_hour: Callable[[int], None],  # noqa: F811
) -> None:
    """An A/B test of rules gives a product its candidate in some hours, and the other set in the rest."""
    settings.LEARNING = "on"
    rules = save_set({"name": "candidate"})
    save_rule(rules, {"kind": "hide", "scope": "everywhere", "target": "", "parameters": {"products": ["MUG-2"]}})
    collection = shop.version.collection
    LearnedOrder.objects.create(
        collection=collection, learned_at=timezone.now(), is_live=True, click_rate=0.1, strip_length=8
    )
    Experiment.objects.create(
        kind="rules", share=0.5, collection=collection, started_at=timezone.now(), candidate_rules="candidate"
    )
    test = Experiment.objects.get()
    hours = range(500_000, 500_012)
    for _ in range(2):
        for hour in hours:
            at_hour(hour)
            shown = {*found(api, address(product))}
            assert ("MUG-2" in shown) is not serving.is_candidate(test, product.pk, hour)
    assert len(searches) >= len(hours)


def test_the_fallback_while_the_index_is_away_is_not_kept(
    product: Product, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise IndexUnavailable("the index is away")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryVectorIndex, "query", away)
        response = api.get(address(product))
        assert (response.json()["fallback"], response["Cache-Control"]) == (True, "max-age=5")
        assert "ETag" not in response
    assert api.get(address(product)).json()["fallback"] is False


def test_a_problem_is_not_kept(product: Product, api: Client, shop: Shop) -> None:
    missing = f"{address(product)}?brand=Nordwind"
    assert api.get(missing).status_code == 400
    shop.add(REDDISH, sku="MUG-4", brand="Nordwind")
    assert found(api, missing) == ["MUG-4"]


@pytest.mark.parametrize("parameter", ["max_price", "max%5Fprice"])
def test_a_price_is_in_the_currency_that_the_shop_has_now(
    product: Product, api: Client, shop: Shop, settings: Any, parameter: str
) -> None:
    shop.add(REDDISH, sku="MUG-4", currency="CHF", price=10)
    Product.objects.exclude(sku="MUG-4").update(currency="EUR", price=10)
    shown = []
    for settings.SHOP_CURRENCY in ("CHF", "EUR", "CHF"):
        shown.append(sorted(found(api, f"{address(product)}?{parameter}=20&rules=false&collection=all")))
    assert shown[0] == shown[2] == ["MUG-4"]
    assert "MUG-4" not in shown[1]
