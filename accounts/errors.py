"""The errors of authentication, permission and throttling."""

from __future__ import annotations


class AccountsError(Exception):
    """Base class of the errors that this app raises on purpose; the message says what to do."""


class WritesDisabled(AccountsError):
    """This server takes no training sets and no catalogues from the API."""

    def __init__(self) -> None:
        super().__init__(
            "imports and trainings by the API are switched off here: use the admin, or run manage.py import_catalog or"
            " manage.py train, or set API_WRITES=keys and make a secret key"
        )


class KeyRequired(AccountsError):
    """There is no API key with the request, and it cannot go without one."""

    def __init__(self) -> None:
        super().__init__("there is no API key: send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`")


class KeyRejected(AccountsError):
    """The API key of the request is not good; the message says why, and never what the key is."""


class ScopeMissing(AccountsError):
    """The API key is good, and not for this."""


class OriginRefused(AccountsError):
    """The API key is not for the page that uses it."""


class RateExceeded(AccountsError):
    """Too many requests in a minute. retry_after_s: when the next one may come."""

    def __init__(self, allowed: int, retry_after_s: int) -> None:
        super().__init__(f"more than {allowed:,} requests in a minute: ask again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class CrossSiteRequest(AccountsError):
    """A page of another site has its visitor's browser ask for something that only pages of this server may ask for."""

    def __init__(self) -> None:
        super().__init__("a page of another site may not ask for this")
