"""A product feed as derived for Google Merchant Center: RSS 2.0, Atom, or a table with tabs.

Attributes: https://support.google.com/merchants/answer/7052112
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.mapping import FieldMapping, RowBuilder
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row, RowRejected
from product_files.tables.csv_file import SAMPLE_RECORDS, CsvTable
from product_files.values.cell_lists import split_photos
from product_files.xml_files.xml_items import FEED_ROOTS, FeedSyntaxError, Item, XmlFile, other_root, rows_of_items

EXTRA_ATTRIBUTES = (
    "link",
    "item_group_id",
    "color",
    "material",
    "pattern",
    "size",
    "gender",
    "age_group",
    "condition",
    "gtin",
    "mpn",
    "google_product_category",
)
ATTRIBUTES = (
    "id",
    "title",
    "description",
    "image_link",
    "additional_image_link",
    "availability",
    "price",
    "sale_price",
    "sale_price_effective_date",
    "brand",
    "product_type",
    *(f"custom_label_{number}" for number in range(5)),
    *EXTRA_ATTRIBUTES,
)
# Columns derived from the attributes above, which a mapping may use: the categories, the current price, and that before a sale.
CATEGORY, CURRENT_PRICE, LIST_PRICE = "category", "current_price", "list_price"

_REPEATABLE = ("image_link", "additional_image_link")
_ALL_OF = frozenset((*_REPEATABLE, "product_type"))
# Those whose text may be in an element of its own, with a note on how it was written.
_STRUCTURED = {"title": "structured_title/content", "description": "structured_description/content"}
# In tables Google has the note and the text in one cell: `trained_algorithmic_media:"Linen dress, blue"`.
_STRUCTURED_CELL = re.compile(r'\s*[a-z_]*\s*:\s*"?(?P<text>.*?)"?\s*', re.DOTALL)
# What a table has besides id and title, if it is a feed and not another table with an id.
_IDENTIFYING = (
    frozenset(("image_link",)),
    frozenset(("link", "availability")),
    frozenset(("product_type", "condition")),
)


def default_mapping(mapping: FieldMapping) -> FieldMapping:
    """Complete a mapping with a feed's attributes.

    Args:
        mapping: takes precedence.

    Returns:
        A mapping of all fields.
    """
    defaults = {
        "sku": ("id",),
        "title": ("title",),
        "description": ("description",),
        "category": (CATEGORY,),
        "brand": ("brand",),
        "price": (CURRENT_PRICE,),
        "list_price": (LIST_PRICE,),
        "available": ("availability",),
        "family": ("item_group_id",),
        "image": _REPEATABLE,
        **{f"attribute.{name}": (name,) for name in EXTRA_ATTRIBUTES},
    }
    mapped = {*mapping.columns, *mapping.values}
    columns = {name: columns for name, columns in defaults.items() if name not in mapped}
    return replace(mapping, columns={**columns, **mapping.columns})


class MerchantFeed:
    """The rows of an XML feed, numbered by item.

    The sale price is the price during the sale. A feed is complete: attributes that an item lacks become empty.

    Args:
        path: the file.
        mapping: how attributes become fields.
        photos: folder of the photos that are not links.
        now: time that decides whether a sale is on; by default the current time.

    Attributes:
        total: 0, because the number of items is unknown.

    Raises:
        InvalidSource: the file is not a feed.
    """

    format = "merchant"

    headers: Sequence[str] = ()
    total = 0

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._file = XmlFile(path, encoding=mapping.encoding)
        if self._file.root.lower() not in FEED_ROOTS:
            raise other_root(self._file.root, "rss, feed", "RSS 2.0, Atom")
        mapped = [column for columns in mapping.columns.values() for column in columns]
        # Any element may be mapped; whether it occurs is unknown before the end.
        self._names = tuple(dict.fromkeys((*ATTRIBUTES, *mapped)))
        headers = (*self._names, CATEGORY, CURRENT_PRICE, LIST_PRICE)
        self._builder = RowBuilder(default_mapping(mapping), list(dict.fromkeys(headers)), photos=photos)
        self._builder.learn(self._sample())

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the feed."""
        return self._builder.notes

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def _sample(self) -> Iterator[Mapping[str, str | Sequence[str]]]:
        try:
            for item in islice(self._file, SAMPLE_RECORDS):
                record = self._record(item)
                yield {**record, CATEGORY: record["product_type"], CURRENT_PRICE: record["price"], LIST_PRICE: ""}
        except FeedSyntaxError:
            # It is reported where the items are read.
            return

    def __iter__(self) -> Iterator[Row]:
        def rows_of(number: int, item: Item) -> list[Row]:
            return [build_row(self._builder, number, self._record(item), self._now)]

        return rows_of_items(self._file, rows_of, "id")

    def _record(self, item: Item) -> dict[str, str | Sequence[str]]:
        return {name: _value(name, item.texts(name) or item.texts(_STRUCTURED.get(name, ""))) for name in self._names}


