"""A stand-in for a Qdrant server: it answers the REST calls of our adapter with Qdrant's embedded engine.

Run as `python -m tests.deploy.qdrant_standin HOST PORT KEY FOLDER`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from embeddings.errors import CollectionNotFound
from embeddings.vector_index.base import (
    NO_VECTOR,
    PAYLOAD_FIELDS,
    Distance,
    Filter,
    Hit,
    IndexCollection,
    Point,
    Range,
    SparseQuery,
    SparseVector,
    VectorQuery,
)
from embeddings.vector_index.edge import EdgeVectorIndex
from tests import loopback

DENSE = ""  # the server's name of the vector that has none
DONE = {"operation_id": 0, "status": "completed"}
DISTANCES = {"Cosine": Distance.COSINE, "Dot": Distance.DOT, "Euclid": Distance.L2, "Manhattan": Distance.L1}
UNDESCRIBED = {
    "optimizer_config": {
        "deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0, "flush_interval_sec": 5,
    },
    "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
}  # fmt: skip


class Engine(EdgeVectorIndex):
    """The embedded engine, with the vector parameters of each collection as given in its creation request."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.parameters: dict[str, Any] = {}


Answer = Callable[[Engine, str, Any], Any]


def _create(index: Engine, name: str, body: Any) -> bool:
    vectors, sparse = body.get("vectors") or {}, body.get("sparse_vectors") or {}
    distance = DISTANCES[vectors.get("distance", "Cosine")]
    index.ensure(IndexCollection(name, vectors.get("size", 0), distance, tuple(sorted(sparse))))
    described = {"size": vectors["size"], "distance": vectors["distance"]} if vectors else {}
    index.parameters[name] = {"vectors": described, "sparse_vectors": {each: {} for each in sparse}}
    return True


def _describe(index: Engine, name: str, _: Any) -> Any:
    return {
        "status": "green",
        "optimizer_status": "ok",
        "segments_count": 1,
        "points_count": index.count(name),
        "config": {"params": index.parameters[name], **UNDESCRIBED},
        "payload_schema": {field: {"data_type": kind, "points": 0} for field, kind in PAYLOAD_FIELDS.items()},
    }


def _upsert(index: Engine, name: str, body: Any) -> Any:
    index.upsert(name, [_point(each) for each in body["points"]])
    return DONE


def _retrieve(index: Engine, name: str, body: Any) -> Any:
    return [_record(point, vector=True) for point in index.retrieve(name, body["ids"]).values()]


def _delete(index: Engine, name: str, body: Any) -> Any:
    index.delete(name, body["points"])
    return DONE


def _set_payload(index: Engine, name: str, body: Any) -> Any:
    (chosen,) = body["filter"]["must"]
    index.set_payload(name, chosen["has_id"], body["payload"])
    return DONE


def _query(index: Engine, name: str, body: Any, *, by_product: bool = False) -> Any:
    if using := body.get("using"):
        nearest = _sparse(body["query"]["nearest"])
        hits = index.query_sparse(name, SparseQuery(using, nearest, _filter(body.get("filter")), body["limit"]))
        return {"points": [_scored(hit, Distance.DOT) for hit in hits]}
    query = VectorQuery(
        positive=(np.asarray(body["query"]["nearest"], np.float32),),
        filter=_filter(body.get("filter")),
        limit=body["limit"],
        group_by_product=by_product,
        with_vectors=bool(body.get("with_vector")),
    )
    hits = index.query(name, query)
    distance = DISTANCES[index.parameters[name]["vectors"]["distance"]]
    return {"points": [_scored(hit, distance) for hit in hits]}


def _query_batch(index: Engine, name: str, body: Any) -> Any:
    return [_query(index, name, search) for search in body["searches"]]


def _query_groups(index: Engine, name: str, body: Any) -> Any:
    found = _query(index, name, body, by_product=True)["points"]
    return {"groups": [{"id": point["payload"]["product_id"], "hits": [point]} for point in found]}


def _count(index: Engine, name: str, body: Any) -> Any:
    return {"count": index.count(name, _filter(body.get("filter")))}


def _scroll(index: Engine, name: str, body: Any) -> Any:
    batches = index.scroll(name, batch_size=body["limit"], after=(body.get("offset") or 0) - 1)
    batch, following = next(batches, []), next(batches, [])
    return {"points": [_record(point) for point in batch], "next_page_offset": following[0].id if following else None}


def _optimise(index: Engine, name: str, _: Any) -> bool:
    index.optimise(name)
    return True


def _drop(index: Engine, name: str, _: Any) -> bool:
    index.drop(name)
    return True


