"""Same or different: pairs of photos, the distance up to which two count as the same, and how often that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.evaluation.metrics import Embeddings

Labels = NDArray[Any]


@dataclass(frozen=True)
class Pairs:
    """Pairs of photos.

    Attributes:
        left: int64 [n], rows of the left photos.
        right: int64 [n], rows of the right photos.
        same: bool [n], whether the two are of one class.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]


def draw_pairs(labels: Labels, count: int, *, seed: int) -> Pairs:
    """Draw pairs, half of one class and half of two; any photo is as likely as any other to be the left one.

    Args:
        labels: int or str [n].
        count: how many pairs.
        seed: of the random numbers.

    Returns:
        The pairs. A photo is never paired with itself; the same pair may be drawn twice.

    Raises:
        ValueError: there are fewer than two classes, or no class has two photos.
    """
    random = np.random.default_rng(seed)
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or sizes.max() < 2:
        raise ValueError("pairs need two classes, and two photos in one of them")
    order = np.argsort(classes, kind="stable")  # photos by class; a class is a block of them
    first = np.cumsum(sizes) - sizes
    block = classes[order]
    half = max(1, count // 2)
    at = random.choice(np.flatnonzero(sizes[block] > 1), half)
    size, start = sizes[block[at]], first[block[at]]
    partner = start + (at - start + random.integers(1, size)) % size
    odd = random.integers(len(labels), size=half)
    size, start = sizes[block[odd]], first[block[odd]]
    other = (start + size + random.integers(len(labels) - size)) % len(labels)
    rows = np.concatenate([at, odd]), np.concatenate([partner, other])
    return Pairs(order[rows[0]], order[rows[1]], np.arange(2 * half) < half)


def best_threshold(distances: NDArray[np.float32], same: NDArray[np.bool_]) -> float:
    """The threshold that calls most pairs right when distances up to it are "the same": midway between two distances.

    Args:
        distances: float32 [n], n above 0.
        same: bool [n].

    Returns:
        A distance.
    """
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    right = np.concatenate([[0], np.cumsum(np.where(same[order], 1, -1))])
    # A cut between two equal distances cannot be made.
    right[1:-1][ordered[1:] == ordered[:-1]] = -len(distances) - 1
    cut = int(right.argmax())
    if cut == 0:
        return float(np.nextafter(ordered[0], np.float32(-np.inf)))
    return float(ordered[cut - 1 : cut + 1].mean())


def verification_accuracy(distances: NDArray[np.float32], same: NDArray[np.bool_], threshold: float) -> float:
    """Share of pairs called right when distances up to the threshold are "the same".

    Args:
        distances: float32 [n].
        same: bool [n].
        threshold: a distance.

    Returns:
        A number in [0, 1].
    """
    return float(((distances <= threshold) == same).mean())


def nearest_neighbour_accuracy(
    queries: Embeddings, query_labels: Labels, gallery: Embeddings, gallery_labels: Labels, *,
    distance: str = "cosine", chunk: int = 512,
) -> float:  # fmt: skip
    """Share of queries whose nearest gallery vector is of their class. Of equally near ones the first counts.

    Args:
        queries: float32 [q, dim].
        query_labels: [q].
        gallery: float32 [g, dim], not empty.
        gallery_labels: [g].
        distance: cosine or l2.
        chunk: queries that are compared at a time.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: another distance, or nothing to compare.
    """
    if distance not in ("cosine", "l2"):
        raise ValueError(f"no distance is named {distance!r} here; there are cosine, l2")
    if not len(queries) or not len(gallery):
        raise ValueError("there must be a query and a gallery photo to compare it with")
    if distance == "cosine":
        queries, gallery = (
            vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            for vectors in (queries, gallery)
        )
    half_squares = np.square(gallery).sum(axis=1) / 2
    right = 0
    for start in range(0, len(queries), chunk):
        nearness = queries[start : start + chunk] @ gallery.T - half_squares
        right += int((gallery_labels[nearness.argmax(axis=1)] == query_labels[start : start + chunk]).sum())
    return right / len(queries)
