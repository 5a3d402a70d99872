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

import os
import shutil
import weakref
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, get_args
from uuid import uuid4

import numpy as np

from embeddings.errors import IndexUnavailable
from embeddings.vector_index import faiss_files as files
from embeddings.vector_index.base import (
    COLLECTION_NAME,
    PAYLOAD_FIELDS,
    UNFILTERED,
    Filter,
    Hit,
    IndexCollection,
    Payload,
    Point,
    SparseQuery,
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
from embeddings.vector_index.faiss_rows import Opened
from embeddings.vector_index.faiss_search import Search
from embeddings.vector_index.faiss_structures import Kind, built
from embeddings.vector_index.folder_lock import locked
from embeddings.vector_index.scoring import best_first
from embeddings.vector_index.targets import query_target

_CLAIM, _LOCK = ".claim", ".lock"


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
            change = {"ids": ids, "payloads": payloads, "sparse": [files.as_json(each) for each in sparse]}
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
            return opened.points(ids)

    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._reading(name) as opened:
            return self._search(opened, query).answer()

    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        with self._reading(name) as opened:
            searches = [self._search(opened, query) for query in queries]
            if len(searches) < 2:
                return [search.answer() for search in searches]
            with ThreadPoolExecutor(min(len(searches), os.cpu_count() or 1)) as threads:
                return list(threads.map(Search.answer, searches))

    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._reading(name) as opened:
            wanted = checked_sparse(query.vector, query.using, opened.collection)
            if not len(wanted):
                return []
            scores, matching = opened.sparse_columns.scores(query.using, wanted)
            passing = opened.passing(query.filter)
            rows = np.flatnonzero(matching & (opened.all_alive() if passing is None else passing))
            if len(rows) > query.limit:
                cut = np.partition(scores[rows], -query.limit)[-query.limit]
                rows = rows[scores[rows] >= cut]
            hits = [Hit(opened.ids[row], opened.payloads[row]["product_id"], float(scores[row])) for row in rows]
            return best_first(hits)[: query.limit]

    def count(self, name: str, filter: Filter | None = None) -> int:
        with self._reading(name) as opened:
            mask = opened.passing(filter or UNFILTERED)
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
            files.save(opened, self._kind)

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

    def _search(self, opened: Opened, query: VectorQuery) -> Search:
        examples = possible_ids({*query.positive_ids, *query.negative_ids})
        target = query_target(query, opened.points(examples), opened.collection)
        return Search(
            opened,
            query,
            target,
            {*examples, *query.filter.exclude_ids},
            self._ef * query.breadth,
            self._nprobe * query.breadth,
        )

    @contextmanager
    def _reading(self, name: str) -> Iterator[Opened]:
        while True:
            opened = self._get(name)
            with opened.guard.reading():
                if not opened.closed:
                    yield opened
                    return

    @contextmanager
    def _writing(self, name: str) -> Iterator[Opened]:
        while True:
            opened = self._get(name)
            with opened.guard.writing():
                if not opened.closed:
                    yield opened
                    return

    def _get(self, name: str) -> Opened:
        opened = self._open.get(name)
        if opened is None:
            with self._opening:
                opened = self._open.get(name)
                if opened is None:
                    opened = self._open[name] = self._load(name)
        return opened

    def _load(self, name: str) -> Opened:
        if self._standing(name) is None:
            raise not_found(name)
        folder = self._path / name
        lock = locked(folder, _LOCK)
        try:
            # Read again: what counted before the lock was held may be gone.
            about = self._about(name)
            if about is None:
                raise not_found(name)
            return files.read(folder, files.collection_of(name, about), about, lock)
        except BaseException:
            os.close(lock)
            raise

    def _create(self, collection: IndexCollection) -> None:
        """Make the collection in a folder beside its place and move it there whole."""
        made = self._path / f".new-{uuid4().hex}"
        place = self._path / collection.name
        try:
            files.create(made, collection, self._kind)
            made.rename(place)
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            # Where the place is taken another process was first; the caller checks whether it made the same.
            if not place.exists():
                raise IndexUnavailable(f"the index {place} cannot be made: {error}") from error

    def _compact(self, opened: Opened) -> None:
        """Write the rows that are alive again, and build the structure over them."""
        rows = np.flatnonzero(opened.alive[: opened.rows])
        vectors = opened.vectors(rows)
        is_large = opened.collection.dim > 0 and len(rows) >= self._approximate_from
        kind: Kind = self._kind if is_large else "flat"
        opened.store, opened.structure = built(kind, vectors, opened.collection)
        opened.ids[:] = [opened.ids[row] for row in rows]
        opened.payloads[:] = [opened.payloads[row] for row in rows]
        opened.sparse[:] = [opened.sparse[row] for row in rows]
        opened.number_rows()

    def _save_if_long(self, opened: Opened) -> None:
        if files.journal_is_long(opened):
            files.save(opened, self._kind)

    def _standing(self, name: str) -> IndexCollection | None:
        about = self._about(name)
        return None if about is None else files.collection_of(name, about)

    def _about(self, name: str) -> dict[str, Any] | None:
        """What was noted when the collection was made or saved."""
        if not COLLECTION_NAME.fullmatch(name):
            return None
        return files.about(self._path / name)

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
        self._open: dict[str, Opened] = {}
        self._claim = None
        self._opening = Lock()


# A child has its parent's locks as long as it has the descriptors, so it opens the collections again.
_instances: weakref.WeakSet[FaissVectorIndex] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for index in list(_instances):
        for opened in index._open.values():
            os.close(opened.lock)
        index._release_claim()
        index._reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
