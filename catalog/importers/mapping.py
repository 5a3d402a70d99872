"""Which of a shop's own columns feeds which field of a product, so that its headers work unchanged."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from catalog.importers.photo_files import Photos
from catalog.importers.rows import PhotoSource, Row, RowRejected, UnusableSource
from catalog.importers.values import Price, parse_boolean, parse_price
from catalog.services import ProductData

FIELDS = (
    "sku",
    "title",
    "description",
    "category",
    "brand",
    "price",
    "currency",
    "available",
    "active",
    "tags",
    "image",
)
DELIMITERS = (",", ";", "\t", "|")

# A record of a source: the value of each column, or several values where the source itself keeps them apart.
Record = Mapping[str, str | Sequence[str]]

_ATTRIBUTE = "attribute."
_SEVERAL_COLUMNS = ("category", "tags", "image")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How a source's columns become fields.

    columns: the column of each field; for category (its levels), tags and image there may be several. A field without
    one takes the column of its own name, if there is one. values: a fixed text for a field; {column} in it stands for
    the row's value of that column. The separators divide several values in one column. decimal: "." or "," where
    every price uses it; "" tells it from each price.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    category_separator: str = ">"
    image_separator: str = "|"
    tag_separator: str = ","
    decimal: str = ""
    encoding: str = "utf-8"
    delimiter: str = ""

    def __post_init__(self) -> None:
        for name in (*self.columns, *self.values):
            if name not in FIELDS and not (name.startswith(_ATTRIBUTE) and len(name) > len(_ATTRIBUTE)):
                raise UnusableSource(f"there is no field {name}: use {', '.join(FIELDS)} or {_ATTRIBUTE}NAME")
        for name, columns in self.columns.items():
            if len(columns) > 1 and name not in _SEVERAL_COLUMNS:
                raise UnusableSource(f'{name} takes one column; to join several, set {name} to "{{one}} {{other}}"')
        if self.delimiter.lower() == "tab":
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter not in ("", *DELIMITERS):
            raise UnusableSource(f"delimiter is {self.delimiter!r}: use one of , ; | or tab")
        if self.decimal not in ("", ".", ","):
            raise UnusableSource(f"decimal is {self.decimal!r}: use . or ,")

    def with_columns(self, pairs: Iterable[tuple[str, str]]) -> FieldMapping:
        """With these (field, column) in place of what was said of the fields before; a field given twice takes both."""
        given: dict[str, tuple[str, ...]] = {}
        for name, column in pairs:
            given[name] = (*given.get(name, ()), column)
        values = {name: value for name, value in self.values.items() if name not in given}
        return replace(self, columns={**self.columns, **given}, values=values)

    def with_values(self, values: Mapping[str, str]) -> FieldMapping:
        """With these fixed texts in place of what was said of the fields before."""
        columns = {name: column for name, column in self.columns.items() if name not in values}
        return replace(self, columns=columns, values={**self.values, **values})


def load_mapping(path: Path) -> FieldMapping:
    """Read a mapping file: the tables [columns] and [values], and the options of FieldMapping at the top."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableSource(f"the mapping {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnusableSource(f"the mapping {path} is not TOML: {error}") from error
    known = [option.name for option in fields(FieldMapping)]
    unknown = sorted(content.keys() - set(known))
    if unknown:
        raise UnusableSource(f"the mapping {path} has {', '.join(unknown)}: it may have {', '.join(known)}")
    columns = _table(content, "columns", path)
    values = _table(content, "values", path)
    options = {name: value for name, value in content.items() if name not in ("columns", "values")}
    texts = [
        *options.values(),
        *values.values(),
        *(column for value in columns.values() for column in _as_tuple(value)),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise UnusableSource(
            f'the mapping {path} has a value that is not text: write it in quotes, as in currency = "EUR"'
        )
    return FieldMapping(columns={name: _as_tuple(value) for name, value in columns.items()}, values=values, **options)


class RowBuilder:
    """Makes rows of a source with these headers. Raises UnusableSource where the mapping names one it lacks.

    A record need not have every column: a field is spoken of where the record has a column of it.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        headers: Sequence[str],
        *,
        photos: Photos,
        photo_required: bool = False,
    ) -> None:
        self._mapping = mapping
        self._photos = photos
        self._photo_required = photo_required
        self._columns = _columns_by_field(mapping, headers)
        for name in ("sku", "title"):
            if name not in self._columns and name not in mapping.values:
                raise UnusableSource(
                    f"no column gives the {name}: name one (--map {name}=COLUMN, or a mapping file). {_found(headers)}"
                )
        given = {*self._columns, *mapping.values}
        self._attributes = sorted(name for name in given if name.startswith(_ATTRIBUTE))
        self._fields = frozenset("attributes" if name in self._attributes else name for name in given)
        self._used = {column for columns in self._columns.values() for column in columns}

    def build(self, line: int, record: Record, *, cells: tuple[tuple[str, ...], ...] = ()) -> Row:
        """The row of this record; a row with its reason where the record is bad. cells: as in Row."""
        sku = ""
        try:
            sku = " ".join(self._text(record, "sku").split())
            if not sku:
                raise RowRejected("there is no sku")
            price = parse_price(self._text(record, "price"), decimal=self._mapping.decimal)
            told = self._fields if self._used <= record.keys() else self._told(record)
            return Row(
                line,
                sku,
                self._product(record, sku, price),
                photos=self._named_photos(record) if "image" in told else None,
                fields=told | {"currency"} if price is not None and price.currencies else told,
                photo_required=self._photo_required,
                cells=cells,
            )
        except RowRejected as error:
            return Row(line, _printable(sku), error=str(error), cells=cells)

    def _told(self, record: Record) -> frozenset[str]:
        told = {name for name, columns in self._columns.items() if any(column in record for column in columns)}
        told |= self._mapping.values.keys()
        return frozenset("attributes" if name in self._attributes else name for name in told)

    def _product(self, record: Record, sku: str, price: Price | None) -> ProductData:
        title = " ".join(self._text(record, "title").split())
        if not title:
            raise RowRejected("the title is empty")
        return ProductData(
            sku=sku,
            title=title,
            description=self._text(record, "description"),
            category=self._several(record, "category", self._mapping.category_separator),
            brand=" ".join(self._text(record, "brand").split()),
            price=None if price is None else price.amount,
            currency=_currency(self._text(record, "currency").upper(), price),
            available=self._boolean(record, "available"),
            tags=list(dict.fromkeys(self._several(record, "tags", self._mapping.tag_separator))),
            attributes={
                name.removeprefix(_ATTRIBUTE): value for name in self._attributes if (value := self._text(record, name))
            },
            active=self._boolean(record, "active"),
        )

    def _named_photos(self, record: Record) -> tuple[PhotoSource, ...]:
        names = self._several(record, "image", self._mapping.image_separator)
        return tuple(self._photos.named(name) for name in names)

    def _boolean(self, record: Record, name: str) -> bool:
        text = self._text(record, name)
        return parse_boolean(text, name=name) if text else True

    def _several(self, record: Record, name: str, separator: str) -> list[str]:
        parts: list[str] = []
        for value in self._values(record, name):
            if isinstance(value, str):
                parts += value.split(separator) if separator else [value]
            else:
                parts += value
        return [part.strip() for part in parts if part.strip()]

    def _text(self, record: Record, name: str) -> str:
        return "".join(_single(value, name) for value in self._values(record, name)).strip()

    def _values(self, record: Record, name: str) -> list[str | Sequence[str]]:
        values: list[str | Sequence[str]]
        if name in self._columns:
            values = [record.get(column, "") for column in self._columns[name]]
        elif name in self._mapping.values:
            values = [
                _PLACEHOLDER.sub(
                    lambda match: _single(record.get(match[1], ""), match[1]).strip(), self._mapping.values[name]
                )
            ]
        else:
            return []
        for value in values:
            for text in [value] if isinstance(value, str) else value:
                _refuse_unprintable(text, name)
        return values


def _columns_by_field(mapping: FieldMapping, headers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Every field's columns, as the headers spell them."""
    wanted = [column for columns in mapping.columns.values() for column in columns]
    wanted += [column for value in mapping.values.values() for column in _PLACEHOLDER.findall(value)]
    missing = sorted(set(wanted) - set(headers))
    if missing:
        raise UnusableSource(f"there is no column {', '.join(missing)}. {_found(headers)}")
    columns = dict(mapping.columns)
    by_name = {header.casefold(): header for header in reversed(headers)}
    for name in (*FIELDS, *(header for header in by_name if header.startswith(_ATTRIBUTE))):
        if name in by_name and name not in columns and name not in mapping.values:
            columns[name] = (by_name[name],)
    used = {*wanted, *(column for names in columns.values() for column in names)}
    twice = sorted(column for column in used if headers.count(column) > 1)
    if twice:
        raise UnusableSource(f"several columns have the name {', '.join(twice)}. {_found(headers)}")
    return columns


def _single(value: str | Sequence[str], name: str) -> str:
    if isinstance(value, str):
        return value
    if len(value) > 1:
        raise RowRejected(f"{name} has {len(value)} values, and takes one")
    return value[0] if value else ""


def _currency(declared: str, price: Price | None) -> str:
    allowed = () if price is None else price.currencies
    if not declared:
        return allowed[0] if allowed else "EUR"
    if allowed and declared not in allowed:
        raise RowRejected(f"the price is in {allowed[0]}, but the currency is {declared}")
    return declared


def _refuse_unprintable(text: str, name: str) -> None:
    if "\x00" in text:
        raise RowRejected(f"{name} has a NUL byte")
    if not text.isascii() and text != _printable(text):
        raise RowRejected(f"{name} is not in the encoding of the file: name the right one (--encoding cp1252?)")


def _printable(text: str) -> str:
    """Bytes that could not be decoded arrive as lone surrogates, which no database and no terminal takes."""
    return text.encode("utf-8", errors="replace").decode()


def _found(headers: Sequence[str]) -> str:
    return f"Columns found: {', '.join(_printable(header) for header in headers)}"


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise UnusableSource(f"{name} in the mapping {path} is a table: [{name}]")
    # attribute.colour = "shade" is a table within the table to TOML.
    attributes = table.pop(_ATTRIBUTE.rstrip("."), {})
    return {**table, **{f"{_ATTRIBUTE}{key}": value for key, value in attributes.items()}}


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
