"""What the readers of shop systems' exports share: rows from values that they derived, SKUs that they make, sales, categories."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain, count
from typing import Generic, Protocol, TypeVar

from jobs.facts import FactKind
from product_files import row_facts
from product_files.mapping import FIELDS, FieldMapping, RowBuilder
from product_files.photo_files import PhotoFile, PhotoFolder, PhotoLink
from product_files.product_data import SKU_LENGTH
from product_files.rows import PhotoSource, Row, RowRejected
from product_files.temporary_database import TemporaryDatabase, text_key
from product_files.values.prices import parse_price

# Fields that a reader may derive, under their own names as columns. No export of a shop system names its currency.
DERIVED = tuple(name for name in FIELDS if name != "currency")

_MACHINE_PRICE = re.compile(r"\d+\.\d+", re.ASCII)
_HASH_DIGITS = 8

_SLASHED_DATE = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})(?:,?\s+(\d{1,2}:\d{2}(?::\d{2})?)\s*([AP]M)?)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ShopProduct:
    """One product of an export.

    Attributes:
        line: as in Row.
        record: the cells by column, and the values of those fields of DERIVED that are known.
        attributes: of the product.
        has_attributes: whether the export has attributes; otherwise those of the product stay as they are.
        other_categories: as in ProductData.
        alts: alternative texts of photos by their names.
        warnings: as in Row.
        cells: as in Row.
    """

    line: int
    record: Mapping[str, str | Sequence[str]]
    attributes: Mapping[str, str] = field(default_factory=dict)
    has_attributes: bool = True
    other_categories: Sequence[Sequence[str]] = ()
    alts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()


class _Builder(Protocol):
    """What builds the rows of an export."""

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def notes(self) -> Sequence[str]: ...


B = TypeVar("B", bound=_Builder)


class ShopExport(Generic[B]):
    """What the readers of exports have in common; each is a CatalogueSource.

    Attributes:
        headers: column names of a table; empty for other files.
        total: approximate number of rows; 0 if it is unknown.
    """

    headers: Sequence[str] = ()
    total: int = 0
    _rows: B

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._rows.columns

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the export as a whole; complete when all rows were read."""
        return self._rows.notes


class ShopRows:
    """Builds the rows of an export.

    Args:
        mapping: how columns become fields; takes precedence over what a reader derives.
        headers: columns of the export.
        photos: folder of the photos that are not links.
        system: name of the shop system.
        read_as: says what the source is of this system.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        headers: Sequence[str],
        *,
        photos: PhotoFolder,
        system: str,
        read_as: FactKind = row_facts.READ_AS_EXPORT,
    ) -> None:
        self._read_as = read_as(system=system)
        mapped = {*mapping.columns, *mapping.values}
        self._derived = frozenset(DERIVED) - mapped
        columns = {name: (name,) for name in DERIVED if name in self._derived}
        self._builder = RowBuilder(
            replace(mapping, columns={**columns, **mapping.columns}),
            [*headers, *(name for name in DERIVED if name not in headers)],
            photos=photos,
            # Derived ones have been converted.
            has_html="description" not in self._derived,
        )

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    @property
    def notes(self) -> list[str]:
        """What was found about all rows that were built."""
        return [self._read_as, *self._builder.assumptions]

    def derives(self, name: str) -> bool:
        """Whether a field has the value that the reader derived, because no column was mapped to it."""
        return name in self._derived

    def build(self, product: ShopProduct) -> Row:
        """Build the row of a product.

        Args:
            product: as the reader found it.

        Returns:
            The row; with `error` if the product is invalid.
        """
        row = self._builder.build(product.line, product.record, cells=product.cells)
        if row.product is None:
            return row
        data = replace(
            row.product,
            attributes={**product.attributes, **row.product.attributes},
            other_categories=product.other_categories if self.derives("category") else row.product.other_categories,
        )
        return replace(
            row,
            product=data,
            fields=row.fields | {"attributes"} if row.fields is not None and product.has_attributes else row.fields,
            photos=None if row.photos is None else tuple(_with_alt(photo, product.alts) for photo in row.photos),
            warnings=(*row.warnings, *product.warnings),
        )


class SkusOfFile:
    """The SKUs of one file, each with the variant that it belongs to: in some shop systems several variants may have one SKU."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE sku (sku BLOB PRIMARY KEY, owner BLOB) WITHOUT ROWID", contents="SKUs of the file"
        )

    def claim(self, sku: str, owner: str, otherwise: str) -> tuple[str, str]:
        """The SKU of a variant.

        Args:
            sku: as in the file; "" for none.
            owner: what identifies the variant in the file. The same variant twice gets the same SKU twice.
            otherwise: the SKU that it gets if it has none, or one that another variant has.

        Returns:
            The SKU, and a warning if it is not the one of the file, or "".
        """
        if sku and self._is_free(sku, owner):
            return sku, ""
        numbered = (shortened(otherwise, f"-{number}") for number in count(2))
        made = next(name for name in chain([shortened(otherwise)], numbered) if self._is_free(name, owner))
        return made, row_facts.SKU_OF_ANOTHER(sku=sku, made=made) if sku else ""

    def close(self) -> None:
        """Forget them."""
        self._database.close()

    def _is_free(self, sku: str, owner: str) -> bool:
        found = self._database.first("SELECT owner FROM sku WHERE sku = ?", text_key(sku))
        if found is None:
            self._database.write("INSERT INTO sku VALUES (?, ?)", [(text_key(sku), text_key(owner))])
        return found is None or found[0] == text_key(owner)


