"""A catalogue as JSON: an object per line, a list of objects, or an object with such a list, mapped like the columns of a table."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TextIO

from pictures import photo_facts
from product_files import file_facts, row_facts
from product_files.columns.header_names import key_of
from product_files.columns.known_columns import with_known_columns, with_nested_columns
from product_files.containers.encodings import find_encoding, open_text
from product_files.json_files.json_objects import (
    as_text,
    dicts_of,
    inner_product,
    json_objects,
    nodes_of,
    objects_beside,
)
from product_files.json_files.json_places import ONE_AFTER_ANOTHER, find_objects, is_over_several_lines
from product_files.json_files.json_source import JsonText, JsonUnreadable
from product_files.json_files.nested_variants import NestedVariants, are_variants, is_named_for_variants
from product_files.json_files.record_models import Fixture, is_fixture
from product_files.mapping import ATTRIBUTE_PREFIX, FieldMapping, Record, RowBuilder
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row, RowRejected
from product_files.values.category_tree import CATEGORY_LISTS, Category, CategoryTree, category_of, may_have_numbers

_MAX_LINE_CHARACTERS = 1024 * 1024
_MAX_NAMES = 10_000
_MAX_DEPTH = 10
_MAX_EXPONENT = 30
# Objects that show how the file writes its values.
_SAMPLE_RECORDS = 500

_BULK_ACTIONS = frozenset(("index", "create"))
# Objects in which MongoDB's exports have a single value.
_WRAPPED = frozenset(("$oid", "$numberDecimal", "$numberDouble", "$numberInt", "$numberLong", "$date"))

# Lists of attributes, with the names of each and of its value, as keys of names.
_ATTRIBUTE_LISTS = frozenset(
    (
        "attributes", "productattributes", "customattributes", "characteristics", "specifications", "specs", "params", "parameters",
        "features", "properties", "additionalproperties",
    )
)  # fmt: skip
# Of one value each: what a variant differs in. A product lists all that there are.
_OPTION_LISTS = frozenset(("options", "selectedoptions", "optionvalues"))
_NAMES_IN_PAIRS = (
    "name", "key", "label", "title", "attribute", "code", "attributename", "propertyname", "paramname", "optionname",
)  # fmt: skip
_VALUES_IN_PAIRS = (
    "value",
    "values",
    "option",
    "options",
    "valuename",
    "attributevalue",
    "propertyvalue",
    "optionvalue",
)
_PATHS = re.compile("path|breadcrumb|hierarch|tree|ancestor|lineage", re.IGNORECASE)

_Record = dict[str, str | list[str]]


@dataclass(slots=True)
class _Product:
    """An object of a file: its values by names, and those of the variants in its list `place`, by paths."""

    record: _Record
    place: str = ""
    variants: list[_Record] = field(default_factory=list)


class _ListBroken(RowRejected):
    """The rest of the file cannot be read."""


class JsonLines:
    """The rows of a file with one object per line, or with a list of objects.

    A list has the values of a field: levels of the category, tags, photos. Nested objects give names with a dot:
    {"maker": {"name": "Acme"}} has the column `maker.name`; `attributes` and `attribute` are the product's attributes. A name
    that an object lacks leaves the product's field as it is; null empties it.

    Args:
        path: the file.
        mapping: how names become fields.
        photos: folder of the photos.

    Attributes:
        total: number of objects.

    Raises:
        InvalidSource: there is no object, or they have too many different names.
    """

    format = "jsonl"
    headers: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._path = path
        encoding = find_encoding(path, mapping.encoding)
        self._encoding = encoding.codec
        self._is_list = find_objects(path, encoding.codec) != ONE_AFTER_ANOTHER or is_over_several_lines(
            path, encoding.codec
        )
        self._fixture = self._fixture_of_list() if self._is_list else None
        self._mapped = frozenset(column for columns in mapping.columns.values() for column in columns)
        names: dict[str, None] = {}
        own_names: dict[str, None] = {}
        filled: set[str] = set()
        place = ""
        sample: list[_Product] = []
        self.total = 0
        reasons: list[str] = []
        for _, product in self._records():
            self.total += 1
            if isinstance(product, RowRejected):
                reasons = [*reasons, str(product)][:1]
                continue
            names |= dict.fromkeys(product.record)
            filled.update(name for name, value in product.record.items() if value)
            own_names |= dict.fromkeys(name for variant in product.variants for name in variant)
            place = place or product.place
            if len(sample) < _SAMPLE_RECORDS:
                sample.append(product)
            if len(names) + len(own_names) > _MAX_NAMES:
                raise InvalidSource(file_facts.TOO_MANY_NAMES(limit=_MAX_NAMES))
        if not names:
            raise InvalidSource(file_facts.NO_JSON_OBJECT(reason=reasons[0] if reasons else photo_facts.FILE_EMPTY()))
        # An empty list, or null, in products without variants.
        names.pop(place, None)
        # An empty list of what has names of its own in other objects.
        above = {name.rpartition(".")[0] for name in names}
        names = {name: None for name in names if name in filled or name not in above}
        self._place = place
        records = [product.record for product in sample]
        mapping = _with_paths(mapping, place) if place else mapping
        self._tree, self._numbered = CategoryTree(), list[str]()
        if self._is_list and "category" not in {*mapping.columns, *mapping.values} and may_have_numbers(names, records):
            # A fault is reported where the objects are read.
            with contextlib.suppress(JsonUnreadable):
                self._tree = CategoryTree(_categories(objects_beside(path, encoding.codec, CATEGORY_LISTS)))
            self._numbered = self._tree.columns(list(names), mapping, records)
        named = [self._tree.named(record, self._numbered) for record in records]
        known = with_known_columns(mapping, list(names), sample=named, is_filled=filled.__contains__)
        known = known.with_categories(self._numbered)
        known = with_nested_columns(known, list(names), named)
        self._variants = NestedVariants(known.mapping, place, list(own_names)) if place else None
        found = self._variants.mapping if self._variants else known.mapping
        added = self._variants.added if self._variants else ()
        self._builder = RowBuilder(found, list({**names, **dict.fromkeys(added)}), photos=photos)
        # Several objects are several categories, but those of a path; a list of texts is the levels of one.
        self._categories = [
            column
            for column in found.columns.get("category", ())
            if "." in column and column in names and not _PATHS.search(column)
        ]
        self._builder.learn(record for product in sample for record in self._products(product))
        self._found = [encoding.note, *known.notes]
        if self._variants is not None:
            self._found.append(row_facts.NESTED_VARIANTS(element=place))
        if self._fixture is not None:
            self._found.append(row_facts.EACH_OBJECT(model=self._fixture.model, others=self._fixture.others))

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file."""
        return [*self._found, *self._builder.notes]

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def __iter__(self) -> Iterator[Row]:
        for number, product in self._records():
            if isinstance(product, RowRejected):
                yield Row(number, "", error=str(product), is_last_readable=isinstance(product, _ListBroken))
                continue
            for record in self._products(product):
                yield self._builder.build(number, record)

    def _products(self, product: _Product) -> Iterator[Record]:
        """The record of an object, or those of its variants."""
        record: Record = self._tree.named(product.record, self._numbered) if self._numbered else product.record
        for name in self._categories:
            if isinstance(value := record.get(name), list):
                record = {**record, name: "\n".join(value)}
        if self._variants is None:
            yield record
            return
        record = {name: value for name, value in record.items() if name != self._place}
        several = self._variants.several
        own = [
            {name: value for name, value in variant.items() if isinstance(value, str) or name in several}
            for variant in product.variants
        ]
        yield from self._variants.records(record, own)

    def _fixture_of_list(self) -> Fixture | None:
        """What a fixture of Django has; None for other lists, and those without products."""
        # A fault is reported where the objects are read.
        with contextlib.suppress(JsonUnreadable):
            first = next(json_objects(self._path, self._encoding), {})
            if is_fixture(first):
                fixture = Fixture(json_objects(self._path, self._encoding))
                return fixture if fixture.model else None
        return None

    def _records(self) -> Iterator[tuple[int, _Product | RowRejected]]:
        """The records by their line or number, and why there is none."""
        number = 0
        try:
            if self._is_list:
                for number, content in enumerate(json_objects(self._path, self._encoding), start=1):
                    found = content if self._fixture is None else self._fixture.product(content)
                    if found is not None:
                        yield number, self._flattened(found)
                return
            key: Any = None
            for number, line in self._lines():
                document = _object(line)
                if isinstance(document, RowRejected):
                    yield number, document
                elif (action := _bulk_action(document)) is not None:
                    key = action.get("_id")
                else:
                    yield number, self._flattened({"_id": key, **document} if key is not None else document)
                    key = None
        except JsonUnreadable as error:
            yield number + 1, _ListBroken(str(error))

    def _flattened(self, content: dict[str, Any]) -> _Product | RowRejected:
        if isinstance(source := content.get("_source"), dict):
            # A hit of Elasticsearch, around the document.
            content = {"_id": content.get("_id"), **source}
        # Whoever names nested columns, or what stands beside the product, has the names of whole objects in mind.
        if self._mapped.isdisjoint(content) and not any("." in column for column in self._mapped):
            content = inner_product(content)
        try:
            for name in filter(is_named_for_variants, content):
                variants = [_paths_of(variant) for variant in nodes_of(content, name)]
                if variants and are_variants(tuple(variants[0])):
                    rest = {other: value for other, value in content.items() if other != name}
                    return _Product(_record_of(rest), name, variants)
            return _Product(_record_of(content))
        except RowRejected as error:
            return error

    def _lines(self) -> Iterator[tuple[int, str]]:
        with open_text(self._path, self._encoding) as file:
            number = 0
            while line := file.readline(_MAX_LINE_CHARACTERS):
                number += 1
                if len(line) == _MAX_LINE_CHARACTERS and not line.endswith("\n"):
                    _skip_rest_of_line(file)
                    line += " "
                if line.strip():
                    yield number, line


