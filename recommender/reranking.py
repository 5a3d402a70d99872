"""The re-ranking stage: trades likeness for variety."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Distance, Hit, Vector


def diversify(hits: Sequence[Hit], *, limit: int, diversity: float, distance: Distance) -> list[Hit]:
    """The best `limit` hits by maximal marginal relevance, lambda = 1 - diversity (Carbonell and Goldstein, 1998).

    hits: best first, with vectors where diversity > 0. diversity: 0 keeps the order, 1 looks at variety alone; the
    nearest hit always comes first. Likeness to the query and likeness between hits are both told by `distance`, so
    that they compare.
    """
    if diversity == 0 or len(hits) < 2:
        return list(hits[:limit])
    sign = 1.0 if distance.higher_is_nearer else -1.0
    relevance = sign * np.array([hit.score for hit in hits], dtype=np.float32)
    vectors = np.stack([_vector(hit) for hit in hits])
    redundancy = np.full(len(hits), -np.inf, dtype=np.float32)
    chosen = [0]
    while len(chosen) < min(limit, len(hits)):
        redundancy = np.maximum(redundancy, sign * _compare(vectors, vectors[chosen[-1]], distance))
        gain = (1 - diversity) * relevance - diversity * redundancy
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
    return [hits[position] for position in chosen]


def _vector(hit: Hit) -> Vector:
    if hit.vector is None:
        raise ValueError(f"hit {hit.id} came without its vector: query with_vectors to re-rank")
    return hit.vector


def _compare(vectors: NDArray[np.float32], one: Vector, distance: Distance) -> NDArray[np.float32]:
    """float32 [n]: scores of vectors float32 [n, dim] against one float32 [dim], as the index would give them."""
    match distance:
        case Distance.COSINE | Distance.DOT:
            scores = vectors @ one
        case Distance.L2:
            scores = np.linalg.norm(vectors - one, axis=1)
        case Distance.L1:
            scores = np.abs(vectors - one).sum(axis=1)
    return np.asarray(scores, dtype=np.float32)
