"""CSV tables, read as a stream, and catalogues as such tables."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from catalog.importers.mapping import DELIMITERS, FieldMapping, RowBuilder
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rejected import NOTE_COLUMNS, is_rejected_rows_file, unescape_formula
from catalog.importers.rows import InvalidSource, Row

ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "iso-8859-1")

# Maximum length of a line: a file without line ends must not be read into memory as one line.
_MAX_LINE_CHARACTERS = 1024 * 1024


class CsvCatalogue:
    """The rows of a CSV file.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos.

    Attributes:
        headers: names of the columns.
        total: approximate number of rows.

    Raises:
        InvalidSource: the file has no usable header.
    """

    format = "csv"
    notes: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._table = CsvTable(path, mapping)
        self._builder = RowBuilder(mapping, self._table.headers, photos=photos)
        self.headers = self._table.headers
        self.total = self._table.total

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def __iter__(self) -> Iterator[Row]:
        for record in self._table:
            if record.error:
                yield Row(record.line, "", error=record.error, cells=record.cells)
            else:
                yield self._builder.build(record.line, record.values, cells=record.cells)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A line of a table.

    Attributes:
        line: number in the file, from 1.
        values: cells by header; empty if the line could not be read.
        error: why the line could not be read.
        cells: the cells of the line, if it could be read.
    """

    line: int
    values: Mapping[str, str]
    error: str = ""
    cells: tuple[tuple[str, ...], ...] = ()


class CsvTable:
    """The lines of a CSV file. A table of rejected rows, see `rejected`, is read as the table that the rows came from.

    Args:
        path: the file.
        mapping: for its encoding and delimiter.

    Attributes:
        headers: names of the columns.
        total: approximate number of lines below the header.

    Raises:
        InvalidSource: the file has no usable header.
    """

    def __init__(self, path: Path, mapping: FieldMapping) -> None:
        self._path = path
        self._encoding = python_encoding(mapping.encoding)
        with self._open() as file:
            self._delimiter, headers = _read_header(_LineReader(file), mapping.delimiter)
        self._notes = len(NOTE_COLUMNS) if is_rejected_rows_file(headers) else 0
        self.headers = headers[self._notes :]
        self.total = max(count_lines(path) - 1, 0)

    def __iter__(self) -> Iterator[TableRow]:
        with self._open() as file:
            lines = _LineReader(file)
            _read_header(lines, self._delimiter)
            yield from self._records(lines)

    def _records(self, lines: _LineReader) -> Iterator[TableRow]:
        reader = self._reader(lines)
        while True:
            lines.start_record()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = TableRow(lines.record_line, {}, f"the line cannot be read as CSV: {error}")
            else:
                if self._notes:
                    cells = [unescape_formula(cell) for cell in cells[self._notes :]]
                cells = _strip_trailing_empty(cells, len(self.headers))
                if not any(cells):
                    continue
                kept = (tuple(cells),)
                if len(cells) == len(self.headers):
                    yield TableRow(lines.record_line, dict(zip(self.headers, cells, strict=True)), cells=kept)
                    continue
                reason = f"{len(cells)} columns instead of {len(self.headers)}"
                record = TableRow(lines.record_line, {}, reason, kept)
            # An unclosed quote includes the lines after it: read them again.
            lines.push_back()
            reader = self._reader(lines)
            yield record

    def _reader(self, lines: _LineReader) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _open(self) -> TextIO:
        try:
            # Undecodable bytes become lone surrogates: their row is rejected, not the file.
            return self._path.open(encoding=self._encoding, errors="surrogateescape", newline="")
        except OSError as error:
            raise InvalidSource(f"{self._path} cannot be read: {error.strerror or error}") from error


class _LineReader:
    """Counts the lines of a file; the lines of a bad record, except the first, can be pushed back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._pushed_back: deque[str] = deque()
        self._record: list[str] = []
        self._line = 0
        self.record_line = 1

    def __iter__(self) -> _LineReader:
        return self

    def __next__(self) -> str:
        line = self._pushed_back.popleft() if self._pushed_back else self._file.readline(_MAX_LINE_CHARACTERS)
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

    def push_back(self) -> None:
        returned = self._record[1:]
        self._pushed_back.extendleft(reversed(returned))
        self._line -= len(returned)
        self._record.clear()

    def _skip_rest_of_line(self) -> None:
        while rest := self._file.readline(_MAX_LINE_CHARACTERS):
            if rest.endswith(("\n", "\r")):
                return


def _read_header(lines: _LineReader, delimiter: str) -> tuple[str, list[str]]:
    """The delimiter, detected from the header unless it is set, and the names of the columns."""
    lines.start_record()
    try:
        first = next(lines, "")
        if "\x00" in first:
            raise InvalidSource("the file is not text: is it UTF-16, or a spreadsheet? Save it as CSV in UTF-8")
        if not first.strip():
            raise InvalidSource("the file is empty: its first line has to be the column names")
        detected = delimiter or max(DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark))))
        headers = [header.strip() for header in next(csv.reader([first], delimiter=detected, strict=True))]
    except csv.Error as error:
        raise InvalidSource(f"the first line cannot be read as CSV: {error}") from error
    while headers and not headers[-1]:
        headers.pop()
    return detected, headers


def _strip_trailing_empty(cells: list[str], width: int) -> list[str]:
    """Remove empty columns that spreadsheets write to the right of the table."""
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def count_lines(path: Path) -> int:
    """Number of line ends in a file."""
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(64 * 1024), b""))


def python_encoding(name: str) -> str:
    """Python's name of an encoding.

    Args:
        name: one of ENCODINGS, in any case.

    Returns:
        The name of a codec.

    Raises:
        InvalidSource: the encoding is not supported.
    """
    if name.lower() not in ENCODINGS:
        raise InvalidSource(f"encoding is {name!r}: use one of {', '.join(ENCODINGS)}")
    return "utf-8-sig" if name.lower() == "utf-8" else name
