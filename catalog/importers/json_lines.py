"""A catalogue as JSON Lines: one object per line, mapped like the columns of a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TextIO

from catalog.importers.csv_file import python_encoding
from catalog.importers.mapping import FieldMapping, RowBuilder
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rows import InvalidSource, Row, RowRejected

_MAX_LINE_CHARACTERS = 1024 * 1024
_MAX_NAMES = 10_000
_MAX_DEPTH = 10
_MAX_EXPONENT = 30


class JsonLines:
    """The rows of a file with one object per line.

    A list has the values of a field: levels of the category, tags, photos. Nested objects give names with a dot:
    {"maker": {"name": "Acme"}} has the column `maker.name`; `attributes` and `attribute` are the product's attributes. A name
    that an object lacks leaves the product's field as it is; null empties it.

    Args:
        path: the file.
        mapping: how names become fields.
        photos: folder of the photos.

    Attributes:
        total: number of lines.

    Raises:
        InvalidSource: no line is an object, or they have too many different names.
    """

    format = "jsonl"
    notes: Sequence[str] = ()

    headers: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
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
                raise InvalidSource(
                    f"the objects have more than {_MAX_NAMES:,} different names: put varying data into values"
                )
        if not names:
            raise InvalidSource(f"no line is a JSON object: {reasons[0] if reasons else 'the file is empty'}")
        self._builder = RowBuilder(mapping, list(names), photos=photos)

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

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
            raise InvalidSource(f"{self._path} cannot be read: {error.strerror or error}") from error


def _skip_rest_of_line(file: TextIO) -> None:
    while (rest := file.readline(_MAX_LINE_CHARACTERS)) and not rest.endswith("\n"):
        pass


def _record(line: str) -> dict[str, str | list[str]]:
    """The object of a line, by column."""
    if len(line) > _MAX_LINE_CHARACTERS:
        raise RowRejected(f"the line is longer than {_MAX_LINE_CHARACTERS:,} characters")
    try:
        content = json.loads(line, parse_float=_number, parse_int=str, parse_constant=_reject_constant)
    except RecursionError:
        raise RowRejected("the line is not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise RowRejected(f"the line is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RowRejected(
            "the line is JSON but not an object: write one object per line, as `jq -c '.[]'` does with a list"
        )
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
                    _add_value(record, key, [texts] if isinstance(texts, str) else texts)
            if not value:
                record[name] = []
        case None:
            record[name] = ""
        case bool():
            record[name] = "yes" if value else "no"
        case _:
            record[name] = str(value)


def _add_value(record: dict[str, str | list[str]], name: str, texts: list[str]) -> None:
    previous = record.get(name, [])
    record[name] = [*([previous] if isinstance(previous, str) else previous), *texts]


def _number(text: str) -> str:
    """Without trailing zeros: 1.230 is not read as 1,230."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return format(number.normalize(), "f") if abs(number.adjusted()) <= _MAX_EXPONENT else text


def _reject_constant(name: str) -> str:
    raise ValueError(f"{name} is not a number in JSON")
