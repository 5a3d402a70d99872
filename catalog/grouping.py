"""What belongs together, given pairs of it."""

from __future__ import annotations

from collections.abc import Iterable


def first_of_group(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The smallest number of its group for each number that occurs: two are of one group where a chain of pairs joins them."""
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        parent.setdefault(number, number)
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return {number: root(number) for number in parent}
