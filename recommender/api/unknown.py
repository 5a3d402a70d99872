"""The address of the API itself, which leads to its documentation, and every URL below it that does not exist."""

from __future__ import annotations

from django.http import HttpResponseRedirect
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from rest.views import ApiView


@extend_schema(exclude=True)
class NotFoundView(ApiView):
    """Every URL below /api that does not exist."""

    endpoint = "unknown"

    def get(self, request: Request) -> Response:
        """A problem detail with a hint."""
        hint = "URLs of the API have no trailing slash" if request.path.endswith("/") else "see /api/docs for all URLs"
        raise NotFound(f"No such URL: {hint}.")

    post = put = patch = delete = get


@extend_schema(exclude=True)
class RootView(NotFoundView):
    """The address of the API itself."""

    endpoint = "root"

    def get(self, request: Request) -> HttpResponseRedirect:  # type: ignore[override]  # noqa: ARG002
        """Lead to the documentation."""
        return HttpResponseRedirect(reverse("docs"))
