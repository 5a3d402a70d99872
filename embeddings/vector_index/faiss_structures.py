"""What FAISS holds the vectors of a collection in: a flat store, and a graph or inverted lists over it."""

from __future__ import annotations

import math
from typing import Literal as OneOf

import faiss
import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Distance, IndexCollection

Kind = OneOf["flat", "hnsw", "ivf_pq"]

_METRICS = {
    Distance.COSINE: faiss.METRIC_INNER_PRODUCT,
    Distance.DOT: faiss.METRIC_INNER_PRODUCT,
    Distance.L2: faiss.METRIC_L2,
    Distance.L1: faiss.METRIC_L1,
}
_M, _EF_CONSTRUCT = 16, 100
# k-means and product quantisation want so many points for each centre, or print a warning.
_POINTS_A_CENTRE = 39
_LEAST_BITS, _MOST_BITS = 4, 8


def empty_store(collection: IndexCollection) -> faiss.IndexFlat:
    """A store without vectors."""
    return faiss.IndexFlat(max(collection.dim, 1), _METRICS[collection.distance])


def built(
    kind: Kind, vectors: NDArray[np.float32], collection: IndexCollection
) -> tuple[faiss.IndexFlat, faiss.Index | None]:
    """The store of these vectors and the structure over it, which shares a graph's vectors with it."""
    if kind == "hnsw":
        graph = faiss.IndexHNSWFlat(collection.dim, _M, _METRICS[collection.distance])
        graph.hnsw.efConstruction = _EF_CONSTRUCT
        graph.add(vectors)
        return faiss.downcast_index(graph.storage), graph
    store = empty_store(collection)
    store.add(storable(vectors))
    bits = min(_MOST_BITS, int(math.log2(max(len(vectors) / _POINTS_A_CENTRE, 1))))
    if kind == "flat" or bits < _LEAST_BITS:
        return store, None
    # Unit vectors have the same order by l2 as by cosine, and k-means is made for l2.
    by_product = collection.distance is Distance.DOT
    coarse = faiss.IndexFlatIP(collection.dim) if by_product else faiss.IndexFlatL2(collection.dim)
    lists = max(1, min(round(math.sqrt(len(vectors))), len(vectors) // _POINTS_A_CENTRE))
    parts = next(parts for parts in range(max(1, collection.dim // 4), 0, -1) if collection.dim % parts == 0)
    inverted = faiss.IndexIVFPQ(
        coarse,
        collection.dim,
        lists,
        parts,
        bits,
        faiss.METRIC_INNER_PRODUCT if by_product else faiss.METRIC_L2,
    )
    inverted.train(vectors)
    inverted.add(vectors)
    return store, inverted


def storable(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """As FAISS stores them, which has no vectors without entries."""
    return np.ascontiguousarray(vectors) if vectors.shape[1] else np.zeros((len(vectors), 1), np.float32)
