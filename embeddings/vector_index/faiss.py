"""The adapter of FAISS, in this process: for shops that read far more than they write, for offline work, and as a yardstick.

Every collection has a flat store with the vectors of all points. A filter is answered exactly, by an id selector over that store:
FAISS searches a graph or inverted lists under a selector, too, and then finds 0.64 of the nearest where 5% pass. So without a
filter alone the approximate structure of the collection finds candidates, which the store compares.

- `flat`: the store alone; exact, and slower with every point.
- `hnsw`: a graph over the store. FAISS cannot remove from it.
- `ivf_pq`: inverted lists with product-quantised vectors.

The structure is built by `optimise` over the rows that there are, numbered from 0, and is never changed: `IndexIDMap2` over
inverted lists answers with other points' ids after a removal. What is written later is compared by the store, and what is deleted
is dropped from the candidates, until that is a tenth of all points; from then on every query is exact until the next `optimise`.
l1 is no metric of inverted lists: they find candidates by l2.

Files: `collection.json` names the snapshot that counts, and is replaced whole; behind it a journal has the changes since.
There is no quantised store, and sparse vectors are compared exactly, outside FAISS, which has none.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import weakref
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Condition, Lock
from typing import Any, get_args
from typing import Literal as OneOf
from uuid import uuid4

import faiss
import numpy as np
from numpy.typing import NDArray

from embeddings.errors import IndexFull, IndexUnavailable
from embeddings.vector_index.base import (
    COLLECTION_NAME,
    PAYLOAD_FIELDS,
    UNFILTERED,
    Distance,
    Filter,
    Hit,
    IndexCollection,
    Payload,
    Point,
    SparseQuery,
    SparseVector,
    Vector,
    VectorQuery,
)
from embeddings.vector_index.checks import (
    check_same,
    checked_points,
    checked_sparse,
    not_found,
    possible_ids,
    stored_payload,
)
from embeddings.vector_index.columns import Mask, Rows
from embeddings.vector_index.filtered_search import FEW_HIDDEN
from embeddings.vector_index.folder_lock import locked
from embeddings.vector_index.journal import Journal
from embeddings.vector_index.payload_columns import PayloadColumns
from embeddings.vector_index.scoring import best_first, best_of_products, near_enough, sketch_of
from embeddings.vector_index.sparse_columns import SparseColumns
from embeddings.vector_index.targets import query_target

Kind = OneOf["flat", "hnsw", "ivf_pq"]

_MARKER, _CLAIM, _LOCK = "collection.json", ".claim", ".lock"
_STORE, _STRUCTURE, _POINTS = "store.faiss", "structure.faiss", "points.jsonl"
_M, _EF_CONSTRUCT = 16, 100
# k-means and product quantisation want so many points for each centre, or print a warning.
_POINTS_A_CENTRE = 39
_LEAST_BITS, _MOST_BITS = 4, 8
_CANDIDATES, _CANDIDATES_A_WANTED = 256, 4
# Of all points, this part may have changed since the structure was built.
_CHANGED = 10
_DEAD = -1
# A journal of this size, or of the size of the snapshot, is followed by a new snapshot.
_MAX_JOURNAL_BYTES = 64 * 1024**2

_METRICS = {
    Distance.COSINE: faiss.METRIC_INNER_PRODUCT,
    Distance.DOT: faiss.METRIC_INNER_PRODUCT,
    Distance.L2: faiss.METRIC_L2,
    Distance.L1: faiss.METRIC_L1,
}


class _ReadWriteLock:
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
class _Opened:
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
    guard: _ReadWriteLock = field(default_factory=_ReadWriteLock)
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
        self.store.add(_storable(vectors))
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


class FaissVectorIndex:
    """A VectorIndex in this process, by FAISS. One process at a time holds a collection: others get IndexLocked."""

    _claim: int | None

    def __init__(
        self,
        path: str | Path,
        kind: Kind = "hnsw",
        ef: int = 64,
        nprobe: int = 32,
        approximate_from: int = 20_000,
    ) -> None:
        """Name the folder; collections are opened when they are first used.

        Args:
            path: folder of the collections.
            kind: what `optimise` builds.
            ef: width of the search in a graph, raised to four times the number of hits asked for.
            nprobe: how many inverted lists are searched.
            approximate_from: from how many points on `optimise` builds anything; below, comparing all is as fast.

        Raises:
            ValueError: an unknown kind.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"kind is one of {', '.join(get_args(Kind))}, not {kind!r}")
        self._path = Path(path)
        self._kind = kind
        self._ef = ef
        self._nprobe = nprobe
        self._approximate_from = approximate_from
        self._reset()
        _instances.add(self)

    def claim(self) -> None:
        with self._opening:
            if self._claim is None:
                self._claim = locked(self._path, _CLAIM)

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:  # noqa: ARG002
        stands = self._standing(collection.name)
        if stands is None:
            self.close(collection.name)  # of files that another process has dropped
            self._create(collection)
            stands = self._standing(collection.name)
            if stands is None:
                raise IndexUnavailable(f"{self._path / collection.name} is in the way: it is no vector index")
        check_same(stands, collection)

    def exists(self, name: str) -> bool:
        return self._standing(name) is not None

    def missing_fields(self, name: str) -> frozenset[str]:
        about = self._about(name)
        if about is None:
            raise not_found(name)
        return frozenset(PAYLOAD_FIELDS.keys() - about["fields"])

    def revision(self, name: str) -> None:
        """It is not counted."""

    def copies(self, name: str) -> None:
        """There is one, in this process."""

    def drop(self, name: str) -> None:
        if not COLLECTION_NAME.fullmatch(name):
            return
        self.close(name)
        dropped = self._path / f".dropped-{uuid4().hex}"
        try:
            (self._path / name).rename(dropped)
        except FileNotFoundError:
            return
        shutil.rmtree(dropped)

    def upsert(self, name: str, points: Iterable[Point]) -> None:
        checked = checked_points(points, self._get(name).collection)
        if not checked:
            return
        ids, payloads = [point.id for point in checked], [dict(point.payload) for point in checked]
        vectors = np.stack([point.vector for point in checked])
        sparse = [point.sparse for point in checked]
        with self._writing(name) as opened:
            change = {"ids": ids, "payloads": payloads, "sparse": [_as_json(each) for each in sparse]}
            opened.journal.append(change, vectors)
            opened.write(ids, payloads, vectors, sparse)
            self._save_if_long(opened)

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        patch = stored_payload(payload)
        self._get(name)
        if (known := possible_ids(ids)) and patch:
            with self._writing(name) as opened:
                opened.journal.append({"patched": known, "payload": patch})
                opened.patch(known, patch)
                self._save_if_long(opened)

    def delete(self, name: str, ids: Sequence[int]) -> None:
        self._get(name)
        if known := possible_ids(ids):
            with self._writing(name) as opened:
                opened.journal.append({"deleted": known})
                opened.remove(known)

    def retrieve(self, name: str, ids: Sequence[int]) -> dict[int, Point]:
        with self._reading(name) as opened:
            return _points(opened, ids)

    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._reading(name) as opened:
            return self._search(opened, query).answer()

    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        with self._reading(name) as opened:
            searches = [self._search(opened, query) for query in queries]
            if len(searches) < 2:
                return [search.answer() for search in searches]
            with ThreadPoolExecutor(min(len(searches), os.cpu_count() or 1)) as threads:
                return list(threads.map(_Search.answer, searches))

    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._reading(name) as opened:
            wanted = checked_sparse(query.vector, query.using, opened.collection)
            if not len(wanted):
                return []
            scores, matching = opened.sparse_columns.scores(query.using, wanted)
            passing = _passing(opened, query.filter)
            rows = np.flatnonzero(matching & (_all_alive(opened) if passing is None else passing))
            if len(rows) > query.limit:
                cut = np.partition(scores[rows], -query.limit)[-query.limit]
                rows = rows[scores[rows] >= cut]
            hits = [Hit(opened.ids[row], opened.payloads[row]["product_id"], float(scores[row])) for row in rows]
            return best_first(hits)[: query.limit]

    def count(self, name: str, filter: Filter | None = None) -> int:
        with self._reading(name) as opened:
            mask = _passing(opened, filter or UNFILTERED)
            return len(opened.row_of) if mask is None else int(mask.sum())

    def scroll(self, name: str, *, batch_size: int = 1000, after: int = -1) -> Iterator[list[Point]]:
        self._get(name)  # raises for an unknown name now, not at the first batch
        return self._batches(name, batch_size, after)

    def optimise(self, name: str) -> None:
        """Compact the store, build the structure of a collection that is large enough, and save both.

        Queries of the collection wait meanwhile, and memory is taken for a second copy of it.
        """
        with self._writing(name) as opened:
            self._compact(opened)
            self._save(opened)

    def close(self, name: str | None = None) -> None:
        """Release the lock after the calls that use the collection; where all are closed, the claim, too."""
        with self._opening:
            for each in [name] if name is not None else list(self._open):
                opened = self._open.pop(each, None)
                if opened is not None:
                    with opened.guard.writing():
                        opened.closed = True
                        os.close(opened.lock)
            if name is None:
                self._release_claim()

    def _search(self, opened: _Opened, query: VectorQuery) -> _Search:
        examples = possible_ids({*query.positive_ids, *query.negative_ids})
        target = query_target(query, _points(opened, examples), opened.collection)
        return _Search(
            opened,
            query,
            target,
            {*examples, *query.filter.exclude_ids},
            self._ef * query.breadth,
            self._nprobe * query.breadth,
        )

    @contextmanager
    def _reading(self, name: str) -> Iterator[_Opened]:
        while True:
            opened = self._get(name)
            with opened.guard.reading():
                if not opened.closed:
                    yield opened
                    return

    @contextmanager
    def _writing(self, name: str) -> Iterator[_Opened]:
        while True:
            opened = self._get(name)
            with opened.guard.writing():
                if not opened.closed:
                    yield opened
                    return

    def _get(self, name: str) -> _Opened:
        opened = self._open.get(name)
        if opened is None:
            with self._opening:
                opened = self._open.get(name)
                if opened is None:
                    opened = self._open[name] = self._load(name)
        return opened

    def _load(self, name: str) -> _Opened:
        if self._standing(name) is None:
            raise not_found(name)
        folder = self._path / name
        lock = locked(folder, _LOCK)
        try:
            # Read again: what counted before the lock was held may be gone.
            about = self._about(name)
            if about is None:
                raise not_found(name)
            return self._read(_collection(name, about), about, lock)
        except BaseException:
            os.close(lock)
            raise

    def _read(self, collection: IndexCollection, about: Mapping[str, Any], lock: int) -> _Opened:
        folder, number = self._path / collection.name, about["snapshot"]
        files = folder / f"snapshot-{number}"
        journal = Journal(folder / f"snapshot-{number}.journal")
        try:
            structure = faiss.read_index(str(files / _STRUCTURE)) if (files / _STRUCTURE).exists() else None
            if isinstance(structure, faiss.IndexHNSW):
                store = faiss.downcast_index(structure.storage)
            else:
                store = faiss.read_index(str(files / _STORE))
            with (files / _POINTS).open() as lines:
                points = [json.loads(line) for line in lines]
            ids, payloads = [each[0] for each in points], [each[1] for each in points]
            sparse: list[Mapping[str, SparseVector]] = [_from_json(each[2]) for each in points]
            if store.ntotal != len(ids):
                raise IndexUnavailable(f"the index {files} is damaged: {store.ntotal} vectors of {len(ids)} points")
            opened = _Opened(collection, folder, lock, number, journal, store, ids, payloads, sparse, structure)
            opened.number_rows()
            opened.saved_bytes = _size_of(files)
            for change, vectors in journal.changes(collection.dim):
                if "ids" in change:
                    sparse = [_from_json(each) for each in change["sparse"]]
                    shaped = vectors.reshape(len(sparse), collection.dim)
                    opened.write(change["ids"], change["payloads"], shaped, sparse)
                elif "patched" in change:
                    opened.patch(change["patched"], change["payload"])
                else:
                    opened.remove(change["deleted"])
        except (OSError, RuntimeError, ValueError) as error:  # FAISS raises RuntimeError for what it cannot read
            raise IndexUnavailable(f"the index {files} cannot be opened: {error}") from error
        return opened

    def _create(self, collection: IndexCollection) -> None:
        """Make the collection in a folder beside its place and move it there whole."""
        made = self._path / f".new-{uuid4().hex}"
        place = self._path / collection.name
        try:
            store = faiss.IndexFlat(max(collection.dim, 1), _METRICS[collection.distance])
            _write_snapshot(made / "snapshot-0", store, None, [])
            about = {
                "dim": collection.dim,
                "distance": collection.distance,
                "sparse": sorted(collection.sparse),
                "fields": sorted(PAYLOAD_FIELDS),
                "kind": self._kind,
                "snapshot": 0,
            }
            (made / _MARKER).write_text(json.dumps(about))
            made.rename(place)
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            # Where the place is taken another process was first; the caller checks whether it made the same.
            if not place.exists():
                raise IndexUnavailable(f"the index {place} cannot be made: {error}") from error

    def _compact(self, opened: _Opened) -> None:
        """Write the rows that are alive again, and build the structure over them."""
        rows = np.flatnonzero(opened.alive[: opened.rows])
        vectors = opened.vectors(rows)
        is_large = opened.collection.dim > 0 and len(rows) >= self._approximate_from
        kind: Kind = self._kind if is_large else "flat"
        opened.store, opened.structure = _built(kind, vectors, opened.collection)
        opened.ids[:] = [opened.ids[row] for row in rows]
        opened.payloads[:] = [opened.payloads[row] for row in rows]
        opened.sparse[:] = [opened.sparse[row] for row in rows]
        opened.number_rows()

    def _save_if_long(self, opened: _Opened) -> None:
        if opened.journal.size > max(_MAX_JOURNAL_BYTES, opened.saved_bytes):
            self._save(opened)

    def _save(self, opened: _Opened) -> None:
        """Write a snapshot beside the one that counts, and switch to it by replacing the marker."""
        number = opened.snapshot + 1
        files = opened.folder / f"snapshot-{number}"
        shutil.rmtree(files, ignore_errors=True)  # of a process that was killed here
        journal = opened.folder / f"snapshot-{number}.journal"
        try:
            _write_snapshot(files, opened.store, opened.structure, _lines(opened))
            journal.unlink(missing_ok=True)
            about = json.loads((opened.folder / _MARKER).read_text())
            written = opened.folder / f"{_MARKER}.new"
            written.write_text(json.dumps({**about, "kind": self._kind, "snapshot": number}))
            _to_disk(written)
            written.replace(opened.folder / _MARKER)
        except (OSError, RuntimeError) as error:
            shutil.rmtree(files, ignore_errors=True)
            raise IndexFull(f"the index {opened.folder} cannot be saved: {error}") from error
        shutil.rmtree(opened.folder / f"snapshot-{opened.snapshot}", ignore_errors=True)
        (opened.folder / f"snapshot-{opened.snapshot}.journal").unlink(missing_ok=True)
        opened.snapshot, opened.journal, opened.saved_bytes = number, Journal(journal), _size_of(files)

    def _standing(self, name: str) -> IndexCollection | None:
        about = self._about(name)
        return None if about is None else _collection(name, about)

    def _about(self, name: str) -> dict[str, Any] | None:
        """What was noted when the collection was made or saved."""
        if not COLLECTION_NAME.fullmatch(name):
            return None
        try:
            about: dict[str, Any] = json.loads((self._path / name / _MARKER).read_text())
        except FileNotFoundError:
            return None
        return about

    def _batches(self, name: str, batch_size: int, after: int) -> Iterator[list[Point]]:
        with self._reading(name) as opened:
            ids = sorted(each for each in opened.row_of if each > after)
        nothing = np.empty(0, np.float32)
        for start in range(0, len(ids), batch_size):
            with self._reading(name) as opened:
                there = [each for each in ids[start : start + batch_size] if each in opened.row_of]
                batch = [opened.point(each, nothing) for each in there]
            if batch:
                yield batch

    def _release_claim(self) -> None:
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _reset(self) -> None:
        self._open: dict[str, _Opened] = {}
        self._claim = None
        self._opening = Lock()


