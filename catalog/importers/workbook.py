"""Excel workbooks (.xlsx, .xlsm): a sheet becomes a table of texts, as the spreadsheet shows them.

Read as the XML that it is (ECMA-376, SpreadsheetML), in bounded memory.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote
from xml.parsers import expat

from catalog.archives import ArchiveRejected, SafeArchive
from catalog.importers.currencies import currencies_of
from catalog.importers.rows import ChoiceNeeded, InvalidSource
from catalog.importers.shop_rows import machine_price
from catalog.importers.temporary_database import TemporaryDatabase, key_text, text_key
from jobs.storage import storage_errors

# Of the table that a sheet is written to. Its lines are numbered as the sheet's rows are.
SHEET_SUFFIX = ".sheet"
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")

_WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_STRINGS, _STYLES = "xl/sharedStrings.xml", "xl/styles.xml"
_CHUNK_BYTES = 64 * 1024
_START_BYTES = 64 * 1024
# What Excel allows.
_MAX_COLUMNS = 16_384
_MAX_CELL_CHARACTERS = 32_767
_MAX_ROWS = 1_048_576
# What stands above the names of columns has fewer cells.
_MIN_NAMES = 3
# Numbers of formats that are built in and show a date (ECMA-376, 18.8.30).
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
# In a format, what is text and not a sign of it.
_FORMAT_TEXT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_FORMAT_SIGN = re.compile(r'\[\$([^\]-]+)[^\]]*\]|"([^"]+)"|([€£¥$])')
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_EPOCH, _EPOCH_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)
# Excel keeps 15 digits of a number.
_DIGITS = 15


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet that is shown. member: its file in the archive."""

    name: str
    member: str


@dataclass(frozen=True, slots=True)
class _Style:
    """How numbers of a format are shown. digits: with zeros in front; sign: of a currency."""

    is_date: bool = False
    digits: int = 0
    sign: str = ""


@dataclass(slots=True)
class _Book:
    """What the workbook says about its sheets."""

    sheets: list[_Sheet] = field(default_factory=list)
    styles: Mapping[str, _Style] = field(default_factory=dict)
    epoch: datetime = _EPOCH


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


def sheet_name(path: Path) -> str:
    """The name of the sheet that a table was written from; "" for other tables."""
    return unquote(path.stem) if path.suffix == SHEET_SUFFIX else ""


@contextmanager
def sheet_as_table(path: Path, is_catalogue: Callable[[bytes], bool], *, name: str = "") -> Iterator[Path]:
    """Write a sheet as a CSV table in UTF-8, for the length of the block.

    Args:
        path: the workbook.
        is_catalogue: tells a catalogue from another table by its first bytes.
        name: of the sheet; "" for the only one, or the only one that is a catalogue.

    Yields:
        The table.

    Raises:
        InvalidSource: the workbook is damaged, or has no such sheet.
        ChoiceNeeded: several sheets may be meant.
        StorageUnavailable: there is no space to unpack it.
    """
    with ExitStack() as stack:
        with storage_errors("the sheet of the workbook", "the folder for temporary files (TMPDIR)"):
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="lookalike-workbook-"))
        folder = Path(temporary).resolve()
        try:
            with SafeArchive(path) as archive:
                archive.extract_to(
                    folder / "book", only={each.name for each in archive.members if _is_needed(each.name)}
                )
            book = _read_book(folder / "book")
            strings = stack.enter_context(closing(_SharedStrings(folder / "book" / _STRINGS)))
            sheet = _chosen(book, name, folder, strings, is_catalogue)
            with storage_errors("the sheet of the workbook", "the folder for temporary files (TMPDIR)"):
                table = _write(folder, sheet, book, strings, _MAX_ROWS)
        except ArchiveRejected as error:
            raise InvalidSource(f"{path}: {error}") from error
        except (expat.ExpatError, UnicodeError) as error:
            raise InvalidSource(f"the workbook is damaged: {error}. Save it again, or save its sheet as CSV") from error
        yield table


def _is_needed(name: str) -> bool:
    return name in (_WORKBOOK, _RELATIONS, _STRINGS, _STYLES) or name.startswith("xl/worksheets/")


def _chosen(
    book: _Book,
    name: str,
    folder: Path,
    strings: _SharedStrings,
    is_catalogue: Callable[[bytes], bool],
) -> _Sheet:
    listed = ", ".join(sheet.name for sheet in book.sheets)
    if name:
        named = [sheet for sheet in book.sheets if sheet.name.casefold() == name.casefold()]
        if not named:
            raise InvalidSource(f"there is no sheet {name} in the workbook: it has {listed}")
        return named[0]
    filled = [sheet for sheet in book.sheets if _start(folder, sheet, book, strings)]
    if not filled:
        raise InvalidSource("the workbook has no sheet with anything in it")
    found = [sheet for sheet in filled if is_catalogue(_start(folder, sheet, book, strings))] or filled
    if len(found) > 1:
        raise ChoiceNeeded(
            "table",
            [(sheet.name, "") for sheet in found],
            f"there are {len(found)} sheets in the workbook ({listed}): name the table to import",
        )
    return found[0]


