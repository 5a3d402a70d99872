"""Fits what a similarity score means on pairs of photos, and measures how far such a curve is off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.calibration import Calibration
from embeddings.evaluation.metrics import Embeddings, Labels

MIN_PAIRS = 20
MAX_KNOTS = 64
PAIR_BLOCK = 16_384


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram over the bins that hold a pair, by rising probability.

    probabilities: mean predicted probability of each bin. frequencies: the share of pairs of the same kind. counts: pairs.
    """

    probabilities: tuple[float, ...]
    frequencies: tuple[float, ...]
    counts: tuple[int, ...]


def fit_calibration(scores: NDArray[np.float32], same: NDArray[np.bool_]) -> Calibration:
    """Isotonic regression by pool-adjacent-violators (Zadrozny and Elkan, KDD 2002).

    A pair of each kind is added at both ends, so that the curve stays off 0 and 1 the further the fewer pairs there are (Laplace's
    rule of succession). The pools become knots at their mean score (Oron and Flournoy, "Centered Isotonic Regression", Stat.
    Biopharm. Res. 2017), at most 64.

    Args:
        scores: float32 [p].
        same: bool [p], whether a pair is of the same kind.

    Returns:
        A curve from score to probability.

    Raises:
        ValueError: there are fewer than 20 pairs, a score is not finite, or all pairs are of one kind.
    """
    if len(scores) < MIN_PAIRS:
        raise ValueError(f"{len(scores)} pairs of photos are too few to calibrate with: at least {MIN_PAIRS}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number: there is nothing to calibrate")
    if same.all() or not same.any():
        raise ValueError("all pairs are of one kind: calibrating takes pairs of the same class and of different ones")
    lowest, highest = float(scores.min()), float(scores.max())
    ended = np.concatenate([scores.astype(np.float64), [lowest, lowest, highest, highest]])
    places, inverse = np.unique(ended, return_inverse=True)
    hits = np.bincount(inverse, np.concatenate([same, [True, False, True, False]])).astype(np.float64)
    pools = _thinned(_pooled(places, hits, np.bincount(inverse).astype(np.float64)))
    return Calibration(
        tuple(float(place) for place in pools[:, 0] / pools[:, 2]),
        tuple(float(probability) for probability in pools[:, 1] / pools[:, 2]),
    )


