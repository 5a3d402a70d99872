"""The exact reference for the contract tests: a vector index in memory that compares every vector with NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Any

import numpy as np

from embeddings.vector_index.base import (
    Filter,
    Hit,
    IndexCollection,
    Payload,
    Point,
    SparseQuery,
    SparseVector,
    VectorQuery,
)
from embeddings.vector_index.checks import check_same, checked_points, checked_sparse, not_found, stored_payload
from embeddings.vector_index.scoring import best_first, best_of_products, near_enough, similarities
from embeddings.vector_index.targets import query_target


@dataclass(slots=True)
class Stored:
    """A collection of the index and its points."""

    collection: IndexCollection
    points: dict[int, Point] = field(default_factory=dict)


def sparse_product(left: SparseVector, right: SparseVector) -> float:
    """The product of two sparse vectors, as every adapter scores them."""
    _, ours, theirs = np.intersect1d(left.indices, right.indices, assume_unique=True, return_indices=True)
    return float(np.dot(left.values[ours], right.values[theirs]))


class MemoryVectorIndex:
    """A VectorIndex for tests, without persistence."""

    def __init__(self) -> None:
        self._stored: dict[str, Stored] = {}
        self._lock = RLock()
        self._revision = 0

    def contents(self) -> dict[str, Stored]:
        """A copy of all that is stored, by the name of its collection."""
        with self._lock:
            return deepcopy(self._stored)

    def fill(self, contents: dict[str, Stored]) -> None:
        """Replace all that is stored by a copy of these contents."""
        with self._lock:
            self._stored = deepcopy(contents)
            self._revision += 1

    def claim(self) -> None:
        """Nothing to claim: the vectors belong to this process."""

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:
        with self._lock:
            stands = self._stored.setdefault(collection.name, Stored(collection)).collection
        check_same(stands, collection)

    def exists(self, name: str) -> bool:
        return name in self._stored

    def missing_fields(self, name: str) -> frozenset[str]:
        self._get(name)
        return frozenset()

    def revision(self, name: str) -> int:
        self._get(name)
        return self._revision

    def copies(self, name: str) -> None:
        """There is one, in this process."""

    def drop(self, name: str) -> None:
        with self._lock:
            self._stored.pop(name, None)
            self._revision += 1

    def upsert(self, name: str, points: Iterable[Point]) -> None:
        with self._lock:
            stored = self._get(name)
            for point in checked_points(points, stored.collection):
                stored.points[point.id] = point
            self._revision += 1

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        with self._lock:
            stored = self._get(name)
            patch = stored_payload(payload)
            for image_id in ids:
                if point := stored.points.get(image_id):
                    product_id = point.payload["product_id"]
                    self._revision += patch.get("product_id", product_id) != product_id
                    stored.points[image_id] = replace(point, payload={**point.payload, **patch})

    def delete(self, name: str, ids: Sequence[int]) -> None:
        with self._lock:
            stored = self._get(name)
            for image_id in ids:
                stored.points.pop(image_id, None)
            self._revision += 1

    def retrieve(self, name: str, ids: Sequence[int]) -> dict[int, Point]:
        with self._lock:
            points = self._get(name).points
            return {image_id: points[image_id] for image_id in ids if image_id in points}

    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._lock:
            stored = self._get(name)
            target = query_target(query, stored.points, stored.collection)
            examples = {*query.positive_ids, *query.negative_ids}
            matching = [
                point for point in stored.points.values() if point.id not in examples and _matches(point, query.filter)
            ]
        if not matching:
            return []
        scores = similarities(np.stack([point.vector for point in matching]), target, stored.collection.distance)
        hits = [
            Hit(point.id, point.payload["product_id"], float(score), point.vector if query.with_vectors else None)
            for point, score in zip(matching, scores, strict=True)
            if near_enough(float(score), query.min_score)
        ]
        ranked = best_first(hits)
        if query.group_by_product:
            ranked = best_of_products(ranked)
        return ranked[: query.limit]

    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        self._get(name)
        return [self.query(name, query) for query in queries]

    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._lock:
            stored = self._get(name)
            wanted = checked_sparse(query.vector, query.using, stored.collection)
            matching = [
                (point, point.sparse[query.using])
                for point in stored.points.values()
                if query.using in point.sparse and _matches(point, query.filter)
            ]
        hits = [
            Hit(point.id, point.payload["product_id"], sparse_product(vector, wanted))
            for point, vector in matching
            if np.intersect1d(vector.indices, wanted.indices).size
        ]
        return best_first(hits)[: query.limit]

    def count(self, name: str, filter: Filter | None = None) -> int:
        with self._lock:
            points = self._get(name).points
            return sum(_matches(point, filter or Filter()) for point in points.values())

    def scroll(self, name: str, *, batch_size: int = 1000, after: int = -1) -> Iterator[list[Point]]:
        with self._lock:
            points = self._get(name).points
            rest = [replace(points[each], vector=np.empty(0, np.float32)) for each in sorted(points) if each > after]
        return (rest[start : start + batch_size] for start in range(0, len(rest), batch_size))

    def optimise(self, name: str) -> None:
        self._get(name)

    def close(self, name: str | None = None) -> None:
        """Nothing to close: the vectors are kept."""

    def _get(self, name: str) -> Stored:
        try:
            return self._stored[name]
        except KeyError:
            raise not_found(name) from None


def _matches(point: Point, filter: Filter) -> bool:
    def values(name: str) -> list[Any]:
        held = point.payload.get(name)
        return held if isinstance(held, list) else [held]

    return (
        point.id not in filter.exclude_ids
        and all(value in values(name) for name, value in filter.match.items())
        and all(any(value in values(name) for value in wanted) for name, wanted in filter.match_any.items())
        and all(
            any(value in values(name) for value in wanted)
            for name, lists in filter.match_each.items()
            for wanted in lists
        )
        and not any(value in values(name) for name, refused in filter.exclude.items() for value in refused)
        and all(
            any(
                value is not None
                and (interval.gte is None or value >= interval.gte)
                and (interval.lte is None or value <= interval.lte)
                for value in values(name)
            )
            for name, interval in filter.ranges.items()
            if interval.gte is not None or interval.lte is not None
        )
    )
