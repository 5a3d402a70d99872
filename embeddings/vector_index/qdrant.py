"""A Qdrant server or cluster behind the port: the index that several processes and machines share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from embeddings.errors import EncoderMismatch, IndexLocked, IndexUnavailable
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
    Vector,
    VectorQuery,
    best_first,
    check_same,
    checked_points,
    near_enough,
    not_found,
    possible_ids,
    query_target,
    stored_payload,
)

_FLOATS_A_WRITE = 256_000  # some 3 MB of JSON; a server refuses a request above 32 MB
_INDEXING_THRESHOLD_KB = 10_000
_POLL_S = 0.5
_QUIET_POLLS = 3

_DISTANCES = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.DOT: models.Distance.DOT,
    Distance.L2: models.Distance.EUCLID,
    Distance.L1: models.Distance.MANHATTAN,
}
_SCHEMAS = {
    FieldType.KEYWORD: models.PayloadSchemaType.KEYWORD,
    FieldType.INTEGER: models.PayloadSchemaType.INTEGER,
    FieldType.FLOAT: models.PayloadSchemaType.FLOAT,
    FieldType.BOOL: models.PayloadSchemaType.BOOL,
}


class QdrantVectorIndex:
    """A VectorIndex on a Qdrant server.

    url, api_key: the server. timeout_s: of each request. location: ":memory:" for the client's own engine instead of a
    server, path: the same in a folder; both for tests, not for speed. shard_number, replication_factor: of collections
    made on a cluster. quantization: "int8" keeps a quarter-size copy in memory, searches that and rescores twice as
    many candidates. on_disk: full vectors stay on disk. ef: width of the HNSW search.
    full_scan_threshold_kb: from how many kilobytes of vectors on `optimise` builds a graph.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 10,
        location: str | None = None,
        path: str | None = None,
        shard_number: int | None = None,
        replication_factor: int | None = None,
        quantization: str | None = None,
        on_disk: bool = False,
        ef: int = 64,
        full_scan_threshold_kb: int = _INDEXING_THRESHOLD_KB,
    ) -> None:
        if sum(place is not None for place in (url, location, path)) != 1:
            raise ValueError("QdrantVectorIndex needs one of url, location and path")
        if quantization not in (None, "int8"):
            raise ValueError(f'quantization is None or "int8", not {quantization!r}')
        self._url, self._location, self._path = url, location, path
        self._where = url or location or path
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._shard_number = shard_number
        self._replication_factor = replication_factor
        self._quantization = quantization
        self._on_disk = on_disk
        self._ef = ef
        self._full_scan_threshold_kb = full_scan_threshold_kb
        self._is_local = url is None
        self._lock = RLock()
        self._client: QdrantClient | None = None
        self._client_pid = 0
        self._known: dict[str, IndexCollection] = {}

    def claim(self) -> None:
        """The server takes all comers."""

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:
        with self._asking(collection.name) as client:
            if not client.collection_exists(collection.name):
                self._create(client, collection, bulk_load)
            info = client.get_collection(collection.name)
            check_same(_described(collection.name, info), collection)
            if self._is_local:  # which filters without indexes
                return
            # Also where the collection stands: whoever made it may have been stopped before these.
            for name in PAYLOAD_FIELDS.keys() - info.payload_schema.keys():
                schema = _SCHEMAS[PAYLOAD_FIELDS[name]]
                client.create_payload_index(collection.name, field_name=name, field_schema=schema, wait=True)

    def exists(self, name: str) -> bool:
        if not COLLECTION_NAME.fullmatch(name):
            return False
        with self._asking(name) as client:
            return client.collection_exists(name)

    def drop(self, name: str) -> None:
        with self._asking(name) as client:
            self._known.pop(name, None)
            if COLLECTION_NAME.fullmatch(name) and client.collection_exists(name):
                client.delete_collection(name)

    def upsert(self, name: str, points: Iterable[Point]) -> None:
        with self._asking(name) as client:
            collection = self._collection(client, name)
            checked = checked_points(points, collection)
            batch_size = max(1, min(1000, _FLOATS_A_WRITE // collection.dim))
            for start in range(0, len(checked), batch_size):
                batch = [
                    models.PointStruct(id=point.id, vector=point.vector.tolist(), payload=dict(point.payload))
                    for point in checked[start : start + batch_size]
                ]
                client.upsert(name, points=batch, wait=True)

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        patch = stored_payload(payload)
        with self._asking(name) as client:
            self._collection(client, name)
            if (known := possible_ids(ids)) and patch:
                # By a filter: naming an id that is not there fails.
                chosen = models.Filter(must=[models.HasIdCondition(has_id=[*known])])
                client.set_payload(name, payload=patch, points=chosen, wait=True)

    def delete(self, name: str, ids: Sequence[int]) -> None:
        with self._asking(name) as client:
            self._collection(client, name)
            if known := possible_ids(ids):
                client.delete(name, points_selector=models.PointIdsList(points=[*known]), wait=True)

    def retrieve(self, name: str, ids: Sequence[int]) -> dict[int, Point]:
        with self._asking(name) as client:
            return _points(client.retrieve(name, possible_ids(ids), with_payload=True, with_vectors=True))

    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._asking(name) as client:
            collection = self._collection(client, name)
            examples = possible_ids({*query.positive_ids, *query.negative_ids})
            known: dict[int, Point] = {}
            if examples:
                known = _points(client.retrieve(name, examples, with_payload=False, with_vectors=True))
            target = query_target(query, known, collection).tolist()
            hidden = {*examples, *query.filter.exclude_ids}
            ask = self._ask_products if query.group_by_product else self._ask_points
            found = ask(client, name, query, target, hidden, exact=query.exact)
            if len(found) < query.limit and not query.exact:
                # A graph whose links a filter cuts can come back short: then every vector that passes is compared.
                seen = [hit.product_id for hit in found] if query.group_by_product else []
                left = client.count(name, count_filter=_conditions(query.filter, hidden, seen), exact=True).count
                if left > (0 if query.group_by_product else len(found)):
                    found = ask(client, name, query, target, hidden, exact=True)
        hits = [hit for hit in found if near_enough(hit.score, query.min_score, collection.distance)]
        return best_first(hits, collection.distance)

    def count(self, name: str, filter: Filter | None = None) -> int:
        wanted = filter or Filter()
        with self._asking(name) as client:
            return client.count(name, count_filter=_conditions(wanted, wanted.exclude_ids), exact=True).count

    def scroll(self, name: str, *, batch_size: int = 1000, after: int = -1) -> Iterator[list[Point]]:
        with self._asking(name) as client:  # an unknown name is said now, not at the first batch
            self._collection(client, name)
        return self._batches(name, batch_size, after)

    def optimise(self, name: str) -> None:
        """Let the server build the HNSW graph of what was loaded, and wait for it; later points join by themselves."""
        with self._asking(name) as client:
            self._collection(client, name)
            if self._is_local:
                return
            client.update_collection(
                name,
                optimizers_config=models.OptimizersConfigDiff(indexing_threshold=self._full_scan_threshold_kb),
                hnsw_config=models.HnswConfigDiff(full_scan_threshold=self._full_scan_threshold_kb),
            )
            quiet = 0  # the server is green for a moment before it starts
            while quiet < _QUIET_POLLS:
                time.sleep(_POLL_S)
                status = client.get_collection(name).status
                if status == models.CollectionStatus.RED:
                    raise IndexUnavailable(f"the server cannot optimise {name}: its own log says why")
                quiet = quiet + 1 if status == models.CollectionStatus.GREEN else 0

    def close(self, name: str | None = None) -> None:
        with self._lock:
            if name is not None:
                self._known.pop(name, None)
                return
            self._known.clear()
            if self._location is not None:  # in memory: closing it would lose the points
                return
            if self._client is not None and self._client_pid == os.getpid():
                self._client.close()
                self._client = None

    @contextmanager
    def _asking(self, name: str) -> Iterator[QdrantClient]:
        """The client, with its errors in the port's words. The local engine stands no two threads at once."""
        try:
            with self._lock if self._is_local else nullcontext():
                yield self._connected()
        except UnexpectedResponse as error:
            if error.status_code == 404:
                self._known.pop(name, None)
                raise not_found(name) from error
            if error.status_code in (401, 403):
                raise IndexUnavailable(f"the Qdrant server {self._where} refuses QDRANT_API_KEY: check it") from error
            raise IndexUnavailable(f"the Qdrant server {self._where} refused a request: {error}") from error
        except ResponseHandlingException as error:
            raise IndexUnavailable(
                f"the Qdrant server {self._where} does not answer ({error.source or type(error.source).__name__}): "
                f"check that it runs and that QDRANT_URL names it"
            ) from error
        except ApiException as error:
            raise IndexUnavailable(f"the Qdrant server {self._where} failed: {error}") from error
        except ValueError as error:
            if type(error) is ValueError and str(error) == f"Collection {name} not found":  # the local engine's 404
                raise not_found(name) from error
            raise

    def _connected(self) -> QdrantClient:
        with self._lock:
            # Connections do not survive a fork: the child makes its own.
            if self._client is None or (self._client_pid != os.getpid() and not self._is_local):
                self._client = self._connect()
                self._client_pid = os.getpid()
            return self._client

    def _connect(self) -> QdrantClient:
        try:
            return QdrantClient(
                url=self._url,
                location=self._location,
                path=self._path,
                api_key=self._api_key,
                timeout=max(1, round(self._timeout_s)),
                check_compatibility=False,  # it asks the server at once, and warns instead of failing
                force_disable_check_same_thread=self._is_local,  # one thread at a time by our lock
            )
        except RuntimeError as error:
            if "already accessed" in str(error):
                raise IndexLocked(
                    f"the index {self._where} is held by another process: stop it, "
                    f"or set QDRANT_URL to a Qdrant server, which several processes can share"
                ) from error
            raise

    def _create(self, client: QdrantClient, collection: IndexCollection, bulk_load: bool) -> None:
        vectors = models.VectorParams(
            size=collection.dim, distance=_DISTANCES[collection.distance], on_disk=self._on_disk or None
        )
        int8 = models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
        )
        try:
            client.create_collection(
                collection.name,
                vectors_config=vectors,
                shard_number=self._shard_number,
                replication_factor=self._replication_factor,
                quantization_config=int8 if self._quantization else None,
                # In a bulk load no graph before `optimise`: built once, when payload indexes and points are all there.
                optimizers_config=models.OptimizersConfigDiff(
                    indexing_threshold=0 if bulk_load else self._full_scan_threshold_kb
                ),
            )
        except UnexpectedResponse as error:
            if error.status_code != 409:  # another process was first, and what it made is checked next
                raise

    def _collection(self, client: QdrantClient, name: str) -> IndexCollection:
        known = self._known.get(name)
        if known is None:
            if not COLLECTION_NAME.fullmatch(name):
                raise not_found(name)
            known = self._known[name] = _described(name, client.get_collection(name))
        return known

    def _ask_points(
        self, client: QdrantClient, name: str, query: VectorQuery, target: list[float], hidden: set[int], *, exact: bool
    ) -> list[Hit]:
        answer = client.query_points(
            name,
            query=target,
            query_filter=_conditions(query.filter, hidden),
            search_params=self._params(query.limit, exact=exact),
            limit=query.limit,
            with_payload=["product_id"],
            with_vectors=query.with_vectors,
        )
        return [_hit(point) for point in answer.points]

    def _ask_products(
        self, client: QdrantClient, name: str, query: VectorQuery, target: list[float], hidden: set[int], *, exact: bool
    ) -> list[Hit]:
        answer = client.query_points_groups(
            name,
            group_by="product_id",
            group_size=1,
            query=target,
            query_filter=_conditions(query.filter, hidden),
            search_params=self._params(query.limit, exact=exact),
            limit=query.limit,
            with_payload=["product_id"],
            with_vectors=query.with_vectors,
        )
        return [_hit(point) for group in answer.groups for point in group.hits]

    def _params(self, limit: int, *, exact: bool) -> models.SearchParams | None:
        if self._is_local:  # always exact, and warns of parameters
            return None
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=2.0) if self._quantization else None
        return models.SearchParams(hnsw_ef=max(self._ef, limit), exact=exact, quantization=rescored)

    def _batches(self, name: str, batch_size: int, after: int) -> Iterator[list[Point]]:
        following: Any = after + 1
        while following is not None and possible_ids([following]):
            with self._asking(name) as client:
                records, following = client.scroll(
                    name, offset=following, limit=batch_size, with_payload=True, with_vectors=False
                )
            if records:
                yield [*_points(records).values()]


