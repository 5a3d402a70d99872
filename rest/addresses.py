"""Absolute addresses in answers: servers, mails and apps have no page that a path could be relative to."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils.encoding import iri_to_uri
from rest_framework.request import Request

_API = re.compile(r".*?/api(?:/v1)?(?=/|$)")


def base_address(request: Request | HttpRequest) -> str:
    """Where clients reach the root of this server.

    Args:
        request: the request that is answered.

    Returns:
        The setting PUBLIC_URL; without it, scheme, host and script prefix of the request. No slash at the end.
    """
    public: str = settings.PUBLIC_URL
    if public:
        return public
    # REST framework's request asks itself first for each attribute.
    plain = getattr(request, "_request", request)
    # As `build_absolute_uri`, which takes the address apart and puts it together again.
    prefix = get_script_prefix()
    path = "" if prefix == "/" else iri_to_uri(prefix).rstrip("/")
    return f"{plain.scheme}://{plain.get_host()}{path}"


def absolute(base: str, url: str) -> str:
    """Make a URL of this server absolute.

    Args:
        base: from `base_address`.
        url: a path from the root, with or without the script prefix; or a URL with a host, as of a CDN.

    Returns:
        The path below the base; a URL with a host as it is.
    """
    if not url.startswith("/") or url.startswith("//"):
        return url
    prefix = get_script_prefix()
    return f"{base}/{url[len(prefix) :] if url.startswith(prefix) else url.lstrip('/')}"


def api_address(request: Request | HttpRequest) -> str:
    """The address of the API, with the version if the request has it.

    Args:
        request: to any endpoint of the API.

    Returns:
        The absolute address, e.g. `https://shop.example/api`.
    """
    match = _API.match(address_of(request))
    return match[0] if match else address_of(request)


def address_of(request: Request | HttpRequest) -> str:
    """The address of a request, without its query string.

    Args:
        request: the request that is answered.

    Returns:
        The absolute address, as clients reach it.
    """
    return absolute(base_address(request), request.path)
