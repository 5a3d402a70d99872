"""How much each place of a strip is looked at, measured from the events themselves.

The examination hypothesis (Richardson, Dominowska and Ragno, 2007): a result is clicked if it is looked at, which depends on its
place alone, and if it attracts, which depends on the pair of products alone: P(click) = look(place) x attraction(pair). Since pairs
are seen at different places (the exploring place moves them, and so do new products), both can be estimated separately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# A pair is as attractive as the average until it was looked at about so often, and a place is looked at as the prior says until
# it has about so many clicks.
PAIR_VIEWS = 20.0
PLACE_CLICKS = 20.0
_ROUNDS = 100
_CLOSE_ENOUGH = 1e-6


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen and clicked: an entry for each pair at each place.

    Attributes:
        products: int64 [n]: whose strip it was.
        results: int64 [n]: what was shown in it.
        places: int64 [n], from 0.
        shown: float64 [n]: how often.
        clicks: float64 [n]: how often it was clicked there.
    """

    products: Integers
    results: Integers
    places: Integers
    shown: Floats
    clicks: Floats

    def of(self, chosen: NDArray[np.bool_]) -> Seen:
        """The entries for which `chosen`, bool [n], is true."""
        return Seen(
            self.products[chosen], self.results[chosen], self.places[chosen], self.shown[chosen], self.clicks[chosen]
        )

    @property
    def columns(self) -> tuple[Integers, Integers, Integers, Floats, Floats]:
        """All five arrays."""
        return self.products, self.results, self.places, self.shown, self.clicks


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Counts of ordered pairs.

    Attributes:
        products: int64 [p].
        results: int64 [p].
        clicks: float64 [p].
        looks: float64 [p]: how often the pair was looked at: what was shown, times the share of its place.
    """

    products: Integers
    results: Integers
    clicks: Floats
    looks: Floats

    @property
    def click_rate(self) -> float:
        """Clicks for each look, of all pairs together; 0 without any."""
        looks = float(self.looks.sum())
        return float(self.clicks.sum()) / looks if looks else 0.0


def total(seen: Seen) -> Seen:
    """Add up the entries of the same pair and place."""
    keys = np.stack([seen.products, seen.results, seen.places])
    distinct, number = np.unique(keys, axis=1, return_inverse=True)
    number = number.reshape(-1)
    shown, clicks = (_sums(number, each, distinct.shape[1]) for each in (seen.shown, seen.clicks))
    return Seen(distinct[0], distinct[1], distinct[2], shown, clicks)


def usual_shares(places: int) -> Floats:
    """What is assumed of places until it is measured: the discount of DCG (Järvelin and Kekäläinen, 2002).

    Args:
        places: how many.

    Returns:
        float64 [places]: 1 at the first place.
    """
    return np.asarray(1.0 / np.log2(np.arange(places) + 2.0))


def measure_places(seen: Seen) -> Floats:
    """How much each place is looked at, in parts of the first.

    Alternates between the attraction of pairs given the places and the places given the attraction (as the regression EM of Wang et
    al., 2018, with a mean for each pair as its regression), each with a gamma prior, so that few events say little.

    Args:
        seen: what was seen and clicked.

    Returns:
        float64 [places]: 1 at the first, and no place is looked at more than the first; empty if nothing was seen.
    """
    if not len(seen.places):
        return np.empty(0)
    places = int(seen.places.max()) + 1
    usual = usual_shares(places)
    if not seen.clicks.sum():
        return usual
    _, pair = np.unique(np.stack([seen.products, seen.results]), axis=1, return_inverse=True)
    pair = pair.reshape(-1)
    clicks_of_pair = np.bincount(pair, seen.clicks)
    clicks_at_place = np.bincount(seen.places, seen.clicks, places)
    look = usual
    for _ in range(_ROUNDS):
        looks = np.bincount(pair, seen.shown * look[seen.places])
        mean = clicks_of_pair.sum() / looks.sum()
        attraction = (clicks_of_pair + PAIR_VIEWS * mean) / (looks + PAIR_VIEWS)
        expected = np.bincount(seen.places, seen.shown * attraction[pair], places)
        measured = (clicks_at_place + PLACE_CLICKS * usual) / (expected + PLACE_CLICKS)
        measured = np.minimum(measured / measured[0], 1.0)
        if np.abs(measured - look).max() < _CLOSE_ENOUGH:
            break
        look = measured
    return look


def count_pairs(seen: Seen, look: Floats) -> PairCounts:
    """Count what was looked at and clicked, of each ordered pair.

    Args:
        seen: what was seen and clicked.
        look: float64 [places]: from `measure_places`; a place behind them counts as the last.

    Returns:
        The counts, by product and result.
    """
    pairs, number = np.unique(np.stack([seen.products, seen.results]), axis=1, return_inverse=True)
    number = number.reshape(-1)
    looks = seen.shown * look[np.minimum(seen.places, len(look) - 1)] if len(look) else seen.shown
    size = pairs.shape[1]
    return PairCounts(pairs[0], pairs[1], _sums(number, seen.clicks, size), _sums(number, looks, size))


def _sums(groups: Integers, values: Floats, size: int) -> Floats:
    """float64 [size]: the sum of each group's values."""
    return np.bincount(groups, values, size).astype(np.float64)


def results_seen(seen: Seen, products: Sequence[int]) -> dict[int, set[int]]:
    """The results that were seen beside products.

    Args:
        seen: what was seen.
        products: some of its products.

    Returns:
        Results by product.
    """
    results: dict[int, set[int]] = {product_id: set() for product_id in products}
    chosen = seen.of(np.isin(seen.products, np.array([*products], np.int64)))
    for product_id, result_id in zip(chosen.products.tolist(), chosen.results.tolist(), strict=True):
        results[product_id].add(result_id)
    return results
