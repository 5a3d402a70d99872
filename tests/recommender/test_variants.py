"""Variants and merged products in the recommendations: a strip is not filled with one thing in six colours."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalog.duplicates import make_variants, merge
from catalog.models import Product
from catalog.services import withdraw_products
from embeddings.indexing import process_outbox
from embeddings.selectors import live_of
from recommender.selectors import beside
from tests.factories import CategoryFactory, ProductFactory, jpeg
from tests.recommender.answers import ids, problem
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import BLUE, GREEN, PINK, RED, REDDISH, similar


@pytest.fixture
def family(shop: Shop) -> list[Product]:
    """A main product and two variants, all much alike."""
    family = [shop.add(RED), shop.add((1, 0.05, 0)), shop.add((1, 0.1, 0))]
    make_variants(family[0].pk, [product.pk for product in family])
    return family


@pytest.mark.parametrize("of", [0, 1, 2])
def test_variants_are_never_recommended_beside_each_other(
    shop: Shop, api: Client, family: list[Product], of: int
) -> None:
    other = shop.add(PINK)

    assert ids(similar(api, family[of])) == [other.pk]


def test_of_a_family_only_the_nearest_is_shown(shop: Shop, api: Client, family: list[Product]) -> None:
    product, other = shop.add(REDDISH), shop.add(PINK)

    assert ids(similar(api, product)) == [family[2].pk, other.pk]


def test_the_place_of_variants_is_taken_by_what_comes_next(shop: Shop, api: Client, family: list[Product]) -> None:
    product, next_, last = shop.add(RED), shop.add(PINK), shop.add(GREEN)

    assert ids(similar(api, product, limit=3)) == [family[0].pk, next_.pk, last.pk]


def test_a_large_family_does_not_empty_the_strip(shop: Shop, api: Client) -> None:
    product, other = shop.add(RED), shop.add(PINK)
    family = [shop.add((1, 0.001 * number, 0)) for number in range(30)]
    make_variants(family[0].pk, [each.pk for each in family])

    assert ids(similar(api, product, limit=2)) == [family[0].pk, other.pk]
    assert ids(similar(api, family[3], limit=2)) == [product.pk, other.pk]


def test_where_the_nearest_does_not_meet_the_filter_another_of_the_family_does(
    shop: Shop, api: Client, family: list[Product]
) -> None:
    product = shop.add(RED)
    Product.objects.filter(pk=family[0].pk).update(available=False)

    assert ids(similar(api, product, available="true")) == [family[1].pk]


def test_a_family_goes_on_when_its_main_product_is_withdrawn(shop: Shop, api: Client, family: list[Product]) -> None:
    product = shop.add(RED)
    withdraw_products([family[0].pk])

    assert ids(similar(api, product)) == [family[1].pk]
    assert ids(similar(api, family[1])) == [product.pk]


def test_a_photo_finds_one_of_each_family(shop: Shop, api: Client, family: list[Product]) -> None:
    other = shop.add(BLUE)

    answer = api.post("/api/collections/all/search", {"photo": SimpleUploadedFile("red.jpg", jpeg("red"))})

    assert ids(answer.json()) == [family[0].pk, other.pk]


def test_a_fallback_shows_one_of_each_family_and_none_of_the_products_own(shop: Shop, api: Client) -> None:
    shirts = CategoryFactory(slug="shirts")
    own = [ProductFactory(category=shirts) for _ in range(2)]
    others = [ProductFactory(category=shirts) for _ in range(5)]
    alone = ProductFactory(category=shirts)
    make_variants(own[0].pk, [own[1].pk])
    make_variants(others[0].pk, [each.pk for each in others])

    assert ids(similar(api, own[0], limit=3)) == [alone.pk, others[4].pk]


def test_a_merged_product_is_answered_by_the_likes_of_the_kept_one(shop: Shop, api: Client) -> None:
    kept, merged, other = shop.add(RED), shop.add(REDDISH), shop.add(PINK)
    merge(kept.pk, [merged.pk])
    process_outbox()

    assert ids(similar(api, merged)) == [other.pk]
    assert ids(similar(api, other)) == [kept.pk]


def test_a_merged_product_whose_kept_one_is_gone_is_a_404_problem(shop: Shop, api: Client) -> None:
    kept, merged = shop.add(RED), shop.add(REDDISH)
    merge(kept.pk, [merged.pk])
    withdraw_products([kept.pk])

    problem(api.get(f"/api/products/{merged.pk}/similar"), 404)


def test_vectors_and_what_is_hidden_are_read_in_one_query(shop: Shop, family: list[Product]) -> None:
    live = live_of(shop.version)
    with CaptureQueriesContext(connection) as queries:
        start = beside(live, family[1].pk)
        assert (len(start.vectors), start.excluded) == (1, {family[0].pk, family[2].pk})
    assert len(queries) == 1


@pytest.mark.parametrize("diversity", ["0", "0.5"])
def test_families_of_many_variants_with_one_photo_fill_the_strip_with_one_of_each(
    shop: Shop, api: Client, diversity: str
) -> None:
    families: list[set[int]] = []
    for number in range(6):
        members = [shop.add((1, 0.05 * number, 0.02 * number)) for _ in range(30)]
        make_variants(members[0].pk, [each.pk for each in members])
        families.append({each.pk for each in members})

    for family in families:
        answer = ids(similar(api, Product.objects.get(pk=max(family)), limit=5, diversity=diversity))
        shown = [next(position for position, each in enumerate(families) if pk in each) for pk in answer]
        assert sorted(shown) == [position for position, each in enumerate(families) if each is not family]


def test_a_fallback_shows_one_of_each_large_family(shop: Shop, api: Client) -> None:
    shirts = CategoryFactory(slug="shirts")
    product = ProductFactory(category=shirts)
    for _ in range(5):
        family = [ProductFactory(category=shirts) for _ in range(30)]
        make_variants(family[0].pk, [each.pk for each in family])

    answer = similar(api, product, limit=5)

    assert answer["fallback"]
    assert len(set(Product.objects.filter(pk__in=ids(answer)).values_list("variant_of", flat=True))) == 5
