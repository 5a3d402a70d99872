"""The adapter of Qdrant Edge, the engine inside this process: one shard folder for each index collection."""

from __future__ import annotations

import ctypes
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from heapq import nsmallest
from itertools import islice, takewhile
from pathlib import Path
from struct import Struct
from threading import Condition, Lock, Thread, main_thread
from typing import Any
from uuid import uuid4

import numpy as np
import qdrant_edge as engine

from embeddings.errors import IndexFull, IndexUnavailable
from embeddings.vector_index.base import (
    COLLECTION_NAME,
    NO_VECTOR,
    PAYLOAD_FIELDS,
    UNFILTERED,
    Distance,
    FieldType,
    Filter,
    Hit,
    IndexCollection,
    Payload,
    Point,
    SparseQuery,
    SparseVector,
    Vector,
    VectorQuery,
    best_first,
    best_of_products,
    check_same,
    checked_points,
    checked_sparse,
    near_enough,
    not_found,
    possible_ids,
    query_target,
    sketches_of,
    stored_payload,
)
from embeddings.vector_index.cells import Cells, Gathering, Near
from embeddings.vector_index.filtered_search import (
    EXACT,
    LEAST_RESCORED,
    OVERSAMPLING,
    Situation,
    Step,
    first_step,
    next_step,
)
from embeddings.vector_index.folder_lock import held, locked
from embeddings.vector_index.known_points import KnownPoint, KnownPoints

logger = logging.getLogger(__name__)

_MARKER = "collection.json"
_DENSE = ""  # the engine's name of the vector that has none
_CLAIM = ".claim"
_POINTS_A_WRITE = 1000
_MAX_CANDIDATES = 10_000  # more hits with one score than these are cut by chance, too
_TIES_GROWTH = 4
_OPTIMISE = """
import sys, qdrant_edge
shard = qdrant_edge.EdgeShard.load(sys.argv[1])
shard.optimize(); shard.flush(); shard.close()
"""
# What is known of a large shard's points is read by a thread: of so many at a time, which holds the interpreter for 2 ms, and with
# a pause in which requests are answered. 100,000 take half a minute, and 2 s of the processor.
_LEARNED_FROM, _LEARNED_AT_ONCE, _LEARNING_PAUSE_S = 5_000, 100, 0.02
_LEARNING_RATE = 0.05
# Cells take some 10 MB for 100,000 points; making them takes half a minute, 5 s of the processor. Not again at once while many
# points are written.
_MOST_IN_CELLS, _CELLS_AGAIN_S = 500_000, 300
_CELLS_BYTES = 5  # on the disk, for each number of a vector: as float32 and as int8
_NO_CELLS = "what filters the index %s fast cannot be made: %s"
# The engine maps its files into memory and lets them grow: where the disk has no room for a page that is written to, the kernel
# kills the process (SIGBUS). So it is asked before. One write was measured to take up to 45 MB, opening up to 32.
_ROOM_TO_WRITE_BYTES = 128 * 1024**2
_ROOM_TO_OPEN_BYTES = 64 * 1024**2
_FULL_SCAN_THRESHOLD_KB = 10_000  # the engine's own

_DISTANCES = {
    Distance.COSINE: engine.Distance.Cosine,
    Distance.DOT: engine.Distance.Dot,
    Distance.L2: engine.Distance.Euclid,
    Distance.L1: engine.Distance.Manhattan,
}
# Each index of a field takes 3 to 5 MB of memory, even for one point. No range of ids is asked for that would need a second one.
_BY_VALUE = engine.IntegerIndexParams(lookup=True, range=False)
_SCHEMAS: Mapping[FieldType, engine.PayloadSchemaType | engine.IntegerIndexParams] = {
    FieldType.KEYWORD: engine.PayloadSchemaType.Keyword,
    FieldType.INTEGER: _BY_VALUE,
    FieldType.FLOAT: engine.PayloadSchemaType.Float,
    # The binding turns MatchValue(True) into the integer 1, which a boolean never equals: booleans are kept as 0 and 1.
    FieldType.BOOL: _BY_VALUE,
}
_Scored = engine.ScoredPoint | Near
_INT8 = engine.ScalarQuantizationConfig(engine.ScalarType.Int8, quantile=0.99, memory=engine.Memory.Pinned)
_NOT_RESCORED = engine.QuantizationSearchParams(rescore=False)
_BOOLEANS = [name for name, field_type in PAYLOAD_FIELDS.items() if field_type is FieldType.BOOL]


