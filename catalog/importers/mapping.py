"""Maps the columns of a shop's own table to the fields of a product."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rows import InvalidSource, NoColumn, PhotoSource, Row, RowRejected
from catalog.importers.values import Price, parse_boolean, parse_price
from catalog.services import ProductData

FIELDS = (
    "sku",
    "title",
    "description",
    "category",
    "brand",
    "price",
    "list_price",
    "currency",
    "available",
    "active",
    "tags",
    "family",
    "image",
)
DELIMITERS = (",", ";", "\t", "|")

# A record of a source: the value of each column, or several values if the source separates them itself.
Record = Mapping[str, str | Sequence[str]]

_ATTRIBUTE = "attribute."
REQUIRED_FIELDS = ("sku", "title")
MULTI_COLUMN_FIELDS = ("category", "tags", "image")
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How columns become fields.

    Attributes:
        columns: columns of each field; category (its levels), tags and image may have several. A field that is not here uses
            the column of the same name, if there is one.
        values: constants; {column} in them is replaced by the row's value of that column.
        category_separator: between levels of a category in one column.
        image_separator: between photos in one column.
        tag_separator: between tags in one column.
        decimal: "." or "," in all prices; "" to detect it per price.
        encoding: one of `csv_file.ENCODINGS`.
        delimiter: one of DELIMITERS, or "tab"; "" to detect it.
        automatic: whether a field that is not in `columns` uses the column of its name.

    Raises:
        InvalidSource: a field does not exist, or an option has an invalid value.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    category_separator: str = ">"
    image_separator: str = "|"
    tag_separator: str = ","
    decimal: str = ""
    encoding: str = "utf-8"
    delimiter: str = ""
    automatic: bool = True

    def __post_init__(self) -> None:
        for name in (*self.columns, *self.values):
            if name not in FIELDS and not (name.startswith(_ATTRIBUTE) and len(name) > len(_ATTRIBUTE)):
                raise InvalidSource(f"there is no field {name}: the fields are {', '.join(FIELDS)} or {_ATTRIBUTE}NAME")
        for name, columns in self.columns.items():
            if len(columns) > 1 and name not in MULTI_COLUMN_FIELDS:
                raise InvalidSource(
                    f'{name} can have only one column; to join several, set {name} to "{{one}} {{other}}"'
                )
        if self.delimiter.lower() == "tab":
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter not in ("", *DELIMITERS):
            raise InvalidSource(f"delimiter is {self.delimiter!r}: use one of , ; | or tab")
        if self.decimal not in ("", ".", ","):
            raise InvalidSource(f"decimal is {self.decimal!r}: use . or ,")

    def with_columns(self, pairs: Iterable[tuple[str, str]]) -> FieldMapping:
        """Replace the columns of fields.

        Args:
            pairs: (field, column) each; a field that occurs twice gets both columns.

        Returns:
            The new mapping.
        """
        added: dict[str, tuple[str, ...]] = {}
        for name, column in pairs:
            added[name] = (*added.get(name, ()), column)
        values = {name: value for name, value in self.values.items() if name not in added}
        return replace(self, columns={**self.columns, **added}, values=values)

    def with_values(self, values: Mapping[str, str]) -> FieldMapping:
        """Replace fields by constants. values: text of each field."""
        columns = {name: column for name, column in self.columns.items() if name not in values}
        return replace(self, columns=columns, values={**self.values, **values})


def load_mapping(path: Path) -> FieldMapping:
    """Read a mapping file in TOML: the tables [columns] and [values], and options of FieldMapping at the top.

    Args:
        path: the file.

    Returns:
        The mapping.

    Raises:
        InvalidSource: the file cannot be read or is not a mapping.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSource(f"the mapping {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSource(f"the mapping {path} is not TOML: {error}") from error
    allowed = [option.name for option in fields(FieldMapping)]
    unknown = sorted(content.keys() - set(allowed))
    if unknown:
        raise InvalidSource(f"the mapping {path} has {', '.join(unknown)}: allowed are {', '.join(allowed)}")
    columns = _table(content, "columns", path)
    values = _table(content, "values", path)
    options = {name: value for name, value in content.items() if name not in ("columns", "values")}
    texts = [
        *options.values(),
        *values.values(),
        *(column for value in columns.values() for column in _as_tuple(value)),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidSource(
            f'the mapping {path} has a value that is not text: write it in quotes, as in currency = "EUR"'
        )
    return FieldMapping(columns={name: _as_tuple(value) for name, value in columns.items()}, values=values, **options)


class RowBuilder:
    """Builds rows from records.

    A record may lack columns: the row then has only the fields whose columns it has.

    Args:
        mapping: how columns become fields.
        headers: columns of the source.
        photos: folder of the photos that records name.
        photo_required: reject rows whose photo is rejected.

    Attributes:
        columns: of each field.

    Raises:
        NoColumn: SKU or title has no column.
        InvalidSource: the mapping names a column that is missing, or one that occurs twice.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        headers: Sequence[str],
        *,
        photos: PhotoFolder,
        photo_required: bool = False,
    ) -> None:
        self._mapping = mapping
        self._photos = photos
        self._photo_required = photo_required
        self.columns: Mapping[str, tuple[str, ...]] = _columns_by_field(mapping, headers)
        for name in REQUIRED_FIELDS:
            if name not in self.columns and name not in mapping.values:
                raise NoColumn(name, f"no column is mapped to the field {name}. {_columns_hint(headers)}")
        mapped = {*self.columns, *mapping.values}
        self._attributes = sorted(name for name in mapped if name.startswith(_ATTRIBUTE))
        self._fields = frozenset("attributes" if name in self._attributes else name for name in mapped)
        self._used = {column for columns in self.columns.values() for column in columns}

    def build(self, line: int, record: Record, *, cells: tuple[tuple[str, ...], ...] = ()) -> Row:
        """Build the row of a record.

        Args:
            line: as in Row.
            record: by column.
            cells: as in Row.

        Returns:
            The row; with `error` if the record is invalid.
        """
        sku = ""
        try:
            sku = " ".join(self._text(record, "sku").split())
            if not sku:
                raise RowRejected("there is no SKU")
            price = parse_price(self._text(record, "price"), decimal=self._mapping.decimal)
            present = self._fields if self._used <= record.keys() else self._declared_fields(record)
            return Row(
                line,
                sku,
                self._product(record, sku, price),
                photos=self._named_photos(record) if "image" in present else None,
                fields=present | {"currency"} if price is not None and price.currencies else present,
                photo_required=self._photo_required,
                cells=cells,
                record=record,
            )
        except RowRejected as error:
            return Row(line, _printable(sku), error=str(error), cells=cells, record=record)

    def _declared_fields(self, record: Record) -> frozenset[str]:
        present = {name for name, columns in self.columns.items() if any(column in record for column in columns)}
        present |= self._mapping.values.keys()
        return frozenset("attributes" if name in self._attributes else name for name in present)

    def _product(self, record: Record, sku: str, price: Price | None) -> ProductData:
        title = " ".join(self._text(record, "title").split())
        if not title:
            raise RowRejected("the title is empty")
        return ProductData(
            sku=sku,
            title=title,
            description=self._text(record, "description"),
            category=self._split_values(record, "category", self._mapping.category_separator),
            brand=" ".join(self._text(record, "brand").split()),
            price=None if price is None else price.amount,
            list_price=self._list_price(record),
            currency=_currency(self._text(record, "currency").upper(), price),
            available=self._boolean(record, "available"),
            tags=list(dict.fromkeys(self._split_values(record, "tags", self._mapping.tag_separator))),
            attributes={
                name.removeprefix(_ATTRIBUTE): value for name in self._attributes if (value := self._text(record, name))
            },
            active=self._boolean(record, "active"),
            family=" ".join(self._text(record, "family").split()),
        )

    def _list_price(self, record: Record) -> Decimal | None:
        price = parse_price(self._text(record, "list_price"), decimal=self._mapping.decimal)
        return None if price is None else price.amount

    def _named_photos(self, record: Record) -> tuple[PhotoSource, ...]:
        names = self._split_values(record, "image", self._mapping.image_separator)
        return tuple(self._photos.resolve(name) for name in names)

    def _boolean(self, record: Record, name: str) -> bool:
        text = self._text(record, name)
        return parse_boolean(text, name=name) if text else True

    def _split_values(self, record: Record, name: str, separator: str) -> list[str]:
        parts: list[str] = []
        for value in self._values(record, name):
            if isinstance(value, str):
                parts += value.split(separator) if separator else [value]
            else:
                parts += value
        return [part.strip() for part in parts if part.strip()]

    def _text(self, record: Record, name: str) -> str:
        return "".join(_expect_single(value, name) for value in self._values(record, name)).strip()

    def _values(self, record: Record, name: str) -> list[str | Sequence[str]]:
        values: list[str | Sequence[str]]
        if name in self.columns:
            values = [record.get(column, "") for column in self.columns[name]]
        elif name in self._mapping.values:
            values = [
                _PLACEHOLDER.sub(
                    lambda match: _expect_single(record.get(match[1], ""), match[1]).strip(), self._mapping.values[name]
                )
            ]
        else:
            return []
        for value in values:
            for text in [value] if isinstance(value, str) else value:
                _check_encodable(text, name)
        return values


def _columns_by_field(mapping: FieldMapping, headers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns of each field, spelled as in the headers."""
    required = [column for columns in mapping.columns.values() for column in columns]
    required += [column for value in mapping.values.values() for column in _PLACEHOLDER.findall(value)]
    missing = sorted(set(required) - set(headers))
    if missing:
        raise InvalidSource(f"there is no column {', '.join(missing)}. {_columns_hint(headers)}")
    columns = dict(mapping.columns)
    by_name = {header.casefold(): header for header in reversed(headers)} if mapping.automatic else {}
    for name in (*FIELDS, *(header for header in by_name if header.startswith(_ATTRIBUTE))):
        if name in by_name and name not in columns and name not in mapping.values:
            columns[name] = (by_name[name],)
    used = {*required, *(column for names in columns.values() for column in names)}
    twice = sorted(column for column in used if headers.count(column) > 1)
    if twice:
        raise InvalidSource(f"several columns have the name {', '.join(twice)}. {_columns_hint(headers)}")
    return columns


def _expect_single(value: str | Sequence[str], name: str) -> str:
    if isinstance(value, str):
        return value
    if len(value) > 1:
        raise RowRejected(f"{name} has {len(value)} values; only one is allowed")
    return value[0] if value else ""


def _currency(declared: str, price: Price | None) -> str:
    allowed = () if price is None else price.currencies
    if not declared:
        return allowed[0] if allowed else "EUR"
    if allowed and declared not in allowed:
        raise RowRejected(f"the price is in {allowed[0]}, but the currency is {declared}")
    return declared


def _check_encodable(text: str, name: str) -> None:
    if "\x00" in text:
        raise RowRejected(f"{name} has a NUL byte")
    if not text.isascii() and text != _printable(text):
        raise RowRejected(f"{name} is not in the encoding of the file: set another encoding, such as cp1252")


def _printable(text: str) -> str:
    """Replace lone surrogates, which stand for undecodable bytes: databases and terminals refuse them."""
    return text.encode("utf-8", errors="replace").decode()


def _columns_hint(headers: Sequence[str]) -> str:
    return f"Columns found: {', '.join(_printable(header) for header in headers)}"


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InvalidSource(f"{name} in the mapping {path} has to be a table: [{name}]")
    # In TOML attribute.colour = "shade" is a nested table.
    attributes = table.pop(_ATTRIBUTE.rstrip("."), {})
    return {**table, **{f"{_ATTRIBUTE}{key}": value for key, value in attributes.items()}}


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
