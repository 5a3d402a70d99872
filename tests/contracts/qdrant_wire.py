"""A Qdrant server by REST and gRPC for the contract tests: real sockets and real messages, answered by qdrant-client's own engine.

It compares all points one by one and knows no cluster; what a request says is read as a server would read it. So it shows what goes
over the wire and comes back, not how a server searches: for that, name one by QDRANT_URL. Deployments and benches, which need a
process of its own and speed, have `tests.deploy.qdrant_standin`.

`python -m tests.contracts.qdrant_wire` serves the same points as two nodes, for bench/outages.py: it says their ports as JSON. For
as many seconds as a line of its input says, the second node answers like one whose shards come back.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy
from dataclasses import asdict, dataclass
from threading import Event, Lock
from typing import Any

import grpc
from pydantic import BaseModel, TypeAdapter
from qdrant_client import QdrantClient, models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.grpc import collections_pb2, points_pb2, qdrant_pb2
from qdrant_client.grpc.collections_service_pb2_grpc import CollectionsServicer, add_CollectionsServicer_to_server
from qdrant_client.grpc.points_service_pb2_grpc import PointsServicer, add_PointsServicer_to_server
from qdrant_client.grpc.qdrant_pb2_grpc import QdrantServicer, add_QdrantServicer_to_server

from tests import loopback

VERSION = "1.16.0"
_UPDATED = models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)


@dataclass(frozen=True)
class Ports:
    """Where the server listens, on the loopback address."""

    rest: int
    grpc: int


@contextmanager
def serving_qdrant() -> Iterator[Ports]:
    """Run a server without collections until the block ends, and yield its ports."""
    engine = _Engine()
    try:
        with _serving(engine) as ports:
            yield ports
    finally:
        engine.client.close()


@contextmanager
def _serving(engine: _Engine) -> Iterator[Ports]:
    service = grpc.server(ThreadPoolExecutor(2))
    add_PointsServicer_to_server(_Points(engine), service)
    add_CollectionsServicer_to_server(_Collections(engine), service)
    add_QdrantServicer_to_server(_Health(), service)
    port = service.add_insecure_port("127.0.0.1:0")
    service.start()
    try:
        with loopback.serving(_rest_handler(engine)) as rest_port:
            yield Ports(rest_port, port)
    finally:
        service.stop(None).wait()


def _serve_two() -> None:
    first = _Engine()
    second = copy(first)
    second.in_trouble = Event()
    with _serving(first) as one, _serving(second) as other:
        sys.stdout.write(json.dumps([asdict(one), asdict(other)]) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            second.in_trouble.set()
            time.sleep(float(line))
            second.in_trouble.clear()


class _InTrouble(Exception):
    """What a node answers for a moment while its shards come back."""


class _Refused(Exception):
    """A request that a server refuses."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.is_missing = "not found" in message
        self.is_there = "already exists" in message


class _Engine:
    """What both protocols ask, in the words of REST. One request at a time, as the engine wants it."""

    def __init__(self) -> None:
        self.client = QdrantClient(location=":memory:", force_disable_check_same_thread=True)
        self.in_trouble = Event()
        self._lock = Lock()
        # The engine itself knows of no payload indexes.
        self._indexes: dict[str, dict[str, models.PayloadIndexInfo]] = {}

    def ask(self, request: Callable[[], Any]) -> Any:
        """The answer. Raises _Refused for what the engine refuses, and _InTrouble."""
        if self.in_trouble.is_set():
            raise _InTrouble("Local shard 2 not found")
        with self._lock:
            try:
                return request()
            except ValueError as error:
                raise _Refused(str(error)) from error

    def create(self, name: str, wanted: models.CreateCollection) -> bool:
        self.client.create_collection(
            name, vectors_config=wanted.vectors or {}, sparse_vectors_config=wanted.sparse_vectors
        )
        self._indexes[name] = {}
        return True

    def drop(self, name: str) -> bool:
        self._indexes.pop(name, None)
        return bool(self.client.delete_collection(name))

    def info(self, name: str) -> models.CollectionInfo:
        found = self.client.get_collection(name)
        return found.model_copy(update={"payload_schema": self._indexes[name]})

    def index(self, name: str, field: str, kind: models.PayloadSchemaType) -> models.UpdateResult:
        self._indexes[name][field] = models.PayloadIndexInfo(data_type=kind, points=0)
        return _UPDATED

    def query(self, name: str, wanted: models.QueryRequest) -> models.QueryResponse:
        return self.client.query_points(
            name, query=wanted.query, using=wanted.using, query_filter=wanted.filter, limit=wanted.limit or 10,
            with_payload=bool(wanted.with_payload) and wanted.with_payload, with_vectors=wanted.with_vector or False,
        )  # fmt: skip

    def groups(self, name: str, wanted: models.QueryGroupsRequest) -> models.GroupsResult:
        return self.client.query_points_groups(
            name, group_by=wanted.group_by, query=wanted.query, query_filter=wanted.filter, limit=wanted.limit or 10,
            group_size=wanted.group_size or 3, with_payload=wanted.with_payload or False,
            with_vectors=wanted.with_vector or False,
        )  # fmt: skip

    def scroll(self, name: str, wanted: models.ScrollRequest) -> tuple[list[models.Record], Any]:
        return self.client.scroll(
            name, scroll_filter=wanted.filter, limit=wanted.limit or 10, offset=wanted.offset,
            with_payload=wanted.with_payload or False, with_vectors=wanted.with_vector or False,
        )  # fmt: skip

    def retrieve(self, name: str, wanted: models.PointRequest) -> list[models.Record]:
        return self.client.retrieve(name, wanted.ids, wanted.with_payload or False, wanted.with_vector or False)

    def upsert(self, name: str, points: list[models.PointStruct]) -> models.UpdateResult:
        self.client.upsert(name, points)
        return _UPDATED

    def set_payload(self, name: str, payload: dict[str, Any], chosen: Any) -> models.UpdateResult:
        self.client.set_payload(name, payload, chosen)
        return _UPDATED

    def delete(self, name: str, chosen: Any) -> models.UpdateResult:
        self.client.delete(name, chosen)
        return _UPDATED


