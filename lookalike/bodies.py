"""Refuses bodies before they are read: by their size, and by who sends them.

Django reads a form before any view is asked, to find its CSRF token. So a stranger could fill the disk, or hold a thread with a
form that never ends. The proxy reads slow bodies, except those of the pages below, which it passes on as they come.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

# The pages of the admin that take files of any size: the form of a product, and imports. The proxy's configuration has the same.
UPLOAD_PAGES = re.compile(r"/admin/catalog/product/(add/$|[0-9]+/change/$|import/)")
# The API checks its bodies itself, by the limit of each endpoint.
_API = "/api/"
# Forms of the shop and of the sign-in page are smaller.
STRANGERS_MAX_BYTES = 1024 * 1024
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE")


class BodyLimitMiddleware:
    """Strangers may send small forms, staff forms with a photo, and staff of the upload pages files of any size."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse a request whose body is not to be read."""
        if request.method in _WITHOUT_BODY or request.path_info.startswith(_API):
            return self._get_response(request)
        is_upload = UPLOAD_PAGES.match(request.path_info) is not None
        size = _content_length(request)
        if not is_upload and size <= STRANGERS_MAX_BYTES:
            return self._get_response(request)
        if not (request.user.is_active and request.user.is_staff):
            if is_upload and "text/html" in request.headers.get("Accept", ""):
                # A person whose session has ended meanwhile: not a page without a way on, but the one to sign in.
                return redirect_to_login(request.path, reverse("admin:login"))
            if is_upload:
                return _refused(403, "Sign in to the admin first, then send the form again.")
            return _refused(413, f"The request is larger than {STRANGERS_MAX_BYTES:,} bytes.")
        if not is_upload and size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return _refused(413, f"The request is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes.")
        return self._get_response(request)


def _content_length(request: HttpRequest) -> int:
    """What the request says; a body of unknown length is never read."""
    text = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _refused(status: int, message: str) -> HttpResponse:
    return HttpResponse(f"{message}\n", status=status, content_type="text/plain; charset=utf-8")
