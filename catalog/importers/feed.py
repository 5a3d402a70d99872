"""A product feed as made for Google Merchant Center: RSS 2.0, Atom, or a table with tabs.

https://support.google.com/merchants/answer/7052112 names the attributes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from catalog.importers.csv_file import Table
from catalog.importers.html_text import html_to_text
from catalog.importers.mapping import FieldMapping, RowBuilder
from catalog.importers.photo_files import Photos
from catalog.importers.rows import Row, RowRejected, UnusableSource
from catalog.importers.xml_items import BrokenFeed, FeedFile, Item

KEPT_AS_ATTRIBUTES = (
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
    *KEPT_AS_ATTRIBUTES,
)
# Made here from the attributes above, for the mapping to use: the path of the category, and what a buyer pays today.
CATEGORY, PRICE_TODAY = "category", "price_today"

_SEVERAL = ("image_link", "additional_image_link")
_SEVERAL_LINKS = re.compile(r",\s*(?=https?://)", re.IGNORECASE)


def default_mapping(mapping: FieldMapping) -> FieldMapping:
    """How a feed's attributes become fields, where this mapping does not say otherwise."""
    defaults = {
        "sku": ("id",),
        "title": ("title",),
        "description": ("description",),
        "category": (CATEGORY,),
        "brand": ("brand",),
        "price": (PRICE_TODAY,),
        "available": ("availability",),
        "image": _SEVERAL,
        **{f"attribute.{name}": (name,) for name in KEPT_AS_ATTRIBUTES},
    }
    told = {*mapping.columns, *mapping.values}
    columns = {name: columns for name, columns in defaults.items() if name not in told}
    return replace(mapping, columns={**columns, **mapping.columns}, image_separator="")


class MerchantFeed:
    """The rows of a feed in XML, numbered by item. Raises UnusableSource at once where it is none.

    A sale price counts as the price while the sale lasts. A feed is all that there is to say of a product: what an item
    leaves out is empty. total: how many items there are, 0: nobody knows.
    """

    headers: Sequence[str] = ()
    total = 0

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: Photos, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._file = FeedFile(path)
        mapped = [column for columns in mapping.columns.values() for column in columns]
        # Any element may be mapped, and whether it occurs is not known before the end.
        self._names = tuple(dict.fromkeys((*ATTRIBUTES, *mapped)))
        headers = (*self._names, CATEGORY, PRICE_TODAY)
        self._builder = RowBuilder(default_mapping(mapping), list(dict.fromkeys(headers)), photos=photos)

    def __iter__(self) -> Iterator[Row]:
        number = 0
        try:
            for number, item in enumerate(self._file, start=1):
                yield self._row(number, item)
        except BrokenFeed as error:
            yield Row(number + 1, "", error=str(error), breaks_off=True)

    def _row(self, number: int, item: Item) -> Row:
        if item.error:
            return Row(number, " ".join(item.texts("id")[:1])[:120], error=item.error)
        record = {name: _value(name, item.texts(name)) for name in self._names}
        return build(self._builder, number, record, self._now)


class MerchantTable:
    """The rows of a feed with tabs between its columns, numbered by line.

    headers: the names of its columns. total: about how many rows there are.
    """

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: Photos, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._table = Table(path, mapping)
        self._names = {header: attribute_name(header) for header in self._table.headers}
        names = list(self._names.values())
        missing = sorted({"id", "title"} - set(names))
        if missing:
            raise UnusableSource(
                f"there is no column {', '.join(missing)}: a feed has {', '.join(ATTRIBUTES[:7])} ... in its first line"
            )
        self._left_out = dict.fromkeys(set(ATTRIBUTES) - set(names), "")
        headers = [*names, *self._left_out, CATEGORY, PRICE_TODAY]
        self._builder = RowBuilder(default_mapping(mapping), headers, photos=photos)
        self.headers = self._table.headers
        self.total = self._table.total

    def __iter__(self) -> Iterator[Row]:
        for line in self._table:
            if line.error:
                yield Row(line.line, "", error=line.error, cells=line.cells)
                continue
            record: dict[str, str | Sequence[str]] = dict(self._left_out)
            for header, text in line.values.items():
                name = self._names[header]
                record[name] = _SEVERAL_LINKS.split(text) if name in _SEVERAL else text
            yield build(self._builder, line.line, record, self._now, cells=line.cells)


def attribute_name(header: str) -> str:
    """As the reference spells it: `Image Link` and `g:image_link` are `image_link`."""
    return header.strip().lower().removeprefix("g:").replace(" ", "_")


def build(
    builder: RowBuilder,
    line: int,
    record: Mapping[str, str | Sequence[str]],
    now: datetime,
    *,
    cells: tuple[tuple[str, ...], ...] = (),
) -> Row:
    """The row of an item, by the names of ATTRIBUTES. cells: as in Row."""
    sku = str(record["id"]).strip()
    try:
        made = {
            CATEGORY: _category(str(record["product_type"]), str(record["google_product_category"])),
            PRICE_TODAY: price_today(record, now),
            "description": html_to_text(str(record["description"])),
        }
    except RowRejected as error:
        return Row(line, sku, error=str(error), cells=cells)
    return builder.build(line, {**record, **made}, cells=cells)


def price_today(record: Mapping[str, str | Sequence[str]], now: datetime) -> str:
    """The sale price while the sale lasts, otherwise the price."""
    price, sale = str(record["price"]).strip(), str(record["sale_price"]).strip()
    dates = str(record["sale_price_effective_date"]).strip()
    if not sale:
        return price
    if not dates:
        return sale
    start, slash, end = dates.partition("/")
    try:
        lasts = _moment(start) <= now <= _moment(end)
    except ValueError:
        lasts = None
    if not slash or lasts is None:
        raise RowRejected(
            f"sale_price_effective_date: {dates[:60]!r} is not of the form 2030-01-31T08:00+0100/2030-02-07T22:00+0100"
        )
    return sale if lasts else price


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _category(product_type: str, google: str) -> str:
    """The shop's own path, or else Google's where it is given in words."""
    return product_type.strip() or ("" if google.strip().isdigit() else google)


def _value(name: str, texts: list[str]) -> str | Sequence[str]:
    """Repeated elements other than photos are alternatives: the first counts."""
    if name in _SEVERAL:
        return texts
    return texts[0] if texts else ""
