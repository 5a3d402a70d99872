"""Behaviour of the Qdrant adapter only: its requests, their order, and how it reports failures."""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import grpc
import numpy as np
import pytest
from qdrant_client.grpc import collections_pb2 as grpc_collections
from qdrant_client.grpc import points_pb2 as grpc_points
from qdrant_client.grpc import qdrant_pb2 as grpc_qdrant
from qdrant_client.grpc.collections_service_pb2_grpc import CollectionsServicer, add_CollectionsServicer_to_server
from qdrant_client.grpc.points_service_pb2_grpc import PointsServicer, add_PointsServicer_to_server
from qdrant_client.grpc.qdrant_pb2_grpc import QdrantServicer, add_QdrantServicer_to_server

from embeddings.errors import CollectionNotFound, IndexLocked, IndexUnavailable
from embeddings.vector_index.base import (
    PAYLOAD_FIELDS,
    Copies,
    Filter,
    IndexCollection,
    Point,
    SparseQuery,
    SparseVector,
    VectorQuery,
)
from embeddings.vector_index.filtered_search import LEAST_RESCORED
from embeddings.vector_index.qdrant import QdrantVectorIndex
from embeddings.vector_index.qdrant_server import _resolved
from tests import loopback

SHIRTS = IndexCollection("shirts-v1", 4)
Answer = tuple[int, Any]
Asked = tuple[str, str, dict[str, Any]]

INFO: dict[str, Any] = {
    "status": "green",
    "optimizer_status": "ok",
    "segments_count": 1,
    "points_count": 0,
    "payload_schema": {},
    "config": {
        "params": {"vectors": {"size": 4, "distance": "Cosine"}},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
        "optimizer_config": {
            "deleted_threshold": 0.2,
            "vacuum_min_vector_number": 1000,
            "default_segment_number": 0,
            "flush_interval_sec": 5,
        },
    },
}


