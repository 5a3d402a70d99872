"""The objects of a large JSON file, one by one: of a list, of a list in an object, or one after another."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

import ijson

from product_files import file_facts
from product_files.columns.synonyms import find_columns
from product_files.containers.encodings import open_text

# What ijson calls the elements of a list, and what it is asked for where objects stand one after another.
_ELEMENT = "item"
ONE_AFTER_ANOTHER = ""
# The end of what is no prefix of ijson: the objects are the values of an object, under their ids.
_KEYED = "*"
_MIN_KEYED = 2
# In place of a prefix: the objects are in several lists of an object, as by category, `{"shirts": [...], "shoes": [...]}`.
_LISTED = "[]"
_MAX_JUDGED = 20
# Of the file, in which they are looked for.
_MAX_KEYED_CHARACTERS = 256 * 1024
# What a product has besides its title.
_OF_PRODUCTS = frozenset(("price", "list_price", "description", "image", "available", "category", "brand"))
# Of them, those that have names of their own.
_NAMED = frozenset(("brand", "category"))
# Names of the list of products in an object, in which there may be other things.
_LISTS = frozenset(
    (
        "products",
        "items",
        "data",
        "results",
        "entries",
        "records",
        "catalog",
        "articles",
        "documents",
        "docs",
        "nodes",
        "objects",
        "hits",
        "elements",
        "edges",
        "member",
        "hydra:member",
        "@graph",
        "itemListElement",
    )
)
# Names of the list of its products in a category.
_OF_CATEGORIES = ("products", "items")
# Names around a list that say nothing of its products.
_WRAPPERS = frozenset(("response", "result", "payload", "store", "shop", "catalogue", "inventory"))
# What stands beside the product in objects of GraphQL and JSON:API.
_AROUND_NODES = frozenset(("node", "cursor", "__typename"))
_AROUND_ATTRIBUTES = frozenset(("id", "type", "attributes", "relationships", "links", "meta"))
_MAX_DEPTH = 4
_CHUNK_CHARACTERS = 64 * 1024
# To find the list, little is read at a time: ijson reads a chunk whole before it returns the first event.
_FIRST_CHUNK_BYTES = 2 * 1024
# A product of Shopify with 2,048 variants and 250 photos has about 2 million.
_MAX_CHARACTERS = 16 * 1024 * 1024
# More than any shop's; deeper ones never reach the parser.
_MAX_NESTING = 100
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_NO_MARKS = re.compile(r'[^\[\]{}"]+')
_STRING = re.compile(r'"[^"]*"')


_UNREADABLE = (ijson.JSONError, UnicodeError, ValueError, ArithmeticError, RecursionError)


class JsonUnreadable(ValueError):
    """The file cannot be read from here on."""


class JsonText(str):
    """A number of JSON as it is written, whose point is always a decimal separator."""

    __slots__ = ()


class _Source:
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
        text = self._file.read(min(size, _CHUNK_CHARACTERS)) if size else ""
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


def json_objects(path: Path, encoding: str) -> Iterator[dict[str, Any]]:
    """The objects of a file.

    Args:
        path: the file.
        encoding: of the file.

    Yields:
        The objects, in bounded memory. Numbers are texts.

    Raises:
        JsonUnreadable: the file is damaged or has something else from here on.
        InvalidSource: the file cannot be opened.
    """
    yield from _objects_at(path, encoding, find_objects(path, encoding))


def objects_in(path: Path, encoding: str, name: str) -> Iterator[dict[str, Any]]:
    """The objects of the list of this name in the outermost object of a file.

    Args:
        path: the file.
        encoding: of the file.
        name: of the list.

    Yields:
        The objects, as `json_objects` does; none where there is no such list.

    Raises:
        JsonUnreadable: the file is damaged or has something else from here on.
        InvalidSource: the file cannot be opened.
    """
    yield from _objects_at(path, encoding, f"{name}.{_ELEMENT}")


def objects_beside(path: Path, encoding: str, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The objects of lists that stand beside that of the products.

    Args:
        path: the file.
        encoding: of the file.
        names: that the lists may have.

    Yields:
        The objects, as `json_objects` does.

    Raises:
        JsonUnreadable: the file is damaged or has something else from here on.
        InvalidSource: the file cannot be opened.
    """
    around = find_objects(path, encoding).removesuffix(f".{_ELEMENT}").removesuffix(f".{_KEYED}").rpartition(".")[0]
    with open_text(path, encoding) as file:
        start = file.read(_MAX_KEYED_CHARACTERS)
    for name in names:
        if f'"{name}"' in start:
            yield from objects_in(path, encoding, f"{around}.{name}" if around else name)


