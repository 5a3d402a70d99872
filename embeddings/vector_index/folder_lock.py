"""Locks of the engines that are inside a process: one process at a time holds a folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from embeddings.errors import IndexLocked, IndexUnavailable


def locked(folder: Path, name: str) -> int:
    """Lock a folder.

    Args:
        folder: made if it is not there.
        name: of the file in it that carries the lock.

    Returns:
        A descriptor that holds the lock until it is closed or the process ends.

    Raises:
        IndexLocked: another process holds it.
        IndexUnavailable: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise IndexUnavailable(f"the index {folder} cannot be written: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise held(folder) from None
    return descriptor


def held(folder: Path) -> IndexLocked:
    """The error for a folder that another process holds."""
    return IndexLocked(
        f"the index {folder} is held by another process, as a rule the server that is running: stop it, "
        f"or set QDRANT_URL to a Qdrant server, which several processes can share"
    )
