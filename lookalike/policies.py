"""A Content-Security-Policy for every answer that does not bring its own."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from storefront import content_policy


class ContentPolicyMiddleware:
    """Pages may load this server's own files; anything else, loaded as a page, may do nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy(request.path_info))
        return response


def _policy(path: str) -> str:
    if path.startswith("/admin/"):
        # The admin's pages are unfold's: its scripts stand in the page, and Alpine makes functions of text.
        return content_policy.own_files(scripts=["'unsafe-inline'", "'unsafe-eval'"], styles=["'unsafe-inline'"])
    if path == "/api/docs":
        return content_policy.own_files(styles=["'unsafe-inline'"])
    return content_policy.NOTHING