def _point(record: Any) -> Point:
    """The Point from which our adapter made this record: a list is the vector, a dict has it and the sparse ones by name."""
    stored = record["vector"]
    vectors = stored if isinstance(stored, dict) else {DENSE: stored}
    dense = np.asarray(vectors.get(DENSE, NO_VECTOR), np.float32)
    sparse = {name: _sparse(each) for name, each in vectors.items() if name != DENSE}
    return Point(record["id"], dense, record["payload"], sparse)


def _sparse(vector: Any) -> SparseVector:
    return SparseVector(np.asarray(vector["indices"], np.uint32), np.asarray(vector["values"], np.float32))


def _record(point: Point, *, vector: bool = False) -> Mapping[str, Any]:
    vectors: Any = None
    if vector and not point.sparse:
        vectors = point.vector.tolist()
    elif vector:
        vectors = {DENSE: point.vector.tolist()} if len(point.vector) else {}
        for name, each in point.sparse.items():
            vectors[name] = {"indices": each.indices.tolist(), "values": each.values.tolist()}
    return {"id": point.id, "payload": point.payload, "vector": vectors}


def _scored(hit: Hit, distance: Distance) -> Mapping[str, Any]:
    vector = None if hit.vector is None else hit.vector.tolist()
    payload = {"product_id": hit.product_id}
    return {"id": hit.id, "version": 0, "score": distance.shown(hit.score), "payload": payload, "vector": vector}


def _filter(conditions: Any) -> Filter:
    """The Filter from which our adapter made these conditions."""
    match_each: dict[str, list[list[Any]]] = {}
    exclude: dict[str, list[Any]] = {}
    ranges: dict[str, Range] = {}
    exclude_ids: list[int] = []
    for each in (conditions or {}).get("must") or []:
        if each.get("range"):
            ranges[each["key"]] = Range(each["range"].get("gte"), each["range"].get("lte"))
        else:
            name, values = _values(each)
            match_each.setdefault(name, []).append(values)
    for each in (conditions or {}).get("must_not") or []:
        if "has_id" in each:
            exclude_ids += each["has_id"]
        else:
            name, values = _values(each)
            exclude.setdefault(name, []).extend(values)
    return Filter(match_each=match_each, exclude=exclude, ranges=ranges, exclude_ids=exclude_ids)


def _values(condition: Any) -> tuple[str, list[Any]]:
    if "should" in condition:  # booleans by their value, floats by a range of one
        one_by_one = condition["should"]
        return one_by_one[0]["key"], [
            each["match"]["value"] if each.get("match") else each["range"]["gte"] for each in one_by_one
        ]
    return condition["key"], condition["match"]["any"]


ANSWERS: dict[tuple[str, str], Answer] = {
    ("GET", "exists"): lambda index, name, _: {"exists": index.exists(name)},
    ("GET", ""): _describe,
    ("PUT", ""): _create,
    ("PATCH", ""): _optimise,
    ("DELETE", ""): _drop,
    ("PUT", "index"): lambda _index, _name, _body: DONE,
    ("PUT", "points"): _upsert,
    ("POST", "points"): _retrieve,
    ("POST", "points/delete"): _delete,
    ("POST", "points/payload"): _set_payload,
    ("POST", "points/query"): _query,
    ("POST", "points/query/batch"): _query_batch,
    ("POST", "points/query/groups"): _query_groups,
    ("POST", "points/count"): _count,
    ("POST", "points/scroll"): _scroll,
}


def serve(host: str, port: int, key: str, folder: Path) -> None:
    """Serve an empty index until the process ends. `key`: the API key that requests must send."""
    if folder.exists():
        shutil.rmtree(folder)
    index = Engine(folder)

    class Handler(loopback.Handler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes; without this, the second waits for the acknowledgement of the first.
        disable_nagle_algorithm = True

        def respond(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
            status, said = self.answer(self.path.partition("?")[0], body)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = respond

        def answer(self, path: str, body: Any) -> tuple[int, Any]:
            if path in ("/healthz", "/readyz"):
                return 200, "all is well"
            if self.headers.get("api-key", "") != key:
                return 401, {"status": {"error": "Must provide an API key"}}
            if path == "/":
                return 200, {"title": "qdrant", "version": "1.19.1"}
            _, _, name, *rest = path.split("/")
            what = (self.command, "/".join(rest))
            if what == ("PUT", "") and index.exists(name):
                return 409, {"status": {"error": f"Wrong input: Collection `{name}` already exists!"}}
            try:
                return 200, {"result": ANSWERS[what](index, name, body), "status": "ok", "time": 0.0}
            except CollectionNotFound:
                return 404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}}

    class Server(ThreadingHTTPServer):
        # The default is 5; further simultaneous clients would retry only after a second.
        request_queue_size = 128

    Server((host, port), Handler).serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
