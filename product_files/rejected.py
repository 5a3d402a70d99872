"""The table of rejected rows: to read, to correct in a spreadsheet, and to import again."""

from __future__ import annotations

import contextlib
import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

from jobs.storage import storage_errors
from product_files.rows import InvalidSource, Row, RowProblem

# Columns in front of those of the original table.
NOTE_COLUMNS = ("line", "sku", "photo", "reason")

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
# Cells that a spreadsheet would calculate get an apostrophe; those that have one already get another, so that it can be removed.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r]")


class RejectedRows:
    """The file of rejected rows while it is written. Use `rejected_rows_writer`."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._table = csv.writer(file)

    def write_header(self, headers: Sequence[str]) -> None:
        """Write the names of the columns. headers: of the source's table."""
        with _storage_errors(self._path):
            self._table.writerow([*NOTE_COLUMNS, *map(_escape_formula, headers)])

    def write(self, row: Row, problems: Sequence[RowProblem]) -> None:
        """Write a row, with the reasons."""
        notes: Sequence[object] = _note_cells(row, problems)
        with _storage_errors(self._path):
            for cells in row.cells or [()]:
                self._table.writerow([*notes, *map(_escape_formula, cells)])
                notes = (row.line, "", "", "")

    def size(self) -> int:
        """Bytes of the file so far, all of them written."""
        with _storage_errors(self._path):
            self._file.flush()
            return os.fstat(self._file.fileno()).st_size


@contextmanager
def rejected_rows_writer(path: Path, headers: Sequence[str], *, keep_bytes: int = 0) -> Iterator[RejectedRows]:
    """Write rejected rows to a CSV file, as they occur.

    A row that was read from several lines of a table has several lines, with its notes on the first.

    Args:
        path: the file.
        headers: columns of the source's table; empty for other sources.
        keep_bytes: of a file that is continued; 0 to begin a new one.

    Yields:
        The file, which is closed at the end.

    Raises:
        InvalidSource: the file cannot be created.
        StorageUnavailable: it cannot be written completely.
    """
    try:
        if keep_bytes:
            os.truncate(path, keep_bytes)
        # Undecodable bytes are lone surrogates in text, and question marks in the file.
        file = path.open("a" if keep_bytes else "w", encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise InvalidSource(f"the report {path} cannot be written: {error.strerror or error}") from error
    rejected = RejectedRows(path, file)
    try:
        if not keep_bytes:
            rejected.write_header(headers)
        yield rejected
    except BaseException:
        # The first error is raised, not one of closing the file.
        with contextlib.suppress(OSError):
            file.close()
        raise
    with _storage_errors(path):
        file.close()


def _storage_errors(path: Path) -> AbstractContextManager[None]:
    return storage_errors(f"the table of rejected rows {path.name}", path.parent)


def is_rejected_rows_file(headers: Sequence[str]) -> bool:
    """Whether a table with these columns is a file of rejected rows, with the columns of the original table."""
    return tuple(headers[: len(NOTE_COLUMNS)]) == NOTE_COLUMNS and len(headers) > len(NOTE_COLUMNS)


def unescape_formula(cell: str) -> str:
    """Remove the apostrophe that `rejected_rows_writer` added."""
    return cell[1:] if _ESCAPED.match(cell) else cell


def _note_cells(row: Row, problems: Sequence[RowProblem]) -> tuple[object, ...]:
    photos = [problem.photo for problem in problems if problem.photo]
    reasons = [
        f"{problem.photo}: {problem.reason}" if problem.photo and len(problems) > 1 else problem.reason
        for problem in problems
    ]
    texts = (row.sku, " | ".join(photos), "; ".join(reasons))
    return (row.line, *(f"'{text}" if text.startswith(_FORMULA_SIGNS) else text for text in texts))


def _escape_formula(cell: str) -> str:
    """Add an apostrophe to a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell
