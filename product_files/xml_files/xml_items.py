"""The items of an XML file, read as a stream: those of RSS 2.0 and Atom, and any other element that is repeated.

Expat is used directly, for two things that ElementTree hides: a document type declaration that defines more than signs is refused,
so that no entity grows or is fetched; and only the current item is in memory.
"""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from pictures.photo_facts import unreadable
from product_files import file_facts, row_facts
from product_files.product_data import SKU_LENGTH
from product_files.rows import InvalidSource, Row
from product_files.values.html_text import is_block

# Google's namespace, as it is and as some write it.
GOOGLE = frozenset(("http://base.google.com/ns/1.0", "https://base.google.com/ns/1.0"))
ATOM = "http://www.w3.org/2005/Atom"
# Roots of feeds, and the elements that are their items.
FEED_ROOTS = frozenset(("rss", "feed", "channel", "rdf"))
FEED_ITEMS = ("item", "entry")
# The path of the text that an item has itself, where it has no elements.
OWN_TEXT = "."

_SEPARATOR = "\n"
# A byte order mark and empty lines, which expat refuses before the declaration.
_BEFORE_DECLARATION = b"\xef\xbb\xbf \t\r\n"
_CHUNK_BYTES = 8 * 1024
_MAX_ITEM_CHARACTERS = 1024 * 1024
# A machine in ECLASS Advanced has about 20,000.
_MAX_ITEM_VALUES = 100_000
_MAX_OUTLINE_PATHS = 10_000
# Expat buffers a tag or comment until its end: longer ones would fill the memory.
_MAX_TOKEN_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 100
# Of an entity that a file may define.
_MAX_SIGN_CHARACTERS = 8
_FIELD_ELEMENTS = frozenset(("field", "str", "int", "long", "float", "double", "bool", "date", "arr"))
# Of the beginning, in which the repeated element is looked for.
_OUTLINE_BYTES = 512 * 1024


@dataclass(slots=True)
class Item:
    """One item: the texts of its elements by path, `images/image`, and of attributes, `@id`; Google's elements
    take precedence, and those of other namespaces stand back.
    """

    google: dict[str, list[str]] = field(default_factory=dict)
    other_elements: dict[str, list[str]] = field(default_factory=dict)
    foreign: dict[str, list[str]] = field(default_factory=dict)
    # The attributes and the text, which may be empty, of each element that has attributes, by its path.
    attributed: dict[str, list[tuple[dict[str, str], str]]] = field(default_factory=dict)
    # The elements at the paths that were asked for, each as an item of its own, by their path.
    parts: dict[str, list[Item]] = field(default_factory=dict)
    error: str = ""

    def texts(self, name: str) -> list[str]:
        """All texts of this path."""
        return self.google.get(name) or self.other_elements.get(name) or self.foreign.get(name) or []

    def text(self, *paths: str) -> str:
        """The first text of the first path that is not empty, without white space around it; "" if there is none."""
        return next((text for path in paths if (text := "".join(self.texts(path)[:1]).strip())), "")

    def of(self, namespace: str) -> dict[str, list[str]]:
        """The texts of elements of this namespace."""
        if namespace in GOOGLE:
            return self.google
        return self.other_elements if namespace in ("", ATOM) else self.foreign

    def fields(self) -> dict[str, list[str]]:
        """The texts of elements that name a field each, by these names."""
        found: dict[str, list[str]] = {}
        for path, elements in self.attributed.items():
            for attributes, text in elements:
                if text and (name := name_of_field(path, attributes)):
                    found.setdefault(name, []).append(text)
        return found

    @property
    def names(self) -> list[str]:
        """All paths."""
        return list(dict.fromkeys([*self.google, *self.other_elements, *self.foreign]))


class FeedSyntaxError(Exception):
    """The file cannot be read further."""


