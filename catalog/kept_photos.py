"""Photos that were sent with a form that has a mistake: kept for their user until the form is sent again.

A browser cannot fill a field for files, so the page has a token for each of them. Files that nobody asks for are deleted a day
later with the files of jobs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core import signing

from catalog.thumbnails import small_webp
from jobs.files import store_upload

SUFFIX = ".photo"
KEPT_FOR = timedelta(days=1)
# Of one user; beyond that the oldest ones are dropped.
MAX_PHOTOS = 100

_SALT = "catalog.kept_photos"
_PREVIEW_SIDE = 320


class KeptPhotoExpired(Exception):
    """The photo is no longer kept, or it is another user's.

    Attributes:
        file_name: as its sender called it; "" where that is not known.
    """

    def __init__(self, file_name: str = "") -> None:
        super().__init__("the photo is no longer kept: choose it again")
        self.file_name = file_name


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo that is kept.

    Attributes:
        token: signed; names it in the form.
        file_name: as its sender called it.
        path: of the file.
    """

    token: str
    file_name: str
    path: Path

    def preview(self) -> bytes:
        """A small version, as WebP. Raises ImageRejected."""
        return small_webp(self.path, _PREVIEW_SIDE)

    def discard(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


def keep_photo(user_id: int, upload: BinaryIO, file_name: str) -> KeptPhoto:
    """Keep a photo for a user.

    Args:
        user_id: who has sent it.
        upload: seekable; at its beginning.
        file_name: as its sender calls it.

    Returns:
        The kept photo.

    Raises:
        StorageUnavailable: the disk does not take it.
    """
    stored = store_upload(upload, _suffix(user_id))
    _drop_oldest(user_id)
    token = signing.dumps({"user": user_id, "file": stored, "name": file_name[-200:]}, salt=_SALT)
    return KeptPhoto(token, file_name, Path(settings.UPLOADS_ROOT) / stored)


def kept_photo(user_id: int, token: str) -> KeptPhoto:
    """A photo that a user has sent before; it is kept for another day.

    Args:
        user_id: who asks for it.
        token: from the form.

    Returns:
        The kept photo.

    Raises:
        KeptPhotoExpired: it is not kept any more, or the user has not sent it.
    """
    try:
        content = signing.loads(token, salt=_SALT)
    except signing.BadSignature as error:
        raise KeptPhotoExpired from error
    if content["user"] != user_id:
        raise KeptPhotoExpired
    path = Path(settings.UPLOADS_ROOT) / content["file"]
    try:
        os.utime(path)
    except FileNotFoundError as error:
        raise KeptPhotoExpired(content["name"]) from error
    return KeptPhoto(token, content["name"], path)


def retained_photos() -> Iterable[str]:
    """Names of the files that are kept still."""
    oldest = time.time() - KEPT_FOR.total_seconds()
    return [path.name for path, changed_at in _files(f"*{SUFFIX}") if changed_at > oldest]


def _suffix(user_id: int) -> str:
    return f"-{user_id}{SUFFIX}"


def _drop_oldest(user_id: int) -> None:
    files = sorted(_files(f"*{_suffix(user_id)}"), key=lambda file: file[1])
    for path, _changed_at in files[:-MAX_PHOTOS]:
        path.unlink(missing_ok=True)


def _files(pattern: str) -> list[tuple[Path, float]]:
    """Files with the times of their last change."""
    files = []
    for path in Path(settings.UPLOADS_ROOT).glob(pattern):
        try:
            files.append((path, path.stat().st_mtime))
        except FileNotFoundError:
            continue  # Another process has just deleted it.
    return files
