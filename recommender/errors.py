"""Everything that can go wrong with a request to the recommender, by the domain's own names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RecommenderError(Exception):
    """Base of every error that this service raises on purpose; its message says what to do."""


class ProductNotFound(RecommenderError):
    """There is no such product, or it is not shown any more."""

    def __init__(self, product_id: int) -> None:
        super().__init__(f"there is no product {product_id}, or it is not shown any more")


class PageNotFound(RecommenderError):
    """The list is shorter than that."""


@dataclass(frozen=True, slots=True)
class ParameterError:
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class InvalidParameters(RecommenderError):
    """A request has parameters that cannot be used; every one of them is told."""

    def __init__(self, errors: Sequence[ParameterError]) -> None:
        super().__init__("; ".join(f"{error.parameter}: {error.detail}" for error in errors))
        self.errors = errors


class WritesDisabled(RecommenderError):
    """This server takes no training sets and no catalogues from the API."""

    def __init__(self) -> None:
        super().__init__(
            "imports and trainings by the API are switched off here: use the admin, or run manage.py import_catalog or"
            " manage.py train, or set API_WRITES=keys and make a secret key"
        )


class KeyRequired(RecommenderError):
    """There is no API key with the request, and it cannot go without one."""

    def __init__(self) -> None:
        super().__init__("there is no API key: send one as `Authorization: Bearer KEY` or `X-API-Key: KEY`")


class KeyRejected(RecommenderError):
    """The API key of the request is not good; the message says why, and never what the key is."""


class ScopeMissing(RecommenderError):
    """The API key is good, and not for this."""


class OriginRefused(RecommenderError):
    """The API key is not for the page that uses it."""


class RateExceeded(RecommenderError):
    """Too many requests in a minute. retry_after_s: when the next one may come."""

    def __init__(self, allowed: int, retry_after_s: int) -> None:
        super().__init__(f"more than {allowed:,} requests in a minute: ask again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class UploadTooLarge(RecommenderError):
    """More bytes than may be sent."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the file is larger than {limit:,} bytes: divide it, or run manage.py import_catalog")


class CrossSiteRequest(RecommenderError):
    """A page of another site has its visitor's browser ask for something that only pages of this server may ask for."""

    def __init__(self) -> None:
        super().__init__("a page of another site may not ask for this")
