"""What every adapter checks of points, vectors and payloads before it stores them or looks for them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import CollectionNotFound, IndexMismatch, InvalidPayload, InvalidVector
from embeddings.vector_index.base import (
    MAX_ID,
    PAYLOAD_FIELDS,
    FieldType,
    IndexCollection,
    Payload,
    Point,
    SparseVector,
    Vector,
)
from embeddings.vector_index.scoring import comparable

_KIND_OF = {FieldType.KEYWORD: str, FieldType.BOOL: bool, FieldType.INTEGER: int, FieldType.FLOAT: float}
# Of which not all can be stored.
_BOUNDED = (int, float)
# The fields with the Python type of what is stored of them.
_KINDS = tuple((name, field_type, _KIND_OF[field_type]) for name, field_type in PAYLOAD_FIELDS.items())


def check_same(stands: IndexCollection, wanted: IndexCollection) -> None:
    """Compare a collection that exists with the one that is wanted.

    Args:
        stands: as it exists.
        wanted: as the encoder version needs it.

    Raises:
        IndexMismatch: they differ in dim, distance or sparse vectors.
    """
    if {*stands.sparse} != {*wanted.sparse}:
        raise IndexMismatch(
            f"the index {wanted.name} stands with the sparse vectors {', '.join(sorted(stands.sparse)) or 'none'}, "
            f"but {', '.join(sorted(wanted.sparse)) or 'none'} are wanted: it has to be rebuilt"
        )
    if (stands.dim, stands.distance) != (wanted.dim, wanted.distance):
        raise IndexMismatch(
            f"the index {wanted.name} stands with {stands.dim} dimensions compared by {stands.distance}, "
            f"but {wanted.dim} by {wanted.distance} are wanted: it is not this encoder version's"
        )


def not_found(name: str) -> CollectionNotFound:
    """The error for a collection that does not exist."""
    return CollectionNotFound(f"there is no index {name!r}: nothing was indexed yet")


def checked_vectors(vectors: Sequence[Vector], dim: int) -> NDArray[np.float32]:
    """Vectors as a matrix, checked: engines store NaN and all-zero vectors without an error.

    Args:
        vectors: of any number type.
        dim: the length that each has to have.

    Returns:
        float32 [n, dim].

    Raises:
        InvalidVector: a vector has another shape, an entry that is not finite, or no direction.
    """
    for vector in vectors:
        if np.shape(vector) != (dim,):
            raise InvalidVector(f"a vector of shape {np.shape(vector)} does not fit a collection of {dim} dimensions")
    if not dim:
        return np.empty((len(vectors), 0), dtype=np.float32)
    with np.errstate(over="ignore", under="ignore"):
        matrix = np.asarray(vectors, dtype=np.float32).reshape(len(vectors), dim)
        # As numpy.linalg.norm, which takes longer for a single vector.
        lengths = np.sqrt(np.add.reduce(matrix * matrix, axis=1))
    if (lengths > 0).all() and np.isfinite(lengths).all():
        return matrix
    if not np.isfinite(matrix).all():
        raise InvalidVector("a vector has a NaN or infinite entry")
    if not (lengths > 0).all():
        raise InvalidVector("a vector is all zeros (or next to it), so it has no direction")
    raise InvalidVector("a vector is too long for float32 to hold its length")


def checked_points(points: Iterable[Point], collection: IndexCollection) -> list[Point]:
    """Points as they are stored.

    Args:
        points: of two with one id the later counts.
        collection: where they are stored.

    Returns:
        One point for each id, with a float32 vector (unit length for cosine) and JSON values in the payload.

    Raises:
        InvalidVector: a vector cannot be stored.
        InvalidPayload: a payload or an id cannot be stored.
    """
    latest = {point.id: point for point in points}
    vectors = checked_vectors([point.vector for point in latest.values()], collection.dim)
    matrix = comparable(vectors, collection.distance)
    checked = []
    for point, vector in zip(latest.values(), matrix, strict=True):
        if not 0 <= point.id <= MAX_ID:
            raise InvalidPayload(f"the id {point.id} is not an unsigned number of 64 bits")
        if point.payload.get("product_id") is None:
            raise InvalidPayload(f"the point {point.id} has no product_id")
        if collection.of_products and point.payload["product_id"] != point.id:
            raise InvalidPayload(f"the point {point.id} of {collection.name} has another id than its product")
        sparse = {name: each for name, each in point.sparse.items() if len(each)}
        checked.append(Point(operator.index(point.id), vector, stored_payload(point.payload), sparse))
    _check_all_sparse(checked, collection)
    return checked


def _check_all_sparse(points: Sequence[Point], collection: IndexCollection) -> None:
    by_name: dict[str, list[SparseVector]] = {}
    for point in points:
        for name, each in point.sparse.items():
            by_name.setdefault(name, []).append(each)
    for name, vectors in by_name.items():
        _check_sparse(vectors, name, collection)


def checked_sparse(vector: SparseVector, name: str, collection: IndexCollection) -> SparseVector:
    """A sparse vector, checked: engines answer with anything where indices occur twice.

    Args:
        vector: what is looked for.
        name: of the sparse vector.
        collection: where it is stored.

    Returns:
        The same.

    Raises:
        InvalidVector: the collection has no such sparse vector, or the vector is none.
    """
    _check_sparse([vector], name, collection)
    return vector


def _check_sparse(vectors: Sequence[SparseVector], name: str, collection: IndexCollection) -> None:
    """Several at once, of which none is empty, or one: NumPy takes longer to be called for each than to look at all."""
    if name not in collection.sparse:
        raise InvalidVector(
            f"the index {collection.name} has no sparse vector {name!r}; it has {', '.join(sorted(collection.sparse)) or 'none'}"
        )
    for each in vectors:
        if each.indices.dtype != np.uint32 or each.indices.shape != each.values.shape or each.indices.ndim != 1:
            raise InvalidVector(f"the sparse vector {name} has to have as many values as indices, which are uint32")
    indices = np.concatenate([each.indices for each in vectors])
    ascends = indices[1:] > indices[:-1]
    # From the last index of a vector to the first of the next one.
    ascends[np.cumsum([len(each) for each in vectors[:-1]], dtype=np.intp) - 1] = True
    if not ascends.all():
        raise InvalidVector(f"the sparse vector {name} has to have ascending indices, each once")
    if not np.isfinite(np.concatenate([each.values for each in vectors])).all():
        raise InvalidVector(f"the sparse vector {name} has a NaN or infinite entry")


def stored_payload(payload: Payload) -> dict[str, Any]:
    """A payload as it is stored.

    Args:
        payload: fields of PAYLOAD_FIELDS and others.

    Returns:
        The same, each field of PAYLOAD_FIELDS in the type of its index (a Decimal price as a float).

    Raises:
        InvalidPayload: a field holds a value that its index cannot hold.
    """
    stored = dict(payload)
    for name, field_type, kind in _KINDS:
        value = stored.get(name)
        # Nearly all values are of the type that is stored, or lists of it: seeing that is quicker than asking what a field holds.
        if value is None or (type(value) is kind and (kind not in _BOUNDED or field_type.holds(value))):
            continue
        if type(value) is list and kind not in _BOUNDED and all(type(each) is kind for each in value):
            stored[name] = value.copy()
            continue
        many = isinstance(value, (list, tuple, set, frozenset))
        values = list(value) if many else [value]
        if wrong := [each for each in values if not field_type.holds(each)]:
            raise InvalidPayload(f"{name} holds {field_type.described}, which {wrong[0]!r} is not")
        if field_type is FieldType.FLOAT:
            values = [float(each) for each in values]
        stored[name] = values if many else values[0]
    return stored


def possible_ids(ids: Iterable[int]) -> list[int]:
    """Those of the ids that a point can have, as plain ints; engines fail on others."""
    return [operator.index(each) for each in ids if 0 <= each <= MAX_ID]
