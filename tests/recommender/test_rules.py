"""What rules do to an answer: a table of cases in the index, after it, and together with filters."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import Category, Product
from catalog.services import withdraw_products
from embeddings.backends import get_vector_index
from embeddings.coverage import set_coverage
from embeddings.indexing import points_of
from embeddings.models import ImageEmbedding
from embeddings.selectors import clear_live_collection_cache
from recommender.models import Event, Rule
from recommender.pipeline import similar_to
from recommender.queries import SimilarQuery
from recommender.rules import book
from recommender.rules.book import forget_rules, plan_beside
from recommender.rules.plan import Place
from recommender.rules.services import save_set
from tests.factories import CollectionFactory, EncoderVersionFactory, ProductFactory
from tests.recommender.answers import ids
from tests.recommender.conftest import Shop
from tests.recommender.ruled_shop import RuledShop, furnished, genders, path_of
from tests.recommender.test_search import photo
from tests.stamped import statements_again

Condition = Callable[[Product], bool]

# A rule beside P-0, where it is applied, and which products it leaves.
LEAVING_OUT: dict[str, tuple[str, dict[str, Any], Place, Condition]] = {
    "hide a brand": ("hide", {"brand": ["Pier", "Quay"]}, Place.INDEX, lambda it: it.brand not in ("Pier", "Quay")),
    "hide a category": ("hide", {"category": ["women"]}, Place.INDEX, lambda it: not path_of(it).startswith("women")),
    "hide a tag": ("hide", {"tag": ["sale"]}, Place.INDEX, lambda it: "sale" not in it.tags),
    "hide an attribute": (
        "hide", {"attribute": {"gender": ["men"]}}, Place.INDEX, lambda it: "men" not in genders(it)
    ),
    "hide products": ("hide", {"products": ["P-1", "P-2", "P-30"]}, Place.INDEX, lambda it: it.sku not in ("P-1", "P-2", "P-30")),
    "hide what has several": (
        "hide", {"brand": ["Pier"], "tag": ["sale"]}, Place.AFTER, lambda it: not (it.brand == "Pier" and "sale" in it.tags)
    ),
    "never beside its own brand": ("never_beside", {"same": ["brand"]}, Place.INDEX, lambda it: it.brand != "Harbour"),
    "never beside its own category": (
        "never_beside", {"same": ["category"]}, Place.INDEX, lambda it: path_of(it) != "women/shirts"
    ),
    "never beside a brand and a category": (
        "never_beside", {"brand": ["Quay"], "category": ["men"]}, Place.INDEX,
        lambda it: it.brand != "Quay" and not path_of(it).startswith("men"),
    ),
    "only in stock": ("only_in_stock", {}, Place.INDEX, lambda it: it.available),
    "same department": ("same_department", {}, Place.INDEX, lambda it: path_of(it).startswith("women")),
    "same category": ("same_department", {"level": 2}, Place.INDEX, lambda it: path_of(it) == "women/shirts"),
    "price band": (
        "price_band", {}, Place.INDEX, lambda it: it.currency == "EUR" and it.price is not None and 10 <= it.price <= 40
    ),
    "narrow price band": (
        "price_band", {"lowest": 0.9, "highest": 1}, Place.INDEX, lambda it: it.currency == "EUR" and it.price == 20
    ),
    "wall": ("wall", {"attributes": ["gender"]}, Place.INDEX, lambda it: genders(it) <= {"women"}),
    "wall with a neutral value": (
        "wall", {"attributes": ["gender"], "neutral": ["unisex"]}, Place.INDEX, lambda it: genders(it) <= {"women", "unisex"}
    ),
}  # fmt: skip
FILTERS: dict[str, tuple[dict[str, Any], Condition]] = {
    "no filter": ({}, lambda _: True),
    "brand": ({"brand": "Harbour"}, lambda it: it.brand == "Harbour"),
    "category": ({"category": "women"}, lambda it: path_of(it).startswith("women")),
    "price": ({"min_price": "15"}, lambda it: it.currency == "EUR" and it.price is not None and it.price >= 15),
    "stock": ({"available": "false"}, lambda it: not it.available),
    "tag": ({"tag": "sale"}, lambda it: "sale" in it.tags),
    "not a category": ({"not_category": "women/shirts"}, lambda it: path_of(it) != "women/shirts"),
}


@pytest.fixture
def ruled(shop: Shop) -> RuledShop:
    """A shop with forty products and an active rule set without rules."""
    return furnished(shop)


def answer(api: Client, product: Product, **params: Any) -> dict[str, Any]:
    response = api.get(f"/api/products/{product.pk}/similar", params)
    assert response.status_code == 200, response.content
    return dict(response.json())


def skus(found: dict[str, Any]) -> list[str]:
    return [result["product"]["sku"] for result in found["results"]]


@pytest.mark.parametrize("name", LEAVING_OUT)
def test_what_a_rule_leaves_out_is_never_shown_and_the_strip_is_as_full_as_can_be(
    ruled: RuledShop, api: Client, name: str
) -> None:
    kind, parameters, place, admits = LEAVING_OUT[name]
    ruled.add_rule(kind, **parameters)

    assert {where for _, where in plan_beside("all", ruled.product.pk).rules} == {place}
    for params, condition in FILTERS.values():
        allowed = ruled.allowed(admits, condition)
        for limit in (3, 12, 50):
            assert ids(answer(api, ruled.product, limit=limit, **params)) == allowed[:limit], params


@pytest.mark.parametrize("name", LEAVING_OUT)
def test_a_product_without_a_vector_gets_none_of_them_either(ruled: RuledShop, api: Client, name: str) -> None:
    kind, parameters, _, admits = LEAVING_OUT[name]
    ruled.add_rule(kind, **parameters)
    same = {field: getattr(ruled.product, field) for field in ("category", "brand", "price", "currency", "attributes")}
    bare = ProductFactory(sku="bare", **same)

    allowed = {each.pk for each in (ruled.product, *ruled.others) if admits(each)}
    for limit in (3, 50):
        found = ids(answer(api, bare, limit=limit))
        assert len(found) == min(limit, len(allowed))
        assert {*found} <= allowed


@pytest.mark.parametrize("seed", range(12))
def test_rules_together_with_filters_show_all_that_may_be_shown_and_nothing_else(
    ruled: RuledShop, api: Client, seed: int
) -> None:
    draw = random.Random(seed)
    conditions = []
    for name in draw.sample([*LEAVING_OUT], 3):
        kind, parameters, _, admits = LEAVING_OUT[name]
        if kind not in {rule.kind for rule in ruled.rules.rules.all()}:
            ruled.add_rule(kind, **parameters)
            conditions.append(admits)
    pinned = draw.choice(ruled.others)
    ruled.add_rule("pin", products=[pinned.sku], place=draw.randint(1, 4))
    ruled.add_rule(draw.choice(["boost", "bury"]), brand=["Quay", "Pier"], places=draw.randint(1, 24))
    number = draw.randint(1, 6)
    ruled.add_rule("at_most", number=number)
    for _ in range(4):
        params, condition = FILTERS[draw.choice([*FILTERS])]
        limit = draw.choice([1, 4, 12, 30])
        allowed = [each for each in ruled.others if condition(each) and all(admits(each) for admits in conditions)]
        brands = Counter(each.brand for each in allowed)
        available = sum(count if not brand else min(count, number) for brand, count in brands.items())

        found = ids(answer(api, ruled.product, limit=limit, **params))

        assert len(found) == len({*found}) == min(limit, available)
        assert {*found} <= {each.pk for each in allowed}
        shown = Counter(each.brand for each in ruled.others if each.pk in found)
        assert all(count <= number for brand, count in shown.items() if brand)


def test_a_pinned_product_has_its_place_with_its_score_if_it_is_near(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("pin", products=["P-5", "P-39"], place=2)

    found = answer(api, ruled.product, limit=6)

    assert skus(found) == ["P-1", "P-5", "P-39", "P-2", "P-3", "P-4"]
    scores = [result["score"] for result in found["results"]]
    assert scores[1] == pytest.approx(0.9689, abs=1e-3)
    assert scores[2] is None
    assert skus(answer(api, ruled.product, limit=3, offset=3)) == ["P-2", "P-3", "P-4"]


def test_a_pin_shows_nothing_that_a_filter_or_another_rule_leaves_out(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("pin", products=["P-7", "P-8", "P-9"])
    ruled.add_rule("hide", products=["P-8"])
    withdraw_products([Product.objects.get(sku="P-9").pk])

    assert skus(answer(api, ruled.product, limit=2)) == ["P-7", "P-1"]
    assert "P-7" not in skus(answer(api, ruled.product, available="false", limit=3, brand="Harbour"))


def test_a_pin_is_in_the_collection_or_not_shown(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("pin", products=["P-3"])
    assert skus(answer(api, ruled.product, limit=2)) == ["P-3", "P-1"]
    set_coverage(ruled.shop.version.collection, ["women"], covers_all=False)
    forget_rules()

    found = answer(api, ruled.product, limit=3)
    assert found["results"][0]["product"]["sku"] != "P-3"


def test_one_of_a_family_is_shown_and_that_is_the_pinned_one(ruled: RuledShop, api: Client) -> None:
    main, variant = ruled.others[0], ruled.others[8]
    Product.objects.filter(pk=variant.pk).update(variant_of=main)
    ruled.add_rule("pin", products=[variant.sku, main.sku])

    assert skus(answer(api, ruled.product, limit=3)) == ["P-9", "P-2", "P-3"]


def test_boosted_products_come_some_places_earlier_and_buried_ones_later(ruled: RuledShop, api: Client) -> None:
    before = skus(answer(api, ruled.product, limit=24))
    ruled.add_rule("boost", products=["P-10"], places=7)
    ruled.add_rule("bury", products=["P-1"], places=4)

    after = skus(answer(api, ruled.product, limit=24))

    assert {*after} == {*before}
    assert (after.index("P-10"), after.index("P-1")) == (1, 5)
    rest = [sku for sku in before if sku not in ("P-1", "P-10")]
    assert [sku for sku in after if sku not in ("P-1", "P-10")] == rest


@pytest.mark.parametrize(
    ("parameters", "meant"),
    [
        ({"brand": ["Quay"]}, lambda it: it.brand == "Quay"),
        ({"tag": ["sale"]}, lambda it: "sale" in it.tags),
        ({"available": True}, lambda it: it.available),
        ({"attribute_at_least": {"margin": 0.5}}, lambda it: it.attributes["margin"] >= 0.5),
        ({"category": ["men"], "available": False}, lambda it: path_of(it).startswith("men") and not it.available),
        ({"newer_than_days": 30}, lambda it: it.sku in ("P-20", "P-21")),
    ],
)
def test_a_boost_may_go_by_brand_tag_stock_margin_and_newness(
    ruled: RuledShop, api: Client, parameters: dict[str, Any], meant: Condition
) -> None:
    long_ago = timezone.now() - timedelta(days=100)
    Product.objects.exclude(sku__in=["P-20", "P-21"]).update(created_at=long_ago)
    ruled.add_rule("boost", places=24, **parameters)

    group = ruled.others[:24]
    boosted = [each.pk for each in group if meant(each)]
    assert boosted
    assert ids(answer(api, ruled.product, limit=24)) == boosted + [each.pk for each in group if each.pk not in boosted]


@pytest.mark.parametrize("seed", range(8))
def test_the_first_results_are_those_of_the_whole_order_of_boosts_and_buries(
    ruled: RuledShop, api: Client, seed: int
) -> None:
    draw = random.Random(seed)
    earlier, later = draw.randint(1, 24), draw.randint(1, 24)
    brands = draw.sample(["Harbour", "Pier", "Quay"], draw.randint(1, 2))
    ruled.add_rule("boost", brand=brands, places=earlier)
    ruled.add_rule("bury", tag=["sale"], places=later)
    if seed % 2:
        ruled.add_rule("only_in_stock")
    allowed = [each for each in ruled.others if each.available or not seed % 2]
    moves = [earlier * (each.brand in brands) - later * ("sale" in each.tags) for each in allowed]
    order: list[int] = []
    for start in range(0, len(allowed), 24):
        group = range(start, min(start + 24, len(allowed)))
        order += sorted(group, key=lambda place: (place - moves[place], -moves[place]))

    for limit in (1, 4, 10, 24, 28, 39):
        assert ids(answer(api, ruled.product, limit=limit)) == [allowed[place].pk for place in order[:limit]]


def test_pages_of_a_boosted_answer_fit_together(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("boost", brand=["Quay"], places=9)

    whole = ids(answer(api, ruled.product, limit=39))
    pages = [ids(answer(api, ruled.product, limit=7, offset=offset)) for offset in range(0, 39, 7)]
    assert [each for page in pages for each in page] == whole
    assert {*whole} == {each.pk for each in ruled.others}


def test_diversity_goes_by_the_order_that_rules_give(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("boost", products=["P-9"], places=24)

    found = answer(api, ruled.product, limit=3, diversity=0.1)
    assert skus(found)[0] == "P-9"
    assert found["results"][0]["score"] == pytest.approx(0.9004, abs=1e-3)


def test_of_a_brand_there_are_at_most_so_many_and_pins_are_counted(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("at_most", number=1)

    found = skus(answer(api, ruled.product, limit=6))
    brands = {each.sku: each.brand for each in ruled.others}
    assert [brands[sku] for sku in found if brands[sku]] == ["Harbour", "Pier", "Quay"]
    ruled.add_rule("pin", products=["P-33"])
    pinned = skus(answer(api, ruled.product, limit=6))
    assert pinned[0] == "P-33"
    assert Counter(brands[sku] for sku in pinned)[brands["P-33"]] == 1
    assert len(pinned) == len(found) == 6


def test_many_products_of_one_brand_are_not_read_one_after_the_other(shop: Shop, api: Client) -> None:
    ruled = furnished(shop, 4)
    Product.objects.update(brand="")
    flood = [shop.add((1, 0, 0.06 * number), brand="Flood") for number in range(1, 30)]
    far = shop.add((0, -1, 0), brand="Other")
    ruled.add_rule("at_most", number=2)

    found = ids(answer(api, ruled.product, limit=6))
    assert far.pk in found
    assert len({*found} & {each.pk for each in flood}) == 2


def test_a_floor_of_confidence_is_the_higher_of_the_two(ruled: RuledShop, api: Client) -> None:
    version = ruled.shop.version
    version.calibration = {"kind": {"scores": [0.9, 1.0], "probabilities": [0.0, 1.0]}}
    version.save()
    clear_live_collection_cache()
    everything = answer(api, ruled.product, limit=50)["results"]
    ruled.add_rule("confidence_floor", min_confidence=0.6)

    found = answer(api, ruled.product, limit=50)["results"]
    assert found == [each for each in everything if each["confidence"] >= 0.6] != everything
    assert answer(api, ruled.product, limit=50, min_confidence=0.3)["results"] == found
    assert len(answer(api, ruled.product, limit=50, min_confidence=0.9)["results"]) < len(found)


@pytest.mark.parametrize("source", ["category", "bestsellers", "nothing"])
def test_an_answer_with_too_few_products_is_filled(ruled: RuledShop, api: Client, source: str) -> None:
    sold = [ruled.others[number].pk for number in (20, 4, 30)]
    for quantity, product_id in zip((9, 7, 3), sold, strict=True):
        Event.objects.create(
            type=Event.Type.PURCHASE, product_id=product_id, quantity=quantity, created_at=timezone.now()
        )
    ruled.add_rule("when_few", show=source)
    ruled.add_rule("hide", products=["P-5"])

    found = ids(answer(api, ruled.product, limit=6, min_score=0.985))

    near = [each.pk for each in ruled.others[:3]]
    assert found[:3] == near
    newest = [each.pk for each in ruled.others[::-1] if path_of(each) == "women/shirts"][:3]
    assert found[3:] == {"category": newest, "bestsellers": [sold[0], sold[2]], "nothing": []}[source]
    assert len({*found}) == len(found)


def test_an_answer_is_filled_only_where_fewer_are_left_than_the_rule_says(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("when_few", show="category", fewer_than=3)

    assert len(answer(api, ruled.product, limit=6, min_score=0.985)["results"]) == 3
    assert len(answer(api, ruled.product, limit=6, min_score=0.99)["results"]) == 6


def test_of_rules_that_count_once_the_one_of_the_narrowest_scope_counts(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("same_department")
    ruled.add_rule("at_most", scope="product", target="P-0", number=1)
    ruled.add_rule("at_most", scope="category", target="women", number=5)
    ruled.add_rule("at_most", scope="category", target="women/shirts", number=3)

    plan = plan_beside("all", ruled.product.pk)
    assert plan.cap is not None
    assert plan.cap.number == 1
    other = next(each for each in ruled.others if path_of(each) == "women/shirts")
    plan = plan_beside("all", other.pk)
    assert plan.cap is not None
    assert plan.cap.number == 3


@pytest.mark.parametrize(
    ("scope", "target", "applies"),
    [
        ("everywhere", "", True),
        ("collection", "all", True),
        ("collection", "other", False),
        ("category", "women", True),
        ("category", "women/shirts", True),
        ("category", "men", False),
        ("product", "P-0", True),
        ("product", "P-1", False),
    ],
)
def test_a_rule_applies_in_its_scope_only(
    ruled: RuledShop, api: Client, scope: str, target: str, applies: bool
) -> None:
    CollectionFactory(slug="other")
    ruled.add_rule("hide", scope=scope, target=target, brand=["Harbour"])

    hidden = ids(answer(api, ruled.product, limit=40)) == ruled.allowed(lambda it: it.brand != "Harbour")
    assert hidden is applies


def test_a_collection_with_an_active_set_of_its_own_has_no_other(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("hide", brand=["Harbour"])
    own = save_set({"name": "own", "collection": "all", "active": True})
    assert ids(answer(api, ruled.product, limit=40)) == ruled.allowed()
    save_set({"name": "own", "collection": "all", "active": False}, own)

    assert ids(answer(api, ruled.product, limit=40)) != ruled.allowed()


def test_a_set_can_be_asked_for_whether_it_is_active_or_not(ruled: RuledShop) -> None:
    ruled.add_rule("hide", brand=["Harbour"])
    save_set({"name": "main", "active": False}, ruled.rules)

    def found(rule_set: str | None) -> list[int]:
        query = SimilarQuery(limit=40, rule_set=rule_set)
        return [each.product.id for each in similar_to(ruled.product.pk, query).results]

    assert found(None) == found("") == ruled.allowed()
    assert found("main") == ruled.allowed(lambda it: it.brand != "Harbour")


@pytest.mark.parametrize(
    ("kind", "parameters", "losing"),
    [
        ("hide", {"brand": ["Quay"]}, lambda: Product.objects.filter(brand="Quay").update(brand="Pier")),
        ("hide", {"category": ["home"]}, lambda: Category.objects.filter(path="home").update(path="house", slug="house")),
        ("hide", {"tag": ["sale"]}, lambda: Product.objects.update(tags=[])),
        ("hide", {"attribute": {"gender": ["men"]}}, lambda: Product.objects.update(attributes={})),
        ("hide", {"products": ["P-4"]}, lambda: Product.objects.filter(sku="P-4").update(sku="X-4")),
        ("pin", {"products": ["P-4"]}, lambda: Product.objects.filter(sku="P-4").update(sku="X-4")),
        ("boost", {"tag": ["sale"], "places": 24}, lambda: Product.objects.update(tags=[])),
        ("wall", {"attributes": ["gender"]}, lambda: Product.objects.update(attributes={})),
    ],
)  # fmt: skip
def test_a_condition_that_lost_its_target_matches_nothing(
    ruled: RuledShop, api: Client, kind: str, parameters: dict[str, Any], losing: Callable[[], object]
) -> None:
    ruled.add_rule(kind, **parameters)
    losing()
    rows = ImageEmbedding.objects.all()
    get_vector_index().upsert(ruled.shop.version.index_collection().name, points_of(ruled.shop.version.layout, rows))
    forget_rules()

    assert ids(answer(api, ruled.product, limit=40)) == ruled.allowed()


@pytest.mark.parametrize(("scope", "target"), [("category", "women"), ("product", "P-0"), ("collection", "all")])
def test_a_rule_that_lost_its_scope_applies_nowhere(ruled: RuledShop, api: Client, scope: str, target: str) -> None:
    rule = ruled.add_rule("hide", scope=scope, target=target, brand=["Harbour"])
    Rule.objects.filter(pk=rule.pk).update(target="gone")
    forget_rules()

    assert ids(answer(api, ruled.product, limit=40)) == ruled.allowed()


def test_a_change_of_a_product_counts_at_once_though_the_index_lags_behind(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("wall", attributes=["gender"])
    ruled.add_rule("only_in_stock")
    ruled.add_rule("hide", tag=["sale"])
    allowed = ruled.allowed(
        lambda it: genders(it) <= {"women"}, lambda it: it.available, lambda it: "sale" not in it.tags
    )
    for product_id, change in zip(
        allowed, ({"attributes": {"gender": "men"}}, {"available": False}, {"tags": ["sale"]}), strict=False
    ):
        Product.objects.filter(pk=product_id).update(**change)

    assert ids(answer(api, ruled.product, limit=40)) == allowed[3:]


def test_a_search_by_photo_has_the_rules_that_compare_with_no_product(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("hide", brand=["Harbour"])
    ruled.add_rule("only_in_stock")
    for kind, parameters in (("same_department", {}), ("price_band", {}), ("wall", {"attributes": ["gender"]})):
        ruled.add_rule(kind, **parameters)
    ruled.add_rule("hide", scope="category", target="women", brand=["Pier"])

    found = api.post("/api/collections/all/search", {"photo": photo(), "limit": 50}).json()

    assert {*ids(found)} == {*ruled.allowed(lambda it: it.brand != "Harbour", lambda it: it.available)}


def test_rules_of_another_collection_do_not_apply(ruled: RuledShop, api: Client) -> None:
    other = CollectionFactory(slug="other")
    version = EncoderVersionFactory(collection=other)
    other.active_version = version
    other.save()
    ruled.add_rule("hide", scope="collection", target="other", brand=["Harbour"])

    assert plan_beside("other", ruled.product.pk).filters
    assert not plan_beside("all", ruled.product.pk).filters


def test_substitutes_have_rules_too_also_those_of_a_product_that_is_gone(ruled: RuledShop, api: Client) -> None:
    ruled.add_rule("hide", scope="category", target="women", brand=["Pier"])
    ruled.add_rule("wall", attributes=["gender"])
    withdraw_products([ruled.product.pk])

    found = ids(api.get(f"/api/products/{ruled.product.pk}/substitutes", {"limit": 40}).json())
    allowed = ruled.allowed(lambda it: it.brand != "Pier", lambda it: genders(it) <= {"women"}, lambda it: it.available)
    assert found == allowed


def test_rules_are_read_once_and_again_when_they_change(
    ruled: RuledShop, api: Client, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_few_pictures = {"limit": 5}
    rule = ruled.add_rule("hide", brand=["Harbour"])
    answer(api, ruled.product, **with_few_pictures)

    with django_assert_num_queries(statements_again(3)):
        answer(api, ruled.product, **with_few_pictures)
    # As another process does it.
    Rule.objects.filter(pk=rule.pk).update(active=False, changed_at=timezone.now())
    monkeypatch.setattr("recommender.rules.book.CHECK_EVERY_S", 0)
    assert ids(answer(api, ruled.product, limit=40)) == ruled.allowed()


def test_what_one_request_has_read_before_a_change_is_not_what_the_next_gets(
    ruled: RuledShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = ruled.add_rule("hide", brand=["Harbour"])
    monkeypatch.setattr(book, "CHECK_EVERY_S", 0)
    books, read = book.RuleBooks(), book._read_book
    reading: list[str] = []

    def changed_behind(collection: str, rule_set: str | None) -> book.RuleBook | None:
        found = read(collection, rule_set)
        if not reading:
            reading.append(collection)
            Rule.objects.filter(pk=rule.pk).update(active=False, changed_at=timezone.now())
            # As another thread asks, between the reading and the keeping.
            assert books.get(collection, rule_set) is None
            monkeypatch.setattr(book, "CHECK_EVERY_S", 60)
        return found

    monkeypatch.setattr(book, "_read_book", changed_behind)
    assert books.get("all", None) is not None
    assert books.get("all", None) is None


def test_a_shop_without_rules_asks_nothing_more(ruled: RuledShop, api: Client, django_assert_num_queries: Any) -> None:
    answer(api, ruled.product, limit=5)

    with django_assert_num_queries(statements_again(3)):
        answer(api, ruled.product, limit=5)


def test_a_price_is_multiplied_exactly(ruled: RuledShop, api: Client) -> None:
    Product.objects.filter(pk=ruled.product.pk).update(price=Decimal("19.99"))
    twice, more = ruled.others[:2]
    Product.objects.filter(pk=twice.pk).update(price=Decimal("39.98"), currency="EUR")
    Product.objects.filter(pk=more.pk).update(price=Decimal("39.981"), currency="EUR")
    get_vector_index().upsert(
        ruled.shop.version.index_collection().name, points_of(ruled.shop.version.layout, ImageEmbedding.objects.all())
    )
    ruled.add_rule("price_band")

    found = ids(answer(api, ruled.product, limit=40))
    assert twice.pk in found
    assert more.pk not in found
