"""One-to-one assignment over sparse candidates: successive shortest augmenting paths with potentials (Edmonds and Karp, 1972).

The sum of the weights is the highest possible, and a pair is left out where that brings more: each row may stay alone at weight 0.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

_ROUNDING = 1e-12


def assign(pairs: Iterable[tuple[int, int, float]]) -> dict[int, int]:
    """Assign rows to columns, each at most once, so that the sum of the weights is the highest.

    Args:
        pairs: row, column and weight; of a pair that occurs twice the highest weight counts, and weights of 0 and less never do.

    Returns:
        The column of each assigned row.
    """
    edges: defaultdict[int, dict[int, float]] = defaultdict(dict)
    for row, column, weight in pairs:
        if weight > edges[row].get(column, 0.0):
            edges[row][column] = weight
    assignment = _Assignment(edges)
    for row in sorted(edges):
        assignment.include(row)
    return assignment.column_of


class _Assignment:
    """The best assignment of the rows that were included.

    Attributes:
        column_of, row_of: the assignment.
        row_dual, column_dual: dual variables: weight(row, column) <= row_dual + column_dual, with equality where assigned.
    """

    def __init__(self, edges: dict[int, dict[int, float]]) -> None:
        self._edges = edges
        self.column_of: dict[int, int] = {}
        self.row_of: dict[int, int] = {}
        self._row_dual = {row: max(columns.values(), default=0.0) for row, columns in edges.items()}
        self._column_dual: defaultdict[int, float] = defaultdict(float)

    def include(self, start: int) -> None:
        """Give a row a column, or leave one row of the way there alone, whichever costs least."""
        path = _Path(start, self._row_dual[start])
        self._relax(start, 0.0, path)
        free = self._search(path)
        length = path.alone_cost if free is None else path.distance[free]
        for row, cost in path.rows.items():
            self._row_dual[row] -= max(length - cost, 0.0)
        for column in path.done:
            self._column_dual[column] += max(length - path.distance[column], 0.0)
        if free is not None:
            self._flip(start, free, path.reached_from)
        elif path.alone != start:
            self._flip(start, self.column_of.pop(path.alone), path.reached_from)

    def _search(self, path: _Path) -> int | None:
        """Dijkstra over columns, until one is free; None: leaving `path.alone` alone costs less."""
        while path.queue:
            cost, column = heapq.heappop(path.queue)
            if column in path.done or cost > path.distance[column]:
                continue
            if cost >= path.alone_cost:
                return None
            path.done.add(column)
            row = self.row_of.get(column)
            if row is None:
                return column
            path.rows[row] = cost
            if cost + self._row_dual[row] < path.alone_cost:
                path.alone, path.alone_cost = row, cost + self._row_dual[row]
            self._relax(row, cost, path)
        return None

    def _relax(self, row: int, so_far: float, path: _Path) -> None:
        for column, weight in self._edges[row].items():
            cost = so_far + self._row_dual[row] + self._column_dual[column] - weight
            if column not in path.done and cost < path.distance.get(column, math.inf) - _ROUNDING:
                path.distance[column], path.reached_from[column] = cost, row
                heapq.heappush(path.queue, (cost, column))

    def _flip(self, start: int, column: int, reached_from: dict[int, int]) -> None:
        """Change the assignment along the way to a column that is free now."""
        while True:
            row = reached_from[column]
            previous = self.column_of.get(row)
            self.column_of[row], self.row_of[column] = column, row
            if row == start or previous is None:
                return
            column = previous


@dataclass
class _Path:
    """The cheapest ways from a row: to columns, and to each row that would stay alone instead."""

    alone: int
    alone_cost: float
    distance: dict[int, float] = field(default_factory=dict)
    reached_from: dict[int, int] = field(default_factory=dict)
    rows: dict[int, float] = field(default_factory=dict)
    queue: list[tuple[float, int]] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rows[self.alone] = 0.0
