"""The steps of rules after the query: who comes earlier, who is one too many, and who has a fixed place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

# The nearest are taken in groups of so many, in whose order boosts and buries move them: pages fit together whatever their size.
MOVED_TOGETHER = 24

Item = TypeVar("Item")


def moved(items: Sequence[Item], places: Sequence[int]) -> list[Item]:
    """Move items within groups of MOVED_TOGETHER.

    Args:
        items: nearest first.
        places: how many places earlier each comes.

    Returns:
        The items in their new order; what is not moved keeps its order.
    """
    order: list[int] = []
    for start in range(0, len(items), MOVED_TOGETHER):
        group = range(start, min(start + MOVED_TOGETHER, len(items)))
        order += sorted(group, key=lambda position: (position - places[position], -places[position], position))
    return [items[position] for position in order]


def is_settled(places: Sequence[int], wanted: int, earliest: int) -> bool:
    """Whether the first items of the order are the same whatever comes behind the known ones.

    Args:
        places: as for `moved`, of the nearest items.
        wanted: how many are the first.
        earliest: how many places earlier any item may come.

    Returns:
        Whether `moved` puts the same first, with more items and without.
    """
    start = wanted // MOVED_TOGETHER * MOVED_TOGETHER
    own = places[start : start + MOVED_TOGETHER]
    if len(places) < wanted or wanted == start or len(own) == MOVED_TOGETHER:
        return len(places) >= wanted
    # The next item, and each behind it, comes here at the earliest.
    here = len(own) - earliest
    return sum(position - each < here for position, each in enumerate(own)) >= wanted - start


def at_most(
    items: Iterable[Item], brand_of: Callable[[Item], str], number: int, counted: Iterable[str] = ()
) -> tuple[list[Item], set[str]]:
    """Keep the first items of each brand.

    Args:
        items: best first.
        brand_of: the brand of an item; "" for none, of which all are kept.
        number: how many of a brand are kept.
        counted: brands that are shown already, one entry for each product.

    Returns:
        What is kept, and the brands of which no more may be shown.
    """
    counts = Counter(counted)
    kept = []
    for item in items:
        brand = brand_of(item)
        if not brand or counts[brand] < number:
            counts[brand] += 1
            kept.append(item)
    return kept, {brand for brand, count in counts.items() if brand and count >= number}


def pinned(items: Sequence[Item], pins: Mapping[int, Item]) -> list[Item]:
    """Put items at their places, and the others around them.

    Args:
        items: the others, in order.
        pins: by place, from 1; a place behind the end is the end.

    Returns:
        All of them.
    """
    placed = list(items)
    for place in sorted(pins):
        placed.insert(place - 1, pins[place])
    return placed
