"""What could not be imported, as a table: to be read, mended in a spreadsheet, and imported again."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from catalog.importers.rows import OnRejected, Problem, Row, UnusableSource
from jobs.storage import storage_errors

# What is said of each row. The columns of the table that it came from stand behind these.
NOTES = ("line", "sku", "photo", "reason")

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
# A spreadsheet would take such a cell for a formula. Those that have the mark already get another, so that it can be taken away.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_MARKED = re.compile(r"'+[=+\-@\t\r]")


@contextmanager
def rejected_rows(path: Path, headers: Sequence[str]) -> Iterator[OnRejected]:
    """Gives what writes rejected rows to this file as they are met. headers: of the source's table, nothing without one.

    A row has a line, or where it stood on several in its source as many; the notes stand on its first. A cell that a
    spreadsheet would calculate begins with an apostrophe. Raises UnusableSource where there cannot be such a file, and
    StorageUnavailable where it cannot be written to its end.
    """
    try:
        # What could not be decoded is a lone surrogate, and a question mark in the file.
        file = path.open("w", encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise UnusableSource(f"the report {path} cannot be written: {error.strerror or error}") from error
    table = csv.writer(file)

    def write(row: Row, problems: Sequence[Problem]) -> None:
        notes: Sequence[object] = _notes(row, problems)
        with _keeping(path):
            for cells in row.cells or [()]:
                table.writerow([*notes, *map(_harmless, cells)])
                notes = (row.line, "", "", "")

    try:
        with _keeping(path):
            table.writerow([*NOTES, *map(_harmless, headers)])
        yield write
    except BaseException:
        # Where its end cannot be written either, the first error says it.
        with contextlib.suppress(OSError):
            file.close()
        raise
    with _keeping(path):
        file.close()


def _keeping(path: Path) -> AbstractContextManager[None]:
    return storage_errors(f"the table of rejected rows {path.name}", path.parent)


def is_of_rejected_rows(headers: Sequence[str]) -> bool:
    """Whether a table with these columns is one of rejected rows, with what stood in the table they came from."""
    return tuple(headers[: len(NOTES)]) == NOTES and len(headers) > len(NOTES)


def without_mark(cell: str) -> str:
    """The cell as it stood in the table that it came from."""
    return cell[1:] if _MARKED.match(cell) else cell


def _notes(row: Row, problems: Sequence[Problem]) -> tuple[object, ...]:
    photos = [problem.photo for problem in problems if problem.photo]
    reasons = [
        f"{problem.photo}: {problem.reason}" if problem.photo and len(problems) > 1 else problem.reason
        for problem in problems
    ]
    texts = (row.sku, " | ".join(photos), "; ".join(reasons))
    return (row.line, *(f"'{text}" if text.startswith(_FORMULA_SIGNS) else text for text in texts))


def _harmless(cell: str) -> str:
    """As a cell that is read again, see `without_mark`."""
    return f"'{cell}" if _FORMULA.match(cell) else cell
