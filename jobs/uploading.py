"""What endpoints share that take a large file, as the only file of a form or as the request body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from rest_framework.request import Request

from jobs import uploads
from rest.errors import ParameterError
from rest.views import ApiView


class UploadView(ApiView):
    """Streams uploaded files to the disk that keeps them."""

    def upload_limit(self) -> uploads.Limit:
        """The size limit of a file."""
        raise NotImplementedError

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        request.upload_handlers = [uploads.StreamingHandler(request, self.upload_limit())]
        return super().initialize_request(request, *args, **kwargs)


def uploaded_files(request: Request) -> list[UploadedFile[Any]]:
    """All files of a request, whatever their names."""
    return [file for _, each in request.FILES.lists() for file in each]


def single_file_errors(name: str, files: Sequence[UploadedFile[Any]], expected: str, hint: str) -> list[ParameterError]:
    """Check that a request has exactly one file, whatever its name.

    Args:
        name: of the file in the documentation.
        files: those of the request.
        expected: what the file should be, with its article.
        hint: what to do instead of sending several.

    Returns:
        One error, or none.
    """
    if not files:
        message = f"is missing: send {expected} as the one file of a form, or as the body, with a Content-Length"
    elif len(files) > 1:
        message = f"is one file, and {len(files)} were sent: {hint}"
    else:
        return []
    return [ParameterError(name, message)]


def close_uploads(request: Request) -> None:
    """Close the uploads of a request, which deletes those that were not stored."""
    for handler in request._request.upload_handlers:
        if isinstance(handler, uploads.StreamingHandler):
            handler.close()
    for file in request.FILES.values():
        file.close()
