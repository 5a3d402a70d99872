"""Excel workbooks (.xlsx, .xlsm): a sheet becomes a table of texts, as the spreadsheet shows them. openpyxl reads them."""

from __future__ import annotations

import csv
import math
import re
import tempfile
import warnings
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from functools import cache, partial
from io import StringIO
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, unquote
from zipfile import BadZipFile

from jobs import storage_facts
from jobs.facts import Fact
from jobs.storage import storage_errors
from product_files import file_facts, row_facts
from product_files.containers.archives import ArchiveRejected, SafeArchive
from product_files.rows import ChoiceNeeded, InvalidSource
from product_files.tables.opencart_sheets import with_other_sheets
from product_files.tables.shop_rows import machine_price
from product_files.values.currencies import currencies_of

# Of the table that a sheet is written to. Its lines are numbered as the sheet's rows are.
SHEET_SUFFIX = ".sheet"
# Of one that a table of an HTML file is written to, which is named by its number.
TABLE_SUFFIX = ".table"
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")

_WORKBOOK, _TEXTS = "xl/workbook.xml", "xl/sharedStrings.xml"
# The texts of cells are read into memory.
_MAX_TEXT_BYTES = 256 * 1024**2
# What Excel allows; the number of a row may be any.
_MAX_ROWS = 1_048_576
_START_ROWS, _START_BYTES = 100, 64 * 1024
# Of a workbook that is only looked at.
_SAMPLE_ROWS = 1000
# What stands above the names of columns has fewer cells.
_MIN_NAMES = 3
# What openpyxl raises for parts that are missing or not as they should be, and for entities; ParseError is a SyntaxError.
_DAMAGED = (
    ArithmeticError, AttributeError, BadZipFile, EOFError, IndexError, KeyError, OSError, SyntaxError, TypeError, ValueError,
    zlib.error,
)  # fmt: skip
# In a format, what may be the sign of a currency.
_FORMAT_SIGN = re.compile(r'\[\$([^\]-]+)[^\]]*\]|"([^"]+)"|([€£¥$])')
# Excel keeps 15 digits of a number.
_DIGITS = 15

# What a table has that is of products, and no list of customers or of the shop's settings.
_OF_PRODUCTS = ("price", "list_price", "image")

# What a sheet without titles has of the products of another one.
_OF_SKUS = frozenset((*_OF_PRODUCTS, "available", "description"))
# Beside the table: the names of other sheets with products.
_OTHERS = "others.txt"

_Row = list[str]
T = TypeVar("T")


def is_workbook(path: Path) -> bool:
    """Whether a zip archive is a workbook.

    Args:
        path: the archive.

    Returns:
        False for other archives, and for files that are none.
    """
    try:
        with SafeArchive(path) as archive:
            return any(member.name == _WORKBOOK for member in archive.members)
    except ArchiveRejected:
        return False


def read_from(path: Path) -> list[Fact]:
    """What a table was written from, for reports: a sheet, with others that have products, or a table of an HTML file.

    Args:
        path: the table.

    Returns:
        The facts; none for a table that somebody else has written.
    """
    if path.suffix == TABLE_SUFFIX:
        return [row_facts.TABLE(table=path.stem)]
    if path.suffix != SHEET_SUFFIX:
        return []
    others = path.with_name(_OTHERS).read_text(encoding="utf-8")
    return [
        row_facts.SHEET(sheet=unquote(path.stem)),
        *([row_facts.OTHER_SHEETS(sheets=others)] if others else []),
    ]


@contextmanager
def sheet_as_table(
    path: Path, fields_of: Callable[[bytes], Collection[str]], *, name: str = "", sample: bool = False
) -> Iterator[Path]:
    """Write a sheet as a CSV table in UTF-8, for the length of the block.

    Args:
        path: the workbook.
        fields_of: the fields that a table has columns of, by its first bytes.
        name: of the sheet; "" for the only one, or the only one that is most like a catalogue.
        sample: write its first rows only.

    Yields:
        The table.

    Raises:
        InvalidSource: the workbook is damaged or too large, or has no such sheet.
        ChoiceNeeded: several sheets may be meant.
        StorageUnavailable: there is no space for the table.
    """
    place = storage_facts.TEMPORARY_FOLDER()
    with storage_errors(storage_facts.WORKBOOK_SHEET(), place):
        temporary = tempfile.TemporaryDirectory(prefix="lookalike-workbook-")
    with temporary as folder:
        _check_size(path)
        with storage_errors(storage_facts.WORKBOOK_SHEET(), place), warnings.catch_warnings():
            # About what openpyxl leaves out: pictures, rules of validation.
            warnings.simplefilter("ignore", UserWarning)
            with path.open("rb") as file, closing(_opened(file)) as book:
                sheet, others = _chosen(book, name, fields_of)
                table = _written(Path(folder).resolve(), book, sheet, sample=sample)
                table.with_name(_OTHERS).write_text(", ".join(others), encoding="utf-8")
        yield table


