"""A test of two click rates that may be looked at as often as one likes, and stopped at any look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from recommender.learning.places import Floats

# The share of equal pairs for which the test ever says "different", however often it is looked at.
LEVEL = 0.05
# Before so many cells and clicks on each side, no mean is near a normal distribution.
MIN_CELLS = 30
MIN_CLICKS = 30
# The difference that is looked for, in parts of the click rate: the test finds it soonest.
EFFECT = 0.1


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a test. A cell is a product in an hour, which is what the sides are drawn by.

    Attributes:
        strips: float64 [cells]: strips that were seen.
        clicks: float64 [cells].
    """

    strips: Floats
    clicks: Floats

    @property
    def rate(self) -> float:
        """Clicks for each strip; 0 without strips."""
        strips = float(self.strips.sum())
        return float(self.clicks.sum()) / strips if strips else 0.0

    @property
    def variance(self) -> float:
        """Of the rate, by the delta method for a ratio of sums over cells; clicks within a cell may depend on each other."""
        cells, strips = len(self.strips), float(self.strips.sum())
        residuals = self.clicks - self.rate * self.strips
        return float(residuals @ residuals) * cells / max(cells - 1, 1) / strips**2

    @property
    def is_enough(self) -> bool:
        """Whether there is enough to look at."""
        return len(self.strips) >= MIN_CELLS and float(self.clicks.sum()) >= MIN_CLICKS


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a test finds.

    Attributes:
        difference: click rate of the candidate less that of the control.
        p_value: always valid: the least of all looks is at most LEVEL in at most LEVEL of tests of equal sides.
        low: lower end of an interval of the difference that holds at all looks together.
        high: upper end.
    """

    difference: float
    p_value: float
    low: float
    high: float


def effect_of(control: Arm, candidate: Arm) -> float:
    """The difference that a test looks for, fixed at its first look: a tenth of the click rate of both sides."""
    strips = float(control.strips.sum() + candidate.strips.sum())
    return EFFECT * float(control.clicks.sum() + candidate.clicks.sum()) / strips


def look_at(control: Arm, candidate: Arm, effect: float) -> Look | None:
    """Look at a test: the mixture sequential probability ratio test (Robbins, 1970; Johari et al., KDD 2017, eq. 11).

    Args:
        control: the one side.
        candidate: the other.
        effect: standard deviation of the differences that are expected before the test, the same at every look.

    Returns:
        What it finds; None while there is too little to look at.
    """
    if not (control.is_enough and candidate.is_enough):
        return None
    variance = control.variance + candidate.variance
    if not variance or not effect:
        return None
    difference = candidate.rate - control.rate
    total, mixing = variance + effect**2, effect**2
    log_ratio = 0.5 * math.log(variance / total) + mixing * difference**2 / (2 * variance * total)
    # The differences whose ratio is not yet 1 / LEVEL.
    reach = math.sqrt(2 * variance * total / mixing * (0.5 * math.log(total / variance) - math.log(LEVEL)))
    return Look(difference, min(1.0, math.exp(-min(log_ratio, 700.0))), difference - reach, difference + reach)


def arm_of(strips: Floats, clicks: Floats) -> Arm:
    """An arm of the cells in which strips were seen.

    Args:
        strips: float64 [cells].
        clicks: float64 [cells].

    Returns:
        The arm.
    """
    seen = np.asarray(strips) > 0
    return Arm(np.asarray(strips, np.float64)[seen], np.asarray(clicks, np.float64)[seen])
