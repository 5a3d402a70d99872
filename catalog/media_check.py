"""Compares the photos in the database with the files in the media storage, in both directions.

Folder by folder, as photos are spread over 256 of them by their hash, so that memory does not grow with the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, TypeVar

from django.utils import timezone

from catalog import unused_files
from catalog.media import PHOTOS, is_unavailable
from catalog.models import ProductImage
from catalog.thumbnails import SIDES, delete_thumbnails, thumbnail_folder
from stores import base as stores
from stores.base import StoredFile

# Files that a report names; the others are counted.
MAX_NAMED = 100
_FOLDERS = [f"{number:02x}" for number in range(256)]
_PHOTO_NAME = re.compile(r"[0-9a-f]{64}\.[a-z]+")
_THUMBNAIL_SUFFIX = ".webp"
_DELETE_BATCH_SIZE = 100
_UPDATE_BATCH_SIZE = 500

T = TypeVar("T")


class MediaMissing(Exception):
    """There are photos in the database and none in the media storage, as when a disk is not mounted."""


@dataclass(slots=True)
class MediaReport:
    """How rows and files agree.

    Attributes:
        photos: rows of photos.
        files: photos in the media storage.
        missing: photos without a file, as product's SKU and file.
        missing_count: number of photos without a file.
        unused: files that no photo has.
        unused_count: number of files that no photo has.
        unused_bytes: their size.
        oldest_unused: when the oldest of them was written.
        thumbnails_unused: thumbnails of photos that are not there.
        deleted: files and thumbnails that were deleted.
    """

    photos: int = 0
    files: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)
    missing_count: int = 0
    unused: list[str] = field(default_factory=list)
    unused_count: int = 0
    unused_bytes: int = 0
    oldest_unused: datetime | None = None
    thumbnails_unused: int = 0
    deleted: int = 0

    def as_json(self) -> dict[str, Any]:
        """Everything in it, for a program."""
        values = asdict(self)
        values["missing"] = [{"sku": sku, "file": name} for sku, name in self.missing]
        values["oldest_unused"] = self.oldest_unused and self.oldest_unused.isoformat()
        return values


def check_media(*, delete_unused: bool = False) -> MediaReport:
    """Compare rows and files, and note which photos have lost theirs, so that the next import stores them again.

    Args:
        delete_unused: delete the files that no photo has and that are older than DELETED_PHOTOS_KEEP_MINUTES, with their
            thumbnails, and the thumbnails of photos that are not there.

    Returns:
        What was found.

    Raises:
        MediaMissing: no photo at all is there.
        OSError: the storage cannot be read, or a file not be deleted.
    """
    if is_unavailable() and ProductImage.objects.exists():
        raise MediaMissing("the database has photos, and the media storage has none")
    report = MediaReport()
    photos = _Listing(PHOTOS)
    thumbnails = [_Listing(f"{thumbnail_folder(side)}/{PHOTOS}") for side in SIDES]
    for folder in _FOLDERS:
        files = photos.take(f"{PHOTOS}/{folder}")
        report.files += sum(_PHOTO_NAME.fullmatch(name) is not None for name in files)
        used = _compare_rows(folder, files, report)
        _report_unused([stored for name, stored in files.items() if name not in used], report, delete=delete_unused)
        for side, made in zip(SIDES, thumbnails, strict=True):
            of_folder = made.take(f"{thumbnail_folder(side)}/{PHOTOS}/{folder}")
            _check_thumbnails(folder, of_folder, files, report, delete=delete_unused)
    return report


def _compare_rows(folder: str, files: Collection[str], report: MediaReport) -> set[str]:
    """Report the rows of a folder that have no file, and return the names of the files that rows have."""
    # The column of hashes has an index; "g" follows the digits of hashes.
    rows = ProductImage.objects.filter(sha256__gte=folder, sha256__lt=f"{folder}g").order_by("pk")
    used, lost, found = set(), [], []
    for pk, sku, path, noted in rows.values_list("pk", "product__sku", "file", "file_missing").iterator():
        report.photos += 1
        name = path.rpartition("/")[2]
        used.add(name)
        if name not in files:
            report.missing_count += 1
            report.missing += [(sku, path)] if len(report.missing) < MAX_NAMED else []
            lost += [] if noted else [pk]
        elif noted:
            found.append(pk)
    for pks, is_missing in ((lost, True), (found, False)):
        for batch in _batches(pks, _UPDATE_BATCH_SIZE):
            ProductImage.objects.filter(pk__in=batch).update(file_missing=is_missing)
    return used


def _report_unused(unused: list[StoredFile], report: MediaReport, *, delete: bool) -> None:
    limit = timezone.now() - unused_files.keep_time()
    old = []
    for stored in unused:
        name, written = stored.name, stored.modified_at
        report.unused_count += 1
        report.unused_bytes += stored.size
        report.unused += [name] if len(report.unused) < MAX_NAMED else []
        report.oldest_unused = min(written, report.oldest_unused or written)
        if written < limit:
            old.append(name)
    if delete:
        for batch in _batches(old, _DELETE_BATCH_SIZE):
            report.deleted += unused_files.delete_now(batch)


def _check_thumbnails(
    folder: str, thumbnails: Collection[str], files: Collection[str], report: MediaReport, *, delete: bool
) -> None:
    """Thumbnails need no care: a deleted one is made again."""
    for thumbnail in sorted(thumbnails):
        name = thumbnail.removesuffix(_THUMBNAIL_SUFFIX)
        if name in files:
            continue
        report.thumbnails_unused += 1
        if delete:
            delete_thumbnails(f"{PHOTOS}/{folder}/{name}")
            report.deleted += 1


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


class _Listing:
    """The files below a folder of the media storage, folder by folder: a bucket lists a thousand of them in a request."""

    def __init__(self, root: str) -> None:
        self._folders = groupby(stores.photos().walk(root), key=lambda stored: stored.name.rpartition("/")[0])
        self._folder, self._files = self._read()

    def take(self, folder: str) -> dict[str, StoredFile]:
        """The files of a folder by their names in it. Folders are asked for in the order of their names."""
        while self._folder and self._folder < folder:
            self._folder, self._files = self._read()
        return self._files if self._folder == folder else {}

    def _read(self) -> tuple[str, dict[str, StoredFile]]:
        folder, files = next(self._folders, ("", ()))
        return folder, {stored.name.rpartition("/")[2]: stored for stored in files}
