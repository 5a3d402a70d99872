"""A catalogue with a JSON object a line, mapped like the columns of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TextIO

from catalog.importers.csv_file import python_encoding
from catalog.importers.mapping import FieldMapping, RowBuilder
from catalog.importers.photo_files import Photos
from catalog.importers.rows import Row, RowRejected, UnusableSource

_MAX_LINE_CHARACTERS = 1024 * 1024
_MAX_NAMES = 10_000
_MAX_DEPTH = 10
_MAX_EXPONENT = 30


class JsonLines:
    """The rows of a file with an object a line. Raises UnusableSource at once where there is nothing to read in it.

    A list gives a field its values: levels of the category, tags, photos. A name in an object within is written with a dot:
    {"maker": {"name": "Acme"}} has the column `maker.name`; `attributes` and `attribute` hold the product's own. What an
    object leaves out stays as it is in the product; null empties it. total: how many lines there are.
    """

    headers: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: Photos) -> None:
        self._path = path
        self._encoding = python_encoding(mapping.encoding)
        names: dict[str, None] = {}
        self.total = 0
        reasons: list[str] = []
        for _, line in self._lines():
            self.total += 1
            try:
                names |= dict.fromkeys(_record(line))
            except RowRejected as error:
                reasons = [*reasons, str(error)][:1]
            if len(names) > _MAX_NAMES:
                raise UnusableSource(
                    f"the objects have more than {_MAX_NAMES:,} names: what varies belongs into a value"
                )
        if not names:
            raise UnusableSource(f"no line is a JSON object: {reasons[0] if reasons else 'the file is empty'}")
        self._builder = RowBuilder(mapping, list(names), photos=photos)

    def __iter__(self) -> Iterator[Row]:
        for number, line in self._lines():
            try:
                record = _record(line)
            except RowRejected as error:
                yield Row(number, "", error=str(error))
            else:
                yield self._builder.build(number, record)

    def _lines(self) -> Iterator[tuple[int, str]]:
        with self._open() as file:
            number = 0
            while line := file.readline(_MAX_LINE_CHARACTERS):
                number += 1
                if len(line) == _MAX_LINE_CHARACTERS and not line.endswith("\n"):
                    _skip_rest_of_line(file)
                    line += " "
                if line.strip():
                    yield number, line

    def _open(self) -> TextIO:
        try:
            return self._path.open(encoding=self._encoding, errors="surrogateescape")
        except OSError as error:
            raise UnusableSource(f"{self._path} cannot be read: {error.strerror or error}") from error


def _skip_rest_of_line(file: TextIO) -> None:
    while (rest := file.readline(_MAX_LINE_CHARACTERS)) and not rest.endswith("\n"):
        pass


def _record(line: str) -> dict[str, str | list[str]]:
    """The object of this line by its columns; RowRejected where there is none."""
    if len(line) > _MAX_LINE_CHARACTERS:
        raise RowRejected(f"the line is longer than {_MAX_LINE_CHARACTERS:,} characters")
    try:
        content = json.loads(line, parse_float=_number, parse_int=str, parse_constant=_refuse_constant)
    except RecursionError:
        raise RowRejected("the line is not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise RowRejected(f"the line is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RowRejected("the line is JSON, but no object: write one object a line, as `jq -c '.[]'` does from a list")
    record: dict[str, str | list[str]] = {}
    _flatten(content, "", record)
    return record


def _flatten(value: Any, name: str, record: dict[str, str | list[str]], depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        raise RowRejected(f"{name} is nested more than {_MAX_DEPTH} deep")
    match value:
        case dict():
            for key, inner in value.items():
                prefix = "attribute" if name == "attributes" else name
                _flatten(inner, f"{prefix}.{key}" if prefix else key, record, depth + 1)
        case list():
            for inner in value:
                nested: dict[str, str | list[str]] = {}
                _flatten(inner, name, nested, depth + 1)
                for key, texts in nested.items():
                    _append(record, key, [texts] if isinstance(texts, str) else texts)
            if not value:
                record[name] = []
        case None:
            record[name] = ""
        case bool():
            record[name] = "yes" if value else "no"
        case _:
            record[name] = str(value)


def _append(record: dict[str, str | list[str]], name: str, texts: list[str]) -> None:
    former = record.get(name, [])
    record[name] = [*([former] if isinstance(former, str) else former), *texts]


def _number(text: str) -> str:
    """Without the zeros at its end: 1.230 is a number, and never 1,230."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return format(number.normalize(), "f") if abs(number.adjusted()) <= _MAX_EXPONENT else text


def _refuse_constant(name: str) -> str:
    raise ValueError(f"{name} is no number in JSON")
