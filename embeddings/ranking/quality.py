"""How good an order is on judgements: nDCG@10 of queries, and what chance may have to do with a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.ranking.candidates import JudgedQuery, Ranker
from jobs.progress import ProgressCallback, StageProgress

DEPTH = 10
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over queries with its 95% confidence interval."""

    mean: float
    low: float
    high: float


def ndcg(ordered: Sequence[float], judged: Sequence[float], depth: int = DEPTH) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen, ACM TOIS 2002), with the discount 1 / log2(rank + 1).

    Args:
        ordered: grades in the order that is measured.
        judged: grades of all judged products of the query, also of those that were not found; one is above 0.
        depth: how many count.

    Returns:
        0 to 1.
    """
    return _gain(ordered[:depth]) / _gain(sorted(judged, reverse=True)[:depth])


def mean_of(values: Sequence[float] | NDArray[np.float64], seed: int = 0) -> Mean:
    """The mean of figures of queries, with the percentile bootstrap's 95% interval (Efron and Tibshirani, 1993, ch. 13).

    Args:
        values: of each query, or the difference of two orders; one at least.
        seed: of the random numbers.

    Returns:
        The mean.
    """
    figures = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(len(figures), size=(_RESAMPLES, len(figures)))
    low, high = np.quantile(figures[drawn].mean(axis=1), [0.025, 0.975])
    return Mean(float(figures.mean()), float(low), float(high))


def figures(
    ranker: Ranker | None, queries: Sequence[JudgedQuery], on_progress: ProgressCallback | None = None
) -> NDArray[np.float64]:
    """nDCG@10 of queries.

    Args:
        ranker: whose order is measured; None: that of the text search.
        queries: with a grade above 0 each.
        on_progress: called with the stage "measuring".

    Returns:
        float64 [queries].
    """
    found = []
    progress = StageProgress(on_progress, "measuring", len(queries))
    for query in queries:
        order = np.arange(len(query.candidates))
        if ranker is not None and query.candidates:
            order = np.argsort(-ranker.scores(query.asked, query.candidates), kind="stable")
        found.append(ndcg(query.grades[order].tolist(), query.judged))
        progress.advance()
    return np.array(found, np.float64)


def _gain(grades: Sequence[float]) -> float:
    return float(np.asarray(grades, np.float64) @ (1 / np.log2(np.arange(2, len(grades) + 2))))
