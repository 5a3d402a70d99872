"""Which kind of catalogue a path holds, told from its content, and the rows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from catalog.importers import archive
from catalog.importers.archive import unpacked
from catalog.importers.csv_file import CsvCatalogue
from catalog.importers.feed import MerchantFeed, MerchantTable, attribute_name
from catalog.importers.folder import FolderCatalogue
from catalog.importers.json_lines import JsonLines
from catalog.importers.mapping import FieldMapping
from catalog.importers.photo_files import Photos
from catalog.importers.rows import Row, UnusableSource
from catalog.importers.shopify import REQUIRED, ShopifyExport

FORMATS = ("csv", "folder", "zip", "merchant", "shopify", "jsonl")

_HEAD_BYTES = 64 * 1024

# What people send in place of a table, by how it begins, and what they can do.
_FOREIGN = {
    b"%PDF-": "a PDF: ask for the table that it was made from, as CSV",
    b"\xd0\xcf\x11\xe0": "a document of an older Office: save its sheet as CSV in UTF-8",
    b"\xff\xd8\xff": "a photo: send a zip of photos, or a table that names them",
    b"\x89PNG": "a picture: send a zip of photos, or a table that names them",
    b"\x1f\x8b": "packed with gzip: unpack it, or pack it as a zip",
    b"7z\xbc\xaf\x27\x1c": "packed with 7-Zip: pack it as a zip",
    b"Rar!": "a RAR archive: pack it as a zip",
}

_TABLES: Mapping[str, type[CsvCatalogue | ShopifyExport | JsonLines]] = {
    "csv": CsvCatalogue,
    "shopify": ShopifyExport,
    "jsonl": JsonLines,
}


class Catalogue(Protocol):
    """The rows of a source, from the first one each time.

    headers: the names of a table's columns, nothing for other sources. total: about how many rows there are, 0 where nobody
    knows.
    """

    @property
    def headers(self) -> Sequence[str]: ...

    @property
    def total(self) -> int: ...

    def __iter__(self) -> Iterator[Row]: ...


@contextmanager
def opened(
    path: Path,
    mapping: FieldMapping,
    *,
    kind: str = "",
    images: Path | None = None,
    alone: bool = False,
    stop: Callable[[], bool] | None = None,
) -> Iterator[Catalogue]:
    """The catalogue at this path. Raises UnusableSource where there is none.

    kind: one of FORMATS, or "" to tell it from the content; of a zip it says what is in it. images: the folder of the photos
    that a table names; by default `images` beside the table, or else the table's own folder. alone: nothing that lies beside
    this path belongs to it.
    """
    if images is not None and not images.is_dir():
        raise UnusableSource(f"{images} is not a folder of photos")
    found = kind_of(path)
    if found != "zip":
        if kind == "zip":
            raise UnusableSource(f"{path} is not a zip archive")
        photos = (
            Photos(None, "what was sent: send a zip that has the photos, too") if alone else _photos(path, images, "")
        )
        yield _catalogue(path, kind or found, mapping, photos)
        return
    with unpacked(path, stop) as content:
        inner = "folder" if content.is_dir() else kind_of(content)
        if inner == "zip":
            raise UnusableSource(f"{content.name} in {path} is not a table")
        asked = "" if kind == "zip" else kind
        if asked == "folder":
            content = content if content.is_dir() else content.parent
        photos = _photos(content, images, "the archive")
        yield _catalogue(content, asked or inner, mapping, photos, shown="the archive")


def expect_catalogue(path: Path, mapping: FieldMapping, *, kind: str = "") -> None:
    """What can be known at once of a file that is to be imported by itself. Raises UnusableSource.

    The packed content of a zip is read, a table's first line; the lines behind that are not.
    """
    if not path.stat().st_size:
        raise UnusableSource("the file is empty")
    found = kind_of(path)
    if found == "zip":
        archive.check(path)
    elif (kind or found) != "jsonl":
        with opened(path, mapping, kind=kind, alone=True):
            pass


def kind_of(path: Path) -> str:
    """One of FORMATS, by what is there."""
    if path.is_dir():
        return "folder"
    if not path.exists():
        raise UnusableSource(f"there is no file or folder {path}")
    if not path.is_file():
        raise UnusableSource(f"{path} is neither a file nor a folder")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UnusableSource(f"{path} cannot be read: {error.strerror or error}") from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    for start, name in _FOREIGN.items():
        if head.startswith(start):
            raise UnusableSource(f"{path} is {name}")
    return "merchant" if is_xml(head) else _kind_of_text(head.decode("utf-8-sig", errors="replace"))


def is_xml(head: bytes) -> bool:
    """Whether a file that begins with these bytes is XML, in UTF-8 or UTF-16."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or head.startswith((b"\xff\xfe<\x00", b"\xfe\xff\x00<"))


def _kind_of_text(head: str) -> str:
    if head.lstrip().startswith(("{", "[")):
        return "jsonl"
    first = head.partition("\n")[0]
    if {name.casefold() for name in REQUIRED} <= {cell.strip(' "\r').casefold() for cell in first.split(",")}:
        return "shopify"
    if {"id", "title", "image_link"} <= {attribute_name(cell.strip(' "\r')) for cell in first.split("\t")}:
        return "merchant"
    return "csv"


def _catalogue(path: Path, kind: str, mapping: FieldMapping, photos: Photos, *, shown: str = "") -> Catalogue:
    if kind == "folder":
        return FolderCatalogue(path, mapping, shown=shown)
    if path.is_dir():
        raise UnusableSource(f"{shown or path} is a folder, not a file of the format {kind}")
    if kind == "merchant":
        with path.open("rb") as file:
            reader = MerchantFeed if is_xml(file.read(_HEAD_BYTES)) else MerchantTable
        return reader(path, mapping, photos=photos)
    return _TABLES[kind](path, mapping, photos=photos)


def _photos(table: Path, images: Path | None, shown: str) -> Photos:
    if images is not None:
        return Photos.below(images)
    beside = table.parent / "images"
    return Photos.below(beside if beside.is_dir() else table.parent, shown=shown)
