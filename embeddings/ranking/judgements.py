"""Judgements: a CSV file that says how well products fit queries."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from io import StringIO

from embeddings.errors import InvalidJudgements

COLUMNS = ("query", "sku", "grade")
MAX_GRADE = 100.0
_MAX_PROBLEMS = 10
_DELIMITERS = ",;\t"


def parse_judgements(content: bytes, name: str) -> dict[str, dict[str, float]]:
    """Read judgements.

    Args:
        content: of a CSV file in UTF-8 with the columns `query`, `sku` and `grade`, in any order; other columns are passed over.
            Commas, semicolons or tabs separate them.
        name: of the file, in messages.

    Returns:
        Grade by SKU, by query. Of repeated judgements their mean.

    Raises:
        InvalidJudgements: it is no such file; the message names line and column of the first problems.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidJudgements(
            f"{name} is not in UTF-8: byte {error.start + 1} does not belong there. Save it as CSV in UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InvalidJudgements(
            f"{name} is not a text in UTF-8: line {line} has a NUL character. Save it as CSV in UTF-8"
        )
    head = text.partition("\n")[0]
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count), strict=True)
    found: dict[str, dict[str, list[float]]] = {}
    problems: list[str] = []
    try:
        places = _places(name, next(reader, []))
        for row in reader:
            if any(cell.strip() for cell in row):
                _read(row, reader.line_num, places, found, problems)
    except csv.Error as error:
        raise InvalidJudgements(f"{name}, line {reader.line_num}: this is no CSV: {error}") from error
    if problems:
        more = f"; and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
        raise InvalidJudgements(f"{name}: {'; '.join(problems[:_MAX_PROBLEMS])}{more}")
    if not found:
        raise InvalidJudgements(f"{name} has no judgements below its header")
    return {
        query: {sku: sum(grades) / len(grades) for sku, grades in judged.items()} for query, judged in found.items()
    }


def _places(file: str, header: list[str]) -> Mapping[str, int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InvalidJudgements(
            f"{file}, line 1: there is no column {', '.join(map(repr, missing))}; the header has to name {', '.join(COLUMNS)}"
        )
    return {name: names.index(name) for name in COLUMNS}


def _read(
    row: list[str],
    line: int,
    places: Mapping[str, int],
    found: dict[str, dict[str, list[float]]],
    problems: list[str],
) -> None:
    cells = {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
    empty = [name for name, text in cells.items() if not text]
    if empty:
        problems.append(f"line {line}, column {', '.join(empty)}: is empty")
        return
    try:
        grade = float(cells["grade"])
    except ValueError:
        grade = math.nan
    if not 0 <= grade <= MAX_GRADE:
        problems.append(f"line {line}, column grade: {cells['grade']!r} is not a number from 0 to {MAX_GRADE:g}")
        return
    query = " ".join(cells["query"].split())
    found.setdefault(query, {}).setdefault(cells["sku"], []).append(grade)
