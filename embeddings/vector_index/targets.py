"""The one vector that the examples of a query ask for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import InvalidVector
from embeddings.vector_index.base import Distance, IndexCollection, Point, Vector, VectorQuery
from embeddings.vector_index.checks import checked_vectors


def query_target(query: VectorQuery, examples: Mapping[int, Point], collection: IndexCollection) -> Vector:
    """The one vector that a query looks for.

    Args:
        query: its examples.
        examples: the points that `positive_ids` and `negative_ids` name, by id.
        collection: what is queried.

    Returns:
        float32 [dim]; of unit length for cosine.

    Raises:
        InvalidVector: there is no positive example, or the examples cancel out.
    """
    if (alone := _one_vector(query, collection)) is not None:
        return alone
    if query.positive_ids and not query.positive and not any(each in examples for each in query.positive_ids):
        raise InvalidVector(f"none of the example points {list(query.positive_ids)} is in the index {collection.name}")
    positive = [*query.positive, *(examples[each].vector for each in query.positive_ids if each in examples)]
    negative = [*query.negative, *(examples[each].vector for each in query.negative_ids if each in examples)]
    target = target_vector(positive, negative, collection.dim)
    if collection.distance is not Distance.COSINE:
        return target
    direction: Vector = target / np.float32(math.sqrt(np.dot(target, target)))
    return direction


def _one_vector(query: VectorQuery, collection: IndexCollection) -> Vector | None:
    """What a query with one example and nothing else looks for: checked at once. None for another, and for one with an error."""
    if len(query.positive) != 1 or query.negative or query.positive_ids or query.negative_ids:
        return None
    vector: Any = query.positive[0]
    if np.shape(vector) != (collection.dim,) or getattr(vector, "dtype", None) != np.float32:
        return None
    with np.errstate(over="ignore", under="ignore"):
        square = float(np.dot(vector, vector))
    if not 0 < square < math.inf:
        return None
    target: Vector = vector / np.float32(math.sqrt(square)) if collection.distance is Distance.COSINE else vector
    return target


def target_vector(positive: Sequence[Vector], negative: Sequence[Vector], dim: int) -> Vector:
    """The one vector that examples ask for (see VectorQuery). One positive example alone passes through unchanged.

    Args:
        positive: float32 [dim] each, one at least.
        negative: float32 [dim] each.
        dim: their length.

    Returns:
        float32 [dim].

    Raises:
        InvalidVector: there is no positive example, or the examples cancel out.
    """
    if not positive:
        raise InvalidVector("a query needs at least one positive example")
    likes = checked_vectors(positive, dim)
    if len(likes) == 1 and not negative:
        alone: Vector = likes[0]
        return alone
    liked = _mean_direction(likes)
    if negative:
        liked = 2 * liked - _mean_direction(checked_vectors(negative, dim))
    target: Vector = checked_vectors([liked], dim)[0]
    return target


def _mean_direction(vectors: NDArray[np.float32]) -> Vector:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    mean: Vector = (vectors / lengths).mean(axis=0)
    return mean
