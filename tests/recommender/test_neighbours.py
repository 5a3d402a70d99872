"""Neighbours that a process keeps: they are those of a search at this moment, whatever changes, with the real embedded engine."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client

from catalog.duplicates import make_variants
from catalog.models import Product, ProductImage
from catalog.services import change_products, delete_products, remove_images, withdraw_products
from embeddings.backends import get_vector_index
from embeddings.generations import build_generation
from embeddings.indexing import points_of, process_outbox
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.selectors import live_of
from embeddings.stored_vectors import vector_to_bytes
from embeddings.vector_index.edge import EdgeVectorIndex
from recommender import neighbours
from recommender.neighbours import find_ahead, start_finding_ahead
from recommender.pipeline import similar_to, similar_to_each
from recommender.queries import SimilarQuery
from tests.factories import jpeg
from tests.recommender.answers import ids
from tests.recommender.conftest import Shop

# Within one transaction PostgreSQL sets one stamp, and nothing is kept.
pytestmark = pytest.mark.django_db(transaction=True)

NEAR = (0.99, 0.1, 0)
RED, REDDISH, ORANGE, PINK, BLUE = (1, 0, 0), (0.95, 0.3, 0), (0.9, 0.5, 0), (0.8, 0.6, 0.1), (0, 0, 1)


@pytest.fixture
def folder(shop: Shop, settings: Any, tmp_path: Path) -> Iterator[Path]:
    """The shop's index, in the embedded engine."""
    path = tmp_path / "index"
    settings.VECTOR_INDEX = {
        "BACKEND": "embeddings.vector_index.edge.EdgeVectorIndex", "OPTIONS": {"path": str(path)},
    }  # fmt: skip
    get_vector_index().ensure(shop.version.index_collection())
    yield path
    get_vector_index().close()


