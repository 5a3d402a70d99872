"""How many requests somebody has made in this minute, over all processes that share a cache."""

from __future__ import annotations

import logging
import math
import time

from django.core.cache import BaseCache, caches
from redis.exceptions import RedisError

from accounts.errors import RateExceeded

logger = logging.getLogger(__name__)

WINDOW_S = 60
# A cache that does not answer is left alone for so long, and each process counts for itself meanwhile.
_LEAVE_ALONE_S = 10.0

_away_until = float("-inf")


def count(who: str, requests: int, allowed: int) -> None:
    """Count so many requests of `who`. allowed: in a minute of the clock, 0 for any number. Raises RateExceeded."""
    if not allowed:
        return
    now = time.time()
    window = int(now // WINDOW_S)
    if _counted(f"requests:{who}:{window}", requests) > allowed:
        raise RateExceeded(allowed, retry_after_s=math.ceil((window + 1) * WINDOW_S - now))


def _counted(key: str, requests: int) -> int:
    global _away_until
    if time.monotonic() >= _away_until:
        try:
            return _add(caches["default"], key, requests)
        except RedisError as error:
            _away_until = time.monotonic() + _LEAVE_ALONE_S
            logger.warning("the cache does not answer, so that each process counts requests for itself: %s", error)
    return _add(caches["requests"], key, requests)


def _add(cache: BaseCache, key: str, requests: int) -> int:
    try:
        return int(cache.incr(key, requests))
    except ValueError:
        # Nothing is counted yet; another process may have begun meanwhile.
        cache.add(key, 0, timeout=2 * WINDOW_S)
        return int(cache.incr(key, requests))
