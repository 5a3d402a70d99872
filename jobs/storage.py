"""A disk that is full, read-only or away: one error for all of it, which says what could not be kept, where, and what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import DatabaseError

_WHY = {
    errno.ENOSPC: "there is no room left on the disk: free some",
    errno.EDQUOT: "its quota is used up: free some of it, or have it raised",
    errno.EROFS: "it is mounted read-only: have it mounted for writing",
    errno.EACCES: "this process may not write there: let its user do so",
    errno.EPERM: "this process may not write there: let its user do so",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)

# PostgreSQL's own codes: the disk is full; only reading is allowed.
_DISK_FULL, _READ_ONLY_TRANSACTION = "53100", "25006"
_SQLITE_WHY = {
    sqlite3.SQLITE_READONLY: "its file is read-only: have it writable",
    sqlite3.SQLITE_IOERR: "its file cannot be read or written: look at its disk",
}


class StorageUnavailable(Exception):
    """Something cannot be kept now, because its disk does not take it. The message says what, where and what to do."""


class StorageFull(StorageUnavailable):
    """There is no room for it: the disk is full, or a quota used up."""


@contextmanager
def keeping(what: str, folder: Path | str) -> Iterator[None]:
    """While `what` is written into this folder: raises StorageUnavailable for any error of the file system."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, what, folder) from error


def storage_error(error: OSError, what: str, folder: Path | str) -> StorageUnavailable:
    """What this error says of `what`, which was being written into the folder."""
    kind = StorageFull if error.errno in _FULL else StorageUnavailable
    return kind(f"{what} cannot be written to {folder}: {reason_of(error)}, then try again")


def reason_of(error: OSError) -> str:
    """What is wrong with the disk, and what to do."""
    return _WHY.get(error.errno or 0, f"{error.strerror or error}: look at the disk")


@contextmanager
def database_storage(what: str = "the database") -> Iterator[None]:
    """While a database is written: raises StorageUnavailable where its own disk is full or read-only."""
    try:
        yield
    except (DatabaseError, sqlite3.Error) as error:
        failure = database_storage_error(error, what)
        if failure is None:
            raise
        raise failure from error


def database_storage_error(
    error: DatabaseError | sqlite3.Error, what: str = "the database"
) -> StorageUnavailable | None:
    """What this error says of the database's own disk; None where it is about something else."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    state = getattr(cause, "sqlstate", None)
    # The low byte is the kind, the rest a detail.
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if state == _DISK_FULL or code == sqlite3.SQLITE_FULL:
        return StorageFull(f"{what} cannot be written: there is no room left on its disk: free some, then try again")
    why = "it is read-only now" if state == _READ_ONLY_TRANSACTION else _SQLITE_WHY.get(code)
    return None if why is None else StorageUnavailable(f"{what} cannot be written: {why}, then try again")
