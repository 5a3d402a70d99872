"""Writes files in the media storage atomically: no reader sees part of a photo, even after a kill."""

from __future__ import annotations

from jobs import storage_facts
from jobs.storage import storage_errors
from stores import base as stores

# The folder of the catalogue's photos in the media storage.
PHOTOS = "products"


def write_if_absent(name: str, content: bytes) -> bool:
    """Store a file, unless there is one with this name.

    Args:
        name: path in the media storage, which contains the content's hash.
        content: the file.

    Returns:
        Whether the file was written.

    Raises:
        StorageUnavailable: it cannot be written.
    """
    photos = stores.photos()
    with storage_errors(storage_facts.FILE_NAMED(name=name), photos.place):
        if photos.exists(name):
            return False
        photos.put(name, content)
        return True


def is_missing(name: str, *, noted: bool) -> bool:
    """Whether a stored file is missing, without a request to an object store.

    On a disk that is a look of microseconds. An object store takes milliseconds for each, so there only what was noted counts: by
    `check_media`, and where the file could not be read.

    Args:
        name: path in the media storage.
        noted: whether the file was missing when it was last looked for.

    Returns:
        Whether it has to be stored again.
    """
    photos = stores.photos()
    return not photos.exists(name) if photos.is_local else noted


def is_unavailable() -> bool:
    """Whether the folder of photos is missing or empty, as when a disk is not mounted. Raises OSError where the store is away."""
    return stores.photos().is_empty(PHOTOS)