@dataclass(slots=True)
class _Shard:
    """An open shard.

    Attributes:
        users: calls that use it now.
        closing: new calls wait until it is closed, then open it again.
        known: of points, which saves reading them again.
        is_learned: whether a thread reads what is to be known of all points, or has.
        points_a_product: moving average of points of one product among the hits of a query; how far a grouped query has to look.
        counted: how many points there are, about; None: not counted since the last write.
        cells: what finds the nearest points that pass a filter; None: not made yet.
        gathering: what cells are being made from.
        cells_wanted: whether a query would have used them.
        cells_begun: when making them began last, by the monotonic clock.
    """

    handle: engine.EdgeShard
    collection: IndexCollection
    writing: Lock = field(default_factory=Lock)
    users: int = 0
    closing: bool = False
    known: KnownPoints = field(default_factory=KnownPoints)
    is_learned: bool = False
    points_a_product: float = 2.0
    counted: int | None = None
    cells: Cells | None = None
    gathering: Gathering | None = None
    cells_wanted: bool = False
    cells_begun: float = -math.inf

    @contextmanager
    def forgetting(self, ids: AnyCollection[int]) -> Iterator[None]:
        """What was known of points is forgotten once they are written. A write that fails is done in part."""
        try:
            yield
        finally:
            if ids:
                self.known.forget(ids)
                self.counted = None

    @contextmanager
    def changing(self, ids: Sequence[int], after: Callable[[Cells], None] | None = None) -> Iterator[None]:
        """The cells follow a write.

        Args:
            ids: of the points that are written.
            after: what the write changes in the cells; None, and after one that fails: the engine compares the points.
        """
        change: Callable[[Cells], None] | None = None
        try:
            yield
            change = after
        finally:
            if self.gathering is not None:
                self.gathering.changed.update(ids)
            if (cells := self.cells) is not None:
                if change is None:
                    cells.upserted(ids)
                else:
                    change(cells)
                if cells.are_old:
                    self.cells = None

    def count(self) -> int:
        """How many points there are, about."""
        if (counted := self.counted) is None:
            counted = self.counted = _count(self, None, exact=False)
        return counted


