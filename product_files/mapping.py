"""Maps the columns of a shop's own table to the fields of a product."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from jobs.facts import Fact
from product_files import file_facts, row_facts
from product_files.photo_files import PhotoFolder, is_link
from product_files.product_data import DEFAULT_CURRENCY, ProductData
from product_files.rows import InvalidSource, NoColumn, PhotoSource, Row, RowRejected
from product_files.values.availability import Availability, parse_availability, parse_boolean, says_yes
from product_files.values.cell_lists import (
    BETWEEN_CATEGORIES,
    LEVEL_MARKS,
    NO_CELLS,
    column_of_categories,
    deepest_first,
    first_photo,
    is_slug_path,
    json_list,
    levels_by_slash,
    split_categories,
    split_photos,
)
from product_files.values.html_text import html_to_line, html_to_text, with_line_breaks
from product_files.values.row_prices import PRICES, SALE_PRICE, PriceReader

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

# A field that is an attribute has it before the name of the attribute.
ATTRIBUTE_PREFIX = "attribute."
MULTI_COLUMN_FIELDS = ("category", "tags", "image")
# The attribute that keeps the word of a product that can be bought in another way than others: pre-order.
AVAILABILITY = "availability"
_MAX_NAMED = 10
# Names of a column that is not used that are looked for among the files.
_MAX_TRIED = 3
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SAID_NOTHING = frozenset(("n/a", "#n/a", "nan", "null", "undefined", "-", "--", "—"))
# As spreadsheets save long numbers: `4.00638E+12`.
_SHORTENED = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}")
_QUOTED_SKU = re.compile(r"'[\w=+\-@]")
# Columns that say what a row is, where those of variants name the SKU of their parent (Amazon, Bagisto), and what they say of it.
_KINDS_OF_ROWS = frozenset(("parent_child", "parentage", "parentage_level", "type"))
_PARENTS = frozenset(("parent", "configurable", "variable"))
# Columns that say whether the price of a sale counts.
_FLAGS_OF_SALES = frozenset(("on_sale", "onsale", "is_on_sale", "on_sale?"))


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """How columns become fields.

    Attributes:
        columns: columns of each field; category (its levels), tags and image may have several. A field that is not here uses
            the column of the same name, if there is one. `sale_price` is a lower price: it becomes the price, and the other one the
            list price.
        values: constants; {column} in them is replaced by the row's value of that column.
        category_separator: between levels of a category in one column; "" to find it.
        image_separator: between photos in one column; "" to find it.
        tag_separator: between tags in one column.
        decimal: "." or "," in all prices; "" to detect it per price.
        encoding: a text codec of Python; "" to detect it.
        delimiter: one of DELIMITERS, or "tab"; "" to detect it.
        item: of an XML file, the name or path of the elements that are products; "" to find it.
        automatic: whether a field that is not in `columns` uses a column that is known by its name.
        update_only: rows only change products that there are, so that they need no title.
        left_out: columns that become nothing, although they have the name of a field.
        sku_otherwise: the column that has the SKU of a product whose own is empty; "" for none.

    Raises:
        InvalidSource: a field does not exist, or an option has an invalid value.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    category_separator: str = ""
    image_separator: str = ""
    tag_separator: str = ","
    decimal: str = ""
    encoding: str = ""
    delimiter: str = ""
    item: str = ""
    automatic: bool = True
    update_only: bool = False
    left_out: frozenset[str] = frozenset()
    sku_otherwise: str = ""

    def __post_init__(self) -> None:
        for name in (*self.columns, *self.values):
            if name not in (*FIELDS, SALE_PRICE) and not (
                name.startswith(ATTRIBUTE_PREFIX) and len(name) > len(ATTRIBUTE_PREFIX)
            ):
                known = ", ".join((*FIELDS, f"{ATTRIBUTE_PREFIX}NAME"))
                raise InvalidSource(file_facts.NO_SUCH_FIELD(field=name, fields=known))
        for name, columns in self.columns.items():
            if len(columns) > 1 and name not in MULTI_COLUMN_FIELDS:
                raise InvalidSource(file_facts.ONE_COLUMN_ONLY(field=name))
        if self.delimiter.lower() == "tab":
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter not in ("", *DELIMITERS):
            raise InvalidSource(file_facts.DELIMITER_UNKNOWN(text=repr(self.delimiter)))
        if self.decimal not in ("", ".", ","):
            raise InvalidSource(file_facts.DECIMAL_UNKNOWN(text=repr(self.decimal)))

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

    def with_derived_currency(self) -> FieldMapping:
        """Take the currency from the column `currency` that a reader derives, unless it is mapped or constant."""
        is_set = "currency" in (*self.columns, *self.values)
        return self if is_set else self.with_columns([("currency", "currency")])

    def with_values(self, values: Mapping[str, str]) -> FieldMapping:
        """Replace fields by constants. values: text of each field."""
        columns = {name: column for name, column in self.columns.items() if name not in values}
        return replace(self, columns=columns, values={**self.values, **values})


