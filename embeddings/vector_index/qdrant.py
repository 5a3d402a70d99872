"""The adapter of a Qdrant server or cluster, which several processes and machines share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import numpy as np
from qdrant_client import QdrantClient, models

from embeddings.errors import CollectionNotFound, EncoderMismatch, IndexUnavailable
from embeddings.vector_index.base import (
    COLLECTION_NAME,
    PAYLOAD_FIELDS,
    Copies,
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
)
from embeddings.vector_index.checks import (
    check_same,
    checked_points,
    checked_sparse,
    not_found,
    possible_ids,
    stored_payload,
)
from embeddings.vector_index.filtered_search import (
    AS_UNFILTERED,
    EXACT,
    FEW_HIDDEN,
    LEAST_RESCORED,
    OVERSAMPLING,
    Situation,
    Step,
    first_step,
    next_step,
)
from embeddings.vector_index.qdrant_server import REQUEST_ERRORS, QdrantServer, stands_already
from embeddings.vector_index.scoring import best_first, best_of_products, near_enough
from embeddings.vector_index.targets import query_target

T = TypeVar("T")
P = ParamSpec("P")

_DENSE = ""  # the server's name of the vector that has none
_FLOATS_A_WRITE = 256_000  # some 3 MB of JSON; a server refuses a request above 32 MB
_INDEXING_THRESHOLD_KB = 10_000
_MAX_TIED = 10_000  # more hits with one score than these are cut by chance
_POINTS_A_PRODUCT = 3  # of which a grouped query in a batch is answered
_COUNT_VALID_S = 60
_MAX_COUNTED = 1000
_POLL_S = 0.5
_QUIET_POLLS = 3

_DISTANCES = {
    Distance.COSINE: models.Distance.COSINE,
    Distance.DOT: models.Distance.DOT,
    Distance.L2: models.Distance.EUCLID,
    Distance.L1: models.Distance.MANHATTAN,
}
# States of a copy that answers.
_ACTIVE = (models.ReplicaState.ACTIVE, models.ReplicaState.ACTIVEREAD)
_SCHEMAS = {
    FieldType.KEYWORD: models.PayloadSchemaType.KEYWORD,
    FieldType.INTEGER: models.PayloadSchemaType.INTEGER,
    FieldType.FLOAT: models.PayloadSchemaType.FLOAT,
    FieldType.BOOL: models.PayloadSchemaType.BOOL,
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query.

    Attributes:
        client: connected while the query lasts.
        collection: what is queried.
        query: what is asked.
        target: the vector that is looked for.
        hidden: ids that are never returned.
    """

    client: QdrantClient
    collection: IndexCollection
    query: VectorQuery
    target: list[float]
    hidden: set[int]

    @property
    def conditions(self) -> models.Filter | None:
        """What points have to meet."""
        return _conditions(self.query.filter, self.hidden)

    @property
    def batched(self) -> int:
        """How many points are asked for in a batch, where products cannot be."""
        return (_POINTS_A_PRODUCT if self.query.group_by_product else 1) * self.query.limit + 1

    def joined(self, hits: Iterable[Hit], others: Iterable[Hit]) -> list[Hit]:
        """The hits of both, each once, best first."""
        sign = self.collection.distance.sign
        ranked = sorted({hit.id: hit for hit in [*hits, *others]}.values(), key=lambda hit: -sign * hit.score)
        return best_of_products(ranked) if self.query.group_by_product else ranked


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
        self._read_consistency = read_consistency
        self._hnsw = models.HnswConfigDiff(m=hnsw_m, ef_construct=hnsw_ef_construct)
        self._quantization = quantization
        self._on_disk = on_disk
        self._on_disk_payload = on_disk_payload
        self._ef = ef
        self._full_scan_threshold_kb = full_scan_threshold_kb
        self._known: dict[str, IndexCollection] = {}
        self._counted: dict[tuple[str, str], tuple[float, int]] = {}

    @property
    def _consistency(self) -> int | models.ReadConsistencyType | None:
        """How many copies a read asks: as the settings say, and one where it has failed, so that too few copies still answer."""
        return None if self._server.is_repeating else self._read_consistency

    def claim(self) -> None:
        """Every process may write to a server."""

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:
        def request(client: QdrantClient) -> None:
            if not client.collection_exists(collection.name):
                self._create(self._server.patient(), collection, bulk_load)
            info = client.get_collection(collection.name)
            check_same(_described(collection.name, info), collection)
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
                models.PointStruct(id=point.id, vector=_server_vector(point), payload=dict(point.payload))
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
            return _points(client.retrieve(name, known, True, True, consistency=self._consistency))

    @_answered
    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        with self._asking(name) as client:
            collection = self._collection(client, name)
            target, hidden = self._target(client, collection, query)
            found = self._found(_Asked(client, collection, query, target, hidden))
        return _answer(found, query, collection)

    @_answered
    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        with self._asking(name) as client:
            collection = self._collection(client, name)
            asked = [_Asked(client, collection, query, *self._target(client, collection, query)) for query in queries]
            begun = [self._begun(each) for each in asked]
            first = self._together(client, name, [self._batched(*each) for each in zip(asked, begun, strict=True)])
            around = {i: _ids(points) for i, points in enumerate(first) if begun[i][1].around}
            compared = self._together(client, name, [self._compared(asked[i], ids) for i, ids in around.items()])
            second = dict(zip(around, compared, strict=True))
        answers = []
        for i, each in enumerate(asked):
            situation, step = begun[i]
            points = second.get(i, first[i])
            answer = _answer(map(_hit, points), each.query, collection)
            # The server cannot group in a batch: whoever has too few products, or a tie at the end, is asked for alone.
            short = len(points) < each.batched or len(answer) < each.query.limit
            cut = not short and _answer(map(_hit, points[-1:]), each.query, collection)[-1:]
            alone = short or (cut and cut[0].score >= answer[-1].score)
            if i in around and not alone:
                alone = next_step(step, situation, len(points), _place(answer[-1].id, around[i])) is not None
            answers.append(self.query(name, each.query) if alone else answer)
        return answers

    @_answered
    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        with self._asking(name) as client:
            wanted = checked_sparse(query.vector, query.using, self._collection(client, name))
            if not len(wanted):
                return []
            asked = query.limit + 1
            while True:
                found = client.query_points(
                    name,
                    query=_server_sparse(wanted),
                    using=query.using,
                    query_filter=_conditions(query.filter, query.filter.exclude_ids),
                    limit=asked,
                    with_payload=False,
                    consistency=self._consistency,
                ).points
                # As in `_found`: which of those that tie at the end the server returns is chance.
                if len(found) < asked or found[-1].score != found[query.limit - 1].score or asked > _MAX_TIED:
                    break
                asked *= 2
        hits = [Hit(point_id := int(point.id), point_id, point.score) for point in found]
        return best_first(hits)[: query.limit]

    def _together(
        self, client: QdrantClient, name: str, requests: Sequence[models.QueryRequest]
    ) -> list[list[models.ScoredPoint]]:
        if not requests:
            return []
        responses = client.query_batch_points(name, requests, consistency=self._consistency)
        return [response.points for response in responses]

    def _target(
        self, client: QdrantClient, collection: IndexCollection, query: VectorQuery
    ) -> tuple[list[float], set[int]]:
        """The vector that a query looks for, and the points that are never in its answer."""
        examples = possible_ids({*query.positive_ids, *query.negative_ids})
        known: dict[int, Point] = {}
        if examples:
            known = _points(client.retrieve(collection.name, examples, False, True, consistency=self._consistency))
        return query_target(query, known, collection).tolist(), {*examples, *query.filter.exclude_ids}

    def _batched(self, asked: _Asked, begun: tuple[Situation, Step]) -> models.QueryRequest:
        """What a query of a batch begins with."""
        if around := begun[1].around:
            return models.QueryRequest(query=asked.target, params=self._params(asked, around), limit=around)
        return models.QueryRequest(
            query=asked.target,
            filter=asked.conditions,
            params=self._params(asked, asked.batched, exact=begun[1].exact),
            limit=asked.batched,
            with_payload=["product_id"],
            with_vector=asked.query.with_vectors,
        )

    def _compared(self, asked: _Asked, ids: Sequence[int]) -> models.QueryRequest:
        """Candidates, compared under the query's filter."""
        return models.QueryRequest(
            query=asked.target,
            filter=_among(ids, asked.conditions),
            params=self._params(asked, asked.batched, exact=True),
            limit=asked.batched,
            with_payload=["product_id"],
            with_vector=asked.query.with_vectors,
        )

    @_answered
    def count(self, name: str, filter: Filter | None = None) -> int:
        wanted = filter or Filter()
        conditions = _conditions(wanted, wanted.exclude_ids)
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
            size=max(1, collection.dim), distance=_DISTANCES[collection.distance], on_disk=self._on_disk or None
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
            known = self._known[name] = _described(name, client.get_collection(name))
        return known

    def _found(self, asked: _Asked) -> list[Hit]:
        """The hits within the limit, and those that tie with the last of them: which of these the server returns is chance."""
        limit = asked.query.limit
        wanted = limit + 1
        while True:
            found = self._nearest(asked, wanted)
            if len(found) < wanted or found[-1].score != found[limit - 1].score or wanted > _MAX_TIED:
                return found
            wanted *= 2

    def _nearest(self, asked: _Asked, wanted: int) -> list[Hit]:
        """The nearest `wanted` points, or products, best first."""
        situation, first = self._begun(asked, wanted)
        step: Step | None = first
        found: list[Hit] = []
        while step is not None:
            place = None
            if step.around:
                candidates = self._candidates(asked, step, wanted)
                ids = list(dict.fromkeys(each for points in candidates for each in _ids(points)))
                hits = self._ask(asked, wanted, self._params(asked, wanted, exact=True), ids)
                if len(hits) == wanted:
                    place = _place(hits[-1].id, _ids(candidates[0]))
            else:
                hits = self._ask(asked, wanted, self._params(asked, max(wanted, step.in_graph), exact=step.exact))
            found = hits if step == EXACT or not found else asked.joined(found, hits)[:wanted]
            step = next_step(step, situation, len(found), place)
        return found

    def _candidates(self, asked: _Asked, step: Step, wanted: int) -> list[list[models.ScoredPoint]]:
        """The nearest of all points, and what a search in the graph with the filter finds."""
        around = self._params(asked, step.around, exact=step.exact)
        requests = [models.QueryRequest(query=asked.target, params=around, limit=step.around)]
        if step.in_graph:
            limit = (_POINTS_A_PRODUCT if asked.query.group_by_product else 1) * wanted
            params = self._params(asked, max(limit, step.in_graph))
            requests.append(
                models.QueryRequest(query=asked.target, filter=asked.conditions, params=params, limit=limit)
            )
        return self._together(asked.client, asked.collection.name, requests)

    def _begun(self, asked: _Asked, wanted: int | None = None) -> tuple[Situation, Step]:
        """What is known before a query is answered, and what it begins with."""
        wanted = wanted or asked.query.limit + 1
        conditions = asked.query.filter
        scannable = self._full_scan_threshold_kb * 1024 // (4 * asked.collection.dim)
        # Ids and products that are left out change with every query, and are few.
        exclude = {name: values for name, values in conditions.exclude.items() if name != "product_id"}
        lasting = replace(conditions, exclude=exclude, exclude_ids=())
        hidden = len(asked.hidden) + len(conditions.exclude.get("product_id", ()))
        # Nearly every query asks for active products: the others do not count as hidden, or each query took two requests.
        everywhere = Filter(match={name: value for name, value in conditions.match.items() if name == "active"})
        if lasting == everywhere and hidden <= FEW_HIDDEN:
            return Situation(wanted, 0, 0, scannable), AS_UNFILTERED  # without having to count
        passing = max(0, self._about(asked, lasting) - hidden)
        in_memory = not (self._quantization or self._on_disk)
        situation = Situation(wanted, passing, self._about(asked, everywhere), scannable, in_memory)
        return situation, first_step(situation)

    def _about(self, asked: _Asked, filter: Filter) -> int:
        """About how many points pass a filter, as it was up to a minute ago."""
        name, conditions, now = asked.collection.name, _conditions(filter, ()), time.monotonic()
        key = (name, conditions.model_dump_json(exclude_none=True) if conditions else "")
        counted = self._counted.get(key)
        if counted is None or now - counted[0] > _COUNT_VALID_S:
            if len(self._counted) >= _MAX_COUNTED:
                self._counted.clear()
            count = asked.client.count(name, conditions, exact=False).count
            counted = self._counted[key] = (now, count)
        return counted[1]

    def _ask(
        self, asked: _Asked, limit: int, params: models.SearchParams | None, among: Sequence[int] | None = None
    ) -> list[Hit]:
        """The nearest points, or products, that meet the conditions, of all or among candidates."""
        conditions = asked.conditions if among is None else _among(among, asked.conditions)
        client, name, query = asked.client, asked.collection.name, asked.query
        if query.group_by_product:
            groups = client.query_points_groups(
                name,
                group_by="product_id",
                group_size=1,
                query=asked.target,
                query_filter=conditions,
                search_params=params,
                limit=limit,
                with_payload=["product_id"],
                with_vectors=query.with_vectors,
                consistency=self._consistency,
            ).groups
            return [_hit(point) for group in groups for point in group.hits]
        answer = client.query_points(
            name,
            query=asked.target,
            query_filter=conditions,
            search_params=params,
            limit=limit,
            with_payload=["product_id"],
            with_vectors=query.with_vectors,
            consistency=self._consistency,
        )
        return [_hit(point) for point in answer.points]

    def _params(self, asked: _Asked, width: int, *, exact: bool = False) -> models.SearchParams | None:
        if self._server.is_local:  # always exact, and warns of parameters
            return None
        oversampling = max(OVERSAMPLING, LEAST_RESCORED / width)
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        return models.SearchParams(
            hnsw_ef=max(self._ef * asked.query.breadth, width),
            exact=exact,
            quantization=rescored if self._quantization else None,
        )

    def _batches(self, name: str, batch_size: int, after: int) -> Iterator[list[Point]]:
        following: Any = after + 1
        while following is not None and possible_ids([following]):
            records, following = self._batch(name, batch_size, following)
            if records:
                yield [*_points(records).values()]

    @_answered
    def _batch(self, name: str, size: int, first: Any) -> tuple[list[models.Record], Any]:
        """Some points, in the order of their ids, and where the next ones begin."""
        with self._asking(name) as client:
            return client.scroll(
                name, offset=first, limit=size, with_payload=True, with_vectors=False,
                consistency=self._consistency, timeout=self._timeout_s,
            )  # fmt: skip