class EdgeVectorIndex:
    """A VectorIndex for one machine without a server. One process at a time holds a shard: others get IndexLocked."""

    _claim: int | None

    def __init__(
        self,
        path: str | Path,
        ef: int = 32,
        full_scan_threshold_kb: int | None = None,
        quantization: str | None = None,
    ) -> None:
        """Name the folder; shards are opened when they are first used.

        Args:
            path: folder of the shards.
            ef: width of the HNSW search, raised to twice the number of hits asked for. Wider finds more and takes longer
                (100,000 x 256, without a filter: 0.28 ms at 32, 0.41 at 64, 0.58 at 100, recall 0.995 and more).
            full_scan_threshold_kb: from how many kilobytes of vectors on `optimise` builds a graph, and up to how many of those
                that pass a filter are compared one by one; None: the engine's own 10 MB. The former is fixed when a collection
                is made.
            quantization: "int8" keeps a quarter-size copy in memory, searches that and rescores twice as many candidates, 64 at
                least, by the full vectors, which stay on disk. For collections that are made from then on.

        Raises:
            ValueError: an unknown quantization.
        """
        if quantization not in (None, "int8"):
            raise ValueError(f'quantization is None or "int8", not {quantization!r}')
        self._path = Path(path)
        self._ef = ef
        self._quantization = quantization
        self._full_scan_threshold_kb = full_scan_threshold_kb or _FULL_SCAN_THRESHOLD_KB
        self._reset()
        _instances.add(self)

    def claim(self) -> None:
        with self._turn:
            if self._claim is None:
                self._claim = locked(self._path, _CLAIM)

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:  # noqa: ARG002
        stands = self._standing(collection.name)
        if stands is None:
            self.close(collection.name)  # a handle of a shard that another process has dropped
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
        return frozenset(PAYLOAD_FIELDS.keys() - about.get("fields", ()))

    def revision(self, name: str) -> int:
        with self._using(name) as shard:
            return shard.known.writes

    def copies(self, name: str) -> None:
        """There is one, in this process."""

    def drop(self, name: str) -> None:
        if not COLLECTION_NAME.fullmatch(name):
            return
        self.close(name)
        # Renamed first, so that no process opens half a shard; one that has it open goes on with its own files.
        dropped = self._path / f".dropped-{uuid4().hex}"
        try:
            (self._path / name).rename(dropped)
        except FileNotFoundError:
            return
        shutil.rmtree(dropped)

    def upsert(self, name: str, points: Iterable[Point]) -> None:
        with self._using(name) as shard:
            checked = checked_points(points, shard.collection)
            for start in range(0, len(checked), _POINTS_A_WRITE):
                self._expect_room(name)
                batch = [
                    engine.Point(point.id, _engine_vector(point), _engine_payload(point.payload))
                    for point in checked[start : start + _POINTS_A_WRITE]
                ]
                ids = [point.id for point in checked[start : start + _POINTS_A_WRITE]]
                with shard.writing, shard.forgetting(ids), shard.changing(ids):
                    shard.handle.update(engine.UpdateOperation.upsert_points(batch))

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        stored = stored_payload(payload)
        patch = _engine_payload(stored)
        with self._using(name) as shard:
            if not (known := possible_ids(ids)) or not patch:
                return
            self._expect_room(name)
            # By a filter: naming an id that is not there fails halfway.
            chosen = engine.Filter(must=[engine.HasIdCondition(set(known))])
            with shard.writing:
                # Prices and stock change all the time, and neither is known of a point.
                moved = _of_other_products(shard, known, patch["product_id"]) if "product_id" in patch else []
                with shard.forgetting(moved), shard.changing(known, lambda cells: cells.patched(known, stored)):
                    shard.handle.update(engine.UpdateOperation.set_payload_by_filter(chosen, patch))

    def delete(self, name: str, ids: Sequence[int]) -> None:
        with self._using(name) as shard:
            if known := possible_ids(ids):
                self._expect_room(name)
                with shard.writing, shard.forgetting(known), shard.changing(known, lambda cells: cells.deleted(known)):
                    shard.handle.update(engine.UpdateOperation.delete_points([*known]))

    def retrieve(self, name: str, ids: Sequence[int]) -> dict[int, Point]:
        with self._using(name) as shard:
            return _points(shard.handle.retrieve([*possible_ids(ids)], True, True))

    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._using(name) as shard:
            hits = self._search(shard, query).answer()
            if query.group_by_product and not shard.is_learned:
                self._start_learning(shard)
            if shard.cells_wanted:
                self._start_making_cells(shard)
            return hits

    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        with self._using(name) as shard:
            searches = [self._search(shard, query) for query in queries]
            _ask_together(searches)
            answers = [search.answer() for search in searches]
            if shard.cells_wanted:
                self._start_making_cells(shard)
            return answers

    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._using(name) as shard:
            wanted = checked_sparse(query.vector, query.using, shard.collection)
            if not len(wanted):
                return []
            nearest = engine.Query.Nearest(_engine_sparse(wanted), using=query.using)
            conditions = _engine_filter(query.filter)
            # More than are returned, and all that tie with the last of them: which of these the engine returns is chance. Products
            # with the same words are common, and a few more cost less than asking again. Payloads would cost more than all else.
            asked = 3 * query.limit + 1
            while True:
                found = shard.handle.query(
                    engine.QueryRequest(
                        limit=asked, query=nearest, filter=conditions, with_payload=False, with_vector=False
                    )
                )
                if len(found) < asked or found[-1].score != found[query.limit - 1].score or asked > _MAX_CANDIDATES:
                    break
                asked *= _TIES_GROWTH
        return [Hit(point_id, point_id, score) for score, point_id in _first_of_tied(found, query.limit)]

    def _search(self, shard: _Shard, query: VectorQuery) -> _Search:
        examples = possible_ids({*query.positive_ids, *query.negative_ids})
        known = _points(shard.handle.retrieve([*examples], False, True)) if examples else {}
        target = query_target(query, known, shard.collection)
        scanned = self._full_scan_threshold_kb * 1024 // target.nbytes
        hidden = {*examples, *query.filter.exclude_ids}
        return _Search(
            shard, query, target, target.tolist(), self._ef * query.breadth, hidden, scanned, bool(self._quantization)
        )

    def count(self, name: str, filter: Filter | None = None) -> int:
        with self._using(name) as shard:
            return _count(shard, _engine_filter(filter or Filter()))

    def scroll(self, name: str, *, batch_size: int = 1000, after: int = -1) -> Iterator[list[Point]]:
        with self._using(name):  # raises for an unknown name now, not at the first batch
            return self._batches(name, batch_size, after)

    def optimise(self, name: str) -> None:
        """Build the HNSW graph of a collection above the threshold, in a process of its own.

        The engine holds the interpreter for the whole run, and memory for a second copy of the points.
        """
        with self._using(name):
            pass  # raises for an unknown name
        self.close(name)
        # The graph is built in a copy.
        self._expect_room(name, _ROOM_TO_WRITE_BYTES + _size_of(self._path / name))
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _OPTIMISE, str(self._path / name)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise IndexUnavailable(f"the graph of the index {self._path / name} could not be built: {reason}")

    def close(self, name: str | None = None) -> None:
        """Release the shard's lock after the calls that use it; where all shards are closed, the claim, too."""
        for each in [name] if name is not None else list(self._open):
            with self._turn:
                shard = self._open.get(each)
                if shard is None or shard.closing:
                    continue
                shard.closing = True
                while shard.users:
                    self._turn.wait()
                try:
                    shard.handle.close()
                finally:
                    del self._open[each]
                    self._turn.notify_all()
        if name is None:
            with self._turn:
                self._release_claim()

    @contextmanager
    def _using(self, name: str) -> Iterator[_Shard]:
        with self._turn:
            while (shard := self._open.get(name)) is not None and shard.closing:
                self._turn.wait()
            if shard is None:
                shard = self._open[name] = self._load(name)
            shard.users += 1
        try:
            yield shard
        except Exception as error:
            if type(error) is not Exception:  # the engine raises bare Exceptions and nothing else does
                raise
            raise IndexUnavailable(f"the index {self._path / name} failed: {error}") from error
        finally:
            with self._turn:
                shard.users -= 1
                if shard.closing:
                    self._turn.notify_all()

    def _start_learning(self, shard: _Shard) -> None:
        """Have a thread read what is to be known of a shard's points, if they are many: requests would read them one by one."""
        with self._turn:
            started, shard.is_learned = shard.is_learned, True
        # int8 vectors stand for full ones that stay on the disk.
        is_done = started or bool(self._quantization) or shard.collection.of_products
        if not is_done and shard.count() >= _LEARNED_FROM:
            Thread(target=self._learn, args=[shard], name="points").start()

    def _learn(self, shard: _Shard) -> None:
        with suppress(_Stopped):
            for writes, records in self._read_all(shard, ["product_id"]):
                if not shard.known.keep_in_order(_known(records)[0], writes, shard.count()):
                    return

    def _start_making_cells(self, shard: _Shard) -> None:
        """Have a thread make the cells of a shard, unless they are there or it is too soon."""
        with self._turn:
            shard.cells_wanted, now = False, time.monotonic()
            if shard.cells or shard.gathering or now - shard.cells_begun < _CELLS_AGAIN_S:
                return
            shard.cells_begun = now
            # Where the disk has no room, queries go on as before.
            needed = _CELLS_BYTES * shard.count() * shard.collection.dim + _ROOM_TO_WRITE_BYTES
            if shutil.disk_usage(self._path).free < needed:
                return
            try:
                shard.gathering = Gathering(self._path, shard.collection.dim, lambda: self._rest(shard))
            except OSError as error:
                logger.warning(_NO_CELLS, self._path / shard.collection.name, error)
                return
        Thread(target=self._make_cells, args=[shard, shard.gathering], name="points").start()

    def _make_cells(self, shard: _Shard, gathering: Gathering) -> None:
        try:
            for _, records in self._read_all(shard, [*PAYLOAD_FIELDS]):
                gathering.add({int(each.id): (_vector(each), _own_payload(each.payload or {})) for each in records})
            if not len(gathering):
                return
            cells = gathering.made()
            with shard.writing:
                cells.upserted(gathering.changed)
                shard.cells = None if cells.are_old else cells
        except _Stopped:
            pass
        except OSError as error:
            logger.warning(_NO_CELLS, self._path / shard.collection.name, error)
        finally:
            shard.gathering = None
            gathering.close()
            _give_memory_back()

    def _rest(self, shard: _Shard) -> None:
        """Have requests answered, between pieces of a thread's work; raises _Stopped where the shard was closed."""
        time.sleep(_LEARNING_PAUSE_S)
        # A process that ends waits for this thread: the engine must not be left in the middle of a call.
        if self._open.get(shard.collection.name) is not shard or not main_thread().is_alive():
            raise _Stopped

    def _read_all(self, shard: _Shard, fields: list[str]) -> Iterator[tuple[int, list[engine.Record]]]:
        """All points in the order of their ids, some at a time, in a thread.

        Args:
            shard: is not opened again for this.
            fields: of payloads.

        Yields:
            How many writes there had been, and what was read then.

        Raises:
            _Stopped: the shard was closed, or cannot be read.
        """
        name = shard.collection.name
        following: Any = 0
        while following is not None:
            with self._turn:
                if self._open.get(name) is not shard or shard.closing:
                    raise _Stopped
                shard.users += 1
            try:
                writes = shard.known.writes
                request = engine.ScrollRequest(
                    offset=following, limit=_LEARNED_AT_ONCE, with_payload=fields, with_vector=True
                )
                records, following = shard.handle.scroll(request)
            except Exception as error:
                if type(error) is not Exception:  # as in `_using`
                    raise
                logger.warning("the points of the index %s cannot be read: %s", self._path / name, error)
                raise _Stopped from error
            finally:
                with self._turn:
                    shard.users -= 1
                    self._turn.notify_all()
            yield writes, records
            self._rest(shard)

    def _load(self, name: str) -> _Shard:
        collection = self._standing(name)
        if collection is None:
            raise not_found(name)
        folder = self._path / name
        self._expect_room(name, _ROOM_TO_OPEN_BYTES)
        try:
            shard = _Shard(engine.EdgeShard.load(str(folder)), collection)
        except Exception as error:
            if "WouldBlock" in str(error):
                raise held(folder) from error
            raise IndexUnavailable(f"the index {folder} cannot be opened: {error}") from error
        # Beside words, vectors are asked now and then; beside int8 vectors, a few of them in each query.
        if not (self._quantization or collection.sparse):
            _read_ahead(folder)
        return shard

    def _create(self, collection: IndexCollection) -> None:
        """Make the shard in a folder beside its place and move it there whole, so that no process opens half a collection."""
        made = self._path / f".new-{uuid4().hex}"
        place = self._path / collection.name
        self._expect_room(collection.name)
        try:
            made.mkdir(parents=True)
            shard = engine.EdgeShard.create(str(made), self._config(collection))
            for name, field_type in PAYLOAD_FIELDS.items():
                shard.update(engine.UpdateOperation.create_field_index(name, _SCHEMAS[field_type]))
            shard.close()
            about = {
                "dim": collection.dim,
                "distance": collection.distance,
                "fields": sorted(PAYLOAD_FIELDS),
                "sparse": sorted(collection.sparse),
            }
            (made / _MARKER).write_text(json.dumps(about))
            made.rename(place)
        except Exception as error:
            shutil.rmtree(made, ignore_errors=True)
            # Where the place is taken another process was first; the caller checks whether it made the same.
            if not (isinstance(error, OSError) and place.exists()):
                raise IndexUnavailable(f"the index {place} cannot be made: {error}") from error

    def _expect_room(self, name: str, needed: int = _ROOM_TO_WRITE_BYTES) -> None:
        """Raises IndexFull where the disk has less room than the engine may take."""
        # The folder itself is made with the first collection.
        folder = next(place for place in (self._path, *self._path.absolute().parents) if place.exists())
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise IndexFull(
                f"the index {self._path / name} has no room: {_mb(free)} MB are free on its disk, and {_mb(needed)} may be needed;"
                " what waits is written once there is room"
            )

    def _config(self, collection: IndexCollection) -> engine.EdgeConfig:
        threshold = self._full_scan_threshold_kb
        dense = engine.EdgeVectorParams(
            size=max(1, collection.dim),
            distance=_DISTANCES[collection.distance],
            # Pages of the file are mapped when they are needed. Otherwise all of it is, and it is made 32 MB large for one vector.
            memory=engine.Memory.Cold,
        )
        return engine.EdgeConfig(
            vectors=dense if collection.dim else None,
            # Without the engine's modifier for document frequencies, which counts deleted points.
            sparse_vectors={name: engine.EdgeSparseVectorParams() for name in collection.sparse} or None,
            quantization_config=_INT8 if self._quantization and collection.dim else None,
            wal_enabled=True,
            # A query holds the interpreter until it is answered, so that threads of the engine's own would only be waited for.
            max_search_threads=1,
            hnsw_config=engine.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=threshold),
            optimizers=engine.EdgeOptimizersConfig(indexing_threshold=threshold),
        )

    def _standing(self, name: str) -> IndexCollection | None:
        about = self._about(name)
        if about is None:
            return None
        return IndexCollection(name, about["dim"], Distance(about["distance"]), tuple(about.get("sparse", ())))

    def _about(self, name: str) -> dict[str, Any] | None:
        """What was noted when the collection was made."""
        if not COLLECTION_NAME.fullmatch(name):
            return None
        try:
            about: dict[str, Any] = json.loads((self._path / name / _MARKER).read_text())
        except FileNotFoundError:
            return None
        return about

    def _batches(self, name: str, batch_size: int, after: int) -> Iterator[list[Point]]:
        following: Any = after + 1
        while following is not None and possible_ids([following]):
            with self._using(name) as shard:
                request = engine.ScrollRequest(offset=following, limit=batch_size, with_payload=True, with_vector=False)
                records, following = shard.handle.scroll(request)
            if records:
                yield [*_points(records).values()]

    def _release_claim(self) -> None:
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _reset(self) -> None:
        self._open: dict[str, _Shard] = {}
        self._claim = None
        self._turn = Condition()


