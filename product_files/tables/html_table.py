"""Tables in HTML, which many shop systems write for Excel, often under the name .xls: one becomes a table of texts."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from jobs import storage_facts
from jobs.storage import storage_errors
from product_files import file_facts
from product_files.containers.encodings import find_encoding, open_text
from product_files.containers.web_archive import Picture, contents, is_web_archive, picture_name
from product_files.photo_files import is_link
from product_files.rows import ChoiceNeeded, InvalidSource
from product_files.tables.workbook import TABLE_SUFFIX, most_like_catalogues

# Of the folder of the table: the pictures of a web archive.
PICTURES = "pictures"

_BLOCK_CHARACTERS = 64 * 1024
_START_BYTES = 64 * 1024
# A page of more tables is laid out by them.
_MAX_TABLES = 50
# What HTML allows.
_MAX_COLUMNS, _MAX_SPAN = 1000, 65_534
_MAX_CELL_CHARACTERS = 1024 * 1024
# A tag or comment that is not closed would be read into memory with all that follows.
_MAX_MARKUP_CHARACTERS = 4 * 1024 * 1024
# Of cells over several rows, in the rows below the first: a small file could fill the disk with them.
_MAX_REPEATED_CHARACTERS = 64 * 1024 * 1024
# Of a file that is only looked at.
_SAMPLE_CHARACTERS = 2 * 1024 * 1024
_MIN_COLUMNS = 2
_ROOTS = frozenset(("html", "head", "body", "meta", "style", "title", "table", "center", "div", "font"))
_ROW = re.compile(r"<t[rdh][\s>]", re.IGNORECASE)
_CELL = re.compile(r"<t[dh](?:\s[^<>]*)?>\s*(?P<text>[^<>]+)", re.IGNORECASE)
_CHARSET = re.compile(r"""<meta\b[^>]*\bcharset\s*=\s*["']?(?P<name>[\w.:-]+)""", re.IGNORECASE)
_ASCII = frozenset(("ascii", "us-ascii"))
_HIDDEN = frozenset(("script", "style", "template"))


def is_html(root: str, start: str) -> bool:
    """Whether a file is HTML, and no other XML.

    Args:
        root: name of the first element.
        start: the first characters of the file.

    Returns:
        True for a page as well as for a bare table.
    """
    return root.lower() == "html" or (root.lower() in _ROOTS and _ROW.search(start) is not None)


def cell_texts(start: str) -> list[str]:
    """What cells begin with, as far as the first characters of a file show them."""
    return [match["text"].strip() for match in _CELL.finditer(start)]


