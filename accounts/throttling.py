"""Rate limits: requests per minute of each address and of each key, counted over all processes that share a cache."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.core.cache import BaseCache, caches
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.addresses import client_network
from accounts.errors import RateLimitExceeded
from accounts.keys import ApiKeyInfo
from rest.rate_limits import RateLimit, note

if TYPE_CHECKING:
    # REST framework's views import the classes that the setting REST_FRAMEWORK names.
    from rest_framework.views import APIView

    from rest.views import ApiView

logger = logging.getLogger(__name__)

WINDOW_S = 60
# A shared cache that does not respond is not asked again for so long; each process counts for itself meanwhile.
_CACHE_RETRY_S = 10.0
_CACHE_DOWN = "throttling.cache_down"


class AddressThrottle(BaseThrottle):
    """Limits each address that sends no key or a publishable one, which everybody can read (API_REQUESTS_PER_MINUTE)."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request.

        Args:
            request: An authenticated request.
            view: An ApiView, for its cost.

        Returns:
            True.

        Raises:
            RateLimitExceeded: Raised instead of returning False, after which REST framework would ask the other throttles:
                a visitor above the limit must not use up the limit of a key.
        """
        self.count(request, _cost(view))
        return True

    def count(self, request: Request, cost: int) -> None:
        """Count a request that costs so much, as `allow_request` does."""
        if counts_for_address(request):
            _count_address(request, cost)


class KeyThrottle(BaseThrottle):
    """Limits each key: by its own number of requests per minute, or by KEY_REQUESTS_PER_MINUTE."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request.

        Args:
            request: An authenticated request.
            view: An ApiView, for its cost.

        Returns:
            True.

        Raises:
            RateLimitExceeded: The key is above its limit.
        """
        self.count(request, _cost(view))
        return True

    def count(self, request: Request, cost: int) -> None:
        """Count a request that costs so much, as `allow_request` does."""
        key = cast("ApiKeyInfo | None", request.auth)
        if key is not None:
            limit = settings.KEY_REQUESTS_PER_MINUTE if key.requests_per_minute is None else key.requests_per_minute
            _count(request, "key", f"key:{key.id}", cost, limit)


def counts_for_address(request: Request) -> bool:
    """Whether a request has no key or a publishable one, so that what it does counts for the address that it comes from."""
    key = cast("ApiKeyInfo | None", request.auth)
    return key is None or key.publishable


def count_address(request: Request, view: APIView) -> None:
    """Count a request for the address that it comes from.

    Args:
        request: The request; it may be one without a valid key.
        view: An ApiView, for its cost.

    Raises:
        RateLimitExceeded: The address is above API_REQUESTS_PER_MINUTE.
    """
    _count_address(request, _cost(view))


def _count_address(request: Request, cost: int) -> None:
    address = client_network(request._request)
    _count(request, "address", f"from:{address}", cost, settings.API_REQUESTS_PER_MINUTE)


def _count(request: Request, policy: str, client: str, cost: int, limit: int) -> None:
    """Count a request, and have the response say what is left. Raises RateLimitExceeded."""
    if not limit:
        return
    now = time.time()
    count = count_requests(client, cost, now)
    reset_s = math.ceil((now // WINDOW_S + 1) * WINDOW_S - now)
    note(request._request, RateLimit(policy, limit, WINDOW_S, max(limit - count, 0), reset_s))
    if count > limit:
        raise RateLimitExceeded(limit, retry_after_s=reset_s)


def count_further(request: Request, cost: int) -> None:
    """Count a request again that has turned out to cost more than its view says.

    Args:
        request: An authenticated request that the throttles have allowed.
        cost: How many requests to add; 0 for none.

    Raises:
        RateLimitExceeded: The address or the key is above its limit now.
    """
    if cost:
        for throttle in (AddressThrottle(), KeyThrottle()):
            throttle.count(request, cost)


def count_in_window(client: str, amount: int, window_s: int, now: float) -> tuple[int, int]:
    """Count something else than requests, over all processes that share a cache.

    Args:
        client: Whose and what, e.g. "events:all".
        amount: How much to add.
        window_s: Length of the window in seconds of the clock.
        now: Seconds since the epoch.

    Returns:
        How much the window has, and seconds until the next begins.
    """
    number = int(now // window_s)
    return _window_count(f"{client}:{window_s}:{number}", amount, window_s), math.ceil((number + 1) * window_s - now)


def count_requests(client: str, cost: int, now: float) -> int:
    """Count requests of a client in a window, a minute of the clock.

    Args:
        client: Whose requests, e.g. "key:7".
        cost: How many requests to add.
        now: Seconds since the epoch.

    Returns:
        How many requests of the client the window has.
    """
    return _window_count(f"requests:{client}:{int(now // WINDOW_S)}", cost, WINDOW_S)


def _cost(view: APIView) -> int:
    return cast("ApiView", view).throttle_cost


def _window_count(key: str, cost: int, window_s: int) -> int:
    # Without Redis both caches are this process's own.
    if settings.REDIS_URL and _CACHE_DOWN not in caches["process"]:
        # Not above: a process without Redis does without it.
        from redis.exceptions import RedisError

        try:
            return _increment(caches["default"], key, cost, window_s)
        except RedisError as error:
            caches["process"].set(_CACHE_DOWN, True, _CACHE_RETRY_S)
            logger.warning("cache unavailable, rate limits are counted per process: %s", error)
    return _increment(caches["requests"], key, cost, window_s)


def _increment(cache: BaseCache, key: str, cost: int, window_s: int) -> int:
    try:
        return int(cache.incr(key, cost))
    except ValueError:
        # The window's first request; another process may add the key at the same time.
        cache.add(key, 0, timeout=2 * window_s)
        return int(cache.incr(key, cost))
