"""The payloads that a store holds, as columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import PAYLOAD_FIELDS, FieldType, FilterValue, Payload, Range
from embeddings.vector_index.columns import NUMBERS, Columns, Mask, Rows, as_number, mask_of


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A field of numbers: its values in ascending order, and the row of each."""

    values: NDArray[np.float64] | NDArray[np.int64]
    rows: Rows

    def between(self, gte: FilterValue | None, lte: FilterValue | None) -> Rows:
        start = 0 if gte is None else np.searchsorted(self.values, as_number(gte), side="left")
        end = len(self.values) if lte is None else np.searchsorted(self.values, as_number(lte), side="right")
        return self.rows[start:end]


@dataclass(frozen=True, slots=True)
class _Words:
    """A field of keywords or booleans: the rows of each value."""

    rows: dict[Any, Rows]


class PayloadColumns(Columns):
    """The payloads of the rows of a store, by column.

    A column is made from all payloads when a filter first needs it, and again after a write to its field (100,000 points: some
    50 ms), so it suits collections that are read more often than they are written.
    """

    def __init__(self, payloads: Sequence[Payload]) -> None:
        """Begin without columns.

        Args:
            payloads: of the rows, as they are stored (`stored_payload`); the caller changes them, and calls `forget`.
        """
        self._payloads = payloads
        self._columns: dict[str, _Numbers | _Words] = {}
        self._making = Lock()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._payloads)

    def forget(self, fields: Iterable[str] = PAYLOAD_FIELDS) -> None:
        """What is known of these fields is out of date."""
        for name in fields:
            self._columns.pop(name, None)

    def _holding(self, name: str, values: Sequence[FilterValue]) -> Mask:
        if PAYLOAD_FIELDS[name] in NUMBERS:
            numbers = self._numbers(name)
            found = [numbers.between(value, value) for value in values]
        else:
            words = self._words(name).rows
            found = [words[value] for value in values if value in words]
        return mask_of(len(self), *found)

    def _between(self, name: str, interval: Range) -> Mask:
        return mask_of(len(self), self._numbers(name).between(interval.gte, interval.lte))

    def _numbers(self, name: str) -> _Numbers:
        column = self._column(name)
        assert isinstance(column, _Numbers)  # noqa: S101 - by the type of its field
        return column

    def _words(self, name: str) -> _Words:
        column = self._column(name)
        assert isinstance(column, _Words)  # noqa: S101 - by the type of its field
        return column

    def _column(self, name: str) -> _Numbers | _Words:
        with self._making:
            column = self._columns.get(name)
            if column is None:
                make = _numbers if PAYLOAD_FIELDS[name] in NUMBERS else _words
                column = self._columns[name] = make(name, self._payloads)
            return column


def _held(name: str, payloads: Sequence[Payload]) -> Iterable[tuple[int, Any]]:
    for row, payload in enumerate(payloads):
        value = payload.get(name)
        if isinstance(value, list):
            for each in value:
                yield row, each
        elif value is not None:
            yield row, value


def _numbers(name: str, payloads: Sequence[Payload]) -> _Numbers:
    pairs = list(_held(name, payloads))
    held = [value for _, value in pairs]
    values: NDArray[np.float64] | NDArray[np.int64] = np.array(held, dtype=np.float64)
    if PAYLOAD_FIELDS[name] is FieldType.INTEGER:
        values = np.array(held, dtype=np.int64)
    order = np.argsort(values, kind="stable")
    return _Numbers(values[order], np.array([row for row, _ in pairs], dtype=np.int64)[order])


def _words(name: str, payloads: Sequence[Payload]) -> _Words:
    rows: defaultdict[Any, list[int]] = defaultdict(list)
    for row, value in _held(name, payloads):
        rows[value].append(row)
    return _Words({value: np.array(each, dtype=np.int64) for value, each in rows.items()})
