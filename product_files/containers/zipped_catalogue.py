"""Catalogues in zip archives, unpacked into a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from jobs import storage_facts
from jobs.storage import storage_errors
from product_files import file_facts
from product_files.containers.archives import ArchiveRejected, SafeArchive, wrapping_folder
from product_files.rows import ChoiceNeeded, InvalidSource
from product_files.tables.workbook import WORKBOOK_SUFFIXES

# Photos that are unpacked to show what an archive has.
SAMPLE_PHOTOS = 20
# Suffixes of tables; every other file may be a photo. What has one of the others is a table only if its content is one.
_TABLES = frozenset((".csv", ".tsv", ".xml", ".rss", ".atom", ".jsonl", ".ndjson", *WORKBOOK_SUFFIXES))
# The files of a spreadsheet of LibreOffice.
_OPEN_DOCUMENT = frozenset(map(PurePosixPath, ("mimetype", "content.xml", "styles.xml")))
_PERHAPS_TABLES = frozenset((".txt", ".tab", ".yml", ".dat", ".json", ".xls", ".html", ".htm", ".mht", ".mhtml"))
_START_BYTES = 64 * 1024
_MAX_LISTED = 5

# Whether a file with these first bytes has products, by the names of its columns.
IsCatalogue = Callable[[bytes], bool]


class ImportInterrupted(Exception):
    """The import was interrupted before its first row."""


def validate_archive(path: Path, is_catalogue: IsCatalogue, *, table: str = "") -> None:
    """Check that a zip can be unpacked and contains a catalogue.

    Args:
        path: the archive.
        is_catalogue: whether a table is a catalogue.
        table: as in `unpack`.

    Raises:
        InvalidSource: it is damaged or unsafe, or has no catalogue or several.
    """
    try:
        with SafeArchive(path) as archive:
            _find_catalogue(archive, is_catalogue, table)
            archive.verify()
    except ArchiveRejected as error:
        raise InvalidSource(str(error)) from error


@contextmanager
def unpack(
    path: Path,
    is_catalogue: IsCatalogue,
    should_stop: Callable[[], bool] | None = None,
    *,
    table: str = "",
    sample: bool = False,
) -> Iterator[tuple[Path, Path]]:
    """Unpack a zip into a temporary folder for the length of the block.

    Args:
        path: the archive.
        is_catalogue: whether a table is a catalogue.
        should_stop: called after each file; True interrupts.
        table: the table to import, by its name or path in the archive; "" for the only catalogue.
        sample: unpack the table only, with other XML if it is XML, or the first SAMPLE_PHOTOS photos of a folder of them.

    Yields:
        The folder, and in it the table, or the folder of photos, without a folder that wraps everything.

    Raises:
        InvalidSource: the archive is rejected.
        StorageUnavailable: there is no space to unpack it.
        ImportInterrupted: `should_stop` returned True.
    """

    def check_interrupt(_count: int) -> None:
        if should_stop is not None and should_stop():
            raise ImportInterrupted

    with ExitStack() as stack:
        with storage_errors(storage_facts.ARCHIVE_CONTENT(), storage_facts.TEMPORARY_FOLDER()):
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="lookalike-import-"))
        folder = Path(temporary).resolve() / "archive"
        try:
            with SafeArchive(path) as archive:
                names = [PurePosixPath(member.name) for member in archive.members]
                content = _find_catalogue(archive, is_catalogue, table)
                archive.extract_to(folder, check_interrupt, only=_sample(names, content) if sample else None)
        except ArchiveRejected as error:
            raise InvalidSource(file_facts.IN_FILE(file=str(path), reason=str(error))) from error
        yield folder, folder / content


def _sample(names: list[PurePosixPath], content: PurePosixPath) -> set[str]:
    if content in names:
        # Prices of CommerceML are in files beside the catalogue.
        return {str(content), *(str(name) for name in names if name.suffix.lower() == content.suffix.lower() == ".xml")}
    return set(map(str, names[:SAMPLE_PHOTOS]))


def _find_catalogue(archive: SafeArchive, is_catalogue: IsCatalogue, table: str) -> PurePosixPath:
    """The table among these files, or the folder of photos if there is none."""
    names = [PurePosixPath(member.name) for member in archive.members]
    if set(names) >= _OPEN_DOCUMENT:
        raise InvalidSource(file_facts.IS_OPEN_DOCUMENT())
    tables = [name for name in names if name.suffix.lower() in _TABLES]
    candidates = [*tables, *(name for name in names if name.suffix.lower() in _PERHAPS_TABLES)]
    if table:
        return _named(table, names)
    if len(candidates) == 1 and tables:
        return tables[0]
    catalogues = [name for name in candidates if is_catalogue(archive.start(str(name), _START_BYTES))]
    # Without one that is known as a catalogue, a table whose columns have to be mapped.
    found = catalogues or tables
    if len(found) > 1:
        raise ChoiceNeeded(
            "table",
            [(str(name), "") for name in found],
            file_facts.ARCHIVE_TABLES(number=len(found), tables=_listed(found)),
        )
    return found[0] if found else wrapping_folder(names)


def _named(table: str, names: list[PurePosixPath]) -> PurePosixPath:
    found = [name for name in names if table in (str(name), name.name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidSource(file_facts.SAME_NAMES_IN_ARCHIVE(number=len(found), table=table, found=_listed(found)))
    raise InvalidSource(file_facts.NO_SUCH_FILE_IN_ARCHIVE(table=table, found=_listed(names)))


def _listed(names: list[PurePosixPath]) -> str:
    listed = ", ".join(sorted(map(str, names))[:_MAX_LISTED])
    more = len(names) - _MAX_LISTED
    return file_facts.AND_MORE(names=listed, more=more) if more > 0 else listed
