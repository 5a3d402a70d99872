"""The problem types of authentication, permission and throttling."""

from __future__ import annotations

from http import HTTPStatus
from operator import attrgetter

from accounts.errors import (
    ApiKeyRequired,
    CrossSiteRequest,
    InvalidApiKey,
    OriginNotAllowed,
    RateLimitExceeded,
    ScopeRequired,
    WritesDisabled,
)
from rest.problems import ProblemType, ProblemTypes

WRITES_DISABLED = ProblemType(HTTPStatus.FORBIDDEN, "writes-disabled", "Write access is disabled")
KEY_REQUIRED = ProblemType(HTTPStatus.UNAUTHORIZED, "key-required", "API key required")
KEY_REJECTED = ProblemType(HTTPStatus.UNAUTHORIZED, "key-rejected", "Invalid API key")
SCOPE_MISSING = ProblemType(HTTPStatus.FORBIDDEN, "scope-missing", "API key lacks the required scope")
ORIGIN_REFUSED = ProblemType(HTTPStatus.FORBIDDEN, "origin-refused", "Origin not allowed for this API key")
RATE_EXCEEDED = ProblemType(
    HTTPStatus.TOO_MANY_REQUESTS, "rate-exceeded", "Rate limit exceeded", retry_after_s=attrgetter("retry_after_s")
)
CROSS_SITE = ProblemType(HTTPStatus.FORBIDDEN, "cross-site", "Cross-site request not allowed")

PROBLEM_TYPES: ProblemTypes = {
    WritesDisabled: WRITES_DISABLED,
    ApiKeyRequired: KEY_REQUIRED,
    InvalidApiKey: KEY_REJECTED,
    ScopeRequired: SCOPE_MISSING,
    OriginNotAllowed: ORIGIN_REFUSED,
    RateLimitExceeded: RATE_EXCEEDED,
    CrossSiteRequest: CROSS_SITE,
}