class XmlFile:
    """An XML file with items.

    Args:
        path: the file.
        item: name of the elements that are items, or their path: `product`, `products/product`; or several; "" for those of a
            feed.
        encoding: of the file; "" for the one that it declares.
        parts: paths below an item of elements whose own paths belong together, as those of each variant do.

    Attributes:
        root: name of the root element.

    Raises:
        InvalidSource: it is not XML.
    """

    def __init__(
        self, path: Path, item: str | Sequence[str] = "", encoding: str = "", *, parts: Sequence[str] = ()
    ) -> None:
        self._path = path
        self._parts = parts
        self._items = ((item,) if isinstance(item, str) else tuple(item)) if item else FEED_ITEMS
        self._encoding = encoding or None
        with self._open() as file:
            parser = self._parser()
            try:
                while not parser.root and (chunk := file.read(_CHUNK_BYTES)):
                    parser.feed(chunk)
            except FeedSyntaxError as error:
                if not parser.root:
                    raise InvalidSource(str(error)) from error
            if not parser.root:
                raise InvalidSource(file_facts.XML_EMPTY())
        self.root = parser.root

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items.

        Yields:
            Items in the order of the file.

        Raises:
            FeedSyntaxError: the rest of the file cannot be read.
        """
        parser = self._parser()
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

    def outline(self) -> dict[str, set[str]]:
        """The paths of elements near the beginning, each with the names of its children and attributes."""
        parser = _OutlineParser(self._encoding)
        # What stands before a fault is enough, and importing reports it.
        with contextlib.suppress(FeedSyntaxError):
            self.feed(parser, until=lambda: parser.fed >= _OUTLINE_BYTES)
        return parser.children

    def feed(self, parser: XmlParser, *, until: Callable[[], bool]) -> None:
        """Give the file to another parser.

        Args:
            parser: takes it.
            until: whether what follows is not needed.

        Raises:
            FeedSyntaxError: the file cannot be read.
        """
        with self._open() as file:
            while not until() and (chunk := file.read(_CHUNK_BYTES)):
                parser.feed(chunk)

    def _parser(self) -> _ItemParser:
        return _ItemParser(self._items, self._encoding, self._parts)

    def _open(self) -> BinaryIO:
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise InvalidSource(unreadable(self._path, error)) from error
        start = file.read(_CHUNK_BYTES)
        file.seek(len(start) - len(start.lstrip(_BEFORE_DECLARATION)))
        return file


def outline(start: bytes) -> dict[str, set[str]]:
    """The paths of elements in the beginning of an XML file, each with the names of its children and attributes."""
    parser = _OutlineParser(None)
    with contextlib.suppress(FeedSyntaxError):
        parser.feed(start.lstrip(_BEFORE_DECLARATION))
    return parser.children


def other_root(root: str, wanted: str, format: str) -> InvalidSource:
    """The error of a file of another kind.

    Args:
        root: its root element.
        wanted: that of the files that are read.
        format: of those, for people.

    Returns:
        The error.
    """
    return InvalidSource(file_facts.OTHER_ROOT(root=repr(root[:40]), wanted=wanted, format=format))


def name_of_field(element: str, attributes: Mapping[str, str]) -> str:
    """The name of the field that an element is, as in `<field name="price">` of Solr and Odoo; "" for other elements.

    Args:
        element: its own name.
        attributes: of the element.

    Returns:
        The name of the field.
    """
    return attributes.get("name", "") if element in _FIELD_ELEMENTS else ""


def root_of(outline: Mapping[str, Collection[str]]) -> str:
    """The name of the root element.

    Args:
        outline: of the XML, see `outline`.

    Returns:
        The name; "" if there is none.
    """
    return next(iter(outline), "").partition("/")[0]


def rows_of_items(items: Iterable[Item], build: Callable[[int, Item], Iterable[Row]], *sku: str) -> Iterator[Row]:
    """The rows of a file's items.

    Args:
        items: of the file.
        build: makes the rows of an item; gets its number, from 1, too.
        sku: paths of the SKU, to name an item that is too large to be read.

    Yields:
        The rows; where the file cannot be read further, an invalid one says so.
    """
    number = 0
    try:
        for number, item in enumerate(items, start=1):
            if item.error:
                yield Row(number, item.text(*sku)[:SKU_LENGTH], error=item.error)
            else:
                yield from build(number, item)
    except FeedSyntaxError as error:
        yield Row(number + 1, "", error=str(error), is_last_readable=True)


class XmlParser:
    """Expat's callbacks, and its limits.

    Attributes:
        root: local name of the root element, "" before it was read.
        path: local names of the open elements, from the root down.
        fed: bytes so far.
    """

    def __init__(self, encoding: str | None) -> None:
        self.root = ""
        self.fed = 0
        self._token_start = 0
        self.path: list[str] = []
        parser = expat.ParserCreate(encoding, namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._check_doctype
        parser.EntityDeclHandler = self._check_entity
        parser.AttlistDeclHandler = self._check_attribute
        parser.SkippedEntityHandler = self._on_skipped_entity
        parser.StartElementHandler = self._on_start
        parser.EndElementHandler = self._on_end
        parser.CharacterDataHandler = self._on_characters
        parser.CommentHandler = parser.ProcessingInstructionHandler = self._on_other
        self._parser = parser

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        self.fed += len(chunk)
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise FeedSyntaxError(
                file_facts.XML_BROKEN(
                    line=str(error.lineno), column=str(error.offset), error=expat.ErrorString(error.code)
                )
            ) from error
        except (LookupError, ValueError) as error:
            raise FeedSyntaxError(file_facts.XML_ENCODING(error=str(error))) from error
        if self.fed - self._token_start > _MAX_TOKEN_BYTES:
            raise FeedSyntaxError(file_facts.XML_TOKEN_TOO_LONG(line=self._line, limit=_MAX_TOKEN_BYTES))

    @property
    def _line(self) -> str:
        return str(self._parser.CurrentLineNumber)

    def start(self, namespace: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 -- for subclasses
        """An element, the last one of the path, begins."""
        return

    def end(self) -> None:
        """The last element of the path ends."""
        return

    def characters(self, text: str) -> None:  # noqa: ARG002 -- for subclasses
        """Text of the last element of the path."""
        return

    def _check_doctype(self, name: str, *_files: object) -> None:
        """Allow a declaration that names a file, which is never read, as that of YML does: `SYSTEM "shops.dtd"`."""
        if name.lower() == "html":
            raise FeedSyntaxError(file_facts.XML_DOCTYPE(line=self._line))

    def _check_entity(self, _name: str, is_parameter: bool, value: str | None, *_files: object) -> None:
        """Allow entities that are a sign, such as `&mdash;`: those of others, or from files, make a short file a long one."""
        if is_parameter or value is None or "&" in value or len(value) > _MAX_SIGN_CHARACTERS:
            raise FeedSyntaxError(file_facts.XML_DOCTYPE(line=self._line))

    def _check_attribute(self, _element: str, _name: str, _kind: str, default: str | None, _required: bool) -> None:
        """Refuse defaults of attributes, which all elements would have."""
        if default is not None:
            raise FeedSyntaxError(file_facts.XML_DOCTYPE(line=self._line))

    def _on_skipped_entity(self, name: str, is_parameter: bool) -> None:
        """An entity that the file of the declaration would have defined: those of HTML are known without it."""
        if not is_parameter:
            self._on_characters(html.unescape(f"&{name};"))

    def _on_other(self, *_args: object) -> None:
        self._token_start = self.fed

    def _on_start(self, name: str, attributes: dict[str, str]) -> None:
        self._token_start = self.fed
        namespace, _, local = name.rpartition(_SEPARATOR)
        self.path.append(local)
        if len(self.path) > _MAX_DEPTH:
            raise FeedSyntaxError(file_facts.XML_TOO_DEEP(line=self._line, limit=_MAX_DEPTH))
        self.root = self.root or local
        self.start(namespace, attributes)

    def _on_end(self, _name: str) -> None:
        self._token_start = self.fed
        self.end()
        self.path.pop()

    def _on_characters(self, text: str) -> None:
        self._token_start = self.fed
        self.characters(text)


@dataclass(slots=True)
class _Element:
    """An open element below an item.

    Attributes:
        attributes: by local names.
        parts: of its own text.
        children: their texts, as long as it has none of its own; with line breaks around those that are blocks in HTML.
    """

    namespace: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Its text; that of an element that only has elements is a line each."""
        own = "".join(self.parts).strip()
        return own if own or not self.children else "\n".join(each.strip() for each in self.children)


