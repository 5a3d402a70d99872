"""The IP address of a client, with proxies in between."""

from __future__ import annotations

import logging
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

logger = logging.getLogger(__name__)

# A household with IPv6 has a network of this size, and may use any address of it.
_IPV6_NETWORK_BITS = 64
# Stands for an unknown address, because django-axes does not find attempts again whose address is empty.
_UNKNOWN = "0.0.0.0"  # noqa: S104


def client_ip(request: HttpRequest) -> str:
    """The IP address of the client.

    Args:
        request: Of its X-Forwarded-For header only the part that the last TRUSTED_PROXIES proxies wrote is trusted.

    Returns:
        The address in its canonical form, or "" if it is unknown.
    """
    forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    proxies = settings.TRUSTED_PROXIES
    if forwarded and not proxies:
        _warn_untrusted_proxy_once()
    address = forwarded[-min(proxies, len(forwarded))] if proxies and forwarded else request.META.get("REMOTE_ADDR", "")
    return _canonical(address)


@lru_cache(maxsize=4096)
def _canonical(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return ""


@lru_cache(maxsize=1)
def _warn_untrusted_proxy_once() -> None:
    logger.warning(
        "requests have an X-Forwarded-For header, but no proxy is trusted: behind a proxy all visitors count as one client;"
        " set TRUSTED_PROXIES to the number of proxies"
    )


def client_network(request: HttpRequest) -> str:
    """What counts as one client for rate limits and failed sign-ins.

    Args:
        request: The request.

    Returns:
        An IPv4 address, or the network address of an IPv6 /64; one value for all unknown addresses.
    """
    return _network_of(client_ip(request))


@lru_cache(maxsize=4096)
def _network_of(address: str) -> str:
    if not address:
        return _UNKNOWN
    parsed = ip_address(address)
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed.packed, _IPV6_NETWORK_BITS), strict=False).network_address)
