"""Cells of near vectors with what their points can be filtered by: what finds the nearest points that pass a filter.

A graph finds them where they are around the query. Where a filter hides those, the next ones lie scattered over the whole
collection, and an engine compares all that pass. Here the vectors are sorted by cells, some twenty to a cell. The centres of all
cells are compared with the query, and then the points of the nearest cells, until a point of another cell that is nearer than the
tenth found would be farther from its centre, in the direction of the query, than nearly all points are.

Vectors are held as int8 in a file without a name that is mapped into memory, so that the system may drop its pages. So what is
found are candidates, which the engine compares under the filter. Points that were written since the cells were made are candidates
of every query, until they are too many.
"""

from __future__ import annotations

import math
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import NO_VECTOR, Filter, Payload, Vector
from embeddings.vector_index.payload_columns import Mask, PackedColumns, PayloadReader, Rows, rows_between

Vectors = NDArray[np.float32]

# Points of a cell on average. 100,000 x 128 in clusters of 50, all but the own department: recall 0.98, 1.0, 1.0 of 50, 25, 16.
_A_CELL = 20
# How far a point may be from its centre in the direction of the query, in standard deviations: see decision 13.
_DEVIATIONS = 4.0
# Points that pass are first compared so many, and then each time so many more, until the other cells are too far away.
_FIRST, _FACTOR = 300, 3
_ALL = 2000  # up to so many that pass are all compared, without a look at the centres
_COMPARED_AT_ONCE = 256  # which stay in the processor's cache
# Candidates among which the engine finds the nearest: int8 alone cannot separate near-identical photos.
_CANDIDATES, _CANDIDATES_A_WANTED = 256, 4
# Two scores of int8 vectors are wrong by less than so many times the length of the target in their units.
_ERRORS = 2.0
# Points written since the cells were made: so many, or this part of all, are looked at one by one.
_WRITTEN, _WRITTEN_PART = 1000, 100
_GROUPS_NEAR, _ROUNDS, _GROUP_SAMPLE, _GROUP_ROUNDS = 8, 3, 128, 6
_AT_ONCE = 4096
_SAMPLE, _SAMPLE_TARGETS = 2000, 200
_TINY, _LOWEST = 1e-30, -1e30
# Multiplications from which on OpenBLAS shares a product with a vector, or with a matrix, among threads: these wait for each other
# longer than they compute (the cells of 100,000 x 128 took 11 s of the processor, and 3 s by one thread).
_ONE_THREAD_VECTOR, _ONE_THREAD = 9_000, 250_000