class Server:
    """A scripted Qdrant server that records its requests."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.parameters: list[str] = []
        self.keys: set[str | None] = set()
        self.version = "1.16.0"
        self.headers: dict[str, str] = {}
        self.answer: Callable[[str, str], Answer] = lambda _method, _path: (200, True)
        owner = self

        class Handler(loopback.Handler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, parameters = self.path.partition("?")
                owner.parameters.append(parameters)
                owner.keys.add(self.headers["api-key"])
                owner.asked.append((self.command, path, json.loads(body) if body else {}))
                if path == "/":
                    status, said = 200, json.dumps({"title": "qdrant", "version": owner.version}).encode()
                else:
                    status, result = owner.answer(self.command, path)
                    said = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
                self.send_response(status)
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = respond

        self._serving = ExitStack()
        self.url = f"http://127.0.0.1:{self._serving.enter_context(loopback.serving(Handler))}"

    def stop(self) -> None:
        self._serving.close()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.stop()


@pytest.fixture
def index(server: Server) -> Iterator[QdrantVectorIndex]:
    made = QdrantVectorIndex(server.url)
    yield made
    made.close()


@pytest.mark.parametrize("key", ["secret", None])
def test_the_key_goes_along_and_to_a_server_nearby_without_a_warning(server: Server, key: str | None) -> None:
    server.answer = lambda _method, _path: (200, {"count": 3})
    index = QdrantVectorIndex(server.url, key)
    assert index.count("shirts-v1") == 3
    index.close()
    assert server.keys == {key}


def test_payload_indexes_are_made_before_any_graph(server: Server, index: QdrantVectorIndex) -> None:
    def answer(method: str, path: str) -> Answer:
        if path.endswith("/exists"):
            return 200, {"exists": False}
        return 200, INFO if method == "GET" else True if path == "/collections/shirts-v1" else {"status": "completed"}

    server.answer = answer
    index.ensure(SHIRTS, bulk_load=True)
    creation = next(i for i, asked in enumerate(server.asked) if asked[:2] == ("PUT", "/collections/shirts-v1"))
    assert server.asked[creation][2]["vectors"] == {"size": 4, "distance": "Cosine"}
    assert server.asked[creation][2]["optimizers_config"] == {"indexing_threshold": 0}
    indexed = {body["field_name"]: body["field_schema"] for _, path, body in server.asked if path.endswith("/index")}
    assert indexed == {name: str(field_type) for name, field_type in PAYLOAD_FIELDS.items()}

    server.asked.clear()
    index.optimise("shirts-v1")
    settings = next(body for method, _, body in server.asked if method == "PATCH")
    assert settings["optimizers_config"]["indexing_threshold"] > 0


def test_optimise_waits_until_the_server_is_done(server: Server, index: QdrantVectorIndex) -> None:
    states = iter(["green", "yellow", "yellow", "green"])

    def answer(method: str, path: str) -> Answer:
        return 200, {**INFO, "status": next(states, "green")} if method == "GET" else True

    server.answer = answer
    index.optimise("shirts-v1")
    assert next(states, None) is None


def test_a_query_sends_explicit_search_parameters(server: Server) -> None:
    def answer(method: str, path: str) -> Answer:
        if path.endswith("/query"):
            return 200, {"points": [{"id": 5, "version": 1, "score": 0.5, "payload": {"product_id": 2}}]}
        return 200, {"count": 1} if path.endswith("/count") else INFO

    server.answer = answer
    index = QdrantVectorIndex(server.url, quantization="int8", ef=48)
    (hit,) = index.query("shirts-v1", VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)]))
    assert (hit.id, hit.product_id, hit.score) == (5, 2, 0.5)
    body = next(body for _, path, body in server.asked if path.endswith("/query"))
    assert body["params"]["hnsw_ef"] == 48
    assert body["params"]["quantization"]["rescore"]
    # At least these are compared by their full vectors.
    assert body["params"]["quantization"]["oversampling"] * body["limit"] >= LEAST_RESCORED
    assert body["with_payload"] == ["product_id"]
    index.close()


def test_fewer_hits_than_the_filter_allows_are_asked_for_again_exactly(
    server: Server, index: QdrantVectorIndex
) -> None:
    def answer(method: str, path: str) -> Answer:
        if path.endswith("/query"):
            return 200, {"points": []}
        return 200, {"count": 3} if path.endswith("/count") else INFO

    server.answer = answer
    index.query("shirts-v1", VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)]))
    assert [body["params"]["exact"] for _, path, body in server.asked if path.endswith("/query")] == [False, True]


def test_a_filter_that_hides_many_points_is_looked_for_around_the_query_first(server: Server) -> None:
    """Candidates come without the filter; then they are compared under it. What is counted is known for a while."""

    def answer(method: str, path: str) -> Answer:
        if path.endswith("/query/batch"):
            return 200, [{"points": [{"id": each, "version": 1, "score": 1 - each / 100} for each in range(1, 65)]}]
        if path.endswith("/query"):
            hits = [{"id": each, "version": 1, "score": 1 - each / 100} for each in range(2, 13)]
            return 200, {"points": [{**hit, "payload": {"product_id": hit["id"]}} for hit in hits]}
        return 200, {"count": next(counts)} if path.endswith("/count") else INFO

    server.answer, counts = answer, iter([400_000, 500_000])
    index = QdrantVectorIndex(server.url)
    query = VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)], filter=Filter(exclude={"brand": ["Ada"]}))
    for _ in range(2):
        assert [hit.id for hit in index.query("shirts-v1", query)] == list(range(2, 12))
    around, compared = [body for _, path, body in server.asked if "/query" in path][:2]
    assert "filter" not in around["searches"][0]
    assert compared["filter"]["must"][0] == {"has_id": list(range(1, 65))}
    assert compared["params"]["exact"]
    assert sum(path.endswith("/count") for _, path, _ in server.asked) == 2
    index.close()


def test_a_query_without_a_filter_is_one_request(server: Server) -> None:
    def answer(method: str, path: str) -> Answer:
        hits = [{"id": each, "version": 1, "score": 1 - each / 100} for each in range(1, 12)]
        return 200, {"points": [{**hit, "payload": {"product_id": hit["id"]}} for hit in hits]} if path.endswith(
            "/query"
        ) else INFO

    server.answer = answer
    index = QdrantVectorIndex(server.url)
    everything = Filter(match={"active": True}, exclude={"product_id": [7]})
    query = VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)], filter=everything)
    index.query("shirts-v1", query)
    server.asked.clear()
    index.query("shirts-v1", query)
    assert [path for _, path, _ in server.asked] == ["/collections/shirts-v1/points/query"]
    index.close()


def test_a_server_that_does_not_answer_is_named() -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        index = QdrantVectorIndex(url)
        with pytest.raises(IndexUnavailable, match=rf"{url} does not answer.*QDRANT_URL"):
            index.count("shirts-v1")
        index.close()


@pytest.mark.parametrize("name", ["a/b", "a?b", "", ".", "x" * 200])
def test_a_name_that_no_collection_can_have_is_not_sent(server: Server, index: QdrantVectorIndex, name: str) -> None:
    """A server answers it with status 422, or takes a part of it for another address."""
    server.answer = lambda _method, _path: (422, None)
    for ask in (index.count, index.missing_fields, index.optimise, lambda name: index.retrieve(name, [1])):
        with pytest.raises(CollectionNotFound, match="there is no index"):
            ask(name)
    assert server.asked == []


def clustered(*states: tuple[int, str], local: tuple[int, str] = (0, "Active")) -> dict[str, Any]:
    """What a node says of a collection of three shards: its own copy, and (shard, state) of the others'."""
    remote = [{"shard_id": shard, "peer_id": 7, "state": state} for shard, state in states]
    transfer = {"shard_id": 1, "from": 7, "to": 8, "sync": True, "method": "stream_records"}
    return {
        "peer_id": 5,
        "shard_count": 3,
        "local_shards": [{"shard_id": local[0], "points_count": 4, "state": local[1]}],
        "remote_shards": remote,
        "shard_transfers": [transfer],
    }