def says_nothing(text: str) -> bool:
    """Whether a program or a person wrote that there is nothing: `N/A`, `null`, `-`."""
    return text.strip().casefold() in _SAID_NOTHING


def required_fields(*, update_only: bool) -> tuple[str, ...]:
    """The fields without which a row is rejected.

    Args:
        update_only: as in FieldMapping.

    Returns:
        Names of FIELDS.
    """
    return ("sku",) if update_only else ("sku", "title")


@dataclass(slots=True)
class _Values:
    """What is found while a row is built. fields: those that it will have; the others of its product stay as they are."""

    declared: frozenset[str]
    warnings: list[str] = field(default_factory=list)
    fields: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.fields = set(self.declared)

    def warn(self, text: str) -> None:
        """Note that a value is left out."""
        self.warnings.append(text)


class RowBuilder:
    """Builds rows from records.

    A record may lack columns: the row then has only the fields whose columns it has. A value that cannot be read is left out with
    a warning; only a record without SKU or title, or with a value that a field cannot hold, is rejected. Where rows only change
    products that there are, a record without a title leaves the title as it is.

    Args:
        mapping: how columns become fields.
        headers: columns of the source.
        photos: folder of the photos that records name.
        photo_required: reject rows whose photo is rejected.
        has_html: descriptions may be HTML.

    Attributes:
        columns: of each field.
        used: all columns that become something, those in constants, too.

    Raises:
        NoColumn: SKU or title has no column, and is needed.
        InvalidSource: the mapping names a column that is missing, or one that occurs twice.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        headers: Sequence[str],
        *,
        photos: PhotoFolder,
        photo_required: bool = False,
        has_html: bool = True,
    ) -> None:
        self._mapping = mapping
        self._has_html = has_html
        self._photos = photos
        self._photo_required = photo_required
        self._prices_of = PriceReader(mapping.decimal)
        self._slashes = False
        self._cells = NO_CELLS
        self._unused_photos: tuple[str, ...] = ()
        self._unused_files: tuple[str, ...] = ()
        self._assumed_currency = False
        self._last_description = ("", "")
        self._free = 0
        self.columns: Mapping[str, tuple[str, ...]] = _columns_by_field(mapping, headers)
        for name in required_fields(update_only=mapping.update_only):
            if name not in self.columns and name not in mapping.values:
                raise NoColumn(name, _without_column(name, self.columns, headers))
        named = (header for header in headers if "_".join(header.lower().split()) in _KINDS_OF_ROWS)
        self._kind_of_row = next(named, "")
        named = (header for header in headers if "_".join(header.lower().split()) in _FLAGS_OF_SALES)
        self._flag_of_sale = next(named, "")
        mapped = {*self.columns, *mapping.values}
        self._attributes = sorted(name for name in mapped if name.startswith(ATTRIBUTE_PREFIX))
        self._fields = frozenset("attributes" if name in self._attributes else name for name in mapped)
        self._used = {column for columns in self.columns.values() for column in columns}
        constants = (_PLACEHOLDER.findall(value) for value in mapping.values.values())
        self.used = frozenset(self._used.union({mapping.sku_otherwise} - {""}, *constants))

    def learn(self, records: Iterable[Record]) -> None:
        """Find out how the source writes what one value alone does not show: decimals, and levels of categories.

        Args:
            records: some of the source.
        """
        prices: dict[str, list[str]] = {name: [] for name in (*PRICES, SALE_PRICE)}
        columns: set[str] = set()
        currencies = {self._mapping.values.get("currency", "")}
        categories: list[str] = []
        photos: dict[str, list[str]] = {}
        for record in records:
            for column, value in record.items():
                if name := self._unused_photo(column, value):
                    photos.setdefault(column, []).append(name)
            columns |= record.keys()
            for name, texts in prices.items():
                texts += self._texts(record, name)
            currencies.update(self._texts(record, "currency"))
            categories += self._texts(record, "category")
        self._prices_of.learn(prices, columns, currencies)
        self._slashes = levels_by_slash(categories)
        self._cells = column_of_categories(map(html.unescape, categories))
        self._unused_photos = tuple(column for column, names in photos.items() if any(map(is_link, names)))
        files = {column: names[:_MAX_TRIED] for column, names in photos.items() if column not in self._unused_photos}
        if "image" not in self._fields:
            self._unused_files = tuple(
                column for column, names in files.items() if any(self._photos.has(name) for name in names)
            )

    def _unused_photo(self, column: str, value: str | Sequence[str]) -> str:
        if column in self.used or column.rpartition("/")[0] in self.used:
            return ""
        return next((first_photo(text) for text in _as_list(value)[:1]), "")

    @property
    def notes(self) -> list[str]:
        """What `learn` has found, and what was assumed."""
        notes = self._prices_of.notes
        if self._slashes and not self._mapping.category_separator:
            notes.append(row_facts.LEVELS_BY_SLASH())
        if self._unused_photos:
            notes.append(row_facts.unused_photos(row_facts.UNUSED_PHOTOS, self._unused_photos[:_MAX_NAMED]))
        if self._unused_files:
            notes.append(row_facts.unused_photos(row_facts.UNUSED_PHOTO_FILES, self._unused_files[:_MAX_NAMED]))
        return [*notes, *self.assumptions]

    @property
    def assumptions(self) -> list[str]:
        """What was assumed in the rows that were built so far."""
        assumed = [row_facts.NO_CURRENCY(currency=DEFAULT_CURRENCY)] if self._assumed_currency else []
        # Few shops give things away; many have 0 where they name the price on request.
        return [*assumed, *([row_facts.PRICES_OF_ZERO(products=self._free)] if self._free else [])]

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
            sku = self._sku(record)
            if not sku:
                raise RowRejected(row_facts.NO_SKU())
            present = self._fields if self._used <= record.keys() else self._declared_fields(record)
            values = _Values(present)
            if _SHORTENED.fullmatch(sku):
                values.warn(row_facts.SKU_SHORTENED(sku=sku))
            return Row(
                line,
                sku,
                self._product(record, sku, values),
                photos=self._named_photos(record) if "image" in present else None,
                fields=frozenset(values.fields),
                photo_required=self._photo_required,
                cells=cells,
                record=record,
                warnings=tuple(values.warnings),
            )
        except RowRejected as error:
            return Row(line, _printable(sku), error=str(error), cells=cells, record=record)

    def _sku(self, record: Record) -> str:
        column = self._mapping.sku_otherwise
        text = self._text(record, "sku") or (self._single(record, column, "sku") if column else "")
        return _unquoted(" ".join(text.split()))

    def _single(self, record: Record, column: str, name: str) -> str:
        """The only text of a column, as one of a field."""
        value = record.get(column, "")
        _check_texts(value, name)
        return _expect_single(_without_placeholders(value), name).strip()

    def _declared_fields(self, record: Record) -> frozenset[str]:
        present = {name for name, columns in self.columns.items() if any(column in record for column in columns)}
        present |= self._mapping.values.keys()
        return frozenset("attributes" if name in self._attributes else name for name in present)

    def _product(self, record: Record, sku: str, values: _Values) -> ProductData:
        title = html_to_line(with_line_breaks(self._text(record, "title")))
        if not title and not self._mapping.update_only:
            raise RowRejected(row_facts.NO_TITLE())
        if not title:
            values.fields.discard("title")
        categories = self._categories(record)
        currency, price, list_price = self._prices(record, values)
        available, word = self._availability(record, values)
        attributes = {
            name.removeprefix(ATTRIBUTE_PREFIX): value
            for name in self._attributes
            if (value := self._joined(record, name))
        }
        return ProductData(
            sku=sku,
            title=title,
            description=self._description(record),
            category=categories[0] if categories else (),
            other_categories=categories[1:],
            brand=html_to_line(self._joined(record, "brand")),
            price=price,
            list_price=list_price,
            currency=currency,
            available=available,
            tags=list(dict.fromkeys(self._tags(record))),
            attributes={**({AVAILABILITY: word} if word else {}), **attributes},
            active=self._active(record, values),
            family=self._family(record, sku),
        )

    def _family(self, record: Record, sku: str) -> str:
        """The family; a row that says that it is the parent of others has its own SKU, by which they name it."""
        family = " ".join(self._text(record, "family").split())
        # What has no parent has 0 in databases.
        family = "" if family == "0" else family
        kind = record.get(self._kind_of_row, "") if "family" in self.columns else ""
        is_parent = isinstance(kind, str) and kind.strip().lower() in _PARENTS
        return sku if is_parent and not family else family

    def _description(self, record: Record) -> str:
        text = self._text(record, "description")
        if not self._has_html:
            return text
        # Variants have that of their product, which may be long.
        if self._last_description[0] != text:
            self._last_description = (text, html_to_text(with_line_breaks(text)))
        return self._last_description[1]

    def _prices(self, record: Record, values: _Values) -> tuple[str, Decimal | None, Decimal | None]:
        """Currency, price and list price. What cannot be read is None, with a warning."""
        declared = self._text(record, "currency")
        texts = {name: self._text(record, name) for name in (*PRICES, SALE_PRICE)}
        if self._flag_of_sale and not says_yes("".join(_as_list(record.get(self._flag_of_sale, "")))):
            texts[SALE_PRICE] = ""
        found = self._prices_of.read(texts, declared)
        for warning in found.warnings:
            values.warn(warning)
        if SALE_PRICE in values.fields:
            # A sale that is over leaves no list price behind.
            values.fields.discard(SALE_PRICE)
            values.fields.add("list_price")
        if found.names_currency:
            values.fields.add("currency")
        elif found.price is not None and not declared and not self._mapping.update_only:
            self._assumed_currency = True
        self._free += found.price == 0
        return found.currency, found.price, found.list_price

    def _availability(self, record: Record, values: _Values) -> tuple[bool, str]:
        """Whether the product can be bought, and a word that says more than that, or ""."""
        text = self._text(record, "available")
        if "available" in values.fields:
            values.fields.add(f"attributes.{AVAILABILITY}")
        try:
            found = parse_availability(text) if text else Availability(available=True)
        except RowRejected as error:
            # The product keeps what it has.
            values.warn(str(error))
            values.fields -= {"available", f"attributes.{AVAILABILITY}"}
            return True, ""
        return found.available, found.word

    def _active(self, record: Record, values: _Values) -> bool:
        text = self._text(record, "active")
        try:
            return parse_boolean(text, name="active") if text else True
        except RowRejected as error:
            values.warn(str(error))
            values.fields.discard("active")
            return True

    def _categories(self, record: Record) -> list[tuple[str, ...]]:
        """The categories of the record, the main one first."""
        separator = self._mapping.category_separator
        found = self._values(record, "category")
        if len(found) == 1 and isinstance(found[0], str):
            text = html.unescape(found[0])
            return deepest_first(split_categories(text, separator, slashes=self._slashes, column=self._cells))
        # Several columns, or a list: the levels of one category, unless the parts have levels themselves.
        parts = [text for value in found for text in ([value] if isinstance(value, str) else value) if text.strip()]
        have_marks = separator or any(mark in part for part in parts for mark in (*LEVEL_MARKS, *BETWEEN_CATEGORIES))
        slashed = sum(map(is_slug_path, parts))
        if slashed and not have_marks and (len(found) > 1 or slashed < len(parts)):
            # Slashes are in the names of levels that stand for themselves.
            return deepest_first([[html.unescape(part).strip() for part in parts]])
        commas = all(isinstance(value, str) for value in found)
        paths = [path for part in parts for path in split_categories(html.unescape(part), separator, commas=commas)]
        if len(paths) == len(parts) and all(len(path) == 1 for path in paths):
            return deepest_first([[path[0] for path in paths]])
        return deepest_first(paths)

    def _tags(self, record: Record) -> list[str]:
        separator = self._mapping.tag_separator
        return [
            text.strip()
            for value in self._values(record, "tags")
            for text in (
                json_list(value) or value.split(separator) if isinstance(value, str) and separator else _as_list(value)
            )
            if text.strip()
        ]

    def _named_photos(self, record: Record) -> tuple[PhotoSource, ...]:
        names = [
            name
            for value in self._values(record, "image")
            for name in (split_photos(value, self._mapping.image_separator) if isinstance(value, str) else value)
            if name.strip()
        ]
        return tuple(self._photos.resolve(name) for name in dict.fromkeys(name.strip() for name in names))

    def _text(self, record: Record, name: str) -> str:
        return "".join(_expect_single(value, name) for value in self._values(record, name)).strip()

    def _joined(self, record: Record, name: str) -> str:
        """The text of an attribute; of several, with commas between them."""
        texts = (text.strip() for value in self._values(record, name) for text in _as_list(value))
        return ", ".join(text for text in texts if text)

    def _texts(self, record: Record, name: str) -> list[str]:
        """The texts of a field, without the checks of `_values`."""
        values = [record.get(column, "") for column in self.columns.get(name, ())]
        return [text for value in values for text in _as_list(value) if text.strip()]

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
            _check_texts(value, name)
        # A price that is not one is reported.
        return values if name in PRICES else [_without_placeholders(value) for value in values]


def _columns_by_field(mapping: FieldMapping, headers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns of each field, spelled as in the headers."""
    required = [column for columns in mapping.columns.values() for column in columns]
    required += [column for value in mapping.values.values() for column in _PLACEHOLDER.findall(value)]
    missing = sorted(set(required) - set(headers))
    if missing:
        raise InvalidSource(file_facts.NO_SUCH_COLUMN(column=", ".join(missing), columns=_listed(headers)))
    columns = dict(mapping.columns)
    named = [header for header in reversed(headers) if mapping.automatic and header not in mapping.left_out]
    by_name = {header.casefold(): header for header in named}
    for name in (*FIELDS, *(header for header in by_name if header.startswith(ATTRIBUTE_PREFIX))):
        if name in by_name and name not in columns and name not in mapping.values:
            columns[name] = (by_name[name],)
    used = {*required, *(column for names in columns.values() for column in names)}
    twice = sorted(column for column in used if headers.count(column) > 1)
    if twice:
        raise InvalidSource(file_facts.SAME_COLUMN_NAMES(column=", ".join(twice), columns=_listed(headers)))
    return columns


