"""Where the products of a JSON file are: in a list, in one of an object, under their ids, or one object after another."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import ijson

from product_files.columns.synonyms import find_columns
from product_files.containers.encodings import open_text
from product_files.json_files.json_source import CHUNK_CHARACTERS, UNREADABLE, JsonSource, open_json

# What ijson calls the elements of a list, and what it is asked for where objects stand one after another.
ELEMENT = "item"
ONE_AFTER_ANOTHER = ""
# The end of what is no prefix of ijson: the objects are the values of an object, under their ids.
KEYED = "*"
_MIN_KEYED = 2
# In place of a prefix: the objects are in several lists of an object, as by category, `{"shirts": [...], "shoes": [...]}`.
LISTED = "[]"
_MAX_JUDGED = 20
# Of the file, in which they are looked for.
MAX_START_CHARACTERS = 256 * 1024
# What a product has besides its title.
OF_PRODUCTS = frozenset(("price", "list_price", "description", "image", "available", "category", "brand"))
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
# Names around a list that say nothing of its products.
_WRAPPERS = frozenset(("response", "result", "payload", "store", "shop", "catalogue", "inventory"))
_MAX_DEPTH = 4
_MAX_EMPTY_LINES = 100
# To find the list, little is read at a time: ijson reads a chunk whole before it returns the first event.
_FIRST_CHUNK_BYTES = 2 * 1024


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
    with open_json(path, encoding) as source:
        if (found := _objects_by_name(source)) is not None:
            return found
    with open_json(path, encoding) as source:
        try:
            return _first_list(source)
        except UNREADABLE:
            return ONE_AFTER_ANOTHER


def is_over_several_lines(path: Path, encoding: str) -> bool:
    """Whether the first object of a file of objects goes on below its first line, as programs write what people read.

    Args:
        path: the file.
        encoding: of the file.

    Returns:
        False for a file with an object in each line, also where the first one is damaged.

    Raises:
        InvalidSource: the file cannot be opened.
    """
    with open_text(path, encoding) as file:
        first = next((line for _ in range(_MAX_EMPTY_LINES) if (line := file.readline(CHUNK_CHARACTERS)).strip()), "")
        if first.lstrip()[:1] != "{" or _is_json(first):
            return False
    with open_json(path, encoding) as source, contextlib.suppress(*UNREADABLE):
        return isinstance(next(ijson.items(source, ONE_AFTER_ANOTHER, multiple_values=True), None), dict)
    return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


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
        return are_of_products(fields_of(tuple(self.names)))

    def is_list_of_products(self) -> bool:
        """Whether it is a list of products in objects that are none."""
        return (
            self.is_list
            and 2 * self.products > self.objects
            and is_element(f"{self.prefix}.{ELEMENT}")
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


def _objects_by_name(source: JsonSource) -> str | None:
    """The prefix of the products where an object has them, or lists of them, by names; None for other files."""
    seen = _first_values(source)
    lists = [each for each in seen if each.is_list_of_products()]
    # Beside a list of all products, others are of some of them.
    has_whole = any(each.prefix.rpartition(".")[2] in _LISTS and not categories_around(each.prefix) for each in lists)
    if len(lists) > 1 and not has_whole:
        return LISTED
    if len(lists) == 1:
        return f"{lists[0].prefix}.{ELEMENT}"
    found = [each for each in seen if each.has_products()]
    if not found:
        return None
    keyed = min(found, key=lambda each: len(each.around)).prefix
    return f"{keyed}.{KEYED}" if keyed else KEYED


def _first_values(source: JsonSource) -> list[_Opened]:
    """The lists and objects at the beginning of a file that is one object; none of other files."""
    opened: list[_Opened] = []
    seen: list[_Opened] = []
    # By names: most objects of a file have the same.
    judged: dict[tuple[str, ...], bool] = {}
    events = ijson.parse(source, multiple_values=True, buf_size=_FIRST_CHUNK_BYTES)
    # What stands before a fault is read.
    with contextlib.suppress(*UNREADABLE):
        for prefix, event, value in events:
            if not opened and (event != "start_map" or seen):
                # A list, or one object after another.
                return []
            if source.characters > MAX_START_CHARACTERS:
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


def _first_list(source: JsonSource) -> str:
    # Of the outermost object and of those in it, by prefixes.
    names: dict[str, dict[str, None]] = {"": {}}
    lists: list[str] = []
    events = ijson.parse(source, multiple_values=True, buf_size=_FIRST_CHUNK_BYTES)
    opened = ""
    for prefix, event, _value in events:
        if event == "start_array" and not prefix:
            return ELEMENT
        if opened and event == "start_map" and prefix == f"{opened}.{ELEMENT}":
            lists.append(opened)
            # A product may have lists of its own: its SKU and title identify it.
            if opened.rpartition(".")[2] in _LISTS and not _are_of_a_product(names[""]):
                return f"{opened}.{ELEMENT}"
        opened = (
            prefix
            if event == "start_array" and prefix.count(".") < _MAX_DEPTH and ELEMENT not in prefix.split(".")
            else ""
        )
        if event == "map_key" and prefix.count(".") < _MAX_DEPTH and ELEMENT not in prefix.split("."):
            names.setdefault(prefix, {})[str(_value)] = None
        if event == "end_map" and not prefix:
            is_alone = next(events, None) is None
            is_wrapper = is_alone and len(lists) == 1 and len(names[""]) == 1
            if is_wrapper:
                # One product has its photos, and its variants, in a list.
                is_wrapper = not any(map(_are_of_a_product, _around(lists[0], names)))
            return f"{lists[0]}.{ELEMENT}" if is_wrapper else ONE_AFTER_ANOTHER
    return ONE_AFTER_ANOTHER


def _around(prefix: str, names: Mapping[str, Collection[str]]) -> Iterator[Collection[str]]:
    """The names of the objects that a list is in. names: of objects by prefixes."""
    while prefix := prefix.rpartition(".")[0]:
        yield names.get(prefix, ())


def _without_id(names: Collection[str]) -> list[str]:
    """The names of an object without a number that answers have as well as products."""
    return [name for name in names if name != "id"]


def _are_of_a_product(names: Collection[str]) -> bool:
    return find_columns(list(names)).keys() >= {"sku", "title"}


def is_element(prefix: str) -> bool:
    """Whether this is the prefix of the elements of a list that is in objects only."""
    *around, last = prefix.split(".")
    return last == ELEMENT and bool(around) and ELEMENT not in around and len(around) <= _MAX_DEPTH


def categories_around(prefix: str) -> list[str]:
    """The names of a list and of what it is in that are those of categories: `page1` and `products` are none."""
    return [
        name
        for name in prefix.split(".")
        if name not in _LISTS and name not in _WRAPPERS and not any(each.isdigit() for each in name)
    ]


def are_of_products(fields: Collection[str]) -> bool:
    """Whether an object with these fields may be a product: it has a title, and anything else of one."""
    return "title" in fields and not OF_PRODUCTS.isdisjoint(fields)


@lru_cache(256)
def fields_of(names: tuple[str, ...]) -> frozenset[str]:
    """The fields that an object with these names has. names: most objects of a file have the same."""
    return frozenset(find_columns(list(names)))
