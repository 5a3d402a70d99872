"""Photos that were sent with a form that has a mistake: kept for their user until the form is sent again.

A browser cannot fill a field for files, so the page has a token for each of them. Files that nobody asks for are deleted a day
later with the files of jobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO

from django.core import signing
from django.utils import timezone

from catalog import facts
from catalog.thumbnails import small_webp
from jobs import storage_facts
from jobs.files import delete_stored, store_upload
from jobs.storage import storage_error
from pictures.photos import ImageRejected, PhotoRejectionReason
from stores import base as stores
from stores.base import StoredFile
from stores.errors import StoreError

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
        super().__init__(facts.NO_LONGER_KEPT())
        self.file_name = file_name


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photo that is kept.

    Attributes:
        token: signed; names it in the form.
        file_name: as its sender called it.
        stored: name of the file in the store of uploads.
    """

    token: str
    file_name: str
    stored: str

    def content(self) -> bytes:
        """The file. Raises ImageRejected where it is no longer kept, StorageUnavailable."""
        store = stores.uploads()
        try:
            with store.open(self.stored) as file:
                content: bytes = file.read()
        except FileNotFoundError as error:
            raise ImageRejected(PhotoRejectionReason.UNREADABLE, facts.NO_LONGER_KEPT()) from error
        except OSError as error:
            raise storage_error(error, storage_facts.WHAT_WAS_SENT(), store.place) from error
        return content

    def preview(self) -> bytes:
        """A small version, as WebP. Raises ImageRejected, StorageUnavailable."""
        return small_webp(self.content(), _PREVIEW_SIDE)

    def discard(self) -> None:
        """Delete the file."""
        delete_stored(self.stored)


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
    return KeptPhoto(token, file_name, stored)


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
    try:
        # A store that is away is noticed when the photo is read.
        with suppress(StoreError):
            stores.uploads().touch(content["file"])
    except FileNotFoundError as error:
        raise KeptPhotoExpired(content["name"]) from error
    return KeptPhoto(token, content["name"], content["file"])


def retained_photos() -> Iterable[str]:
    """Names of the files that are kept still."""
    oldest = timezone.now() - KEPT_FOR
    return [stored.name for stored in _files(SUFFIX) if stored.modified_at > oldest]


def _suffix(user_id: int) -> str:
    return f"-{user_id}{SUFFIX}"


def _drop_oldest(user_id: int) -> None:
    files = sorted(_files(_suffix(user_id)), key=lambda stored: stored.modified_at)
    for stored in files[:-MAX_PHOTOS]:
        delete_stored(stored.name)


def _files(suffix: str) -> list[StoredFile]:
    return [stored for stored in stores.uploads().walk() if stored.name.endswith(suffix)]
