"""What finds candidates under a filter: payloads as packed columns, and vectors by cells."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embeddings.vector_index import cells as cells_module
from embeddings.vector_index.base import PAYLOAD_FIELDS, Filter, Range
from embeddings.vector_index.cells import Cells, Gathering
from embeddings.vector_index.k_means import divided
from embeddings.vector_index.packed_columns import PackedColumns, PayloadReader, rows_between
from embeddings.vector_index.payload_columns import PayloadColumns
from embeddings.vector_index.products import products
from embeddings.vector_index.sign_bits import SignBits

POINTS, DIM, CLUSTERS = 6_000, 32, 150


def payload(number: int) -> dict[str, Any]:
    """Of the point, two of which are of one product; now and then a field is missing."""
    cluster = number % CLUSTERS
    held = {
        "product_id": number // 2,
        "category": [f"d{cluster % 5}", f"d{cluster % 5}/k{cluster % 25}"],
        "brand": f"brand {cluster % 60}",
        "price": (number * 7 % 1000) / 10,
        "currency": "EUR",
        "available": number % 4 > 0,
        "active": True,
        "tags": [f"tag {each}" for each in range(8) if number % (each + 2) == 0],
        "attributes": [f"colour={number % 3}"],
    }
    return {name: value for name, value in held.items() if name == "product_id" or number % 41 or name == "available"}


PAYLOADS = [payload(number) for number in range(POINTS)]

FILTERS = {
    "a category": Filter(match={"category": "d1"}),
    "one of two": Filter(match_any={"category": ["d1/k1", "d2"]}),
    "none of two": Filter(exclude={"category": ["d1/k1", "d2"], "brand": ["brand 7"]}),
    "of no value": Filter(match_any={"brand": []}),
    "of an unknown value": Filter(match={"brand": "brand 1000"}),
    "without an unknown value": Filter(exclude={"brand": ["brand 1000"]}),
    "each of two tags": Filter(match_each={"tags": [["tag 0"], ["tag 1", "tag 5"]]}),
    "from a price": Filter(ranges={"price": Range(gte=75.2)}),
    "up to a price": Filter(ranges={"price": Range(lte=24.9)}),
    "between prices": Filter(ranges={"price": Range(gte=20, lte=50)}),
    "any price": Filter(ranges={"price": Range()}),
    "a price": Filter(match={"price": 0.7}),
    "another price": Filter(exclude={"price": [0.7, 1.4]}),
    "sold out": Filter(match={"available": False}),
    "one of values that many and few hold": Filter(match_any={"attributes": ["colour=1"], "tags": ["tag 0", "tag 7"]}),
    "one of a large category and a small one": Filter(match_any={"category": ["d1", "d2/k2", "d3"]}),
    "none of them, and in stock up to a price": Filter(
        match={"available": True}, exclude={"category": ["d1", "d2/k2"]}, ranges={"price": Range(lte=60)}
    ),
    "not sold out": Filter(exclude={"available": [False]}),
    "a product": Filter(match={"product_id": 17}),
    "products": Filter(match_any={"product_id": [17, 5, 2_900, 10_000]}),
    "other products": Filter(exclude={"product_id": [17, 5]}),
    "some products": Filter(ranges={"product_id": Range(gte=100, lte=200)}),
    "several at once": Filter(match={"available": True, "currency": "EUR"}, ranges={"price": Range(lte=30)}),
    "nothing": Filter(),
}


def vectors() -> NDArray[np.float32]:
    draw = np.random.default_rng(1)
    rows = draw.standard_normal((CLUSTERS, DIM))[np.arange(POINTS) % CLUSTERS] + 0.5 * draw.standard_normal(
        (POINTS, DIM)
    )
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


VECTORS = vectors()


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    gathering = Gathering(tmp_path, DIM, lambda: None)
    for start in range(0, POINTS, 100):
        gathering.add({number + 10: (VECTORS[number], PAYLOADS[number]) for number in range(start, start + 100)})
    yield gathering.made()
    gathering.close()
    assert not [*tmp_path.iterdir()]


def found(cells: Cells, number: int, filter: Filter, wanted: int = 10) -> list[int]:
    passing = cells.passing(filter)
    assert passing is not None
    return cells.candidates(VECTORS[number], passing, int(passing.sum()), wanted)


@pytest.mark.parametrize("name", FILTERS)
def test_packed_columns_let_through_what_the_payloads_meet(name: str) -> None:
    reader = PayloadReader()
    for each in PAYLOADS:
        reader.add(each)
    order = np.random.default_rng(2).permutation(POINTS)
    packed, columns = (
        PackedColumns(reader, order).passing(FILTERS[name]),
        PayloadColumns(PAYLOADS).passing(FILTERS[name]),
    )
    assert (packed is None) == (columns is None)
    if packed is not None and columns is not None:
        assert (packed == columns[order]).all()


@pytest.mark.parametrize("name", FILTERS)
def test_the_nearest_that_pass_are_among_the_candidates(cells: Cells, name: str) -> None:
    passing = PayloadColumns(PAYLOADS).passing(FILTERS[name])
    passing = np.ones(POINTS, np.bool_) if passing is None else passing
    shares = []
    for number in range(0, POINTS, 401):
        candidates = found(cells, number, FILTERS[name])
        assert all(passing[each - 10] for each in candidates)
        scores = np.where(passing, VECTORS @ VECTORS[number], -np.inf)
        nearest = [int(each) for each in np.argsort(-scores)[:10] if passing[each]]
        shares += [each + 10 in candidates for each in nearest]
    assert not shares or np.mean(shares) >= 0.99


@pytest.mark.parametrize("by_signs", [False, True], ids=["one by one", "by signs first"])
def test_few_points_of_other_cells_are_overlooked_however_many_pass(
    cells: Cells, by_signs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the points pass, and a quarter, and none that is near: the query's own cluster is hidden."""
    if by_signs:  # as in a large collection, of which a large part passes
        monkeypatch.setattr(cells_module, "_BY_SIGNS", 1)
        monkeypatch.setattr(cells_module, "_WIDE_PART", 0.0)
    shares = []
    for number in range(0, POINTS, 97):
        hidden = [row + 10 for row in range(POINTS) if row % CLUSTERS == number % CLUSTERS]
        for price in (50.0, 75.0, -1.0):
            passing = np.array([each.get("price") is not None and each["price"] >= price for each in PAYLOADS])
            passing[np.array(hidden) - 10] = False
            scores = np.where(passing, VECTORS @ VECTORS[number], -np.inf)
            candidates = found(cells, number, Filter(ranges={"price": Range(gte=price)}, exclude_ids=hidden))
            shares += [int(each) + 10 in candidates for each in np.argsort(-scores)[:10]]
    assert np.mean(shares) >= 0.99


