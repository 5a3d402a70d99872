"""API keys as REST framework's authentication."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import keys
from accounts.errors import InvalidApiKey
from accounts.keys import ApiKeyInfo
from accounts.models import ApiKey
from accounts.throttling import count_address

# For requests that a browser sends without headers.
KEY_PARAMETER = "api_key"

_SECRET_PREFIX = ApiKey.PREFIXES[ApiKey.Kind.SECRET]


class ApiKeyAuthentication(BaseAuthentication):
    """Authenticates by `Authorization: Bearer`, `X-API-Key` or, where the view accepts it, a query parameter."""

    def authenticate(self, request: Request) -> tuple[None, ApiKeyInfo] | None:
        """The key of a request.

        Args:
            request: The request of an ApiView.

        Returns:
            No user and the key, or None for a request without a key.

        Raises:
            InvalidApiKey: The key is unknown, revoked or expired, or a secret key is in the URL.
            RateLimitExceeded: The address has sent too many requests; this is how trying keys is limited.
        """
        view = request.parser_context["view"]
        try:
            return _authenticate(request, in_query=view.accepts_key_in_query)
        except InvalidApiKey:
            count_address(request, view)
            raise


def _authenticate(request: Request, *, in_query: bool) -> tuple[None, ApiKeyInfo] | None:
    headers = request._request.META
    in_url = _keys_in_url(request)
    if any(value.strip().startswith(_SECRET_PREFIX) for value in in_url):
        raise InvalidApiKey(
            "a secret key must not be in a URL, because logs and browser histories keep it: revoke it, and send a new key as"
            " `Authorization: Bearer KEY`"
        )
    scheme, _, token = headers.get("HTTP_AUTHORIZATION", "").partition(" ")
    text = (token if scheme.lower() == "bearer" else headers.get("HTTP_X_API_KEY", "")).strip()
    if not text and in_query and in_url:
        text = in_url[-1]
    return (None, keys.authenticate(text)) if text else None


def _keys_in_url(request: Request) -> list[str]:
    """Keys in the query string, which is parsed only if it may have one."""
    text = request._request.META.get("QUERY_STRING", "")
    return request.query_params.getlist(KEY_PARAMETER) if KEY_PARAMETER in text or "%" in text else []
