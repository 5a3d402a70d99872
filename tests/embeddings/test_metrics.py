"""The retrieval metrics against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from embeddings.evaluation.metrics import RetrievalMetrics, labels_of, retrieval_metrics


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane, at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def measure(query_labels: Sequence[str], queries: np.ndarray, labels: Sequence[str], gallery: np.ndarray):
    return retrieval_metrics(queries, labels_of(query_labels), gallery, labels_of(labels))


def test_one_query():
    # Ranks 1 to 5, nearest first: b a b a a. The precision at the relevant ranks is 1/2, 2/4 and 3/5.
    metrics = measure(["a"], at(0), list("babaa"), at(1, 2, 3, 4, 5))
    assert metrics == RetrievalMetrics(
        queries=1,
        recall_at_1=0,
        recall_at_5=1,
        recall_at_10=1,
        precision_at_10=pytest.approx(3 / 10),
        mean_average_precision=pytest.approx((1 / 2 + 2 / 4 + 3 / 5) / 3),
    )


def test_figures_are_means_over_the_queries():
    # The first query ranks a b, the second b a as well, since it stands on the other side.
    metrics = measure(["a", "a"], at(0, 10), ["a", "b"], at(0, 10))
    assert metrics.recall_at_1 == 0.5
    assert metrics.mean_average_precision == pytest.approx((1 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("rank", "recalls"),
    [(1, (1, 1, 1)), (2, (0, 1, 1)), (5, (0, 1, 1)), (6, (0, 0, 1)), (10, (0, 0, 1)), (11, (0, 0, 0))],
)
def test_recall_asks_whether_one_of_the_first_is_relevant(rank, recalls):
    labels = ["b"] * 12
    labels[rank - 1] = "a"
    metrics = measure(["a"], at(0), labels, at(*range(1, 13)))
    assert (metrics.recall_at_1, metrics.recall_at_5, metrics.recall_at_10) == recalls
    assert metrics.mean_average_precision == pytest.approx(1 / rank)


def test_precision_is_of_the_first_ten_even_where_fewer_are_relevant():
    metrics = measure(["a"], at(0), ["a", "a", "b"], at(1, 2, 3))
    assert metrics.precision_at_10 == pytest.approx(2 / 10)
    assert metrics.mean_average_precision == 1


def test_only_the_angle_counts():
    assert measure(["a"], at(0), ["a", "b"], at(-1, 2)).recall_at_1 == 1


def test_equal_scores_keep_the_gallerys_order():
    assert measure(["a"], at(0), ["b", "a"], at(5, 5)).recall_at_1 == 0
    assert measure(["a"], at(0), ["a", "b"], at(5, 5)).recall_at_1 == 1


def test_a_query_without_a_relevant_photo_is_left_out():
    metrics = measure(["a", "stranger"], at(0, 0), ["a", "b"], at(0, 10))
    assert metrics.queries == 1
    assert metrics.recall_at_1 == 1


def test_no_relevant_photo_at_all_is_an_error():
    with pytest.raises(ValueError, match="classes must share names"):
        measure(["a"], at(0), ["b"], at(0))


def test_leaving_one_out_takes_the_query_from_its_own_gallery():
    angles, labels = at(0, 1, 10, 12), labels_of(list("abab"))
    metrics = retrieval_metrics(angles, labels, angles, labels, leave_one_out=True)
    # Each query's one relevant photo is behind its neighbour of the other class: a0 ranks b a b, b1 ranks a a b, ...
    assert metrics.queries == 4
    assert metrics.recall_at_1 == 0
    assert metrics.mean_average_precision == pytest.approx((1 / 2 + 1 / 3 + 1 / 3 + 1 / 2) / 4)


def test_leaving_one_out_drops_a_class_of_one():
    angles, labels = at(0, 1, 2), labels_of(list("aab"))
    assert retrieval_metrics(angles, labels, angles, labels, leave_one_out=True).queries == 2


def test_more_queries_than_a_block_are_all_counted():
    count = 1200
    angles, labels = at(*np.linspace(0, 90, count)), labels_of([str(number // 2) for number in range(count)])
    metrics = retrieval_metrics(angles, labels, angles, labels, leave_one_out=True)
    assert metrics.queries == count
    assert 0 < metrics.recall_at_1 <= 1
    assert metrics.recall_at_10 == 1


def test_chance_is_chance():
    random = np.random.default_rng(3)
    vectors = random.normal(size=(400, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = labels_of([str(number % 4) for number in range(400)])
    metrics = retrieval_metrics(vectors, labels, vectors, labels, leave_one_out=True)
    assert math.isclose(metrics.recall_at_1, 0.25, abs_tol=0.08)
    assert math.isclose(metrics.mean_average_precision, 0.25, abs_tol=0.03)