@pytest.mark.parametrize("dim", [60, 64, 100])
def test_signs_show_which_vectors_may_be_near_enough(dim: int) -> None:
    draw = np.random.default_rng(5)
    beside = draw.standard_normal((5_000, dim)).astype(np.float32)
    targets = draw.standard_normal((60, dim)).astype(np.float32)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    # Cells of 1, 2 ... 16 vectors, again and again.
    bounds = np.cumsum([0, *([*range(1, 17)] * 37)])
    bounds = np.append(bounds[bounds < 5_000], 5_000)
    signs = SignBits(dim, bounds).measure(beside[:1_000], np.ones(1_000, np.float32), targets)
    for start in range(0, 5_000, 777):
        signs.put(start, beside[start : start + 777])
    cells = np.arange(0, len(bounds) - 1, 2)
    rows = rows_between(bounds[cells], bounds[cells + 1])
    near, kept, looked_at = 0, 0, 0
    for target in targets:
        along = beside @ target
        found = signs.reaching(target, cells, np.full(len(cells), 2.0, np.float32), 3.5)
        assert {*found.tolist()} <= {*rows.tolist()}
        assert len({*found.tolist()}) == len(found)
        reaching = {*rows[along[rows] >= 2].tolist()}
        near, kept, looked_at = near + len(reaching), kept + len(reaching & {*found.tolist()}), looked_at + len(found)
    assert kept >= 0.998 * near
    assert looked_at < 0.8 * len(rows) * len(targets)


def test_the_vectors_farthest_from_their_centres_are_in_the_nearest_of_all_cells() -> None:
    """In one among their nearest groups alone they may be with unlike ones, where a search for their like overlooks them."""
    draw = np.random.default_rng(6)
    rows = draw.standard_normal((600, 64))[np.arange(30_000) % 600] + 0.7 * draw.standard_normal((30_000, 64))
    vectors = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    cells = divided(vectors, lambda: None)
    assert sorted(cells.order.tolist()) == [*range(30_000)]
    of_cell = np.repeat(np.arange(len(cells.centres)), np.diff(cells.bounds))
    squares = np.square(vectors[cells.order] - cells.centres[of_cell]).sum(axis=1)
    farthest = np.argsort(-squares)[:100]
    others = np.square(vectors[cells.order[farthest]][:, None] - cells.centres).sum(axis=2)
    assert np.allclose(others.min(axis=1), squares[farthest], atol=1e-4)


