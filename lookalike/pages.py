"""The middlewares that only pages need: the API has no sessions, messages and languages, and does without them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

_API = "/api/"


class _ForPages:
    """Passes requests to the API on as they are."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Respond."""
        if request.path_info.startswith(_API):
            return cast("HttpResponseBase", self.get_response(request))
        return cast("HttpResponseBase", super().__call__(request))  # type: ignore[misc]  # of the middleware beside this class


class SessionsForPages(_ForPages, SessionMiddleware):
    """Sessions."""


class LanguageForPages(LocaleMiddleware):
    """The visitor's language. The API has the server's, and does not vary by `Accept-Language`."""

    def __call__(self, request: HttpRequest) -> Any:
        """Respond."""
        if request.path_info.startswith(_API):
            # This thread may have answered with a page in another language before.
            translation.activate(settings.LANGUAGE_CODE)
            return self.get_response(request)
        return super().__call__(request)


class CommonForPages(CommonMiddleware):
    """Slashes at the end. Host names are checked, and the length of the answer is given, for the API, too."""

    def __call__(self, request: HttpRequest) -> Any:
        """Respond."""
        if not request.path_info.startswith(_API):
            return super().__call__(request)
        request.get_host()
        response: Any = self.get_response(request)
        # The length that status 304 would have to name is that of the answer with status 200.
        return response if response.status_code == HTTPStatus.NOT_MODIFIED else self.process_response(request, response)


class UsersForPages(_ForPages, AuthenticationMiddleware):
    """The user of the session."""


class MessagesForPages(_ForPages, MessageMiddleware):
    """Messages that the next page shows."""
