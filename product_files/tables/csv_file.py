"""CSV tables, read as a stream."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import TextIO

from jobs.facts import Fact
from product_files import file_facts, row_facts
from product_files.columns.synonyms import find_columns
from product_files.containers.encodings import find_encoding, open_text
from product_files.mapping import DELIMITERS, FieldMapping
from product_files.rejected import NOTE_COLUMNS, is_rejected_rows_file, unescape_formula
from product_files.rows import InvalidSource
from product_files.tables.workbook import read_from

# Lines that the delimiter is detected from, and records that show how the table writes its values.
_SAMPLE_LINES = 20
# Lines above the column names: a title, or the instructions of a template. A title has fewer cells than a table has columns.
_MAX_PREAMBLE_LINES = 10
_MIN_TITLE_CELLS = 2
_MIN_NAMES = 3
SAMPLE_RECORDS = 500
# Excel's first line that names the delimiter.
_SEPARATOR_LINE = re.compile(r"sep=(?P<delimiter>.|\\t)", re.IGNORECASE)
# Of Amazon's templates, below the names of the columns: `item_name[language_tag=en_US]#1.value`.
_PATH = re.compile(r"[a-z_]+(?:\[[^\]\s]*\])*#\d+\.[\w.#]+")
# What templates say of each column below its name.
_RULES = frozenset((
    "mandatory", "required", "optional", "conditional", "conditional mandatory", "conditionally required",
    "recommended", "preferred", "desired", "pflicht", "pflichtfeld", "obligatoire", "facultatif", "recommandé",
    "obligatorio", "opcional", "requerido", "obrigatório", "obbligatorio", "facoltativo", "opzionale",
    "verplicht", "optioneel", "wymagane", "opcjonalne", "zorunlu", "opsiyonel", "wajib", "opsional", "必須", "任意",
    "필수", "선택", "必填", "选填",
))  # fmt: skip
_MIN_PATHS = 2
# What keeps a spreadsheet from reading a text as a number.
_TEXT_FORMULA = re.compile(r'="(?P<text>(?:[^"]|"")*)"')
# A cell of a row without a product: blanks, or a part of the rule below the names of Markdown's tables and of databases' reports.
_NO_TEXT = re.compile(r"\s*(?::?[-=+]+:?)?\s*")
# What clients of databases write below their answers: `(3 rows)`, `3 rows in set (0.00 sec)`, `Time: 1.2 ms`, `Total: 3`.
_ROWS = (
    r"rows?(?:\(s\))?|records?|zeilen?|lignes?|filas?|righ[ea]|rij(?:en)?|linhas?|wiersz[ey]?|rader?|rækker?|riviä?|sat.r|sor"
    r"|строк[аи]?|рядк[иів]+|рядок|řád(?:ek|k[yů])|行|행"
)
_SAID_BELOW = re.compile(
    rf"\(?\d+ ?(?:개 )?(?:{_ROWS})(?: (?:in set|affected|selected|returned))?(?:, \d+ warnings?)?\.?"
    r"(?: ?\([\d.,]+ ?s(?:ec)?\))?\)?"
    r"|total:? ?\d+(?: (?:rows?|records?|products?|items?))?"
    r"|(?:completion )?time:? [\d\-t:.,+]+(?: ms)?(?: \([\d:.,]+\))?",
    re.IGNORECASE,
)
_QUOTED_NUMBER = re.compile(r"'(?P<text>[\d.,+\-]*\d[\d.,]*)", re.ASCII)
# Links that stand in quotes each, with bare commas between them, in one cell of a table with another delimiter.
_QUOTED_LINK = r"\"https?://[^\"\t]*\""
_QUOTED_LINKS = re.compile(rf"{_QUOTED_LINK}(?:\s*,\s*{_QUOTED_LINK})+", re.IGNORECASE)

# Maximum length of a line: a file without line ends must not be read into memory as one line.
_MAX_LINE_CHARACTERS = 1024 * 1024
# And of a cell with line ends. Python's limit, 131,072 characters, is below that of a description with pictures in it.
csv.field_size_limit(max(csv.field_size_limit(), _MAX_LINE_CHARACTERS))


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
        notes: its encoding, for the report.

    Raises:
        InvalidSource: the file has no usable header.
    """

    def __init__(self, path: Path, mapping: FieldMapping) -> None:
        self._path = path
        encoding = find_encoding(path, mapping.encoding)
        self._encoding = encoding.codec
        with open_text(self._path, self._encoding, newline="") as file:
            header = _read_header(_LineReader(file), mapping.delimiter)
        self._header = header
        self._delimiter = header.delimiter
        self._notes = len(NOTE_COLUMNS) if is_rejected_rows_file(header.names) else 0
        self.headers = header.names[self._notes :]
        self.total = max(encoding.lines - header.lines, 0)
        origin = read_from(path)
        # A row of a sheet may have line ends in its cells.
        self._counts_rows = bool(origin)
        self.notes: list[str] = [*origin] or [encoding.note]
        self._short_width = 0
        self._joined: Mapping[str, Sequence[int]] = {}
        self._mark = ""

    def allow_end_before(self, place: int) -> None:
        """Take lines that end in front of a column or behind it, which other tables hold against them, as empty from there on.

        Args:
            place: of the column, from 0.
        """
        self._short_width = place

    def allow_end_behind(self, used: Collection[str]) -> None:
        """Take lines that have all of these columns, and lack some behind them. A line that was cut off lacks one of them.

        Where no line is whole, one may be missing in the middle.

        Args:
            used: columns that become something.
        """
        if any(self.sample()):
            places = (place for place, header in enumerate(self.headers, start=1) if header in used)
            self._short_width = max(places, default=0)

    def join(self, columns: Collection[str], mark: str) -> None:
        """Take the texts of columns of the same name together; of others, the last one counts.

        Args:
            columns: names that may occur several times.
            mark: between the texts.
        """
        places = {name: [place for place, header in enumerate(self.headers) if header == name] for name in columns}
        self._joined = {name: found for name, found in places.items() if len(found) > 1}
        self._mark = mark

    def __iter__(self) -> Iterator[TableRow]:
        with open_text(self._path, self._encoding, newline="") as file:
            lines = _LineReader(file, joins_links=self._delimiter != ",")
            for _ in range(self._header.lines):
                next(lines)
            yield from self._records(lines)

    def sample(self) -> Iterator[Mapping[str, str]]:
        """The first records that can be read."""
        return (row.values for row in islice(self, SAMPLE_RECORDS) if not row.error)

    def short_lines(self) -> list[tuple[str, ...]]:
        """The cells of the first lines of a table whose lines all lack one cell; none of other tables."""
        if any(self.sample()):
            return []
        short = [tuple(map(_as_text, row.cells[0])) for row in islice(self, SAMPLE_RECORDS) if row.cells]
        return short if all(len(cells) == len(self.headers) - 1 for cells in short) else []

    def has_texts_in(self, column: str) -> bool:
        """Whether any line of the whole table has a text in this column."""
        return any(row.values.get(column, "").strip() for row in self)

    def _records(self, lines: _LineReader) -> Iterator[TableRow]:
        reader = self._reader(lines)
        for row in count(self._header.lines + 1):
            lines.start_record()
            if self._counts_rows:
                lines.record_line = row
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = TableRow(lines.record_line, {}, _why_unreadable(error))
            else:
                cells = self._unmarked(cells)
                cells = _strip_trailing_empty(cells, len(self.headers))
                if self._counts_rows:
                    # A sheet has no cells where nothing was written, and may have notes beside the table.
                    cells = [*cells, *[""] * len(self.headers)][: len(self.headers)]
                if all(map(_NO_TEXT.fullmatch, cells)) or self._is_said_below(cells):
                    continue
                kept = (tuple(cells),)
                cells = self._completed(cells)
                if len(cells) == len(self.headers):
                    values = dict(zip(self.headers, map(_as_text, cells), strict=True))
                    for name, places in self._joined.items():
                        values[name] = self._mark.join(text for place in places if (text := _as_text(cells[place])))
                    yield TableRow(lines.record_line, values, cells=kept)
                    continue
                reason = row_facts.COLUMNS_MISSING(found=len(cells), expected=len(self.headers))
                record = TableRow(lines.record_line, {}, reason, kept)
            # An unclosed quote includes the lines after it: read them again.
            lines.push_back()
            reader = self._reader(lines)
            yield record

    def _is_said_below(self, cells: Sequence[str]) -> bool:
        texts = [cell for cell in cells if cell.strip()]
        return len(texts) == 1 < len(self.headers) and bool(_SAID_BELOW.fullmatch(texts[0].strip()))

    def _unmarked(self, cells: list[str]) -> list[str]:
        """Without the notes and marks of a table of rejected rows, and the blanks of a padded one."""
        if self._notes:
            cells = [unescape_formula(cell) for cell in cells[self._notes :]]
        return [cell.rstrip(" ") for cell in cells] if self._header.is_padded else cells

    def _completed(self, cells: list[str]) -> list[str]:
        missing = len(self.headers) - len(cells) if len(cells) >= self._short_width > 0 else 0
        return [*cells, *[""] * missing]

    def _reader(self, lines: _LineReader) -> Iterator[list[str]]:
        # Between a quote and the delimiter there are blanks in a padded table, which a strict reader refuses.
        padded = self._header.is_padded
        return csv.reader(lines, delimiter=self._delimiter, strict=not padded, skipinitialspace=padded)


