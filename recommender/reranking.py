"""The re-ranking stage: similarity to the query against diversity of the results."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from embeddings.vector_index.base import Distance, Hit, Vector
from embeddings.vector_index.scoring import similarities

# How much farther from the query than the last of the nearest a hit may be.
_FARTHER = 2


def diversify(hits: Sequence[Hit], *, limit: int, diversity: float, distance: Distance) -> list[Hit]:
    """The best hits by maximal marginal relevance, lambda = 1 - diversity (Carbonell and Goldstein, 1998).

    What is more than twice as far from the query as the last of the `limit` nearest is never brought in.

    Args:
        hits: nearest first, each with its vector where diversity > 0.
        limit: the maximum number of hits that are returned.
        diversity: 0 (the order stays) to 1 (only diversity counts). The nearest hit always comes first.
        distance: how the hits were compared with the query; hits are compared with each other in the same way, so that relevance
            and redundancy are on one scale.

    Returns:
        At most `limit` of the hits, in the order in which they were chosen.

    Raises:
        ValueError: a hit has no vector and diversity > 0.
    """
    if diversity == 0 or len(hits) < 2:
        return list(hits[:limit])
    hits = _not_too_far(hits, limit, distance)
    relevance = np.array([hit.score for hit in hits], dtype=np.float32)
    vectors = np.stack([_vector(hit) for hit in hits])
    redundancy = np.full(len(hits), -np.inf, dtype=np.float32)
    chosen = [0]
    while len(chosen) < min(limit, len(hits)):
        redundancy = np.maximum(redundancy, similarities(vectors, vectors[chosen[-1]], distance))
        mmr_score = (1 - diversity) * relevance - diversity * redundancy
        mmr_score[chosen] = -np.inf
        chosen.append(int(np.argmax(mmr_score)))
    return [hits[position] for position in chosen]


def _not_too_far(hits: Sequence[Hit], limit: int, distance: Distance) -> Sequence[Hit]:
    """Those of the hits that diversity may choose from."""
    nearest = hits[:limit]
    farthest = _length(nearest[-1].score, distance) * _FARTHER
    return [*nearest, *(hit for hit in hits[limit:] if _length(hit.score, distance) <= farthest)]


def _length(score: float, distance: Distance) -> float:
    """How far a hit is from the query, so that half as far is half as much."""
    cosine = distance.cosine_of(score)
    return -score if cosine is None else math.sqrt(2 * max(1 - cosine, 0))


def _vector(hit: Hit) -> Vector:
    if hit.vector is None:
        raise ValueError(f"hit {hit.id} has no vector: query with_vectors to re-rank")
    return hit.vector
