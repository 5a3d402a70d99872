"""Files in the media storage are written whole or not at all: nobody ever meets half a photo, not even after a kill."""

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


def write_once(name: str, content: bytes) -> bool:
    """Store this content under exactly this name; nothing happens where it exists, for names are made of hashes.

    Returns whether it was written. Raises StorageUnavailable where it cannot be.
    """
    with storage_errors(f"the file {name}", settings.MEDIA_ROOT):
        if default_storage.exists(name):
            return False
        try:
            target = Path(default_storage.path(name))
        except NotImplementedError:
            # Not a disk: an object store shows an object only when the whole of it is there.
            default_storage.save(name, ContentFile(content, name=PurePosixPath(name).name))
        else:
            _write_whole(target, content)
        return True


def is_away() -> bool:
    """Whether there is no photo at all, as where a disk is not mounted. Tells a photo that is missing from a folder that is."""
    try:
        photos = Path(default_storage.path(PHOTOS))
    except NotImplementedError:
        # An object store that is away says so itself.
        return False
    try:
        return not any(photos.iterdir())
    except OSError:
        return True


def _write_whole(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    file = tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False)  # noqa: SIM115  # closed in the next lines
    unfinished = Path(file.name)
    try:
        # Closed before it gets its name: a disk behind a network may say only then that it is full.
        with file:
            file.write(content)
        unfinished.chmod(settings.FILE_UPLOAD_PERMISSIONS or 0o644)
        unfinished.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
        raise
