"""What endpoints share that take a large file, as the only file of a form or as the request body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import uploads
from jobs.api import accepted_response
from jobs.models import Job
from rest.errors import ParameterError
from rest.idempotency import answer_once, has_key
from rest.views import FORM_BYTES, ApiView, content_length

Files: TypeAlias = "Sequence[UploadedFile[Any]]"


class UploadView(ApiView):
    """Streams uploaded files to the disk that keeps them, for jobs."""

    def upload_limit(self) -> uploads.Limit:
        """The size limit of a file."""
        raise NotImplementedError

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        request.upload_handlers = [uploads.StreamingHandler(request, self.upload_limit())]
        return super().initialize_request(request, *args, **kwargs)

    def submitted(
        self, request: Request, check_allowed: Callable[[], object], submit: Callable[[Files], Job]
    ) -> Response:
        """Make a job of a request, once for each idempotency key.

        Args:
            request: to the endpoint.
            check_allowed: raises if there can be no such job now. It is called before the file is read, too.
            submit: makes the job of the request's files, whatever their names.

        Returns:
            Status 202, with the job.

        Raises:
            UploadTooLarge, or what `upload_limit` names: the file is too large.
            whatever `check_allowed` and `submit` raise.
        """
        self.upload_limit().check(content_length(request), allowance=FORM_BYTES)
        if not has_key(request):
            # A retry gets the answer of the first request even while its job is running.
            check_allowed()

        def answer(_: None) -> Response:
            check_allowed()
            return accepted_response(request, submit([file for _, each in request.FILES.lists() for file in each]))

        try:
            return answer_once(request, answer)
        finally:
            _close_uploads(request)


def single_file_errors(name: str, files: Files, expected: str, hint: str) -> list[ParameterError]:
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


def _close_uploads(request: Request) -> None:
    """Delete the uploads of a request that were not stored."""
    for handler in request._request.upload_handlers:
        if isinstance(handler, uploads.StreamingHandler):
            handler.close()
    for file in request.FILES.values():
        file.close()
