"""A Content-Security-Policy for every response that does not set its own."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from storefront import content_policy


class ContentPolicyMiddleware:
    """Pages may load only this server's files; all other responses may load nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the header to the response."""
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy(request.path_info))
        return response


def _policy(path: str) -> str:
    if path.startswith("/admin/"):
        # unfold has inline scripts, and Alpine evaluates strings.
        return content_policy.own_files(scripts=["'unsafe-inline'", "'unsafe-eval'"], styles=["'unsafe-inline'"])
    if path == "/api/docs":
        return content_policy.own_files(styles=["'unsafe-inline'"])
    return content_policy.NOTHING