class _ItemParser(XmlParser):
    """Collects items. names: local names or paths of the elements that are items; parts: paths below them."""

    def __init__(self, names: Sequence[str], encoding: str | None, parts: Sequence[str] = ()) -> None:
        super().__init__(encoding)
        self._parts = parts
        self._names = [name.strip("/").split("/") for name in names]
        self._items: list[Item] = []
        self._item: Item | None = None
        self._item_depth = 0
        self._open: list[_Element] = []
        self._own: list[str] = []
        self._characters = 0
        self._values = 0

    def pop_items(self) -> list[Item]:
        items, self._items = self._items, []
        return items

    def start(self, namespace: str, attributes: dict[str, str]) -> None:
        if self._item is None:
            if len(self.path) > 1 and any(self.path[-len(name) :] == name for name in self._names):
                self._item, self._item_depth = Item(), len(self.path)
                self._characters = self._values = 0
                self._own = []
                self._add_attributes("", attributes)
            return
        local = {name.rpartition(_SEPARATOR)[2]: text for name, text in attributes.items()}
        self._open.append(_Element(namespace, local))
        path = "/".join(self.path[self._item_depth :])
        if path in self._parts:
            self._item.parts.setdefault(path, []).append(Item())
        if namespace != ATOM or path != "link":
            self._add_attributes(f"{path}/", attributes)
        # Atom's link is an attribute; `rel` names links that are not the page itself.
        elif attributes.get("rel", "alternate") == "alternate":
            self._open[-1].parts.append(attributes.get("href", ""))

    def end(self) -> None:
        if self._item is None:
            return
        if len(self.path) == self._item_depth:
            if all(name.startswith("@") for name in self._item.names):
                self._add_value(OWN_TEXT, "", "".join(self._own))
            self._items.append(self._item)
            self._item = None
            return
        element = self._open.pop()
        text = element.text()
        if self._open:
            parent = self._open[-1]
            within = (f"\n{text}\n" if text else "\n") if is_block(self.path[-1].lower()) else text
            # Text with elements in it, as of XHTML, is one text.
            if "".join(parent.parts).strip():
                parent.parts.append(within)
            elif text:
                parent.children.append(within)
        path = "/".join(self.path[self._item_depth :])
        self._add_value(path, element.namespace, text)
        if element.attributes and not self._item.error:
            found = (element.attributes, _unwrapped(text.strip()))
            self._item.attributed.setdefault(path, []).append(found)
            for part in self._parts:
                if path.startswith(f"{part}/"):
                    self._item.parts[part][-1].attributed.setdefault(path[len(part) + 1 :], []).append(found)

    def characters(self, text: str) -> None:
        if self._item is None or not (self._open or text.strip()):
            return
        self._characters += len(text)
        if self._characters > _MAX_ITEM_CHARACTERS:
            self._item.error = row_facts.ITEM_TOO_LONG(limit=_MAX_ITEM_CHARACTERS)
            for parts in (self._own, *(element.parts for element in self._open)):
                parts.clear()
            return
        if not self._open:
            self._own.append(text)
            return
        element = self._open[-1]
        if element.children and text.strip():
            element.parts += element.children
            element.children = []
        element.parts.append(text)

    def _add_attributes(self, path: str, attributes: dict[str, str]) -> None:
        for name, text in attributes.items():
            self._characters += len(text)
            self._add_value(f"{path}@{name.rpartition(_SEPARATOR)[2]}", "", text)

    def _add_value(self, path: str, namespace: str, text: str) -> None:
        item = self._item
        if item is None:
            return
        self._values += 1
        if self._values > _MAX_ITEM_VALUES:
            item.error = row_facts.ITEM_TOO_LARGE(limit=_MAX_ITEM_VALUES)
        elif self._characters > _MAX_ITEM_CHARACTERS:
            item.error = row_facts.ITEM_TOO_LONG(limit=_MAX_ITEM_CHARACTERS)
        elif not item.error and (text := _unwrapped(text.strip())):
            item.of(namespace).setdefault(path, []).append(text)
            for part in self._parts:
                if path.startswith((f"{part}/", f"{part}@")):
                    own = path[len(part) :].removeprefix("/")
                    item.parts[part][-1].of(namespace).setdefault(own, []).append(text)


def _unwrapped(text: str) -> str:
    """A text without a CDATA section that some programs escape, so that it is no section but a part of the text."""
    return text[9:-3].strip() if text.startswith("<![CDATA[") and text.endswith("]]>") else text


class _OutlineParser(XmlParser):
    """Collects which children and attributes elements have. children: by path."""

    def __init__(self, encoding: str | None) -> None:
        super().__init__(encoding)
        self.children: dict[str, set[str]] = {}

    def start(self, namespace: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 -- the base's
        if len(self.children) > _MAX_OUTLINE_PATHS:
            return
        path = "/".join(self.path)
        names = self.children.setdefault(path, set())
        if len(self.path) > 1:
            self.children["/".join(self.path[:-1])].add(name_of_field(self.path[-1], attributes) or self.path[-1])
        if not name_of_field(self.path[-1], attributes):
            names.update(f"@{name.rpartition(_SEPARATOR)[2]}" for name in attributes)
