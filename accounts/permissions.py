"""What a request to the API may do: reading by the setting API_READS and the origins of its key, writing by its key's scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import audit
from accounts.errors import ApiKeyRequired, CrossSiteRequest, OriginNotAllowed, ScopeRequired, WritesDisabled
from accounts.keys import ApiKeyInfo

if TYPE_CHECKING:
    # REST framework's views import the classes that the setting REST_FRAMEWORK names.
    from rest_framework.views import APIView

    from rest.views import ApiView


class ReadPermission(BasePermission):
    """Methods that only read: anybody, or with API_READS=keys any key; a key with origins only from pages of them."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Check a method that needs no scope.

        Args:
            request: An authenticated request.
            view: An ApiView.

        Returns:
            True.

        Raises:
            ApiKeyRequired: There is no key, and API_READS requires one.
            OriginNotAllowed: The key is restricted to other origins.
        """
        endpoint = cast("ApiView", view)
        if endpoint.required_scopes(request.method):
            return True
        key = cast("ApiKeyInfo | None", request.auth)
        if key is not None:
            _check_origin(request, key)
            endpoint.page_origins = key.origins
        elif settings.API_READS == "keys":
            raise ApiKeyRequired
        return True


class WritePermission(BasePermission):
    """Methods that need a scope: by API_WRITES a key with the scope, anybody or nobody; never from a page of another site."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Check a method that needs a scope, and have it recorded in the audit log.

        Args:
            request: An authenticated request.
            view: An ApiView.

        Returns:
            True.

        Raises:
            WritesDisabled: API_WRITES is `off`.
            CrossSiteRequest: A page of another site sent the request.
            ApiKeyRequired: There is no key, and API_WRITES requires one.
            ScopeRequired: The key has none of the scopes.
        """
        endpoint = cast("ApiView", view)
        scopes = endpoint.required_scopes(request.method)
        if not scopes:
            return True
        if settings.API_WRITES == "off":
            raise WritesDisabled
        _check_same_site(request)
        check_scopes(request, scopes)
        key = cast("ApiKeyInfo | None", request.auth)
        audit.expect_change(request._request, f"api:{endpoint.endpoint}", actor=f"key {key.prefix}…" if key else "")
        return True


def check_scopes(request: Request, scopes: frozenset[str]) -> None:
    """Check the scopes of a request's key; for a view whose scopes depend on the object.

    Args:
        request: An authenticated request.
        scopes: The scopes of which one is required.

    Raises:
        ApiKeyRequired: There is no key, and API_WRITES requires one.
        ScopeRequired: The key has none of the scopes.
    """
    key = cast("ApiKeyInfo | None", request.auth)
    if key is None:
        if settings.API_WRITES == "keys":
            raise ApiKeyRequired
    elif not key.has_scope(scopes):
        raise ScopeRequired(key.prefix, scopes)


def _check_origin(request: Request, key: ApiKeyInfo) -> None:
    if not key.origins:
        return
    origin = request.headers.get("Origin") or _origin_of(request.headers.get("Referer", ""))
    if origin not in key.origins:
        raise OriginNotAllowed(key.prefix, origin)


def _check_same_site(request: Request) -> None:
    """Clients other than browsers send neither of these headers."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise CrossSiteRequest
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return
    if _origin_of(origin).partition("://")[2].lower() != request.get_host().lower():
        raise CrossSiteRequest


def _origin_of(url: str) -> str:
    """The origin of a URL; "" if it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