def pairs(
    embeddings: Embeddings, labels: Labels, *, groups: Labels | None = None, limit: int = 500_000, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The cosines of all unordered pairs of photos, and whether their labels are the same.

    Args:
        embeddings: float32 [n, d], L2-normalised.
        labels: [n].
        groups: [n], the product of each photo, "" where it is unknown; pairs of one product are left out.
        limit: with more pairs than that, so many are drawn at random.
        seed: of the random numbers.

    Returns:
        float32 [p] in [-1, 1] and bool [p].
    """
    count = len(labels)
    total = count * (count - 1) // 2
    if total <= limit:
        numbers = np.arange(total)
    else:
        numbers = np.random.default_rng(seed).choice(total, limit, replace=False, shuffle=False)
        numbers.sort()
    starts = np.concatenate([[0], np.arange(count - 1, 0, -1).cumsum()])
    first = np.searchsorted(starts, numbers, side="right") - 1
    second = numbers - starts[first] + first + 1
    if groups is not None:
        products = np.unique(groups, return_inverse=True)[1]
        apart = (products[first] != products[second]) | (groups[first] == "")
        first, second = first[apart], second[apart]
    classes = np.unique(labels, return_inverse=True)[1]
    scores = np.empty(len(first), np.float32)
    for start in range(0, len(first), PAIR_BLOCK):
        block = slice(start, start + PAIR_BLOCK)
        scores[block] = np.einsum("pd,pd->p", embeddings[first[block]], embeddings[second[block]])
    return scores, classes[first] == classes[second]


def reliability(probabilities: NDArray[np.float64], same: NDArray[np.bool_], *, bins: int = 15) -> Reliability:
    """probabilities: float64 [p] in [0, 1]. same: bool [p]. bins: of equal width."""
    places = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins)
    filled = counts > 0
    means = np.bincount(places, probabilities, minlength=bins)[filled] / counts[filled]
    frequencies = np.bincount(places, same, minlength=bins)[filled] / counts[filled]
    return Reliability(tuple(means.tolist()), tuple(frequencies.tolist()), tuple(counts[filled].tolist()))


def expected_calibration_error(probabilities: NDArray[np.float64], same: NDArray[np.bool_], *, bins: int = 15) -> float:
    """The mean gap between probability and frequency, weighted by pairs (Naeini et al., AAAI 2015).

    Args:
        probabilities: float64 [p] in [0, 1].
        same: bool [p].
        bins: of equal width.

    Returns:
        A number in [0, 1]; 0 is best.

    Raises:
        ValueError: there is no pair.
    """
    if not len(probabilities):
        raise ValueError("there is no pair of photos to measure a calibration with")
    diagram = reliability(probabilities, same, bins=bins)
    gaps = np.abs(np.subtract(diagram.probabilities, diagram.frequencies))
    return float(np.average(gaps, weights=diagram.counts))


def cross_validated_error(
    embeddings: Embeddings, labels: Labels, *, folds: int = 5, seed: int = 0, groups: Labels | None = None
) -> tuple[float, Reliability]:
    """How far a calibration is off on photos that it was not fitted with.

    Photos, not pairs, are divided: a fold's pairs are checked against the curve fitted on the pairs of the photos outside it.

    Args:
        embeddings: float32 [n, d], L2-normalised.
        labels: [n].
        folds: how many.
        seed: of the random numbers.
        groups: as in `pairs`; photos of one product are in one fold.

    Returns:
        The expected calibration error and the reliability diagram, over the pairs of all folds.

    Raises:
        ValueError: there are too few photos.
    """
    fold = _folds(len(labels), groups, folds, seed)
    predicted, observed = [], []
    for number in range(folds):
        held_out = fold == number
        curve = fit_calibration(*_pairs_of(~held_out, embeddings, labels, groups, seed))
        scores, same = _pairs_of(held_out, embeddings, labels, groups, seed)
        predicted.append(curve.probability(scores))
        observed.append(same)
    probabilities, outcomes = np.concatenate(predicted), np.concatenate(observed)
    return expected_calibration_error(probabilities, outcomes), reliability(probabilities, outcomes)


def _pairs_of(
    chosen: NDArray[np.bool_], embeddings: Embeddings, labels: Labels, groups: Labels | None, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return pairs(embeddings[chosen], labels[chosen], groups=None if groups is None else groups[chosen], seed=seed)


def _folds(count: int, groups: Labels | None, folds: int, seed: int) -> NDArray[np.int64]:
    """int64 [count]: the fold of each photo, of equal sizes but for photos that belong together."""
    units = np.arange(count)
    if groups is not None:
        products = np.unique(groups, return_inverse=True)[1]
        units = np.unique(np.where(groups == "", units, count + products), return_inverse=True)[1]
    shuffled = np.random.default_rng(seed).permutation(int(units.max(initial=-1)) + 1)
    return shuffled[units] % folds


def _pooled(
    places: NDArray[np.float64], hits: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """float64 [k, 3]: sums of score, hits and weight of each pool, whose mean hits rise from pool to pool."""
    pools: list[tuple[float, float, float]] = []
    for place, hit, weight in zip((places * weights).tolist(), hits.tolist(), weights.tolist(), strict=True):
        pool = (place, hit, weight)
        while pools and pools[-1][1] * pool[2] >= pool[1] * pools[-1][2]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1], before[2] + pool[2])
        pools.append(pool)
    return np.asarray(pools)


def _thinned(pools: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most 64 pools: neighbours are merged where that costs the fit least (Ward's criterion)."""
    while len(pools) > MAX_KNOTS:
        weights = pools[:, 2]
        steps = np.diff(pools[:, 1] / weights)
        first = int(np.argmin(steps**2 * weights[:-1] * weights[1:] / (weights[:-1] + weights[1:])))
        merged = pools[first] + pools[first + 1]
        pools = np.concatenate([pools[:first], merged[None], pools[first + 2 :]])
    return pools
