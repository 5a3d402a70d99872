"""The contract of a vector index, which every adapter passes."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.errors import CollectionNotFound, EncoderMismatch, InvalidFilter, InvalidPayload, InvalidVector
from embeddings.vector_index.base import (
    Distance,
    Filter,
    Hit,
    IndexCollection,
    Point,
    Range,
    Vector,
    VectorIndex,
    VectorQuery,
)
from tests.contracts.conftest import SEARCHING, MakeCollection

searching = pytest.mark.parametrize("index", SEARCHING, indirect=True)

FIRST_ID = 2**40 + 5
ID_STEP = 977


def vectors(count: int, dim: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def vector(*entries: float) -> Vector:
    return np.array(entries, dtype=np.float32)


def point(point_id: int, entries: Sequence[float] = (1, 0, 0, 0), **payload: Any) -> Point:
    return Point(point_id, vector(*entries), {"product_id": point_id, **payload})


def ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def found(index: VectorIndex, name: str, wanted: Filter) -> list[int]:
    """The ids that match a filter; `count` must return their number."""
    passing = sorted(ids(index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)], filter=wanted, limit=100))))
    assert index.count(name, wanted) == len(passing)
    return passing


def truth(matrix: NDArray[np.float32], target: Vector, distance: Distance) -> Any:
    """The scores: higher is nearer."""
    rows, wanted = matrix.astype(np.float64), target.astype(np.float64)
    if distance is Distance.COSINE:
        return rows @ wanted / np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted)
    if distance is Distance.DOT:
        return rows @ wanted
    return -np.linalg.norm(rows - wanted, ord=2 if distance is Distance.L2 else 1, axis=1)


def stock(index: VectorIndex, name: str) -> str:
    """Six products near the first axis, each farther away than the previous one."""
    shirts, mugs = ["clothing", "clothing/shirts"], ["kitchen", "kitchen/mugs"]
    index.upsert(
        name,
        [
            point(1, (1, 0.0, 0, 0), category=shirts, brand="Ada", price=10.0, available=True, tags=["new", "red"]),
            point(2, (1, 0.1, 0, 0), category=shirts, brand="Bo", price=20.0, available=False, tags=["red"]),
            point(3, (1, 0.2, 0, 0), category=mugs, brand="Ada", price=30.0, available=True, tags=[]),
            point(4, (1, 0.3, 0, 0), category=mugs, brand="Bo", price=40.5, available=True, tags=["new"]),
            point(5, (1, 0.4, 0, 0), category=["clothing"], brand="Cy", price=50.0, available=False),
            point(6, (1, 0.5, 0, 0), category=[]),
        ],
    )
    return name


@pytest.fixture
def stocked_collection(index: VectorIndex, collection: MakeCollection) -> str:
    return stock(index, collection())


@pytest.fixture(scope="session")
def shared_collections(indexes: dict[str, VectorIndex]) -> Iterator[dict[int, str]]:
    """The same collection in each index, for tests that only read: creating a shard takes longer than a query."""
    names = {}
    for index in indexes.values():
        name = f"test-{uuid.uuid4().hex}"
        index.ensure(IndexCollection(name, 4))
        names[id(index)] = stock(index, name)
    yield names
    for index in indexes.values():
        index.drop(names[id(index)])


@pytest.fixture
def shared_collection(index: VectorIndex, shared_collections: dict[int, str]) -> str:
    return shared_collections[id(index)]


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("optimised", [False, True])
def test_the_nearest_come_first_with_the_score_of_the_distance(
    index: VectorIndex, collection: MakeCollection, distance: Distance, optimised: bool
) -> None:
    matrix, target = vectors(200, 16), vectors(1, 16, seed=1)[0]
    name = collection(16, distance)
    index.upsert(name, [Point(FIRST_ID + ID_STEP * i, row, {"product_id": i}) for i, row in enumerate(matrix)])
    if optimised:
        index.optimise(name)
    hits = index.query(name, VectorQuery(positive=[target], limit=10))
    scores = truth(matrix, target, distance)
    nearest = np.argsort(-scores)[:10]
    assert [(hit.id, hit.product_id) for hit in hits] == [(FIRST_ID + ID_STEP * int(i), int(i)) for i in nearest]
    assert [hit.score for hit in hits] == pytest.approx(scores[nearest].tolist(), rel=1e-4)


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("group_by_product", [False, True])
def test_a_higher_score_is_nearer_and_min_score_is_the_lowest_still_returned(
    index: VectorIndex, collection: MakeCollection, distance: Distance, group_by_product: bool
) -> None:
    name = collection(16, distance)
    index.upsert(name, [Point(i, row, {"product_id": i}) for i, row in enumerate(vectors(50, 16))])
    query = VectorQuery(positive=[vectors(1, 16, seed=1)[0]], limit=50, group_by_product=group_by_product)
    hits = index.query(name, query)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    between = (scores[6] + scores[7]) / 2
    assert ids(index.query(name, replace(query, min_score=between))) == ids(hits[:7])


@pytest.mark.parametrize("distance", Distance)
def test_a_hit_that_scores_min_score_itself_is_returned(
    index: VectorIndex, collection: MakeCollection, distance: Distance
) -> None:
    name = collection(4, distance)
    index.upsert(name, [point(1, (1, 0, 0, 0)), point(2, (0, 1, 0, 0))])
    query = VectorQuery(positive=[vector(1, 0, 0, 0)])
    (same, other) = index.query(name, query)
    assert ids(index.query(name, replace(query, min_score=same.score))) == [1]
    assert ids(index.query(name, replace(query, min_score=other.score))) == [1, 2]


@pytest.mark.parametrize("distance", [Distance.L2, Distance.L1])
def test_of_two_distances_the_smaller_has_the_higher_score_and_none_is_above_0(
    index: VectorIndex, collection: MakeCollection, distance: Distance
) -> None:
    name = collection(4, distance)
    index.upsert(name, [point(1, (1, 0, 0, 0)), point(2, (3, 0, 0, 0)), point(3, (9, 0, 0, 0))])
    hits = index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)]))
    assert [(hit.id, hit.score) for hit in hits] == [(1, 0), (2, -2), (3, -8)]
    assert [distance.shown(hit.score) for hit in hits] == [0, 2, 8]
    assert distance.score_of(2) == hits[1].score


@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
def test_cosine_does_not_depend_on_how_long_vectors_are(
    index: VectorIndex, collection: MakeCollection, length: float
) -> None:
    name = collection()
    index.upsert(name, [point(1, (length, 0, 0, 0)), point(2, (length, length, 0, 0)), point(3, (0, length, 0, 0))])
    hits = index.query(name, VectorQuery(positive=[vector(length / 2, 0, 0, 0)]))
    assert ids(hits) == [1, 2, 3]
    assert [hit.score for hit in hits] == pytest.approx([1, 2**-0.5, 0], abs=1e-5)
    assert np.linalg.norm(index.retrieve(name, [2])[2].vector) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("group_by_product", [False, True])
@pytest.mark.parametrize("optimised", [False, True])
def test_equal_scores_come_by_ascending_product_also_where_the_limit_cuts_through_them(
    index: VectorIndex, collection: MakeCollection, distance: Distance, group_by_product: bool, optimised: bool
) -> None:
    name = collection(16, distance)
    near, tied, far = vectors(3, 16)
    # Written in a mixed order, and the products in another order than their photos.
    photos = [int(each) for each in np.random.default_rng(3).permutation(60)]
    for start in range(0, 60, 20):
        index.upsert(name, [Point(2**40 - each, tied, {"product_id": each}) for each in photos[start : start + 20]])
    index.upsert(name, [Point(1, near, {"product_id": 99}), Point(2, far, {"product_id": 98})])
    if optimised:
        index.optimise(name)
    query = VectorQuery(positive=[0.9 * near + 0.2 * tied], group_by_product=group_by_product)
    for limit in (2, 7, 30, 61, 62):
        products = [hit.product_id for hit in index.query(name, replace(query, limit=limit))]
        assert products[:61] == [99, *range(60)][:limit]


def test_of_equal_photos_of_a_product_and_of_equal_products_the_lowest_ids_come_first(
    index: VectorIndex, collection: MakeCollection
) -> None:
    name = collection()
    twins = {7: 3, 2**63: 1, 3: 3, 2**33: 1, 5: 2}
    index.upsert(name, [point(1, (0, 1, 0, 0)), *(point(twin, product_id=twins[twin]) for twin in twins)])
    assert ids(index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)]))) == [2**33, 2**63, 5, 3, 7, 1]


def test_whoever_has_claimed_the_index_can_claim_it_again_and_use_it(
    index: VectorIndex, stocked_collection: str
) -> None:
    index.claim()
    index.claim()
    assert index.count(stocked_collection) > 0


def test_a_deleted_point_is_gone_and_ids_that_are_not_there_are_passed_over(
    index: VectorIndex, stocked_collection: str
) -> None:
    index.delete(stocked_collection, [1, 3, 999, 2**64, -1])
    index.delete(stocked_collection, [])
    assert index.count(stocked_collection) == 4
    assert ids(index.query(stocked_collection, VectorQuery(positive=[vector(1, 0, 0, 0)]))) == [2, 4, 5, 6]
    assert set(index.retrieve(stocked_collection, [1, 2, 999, -1, 2**64])) == {2}


def test_an_upsert_replaces_vector_and_payload_whole(index: VectorIndex, stocked_collection: str) -> None:
    index.upsert(stocked_collection, [point(1, (0, 0, 1, 0), brand="Di")])
    assert index.count(stocked_collection) == 6
    stored = index.retrieve(stocked_collection, [1])[1]
    assert stored.payload == {"product_id": 1, "brand": "Di"}
    assert stored.vector.tolist() == [0, 0, 1, 0]
    assert found(index, stocked_collection, Filter(match={"brand": "Ada"})) == [3]


def test_of_two_points_with_one_id_the_later_counts(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection()
    index.upsert(name, [point(1, brand="first"), point(2), point(1, brand="second")])
    assert index.count(name) == 2
    assert index.retrieve(name, [1])[1].payload["brand"] == "second"


def test_a_payload_comes_back_as_it_was_with_prices_as_floats(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection()
    index.upsert(name, [point(1, price=Decimal("9.90"), available=True, tags=("a", "b"), brand=None, sha256="ab12")])
    payload = index.retrieve(name, [1])[1].payload
    assert payload["price"] == 9.9
    assert payload["available"] is True
    assert payload["tags"] == ["a", "b"]
    assert payload["brand"] is None
    assert payload["sha256"] == "ab12"


def test_a_hit_that_was_found_before_is_found_as_it_was_written_since(
    index: VectorIndex, stocked_collection: str
) -> None:
    def nearest() -> list[tuple[int, int]]:
        asked = VectorQuery(positive=[vector(1, 0, 0, 0)], limit=3, group_by_product=True)
        return [(hit.id, hit.product_id) for hit in index.query(stocked_collection, asked)]

    assert nearest() == [(1, 1), (2, 2), (3, 3)]
    index.set_payload(stocked_collection, [3], {"price": 31.0})
    assert nearest() == [(1, 1), (2, 2), (3, 3)]
    index.set_payload(stocked_collection, [2], {"product_id": 1})
    assert nearest() == [(1, 1), (3, 3), (4, 4)]
    index.upsert(stocked_collection, [replace(point(3, (1, 0.2, 0, 0)), payload={"product_id": 30})])
    assert nearest() == [(1, 1), (3, 30), (4, 4)]
    index.delete(stocked_collection, [1])
    assert nearest() == [(2, 1), (3, 30), (4, 4)]


def test_the_revision_changes_with_vectors_and_products_and_not_with_prices(
    index: VectorIndex, stocked_collection: str
) -> None:
    revision = index.revision(stocked_collection)
    if revision is None:
        # Others may write to it.
        return
    index.set_payload(stocked_collection, [1, 999], {"product_id": 1, "price": 31.0})
    assert index.revision(stocked_collection) == revision
    seen = {revision}
    writes: list[Callable[[], None]] = [
        lambda: index.set_payload(stocked_collection, [2], {"product_id": 1}),
        lambda: index.upsert(stocked_collection, [point(7, (0, 1, 0, 0))]),
        lambda: index.delete(stocked_collection, [7]),
    ]
    for number, write in enumerate(writes, start=2):
        write()
        seen.add(index.revision(stocked_collection) or 0)
        assert len(seen) == number


def test_set_payload_merges_and_passes_over_ids_that_are_not_there(index: VectorIndex, stocked_collection: str) -> None:
    before = index.retrieve(stocked_collection, [1])[1]
    index.set_payload(stocked_collection, [1, 2, 999, -1], {"price": Decimal(99), "available": False})
    index.set_payload(stocked_collection, [3], {})
    after = index.retrieve(stocked_collection, [1])[1]
    assert after.payload == {**before.payload, "price": 99.0, "available": False}
    assert after.vector.tolist() == before.vector.tolist()
    assert found(index, stocked_collection, Filter(ranges={"price": Range(gte=99)})) == [1, 2]
    assert found(index, stocked_collection, Filter(match={"available": True})) == [3, 4]
    assert index.count(stocked_collection) == 6


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        (Filter(), [1, 2, 3, 4, 5, 6]),
        (Filter(match={"category": "clothing"}), [1, 2, 5]),
        (Filter(match={"category": "clothing/shirts"}), [1, 2]),
        (Filter(match={"available": True}), [1, 3, 4]),
        (Filter(match={"available": False}), [2, 5]),
        (Filter(match={"product_id": 4}), [4]),
        (Filter(match={"price": 40.5}), [4]),
        (Filter(match={"price": 10}), [1]),
        (Filter(match={"brand": "nobody"}), []),
        (Filter(match_any={"brand": ["Ada", "Cy"]}), [1, 3, 5]),
        (Filter(match_any={"tags": ["new"], "brand": ["Bo", "Cy"]}), [4]),
        (Filter(match_any={"price": [10, 50.0]}), [1, 5]),
        (Filter(match_any={"available": [True, False]}), [1, 2, 3, 4, 5]),
        (Filter(match_any={"product_id": [2, 6, 77]}), [2, 6]),
        (Filter(match_any={"brand": []}), []),
        (Filter(match_any={"available": []}), []),
        (Filter(match_each={"tags": [["new"], ["red"]]}), [1]),
        (Filter(match_each={"tags": [["new", "red"], ["red", "blue"]], "brand": [["Bo", "Cy"]]}), [2]),
        (Filter(match_each={"tags": [["new"], []]}), []),
        (Filter(match_each={"tags": []}), [1, 2, 3, 4, 5, 6]),
        (Filter(exclude={"category": ["kitchen", "clothing/shirts"]}), [5, 6]),
        (Filter(exclude={"available": [True], "price": [20]}), [5, 6]),
        (Filter(exclude={"brand": []}), [1, 2, 3, 4, 5, 6]),
        (Filter(ranges={"price": Range(gte=20, lte=40.5)}), [2, 3, 4]),
        (Filter(ranges={"price": Range(gte=41)}), [5]),
        (Filter(ranges={"price": Range(lte=10)}), [1]),
        (Filter(ranges={"price": Range()}), [1, 2, 3, 4, 5, 6]),
        (Filter(ranges={"product_id": Range(gte=5)}), [5, 6]),
        (Filter(exclude_ids={1, 2, 3, 2**64, -1}), [4, 5, 6]),
        (
            Filter(
                match={"available": True},
                match_any={"category": ["clothing", "kitchen/mugs"]},
                exclude={"tags": ["red"]},
                ranges={"price": Range(lte=45)},
                exclude_ids=[3],
            ),
            [4],
        ),
    ],
    ids=repr,
)
def test_a_filter_lets_through_what_meets_all_conditions(
    index: VectorIndex, shared_collection: str, wanted: Filter, passing: list[int]
) -> None:
    assert found(index, shared_collection, wanted) == passing


def test_a_new_collection_can_be_filtered_by_every_field(index: VectorIndex, shared_collection: str) -> None:
    assert index.missing_fields(shared_collection) == frozenset()
    with pytest.raises(CollectionNotFound):
        index.missing_fields("nobody")


def test_a_field_that_is_not_indexed_cannot_be_filtered_by() -> None:
    with pytest.raises(InvalidFilter, match=r"colour.*brand"):
        Filter(match={"colour": "red"})


@pytest.mark.parametrize(
    "conditions",
    [
        {"match": {"brand": 3}},
        {"match": {"available": 1}},
        {"match": {"product_id": True}},
        {"match_any": {"price": ["cheap"]}},
        {"match_each": {"tags": [["new"], [1]]}},
        {"exclude": {"tags": [None]}},
        {"ranges": {"brand": Range(gte=1)}},
    ],
)
def test_a_value_that_a_field_never_holds_is_refused(conditions: dict[str, Any]) -> None:
    with pytest.raises(InvalidFilter):
        Filter(**conditions)


def test_grouped_by_product_the_best_image_of_each_comes_once(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection()
    index.upsert(name, [Point(i, vector(1, i / 10, 0, 0), {"product_id": 100 + i % 4}) for i in range(20)])
    hits = index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)], limit=3, group_by_product=True))
    assert [(hit.id, hit.product_id) for hit in hits] == [(0, 100), (1, 101), (2, 102)]


@pytest.mark.parametrize("optimised", [False, True])
def test_a_product_with_two_hundred_near_images_does_not_crowd_out_the_others(
    index: VectorIndex, collection: MakeCollection, optimised: bool
) -> None:
    name = collection(8)
    spread = vectors(260, 8) * 0.01
    spread[:200, 0] += 1
    spread[200:, :2] += 1
    index.upsert(name, [Point(i, row, {"product_id": 1 if i < 200 else i}) for i, row in enumerate(spread)])
    if optimised:
        index.optimise(name)
    query = VectorQuery(positive=[vector(1, 0, 0, 0, 0, 0, 0, 0)], limit=12, group_by_product=True)
    products = [hit.product_id for hit in index.query(name, query)]
    assert products[0] == 1
    assert len(products) == len(set(products)) == 12


def test_grouping_keeps_filter_min_score_and_vectors(index: VectorIndex, shared_collection: str) -> None:
    query = VectorQuery(
        positive=[vector(1, 0, 0, 0)],
        filter=Filter(match={"category": "clothing"}),
        min_score=0.99,
        group_by_product=True,
        with_vectors=True,
    )
    hits = index.query(shared_collection, query)
    assert ids(hits) == [1, 2]
    assert hits[0].vector is not None
    assert hits[0].vector.tolist() == [1, 0, 0, 0]


def test_vectors_come_only_where_they_are_asked_for(index: VectorIndex, shared_collection: str) -> None:
    (bare,) = index.query(shared_collection, VectorQuery(positive=[vector(1, 0, 0, 0)], limit=1))
    (full,) = index.query(shared_collection, VectorQuery(positive=[vector(1, 0, 0, 0)], limit=1, with_vectors=True))
    assert bare.vector is None
    assert full.vector is not None
    assert full.vector.dtype == np.float32
    assert full.vector.tolist() == [1, 0, 0, 0]


def test_a_point_as_example_finds_its_neighbours_and_not_itself(index: VectorIndex, shared_collection: str) -> None:
    assert ids(index.query(shared_collection, VectorQuery(positive_ids=[3], limit=2))) in ([2, 4], [4, 2])
    assert 3 not in ids(index.query(shared_collection, VectorQuery(positive_ids=[3], limit=10, group_by_product=True)))


def test_several_examples_are_averaged_as_directions(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection(distance=Distance.DOT)
    index.upsert(name, [point(1, (1, 0, 0, 0)), point(2, (0, 3, 0, 0)), point(3, (1, 1, 0, 0)), point(4, (0, 0, 1, 0))])
    (best, *_) = index.query(name, VectorQuery(positive_ids=[1, 2]))
    assert best.id == 3
    assert best.score == pytest.approx(1.0)
    (again, *_) = index.query(name, VectorQuery(positive=[vector(5, 0, 0, 0)], positive_ids=[2]))
    assert again.id == 3
    assert again.score == pytest.approx(1.0)


def test_negative_examples_push_away(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection()
    index.upsert(
        name, [point(1, (1, 0.2, 0, 0)), point(2, (1, -0.2, 0, 0)), point(3, (0, 1, 0, 0)), point(4, (0, -1, 0, 0))]
    )
    liked = vector(1, 0, 0, 0)
    assert ids(index.query(name, VectorQuery(positive=[liked], negative=[vector(0, 1, 0, 0)])))[0] == 2
    assert ids(index.query(name, VectorQuery(positive=[liked], negative_ids=[3]))) == [2, 1, 4]


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("group_by_product", [False, True])
def test_liked_and_disliked_points_are_left_out_of_the_answer(
    index: VectorIndex, collection: MakeCollection, distance: Distance, group_by_product: bool
) -> None:
    name = collection(4, distance)
    index.upsert(
        name,
        [
            point(1, (1, 0, 0, 0)),
            point(2, (1, 0.1, 0, 0)),
            point(3, (0, 0, 1, 0)),
            point(4, (1, 0.2, 0, 0)),
            point(5, (0, 0, 1, 0.2)),
        ],
    )
    query = VectorQuery(positive_ids=[1, 2], negative_ids=[3], limit=5, group_by_product=group_by_product)
    assert ids(index.query(name, query)) == [4, 5]


@pytest.mark.parametrize("distance", Distance)
def test_examples_given_as_vectors_and_as_points_answer_alike(
    index: VectorIndex, collection: MakeCollection, distance: Distance
) -> None:
    name, examples = collection(4, distance), (vector(1, 0, 0, 0), vector(0, 0, 1, 0))
    index.upsert(name, [Point(1, examples[0], {"product_id": 1}), Point(2, examples[1], {"product_id": 2})])
    index.upsert(name, [point(3, (1, 0, 0.1, 0)), point(4, (1, 0.3, 0, 0)), point(5, (0.2, 0, 1, 0))])
    by_id = index.query(name, VectorQuery(positive_ids=[1], negative_ids=[2]))
    by_vector = index.query(
        name, VectorQuery(positive=examples[:1], negative=examples[1:], filter=Filter(exclude_ids=[1, 2]))
    )
    assert ids(by_id) == ids(by_vector)
    assert [hit.score for hit in by_id] == pytest.approx([hit.score for hit in by_vector], abs=1e-6)


def test_excluded_points_and_any_of_several_values_hold_for_grouped_queries_too(
    index: VectorIndex, shared_collection: str
) -> None:
    wanted = Filter(match_any={"brand": ["Ada", "Bo"]}, exclude_ids=[1, 4])
    query = VectorQuery(positive=[vector(1, 0, 0, 0)], filter=wanted, group_by_product=True)
    assert ids(index.query(shared_collection, query)) == [2, 3]


def test_example_points_that_are_not_there_are_passed_over(index: VectorIndex, shared_collection: str) -> None:
    some = index.query(shared_collection, VectorQuery(positive_ids=[1, 999], limit=2))
    assert ids(some) == [2, 3]
    with pytest.raises(InvalidVector, match="999"):
        index.query(shared_collection, VectorQuery(positive_ids=[999]))
    with pytest.raises(InvalidVector, match="positive"):
        index.query(shared_collection, VectorQuery())


ODD_VECTORS = {
    "too short": vector(1, 0, 0),
    "too long": vector(1, 0, 0, 0, 0),
    "a matrix": np.ones((1, 4), np.float32),
    "NaN": vector(1, np.nan, 0, 0),
    "infinite": vector(1, np.inf, 0, 0),
    "all zeros": vector(0, 0, 0, 0),
    "next to zero": vector(1e-30, 0, 0, 0),
    "beyond float32": np.array([1e300, 0, 0, 0]),
    "of no finite length": vector(1e30, 1e30, 0, 0),
}


@pytest.mark.parametrize("odd", ODD_VECTORS.values(), ids=ODD_VECTORS.keys())
def test_an_odd_vector_is_refused_and_nothing_is_written(
    index: VectorIndex, shared_collection: str, odd: Vector
) -> None:
    with pytest.raises(InvalidVector):
        index.upsert(shared_collection, [point(50), Point(51, odd, {"product_id": 1})])
    assert index.retrieve(shared_collection, [50, 51]) == {}
    with pytest.raises(InvalidVector):
        index.query(shared_collection, VectorQuery(positive=[odd]))


@pytest.mark.parametrize(
    "odd",
    [
        Point(51, vector(1, 0, 0, 0), {"brand": "Ada"}),
        Point(51, vector(1, 0, 0, 0), {"product_id": "51"}),
        Point(51, vector(1, 0, 0, 0), {"product_id": 1, "price": float("nan")}),
        Point(51, vector(1, 0, 0, 0), {"product_id": 1, "tags": ["a", 3]}),
        Point(-1, vector(1, 0, 0, 0), {"product_id": 1}),
        Point(2**64, vector(1, 0, 0, 0), {"product_id": 1}),
        Point(51, vector(1, 0, 0, 0), {"product_id": 2**63}),
        Point(51, vector(1, 0, 0, 0), {"product_id": -(2**63) - 1}),
    ],
)
def test_an_odd_payload_or_id_is_refused_and_nothing_is_written(
    index: VectorIndex, shared_collection: str, odd: Point
) -> None:
    with pytest.raises(InvalidPayload):
        index.upsert(shared_collection, [point(50), odd])
    assert index.count(shared_collection) == 6


def test_an_odd_patch_is_refused(index: VectorIndex, shared_collection: str) -> None:
    with pytest.raises(InvalidPayload, match="price"):
        index.set_payload(shared_collection, [1], {"price": "ten"})


def test_an_unknown_collection_is_named(index: VectorIndex) -> None:
    for name in ("nowhere", "../nowhere", "no/where/nowhere", "nowhere?", "nowhere" * 20):
        for ask in (
            lambda name=name: index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)])),
            lambda name=name: index.query(name, VectorQuery(positive_ids=[1])),
            lambda name=name: index.query_batch(name, [VectorQuery(positive=[vector(1, 0, 0, 0)])]),
            lambda name=name: index.upsert(name, [point(1)]),
            lambda name=name: index.set_payload(name, [1], {"price": 1}),
            lambda name=name: index.delete(name, [1]),
            lambda name=name: index.count(name),
            lambda name=name: index.scroll(name),
            lambda name=name: index.optimise(name),
        ):
            with pytest.raises(CollectionNotFound, match="nowhere"):
                ask()
        assert not index.exists(name)
        index.drop(name)
        index.close(name)


def test_ensuring_twice_keeps_the_points(index: VectorIndex) -> None:
    wanted = IndexCollection(f"test-{uuid.uuid4().hex}", 4, Distance.L2)
    assert not index.exists(wanted.name)
    index.ensure(wanted)
    index.upsert(wanted.name, [point(1)])
    index.ensure(wanted)
    assert index.exists(wanted.name)
    assert index.count(wanted.name) == 1
    index.drop(wanted.name)


@pytest.mark.parametrize("other", [{"dim": 5, "distance": Distance.L2}, {"dim": 4, "distance": Distance.DOT}])
def test_a_collection_of_another_encoder_is_not_taken_over(
    index: VectorIndex, collection: MakeCollection, other: dict[str, Any]
) -> None:
    name = collection(4, Distance.L2)
    index.upsert(name, [point(1)])
    with pytest.raises(EncoderMismatch, match=r"4 dimensions compared by l2"):
        index.ensure(IndexCollection(name, **other))
    assert index.count(name) == 1


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 200])
def test_a_name_that_is_no_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        IndexCollection(name, 4)


def test_a_dropped_collection_is_gone_and_can_be_made_anew(index: VectorIndex, stocked_collection: str) -> None:
    assert index.count(stocked_collection) == 6
    index.drop(stocked_collection)
    index.drop(stocked_collection)
    assert not index.exists(stocked_collection)
    with pytest.raises(CollectionNotFound):
        index.count(stocked_collection)
    index.ensure(IndexCollection(stocked_collection, 7, Distance.DOT))
    assert index.count(stocked_collection) == 0
    index.upsert(stocked_collection, [Point(1, np.ones(7, np.float32), {"product_id": 1})])


def test_collections_do_not_mix(index: VectorIndex, collection: MakeCollection) -> None:
    one, other = collection(4), collection(4)
    index.upsert(one, [point(1)])
    index.upsert(other, [point(2)])
    assert ids(index.query(one, VectorQuery(positive=[vector(1, 0, 0, 0)]))) == [1]
    index.drop(one)
    assert index.count(other) == 1


def test_scrolling_gives_every_point_once_by_ascending_id(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection()
    stored = [2**64 - 1, *(FIRST_ID + ID_STEP * i for i in range(22)), 0, 3]
    # Ids of products end where the database's do.
    products = {each: min(each, 2**63 - 1) for each in stored}
    index.upsert(name, [point(each, product_id=products[each], brand=str(each)) for each in stored])
    batches = list(index.scroll(name, batch_size=10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    seen = [each for batch in batches for each in batch]
    assert [each.id for each in seen] == sorted(stored)
    assert all(each.payload == {"product_id": products[each.id], "brand": str(each.id)} for each in seen)
    assert all(each.vector.shape == (0,) for each in seen)


def test_scrolling_goes_on_after_an_id(index: VectorIndex, shared_collection: str) -> None:
    assert [[each.id for each in batch] for batch in index.scroll(shared_collection, batch_size=2, after=2)] == [
        [3, 4],
        [5, 6],
    ]
    assert list(index.scroll(shared_collection, after=6)) == []
    assert list(index.scroll(shared_collection, after=2**64 - 1)) == []


def test_an_empty_collection_answers_with_nothing(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection()
    index.upsert(name, [])
    index.optimise(name)
    assert index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)])) == []
    assert index.query(name, VectorQuery(positive=[vector(1, 0, 0, 0)], group_by_product=True)) == []
    assert list(index.scroll(name)) == []
    assert index.count(name) == 0


def test_a_query_asks_for_at_least_one_hit() -> None:
    with pytest.raises(InvalidFilter, match="at least one"):
        VectorQuery(positive=[vector(1, 0, 0, 0)], limit=0)


def test_a_closed_index_opens_again_with_everything_there(index: VectorIndex, shared_collection: str) -> None:
    index.close(shared_collection)
    assert index.count(shared_collection) == 6
    index.close()
    assert ids(index.query(shared_collection, VectorQuery(positive=[vector(1, 0, 0, 0)], limit=2))) == [1, 2]
    assert index.retrieve(shared_collection, [4])[4].payload["price"] == 40.5


@searching
def test_filtered_queries_find_what_is_there_once_the_graph_is_built(
    index: VectorIndex, collection: MakeCollection
) -> None:
    matrix, targets = vectors(5000, 32), vectors(20, 32, seed=1)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    name = collection(32)
    index.upsert(
        name, [Point(i, row, {"product_id": i // 2, "brand": f"brand {i % 20}"}) for i, row in enumerate(matrix)]
    )
    index.optimise(name)
    for wanted, passing in (
        (Filter(match={"brand": "brand 7"}), np.arange(7, 5000, 20)),
        (Filter(ranges={"product_id": Range(gte=2000)}), np.arange(4000, 5000)),
        (Filter(), np.arange(5000)),
    ):
        right = 0
        for target in targets:
            nearest = passing[np.argsort(-(matrix[passing] @ target))[:10]]
            hits = index.query(name, VectorQuery(positive=[target], filter=wanted, limit=10))
            assert len(hits) == 10
            right += len({int(each) for each in nearest} & set(ids(hits)))
        assert right / (10 * len(targets)) >= 0.9, wanted


CLUSTERED, CLUSTERS, DEPARTMENTS = 2000, 50, 5


def clustered() -> NDArray[np.float32]:
    """Unit vectors [CLUSTERED, 32]; the i-th is in cluster i % CLUSTERS."""
    centres = vectors(CLUSTERS, 32)[np.arange(CLUSTERED) % CLUSTERS]
    rows = centres + 0.5 * vectors(CLUSTERED, 32, seed=1)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="session")
def departments(indexes: dict[str, VectorIndex]) -> Iterator[dict[int, str]]:
    """Clusters in each index, with its graph: each is of one brand, and every fifth of the same department."""
    names = {}
    points = [
        Point(
            i,
            row,
            {
                "product_id": i,
                "category": [f"department {i % DEPARTMENTS}"],
                "brand": f"brand {i % CLUSTERS}",
                "active": True,
            },
        )
        for i, row in enumerate(clustered())
    ]
    for index in map(indexes.__getitem__, SEARCHING):
        name = f"test-{uuid.uuid4().hex}"
        index.ensure(IndexCollection(name, 32))
        index.upsert(name, points)
        index.optimise(name)
        names[id(index)] = name
    yield names
    for index in map(indexes.__getitem__, SEARCHING):
        index.drop(names[id(index)])


def hiding(what: str, number: int) -> tuple[Filter, NDArray[np.bool_]]:
    """A filter, beside a point, and which points pass it."""
    others = np.arange(CLUSTERED)
    brand, department = number % CLUSTERS, number % DEPARTMENTS
    match what:
        case "nothing":
            return Filter(match={"active": True}), others >= 0
        case "its brand":
            return Filter(exclude={"brand": [f"brand {brand}"]}), others % CLUSTERS != brand
        case "another brand":
            another = (brand + 1) % CLUSTERS
            return Filter(exclude={"brand": [f"brand {another}"]}), others % CLUSTERS != another
        case "its department":
            return Filter(exclude={"category": [f"department {department}"]}), others % DEPARTMENTS != department
        case "all but another department":
            another = (department + 1) % DEPARTMENTS
            return Filter(match={"category": f"department {another}"}), others % DEPARTMENTS == another
        case _:
            near = [int(each) for each in others[others % CLUSTERS == brand]]
            return Filter(exclude={"product_id": near}), others % CLUSTERS != brand


@searching
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in a batch"])
@pytest.mark.parametrize(
    "what",
    [
        "nothing",
        "its brand",
        "another brand",
        "its department",
        "all but another department",
        "the products next to it",
    ],
)
def test_a_filter_that_hides_where_the_search_arrives_still_finds_the_nearest(
    index: VectorIndex, departments: dict[int, str], what: str, together: bool
) -> None:
    matrix, name, asked = clustered(), departments[id(index)], range(0, CLUSTERED, 167)
    queries = [
        VectorQuery(positive=[matrix[number]], filter=hiding(what, number)[0], limit=10, group_by_product=True)
        for number in asked
    ]
    answers = index.query_batch(name, queries) if together else [index.query(name, query) for query in queries]
    shares = []
    for number, answer in zip(asked, answers, strict=True):
        scores = np.where(hiding(what, number)[1], matrix @ matrix[number], -np.inf)
        nearest = {int(each) for each in np.argsort(-scores)[:10]}
        shares.append(len(nearest & set(ids(answer))) / 10)
    assert np.mean(shares) >= 0.97
    assert min(shares) >= 0.8


@searching
def test_of_near_identical_photos_the_nearest_are_found(index: VectorIndex, collection: MakeCollection) -> None:
    """Whole numbers of eight bits cannot separate them."""
    rows = vectors(40, 64)[np.arange(2000) % 40] + 0.1 * vectors(2000, 64, seed=1)
    matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    name = collection(64)
    index.upsert(name, [Point(i, row, {"product_id": i}) for i, row in enumerate(matrix)])
    index.optimise(name)
    right = 0
    for number in range(0, 2000, 101):
        nearest = {int(each) for each in np.argsort(-(matrix @ matrix[number]))[:10]}
        right += len(nearest & set(ids(index.query(name, VectorQuery(positive=[matrix[number]], limit=10)))))
    assert right / 200 >= 0.98


def test_queries_go_on_in_many_threads_while_another_writes(index: VectorIndex, collection: MakeCollection) -> None:
    name = collection(16)
    matrix = vectors(600, 16)
    points = [Point(i, row, {"product_id": i}) for i, row in enumerate(matrix)]
    index.upsert(name, points[:200])

    def write(start: int) -> None:
        for first in range(start, start + 100, 10):
            index.upsert(name, points[first : first + 10])
            index.set_payload(name, [first], {"price": 1})

    def ask(number: int) -> list[int]:
        return [ids(index.query(name, VectorQuery(positive=[matrix[number]], limit=5)))[0] for _ in range(10)]

    with ThreadPoolExecutor(8) as threads:
        writes = [threads.submit(write, start) for start in (200, 300, 400, 500)]
        asked = [threads.submit(ask, number) for number in range(20)]
        for done in writes:
            done.result()
        assert [set(answer.result()) for answer in asked] == [{number} for number in range(20)]
    assert index.count(name) == 600
    assert index.count(name, Filter(ranges={"price": Range(gte=1)})) == 40


def test_a_sketch_is_never_farther_from_another_than_the_vectors_are(
    index: VectorIndex, collection: MakeCollection
) -> None:
    name, matrix = collection(20), vectors(40, 20)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    index.upsert(name, [Point(i, row, {"product_id": i}) for i, row in enumerate(matrix)])
    query = VectorQuery(positive=[matrix[0]], limit=40)
    for hits in (index.query(name, query), index.query(name, query)):
        sketches = {hit.id: np.frombuffer(hit.sketch, np.float32) for hit in hits if hit.sketch is not None}
        assert len(sketches) in (0, 40)
        for one, sketch in sketches.items():
            for other, another in sketches.items():
                apart = float(np.linalg.norm(matrix[one] - matrix[other]))
                assert np.linalg.norm(sketch - another) <= apart + 1e-6


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("group_by_product", [False, True])
def test_a_batch_answers_like_its_queries_one_by_one(
    index: VectorIndex, collection: MakeCollection, distance: Distance, group_by_product: bool
) -> None:
    name, matrix = collection(16, distance), vectors(300, 16)
    matrix[200:] = matrix[0]  # more ties than any limit
    index.upsert(
        name, [Point(i, row, {"product_id": i // 3, "brand": f"brand {i % 2}"}) for i, row in enumerate(matrix)]
    )
    query = VectorQuery(positive=[matrix[0]], limit=10, group_by_product=group_by_product)
    queries = [
        *(replace(query, positive=[target]) for target in vectors(20, 16, seed=1)),
        query,
        replace(query, limit=150),
        replace(query, positive=(), positive_ids=[3, 4], negative_ids=[5]),
        replace(query, filter=Filter(match={"brand": "brand 1"}, exclude_ids=[1]), with_vectors=True),
        replace(query, min_score=distance.score_of(0.5 if distance.sign == 1 else 3.0)),
    ]
    answers = index.query_batch(name, queries)
    assert [ids(answer) for answer in answers] == [ids(index.query(name, each)) for each in queries]
    assert [hit.vector is None for answer in answers for hit in answer] == [
        not each.with_vectors for each, answer in zip(queries, answers, strict=True) for _ in answer
    ]
    assert index.query_batch(name, []) == []


def test_a_batch_with_one_odd_query_is_refused(index: VectorIndex, shared_collection: str) -> None:
    with pytest.raises(InvalidVector):
        index.query_batch(
            shared_collection, [VectorQuery(positive=[vector(1, 0, 0, 0)]), VectorQuery(positive=[vector(1, 0)])]
        )
