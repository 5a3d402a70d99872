"""The errors of authentication, permission and throttling."""

from __future__ import annotations

from collections.abc import Iterable


class AccountsError(Exception):
    """Base class of the errors that this app raises on purpose."""


class WritesDisabled(AccountsError):
    """The setting API_WRITES is `off`: nobody may write through the API."""

    def __init__(self) -> None:
        super().__init__("imports and trainings through the API are disabled on this server")


class ApiKeyRequired(AccountsError):
    """The request has no API key, and needs one."""

    def __init__(self) -> None:
        super().__init__("an API key is required: send it as `Authorization: Bearer KEY` or `X-API-Key: KEY`")


class InvalidApiKey(AccountsError):
    """The API key of the request is unknown, revoked, expired or in the wrong place; the message never contains the key."""


class ScopeRequired(AccountsError):
    """The API key is valid, but has none of the required scopes.

    Args:
        prefix: First characters of the key.
        scopes: The scopes of which one is required.
    """

    def __init__(self, prefix: str, scopes: Iterable[str]) -> None:
        wanted = " or ".join(sorted(scopes))
        super().__init__(f"the key {prefix}… lacks the scope {wanted}: use a secret key that has it")


class OriginNotAllowed(AccountsError):
    """The API key is restricted to origins, and the request comes from another one or from none.

    Args:
        prefix: First characters of the key.
        origin: Origin of the page that sent the request; "" if the request does not name one.
    """

    def __init__(self, prefix: str, origin: str) -> None:
        super().__init__(
            f"the origin {origin} is not allowed for the key {prefix}…: add it to the key's origins"
            if origin
            else f"the key {prefix}… is restricted to origins, and the request has no Origin or Referer header: use a secret key"
            " on a server"
        )


class RateLimitExceeded(AccountsError):
    """A client has sent more requests in this minute than its rate limit allows.

    Args:
        limit: Requests per minute.
        retry_after_s: Seconds until the next minute begins.
    """

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(f"the rate limit of {limit:,} requests per minute is exceeded: retry in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class CrossSiteRequest(AccountsError):
    """A browser sent the request on behalf of a page of another site, which only this server's own pages may do."""

    def __init__(self) -> None:
        super().__init__("this request is not allowed from another site")
