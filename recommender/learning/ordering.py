"""The learned order of a strip: what visitors click comes forward, by as much as there is evidence for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The prior counts as much as so many looks at a pair.
PRIOR_LOOKS = 20.0
# One of so many places explores.
EXPLORE_EVERY = 8
_LEAST = 1e-6


def prior_of(confidence: Floats, click_rate: float, shown: int) -> Floats:
    """The click rate that is expected of each result before it was seen: in proportion to its confidence.

    Args:
        confidence: float64 [n], best first, 0 to 1: that the result is of the same kind as the product.
        click_rate: of all pairs together, clicks for each look.
        shown: how many of the first would be shown; they have the click rate on average.

    Returns:
        float64 [n], in (0, 1).
    """
    mean = float(confidence[:shown].mean()) if len(confidence) else 0.0
    share = confidence / mean if mean > 0 else np.ones_like(confidence)
    return np.clip(share * click_rate, _LEAST, 1 - _LEAST)


def learned_scores(prior: Floats, clicks: Floats, looks: Floats, prior_looks: float = PRIOR_LOOKS) -> Floats:
    """The click rate that is expected of each result: the mean of a beta distribution, its prior and what was counted.

    Args:
        prior: float64 [n]: from `prior_of`.
        clicks: float64 [n].
        looks: float64 [n]: how often each was looked at.
        prior_looks: so many looks count as much as the prior.

    Returns:
        float64 [n]: (clicks + prior_looks x prior) / (looks + prior_looks).
    """
    return np.asarray((clicks + prior_looks * prior) / (looks + prior_looks))


def sampled_scores(
    prior: Floats, clicks: Floats, looks: Floats, chance: np.random.Generator, prior_looks: float = PRIOR_LOOKS
) -> Floats:
    """A click rate for each result, drawn from what is known of it (Thompson, 1933): what is known little is drawn high at times.

    Args:
        prior: float64 [n]: from `prior_of`.
        clicks: float64 [n].
        looks: float64 [n].
        chance: where it is drawn from.
        prior_looks: so many looks count as much as the prior.

    Returns:
        float64 [n], in [0, 1].
    """
    for_it = clicks + prior_looks * prior
    # Few looks at a lower place may have brought more clicks than its share has it.
    against = np.maximum(looks + prior_looks - for_it, _LEAST)
    return chance.beta(for_it, against)


def arrange(
    confidence: Floats,
    clicks: Floats,
    looks: Floats,
    *,
    click_rate: float,
    shown: int,
    chance: np.random.Generator | None,
    prior_looks: float = PRIOR_LOOKS,
) -> list[int]:
    """Arrange results by what was learned of them. Without any evidence the order stays, but for the exploring places.

    Of each eight places one explores, never the first of all eight: it gets the best of the rest by sampled scores.

    Args:
        confidence: float64 [n] of each result, best first.
        clicks: float64 [n].
        looks: float64 [n].
        click_rate: of all pairs together, clicks for each look.
        shown: how many of the results a strip shows as a rule.
        chance: for the exploring places; None: no place explores.
        prior_looks: so many looks count as much as the prior.

    Returns:
        The positions of the results, in their new order.
    """
    prior = prior_of(confidence, click_rate, shown)
    scores = learned_scores(prior, clicks, looks, prior_looks)
    rest: list[int] = np.argsort(-scores, kind="stable").tolist()
    if chance is None or len(rest) < 2:
        return rest
    sampled = sampled_scores(prior, clicks, looks, chance, prior_looks)
    blocks = -(-len(rest) // EXPLORE_EVERY)
    exploring = set((np.arange(blocks) * EXPLORE_EVERY + chance.integers(1, EXPLORE_EVERY, blocks)).tolist())
    arranged: list[int] = []
    for place in range(len(rest)):
        chosen = max(rest, key=sampled.__getitem__) if place in exploring else rest[0]
        rest.remove(chosen)
        arranged.append(chosen)
    return arranged
