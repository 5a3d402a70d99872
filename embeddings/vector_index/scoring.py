"""How vectors are compared and hits put in order, the same for every adapter."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Distance, Hit, Vector

_SKETCH_SIZE = 16


def comparable(matrix: NDArray[np.float32], distance: Distance) -> NDArray[np.float32]:
    """Vectors as they are compared. Engines scale too, but leave very short vectors as they are and then score them wrong.

    Args:
        matrix: float32 [n, dim].
        distance: how vectors are compared.

    Returns:
        float32 [n, dim]: of unit length for cosine, else the same.
    """
    if distance is not Distance.COSINE or not matrix.shape[1]:
        return matrix
    unit: NDArray[np.float32] = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return unit


def best_first(hits: Iterable[Hit]) -> list[Hit]:
    """Hits from the nearest to the farthest, equal scores by ascending product id, then id."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.product_id, hit.id))


def best_of_products(ranked: Iterable[Hit]) -> list[Hit]:
    """The first hit of each product, order kept."""
    best: dict[int, Hit] = {}
    for hit in ranked:
        best.setdefault(hit.product_id, hit)
    return list(best.values())


def near_enough(score: float, min_score: float | None) -> bool:
    """Whether a hit of this score may be returned. min_score: the lowest allowed score; None allows every score."""
    return min_score is None or score >= min_score


def similarities(vectors: NDArray[np.float32], target: Vector, distance: Distance) -> NDArray[np.float32]:
    """Scores of vectors against one, as every adapter returns them.

    Args:
        vectors: float32 [n, dim]; of unit length where the distance is cosine.
        target: float32 [dim]; the same.
        distance: how they are compared.

    Returns:
        float32 [n]; higher is nearer.
    """
    match distance:
        case Distance.COSINE | Distance.DOT:
            scores = vectors @ target
        case Distance.L2:
            scores = -np.linalg.norm(vectors - target, axis=1)
        case Distance.L1:
            scores = -np.abs(vectors - target).sum(axis=1)
    return np.asarray(scores, dtype=np.float32)


def similarities_of_all(
    vectors: NDArray[np.float32], targets: NDArray[np.float32], distance: Distance
) -> NDArray[np.float32]:
    """Scores of a few vectors against each of several. For requests: it never waits for another core, as BLAS does.

    Args:
        vectors: float32 [n, dim]; of unit length where the distance is cosine.
        targets: float32 [m, dim]; the same.
        distance: how they are compared.

    Returns:
        float32 [m, n]; higher is nearer.
    """
    if distance in (Distance.COSINE, Distance.DOT):
        return np.asarray(np.einsum("ij,kj->ik", targets, vectors), dtype=np.float32)
    return np.stack([similarities(vectors, target, distance) for target in targets])


def sketch_of(vector: Vector) -> bytes:
    """A few numbers that show which vectors are far apart, without reading them.

    Args:
        vector: float32 [dim].

    Returns:
        The bytes of float32 [16 at most], the projection onto orthonormal vectors: two sketches are never farther apart than their
        vectors.
    """
    return sketches_of(vector[None])[0]


def sketches_of(vectors: NDArray[np.float32]) -> list[bytes]:
    """The sketches of several vectors at once.

    Args:
        vectors: float32 [n, dim].

    Returns:
        As `sketch_of`.
    """
    starts, lengths = _sketched(vectors.shape[1])
    sketches = (np.add.reduceat(vectors, starts, axis=1) / lengths).astype(np.float32)
    return [sketch.tobytes() for sketch in sketches]


@lru_cache(maxsize=16)
def _sketched(dim: int) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Where the pieces of a vector begin that a sketch adds up, and the square roots of their lengths."""
    # Not by `numpy.unique`, which imports NumPy's masked arrays in the first answer of a process.
    starts = np.array(sorted({*np.linspace(0, dim, _SKETCH_SIZE, endpoint=False, dtype=int).tolist()}))
    return starts, np.sqrt(np.diff([*starts, dim]))
