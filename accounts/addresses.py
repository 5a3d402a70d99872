"""Where a request comes from, with proxies in between."""

from __future__ import annotations

import logging
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

logger = logging.getLogger(__name__)

# An IPv6 household has a network of its own, and may take any address of it.
_IPV6_NETWORK_BITS = 64
# An address, as django-axes finds no tries again that came from none.
_UNKNOWN = "0.0.0.0"  # noqa: S104


def remote_address(request: HttpRequest) -> str:
    """The client's address, or "". Of X-Forwarded-For, what the last TRUSTED_PROXIES proxies wrote; the rest anybody may write."""
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    proxies = settings.TRUSTED_PROXIES
    if forwarded and not proxies:
        _warn_once()
    named = forwarded[-min(proxies, len(forwarded))] if proxies and forwarded else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(named))
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _warn_once() -> None:
    logger.warning(
        "requests come with X-Forwarded-For, which nobody is trusted to write: where a proxy stands before this server, all its"
        " visitors count as one; set TRUSTED_PROXIES to the number of proxies"
    )


def remote_network(request: HttpRequest) -> str:
    """Whom to count together, by an address: an IPv4 address, or the first of an IPv6 /64; where nobody says, all of those."""
    address = remote_address(request)
    if not address:
        return _UNKNOWN
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed.packed, _IPV6_NETWORK_BITS), strict=False).network_address)
