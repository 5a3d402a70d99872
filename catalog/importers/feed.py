"""A product feed as derived for Google Merchant Center: RSS 2.0, Atom, or a table with tabs.

Attributes: https://support.google.com/merchants/answer/7052112
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from catalog.importers.csv_file import CsvTable
from catalog.importers.html_text import html_to_text
from catalog.importers.mapping import FieldMapping, RowBuilder
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.rows import InvalidSource, Row, RowRejected
from catalog.importers.xml_items import FeedFile, FeedSyntaxError, Item
from catalog.models import SKU_LENGTH

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
# Columns derived from the attributes above, which a mapping may use: the category path, and the current price.
CATEGORY, CURRENT_PRICE = "category", "current_price"

_REPEATABLE = ("image_link", "additional_image_link")
_SEVERAL_LINKS = re.compile(r",\s*(?=https?://)", re.IGNORECASE)


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
        "available": ("availability",),
        "image": _REPEATABLE,
        **{f"attribute.{name}": (name,) for name in EXTRA_ATTRIBUTES},
    }
    mapped = {*mapping.columns, *mapping.values}
    columns = {name: columns for name, columns in defaults.items() if name not in mapped}
    return replace(mapping, columns={**columns, **mapping.columns}, image_separator="")


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
    notes: Sequence[str] = ()

    headers: Sequence[str] = ()
    total = 0

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._file = FeedFile(path)
        mapped = [column for columns in mapping.columns.values() for column in columns]
        # Any element may be mapped; whether it occurs is unknown before the end.
        self._names = tuple(dict.fromkeys((*ATTRIBUTES, *mapped)))
        headers = (*self._names, CATEGORY, CURRENT_PRICE)
        self._builder = RowBuilder(default_mapping(mapping), list(dict.fromkeys(headers)), photos=photos)

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def __iter__(self) -> Iterator[Row]:
        number = 0
        try:
            for number, item in enumerate(self._file, start=1):
                yield self._row(number, item)
        except FeedSyntaxError as error:
            yield Row(number + 1, "", error=str(error), is_last_readable=True)

    def _row(self, number: int, item: Item) -> Row:
        if item.error:
            return Row(number, " ".join(item.texts("id")[:1])[:SKU_LENGTH], error=item.error)
        record = {name: _value(name, item.texts(name)) for name in self._names}
        return build_row(self._builder, number, record, self._now)


class MerchantTable:
    """The rows of a tab-separated feed, numbered by line.

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
    notes: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._table = CsvTable(path, mapping)
        self._names = {header: attribute_name(header) for header in self._table.headers}
        names = list(self._names.values())
        missing = sorted({"id", "title"} - set(names))
        if missing:
            raise InvalidSource(
                f"there is no column {', '.join(missing)}: a feed has {', '.join(ATTRIBUTES[:7])} ... in its first line"
            )
        self._missing = dict.fromkeys(set(ATTRIBUTES) - set(names), "")
        headers = [*names, *self._missing, CATEGORY, CURRENT_PRICE]
        self._builder = RowBuilder(default_mapping(mapping), headers, photos=photos)
        self.headers = self._table.headers
        self.total = self._table.total

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def __iter__(self) -> Iterator[Row]:
        for line in self._table:
            if line.error:
                yield Row(line.line, "", error=line.error, cells=line.cells)
                continue
            record: dict[str, str | Sequence[str]] = dict(self._missing)
            for header, text in line.values.items():
                name = self._names[header]
                record[name] = _SEVERAL_LINKS.split(text) if name in _REPEATABLE else text
            yield build_row(self._builder, line.line, record, self._now, cells=line.cells)


def attribute_name(header: str) -> str:
    """The attribute of a header: `Image Link` and `g:image_link` are `image_link`."""
    return header.strip().lower().removeprefix("g:").replace(" ", "_")


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
    sku = str(record["id"]).strip()
    try:
        derived = {
            CATEGORY: _category(str(record["product_type"]), str(record["google_product_category"])),
            CURRENT_PRICE: current_price(record, now),
            "description": html_to_text(str(record["description"])),
        }
    except RowRejected as error:
        return Row(line, sku, error=str(error), cells=cells)
    return builder.build(line, {**record, **derived}, cells=cells)


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
        raise RowRejected(
            f"sale_price_effective_date: {dates[:60]!r} is not of the form 2030-01-31T08:00+0100/2030-02-07T22:00+0100"
        )
    return sale if lasts else price


def _parse_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _category(product_type: str, google: str) -> str:
    """The shop's own category path, or Google's if it is in words."""
    return product_type.strip() or ("" if google.strip().isdigit() else google)


def _value(name: str, texts: list[str]) -> str | Sequence[str]:
    """The first of repeated elements; all of them for photos."""
    if name in _REPEATABLE:
        return texts
    return texts[0] if texts else ""
