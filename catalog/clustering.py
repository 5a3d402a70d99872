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


def clusters(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Groups whose members are connected with most of each other: two groups become one if at least half of the pairs between them
    are there, the pairs being taken in their order. Between connected components this is their only difference.

    Args:
        pairs: edges between numbers, the strongest first.

    Returns:
        For each number that occurs, the smallest number of its group.
    """
    edges: dict[int, set[int]] = {}
    ordered = list(pairs)
    for one, other in ordered:
        edges.setdefault(one, set()).add(other)
        edges.setdefault(other, set()).add(one)
    members = {number: {number} for number in edges}
    for one, other in ordered:
        left, right = members[one], members[other]
        if left is right:
            continue
        there = sum(len(edges[number] & right) for number in left)
        if 2 * there >= len(left) * len(right):
            left |= right
            for number in right:
                members[number] = left
    return {number: min(group) for number, group in members.items()}
