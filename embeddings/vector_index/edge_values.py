"""Points, vectors and filters as Qdrant Edge takes and gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import numpy as np
import qdrant_edge as engine

from embeddings.vector_index.base import (
    NO_VECTOR,
    PAYLOAD_FIELDS,
    FieldType,
    Filter,
    Payload,
    Point,
    SparseVector,
    Vector,
)
from embeddings.vector_index.checks import possible_ids
from embeddings.vector_index.known_points import KnownPoint
from embeddings.vector_index.scoring import sketches_of

DENSE = ""  # the engine's name of the vector that has none
_BOOLEANS = [name for name, field_type in PAYLOAD_FIELDS.items() if field_type is FieldType.BOOL]


def engine_payload(payload: Payload) -> dict[str, Any]:
    """A payload for the engine, which keeps booleans as 0 and 1."""
    return {**payload, **{name: int(value) for name in _BOOLEANS if (value := payload.get(name)) is not None}}


def own_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload as it was given to `engine_payload`."""
    return {**payload, **{name: bool(value) for name in _BOOLEANS if (value := payload.get(name)) is not None}}


def engine_vector(point: Point) -> Any:
    """The vectors of a point. Lists: the binding reads an array of 256 five times slower."""
    if not point.sparse and len(point.vector):
        return point.vector.tolist()
    dense = {DENSE: point.vector.tolist()} if len(point.vector) else {}
    return {**dense, **{name: engine_sparse(each) for name, each in point.sparse.items()}}


def engine_sparse(vector: SparseVector) -> engine.SparseVector:
    """A sparse vector for the engine."""
    return engine.SparseVector(vector.indices.tolist(), vector.values.tolist())


def engine_filter(filter: Filter) -> engine.Filter | None:
    """The conditions of a filter; None: it has none."""
    must: list[Any] = [_any_of(name, [value]) for name, value in filter.match.items()]
    must += [_any_of(name, values) for name, values in filter.match_any.items()]
    must += [_any_of(name, values) for name, lists in filter.match_each.items() for values in lists]
    must += [
        _between(name, interval.gte, interval.lte)
        for name, interval in filter.ranges.items()
        if interval.gte is not None or interval.lte is not None
    ]
    must_not: list[Any] = [_any_of(name, values) for name, values in filter.exclude.items()]
    if hidden := possible_ids(filter.exclude_ids):
        must_not.append(engine.HasIdCondition(set(hidden)))
    return engine.Filter(must=must, must_not=must_not) if must or must_not else None


def points_of(records: Iterable[engine.Record]) -> dict[int, Point]:
    """Points that were read, by id."""
    return {
        int(record.id): Point(
            int(record.id), vector_of(record), own_payload(record.payload or {}), _sparse_of(record.vector)
        )
        for record in records
    }


def known_of(records: Iterable[engine.Record]) -> tuple[dict[int, KnownPoint], dict[int, Vector]]:
    """What is kept of points that were read, and their vectors, by point id."""
    by_id = {int(record.id): record for record in records}
    vectors = {point_id: vector_of(record) for point_id, record in by_id.items()}
    sketches = sketches_of(np.stack([*vectors.values()])) if vectors else []
    known = {
        point_id: KnownPoint(int((record.payload or {})["product_id"]), sketch)
        for (point_id, record), sketch in zip(by_id.items(), sketches, strict=True)
    }
    return known, vectors


def vector_of(record: engine.Record) -> Vector:
    """The vector of a point, read-only. NumPy takes five times as long for the list that the engine gives."""
    stored: Any = record.vector
    if isinstance(stored, dict):
        stored = stored.get(DENSE)
    return NO_VECTOR if stored is None else np.frombuffer(_floats(len(stored)).pack(*stored), dtype=np.float32)


def _any_of(name: str, values: Sequence[Any]) -> Any:
    """The condition that one of the values matches."""
    if PAYLOAD_FIELDS[name] is FieldType.FLOAT and values:  # a float is matched by a range alone
        return engine.Filter(should=[_between(name, value, value) for value in values])
    if PAYLOAD_FIELDS[name] is FieldType.BOOL:
        values = [int(value) for value in values]
    return engine.FieldCondition(name, match=engine.MatchAny(list(values)))


def _between(name: str, gte: float | None, lte: float | None) -> engine.FieldCondition:
    return engine.FieldCondition(
        name,
        range=engine.RangeFloat(gte=None if gte is None else float(gte), lte=None if lte is None else float(lte)),
    )


def _sparse_of(stored: Any) -> dict[str, SparseVector]:
    if not isinstance(stored, dict):
        return {}
    return {
        name: SparseVector(np.asarray(each.indices, dtype=np.uint32), np.asarray(each.values, dtype=np.float32))
        for name, each in stored.items()
        if name != DENSE
    }


@lru_cache(maxsize=16)
def _floats(number: int) -> Struct:
    return Struct(f"{number}f")
