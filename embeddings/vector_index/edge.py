"""The adapter of Qdrant Edge, the engine inside this process: one shard folder for each index collection."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Thread, main_thread
from typing import Any
from uuid import uuid4

import qdrant_edge as engine

from embeddings.errors import IndexFull, IndexUnavailable
from embeddings.vector_index.base import (
    COLLECTION_NAME,
    PAYLOAD_FIELDS,
    Distance,
    FieldType,
    Filter,
    Hit,
    IndexCollection,
    Payload,
    Point,
    SparseQuery,
    VectorQuery,
)
from embeddings.vector_index.cells import Gathering
from embeddings.vector_index.checks import (
    check_same,
    checked_points,
    checked_sparse,
    not_found,
    possible_ids,
    stored_payload,
)
from embeddings.vector_index.edge_search import Search, ask_together, sparse_hits
from embeddings.vector_index.edge_shard import LEARNED_FROM, Shard
from embeddings.vector_index.edge_values import (
    engine_filter,
    engine_payload,
    engine_vector,
    known_of,
    own_payload,
    points_of,
    vector_of,
)
from embeddings.vector_index.folder_lock import held, locked
from embeddings.vector_index.targets import query_target
from jobs.memory import give_memory_back

logger = logging.getLogger(__name__)

_MARKER = "collection.json"
_CLAIM = ".claim"
_POINTS_A_WRITE = 1000
_OPTIMISE = """
import sys, qdrant_edge
shard = qdrant_edge.EdgeShard.load(sys.argv[1])
shard.optimize(); shard.flush(); shard.close()
"""
# What is known of a large shard's points is read by a thread: of so many at a time, which holds the interpreter for 2 ms, and with
# a pause in which requests are answered. 100,000 take half a minute, and 2 s of the processor.
_LEARNED_AT_ONCE, _LEARNING_PAUSE_S = 100, 0.02
# Cells take some 10 MB for 100,000 points; making them takes half a minute, 5 s of the processor. Not again at once while many
# points are written.
_CELLS_AGAIN_S = 300
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
_INT8 = engine.ScalarQuantizationConfig(engine.ScalarType.Int8, quantile=0.99, memory=engine.Memory.Pinned)


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
                    engine.Point(point.id, engine_vector(point), engine_payload(point.payload))
                    for point in checked[start : start + _POINTS_A_WRITE]
                ]
                ids = [point.id for point in checked[start : start + _POINTS_A_WRITE]]
                with shard.writing, shard.forgetting(ids), shard.changing(ids):
                    shard.handle.update(engine.UpdateOperation.upsert_points(batch))

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        stored = stored_payload(payload)
        patch = engine_payload(stored)
        with self._using(name) as shard:
            if not (known := possible_ids(ids)) or not patch:
                return
            self._expect_room(name)
            # By a filter: naming an id that is not there fails halfway.
            chosen = engine.Filter(must=[engine.HasIdCondition(set(known))])
            with shard.writing:
                # Prices and stock change all the time, and neither is known of a point.
                moved = shard.of_other_products(known, patch["product_id"]) if "product_id" in patch else []
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
            return points_of(shard.handle.retrieve([*possible_ids(ids)], True, True))

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
            ask_together(searches)
            answers = [search.answer() for search in searches]
            if shard.cells_wanted:
                self._start_making_cells(shard)
            return answers

    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._using(name) as shard:
            wanted = checked_sparse(query.vector, query.using, shard.collection)
            return sparse_hits(shard, query, wanted) if len(wanted) else []

    def _search(self, shard: Shard, query: VectorQuery) -> Search:
        examples = possible_ids({*query.positive_ids, *query.negative_ids})
        known = points_of(shard.handle.retrieve([*examples], False, True)) if examples else {}
        target = query_target(query, known, shard.collection)
        scanned = self._full_scan_threshold_kb * 1024 // target.nbytes
        hidden = {*examples, *query.filter.exclude_ids}
        return Search(
            shard, query, target, target.tolist(), self._ef * query.breadth, hidden, scanned, bool(self._quantization)
        )

    def count(self, name: str, filter: Filter | None = None) -> int:
        with self._using(name) as shard:
            return shard.count(engine_filter(filter or Filter()))

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
    def _using(self, name: str) -> Iterator[Shard]:
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

    def _start_learning(self, shard: Shard) -> None:
        """Have a thread read what is to be known of a shard's points, if they are many: requests would read them one by one."""
        with self._turn:
            started, shard.is_learned = shard.is_learned, True
        # int8 vectors stand for full ones that stay on the disk.
        is_done = started or bool(self._quantization) or shard.collection.of_products
        if not is_done and shard.size() >= LEARNED_FROM:
            Thread(target=self._learn, args=[shard], name="points").start()

    def _learn(self, shard: Shard) -> None:
        with suppress(_Stopped):
            for writes, records in self._read_all(shard, ["product_id"]):
                if not shard.known.keep_in_order(known_of(records)[0], writes, shard.size()):
                    return

    def _start_making_cells(self, shard: Shard) -> None:
        """Have a thread make the cells of a shard, unless they are there or it is too soon."""
        with self._turn:
            shard.cells_wanted, now = False, time.monotonic()
            if shard.cells or shard.gathering or now - shard.cells_begun < _CELLS_AGAIN_S:
                return
            shard.cells_begun = now
            # Where the disk has no room, queries go on as before.
            needed = _CELLS_BYTES * shard.size() * shard.collection.dim + _ROOM_TO_WRITE_BYTES
            if shutil.disk_usage(self._path).free < needed:
                return
            try:
                shard.gathering = Gathering(self._path, shard.collection.dim, lambda: self._rest(shard))
            except OSError as error:
                logger.warning(_NO_CELLS, self._path / shard.collection.name, error)
                return
        Thread(target=self._make_cells, args=[shard, shard.gathering], name="points").start()

    def _make_cells(self, shard: Shard, gathering: Gathering) -> None:
        try:
            for _, records in self._read_all(shard, [*PAYLOAD_FIELDS]):
                gathering.add({int(each.id): (vector_of(each), own_payload(each.payload or {})) for each in records})
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
            # Of 100,000 points that were read, 30 MB.
            give_memory_back()

    def _rest(self, shard: Shard) -> None:
        """Have requests answered, between pieces of a thread's work; raises _Stopped where the shard was closed."""
        time.sleep(_LEARNING_PAUSE_S)
        # A process that ends waits for this thread: the engine must not be left in the middle of a call.
        if self._open.get(shard.collection.name) is not shard or not main_thread().is_alive():
            raise _Stopped

    def _read_all(self, shard: Shard, fields: list[str]) -> Iterator[tuple[int, list[engine.Record]]]:
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

    def _load(self, name: str) -> Shard:
        collection = self._standing(name)
        if collection is None:
            raise not_found(name)
        folder = self._path / name
        self._expect_room(name, _ROOM_TO_OPEN_BYTES)
        try:
            shard = Shard(engine.EdgeShard.load(str(folder)), collection)
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
                yield [*points_of(records).values()]

    def _release_claim(self) -> None:
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _reset(self) -> None:
        self._open: dict[str, Shard] = {}
        self._claim = None
        self._turn = Condition()


