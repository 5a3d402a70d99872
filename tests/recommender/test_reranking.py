"""Maximal marginal relevance by hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest

from embeddings.vector_index.base import Distance, Hit
from recommender.reranking import diversify


def hit(number: int, score: float, vector: tuple[float, ...]) -> Hit:
    return Hit(number, number, score, np.array(vector, dtype=np.float32))


HITS = [hit(1, 0.9, (1, 0)), hit(2, 0.8, (1, 0)), hit(3, 0.5, (0, 1)), hit(4, 0.4, (0, 1))]


def order(diversity: float, limit: int = 4) -> list[int]:
    return [each.id for each in diversify(HITS, limit=limit, diversity=diversity, distance=Distance.COSINE)]


def test_without_diversity_the_order_stays_and_vectors_are_not_needed() -> None:
    bare = [Hit(each.id, each.product_id, each.score) for each in HITS]

    assert diversify(bare, limit=3, diversity=0, distance=Distance.COSINE) == bare[:3]


def test_the_gain_is_relevance_less_redundancy() -> None:
    # After 1: 2 gains 0.6 * 0.8 - 0.4 * 1 = 0.08, 3 gains 0.6 * 0.5 = 0.30, 4 gains 0.24.
    # After 3: 2 gains 0.08, 4 gains 0.6 * 0.4 - 0.4 * 1 = -0.16.
    assert order(0.4) == [1, 3, 2, 4]


def test_the_nearest_always_comes_first_and_full_diversity_looks_at_variety_alone() -> None:
    assert order(1.0, limit=2) == [1, 3]


def test_relevance_counts_by_one_minus_the_diversity() -> None:
    # At diversity 0.6, after 1: 2 gains 0.4 * 0.8 - 0.6 * 0.6 = -0.04, 3 gains 0.4 * 0.5 - 0.6 * 0.2 = 0.08. Were relevance counted
    # whole, 2 would gain 0.44 and 3 only 0.38.
    hits = [hit(1, 0.9, (1, 0)), hit(2, 0.8, (0.6, 0.8)), hit(3, 0.5, (0.2, 0.98))]
    chosen = diversify(hits, limit=3, diversity=0.6, distance=Distance.COSINE)
    assert [each.id for each in chosen] == [1, 3, 2]


@pytest.mark.parametrize("distance", [Distance.L1, Distance.L2])
def test_a_near_copy_is_passed_over_where_scores_are_negated_distances(distance: Distance) -> None:
    hits = [hit(1, -1.0, (1, 0)), hit(2, -1.1, (1.1, 0)), hit(3, -1.5, (-1.5, 0))]
    chosen = diversify(hits, limit=3, diversity=0.5, distance=distance)
    assert [each.id for each in chosen] == [1, 3, 2]


def test_a_little_diversity_does_not_turn_a_clear_order() -> None:
    assert order(0.05) == [1, 2, 3, 4]


def test_hits_without_vectors_cannot_be_re_ranked() -> None:
    with pytest.raises(ValueError, match="with_vectors"):
        diversify([Hit(1, 1, 0.9), Hit(2, 2, 0.8)], limit=2, diversity=0.5, distance=Distance.COSINE)
