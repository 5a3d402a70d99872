"""The metrics of requests to the API: how many, and how long each took."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Histogram

REQUEST_SECONDS = "lookalike_request_seconds"

_SECONDS = Histogram(
    REQUEST_SECONDS,
    "Time to respond to a request.",
    ["endpoint"],
    buckets=(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 10, 60),
)
_REQUESTS = Counter("lookalike_requests", "Requests to the API.", ["endpoint", "method", "status"])
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe_request(endpoint: str, method: str, status: int, seconds: float) -> None:
    """Count a request that was answered.

    Args:
        endpoint: Label of the endpoint.
        method: HTTP method as the client sent it.
        status: HTTP status of the response.
        seconds: How long the response took.
    """
    # A client can invent methods, and every label value is kept for good.
    duration, count = _labelled(endpoint, method if method in _METHODS else "other", status)
    duration.observe(seconds)
    count.inc()


@cache
def _labelled(endpoint: str, method: str, status: int) -> tuple[Histogram, Counter]:
    return _SECONDS.labels(endpoint), _REQUESTS.labels(endpoint, method, status)
