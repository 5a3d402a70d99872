"""What every endpoint of the API has in common: one format, who may call, and a count of the answers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from recommender.errors import CrossSiteRequest, ImportsDisabled, ProductNotFound, TrainingDisabled
from recommender.metrics import count_request

# Room for the form around a file.
FORM_BYTES = 1024 * 1024
_LARGEST_ID = 2**63 - 1


class _JsonOnly(DefaultContentNegotiation):
    """There is one format, whatever a client says that it would rather have."""

    def select_renderer(self, _: Request, renderers: Iterable[BaseRenderer], *__: Any) -> tuple[BaseRenderer, str]:
        """The one renderer there is."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ApiView(APIView):
    """An endpoint that any web page may call: it reads public data and takes no cookie.

    `endpoint` names it in the metrics. `guarded_methods`: those that start or end work or show what is not public, for which pages
    of other sites may not use their visitors' browsers.
    """

    endpoint = ""
    content_negotiation_class = _JsonOnly
    guarded_methods: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before anything is read."""
        super().initial(request, *args, **kwargs)
        if request.method in self.guarded_methods:
            _refuse_other_sites(request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, for pages of every origin where they may ask, and count it."""
        start = time.perf_counter()
        response = super().dispatch(request, *args, **kwargs)
        public = [method for method in self.allowed_methods if method not in self.guarded_methods]
        if request.method == "OPTIONS" and public != ["OPTIONS"]:
            response["Access-Control-Allow-Origin"] = "*"
            response["Access-Control-Allow-Methods"] = ", ".join(public)
            response["Access-Control-Allow-Headers"] = "Content-Type, X-API-Key"
            response["Access-Control-Max-Age"] = "86400"
        elif request.method not in self.guarded_methods and request.method != "OPTIONS":
            response["Access-Control-Allow-Origin"] = "*"
            response["Access-Control-Expose-Headers"] = "Retry-After"
        seconds = time.perf_counter() - start
        count_request(self.endpoint, str(request.method), response.status_code, seconds)
        return response

    def options(self, *_: Any, **__: Any) -> Response:
        """Tell a browser that a page of another origin may call this."""
        return Response(status=HTTPStatus.NO_CONTENT)


def announced_bytes(request: Request) -> int:
    """The size of the body as its sender says it, 0 where nobody says."""
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    return int(announced) if announced.isdecimal() else 0


def existing(product_id: int) -> int:
    """The id. Raises ProductNotFound for one that databases could not hold, on which they fail."""
    if product_id > _LARGEST_ID:
        raise ProductNotFound(product_id)
    return product_id


def expect_training_api() -> None:
    """Raises TrainingDisabled."""
    if not settings.TRAINING_API:
        raise TrainingDisabled


def expect_import_api() -> None:
    """Raises ImportsDisabled."""
    if not settings.IMPORT_API:
        raise ImportsDisabled


def _refuse_other_sites(request: Request) -> None:
    """Raises CrossSiteRequest. Whoever calls without a browser sends neither header."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise CrossSiteRequest
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return
    if urlsplit(origin).netloc.lower() != request.get_host().lower():
        raise CrossSiteRequest
