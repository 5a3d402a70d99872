"""Finds items whose class does not fit their vector: labels that are wrong.

Two classifiers that have not seen an item judge it: the classes of its nearest neighbours, and linear discriminant analysis with a
shrunken covariance, fitted on the other folds. Their mean probabilities are compared with the given class, by the margin of
confident learning (Northcutt, Jiang and Chuang, 2021: "Confident learning: estimating uncertainty in dataset labels", the ranking
by normalized margin). The probabilities of the discriminant analysis are calibrated by temperature scaling (Guo et al., 2017),
without which they are far too sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.progress import ProgressCallback, StageProgress

NEIGHBOURS, NEIGHBOUR_TEMPERATURE = 25, 0.2
FOLDS, SHRINKAGE = 5, 0.1
# A class of fewer items is neither judged nor suggested.
MIN_ITEMS = 8
# Neighbours are looked for among this many items at most, drawn at random, and the discriminant analysis is fitted on as many.
MAX_GALLERY = 50_000
_BLOCK = 2048
_CALIBRATED_ON = 5000
_TEMPERATURES = np.geomspace(0.3, 30, 60)

Vectors = NDArray[np.float32] | NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How well the given classes fit.

    Attributes:
        suggested: int64 [n], the most probable other class; the given one where there is no judgement.
        given: float32 [n], probability of the given class.
        other: float32 [n], probability of the suggested one.
    """

    suggested: NDArray[np.int64]
    given: NDArray[np.float32]
    other: NDArray[np.float32]

    @property
    def margin(self) -> NDArray[np.float32]:
        """float32 [n], -1 to 1: how much more probable the suggested class is than the given one."""
        return self.other - self.given


def judge_labels(
    vectors: Vectors, labels: NDArray[np.int64], *, seed: int = 0, on_progress: ProgressCallback | None = None
) -> Judgement:
    """Compare each item's class with what the other items say.

    Args:
        vectors: float [n, dim], no row all zeros; may be mapped from a file, since it is read in blocks.
        labels: int64 [n], classes from 0.
        seed: of the folds.
        on_progress: called with the stage "judging", by items.

    Returns:
        The judgement. Items of classes with fewer than MIN_ITEMS items have a margin of -1.
    """
    total = len(labels)
    suggested, given, other = labels.copy(), np.ones(total, np.float32), np.zeros(total, np.float32)
    counts = np.bincount(labels) if total else np.zeros(0, np.int64)
    kept = np.flatnonzero(counts >= MIN_ITEMS)
    if len(kept) < 2:
        return Judgement(suggested, given, other)
    rows = np.flatnonzero(np.isin(labels, kept))
    classes = np.searchsorted(kept, labels[rows])
    random = np.random.default_rng(seed)
    gallery = np.sort(random.choice(len(rows), min(len(rows), MAX_GALLERY), replace=False))
    folds = random.permutation(len(rows)) % FOLDS
    neighbours = _Neighbours(_unit(vectors[rows[gallery]]), classes[gallery], gallery, len(kept))
    discriminants = [
        _fit_discriminant(
            neighbours.vectors[folds[gallery] != fold], classes[gallery][folds[gallery] != fold], len(kept)
        )
        for fold in range(FOLDS)
    ]
    temperature = _temperature(vectors, rows, classes, folds, discriminants, random)
    progress = StageProgress(on_progress, "judging", len(rows))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        unit, own, at = _unit(vectors[rows[block]]), classes[block], np.arange(len(classes[block]))
        logits = _held_out(unit, folds[block], discriminants)
        chance = (_softmax(logits / temperature) + neighbours.probabilities(unit, np.arange(len(rows))[block])) / 2
        given[rows[block]] = chance[at, own]
        chance[at, own] = -1
        best = chance.argmax(axis=1)
        other[rows[block]], suggested[rows[block]] = chance[at, best], kept[best]
        progress.advance(len(own))
    return Judgement(suggested, given, other)