def test_the_copies_of_a_cluster_are_counted_as_a_node_sees_them(server: Server, index: QdrantVectorIndex) -> None:
    seen = clustered((0, "Dead"), (1, "Partial"), (1, "Active"), (2, "Dead"))
    server.answer = lambda _method, path: (200, seen) if path == "/collections/shirts-v1/cluster" else (404, None)
    assert index.copies("shirts-v1") == Copies(shards=3, copies=5, dead=2, missing=1, transfers=1)
    with pytest.raises(CollectionNotFound):
        index.copies("mugs-v1")


def test_a_server_that_hangs_is_given_up_after_the_querys_own_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        index = QdrantVectorIndex(f"http://127.0.0.1:{silent.getsockname()[1]}", query_timeout_s=1)
        with pytest.raises(IndexUnavailable, match="timed out"):
            index.query("shirts-v1", VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)]))
        index.close()


def test_a_server_that_is_too_old_is_refused_at_once(server: Server, index: QdrantVectorIndex) -> None:
    server.version = "1.9.2"
    with pytest.raises(IndexUnavailable, match=r"version 1\.9\.2, and 1\.10 is the oldest"):
        index.count("shirts-v1")
    server.version = "1.10.0"
    server.answer = lambda _method, _path: (200, {"count": 7})
    assert index.count("shirts-v1") == 7


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip the pauses between attempts, and return their lengths."""
    pauses: list[float] = []
    monkeypatch.setattr("embeddings.vector_index.qdrant_server.time.sleep", pauses.append)
    return pauses


def point(point_id: int = 1) -> Point:
    return Point(point_id, np.array([1, 0, 0, 0], np.float32), {"product_id": point_id})


def test_a_write_is_tried_again_while_the_server_is_away_or_asks_to_wait(
    server: Server, index: QdrantVectorIndex, no_waiting: list[float]
) -> None:
    writes = iter([503, 429, 502])

    def answer(method: str, path: str) -> Answer:
        if method != "PUT":
            return 200, INFO
        status = next(writes, 200)
        server.headers = {"Retry-After": "3"} if status == 429 else {}
        return status, {"operation_id": 1, "status": "completed"}

    server.answer = answer
    index.upsert("shirts-v1", [point()])
    assert [path for method, path, _ in server.asked if method == "PUT"] == ["/collections/shirts-v1/points"] * 4
    assert no_waiting == [0.2, 3.0, 1.0]


def test_a_write_to_a_server_that_stays_away_is_given_up_and_a_query_at_once(
    server: Server, index: QdrantVectorIndex, no_waiting: list[float]
) -> None:
    server.answer = lambda _method, path: (503, None) if "points" in path else (200, INFO)
    with pytest.raises(IndexUnavailable, match="503"):
        index.delete("shirts-v1", [1])
    assert len(no_waiting) == 6
    no_waiting.clear()
    with pytest.raises(IndexUnavailable, match="503"):
        index.query("shirts-v1", VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)]))
    assert no_waiting == []


def test_a_process_that_starts_while_the_server_is_away_learns_of_it_at_once(
    server: Server, index: QdrantVectorIndex, no_waiting: list[float]
) -> None:
    server.answer = lambda _method, _path: (503, None)
    # What the first filtered query of a process asks.
    with pytest.raises(IndexUnavailable, match="503"):
        index.missing_fields("shirts-v1")
    assert no_waiting == []


def test_a_collection_of_a_cluster_is_made_as_the_settings_say(server: Server) -> None:
    def answer(method: str, path: str) -> Answer:
        if path.endswith("/exists"):
            return 200, {"exists": False}
        return 200, INFO if method == "GET" else True if path == "/collections/shirts-v1" else {"status": "completed"}

    server.answer = answer
    index = QdrantVectorIndex(
        server.url, shard_number=6, replication_factor=3, write_consistency_factor=2, hnsw_m=24, hnsw_ef_construct=200,
        quantization="int8", on_disk=True, on_disk_payload=True,
    )  # fmt: skip
    index.ensure(SHIRTS)
    index.close()
    made = next(body for method, path, body in server.asked if (method, path) == ("PUT", "/collections/shirts-v1"))
    assert (made["shard_number"], made["replication_factor"], made["write_consistency_factor"]) == (6, 3, 2)
    assert made["hnsw_config"] == {"m": 24, "ef_construct": 200}
    assert made["vectors"]["on_disk"] and made["on_disk_payload"]
    assert made["quantization_config"]["scalar"] == {"type": "int8", "quantile": 0.99, "always_ram": True}


def test_a_read_asks_as_many_replicas_as_the_settings_say(server: Server) -> None:
    def answer(method: str, path: str) -> Answer:
        return 200, {"points": []} if path.endswith("/query") else {"count": 0} if path.endswith("/count") else INFO

    server.answer = answer
    index = QdrantVectorIndex(server.url, read_consistency="majority")
    index.query("shirts-v1", VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)]))
    index.close()
    assert any("consistency=majority" in parameters for parameters in server.parameters)
    with pytest.raises(ValueError, match="most"):
        QdrantVectorIndex(server.url, read_consistency="most")


class Points(PointsServicer):
    """The gRPC side of a server: keeps what is written, and fails with each status in `failures`."""

    def __init__(self) -> None:
        self.written: list[tuple[int, list[float], int]] = []
        self.failures: list[grpc.StatusCode] = []
        self.keys: set[Any] = set()

    def Upsert(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # as the protocol calls it
        self.keys.add(dict(context.invocation_metadata()).get("api-key"))
        if self.failures:
            context.abort(self.failures.pop(0), "asked to fail")
        assert request.wait
        for each in request.points:
            vector = each.vectors.vector
            entries = list(vector.dense.data) or list(vector.data)
            self.written.append((each.id.num, entries, each.payload["product_id"].integer_value))
        return grpc_points.PointsOperationResponse(
            result=grpc_points.UpdateResult(operation_id=1, status=grpc_points.UpdateStatus.Completed), time=0
        )

    def Query(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.UNAVAILABLE, "gone for a moment")


class Collections(CollectionsServicer):
    """One collection, shirts-v1."""

    def Get(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        if request.collection_name != "shirts-v1":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such collection")
        params = grpc_collections.VectorParams(size=4, distance=grpc_collections.Distance.Cosine)
        config = grpc_collections.CollectionConfig(
            params=grpc_collections.CollectionParams(vectors_config=grpc_collections.VectorsConfig(params=params)),
            hnsw_config=grpc_collections.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10_000),
            optimizer_config=grpc_collections.OptimizersConfigDiff(
                deleted_threshold=0.2, vacuum_min_vector_number=1000, default_segment_number=0, flush_interval_sec=5
            ),
            wal_config=grpc_collections.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
        )
        info = grpc_collections.CollectionInfo(
            status=grpc_collections.CollectionStatus.Green, config=config,
            optimizer_status=grpc_collections.OptimizerStatus(ok=True),
        )  # fmt: skip
        return grpc_collections.GetCollectionInfoResponse(result=info, time=0)


class Version(QdrantServicer):
    """The server's version."""

    def HealthCheck(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return grpc_qdrant.HealthCheckReply(title="qdrant", version="1.16.0")


@pytest.fixture
def by_grpc(server: Server) -> Iterator[tuple[QdrantVectorIndex, Points]]:
    points, service = Points(), grpc.server(ThreadPoolExecutor(2))
    add_PointsServicer_to_server(points, service)
    add_CollectionsServicer_to_server(Collections(), service)
    add_QdrantServicer_to_server(Version(), service)
    port = service.add_insecure_port("127.0.0.1:0")
    service.start()
    index = QdrantVectorIndex(server.url, "secret", grpc_port=port)
    yield index, points
    index.close()
    service.stop(None).wait()


def test_points_are_written_by_grpc_where_a_port_is_named(
    by_grpc: tuple[QdrantVectorIndex, Points], no_waiting: list[float]
) -> None:
    index, points = by_grpc
    points.failures = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    index.upsert("shirts-v1", [point(number) for number in (1, 2)])
    assert points.written == [(1, [1, 0, 0, 0], 1), (2, [1, 0, 0, 0], 2)]
    assert no_waiting == [0.2, 0.5]


def test_the_key_goes_along_by_grpc(by_grpc: tuple[QdrantVectorIndex, Points]) -> None:
    index, points = by_grpc
    index.upsert("shirts-v1", [point()])
    assert points.keys == {"secret"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "refuses QDRANT_API_KEY"),
        (grpc.StatusCode.INVALID_ARGUMENT, "refused a request: asked to fail"),
    ],
)
def test_a_refusal_by_grpc_becomes_an_error_of_the_port(
    by_grpc: tuple[QdrantVectorIndex, Points], code: grpc.StatusCode, words: str
) -> None:
    index, points = by_grpc
    points.failures = [code]
    with pytest.raises(IndexUnavailable, match=words):
        index.upsert("shirts-v1", [point()])


