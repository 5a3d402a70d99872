"""Divides the vectors of a collection into small cells of near ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.columns import Rows
from embeddings.vector_index.products import products

Vectors = NDArray[np.float32]

# Vectors of a cell on average. 100,000 x 128 in clusters of 50, all but the own department: recall 0.98, 1.0, 1.0 of 50, 25, 16.
_A_CELL = 20
_GROUPS_NEAR, _ROUNDS, _GROUP_SAMPLE, _GROUP_ROUNDS = 8, 3, 128, 6
_FAR_PART, _FAR_AT_ONCE = 0.02, 256
_AT_ONCE = 4096
_SAMPLE, _SAMPLE_TARGETS = 2000, 200
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class Partition:
    """How vectors are divided.

    Attributes:
        order: int64 [n], the vectors by cell.
        bounds: int64 [cells + 1], where each cell begins in that order.
        centres: float32 [cells, dim].
        deviations: float32 [cells], how far a cell's vectors are from its centre in the direction of another vector: the standard
            deviation.
    """

    order: Rows
    bounds: Rows
    centres: Vectors
    deviations: NDArray[np.float32]


def divided(vectors: Vectors, rest: Callable[[], None]) -> Partition:
    """Divide vectors by k-means in two levels: groups, and within each group cells, each vector in one of its nearest groups.

    Args:
        vectors: float32 [n, dim], one at least.
        rest: called between pieces of work; may raise an error that ends it.

    Returns:
        The cells, of which none is empty.
    """
    number = max(1, len(vectors) // _A_CELL)
    draw = np.random.default_rng(0)
    number_of_groups = max(1, round(math.sqrt(number)))
    sample = draw.permutation(len(vectors))[: number_of_groups * _GROUP_SAMPLE]
    groups = _k_means(vectors[np.sort(sample)], number_of_groups, draw, rest)
    near = np.concatenate([_nearest_groups(block, groups) for block in _blocks(vectors, rest)])
    found = []
    for group in range(len(groups)):
        members = vectors[near[:, -1] == group]
        if len(members):
            found.append(_k_means(members, min(len(members), max(1, len(members) // _A_CELL)), draw, rest))
    of_group = np.repeat(np.arange(len(found)), [len(each) for each in found])
    kept = np.unique(near[:, -1])
    centres = np.concatenate(found)
    within = {int(group): np.flatnonzero(of_group == i) for i, group in enumerate(kept)}
    cells = _assigned(vectors, near, within, centres, rest)
    for _ in range(_ROUNDS - 1):
        centres = _means(vectors, cells, centres, rest)
        cells = _assigned(vectors, near, within, centres, rest)
    cells = _assigned_anywhere(vectors, cells, centres, rest)
    order = np.argsort(cells, kind="stable")
    used, counts = np.unique(cells, return_counts=True)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    variances = _squares(vectors, cells, centres)[used] / counts
    deviations = _part_along(vectors, cells, centres, draw) * np.sqrt(variances)
    return Partition(order, bounds, centres[used], np.asarray(deviations, np.float32))


def _squares(vectors: Vectors, cells: Rows, centres: Vectors) -> NDArray[np.float64]:
    """float64 [cells], the sum of the squares of how far the vectors of each cell are from its centre."""
    squares = np.zeros(len(centres))
    for start in range(0, len(vectors), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        beside = vectors[block] - centres[cells[block]]
        squares += np.bincount(cells[block], (beside * beside).sum(axis=1), len(centres))
    return squares


def _part_along(vectors: Vectors, cells: Rows, centres: Vectors, draw: np.random.Generator) -> float:
    """How far vectors are from their centres in the direction of other vectors, in parts of how far they are altogether."""
    rows, targets = draw.integers(len(vectors), size=_SAMPLE), draw.integers(len(vectors), size=_SAMPLE_TARGETS)
    beside = vectors[rows] - centres[cells[rows]]
    along = products(beside, vectors[targets].T)
    return math.sqrt(float(np.square(along).mean()) / max(float(np.square(beside).sum(axis=1).mean()), _TINY))


def _blocks(vectors: Vectors, rest: Callable[[], None]) -> Iterator[Vectors]:
    for start in range(0, len(vectors), _AT_ONCE):
        yield vectors[start : start + _AT_ONCE]
        rest()


def _closeness(vectors: Vectors, centres: Vectors) -> Vectors:
    """float32 [vectors, centres]; the higher the nearer."""
    closeness = products(vectors, centres.T)
    closeness -= (centres * centres).sum(axis=1) / 2
    return closeness


def _nearest_groups(vectors: Vectors, groups: Vectors) -> NDArray[np.int32]:
    """int32 [n, _GROUPS_NEAR at most]; the nearest last."""
    near = min(_GROUPS_NEAR, len(groups))
    closeness = _closeness(vectors, groups)
    found = np.argpartition(closeness, -near, axis=1)[:, -near:]
    best = np.take_along_axis(closeness, found, axis=1).argsort(axis=1)
    return np.take_along_axis(found, best, axis=1).astype(np.int32)


def _k_means(vectors: Vectors, number: int, draw: np.random.Generator, rest: Callable[[], None]) -> Vectors:
    centres = vectors[draw.permutation(len(vectors))[:number]]
    for _ in range(_GROUP_ROUNDS):
        nearest = np.concatenate(
            [_closeness(vectors[start : start + _AT_ONCE], centres).argmax(axis=1) for start in range(0, len(vectors), _AT_ONCE)]
        )  # fmt: skip
        order = np.argsort(nearest, kind="stable")
        used, starts, counts = np.unique(nearest[order], return_index=True, return_counts=True)
        centres[used] = np.add.reduceat(vectors[order], starts, axis=0) / counts[:, None]
        rest()
    return centres


def _assigned(
    vectors: Vectors,
    near: NDArray[np.int32],
    within: Mapping[int, Rows],
    centres: Vectors,
    rest: Callable[[], None],
) -> Rows:
    """int64 [n], the cell of each vector."""
    cells, best = np.zeros(len(vectors), np.int64), np.full(len(vectors), -np.inf, np.float32)
    for group, of_group in within.items():
        members = np.flatnonzero((near == group).any(axis=1))
        for start in range(0, len(members), _AT_ONCE):
            rows = members[start : start + _AT_ONCE]
            closeness = _closeness(vectors[rows], centres[of_group])
            nearest = closeness.argmax(axis=1)
            closest = closeness[np.arange(len(rows)), nearest]
            nearer = closest > best[rows]
            best[rows[nearer]], cells[rows[nearer]] = closest[nearer], of_group[nearest[nearer]]
        rest()
    return cells


def _assigned_anywhere(vectors: Vectors, cells: Rows, centres: Vectors, rest: Callable[[], None]) -> Rows:
    """The cells of all vectors, those that are farthest from their centres in the nearest of all.

    The cell of others like them may be in none of their nearest groups. Then they are in one of unlike vectors, whose standard
    deviation says nothing of them, and a search overlooks them.

    Args:
        vectors: float32 [n, dim].
        cells: int64 [n], the cell of each.
        centres: float32 [cells, dim].
        rest: called between pieces of work.

    Returns:
        int64 [n].
    """
    squares = np.concatenate(
        [
            np.square(vectors[start : start + _AT_ONCE] - centres[cells[start : start + _AT_ONCE]]).sum(axis=1)
            for start in range(0, len(vectors), _AT_ONCE)
        ]
    )
    number = math.ceil(_FAR_PART * len(vectors))
    far = np.sort(np.argpartition(squares, -number)[-number:])
    cells = cells.copy()
    for start in range(0, len(far), _FAR_AT_ONCE):
        rows = far[start : start + _FAR_AT_ONCE]
        cells[rows] = _closeness(vectors[rows], centres).argmax(axis=1)
        rest()
    return cells


def _means(vectors: Vectors, cells: Rows, centres: Vectors, rest: Callable[[], None]) -> Vectors:
    order = np.argsort(cells, kind="stable")
    sums = np.zeros_like(centres)
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        used, starts = np.unique(cells[rows], return_index=True)
        sums[used] += np.add.reduceat(vectors[rows], starts, axis=0)
        rest()
    counts = np.bincount(cells, minlength=len(centres))[:, None]
    return np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(np.float32)