@dataclass(slots=True)
class _Search:
    """One query of an open collection, which nobody changes meanwhile."""

    opened: _Opened
    query: VectorQuery
    target: Vector
    hidden: AnyCollection[int]
    ef: int
    nprobe: int

    def answer(self) -> list[Hit]:
        """The hits of the query, best first."""
        faiss.omp_set_num_threads(1)  # of this thread: one query in several threads takes longer
        passing = _passing(self.opened, replace(self.query.filter, exclude_ids=self.hidden))
        found = self._products(passing) if self.query.group_by_product else self._hits(self.query.limit, passing)
        return found[: self.query.limit]

    def _hits(self, limit: int, passing: Mask | None) -> list[Hit]:
        """The nearest `limit` points within the query's min_score, and those that tie with the last of them, best first."""
        rows, scores = self._nearest(limit, passing)
        near = [(int(row), float(score)) for row, score in zip(rows, scores, strict=True)]
        near = [(row, score) for row, score in near if near_enough(score, self.query.min_score)]
        vectors = self.opened.vectors([row for row, _ in near])
        ids, payloads, wanted = self.opened.ids, self.opened.payloads, self.query.with_vectors
        return best_first(
            Hit(ids[row], payloads[row]["product_id"], score, vector if wanted else None, sketch_of(vector))
            for (row, score), vector in zip(near, vectors, strict=True)
        )

    def _products(self, passing: Mask | None) -> list[Hit]:
        """The best hit of each of the nearest products: asks again, without those it has, until there are enough."""
        products: list[Hit] = []
        limit = 2 * self.query.limit + 2
        while len(products) < self.query.limit:
            hits = self._hits(limit, passing)
            products += best_of_products(hits)
            if len(hits) < limit:
                break
            have = Filter(exclude={"product_id": [hit.product_id for hit in products]})
            others = _passing(self.opened, have)
            passing = others if passing is None or others is None else passing & others
            limit *= 2
        return products

    def _nearest(self, limit: int, passing: Mask | None) -> tuple[Rows, NDArray[np.float32]]:
        """Rows and scores of the nearest `limit` points that pass, and of all that tie with the last of them."""
        among = self._candidates(limit, passing)
        if among is not None:
            rows, scores = self._compared(limit + 1, among)
            if len(rows) > limit and scores[limit] != scores[limit - 1]:
                return rows[:limit], scores[:limit]
        everything = np.flatnonzero(_all_alive(self.opened) if passing is None else passing)
        asked = limit + 1
        while True:
            rows, scores = self._compared(asked, everything)
            if len(rows) < asked or scores[-1] != scores[limit - 1]:
                tied = int(np.sum(scores >= scores[limit - 1])) if len(rows) > limit else len(rows)
                return rows[:tied], scores[:tied]
            asked *= 2

    def _candidates(self, limit: int, passing: Mask | None) -> Rows | None:
        """Rows among which the nearest are, by the structure; None: it cannot find them."""
        opened, structure = self.opened, self.opened.structure
        if structure is None or not opened.is_approximate():
            return None
        if passing is not None and len(opened.row_of) - int(passing.sum()) > FEW_HIDDEN:
            return None
        width = max(_CANDIDATES, _CANDIDATES_A_WANTED * limit)
        if isinstance(structure, faiss.IndexHNSW):
            width = max(self.ef, _CANDIDATES_A_WANTED * limit)
            params = faiss.SearchParametersHNSW(efSearch=width)
        else:
            params = faiss.SearchParametersIVF(nprobe=self.nprobe)
        found: NDArray[np.int64]
        _, found = structure.search(self.target[None], min(width, opened.built), params=params)
        rows = np.concatenate([found[0][found[0] >= 0], np.arange(opened.built, opened.rows)])
        mask = opened.alive if passing is None else passing
        known: Rows = rows[mask[rows]]
        return known

    def _compared(self, limit: int, rows: Rows) -> tuple[Rows, NDArray[np.float32]]:
        """The nearest `limit` of these rows and their scores, best first, compared by the store."""
        if not len(rows):
            return rows, np.empty(0, np.float32)
        distance = self.opened.collection.distance
        # FAISS looks each row up in an array of ids for l1, and reads the rows of the array alone for the others.
        few = distance is not Distance.L1 and 4 * len(rows) < self.opened.rows
        if few:
            selector = faiss.IDSelectorArray(np.ascontiguousarray(rows, np.int64))
        else:
            bits = np.zeros(self.opened.rows, dtype=np.bool_)
            bits[rows] = True
            selector = faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
        params = faiss.SearchParameters(sel=selector)
        found, nearest = self.opened.store.search(self.target[None], min(limit, len(rows)), params=params)
        scores = found[0]
        if distance is Distance.L2:
            scores = -np.sqrt(np.maximum(scores, 0))
        elif distance is Distance.L1:
            scores = -scores
        return nearest[0], scores


