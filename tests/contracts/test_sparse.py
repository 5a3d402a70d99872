"""The contract of sparse vectors, which every adapter passes: words of products beside, or without, a vector of a photo."""

import uuid
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from embeddings.errors import EncoderMismatch, InvalidFilter, InvalidPayload, InvalidVector
from embeddings.vector_index.base import (
    NO_VECTOR,
    Filter,
    IndexCollection,
    Point,
    SparseQuery,
    SparseVector,
    VectorIndex,
    VectorQuery,
)

WORDS, GRAMS = "words", "grams"
LAST_INDEX = 2**32 - 1


def text(
    point_id: int, words: Mapping[int, float], grams: Mapping[int, float] | None = None, **payload: object
) -> Point:
    vectors = {WORDS: SparseVector.of(words), GRAMS: SparseVector.of(grams or {})}
    return Point(point_id, NO_VECTOR, {"product_id": point_id, "active": True, **payload}, vectors)


def asked(words: Mapping[int, float], limit: int = 10, using: str = WORDS, **conditions: str | bool) -> SparseQuery:
    return SparseQuery(using, SparseVector.of(words), Filter(match=conditions), limit)


@pytest.fixture
def texts(index: VectorIndex) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex}"
    index.ensure(IndexCollection(name, 0, sparse=(WORDS, GRAMS)))
    index.upsert(
        name,
        [
            text(1, {7: 1.0, 9: 0.5}, {70: 1.0}, brand="Ada"),
            text(2, {7: 2.0}, brand="Bo"),
            text(3, {LAST_INDEX: 1.5}, {70: 0.25}, brand="Ada"),
            text(4, {8: 1.0}, active=False),
        ],
    )
    yield name
    index.drop(name)


def test_points_that_share_an_entry_come_by_the_product_of_the_vectors(index: VectorIndex, texts: str) -> None:
    hits = index.query_sparse(texts, asked({7: 1.5, 9: 4.0, LAST_INDEX: 1.0, 1000: 3.0}))
    assert [(hit.id, hit.product_id) for hit in hits] == [(1, 1), (2, 2), (3, 3)]
    assert [hit.score for hit in hits] == pytest.approx([3.5, 3.0, 1.5])
    assert [hit.id for hit in index.query_sparse(texts, asked({70: 1.0}, using=GRAMS))] == [1, 3]


def test_a_filter_applies_to_sparse_queries(index: VectorIndex, texts: str) -> None:
    every = {7: 1.0, 8: 1.0, LAST_INDEX: 1.0}
    assert [hit.id for hit in index.query_sparse(texts, asked(every, brand="Ada"))] == [3, 1]
    assert [hit.id for hit in index.query_sparse(texts, asked(every, active=False))] == [4]


def test_equal_scores_come_by_ascending_id_also_where_the_limit_cuts(index: VectorIndex, texts: str) -> None:
    index.upsert(texts, [text(number, {50: 1.0}) for number in range(60, 20, -1)])
    assert [hit.id for hit in index.query_sparse(texts, asked({50: 2.0}, limit=5))] == [21, 22, 23, 24, 25]


def test_a_written_point_replaces_the_words_of_the_one_before(index: VectorIndex, texts: str) -> None:
    index.upsert(texts, [text(2, {8: 1.0})])
    index.delete(texts, [1])
    assert index.query_sparse(texts, asked({7: 1.0, 9: 1.0})) == []
    stored = index.retrieve(texts, [2])[2].sparse
    assert {name: each.indices.tolist() for name, each in stored.items()} == {WORDS: [8]}
    assert index.count(texts) == 3


def test_a_query_without_entries_finds_nothing(index: VectorIndex, texts: str) -> None:
    assert index.query_sparse(texts, asked({})) == []


def test_scores_follow_documents_of_ours_alone(index: VectorIndex, texts: str) -> None:
    before = index.query_sparse(texts, asked({9: 2.0}))[0].score
    index.upsert(texts, [text(number, {9: 0.1}) for number in range(100, 200)])
    index.delete(texts, [*range(100, 150)])
    assert index.query_sparse(texts, asked({9: 2.0}))[0].score == before == pytest.approx(1.0)