def _start(folder: Path, sheet: _Sheet, book: _Book, strings: _SharedStrings) -> bytes:
    """The first bytes of a sheet's table."""
    return _write(folder, sheet, book, strings, 100).read_bytes()[:_START_BYTES].strip()


def _write(folder: Path, sheet: _Sheet, book: _Book, strings: _SharedStrings, rows: int) -> Path:
    table = folder / f"{quote(sheet.name, safe='')[:100]}{SHEET_SUFFIX}"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        previous, is_above = 0, True
        for number, cells in _rows(folder / "book" / sheet.member, book, strings):
            if number > rows:
                break
            # Rows without cells are not in the sheet's XML.
            writer.writerows([] for _ in range(number - previous - 1))
            if is_above:
                # Names of columns are in one line.
                cells = [" ".join(cell.split()) for cell in cells]
                is_above = sum(map(bool, cells)) < _MIN_NAMES
            writer.writerow(cells)
            previous = number
    return table


def _rows(path: Path, book: _Book, strings: _SharedStrings) -> Iterator[tuple[int, list[str]]]:
    """The rows that have cells, with their numbers."""
    parser = _SheetParser(book, strings)
    for chunk in _chunks(path):
        parser.feed(chunk)
        yield from parser.pop()
    parser.feed(b"", last=True)
    yield from parser.pop()


def _chunks(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        raise InvalidSource(f"the workbook is damaged: it has no {path.name}. Save it again, or save its sheet as CSV")
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


class _Xml:
    """Expat's events of a part of a workbook, by local names."""

    def __init__(self) -> None:
        parser = expat.ParserCreate(namespace_separator="\n")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = lambda name, attributes: self.start(_local(name), _locals(attributes))
        parser.EndElementHandler = lambda name: self.end(_local(name))
        parser.CharacterDataHandler = self.characters
        self._parser = parser

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        self._parser.Parse(chunk, last)

    def read(self, path: Path) -> None:
        for chunk in _chunks(path):
            self.feed(chunk)
        self.feed(b"", last=True)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def characters(self, text: str) -> None:
        """Text of an element."""

    def _refuse(self, *_args: object) -> None:
        raise InvalidSource("the workbook has a document type declaration: save it again with a spreadsheet program")


class _Elements(_Xml):
    """Collects all elements with their attributes, of small parts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Mapping[str, str]]] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.found.append((name, attributes))


class _StringParser(_Xml):
    """Collects the shared strings, without their phonetic readings."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self._parts: list[str] = []
        self._is_text = False
        self._reading = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002 -- the base's
        self._is_text = name == "t"
        self._reading += name == "rPh"

    def end(self, name: str) -> None:
        self._is_text = False
        self._reading -= name == "rPh"
        if name == "si":
            self.done.append(_unescaped("".join(self._parts)))
            self._parts = []

    def characters(self, text: str) -> None:
        if self._is_text and not self._reading:
            self._parts.append(text)


class _SharedStrings:
    """The texts that cells name by their number, on the disk."""

    def __init__(self, path: Path) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE text (number INTEGER PRIMARY KEY, content BLOB)", contents="texts of the workbook"
        )
        if path.is_file():
            parser, count = _StringParser(), 0
            for chunk in (*_chunks(path), b""):
                parser.feed(chunk, last=not chunk)
                done, parser.done = parser.done, []
                self._database.write("INSERT INTO text VALUES (?, ?)", enumerate(map(text_key, done), start=count))
                count += len(done)

    def __getitem__(self, number: str) -> str:
        found = (
            self._database.first("SELECT content FROM text WHERE number = ?", int(number)) if number.isdigit() else None
        )
        return "" if found is None else key_text(found[0])

    def close(self) -> None:
        """Forget them."""
        self._database.close()