def _skip_rest_of_line(file: TextIO) -> None:
    while (rest := file.readline(_MAX_LINE_CHARACTERS)) and not rest.endswith("\n"):
        pass


def _object(line: str) -> dict[str, Any] | RowRejected:
    """The object of a line."""
    if len(line) > _MAX_LINE_CHARACTERS:
        return RowRejected(row_facts.LINE_TOO_LONG(limit=_MAX_LINE_CHARACTERS))
    try:
        content = json.loads(line, parse_float=JsonText, parse_int=JsonText, parse_constant=_reject_constant)
    except RecursionError:
        return RowRejected(row_facts.JSON_TOO_DEEP())
    except ValueError as error:
        return RowRejected(row_facts.NOT_JSON(error=str(error)))
    if not isinstance(content, dict):
        return RowRejected(row_facts.NOT_AN_OBJECT())
    return content


def _bulk_action(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a line of Elasticsearch's bulk format says about the document in the next one; None for other lines."""
    if len(content) != 1:
        return None
    ((name, action),) = content.items()
    if name not in _BULK_ACTIONS or not isinstance(action, dict) or not all(key.startswith("_") for key in action):
        return None
    return action


def _record_of(content: dict[str, Any]) -> _Record:
    record: _Record = {}
    _flatten(content, "", record)
    return record


def _categories(contents: Iterable[Mapping[str, Any]], around: str = "", depth: int = 0) -> Iterator[Category]:
    """The categories of a list, and those that are listed in each."""
    for content in contents:
        if isinstance(inner := content.get("parent"), dict):
            content = {**content, "parent": inner.get("id")}
        found = category_of({name: as_text(value) for name, value in content.items()})
        yield Category(found.number, found.name, found.parent or around)
        if depth < _MAX_DEPTH:
            for name in ("children", *CATEGORY_LISTS):
                yield from _categories(dicts_of(content, name), found.number, depth + 1)


def _with_paths(mapping: FieldMapping, place: str) -> FieldMapping:
    """The mapping, with columns of variants that were named with dots, as nested names are, as paths."""
    columns = {
        name: tuple(column.replace(".", "/") if column.startswith(f"{place}.") else column for column in found)
        for name, found in mapping.columns.items()
    }
    return replace(mapping, columns=columns)


def _paths_of(variant: dict[str, Any]) -> _Record:
    return {
        name if name.startswith(ATTRIBUTE_PREFIX) else name.replace(".", "/"): value
        for name, value in _record_of(variant).items()
    }


def _flatten(value: Any, name: str, record: _Record, depth: int = 0) -> None:
    if depth > _MAX_DEPTH:
        raise RowRejected(row_facts.NESTED_TOO_DEEP(field=name, limit=_MAX_DEPTH))
    match value:
        case dict() if len(value) == 1 and value.keys() <= _WRAPPED:
            (inner,) = value.values()
            _flatten(inner, name, record, depth + 1)
        case dict():
            for key, inner in value.items():
                prefix = "attribute" if name == "attributes" else name
                _flatten(inner, f"{prefix}.{key}" if prefix else key, record, depth + 1)
        case list() if (pairs := _attributes(value, name, depth)) is not None:
            record |= {f"attribute.{key}": texts[0] if len(texts) == 1 else texts for key, texts in pairs.items()}
        case list():
            _flatten_list(value, name, record, depth)
        case None:
            record[name] = ""
        case bool():
            record[name] = "yes" if value else "no"
        case JsonText():
            record[name] = _number(value)
        case _:
            record[name] = str(value)


def _attributes(values: list[Any], name: str, depth: int) -> dict[str, list[str]] | None:
    """The attributes in a list that is named for them, or of options with one value each; None for other lists."""
    key = key_of(name)
    if key not in _ATTRIBUTE_LISTS | _OPTION_LISTS or not values:
        return {} if name == "attributes" else None
    if key in _OPTION_LISTS and any(isinstance(each, dict) and isinstance(each.get("values"), list) for each in values):
        return None
    pairs = _pairs(values, depth)
    if pairs is None or key == "attributes":
        return pairs
    found: dict[str, list[str]] = {}
    for text, each in pairs.items():
        found.setdefault(text.lower(), []).extend(each)
    return found


def _pairs(values: list[Any], depth: int) -> dict[str, list[str]] | None:
    """The attributes of a list of names and values, `[{"name": "Colour", "value": "red"}]`, that have one; None for other lists."""
    found: dict[str, list[str]] = {}
    for each in values:
        pair = {key_of(key): inner for key, inner in each.items()} if isinstance(each, dict) else {}
        name = next((pair[key] for key in _NAMES_IN_PAIRS if isinstance(pair.get(key), str)), "")
        values_of_name = [pair[key] for key in _VALUES_IN_PAIRS if key in pair]
        if not name or not values_of_name:
            return None
        nested: _Record = {}
        _flatten(next((each for each in values_of_name if each is not None), None), name, nested, depth + 1)
        texts = [text for inner in nested.values() for text in ([inner] if isinstance(inner, str) else inner) if text]
        found.setdefault(name, []).extend(texts)
    return {name: texts for name, texts in found.items() if texts}


def _flatten_list(values: list[Any], name: str, record: _Record, depth: int) -> None:
    for inner in values:
        nested: _Record = {}
        _flatten(inner, name, nested, depth + 1)
        for key, texts in nested.items():
            _add_value(record, key, [texts] if isinstance(texts, str) else texts)
    if not values:
        record[name] = []


def _add_value(record: _Record, name: str, texts: list[str]) -> None:
    previous = record.get(name, [])
    record[name] = [*([previous] if isinstance(previous, str) else previous), *texts]


def _number(text: str) -> str:
    """Without trailing zeros, but never with three decimals: 1.230 and 1.234 are not read as thousands."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if abs(number.adjusted()) > _MAX_EXPONENT:
        return text
    plain = format(number.normalize(), "f")
    return f"{plain}0" if len(plain.partition(".")[2]) == 3 else plain


def _reject_constant(name: str) -> str:
    raise ValueError(f"{name} is not a number in JSON")