class _Neighbours:
    """The classes of the nearest items, weighted by similarity, and one item in all with the frequency of the classes."""

    def __init__(
        self, vectors: NDArray[np.float32], classes: NDArray[np.int64], items: NDArray[np.int64], count: int
    ) -> None:
        self.vectors = vectors
        self._one_hot = np.eye(count, dtype=np.float32)[classes]
        self._position = dict(zip(items.tolist(), range(len(items)), strict=True))
        self._prior = self._one_hot.mean(axis=0)

    def probabilities(self, unit: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [n, classes], each item without itself."""
        similarities = unit @ self.vectors.T
        for row, item in enumerate(items.tolist()):
            if item in self._position:
                similarities[row, self._position[item]] = -2
        number = min(NEIGHBOURS, len(self.vectors) - 1)
        nearest = np.argpartition(-similarities, number - 1, axis=1)[:, :number]
        weights = np.exp(np.take_along_axis(similarities, nearest, axis=1) / NEIGHBOUR_TEMPERATURE)
        weights /= weights.sum(axis=1, keepdims=True)
        votes = np.einsum("nk,nkc->nc", weights, self._one_hot[nearest])
        chance: NDArray[np.float32] = (number * votes + self._prior) / (number + 1)
        return chance


@dataclass(frozen=True, slots=True)
class _Discriminant:
    """Linear discriminant analysis: logits are vectors @ weights + offsets."""

    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]


def _fit_discriminant(vectors: NDArray[np.float32], classes: NDArray[np.int64], count: int) -> _Discriminant:
    """A shared covariance, shrunken towards a multiple of the identity (Friedman, 1989)."""
    present = np.bincount(classes, minlength=count)
    means = np.zeros((count, vectors.shape[1]), np.float32)
    np.add.at(means, classes, vectors)
    means /= np.maximum(present, 1)[:, None]
    within = vectors - means[classes]
    covariance = within.T @ within / len(vectors)
    scale = float(np.trace(covariance)) / len(covariance) or 1.0
    shrunken = (1 - SHRINKAGE) * covariance + SHRINKAGE * scale * np.eye(len(covariance), dtype=np.float32)
    weights = np.linalg.solve(shrunken, means.T)
    prior = np.log(np.maximum(present, 0.5) / len(vectors))
    offsets = -0.5 * np.einsum("cd,dc->c", means, weights) + prior
    return _Discriminant(weights.astype(np.float32), offsets.astype(np.float32))


def _held_out(
    unit: NDArray[np.float32], folds: NDArray[np.int64], discriminants: list[_Discriminant]
) -> NDArray[np.float32]:
    """float32 [n, classes]: logits of each item by the analysis that has not seen its fold."""
    logits = np.empty((len(unit), len(discriminants[0].offsets)), np.float32)
    for fold, fitted in enumerate(discriminants):
        chosen = folds == fold
        logits[chosen] = unit[chosen] @ fitted.weights + fitted.offsets
    return logits


def _temperature(
    vectors: Vectors,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    folds: NDArray[np.int64],
    discriminants: list[_Discriminant],
    random: np.random.Generator,
) -> float:
    """The temperature with the lowest cross-entropy of the given classes, on a sample."""
    sample = random.permutation(len(rows))[:_CALIBRATED_ON]
    logits = _held_out(_unit(vectors[np.sort(rows[sample])]), folds[np.sort(sample)], discriminants)
    own = classes[np.sort(sample)]
    losses = [-np.log(_softmax(logits / each)[np.arange(len(own)), own] + 1e-9).mean() for each in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    chance = np.exp(logits - logits.max(axis=1, keepdims=True))
    normalised: NDArray[np.float32] = chance / chance.sum(axis=1, keepdims=True)
    return normalised


def _unit(vectors: Vectors) -> NDArray[np.float32]:
    rows = np.asarray(vectors, dtype=np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
