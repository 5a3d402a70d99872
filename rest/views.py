"""The base view of every endpoint: its labels and limits as class attributes, one response format, CORS, metrics.

Authentication, permissions, throttles and the exception handler are the defaults of the setting REST_FRAMEWORK.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.authentication import BaseAuthentication
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from rest import rate_limits
from rest.metrics import observe_request

# Besides those that any page may read.
_EXPOSED_HEADERS = "Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed, X-Request-ID"
# Allowance for the multipart form around a file.
FORM_BYTES = 1024 * 1024

T = TypeVar("T")


class ApiView(APIView):
    """An endpoint without cookies; pages of any origin may call what only reads.

    Attributes:
        endpoint: Label of the endpoint in metrics and the audit log.
        throttle_cost: Number of requests that one request counts for.
        accepts_key_in_query: Whether a publishable key may be a query parameter, for what browsers send without headers.
        write_scopes: By method: the scopes of which a key needs one. For methods that start or end work or return what is not
            public; pages of other sites cannot use them.
        elsewhere: By method that the endpoint does not have: where what is wanted by it is done, for the message.
        page_origins: Origins whose pages may read the response, by the permissions of the request's key; empty: any.
    """

    endpoint = ""
    throttle_cost = 1
    accepts_key_in_query = False
    write_scopes: Mapping[str, frozenset[str]] = {}
    elsewhere: Mapping[str, str] = {}
    page_origins: frozenset[str] = frozenset()

    # What follows has no state, and making it for each request takes longer than what it does.
    def get_authenticators(self) -> list[BaseAuthentication]:
        """One of each class, for all requests."""
        return _one_of_each(tuple(self.authentication_classes))

    def get_permissions(self) -> list[Any]:
        """One of each class, for all requests."""
        return _one_of_each(tuple(self.permission_classes))

    def get_throttles(self) -> list[BaseThrottle]:
        """One of each class, for all requests."""
        return _one_of_each(tuple(self.throttle_classes))

    def get_parsers(self) -> list[BaseParser]:
        """One of each class, for all requests."""
        return _one_of_each(tuple(self.parser_classes))

    def perform_content_negotiation(self, *_: Any, **__: Any) -> tuple[BaseRenderer, str]:
        """Always JSON, whatever the Accept header prefers."""
        (renderer,) = _one_of_each(tuple(self.renderer_classes))
        return renderer, str(renderer.media_type)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """The methods of the view."""
        view: Any = type(self)
        return {"Allow": _allow_header(view)}

    def required_scopes(self, method: str | None) -> frozenset[str]:
        """The scopes of a method.

        Args:
            method: HTTP method; HEAD has the scopes of GET.

        Returns:
            The scopes of which a key needs one; empty for a method that only reads public data.
        """
        return self.write_scopes.get("GET" if method == "HEAD" else str(method), frozenset())

    def initial(self, request: Request, *_: Any, **__: Any) -> None:
        """Check the throttles before the permissions, so that requests without permission count, too; a preflight needs neither."""
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation()
        self.perform_authentication(request)
        if request.method != "OPTIONS":
            self.check_throttles(request)
            self.check_permissions(request)

    def perform_authentication(self, request: Request) -> None:
        """Find the request's key: REST framework's request would look for what it has not got yet, which takes longer."""
        # In the types of REST framework there is always a user.
        found: Any = None
        request.user = request.auth = found
        for authentication in request.authenticators or ():
            found = authentication.authenticate(request)
            if found is not None:
                request.user, request.auth = found
                return

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Respond, and count the request in the metrics."""
        start = time.perf_counter()
        response = super().dispatch(request, *args, **kwargs)
        observe_request(self.endpoint, str(request.method), response.status_code, time.perf_counter() - start)
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add the headers of CORS and of rate limits."""
        response = super().finalize_response(request, response, *args, **kwargs)
        method = request._request.method
        if method == "OPTIONS":
            self._allow_preflight(response)
        elif not self.required_scopes(method):
            self._allow_page(request, response)
        rate_limits.add_headers(request._request, response)
        return response

    def options(self, *_: Any, **__: Any) -> Response:
        """The response to a CORS preflight."""
        return Response(status=HTTPStatus.NO_CONTENT)

    def _allow_preflight(self, response: HttpResponseBase) -> None:
        public = [method for method in self.allowed_methods if not self.required_scopes(method)]
        if public != ["OPTIONS"]:
            response["Access-Control-Allow-Origin"] = "*"
            response["Access-Control-Allow-Methods"] = ", ".join(public)
            response["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Idempotency-Key, X-API-Key"
            response["Access-Control-Max-Age"] = "86400"

    def _allow_page(self, request: Request, response: HttpResponseBase) -> None:
        """A key with origins passed the permissions, so the page that sent it, if one did, has one of these origins."""
        # A page of this server's own origin sends no Origin header with GET, and needs no permission.
        if origin := request.headers.get("Origin") if self.page_origins else "*":
            response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        if self.page_origins:
            patch_vary_headers(response, ["Origin"])


@cache
def _one_of_each(classes: tuple[type[T], ...]) -> list[T]:
    return [each() for each in classes]


@cache
def _allow_header(view: Any) -> str:
    # Django has a view that answers GET answer HEAD.
    methods = [name for name in view.http_method_names if hasattr(view, "get" if name == "head" else name)]
    return ", ".join(methods).upper()


def content_length(request: Request) -> int:
    """The size of the request's body.

    Args:
        request: The request.

    Returns:
        Bytes by the Content-Length header; 0 without a valid one.
    """
    header = str(request.META.get("CONTENT_LENGTH") or "")
    return int(header) if header.isdecimal() else 0