class _LineReader:
    """Counts the lines of a file; the lines of a bad record, except the first, can be pushed back.

    joins_links: links in quotes with commas between them become one cell.
    """

    def __init__(self, file: TextIO, *, joins_links: bool = False) -> None:
        self._file = file
        self._joins_links = joins_links
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
            raise csv.Error(row_facts.LINE_TOO_LONG(limit=_MAX_LINE_CHARACTERS))
        self._record.append(line)
        return _QUOTED_LINKS.sub(_in_one_pair_of_quotes, line) if self._joins_links and '","' in line else line

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


@dataclass(frozen=True, slots=True)
class _Header:
    """The first lines of a table.

    Attributes:
        delimiter: between cells.
        names: of the columns.
        lines: their number, with empty ones, one that names the delimiter, and the column names.
        is_padded: cells have blanks beside the delimiter, so that the columns stand below each other.
    """

    delimiter: str
    names: list[str]
    lines: int
    is_padded: bool = False

    @classmethod
    def of(cls, line: str, delimiter: str, lines: int) -> _Header:
        """The header in a line."""
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        padded = sum(cell.strip("\r\n") != cell.strip() for cell in cells if cell.strip())
        return cls(delimiter, _names(cells), lines, is_padded=padded >= _MIN_TITLE_CELLS and 2 * padded >= len(cells))


