"""Filters answered exactly, beside or without an engine: the payloads of all points as columns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections import defaultdict
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import PAYLOAD_FIELDS, FieldType, Filter, FilterValue, Payload, Range

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

_NUMBERS = (FieldType.INTEGER, FieldType.FLOAT)
_KEYWORDS = [name for name, field_type in PAYLOAD_FIELDS.items() if field_type is FieldType.KEYWORD]
_NO_INTEGER = -(2**63)  # of a row without one


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A field of numbers: its values in ascending order, and the row of each."""

    values: NDArray[np.float64] | NDArray[np.int64]
    rows: Rows

    def between(self, gte: FilterValue | None, lte: FilterValue | None) -> Rows:
        start = 0 if gte is None else np.searchsorted(self.values, _number(gte), side="left")
        end = len(self.values) if lte is None else np.searchsorted(self.values, _number(lte), side="right")
        return self.rows[start:end]


@dataclass(frozen=True, slots=True)
class _Words:
    """A field of keywords or booleans: the rows of each value."""

    rows: dict[Any, Rows]


class Columns(ABC):
    """Which rows of a store meet a filter."""

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def _holding(self, name: str, values: Sequence[FilterValue]) -> Mask:
        """The rows that hold one of the values, as a new array."""

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
        wanted: list[tuple[str, Sequence[FilterValue]]] = [(name, [value]) for name, value in filter.match.items()]
        wanted += filter.match_any.items()
        wanted += [(name, values) for name, lists in filter.match_each.items() for values in lists]
        for name, values in wanted:
            mask = _both(mask, self._holding(name, values))
        for name, interval in filter.ranges.items():
            if interval != Range():
                mask = _both(mask, self._between(name, interval))
        for name, values in filter.exclude.items():
            if values:
                mask = _both(mask, ~self._holding(name, values))
        return mask


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
        if PAYLOAD_FIELDS[name] in _NUMBERS:
            numbers = self._numbers(name)
            found = [numbers.between(value, value) for value in values]
        else:
            words = self._words(name).rows
            found = [words[value] for value in values if value in words]
        return _mask(len(self), *found)

    def _between(self, name: str, interval: Range) -> Mask:
        return _mask(len(self), self._numbers(name).between(interval.gte, interval.lte))

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
                make = _numbers if PAYLOAD_FIELDS[name] in _NUMBERS else _words
                column = self._columns[name] = make(name, self._payloads)
            return column


