"""What every endpoint of the API has in common: one format, who may call, and a count of the answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit, authentication
from accounts.errors import KeyRejected
from accounts.keys import Key, Scope
from recommender.errors import ProductNotFound
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
    """An endpoint that takes no cookie; what only reads, any web page may call.

    `endpoint` names it in the metrics. `write_scopes`: of methods that start or end work or show what is not public, the scopes one
    of which a key has to have; pages of other sites may not use their visitors' browsers for them. `cost`: as how many requests one
    counts. `takes_key_in_address`: for what browsers send without headers.
    """

    endpoint = ""
    cost = 1
    takes_key_in_address = False
    write_scopes: Mapping[str, frozenset[Scope]] = {}
    authentication_classes = [authentication.ApiKeyAuthentication]
    content_negotiation_class = _JsonOnly
    key: Key | None = None
    _admitted = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before anything is read."""
        super().initial(request, *args, **kwargs)
        if request.method == "OPTIONS":
            return
        self.key = cast("Key | None", request.auth)
        authentication.count_request_of(request, self.key, self.cost)
        if scopes := self.write_scopes.get(_as_get(request.method)):
            authentication.check_write(request, self.key, scopes)
        else:
            authentication.check_read(request, self.key)
        self._admitted = True

    def perform_authentication(self, request: Request) -> None:
        """Raises KeyRejected; who tries one key after the other, RateExceeded."""
        try:
            super().perform_authentication(request)
        except KeyRejected:
            authentication.count_request_of(request, None, self.cost)
            raise

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, for pages of every origin where they may ask, count it, and note what was changed."""
        start = time.perf_counter()
        response = super().dispatch(request, *args, **kwargs)
        self._let_pages_read(request, response)
        if self._admitted and request.method != "GET" and request.method in self.write_scopes:
            actor = f"key {self.key.prefix}…" if self.key else ""
            audit.record(request, f"api:{self.endpoint}", response, actor=actor, detail=_job_of(response))
        count_request(self.endpoint, str(request.method), response.status_code, time.perf_counter() - start)
        return response

    def options(self, *_: Any, **__: Any) -> Response:
        """Tell a browser that a page of another origin may call this."""
        return Response(status=HTTPStatus.NO_CONTENT)

    def _let_pages_read(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """CORS. A key that is for certain pages is answered to the page that used it, which is one of them."""
        public = [method for method in self.allowed_methods if _as_get(method) not in self.write_scopes]
        if request.method == "OPTIONS":
            if public != ["OPTIONS"]:
                response["Access-Control-Allow-Origin"] = "*"
                response["Access-Control-Allow-Methods"] = ", ".join(public)
                response["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-API-Key"
                response["Access-Control-Max-Age"] = "86400"
        elif _as_get(request.method) not in self.write_scopes:
            bound = self._admitted and self.key is not None and self.key.origins
            # A page of the same origin, which sends none, needs no leave.
            if page := request.headers.get("Origin") if bound else "*":
                response["Access-Control-Allow-Origin"] = page
            response["Access-Control-Expose-Headers"] = "Retry-After"
            if bound:
                patch_vary_headers(response, ["Origin"])


def announced_bytes(request: Request) -> int:
    """The size of the body as its sender says it, 0 where nobody says."""
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    return int(announced) if announced.isdecimal() else 0


def existing(product_id: int) -> int:
    """The id. Raises ProductNotFound for one that databases could not hold, on which they fail."""
    if product_id > _LARGEST_ID:
        raise ProductNotFound(product_id)
    return product_id


def _as_get(method: str | None) -> str:
    """What answers GET answers HEAD, too."""
    return "GET" if method == "HEAD" else str(method)


def _job_of(response: HttpResponseBase) -> str:
    data = getattr(response, "data", None)
    return f"job {data['id']}" if isinstance(data, dict) and "id" in data else ""
