"""How a filtered query is searched, as every adapter learns it."""

from dataclasses import replace

import pytest

from embeddings.vector_index.filtered_search import (
    AS_UNFILTERED,
    EXACT,
    IN_CELLS,
    Situation,
    Step,
    first_step,
    next_step,
)

# A million points of 128 dimensions, of which up to 20,000 that pass are compared.
SHOP = Situation(wanted=12, passing=80_000, total=1_000_000, scannable=20_000)


def test_a_filter_that_hides_next_to_nothing_is_searched_like_none() -> None:
    assert first_step(replace(SHOP, passing=SHOP.total)) == AS_UNFILTERED
    assert first_step(replace(SHOP, passing=SHOP.total - 20)) == AS_UNFILTERED
    assert next_step(AS_UNFILTERED, SHOP, found=12, place=None) is None


def test_of_few_points_that_pass_all_are_compared() -> None:
    assert first_step(replace(SHOP, passing=500)) == EXACT
    assert first_step(replace(SHOP, passing=0)) == EXACT
    assert next_step(EXACT, SHOP, found=3, place=None) is None


def test_what_passes_right_around_the_query_is_the_answer() -> None:
    around = first_step(SHOP)
    assert around.around >= 4 * SHOP.wanted
    assert not around.exact
    assert next_step(around, SHOP, found=12, place=14) is None


@pytest.mark.parametrize("place", [60, None])
def test_an_answer_from_far_down_is_searched_wider_the_farther_down_the_wider(place: int | None) -> None:
    around = first_step(SHOP)
    found = 12 if place else 6
    wider = next_step(around, SHOP, found=found, place=place)
    assert wider is not None
    assert wider.around > 4 * around.around
    assert wider.in_graph
    widest = next_step(around, SHOP, found=2, place=None)
    assert widest is not None
    assert widest.around >= wider.around
    assert next_step(wider, SHOP, found=12, place=500) is None


def test_where_nothing_around_the_query_passes_the_filter_is_searched_too() -> None:
    for total in (SHOP.total, 100_000):
        shop = replace(SHOP, total=total)
        inside = next_step(first_step(shop), shop, found=0, place=None)
        assert inside is not None
        assert inside.in_graph >= 512
        assert inside.around >= 512
        assert inside.exact == (total == 100_000)


def test_an_answer_that_is_short_is_made_whole_by_comparing_all_that_pass() -> None:
    for step in (AS_UNFILTERED, Step(in_graph=512), Step(around=768, in_graph=128), Step(around=512, exact=True)):
        assert next_step(step, SHOP, found=5, place=None) == EXACT


def test_all_that_pass_are_compared_unless_comparing_everything_is_cheaper() -> None:
    few = replace(SHOP, passing=10_000)
    assert next_step(first_step(few), few, found=3, place=None) == EXACT
    small_shop = replace(SHOP, passing=18_000, total=20_000)
    everything = next_step(first_step(small_shop), small_shop, found=3, place=None)
    assert everything is not None
    assert everything.exact
    assert everything.around
    assert next_step(everything, small_shop, found=12, place=400) is None
    # Under a filter a point takes more than twice the time.
    third = replace(SHOP, passing=33_000, total=100_000)
    assert next_step(first_step(third), third, found=3, place=None) == EXACT
    on_disk = replace(small_shop, in_memory=False)
    assert next_step(first_step(on_disk), on_disk, found=3, place=None) == EXACT


def test_where_there_are_cells_they_answer_whatever_passes() -> None:
    shop = replace(SHOP, in_cells=True)
    assert first_step(shop) == IN_CELLS
    assert first_step(replace(shop, passing=5)) == IN_CELLS
    assert first_step(replace(shop, passing=shop.total)) == AS_UNFILTERED
    for found in (12, 5):
        assert next_step(IN_CELLS, shop, found, place=None) is None