def table_headers(start: str) -> list[str]:
    """The column names of a table, as far as they can be read from its beginning.

    Args:
        start: the first characters of a file.

    Returns:
        The names; of rejected rows, those of their source; none if there is no table.
    """
    try:
        names = _read_header(_LineReader(io.StringIO(start, newline="")), "").names
    except InvalidSource:
        return []
    return names[len(NOTE_COLUMNS) :] if is_rejected_rows_file(names) else names


def _read_header(lines: _LineReader, delimiter: str) -> _Header:
    """The column names in the first line that is not empty, and the delimiter, detected from the first lines unless it is set."""
    lines.start_record()
    try:
        first, skipped = _first_line(lines)
        if match := _SEPARATOR_LINE.fullmatch(first.strip("\r\n")):
            named = match["delimiter"].replace("\\t", "\t")
            delimiter = delimiter or (named if named in DELIMITERS else "")
            first, further = _first_line(lines)
            skipped += further + 1
        if "\x00" in first:
            raise InvalidSource(file_facts.NOT_TEXT())
        if not first.strip():
            raise InvalidSource(file_facts.NO_COLUMN_NAMES())
        sample = list(_readable(lines))
        chosen = delimiter
        delimiter = delimiter or _detect_delimiter([first, *sample])
        first_header = _Header.of(first, delimiter, skipped + 1)
    except csv.Error as error:
        raise InvalidSource(file_facts.FIRST_LINE(reason=_why_unreadable(error))) from error
    return _behind_paths(_below_preamble(first_header, sample, chosen), sample, first_header.lines)


def _why_unreadable(error: csv.Error) -> Fact:
    """What is wrong with a line, in words of its file; Python has codes for none of its errors."""
    reason = error.args[0]
    if isinstance(reason, Fact):
        return reason
    if "unexpected end" in reason:
        return row_facts.NOT_CSV(error=row_facts.QUOTE_NOT_CLOSED())
    if "expected after" in reason:
        return row_facts.NOT_CSV(error=row_facts.TEXT_BEHIND_QUOTE())
    if "larger than field limit" in reason:
        return row_facts.CELL_TOO_LONG(limit=csv.field_size_limit())
    return row_facts.NOT_CSV(error=reason)


