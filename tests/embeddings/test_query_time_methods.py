"""The orders that `bench.query_time` compares, against values worked out by hand and the paper's steps one by one."""

from __future__ import annotations

import numpy as np
import pytest

from bench.query_time_methods import (
    Pool,
    by_expansion,
    by_reciprocal_rank,
    drawn_to_neighbours,
    jaccard_distances,
    squared_distances,
    unit,
)


def at(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane, at these angles."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def pool(query: float, *degrees: float) -> Pool:
    """What a query at an angle found."""
    return Pool(at(query)[0], at(*degrees), at(*degrees) @ at(query)[0])


def test_an_expanded_query_moves_towards_what_it_found():
    # The mean of 0 and 10 degrees is at 5, from where 14 is nearer than -6.
    assert by_expansion(1)(pool(0, 10, -6, 14)).argsort()[::-1].tolist() == [0, 2, 1]


def test_a_photo_that_is_nearest_to_the_query_gains_more_than_one_with_nearer_neighbours():
    # Of 10, 11, 12 and 13 degrees, each has the three others nearer than the query; nothing is nearer to -12.
    cosines = np.cos(np.radians([10, 11, -12, 12, 13]))
    scores = by_reciprocal_rank(0.02)(pool(0, 10, 11, -12, 12, 13))
    assert scores == pytest.approx(cosines + 0.02 / np.array([4, 4, 1, 4, 4]))
    assert scores.argmax() == 2


def test_how_much_reciprocal_neighbours_have_in_common():
    # A row of five points. Two steps away one is among the two nearest of an end, which is not among its two nearest, so
    # reciprocal are only neighbours. A neighbour weighs half of the point itself: (2/3, 1/3, 0, 0, 0), (1/4, 1/2, 1/4, 0, 0),
    # (0, 1/4, 1/2, 1/4, 0) ... The first two have 1/4 + 1/3 of 2 - (1/4 + 1/3) in common, the first and the third 1/4 of 7/4.
    places = np.arange(5)
    distances = np.log(2) * np.abs(places[:, None] - places)
    found = jaccard_distances(distances.astype(np.float32), 2, 1)
    assert found == pytest.approx([0, 1 - 7 / 17, 1 - 1 / 7, 1, 1])


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (5, 2)])
def test_reciprocal_neighbours_as_the_paper_finds_them(k1, k2):
    vectors = np.random.default_rng(3).normal(size=(51, 8)).astype(np.float32)
    distances = squared_distances(unit(vectors))
    assert jaccard_distances(distances, k1, k2) == pytest.approx(step_by_step(distances, k1, k2), abs=1e-6)


def step_by_step(distances: np.ndarray, k1: int, k2: int) -> np.ndarray:
    """Zhong et al. (2017), equations 2 to 11."""
    everyone = range(len(distances))
    nearest = [np.argsort(row, kind="stable").tolist() for row in distances]

    def reciprocal(point: int, k: int) -> set[int]:
        return {other for other in nearest[point][: k + 1] if point in nearest[other][: k + 1]}

    features = np.zeros_like(distances)
    for point in everyone:
        found = own = reciprocal(point, k1)
        for other in own:
            theirs = reciprocal(other, round(k1 / 2))
            if len(theirs & own) > 2 / 3 * len(theirs):
                found = found | theirs
        for other in found:
            features[point, other] = np.exp(-distances[point, other])
        features[point] /= features[point].sum()
    local = np.array([features[nearest[point][:k2]].mean(axis=0) for point in everyone])
    return np.array([1 - np.minimum(local[0], each).sum() / np.maximum(local[0], each).sum() for each in local])


def test_each_vector_of_a_gallery_is_drawn_to_its_neighbours():
    assert drawn_to_neighbours(at(0, 10, 40), 1) == pytest.approx(at(5, 5, 25), abs=1e-6)
    # The mean of 10 and -10 degrees is the vector itself, a little shorter.
    assert drawn_to_neighbours(at(0, 10, -10, 120), 2, 0.5)[0] == pytest.approx(at(0)[0], abs=1e-6)
