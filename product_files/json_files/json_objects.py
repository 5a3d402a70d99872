"""The objects of a large JSON file, one by one: of a list, of a list in an object, or one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import ijson

from product_files import file_facts
from product_files.columns.synonyms import find_columns
from product_files.containers.encodings import open_text
from product_files.json_files.json_places import (
    ELEMENT,
    KEYED,
    LISTED,
    MAX_START_CHARACTERS,
    OF_PRODUCTS,
    ONE_AFTER_ANOTHER,
    are_of_products,
    categories_around,
    fields_of,
    find_objects,
    is_element,
)
from product_files.json_files.json_source import UNREADABLE, JsonSource, JsonText, JsonUnreadable, open_json

# Of them, those that have names of their own.
_NAMED = frozenset(("brand", "category"))
# Names of the list of its products in a category.
_OF_CATEGORIES = ("products", "items")
# What stands beside the product in objects of GraphQL and JSON:API.
_AROUND_NODES = frozenset(("node", "cursor", "__typename"))
_AROUND_ATTRIBUTES = frozenset(("id", "type", "attributes", "relationships", "links", "meta"))


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
    yield from _objects_at(path, encoding, f"{name}.{ELEMENT}")


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
    around = find_objects(path, encoding).removesuffix(f".{ELEMENT}").removesuffix(f".{KEYED}").rpartition(".")[0]
    with open_text(path, encoding) as file:
        start = file.read(MAX_START_CHARACTERS)
    for name in names:
        if f'"{name}"' in start:
            yield from objects_in(path, encoding, f"{around}.{name}" if around else name)


def _objects_at(path: Path, encoding: str, prefix: str) -> Iterator[dict[str, Any]]:
    with open_json(path, encoding) as source:
        items = _items(source, prefix)
        while True:
            try:
                content = next(items, None)
            except UNREADABLE as error:
                if isinstance(error, JsonUnreadable):
                    raise
                raise JsonUnreadable(file_facts.OBJECT_UNREADABLE(error=str(error))) from error
            if content is None:
                return
            source.start_object()
            if not isinstance(content, dict):
                raise JsonUnreadable(file_facts.NOT_ONLY_OBJECTS())
            yield from _products_of(unwrapped(_with_texts(content)))


def _items(source: JsonSource, prefix: str) -> Iterator[Any]:
    """What is at a prefix; the values of an object with their ids."""
    if prefix == LISTED:
        yield from _listed_items(source)
        return
    if not prefix.endswith(KEYED):
        yield from ijson.items(source, prefix, multiple_values=prefix == ONE_AFTER_ANOTHER)
        return
    for key, value in ijson.kvitems(source, prefix.removesuffix(KEYED).removesuffix(".")):
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


def _listed_items(source: JsonSource) -> Iterator[dict[str, Any]]:
    """The products of several lists; those that name no category have the names around their list as its levels."""
    have_products: dict[str, bool] = {}
    builder, place = None, ""
    for prefix, event, value in ijson.parse(source):
        if builder is None and event == "start_map" and is_element(prefix):
            builder, place = ijson.ObjectBuilder(), prefix
        if builder is None:
            continue
        builder.event(event, value)
        if event == "end_map" and prefix == place:
            found, builder = builder.value, None
            fields = find_columns(list(found)).keys()
            if have_products.setdefault(prefix, are_of_products(fields)):
                levels = categories_around(prefix.removesuffix(f".{ELEMENT}"))
                yield found if "category" in fields or not levels else {"category": levels, **found}


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
    beside = fields_of(tuple(name for name in content if name not in inner))
    if len(inner) != 1 or "title" in beside or not OF_PRODUCTS.isdisjoint(beside):
        return content
    if not _NAMED.isdisjoint(fields_of((inner[0],))):
        return content
    product: dict[str, Any] = content[inner[0]]
    # An identifier around it counts where it has none itself.
    return product if "sku" in fields_of(tuple(product)) else {**content, **product}


def _look_like_product(names: tuple[str, ...], *, is_alone: bool) -> bool:
    """Whether an object with these names may be a product. Brands and sellers beside other values have a number and a name, too."""
    fields = fields_of(names)
    return are_of_products(fields) or (is_alone and fields >= {"sku", "title"})


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
