"""Writes files in the media storage atomically: no reader sees part of a photo, even after a kill."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from jobs.storage import storage_errors

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
    with storage_errors(f"the file {name}", settings.MEDIA_ROOT):
        if default_storage.exists(name):
            return False
        try:
            target = Path(default_storage.path(name))
        except NotImplementedError:
            # Not a disk: object stores write atomically.
            default_storage.save(name, ContentFile(content, name=PurePosixPath(name).name))
        else:
            _write_atomically(target, content)
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
    try:
        return not Path(default_storage.path(name)).exists()
    except NotImplementedError:
        return noted


def is_unavailable() -> bool:
    """Whether the folder of photos is missing or empty, as when a disk is not mounted."""
    try:
        photos = Path(default_storage.path(PHOTOS))
    except NotImplementedError:
        # Object stores raise errors themselves.
        return False
    try:
        return not any(photos.iterdir())
    except OSError:
        return True


def _write_atomically(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file = tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False)  # noqa: SIM115  # closed in the next lines
    unfinished = Path(file.name)
    try:
        # Closed before it is renamed: a network disk may report only then that it is full.
        with file:
            file.write(content)
        unfinished.chmod(settings.FILE_UPLOAD_PERMISSIONS or 0o644)
        unfinished.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        raise