def test_a_vector_that_is_none_is_refused(index: VectorIndex, texts: str) -> None:
    twice = SparseVector(np.array([3, 3], dtype=np.uint32), np.ones(2, dtype=np.float32))
    for refused in (SparseQuery(WORDS, twice), asked({3: float("nan")}), asked({3: 1.0}, using="titles")):
        with pytest.raises(InvalidVector):
            index.query_sparse(texts, refused)
    with pytest.raises(InvalidVector, match="titles"):
        index.upsert(texts, [Point(9, NO_VECTOR, {"product_id": 9}, {"titles": SparseVector.of({1: 1.0})})])
    with pytest.raises(InvalidFilter):
        asked({3: 1.0}, limit=0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_vector_among_good_ones_is_refused(index: VectorIndex, texts: str, place: int) -> None:
    falling = SparseVector(np.array([8, 7], dtype=np.uint32), np.ones(2, dtype=np.float32))
    endless = SparseVector(np.array([8], dtype=np.uint32), np.array([np.inf], dtype=np.float32))
    uneven = SparseVector(np.array([8, 9], dtype=np.uint32), np.ones(1, dtype=np.float32))
    for bad in (falling, endless, uneven):
        points = [text(number, {9: 1.0, 10: 1.0}) for number in (20, 21)]
        points.insert(place, Point(22, NO_VECTOR, {"product_id": 22}, {WORDS: bad}))
        with pytest.raises(InvalidVector, match=WORDS):
            index.upsert(texts, points)
    assert index.count(texts) == 4


def test_a_point_with_another_id_than_its_product_is_refused(index: VectorIndex, texts: str) -> None:
    with pytest.raises(InvalidPayload, match="another id than its product"):
        index.upsert(texts, [text(9, {7: 1.0}, product_id=10)])


def test_an_index_without_the_sparse_vectors_is_not_taken_for_one_with_them(index: VectorIndex, texts: str) -> None:
    with pytest.raises(EncoderMismatch, match="sparse"):
        index.ensure(IndexCollection(texts, 0, sparse=(WORDS,)))


def test_words_and_a_vector_live_in_one_point(index: VectorIndex) -> None:
    name = f"test-{uuid.uuid4().hex}"
    index.ensure(IndexCollection(name, 3, sparse=(WORDS,)))
    try:
        vectors = np.eye(3, dtype=np.float32)
        points = [Point(i, row, {"product_id": i}, {WORDS: SparseVector.of({i: 1.0})}) for i, row in enumerate(vectors)]
        index.upsert(name, points)
        assert index.query(name, VectorQuery(positive=[vectors[1]], limit=1))[0].id == 1
        assert [hit.id for hit in index.query_sparse(name, asked({2: 1.0}))] == [2]
        assert index.retrieve(name, [2])[2].vector.tolist() == [0, 0, 1]
    finally:
        index.drop(name)


def test_words_and_a_vector_of_one_point_are_filtered_replaced_and_deleted_together(index: VectorIndex) -> None:
    name = f"test-{uuid.uuid4().hex}"
    index.ensure(IndexCollection(name, 3, sparse=(WORDS,)), bulk_load=True)
    try:
        vectors = np.eye(3, dtype=np.float32)

        def point(number: int, vector: int, word: int) -> Point:
            return Point(number, vectors[vector], {"product_id": number}, {WORDS: SparseVector.of({word: 1.0})})

        def nearest(vector: int, *among: int) -> list[int]:
            chosen = Filter(match_any={"product_id": [*among]})
            return [hit.id for hit in index.query(name, VectorQuery(positive=[vectors[vector]], filter=chosen))]

        index.upsert(name, [point(1, 0, 10), point(2, 0, 20), point(3, 1, 10)])
        index.optimise(name)
        assert nearest(0, 2, 3) == [2, 3]
        index.upsert(name, [point(2, 1, 10)])
        assert nearest(1, 1, 2) == [2, 1]
        assert [hit.id for hit in index.query_sparse(name, asked({10: 1.0}))] == [1, 2, 3]
        index.delete(name, [1])
        assert nearest(0, 1, 2) == [2]
        assert [hit.id for hit in index.query_sparse(name, asked({10: 1.0}))] == [2, 3]
        index.close(name)
        assert index.retrieve(name, [2])[2].vector.tolist() == [0, 1, 0]
    finally:
        index.drop(name)