class _Stopped(Exception):
    """A thread's work is of no more use."""


# Asks for several things at a time, is sent their answers, and returns the points in the end.
_Asking = Generator[list[engine.QueryRequest], Any, Sequence[_Scored]]


@dataclass(slots=True)
class _Search:
    """One query against an open shard.

    Attributes:
        shard: open while the query lasts.
        query: what is asked.
        vector: what is looked for.
        target: the same for the engine.
        ef: least width of the HNSW search.
        hidden: ids that are never returned.
        scanned: how many points are compared in the time of a wide search (see `filtered_search`).
        rescored: whether candidates are found by quantised vectors and compared again by the full ones.
        answered: the answer to `first_asked`, where it was asked together with others'.
    """

    shard: _Shard
    query: VectorQuery
    vector: Vector
    target: list[float]
    ef: int
    hidden: AnyCollection[int]
    scanned: int
    rescored: bool
    answered: Sequence[_Scored] | None = None
    points_a_product: float = field(init=False)

    def __post_init__(self) -> None:
        # As it is now: other searches change the average meanwhile.
        self.points_a_product = self.shard.points_a_product

    def answer(self) -> list[Hit]:
        """The hits of the query, best first."""
        found = self.products() if self.query.group_by_product else self.hits(self.query.limit)
        return found[: self.query.limit]

    def hits(self, limit: int, without_products: Sequence[int] = ()) -> list[Hit]:
        """The nearest `limit` points within the query's min_score, and those that tie with the last of them, best first."""
        found = self._scored(limit, self._conditions(without_products))
        # The engine answers with distances for l2 and l1.
        sign = self.shard.collection.distance.sign
        near = [(int(point.id), sign * point.score) for point in found]
        if self.query.min_score is not None:
            near = [(point_id, score) for point_id, score in near if near_enough(score, self.query.min_score)]
        if self.shard.collection.of_products and not self.query.with_vectors:
            return best_first([Hit(point_id, point_id, score) for point_id, score in near])
        known, vectors = self._read([point_id for point_id, _ in near])
        hits = []
        for point_id, score in near:
            if (read := known.get(point_id)) is not None:
                hits.append(Hit(point_id, read.product_id, score, vectors.get(point_id), read.sketch))
        return best_first(hits)

    def _read(self, ids: Sequence[int]) -> tuple[Mapping[int, KnownPoint], Mapping[int, Vector]]:
        """Read points by id. With the payload in the query, the engine would read it for more points than it returns.

        Returns:
            What is known of the points by point id, and vectors by point id if the query needs them.
        """
        writes = self.shard.known.writes
        found = self.shard.known.find(ids)
        missing = ids if self.query.with_vectors else [point_id for point_id in ids if point_id not in found]
        if not missing:
            return found, {}
        fresh, vectors = _known(self.shard.handle.retrieve([*missing], ["product_id"], True))
        self.shard.known.keep(fresh, writes)
        return found | fresh, vectors if self.query.with_vectors else {}

    def products(self) -> list[Hit]:
        """The best hit of each of the nearest products: asks again, without those it has, until there are enough."""
        products: list[Hit] = []
        limit = self._first_limit()
        while len(products) < self.query.limit:
            hits = self.hits(limit, [hit.product_id for hit in products])
            best = best_of_products(hits)
            if best:
                self.shard.points_a_product += _LEARNING_RATE * (len(hits) / len(best) - self.shard.points_a_product)
            products += best
            if len(hits) < limit:
                break
            limit = min(2 * limit, _MAX_CANDIDATES)
        return products

    def _first_limit(self) -> int:
        if not self.query.group_by_product:
            return self.query.limit
        return min(math.ceil(self.points_a_product * self.query.limit) + 2, _MAX_CANDIDATES)

    def _conditions(self, without_products: Sequence[int] = ()) -> Filter | None:
        """What points have to meet; None: nothing."""
        asked = self.query.filter
        if asked is UNFILTERED and not self.hidden and not without_products:
            return None
        if not self.hidden and not without_products:
            return asked
        exclude = asked.exclude
        if without_products:
            exclude = {**exclude, "product_id": [*exclude.get("product_id", ()), *without_products]}
        return replace(asked, exclude=exclude, exclude_ids=self.hidden)

    def _scored(self, limit: int, filter: Filter | None) -> Sequence[_Scored]:
        """The nearest `limit` points and all that tie with the last of them: which of these the engine returns is chance."""
        asked = limit + 1
        while True:
            points, self.answered = self.answered, None
            if points is None:
                (points,) = _ask(self.shard, [self._nearest(asked, filter)])
            cut = points[:limit][-1].score if points else None
            if len(points) < asked or points[-1].score != cut or asked > _MAX_CANDIDATES:
                return [*points[:limit], *(point for point in points[limit:] if point.score == cut)]
            asked *= 2

    def first_asked(self) -> _Asking:
        """What the search asks first."""
        return self._nearest(self._first_limit() + 1, self._conditions())

    def _nearest(self, limit: int, filter: Filter | None) -> _Asking:
        """The nearest `limit` points that meet the conditions, best first."""
        total = self.shard.count()
        cells = self.shard.cells
        rows = None if cells is None or filter is None else cells.passing(filter)
        in_rows = 0 if rows is None else int(np.count_nonzero(rows))
        conditions = None if filter is None or rows is not None else _engine_filter(filter)
        if cells is not None and rows is not None:
            passing = in_rows + len(cells.written)
        else:
            passing = total if conditions is None else _count(self.shard, conditions, exact=False)
        situation = Situation(limit, passing, total, self.scanned, not self.rescored, rows is not None)
        step: Step | None = first_step(situation)
        points: Sequence[_Scored] = []
        while step is not None:
            if step.in_cells and cells is not None and filter is not None and rows is not None:
                if not (written := cells.written):
                    return [*cells.nearest(self.vector, rows, in_rows, limit)]
                # All are compared by the engine, so that equal vectors have equal scores.
                among = _among(cells.candidates(self.vector, rows, in_rows, limit), None)
                newer = [_has_id(written), *_all_of(_engine_filter(filter))]
                among = engine.Filter(should=[among, engine.Filter(must=newer)])
                (points,) = yield [self._request(limit, among, exact=not self.rescored)]
                return points
            if filter is not None and conditions is None:
                conditions = _engine_filter(filter)
            answers = yield self._requests(step, limit, conditions)
            place = None
            if step.around:
                self.shard.cells_wanted = self._can_have_cells(total)
                places = {point.id: place for place, point in enumerate(answers[0], 1)}
                found = {point.id for answer in answers for point in answer}
                answers = yield [self._request(limit, _among(found, conditions), exact=not self.rescored)]
                place = places.get(answers[0][-1].id) if len(answers[0]) == limit else None
            points = answers[0] if step == EXACT or not points else self._joined(points, answers[0])[:limit]
            step = next_step(step, situation, len(points), place)
        return points

    def _can_have_cells(self, total: int) -> bool:
        """Whether a search by cells is faster than those without."""
        # Without a graph, all points are compared anyway. Other distances have no bound for how near a cell's points may be.
        is_large = max(_LEARNED_FROM, self.scanned) <= total <= _MOST_IN_CELLS
        return is_large and self.shard.collection.distance is Distance.COSINE

    def _requests(self, step: Step, limit: int, conditions: engine.Filter | None) -> list[engine.QueryRequest]:
        """What finds the candidates of a step. Those around the target are compared by the full vectors afterwards."""
        if not step.around:
            return [self._request(limit, conditions, ef=step.in_graph, exact=step.exact)]
        quantization = _NOT_RESCORED if self.rescored else None
        around = engine.SearchParams(hnsw_ef=step.around, exact=step.exact, quantization=quantization)
        requests = [_request(self.target, step.around, None, around)]
        if step.in_graph:
            in_graph = engine.SearchParams(hnsw_ef=step.in_graph, quantization=quantization)
            requests.append(_request(self.target, limit, conditions, in_graph))
        return requests

    def _joined(self, points: Iterable[_Scored], others: Iterable[_Scored]) -> Sequence[_Scored]:
        """The points of both, each once, best first."""
        sign = self.shard.collection.distance.sign
        each = {point.id: point for point in [*points, *others]}
        return sorted(each.values(), key=lambda point: -sign * point.score)

    def _request(
        self, limit: int, conditions: engine.Filter | None, *, exact: bool, ef: int = 0
    ) -> engine.QueryRequest:
        quantization = _rescored(limit) if self.rescored else None
        params = engine.SearchParams(hnsw_ef=max(self.ef, ef, 2 * limit), exact=exact, quantization=quantization)
        return _request(self.target, limit, conditions, params)