def _check_size(path: Path) -> None:
    try:
        with SafeArchive(path) as archive:
            texts = sum(member.size for member in archive.members if member.name == _TEXTS)
    except ArchiveRejected as error:
        raise InvalidSource(file_facts.IN_FILE(file=str(path), reason=str(error))) from error
    if texts > _MAX_TEXT_BYTES:
        raise InvalidSource(file_facts.WORKBOOK_TOO_LARGE(limit=_MAX_TEXT_BYTES // 1024**2))


def _opened(file: BinaryIO) -> Any:
    # Here, since every process of the product knows of imports and few read a workbook.
    import openpyxl

    with _damage_explained():
        return openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)


@contextmanager
def _damage_explained() -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise InvalidSource(file_facts.WORKBOOK_DAMAGED()) from error


def _chosen(book: Any, name: str, fields_of: Callable[[bytes], Collection[str]]) -> tuple[Any, list[str]]:
    """The sheet to read, and the names of others that have something of products; those that are hidden do not count."""
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    listed = ", ".join(sheet.title for sheet in sheets)
    if name:
        named = [sheet for sheet in sheets if sheet.title.casefold() == name.casefold()]
        if not named:
            raise InvalidSource(file_facts.NO_SUCH_SHEET(sheet=name, sheets=listed))
        return named[0], []
    starts = {sheet.title: _start(sheet) for sheet in sheets}
    filled = [sheet for sheet in sheets if starts[sheet.title]]
    if not filled:
        raise InvalidSource(file_facts.WORKBOOK_EMPTY())
    found = most_like_catalogues(filled, lambda sheet: fields_of(starts[sheet.title]))
    if len(found) > 1:
        raise ChoiceNeeded(
            "table",
            [(sheet.title, "") for sheet in found],
            file_facts.SHEETS(number=len(found), sheets=listed),
        )
    fields = {sheet.title: fields_of(starts[sheet.title]) for sheet in filled if sheet is not found[0]}
    return found[0], [
        title
        for title, names in fields.items()
        if "sku" in names and not _OF_SKUS.isdisjoint(names) and "title" not in names
    ]


def most_like_catalogues(tables: Sequence[T], fields_of: Callable[[T], Collection[str]]) -> list[T]:
    """The tables with columns of SKUs and titles, or else of titles and prices or photos, or else of prices or photos.

    Args:
        tables: to choose from.
        fields_of: the fields that a table has columns of.

    Returns:
        All of them where none is like a catalogue.
    """
    fields = [(table, frozenset(fields_of(table))) for table in tables]
    return (
        [table for table, found in fields if found >= {"sku", "title"}]
        or [table for table, found in fields if "title" in found and not found.isdisjoint(_OF_PRODUCTS)]
        or [table for table, found in fields if not found.isdisjoint(_OF_PRODUCTS)]
        or list(tables)
    )


def _start(sheet: Any) -> bytes:
    """The first bytes of a sheet's table."""
    text = StringIO(newline="")
    csv.writer(text).writerows(islice(_rows(sheet), _START_ROWS))
    return text.getvalue()[:_START_BYTES].strip().encode()


def _written(folder: Path, book: Any, sheet: Any, *, sample: bool) -> Path:
    others = {other.title: partial(_rows, other) for other in book.worksheets if other is not sheet}
    rows = with_other_sheets(islice(_rows(sheet), _SAMPLE_ROWS if sample else None), others)
    table = folder / f"{quote(sheet.title, safe='')[:100]}{SHEET_SUFFIX}"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(_to_the_last(rows))
    return table


def _to_the_last(rows: Iterable[_Row]) -> Iterator[_Row]:
    """Without the empty rows behind the last one that is not: a sheet often has a million of them."""
    empty = 0
    for row in rows:
        if not row:
            empty += 1
            continue
        yield from repeat([], empty)
        empty = 0
        yield row


def _rows(sheet: Any) -> Iterator[_Row]:
    """The rows of a sheet from its first one on; those without cells are empty."""
    rows = islice(_all_rows(sheet), _MAX_ROWS)
    above: list[_Row] = []
    for row in rows:
        # Names of columns are in one line.
        above.append([" ".join(text.split()) for text in row])
        if sum(map(bool, row)) >= _MIN_NAMES:
            break
    yield from chain(above, rows)


def _all_rows(sheet: Any) -> Iterator[_Row]:
    from openpyxl.utils.escape import unescape

    # What a file says about the size of its sheets is often wrong.
    sheet.reset_dimensions()
    with _damage_explained():
        for row in sheet.iter_rows():
            yield _without_end([_shown(cell, unescape) for cell in row])


def _without_end(row: _Row) -> _Row:
    while row and not row[-1]:
        row.pop()
    return row


def _shown(cell: Any, unescape: Callable[[str], str]) -> str:
    """What the spreadsheet shows of a cell. unescape: replaces the escapes of characters that XML forbids."""
    match cell.value:
        case None:
            return ""
        case bool() as truth:
            return "yes" if truth else "no"
        case str() as text:
            # `#N/A`, `#REF!`: there is no value.
            return "" if cell.data_type == "e" else unescape(text).replace("\r\n", "\n")
        case datetime() as moment:
            return moment.date().isoformat() if moment.time() == clock_time() else moment.isoformat(" ", "seconds")
        case date() | clock_time() as moment:
            return moment.isoformat()
        case timedelta() as duration:
            return str(duration)
        case number:
            return _number(number, *_format(cell.number_format))


@cache
def _format(code: str) -> tuple[int, str]:
    """How a format shows numbers: with so many digits, zeros in front, and with the sign of a currency; 0 and "" for neither."""
    first = code.split(";")[0]
    if re.fullmatch(r"0{2,20}", first):
        return len(first), ""
    signs = (sign for match in _FORMAT_SIGN.finditer(first) for sign in match.groups() if sign)
    return 0, next((sign.strip() for sign in signs if currencies_of(sign)), "")


def _number(number: float, digits: int, sign: str) -> str:
    if not math.isfinite(number):
        return ""
    rounded = Decimal(number) if isinstance(number, int) else Decimal(format(number, f".{_DIGITS}g"))
    plain = machine_price(format(rounded, "f"))
    if digits and plain.isdigit():
        return plain.zfill(digits)
    return f"{plain} {sign}" if sign else plain
