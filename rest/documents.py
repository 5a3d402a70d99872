"""Requests that send one JSON document of moderate size, and have no parameters."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig
from rest_framework.request import Request

from rest.parameters import NoParameters
from rest.views import content_length

MAX_BYTES = 1024 * 1024


def check_document(request: Request, advice: str) -> None:
    """Check a request before its document is read.

    Args:
        request: the request.
        advice: what to do about a document that is too large, or how large one is.

    Raises:
        InvalidParameters: it has parameters.
        RequestDataTooBig: it is larger than MAX_BYTES.
    """
    NoParameters.parse(request.query_params)
    if content_length(request) > MAX_BYTES:
        raise RequestDataTooBig(f"the request is larger than {MAX_BYTES:,} bytes: {advice}")