def _passing(opened: _Opened, filter: Filter) -> Mask | None:
    """The rows that are alive and pass, bool [rows]; None: all that are alive."""
    mask = opened.columns.passing(filter)
    hidden = [opened.row_of[each] for each in filter.exclude_ids if each in opened.row_of]
    if mask is None and not hidden:
        return None
    alive = _all_alive(opened)
    mask = alive.copy() if mask is None else mask & alive
    mask[hidden] = False
    return mask


def _all_alive(opened: _Opened) -> Mask:
    return opened.alive[: opened.rows]


def _points(opened: _Opened, ids: Iterable[int]) -> dict[int, Point]:
    there = [each for each in dict.fromkeys(possible_ids(ids)) if each in opened.row_of]
    vectors = opened.vectors([opened.row_of[each] for each in there])
    return {each: opened.point(each, vector) for each, vector in zip(there, vectors, strict=True)}


def _built(
    kind: Kind, vectors: NDArray[np.float32], collection: IndexCollection
) -> tuple[faiss.IndexFlat, faiss.Index | None]:
    """The store of these vectors and the structure over it, which shares a graph's vectors with it."""
    metric = _METRICS[collection.distance]
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(collection.dim, _M, metric)
        graph.hnsw.efConstruction = _EF_CONSTRUCT
        graph.add(vectors)
        return faiss.downcast_index(graph.storage), graph
    store = faiss.IndexFlat(max(collection.dim, 1), metric)
    store.add(_storable(vectors))
    bits = min(_MOST_BITS, int(math.log2(max(len(vectors) / _POINTS_A_CENTRE, 1))))
    if kind == "flat" or bits < _LEAST_BITS:
        return store, None
    # Unit vectors have the same order by l2 as by cosine, and k-means is made for l2.
    by_product = collection.distance is Distance.DOT
    coarse = faiss.IndexFlatIP(collection.dim) if by_product else faiss.IndexFlatL2(collection.dim)
    lists = max(1, min(round(math.sqrt(len(vectors))), len(vectors) // _POINTS_A_CENTRE))
    parts = next(parts for parts in range(max(1, collection.dim // 4), 0, -1) if collection.dim % parts == 0)
    inverted = faiss.IndexIVFPQ(
        coarse,
        collection.dim,
        lists,
        parts,
        bits,
        faiss.METRIC_INNER_PRODUCT if by_product else faiss.METRIC_L2,
    )
    inverted.train(vectors)
    inverted.add(vectors)
    return store, inverted


def _lines(opened: _Opened) -> Iterator[str]:
    """The rows as lines of JSON, dead ones too: rows are numbers of the structure."""
    for point_id, payload, sparse in zip(opened.ids, opened.payloads, opened.sparse, strict=True):
        yield json.dumps([point_id, payload, _as_json(sparse)], separators=(",", ":")) + "\n"


def _as_json(sparse: Mapping[str, SparseVector]) -> dict[str, list[list[float]]]:
    return {name: [vector.indices.tolist(), vector.values.tolist()] for name, vector in sparse.items()}


def _from_json(sparse: Mapping[str, Sequence[Sequence[float]]]) -> Mapping[str, SparseVector]:
    return {
        name: SparseVector(np.array(indices, dtype=np.uint32), np.array(values, dtype=np.float32))
        for name, (indices, values) in sparse.items()
    }


def _storable(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """As FAISS stores them, which has no vectors without entries."""
    return np.ascontiguousarray(vectors) if vectors.shape[1] else np.zeros((len(vectors), 1), np.float32)


def _collection(name: str, about: Mapping[str, Any]) -> IndexCollection:
    return IndexCollection(name, about["dim"], Distance(about["distance"]), tuple(about["sparse"]))


def _write_snapshot(folder: Path, store: faiss.IndexFlat, structure: faiss.Index | None, lines: Iterable[str]) -> None:
    folder.mkdir(parents=True)
    if structure is not None:
        faiss.write_index(structure, str(folder / _STRUCTURE))
    if not isinstance(structure, faiss.IndexHNSW):  # whose file has the store
        faiss.write_index(store, str(folder / _STORE))
    with (folder / _POINTS).open("w") as file:
        file.writelines(lines)
    for path in folder.iterdir():
        _to_disk(path)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


# A child has its parent's locks as long as it has the descriptors, so it opens the collections again.
_instances: weakref.WeakSet[FaissVectorIndex] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for index in list(_instances):
        for opened in index._open.values():
            os.close(opened.lock)
        index._release_claim()
        index._reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
