"""The re-ranking stage: similarity to the query against diversity of the results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embeddings.vector_index.base import Distance, Hit, Vector, similarities


def diversify(hits: Sequence[Hit], *, limit: int, diversity: float, distance: Distance) -> list[Hit]:
    """The best hits by maximal marginal relevance, lambda = 1 - diversity (Carbonell and Goldstein, 1998).

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


def _vector(hit: Hit) -> Vector:
    if hit.vector is None:
        raise ValueError(f"hit {hit.id} has no vector: query with_vectors to re-rank")
    return hit.vector
