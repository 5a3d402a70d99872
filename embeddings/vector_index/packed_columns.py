"""The payloads of points that are elsewhere, as columns of few bytes."""

from __future__ import annotations

from array import array
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import PAYLOAD_FIELDS, FieldType, Filter, FilterValue, Payload, Range
from embeddings.vector_index.columns import NUMBERS, Columns, Mask, Rows, as_number, both, mask_of

_KEYWORDS = [name for name, field_type in PAYLOAD_FIELDS.items() if field_type is FieldType.KEYWORD]
_NO_INTEGER = -(2**63)  # of a row without one


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
        self._ascending = self._numbers["product_id"][self._products]  # looked up in a third of the time
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        self._words = {name: self._packed(words, places) for name, words in read.words.items()}

    def __len__(self) -> int:
        """How many rows there are."""
        return self._length

    def rows_of_products(self, products: Iterable[int]) -> Rows:
        """The rows of products."""
        wanted = np.array([*products], np.int64)
        starts = np.searchsorted(self._ascending, wanted, side="left")
        ends = np.searchsorted(self._ascending, wanted, side="right")
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
            if isinstance(value, list) and PAYLOAD_FIELDS.get(name) in (*NUMBERS, FieldType.BOOL):
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

    def passing(self, filter: Filter) -> Mask | None:
        bits: NDArray[np.uint8] | None = None
        mask: Mask | None = None
        for met in self._met(filter):
            # Bits stay bits until all are known: eight rows at once, and one array to unpack.
            if met.dtype == np.uint8:
                bits = both(bits, met)
            else:
                mask = both(mask, met)
        if bits is None:
            return mask
        unpacked = np.unpackbits(bits, count=self._length).view(np.bool_)
        return unpacked if mask is None else both(mask, unpacked)

    def _holding(self, name: str, values: Sequence[FilterValue]) -> NDArray[Any]:
        """Bool [rows], or uint8 with a bit for each row."""
        if name == "product_id":
            return mask_of(self._length, self.rows_of_products(int(value) for value in values))
        if PAYLOAD_FIELDS[name] in NUMBERS:
            mask = np.zeros(self._length, np.bool_)
            for value in values:
                mask |= self._numbers[name] == as_number(value)
            return mask
        found = [rows for value in values if (rows := self._words[name].get(value)) is not None]
        in_bits = [rows for rows in found if rows.dtype == np.uint8]
        in_rows = [rows for rows in found if rows.dtype != np.uint8]
        if in_rows or not in_bits:
            mask = mask_of(self._length, *in_rows)
            if not in_bits:
                return mask
            in_bits.append(np.packbits(mask))
        bits = in_bits[0].copy()
        for each in in_bits[1:]:
            bits |= each
        return bits

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
            packed[value] = np.packbits(mask_of(self._length, rows)) if many else rows
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
            if kind in NUMBERS
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