def _ask(shard: _Shard, asking: Sequence[_Asking]) -> list[Sequence[_Scored]]:
    """What each is answered in the end; those that ask at the same time are asked in one batch."""
    answers: dict[int, Sequence[_Scored]] = {}
    waiting: dict[int, list[engine.QueryRequest]] = {}

    def go_on(position: int, got: list[Sequence[_Scored]] | None) -> None:
        try:
            waiting[position] = asking[position].send(got)
        except StopIteration as stop:
            answers[position] = stop.value

    for position in range(len(asking)):
        go_on(position, None)
    while waiting:
        asked, waiting = waiting, {}
        requests = [request for each in asked.values() for request in each]
        if len(requests) == 1:
            got = iter([shard.handle.query(requests[0])])
        else:
            got = iter(shard.handle.query_batch(engine.QueryBatchRequest(requests)))
        for position, each in asked.items():
            go_on(position, [next(got) for _ in each])
    return [answers[position] for position in range(len(asking))]


def _ask_together(searches: Sequence[_Search]) -> None:
    """Ask for what each search asks first, and read the points that were found, at once."""
    if len(searches) < 2:
        return
    answers = _ask(searches[0].shard, [search.first_asked() for search in searches])
    for search, answer in zip(searches, answers, strict=True):
        search.answered = answer
    found = dict.fromkeys(int(point.id) for answer in answers for point in answer)
    if not searches[0].query.with_vectors and not searches[0].shard.collection.of_products:
        searches[0]._read([*found])


