"""A catalogue in a zip: unpacked into a folder that is always removed again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from catalog.archives import ArchiveRejected, SafeArchive, wrapping_folder
from catalog.importers.rows import UnusableSource
from jobs.storage import storage_errors

# What may be the table of an archive; everything else in it may be a photo.
_TABLES = frozenset((".csv", ".tsv", ".xml", ".rss", ".atom", ".jsonl", ".ndjson"))


class Interrupted(Exception):
    """Somebody asked to stop before there was anything to import."""


def check(path: Path) -> None:
    """Whether this zip can be unpacked, and whether there is something to import in it. Raises UnusableSource."""
    try:
        with SafeArchive(path) as archive:
            _content([PurePosixPath(member.name) for member in archive.members])
            archive.verify()
    except ArchiveRejected as error:
        raise UnusableSource(str(error)) from error


@contextmanager
def unpacked(path: Path, stop: Callable[[], bool] | None = None) -> Iterator[Path]:
    """What is to be imported from this zip: its one table, or else the folder of its photos.

    The folder in which everything lies is not part of the catalogue. Raises UnusableSource for an archive that is refused,
    StorageUnavailable for want of room, Interrupted when `stop` says so while it is unpacked.
    """

    def on_file(_count: int) -> None:
        if stop is not None and stop():
            raise Interrupted

    with ExitStack() as stack:
        with storage_errors("the archive's content", "the folder for temporary files (TMPDIR)"):
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="lookalike-import-"))
        folder = Path(temporary).resolve() / "archive"
        try:
            with SafeArchive(path) as archive:
                names = [PurePosixPath(member.name) for member in archive.members]
                content = _content(names)
                archive.extract_to(folder, on_file)
        except ArchiveRejected as error:
            raise UnusableSource(f"{path}: {error}") from error
        yield folder / content


def _content(names: list[PurePosixPath]) -> PurePosixPath:
    """The table among these files; where there is none, the folder to begin in."""
    if PurePosixPath("xl/workbook.xml") in names:
        raise UnusableSource("it is a workbook of Excel: save its sheet as CSV in UTF-8")
    tables = [name for name in names if name.suffix.lower() in _TABLES]
    if len(tables) > 1:
        found = ", ".join(sorted(map(str, tables))[:5])
        raise UnusableSource(f"there are {len(tables)} tables in the archive ({found}): pack each with its own photos")
    if tables:
        return tables[0]
    return wrapping_folder(names)