def _described(name: str, info: models.CollectionInfo) -> IndexCollection:
    vectors = info.config.params.vectors
    if not isinstance(vectors, models.VectorParams):
        raise EncoderMismatch(f"the collection {name} was made by others, its vectors have names: use another name")
    distance = next(own for own, theirs in _DISTANCES.items() if theirs == vectors.distance)
    return IndexCollection(name, vectors.size, distance)


def _points(records: Iterable[models.Record]) -> dict[int, Point]:
    return {int(record.id): Point(int(record.id), _vector(record.vector), record.payload or {}) for record in records}


def _vector(vector: Any) -> Vector:
    return np.asarray([] if vector is None else vector, dtype=np.float32)


def _hit(point: models.ScoredPoint) -> Hit:
    vector = None if point.vector is None else _vector(point.vector)
    return Hit(int(point.id), (point.payload or {})["product_id"], point.score, vector)


def _conditions(filter: Filter, hidden: Iterable[int], without_products: Sequence[int] = ()) -> models.Filter | None:
    must: list[Any] = [_any_of(name, [value]) for name, value in filter.match.items()]
    must += [_any_of(name, values) for name, values in filter.match_any.items()]
    must += [
        _between(name, interval.gte, interval.lte)
        for name, interval in filter.ranges.items()
        if interval.gte is not None or interval.lte is not None
    ]
    must_not: list[Any] = [_any_of(name, values) for name, values in filter.exclude.items()]
    if without_products:
        must_not.append(_any_of("product_id", without_products))
    if ids := possible_ids(hidden):
        must_not.append(models.HasIdCondition(has_id=[*ids]))
    return models.Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def _any_of(name: str, values: Sequence[Any]) -> Any:
    """The condition that one of the values matches."""
    one_by_one: dict[FieldType, Callable[[Any], models.FieldCondition]] = {
        FieldType.FLOAT: lambda value: _between(name, value, value),  # a float is matched by a range alone
        FieldType.BOOL: lambda value: models.FieldCondition(key=name, match=models.MatchValue(value=value)),
    }
    condition = one_by_one.get(PAYLOAD_FIELDS[name])
    if condition is not None and values:
        return models.Filter(should=[condition(value) for value in values])
    return models.FieldCondition(key=name, match=models.MatchAny(any=list(values)))


def _between(name: str, gte: float | None, lte: float | None) -> models.FieldCondition:
    return models.FieldCondition(
        key=name,
        range=models.Range(gte=None if gte is None else float(gte), lte=None if lte is None else float(lte)),
    )
