"""The address of the API itself, which leads to its documentation, and every URL below it that does not exist."""

from __future__ import annotations

import re
from urllib.parse import quote

from django.http import HttpResponseRedirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from rest.views import ApiView

# A SKU where an id belongs.
_PRODUCT = re.compile(r"^(/api/(?:v1/)?products/)([^/]+(?:/similar|/similar\.html|/substitutes)?)$")
_MAX_SHOWN = 300


@extend_schema(exclude=True)
class NotFoundView(ApiView):
    """Every URL below /api that does not exist."""

    endpoint = "unknown"

    def get(self, request: Request) -> Response:
        """A problem detail with a hint."""
        if request.path.endswith("/"):
            raise NotFound("No such URL: URLs of the API have no trailing slash.")
        by_sku = _PRODUCT.sub(r"\1by-sku/\2", request.path)
        if by_sku != request.path and len(by_sku) <= _MAX_SHOWN:
            raise NotFound(f"No such URL: in place of an id, a SKU is named as {quote(by_sku)}.")
        raise NotFound("No such URL: see /api/docs for all URLs.")

    post = put = patch = delete = get


@extend_schema(exclude=True)
class RootView(NotFoundView):
    """The address of the API itself."""

    endpoint = "root"

    def get(self, request: Request) -> HttpResponseRedirect:  # type: ignore[override]  # noqa: ARG002
        """Lead to the documentation."""
        return HttpResponseRedirect(reverse("docs"))
