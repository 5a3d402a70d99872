"""The learned order of one strip, and how much places are looked at, on numbers that can be checked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recommender.learning.assignment import EXPLORING, YARDSTICK, share, share_of
from recommender.learning.ordering import arrange, learned_scores
from recommender.learning.places import Seen, count_pairs, measure_places, total, usual_shares

NONE = np.zeros(12)
CONFIDENCE = np.linspace(0.9, 0.4, 12)


def arranged(
    clicks: np.ndarray = NONE, looks: np.ndarray = NONE, chance: np.random.Generator | None = None
) -> list[int]:
    return arrange(CONFIDENCE, clicks, looks, click_rate=0.05, shown=8, chance=chance)


def one(index: int, value: float) -> np.ndarray:
    return np.eye(12)[index] * value


class TestOrder:
    def test_without_evidence_nothing_changes(self) -> None:
        assert arranged() == list(range(12))

    def test_equal_confidences_keep_the_visual_order(self) -> None:
        flat = np.full(12, 0.7)
        assert arrange(flat, NONE, NONE, click_rate=0.05, shown=8, chance=None) == list(range(12))

    def test_what_is_clicked_comes_forward(self) -> None:
        assert arranged(clicks=one(7, 10), looks=one(7, 40))[0] == 7

    def test_what_is_looked_at_and_not_clicked_falls_behind(self) -> None:
        assert arranged(looks=one(0, 200))[-1] == 0

    def test_a_score_is_clicks_and_prior_by_looks(self) -> None:
        scores = learned_scores(np.array([0.1, 0.1]), np.array([3.0, 0.0]), np.array([10.0, 0.0]))
        assert scores == pytest.approx([(3 + 20 * 0.1) / 30, 0.1])

    def test_one_of_eight_places_explores_and_never_the_first(self) -> None:
        changed = [arranged(chance=np.random.default_rng(seed)) for seed in range(300)]
        assert all(sorted(order) == list(range(12)) for order in changed)
        assert {order[0] for order in changed} == {0}
        # What is left but for the explored one keeps its order.
        jumps = [sum(b < a for a, b in pairwise(order[:8])) for order in changed]
        assert max(jumps) == 1
        explored = {order[place] for order in changed for place in range(8) if order[place] >= 8}
        assert explored == {8, 9, 10, 11}


class TestPlaces:
    def test_a_place_is_measured_by_pairs_that_were_seen_at_several(self) -> None:
        chance = np.random.default_rng(3)
        look = np.array([1.0, 0.5, 0.25])
        pair, place = (values.ravel() for values in np.meshgrid(np.arange(40), np.arange(3)))
        attraction = chance.uniform(0.02, 0.3, 40)
        # The attractive are seen mostly at the first place, so that clicks by place alone would mislead.
        shown = np.where((attraction[pair] > 0.16) == (place == 0), 3000.0, 600.0)
        clicks = chance.binomial(shown.astype(int), attraction[pair] * look[place]).astype(float)
        seen = Seen(pair, pair + 100, place, shown, clicks)
        naive = np.bincount(place, clicks) / np.bincount(place, shown)
        assert abs(naive[1] / naive[0] - 0.5) > 0.1
        assert measure_places(seen) == pytest.approx(look, abs=0.03)

    def test_without_clicks_places_are_as_usual(self) -> None:
        seen = Seen(np.array([1]), np.array([2]), np.array([3]), np.array([10.0]), np.array([0.0]))
        assert measure_places(seen) == pytest.approx(usual_shares(4))

    def test_a_pair_counts_what_was_looked_at(self) -> None:
        products, results, places = np.array([1, 1, 1]), np.array([2, 2, 3]), np.array([0, 1, 1])
        seen = total(Seen(products, results, places, np.array([10.0, 10.0, 4.0]), np.array([2.0, 1.0, 0.0])))
        pairs = count_pairs(seen, np.array([1.0, 0.5]))
        assert pairs.results.tolist() == [2, 3]
        assert (pairs.clicks.tolist(), pairs.looks.tolist()) == ([3.0, 0.0], [15.0, 2.0])


class TestAssignment:
    def test_shares_are_even_and_the_same_for_one_and_for_many(self) -> None:
        products, hours = (values.ravel() for values in np.meshgrid(np.arange(1, 200), np.arange(490_000, 490_100)))
        shares = share_of(products, hours, YARDSTICK)
        assert np.histogram(shares, 10, (0, 1))[0] == pytest.approx(np.full(10, 1990), rel=0.1)
        assert [share(int(products[n]), int(hours[n]), YARDSTICK) for n in (0, 7, 5000)] == shares[
            [0, 7, 5000]
        ].tolist()

    def test_purposes_do_not_depend_on_each_other(self) -> None:
        products, hours = np.arange(1, 5000), np.full(4999, 490_000)
        both = np.corrcoef(share_of(products, hours, YARDSTICK), share_of(products, hours, EXPLORING))
        assert abs(both[0, 1]) < 0.05