def test_a_query_by_grpc_is_not_repeated_and_an_unknown_name_is_said(
    by_grpc: tuple[QdrantVectorIndex, Points], no_waiting: list[float]
) -> None:
    index, _ = by_grpc
    with pytest.raises(IndexUnavailable, match=r"gone for a moment.*QDRANT_GRPC_PORT"):
        index.query("shirts-v1", VectorQuery(positive=[np.array([1, 0, 0, 0], np.float32)]))
    with pytest.raises(CollectionNotFound, match="hats-v1"):
        index.upsert("hats-v1", [point()])
    assert no_waiting == []


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, CollectionNotFound, "shirts-v1"),
        (403, IndexUnavailable, "QDRANT_API_KEY"),
        (400, IndexUnavailable, "400"),
    ],
)
def test_a_refusal_becomes_an_error_of_the_port(
    server: Server, index: QdrantVectorIndex, status: int, error: type[Exception], words: str
) -> None:
    server.answer = lambda _method, _path: (status, None)
    with pytest.raises(error, match=words):
        index.upsert("shirts-v1", [Point(1, np.array([1, 0, 0, 0], np.float32), {"product_id": 1})])


# The client leaves its lock file open when it finds the folder locked.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_local_folder_held_by_another_gives_the_same_error_as_a_shard(tmp_path: Path) -> None:
    index = QdrantVectorIndex(path=str(tmp_path))
    index.ensure(SHIRTS)
    with pytest.raises(IndexLocked, match=r"QDRANT_URL"):
        QdrantVectorIndex(path=str(tmp_path)).count("shirts-v1")
    index.close()


