"""Retrieval metrics in NumPy, over ranked relevance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
Labels = NDArray[np.str_]


@dataclass(frozen=True)
class RetrievalMetrics:
    """Means over the queries that have a relevant gallery photo; all in [0, 1]. queries: how many those are."""

    queries: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    precision_at_10: float
    mean_average_precision: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def retrieval_metrics(
    queries: Embeddings,
    query_labels: Labels,
    gallery: Embeddings,
    gallery_labels: Labels,
    *,
    leave_one_out: bool = False,
) -> RetrievalMetrics:
    """Rank the gallery for each query by cosine; a photo is relevant when its label is the query's.

    queries: float32 [q, d]; gallery: float32 [g, d]; both L2-normalised. leave_one_out: queries are the gallery itself, and a photo
    is not in its own answer. Ties are broken by gallery order. Recall@k is the hit rate: whether one of the first k is relevant
    (Musgrave et al., "A Metric Learning Reality Check", ECCV 2020). Raises ValueError when no query has a relevant photo.
    """
    sums: NDArray[np.float64] = np.zeros(5)
    counted = 0
    for start in range(0, len(queries), 512):
        similarity = queries[start : start + 512] @ gallery.T
        if leave_one_out:
            rows = np.arange(len(similarity))
            similarity[rows, start + rows] = -np.inf
        order = np.argsort(-similarity, axis=1, kind="stable")
        if leave_one_out:
            order = order[:, :-1]
        relevant = gallery_labels[order] == query_labels[start : start + 512, None]
        relevant = relevant[relevant.any(axis=1)]
        counted += len(relevant)
        sums += _per_query(relevant).sum(axis=0)
    if not counted:
        raise ValueError("no query has a relevant photo in the gallery: their classes must share names")
    return RetrievalMetrics(counted, *(float(value) for value in sums / counted))


def _per_query(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[q, 5]: recall@1, @5, @10, precision@10, average precision of ranked relevance [q, g], each row with a relevant photo."""
    hits = [relevant[:, :k].any(axis=1) for k in (1, 5, 10)]
    ranks = np.arange(1, relevant.shape[1] + 1)
    precision = relevant.cumsum(axis=1) / ranks
    average_precision = (precision * relevant).sum(axis=1) / np.maximum(relevant.sum(axis=1), 1)
    return np.stack([*hits, relevant[:, :10].sum(axis=1) / 10, average_precision], axis=1)


def labels_of(names: Sequence[str]) -> Labels:
    """Class names as an array."""
    return np.asarray(names, dtype=np.str_)
