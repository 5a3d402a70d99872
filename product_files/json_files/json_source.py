"""A large JSON file as ijson reads it: in any encoding, with the characters of one object and its nesting limited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import ijson

from product_files import file_facts
from product_files.containers.encodings import open_text

CHUNK_CHARACTERS = 64 * 1024
# A product of Shopify with 2,048 variants and 250 photos has about 2 million.
_MAX_CHARACTERS = 16 * 1024 * 1024
# More than any shop's; deeper ones never reach the parser.
_MAX_NESTING = 100
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_NO_MARKS = re.compile(r'[^\[\]{}"]+')
_STRING = re.compile(r'"[^"]*"')

UNREADABLE = (ijson.JSONError, UnicodeError, ValueError, ArithmeticError, RecursionError)


class JsonUnreadable(ValueError):
    """The file cannot be read from here on."""


class JsonText(str):
    """A number of JSON as it is written, whose point is always a decimal separator."""

    __slots__ = ()


class JsonSource:
    """A file in any encoding, as UTF-8. The characters of one object are limited, and how deeply it is nested.

    Attributes:
        characters: read since the last object began.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.characters = 0
        self._nesting = Nesting()

    def read(self, size: int = -1) -> bytes:
        # ijson asks for nothing first, to see whether it gets bytes.
        text = self._file.read(min(size, CHUNK_CHARACTERS)) if size else ""
        self.characters += len(text)
        if self.characters > _MAX_CHARACTERS:
            raise JsonUnreadable(file_facts.OBJECT_TOO_LONG(limit=_MAX_CHARACTERS))
        if self._nesting.deepest_in(text) > _MAX_NESTING:
            raise JsonUnreadable(file_facts.OBJECTS_TOO_DEEP(limit=_MAX_NESTING))
        return text.encode("utf-8", errors="replace")

    def start_object(self) -> None:
        """Count from here on."""
        self.characters = 0


class Nesting:
    """How deeply the lists and objects of a text are nested, which comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    def deepest_in(self, piece: str) -> int:
        """The greatest depth within the next piece.

        Args:
            piece: of any length.

        Returns:
            Number of lists and objects that are open, at the most.
        """
        text = piece[1:] if self._is_escaped else piece
        self._is_escaped = bool(text) and (len(text) - len(text.rstrip("\\"))) % 2 == 1
        # Strings are those between quotes that are not escaped.
        marks = _NO_MARKS.sub("", _ESCAPED.sub("", text))
        marks = _STRING.sub("", f'"{marks}' if self._in_string else marks)
        self._in_string = '"' in marks
        deepest = self._depth
        for mark in marks.partition('"')[0]:
            self._depth += 1 if mark in "[{" else -1
            deepest = max(deepest, self._depth)
        return deepest


@contextmanager
def open_json(path: Path, encoding: str) -> Iterator[JsonSource]:
    """Open a file.

    Args:
        path: the file.
        encoding: of the file.

    Yields:
        What ijson reads.

    Raises:
        InvalidSource: the file cannot be opened.
    """
    with open_text(path, encoding) as file:
        yield JsonSource(file)
