"""The retrieval metrics against values worked out by hand, and against a library of the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, P, Success, nDCG

from embeddings.evaluation.metrics import (
    METRICS,
    PerQuery,
    RetrievalMetrics,
    bootstrap_intervals,
    confusion,
    labels_of,
    mean_metrics,
    nearest_labels,
    per_class,
    per_query_metrics,
    retrieval_metrics,
)


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane, at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def drawn(count: int, dim: int = 16, seed: int = 3) -> np.ndarray:
    """Unit vectors in random directions."""
    vectors = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measure(query_labels: Sequence[str], queries: np.ndarray, labels: Sequence[str], gallery: np.ndarray):
    return retrieval_metrics(queries, labels_of(query_labels), gallery, labels_of(labels))


def test_one_query():
    # Ranks 1 to 5, nearest first: b a b a a. The precision at the relevant ranks is 1/2, 2/4 and 3/5.
    metrics = measure(["a"], at(0), list("babaa"), at(1, 2, 3, 4, 5))
    gain = 1 / math.log2(3) + 1 / math.log2(5) + 1 / math.log2(6)
    assert metrics == RetrievalMetrics(
        queries=1,
        recall_at_1=0,
        recall_at_5=1,
        recall_at_10=1,
        precision_at_10=pytest.approx(3 / 10),
        mean_average_precision=pytest.approx((1 / 2 + 2 / 4 + 3 / 5) / 3),
        # Three are relevant, so the first three ranks count, and one of them is.
        map_at_r=pytest.approx(1 / 2 / 3),
        ndcg_at_10=pytest.approx(gain / (1 + 1 / math.log2(3) + 1 / math.log2(4))),
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
    assert metrics.map_at_r == (1 if rank == 1 else 0)
    assert metrics.ndcg_at_10 == pytest.approx(1 / math.log2(rank + 1) if rank <= 10 else 0)


def test_precision_is_of_the_first_ten_even_where_fewer_are_relevant():
    metrics = measure(["a"], at(0), ["a", "a", "b"], at(1, 2, 3))
    assert metrics.precision_at_10 == pytest.approx(2 / 10)
    assert metrics.mean_average_precision == metrics.map_at_r == metrics.ndcg_at_10 == 1


def test_a_perfect_answer_has_the_best_ndcg_with_more_than_ten_relevant():
    metrics = measure(["a"], at(0), ["a"] * 12 + ["b"], at(*range(13)))
    assert metrics.ndcg_at_10 == pytest.approx(1)


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


def test_other_photos_of_the_querys_product_are_no_answer():
    gallery, labels, products = at(1, 2, 3), labels_of(["a", "b", "a"]), labels_of(["lamp", "", "vase"])
    query = (at(0), labels_of(["a"]), gallery, labels)
    assert retrieval_metrics(*query).recall_at_1 == 1
    apart = per_query_metrics(*query, query_groups=labels_of(["lamp"]), gallery_groups=products)
    # The lamp is out, so the answer is the photo at 2 degrees, then the vase.
    assert apart.nearest[0].tolist() == [1, 2] + [-1] * 8
    assert mean_metrics(apart).mean_average_precision == pytest.approx(1 / 2)


def test_photos_of_unknown_products_stay_in_the_answer():
    unknown = labels_of([""])
    metrics = retrieval_metrics(
        at(0), labels_of(["a"]), at(1), labels_of(["a"]), query_groups=unknown, gallery_groups=unknown
    )
    assert metrics.recall_at_1 == 1


def test_a_query_whose_class_is_its_own_product_alone_is_left_out():
    angles, labels, products = at(0, 1, 2, 3), labels_of(list("aabb")), labels_of(["lamp", "lamp", "cup", "jug"])
    per_query = per_query_metrics(
        angles, labels, angles, labels, leave_one_out=True, query_groups=products, gallery_groups=products
    )
    assert per_query.counted.tolist() == [False, False, True, True]
    assert np.isnan(per_query.values[:2]).all()


def test_products_of_one_side_alone_are_an_error():
    with pytest.raises(ValueError, match="both sides"):
        retrieval_metrics(at(0), labels_of(["a"]), at(0), labels_of(["a"]), query_groups=labels_of(["lamp"]))


def test_an_empty_gallery_answers_nothing():
    per_query = per_query_metrics(at(0), labels_of(["a"]), np.zeros((0, 2), np.float32), labels_of([]))
    assert not per_query.counted.any()
    assert (per_query.nearest == -1).all()


def test_more_queries_than_a_block_are_all_counted():
    count = 1200
    angles, labels = at(*np.linspace(0, 90, count)), labels_of([str(number // 2) for number in range(count)])
    metrics = retrieval_metrics(angles, labels, angles, labels, leave_one_out=True)
    assert metrics.queries == count
    assert 0 < metrics.recall_at_1 <= 1
    assert metrics.recall_at_10 == 1


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    vectors, labels = drawn(60), labels_of([str(number % 4) for number in range(60)])
    whole = per_query_metrics(vectors, labels, vectors, labels, leave_one_out=True)
    monkeypatch.setattr("embeddings.evaluation.metrics.BLOCK_CELLS", 60 * 7)
    blocks = per_query_metrics(vectors, labels, vectors, labels, leave_one_out=True)
    np.testing.assert_allclose(blocks.values, whole.values)
    assert (blocks.nearest == whole.nearest).all()


def test_chance_is_chance():
    vectors, labels = drawn(400), labels_of([str(number % 4) for number in range(400)])
    metrics = retrieval_metrics(vectors, labels, vectors, labels, leave_one_out=True)
    assert math.isclose(metrics.recall_at_1, 0.25, abs_tol=0.08)
    assert math.isclose(metrics.mean_average_precision, 0.25, abs_tol=0.03)


@pytest.mark.parametrize(("classes", "photos"), [(3, 90), (25, 90), (2, 7)])
def test_agrees_with_ir_measures(classes, photos):
    random = np.random.default_rng(classes)
    queries, gallery = drawn(20, seed=1), drawn(photos, seed=2)
    query_labels, labels = (labels_of(random.integers(classes, size=size).astype(str)) for size in (20, photos))
    per_query = per_query_metrics(queries, query_labels, gallery, labels)
    scores = queries @ gallery.T
    assert all(len(set(row)) == photos for row in scores.tolist()), "ties are broken in another way there"
    run = {str(q): {str(g): float(scores[q, g]) for g in range(photos)} for q in range(20)}
    judged = {str(q): {str(g): int(labels[g] == query_labels[q]) for g in range(photos)} for q in range(20)}
    relevant = {q: sum(judged[q].values()) for q in judged}
    at_r = [AP @ total for total in set(relevant.values()) if total]
    measures = [Success @ 1, Success @ 5, Success @ 10, P @ 10, AP, nDCG @ 10]
    theirs = {(it.query_id, it.measure): it.value for it in ir_measures.iter_calc([*measures, *at_r], judged, run)}
    for query in range(20):
        total = relevant[str(query)]
        assert per_query.counted[query] == (total > 0)
        if total:
            # AP@k divides by all relevant photos, so with k = R it is mAP@R.
            expected = [theirs[str(query), it] for it in [*measures[:5], AP @ total, measures[5]]]
            np.testing.assert_allclose(per_query.values[query], expected, atol=5e-7)


def test_the_values_are_in_the_order_of_their_names():
    per_query = per_query_metrics(at(0), labels_of(["a"]), at(1, 2, 3, 4, 5), labels_of(list("babaa")))
    metrics = mean_metrics(per_query)
    assert [getattr(metrics, name) for name in METRICS] == per_query.values[0].tolist()
    assert list(metrics.as_dict()) == ["queries", *METRICS]


def scored(*values: float) -> PerQuery:
    """Queries whose metrics are all this value; NaN is a query that is not counted."""
    column = np.asarray(values)
    return PerQuery(
        np.tile(column[:, None], (1, len(METRICS))), ~np.isnan(column), np.zeros((len(values), 10), np.int64)
    )


def test_an_interval_holds_the_mean_and_narrows_with_the_queries():
    few, many = (bootstrap_intervals(scored(*np.tile([0.0, 1.0, math.nan], count)))["map_at_r"] for count in (10, 1000))
    assert few[0] < many[0] < 0.5 < many[1] < few[1]
    # The normal approximation of the mean of 2000 coins.
    assert many[1] - many[0] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(2000), rel=0.15)


def test_intervals_come_out_the_same_again():
    per_query = scored(*np.random.default_rng(5).random(50))
    assert bootstrap_intervals(per_query) == bootstrap_intervals(per_query)
    assert bootstrap_intervals(per_query) != bootstrap_intervals(per_query, seed=1)


def test_a_lower_level_makes_a_narrower_interval():
    per_query = scored(*np.random.default_rng(5).random(50))
    wide, narrow = (bootstrap_intervals(per_query, level=level)["recall_at_1"] for level in (0.95, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_nothing_counted_has_no_interval():
    with pytest.raises(ValueError, match="nothing to resample"):
        bootstrap_intervals(scored(math.nan))


def test_classes_are_measured_apart():
    classes = per_class(scored(1, 0, 0.5, math.nan, math.nan), labels_of(["hat", "hat", "shoe", "hat", "scarf"]))
    assert list(classes) == ["hat", "shoe"]
    assert astuple(classes["hat"]) == (2, *[0.5] * 7)
    assert astuple(classes["shoe"]) == (1, *[0.5] * 7)


def test_confusion_says_what_a_class_is_taken_for():
    names, shares = confusion(labels_of(["hat", "hat", "shoe", "shoe"]), labels_of(["hat", "cap", "shoe", ""]))
    assert names == ["cap", "hat", "shoe"]
    np.testing.assert_array_equal(shares, [[0, 0, 0], [0.5, 0.5, 0], [0, 0, 1]])


def test_the_nearest_photos_class_is_unknown_where_nothing_was_to_be_found():
    per_query = per_query_metrics(at(0, 9), labels_of(["a", "stranger"]), at(0, 10), labels_of(["a", "long name"]))
    assert nearest_labels(per_query, labels_of(["a", "long name"])).tolist() == ["a", ""]
