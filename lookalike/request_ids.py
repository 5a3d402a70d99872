"""One id for a request and for all that it calls for: in every line of the log, in the answer, and with the messages to workers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"

_ACCEPTABLE = re.compile(r"[\w.-]{1,64}", re.ASCII)

# Empty outside of requests, and outside of work that a request called for.
current: ContextVar[str] = ContextVar("request_id", default="")


class RequestIdMiddleware:
    """Takes the id that a proxy gave the request, or gives it one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the id in a header."""
        given = request.headers.get(HEADER, "")
        request_id = given if _ACCEPTABLE.fullmatch(given) else uuid4().hex
        current.set(request_id)
        setattr(request, "request_id", request_id)  # noqa: B010 - a request has no such attribute by its type
        response = self._get_response(request)
        response[HEADER] = request_id
        return response


def forget(**_: object) -> None:
    """Not before the request has ended: Django logs a refusal behind all middleware."""
    current.set("")


request_finished.connect(forget, dispatch_uid="lookalike.request_ids")


class RequestIdFilter(logging.Filter):
    """Gives every line of the log a `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass."""
        record.request_id = current.get() or "-"
        return True
