"""Large files of forms on their way in: where the disk does not take one, the view is told why, whoever read the form."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import SkipFile, TemporaryFileUploadHandler
from django.http import HttpRequest

from jobs.storage import StorageUnavailable, keeping


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
