"""The probability that two records are the same product: a logistic regression, fitted on pairs that are known.

Shops that confirm pairs get coefficients of their own: the default's are the mean of a Gaussian prior, so that a few pairs move
them a little, and many as far as they say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.matching.features import FEATURES

Rows = NDArray[np.float64]

_DEFAULT = Path(__file__).parent / "default_coefficients.json"
_STEPS, _CONVERGED = 100, 1e-8
_LEAST = 1e-9


@dataclass(frozen=True)
class Coefficients:
    """A fitted model.

    Attributes:
        values: by feature, and "intercept".
        origin: on what it was fitted.
    """

    values: Mapping[str, float]
    origin: str = ""

    def probabilities(self, rows: Rows) -> NDArray[np.float64]:
        """Calibrated probabilities of pairs.

        Args:
            rows: float64 [n, FEATURES].

        Returns:
            float64 [n], 0 to 1.
        """
        vector = np.array([self.values.get(name, 0.0) for name in FEATURES])
        scores: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(rows @ vector + self.values["intercept"], -50, 50)))
        return scores

    def contributions(self, row: Rows) -> dict[str, float]:
        """What each feature of a pair adds to the log-odds, the largest first; 0 is left out."""
        added = {name: float(row[i]) * self.values.get(name, 0.0) for i, name in enumerate(FEATURES)}
        return dict(sorted(((n, v) for n, v in added.items() if v), key=lambda each: -abs(each[1])))


@cache
def default_coefficients() -> Coefficients:
    """Those that are part of the product; the file says where they come from."""
    document: dict[str, Any] = json.loads(_DEFAULT.read_text())
    return Coefficients(document["coefficients"], document["origin"])


def fit(
    rows: Rows,
    same: NDArray[np.bool_],
    *,
    prior: Coefficients | None = None,
    strength: float = 1.0,
    only: frozenset[str] | None = None,
    origin: str = "",
) -> Coefficients:
    """Fit a logistic regression by Newton's method.

    Args:
        rows: float64 [n, FEATURES].
        same: bool [n], whether each pair is one product.
        prior: mean of the coefficients; None: 0.
        strength: of the prior, as the inverse of its variance; the intercept of a fit without a prior is free.
        only: the features that may count; None: all.
        origin: kept with the result.

    Returns:
        The coefficients of the highest posterior probability.

    Raises:
        ValueError: there is no pair.
    """
    if not len(rows):
        raise ValueError("there are no pairs to fit on")
    names = [*FEATURES, "intercept"]
    used = [i for i, name in enumerate(names) if only is None or name in only or name == "intercept"]
    design = np.column_stack([rows, np.ones(len(rows))])[:, used]
    mean = np.array([0.0 if prior is None else prior.values.get(names[i], 0.0) for i in used])
    penalty = np.full(len(used), strength)
    if prior is None:
        penalty[-1] = 1e-6
    weights = mean.copy()
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ weights, -50, 50)))
        gradient = design.T @ (probability - same) + penalty * (weights - mean)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step * min(1.0, 5 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < _CONVERGED:
            break
    return Coefficients({names[i]: float(weight) for i, weight in zip(used, weights, strict=True)}, origin)


def log_odds(probability: float) -> float:
    """Logarithm of the odds, bounded to some 20."""
    bounded = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(bounded / (1 - bounded))
