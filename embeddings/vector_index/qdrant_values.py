"""Points, vectors, collections and filters as a Qdrant server takes and gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from qdrant_client import models

from embeddings.errors import EncoderMismatch
from embeddings.vector_index.base import (
    PAYLOAD_FIELDS,
    Distance,
    FieldType,
    Filter,
    Hit,
    IndexCollection,
    Point,
    SparseVector,
    Vector,
)
from embeddings.vector_index.checks import possible_ids

DENSE = ""  # the server's name of the vector that has none

DISTANCES = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.DOT: models.Distance.DOT,
    Distance.L2: models.Distance.EUCLID,
    Distance.L1: models.Distance.MANHATTAN,
}


def own_collection(name: str, info: models.CollectionInfo) -> IndexCollection:
    """A collection as it was given to the server. Raises EncoderMismatch where others have made it."""
    vectors, sparse = info.config.params.vectors, tuple(sorted(info.config.params.sparse_vectors or ()))
    if not vectors and sparse:
        return IndexCollection(name, 0, Distance.COSINE, sparse)
    if not isinstance(vectors, models.VectorParams):
        raise EncoderMismatch(f"the collection {name} was made by others, its vectors have names: use another name")
    distance = next(own for own, theirs in DISTANCES.items() if theirs == vectors.distance)
    return IndexCollection(name, vectors.size, distance, sparse)


def own_points(records: Iterable[models.Record]) -> dict[int, Point]:
    """Points as they were given to the server, by id."""
    return {
        int(record.id): Point(int(record.id), _vector(record.vector), record.payload or {}, _sparse(record.vector))
        for record in records
    }


def server_vector(point: Point) -> Any:
    """The vectors of a point as the server takes them."""
    if not point.sparse and len(point.vector):
        return point.vector.tolist()
    dense = {DENSE: point.vector.tolist()} if len(point.vector) else {}
    return {**dense, **{name: server_sparse(each) for name, each in point.sparse.items()}}


def server_sparse(vector: SparseVector) -> models.SparseVector:
    """A sparse vector for the server."""
    return models.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())


def _vector(vector: Any) -> Vector:
    if isinstance(vector, dict):
        vector = vector.get(DENSE)
    return np.asarray([] if vector is None else vector, dtype=np.float32)


def _sparse(vectors: Any) -> dict[str, SparseVector]:
    if not isinstance(vectors, dict):
        return {}
    return {
        name: SparseVector(np.asarray(each.indices, dtype=np.uint32), np.asarray(each.values, dtype=np.float32))
        for name, each in vectors.items()
        if name != DENSE
    }


def own_hit(point: models.ScoredPoint) -> Hit:
    """A hit with the score as the server has it."""
    vector = None if point.vector is None else _vector(point.vector)
    return Hit(int(point.id), (point.payload or {})["product_id"], point.score, vector)


def with_ids(ids: Sequence[int], conditions: models.Filter | None) -> models.Filter:
    """The condition that a point has one of these ids, beside others."""
    chosen = models.HasIdCondition(has_id=[*ids])
    return models.Filter(must=[chosen] if conditions is None else [chosen, conditions])


def server_filter(filter: Filter, hidden: Iterable[int]) -> models.Filter | None:
    """The conditions of a filter; None: it has none. hidden: ids of points that do not meet them."""
    must: list[Any] = [_any_of(name, [value]) for name, value in filter.match.items()]
    must += [_any_of(name, values) for name, values in filter.match_any.items()]
    must += [_any_of(name, values) for name, lists in filter.match_each.items() for values in lists]
    must += [
        _between(name, interval.gte, interval.lte)
        for name, interval in filter.ranges.items()
        if interval.gte is not None or interval.lte is not None
    ]
    must_not: list[Any] = [_any_of(name, values) for name, values in filter.exclude.items()]
    if ids := possible_ids(hidden):
        must_not.append(models.HasIdCondition(has_id=[*ids]))
    return models.Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def _any_of(name: str, values: Sequence[Any]) -> Any:
    """The condition that one of the values matches."""
    one_by_one: dict[FieldType, Callable[[Any], models.FieldCondition]] = {
        FieldType.FLOAT: lambda value: _between(name, value, value),  # a float is matched by a range alone
        FieldType.BOOL: lambda value: models.FieldCondition(key=name, match=models.MatchValue(value=value)),
    }
    condition = one_by_one.get(PAYLOAD_FIELDS[name])
    if condition is not None and values:
        return models.Filter(should=[condition(value) for value in values])
    return models.FieldCondition(key=name, match=models.MatchAny(any=list(values)))


def _between(name: str, gte: float | None, lte: float | None) -> models.FieldCondition:
    return models.FieldCondition(
        key=name,
        range=models.Range(gte=None if gte is None else float(gte), lte=None if lte is None else float(lte)),
    )