def _names(cells: Sequence[str]) -> list[str]:
    """Column names, without a mark of UTF-8 that a program wrote in front of the first one, and empty ones at the end."""
    names = [cell.strip("\ufeff \t\r\n") for cell in cells]
    while names and not names[-1]:
        names.pop()
    return names


def _below_preamble(header: _Header, lines: Sequence[str], delimiter: str) -> _Header:
    """The column names below a title or the instructions of a template, if those of the first line are none.

    Of names in several lines, as in templates of marketplaces, the last ones count.

    Args:
        header: as the first line has it.
        lines: the next ones.
        delimiter: of the table, if it is set.

    Returns:
        The same header, or one that is further below.
    """
    found, wider = None, None
    candidates = [header]
    for number, line in enumerate(lines[:_MAX_PREAMBLE_LINES], start=1):
        if not line.strip():
            continue
        mark = delimiter or _detect_delimiter(lines[number - 1 :])
        try:
            candidates.append(_Header.of(line, mark, header.lines + number))
        except csv.Error:
            continue
    for candidate in candidates:
        if find_columns(candidate.names).keys() >= {"sku", "title"}:
            found = candidate
        elif found is not None:
            break
        elif wider is None and sum(map(bool, candidate.names)) >= _MIN_NAMES:
            wider = candidate
    if found is None and wider is not None and sum(map(bool, header.names)) < _MIN_TITLE_CELLS:
        return wider
    return found or header


def _behind_paths(header: _Header, lines: Sequence[str], start: int) -> _Header:
    """The header with the lines below it that templates of marketplaces have: paths for their programs, which cells are required.

    Args:
        header: what was found.
        lines: those below line `start`.
        start: number of the line in front of them.

    Returns:
        The header, longer by these lines.
    """
    for line in lines[header.lines - start :]:
        cells = [cell.strip('" \r\n') for cell in line.split(header.delimiter)]
        paths = sum(bool(_PATH.fullmatch(cell)) for cell in cells)
        filled = [cell for cell in cells if cell]
        are_rules = len(filled) >= _MIN_PATHS and all(cell.casefold() in _RULES for cell in filled)
        if paths < _MIN_PATHS and not are_rules:
            break
        header = replace(header, lines=header.lines + 1)
    return header


def _first_line(lines: _LineReader) -> tuple[str, int]:
    """The next line that is not empty, and the number of empty ones before it."""
    skipped = 0
    for line in lines:
        if line := line.removeprefix("\ufeff"):
            if line.strip(" \t\r\n,;|"):
                return line, skipped
            skipped += 1
    return "", skipped


def _readable(lines: _LineReader) -> Iterator[str]:
    """Some lines below the header, without those that are too long."""
    for _ in range(_SAMPLE_LINES):
        try:
            yield next(lines)
        except StopIteration:
            return
        except csv.Error:
            continue


def _detect_delimiter(lines: Sequence[str]) -> str:
    """The delimiter that gives the first line most columns, and most of the other lines as many."""

    def columns(line: str, mark: str) -> int:
        try:
            cells = next(csv.reader([line], delimiter=mark), [])
        except csv.Error:
            return 0
        return len(_strip_trailing_empty(cells, 1))

    def score(mark: str) -> float:
        names, *others = (columns(line, mark) for line in lines if line.strip())
        agreeing = sum(number == names for number in others) / len(others) if others else 0.0
        # A line may be a part of a cell with line ends, so that none agrees.
        return names * (0.2 + agreeing) if names > 1 else 0.0

    return max(DELIMITERS, key=score)


def _as_text(cell: str) -> str:
    """What a spreadsheet shows of a cell that it keeps from being a number: `="00125"` and `'00124`."""
    if cell.startswith("="):
        match = _TEXT_FORMULA.fullmatch(cell.strip())
        return match["text"].replace('""', '"') if match else cell
    if cell.startswith("'"):
        match = _QUOTED_NUMBER.fullmatch(cell.strip())
        return match["text"] if match else cell
    return cell


def _in_one_pair_of_quotes(links: re.Match[str]) -> str:
    return '"' + re.sub(r"\"\s*,\s*\"", ", ", links[0].strip('"')) + '"'


def _strip_trailing_empty(cells: list[str], width: int) -> list[str]:
    """Remove empty columns that spreadsheets write to the right of the table."""
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]