@contextmanager
def html_as_table(
    path: Path, fields_of: Callable[[bytes], Collection[str]], encoding: str, *, name: str = "", sample: bool = False
) -> Iterator[Path]:
    """Write a table of an HTML file or web archive as a CSV table in UTF-8, for the length of the block.

    A picture or link is the text of a cell that has no other. A cell over several rows is in each of them.

    Args:
        path: the file.
        fields_of: the fields that a table has columns of, by its first bytes.
        encoding: as a user names it; "" for what the file says, or what is detected.
        name: number of the table in the file, over all pages, from 1; "" for the only one, or the only
            one that is most like a catalogue.
        sample: write its first rows only.

    Yields:
        The table.

    Raises:
        InvalidSource: the file has no table with columns, or none of this number.
        ChoiceNeeded: several tables may be meant, or the encoding is not certain.
        StorageUnavailable: there is no space for the table.
    """
    place = storage_facts.TEMPORARY_FOLDER()
    with storage_errors(storage_facts.HTML_TABLE(), place):
        temporary = tempfile.TemporaryDirectory(prefix="lookalike-html-")
    with temporary as folder:
        with storage_errors(storage_facts.HTML_TABLE(), place), ExitStack() as files:
            reader = _TableReader(Path(folder).resolve(), files)
            for page in _pages(path, Path(folder), sample=sample):
                declared = encoding or _declared_encoding(page.path, page.charset)
                reader.read(page.path, declared, location=page.location, sample=sample)
        yield _chosen(reader.tables, name, fields_of)


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, and the encoding and the address that an archive names; None for the address if it is not of an archive."""

    path: Path
    charset: str = ""
    location: str | None = None


def _pages(path: Path, folder: Path, *, sample: bool) -> Iterator[_Page]:
    """The file, or each page of a web archive in this folder until the next; its pictures below PICTURES, empty in a sample."""
    with path.open("rb") as file:
        if not is_web_archive(file.read(_START_BYTES)):
            yield _Page(path)
            return
        file.seek(0)
        for part in contents(file):
            is_picture = isinstance(part, Picture)
            written = folder / PICTURES / part.name if isinstance(part, Picture) else folder / "page.html"
            if is_picture and not _has_room(written):
                continue
            with written.open("wb") as copy:
                copy.writelines(() if sample and is_picture else part.blocks)
            if not isinstance(part, Picture):
                yield _Page(written, part.charset, part.location)


def _has_room(picture: Path) -> bool:
    """Make the folders of a picture; whether there is no file of their names, and no folder of its own."""
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return not picture.is_dir()


def _declared_encoding(path: Path, charset: str) -> str:
    """The encoding that an archive or else the page names; "" for none."""
    with path.open("rb") as file:
        match = _CHARSET.search(file.read(_START_BYTES).decode("ascii", errors="replace"))
    declared = charset or (match["name"] if match else "")
    # Any other encoding in use has ASCII in it.
    return "" if declared.lower() in _ASCII else declared


@dataclass(slots=True)
class _Table:
    """A table that is being read.

    Attributes:
        path: where it is written.
        writer: of the file.
        on_repeated: called with a text that is written once more.
        columns: of its widest row.
        row: cells of the present row by column; None between rows.
        spans: by column, the text and the number of rows that it goes on for.
        texts: of the present cell; None between cells.
        length: of these texts, in characters.
        picture: address of its first picture.
        link: address of its first link.
        span: columns and rows of the present cell.
    """

    path: Path
    writer: Any
    on_repeated: Callable[[str], None]
    columns: int = 0
    row: list[str] | None = None
    spans: dict[int, tuple[str, int]] = field(default_factory=dict)
    texts: list[str] | None = None
    length: int = 0
    picture: str = ""
    link: str = ""
    span: tuple[int, int] = (1, 1)

    def open_row(self) -> None:
        """Begin a row; the one before may be open still."""
        self.close_row()
        self.row = []

    def open_cell(self, columns: int, rows: int) -> None:
        """Begin a cell; the one before may be open still."""
        self.close_cell()
        if self.row is None:
            self.row = []
        self.texts, self.length, self.picture, self.link, self.span = [], 0, "", "", (columns, rows)

    def add(self, text: str) -> None:
        """Text of the present cell; what is outside of cells or too long for one is left out."""
        if self.texts is not None and self.length < _MAX_CELL_CHARACTERS:
            self.texts.append(text)
            self.length += len(text)

    def close_cell(self) -> None:
        """End the present cell, if there is one."""
        if self.texts is None or self.row is None:
            return
        lines = (" ".join(line.split()) for line in "".join(self.texts).split("\n"))
        text = "\n".join(line for line in lines if line) or self.picture or self.link
        self.texts = None
        self._continue_spans(self.row)
        columns, rows = self.span
        for number in range(min(columns, _MAX_COLUMNS - len(self.row))):
            if rows > 1:
                self.spans[len(self.row)] = (text if not number else "", rows - 1)
            self.row.append(text if not number else "")

    def close_row(self) -> None:
        """Write the present row, if there is one."""
        self.close_cell()
        if self.row is None:
            return
        self._continue_spans(self.row)
        while self.row and not self.row[-1]:
            self.row.pop()
        self.columns = max(self.columns, len(self.row))
        self.writer.writerow(self.row)
        self.row = None

    def _continue_spans(self, row: list[str]) -> None:
        """Add the cells of rows above that reach into this one, up to the next free column."""
        while (span := self.spans.pop(len(row), None)) is not None:
            text, rows = span
            self.on_repeated(text)
            if rows > 1:
                self.spans[len(row)] = (text, rows - 1)
            row.append(text)


class _TableReader(HTMLParser):
    """Writes each table, also one within another, to a file of its own.

    Attributes:
        tables: in the order in which they begin.
    """

    def __init__(self, folder: Path, files: ExitStack) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Table] = []
        self._folder = folder
        self._files = files
        self._open: list[_Table] = []
        self._hidden = 0
        self._repeated = 0
        self._location: str | None = None

    def read(self, page: Path, encoding: str, *, location: str | None, sample: bool) -> None:
        """Read the tables of a page. location: of the page in a web archive; None elsewhere. sample: the first ones only."""
        self._location = location
        with open_text(page, find_encoding(page, encoding).codec, newline=None) as text:
            read = 0
            while (block := text.read(_BLOCK_CHARACTERS)) and not (sample and read > _SAMPLE_CHARACTERS):
                self.feed(block)
                read += len(block)
        self.close()
        self.reset()

    def feed(self, data: str) -> None:
        """Read the next part of the page."""
        super().feed(data)
        if len(self.rawdata) > _MAX_MARKUP_CHARACTERS:
            raise InvalidSource(file_facts.HTML_BROKEN())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "table":
            self._open_table()
        elif not self._open:
            return
        elif tag == "tr":
            self._open[-1].open_row()
        elif tag in ("td", "th"):
            values = dict(attrs)
            self._open[-1].open_cell(
                _span(values.get("colspan"), _MAX_COLUMNS), _span(values.get("rowspan"), _MAX_SPAN)
            )
        elif tag in ("br", "p", "div", "li"):
            self._open[-1].add("\n")
        elif tag == "img":
            self._open[-1].picture = self._open[-1].picture or self._address((dict(attrs).get("src") or "").strip())
        elif tag == "a":
            self._open[-1].link = self._open[-1].link or (dict(attrs).get("href") or "").strip()

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if tag in _HIDDEN:
            self._hidden = max(self._hidden - 1, 0)
        elif not self._open:
            return
        elif tag == "table":
            self._open.pop().close_row()
        elif tag == "tr":
            self._open[-1].close_row()
        elif tag in ("td", "th"):
            self._open[-1].close_cell()

    def handle_data(self, data: str) -> None:
        """Text; a line break in HTML is a space."""
        if self._open and not self._hidden:
            self._open[-1].add(data.replace("\n", " "))

    def close(self) -> None:
        """The page ends; its last tables may be open still."""
        super().close()
        for table in self._open:
            table.close_row()
        self._open.clear()
        self._hidden = 0

    def _address(self, source: str) -> str:
        """The address of a picture; in a web archive, a link or the name of the file that it was written to."""
        if self._location is None or not source:
            return source
        try:
            whole = urljoin(self._location, source)
        except ValueError:
            return source
        return whole if is_link(whole) else picture_name(whole)

    def _count_repeated(self, text: str) -> None:
        self._repeated += len(text) + 1
        if self._repeated > _MAX_REPEATED_CHARACTERS:
            raise InvalidSource(file_facts.HTML_REPEATED(limit=_MAX_REPEATED_CHARACTERS // 1024**2))

    def _open_table(self) -> None:
        if len(self.tables) == _MAX_TABLES:
            raise InvalidSource(file_facts.HTML_MANY_TABLES(limit=_MAX_TABLES))
        path = self._folder / f"{len(self.tables) + 1}{TABLE_SUFFIX}"
        file = self._files.enter_context(path.open("w", encoding="utf-8", newline=""))
        table = _Table(path, csv.writer(file), self._count_repeated)
        self.tables.append(table)
        self._open.append(table)


def _span(value: str | None, limit: int) -> int:
    return min(max(int(value), 1), limit) if value and value.strip().isdecimal() else 1


def _chosen(tables: list[_Table], name: str, fields_of: Callable[[bytes], Collection[str]]) -> Path:
    if name:
        named = [table for number, table in enumerate(tables, start=1) if str(number) == name.strip()]
        if not named:
            raise InvalidSource(file_facts.NO_SUCH_HTML_TABLE(table=name, number=len(tables)))
        return named[0].path
    wide = {str(number): table for number, table in enumerate(tables, start=1) if table.columns >= _MIN_COLUMNS}
    if not wide:
        raise InvalidSource(file_facts.WEB_PAGE())
    found = most_like_catalogues(list(wide), lambda number: fields_of(_start(wide[number].path)))
    if len(found) > 1:
        listed = ", ".join(found)
        raise ChoiceNeeded(
            "table",
            [(number, "") for number in found],
            file_facts.HTML_TABLES(number=len(found), tables=listed),
        )
    return wide[found[0]].path


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_START_BYTES).strip()
