"""Vectors as the database keeps them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embeddings.parts.layout import Layout


def vector_to_bytes(vector: NDArray[np.float32]) -> bytes:
    """float32 [dim] -> little-endian float16 bytes, as the database keeps it."""
    return vector.astype("<f2").tobytes()


def vector_from_bytes(data: bytes | memoryview) -> NDArray[np.float32]:
    """The float32 [dim] vector of stored float16 bytes."""
    return np.frombuffer(data, dtype="<f2").astype(np.float32)


def joined_vectors(
    layout: Layout, stored: Sequence[tuple[bytes | memoryview, bytes | memoryview | None]]
) -> NDArray[np.float32]:
    """Stored vectors and parts of photos as the index has them.

    Args:
        layout: of their version.
        stored: one at least.

    Returns:
        float32 [n, layout.dim].

    Raises:
        ValueError: the layout has parts, and those of a photo are missing.
    """
    shapes = _matrix([vector for vector, _ in stored])
    if not layout.parts:
        return shapes
    return layout.joined(shapes, _matrix([parts or b"" for _, parts in stored]))


def _matrix(rows: Sequence[bytes | memoryview]) -> NDArray[np.float32]:
    # At once, which is faster than one by one.
    return vector_from_bytes(b"".join(rows)).reshape(len(rows), -1)
