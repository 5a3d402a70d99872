"""Tables as CSV files, read as a stream; and a shop's catalogue as such a table with a folder of photos."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from catalog.importers.mapping import DELIMITERS, FieldMapping, RowBuilder
from catalog.importers.photo_files import Photos
from catalog.importers.rejected import NOTES, is_of_rejected_rows, without_mark
from catalog.importers.rows import Row, UnusableSource

ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "iso-8859-1")

# No line of a catalogue is longer; a file without line ends must not be read into memory as one.
_MAX_LINE_CHARACTERS = 1024 * 1024


class CsvCatalogue:
    """The rows of a CSV file. Raises UnusableSource at once where there is nothing to read in it.

    photos: where the photos lie that it names. headers: the names of its columns. total: about how many rows there are.
    """

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: Photos) -> None:
        self._table = Table(path, mapping)
        self._builder = RowBuilder(mapping, self._table.headers, photos=photos)
        self.headers = self._table.headers
        self.total = self._table.total

    def __iter__(self) -> Iterator[Row]:
        for record in self._table:
            if record.error:
                yield Row(record.line, "", error=record.error, cells=record.cells)
            else:
                yield self._builder.build(record.line, record.values, cells=record.cells)


@dataclass(frozen=True, slots=True)
class TableRecord:
    """A line of a table by its headers; `error` says why it could not be read. cells: the line as it stands, where it could."""

    line: int
    values: Mapping[str, str]
    error: str = ""
    cells: tuple[tuple[str, ...], ...] = ()


class Table:
    """The lines of a CSV file. Raises UnusableSource at once where there is nothing to read in it.

    headers: the names of its columns. total: about how many lines there are below them. A table of rejected rows, as
    `rejected.py` writes it, is read as the table that they came from.
    """

    def __init__(self, path: Path, mapping: FieldMapping) -> None:
        self._path = path
        self._encoding = python_encoding(mapping.encoding)
        with self._open() as file:
            self._delimiter, headers = _read_header(_Lines(file), mapping.delimiter)
        self._notes = len(NOTES) if is_of_rejected_rows(headers) else 0
        self.headers = headers[self._notes :]
        self.total = max(count_lines(path) - 1, 0)

    def __iter__(self) -> Iterator[TableRecord]:
        with self._open() as file:
            lines = _Lines(file)
            _read_header(lines, self._delimiter)
            yield from self._records(lines)

    def _records(self, lines: _Lines) -> Iterator[TableRecord]:
        reader = self._reader(lines)
        while True:
            lines.start_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = TableRecord(lines.record_line, {}, f"the line cannot be read as CSV: {error}")
            else:
                if self._notes:
                    cells = [without_mark(cell) for cell in cells[self._notes :]]
                cells = _without_empty_end(cells, len(self.headers))
                if not any(cells):
                    continue
                kept = (tuple(cells),)
                if len(cells) == len(self.headers):
                    yield TableRecord(lines.record_line, dict(zip(self.headers, cells, strict=True)), cells=kept)
                    continue
                reason = f"{len(cells)} columns instead of {len(self.headers)}"
                record = TableRecord(lines.record_line, {}, reason, kept)
            # A quote that nobody closed swallows the lines after it: they get a chance of their own.
            lines.give_back()
            reader = self._reader(lines)
            yield record

    def _reader(self, lines: _Lines) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _open(self) -> TextIO:
        try:
            # What cannot be decoded becomes a lone surrogate: the row that has it is rejected, not the file.
            return self._path.open(encoding=self._encoding, errors="surrogateescape", newline="")
        except OSError as error:
            raise UnusableSource(f"{self._path} cannot be read: {error.strerror or error}") from error


class _Lines:
    """The lines of a file, counted; those of a record that turns out bad can be given back, all but its first."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._given_back: deque[str] = deque()
        self._record: list[str] = []
        self._line = 0
        self.record_line = 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else self._file.readline(_MAX_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self._line += 1
        if len(line) == _MAX_LINE_CHARACTERS and not line.endswith(("\n", "\r")):
            self._skip_rest_of_line()
            self._record.append("")
            raise csv.Error(f"it is longer than {_MAX_LINE_CHARACTERS:,} characters")
        self._record.append(line)
        return line

    def start_record(self) -> None:
        self._record.clear()
        self.record_line = self._line + 1

    def give_back(self) -> None:
        returned = self._record[1:]
        self._given_back.extendleft(reversed(returned))
        self._line -= len(returned)
        self._record.clear()

    def _skip_rest_of_line(self) -> None:
        while rest := self._file.readline(_MAX_LINE_CHARACTERS):
            if rest.endswith(("\n", "\r")):
                return


def _read_header(lines: _Lines, delimiter: str) -> tuple[str, list[str]]:
    """The delimiter (told from the header where none is given) and the names of the columns."""
    lines.start_record()
    try:
        first = next(lines, "")
        if "\x00" in first:
            raise UnusableSource("the file is not text: is it UTF-16, or a spreadsheet? Save it as CSV in UTF-8")
        if not first.strip():
            raise UnusableSource("the file is empty: its first line must name the columns")
        found = delimiter or max(DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark))))
        headers = [header.strip() for header in next(csv.reader([first], delimiter=found, strict=True))]
    except csv.Error as error:
        raise UnusableSource(f"the first line cannot be read as CSV: {error}") from error
    while headers and not headers[-1]:
        headers.pop()
    return found, headers


def _without_empty_end(cells: list[str], width: int) -> list[str]:
    """Spreadsheets write empty columns to the right of the table."""
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def count_lines(path: Path) -> int:
    """How many lines a file has, quickly."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(64 * 1024), b""))


def python_encoding(name: str) -> str:
    """As Python calls this encoding; UnusableSource for one that is not taken."""
    if name.lower() not in ENCODINGS:
        raise UnusableSource(f"encoding is {name!r}: use one of {', '.join(ENCODINGS)}")
    return "utf-8-sig" if name.lower() == "utf-8" else name
