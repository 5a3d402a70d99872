"""Detects the format of a catalogue from its content, and opens it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from jobs.facts import Fact
from pictures import photo_facts
from pictures.photo_facts import unreadable
from product_files import file_facts, row_facts
from product_files.columns.synonyms import find_columns
from product_files.containers.encodings import decode_start, find_encoding
from product_files.containers.gzip_file import plain_file
from product_files.containers.web_archive import is_web_archive, page_starts
from product_files.containers.zipped_catalogue import unpack, validate_archive
from product_files.folder import FolderCatalogue
from product_files.json_files.api_products import API_SYSTEMS, ApiProducts, api_system
from product_files.json_files.json_lines import JsonLines
from product_files.json_files.marqo import MarqoDocuments
from product_files.json_files.shopify_json import ShopifyJson
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.csv_catalogue import CsvCatalogue
from product_files.tables.csv_file import table_headers
from product_files.tables.html_table import PICTURES, cell_texts, html_as_table, is_html
from product_files.tables.idosell_table import IdoSellTable
from product_files.tables.magento import MagentoExport
from product_files.tables.magento_1 import Magento1Export
from product_files.tables.shipped_mappings import shipped_mappings
from product_files.tables.shop_table import ShopTable
from product_files.tables.shopify import ShopifyExport
from product_files.tables.vision_products import VisionProducts
from product_files.tables.woocommerce import WooCommerceExport
from product_files.tables.workbook import is_workbook, sheet_as_table
from product_files.xml_files.bmecat import ROOT as BMECAT_ROOT
from product_files.xml_files.bmecat import BmeCat
from product_files.xml_files.commerceml import ROOT as COMMERCEML_ROOT
from product_files.xml_files.commerceml import CommerceML, has_products
from product_files.xml_files.comparison_feed import COMPARISON_SITES, ComparisonFeed, comparison_site
from product_files.xml_files.feed import MerchantFeed, MerchantTable
from product_files.xml_files.gdsn import ROOT as GDSN_ROOT
from product_files.xml_files.gdsn import GdsnItems
from product_files.xml_files.iof import MARK as IOF_MARK
from product_files.xml_files.iof import ROOT as IOF_ROOT
from product_files.xml_files.iof import IofOffer
from product_files.xml_files.onix import ROOTS as ONIX_ROOTS
from product_files.xml_files.onix import OnixBooks
from product_files.xml_files.salesforce import MARK as SALESFORCE_MARK
from product_files.xml_files.salesforce import ROOT as SALESFORCE_ROOT
from product_files.xml_files.salesforce import SalesforceCatalogue
from product_files.xml_files.salesforce import has_products as salesforce_has_products
from product_files.xml_files.salesforce_updates import FORMAT as SALESFORCE_UPDATES
from product_files.xml_files.salesforce_updates import MARKS as MARKS_OF_UPDATES
from product_files.xml_files.salesforce_updates import salesforce_updates
from product_files.xml_files.xml_file import XmlCatalogue
from product_files.xml_files.xml_items import FEED_ROOTS, outline, root_of

FORMATS = (
    "csv",
    "folder",
    "zip",
    "merchant",
    "shopify",
    "shopify_json",
    "woocommerce",
    "magento",
    "magento_1",
    "idosell",
    *shipped_mappings(),
    "marqo",
    *API_SYSTEMS,
    "vision",
    *COMPARISON_SITES,
    "commerceml",
    "bmecat",
    "onix",
    "gdsn",
    "salesforce",
    SALESFORCE_UPDATES,
    "iof",
    "xml",
    "jsonl",
)

_HEAD_BYTES = 64 * 1024
_MAX_LETTER_BYTES = 4
# What `detect_format` finds in a file whose format is that of a table in it.
_HTML = "html"
_JSON_NAME = re.compile(r'"((?:[^"\\]|\\.){1,80})"\s*:')
# The root element of XML, without its prefix, behind the declaration and comments.
_ROOT = re.compile(
    r"(?:\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)*<(?:[\w.-]+:)?(?P<name>[\w.-]+)", re.DOTALL
)

_TAR_AT, _TAR_SIGNATURE = 257, b"ustar"
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
# Common files that are not catalogues, by their first bytes, with what to do instead.
_UNSUPPORTED_SIGNATURES: Mapping[bytes, Callable[..., Fact]] = {
    b"%PDF-": file_facts.IS_PDF,
    b"\xd0\xcf\x11\xe0": file_facts.IS_OLD_OFFICE,
    b"\xff\xd8\xff": file_facts.IS_PICTURE,
    b"\x89PNG": file_facts.IS_PICTURE,
    b"\x1f\x8b": partial(file_facts.IS_PACKED, program="gzip"),
    b"7z\xbc\xaf\x27\x1c": partial(file_facts.IS_PACKED, program="7-Zip"),
    b"Rar!": partial(file_facts.IS_PACKED, program="RAR"),
}

# Blanks alone before it: each line break of a file that has many would be looked at from all lines above.
_IMPEX = re.compile(r"^[^\S\n]*(?:INSERT|UPDATE|INSERT_UPDATE|REMOVE)\s+\w+\s*(?:\[[^\]\n]*\]\s*)?;", re.MULTILINE)

# Below comments: the mark of a document, or a name with names indented below it, also in a list.
_YAML = re.compile(
    r"(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*"
    r"(?:%YAML[ ]|---[ \t]*\r?\n"
    r"|(?:-[ ]+)?[\w.-]+:[ \t]*(?:&\w+[ \t]*)?\r?\n[ ]+(?:-[ ]+)?[\w.<-]+:"
    r"|-[ ]+[\w.-]+:[ ][^\n]*\n[ ]+[\w.-]+:)"
)

# Exports of shop systems, recognised by their columns; the first that matches.
_SHOP_TABLES: Mapping[str, type[ShopifyExport | WooCommerceExport | MagentoExport | Magento1Export | IdoSellTable]] = {
    "shopify": ShopifyExport,
    "woocommerce": WooCommerceExport,
    "magento": MagentoExport,
    "magento_1": Magento1Export,
    "idosell": IdoSellTable,
}
_JSON: Mapping[str, type[ShopifyJson | MarqoDocuments]] = {"shopify_json": ShopifyJson, "marqo": MarqoDocuments}
_TABLES: Mapping[str, Callable[..., CatalogueSource]] = {
    "csv": CsvCatalogue,
    **_SHOP_TABLES,
    **_JSON,
    **{slug: partial(ApiProducts, slug=slug) for slug in API_SYSTEMS},
    "vision": VisionProducts,
    "bmecat": BmeCat,
    "onix": OnixBooks,
    "gdsn": GdsnItems,
    SALESFORCE_UPDATES: salesforce_updates,
    "iof": IofOffer,
    "xml": XmlCatalogue,
    "jsonl": JsonLines,
}
# Root elements that no other XML has.
_OF_ROOTS = {BMECAT_ROOT: "bmecat", **dict.fromkeys(ONIX_ROOTS, "onix"), GDSN_ROOT: "gdsn"}
# What belongs to these catalogues is in files beside them.
_WITH_OTHERS: Mapping[str, type[CommerceML | SalesforceCatalogue]] = {
    "commerceml": CommerceML,
    "salesforce": SalesforceCatalogue,
}


class CatalogueSource(Protocol):
    """The rows of a source; each iteration starts at the first row.

    Attributes:
        format: one of FORMATS.
        headers: column names of a table, empty for other sources.
        columns: columns of each field.
        total: approximate number of rows, 0 if unknown.
        notes: what the reader found about the source as a whole, for the report; complete when all rows were read.
    """

    @property
    def format(self) -> str: ...

    @property
    def headers(self) -> Sequence[str]: ...

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def total(self) -> int: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def __iter__(self) -> Iterator[Row]: ...


@contextmanager
def open_catalogue(
    path: Path,
    mapping: FieldMapping,
    *,
    format: str = "",
    table: str = "",
    images: Path | None = None,
    is_upload: bool = False,
    base: str = "",
    should_stop: Callable[[], bool] | None = None,
    sample: bool = False,
) -> Iterator[CatalogueSource]:
    """Open the catalogue at this path.

    Args:
        path: a file, or a folder of photos.
        mapping: how columns become fields.
        format: one of FORMATS, or "" to detect it; for a zip, the format of its content.
        table: as in `archive.unpack`.
        images: folder of the photos that a table lists; those that are not in it are looked for beside the table.
        is_upload: files beside `path` do not belong to the catalogue.
        base: where the file was downloaded from, for relative links of photos; "" if they are files.
        should_stop: as in `archive.unpack`.
        sample: of an archive, unpack its table only, or its first photos; of a workbook, read the first rows only.

    Yields:
        The rows.

    Raises:
        InvalidSource: there is no usable catalogue.
    """
    check_images(images)
    beside = path.parent
    with (
        plain_file(path, should_stop) as content,
        _opened(
            content, mapping, format, table, images, beside, base, should_stop, is_upload=is_upload, sample=sample
        ) as catalogue,
    ):
        yield catalogue


def check_images(images: Path | None) -> None:
    """Check the folder of the photos that a table lists.

    Args:
        images: the folder; None for none.

    Raises:
        InvalidSource: it is none.
    """
    if images is not None and not images.is_dir():
        raise InvalidSource(f"{images} is not a folder of photos")


@contextmanager
def _opened(
    path: Path,
    mapping: FieldMapping,
    format: str,
    table: str,
    images: Path | None,
    beside: Path,
    base: str,
    should_stop: Callable[[], bool] | None,
    *,
    is_upload: bool,
    sample: bool,
) -> Iterator[CatalogueSource]:
    """The catalogue in a file that is not packed with gzip, or in a folder. beside: the folder of the photos of a table."""
    detected = detect_format(path, mapping.encoding)
    if _has_sheets(path, detected):
        photos = _photos_of_file(beside, images, base, is_upload=is_upload)
        with closing(photos), _opened_sheet(path, detected, mapping, photos, format, table, sample=sample) as catalogue:
            yield catalogue
        return
    if detected != "zip":
        if format == "zip":
            raise InvalidSource(file_facts.NOT_A_ZIP(file=str(path)))
        if table:
            raise InvalidSource(file_facts.NO_TABLES_TO_CHOOSE(file=str(path), table=table))
        photos = _photos_of_file(beside, images, base, is_upload=is_upload)
        with closing(photos):
            yield _catalogue(path, format or detected, mapping, photos, alone=is_upload or beside != path.parent)
        return
    with unpack(path, is_catalogue, should_stop, table=table, sample=sample) as (root, content):
        inner = "folder" if content.is_dir() else detect_format(content, mapping.encoding)
        requested = "" if format == "zip" else format
        if _has_sheets(content, inner):
            photos = _photos(content.parent, images, file_facts.THE_ARCHIVE(), root)
            with closing(photos), _opened_sheet(content, inner, mapping, photos, requested, sample=sample) as catalogue:
                yield catalogue
            return
        if inner == "zip":
            raise InvalidSource(file_facts.NOT_A_TABLE(file=content.name, archive=str(path)))
        if requested == "folder":
            content = content if content.is_dir() else content.parent
        with closing(_photos(content.parent, images, file_facts.THE_ARCHIVE(), root)) as photos:
            yield _catalogue(content, requested or inner, mapping, photos, display_path=file_facts.THE_ARCHIVE())


@contextmanager
def _opened_sheet(
    path: Path,
    detected: str,
    mapping: FieldMapping,
    photos: PhotoFolder,
    format: str,
    table: str = "",
    *,
    sample: bool,
) -> Iterator[CatalogueSource]:
    """The catalogue in a sheet of a workbook, or in a table of an HTML file."""
    opened = (
        html_as_table(path, _fields_of_table, mapping.encoding, name=table, sample=sample)
        if detected == _HTML
        else sheet_as_table(path, _fields_of_table, name=table, sample=sample)
    )
    with opened as content:
        pictures = content.parent / PICTURES
        if pictures.is_dir():
            photos = PhotoFolder.open(pictures, display_path=file_facts.THE_FILE(), otherwise=photos)
        with closing(photos):
            yield _catalogue(
                content, format or detect_format(content), replace(mapping, encoding="", delimiter=","), photos
            )


def _has_sheets(path: Path, detected: str) -> bool:
    """Whether a file of this format is a workbook, or HTML with tables."""
    return detected == _HTML or (detected == "zip" and is_workbook(path))


def table_kind(path: Path, catalogue: CatalogueSource) -> str:
    """What a table is, if it is not CSV: `Excel`, `HTML`, or `MHTML`, as Excel and browsers save pages with their pictures.

    Args:
        path: the file.
        catalogue: what was opened at this path.

    Returns:
        The name of the kind; "" for other files.
    """
    kinds = {note.kind for note in catalogue.notes if isinstance(note, Fact)}
    if row_facts.TABLE in kinds:
        return "MHTML" if is_web_archive(_head(path)) else "HTML"
    return "Excel" if row_facts.SHEET in kinds else ""


def validate_upload(path: Path, mapping: FieldMapping, *, format: str = "", table: str = "") -> None:
    """Check an uploaded file quickly: all of a zip or of a gzip, but only the first line of a table.

    Args:
        path: the upload.
        mapping: how columns become fields.
        format: as in `open_catalogue`.
        table: as in `open_catalogue`.

    Raises:
        InvalidSource: the file cannot be imported.
    """
    with plain_file(path) as content:
        if not content.stat().st_size:
            raise InvalidSource(photo_facts.FILE_EMPTY())
        detected = detect_format(content, mapping.encoding)
        if detected == "zip" and not is_workbook(content):
            validate_archive(content, is_catalogue, table=table)
        elif (format or detected) not in ("jsonl", *_JSON, *API_SYSTEMS):
            with open_catalogue(content, mapping, format=format, table=table, is_upload=True, sample=True):
                pass


def detect_format(path: Path, encoding: str = "") -> str:
    """Detect the format of a file or folder from its content.

    Args:
        path: a file or folder.
        encoding: of a text, as a user names it; "" to detect it.

    Returns:
        One of FORMATS, or "html": a table in it has one of them.

    Raises:
        InvalidSource: it does not exist, cannot be read, or is of an unsupported format.
    """
    if path.is_dir():
        return "folder"
    head = _head(path)
    if head.startswith(_ZIP_SIGNATURES):
        return "zip"
    if head[_TAR_AT:].startswith(_TAR_SIGNATURE):
        raise InvalidSource(file_facts.IS_PACKED(file=str(path), program="tar"))
    for start, kind in _UNSUPPORTED_SIGNATURES.items():
        if head.startswith(start):
            raise InvalidSource(kind(file=str(path)))
    if is_xml(head):
        return _detect_xml_format(head)
    if is_web_archive(head):
        return _HTML
    text = _decoded(path, head, encoding)
    if _IMPEX.search(text):
        raise InvalidSource(file_facts.IS_IMPEX(file=str(path)))
    if _YAML.match(text):
        raise InvalidSource(file_facts.IS_YAML(file=str(path)))
    return _detect_text_format(text)


def _decoded(path: Path, head: bytes, encoding: str) -> str:
    """The text of the first bytes of a file, in its encoding: names of columns may have letters that are not ASCII."""
    text = decode_start(head)
    # A letter may be cut at the end.
    if "\ufffd" not in text[:-_MAX_LETTER_BYTES]:
        return text
    # Where the encoding is not certain, the reader of the table says so.
    with suppress(InvalidSource):
        return head.decode(find_encoding(path, encoding).codec, errors="replace")
    return text


def _head(path: Path) -> bytes:
    if not path.exists():
        raise InvalidSource(f"there is no file or folder {path}")
    if not path.is_file():
        raise InvalidSource(f"{path} is neither a file nor a folder")
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise InvalidSource(unreadable(path, error)) from error


def _detect_xml_format(head: bytes) -> str:
    children = outline(head)
    if root_of(children) == COMMERCEML_ROOT:
        return "commerceml"
    text = decode_start(head)
    if _is_html(text):
        return _HTML
    root = _ROOT.search(text)
    # What has no root is explained by the reader of feeds; one in another encoding may not be found in the text.
    name = root_of(children) if root is None else root["name"]
    if not name or name.lower() in FEED_ROOTS:
        return "merchant"
    if catalogue := _marked_catalogue(children):
        return catalogue
    if MARKS_OF_UPDATES.get(root_of(children)) in children.get(root_of(children), ()):
        return SALESFORCE_UPDATES
    return _OF_ROOTS.get(root_of(children)) or comparison_site(children) or "xml"


def _is_html(start: str) -> bool:
    root = _ROOT.search(start)
    return root is not None and is_html(root["name"], start)


def _marked_catalogue(children: Mapping[str, Collection[str]]) -> str:
    """The format whose root element has an attribute that no other XML with such a root has; "" for none."""
    root = root_of(children)
    for name, own, mark in (("salesforce", SALESFORCE_ROOT, SALESFORCE_MARK), ("iof", IOF_ROOT, IOF_MARK)):
        if root == own and mark in children[root]:
            return name
    return ""


def is_catalogue(head: bytes) -> bool:
    """Whether a file with these first bytes has products: a known format, or a table with columns that are known by their names.

    Args:
        head: the first bytes of the file.

    Returns:
        False for other files, and for tables whose columns have to be mapped.
    """
    if head.startswith(_ZIP_SIGNATURES):
        # A workbook: no other archives are among the tables.
        return True
    if is_xml(head):
        if _is_html(text := decode_start(head)):
            return _has_products(cell_texts(text))
        children = outline(head)
        if root_of(children) == COMMERCEML_ROOT:
            return has_products(children)
        if _marked_catalogue(children) == "salesforce":
            return salesforce_has_products(children)
        return (
            root_of(children) in _OF_ROOTS
            or bool(_marked_catalogue(children))
            or bool(comparison_site(children))
            or _has_products(name for names in children.values() for name in names)
        )
    if is_web_archive(head):
        return any(_has_products(cell_texts(decode_start(page))) for page in page_starts(head))
    text = decode_start(head)
    if text.lstrip().startswith(("{", "[")):
        return bool(api_system(text)) or _has_products(_JSON_NAME.findall(text))
    return _detect_text_format(text) != "csv" or _has_products(table_headers(text))


def _fields_of_table(head: bytes) -> Collection[str]:
    """The fields that a table with these first bytes has columns of; those of a known one are SKU and title."""
    text = decode_start(head)
    if _detect_text_format(text) != "csv":
        return ("sku", "title")
    return find_columns(table_headers(text)).keys()


def _has_products(names: Iterable[str]) -> bool:
    return {"sku", "title"} <= find_columns(list(names)).keys()


def is_xml(head: bytes) -> bool:
    """Whether a file with these first bytes is XML, in UTF-8 or UTF-16."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or head.startswith((b"\xff\xfe<\x00", b"\xfe\xff\x00<"))