def test_the_nearest_have_exact_scores_and_equal_vectors_equal_ones(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, DIM, lambda: None)
    rows = VECTORS.copy()
    rows[5::200] = rows[5]
    gathering.add({number: (rows[number], PAYLOADS[number]) for number in range(POINTS)})
    cells = gathering.made()
    passing = cells.passing(Filter(exclude={"category": ["d9"]}))
    assert passing is not None
    nearest = cells.nearest(rows[5], passing, int(passing.sum()), 40)
    assert {each.id for each in nearest[:30]} == {*range(5, POINTS, 200)}
    assert len({each.score for each in nearest[:30]}) == 1
    assert [each.score for each in nearest] == sorted((each.score for each in nearest), reverse=True)
    assert np.allclose([each.score for each in nearest], rows[[each.id for each in nearest]] @ rows[5], atol=1e-6)
    gathering.close()


def test_threads_that_ask_at_the_same_time_get_what_each_gets_alone(cells: Cells) -> None:
    alone = [found(cells, number, FILTERS["nothing"]) for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        together = threads.map(lambda number: found(cells, number, FILTERS["nothing"]), range(40))
        assert [*together] == alone


@pytest.mark.parametrize("shape", [(0, 32), (7, 32), (3_000, 32), (5, 20_000)])
def test_products_in_pieces_are_the_products(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(4)
    rows, one = draw.standard_normal(shape, np.float32), draw.standard_normal(shape[1], np.float32)
    several = draw.standard_normal((shape[1], 11), np.float32)
    assert np.allclose(products(rows, one), rows.astype(float) @ one, atol=1e-2)
    assert np.allclose(products(rows, several), rows.astype(float) @ several, atol=1e-2)


def test_ranges_of_rows_follow_each_other() -> None:
    starts, ends = np.array([5, 0, 7, 9]), np.array([8, 0, 8, 11])
    assert rows_between(starts, ends).tolist() == [5, 6, 7, 7, 9, 10]
    assert rows_between(starts[:0], ends[:0]).tolist() == []


def test_all_photos_that_show_the_same_are_candidates(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, DIM, lambda: None)
    rows = VECTORS.copy()
    rows[:30] = rows[0] + 1e-4 * np.random.default_rng(3).standard_normal((30, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gathering.add({number: (rows[number], PAYLOADS[number]) for number in range(POINTS)})
    cells = gathering.made()
    assert {*range(30)} <= {*found(cells, 0, Filter(exclude_ids=[40]))}


def test_points_that_were_written_are_candidates_of_every_query_and_others_no_more(cells: Cells) -> None:
    best = found(cells, 0, Filter())[0]
    cells.upserted([best, 90_000])
    assert cells.written == {best, 90_000}
    assert best not in found(cells, 0, Filter())
    cells.deleted([best])
    assert cells.written == {90_000}
    assert best not in found(cells, 0, Filter())


def test_prices_and_stock_change_in_their_place(cells: Cells) -> None:
    bargain = Filter(match={"available": True}, ranges={"price": Range(lte=-1)})
    assert found(cells, 0, bargain) == []
    cells.patched([10, 11, 12], {"price": -2.0, "available": True})
    assert {*found(cells, 0, bargain)} == {10, 11, 12}
    cells.patched([11], {"available": False})
    cells.patched([12], {"price": None})
    # As the catalogue writes it: with everything else as it was.
    cells.patched([10], {**dict.fromkeys(PAYLOAD_FIELDS), **PAYLOADS[0], "price": -3.0, "available": True})
    assert found(cells, 0, bargain) == [10]
    assert not cells.written
    assert 11 in found(cells, 1, Filter(match={"available": False}, ranges={"price": Range(lte=-1)}))


@pytest.mark.parametrize(
    "change",
    [
        {"brand": "another"},
        {"tags": ["tag 1"]},
        {"product_id": 4},
        {**PAYLOADS[3], "category": ["d9"]},
        {"price": [1.0, 2.0]},
    ],
)
def test_a_point_whose_words_change_is_looked_at_by_the_engine(cells: Cells, change: dict[str, Any]) -> None:
    cells.patched([13], change)
    assert cells.written == {13}
    assert 13 not in found(cells, 3, Filter())


def test_cells_are_old_once_many_points_were_written(cells: Cells) -> None:
    cells.upserted(range(100_000, 101_000))
    assert not cells.are_old
    cells.upserted([200_000])
    assert cells.are_old


def test_a_filter_by_a_field_with_several_numbers_is_the_engines(tmp_path: Path) -> None:
    gathering = Gathering(tmp_path, DIM, lambda: None)
    gathering.add({1: (VECTORS[0], {"product_id": 1, "price": [1.0, 2.0]}), 2: (VECTORS[1], {"product_id": 2})})
    cells = gathering.made()
    assert cells.passing(Filter(ranges={"price": Range(lte=3)})) is None
    assert cells.passing(Filter(match={"product_id": 2})) is not None
