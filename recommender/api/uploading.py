"""What the endpoints have in common that take a large file, as the one file of a form or as the body itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from rest_framework.request import Request

from catalog.archives import ArchiveRejected, Reason
from jobs import uploads
from jobs.errors import UploadTooLarge
from rest.errors import ParameterError
from rest.views import ApiView


def of_archives() -> uploads.Limit:
    """For training sets: raises ArchiveRejected."""
    return uploads.Limit(settings.TRAIN_ARCHIVE_MAX_BYTES, archive_too_large)


def of_catalogues() -> uploads.Limit:
    """For imports: raises UploadTooLarge."""
    return uploads.Limit(settings.IMPORT_MAX_BYTES, UploadTooLarge)


def archive_too_large(limit: int) -> ArchiveRejected:
    """The error of an archive with more bytes than `limit`."""
    return ArchiveRejected(
        Reason.TOO_LARGE, f"the archive is larger than {limit:,} bytes: send fewer or smaller photos"
    )


class UploadView(ApiView):
    """Has files streamed to the disk that keeps them."""

    def upload_limit(self) -> uploads.Limit:
        """How large they may be."""
        raise NotImplementedError

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        request.upload_handlers = [uploads.StreamingHandler(request, self.upload_limit())]
        return super().initialize_request(request, *args, **kwargs)


def files_of(request: Request) -> list[UploadedFile[Any]]:
    """All files of the request, whatever their names."""
    return [file for _, each in request.FILES.lists() for file in each]


def errors_of_one(
    name: str, files: Sequence[UploadedFile[Any]], wanted: str, instead_of_several: str
) -> list[ParameterError]:
    """What is wrong with the files of a request that ought to have one, whatever its name."""
    if not files:
        told = f"is missing: send {wanted} as the one file of a form, or as the body, with a Content-Length"
    elif len(files) > 1:
        told = f"is one file, and {len(files)} were sent: {instead_of_several}"
    else:
        return []
    return [ParameterError(name, told)]


def let_go(request: Request) -> None:
    """Of the uploads: those that were not kept are gone."""
    for handler in request._request.upload_handlers:
        if isinstance(handler, uploads.StreamingHandler):
            handler.close()
    for file in request.FILES.values():
        file.close()