def _described(name: str, info: models.CollectionInfo) -> IndexCollection:
    vectors, sparse = info.config.params.vectors, tuple(sorted(info.config.params.sparse_vectors or ()))
    if not vectors and sparse:
        return IndexCollection(name, 0, Distance.COSINE, sparse)
    if not isinstance(vectors, models.VectorParams):
        raise EncoderMismatch(f"the collection {name} was made by others, its vectors have names: use another name")
    distance = next(own for own, theirs in _DISTANCES.items() if theirs == vectors.distance)
    return IndexCollection(name, vectors.size, distance, sparse)


def _points(records: Iterable[models.Record]) -> dict[int, Point]:
    return {
        int(record.id): Point(int(record.id), _vector(record.vector), record.payload or {}, _sparse(record.vector))
        for record in records
    }


def _server_vector(point: Point) -> Any:
    """The vectors of a point as the server takes them."""
    if not point.sparse and len(point.vector):
        return point.vector.tolist()
    dense = {_DENSE: point.vector.tolist()} if len(point.vector) else {}
    return {**dense, **{name: _server_sparse(each) for name, each in point.sparse.items()}}


def _server_sparse(vector: SparseVector) -> models.SparseVector:
    return models.SparseVector(indices=vector.indices.tolist(), values=vector.values.tolist())


