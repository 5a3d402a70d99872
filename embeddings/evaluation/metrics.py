"""Retrieval metrics in NumPy, over ranked relevance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
Labels = NDArray[np.str_]

METRICS = {
    "recall_at_1": "Recall@1",
    "recall_at_5": "Recall@5",
    "recall_at_10": "Recall@10",
    "precision_at_10": "Precision@10",
    "mean_average_precision": "mAP",
    "map_at_r": "mAP@R",
    "ndcg_at_10": "nDCG@10",
}
NEIGHBOURS = 10
BLOCK = 512
BLOCK_CELLS = 8_000_000
DISCOUNTS = 1 / np.log2(np.arange(2, 12))


@dataclass(frozen=True)
class RetrievalMetrics:
    """Means over the queries that have a relevant gallery photo; all in [0, 1]. queries: how many those are."""

    queries: int
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    precision_at_10: float
    mean_average_precision: float
    map_at_r: float
    ndcg_at_10: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class PerQuery:
    """What each query scored, and what it found.

    values: float64 [q, 7] in [0, 1], in the order of METRICS; NaN where a query has no relevant gallery photo.
    counted: bool [q], whether it has one. nearest: int64 [q, 10], the gallery rows found first; -1 where there are no more.
    """

    values: NDArray[np.float64]
    counted: NDArray[np.bool_]
    nearest: NDArray[np.int64]


def retrieval_metrics(
    queries: Embeddings,
    query_labels: Labels,
    gallery: Embeddings,
    gallery_labels: Labels,
    *,
    leave_one_out: bool = False,
    query_groups: Labels | None = None,
    gallery_groups: Labels | None = None,
) -> RetrievalMetrics:
    """The means of `per_query_metrics`. Raises ValueError when no query has a relevant photo."""
    return mean_metrics(
        per_query_metrics(
            queries,
            query_labels,
            gallery,
            gallery_labels,
            leave_one_out=leave_one_out,
            query_groups=query_groups,
            gallery_groups=gallery_groups,
        )
    )


def per_query_metrics(
    queries: Embeddings,
    query_labels: Labels,
    gallery: Embeddings,
    gallery_labels: Labels,
    *,
    leave_one_out: bool = False,
    query_groups: Labels | None = None,
    gallery_groups: Labels | None = None,
) -> PerQuery:
    """Rank the gallery for each query by cosine; a photo is relevant when its label is the query's.

    Recall@k is the hit rate: whether one of the first k is relevant. mAP@R is the average precision over the first R ranks,
    where R photos are relevant (both: Musgrave et al., "A Metric Learning Reality Check", ECCV 2020). nDCG@10 has binary gains
    and the discount 1 / log2(rank + 1) (Järvelin and Kekäläinen, ACM TOIS 2002). Ties are broken by gallery order.

    Args:
        queries: float32 [q, d], L2-normalised.
        query_labels: [q].
        gallery: float32 [g, d], L2-normalised.
        gallery_labels: [g].
        leave_one_out: whether the queries are the gallery itself; a photo is not in its own answer then.
        query_groups: [q], the product of each photo, "" where it is unknown; photos of the query's own product are not in its
            answer.
        gallery_groups: [g], the same for the gallery.

    Returns:
        Figures of each query.

    Raises:
        ValueError: only one of the two groups is given.
    """
    if (query_groups is None) != (gallery_groups is None):
        raise ValueError("products have to be known on both sides: give query_groups and gallery_groups, or neither")
    query_classes, gallery_classes = _codes(query_labels, gallery_labels)
    values = np.full((len(queries), len(METRICS)), np.nan)
    counted = np.zeros(len(queries), np.bool_)
    nearest = np.full((len(queries), NEIGHBOURS), -1, np.int64)
    products = None if query_groups is None or gallery_groups is None else _codes(query_groups, gallery_groups)
    known = None if query_groups is None else query_groups != ""
    for block in _blocks(len(queries), len(gallery)):
        similarity = queries[block] @ gallery.T
        if leave_one_out:
            rows = np.arange(len(similarity))
            similarity[rows, block.start + rows] = -np.inf
        if products is not None and known is not None:
            own = (products[0][block, None] == products[1]) & known[block, None]
            similarity[own] = -np.inf
        found = per_query_of_scores(similarity, query_classes[block, None] == gallery_classes)
        values[block], counted[block], nearest[block] = found.values, found.counted, found.nearest
    return PerQuery(values, counted, nearest)


def per_query_of_scores(scores: NDArray[np.float32], relevant: NDArray[np.bool_]) -> PerQuery:
    """Rank the gallery for each query by scores, whatever they come from; `per_query_metrics` says what the figures are.

    Args:
        scores: float32 [q, g], higher is better; minus infinity where a photo is not in the answer.
        relevant: bool [q, g].

    Returns:
        Figures of each query.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    answered = np.take_along_axis(scores, order, axis=1) != -np.inf
    found = np.take_along_axis(relevant, order, axis=1) & answered
    counted = found.any(axis=1)
    values = np.full((len(scores), len(METRICS)), np.nan)
    values[counted] = _values(found[counted])
    nearest = np.full((len(scores), NEIGHBOURS), -1, np.int64)
    first = order[:, :NEIGHBOURS]
    nearest[:, : first.shape[1]] = np.where(answered[:, :NEIGHBOURS], first, -1)
    return PerQuery(values, counted, nearest)


