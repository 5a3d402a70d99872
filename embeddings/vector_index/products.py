"""Products of vectors, in pieces so small that BLAS computes each in the thread that asks for it.

OpenBLAS shares larger ones among threads, which wait for each other longer than they compute: k-means of 100,000 x 128 took 11 s of
the processor, and 3 s in pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Multiplications from which on OpenBLAS shares a product with a vector, or with a matrix, among threads.
_SHARED_BY_VECTOR, _SHARED = 9_000, 250_000


def products(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of vectors with one or several others.

    Args:
        vectors: float32 [n, dim].
        others: float32 [dim], or [dim, m].

    Returns:
        float32 [n], or [n, m].
    """
    multiplications, at_most = vectors.shape[1], _SHARED_BY_VECTOR
    if others.ndim > 1:
        multiplications, at_most = others.size, _SHARED
    piece = max(1, at_most // multiplications)
    whole = len(vectors) // piece * piece
    made = np.empty((len(vectors), *others.shape[1:]), np.float32)
    np.matmul(
        vectors[:whole].reshape(-1, piece, vectors.shape[1]),
        others,
        out=made[:whole].reshape(-1, piece, *others.shape[1:]),
    )
    np.matmul(vectors[whole:], others, out=made[whole:])
    return made


def rows_of_a_piece(dim: int) -> int:
    """How many vectors of this length are multiplied with one in one thread."""
    return max(1, _SHARED_BY_VECTOR // dim)
