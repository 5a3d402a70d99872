"""Catalogues in zip archives, unpacked into a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from catalog.archives import ArchiveRejected, SafeArchive, wrapping_folder
from catalog.importers.rows import InvalidSource
from jobs.storage import storage_errors

# Photos that are unpacked to show what an archive has.
SAMPLE_PHOTOS = 20
# Suffixes of tables; every other file may be a photo.
_TABLES = frozenset((".csv", ".tsv", ".xml", ".rss", ".atom", ".jsonl", ".ndjson"))


class ImportInterrupted(Exception):
    """The import was interrupted before its first row."""


def validate_archive(path: Path) -> None:
    """Check that a zip can be unpacked and contains a catalogue.

    Args:
        path: the archive.

    Raises:
        InvalidSource: it is damaged or unsafe, or has no catalogue or several.
    """
    try:
        with SafeArchive(path) as archive:
            _find_catalogue([PurePosixPath(member.name) for member in archive.members])
            archive.verify()
    except ArchiveRejected as error:
        raise InvalidSource(str(error)) from error


@contextmanager
def unpack(path: Path, should_stop: Callable[[], bool] | None = None, *, sample: bool = False) -> Iterator[Path]:
    """Unpack a zip into a temporary folder for the length of the block.

    Args:
        path: the archive.
        should_stop: called after each file; True interrupts.
        sample: unpack the table only, or the first SAMPLE_PHOTOS photos of a folder of them.

    Yields:
        The only table in the archive, or the folder of its photos, without a folder that wraps everything.

    Raises:
        InvalidSource: the archive is rejected.
        StorageUnavailable: there is no space to unpack it.
        ImportInterrupted: `should_stop` returned True.
    """

    def check_interrupt(_count: int) -> None:
        if should_stop is not None and should_stop():
            raise ImportInterrupted

    with ExitStack() as stack:
        with storage_errors("the archive's content", "the folder for temporary files (TMPDIR)"):
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="lookalike-import-"))
        folder = Path(temporary).resolve() / "archive"
        try:
            with SafeArchive(path) as archive:
                names = [PurePosixPath(member.name) for member in archive.members]
                content = _find_catalogue(names)
                archive.extract_to(folder, check_interrupt, only=_sample(names, content) if sample else None)
        except ArchiveRejected as error:
            raise InvalidSource(f"{path}: {error}") from error
        yield folder / content


def _sample(names: list[PurePosixPath], content: PurePosixPath) -> set[str]:
    return {str(content)} if content in names else set(map(str, names[:SAMPLE_PHOTOS]))


def _find_catalogue(names: list[PurePosixPath]) -> PurePosixPath:
    """The table among these files, or the folder of photos if there is none."""
    if PurePosixPath("xl/workbook.xml") in names:
        raise InvalidSource("it is an Excel workbook: save its sheet as CSV in UTF-8")
    tables = [name for name in names if name.suffix.lower() in _TABLES]
    if len(tables) > 1:
        listed = ", ".join(sorted(map(str, tables))[:5])
        raise InvalidSource(f"there are {len(tables)} tables in the archive ({listed}): pack each with its own photos")
    if tables:
        return tables[0]
    return wrapping_folder(names)
