"""What holds for a Qdrant server alone: what is asked of it in which order, and what its failures are called."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings.errors import CollectionNotFound, IndexLocked, IndexUnavailable
from embeddings.vector_index.base import PAYLOAD_FIELDS, IndexCollection, Point, VectorQuery
from embeddings.vector_index.qdrant import QdrantVectorIndex

SHIRTS = IndexCollection("shirts-v1", 4)
Answer = tuple[int, Any]
Asked = tuple[str, str, dict[str, Any]]

INFO = {
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
    """Answers as a Qdrant server would, from a script, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[str, str], Answer] = lambda _method, _path: (200, True)
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.split("?")[0]
                owner.asked.append((self.command, path, json.loads(body) if body else {}))
                status, result = owner.answer(self.command, path)
                said = json.dumps({"result": result, "status": "ok", "time": 0.0}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


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
    assert body["params"]["quantization"] == {"rescore": True, "oversampling": 2.0}
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


def test_a_server_that_does_not_answer_is_named() -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        index = QdrantVectorIndex(url)
        with pytest.raises(IndexUnavailable, match=rf"{url} does not answer.*QDRANT_URL"):
            index.count("shirts-v1")
        index.close()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, CollectionNotFound, "shirts-v1"),
        (403, IndexUnavailable, "QDRANT_API_KEY"),
        (503, IndexUnavailable, "503"),
    ],
)
def test_a_refusal_is_told_in_our_words(
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
