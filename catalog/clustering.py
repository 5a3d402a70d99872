"""Groups from pairs, by union-find."""

from __future__ import annotations

from collections.abc import Iterable


def connected_components(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Connected components of a graph.

    Args:
        pairs: edges between numbers.

    Returns:
        For each number that occurs, the smallest number of its component.
    """
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
