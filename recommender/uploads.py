"""Archives as requests bring them: streamed to the disk that keeps them, never held in memory, and cut off at the limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.parsers import BaseParser, DataAndFiles

from catalog.archives import ArchiveRejected, Reason

_CHUNK_BYTES = 256 * 1024


class ArchiveUpload(TemporaryUploadedFile):
    """A file in UPLOADS_ROOT, so that to keep it is to rename it; it is gone when it is closed and was not kept."""

    def __init__(self, name: str, content_type: str | None = None, charset: str | None = None) -> None:
        root = Path(settings.UPLOADS_ROOT)
        root.mkdir(parents=True, exist_ok=True)
        file = NamedTemporaryFile(dir=root, prefix="incoming-", suffix=".part")  # noqa: SIM115  # closed with the request
        UploadedFile.__init__(self, cast("IO[Any]", file), name, content_type, 0, charset)

    def append(self, chunk: bytes) -> None:
        """Take a piece, or raise ArchiveRejected where there are more bytes than may be sent."""
        self.size = (self.size or 0) + len(chunk)
        refuse_too_large(self.size)
        self.write(chunk)


class ArchiveUploadHandler(FileUploadHandler):
    """Puts every file of a form into an ArchiveUpload. Where reading the form fails, `close` has to be called."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._uploads: list[ArchiveUpload] = []

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._uploads.append(ArchiveUpload(str(self.file_name), self.content_type, self.charset))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002  # as Django calls it
        """Write it, and hand nothing on."""
        self._uploads[-1].append(raw_data)

    def file_complete(self, file_size: int) -> ArchiveUpload:  # noqa: ARG002
        """The file, at its beginning."""
        self._uploads[-1].seek(0)
        return self._uploads[-1]

    def close(self) -> None:
        """Let go of all of them."""
        for upload in self._uploads:
            upload.close()


class ZipParser(BaseParser):
    """A body that is the archive itself."""

    media_type = "application/zip"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> DataAndFiles[QueryDict, MultiValueDict[str, UploadedFile[Any]]]:
        """One file, `archive`."""
        upload = ArchiveUpload("archive.zip", self.media_type)
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                upload.append(chunk)
            upload.seek(0)
        except BaseException:
            upload.close()
            raise
        return DataAndFiles(QueryDict(), MultiValueDict({"archive": [upload]}))


def refuse_too_large(size: int, allowance: int = 0) -> None:
    """Raises ArchiveRejected. allowance: room for what comes along with the archive."""
    limit = settings.TRAIN_ARCHIVE_MAX_BYTES
    if size > limit + allowance:
        raise ArchiveRejected(
            Reason.TOO_LARGE, f"the archive is larger than {limit:,} bytes: send fewer or smaller photos"
        )
