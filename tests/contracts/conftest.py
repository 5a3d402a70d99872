"""One vector index per adapter for the contract tests, and collections that are dropped after each test."""

import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from embeddings.vector_index.base import Distance, IndexCollection, VectorIndex
from embeddings.vector_index.edge import EdgeVectorIndex
from embeddings.vector_index.faiss import FaissVectorIndex
from embeddings.vector_index.qdrant import QdrantVectorIndex
from tests.memory_index import MemoryVectorIndex

ADAPTERS = ["memory", "edge", "edge int8", "qdrant", "faiss flat", "faiss hnsw", "faiss ivf_pq"]
# A real server, or the first node of a cluster: QDRANT_URL=http://127.0.0.1:6333 QDRANT_GRPC_PORT=6334 pytest tests/contracts, with
# QDRANT_SHARD_NUMBER and QDRANT_REPLICATION_FACTOR for a cluster. "qdrant" asks it by REST.
SERVER = os.environ.get("QDRANT_URL")
GRPC_PORT = os.environ.get("QDRANT_GRPC_PORT")
if SERVER and GRPC_PORT:
    ADAPTERS.append("qdrant grpc")
MakeCollection = Callable[..., str]


@pytest.fixture(scope="session")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, VectorIndex]]:
    """One index per adapter, with thresholds so low that `optimise` builds a graph for a few hundred points."""
    qdrant = _server() if SERVER else QdrantVectorIndex(location=":memory:", full_scan_threshold_kb=10)
    made: dict[str, VectorIndex] = {
        "memory": MemoryVectorIndex(),
        "edge": EdgeVectorIndex(tmp_path_factory.mktemp("shards"), full_scan_threshold_kb=10),
        "edge int8": EdgeVectorIndex(tmp_path_factory.mktemp("int8"), full_scan_threshold_kb=10, quantization="int8"),
        "qdrant": qdrant,
        "faiss flat": FaissVectorIndex(tmp_path_factory.mktemp("flat"), "flat"),
        "faiss hnsw": FaissVectorIndex(tmp_path_factory.mktemp("hnsw"), "hnsw", approximate_from=10),
        "faiss ivf_pq": FaissVectorIndex(tmp_path_factory.mktemp("ivf_pq"), "ivf_pq", approximate_from=10),
    }
    if "qdrant grpc" in ADAPTERS:
        made["qdrant grpc"] = _server(int(GRPC_PORT or 0))
    yield made
    for index in made.values():
        index.close()


def _server(grpc_port: int | None = None) -> QdrantVectorIndex:
    shards, copies = (os.environ.get(f"QDRANT_{name}") for name in ("SHARD_NUMBER", "REPLICATION_FACTOR"))
    return QdrantVectorIndex(
        SERVER,
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
