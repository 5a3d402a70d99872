"""What endpoints share that take a large file, as the only file of a form or as the request body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import uploads
from jobs.api import accepted_response
from jobs.errors import JobInProgress
from jobs.models import Job
from rest.errors import ParameterError
from rest.idempotency import answer_once, has_key
from rest.parameters import Parameters
from rest.views import FORM_BYTES, ApiView, content_length

T = TypeVar("T")


class UploadView(ApiView):
    """Streams uploaded files to the disk that keeps them, for jobs.

    Attributes:
        part: Name of the file in a form.
        parameters: Of the query string and of the form.
    """

    part: str
    parameters: type[Parameters]

    def upload_limit(self) -> uploads.Limit:
        """The size limit of a file."""
        raise NotImplementedError

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        request.upload_handlers = [uploads.StreamingHandler(request, self.upload_limit())]
        return super().initialize_request(request, *args, **kwargs)

    def submitted(
        self,
        request: Request,
        *,
        check_allowed: Callable[[], object],
        read: Callable[[Request], T],
        submit: Callable[[T], Job],
    ) -> Response:
        """Make a job of a request, once for each idempotency key.

        A job in progress is no answer to a request that is wrong in itself: what can be read without waiting for a large file,
        the query string and a form of up to FORM_BYTES, is checked first.

        Args:
            request: to the endpoint.
            check_allowed: raises if there can be no such job now. It is called before the file is read, too.
            read: the file and the parameters of the request; raises InvalidParameters.
            submit: makes the job of what was read.

        Returns:
            Status 202, with the job.

        Raises:
            UploadTooLarge, or what `upload_limit` names: the file is too large.
            whatever `check_allowed`, `read` and `submit` raise.
        """
        self.upload_limit().check(content_length(request), allowance=FORM_BYTES)

        def answer(_: None) -> Response:
            values = read(request)
            check_allowed()
            return accepted_response(request, submit(values))

        if not has_key(request):
            # A retry gets the answer of the first request even while its job is running.
            try:
                check_allowed()
            except JobInProgress:
                self._check_head(request)
                if not _is_long(request):
                    with _uploads_closed(request):
                        read(request)
                raise
        self._check_head(request)
        with _uploads_closed(request):
            return answer_once(request, answer)

    def _check_head(self, request: Request) -> None:
        """Check the media type, and before a long body is read the query string."""
        parser = cast("Any", request.negotiator).select_parser(request, request.parsers)
        if content_length(request) and parser is None:
            raise UnsupportedMediaType(request.content_type)
        if _is_long(request):
            self.parameters.check(request.query_params)


def _is_long(request: Request) -> bool:
    return content_length(request) > FORM_BYTES


def file_errors(request: Request, name: str, expected: str, hint: str) -> list[ParameterError]:
    """Check that a request has exactly one file.

    Args:
        request: to the endpoint; its body is read.
        name: of the file in a form.
        expected: what the file should be, with its article.
        hint: what to do instead of sending several.

    Returns:
        The errors; none where there is that file alone.
    """
    errors = [
        ParameterError(other, f"is not accepted: the only file is `{name}`") for other in request.FILES if other != name
    ]
    files = request.FILES.getlist(name)
    if len(files) > 1:
        errors.append(ParameterError(name, f"is one file, and {len(files)} were sent: {hint}"))
    elif not files and name in request.POST:
        errors.append(
            ParameterError(name, f"is a text, not a file: send {expected} (curl: -F {name}=@PATH, with the @)")
        )
    elif not files and not errors:
        message = f"is missing: send {expected} as the file `{name}` of a form, or as the body, with a Content-Length"
        errors.append(ParameterError(name, message))
    return errors


@contextmanager
def _uploads_closed(request: Request) -> Iterator[None]:
    """Delete the uploads of a request that were not stored, once it was read."""
    try:
        yield
    finally:
        for handler in request._request.upload_handlers:
            if isinstance(handler, uploads.StreamingHandler):
                handler.close()
        for file in request.FILES.values():
            file.close()
