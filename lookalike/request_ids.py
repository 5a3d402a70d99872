"""One id for a request and the tasks it sends: in every log line, in the response, and in the messages to workers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"

_VALID_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

# Empty outside of requests and tasks.
current: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """Uses the id in the request's header X-Request-ID, or creates one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set the current id, and add it to the response."""
        # Not `request.headers`, which is made of all headers when it is first asked for.
        header = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = header if _VALID_ID.fullmatch(header) else uuid4().hex
        current.set(request_id)
        setattr(request, "request_id", request_id)  # noqa: B010 - a request has no such attribute by its type
        response = self._get_response(request)
        response[HEADER] = request_id
        return response


def clear(**_: object) -> None:
    """Clear the id when the request has ended: Django logs some errors after all middleware."""
    current.set("")


request_finished.connect(clear, dispatch_uid="lookalike.request_ids")


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept every record."""
        record.request_id = current.get() or "-"
        return True
