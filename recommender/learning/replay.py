"""What an order would have brought, replayed on clicks of hours that it was not learned from, before any visitor sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.learning.places import Floats

# The products whose clicks are replayed: those with the most.
MAX_REPLAYED = 1000
RESAMPLES = 2000
CONFIDENCE = 0.95
# With clicks in fewer hours an interval says nothing.
MIN_HOURS = 12
MIN_CLICKS = 50

Orders = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class HeldOutClicks:
    """Clicks in the hours kept aside: an entry each.

    Attributes:
        hours: int64 [c].
        products: int64 [c].
        results: int64 [c].
        places: int64 [c], from 0.
    """

    hours: NDArray[np.int64]
    products: NDArray[np.int64]
    results: NDArray[np.int64]
    places: NDArray[np.int64]

    def of(self, chosen: NDArray[np.bool_]) -> HeldOutClicks:
        """Those for which `chosen`, bool [c], is true."""
        return HeldOutClicks(self.hours[chosen], self.products[chosen], self.results[chosen], self.places[chosen])

    def most_clicked(self, number: int) -> list[int]:
        """The products with most clicks beside them, at most so many."""
        return [product for product, _ in Counter(self.products.tolist()).most_common(number)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay found.

    Attributes:
        hours: with clicks that were replayed.
        clicks: that were replayed.
        visual: clicks for each strip in the visual order.
        learned: clicks for each strip in the learned order.
        up: how much more the learned order brings, in parts of the visual one.
        low: lower end of the 95% interval of `up`.
        high: upper end.
    """

    hours: int = 0
    clicks: int = 0
    visual: float = 0.0
    learned: float = 0.0
    up: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def is_measured(self) -> bool:
        """Whether there are clicks enough to say anything."""
        return self.hours >= MIN_HOURS and self.clicks >= MIN_CLICKS and self.visual > 0

    @property
    def in_words(self) -> str:
        """The difference with its interval."""
        return f"{100 * self.up:+.1f}% clicks (95%: {100 * self.low:+.1f}% to {100 * self.high:+.1f}%)"

    @property
    def is_better(self) -> bool:
        """Whether the learned order is better beyond chance."""
        return self.is_measured and self.low > 0


def replay(
    held_out: HeldOutClicks,
    strips: Mapping[int, int],
    look: Floats,
    *,
    visual: Orders,
    learned: Orders,
    strip_length: int,
) -> Outcome:
    """Compare two orders on logged clicks.

    Each click counts as often as its result would have been looked at where the order puts it, in parts of how often it was
    looked at where it was shown: the inverse-propensity estimator of the position-based model (Li et al., 2018). What was never
    shown has no clicks, so an order gains nothing by it. The interval is that of a bootstrap over hours (Efron, 1979), in which
    clicks of one visitor stay together.

    Args:
        held_out: clicks of hours that nothing was learned from.
        strips: by hour, how many strips were seen.
        look: float64 [places]: how much each place is looked at, from the hours that were learned from.
        visual: by product, its results in the visual order; clicks beside other products are left out.
        learned: the same in the learned order.
        strip_length: how many results a strip shows.

    Returns:
        What was found; all zeros without clicks.
    """
    known = np.isin(held_out.products, np.fromiter(visual, np.int64, len(visual)))
    hours, inverse = np.unique(held_out.hours[known], return_inverse=True)
    if not len(hours):
        return Outcome()
    products, results, places = held_out.products[known], held_out.results[known], held_out.places[known]
    shown_at = look[np.minimum(places, len(look) - 1)]
    by_visual, by_learned = (
        np.bincount(inverse, _looked_at(orders, products, results, look, strip_length) / shown_at, len(hours))
        for orders in (visual, learned)
    )
    clicks = int(known.sum())
    seen = sum(strips.values())
    visual_sum, learned_sum = float(by_visual.sum()), float(by_learned.sum())
    if not visual_sum or not seen:
        return Outcome(len(hours), clicks)
    weights = np.random.default_rng(0).multinomial(len(hours), np.full(len(hours), 1 / len(hours)), RESAMPLES)
    resampled_visual = weights @ by_visual
    ups = np.divide(weights @ by_learned, resampled_visual, out=np.ones(RESAMPLES), where=resampled_visual > 0) - 1
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ups, [tail, 1 - tail])
    return Outcome(
        len(hours), clicks, visual_sum / seen, learned_sum / seen, learned_sum / visual_sum - 1, float(low), float(high)
    )


def _looked_at(
    orders: Orders, products: NDArray[np.int64], results: NDArray[np.int64], look: Floats, strip_length: int
) -> Floats:
    """How much each result is looked at where an order puts it; 0 where a strip does not show it."""
    place_of = {
        product: {result: place for place, result in enumerate(order[:strip_length])}
        for product, order in orders.items()
    }
    last = len(look) - 1
    return np.array(
        [
            look[min(place, last)] if (place := place_of[product].get(result)) is not None else 0.0
            for product, result in zip(products.tolist(), results.tolist(), strict=True)
        ]
    )
