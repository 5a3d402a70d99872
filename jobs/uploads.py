"""Large files of requests: streamed to the disk that keeps them, never held in memory, and aborted at the limit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import IO, Any, cast

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.parsers import BaseParser, DataAndFiles

from jobs import storage_facts
from jobs.storage import storage_errors
from stores import base as stores

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """A size limit.

    Attributes:
        max_bytes: how many bytes may be sent.
        error: makes the error for more, from the limit.
    """

    max_bytes: int
    error: Callable[[int], Exception]

    def check(self, size: int, allowance: int = 0) -> None:
        """Check a size.

        Args:
            size: in bytes.
            allowance: bytes for what is sent with the file.

        Raises:
            Exception: the limit's error; the size is above the limit.
        """
        if size > self.max_bytes + allowance:
            raise self.error(self.max_bytes)


class StreamedUpload(TemporaryUploadedFile):
    """A file where it is going to be kept, so that storing it is a rename; closing it deletes it if it was not stored."""

    def __init__(self, limit: Limit, name: str, content_type: str | None = None, charset: str | None = None) -> None:
        """Create an empty file.

        Args:
            limit: of its size.
            name: as its sender calls it.
            content_type: as its sender says.
            charset: as its sender says.

        Raises:
            StorageUnavailable: the disk does not take it.
        """
        with _storage_errors():
            file = NamedTemporaryFile(dir=stores.uploads().scratch(), prefix="incoming-", suffix=".part")  # noqa: SIM115  # closed with the request
        UploadedFile.__init__(self, cast("IO[Any]", file), name, content_type, 0, charset)
        self._limit = limit

    def append(self, chunk: bytes) -> None:
        """Write a chunk.

        Args:
            chunk: the next bytes.

        Raises:
            Exception: the limit's error; there are more bytes than may be sent.
            StorageUnavailable: the disk does not take it.
        """
        self.size = (self.size or 0) + len(chunk)
        self._limit.check(self.size)
        with _storage_errors():
            self.write(chunk)

    def complete(self) -> StreamedUpload:
        """The whole file, at its beginning. Raises StorageUnavailable."""
        with _storage_errors():
            self.seek(0)
        return self

    def close(self) -> None:
        """Close it. What could not be written before cannot be now, and is not needed any more."""
        with contextlib.suppress(OSError):
            super().close()


def _storage_errors() -> AbstractContextManager[None]:
    store = stores.uploads()
    return storage_errors(storage_facts.WHAT_WAS_SENT(), store.place if store.is_local else settings.STORAGE_CACHE_DIR)


class StreamingHandler(FileUploadHandler):
    """Writes every file of a form into a StreamedUpload. Where reading the form fails, `close` has to be called."""

    def __init__(self, request: HttpRequest, limit: Limit) -> None:
        """Handle the files of a request.

        Args:
            request: whose files.
            limit: of the size of each.
        """
        super().__init__(request)
        self._limit = limit
        self._uploads: list[StreamedUpload] = []

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._uploads.append(StreamedUpload(self._limit, str(self.file_name), self.content_type, self.charset))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002  # as Django calls it
        """Write it, and pass nothing to the next handler."""
        self._uploads[-1].append(raw_data)

    def file_complete(self, file_size: int) -> StreamedUpload:  # noqa: ARG002
        """The file, at its beginning."""
        return self._uploads[-1].complete()

    def close(self) -> None:
        """Close all of them."""
        for upload in self._uploads:
            upload.close()


class FileParser(BaseParser):
    """A request body that is the file itself and has no name; the view has the limit (`upload_limit`) and the name (`part`)."""

    file_name = ""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[QueryDict, MultiValueDict[str, UploadedFile[Any]]]:
        """Read the body as one file, the view's `part`."""
        view = (parser_context or {})["view"]
        limit: Limit = view.upload_limit()
        upload = StreamedUpload(limit, self.file_name, self.media_type)
        try:
            while chunk := stream.read(_CHUNK_BYTES):
                upload.append(chunk)
            upload.complete()
        except BaseException:
            upload.close()
            raise
        return DataAndFiles(QueryDict(), MultiValueDict({view.part: [upload]}))


class ZipParser(FileParser):
    """An archive, of photos or of a catalogue."""

    media_type = "application/zip"
    file_name = "upload.zip"


class GzipParser(FileParser):
    """A table or feed that is packed with gzip."""

    media_type = "application/gzip"
    file_name = "upload.gz"


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
    """A JSON object in each line."""

    media_type = "application/jsonl"
    file_name = "upload.jsonl"


class NdjsonParser(FileParser):
    """The same under its other media type."""

    media_type = "application/x-ndjson"
    file_name = "upload.jsonl"
