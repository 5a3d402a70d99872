"""The items of an RSS 2.0 or Atom file, read as a stream.

Expat is used directly, for two things that ElementTree hides: a document type declaration is refused at its start, so that no
entity is defined, expanded or fetched; and only the current item is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from catalog.importers.rows import InvalidSource

GOOGLE = "http://base.google.com/ns/1.0"
ATOM = "http://www.w3.org/2005/Atom"

_SEPARATOR = "\n"
_CHUNK_BYTES = 8 * 1024
_MAX_ITEM_CHARACTERS = 1024 * 1024
_MAX_ITEM_VALUES = 10_000
# Expat buffers a tag or comment until its end: longer ones would fill the memory.
_MAX_TOKEN_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 100


@dataclass(slots=True)
class Item:
    """One item: the texts of its elements by local name; those in Google's namespace take precedence."""

    google: dict[str, list[str]] = field(default_factory=dict)
    other_elements: dict[str, list[str]] = field(default_factory=dict)
    error: str = ""

    def texts(self, name: str) -> list[str]:
        """All texts of this name."""
        return self.google.get(name) or self.other_elements.get(name) or []


class FeedSyntaxError(Exception):
    """The file cannot be read further."""


class FeedFile:
    """An XML file with items.

    Args:
        path: the file.

    Raises:
        InvalidSource: it is not a feed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            parser = _FeedParser()
            try:
                while not parser.root and (chunk := file.read(_CHUNK_BYTES)):
                    parser.feed(chunk)
            except FeedSyntaxError as error:
                if not parser.root:
                    raise InvalidSource(str(error)) from error
            if not parser.root:
                raise InvalidSource("the file is empty: it has to be an RSS 2.0 or Atom feed")

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items.

        Yields:
            Items in the order of the file.

        Raises:
            FeedSyntaxError: the rest of the file cannot be read.
        """
        parser = _FeedParser()
        with self._open() as file:
            while chunk := file.read(_CHUNK_BYTES):
                broken: FeedSyntaxError | None = None
                try:
                    parser.feed(chunk)
                except FeedSyntaxError as error:
                    broken = error
                yield from parser.pop_items()
                if broken is not None:
                    raise broken
            parser.feed(b"", last=True)

    def _open(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise InvalidSource(f"{self._path} cannot be read: {error.strerror or error}") from error


class _FeedParser:
    """Expat's callbacks. root: name of the root element, "" before it was read."""

    def __init__(self) -> None:
        self.root = ""
        self._items: list[Item] = []
        self._item: Item | None = None
        self._item_depth = 0
        self._depth = 0
        self._name = ""
        self._text: list[str] = []
        self._characters = 0
        self._values = 0
        self._fed = 0
        self._token_start = 0
        parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._on_characters
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._on_other
        self._parser = parser

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise FeedSyntaxError(
                f"the XML is broken or cut off at line {error.lineno}, column {error.offset} "
                f"({expat.ErrorString(error.code)}): export the feed again"
            ) from error
        except (LookupError, ValueError) as error:
            raise FeedSyntaxError(
                f"the XML is in an encoding that cannot be read ({error}): save it as UTF-8"
            ) from error
        if self._fed - self._token_start > _MAX_TOKEN_BYTES:
            raise FeedSyntaxError(
                f"line {self._parser.CurrentLineNumber} has a tag or comment longer than {_MAX_TOKEN_BYTES:,} bytes"
            )

    def pop_items(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def _refuse_doctype(self, *_args: object) -> None:
        raise FeedSyntaxError(
            f"the XML has a document type declaration at line {self._parser.CurrentLineNumber}, which is not "
            "allowed: is it a web page? Remove <!DOCTYPE ...>"
        )

    def _on_other(self, *_args: object) -> None:
        self._token_start = self._fed

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._token_start = self._fed
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FeedSyntaxError(f"line {self._parser.CurrentLineNumber} is more than {_MAX_DEPTH} elements deep")
        if not self.root:
            self.root = _check_root(name)
        if self._item is None:
            if name in ("item", f"{ATOM}{_SEPARATOR}entry"):
                self._item, self._item_depth = Item(), self._depth
                self._characters = self._values = 0
        elif self._depth == self._item_depth + 1:
            self._name, self._text = name, []
            # Atom's link is an attribute; `rel` names links that are not the page itself.
            if name == f"{ATOM}{_SEPARATOR}link" and attributes.get("rel", "alternate") == "alternate":
                self._text.append(attributes.get("href", ""))

    def _end(self, _name: str) -> None:
        self._token_start = self._fed
        if self._item is not None:
            if self._depth == self._item_depth + 1:
                self._emit(self._item)
            elif self._depth == self._item_depth:
                self._items.append(self._item)
                self._item = None
        self._depth -= 1

    def _emit(self, item: Item) -> None:
        namespace, _, local = self._name.rpartition(_SEPARATOR)
        self._values += 1
        if self._values > _MAX_ITEM_VALUES:
            item.error = f"the item has more than {_MAX_ITEM_VALUES:,} elements"
        elif not item.error and namespace in ("", ATOM, GOOGLE) and (text := "".join(self._text).strip()):
            texts = item.google if namespace == GOOGLE else item.other_elements
            texts.setdefault(local, []).append(text)
        self._text = []

    def _on_characters(self, text: str) -> None:
        self._token_start = self._fed
        if self._item is None or self._depth <= self._item_depth:
            return
        self._characters += len(text)
        if self._characters > _MAX_ITEM_CHARACTERS:
            self._item.error = f"the item is longer than {_MAX_ITEM_CHARACTERS:,} characters"
            self._text = []
        else:
            self._text.append(text)


def _check_root(name: str) -> str:
    local = name.rpartition(_SEPARATOR)[2]
    if name not in ("rss", f"{ATOM}{_SEPARATOR}feed"):
        raise FeedSyntaxError(
            f"the XML is neither RSS 2.0 nor Atom: its root element is {local[:40]!r}, not rss or feed"
        )
    return local