def shortened(sku: str, suffix: str = "") -> str:
    """An SKU with a suffix; one that is too long ends with a hash instead of the rest."""
    if len(sku) + len(suffix) <= SKU_LENGTH:
        return sku + suffix
    digest = hashlib.sha256(text_key(sku)).hexdigest()[:_HASH_DIGITS]
    return f"{sku[: SKU_LENGTH - len(suffix) - _HASH_DIGITS - 1]}-{digest}{suffix}"


def machine_price(text: str) -> str:
    """A price as a program wrote it: without groups of thousands, so that 12.755 is not read as 12,755."""
    text = text.strip()
    return f"{text}0" if _MACHINE_PRICE.fullmatch(text) and len(text.partition(".")[2]) == 3 else text


def amount(text: str, decimal: str = "") -> Decimal | None:
    """The amount of a price; None if there is none, or it cannot be read."""
    try:
        price = parse_price(text, decimal=decimal)
    except RowRejected:
        return None
    return None if price is None else price.amount


def with_list_price(price: str, before: str, decimal: str) -> tuple[str, str]:
    """A price, and the one before the reduction.

    Args:
        price: the current price.
        before: a price to compare with; "" for none.
        decimal: as in `parse_price`.

    Returns:
        The price, and the one before, "" if it is not higher.
    """
    current, former = amount(price, decimal), amount(before, decimal)
    is_reduced = current is not None and former is not None and former > current
    return price, before if is_reduced else ""


def lasts(starts: str, ends: str, now: datetime) -> bool:
    """Whether a sale is on.

    Args:
        starts: its first moment; "" for none.
        ends: its last moment, a date without a time means the end of the day; "" for none.
        now: the time.

    Returns:
        Whether `now` lies between them.

    Raises:
        RowRejected: a text is not a date.
    """
    first, last = starts.strip(), ends.strip()
    return (_is_none(first) or parse_date(first) <= now) and (
        _is_none(last) or now <= parse_date(last, end_of_day=True)
    )


def _is_none(date: str) -> bool:
    """Whether there is no date; databases write `0000-00-00` then."""
    return not date or date.startswith("0000-00-00")


def parse_date(text: str, *, end_of_day: bool = False) -> datetime:
    """Parse a date as exports write it: ISO 8601, or `12/31/26, 5:00 PM`. The month comes first unless that is impossible.

    Args:
        text: the date.
        end_of_day: a date without a time means its last second instead of its first one.

    Returns:
        The moment, in UTC if the text has no offset.

    Raises:
        RowRejected: the text is not a date.
    """
    text = text.strip()
    try:
        moment, has_time = _slashed_date(text) or (datetime.fromisoformat(text), len(text) > len("2026-12-31"))
    except ValueError:
        raise RowRejected(row_facts.NOT_A_DATE(text=repr(text[:40]))) from None
    if end_of_day and not has_time:
        moment = moment.replace(hour=23, minute=59, second=59)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def split_escaped(text: str, mark: str) -> list[str]:
    r"""Split a list at a mark, except where a backslash stands before it: `A\, B, C` is `A, B` and `C`."""
    parts = re.split(rf"(?<!\\){re.escape(mark)}", text)
    return [part for each in parts if (part := each.replace(f"\\{mark}", mark).strip())]


def _slashed_date(text: str) -> tuple[datetime, bool] | None:
    match = _SLASHED_DATE.fullmatch(text)
    if match is None:
        return None
    month, day, year = int(match[1]), int(match[2]), int(match[3])
    if month > 12:
        month, day = day, month
    moment = datetime(year + 2000 if year < 100 else year, month, day)
    if match[4]:
        hour, minute = (int(part) for part in match[4].split(":")[:2])
        if match[5]:
            hour = hour % 12 + (12 if match[5].upper() == "PM" else 0)
        moment = moment.replace(hour=hour, minute=minute)
    return moment, bool(match[4])


def _with_alt(photo: PhotoSource, alts: Mapping[str, str]) -> PhotoSource:
    if isinstance(photo, PhotoLink | PhotoFile):
        return replace(photo, alt=alts.get(photo.name, ""))
    return photo
