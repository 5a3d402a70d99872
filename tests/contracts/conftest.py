"""One vector index per adapter for the contract tests, and collections that are dropped after each test."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from embeddings.vector_index.base import Distance, IndexCollection, VectorIndex
from embeddings.vector_index.edge import EdgeVectorIndex
from embeddings.vector_index.faiss import FaissVectorIndex
from embeddings.vector_index.qdrant import QdrantVectorIndex
from tests.contracts.qdrant_wire import serving_qdrant
from tests.memory_index import MemoryVectorIndex

ADAPTERS = [
    "memory", "edge", "edge int8", "qdrant", "qdrant rest", "qdrant grpc", "faiss flat", "faiss hnsw", "faiss ivf_pq",
]  # fmt: skip
# A real server, or the first node of a cluster: QDRANT_URL=http://127.0.0.1:6333 QDRANT_GRPC_PORT=6334 pytest tests/contracts, with
# QDRANT_SHARD_NUMBER and QDRANT_REPLICATION_FACTOR for a cluster. Without it one answers that the tests start, see qdrant_wire.
SERVER = os.environ.get("QDRANT_URL")
GRPC_PORT = int(os.environ.get("QDRANT_GRPC_PORT", "6334"))
# That one compares all points: what a search in a graph finds shows with a real server.
SEARCHING = [name for name in ADAPTERS if SERVER or name not in ("qdrant rest", "qdrant grpc")]
MakeCollection = Callable[..., str]


@pytest.fixture(scope="session")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, VectorIndex]]:
    """One index per adapter, with thresholds so low that `optimise` builds a graph for a few hundred points."""
    stack = ExitStack()
    ports = None if SERVER else stack.enter_context(serving_qdrant())
    url, grpc_port = (SERVER, GRPC_PORT) if ports is None else (f"http://127.0.0.1:{ports.rest}", ports.grpc)
    made: dict[str, VectorIndex] = {
        "memory": MemoryVectorIndex(),
        "edge": EdgeVectorIndex(tmp_path_factory.mktemp("shards"), full_scan_threshold_kb=10),
        "edge int8": EdgeVectorIndex(tmp_path_factory.mktemp("int8"), full_scan_threshold_kb=10, quantization="int8"),
        "qdrant": QdrantVectorIndex(location=":memory:", full_scan_threshold_kb=10),
        "qdrant rest": _server(url),
        "qdrant grpc": _server(url, grpc_port),
        "faiss flat": FaissVectorIndex(tmp_path_factory.mktemp("flat"), "flat"),
        "faiss hnsw": FaissVectorIndex(tmp_path_factory.mktemp("hnsw"), "hnsw", approximate_from=10),
        "faiss ivf_pq": FaissVectorIndex(tmp_path_factory.mktemp("ivf_pq"), "ivf_pq", approximate_from=10),
    }
    with stack:
        yield made
        for index in made.values():
            index.close()


def _server(url: str | None, grpc_port: int | None = None) -> QdrantVectorIndex:
    shards, copies = (os.environ.get(f"QDRANT_{name}") for name in ("SHARD_NUMBER", "REPLICATION_FACTOR"))
    return QdrantVectorIndex(
        url,
        os.environ.get("QDRANT_API_KEY"),
        query_timeout_s=10,
        grpc_port=grpc_port,
        shard_number=int(shards) if shards else None,
        replication_factor=int(copies) if copies else None,
        full_scan_threshold_kb=10,
    )


@pytest.fixture(params=ADAPTERS)
def index(request: pytest.FixtureRequest, indexes: dict[str, VectorIndex]) -> VectorIndex:
    """Each adapter in turn."""
    adapter: str = request.param
    return indexes[adapter]


@pytest.fixture
def collection(index: VectorIndex) -> Iterator[MakeCollection]:
    """Creates a collection in the index and returns its name."""
    names = []

    def make(dim: int = 4, distance: Distance = Distance.COSINE) -> str:
        names.append(f"test-{uuid.uuid4().hex}")
        index.ensure(IndexCollection(names[-1], dim, distance))
        return names[-1]

    yield make
    for name in names:
        index.drop(name)