def _request(
    target: list[float], limit: int, conditions: engine.Filter | None, params: engine.SearchParams
) -> engine.QueryRequest:
    return engine.QueryRequest(
        limit=limit,
        query=engine.Query.Nearest(target),
        filter=conditions,
        with_payload=False,
        with_vector=False,
        params=params,
    )


def _rescored(limit: int) -> engine.QuantizationSearchParams:
    oversampling = max(OVERSAMPLING, LEAST_RESCORED / limit)
    return engine.QuantizationSearchParams(rescore=True, oversampling=oversampling)


def _first_of_tied(found: Sequence[engine.ScoredPoint], limit: int) -> list[tuple[float, int]]:
    """Score and id of the best, of equal ones the lowest ids. Thousands may tie, so that nothing is made of each.

    Args:
        found: by descending score.
        limit: how many are wanted.

    Returns:
        The best, in their order.
    """
    if not found:
        return []
    cut = found[min(limit, len(found)) - 1].score
    better = list(takewhile(lambda point: point.score > cut, found))
    tied = takewhile(lambda point: point.score == cut, islice(found, len(better), None))
    lowest = nsmallest(limit - len(better), (int(point.id) for point in tied))
    ranked = sorted((-point.score, int(point.id)) for point in better)
    return [*((-score, point_id) for score, point_id in ranked), *((cut, point_id) for point_id in lowest)]