class _Stopped(Exception):
    """A thread's work is of no more use."""


def _size_of(folder: Path) -> int:
    """In bytes on the disk: the engine's files have holes."""
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())


def _mb(size: int) -> int:
    return size // 1024**2


def _read_ahead(folder: Path) -> None:
    """Have the kernel read a collection's vectors at once, where it can, and not page by page with the first queries."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in filter(Path.is_file, folder.glob("segments/*/vector_storage/**/*")):
        # A file system may know no advice.
        with path.open("rb") as file, suppress(OSError):
            # What follows the written blocks is a hole.
            os.posix_fadvise(file.fileno(), 0, os.fstat(file.fileno()).st_blocks * 512, os.POSIX_FADV_WILLNEED)


# A shard that was opened before a fork hangs in the child, which has none of its threads: the child opens it again. Its copies
# of the handles are kept, since closing one there would act on files that are still the parent's.
_instances: weakref.WeakSet[EdgeVectorIndex] = weakref.WeakSet()
_inherited: list[dict[str, Shard]] = []


def _after_fork_in_child() -> None:
    for index in list(_instances):
        _inherited.append(index._open)
        # The lock stays the parent's, which has the descriptor too.
        index._release_claim()
        index._reset()


os.register_at_fork(after_in_child=_after_fork_in_child)
