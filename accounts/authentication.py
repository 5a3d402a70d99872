"""Who may call the API: keys, the pages that may use them, and how often."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import keys
from accounts.addresses import remote_network
from accounts.errors import CrossSiteRequest, KeyRejected, KeyRequired, OriginRefused, ScopeMissing, WritesDisabled
from accounts.keys import Key, Scope
from accounts.models import ApiKey
from accounts.throttling import count

# Where a browser cannot send headers with what it sends.
KEY_PARAMETER = "api_key"

_SECRET = ApiKey.PREFIXES[ApiKey.Kind.SECRET]


class ApiKeyAuthentication(BaseAuthentication):
    """Knows a key by `Authorization: Bearer`, by `X-API-Key`, or, where the view takes it there, by the address."""

    def authenticate(self, request: Request) -> tuple[None, Key] | None:
        """The key of the request; None without one. Raises KeyRejected."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        text = token if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
        if any(given.strip().startswith(_SECRET) for given in request.query_params.getlist(KEY_PARAMETER)):
            raise KeyRejected(
                "a secret key never goes into an address, which logs and histories keep: revoke it, and send the new one"
                " as `Authorization: Bearer KEY`"
            )
        view = request.parser_context["view"]
        text = text.strip() or (request.query_params.get(KEY_PARAMETER, "") if view.takes_key_in_address else "")
        return (None, keys.known(text)) if text else None


def check_read(request: Request, key: Key | None) -> None:
    """Raises KeyRequired or OriginRefused."""
    if key is None:
        if settings.API_READS == "keys":
            raise KeyRequired
    else:
        _check_origin(request, key)


def check_write(request: Request, key: Key | None, scopes: frozenset[Scope]) -> None:
    """For what needs one of these scopes. Raises WritesDisabled, CrossSiteRequest, KeyRequired or ScopeMissing."""
    if settings.API_WRITES == "off":
        raise WritesDisabled
    _refuse_other_sites(request)
    if key is None:
        if settings.API_WRITES == "keys":
            raise KeyRequired
    elif not key.may(scopes):
        wanted = " or ".join(sorted(scopes))
        raise ScopeMissing(
            f"the key {key.prefix}… may not {wanted}: use a secret key that may (admin, API keys; or manage.py api_key)"
        )


def count_request_of(request: Request, key: Key | None, cost: int) -> None:
    """Raises RateExceeded. A key in a page is everybody's: each visitor is counted, and who is refused uses up none of it."""
    if key is None or key.publishable:
        count(f"from:{remote_network(request)}", cost, settings.API_REQUESTS_PER_MINUTE)
    if key is not None:
        allowed = key.requests_per_minute
        count(f"key:{key.id}", cost, settings.KEY_REQUESTS_PER_MINUTE if allowed is None else allowed)


def _check_origin(request: Request, key: Key) -> None:
    """The page says where it is by one header or the other. Raises OriginRefused."""
    if not key.origins:
        return
    page = request.headers.get("Origin") or _origin_of(request.headers.get("Referer", ""))
    if page in key.origins:
        return
    if page:
        raise OriginRefused(f"the key {key.prefix}… is not for pages of {page}: add it to the key's origins")
    raise OriginRefused(f"the key {key.prefix}… is for pages, which say where they are: a server takes a secret key")


def _origin_of(address: str) -> str:
    """The origin of an address; "" for none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _refuse_other_sites(request: Request) -> None:
    """Raises CrossSiteRequest. Whoever calls without a browser sends neither header."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise CrossSiteRequest
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return
    if _origin_of(origin).partition("://")[2].lower() != request.get_host().lower():
        raise CrossSiteRequest


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes keys."""

    target_class = ApiKeyAuthentication
    name = ["bearer", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        """Both headers."""
        told = "An API key: publishable (pk_…) to read, secret (sk_…) to write."
        return [
            {"type": "http", "scheme": "bearer", "description": told},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": told},
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either of the two, or none where this server asks for none."""
        writes = auto_schema.method in auto_schema.view.write_scopes
        is_open = settings.API_WRITES == "open" if writes else settings.API_READS == "open"
        return [{name: []} for name in self.name] + ([{}] if is_open else [])
