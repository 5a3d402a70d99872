"""A disk or store that is full, read-only or unavailable: one error, which says what could not be stored, where, and the remedy."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DatabaseError

from jobs import storage_facts
from stores.errors import StoreError

_ERRNO_FACTS = {
    errno.ENOSPC: storage_facts.NO_ROOM,
    errno.EDQUOT: storage_facts.QUOTA_USED_UP,
    errno.EROFS: storage_facts.MOUNTED_READ_ONLY,
    errno.EACCES: storage_facts.MAY_NOT_WRITE,
    errno.EPERM: storage_facts.MAY_NOT_WRITE,
}
_FULL = (errno.ENOSPC, errno.EDQUOT)

# PostgreSQL's own codes: the disk is full; only reading is allowed.
_DISK_FULL, _READ_ONLY_TRANSACTION = "53100", "25006"
_SQLITE_FACTS = {
    sqlite3.SQLITE_READONLY: storage_facts.DATABASE_FILE_READ_ONLY,
    sqlite3.SQLITE_IOERR: storage_facts.DATABASE_FILE_ERROR,
}


class StorageUnavailable(Exception):
    """Something cannot be stored now, because of the disk or the store. The message, a fact, says what, where and what to do."""


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
    reason = os_error_message(error)
    place = folder if isinstance(folder, str) else str(folder)
    return error_class(storage_facts.CANNOT_BE_WRITTEN_TO(what=description, place=place, reason=reason))


def os_error_message(error: OSError) -> str:
    """What is wrong with the disk or the store, and what to do.

    Args:
        error: what the operating system says.

    Returns:
        A clause without a full stop, a fact.
    """
    if isinstance(error, StoreError):
        return storage_facts.STORE_FAULTS[error.fault.code](**error.parameters)
    kind = _ERRNO_FACTS.get(error.errno or 0)
    return storage_facts.DISK_ERROR(error=error.strerror or str(error)) if kind is None else kind()


@contextmanager
def database_storage_errors(description: str = "") -> Iterator[None]:
    """Turn errors of a database whose own disk is full or read-only into StorageUnavailable.

    Args:
        description: the database, for the message; "" for the shop's.

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


def database_storage_error(error: DatabaseError | sqlite3.Error, description: str = "") -> StorageUnavailable | None:
    """What an error says about the database's own disk.

    Args:
        error: of Django or of SQLite.
        description: the database, for the message; "" for the shop's.

    Returns:
        The error, to be raised; None where it is about something else.
    """
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    state = getattr(cause, "sqlstate", None)
    # The low byte is the kind, the rest a detail.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    what = description or storage_facts.THE_DATABASE()
    if state == _DISK_FULL or code == sqlite3.SQLITE_FULL:
        return StorageFull(storage_facts.CANNOT_BE_WRITTEN(what=what, reason=storage_facts.DATABASE_NO_ROOM()))
    kind = storage_facts.DATABASE_READ_ONLY_NOW if state == _READ_ONLY_TRANSACTION else _SQLITE_FACTS.get(code)
    return None if kind is None else StorageUnavailable(storage_facts.CANNOT_BE_WRITTEN(what=what, reason=kind()))
