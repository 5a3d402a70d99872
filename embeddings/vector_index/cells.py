"""Cells of near vectors with what their points can be filtered by: what finds the nearest points that pass a filter.

A graph finds them where they are around the query. Where a filter hides those, the next ones lie scattered over the whole
collection, and an engine compares all that pass. Here the vectors are sorted by cells, some twenty to a cell. The centres of all
cells are compared with the query, and then the points of the nearest cells, until a point of another cell that is nearer than the
last one wanted would be farther from its centre, in the direction of the query, than nearly all points are.

Vectors are held as int8, and in full, in files without a name that are mapped into memory, so that the system may drop their pages.
What int8 finds are candidates, of which the full vectors decide. Points that were written since the cells were made are candidates
of every query, which the engine compares under the filter, until they are too many.
"""

from __future__ import annotations

import math
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Filter, Payload, Vector
from embeddings.vector_index.columns import Mask, Rows
from embeddings.vector_index.k_means import Partition, Vectors, divided
from embeddings.vector_index.packed_columns import PackedColumns, PayloadReader, rows_between
from embeddings.vector_index.products import products, rows_of_a_piece
from embeddings.vector_index.sign_bits import SignBits

# Of the points that pass, so many are expected to be farther from their centre than is looked at. See decision 13.
_OVERLOOKED = 0.5
_LEAST_DEVIATIONS = 2.0
# Points that pass are first compared so many, and then each time so many times more, until the other cells are too far away. Each
# time takes as long as comparing 600 of them.
_FIRST, _FACTOR = 200, 8
# Of so many cells, signs show first which points may be near enough, with an error of so many standard deviations; where so large a
# part of all points passes, since the signs of the others are looked at, too.
_BY_SIGNS, _SIGN_ERRORS, _WIDE_PART = 300, 3.5, 0.4
_ALL = 2000  # up to so many that pass are all compared, without a look at the centres
_FLOATS_AT_ONCE = 131_072  # which stay in the processor's cache
# The n-th largest of many numbers is looked for among the largest of so many each, where there are so many times more of these.
_OF_SO_MANY, _LEAST_PARTS = 8, 3
# Candidates among which full vectors find the nearest: int8 alone cannot separate near-identical photos.
_CANDIDATES, _CANDIDATES_A_WANTED = 256, 4
# Two scores of int8 vectors are wrong by less than so many times the length of the target in their units.
_ERRORS = 2.0
# Points written since the cells were made: so many, or this part of all, are looked at one by one.
_WRITTEN, _WRITTEN_PART = 1000, 100
_AT_ONCE = 4096
_SAMPLE, _SAMPLE_TARGETS = 2000, 200
_TINY, _LEAST_DEVIATION, _LOWEST = 1e-30, 1e-6, -2.0  # a score below those of all points

_NORMAL = NormalDist()
_rooms = threading.local()


class Near(NamedTuple):
    """A point that was found, with its score: higher is nearer."""

    id: int
    score: float


