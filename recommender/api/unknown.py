"""Every address below /api that is none."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from recommender.api.base import ApiView


@extend_schema(exclude=True)
class UnknownAddressView(ApiView):
    """Every address below /api that is none."""

    endpoint = "unknown"

    def get(self, request: Request) -> Response:
        """Nothing here."""
        hint = (
            "addresses of the API have no trailing slash"
            if request.path.endswith("/")
            else "see /api/docs for what there is"
        )
        raise NotFound(f"There is nothing at this address: {hint}.")

    post = put = patch = delete = get
