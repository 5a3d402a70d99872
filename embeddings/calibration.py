"""Calibration of similarity scores: the probability that two photos show the same kind of product."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """A non-decreasing, piecewise linear curve through knots; constant outside of them.

    Attributes:
        scores: ascending cosines.
        probabilities: non-decreasing, in [0, 1], as many as scores.

    Raises:
        ValueError: the values violate these conditions.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scores or len(self.scores) != len(self.probabilities):
            raise ValueError(
                f"a calibration has as many probabilities as scores, at least one: {len(self.scores)} scores, "
                f"{len(self.probabilities)} probabilities"
            )
        if not all(map(math.isfinite, self.scores)) or any(low >= high for low, high in pairwise(self.scores)):
            raise ValueError("the scores of a calibration are finite and ascending")
        if not all(0 <= probability <= 1 for probability in self.probabilities):
            raise ValueError("the probabilities of a calibration are between 0 and 1")
        if any(low > high for low, high in pairwise(self.probabilities)):
            raise ValueError("the probabilities of a calibration do not fall")

    def probability(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Map scores to probabilities.

        Args:
            scores: float32 [n].

        Returns:
            float64 [n], in [0, 1].
        """
        return np.interp(scores, self.scores, self.probabilities)

    def probability_of(self, score: float) -> float:
        """The probability of one score, without the overhead of an array."""
        upper = bisect_right(self.scores, score)
        if upper == 0:
            return self.probabilities[0]
        if upper == len(self.scores):
            return self.probabilities[-1]
        share = (score - self.scores[upper - 1]) / (self.scores[upper] - self.scores[upper - 1])
        return self.probabilities[upper - 1] + share * (self.probabilities[upper] - self.probabilities[upper - 1])

    def as_dict(self) -> dict[str, list[float]]:
        """For JSON."""
        return {"scores": list(self.scores), "probabilities": list(self.probabilities)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Calibration:
        """Parse the result of `as_dict`.

        Args:
            document: JSON.

        Returns:
            The calibration.

        Raises:
            ValueError: the document is not a calibration.
        """
        numbers = []
        for name in ("scores", "probabilities"):
            values = document.get(name) if isinstance(document, Mapping) else None
            if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
                raise ValueError(
                    f'a calibration is {{"scores": [...], "probabilities": [...]}}; {name} is not a list of numbers'
                )
            numbers.append(tuple(float(value) for value in values))
        return cls(*numbers)
