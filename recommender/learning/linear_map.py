"""A linear map of embeddings from clicks: what visitors prefer gets nearer than what they passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.learning.places import Floats
from recommender.learning.replay import Outcome

# Cosines that differ by a tenth are a clear difference: so steep is the logistic curve of a preference.
STEEPNESS = 10.0
# The strengths of the ridge that are tried, in parts of the number of preferences; none at all is the strongest.
RIDGES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
# No entry of a vector is lost altogether.
MIN_WEIGHT = 0.05
_ROUNDS = 30
_HALVINGS = 8
_CLOSE_ENOUGH = 1e-7


@dataclass(frozen=True, slots=True)
class Preferences:
    """Results that were clicked, each over one that was shown above it and was not (Joachims, KDD 2002).

    Attributes:
        queries: float32 [n, dim]: of the product whose strip it was.
        clicked: float32 [n, dim].
        passed: float32 [n, dim].
        weights: float64 [n]: how often.
    """

    queries: NDArray[np.float32]
    clicked: NDArray[np.float32]
    passed: NDArray[np.float32]
    weights: Floats


def learn_scale(preferences: Preferences, ridge: float) -> NDArray[np.float32]:
    """The diagonal map that ranks what was clicked above what was passed over, near the identity.

    Of the weights w of the entries in a weighted dot product it minimises the mean of log(1 + exp(-STEEPNESS x w . d)), d being
    query x (clicked - passed), and ridge x |w - 1|^2: a pairwise logistic loss (Burges et al., 2005) of a diagonal metric (Schultz
    and Joachims, 2003). The problem is convex, and is solved by Newton's method within w >= MIN_WEIGHT.

    Args:
        preferences: one at least.
        ridge: towards the identity.

    Returns:
        float32 [dim]: sqrt(w), by which vectors are multiplied.
    """
    features = STEEPNESS * (preferences.queries * (preferences.clicked - preferences.passed)).astype(np.float64)
    share = preferences.weights / preferences.weights.sum()

    def loss(weights: Floats) -> float:
        return float(share @ np.logaddexp(0, -(features @ weights)) + ridge * np.square(weights - 1).sum())

    weights = np.ones(features.shape[1])
    reached = loss(weights)
    for _ in range(_ROUNDS):
        doubt = 1 / (1 + np.exp(np.clip(features @ weights, -30, 30)))
        gradient = -features.T @ (share * doubt) + 2 * ridge * (weights - 1)
        curvature = (features.T * (share * doubt * (1 - doubt))) @ features
        curvature[np.diag_indices_from(curvature)] += 2 * ridge
        free = (weights > MIN_WEIGHT) | (gradient < 0)
        step = np.zeros_like(weights)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        # A whole step may go too far where the curve is flat.
        tried = [np.maximum(weights - step * 0.5**halvings, MIN_WEIGHT) for halvings in range(_HALVINGS)]
        best = min(tried, key=loss)
        if reached - loss(best) < _CLOSE_ENOUGH:
            break
        weights, reached = best, loss(best)
    return np.sqrt(weights).astype(np.float32)


@dataclass(frozen=True, slots=True)
class LearnedMap:
    """The best map.

    Attributes:
        scale: float32 [dim], by which vectors are multiplied.
        ridge: with which it was learned.
        outcome: what it does in hours that it was neither learned from nor chosen by.
    """

    scale: NDArray[np.float32]
    ridge: float
    outcome: Outcome


def learn_map(
    preferences: Preferences,
    choose_by: Callable[[NDArray[np.float32]], Outcome],
    measure: Callable[[NDArray[np.float32]], Outcome],
) -> LearnedMap:
    """Learn a map with each ridge, and take the one that brings most in a replay.

    What was passed over always stands above what was clicked, so that preferences alone would speak against any order. That is why
    a replay, which knows how much places are looked at, chooses and measures.

    Args:
        preferences: to learn from.
        choose_by: replays the order by a scale in some hours.
        measure: replays it in others.

    Returns:
        The map.
    """
    scales = {ridge: learn_scale(preferences, ridge) for ridge in RIDGES}
    ridge = max(RIDGES, key=lambda each: choose_by(scales[each]).up)
    return LearnedMap(scales[ridge], ridge, measure(scales[ridge]))