class Cells:
    """The points of a collection by cells. One thread at a time may change what is known of them; others search meanwhile."""

    def __init__(
        self, ids: NDArray[np.uint64], codes: NDArray[np.int8], scale: Vector, made: _Made, columns: PackedColumns
    ) -> None:
        """Take what was made.

        Args:
            ids: of the points, by cell.
            codes: int8 [n, dim], their vectors.
            scale: float32 [dim], by which codes are multiplied.
            made: the cells.
            columns: the payloads.
        """
        self._ids, self._codes, self._scale, self._columns = ids, codes, scale, columns
        self._made = made
        self._by_id = np.argsort(ids).astype(np.int32)
        self._alive = np.ones(len(ids), np.bool_)
        self._any_dead = False
        self._written: frozenset[int] = frozenset()

    @property
    def are_old(self) -> bool:
        """Whether so many points were written since that making the cells again is worthwhile."""
        return len(self._written) > max(_WRITTEN, len(self._ids) // _WRITTEN_PART)

    @property
    def written(self) -> frozenset[int]:
        """Ids of points that were written since the cells were made, which are candidates of every query."""
        return self._written

    def upserted(self, ids: Iterable[int]) -> None:
        """Points were written."""
        ids = [*ids]
        self._bury(ids)
        self._written |= {*ids}

    def deleted(self, ids: Sequence[int]) -> None:
        """Points were deleted."""
        self._bury(ids)
        self._written -= {*ids}

    def patched(self, ids: Sequence[int], payload: Payload) -> None:
        """Payloads were changed. payload: the fields that were overwritten, as they are stored."""
        rows = self._rows(ids)
        changed = [int(row) for row in rows if self._alive[row] and not self._columns.patch(int(row), payload)]
        if changed:
            self.upserted(self._ids[changed].tolist())

    def passing(self, filter: Filter) -> Mask | None:
        """The rows whose points pass a filter.

        Args:
            filter: the conditions.

        Returns:
            bool [n]; None: the filter asks for what is not known.
        """
        fields = {*filter.match, *filter.match_any, *filter.match_each, *filter.exclude, *filter.ranges}
        if fields & self._columns.unfit:
            return None
        mask = self._columns.passing(filter)
        if mask is None:
            mask = self._alive.copy()
        elif self._any_dead:
            mask &= self._alive
        if filter.exclude_ids:
            mask[self._rows(filter.exclude_ids)] = False
        return mask

    def nearest(self, target: Vector, passing: Mask, count: int, wanted: int) -> list[int]:
        """Candidates for the nearest points that pass a filter.

        Args:
            target: float32 [dim], of unit length.
            passing: bool [n], as `passing` returns it.
            count: how many those are.
            wanted: how many points are looked for.

        Returns:
            Ids, more than are wanted where there are more.
        """
        direction = target * self._scale
        if count <= _ALL:
            rows = np.flatnonzero(passing)
            scores = self._scores(rows, direction)
            last = _last(scores, wanted)
        else:
            rows, scores, last = self._near(target, direction, passing, count, wanted)
        # With those that int8 cannot separate from the last one wanted.
        kept = np.flatnonzero(scores >= last - _ERRORS * float(np.linalg.norm(direction)))
        if len(kept) > (most := max(_CANDIDATES, _CANDIDATES_A_WANTED * wanted)):
            kept = kept[np.argpartition(scores[kept], -most)[-most:]]
        found: list[int] = self._ids[rows[kept]].tolist()
        return found

    def _near(
        self, target: Vector, direction: Vector, passing: Mask, count: int, wanted: int
    ) -> tuple[Rows, Vector, float]:
        """Rows that pass in the cells near the target with their scores, and the score of the last one wanted."""
        near = _products(self._made.centres, target)
        step = min(len(near), math.ceil(_FIRST * len(near) / count))
        chosen = np.argpartition(near, -step)[-step:]
        others: Rows | None = None
        rows, scores, last = np.empty(0, np.int64), NO_VECTOR, -math.inf
        while len(chosen):
            more = rows_between(self._made.bounds[chosen], self._made.bounds[chosen + 1])
            more = more[passing[more]]
            rows, scores = np.concatenate([rows, more]), np.concatenate([scores, self._scores(more, direction)])
            last = _last(scores, wanted)
            if others is None:
                near[chosen] = -np.inf
                others = np.flatnonzero(near >= np.maximum(last - self._made.margins, _LOWEST))
                others = others[np.argsort(-near[others])]
            elif len(others):
                others = others[near[others] >= last - self._made.margins[others]]
            step *= _FACTOR
            chosen, others = others[:step], others[step:]
        return rows, scores, last

    def _bury(self, ids: Sequence[int]) -> None:
        if len(rows := self._rows(ids)):
            self._alive[rows] = False
            self._any_dead = True

    def _rows(self, ids: Iterable[int]) -> Rows:
        """The rows of points that there are."""
        wanted = np.array([*ids], np.uint64)
        places = np.minimum(np.searchsorted(self._ids, wanted, sorter=self._by_id), len(self._ids) - 1)
        rows = self._by_id[places]
        there: Rows = rows[self._ids[rows] == wanted].astype(np.int64)
        return there

    def _scores(self, rows: Rows, direction: Vector) -> Vector:
        parts = [
            _products(self._codes.take(rows[start : start + _COMPARED_AT_ONCE], axis=0).astype(np.float32), direction)
            for start in range(0, len(rows), _COMPARED_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else NO_VECTOR


def _products(vectors: Vectors, others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of vectors [n, dim] with one of [dim], or with [dim, m], in pieces that BLAS does not share among threads."""
    piece = max(1, (_ONE_THREAD_VECTOR if others.ndim == 1 else _ONE_THREAD // others.shape[1]) // vectors.shape[1])
    whole = len(vectors) // piece * piece
    products = vectors[:whole].reshape(-1, piece, vectors.shape[1]) @ others
    products = products.reshape(whole, *others.shape[1:])
    return products if whole == len(vectors) else np.concatenate([products, vectors[whole:] @ others])


def _last(scores: Vector, wanted: int) -> float:
    """The score of the last one wanted; -inf: they are fewer."""
    return float(np.partition(scores, -wanted)[-wanted]) if len(scores) >= wanted else -math.inf


@dataclass(frozen=True, slots=True)
class _Made:
    """How vectors are divided.

    Attributes:
        order: int64 [n], the vectors by cell.
        bounds: int64 [cells + 1], where each cell begins in that order.
        centres: float32 [cells, dim].
        margins: float32 [cells], how far a vector may be from the centre of the cell in the direction of another.
    """

    order: Rows
    bounds: Rows
    centres: Vectors
    margins: Vector


class Gathering:
    """Points as they are read, from which cells are made.

    Attributes:
        changed: ids of points that were written since reading began.
    """

    def __init__(self, folder: Path, dim: int, rest: Callable[[], None]) -> None:
        """Begin without points.

        Args:
            folder: where there is room for two files with the vectors.
            dim: length of the vectors.
            rest: called between pieces of work; may raise an error that ends it.
        """
        self.changed: set[int] = set()
        self._folder, self._dim, self._rest = folder, dim, rest
        self._ids: array[int] = array("Q")
        self._payloads = PayloadReader()
        self._largest = np.zeros(dim, np.float32)
        self._file = self._new_file()

    def __len__(self) -> int:
        """How many points were taken."""
        return len(self._ids)

    def add(self, points: Mapping[int, tuple[Vector, Payload]]) -> None:
        """Take points: vector, of unit length, and payload by id."""
        if not points:
            return
        vectors = np.stack([vector for vector, _ in points.values()])
        self._file.write(vectors.astype(np.float16).tobytes())
        self._largest = np.maximum(self._largest, np.abs(vectors).max(axis=0))
        self._ids.extend(points)
        for _, payload in points.values():
            self._payloads.add(payload)

    def made(self) -> Cells:
        """The cells of all points that were taken, one at least."""
        self._file.flush()
        with self._file:
            vectors = _mapped(self._file, np.float16, self._dim)
            made = _divided(vectors, max(1, len(vectors) // _A_CELL), self._rest)
            scale = np.asarray(np.maximum(self._largest, _TINY) / 127, np.float32)
            with self._new_file() as file:
                for start in range(0, len(vectors), _AT_ONCE):
                    block = vectors[made.order[start : start + _AT_ONCE]].astype(np.float32)
                    file.write(np.clip(np.rint(block / scale), -127, 127).astype(np.int8).tobytes())
                    self._rest()
                file.flush()
                codes = _mapped(file, np.int8, self._dim)
        ids = np.frombuffer(self._ids, np.uint64)[made.order]
        return Cells(ids, codes, scale, made, PackedColumns(self._payloads, made.order))

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _new_file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._folder)


def _mapped(file: IO[bytes], dtype: type, dim: int) -> NDArray[Any]:
    return np.asarray(np.memmap(file, dtype, mode="r")).reshape(-1, dim)


def _divided(vectors: NDArray[np.float16], number: int, rest: Callable[[], None]) -> _Made:
    """Divide vectors by k-means in two levels: groups, and within each group cells, each vector in one of its nearest groups."""
    draw = np.random.default_rng(0)
    number_of_groups = max(1, round(math.sqrt(number)))
    sample = draw.permutation(len(vectors))[: number_of_groups * _GROUP_SAMPLE]
    groups = _k_means(vectors[np.sort(sample)].astype(np.float32), number_of_groups, draw, rest)
    near = np.concatenate([_nearest_groups(block, groups) for block in _blocks(vectors, rest)])
    found = []
    for group in range(len(groups)):
        members = vectors[near[:, -1] == group].astype(np.float32)
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
    order = np.argsort(cells, kind="stable")
    used, counts = np.unique(cells, return_counts=True)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    variances = _squares(vectors, cells, centres)[used] / counts
    deviations = _part_along(vectors, cells, centres, draw) * np.sqrt(variances)
    return _Made(order, bounds, centres[used], np.asarray(_DEVIATIONS * deviations, np.float32))


def _squares(vectors: NDArray[np.float16], cells: Rows, centres: Vectors) -> NDArray[np.float64]:
    """float64 [cells], the sum of the squares of how far the vectors of each cell are from its centre."""
    squares = np.zeros(len(centres))
    for start in range(0, len(vectors), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        beside = vectors[block].astype(np.float32) - centres[cells[block]]
        squares += np.bincount(cells[block], (beside * beside).sum(axis=1), len(centres))
    return squares


def _part_along(vectors: NDArray[np.float16], cells: Rows, centres: Vectors, draw: np.random.Generator) -> float:
    """How far vectors are from their centres in the direction of other vectors, in parts of how far they are altogether."""
    rows, targets = draw.integers(len(vectors), size=_SAMPLE), draw.integers(len(vectors), size=_SAMPLE_TARGETS)
    beside = vectors[rows].astype(np.float32) - centres[cells[rows]]
    along = _products(beside, vectors[targets].astype(np.float32).T)
    return math.sqrt(float(np.square(along).mean()) / max(float(np.square(beside).sum(axis=1).mean()), _TINY))


def _blocks(vectors: NDArray[np.float16], rest: Callable[[], None]) -> Iterator[Vectors]:
    for start in range(0, len(vectors), _AT_ONCE):
        yield vectors[start : start + _AT_ONCE].astype(np.float32)
        rest()


def _closeness(vectors: Vectors, centres: Vectors) -> Vectors:
    """float32 [vectors, centres]; the higher the nearer."""
    closeness = _products(vectors, centres.T)
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
    vectors: NDArray[np.float16],
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
            closeness = _closeness(vectors[rows].astype(np.float32), centres[of_group])
            nearest = closeness.argmax(axis=1)
            closest = closeness[np.arange(len(rows)), nearest]
            nearer = closest > best[rows]
            best[rows[nearer]], cells[rows[nearer]] = closest[nearer], of_group[nearest[nearer]]
        rest()
    return cells


def _means(vectors: NDArray[np.float16], cells: Rows, centres: Vectors, rest: Callable[[], None]) -> Vectors:
    order = np.argsort(cells, kind="stable")
    sums = np.zeros_like(centres)
    for start in range(0, len(order), _AT_ONCE):
        rows = order[start : start + _AT_ONCE]
        used, starts = np.unique(cells[rows], return_index=True)
        sums[used] += np.add.reduceat(vectors[rows].astype(np.float32), starts, axis=0)
        rest()
    counts = np.bincount(cells, minlength=len(centres))[:, None]
    return np.where(counts > 0, sums / np.maximum(counts, 1), centres).astype(np.float32)