class _SheetParser(_Xml):
    """Collects the rows of a sheet."""

    def __init__(self, book: _Book, strings: _SharedStrings) -> None:
        super().__init__()
        self._book, self._strings = book, strings
        self._done: list[tuple[int, list[str]]] = []
        self._row, self._column = 0, 0
        self._cells: dict[int, str] = {}
        self._kind, self._style = "", _Style()
        self._parts: list[str] = []
        self._is_text = False
        self._reading = 0
        self._in_cell = False

    def pop(self) -> list[tuple[int, list[str]]]:
        done, self._done = self._done, []
        return done

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "row":
            number = attributes.get("r", "")
            self._row = max(int(number) if number.isdigit() and len(number) < 8 else 0, self._row + 1)
            self._column, self._cells = 0, {}
        elif name == "c":
            match = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = _column_number(match[1]) if match else self._column + 1
            self._kind = attributes.get("t", "n")
            index = attributes.get("s", "0")
            self._style = self._book.styles.get(index, _Style())
            self._parts, self._in_cell = [], True
        self._reading += name == "rPh"
        self._is_text = self._in_cell and name in ("v", "t")

    def end(self, name: str) -> None:
        self._is_text = False
        self._reading -= name == "rPh"
        if name == "c":
            self._in_cell = False
            text = self._shown("".join(self._parts)[:_MAX_CELL_CHARACTERS])
            if text and self._column <= _MAX_COLUMNS:
                self._cells[self._column] = text
        elif name == "row" and self._cells and self._row <= _MAX_ROWS:
            self._done.append((self._row, [self._cells.get(number, "") for number in range(1, max(self._cells) + 1)]))

    def characters(self, text: str) -> None:
        if self._is_text and not self._reading:
            self._parts.append(text)

    def _shown(self, text: str) -> str:
        """What the spreadsheet shows of a cell."""
        match self._kind:
            case "s":
                return self._strings[text.strip()]
            case "str" | "inlineStr":
                return _unescaped(text)
            case "b":
                return "yes" if text.strip() == "1" else "no"
            case "e":
                # `#N/A`, `#REF!`: there is no value.
                return ""
            case "d":
                return text.strip()
            case _:
                return _number(text.strip(), self._style, self._book.epoch)


def _read_book(folder: Path) -> _Book:
    """The sheets that are shown, and how numbers are."""
    workbook, relations = _Elements(), _Elements()
    workbook.read(folder / _WORKBOOK)
    relations.read(folder / _RELATIONS)
    targets = {each.get("Id", ""): each.get("Target", "") for name, each in relations.found if name == "Relationship"}
    book = _Book()
    for name, attributes in workbook.found:
        if name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            book.epoch = _EPOCH_1904
        if name == "sheet" and attributes.get("state", "visible") == "visible":
            target = targets.get(attributes.get("id", ""), "")
            member = target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)
            # Charts are sheets, too.
            if member.startswith("xl/worksheets/") and ".." not in member:
                book.sheets.append(_Sheet(attributes.get("name", ""), member))
    if (folder / _STYLES).is_file():
        book.styles = _read_styles(folder / _STYLES)
    return book


def _read_styles(path: Path) -> dict[str, _Style]:
    """How numbers are shown, by the number that cells name."""
    styles = _Elements()
    styles.read(path)
    codes = {each.get("numFmtId", ""): each.get("formatCode", "") for name, each in styles.found if name == "numFmt"}
    names = [name for name, _ in styles.found]
    if "cellXfs" not in names:
        return {}
    after = styles.found[names.index("cellXfs") + 1 :]
    found = []
    for name, attributes in after:
        if name == "xf":
            number = attributes.get("numFmtId", "0")
            found.append(_style(number, codes.get(number, "")))
        elif name in ("cellStyles", "dxfs"):
            break
    return {str(number): style for number, style in enumerate(found)}


def _style(number: str, code: str) -> _Style:
    if not code:
        return _Style(is_date=number.isdigit() and int(number) in _DATE_FORMATS)
    first = code.split(";")[0]
    bare = _FORMAT_TEXT.sub("", first).lower()
    if re.fullmatch(r"0{2,20}", bare) and bare == first.lower():
        return _Style(digits=len(bare))
    signs = (sign for match in _FORMAT_SIGN.finditer(first) for sign in match.groups() if sign)
    sign = next((sign.strip() for sign in signs if currencies_of(sign)), "")
    return _Style(is_date=bool(re.search(r"[dmyhs]", bare)) and not sign and "general" not in bare, sign=sign)


def _number(text: str, style: _Style, epoch: datetime) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return ""
    if style.is_date and 0 <= number < 2_958_466:
        moment = epoch + timedelta(seconds=round(float(number) * 86_400))
        return moment.date().isoformat() if number == int(number) else moment.isoformat(sep=" ")
    if abs(number.adjusted()) > 30:
        return text
    rounded = Decimal(format(float(number), f".{_DIGITS}g")) if len(number.as_tuple().digits) > _DIGITS else number
    plain = format(rounded.normalize(), "f")
    if style.digits and plain.isdigit():
        return plain.zfill(style.digits)
    plain = machine_price(plain)
    return f"{plain} {style.sign}" if style.sign else plain


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _unescaped(text: str) -> str:
    """Without the escapes of characters that XML forbids, and of line ends: `_x000D_`."""
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: _character(match[1]), text).replace("\r\n", "\n")


def _character(code: str) -> str:
    number = int(code, 16)
    return chr(number) if (number >= ord(" ") and not 0xD800 <= number <= 0xDFFF) or chr(number) in "\t\n\r" else ""


def _local(name: str) -> str:
    return name.rpartition("\n")[2]


def _locals(attributes: Mapping[str, str]) -> dict[str, str]:
    return {_local(name): value for name, value in attributes.items()}