def _among(ids: AnyCollection[Any], conditions: engine.Filter | None) -> engine.Filter:
    return engine.Filter(must=[engine.HasIdCondition(set(ids)), *_all_of(conditions)])


def _all_of(conditions: engine.Filter | None) -> list[Any]:
    return [] if conditions is None else [conditions]


@lru_cache(maxsize=16)
def _has_id(ids: frozenset[int]) -> engine.HasIdCondition:
    """Kept, as it takes 0.1 ms for a thousand ids that are the same in one query after the other."""
    return engine.HasIdCondition(set(ids))


def _give_memory_back() -> None:
    """Have glibc return what is free to the system: of 100,000 points that were read, it keeps 30 MB."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _size_of(folder: Path) -> int:
    """In bytes on the disk: the engine's files have holes."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())


def _mb(size: int) -> int:
    return size // 1024**2


def _engine_payload(payload: Payload) -> dict[str, Any]:
    return {name: int(value) if name in _BOOLEANS and value is not None else value for name, value in payload.items()}


def _own_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: bool(value) if name in _BOOLEANS and value is not None else value for name, value in payload.items()}


def _points(records: Iterable[engine.Record]) -> dict[int, Point]:
    return {
        int(record.id): Point(
            int(record.id), _vector(record), _own_payload(record.payload or {}), _sparse(record.vector)
        )
        for record in records
    }


