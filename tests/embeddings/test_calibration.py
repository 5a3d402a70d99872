"""A score's calibrated probability: isotonic regression, its error, and the way back to a score."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from embeddings.evaluation.calibration import (
    MAX_KNOTS,
    Calibration,
    cross_validated_error,
    expected_calibration_error,
    fit_calibration,
    pairs,
    reliability,
)
from embeddings.evaluation.metrics import labels_of

CURVE = Calibration((-0.5, 0.0, 0.5, 0.8), (0.1, 0.3, 0.3, 0.9))


def drawn(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores in [-1, 1], and pairs that are the same with the probability (score + 1) / 2."""
    random = np.random.default_rng(seed)
    scores = random.uniform(-1, 1, count).astype(np.float32)
    return scores, random.random(count) < (scores + 1) / 2


def photos(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around a centre for each class, and their labels."""
    random = np.random.default_rng(seed)
    numbers = np.arange(count) % classes
    vectors = random.normal(size=(classes, 8))[numbers] + random.normal(size=(count, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels_of([f"class {number}" for number in numbers])


def isotonic(values: np.ndarray) -> np.ndarray:
    """Isotonic regression by its minimax formula: the largest over the left ends of the least mean over the right ends."""
    count = len(values)
    return np.asarray(
        [
            max(min(values[left : right + 1].mean() for right in range(place, count)) for left in range(place + 1))
            for place in range(count)
        ]
    )


def test_a_probability_is_read_between_the_knots_and_held_outside():
    scores = np.asarray([-1, -0.5, -0.25, 0.25, 0.65, 0.8, 1], np.float32)
    probabilities = CURVE.probability(scores)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, [0.1, 0.1, 0.2, 0.3, 0.6, 0.9, 0.9], atol=1e-6)
    np.testing.assert_allclose([CURVE.probability_of(float(score)) for score in scores], probabilities, atol=1e-12)


def test_a_curve_survives_json():
    assert Calibration.from_dict(json.loads(json.dumps(CURVE.as_dict()))) == CURVE


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "scores is not a list of numbers"),
        ({"scores": [0.1]}, "probabilities is not a list of numbers"),
        ({"scores": [0.1], "probabilities": ["0.5"]}, "probabilities is not a list of numbers"),
        ({"scores": [0.1], "probabilities": [True]}, "probabilities is not a list of numbers"),
        ({"scores": [0.1], "probabilities": []}, "as many probabilities as scores"),
        ({"scores": [], "probabilities": []}, "at least one"),
        ({"scores": [0.2, 0.1], "probabilities": [0.1, 0.2]}, "ascending"),
        ({"scores": [0.1, math.nan], "probabilities": [0.1, 0.2]}, "finite"),
        ({"scores": [0.1, 0.2], "probabilities": [0.2, 0.1]}, "do not fall"),
        ({"scores": [0.1], "probabilities": [1.5]}, "between 0 and 1"),
        ({"scores": [0.1], "probabilities": [math.nan]}, "between 0 and 1"),
    ],
)
def test_anything_else_than_a_curve_is_refused(document, message):
    with pytest.raises(ValueError, match=message):
        Calibration.from_dict(document)


@pytest.mark.parametrize("seed", range(5))
def test_the_probabilities_are_those_of_isotonic_regression(seed):
    scores, same = drawn(60, seed)
    outcomes = same[np.argsort(scores)].astype(np.float64)
    # One pair of each kind at both ends, where they share a place with the pair that is there.
    lowest, highest = (np.full(3, (outcomes[end] + 1) / 3) for end in (0, -1))
    weighted = np.concatenate([lowest, outcomes[1:-1], highest])
    expected = np.unique(isotonic(weighted).round(9))
    np.testing.assert_allclose(fit_calibration(scores, same).probabilities, expected, atol=1e-8)


def test_equal_scores_get_one_probability():
    scores = np.repeat(np.asarray([0.1, 0.9], np.float32), 100)
    same = np.concatenate([np.arange(100) < 20, np.arange(100) < 70])
    curve = fit_calibration(scores, same)
    assert curve.probabilities == pytest.approx((21 / 102, 71 / 102))
    assert curve.scores == pytest.approx((0.1, 0.9))


def test_the_order_of_the_pairs_changes_nothing():
    scores, same = drawn(500)
    assert fit_calibration(scores[::-1], same[::-1]) == fit_calibration(scores, same)


def test_the_truth_is_found_from_many_pairs():
    curve = fit_calibration(*drawn(20_000))
    places = np.linspace(-0.95, 0.95, 20, dtype=np.float32)
    np.testing.assert_allclose(curve.probability(places), (places + 1) / 2, atol=0.05)
    assert len(curve.scores) <= MAX_KNOTS


def test_the_knots_are_bounded_and_cost_the_fit_little():
    scores = np.linspace(0, 1, 200, dtype=np.float32).repeat(400)
    same = np.concatenate([np.arange(400) < 2 * step for step in range(200)])
    curve = fit_calibration(scores, same)
    assert len(curve.scores) == MAX_KNOTS
    np.testing.assert_allclose(curve.probability(scores[::400]), np.arange(200) / 200, atol=0.02)


@pytest.mark.parametrize(("each", "margin"), [(10, 1 / 12), (1000, 1 / 1002)])
def test_nothing_is_certain_and_more_pairs_make_surer(each, margin):
    scores = np.linspace(-1, 1, 2 * each, dtype=np.float32)
    curve = fit_calibration(scores, scores > 0)
    assert curve.probability_of(-1) == pytest.approx(margin)
    assert curve.probability_of(1) == pytest.approx(1 - margin)


def test_scores_without_information_give_the_share_of_same_pairs():
    random = np.random.default_rng(1)
    scores = random.uniform(-1, 1, 5000).astype(np.float32)
    curve = fit_calibration(scores, random.random(5000) < 0.2)
    np.testing.assert_allclose(curve.probability(np.linspace(-0.8, 0.8, 9, dtype=np.float32)), 0.2, atol=0.05)


def test_what_cannot_be_calibrated_is_refused():
    scores, same = drawn(100)
    with pytest.raises(ValueError, match="too few"):
        fit_calibration(scores[:19], same[:19])
    with pytest.raises(ValueError, match="all pairs are of one kind"):
        fit_calibration(scores, np.ones(100, np.bool_))
    with pytest.raises(ValueError, match="all pairs are of one kind"):
        fit_calibration(scores, np.zeros(100, np.bool_))
    with pytest.raises(ValueError, match="not a finite number"):
        fit_calibration(np.where(same, scores, np.float32(math.nan)), same)


def test_all_pairs_of_photos():
    vectors = np.asarray([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], np.float32)
    scores, same = pairs(vectors, labels_of(["a", "b", "a", "b"]))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [0, -1, 0.6, 0, 0.8, -0.6], atol=1e-6)
    assert same.tolist() == [False, True, False, False, True, False]


def test_pairs_of_one_product_are_left_out():
    vectors = np.asarray([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], np.float32)
    scores, _ = pairs(vectors, labels_of(list("aaaa")), groups=labels_of(["lamp", "lamp", "", ""]))
    # The first pair is gone; that of the two unknown products, the last, is there.
    np.testing.assert_allclose(scores, [-1, 0.6, 0, 0.8, -0.6], atol=1e-6)


def test_many_pairs_are_sampled_without_repeating_one():
    angles = np.radians(2.0 ** np.arange(8) / 2)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = labels_of(list("aabbaabb"))
    every, _ = pairs(vectors, labels)
    some, same = pairs(vectors, labels, limit=20)
    assert len(some) == len(same) == 20
    # No two angles have the same difference, so a score names its pair.
    assert len({*every.tolist()}) == 28
    assert len({*some.tolist()}) == 20
    assert {*some.tolist()} < {*every.tolist()}
    assert (pairs(vectors, labels, limit=20)[0] == some).all()
    assert (pairs(vectors, labels, limit=20, seed=1)[0] != some).any()


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_photos_are_no_pair(count):
    scores, same = pairs(np.ones((count, 2), np.float32), labels_of(["a"] * count))
    assert len(scores) == len(same) == 0


def test_the_error_is_the_weighted_distance_from_what_was_so():
    probabilities = np.asarray([0.1, 0.1, 0.1, 0.1, 0.95, 1.0])
    same = np.asarray([True, False, False, False, True, True])
    # Four pairs in one bin: 0.1 said, 0.25 so. Two in the last: 0.975 said, 1 so.
    assert expected_calibration_error(probabilities, same, bins=10) == pytest.approx((4 * 0.15 + 2 * 0.025) / 6)
    diagram = reliability(probabilities, same, bins=10)
    assert diagram.probabilities == pytest.approx((0.1, 0.975))
    assert diagram.frequencies == pytest.approx((0.25, 1))
    assert diagram.counts == (4, 2)


def test_an_honest_forecast_has_next_to_no_error():
    scores, same = drawn(50_000)
    assert expected_calibration_error((scores.astype(np.float64) + 1) / 2, same) < 0.01
    assert expected_calibration_error(np.full(50_000, 0.9), same) == pytest.approx(0.4, abs=0.02)


def test_no_pair_has_no_error():
    with pytest.raises(ValueError, match="no pair"):
        expected_calibration_error(np.zeros(0), np.zeros(0, np.bool_))


def test_cross_validation_judges_photos_that_it_did_not_see():
    vectors, labels = photos(200, 5)
    error, diagram = cross_validated_error(vectors, labels)
    assert 0 < error < 0.1
    # Five folds of 40 photos.
    assert sum(diagram.counts) == 5 * 40 * 39 // 2
    assert cross_validated_error(vectors, labels) == (error, diagram)


def test_cross_validation_keeps_the_photos_of_a_product_together():
    vectors, labels = photos(200, 5)
    # 40 products of five photos, each product in one class: eight products a fold, and no pair of one product counts.
    products = labels_of([str(number % 5 + number // 25 * 5) for number in range(200)])
    _, diagram = cross_validated_error(vectors, labels, groups=products)
    assert sum(diagram.counts) == 5 * (40 * 39 // 2 - 8 * (5 * 4 // 2))


def test_cross_validation_of_too_few_photos_says_so():
    vectors, labels = photos(5, 2)
    with pytest.raises(ValueError, match="too few"):
        cross_validated_error(vectors, labels)
