"""Filters answered exactly, beside or without an engine: the payloads of all points as columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import FieldType, Filter, FilterValue, Range

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

NUMBERS = (FieldType.INTEGER, FieldType.FLOAT)


class Columns(ABC):
    """Which rows of a store meet a filter.

    The payloads are kept in one of two forms. `PayloadColumns` are made from payloads that the store holds anyway, again after each
    write to a field. `PackedColumns` stand for payloads that are elsewhere, take some 30 bytes a row, and change in place.
    """

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def _holding(self, name: str, values: Sequence[FilterValue]) -> NDArray[Any]:
        """The rows that hold one of the values, as a new array: Mask, or what `passing` of the class takes for one."""

    @abstractmethod
    def _between(self, name: str, interval: Range) -> Mask:
        """The rows whose number is in the interval, as a new array."""

    def passing(self, filter: Filter) -> Mask | None:
        """The rows that meet the conditions on payload fields; `exclude_ids` is the caller's.

        Args:
            filter: the conditions.

        Returns:
            bool [rows]; None: the filter has no such condition.
        """
        mask: Mask | None = None
        for met in self._met(filter):
            mask = both(mask, met)
        return mask

    def _met(self, filter: Filter) -> Iterator[NDArray[Any]]:
        """The rows that meet each of the conditions."""
        wanted: list[tuple[str, Sequence[FilterValue]]] = [(name, [value]) for name, value in filter.match.items()]
        wanted += filter.match_any.items()
        wanted += [(name, values) for name, lists in filter.match_each.items() for values in lists]
        for name, values in wanted:
            yield self._holding(name, values)
        for name, interval in filter.ranges.items():
            if interval != Range():
                yield self._between(name, interval)
        for name, values in filter.exclude.items():
            if values:
                yield ~self._holding(name, values)


def mask_of(length: int, *rows: NDArray[Any]) -> Mask:
    """Which of so many rows are among those named.

    Args:
        length: how many rows there are.
        rows: int [n] each.

    Returns:
        bool [length].
    """
    mask = np.zeros(length, dtype=np.bool_)
    for each in rows:
        mask[each] = True
    return mask


def as_number(value: FilterValue) -> int | float:
    """The value of a filter by a field of numbers, as it is compared."""
    return value if isinstance(value, int) else float(value)


def both(mask: NDArray[Any] | None, other: NDArray[Any]) -> NDArray[Any]:
    """What is in both masks, as the first array; None: everything is."""
    if mask is None:
        return other
    mask &= other
    return mask