class PackedColumns(Columns):
    """The payloads of rows in few bytes, some 30 a row, without the payloads themselves. A row whose words change is taken out.

    Attributes:
        unfit: fields that hold several numbers in one row, which are not kept.
    """

    def __init__(self, read: PayloadReader, order: Rows) -> None:
        """Make the columns.

        Args:
            read: what was read of the payloads.
            order: of the rows: which of those that were read stands at each place.
        """
        self.unfit = frozenset(read.unfit)
        self._length = len(order)
        self._digests = np.frombuffer(read.digests, np.uint32)[order]
        self._numbers = {name: np.array(column)[order] for name, column in read.numbers.items()}
        self._products = np.argsort(self._numbers["product_id"], kind="stable").astype(np.int32)
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        self._words = {name: self._packed(words, places) for name, words in read.words.items()}

    def __len__(self) -> int:
        """How many rows there are."""
        return self._length

    def rows_of_products(self, products: Iterable[int]) -> Rows:
        """The rows of products."""
        column, wanted = self._numbers["product_id"], np.array([*products], np.int64)
        starts = np.searchsorted(column, wanted, side="left", sorter=self._products)
        ends = np.searchsorted(column, wanted, side="right", sorter=self._products)
        return self._products[rows_between(starts, ends)].astype(np.int64)

    def patch(self, row: int, payload: Payload) -> bool:
        """Change the payload of a row.

        Args:
            row: which.
            payload: the fields that are overwritten, as they are stored.

        Returns:
            Whether it could be changed; if not, the row is out of date.
        """
        words = [name for name in _KEYWORDS if name in payload]
        if words and (len(words) < len(_KEYWORDS) or self._digests[row] != _digest(payload)):
            return False
        if "product_id" in payload and payload["product_id"] != self._numbers["product_id"][row]:
            return False
        for name, value in payload.items():
            if isinstance(value, list) and PAYLOAD_FIELDS.get(name) in (*_NUMBERS, FieldType.BOOL):
                return False
        for name, value in payload.items():
            if PAYLOAD_FIELDS.get(name) is FieldType.FLOAT:
                self._numbers[name][row] = np.nan if value is None else value
            elif PAYLOAD_FIELDS.get(name) is FieldType.BOOL:
                for held in (False, True):
                    bits = self._words[name].setdefault(held, np.zeros(-(-self._length // 8), np.uint8))
                    bit = 128 >> row % 8
                    bits[row // 8] = bits[row // 8] | bit if value is held else bits[row // 8] & (255 - bit)
        return True

    def _holding(self, name: str, values: Sequence[FilterValue]) -> Mask:
        if name == "product_id":
            return _mask(self._length, self.rows_of_products(int(value) for value in values))
        mask = np.zeros(self._length, np.bool_)
        if PAYLOAD_FIELDS[name] in _NUMBERS:
            for value in values:
                mask |= self._numbers[name] == _number(value)
            return mask
        for value in values:
            if (rows := self._words[name].get(value)) is None:
                continue
            if rows.dtype != np.uint8:
                mask[rows] = True
            elif len(values) == 1:
                mask = np.unpackbits(rows, count=self._length).view(np.bool_)
            else:
                mask |= np.unpackbits(rows, count=self._length).view(np.bool_)
        return mask

    def _between(self, name: str, interval: Range) -> Mask:
        column = self._numbers[name]
        if interval.gte is None:
            return np.asarray(column <= interval.lte)
        if interval.lte is None:
            return np.asarray(column >= interval.gte)
        return np.asarray((column >= interval.gte) & (column <= interval.lte))

    def _packed(self, read: _ReadWords, places: NDArray[np.int32]) -> dict[Any, NDArray[Any]]:
        """Of each value the rows, or, where it takes less memory and of booleans, a bit for each row."""
        held = np.frombuffer(read.codes, np.uint32) * np.int64(self._length)
        held += np.repeat(places, np.frombuffer(read.numbers, np.uint32))
        held.sort()
        bounds = np.searchsorted(held, self._length * np.arange(len(read.values) + 1))
        packed: dict[Any, NDArray[Any]] = {}
        for value, code in read.values.items():
            rows = (held[bounds[code] : bounds[code + 1]] - code * self._length).astype(np.int32)
            many = 32 * len(rows) > self._length or isinstance(value, bool)
            packed[value] = np.packbits(_mask(self._length, rows)) if many else rows
        return packed


@dataclass(slots=True)
class _ReadWords:
    """What was read of a field of words: the code of each value, the codes that rows hold, and how many each row holds."""

    values: dict[Any, int] = field(default_factory=dict)
    codes: array[int] = field(default_factory=lambda: array("I"))
    numbers: array[int] = field(default_factory=lambda: array("I"))


class PayloadReader:
    """Takes payloads row by row, for PackedColumns.

    Attributes:
        numbers: of each field of numbers the value of each row; NaN, or the lowest integer, where there is none.
        words: of the other fields.
        digests: of each row, of all its keywords.
        unfit: fields that hold several numbers in one row.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self.numbers: dict[str, array[Any]] = {
            name: array("q" if kind is FieldType.INTEGER else "d")
            for name, kind in PAYLOAD_FIELDS.items()
            if kind in _NUMBERS
        }
        self.words = {name: _ReadWords() for name in PAYLOAD_FIELDS if name not in self.numbers}
        self.digests: array[int] = array("I")
        self.unfit: set[str] = set()

    def add(self, payload: Payload) -> None:
        """Take the payload of the next row, as it is stored."""
        self.digests.append(_digest(payload))
        for name, column in self.numbers.items():
            value = payload.get(name)
            if isinstance(value, list):
                self.unfit.add(name)
            if value is None or isinstance(value, list):
                value = np.nan if column.typecode == "d" else _NO_INTEGER
            column.append(value)
        for name, words in self.words.items():
            held = _several(payload.get(name))
            words.numbers.append(len(held))
            words.codes.extend([words.values.setdefault(each, len(words.values)) for each in held])


def rows_between(starts: Rows, ends: Rows) -> Rows:
    """The numbers of several ranges, one range after the other.

    Args:
        starts: int64 [n], where each begins.
        ends: int64 [n], behind the last of each.

    Returns:
        int64 [numbers].
    """
    lengths = ends - starts
    rows: Rows = (ends - lengths.cumsum()).repeat(lengths)
    rows += np.arange(len(rows))
    return rows


def _several(value: Any) -> AnyCollection[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _digest(payload: Payload) -> int:
    """A number by which payloads with other keywords differ."""
    return hash(tuple(tuple(sorted({*_several(payload.get(name))})) for name in _KEYWORDS)) & 0xFFFFFFFF


def _both(mask: Mask | None, other: Mask) -> Mask:
    if mask is None:
        return other
    mask &= other
    return mask


def _mask(length: int, *rows: NDArray[Any]) -> Mask:
    mask = np.zeros(length, dtype=np.bool_)
    for each in rows:
        mask[each] = True
    return mask


def _number(value: FilterValue) -> int | float:
    return value if isinstance(value, int) else float(value)


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