def mean_metrics(per_query: PerQuery) -> RetrievalMetrics:
    """The means over the counted queries. Raises ValueError when there is none."""
    values = per_query.values[per_query.counted]
    if not len(values):
        raise ValueError("no query has a relevant photo in the gallery: their classes must share names")
    return RetrievalMetrics(len(values), *(float(value) for value in values.mean(axis=0)))


def bootstrap_intervals(
    per_query: PerQuery, *, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap over the counted queries (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13).

    Args:
        per_query: figures of each query.
        resamples: how many.
        seed: of the random numbers.
        level: in (0, 1), the share of resamples between the two ends.

    Returns:
        (low, high) by the names of METRICS.

    Raises:
        ValueError: no query is counted.
    """
    values = per_query.values[per_query.counted]
    count = len(values)
    if not count:
        raise ValueError("no query has a relevant photo in the gallery: there is nothing to resample")
    random = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for number in range(resamples):
        means[number] = np.bincount(random.integers(count, size=count), minlength=count) @ values / count
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {name: (float(low[column]), float(high[column])) for column, name in enumerate(METRICS)}


def per_class(per_query: PerQuery, query_labels: Labels) -> dict[str, RetrievalMetrics]:
    """The means by the queries' class, in alphabetical order; classes without a counted query are left out."""
    metrics = {}
    for label in np.unique(query_labels[per_query.counted]):
        chosen = query_labels == label
        metrics[str(label)] = mean_metrics(
            PerQuery(per_query.values[chosen], per_query.counted[chosen], per_query.nearest[chosen])
        )
    return metrics


def nearest_labels(per_query: PerQuery, gallery_labels: Labels) -> Labels:
    """The class of each query's nearest photo [q]; "" for a query that is not counted."""
    labels = np.zeros(len(per_query.counted), gallery_labels.dtype)
    labels[per_query.counted] = gallery_labels[per_query.nearest[per_query.counted, 0]]
    return labels


def confusion(query_labels: Labels, nearest_labels: Labels) -> tuple[list[str], NDArray[np.float64]]:
    """For each class of query, which classes its nearest photos have. Queries whose nearest label is "" are left out.

    Args:
        query_labels: [q].
        nearest_labels: [q].

    Returns:
        The c class names in alphabetical order, and float64 [c, c] whose rows sum to 1, or to 0 for a class without queries.
    """
    answered = nearest_labels != ""
    rows, columns = _codes(query_labels[answered], nearest_labels[answered])
    names = np.unique(np.concatenate([query_labels[answered], nearest_labels[answered]]))
    counts = np.bincount(rows * len(names) + columns, minlength=len(names) ** 2).reshape(len(names), len(names))
    return [str(name) for name in names], counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def labels_of(names: Sequence[str]) -> Labels:
    """Class names as an array."""
    return np.asarray(names, dtype=np.str_)


def _values(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[q, 7] in the order of METRICS, of ranked relevance [q, g]; each row has a relevant photo."""
    hits = [relevant[:, :k].any(axis=1) for k in (1, 5, 10)]
    total = relevant.sum(axis=1)
    ranks = np.arange(1, relevant.shape[1] + 1)
    precision = np.where(relevant, relevant.cumsum(axis=1) / ranks, 0)
    within = ranks <= total[:, None]
    first = relevant[:, :10]
    ideal = DISCOUNTS.cumsum()[np.minimum(total, 10) - 1]
    return np.stack(
        [
            *hits,
            first.sum(axis=1) / 10,
            precision.sum(axis=1) / total,
            np.where(within, precision, 0).sum(axis=1) / total,
            first @ DISCOUNTS[: first.shape[1]] / ideal,
        ],
        axis=1,
    )


def _codes(first: Labels, second: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both arrays as integers, equal where the names are: comparing names for each pair would copy them."""
    codes = np.unique(np.concatenate([first, second]), return_inverse=True)[1]
    return codes[: len(first)], codes[len(first) :]


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of the rows, so that a block of the similarity matrix stays small whatever the gallery."""
    step = max(1, min(BLOCK, BLOCK_CELLS // max(columns, 1)))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
