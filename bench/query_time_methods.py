"""Ways to put the nearest photos in another order, or to ask for them in another way, in NumPy.

A pool is what one query of the index returns, with its vectors. Every order takes a pool and gives a score to each of its photos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Vector

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Pool:
    """What a query found.

    Attributes:
        query: float32 [d], of unit length.
        vectors: float32 [n, d], of unit length, the nearest first.
        scores: float32 [n], their cosines with the query.
    """

    query: Vector
    vectors: Matrix
    scores: NDArray[np.float32]


# Scores float32 [n] of the photos of a pool, higher is better.
Order = Callable[[Pool], NDArray[np.float32]]


def unit(vectors: NDArray[np.floating]) -> Matrix:
    """The rows, or the one vector, scaled to unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def expanded(pool: Pool, count: int, alpha: float = 0) -> Vector:
    """The query averaged with its nearest photos, each weighted by its cosine to the power alpha.

    Average query expansion is that of alpha 0 (Chum et al., "Total recall", ICCV 2007); alpha 3 is usual since Radenović et al.,
    "Fine-tuning CNN image retrieval with no human annotation", TPAMI 2019.

    Args:
        pool: what the query found.
        count: how many of the nearest.
        alpha: 0 or more.

    Returns:
        float32 [d], of unit length.
    """
    weights = np.maximum(pool.scores[:count], 0) ** alpha
    return unit(pool.query + weights @ pool.vectors[:count])


def by_expansion(count: int, alpha: float = 0) -> Order:
    """Orders a pool by the expanded query, without asking the index again."""
    return lambda pool: pool.vectors @ expanded(pool, count, alpha)


def by_reciprocal_rank(weight: float) -> Order:
    """Adds to each score a bonus of weight / rank, where the rank is that of the query among what the photo is nearest to."""

    def order(pool: Pool) -> NDArray[np.float32]:
        between = pool.vectors @ pool.vectors.T
        np.fill_diagonal(between, -np.inf)
        rank = 1 + (between > pool.scores[:, None]).sum(axis=1)
        return np.asarray(pool.scores + weight / rank, np.float32)

    return order


def by_k_reciprocal(k1: int = 20, k2: int = 6, share: float = 0.3) -> Order:
    """Orders a pool by how many k-reciprocal neighbours its photos have in common with the query.

    Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR 2017: two photos are k-reciprocal
    neighbours if each is among the k nearest of the other. Neighbours are looked for in the pool alone.

    Args:
        k1: how many neighbours are looked at.
        k2: over how many of the nearest their sets are averaged.
        share: of the original distance in the final one, the paper's lambda, in [0, 1].

    Returns:
        The order.
    """

    def order(pool: Pool) -> NDArray[np.float32]:
        distances = squared_distances(np.concatenate([pool.query[None], pool.vectors]))
        final = (1 - share) * jaccard_distances(distances, k1, k2) + share * distances[0]
        return np.asarray(-final[1:], np.float32)

    return order


def squared_distances(vectors: Matrix) -> Matrix:
    """Squared distances between unit vectors [n, d], each row divided by its largest as the paper's code does; float32 [n, n]."""
    distances = np.maximum(2 - 2 * vectors @ vectors.T, 0)
    np.fill_diagonal(distances, 0)
    return np.asarray(distances / distances.max(axis=1, keepdims=True), np.float32)


def jaccard_distances(distances: Matrix, k1: int, k2: int) -> Matrix:
    """How little of its k-reciprocal neighbours the first point has in common with each (Zhong et al., eq. 5 to 11).

    Args:
        distances: float32 [n, n], of n points from each other.
        k1: how many neighbours are looked at.
        k2: over how many of the nearest sets are averaged; 1 leaves them as they are.

    Returns:
        float32 [n] in [0, 1]; 0 for the first point itself.
    """
    order = np.argsort(distances, axis=1, kind="stable")
    members = np.where(_expanded_neighbours(order, k1), np.exp(-distances), 0)
    members /= members.sum(axis=1, keepdims=True)
    members = members[order[:, :k2]].mean(axis=1)
    # Rows sum to 1, so the sum of the larger is 2 less that of the smaller.
    smaller = np.minimum(members[0], members).sum(axis=1)
    return np.asarray(1 - smaller / (2 - smaller), np.float32)


def _expanded_neighbours(order: NDArray[np.int64], k1: int) -> NDArray[np.bool_]:
    """Who is in whose set, bool [n, n]: k1-reciprocal neighbours, and those of a neighbour of whose two thirds are in it anyway."""
    rank = np.argsort(order, axis=1)
    own, theirs = ((rank <= k) & (rank <= k).T for k in (k1, round(k1 / 2)))
    shared = own.astype(np.float32) @ theirs.T
    accepted = own & (shared > 2 / 3 * theirs.sum(axis=1))
    return np.asarray(own | (accepted.astype(np.float32) @ theirs > 0))


def drawn_to_neighbours(vectors: Matrix, count: int, weight: float | None = None) -> Matrix:
    """Each vector averaged with its nearest others: database-side augmentation (Arandjelović and Zisserman, CVPR 2012).

    Args:
        vectors: float32 [n, d], of unit length.
        count: how many of the nearest.
        weight: of their mean beside the vector itself; None for that of as many vectors.

    Returns:
        float32 [n, d], of unit length.
    """
    between = vectors @ vectors.T
    np.fill_diagonal(between, -np.inf)
    nearest = np.argpartition(-between, count, axis=1)[:, :count]
    return unit(vectors + (count if weight is None else weight) * vectors[nearest].mean(axis=1))