class MerchantTable:
    """The rows of a feed as a table, with tabs or another delimiter, numbered by line.

    Args:
        path: the file.
        mapping: how attributes become fields.
        photos: folder of the photos that are not links.
        now: as in MerchantFeed.

    Attributes:
        headers: names of the columns.
        total: approximate number of rows.

    Raises:
        InvalidSource: a required column is missing.
    """

    format = "merchant"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._table = CsvTable(path, mapping)
        self._names = _attribute_names(self._table.headers)
        names = list(self._names.values())
        if "structured_title" in names and "title" not in names:
            names.append("title")
        missing = sorted({"id", "title"} - set(names))
        if missing:
            raise InvalidSource(
                file_facts.NOT_A_FEED_TABLE(missing=", ".join(missing), names=", ".join(ATTRIBUTES[:7]))
            )
        self._missing = dict.fromkeys(set(ATTRIBUTES) - set(self._names.values()), "")
        own = list(self._names.values())
        derived = (*self._missing, CATEGORY, CURRENT_PRICE, LIST_PRICE)
        headers = [*own, *(name for name in derived if name not in own)]
        self._builder = RowBuilder(default_mapping(mapping), headers, photos=photos)
        self._separator = mapping.image_separator
        self.headers = self._table.headers
        self.total = self._table.total
        self._builder.learn(self._sample())

    @staticmethod
    def matches(headers: Sequence[str]) -> bool:
        """Whether a table with these columns is a feed: with id and title, and others of a feed's attributes."""
        names = set(_attribute_names(headers).values())
        return {"id", "title"} <= names and any(marks <= names for marks in _IDENTIFYING)

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the table."""
        return [*self._table.notes, *self._builder.notes]

    def _sample(self) -> Iterator[Mapping[str, str | Sequence[str]]]:
        for values in self._table.sample():
            record = self._record(values)
            yield {**record, CATEGORY: record["product_type"], CURRENT_PRICE: record["price"], LIST_PRICE: ""}

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def __iter__(self) -> Iterator[Row]:
        for line in self._table:
            if line.error:
                yield Row(line.line, "", error=line.error, cells=line.cells)
                continue
            yield build_row(self._builder, line.line, self._record(line.values), self._now, cells=line.cells)

    def _record(self, values: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
        record: dict[str, str | Sequence[str]] = dict(self._missing)
        for header, text in values.items():
            name = self._names[header]
            record[name] = split_photos(text, self._separator) if name in _REPEATABLE else text
        for name in _STRUCTURED:
            cell = str(record.get(f"structured_{name}", ""))
            if cell and not record[name] and (match := _STRUCTURED_CELL.fullmatch(cell)):
                record[name] = match["text"]
        return record


def attribute_name(header: str) -> str:
    """The attribute of a header: `Image Link` and `g:image_link` are `image_link`."""
    return header.strip().lower().removeprefix("g:").replace(" ", "_")


def _attribute_names(headers: Sequence[str]) -> dict[str, str]:
    """The attribute of each header; TikTok's catalogues call the id `sku_id`."""
    names = {header: attribute_name(header) for header in headers}
    own = "id" if "id" in names.values() else "sku_id"
    return {header: "id" if name == own else name for header, name in names.items()}


def build_row(
    builder: RowBuilder,
    line: int,
    record: Mapping[str, str | Sequence[str]],
    now: datetime,
    *,
    cells: tuple[tuple[str, ...], ...] = (),
) -> Row:
    """Build the row of an item.

    Args:
        builder: maps attributes to fields.
        line: as in Row.
        record: values by ATTRIBUTES.
        now: as in MerchantFeed.
        cells: as in Row.

    Returns:
        The row; with `error` if the item is invalid.
    """
    warnings: tuple[str, ...] = ()
    try:
        price = current_price(record, now)
    except RowRejected as error:
        # The sale may be over: the price without it is one that holds.
        price, warnings = str(record["price"]), (row_facts.SALE_IGNORED(reason=str(error)),)
    list_price = str(record["price"]) if price != str(record["price"]).strip() else ""
    types, google = record["product_type"] or record.get(CATEGORY, ""), str(record["google_product_category"])
    derived = {CATEGORY: _categories(types, google), CURRENT_PRICE: price, LIST_PRICE: list_price}
    row = builder.build(line, {**record, **derived}, cells=cells)
    return replace(row, warnings=(*row.warnings, *warnings))


def current_price(record: Mapping[str, str | Sequence[str]], now: datetime) -> str:
    """The price that a buyer pays at a time.

    Args:
        record: values by ATTRIBUTES.
        now: the time.

    Returns:
        The sale price during the sale, otherwise the price.

    Raises:
        RowRejected: the dates of the sale are invalid.
    """
    price, sale = str(record["price"]).strip(), str(record["sale_price"]).strip()
    dates = str(record["sale_price_effective_date"]).strip()
    if not sale:
        return price
    if not dates:
        return sale
    start, slash, end = dates.partition("/")
    try:
        lasts = _parse_datetime(start) <= now <= _parse_datetime(end)
    except ValueError:
        lasts = None
    if not slash or lasts is None:
        raise RowRejected(row_facts.NOT_A_SALE_PERIOD(text=repr(dates[:60])))
    return sale if lasts else price


def _parse_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _categories(product_types: str | Sequence[str], google: str) -> str:
    """The shop's own categories, one a line, or Google's if it is in words."""
    own = product_types if isinstance(product_types, str) else "\n".join(product_types)
    return own.strip() or ("" if google.strip().isdigit() else google)


def _value(name: str, texts: list[str]) -> str | Sequence[str]:
    """The first of repeated elements; all of them for photos and categories."""
    if name in _ALL_OF:
        return texts
    return texts[0] if texts else ""
