"""Files in the media storage are written whole or not at all: nobody ever meets half a photo, not even after a kill."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage


def write_once(name: str, content: bytes) -> None:
    """Store this content under exactly this name; nothing happens where it exists, for names are made of hashes."""
    if default_storage.exists(name):
        return
    try:
        target = Path(default_storage.path(name))
    except NotImplementedError:
        # Not a disk: an object store shows an object only when the whole of it is there.
        default_storage.save(name, ContentFile(content, name=PurePosixPath(name).name))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as file:
        unfinished = Path(file.name)
        try:
            file.write(content)
            file.flush()
            unfinished.chmod(settings.FILE_UPLOAD_PERMISSIONS or 0o644)
            unfinished.replace(target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                unfinished.unlink()
            raise
