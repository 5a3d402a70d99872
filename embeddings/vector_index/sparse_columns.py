"""Sparse vectors compared exactly, for engines that have none: their entries as columns, made when first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import SparseVector

# So many rows may be newer than the large segment, or a tenth of it, before it is rebuilt.
_NEW_ROWS = 2000


@dataclass(frozen=True, slots=True)
class _Segment:
    """Entries of one sparse vector of rows `first` to `end`, by ascending index: what it is, its row and its value."""

    first: int
    end: int
    indices: NDArray[np.uint32]
    rows: NDArray[np.int64]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, first: int, vectors: Sequence[SparseVector | None]) -> _Segment:
        kept = [(first + row, vector) for row, vector in enumerate(vectors) if vector is not None]
        lengths = np.array([len(vector) for _, vector in kept], dtype=np.int64)
        rows = np.repeat(np.array([row for row, _ in kept], dtype=np.int64), lengths)
        indices = np.concatenate([np.empty(0, np.uint32), *(vector.indices for _, vector in kept)])
        values = np.concatenate([np.empty(0, np.float32), *(vector.values for _, vector in kept)])
        order = np.argsort(indices, kind="stable")
        return cls(first, first + len(vectors), indices[order], rows[order], values[order])

    def add_to(self, scores: NDArray[np.float64], shared: NDArray[np.bool_], wanted: SparseVector) -> None:
        starts = np.searchsorted(self.indices, wanted.indices, side="left")
        ends = np.searchsorted(self.indices, wanted.indices, side="right")
        for start, end, value in zip(starts, ends, wanted.values, strict=True):
            rows = self.rows[start:end]  # each once, since an index is once in a vector
            scores[rows] += self.values[start:end].astype(np.float64) * float(value)
            shared[rows] = True


class SparseColumns:
    """The sparse vectors of the rows of a store, one name of them for each column.

    Rows are appended and never change. What is newer than the last large segment is a small one, made after each write.
    """

    def __init__(self, rows: Sequence[Mapping[str, SparseVector]]) -> None:
        """Begin without columns.

        Args:
            rows: vectors by name; the caller appends to them.
        """
        self._rows = rows
        self._large: dict[str, _Segment] = {}
        self._new: dict[str, _Segment] = {}
        self._making = Lock()

    def forget(self) -> None:
        """The rows are others."""
        self._large.clear()
        self._new.clear()

    def scores(self, name: str, wanted: SparseVector) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The product of a vector with that of each row.

        Args:
            name: of the vectors.
            wanted: what they are compared with.

        Returns:
            float64 [rows], and bool [rows], whether a row shares an entry.
        """
        scores, shared = np.zeros(len(self._rows)), np.zeros(len(self._rows), dtype=np.bool_)
        for segment in self._segments(name):
            segment.add_to(scores, shared, wanted)
        return scores, shared

    def _segments(self, name: str) -> tuple[_Segment, _Segment]:
        total = len(self._rows)
        with self._making:
            large, new = self._large.get(name), self._new.get(name)
            if large is None or total - large.end > max(_NEW_ROWS, large.end // 10):
                large = self._large[name] = self._segment(name, 0)
                new = None
            if new is None or new.first != large.end or new.end != total:
                new = self._new[name] = self._segment(name, large.end)
            return large, new

    def _segment(self, name: str, first: int) -> _Segment:
        return _Segment.of(first, [row.get(name) for row in self._rows[first:]])
