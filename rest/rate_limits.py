"""The headers RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers): what a client may still send."""

from __future__ import annotations

from typing import NamedTuple

from django.http import HttpRequest
from django.http.response import HttpResponseBase

LIMIT_HEADER = "RateLimit"
POLICY_HEADER = "RateLimit-Policy"
_NOTED = "rate_limits"


class RateLimit(NamedTuple):
    """A limit that a request was counted for.

    Attributes:
        name: of the policy, such as "key".
        quota: requests per window.
        window_s: seconds of a window.
        remaining: requests that are left in this window.
        reset_s: seconds until the next window.
    """

    name: str
    quota: int
    window_s: int
    remaining: int
    reset_s: int


def note(request: HttpRequest, limit: RateLimit) -> None:
    """Have the response say what is left of a limit.

    Args:
        request: that was counted.
        limit: after it was counted.
    """
    vars(request).setdefault(_NOTED, {})[limit.name] = limit


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Add the headers with all limits that the request was counted for; none where there is no limit.

    Args:
        request: that is answered.
        response: gets the headers.
    """
    limits = list(vars(request).get(_NOTED, {}).values())
    if limits:
        response[POLICY_HEADER] = ", ".join(f'"{each.name}";q={each.quota};w={each.window_s}' for each in limits)
        response[LIMIT_HEADER] = ", ".join(f'"{each.name}";r={each.remaining};t={each.reset_s}' for each in limits)
