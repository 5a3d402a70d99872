"""Whole answers beside products, kept by ETag, and what an ETag stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from rest_framework.request import Request

from catalog.api.references import ProductReference
from catalog.kept import Kept
from recommender.editions import Edition
from recommender.queries import Recommendations, SimilarQuery

Recommend = Callable[[int, SimilarQuery], Recommendations]


class KeptAnswers(Kept[str, bytes]):
    """Whole answers by ETag, in 32 MB: some 6,000 of ten products.

    An ETag stands for all that an answer is made of, see `tag_of`, so that a kept answer is as good as status 304. All else is done
    for each request: its key, its limits, and the headers, which say who may keep the answer.
    """

    most = 32 * 1024**2

    def size(self, value: bytes) -> int:
        """Bytes, with those of its key and of the table."""
        return len(value) + 250


def tag_of(
    request: Request,
    base: str,
    reference: ProductReference,
    query: SimilarQuery,
    recommend: Recommend,
    edition: Edition,
) -> str | None:
    """The ETag of an answer.

    Args:
        request: its query string says what is asked for.
        base: from `rest.addresses.base_address`.
        reference: the product.
        query: what the query string was read as.
        recommend: what answers it.
        edition: of the answer.

    Returns:
        The ETag of what a request for it gets now; None where it may be something else at any time.
    """
    if edition.text is None:
        return None
    # The shop's currency stands for that of prices without one.
    asks_for = (recommend.__name__, reference, request._request.META.get("QUERY_STRING", ""), query.filter.currency)
    facts = repr((edition.text, base, asks_for))
    return f'"{hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()}"'
