"""Large files as requests bring them: streamed to the disk that keeps them, never held in memory, and cut off at the limit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.parsers import BaseParser, DataAndFiles

from jobs.storage import keeping

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """How many bytes may be sent, and the error for more."""

    max_bytes: int
    error: Callable[[int], Exception]

    def refuse(self, size: int, allowance: int = 0) -> None:
        """Raises the error. allowance: room for what comes along with the file."""
        if size > self.max_bytes + allowance:
            raise self.error(self.max_bytes)


class StreamedUpload(TemporaryUploadedFile):
    """A file in UPLOADS_ROOT, so that to keep it is to rename it; it is gone when it is closed and was not kept.

    Raises StorageUnavailable where it cannot be written.
    """

    def __init__(self, limit: Limit, name: str, content_type: str | None = None, charset: str | None = None) -> None:
        root = Path(settings.UPLOADS_ROOT)
        with _keeping():
            root.mkdir(parents=True, exist_ok=True)
            file = NamedTemporaryFile(dir=root, prefix="incoming-", suffix=".part")  # noqa: SIM115  # closed with the request
        UploadedFile.__init__(self, cast("IO[Any]", file), name, content_type, 0, charset)
        self._limit = limit

    def append(self, chunk: bytes) -> None:
        """Take a piece, or raise the limit's error where there are more bytes than may be sent."""
        self.size = (self.size or 0) + len(chunk)
        self._limit.refuse(self.size)
        with _keeping():
            self.write(chunk)

    def complete(self) -> StreamedUpload:
        """The whole file, at its beginning."""
        with _keeping():
            self.seek(0)
        return self

    def close(self) -> None:
        """Let go of it. What could not be written before cannot be now, and is not wanted any more."""
        with contextlib.suppress(OSError):
            super().close()


def _keeping() -> AbstractContextManager[None]:
    return keeping("what was sent", settings.UPLOADS_ROOT)


class StreamingHandler(FileUploadHandler):
    """Puts every file of a form into a StreamedUpload. Where reading the form fails, `close` has to be called."""

    def __init__(self, request: HttpRequest, limit: Limit) -> None:
        super().__init__(request)
        self._limit = limit
        self._uploads: list[StreamedUpload] = []

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._uploads.append(StreamedUpload(self._limit, str(self.file_name), self.content_type, self.charset))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002  # as Django calls it
        """Write it, and hand nothing on."""
        self._uploads[-1].append(raw_data)

    def file_complete(self, file_size: int) -> StreamedUpload:  # noqa: ARG002
        """The file, at its beginning."""
        return self._uploads[-1].complete()

    def close(self) -> None:
        """Let go of all of them."""
        for upload in self._uploads:
            upload.close()


class FileParser(BaseParser):
    """A body that is the file itself, and has no name of its own; the view has the limit."""

    file_name = ""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[QueryDict, MultiValueDict[str, UploadedFile[Any]]]:
        """One file, `file`."""
        limit: Limit = (parser_context or {})["view"].upload_limit()
        upload = StreamedUpload(limit, self.file_name, self.media_type)
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                upload.append(chunk)
            upload.complete()
        except BaseException:
            upload.close()
            raise
        return DataAndFiles(QueryDict(), MultiValueDict({"file": [upload]}))


class ZipParser(FileParser):
    """An archive, of photos or of a catalogue."""

    media_type = "application/zip"
    file_name = "upload.zip"


class CsvParser(FileParser):
    """A table."""

    media_type = "text/csv"
    file_name = "upload.csv"


class TsvParser(FileParser):
    """A table with tabs."""

    media_type = "text/tab-separated-values"
    file_name = "upload.tsv"


class XmlParser(FileParser):
    """A feed."""

    media_type = "application/xml"
    file_name = "upload.xml"


class JsonLinesParser(FileParser):
    """A JSON object a line."""

    media_type = "application/jsonl"
    file_name = "upload.jsonl"


class NdjsonParser(FileParser):
    """The same by its other name."""

    media_type = "application/x-ndjson"
    file_name = "upload.jsonl"