def _without_column(name: str, columns: Mapping[str, Sequence[str]], headers: Sequence[str]) -> Fact:
    """Why nothing can be read: a required field has no column."""
    if name == "sku" and (title := columns.get("title")):
        return file_facts.SKU_WITHOUT_COLUMN(columns=_listed(headers), title=title[0])
    return file_facts.FIELD_WITHOUT_COLUMN(field=name, columns=_listed(headers))


def _expect_single(value: str | Sequence[str], name: str) -> str:
    if isinstance(value, str):
        return value
    if len(value) > 1:
        raise RowRejected(row_facts.TOO_MANY_VALUES(field=name, number=len(value)))
    return value[0] if value else ""


def _without_placeholders(value: str | Sequence[str]) -> str | Sequence[str]:
    """Nothing where a text says so."""
    if isinstance(value, str):
        return "" if says_nothing(value) else value
    return [text for text in value if not says_nothing(text)]


def _as_list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _unquoted(sku: str) -> str:
    """Without the apostrophe by which spreadsheets keep a text from being a number or a formula."""
    return sku[1:] if _QUOTED_SKU.match(sku) else sku


def _check_texts(value: str | Sequence[str], name: str) -> None:
    for text in _as_list(value):
        _check_encodable(text, name)


def _check_encodable(text: str, name: str) -> None:
    if "\x00" in text:
        raise RowRejected(row_facts.NUL_BYTE(field=name))
    if not text.isascii() and text != _printable(text):
        raise RowRejected(row_facts.FOREIGN_BYTES(field=name))


def _printable(text: str) -> str:
    """Replace lone surrogates, which stand for undecodable bytes: databases and terminals refuse them."""
    return text.encode("utf-8", errors="replace").decode()


def _listed(headers: Sequence[str]) -> str:
    return ", ".join(_printable(header) for header in headers)