@pytest.fixture
def products(shop: Shop, folder: Path) -> list[Product]:
    """Five products, from the nearest to the first to the farthest."""
    return [shop.add(vector, sku=f"MUG-{number}") for number, vector in enumerate([RED, REDDISH, ORANGE, PINK, BLUE])]


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each search of the index."""
    made: list[str] = []
    query, query_batch = EdgeVectorIndex.query, EdgeVectorIndex.query_batch

    def counted(index: EdgeVectorIndex, name: str, asked: Any) -> Any:
        made.append(name)
        return query(index, name, asked)

    def counted_batch(index: EdgeVectorIndex, name: str, asked: Any) -> Any:
        made.extend(name for _ in asked)
        return query_batch(index, name, asked)

    monkeypatch.setattr(EdgeVectorIndex, "query", counted)
    monkeypatch.setattr(EdgeVectorIndex, "query_batch", counted_batch)
    return made


def answer(api: Client, product: Product, limit: int = 4, **params: Any) -> dict[str, Any]:
    found = api.get(f"/api/products/{product.pk}/similar", {"limit": limit, **params})
    assert found.status_code == 200, found.content
    return dict(found.json())


def searched(api: Client, product: Product, limit: int = 4) -> dict[str, Any]:
    """The same answer, but the index is searched for it: the lowest score there is leaves nothing out."""
    return answer(api, product, limit, min_score=-1)


def test_neighbours_are_searched_for_once(api: Client, products: list[Product], searches: list[str]) -> None:
    first = answer(api, products[0])
    assert ids(first) == [each.pk for each in products[1:]]
    assert ids(answer(api, products[0], limit=2)) == ids(first)[:2]
    change_products({products[1].pk: {"price": Decimal(7)}})
    assert answer(api, products[0])["results"][0]["product"]["price"] == "7.00"
    process_outbox()
    assert answer(api, products[0])["results"][0]["product"]["price"] == "7.00"
    assert len(searches) == 1
    assert answer(api, products[0]) == searched(api, products[0])


def rows_of(product: Product) -> Any:
    images = ProductImage.objects.filter(product=product).values("pk")
    return ImageEmbedding.objects.filter(image_id__in=images)


def test_vectors_are_read_again_where_a_search_needs_them(
    products: list[Product], searches: list[str], django_assert_num_queries: Any
) -> None:
    first = similar_to(products[0].pk, SimilarQuery(stamp=1))
    with django_assert_num_queries(1):
        assert similar_to(products[0].pk, SimilarQuery(stamp=1, min_score=-1)).results == first.results
    # Of both products at once.
    beside = [each.pk for each in products[:2]]
    similar_to_each(beside, SimilarQuery(stamp=1))
    with django_assert_num_queries(1):
        similar_to_each(beside, SimilarQuery(stamp=1, min_score=-1))
    assert len(searches) == 5


@pytest.mark.parametrize("floor", [None, -1], ids=["neighbours", "search"])
def test_a_product_whose_photos_go_during_the_request_gets_the_fallback(
    shop: Shop, products: list[Product], floor: float | None
) -> None:
    query = SimilarQuery(stamp=1, min_score=floor)
    assert not similar_to(products[0].pk, query).fallback
    rows_of(products[0]).delete()
    # The neighbours are looked for again.
    points = points_of(shop.version.layout, [rows_of(products[1]).get()])
    get_vector_index().upsert(shop.version.index_collection().name, points)
    assert similar_to(products[0].pk, query).fallback
    answers = similar_to_each([each.pk for each in products[:2]], query)
    assert [answers[each.pk].fallback for each in products[:2]] == [True, False]


def is_gone(shop: Shop, products: list[Product]) -> set[int]:
    delete_products([products[2].pk])
    return {products[2].pk}


def is_gone_from_the_index(shop: Shop, products: list[Product]) -> set[int]:
    gone = is_gone(shop, products)
    process_outbox()
    return gone


def is_withdrawn(shop: Shop, products: list[Product]) -> set[int]:
    withdraw_products([products[2].pk])
    return {products[2].pk}


def has_no_photo(shop: Shop, products: list[Product]) -> set[int]:
    remove_images(ProductImage.objects.filter(product=products[2]).values_list("pk", flat=True))
    process_outbox()
    return {products[2].pk}


def is_a_variant(shop: Shop, products: list[Product]) -> set[int]:
    make_variants(products[0].pk, [products[2].pk])
    return {products[2].pk}


def is_far_away(shop: Shop, products: list[Product]) -> set[int]:
    row = rows_of(products[2]).get()
    row.vector = vector_to_bytes(np.array([-1, 0, 0], np.float32))
    row.save()
    get_vector_index().upsert(shop.version.index_collection().name, points_of(shop.version.layout, [row]))
    return {products[2].pk}


def others_are_nearer(shop: Shop, products: list[Product]) -> set[int]:
    for number in range(2):
        shop.add((0.94, 0.3, 0.1 * number), title="New")
    return {products[3].pk}


def the_product_looks_otherwise(shop: Shop, products: list[Product]) -> set[int]:
    rows_of(products[0]).update(vector=vector_to_bytes(np.array(BLUE, np.float32)))
    return {products[2].pk}


def another_process_writes(shop: Shop, products: list[Product]) -> set[int]:
    index: Any = get_vector_index()
    name = shop.version.index_collection().name
    image = ProductImage.objects.get(product=products[2])
    index.close()
    other = EdgeVectorIndex(index._path)
    other.delete(name, [image.pk])
    other.close()
    # As what writes to an index does.
    rows_of(products[2]).update(attempts=1)
    return {products[2].pk}


def a_photo_is_of_another_product(shop: Shop, products: list[Product]) -> set[int]:
    image = ProductImage.objects.get(product=products[2])
    get_vector_index().set_payload(shop.version.index_collection().name, [image.pk], {"product_id": products[3].pk})
    rows_of(products[2]).update(attempts=1)
    return {products[2].pk}


def the_index_is_built_again(shop: Shop, products: list[Product]) -> set[int]:
    rows_of(products[2]).delete()
    build_generation(shop.version)
    return {products[2].pk}


@pytest.mark.parametrize(
    "change",
    [
        is_gone,
        is_gone_from_the_index,
        is_withdrawn,
        has_no_photo,
        is_a_variant,
        is_far_away,
        others_are_nearer,
        the_product_looks_otherwise,
        another_process_writes,
        a_photo_is_of_another_product,
        the_index_is_built_again,
    ],
)
def test_what_changes_is_seen_at_once(
    api: Client, shop: Shop, products: list[Product], change: Callable[[Shop, list[Product]], set[int]]
) -> None:
    before = answer(api, products[0], limit=3)
    gone = change(shop, products)
    assert gone < {*ids(before)}
    after = answer(api, products[0], limit=3)
    assert not gone & {*ids(after)}
    assert after == searched(api, products[0], limit=3)


def test_a_calibration_counts_at_once(api: Client, shop: Shop, products: list[Product]) -> None:
    assert answer(api, products[0])["results"][0]["confidence"] is None
    calibrated = {"kind": {"scores": [0.0, 1.0], "probabilities": [0.0, 1.0]}}
    EncoderVersion.objects.filter(pk=shop.version.pk).update(calibration=calibrated)
    after = answer(api, products[0])
    assert after["results"][0]["confidence"] == pytest.approx(0.9535, abs=1e-3)
    assert after == searched(api, products[0])


def test_the_answers_are_those_of_a_search_whatever_a_shop_has(api: Client, shop: Shop, folder: Path) -> None:
    draw = random.Random(3)
    products: list[Product] = []
    for number in range(40):
        vectors = [tuple(draw.gauss(0, 1) for _ in range(3)) for _ in range(draw.choice([1, 1, 2]))]
        if number % 7 == 3:
            # The picture of another product, and of one in ten the same file.
            row = rows_of(draw.choice(products)).first()
            assert row is not None
            vectors = [tuple(np.frombuffer(bytes(row.vector), "<f2").astype(float))]
        if number in (5, 25):
            products.append(shop.add(vectors[0], content=jpeg()))
        else:
            products.append(shop.add(*vectors))
    make_variants(products[0].pk, [each.pk for each in products[1:4]])
    withdraw_products([products[10].pk, products[20].pk])
    for product in products:
        if Product.objects.get(pk=product.pk).active:
            for limit in (1, 4, 12, 17, 30):
                assert answer(api, product, limit) == searched(api, product, limit)


def test_neighbours_are_found_ahead(api: Client, shop: Shop, products: list[Product], searches: list[str]) -> None:
    assert find_ahead(live_of(shop.version)) == len(products)
    searches.clear()
    found = [ids(answer(api, each)) for each in products]
    assert not searches
    assert found == [ids(searched(api, each)) for each in products]
    added = shop.add(NEAR)
    assert added.pk in ids(answer(api, products[0]))


def test_an_index_that_was_replaced_is_not_opened_again(shop: Shop, products: list[Product]) -> None:
    before = live_of(shop.version)
    build_generation(shop.version)
    get_vector_index().drop(before.index.name)
    assert find_ahead(before) == 0


def test_a_process_that_serves_finds_them_once_the_index_rests(
    api: Client, products: list[Product], searches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_IDLE_S", 0.2)
    monkeypatch.setattr(neighbours, "_POLL_S", 0.02)
    start_finding_ahead()
    first = answer(api, products[0])
    until = time.monotonic() + 20
    while len(searches) < len(products) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(searches) == len(products)
    for each in threading.enumerate():
        if each.name == "neighbours":
            each.join()
    for product in products:
        answer(api, product)
    assert answer(api, products[0], limit=3)["results"] == first["results"][:3]
    assert len(searches) == len(products)