def test_one_place_is_named() -> None:
    with pytest.raises(ValueError, match="one of url, location and path"):
        QdrantVectorIndex()
    with pytest.raises(ValueError, match="one of url, location and path"):
        QdrantVectorIndex(url="http://127.0.0.1:1", location=":memory:")


def test_a_collection_that_serves_from_the_start_gets_its_graph_by_itself(
    server: Server, index: QdrantVectorIndex
) -> None:
    def answer(method: str, path: str) -> Answer:
        if path.endswith("/exists"):
            return 200, {"exists": False}
        return 200, INFO if method == "GET" else True if path == "/collections/shirts-v1" else {"status": "completed"}

    server.answer = answer
    index.ensure(SHIRTS)

    creation = next(body for method, path, body in server.asked if (method, path) == ("PUT", "/collections/shirts-v1"))
    assert creation["optimizers_config"]["indexing_threshold"] > 0


@pytest.mark.parametrize("points", [0, 7])
def test_a_payload_index_is_never_added_behind_points(server: Server, index: QdrantVectorIndex, points: int) -> None:
    schema = {name: {"data_type": str(kind), "points": points} for name, kind in PAYLOAD_FIELDS.items()}
    del schema["currency"]
    info = {**INFO, "points_count": points, "payload_schema": schema}
    results = {"/exists": {"exists": True}, "/index": {"status": "completed"}}
    server.answer = lambda _method, path: (200, results.get(path.removeprefix("/collections/shirts-v1"), info))
    index.ensure(SHIRTS)
    created = [body["field_name"] for _, path, body in server.asked if path.endswith("/index")]
    assert created == ([] if points else ["currency"])
    assert index.missing_fields("shirts-v1") == {"currency"}


