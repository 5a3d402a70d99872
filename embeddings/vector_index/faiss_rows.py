"""An open collection of FAISS: its rows, which points they hold, and who may read or change them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Filter, IndexCollection, Point, SparseVector, Vector
from embeddings.vector_index.checks import possible_ids
from embeddings.vector_index.columns import Mask, Rows
from embeddings.vector_index.faiss_structures import storable
from embeddings.vector_index.journal import Journal
from embeddings.vector_index.payload_columns import PayloadColumns
from embeddings.vector_index.sparse_columns import SparseColumns

# Of all points, this part may have changed since the structure was built.
_CHANGED = 10
_DEAD = -1


class ReadWriteLock:
    """Many readers, or one writer, which comes first."""

    def __init__(self) -> None:
        self._turn = Condition()
        self._readers = 0
        self._writers = 0
        self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(lambda: not self._writers)
            self._readers += 1
        try:
            yield
        finally:
            with self._turn:
                self._readers -= 1
                self._turn.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._turn:
            self._writers += 1
            self._turn.wait_for(lambda: not self._readers and not self._writing)
            self._writing = True
        try:
            yield
        finally:
            with self._turn:
                self._writers -= 1
                self._writing = False
                self._turn.notify_all()


@dataclass(slots=True)
class Opened:
    """An open collection. A row is never used twice; of a point that is written again the old row is dead.

    Attributes:
        collection: what it is.
        folder: of its files.
        lock: a descriptor that holds the folder.
        snapshot: number of the files that count.
        journal: changes since.
        store: flat index of all rows.
        ids, payloads, sparse: of the rows.
        row_of: row of each point that there is.
        alive: bool [rows at least], whether the row is one of these.
        structure: graph or inverted lists over the first rows, or None.
        built: how many rows the structure has.
        dead: how many of these are dead.
        columns, sparse_columns: of the payloads and the sparse vectors.
        guard: many queries or one change.
        saved_bytes: size of the snapshot.
        closed: another one is open in its place, or will be.
    """

    collection: IndexCollection
    folder: Path
    lock: int
    snapshot: int
    journal: Journal
    store: faiss.IndexFlat
    ids: list[int]
    payloads: list[dict[str, Any]]
    sparse: list[Mapping[str, SparseVector]]
    structure: faiss.Index | None = None
    built: int = 0
    dead: int = 0
    row_of: dict[int, int] = field(default_factory=dict)
    alive: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    columns: PayloadColumns = field(init=False)
    sparse_columns: SparseColumns = field(init=False)
    guard: ReadWriteLock = field(default_factory=ReadWriteLock)
    saved_bytes: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.columns = PayloadColumns(self.payloads)
        self.sparse_columns = SparseColumns(self.sparse)

    def number_rows(self) -> None:
        """Derive from store, structure and ids what is known of the rows."""
        self.row_of = {point_id: row for row, point_id in enumerate(self.ids) if point_id != _DEAD}
        self.alive = np.array([point_id != _DEAD for point_id in self.ids], dtype=np.bool_)
        self.built = self.structure.ntotal if self.structure is not None else 0
        self.dead = self.built - int(self.alive[: self.built].sum())
        self.columns.forget()
        self.sparse_columns.forget()

    @property
    def rows(self) -> int:
        """How many rows there are, dead ones too."""
        return len(self.ids)

    def write(
        self,
        ids: Sequence[int],
        payloads: Sequence[dict[str, Any]],
        vectors: NDArray[np.float32],
        sparse: Sequence[Mapping[str, SparseVector]],
    ) -> None:
        """Append points, each id once."""
        self.remove(ids)
        first = self.rows
        self.store.add(storable(vectors))
        self.sparse += sparse
        self.ids += ids
        self.payloads += payloads
        self.row_of.update(zip(ids, range(first, self.rows), strict=True))
        if len(self.alive) < self.rows:
            self.alive = np.concatenate([self.alive, np.zeros(max(self.rows, 1024), dtype=np.bool_)])
        self.alive[first : self.rows] = True
        self.columns.forget()

    def patch(self, ids: Iterable[int], payload: Mapping[str, Any]) -> None:
        """Merge fields into payloads."""
        for point_id in ids:
            if (row := self.row_of.get(point_id)) is not None:
                self.payloads[row] = {**self.payloads[row], **payload}
        self.columns.forget(payload)

    def remove(self, ids: Iterable[int]) -> None:
        """Make rows dead."""
        for point_id in ids:
            if (row := self.row_of.pop(point_id, None)) is not None:
                self.alive[row] = False
                # Its sparse vectors stay: rows of these never change.
                self.ids[row], self.payloads[row] = _DEAD, {}
                self.dead += row < self.built
        self.columns.forget()

    def is_approximate(self) -> bool:
        """Whether the structure is there and still stands for what there is."""
        changed = self.dead + self.rows - self.built
        return self.structure is not None and changed * _CHANGED <= self.built

    def vectors(self, rows: Sequence[int] | Rows) -> NDArray[np.float32]:
        """float32 [rows, dim]."""
        if not len(rows):
            return np.empty((0, self.collection.dim), np.float32)
        found: NDArray[np.float32] = self.store.reconstruct_batch(np.asarray(rows, np.int64))
        return found[:, : self.collection.dim]

    def point(self, point_id: int, vector: Vector) -> Point:
        """A point that there is."""
        row = self.row_of[point_id]
        return Point(point_id, vector, dict(self.payloads[row]), self.sparse[row])

    def points(self, ids: Iterable[int]) -> dict[int, Point]:
        """Points by id, of those that there are."""
        there = [each for each in dict.fromkeys(possible_ids(ids)) if each in self.row_of]
        vectors = self.vectors([self.row_of[each] for each in there])
        return {each: self.point(each, vector) for each, vector in zip(there, vectors, strict=True)}

    def all_alive(self) -> Mask:
        """Bool [rows]."""
        return self.alive[: self.rows]

    def passing(self, filter: Filter) -> Mask | None:
        """The rows that are alive and pass, bool [rows]; None: all that are alive."""
        mask = self.columns.passing(filter)
        hidden = [self.row_of[each] for each in filter.exclude_ids if each in self.row_of]
        if mask is None and not hidden:
            return None
        mask = self.all_alive().copy() if mask is None else mask & self.all_alive()
        mask[hidden] = False
        return mask