def _rest_handler(engine: _Engine) -> type[loopback.Handler]:
    client = engine.client

    def read(kind: Any, body: bytes) -> Any:
        return TypeAdapter(kind).validate_json(body)

    # Method, what follows the collection's name, and what answers (name, body).
    routes: dict[tuple[str, str], Callable[[str, bytes], Any]] = {
        ("GET", "exists"): lambda name, _: {"exists": client.collection_exists(name)},
        ("GET", ""): lambda name, _: engine.info(name),
        ("PUT", ""): lambda name, body: engine.create(name, read(models.CreateCollection, body)),
        ("PATCH", ""): lambda name, _: bool(engine.info(name)),
        ("DELETE", ""): lambda name, _: engine.drop(name),
        ("PUT", "index"): lambda name, body: engine.index(
            name, (wanted := read(models.CreateFieldIndex, body)).field_name, wanted.field_schema
        ),
        ("PUT", "points"): lambda name, body: engine.upsert(name, read(models.PointsList, body).points),
        ("POST", "points"): lambda name, body: engine.retrieve(name, read(models.PointRequest, body)),
        ("POST", "points/payload"): lambda name, body: engine.set_payload(
            name, (wanted := read(models.SetPayload, body)).payload, wanted.filter or wanted.points
        ),
        ("POST", "points/delete"): lambda name, body: engine.delete(name, read(models.PointIdsList, body)),
        ("POST", "points/count"): lambda name, body: client.count(name, read(models.CountRequest, body).filter),
        ("POST", "points/scroll"): lambda name, body: dict(
            zip(("points", "next_page_offset"), engine.scroll(name, read(models.ScrollRequest, body)), strict=True)
        ),
        ("POST", "points/query"): lambda name, body: engine.query(name, read(models.QueryRequest, body)),
        ("POST", "points/query/batch"): lambda name, body: [
            engine.query(name, each) for each in read(models.QueryRequestBatch, body).searches
        ],
        ("POST", "points/query/groups"): lambda name, body: engine.groups(name, read(models.QueryGroupsRequest, body)),
    }

    class Handler(loopback.Handler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            matched = re.fullmatch(r"/collections/([^/]+)/?(.*)", path)
            if path == "/":
                self._say(200, {"title": "qdrant", "version": VERSION})
            elif matched is None or (route := routes.get((self.command, matched[2]))) is None:
                self._say(404, {"status": {"error": f"no such address: {self.command} {path}"}})
            else:
                name = matched[1]
                try:
                    result = engine.ask(lambda: route(name, body))
                except _Refused as refused:
                    status = 404 if refused.is_missing else 409 if refused.is_there else 400
                    self._say(status, {"status": {"error": str(refused)}})
                except _InTrouble as trouble:
                    self._say(500, {"status": {"error": str(trouble)}})
                else:
                    self._say(200, {"result": result, "status": "ok", "time": 0.0})

        def _say(self, status: int, said: dict[str, Any]) -> None:
            content = json.dumps(said, default=_plain).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = respond

    return Handler


def _plain(model: BaseModel) -> Any:
    return model.model_dump(mode="json")


def _answered(engine: _Engine, context: grpc.ServicerContext, request: Callable[[], Any]) -> Any:
    """The answer by gRPC, or the status with which a server refuses."""
    try:
        return engine.ask(request)
    except _InTrouble as trouble:
        context.abort(grpc.StatusCode.INTERNAL, str(trouble))
    except _Refused as refused:
        code = grpc.StatusCode.INVALID_ARGUMENT
        if refused.is_missing or refused.is_there:
            code = grpc.StatusCode.NOT_FOUND if refused.is_missing else grpc.StatusCode.ALREADY_EXISTS
        context.abort(code, str(refused))


def _retrieved(record: models.Record) -> Any:
    # By gRPC a point without a payload has an empty one.
    return RestToGrpc.convert_record(record.model_copy(update={"payload": record.payload or {}}))


class _Points(PointsServicer):
    """Reads and writes of points. Methods are called as in the protocol."""

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine

    def _written(self, context: grpc.ServicerContext, write: Callable[[], models.UpdateResult]) -> Any:
        result = RestToGrpc.convert_update_result(_answered(self._engine, context, write))
        return points_pb2.PointsOperationResponse(result=result, time=0)

    def Upsert(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        points = [GrpcToRest.convert_point_struct(each) for each in request.points]
        return self._written(context, lambda: self._engine.upsert(request.collection_name, points))

    def SetPayload(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        payload = GrpcToRest.convert_payload(request.payload)
        chosen = GrpcToRest.convert_points_selector(request.points_selector)
        return self._written(context, lambda: self._engine.set_payload(request.collection_name, payload, chosen))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        chosen = GrpcToRest.convert_points_selector(request.points)
        return self._written(context, lambda: self._engine.delete(request.collection_name, chosen))

    def CreateFieldIndex(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        kind = points_pb2.FieldType.Name(request.field_type).removeprefix("FieldType").lower()
        wanted = models.PayloadSchemaType(kind)
        return self._written(context, lambda: self._engine.index(request.collection_name, request.field_name, wanted))

    def Get(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        wanted = models.PointRequest(
            ids=[GrpcToRest.convert_point_id(each) for each in request.ids],
            with_payload=GrpcToRest.convert_with_payload_selector(request.with_payload),
            with_vector=GrpcToRest.convert_with_vectors_selector(request.with_vectors),
        )
        records = _answered(self._engine, context, lambda: self._engine.retrieve(request.collection_name, wanted))
        return points_pb2.GetResponse(result=map(_retrieved, records), time=0)

    def Scroll(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        wanted = models.ScrollRequest(
            filter=GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None,
            limit=request.limit,
            offset=GrpcToRest.convert_point_id(request.offset) if request.HasField("offset") else None,
            with_payload=GrpcToRest.convert_with_payload_selector(request.with_payload),
            with_vector=GrpcToRest.convert_with_vectors_selector(request.with_vectors),
        )
        records, following = _answered(
            self._engine, context, lambda: self._engine.scroll(request.collection_name, wanted)
        )
        offset = None if following is None else RestToGrpc.convert_extended_point_id(following)
        return points_pb2.ScrollResponse(result=map(_retrieved, records), next_page_offset=offset, time=0)

    def Count(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        conditions = GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None
        client = self._engine.client
        counted = _answered(self._engine, context, lambda: client.count(request.collection_name, conditions))
        return points_pb2.CountResponse(result=RestToGrpc.convert_count_result(counted), time=0)

    def Query(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        wanted = GrpcToRest.convert_query_points(request)
        found = _answered(self._engine, context, lambda: self._engine.query(request.collection_name, wanted))
        return points_pb2.QueryResponse(result=map(RestToGrpc.convert_scored_point, found.points), time=0)

    def QueryBatch(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        results = [self.Query(each, context).result for each in request.query_points]
        return points_pb2.QueryBatchResponse(result=[points_pb2.BatchResult(result=each) for each in results], time=0)

    def QueryGroups(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        wanted = models.QueryGroupsRequest(
            query=GrpcToRest.convert_query(request.query),
            filter=GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None,
            with_payload=GrpcToRest.convert_with_payload_selector(request.with_payload),
            with_vector=GrpcToRest.convert_with_vectors_selector(request.with_vectors),
            limit=request.limit,
            group_by=request.group_by,
            group_size=request.group_size,
        )
        found = _answered(self._engine, context, lambda: self._engine.groups(request.collection_name, wanted))
        groups = map(RestToGrpc.convert_point_group, found.groups)
        return points_pb2.QueryGroupsResponse(result=points_pb2.GroupsResult(groups=groups), time=0)


class _Collections(CollectionsServicer):
    """Collections, and what is known of them."""

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine

    def CollectionExists(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        client = self._engine.client
        exists = _answered(self._engine, context, lambda: client.collection_exists(request.collection_name))
        result = collections_pb2.CollectionExists(exists=exists)
        return collections_pb2.CollectionExistsResponse(result=result, time=0)

    def Get(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        info = _answered(self._engine, context, lambda: self._engine.info(request.collection_name))
        return collections_pb2.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info), time=0)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        wanted = models.CreateCollection(
            vectors=GrpcToRest.convert_vectors_config(request.vectors_config)
            if request.HasField("vectors_config")
            else None,
            sparse_vectors=GrpcToRest.convert_sparse_vector_config(request.sparse_vectors_config)
            if request.HasField("sparse_vectors_config")
            else None,
        )
        return self._changed(context, lambda: self._engine.create(request.collection_name, wanted))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._changed(context, lambda: bool(self._engine.info(request.collection_name)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._changed(context, lambda: self._engine.drop(request.collection_name))

    def _changed(self, context: grpc.ServicerContext, change: Callable[[], bool]) -> Any:
        return collections_pb2.CollectionOperationResponse(result=_answered(self._engine, context, change), time=0)


class _Health(QdrantServicer):
    """The server's version."""

    def HealthCheck(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return qdrant_pb2.HealthCheckReply(title="qdrant", version=VERSION)


if __name__ == "__main__":
    _serve_two()