def wait(seconds: float) -> None:
    """Not by time.sleep, which some tests replace."""
    Event().wait(seconds)


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_a_write_that_takes_longer_than_a_query_may_is_sent_once(
    server: Server, way: str, no_waiting: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Points()
    slow = written.Upsert

    def upsert(request: Any, context: grpc.ServicerContext) -> Any:
        wait(1.3)
        return slow(request, context)

    def answer(method: str, path: str) -> Answer:
        if method == "PUT":
            wait(1.3)
        return 200, {"operation_id": 1, "status": "completed"} if method == "PUT" else INFO

    monkeypatch.setattr(written, "Upsert", upsert)
    server.answer = answer
    service, port = grpc_server(written)
    index = QdrantVectorIndex(server.url, query_timeout_s=1, grpc_port=port if way == "grpc" else None)
    index.upsert("shirts-v1", [point()])
    index.close()
    service.stop(None).wait()
    sent = len(written.written) if way == "grpc" else sum(method == "PUT" for method, _, _ in server.asked)
    assert (sent, no_waiting) == (1, [])


class Reading(Points):
    """Answers reads, with nothing, after it has failed with each of `refusals`."""

    def __init__(self, refusals: Sequence[tuple[grpc.StatusCode, str]] = ()) -> None:
        super().__init__()
        self.refusals = [*refusals]
        self.copies: list[int | None] = []

    def Get(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.copies.append(request.read_consistency.factor if request.HasField("read_consistency") else None)
        if self.refusals:
            context.abort(*self.refusals.pop(0))
        return grpc_points.GetResponse(result=[], time=0)


def grpc_server(points: Points, port: int = 0) -> tuple[grpc.Server, int]:
    service = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    add_PointsServicer_to_server(points, service)
    add_CollectionsServicer_to_server(Collections(), service)
    add_QdrantServicer_to_server(Version(), service)
    port = service.add_insecure_port(f"127.0.0.1:{port}")
    service.start()
    return service, port


def test_a_server_by_grpc_is_found_back_at_once_however_long_it_was_away(server: Server) -> None:
    service, port = grpc_server(Reading())
    index = QdrantVectorIndex(server.url, grpc_port=port)
    assert index.retrieve("shirts-v1", [1]) == {}
    service.stop(None).wait()
    gone = monotonic()
    # By then, the channel's own backoff is at four seconds.
    while monotonic() - gone < 5.5:
        with pytest.raises(IndexUnavailable):
            index.retrieve("shirts-v1", [1])
        wait(0.05)
    service, _ = grpc_server(Reading(), port)
    back = monotonic()
    while True:
        try:
            index.retrieve("shirts-v1", [1])
            break
        except IndexUnavailable:
            wait(0.02)
    assert monotonic() - back < 2
    index.close()
    service.stop(None).wait()


@pytest.fixture
def second() -> Iterator[Server]:
    """Another node."""
    started = Server()
    yield started
    started.stop()


def reads(server: Server) -> int:
    return sum(path.endswith("/points") for _, path, _ in server.asked)


def test_reads_go_to_all_nodes_in_turn_and_past_one_that_is_away(server: Server, second: Server) -> None:
    for node in (server, second):
        node.answer = lambda _method, path: (
            200,
            {"exists": True} if path.endswith("/exists") else [] if path.endswith("/points") else INFO,
        )
    index = QdrantVectorIndex(f"{server.url}, {second.url}")
    for _ in range(10):
        index.retrieve("shirts-v1", [1])
    assert (reads(server), reads(second)) == (5, 5)

    server.answer = lambda _method, _path: (503, None)
    for _ in range(20):
        index.retrieve("shirts-v1", [1])
    # It is left alone after three failures in a row.
    assert reads(server) == 5 + 3
    server.answer = second.answer
    deadline = monotonic() + 10
    while reads(server) == 5 + 3 and monotonic() < deadline:
        index.retrieve("shirts-v1", [1])
        wait(0.05)
    assert reads(server) > 5 + 3
    index.close()


def test_nobody_waits_for_a_server_that_is_known_to_be_away(server: Server, index: QdrantVectorIndex) -> None:
    server.answer = lambda _method, _path: (503, None)
    for _ in range(10):
        with pytest.raises(IndexUnavailable, match="503"):
            index.retrieve("shirts-v1", [1])
    assert reads(server) == 3
    server.answer = lambda _method, path: (200, [] if path.endswith("/points") else {"exists": True})
    deadline = monotonic() + 10
    while monotonic() < deadline:
        try:
            assert index.retrieve("shirts-v1", [1]) == {}
            break
        except IndexUnavailable:
            wait(0.05)
    else:
        raise AssertionError("it was not found back")


@pytest.mark.parametrize("words", ["Local shard 2 not found", "1 of 2 read operations failed"])
def test_what_a_cluster_says_while_a_node_comes_back_is_asked_once_more(
    server: Server, index: QdrantVectorIndex, words: str
) -> None:
    answers = iter([500])

    def answer(_method: str, path: str) -> Answer:
        status = next(answers, 200) if path.endswith("/points") else 200
        return status, {"error": words} if status == 500 else [] if path.endswith("/points") else INFO

    server.answer = answer
    assert index.retrieve("shirts-v1", [1]) == {}
    assert reads(server) == 2


@pytest.mark.parametrize("words", ["Local shard 2 not found", "1 of 2 read operations failed"])
def test_the_same_is_asked_once_more_by_grpc(server: Server, words: str) -> None:
    points = Reading([(grpc.StatusCode.INTERNAL, words)])
    service, port = grpc_server(points)
    index = QdrantVectorIndex(server.url, grpc_port=port)
    assert index.retrieve("shirts-v1", [1]) == {}
    assert len(points.copies) == 2
    index.close()
    service.stop(None).wait()


NOT_ENOUGH = "The replica set for shard 2 on peer 7 does not have enough active replicas"
ONE_OF_TWO = "1 of 2 read operations failed"
ANSWERS = {"/query": {"points": []}, "/query/groups": {"groups": []}, "/query/batch": [], "/scroll": {"points": []}}
ARROW = np.array([1, 0, 0, 0], np.float32)
SPARSE = SparseVector(np.array([1], np.uint32), np.array([1], np.float32))
READS: dict[str, Callable[[QdrantVectorIndex], Any]] = {
    "retrieve": lambda index: index.retrieve("shirts-v1", [1]),
    "query": lambda index: index.query("shirts-v1", VectorQuery(positive=[ARROW])),
    "query by products": lambda index: index.query("shirts-v1", VectorQuery(positive=[ARROW], group_by_product=True)),
    "query batch": lambda index: index.query_batch("shirts-v1", [VectorQuery(positive=[ARROW])]),
    "query sparse": lambda index: index.query_sparse("shirts-v1", SparseQuery("words", SPARSE)),
    "scroll": lambda index: list(index.scroll("shirts-v1")),
}


def lacks_copies(server: Server, words: str) -> Callable[[str, str], Answer]:
    """Answers as a node where too few copies are there for a read that asks several."""

    def answer(_method: str, path: str) -> Answer:
        if "consistency=" in server.parameters[-1]:
            return 500, {"error": words}
        if path.endswith("/points"):
            return 200, []
        if path.endswith("/query/batch"):
            return 200, [{"points": []} for _ in server.asked[-1][2]["searches"]]
        params = {**INFO["config"]["params"], "sparse_vectors": {"words": {}}}
        info = {**INFO, "config": {**INFO["config"], "params": params}}
        return 200, next((said for end, said in ANSWERS.items() if path.endswith(end)), info)

    return answer


@pytest.mark.parametrize("words", [NOT_ENOUGH, ONE_OF_TWO])
@pytest.mark.parametrize("read", READS)
def test_a_read_that_finds_too_few_copies_asks_one(server: Server, read: str, words: str) -> None:
    server.answer = lacks_copies(server, words)
    index = QdrantVectorIndex(server.url, read_consistency="quorum")
    READS[read](index)
    assert sum("consistency=quorum" in parameters for parameters in server.parameters) == 1
    READS[read](index)
    # The next read asks several again: the copies may be back.
    assert sum("consistency=quorum" in parameters for parameters in server.parameters) == 2
    index.close()


def test_the_node_that_found_too_few_copies_is_asked_for_one(server: Server, second: Server) -> None:
    server.answer = lambda _method, _path: (503, None)
    second.answer = lacks_copies(second, NOT_ENOUGH)
    index = QdrantVectorIndex(f"{server.url}, {second.url}", read_consistency=2)
    for _ in range(4):
        assert index.retrieve("shirts-v1", [1]) == {}
    index.close()


def test_a_read_by_grpc_that_finds_too_few_copies_asks_one(server: Server) -> None:
    points = Reading([(grpc.StatusCode.INTERNAL, NOT_ENOUGH)])
    service, port = grpc_server(points)
    index = QdrantVectorIndex(server.url, grpc_port=port, read_consistency=2)
    assert index.retrieve("shirts-v1", [1]) == {}
    assert points.copies == [2, None]
    index.close()
    service.stop(None).wait()


def test_another_internal_error_is_a_refusal(server: Server, no_waiting: list[float]) -> None:
    points = Points()
    points.failures = [grpc.StatusCode.INTERNAL]
    service, port = grpc_server(points)
    index = QdrantVectorIndex(server.url, grpc_port=port)
    with pytest.raises(IndexUnavailable, match="asked to fail"):
        index.upsert("shirts-v1", [point()])
    index.close()
    service.stop(None).wait()


def test_a_name_with_several_addresses_is_several_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("10.0.0.2", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert _resolved("http://qdrant:6333") == ["http://10.0.0.1:6333", "http://10.0.0.2:6333"]
    # Its certificate is for the name.
    assert _resolved("https://qdrant:6333") == ["https://qdrant:6333"]
