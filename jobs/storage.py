"""A disk or store that is full, read-only or unavailable: one error, which says what could not be stored, where, and the remedy."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DatabaseError

from stores.errors import StoreError

_ERRNO_MESSAGES = {
    errno.ENOSPC: "there is no room left on the disk: free some",
    errno.EDQUOT: "its quota is used up: free some of it, or have it raised",
    errno.EROFS: "it is mounted read-only: have it mounted for writing",
    errno.EACCES: "this process may not write there: let its user do so",
    errno.EPERM: "this process may not write there: let its user do so",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)

# PostgreSQL's own codes: the disk is full; only reading is allowed.
_DISK_FULL, _READ_ONLY_TRANSACTION = "53100", "25006"
_SQLITE_MESSAGES = {
    sqlite3.SQLITE_READONLY: "its file is read-only: have it writable",
    sqlite3.SQLITE_IOERR: "its file cannot be read or written: look at its disk",
}


class StorageUnavailable(Exception):
    """Something cannot be stored now, because of the disk or the store. The message says what, where and what to do."""


class StorageFull(StorageUnavailable):
    """There is no room for it: the disk is full, or a quota is used up."""


@contextmanager
def storage_errors(description: str, folder: Path | str) -> Iterator[None]:
    """Turn errors of the file system into StorageUnavailable.

    Args:
        description: what is written.
        folder: where.

    Yields:
        Nothing.

    Raises:
        StorageUnavailable: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, description, folder) from error


def storage_error(error: OSError, description: str, folder: Path | str) -> StorageUnavailable:
    """The error of a write that failed.

    Args:
        error: what the operating system says.
        description: what was written.
        folder: where.

    Returns:
        The error, to be raised; StorageFull where there is no room.
    """
    error_class = StorageFull if error.errno in _FULL else StorageUnavailable
    return error_class(f"{description} cannot be written to {folder}: {os_error_message(error)}, then try again")


def os_error_message(error: OSError) -> str:
    """What is wrong with the disk or the store, and what to do.

    Args:
        error: what the operating system says.

    Returns:
        A clause without a full stop.
    """
    if isinstance(error, StoreError):
        return str(error)
    return _ERRNO_MESSAGES.get(error.errno or 0, f"{error.strerror or error}: look at the disk")


@contextmanager
def database_storage_errors(description: str = "the database") -> Iterator[None]:
    """Turn errors of a database whose own disk is full or read-only into StorageUnavailable.

    Args:
        description: the database, for the message.

    Yields:
        Nothing.

    Raises:
        StorageUnavailable: the block raised such an error.
    """
    try:
        yield
    except (DatabaseError, sqlite3.Error) as error:
        failure = database_storage_error(error, description)
        if failure is None:
            raise
        raise failure from error


def database_storage_error(
    error: DatabaseError | sqlite3.Error, description: str = "the database"
) -> StorageUnavailable | None:
    """What an error says about the database's own disk.

    Args:
        error: of Django or of SQLite.
        description: the database, for the message.

    Returns:
        The error, to be raised; None where it is about something else.
    """
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    state = getattr(cause, "sqlstate", None)
    # The low byte is the kind, the rest a detail.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if state == _DISK_FULL or code == sqlite3.SQLITE_FULL:
        return StorageFull(
            f"{description} cannot be written: there is no room left on its disk: free some, then try again"
        )
    message = "it is read-only now" if state == _READ_ONLY_TRANSACTION else _SQLITE_MESSAGES.get(code)
    return (
        None if message is None else StorageUnavailable(f"{description} cannot be written: {message}, then try again")
    )
