"""A look at a catalogue before it is imported: its columns with the fields that they become, and its first products."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from catalog import facts
from catalog.fetching import Fetcher
from catalog.importers.run import ImportOptions
from catalog.models import Category, Product
from catalog.services import category_path
from pictures.photos import ImageRejected, Photo, PhotoRejectionReason, validate_photo
from product_files import file_facts
from product_files.containers.archives import SafeArchive
from product_files.containers.gzip_file import plain_file
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFile, folded, is_link
from product_files.rows import NoColumn, Row
from product_files.sources import detect_format, open_catalogue, table_kind

SAMPLE_ROWS = 200
SAMPLE_VALUES = 5
SAMPLE_PRODUCTS = 10
_MAX_VALUE_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class ColumnPreview:
    """A column of the file.

    Attributes:
        name: its header.
        values: the first values that are not empty, shortened.
        field: the field that it becomes, "" for none.
    """

    name: str
    values: tuple[str, ...]
    field: str


@dataclass(frozen=True, slots=True)
class CataloguePreview:
    """The first rows of a catalogue.

    Attributes:
        format: one of FORMATS.
        table_kind: as in `sources.table_kind`.
        columns: in the order of the file.
        products: the first rows that would become products.
        missing: required fields that no column becomes; there are no products then.
        problems: the first rows that would not, and the values that could not be used.
        categories: paths that the catalogue does not have yet.
        brands: that the catalogue does not have yet.
        currencies: of all prices.
        notes: as in ImportReport.
        rows: number of rows that were looked at.
        total: approximate number of rows of the file, 0 if unknown.
    """

    format: str
    table_kind: str = ""
    columns: Sequence[ColumnPreview] = ()
    products: Sequence[Row] = ()
    missing: Sequence[str] = ()
    problems: Sequence[tuple[int, str]] = ()
    categories: Sequence[str] = ()
    brands: Sequence[str] = ()
    currencies: Sequence[str] = ()
    notes: Sequence[str] = ()
    rows: int = 0
    total: int = 0


@dataclass(slots=True)
class _Seen:
    """What the rows have had so far."""

    values: dict[str, dict[str, None]] = field(default_factory=dict)
    categories: dict[str, None] = field(default_factory=dict)
    brands: dict[str, None] = field(default_factory=dict)
    currencies: dict[str, None] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        for column, value in row.record.items():
            texts = self.values.setdefault(column, {})
            for text in [value] if isinstance(value, str) else value:
                if text.strip() and len(texts) < SAMPLE_VALUES:
                    texts[_shortened(text)] = None
        self.problems += [(row.line, reason) for reason in (row.error, *row.warnings) if reason]
        if row.product is None:
            return
        if reason := _unusable_photo(row):
            self.problems.append((row.line, reason))
            return
        self.products.append(row)
        if row.product.brand:
            self.brands[row.product.brand] = None
        if row.product.price is not None:
            self.currencies[row.product.currency] = None
        for names in (row.product.category, *row.product.other_categories):
            if names:
                self.categories[category_path(names)] = None


def preview_catalogue(path: Path, options: ImportOptions) -> CataloguePreview:
    """Look at the first rows of an uploaded catalogue. Nothing is saved, and of an archive only the table is unpacked.

    Args:
        path: the file.
        options: of the import.

    Returns:
        The preview.

    Raises:
        InvalidSource: with these options nothing can be imported from it.
        StorageUnavailable: there is no space to unpack its table.
    """
    mapping = options.mapping()
    missing: list[str] = []
    with plain_file(path) as content:
        while True:
            try:
                preview = _preview(content, mapping, options)
            except NoColumn as error:
                # The columns are shown without it, so that one can be chosen.
                missing.append(error.field)
                mapping = mapping.with_values({error.field: "?"})
            else:
                return replace(preview, products=(), problems=(), missing=missing) if missing else preview


def _preview(path: Path, mapping: FieldMapping, options: ImportOptions) -> CataloguePreview:
    with open_catalogue(
        path, mapping, format=options.format, table=options.table, is_upload=True, sample=True
    ) as catalogue:
        seen, rows = _Seen(), 0
        for row in islice(catalogue, SAMPLE_ROWS):
            rows += 1
            seen.add(row)
        fields = {column: name for name, columns in catalogue.columns.items() for column in columns}
        # Feeds have all attributes that there are: those that no row has are left out.
        names = list(catalogue.headers) or [name for name, texts in seen.values.items() if texts]
        return CataloguePreview(
            format=catalogue.format,
            table_kind=table_kind(path, catalogue),
            columns=[ColumnPreview(name, tuple(seen.values.get(name, ())), fields.get(name, "")) for name in names],
            products=seen.products[:SAMPLE_PRODUCTS],
            problems=seen.problems[:SAMPLE_PRODUCTS],
            categories=_missing(seen.categories, Category.objects.filter(path__in=seen.categories).values_list("path")),
            brands=_missing(seen.brands, Product.objects.filter(brand__in=seen.brands).values_list("brand").distinct()),
            currencies=list(seen.currencies),
            notes=[*catalogue.notes, *([] if rows else [facts.NO_PRODUCTS()])],
            rows=rows,
            total=catalogue.total,
        )


def sample_photo(path: Path, options: ImportOptions, number: int) -> Photo:
    """The first photo of one of the first products.

    Args:
        path: the file.
        options: of the import.
        number: of the product, from 0.

    Returns:
        The photo: of the archive, or fetched.

    Raises:
        ImageRejected: there is no such photo, or it cannot be read.
        InvalidSource: as `preview_catalogue`.
    """
    with plain_file(path) as content:
        return _sample_photo(content, options, number)


def _sample_photo(path: Path, options: ImportOptions, number: int) -> Photo:
    products = preview_catalogue(path, options).products
    photos = products[number].photos if number < len(products) else None
    if not photos:
        raise ImageRejected(PhotoRejectionReason.UNREADABLE, facts.NO_PHOTO())
    name = photos[0].name
    if is_link(name):
        return _fetched(name)
    if detect_format(path) != "zip":
        raise ImageRejected(PhotoRejectionReason.UNREADABLE, facts.NOT_IN_UPLOAD(file=name))
    return _in_archive(path, name)


def _fetched(link: str) -> Photo:
    fetcher = Fetcher()
    try:
        photo = fetcher.fetch(link, None).photo
    finally:
        fetcher.close()
    if photo is None:
        raise ImageRejected(PhotoRejectionReason.UNREADABLE, facts.LINK_WITHOUT_PHOTO(link=link))
    return photo


def _in_archive(path: Path, name: str) -> Photo:
    wanted = PurePosixPath(folded(name.replace("\\", "/").lstrip("/")))
    with SafeArchive(path) as archive:
        members = {folded(member.name): member.name for member in archive.members}
        found = [member for member in members if PurePosixPath(member).parts[-len(wanted.parts) :] == wanted.parts]
        found = found or [member for member in members if PurePosixPath(member).name == wanted.name]
        if not found:
            raise ImageRejected(PhotoRejectionReason.UNREADABLE, facts.NOT_IN_ARCHIVE(file=name))
        return validate_photo(archive.read(members[min(found, key=len)]))


def _unusable_photo(row: Row) -> str:
    """Why the photo of a row that needs one is none, as far as its first bytes show; "" if it may be one."""
    for photo in (row.photos or ()) if row.photo_required else ():
        try:
            if isinstance(photo, PhotoFile):
                photo.check()
        except ImageRejected as error:
            return file_facts.IN_FILE(file=photo.name, reason=str(error))
    return ""


def _missing(found: Iterable[str], existing: Iterable[tuple[str]]) -> list[str]:
    known = {name for (name,) in existing}
    return [name for name in found if name not in known]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_VALUE_CHARACTERS else f"{line[: _MAX_VALUE_CHARACTERS - 1]}…"