def _known(records: Iterable[engine.Record]) -> tuple[dict[int, KnownPoint], dict[int, Vector]]:
    """What is kept of points that were read, and their vectors, by point id."""
    by_id = {int(record.id): record for record in records}
    vectors = {point_id: _vector(record) for point_id, record in by_id.items()}
    sketches = sketches_of(np.stack([*vectors.values()])) if vectors else []
    known = {
        point_id: KnownPoint(int((record.payload or {})["product_id"]), sketch)
        for (point_id, record), sketch in zip(by_id.items(), sketches, strict=True)
    }
    return known, vectors


def _of_other_products(shard: _Shard, ids: AnyCollection[int], product_id: int) -> list[int]:
    """The points that are not of this product."""
    products = {point_id: point.product_id for point_id, point in shard.known.find(ids).items()}
    unknown = [point_id for point_id in ids if point_id not in products]
    for record in shard.handle.retrieve([*unknown], ["product_id"], False) if unknown else ():
        products[int(record.id)] = int((record.payload or {})["product_id"])
    return [point_id for point_id, own in products.items() if own != product_id]


def _engine_vector(point: Point) -> Any:
    """The vectors of a point. Lists: the binding reads an array of 256 five times slower."""
    if not point.sparse and len(point.vector):
        return point.vector.tolist()
    dense = {_DENSE: point.vector.tolist()} if len(point.vector) else {}
    return {**dense, **{name: _engine_sparse(each) for name, each in point.sparse.items()}}


def _engine_sparse(vector: SparseVector) -> engine.SparseVector:
    return engine.SparseVector(vector.indices.tolist(), vector.values.tolist())


def _vector(record: engine.Record) -> Vector:
    """The vector of a point, read-only. NumPy takes five times as long for the list that the engine gives."""
    stored: Any = record.vector
    if isinstance(stored, dict):
        stored = stored.get(_DENSE)
    return NO_VECTOR if stored is None else np.frombuffer(_floats(len(stored)).pack(*stored), dtype=np.float32)


@lru_cache(maxsize=16)
def _floats(number: int) -> Struct:
    return Struct(f"{number}f")


def _sparse(stored: Any) -> dict[str, SparseVector]:
    if not isinstance(stored, dict):
        return {}
    return {
        name: SparseVector(np.asarray(each.indices, dtype=np.uint32), np.asarray(each.values, dtype=np.float32))
        for name, each in stored.items()
        if name != _DENSE
    }


def _count(shard: _Shard, conditions: engine.Filter | None, *, exact: bool = True) -> int:
    return shard.handle.count(engine.CountRequest(exact=exact, filter=conditions))


def _engine_filter(filter: Filter) -> engine.Filter | None:
    must: list[Any] = [_any_of(name, [value]) for name, value in filter.match.items()]
    must += [_any_of(name, values) for name, values in filter.match_any.items()]
    must += [_any_of(name, values) for name, lists in filter.match_each.items() for values in lists]
    must += [
        _between(name, interval.gte, interval.lte)
        for name, interval in filter.ranges.items()
        if interval.gte is not None or interval.lte is not None
    ]
    must_not: list[Any] = [_any_of(name, values) for name, values in filter.exclude.items()]
    if hidden := possible_ids(filter.exclude_ids):
        must_not.append(engine.HasIdCondition(set(hidden)))
    return engine.Filter(must=must, must_not=must_not) if must or must_not else None


def _any_of(name: str, values: Sequence[Any]) -> Any:
    """The condition that one of the values matches."""
    if PAYLOAD_FIELDS[name] is FieldType.FLOAT and values:  # a float is matched by a range alone
        return engine.Filter(should=[_between(name, value, value) for value in values])
    if PAYLOAD_FIELDS[name] is FieldType.BOOL:
        values = [int(value) for value in values]
    return engine.FieldCondition(name, match=engine.MatchAny(list(values)))


def _read_ahead(folder: Path) -> None:
    """Have the kernel read a collection's vectors at once, where it can, and not page by page with the first queries."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in filter(Path.is_file, folder.glob("segments/*/vector_storage/**/*")):
        # A file system may know no advice.
        with path.open("rb") as file, suppress(OSError):
            # What follows the written blocks is a hole.
            os.posix_fadvise(file.fileno(), 0, os.fstat(file.fileno()).st_blocks * 512, os.POSIX_FADV_WILLNEED)


def _between(name: str, gte: float | None, lte: float | None) -> engine.FieldCondition:
    return engine.FieldCondition(
        name,
        range=engine.RangeFloat(gte=None if gte is None else float(gte), lte=None if lte is None else float(lte)),
    )


# A shard that was opened before a fork hangs in the child, which has none of its threads: the child opens it again. Its copies
# of the handles are kept, since closing one there would act on files that are still the parent's.
_instances: weakref.WeakSet[EdgeVectorIndex] = weakref.WeakSet()
_inherited: list[dict[str, _Shard]] = []


def _after_fork_in_child() -> None:
    for index in list(_instances):
        _inherited.append(index._open)
        # The lock stays the parent's, which has the descriptor too.
        index._release_claim()
        index._reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
