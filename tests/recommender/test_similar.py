"""What GET /api/products/<id>/similar answers."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from catalog.duplicates import merge
from catalog.models import Product, ProductImage
from catalog.services import withdraw_products
from embeddings.backends import get_vector_index
from embeddings.coverage import set_coverage
from embeddings.errors import EncoderUnavailable, IndexLocked, IndexUnavailable
from embeddings.models import ImageEmbedding
from embeddings.vector_index.base import PAYLOAD_FIELDS, Distance
from recommender.models import Event
from tests.factories import CategoryFactory, ProductFactory, ProductImageFactory, jpeg
from tests.memory_index import MemoryVectorIndex
from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop
from tests.stamped import as_if_committed

RED, REDDISH, PINK, GREEN, BLUE = (1, 0, 0), (0.95, 0.3, 0), (0.8, 0.6, 0), (0, 1, 0), (0, 0, 1)


def similar(api: Client, product: Product, **params: Any) -> dict[str, Any]:
    response = api.get(f"/api/products/{product.pk}/similar", params)
    assert response.status_code == 200, response.content
    return dict(response.json())


def test_the_nearest_come_first_with_their_scores(shop: Shop, api: Client) -> None:
    product, far, near = shop.add(RED), shop.add(PINK), shop.add(REDDISH)

    answer = similar(api, product)

    assert ids(answer) == [near.pk, far.pk]
    assert [result["score"] for result in answer["results"]] == pytest.approx([0.953583, 0.8], abs=1e-3)


def test_an_answer_has_exactly_these_members(shop: Shop, api: Client) -> None:
    mugs = CategoryFactory(slug="mugs", parent=CategoryFactory(slug="kitchen"))
    product = shop.add(RED)
    other = shop.add(REDDISH, sku="M-1", title="Blue mug", category=mugs, brand="Pier", price=Decimal("14.5"))

    answer = similar(api, product)

    score = answer["results"][0].pop("score")
    assert 0.9 < score < 1
    assert answer == {
        "product": product.pk,
        "collection": "all",
        "encoder": "all-v1",
        "results": [
            {
                "product": {
                    "id": other.pk,
                    "sku": "M-1",
                    "title": "Blue mug",
                    "category": "kitchen/mugs",
                    "other_categories": [],
                    "brand": "Pier",
                    "price": "14.50",
                    "list_price": None,
                    "currency": "EUR",
                    "available": True,
                    "image": f"http://testserver{other.images.get().file.url}",
                    "thumbnails": {
                        side: f"http://testserver/thumbs/{side}/{other.images.get().file.name}.webp"
                        for side in ("320", "640")
                    },
                    "url": f"http://testserver{other.get_absolute_url()}",
                },
                "confidence": None,
                "matched_image": other.images.get().pk,
                "query_image": product.images.get().pk,
            }
        ],
        "weights": None,
        "fallback": False,
    }


def test_a_product_without_a_price_has_none_in_the_answer(shop: Shop, api: Client) -> None:
    product, _ = shop.add(RED), shop.add(REDDISH, price=None)

    assert similar(api, product)["results"][0]["product"]["price"] is None


def test_a_shop_may_name_the_pages_of_its_own(shop: Shop, api: Client, settings: Any) -> None:
    settings.PRODUCT_URL = "https://shop.example/p/{sku}"
    product, _ = shop.add(RED), shop.add(REDDISH, sku="A/1")

    assert similar(api, product)["results"][0]["product"]["url"] == "https://shop.example/p/A%2F1"


def test_a_product_is_never_similar_to_itself_by_another_photo(shop: Shop, api: Client) -> None:
    product, other = shop.add(RED, REDDISH), shop.add(BLUE)

    assert ids(similar(api, product)) == [other.pk]


def test_a_product_with_a_byte_identical_photo_is_left_out(shop: Shop, api: Client) -> None:
    photo = jpeg("red")
    product, other = shop.add(RED, content=photo), shop.add(REDDISH)
    shop.add(RED, content=photo)

    assert ids(similar(api, product)) == [other.pk]


def test_several_photos_of_a_product_are_joined_by_their_best_match(shop: Shop, api: Client) -> None:
    product = shop.add(RED, BLUE)
    of_both = shop.add(GREEN, BLUE)
    of_one = shop.add(REDDISH)

    answer = similar(api, product)

    assert ids(answer) == [of_both.pk, of_one.pk]
    assert answer["results"][0]["score"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("distance", Distance)
def test_of_many_photos_each_counts_though_only_a_few_are_asked(shop: Shop, api: Client, distance: Distance) -> None:
    shop.use_distance(distance)
    views = [(math.cos(0.05 * number), math.sin(0.05 * number), 0) for number in range(20)]
    product = shop.add(*views)
    # Near photos between those that differ most.
    others = [
        shop.add((shrink * math.cos(0.05 * number), shrink * math.sin(0.05 * number), math.sqrt(1 - shrink**2))).pk
        for shrink, number in ((0.99, 3), (0.98, 16), (0.97, 7), (0.96, 12))
    ]

    found = similar(api, product, limit=4)

    assert ids(found) == others
    photos = [*product.images.order_by("pk").values_list("pk", flat=True)]
    assert [each["query_image"] for each in found["results"]] == [photos[number] for number in (3, 16, 7, 12)]


def test_an_inactive_product_is_left_out_though_the_index_still_says_otherwise(shop: Shop, api: Client) -> None:
    product, withdrawn, other = shop.add(RED), shop.add(REDDISH), shop.add(PINK)
    withdraw_products([withdrawn.pk])

    assert ids(similar(api, product, limit=1)) == [other.pk]


def test_a_deleted_product_is_left_out_though_its_point_still_stands(shop: Shop, api: Client) -> None:
    product, deleted, other = shop.add(RED), shop.add(REDDISH), shop.add(PINK)
    Product.objects.filter(pk=deleted.pk).delete()

    assert ids(similar(api, product)) == [other.pk]


def test_the_index_is_asked_again_when_too_few_are_left(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    gone = [shop.add((1, 0.001 * number, 0)) for number in range(12)]
    left = [shop.add((1, 0.1 * number, 0)) for number in (1, 2, 3)]
    Product.objects.filter(pk__in=[each.pk for each in gone]).update(active=False)

    assert ids(similar(api, product, limit=3)) == [each.pk for each in left]


@pytest.mark.parametrize("index_knows", [True, False])
def test_a_filtered_answer_is_full_though_what_is_nearest_is_withdrawn(
    shop: Shop, api: Client, index_knows: bool
) -> None:
    shirts = CategoryFactory(slug="shirts")
    product, variant = shop.add(RED, category=shirts), shop.add(RED, category=shirts)
    Product.objects.filter(pk=variant.pk).update(variant_of=product.pk)
    gone = [shop.add((1, 0.001 * number, 0), category=shirts).pk for number in range(12)]
    shop.add((1, 0.05, 0), category=CategoryFactory(slug="coats"))
    left = [shop.add((1, 0.1 * number, 0), category=shirts) for number in (1, 2, 3)]
    if index_knows:
        withdraw_products(gone)
    else:
        Product.objects.filter(pk__in=gone).update(active=False)

    assert ids(similar(api, product, limit=3, category="shirts")) == [each.pk for each in left]


def test_a_limit_is_kept_and_twelve_by_default(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    for number in range(15):
        shop.add((1, 0.05 * number, 0))

    assert len(similar(api, product, limit=2)["results"]) == 2
    assert len(similar(api, product)["results"]) == 12


def test_a_category_means_its_subtree(shop: Shop, api: Client) -> None:
    clothing = CategoryFactory(slug="clothing")
    shirts = CategoryFactory(slug="shirts", parent=clothing)
    product, shirt, coat = shop.add(RED), shop.add(REDDISH, category=shirts), shop.add(PINK, category=clothing)
    shop.add(GREEN, category=CategoryFactory(slug="clothing-care"))

    assert ids(similar(api, product, category="clothing")) == [shirt.pk, coat.pk]
    assert ids(similar(api, product, category="clothing/shirts")) == [shirt.pk]


@pytest.mark.parametrize(
    ("mistyped", "detail"),
    [
        (
            {"category": "clothing/shrits"},
            "names no category; the nearest: clothing/shirts, clothing/skirts, clothing (with strict",
        ),
        ({"category": "shirts"}, "names no category; the nearest: clothing/shirts"),
        (
            {"category": "toys"},
            "names no category, nor one that is spelled alike (with strict=false the results are empty)",
        ),
        ({"brand": "harbor"}, "names no brand; the nearest: Harbour (with strict"),
        ({"brand": "PIER"}, "names no brand; the nearest: Pier (with strict"),
        ({"currency": "ERU"}, "names no currency; the nearest: EUR (with strict"),
    ],
)
def test_a_mistyped_name_is_reported_with_the_nearest_ones(
    shop: Shop, api: Client, mistyped: dict[str, str], detail: str
) -> None:
    clothing = CategoryFactory(slug="clothing")
    for slug in ("shirts", "skirts"):
        CategoryFactory(slug=slug, parent=clothing)
    product, without_vector = shop.add(RED), ProductFactory(brand="Pier")
    shop.add(REDDISH)

    for each in (product, without_vector):
        body = problem(api.get(f"/api/products/{each.pk}/similar", mistyped), 400)
        assert [error["parameter"] for error in body["errors"]] == list(mistyped)
        assert body["errors"][0]["detail"].startswith(detail)
        assert ids(similar(api, each, strict="false", **mistyped)) == []


def test_a_category_without_products_and_a_brand_of_withdrawn_ones_are_names_that_exist(
    shop: Shop, api: Client
) -> None:
    CategoryFactory(slug="toys")
    product = shop.add(RED)
    ProductFactory(brand="Gone", active=False)

    assert ids(similar(api, product, category="toys")) == []
    assert ids(similar(api, product, brand="Gone")) == []


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"brand": "Pier"}, {"brand": "Pier"}),
        ({"min_price": "20"}, {"price": Decimal(20)}),
        ({"max_price": "9.99"}, {"price": Decimal("9.99")}),
        ({"min_price": "19.99", "max_price": "19.99"}, {"price": Decimal("19.99")}),
        ({"available": "false"}, {"available": False}),
        ({"currency": "CHF"}, {"currency": "CHF"}),
        ({"min_price": "5", "currency": "CHF"}, {"currency": "CHF", "price": Decimal(5)}),
        ({"tag": ["new", "red"]}, {"tags": ["red", "new"]}),
        ({"attribute.colour": ["blue", "red"], "attribute.size": "M"}, {"attributes": {"colour": "red", "size": "M"}}),
        ({"not_brand": "Harbour"}, {"brand": "Pier"}),
    ],
)
def test_a_filter_leaves_only_what_meets_it(
    shop: Shop, api: Client, params: dict[str, str], fields: dict[str, Any]
) -> None:
    product, wanted = shop.add(RED), shop.add(BLUE, **fields)
    shop.add(REDDISH)
    shop.add(PINK)

    assert ids(similar(api, product, **params)) == [wanted.pk]


def test_products_and_categories_can_be_left_out(shop: Shop, api: Client) -> None:
    clothing, toys = CategoryFactory.create(slug="clothing"), CategoryFactory.create(slug="toys")
    shirts = CategoryFactory.create(slug="shirts", parent=clothing)
    product, shirt, toy = shop.add(RED), shop.add(REDDISH, category=shirts), shop.add(PINK, category=toys)
    both = shop.add(GREEN, category=toys, other_categories=[shirts])

    assert ids(similar(api, product, not_category="clothing")) == [toy.pk]
    assert ids(similar(api, product, exclude=[toy.pk, shirt.pk])) == [both.pk]
    assert ids(similar(api, product, not_category=["toys", "clothing/shirts"])) == []


@pytest.mark.parametrize("mistyped", [{"not_brand": "Harbor"}, {"not_category": "clothin"}])
def test_a_mistyped_name_of_what_is_to_be_left_out_is_reported_whatever_is_found(
    shop: Shop, api: Client, mistyped: dict[str, str]
) -> None:
    CategoryFactory(slug="clothing")
    product, other = shop.add(RED), shop.add(REDDISH)

    body = problem(api.get(f"/api/products/{product.pk}/similar", mistyped), 400)
    assert "the nearest: " in body["errors"][0]["detail"]
    assert ids(similar(api, product, strict="false", **mistyped)) == [other.pk]


def test_prices_are_in_the_currency_of_most_products_or_in_that_of_the_shop(
    shop: Shop, api: Client, settings: Any
) -> None:
    product = shop.add(RED, currency="CHF")
    swiss, other = shop.add(REDDISH, currency="CHF"), shop.add(PINK, currency="USD")

    assert ids(similar(api, product, min_price=1)) == [swiss.pk]
    assert ids(similar(api, product, min_price=1, currency="USD")) == [other.pk]
    settings.SHOP_CURRENCY = "USD"
    assert ids(similar(api, product, max_price=100)) == [other.pk]
    assert ids(similar(api, product)) == [swiss.pk, other.pk]


def test_an_index_from_before_a_field_was_added_answers_right_until_it_is_rebuilt(
    shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = shop.add(RED)
    shop.add(REDDISH, tags=["new"], currency="CHF")
    wanted = shop.add(BLUE, tags=["new"], currency="USD", attributes={"colour": "blue"})
    index, name = get_vector_index(), shop.version.index_collection().name
    points = index.retrieve(name, [image.pk for image in ProductImage.objects.all()]).values()
    old = [replace(point, payload={"product_id": point.payload["product_id"], "active": True}) for point in points]
    index.upsert(name, old)
    monkeypatch.setattr(
        MemoryVectorIndex, "missing_fields", lambda *_: PAYLOAD_FIELDS.keys() - {"product_id", "active"}
    )

    assert ids(similar(api, product, tag="new", currency="USD")) == [wanted.pk]
    assert ids(similar(api, product, **{"attribute.colour": "blue"})) == [wanted.pk]


def test_an_answer_has_pages(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    others = [shop.add((math.cos(0.1 * number), math.sin(0.1 * number), 0)).pk for number in range(1, 8)]

    pages = [ids(similar(api, product, limit=3, offset=offset)) for offset in (0, 3, 6, 9)]
    assert pages == [others[:3], others[3:6], others[6:], []]
    assert (
        ids(similar(api, product, limit=2, offset=1, diversity=0.4))
        == ids(similar(api, product, limit=3, diversity=0.4))[1:]
    )


def test_the_pages_of_a_fallback_go_on_where_the_one_before_ends(shop: Shop, api: Client) -> None:
    product = ProductFactory()
    others = [ProductFactory(category=product.category).pk for _ in range(5)][::-1]

    assert ids(similar(api, product, limit=2)) == others[:2]
    assert ids(similar(api, product, limit=2, offset=2)) == others[2:4]


def test_max_score_leaves_out_what_is_nearly_the_same(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    shop.add(RED)
    shop.add(REDDISH)
    pink, green = shop.add(PINK), shop.add(GREEN)

    assert ids(similar(api, product, max_score=0.9)) == [pink.pk, green.pk]
    assert ids(similar(api, product, max_score=0.9, limit=1)) == [pink.pk]


def test_max_score_is_the_least_distance_by_l2(shop: Shop, api: Client) -> None:
    shop.use_distance(Distance.L2)
    product = shop.add((1, 0, 0))
    shop.add((2, 0, 0))
    far = shop.add((9, 0, 0))

    assert ids(similar(api, product, max_score=1.5)) == [far.pk]


def test_each_result_names_the_photos_that_match(shop: Shop, api: Client) -> None:
    product = shop.add(RED, BLUE)
    other = shop.add(GREEN, (0.1, 0, 1))
    pink = shop.add(PINK)

    found = similar(api, product)["results"]

    photos = {each.pk: [*each.images.order_by("pk").values_list("pk", flat=True)] for each in (product, other, pink)}
    assert [(each["query_image"], each["matched_image"]) for each in found] == [
        (photos[product.pk][1], photos[other.pk][1]),
        (photos[product.pk][0], photos[pink.pk][0]),
    ]
    shown = api.get(f"/api/products/{other.pk}").json()["images"]
    assert {image["id"] for image in shown} == {*photos[other.pk]}
    fallback = similar(api, ProductFactory(category=pink.category))["results"]
    assert {(each["query_image"], each["matched_image"]) for each in fallback} == {(None, None)}


@pytest.mark.parametrize(
    ("params", "change"),
    [
        ({"brand": "Harbour"}, {"brand": "Pier"}),
        ({"currency": "EUR"}, {"currency": "USD"}),
        ({"not_brand": "Pier"}, {"brand": "Pier"}),
        ({"tag": "new"}, {"tags": []}),
        ({"attribute.colour": "red"}, {"attributes": {}}),
        ({"max_price": "15"}, {"price": Decimal(99)}),
        ({"min_price": "5"}, {"price": None}),
        ({"available": "true"}, {"available": False}),
    ],
)
def test_a_change_counts_at_once_though_the_index_lags_behind(
    shop: Shop, api: Client, params: dict[str, str], change: dict[str, Any]
) -> None:
    ProductFactory(brand="Pier")
    fields: dict[str, Any] = {"tags": ["new"], "attributes": {"colour": "red"}}
    product, changed, other = shop.add(RED), shop.add(REDDISH, **fields), shop.add(PINK, **fields)
    Product.objects.filter(pk=changed.pk).update(**change)

    assert ids(similar(api, product, **params)) == [other.pk]


def test_diversity_puts_a_different_product_before_a_near_one(shop: Shop, api: Client) -> None:
    product = shop.add((1, 0, 0))
    first, near, different = shop.add((0.9, 0.4, 0)), shop.add((0.9, 0.47, 0)), shop.add((0.8, 0, 0.6))

    assert ids(similar(api, product)) == [first.pk, near.pk, different.pk]
    assert ids(similar(api, product, diversity=0.7)) == [first.pk, different.pk, near.pk]
    assert ids(similar(api, product, diversity=1, limit=2)) == [first.pk, different.pk]


def test_diversity_never_brings_in_what_is_far_away(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    near = [shop.add((1, 0.1 * number, 0)) for number in range(1, 4)]
    far = shop.add(BLUE)

    assert far.pk not in ids(similar(api, product, diversity=1, limit=3))
    assert {*ids(similar(api, product, diversity=1, limit=4))} == {*(each.pk for each in near), far.pk}


def test_diversity_goes_by_the_collections_own_distance(shop: Shop, api: Client) -> None:
    shop.use_distance(Distance.L2)
    product = shop.add((0, 0, 0.1))
    first, copy, different = shop.add((1, 0, 0)), shop.add((1.1, 0, 0)), shop.add((-1.5, 0, 0))

    assert ids(similar(api, product)) == [first.pk, copy.pk, different.pk]
    assert ids(similar(api, product, diversity=0.5)) == [first.pk, different.pk, copy.pk]


def test_min_score_is_the_lowest_likeness_by_cosine(shop: Shop, api: Client) -> None:
    product, near = shop.add(RED), shop.add(REDDISH)
    shop.add(PINK)

    assert ids(similar(api, product, min_score=0.9)) == [near.pk]


def test_min_score_is_the_greatest_distance_by_l1(shop: Shop, api: Client) -> None:
    shop.use_distance(Distance.L1)
    product, near = shop.add((1, 0, 0)), shop.add((2, 0, 0))
    shop.add((9, 0, 0))

    assert ids(similar(api, product, min_score=1.5)) == [near.pk]


@pytest.mark.parametrize("distance", [Distance.L1, Distance.L2])
def test_a_distance_is_shown_where_the_collection_is_compared_by_one(
    shop: Shop, api: Client, distance: Distance
) -> None:
    shop.use_distance(distance)
    product = shop.add((1, 0, 0))
    same, near = shop.add((1, 0, 0)), shop.add((3, 0, 0))

    found = similar(api, product)
    assert [(each["product"]["id"], each["score"]) for each in found["results"]] == [(same.pk, 0), (near.pk, 2)]
    assert ids(similar(api, product, min_score=0)) == [same.pk]


def test_a_product_without_a_vector_gets_the_newest_of_its_category_then_of_those_above(
    shop: Shop, api: Client
) -> None:
    clothing = CategoryFactory(slug="clothing")
    shirts = CategoryFactory(slug="shirts", parent=clothing)
    elsewhere, coat = shop.add(RED), shop.add(RED, category=clothing)
    older, newer = shop.add(RED, category=shirts), shop.add(RED, category=shirts)
    ProductFactory(category=shirts, active=False)
    product = ProductFactory(category=shirts)

    answer = similar(api, product)

    assert ids(answer) == [newer.pk, older.pk, coat.pk, elsewhere.pk]
    assert answer["fallback"] is True
    assert {result["score"] for result in answer["results"]} == {None}
    assert ids(similar(api, product, limit=1)) == [newer.pk]


def test_a_fallback_keeps_to_the_filters_and_leaves_twins_out(shop: Shop, api: Client) -> None:
    clothing = CategoryFactory(slug="clothing")
    product, twin = ProductFactory(category=clothing), ProductFactory(category=clothing)
    for each in (product, twin):
        ProductImageFactory(product=each, content=jpeg("red"))
    dear = ProductFactory(category=clothing, price=Decimal(90))
    ProductFactory(category=clothing)
    other = ProductFactory(price=Decimal(80))
    ProductImageFactory(product=other)

    assert ids(similar(api, product, min_price="50")) == [dear.pk, other.pk]
    assert ids(similar(api, product, min_price="50", category="clothing")) == [dear.pk]
    assert twin.pk not in ids(similar(api, product))


def test_a_fallback_stays_within_the_collection(shop: Shop, api: Client) -> None:
    clothing = CategoryFactory(slug="clothing")
    shirts, care = CategoryFactory(slug="shirts", parent=clothing), CategoryFactory(slug="clothing-care")
    set_coverage(shop.version.collection, ["clothing"], covers_all=False)
    product, coat, shirt, of_another, _ = (
        ProductImageFactory(product__category=each).product for each in (shirts, clothing, shirts, care, None)
    )

    assert ids(similar(api, product)) == [shirt.pk, coat.pk]
    assert ids(similar(api, of_another)) == [shirt.pk, coat.pk, product.pk]
    assert ids(similar(api, product, category="clothing-care")) == []
    assert ids(similar(api, product, category="clothing/shirts")) == [shirt.pk]


def test_a_fallback_shows_products_without_a_photo_of_the_own_category_alone(shop: Shop, api: Client) -> None:
    clothing = CategoryFactory(slug="clothing")
    shirts = CategoryFactory(slug="shirts", parent=clothing)
    product, without, pictured = (ProductFactory(category=shirts) for _ in range(3))
    placeholder, coat = (
        ProductImageFactory(product__category=clothing, role=role) for role in ("placeholder", "product")
    )
    ProductImageFactory(product=pictured)

    found = ids(similar(api, product))

    assert found == [pictured.pk, without.pk, coat.product.pk]
    assert placeholder.product.pk not in found


def test_a_fallback_shows_a_change_at_once(shop: Shop, api: Client) -> None:
    clothing = CategoryFactory(slug="clothing")
    product, hidden, moved, pictured = (ProductFactory(category=clothing) for _ in range(4))
    for each in (hidden, moved):
        ProductImageFactory(product=each)
    assert ids(similar(api, product)) == [moved.pk, hidden.pk, pictured.pk]

    as_if_committed()
    ProductImageFactory(product=pictured)
    assert ids(similar(api, product)) == [pictured.pk, moved.pk, hidden.pk]
    as_if_committed()
    Product.objects.filter(pk=hidden.pk).update(active=False)
    Product.objects.filter(pk=moved.pk).update(category=None)
    assert ids(similar(api, product, category="clothing")) == [pictured.pk]
    as_if_committed()
    moved.other_categories.add(clothing)
    assert ids(similar(api, product, category="clothing")) == [pictured.pk, moved.pk]


def test_a_fallback_finds_the_few_photos_of_a_large_category(shop: Shop, api: Client) -> None:
    clothing = CategoryFactory(slug="clothing")
    product, older, old = (ProductImageFactory(product__category=clothing).product for _ in range(3))
    Product.objects.bulk_create(
        Product(sku=f"C{number}", title="Coat", category=product.category) for number in range(200)
    )
    *_, variant, newest = Product.objects.filter(sku__startswith="C").order_by("pk")
    Product.objects.filter(pk=variant.pk).update(variant_of=newest)

    found = ids(similar(api, product, limit=100))

    assert found[:3] == [old.pk, older.pk, newest.pk]
    assert variant.pk not in found
    assert len(set(found)) == 100


def test_a_photo_that_is_not_embedded_yet_makes_a_fallback(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    shop.add(BLUE)
    ImageEmbedding.objects.filter(image_id=product.images.get().pk).update(
        state=ImageEmbedding.State.PENDING, vector=None
    )

    assert similar(api, product)["fallback"] is True


def test_an_unknown_product_is_a_404_problem(shop: Shop, api: Client) -> None:
    body = problem(api.get("/api/products/999/similar"), 404)

    assert body["instance"] == "/api/products/999/similar"
    assert "999" in body["detail"]
    problem(api.get(f"/api/products/{10**30}/similar"), 404)


@pytest.mark.parametrize("vectors", [(RED,), ()])
def test_an_inactive_product_is_a_404_problem(shop: Shop, api: Client, vectors: tuple[Any, ...]) -> None:
    product = shop.add(*vectors, active=False)

    problem(api.get(f"/api/products/{product.pk}/similar"), 404)


def test_every_invalid_parameter_is_reported(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    query = "limit=0&diversity=2&min_price=x&available=maybe&colour=red&brand=&min_score=nan&category=/a"
    query += "&max_price=1&max_price=2&attribute.=x&exclude=1&exclude=mug&offset=1001"

    body = problem(api.get(f"/api/products/{product.pk}/similar?{query}"), 400)

    details = {error["parameter"]: error["detail"] for error in body["errors"]}
    assert set(details) == {
        "attribute.", "exclude", "offset",
        "limit", "diversity", "min_price", "available", "colour", "brand", "min_score", "category", "max_price",
    }  # fmt: skip
    assert details["limit"] == "must be an integer from 1 to 100"
    assert details["colour"] == (
        "is not a known parameter; known parameters: strict, limit, offset, diversity, min_score, max_score, min_confidence, "
        "weights, mode, rules, explain, "
        "collection, fallback, category, brand, min_price, max_price, currency, available, tag, attribute.<name>, "
        "not_category, not_brand, exclude"
    )


@pytest.mark.parametrize(
    "query",
    [
        {"diversity": 0.00012345678901234567},
        {"min_confidence": 1e-300},
        {"min_score": -123456789.12345679},
        {"min_price": 1e-07, "max_price": 1e9},
        {"max_price": 9999999999},
    ],
)
def test_a_number_may_be_written_as_programs_write_it(shop: Shop, api: Client, query: dict[str, float]) -> None:
    product, other = shop.add(RED), shop.add(RED, price=Decimal(5))

    assert ids(similar(api, product, **query)) == [other.pk]


def test_a_brand_may_have_any_character_that_is_not_for_control(shop: Shop, api: Client) -> None:
    brand = "Maison\N{NO-BREAK SPACE}Étoile\N{ZERO WIDTH JOINER}"
    product, other = shop.add(RED), shop.add(RED, brand=brand)

    assert ids(similar(api, product, brand=brand)) == [other.pk]
    body = problem(api.get(f"/api/products/{product.pk}/similar", {"brand": "a\tb"}), 400)
    assert body["errors"] == [{"parameter": "brand", "detail": "contains control characters"}]


def test_an_empty_price_range_is_reported(shop: Shop, api: Client) -> None:
    product = shop.add(RED)

    body = problem(api.get(f"/api/products/{product.pk}/similar?min_price=9&max_price=3"), 400)

    assert body["errors"] == [{"parameter": "min_price", "detail": "is above max_price"}]


def test_an_unknown_collection_is_an_error_of_its_parameter(shop: Shop, api: Client) -> None:
    product = shop.add(RED)

    body = problem(api.get(f"/api/products/{product.pk}/similar?collection=nope"), 400)

    assert body["errors"][0]["parameter"] == "collection"
    assert "there is: all" in body["errors"][0]["detail"]


@pytest.mark.parametrize(
    "error", [IndexUnavailable("the index is away"), IndexLocked("the index is held"), EncoderUnavailable("x")]
)
def test_an_index_that_is_away_is_a_503_problem_that_says_when_to_come_back(
    shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    product = shop.add(RED)

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(MemoryVectorIndex, "query", fail)
    response = api.get(f"/api/products/{product.pk}/similar?fallback=false")

    problem(response, 503)
    assert int(response["Retry-After"]) > 0


def test_an_index_that_was_lost_is_a_503_problem(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    get_vector_index().drop(shop.version.index_collection().name)

    body = problem(api.get(f"/api/products/{product.pk}/similar?fallback=false"), 503)
    assert body["title"] == "The collection has no index yet"


@pytest.mark.parametrize("endpoint", ["similar", "substitutes"])
def test_while_the_index_is_away_the_bestsellers_of_the_category_answer(
    shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    category = CategoryFactory(slug="bags")
    product, sold, new, _ = (shop.add(RED, category=category, price=price) for price in (5, 6, 7, 900))
    elsewhere = shop.add(RED)
    for _ in range(2):
        Event.objects.create(type=Event.Type.PURCHASE, product_id=sold.pk, created_at=timezone.now())
    Event.objects.create(type=Event.Type.PURCHASE, product_id=elsewhere.pk, created_at=timezone.now())
    asked = []

    def fail(*_: Any) -> None:
        asked.append(1)
        raise IndexUnavailable("the index is away")

    monkeypatch.setattr(MemoryVectorIndex, "query", fail)
    response = api.get(f"/api/products/{product.pk}/{endpoint}?max_price=100&limit=2")

    answer = response.json()
    assert (ids(answer), answer["fallback"]) == ([sold.pk, new.pk], True)
    assert response["Cache-Control"] == "max-age=5"
    assert all(result["score"] is None for result in answer["results"])
    assert len(asked) == 1
    monkeypatch.undo()
    again = api.get(f"/api/products/{product.pk}/{endpoint}")
    assert again["Cache-Control"] == "public, max-age=10, stale-while-revalidate=60"


def test_a_recommendation_costs_three_queries_and_one_more_where_pictures_may_be_equal(
    shop: Shop, api: Client, django_assert_num_queries: Any
) -> None:
    product = shop.add(RED)
    for number in range(1, 20):
        shop.add((math.cos(0.07 * number), math.sin(0.07 * number), 0))
    similar(api, product, max_price=50)

    Product.objects.filter(pk=product.pk).update(title="Another")
    with django_assert_num_queries(3):
        similar(api, product, brand="Harbour", max_price=50)
    shop.add((math.cos(0.08), 0, math.sin(0.08)))
    with django_assert_num_queries(4):
        similar(api, product, brand="Harbour", max_price=50)


def test_of_products_with_the_same_picture_the_best_is_shown_and_the_strip_stays_full(shop: Shop, api: Client) -> None:
    product = shop.add(RED)
    same = jpeg("purple")
    shown, *_ = [shop.add(REDDISH, content=same) for _ in range(25)]
    saved_anew = [shop.add((0.95, 0.3, 0.0005 * number)) for number in range(1, 25)]
    others = [shop.add((0.8, 0.6, 0.1 * number)) for number in range(3)]

    assert ids(similar(api, product, limit=3)) == [shown.pk, others[0].pk, others[1].pk]
    assert ids(similar(api, product)) == [shown.pk, *(other.pk for other in others)]
    # Beside one of them: none with its bytes, and once the picture that was re-saved.
    assert ids(similar(api, shown, limit=2)) == [saved_anew[0].pk, product.pk]
    assert ids(similar(api, product, limit=2, diversity=0.5)) == [shown.pk, others[2].pk]


def test_only_the_best_matching_photos_have_to_differ(shop: Shop, api: Client) -> None:
    product = shop.add(RED, BLUE)
    one, other = shop.add(REDDISH, GREEN), shop.add(GREEN, (0, 0.3, 0.95))

    assert ids(similar(api, product)) == [one.pk, other.pk]


@pytest.mark.parametrize("distance", Distance)
def test_equal_pictures_are_recognised_by_every_distance(shop: Shop, api: Client, distance: Distance) -> None:
    shop.use_distance(distance)
    product = shop.add(RED)
    shown, _, other = shop.add((0.8, 0.6, 0)), shop.add((0.8, 0.6, 0.001)), shop.add((0.6, 0.8, 0))

    assert ids(similar(api, product)) == [shown.pk, other.pk]


@pytest.mark.parametrize("sku", ["A-1", "A/1", "A 1", "a.b.", "similar", "A/similar", "ü%2F"])
def test_a_product_may_be_named_by_its_sku(shop: Shop, api: Client, sku: str) -> None:
    product, other = shop.add(RED, sku=sku), shop.add(REDDISH)

    response = api.get(f"/api/products/by-sku/{quote(sku, safe='')}/similar", {"limit": 5})

    assert response.json() == similar(api, product, limit=5)
    assert ids(response.json()) == [other.pk]


def test_a_wrong_sku_is_a_problem_that_names_it(shop: Shop, api: Client) -> None:
    shop.add(RED, sku="A-1", active=False)

    for sku in ("A-1", "A-2"):
        body = problem(api.get(f"/api/products/by-sku/{sku}/similar"), 404)
        assert f"no product with this SKU: '{sku}'" in body["detail"]


def test_the_sku_of_a_merged_product_is_that_of_the_one_it_was_merged_into(shop: Shop, api: Client) -> None:
    merged, kept, other = shop.add(RED, sku="A-1"), shop.add(RED, sku="A-2"), shop.add(REDDISH)
    merge(kept.pk, [merged.pk])

    by_sku, by_id = (api.get(f"/api/products/{name}/similar").json() for name in ("by-sku/A-1", merged.pk))

    assert by_sku == by_id
    assert ids(by_sku) == [other.pk]
