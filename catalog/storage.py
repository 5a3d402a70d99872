"""A disk that is full, read-only or away: one error for all of it, which says what could not be kept, where, and what to do."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler
from django.db import DatabaseError
from django.http import HttpRequest

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


class SpoolingUploadHandler(TemporaryFileUploadHandler):
    """Django's own for large files of a form; one that cannot be spooled is left out, and `storage_failure` tells why.

    Middleware reads forms too, where an error would get past every view.
    """

    file: TemporaryUploadedFile

    def new_file(self, *args: object, **kwargs: object) -> None:
        with self._telling():
            super().new_file(*args, **kwargs)  # type: ignore[arg-type]  # as Django calls it

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._telling():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> TemporaryUploadedFile | None:
        """The file at its beginning; None where its end cannot be written."""
        try:
            with self._telling():
                return super().file_complete(file_size)  # type: ignore[return-value]  # it is the one made here
        except SkipFile:
            return None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            with keeping("what was sent", "the folder for temporary files (TMPDIR)"):
                yield
        except StorageUnavailable as error:
            if self.request is not None:
                note_storage_failure(self.request, error)
            if hasattr(self, "file"):
                # What could not be written a moment ago cannot be now, and is not wanted any more.
                with contextlib.suppress(OSError):
                    self.file.close()
            raise SkipFile from error


def note_storage_failure(request: HttpRequest, error: StorageUnavailable) -> None:
    """Keep in mind why something of this request could not be kept."""
    vars(request)["storage_failure"] = error


def storage_failure(request: HttpRequest) -> StorageUnavailable | None:
    """Why something of this request could not be kept."""
    failure: StorageUnavailable | None = vars(request).get("storage_failure")
    return failure