class Cells:
    """The points of a collection by cells. One thread at a time may change what is known of them; others search meanwhile."""

    def __init__(
        self,
        ids: NDArray[np.uint64],
        vectors: Vectors,
        codes: NDArray[np.int8],
        scale: Vector,
        cells: Partition,
        signs: SignBits,
        columns: PackedColumns,
    ) -> None:
        """Take what was made.

        Args:
            ids: of the points, by cell.
            vectors: float32 [n, dim], in another order: that from which the cells were made.
            codes: int8 [n, dim], the vectors by cell.
            scale: float32 [dim], by which codes are multiplied.
            cells: which of them each cell has.
            signs: of what the vectors, by cell, have beside the centres of their cells.
            columns: the payloads.
        """
        self._ids, self._codes, self._scale, self._columns = ids, codes, scale, columns
        self._signs = signs
        self._vectors, self._places = vectors, cells.order.astype(np.int32)
        self._centres, self._bounds, self._deviations = cells.centres, cells.bounds, cells.deviations
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

    def nearest(self, target: Vector, passing: Mask, count: int, wanted: int) -> list[Near]:
        """The nearest points that pass a filter, without those that were written.

        Args:
            target: float32 [dim], of unit length.
            passing: bool [n], as `passing` returns it.
            count: how many those are.
            wanted: how many points are looked for.

        Returns:
            So many, best first.
        """
        rows = self._candidates(target, passing, count, wanted)
        # Not by BLAS, to which equal vectors have other scores in other places.
        scores = np.einsum("ij,j->i", self._vectors.take(self._places[rows], axis=0), target)
        best = np.argsort(-scores)[:wanted]
        return [*map(Near, self._ids[rows[best]].tolist(), scores[best].tolist())]

    def candidates(self, target: Vector, passing: Mask, count: int, wanted: int) -> list[int]:
        """Ids of candidates for the nearest points that pass a filter, more than are wanted where there are more. As `nearest`."""
        found: list[int] = self._ids[self._candidates(target, passing, count, wanted)].tolist()
        return found

    def _candidates(self, target: Vector, passing: Mask, count: int, wanted: int) -> Rows:
        direction = target * self._scale
        if count <= _ALL:
            rows = np.flatnonzero(passing)
            scores = self._scores(rows, direction)
            last = _last(scores, wanted)
        else:
            rows, scores, last = self._near(target, direction, passing, count, wanted)
        # With those that int8 cannot separate from the last one wanted.
        kept = np.flatnonzero(scores >= last - _ERRORS * math.sqrt(direction.dot(direction)))
        if len(kept) > (most := max(_CANDIDATES, _CANDIDATES_A_WANTED * wanted)):
            kept = kept[np.argpartition(scores[kept], -most)[-most:]]
        return rows[kept]

    def _near(
        self, target: Vector, direction: Vector, passing: Mask, count: int, wanted: int
    ) -> tuple[Rows, Vector, float]:
        """Rows that pass in the cells near the target with their scores, and the score of the last one wanted."""
        near = products(self._centres, target)
        step = min(len(near), math.ceil(_FIRST * len(near) / count))
        nearest = np.flatnonzero(near >= _reached(near, step))
        rows, scores = self._compared(nearest, direction, passing)
        last = _last(scores, wanted)
        # How near the nearest point of each other cell may be.
        bound = near + np.float32(_deviations(count)) * self._deviations
        bound[nearest] = -np.inf
        others = np.flatnonzero(bound >= max(last, _LOWEST))
        by_signs = count >= _WIDE_PART * len(self._ids)
        while len(others):
            step *= _FACTOR
            bounds = bound[others]
            foremost = bounds >= _reached(bounds, step)
            cells = others.compress(foremost)
            if by_signs and len(cells) >= _BY_SIGNS:
                more, more_scores = self._compared_by_signs(target, near, last, cells, direction, passing)
            else:
                more, more_scores = self._compared(cells, direction, passing)
            rows, scores = np.concatenate([rows, more]), np.concatenate([scores, more_scores])
            last = _last(scores, wanted)
            others = others.compress(~foremost & (bounds >= last))
        return rows, scores, last

    def _compared(self, cells: Rows, direction: Vector, passing: Mask) -> tuple[Rows, Vector]:
        """The rows of cells that pass, and their scores."""
        rows = rows_between(self._bounds[cells], self._bounds[cells + 1])
        rows = rows.compress(passing.take(rows))
        return rows, self._scores(rows, direction)

    def _compared_by_signs(
        self, target: Vector, near: Vector, last: float, cells: Rows, direction: Vector, passing: Mask
    ) -> tuple[Rows, Vector]:
        """As `_compared`, without most of the rows that do not reach the last one wanted."""
        least = (max(last, _LOWEST) - near[cells]) / np.maximum(self._deviations[cells], _LEAST_DEVIATION)
        rows = self._signs.reaching(target, cells, least.astype(np.float32), _SIGN_ERRORS)
        rows = rows.compress(passing.take(rows))
        return rows, self._scores(rows, direction)

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
        piece = rows_of_a_piece(dim := len(direction))
        at_once = max(1, _FLOATS_AT_ONCE // (piece * dim)) * piece
        scores = np.empty(-(-len(rows) // piece) * piece, np.float32)
        room = _room(at_once * dim).reshape(-1, piece, dim)
        for start in range(0, len(rows), at_once):
            codes = self._codes.take(rows[start : start + at_once], axis=0)
            pieces = -(-len(codes) // piece)
            room.reshape(-1, dim)[: len(codes)] = codes  # behind them is what was compared before
            np.matmul(room[:pieces], direction, out=scores[start : start + pieces * piece].reshape(-1, piece))
        return scores[: len(rows)]


def _room(floats: int) -> Vector:
    """Memory of this thread, since that of a new array is given back to the system and asked for again with each query."""
    room: Vector | None = getattr(_rooms, "room", None)
    if room is None or len(room) < floats:
        room = _rooms.room = np.zeros(floats, np.float32)
    return room[:floats]


def _deviations(count: int) -> float:
    """How many standard deviations a point may be from its centre, where so many pass."""
    return max(_LEAST_DEVIATIONS, -_NORMAL.inv_cdf(_OVERLOOKED / count))


def _last(scores: Vector, wanted: int) -> float:
    """The score of the last one wanted; -inf: they are fewer."""
    if len(scores) < wanted:
        return -math.inf
    high = scores[scores >= _reached(scores, wanted)]
    return float(np.partition(high, -wanted)[-wanted])


def _reached(values: Vector, count: int) -> float:
    """What so many of the values reach, and few more: their n-th largest itself takes several times as long."""
    if count >= len(values):
        return -math.inf
    parts = len(values) // _OF_SO_MANY
    if parts >= _LEAST_PARTS * count:
        values = values[: parts * _OF_SO_MANY].reshape(_OF_SO_MANY, parts).max(axis=0)
    return float(np.partition(values, -count)[-count])


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
        self._file.write(vectors.astype(np.float32).tobytes())
        self._largest = np.maximum(self._largest, np.abs(vectors).max(axis=0))
        self._ids.extend(points)
        for _, payload in points.values():
            self._payloads.add(payload)

    def made(self) -> Cells:
        """The cells of all points that were taken, one at least."""
        self._file.flush()
        with self._file:
            vectors = _mapped(self._file, np.float32, self._dim)
            cells = divided(vectors, self._rest)
            scale = np.asarray(np.maximum(self._largest, _TINY) / 127, np.float32)
            signs = _signs(vectors, cells)
            with self._new_file() as file:
                for start in range(0, len(vectors), _AT_ONCE):
                    block = vectors[cells.order[start : start + _AT_ONCE]]
                    signs.put(start, block - cells.centres[_cells_of(np.arange(start, start + len(block)), cells)])
                    file.write(np.clip(np.rint(block / scale), -127, 127).astype(np.int8).tobytes())
                    self._rest()
                file.flush()
                codes = _mapped(file, np.int8, self._dim)
        ids = np.frombuffer(self._ids, np.uint64)[cells.order]
        return Cells(ids, vectors, codes, scale, cells, signs, PackedColumns(self._payloads, cells.order))

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _new_file(self) -> IO[bytes]:
        return tempfile.TemporaryFile(dir=self._folder)


def _signs(vectors: Vectors, cells: Partition) -> SignBits:
    """What keeps the signs of what vectors have beside the centres of their cells, and how well they show it."""
    draw = np.random.default_rng(0)
    places, targets = draw.integers(len(vectors), size=_SAMPLE), draw.integers(len(vectors), size=_SAMPLE_TARGETS)
    of_cell = _cells_of(places, cells)
    beside = vectors[cells.order[places]] - cells.centres[of_cell]
    signs = SignBits(vectors.shape[1], cells.bounds)
    return signs.measure(beside, cells.deviations[of_cell], vectors[targets])


def _cells_of(places: Rows, cells: Partition) -> Rows:
    return np.asarray(np.searchsorted(cells.bounds, places, side="right") - 1, np.int64)


def _mapped(file: IO[bytes], dtype: type, dim: int) -> NDArray[Any]:
    return np.asarray(np.memmap(file, dtype, mode="r")).reshape(-1, dim)