def _vector(vector: Any) -> Vector:
    if isinstance(vector, dict):
        vector = vector.get(_DENSE)
    return np.asarray([] if vector is None else vector, dtype=np.float32)


def _sparse(vectors: Any) -> dict[str, SparseVector]:
    if not isinstance(vectors, dict):
        return {}
    return {
        name: SparseVector(np.asarray(each.indices, dtype=np.uint32), np.asarray(each.values, dtype=np.float32))
        for name, each in vectors.items()
        if name != _DENSE
    }


def _hit(point: models.ScoredPoint) -> Hit:
    vector = None if point.vector is None else _vector(point.vector)
    return Hit(int(point.id), (point.payload or {})["product_id"], point.score, vector)


def _answer(found: Iterable[Hit], query: VectorQuery, collection: IndexCollection) -> list[Hit]:
    """The hits that the query asks for, of those that were found."""
    if (sign := collection.distance.sign) != 1:  # the server answers with distances for l2 and l1
        found = [hit._replace(score=sign * hit.score) for hit in found]
    ranked = best_first(hit for hit in found if near_enough(hit.score, query.min_score))
    return (best_of_products(ranked) if query.group_by_product else ranked)[: query.limit]


def _ids(points: Iterable[models.ScoredPoint]) -> list[int]:
    return [int(point.id) for point in points]


def _place(point_id: int, ids: Sequence[int]) -> int | None:
    """Where an id is among others, from 1."""
    return ids.index(point_id) + 1 if point_id in ids else None


def _among(ids: Sequence[int], conditions: models.Filter | None) -> models.Filter:
    chosen = models.HasIdCondition(has_id=[*ids])
    return models.Filter(must=[chosen] if conditions is None else [chosen, conditions])


def _conditions(filter: Filter, hidden: Iterable[int]) -> models.Filter | None:
    must: list[Any] = [_any_of(name, [value]) for name, value in filter.match.items()]
    must += [_any_of(name, values) for name, values in filter.match_any.items()]
    must += [_any_of(name, values) for name, lists in filter.match_each.items() for values in lists]
    must += [
        _between(name, interval.gte, interval.lte)
        for name, interval in filter.ranges.items()
        if interval.gte is not None or interval.lte is not None
    ]
    must_not: list[Any] = [_any_of(name, values) for name, values in filter.exclude.items()]
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