def _objects_at(path: Path, encoding: str, prefix: str) -> Iterator[dict[str, Any]]:
    with _open(path, encoding) as source:
        items = _items(source, prefix)
        while True:
            try:
                content = next(items, None)
            except _UNREADABLE as error:
                if isinstance(error, JsonUnreadable):
                    raise
                raise JsonUnreadable(file_facts.OBJECT_UNREADABLE(error=str(error))) from error
            if content is None:
                return
            source.start_object()
            if not isinstance(content, dict):
                raise JsonUnreadable(file_facts.NOT_ONLY_OBJECTS())
            yield from _products_of(unwrapped(_with_texts(content)))


def _items(source: _Source, prefix: str) -> Iterator[Any]:
    """What is at a prefix; the values of an object with their ids."""
    if prefix == _LISTED:
        yield from _listed_items(source)
        return
    if not prefix.endswith(_KEYED):
        yield from ijson.items(source, prefix, multiple_values=prefix == ONE_AFTER_ANOTHER)
        return
    for key, value in ijson.kvitems(source, prefix.removesuffix(_KEYED).removesuffix(".")):
        yield {"_id": key, **value} if isinstance(value, dict) else value


def _products_of(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The products of a category that lists them, `{"name": "Men", "products": [...]}`, with its name; others as they are."""
    name = next((name for name in _OF_CATEGORIES if dicts_of(content, name)), "")
    inner = dicts_of(content, name)
    if not inner or not {"title", "price"} <= find_columns(list(inner[0])).keys():
        yield content
        return
    own = find_columns(list(content))
    label = text_of(content, next(iter(own.get("category", own.get("title", ()))), ""))
    # A bundle lists its products as well: it has a brand or a SKU of its own, where a category has an identifier.
    if not label or {"price", "brand"} & own.keys() or any("sku" in name.casefold() for name in own.get("sku", ())):
        yield content
        return
    for product in inner:
        yield product if "category" in find_columns(list(product)) else {"category": label, **product}


def _listed_items(source: _Source) -> Iterator[dict[str, Any]]:
    """The products of several lists; those that name no category have the names around their list as its levels."""
    have_products: dict[str, bool] = {}
    builder, place = None, ""
    for prefix, event, value in ijson.parse(source):
        if builder is None and event == "start_map" and _is_element(prefix):
            builder, place = ijson.ObjectBuilder(), prefix
        if builder is None:
            continue
        builder.event(event, value)
        if event == "end_map" and prefix == place:
            found, builder = builder.value, None
            fields = find_columns(list(found)).keys()
            if have_products.setdefault(prefix, _are_of_products(fields)):
                levels = _categories_around(prefix.removesuffix(f".{_ELEMENT}"))
                yield found if "category" in fields or not levels else {"category": levels, **found}


def _is_element(prefix: str) -> bool:
    """Whether this is the prefix of the elements of a list that is in objects only."""
    *around, last = prefix.split(".")
    return last == _ELEMENT and bool(around) and _ELEMENT not in around and len(around) <= _MAX_DEPTH


def _categories_around(prefix: str) -> list[str]:
    """The names of a list and of what it is in that are those of categories: `page1` and `products` are none."""
    return [
        name
        for name in prefix.split(".")
        if name not in _LISTS and name not in _WRAPPERS and not any(each.isdigit() for each in name)
    ]


def _are_of_products(fields: Collection[str]) -> bool:
    return "title" in fields and not _OF_PRODUCTS.isdisjoint(fields)


def unwrapped(content: dict[str, Any]) -> dict[str, Any]:
    """The product in an object around it: of GraphQL, of JSON:API, or of a list of schema.org.

    Args:
        content: the object.

    Returns:
        What is in `node`, `item` or `attributes`, with the id beside it; the object itself where nothing is around.
    """
    names = content.keys()
    if isinstance(node := content.get("node"), dict) and names <= _AROUND_NODES:
        return node
    if isinstance(item := content.get("item"), dict) and content.get("@type") == "ListItem":
        return item
    if isinstance(inner := content.get("attributes"), dict) and "id" in names and names <= _AROUND_ATTRIBUTES:
        return {"id": content["id"], **inner}
    return content


def inner_product(content: dict[str, Any]) -> dict[str, Any]:
    """The product in an object of any kind around it, `{"code": 200, "body": {...}}`, with what stands beside it.

    Args:
        content: the object.

    Returns:
        The object itself where it has something of a product besides a number, or several of its values look like products.
    """
    inner = [
        name
        for name, value in content.items()
        if isinstance(value, dict) and _look_like_product(tuple(value), is_alone=len(content) == 1)
    ]
    beside = _fields_of(tuple(name for name in content if name not in inner))
    if len(inner) != 1 or "title" in beside or not _OF_PRODUCTS.isdisjoint(beside):
        return content
    if not _NAMED.isdisjoint(_fields_of((inner[0],))):
        return content
    product: dict[str, Any] = content[inner[0]]
    # An identifier around it counts where it has none itself.
    return product if "sku" in _fields_of(tuple(product)) else {**content, **product}


def _look_like_product(names: tuple[str, ...], *, is_alone: bool) -> bool:
    """Whether an object with these names may be a product. Brands and sellers beside other values have a number and a name, too."""
    fields = _fields_of(names)
    return _are_of_products(fields) or (is_alone and fields >= {"sku", "title"})


@lru_cache(256)
def _fields_of(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(find_columns(list(names)))


def dicts_of(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in a list.

    Args:
        content: the object that has the list.
        name: of the list.

    Returns:
        Those of its entries that are objects; none where there is no list.
    """
    value = content.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def nodes_of(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in a list, or in a connection of GraphQL.

    Args:
        content: the object that has it.
        name: of the list or connection.

    Returns:
        The objects, without what is around each.
    """
    value = content.get(name)
    if not isinstance(value, dict):
        return dicts_of(content, name)
    return dicts_of(value, "nodes") or [unwrapped(edge) for edge in dicts_of(value, "edges")]


def text_of(content: Mapping[str, Any], name: str) -> str:
    """A value as text. content: the object that has it; see `as_text`."""
    return as_text(content.get(name))


def as_text(value: Any) -> str:
    """A value as text.

    Args:
        value: as `json_objects` reads it.

    Returns:
        "yes" or "no" for a boolean; "" for null, lists and objects.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def find_objects(path: Path, encoding: str) -> str:
    """Where the objects of a file are.

    Args:
        path: the file.
        encoding: of the file.

    Returns:
        ijson's prefix of them: `item` in a list, `products.item` in the list of an object, ONE_AFTER_ANOTHER in a file of
        objects, and in one that cannot be read; `*` or `products.*` where they are the values of an object, under their ids.

    Raises:
        InvalidSource: the file cannot be opened.
    """
    with _open(path, encoding) as source:
        if (found := _objects_by_name(source)) is not None:
            return found
    with _open(path, encoding) as source:
        try:
            return _first_list(source)
        except _UNREADABLE:
            return ONE_AFTER_ANOTHER


@dataclass(slots=True)
class _Opened:
    """A list or object that is being read.

    Attributes:
        prefix: ijson's.
        around: those that it is in.
        names: of its values.
        objects: how many of these are objects that have been read, _MAX_JUDGED at the most.
        products: and how many of those look like products.
        has_others: whether there are values of other kinds.
        wraps: whether one of its values is an object that looks like a product, as of `{"Item": {...}}`.
    """

    prefix: str
    around: tuple[_Opened, ...]
    is_list: bool
    names: list[str] = field(default_factory=list)
    objects: int = 0
    products: int = 0
    has_others: bool = False
    wraps: bool = False

    def is_product(self) -> bool:
        return _are_of_products(_fields_of(tuple(self.names)))

    def is_list_of_products(self) -> bool:
        """Whether it is a list of products in objects that are none."""
        return (
            self.is_list
            and 2 * self.products > self.objects
            and _is_element(f"{self.prefix}.{_ELEMENT}")
            and not any(find_columns(_without_id(each.names)).keys() & {"sku", "title"} for each in self.around)
        )

    def has_products(self) -> bool:
        """Whether its values are products under their ids, and not what one product has, such as its variants."""
        return (
            not (self.is_list or self.has_others)
            and len(self.around) < _MAX_DEPTH
            and self.objects >= _MIN_KEYED
            and 2 * self.products > self.objects
            and not find_columns(self.names)
            and not any(each.is_list or each.is_product() or "sku" in find_columns(each.names) for each in self.around)
        )


def _objects_by_name(source: _Source) -> str | None:
    """The prefix of the products where an object has them, or lists of them, by names; None for other files."""
    seen = _first_values(source)
    lists = [each for each in seen if each.is_list_of_products()]
    # Beside a list of all products, others are of some of them.
    has_whole = any(each.prefix.rpartition(".")[2] in _LISTS and not _categories_around(each.prefix) for each in lists)
    if len(lists) > 1 and not has_whole:
        return _LISTED
    if len(lists) == 1:
        return f"{lists[0].prefix}.{_ELEMENT}"
    found = [each for each in seen if each.has_products()]
    if not found:
        return None
    keyed = min(found, key=lambda each: len(each.around)).prefix
    return f"{keyed}.{_KEYED}" if keyed else _KEYED


def _first_values(source: _Source) -> list[_Opened]:
    """The lists and objects at the beginning of a file that is one object; none of other files."""
    opened: list[_Opened] = []
    seen: list[_Opened] = []
    # By names: most objects of a file have the same.
    judged: dict[tuple[str, ...], bool] = {}
    events = ijson.parse(source, multiple_values=True, buf_size=_FIRST_CHUNK_BYTES)
    # What stands before a fault is read.
    with contextlib.suppress(*_UNREADABLE):
        for prefix, event, value in events:
            if not opened and (event != "start_map" or seen):
                # A list, or one object after another.
                return []
            if source.characters > _MAX_KEYED_CHARACTERS:
                break
            if event == "map_key":
                opened[-1].names.append(value)
                continue
            if event.startswith("end_"):
                closed = opened.pop()
                if opened and opened[-1].objects < _MAX_JUDGED:
                    opened[-1].objects += 1
                    names = tuple(closed.names)
                    if names not in judged:
                        judged[names] = closed.is_product()
                    opened[-1].products += judged[names] or (opened[-1].is_list and closed.wraps)
                    opened[-1].wraps |= not closed.is_list and judged[names]
                continue
            if opened:
                opened[-1].has_others |= event != "start_map"
            if event.startswith("start_"):
                opened.append(_Opened(prefix, tuple(opened), is_list=event == "start_array"))
                seen.append(opened[-1])
    return seen


def _first_list(source: _Source) -> str:
    names: dict[str, None] = {}
    lists: list[str] = []
    events = ijson.parse(source, multiple_values=True, buf_size=_FIRST_CHUNK_BYTES)
    opened = ""
    for prefix, event, _value in events:
        if event == "start_array" and not prefix:
            return _ELEMENT
        if opened and event == "start_map" and prefix == f"{opened}.{_ELEMENT}":
            lists.append(opened)
            # A product may have lists of its own: its SKU and title identify it.
            if opened.rpartition(".")[2] in _LISTS and not _are_of_a_product(names):
                return f"{opened}.{_ELEMENT}"
        opened = (
            prefix
            if event == "start_array" and prefix.count(".") < _MAX_DEPTH and _ELEMENT not in prefix.split(".")
            else ""
        )
        if event == "map_key" and not prefix:
            names[str(_value)] = None
        if event == "end_map" and not prefix:
            is_alone = next(events, None) is None
            is_wrapper = is_alone and len(lists) == 1 and len(names) == 1
            return f"{lists[0]}.{_ELEMENT}" if is_wrapper else ONE_AFTER_ANOTHER
    return ONE_AFTER_ANOTHER


def _without_id(names: Collection[str]) -> list[str]:
    """The names of an object without a number that answers have as well as products."""
    return [name for name in names if name != "id"]


def _are_of_a_product(names: Collection[str]) -> bool:
    return find_columns(list(names)).keys() >= {"sku", "title"}


@contextmanager
def _open(path: Path, encoding: str) -> Iterator[_Source]:
    with open_text(path, encoding) as file:
        yield _Source(file)


def _with_texts(value: Any) -> Any:
    """The value with its numbers as texts."""
    match value:
        case dict():
            return {name: _with_texts(inner) for name, inner in value.items()}
        case list():
            return [_with_texts(inner) for inner in value]
        case bool() | None | str():
            return value
        case Decimal() | int() | float():
            return JsonText(value)
        case _:
            return value
