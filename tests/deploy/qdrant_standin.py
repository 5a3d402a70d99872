"""A Qdrant server for several processes where there is none: the REST calls of our adapter, answered by the client's own engine.

Run as `python -m tests.deploy.qdrant_standin PORT KEY`. Exact search, one request at a time, everything in memory.
"""

from __future__ import annotations

import json
import sys
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import TypeAdapter
from qdrant_client import QdrantClient, models

DONE = {"operation_id": 0, "status": "completed"}
GREEN = {"status": "green", "optimizer_status": "ok"}

Answer = Callable[[QdrantClient, str, Any], Any]


def _parsed(kind: Any, body: Any) -> Any:
    return TypeAdapter(kind).validate_python(body)


def _create(client: QdrantClient, name: str, body: Any) -> bool:
    return client.create_collection(name, vectors_config=_parsed(models.VectorParams, body["vectors"]))


def _describe(client: QdrantClient, name: str, _: Any) -> Any:
    return client.get_collection(name).model_dump(mode="json", exclude_none=True) | GREEN


def _upsert(client: QdrantClient, name: str, body: Any) -> Any:
    client.upsert(name, _parsed(list[models.PointStruct], body["points"]))
    return DONE


def _retrieve(client: QdrantClient, name: str, body: Any) -> Any:
    return client.retrieve(name, body["ids"], body.get("with_payload", False), body.get("with_vector", False))


def _delete(client: QdrantClient, name: str, body: Any) -> Any:
    client.delete(name, body["points"])
    return DONE


def _set_payload(client: QdrantClient, name: str, body: Any) -> Any:
    client.set_payload(name, body["payload"], _parsed(models.Filter, body["filter"]))
    return DONE


def _query(client: QdrantClient, name: str, body: Any) -> Any:
    asked = _parsed(models.QueryRequest, body)
    return client.query_points(
        name, asked.query, query_filter=asked.filter, limit=asked.limit or 10, with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )  # fmt: skip


def _query_groups(client: QdrantClient, name: str, body: Any) -> Any:
    asked = _parsed(models.QueryGroupsRequest, body)
    return client.query_points_groups(
        name, asked.group_by, asked.query, query_filter=asked.filter, limit=asked.limit or 10,
        group_size=asked.group_size or 1, with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )  # fmt: skip


def _count(client: QdrantClient, name: str, body: Any) -> Any:
    return client.count(name, _parsed(models.CountRequest, body).filter)


def _scroll(client: QdrantClient, name: str, body: Any) -> Any:
    asked = _parsed(models.ScrollRequest, body)
    points, following = client.scroll(
        name, asked.filter, asked.limit or 10, offset=asked.offset, with_payload=True, with_vectors=False
    )
    return {"points": _plain(points), "next_page_offset": following}


ANSWERS: dict[tuple[str, str], Answer] = {
    ("GET", "exists"): lambda client, name, _: {"exists": client.collection_exists(name)},
    ("GET", ""): _describe,
    ("PUT", ""): _create,
    ("PATCH", ""): lambda _client, _name, _body: True,
    ("DELETE", ""): lambda client, name, _: client.delete_collection(name),
    ("PUT", "index"): lambda _client, _name, _body: DONE,
    ("PUT", "points"): _upsert,
    ("POST", "points"): _retrieve,
    ("POST", "points/delete"): _delete,
    ("POST", "points/payload"): _set_payload,
    ("POST", "points/query"): _query,
    ("POST", "points/query/groups"): _query_groups,
    ("POST", "points/count"): _count,
    ("POST", "points/scroll"): _scroll,
}


def _plain(result: Any) -> Any:
    if isinstance(result, list):
        return [_plain(each) for each in result]
    return result.model_dump(mode="json") if hasattr(result, "model_dump") else result


def serve(port: int, key: str) -> None:
    """Until the process ends. key: what requests have to say, as a server with an API key asks."""
    client = QdrantClient(":memory:", force_disable_check_same_thread=True)
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
            status, said = self.answer(self.path.partition("?")[0], body)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815

        def answer(self, path: str, body: Any) -> tuple[int, Any]:
            if path in ("/healthz", "/readyz"):
                return 200, "all is well"
            if self.headers.get("api-key") != key:
                return 401, {"status": {"error": "Must provide an API key"}}
            if path == "/":
                return 200, {"title": "qdrant", "version": "1.19.1"}
            _, _, name, *rest = path.split("/")
            what = (self.command, "/".join(rest))
            with one_at_a_time:
                if what not in (("GET", "exists"), ("PUT", "")) and not client.collection_exists(name):
                    return 404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}}
                if what == ("PUT", "") and client.collection_exists(name):
                    return 409, {"status": {"error": f"Wrong input: Collection `{name}` already exists!"}}
                return 200, {"result": _plain(ANSWERS[what](client, name, body)), "status": "ok", "time": 0.0}

        def log_message(self, format: str, *args: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve(int(sys.argv[1]), sys.argv[2])
