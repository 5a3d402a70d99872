"""What is kept of the points of an index that answers with ids alone: reading a point takes longer than finding it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_numbers = count(1)
_MOST = 500_000  # some 120 MB of those that were hits, 40 MB of those that were read in order


class KnownPoint(NamedTuple):
    """A point: its product, and the sketch of its vector (see `scoring.sketch_of`)."""

    product_id: int
    sketch: bytes


class _Ordered(NamedTuple):
    """Points that were read in the order of their ids, at 81 bytes each instead of 280.

    Attributes:
        ids: uint64 [n], ascending.
        products: int64 [n].
        sketches: float32 [n, length].
        valid: bool [n]; false of points that were written since.
    """

    ids: NDArray[np.uint64]
    products: NDArray[np.int64]
    sketches: NDArray[np.float32]
    valid: NDArray[np.bool_]

    def first(self, number: int) -> _Ordered:
        """The first rows, in the same memory."""
        return _Ordered(self.ids[:number], self.products[:number], self.sketches[:number], self.valid[:number])

    def rows_of(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Id and row of those that are valid."""
        wanted = np.array(ids, np.uint64)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        there = (self.ids[rows] == wanted) & self.valid[rows]
        return [(ids[position], int(rows[position])) for position in np.flatnonzero(there).tolist()]


class KnownPoints:
    """Points by id. What is known of a point is kept until it is written.

    Attributes:
        writes: another number after each write, in any of these objects. What was read before one is not kept behind it.
    """

    def __init__(self) -> None:
        """Nothing is known."""
        self.writes = next(_numbers)
        self._lock = Lock()
        self._hits: dict[int, KnownPoint] = {}
        self._ordered: _Ordered | None = None
        self._room: _Ordered | None = None

    def find(self, ids: Iterable[int]) -> dict[int, KnownPoint]:
        """Those of the points that are known, by id."""
        found: dict[int, KnownPoint] = {}
        missing: list[int] = []
        for point_id in ids:
            if (known := self._hits.get(point_id)) is None:
                missing.append(point_id)
            else:
                found[point_id] = known
        if (ordered := self._ordered) is not None and missing:
            for point_id, row in ordered.rows_of(missing):
                found[point_id] = KnownPoint(int(ordered.products[row]), ordered.sketches[row].tobytes())
        return found

    def forget(self, ids: Iterable[int]) -> None:
        """What was known of points before they were written."""
        ids = [*ids]
        with self._lock:
            self.writes = next(_numbers)
            for point_id in ids:
                self._hits.pop(point_id, None)
            if self._ordered is not None and ids:
                self._ordered.valid[[row for _, row in self._ordered.rows_of(ids)]] = False

    def keep(self, read: Mapping[int, KnownPoint], writes: int) -> None:
        """Keep what was read when `writes` was this."""
        with self._lock:
            if writes != self.writes:
                return
            if len(self._hits) > _MOST:
                self._hits.clear()
            self._hits.update(read)

    def keep_in_order(self, read: Mapping[int, KnownPoint], writes: int, expected: int) -> bool:
        """Keep what was read in the order of ids when `writes` was this.

        Args:
            read: by ascending id, behind those of the calls before.
            writes: as in `keep`.
            expected: about how many points there are.

        Returns:
            Whether there is room for more.
        """
        with self._lock:
            before = 0 if self._ordered is None else len(self._ordered.ids)
            length = before + len(read)
            if writes != self.writes or not read:
                return length < _MOST
            sketches = np.frombuffer(b"".join([each.sketch for each in read.values()]), np.float32).reshape(
                len(read), -1
            )
            room = self._room
            if room is None or len(room.ids) < length:
                room = self._room = self._larger(max(expected, length + length // 4), sketches.shape[1])
            room.ids[before:length] = [*read]
            room.products[before:length] = [each.product_id for each in read.values()]
            room.sketches[before:length] = sketches
            room.valid[before:length] = True
            self._ordered = room.first(length)
            return length < _MOST

    def _larger(self, number: int, sketch: int) -> _Ordered:
        made = _Ordered(
            np.empty(number, np.uint64),
            np.empty(number, np.int64),
            np.empty((number, sketch), np.float32),
            np.zeros(number, np.bool_),
        )
        if (before := self._ordered) is not None:
            kept = made.first(len(before.ids))
            kept.ids[:], kept.products[:] = before.ids, before.products
            kept.sketches[:], kept.valid[:] = before.sketches, before.valid
        return made