def _detect_text_format(head: str) -> str:
    if head.lstrip().startswith(("{", "[")):
        return next((name for name, reader in _JSON.items() if reader.matches(head)), api_system(head) or "jsonl")
    if VisionProducts.matches(head):
        return "vision"
    headers = table_headers(head)
    for name, table in _SHOP_TABLES.items():
        if table.matches(headers):
            return name
    for name, shipped in shipped_mappings().items():
        if shipped.matches(headers):
            return name
    if MerchantTable.matches(headers):
        return "merchant"
    return "csv"


def _catalogue(
    path: Path, format: str, mapping: FieldMapping, photos: PhotoFolder, *, display_path: str = "", alone: bool = False
) -> CatalogueSource:
    if mapping.item and format not in ("xml", *COMPARISON_SITES):
        raise InvalidSource(file_facts.NO_ELEMENTS_TO_CHOOSE(format=format, item=mapping.item))
    if format == "folder":
        return FolderCatalogue(path, mapping, display_path=display_path)
    if path.is_dir():
        if display_path:
            raise InvalidSource(file_facts.NO_TABLE_IN_ARCHIVE(format=format))
        raise InvalidSource(f"{path} is a folder, not a file of the format {format}")
    if format == "merchant":
        with path.open("rb") as file:
            reader = MerchantFeed if is_xml(file.read(_HEAD_BYTES)) else MerchantTable
        return reader(path, mapping, photos=photos)
    if format in COMPARISON_SITES:
        # Whoever names the elements that are products has another file in mind.
        if mapping.item:
            return XmlCatalogue(path, mapping, photos=photos)
        return ComparisonFeed(path, mapping, photos=photos, slug=format)
    if format in _WITH_OTHERS:
        return _WITH_OTHERS[format](path, mapping, photos=photos, alone=alone)
    if format in shipped_mappings():
        return ShopTable(path, mapping, photos=photos, shipped=shipped_mappings()[format])
    return _TABLES[format](path, mapping, photos=photos)


def _photos_of_file(beside: Path, images: Path | None, base: str, *, is_upload: bool) -> PhotoFolder:
    if not is_upload:
        return _photos(beside, images, "")
    return PhotoFolder(None, file_facts.THE_UPLOAD(), base=base) if images is None else PhotoFolder.open(images)


def _photos(folder: Path, images: Path | None, display_path: str, root: Path | None = None) -> PhotoFolder:
    whole = None if root is None or root == folder else PhotoFolder.open(root, display_path=display_path)
    beside = PhotoFolder.open(folder, display_path=display_path, otherwise=whole)
    return beside if images is None else PhotoFolder.open(images, otherwise=beside)
