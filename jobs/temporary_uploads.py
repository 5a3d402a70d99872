"""Temporary files of large uploads in forms: an error of the disk is kept with the request, whatever reads the form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler
from django.http import HttpRequest

from jobs import storage_facts
from jobs.storage import StorageUnavailable, storage_errors


class SpoolingUploadHandler(TemporaryFileUploadHandler):
    """Django's handler for large files of a form; a file that cannot be written is skipped, and `get_storage_error` has the error.

    Middleware reads forms too, and an error there would not reach any view.
    """

    file: TemporaryUploadedFile

    def new_file(self, *args: object, **kwargs: object) -> None:
        with self._storage_errors():
            super().new_file(*args, **kwargs)  # type: ignore[arg-type]  # as Django calls it

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._storage_errors():
            super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> TemporaryUploadedFile | None:
        """The file at its beginning; None where its end cannot be written."""
        try:
            with self._storage_errors():
                return super().file_complete(file_size)  # type: ignore[return-value]  # it is the one made here
        except SkipFile:
            return None

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            with storage_errors(storage_facts.WHAT_WAS_SENT(), storage_facts.TEMPORARY_FOLDER()):
                yield
        except StorageUnavailable as error:
            if self.request is not None:
                set_storage_error(self.request, error)
            if hasattr(self, "file"):
                # What could not be written a moment ago cannot be now, and is not needed any more.
                with contextlib.suppress(OSError):
                    self.file.close()
            raise SkipFile from error


def set_storage_error(request: HttpRequest, error: StorageUnavailable) -> None:
    """Keep with a request that something of it could not be stored.

    Args:
        request: that had it.
        error: the reason.
    """
    vars(request)["storage_error"] = error


def get_storage_error(request: HttpRequest) -> StorageUnavailable | None:
    """Why something of a request could not be stored.

    Args:
        request: any request.

    Returns:
        The error; None where everything was stored.
    """
    error: StorageUnavailable | None = vars(request).get("storage_error")
    return error
