"""What is kept of an index's points, whether they were read one by one or in the order of their ids."""

import numpy as np

from embeddings.vector_index.known_points import KnownPoint, KnownPoints


def point(number: int) -> KnownPoint:
    return KnownPoint(2 * number, np.full(16, number, np.float32).tobytes())


def points(*numbers: int) -> dict[int, KnownPoint]:
    return {number: point(number) for number in numbers}


def test_points_read_in_order_are_found_among_ids_that_are_not_there() -> None:
    known = KnownPoints()
    assert known.find([1, 2]) == {}
    known.keep_in_order(points(*range(0, 50, 2)), writes=known.writes, expected=10)
    known.keep_in_order(points(*range(50, 500, 2)), writes=known.writes, expected=10)
    assert known.find([0, 1, 48, 50, 498, 500, 2**64 - 1]) == points(0, 48, 50, 498)


def test_a_point_that_was_written_is_unknown_until_it_is_read_again() -> None:
    known = KnownPoints()
    before = known.writes
    known.keep_in_order(points(1, 2), writes=before, expected=2)
    known.keep(points(3), writes=before)
    known.forget([2, 3, 4])
    assert known.find([1, 2, 3, 4]) == points(1)
    # Read before the write.
    known.keep(points(3), writes=before)
    known.keep_in_order(points(4), writes=before, expected=2)
    assert known.find([3, 4]) == {}
    known.keep({2: point(7)}, writes=known.writes)
    known.keep_in_order(points(9), writes=known.writes, expected=2)
    assert known.find([1, 2, 9]) == {**points(1, 9), 2: point(7)}


def test_writes_are_numbered_in_all_objects() -> None:
    known = KnownPoints()
    seen = {known.writes, KnownPoints().writes}
    known.forget([1])
    assert len({known.writes, *seen}) == 3
