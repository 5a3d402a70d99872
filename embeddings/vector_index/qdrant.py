"""The adapter of a Qdrant server or cluster, which several processes and machines share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from qdrant_client import QdrantClient, models

from embeddings.errors import CollectionNotFound, IndexUnavailable
from embeddings.vector_index.base import (
    COLLECTION_NAME,
    PAYLOAD_FIELDS,
    Copies,
    FieldType,
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
    not_found,
    possible_ids,
    stored_payload,
)
from embeddings.vector_index.qdrant_search import QdrantSearch
from embeddings.vector_index.qdrant_server import REQUEST_ERRORS, QdrantServer, stands_already
from embeddings.vector_index.qdrant_values import (
    DISTANCES,
    own_collection,
    own_points,
    server_filter,
    server_vector,
)

T = TypeVar("T")
P = ParamSpec("P")

_FLOATS_A_WRITE = 256_000  # some 3 MB of JSON; a server refuses a request above 32 MB
_INDEXING_THRESHOLD_KB = 10_000
_POLL_S = 0.5
_QUIET_POLLS = 3

# States of a copy that answers.
_ACTIVE = (models.ReplicaState.ACTIVE, models.ReplicaState.ACTIVEREAD)
_SCHEMAS = {
    FieldType.KEYWORD: models.PayloadSchemaType.KEYWORD,
    FieldType.INTEGER: models.PayloadSchemaType.INTEGER,
    FieldType.FLOAT: models.PayloadSchemaType.FLOAT,
    FieldType.BOOL: models.PayloadSchemaType.BOOL,
}


def _answered(read: Callable[Concatenate[QdrantVectorIndex, P], T]) -> Callable[Concatenate[QdrantVectorIndex, P], T]:
    """A read that is made again on another node where one does not answer."""

    @wraps(read)
    def answered(self: QdrantVectorIndex, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._server.answered(lambda: read(self, *args, **kwargs))

    return cast("Callable[Concatenate[QdrantVectorIndex, P], T]", answered)


class QdrantVectorIndex:
    """A VectorIndex on a Qdrant server or cluster."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 30,
        query_timeout_s: float = 1,
        grpc_port: int | None = None,
        location: str | None = None,
        path: str | None = None,
        shard_number: int | None = None,
        replication_factor: int | None = None,
        write_consistency_factor: int | None = None,
        read_consistency: int | str | None = None,
        hnsw_m: int = 16,
        hnsw_ef_construct: int = 100,
        quantization: str | None = None,
        on_disk: bool = False,
        on_disk_payload: bool = False,
        ef: int = 64,
        full_scan_threshold_kb: int = _INDEXING_THRESHOLD_KB,
    ) -> None:
        """Name the server; it is connected to when it is first used.

        Args:
            url: of the server; of several nodes, separated by commas; or with a name that has several addresses.
            api_key: of the server.
            timeout_s: of each request but queries.
            query_timeout_s: of a query, for which a page of a shop waits.
            grpc_port: send points and queries by gRPC.
            location: ":memory:" for the client's own engine instead of a server; for tests.
            path: the same in a folder; for tests.
            shard_number: of collections that are made, on a cluster.
            replication_factor: the same.
            write_consistency_factor: the same: how many replicas must have confirmed a write.
            read_consistency: how many replicas a read asks: a number, "majority", "quorum" or "all"; None: one. One that
                fails asks one the next time.
            hnsw_m: links of a point in the graph, of collections that are made.
            hnsw_ef_construct: width of the search while the graph is built, of collections that are made.
            quantization: "int8" keeps a quarter-size copy in memory, searches that and rescores twice as many candidates, 64 at
                least; of collections that are made.
            on_disk: full vectors stay on disk; of collections that are made.
            on_disk_payload: payloads stay on disk, but for the fields that are filtered by; of collections that are made.
            ef: least width of the HNSW search of a query.
            full_scan_threshold_kb: from how many kilobytes of vectors on `optimise` builds a graph, and up to how many of those
                that pass a filter are compared one by one.

        Raises:
            ValueError: an unknown quantization or read_consistency, or not exactly one of url, location and path.
        """
        if quantization not in (None, "int8"):
            raise ValueError(f'quantization is None or "int8", not {quantization!r}')
        if isinstance(read_consistency, str):
            read_consistency = models.ReadConsistencyType(read_consistency)
        self._server = QdrantServer(url, api_key, query_timeout_s, grpc_port, location, path, timeout_s)
        self._timeout_s = max(1, round(timeout_s))
        self._shard_number = shard_number
        self._replication_factor = replication_factor
        self._write_consistency_factor = write_consistency_factor
        self._hnsw = models.HnswConfigDiff(m=hnsw_m, ef_construct=hnsw_ef_construct)
        self._quantization = quantization
        self._on_disk = on_disk
        self._on_disk_payload = on_disk_payload
        self._full_scan_threshold_kb = full_scan_threshold_kb
        self._search = QdrantSearch(
            self._server, read_consistency, ef, full_scan_threshold_kb, quantized=bool(quantization), on_disk=on_disk
        )
        self._known: dict[str, IndexCollection] = {}

    def claim(self) -> None:
        """Every process may write to a server."""

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:
        def request(client: QdrantClient) -> None:
            if not client.collection_exists(collection.name):
                self._create(self._server.patient(), collection, bulk_load)
            info = client.get_collection(collection.name)
            check_same(own_collection(collection.name, info), collection)
            if self._server.is_local:  # which filters without indexes
                return
            # Whoever made it may have been stopped before these. With points in it, it has to be rebuilt.
            if info.points_count:
                return
            for name in PAYLOAD_FIELDS.keys() - info.payload_schema.keys():
                self._server.patient().create_payload_index(
                    collection.name, name, _SCHEMAS[PAYLOAD_FIELDS[name]], wait=True, timeout=self._timeout_s
                )

        self._retried(collection.name, request)

    def exists(self, name: str) -> bool:
        if not COLLECTION_NAME.fullmatch(name):
            return False
        return self._retried(name, lambda client: client.collection_exists(name))

    @_answered
    def missing_fields(self, name: str) -> frozenset[str]:
        with self._asking(name) as client:
            info = client.get_collection(name)
        # Without a server, it filters without payload indexes.
        return frozenset(() if self._server.is_local else PAYLOAD_FIELDS.keys() - info.payload_schema.keys())

    def revision(self, name: str) -> None:
        """There is none: every process may write to a server."""

    def copies(self, name: str) -> Copies | None:
        return None if self._server.is_local else self._copies(name)

    @_answered
    def _copies(self, name: str) -> Copies:
        with self._asking(name) as client:
            found = client.collection_cluster_info(name)
        states = [(each.shard_id, each.state) for each in found.local_shards]
        states += [(each.shard_id, each.state) for each in found.remote_shards]
        active = {shard for shard, state in states if state in _ACTIVE}
        return Copies(
            shards=found.shard_count,
            copies=len(states),
            dead=sum(state == models.ReplicaState.DEAD for _, state in states),
            missing=found.shard_count - len(active),
            transfers=len(found.shard_transfers),
        )

    def drop(self, name: str) -> None:
        def request(client: QdrantClient) -> None:
            if client.collection_exists(name):
                self._server.patient().delete_collection(name, timeout=self._timeout_s)

        self._known.pop(name, None)
        if COLLECTION_NAME.fullmatch(name):
            self._retried(name, request)

    def upsert(self, name: str, points: Iterable[Point]) -> None:
        collection = self._retried(name, lambda client: self._collection(client, name))
        checked = checked_points(points, collection)
        floats = collection.dim + max((sum(map(len, point.sparse.values())) for point in checked), default=0)
        batch_size = max(1, min(1000, _FLOATS_A_WRITE // max(1, floats)))
        for start in range(0, len(checked), batch_size):
            batch = [
                models.PointStruct(id=point.id, vector=server_vector(point), payload=dict(point.payload))
                for point in checked[start : start + batch_size]
            ]
            self._write(name, lambda client, batch=batch, **options: client.upsert(name, batch, **options))

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        patch = stored_payload(payload)
        self._retried(name, lambda client: self._collection(client, name))
        if (known := possible_ids(ids)) and patch:
            # By a filter: naming an id that is not there fails.
            chosen = models.Filter(must=[models.HasIdCondition(has_id=[*known])])
            self._write(name, lambda client, **options: client.set_payload(name, patch, chosen, **options))

    def delete(self, name: str, ids: Sequence[int]) -> None:
        self._retried(name, lambda client: self._collection(client, name))
        if known := possible_ids(ids):
            chosen = models.PointIdsList(points=[*known])
            self._write(name, lambda client, **options: client.delete(name, chosen, **options))

    def _write(self, name: str, write: Callable[..., object]) -> None:
        """A write is done when the server has applied it, and may be made twice: it names points by their ids."""
        self._retried(name, lambda _: write(self._server.patient(), wait=True, timeout=self._timeout_s))

    @_answered
    def retrieve(self, name: str, ids: Sequence[int]) -> dict[int, Point]:
        with self._asking(name) as client:
            known = possible_ids(ids)
            return own_points(client.retrieve(name, known, True, True, consistency=self._search.consistency))

    @_answered
    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._asking(name) as client:
            return self._search.nearest(client, self._collection(client, name), query)

    @_answered
    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        with self._asking(name) as client:
            answers = self._search.nearest_to_each(client, self._collection(client, name), queries)
        return [
            self.query(name, query) if answer is None else answer
            for query, answer in zip(queries, answers, strict=True)
        ]

    @_answered
    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._asking(name) as client:
            return self._search.by_terms(client, self._collection(client, name), query)

    @_answered
    def count(self, name: str, filter: Filter | None = None) -> int:
        wanted = filter or Filter()
        conditions = server_filter(wanted, wanted.exclude_ids)
        with self._asking(name) as client:
            return client.count(name, conditions, exact=True, timeout=self._timeout_s).count

    def scroll(self, name: str, *, batch_size: int = 1000, after: int = -1) -> Iterator[list[Point]]:
        # Raises for an unknown name now, not at the first batch.
        self._retried(name, lambda client: self._collection(client, name))
        return self._batches(name, batch_size, after)

    def optimise(self, name: str) -> None:
        """Let the server build the HNSW graph of what was loaded, and wait for it; later points join by themselves."""
        self._retried(name, lambda client: self._collection(client, name))
        if self._server.is_local:
            return
        threshold = self._full_scan_threshold_kb
        self._retried(
            name,
            lambda _: self._server.patient().update_collection(
                name,
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=threshold),
                hnsw_config=models.HnswConfigDiff(full_scan_threshold=threshold),
                timeout=self._timeout_s,
            ),
        )
        quiet = 0  # the server is green for a moment before it starts
        while quiet < _QUIET_POLLS:
            time.sleep(_POLL_S)
            status = self._retried(name, lambda client: client.get_collection(name).status)
            if status == models.CollectionStatus.RED:
                raise IndexUnavailable(f"the server cannot optimise {name}: its own log says why")
            quiet = quiet + 1 if status == models.CollectionStatus.GREEN else 0

    def close(self, name: str | None = None) -> None:
        if name is not None:
            self._known.pop(name, None)
            return
        self._known.clear()
        self._server.close()

    @contextmanager
    def _asking(self, name: str) -> Iterator[QdrantClient]:
        with self._forgetting(name), self._server.asking(name) as client:
            yield client

    def _retried(self, name: str, request: Callable[[QdrantClient], T]) -> T:
        with self._forgetting(name):
            return self._server.retried(name, request)

    @contextmanager
    def _forgetting(self, name: str) -> Iterator[None]:
        """Forget what is known of a collection where the server answers that it does not exist.

        A name that no collection can have is not sent: a slash would make it another address, and the server's refusal of others
        reads as a failure of the server.
        """
        if not COLLECTION_NAME.fullmatch(name):
            raise not_found(name)
        try:
            yield
        except CollectionNotFound:
            self._known.pop(name, None)
            raise

    def _create(self, client: QdrantClient, collection: IndexCollection, bulk_load: bool) -> None:
        vectors = models.VectorParams(
            size=max(1, collection.dim), distance=DISTANCES[collection.distance], on_disk=self._on_disk or None
        )
        int8 = models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        )
        try:
            client.create_collection(
                collection.name,
                vectors_config=vectors if collection.dim else {},
                # Without the server's modifier for document frequencies, which counts by shard.
                sparse_vectors_config={name: models.SparseVectorParams() for name in collection.sparse} or None,
                shard_number=self._shard_number,
                replication_factor=self._replication_factor,
                write_consistency_factor=self._write_consistency_factor,
                on_disk_payload=self._on_disk_payload or None,
                hnsw_config=self._hnsw,
                quantization_config=int8 if self._quantization and collection.dim else None,
                # In a bulk load no graph before `optimise`: built once, when payload indexes and points are all there.
                optimizers_config=models.OptimizersConfigDiff(
                    indexing_threshold=0 if bulk_load else self._full_scan_threshold_kb
                ),
                timeout=self._timeout_s,
            )
        except REQUEST_ERRORS as error:
            # Another process was first, or the answer to a former attempt was lost; what stands there is checked next.
            if not stands_already(error):
                raise

    def _collection(self, client: QdrantClient, name: str) -> IndexCollection:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = own_collection(name, client.get_collection(name))
        return known

    def _batches(self, name: str, batch_size: int, after: int) -> Iterator[list[Point]]:
        following: Any = after + 1
        while following is not None and possible_ids([following]):
            records, following = self._batch(name, batch_size, following)
            if records:
                yield [*own_points(records).values()]

    @_answered
    def _batch(self, name: str, size: int, first: Any) -> tuple[list[models.Record], Any]:
        """Some points, in the order of their ids, and where the next ones begin."""
        with self._asking(name) as client:
            return client.scroll(
                name, offset=first, limit=size, with_payload=True, with_vectors=False,
                consistency=self._search.consistency, timeout=self._timeout_s,
            )  # fmt: skip
