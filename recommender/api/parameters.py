"""The parameters of the recommender's endpoints."""

from __future__ import annotations

from typing import Any

from catalog.api.parameters import FilterParameters
from recommender.models import COLLECTION_LENGTH
from recommender.pipeline import DEFAULT_COLLECTION, DEFAULT_LIMIT
from rest.parameters import (
    BooleanParameter,
    IntegerParameter,
    NumberParameter,
    TextParameter,
)

MAX_LIMIT = 100
MAX_OFFSET = 1000
_MAX_SCORE = 1e9


class SearchParameters(FilterParameters):
    """The parameters of a search: the fields of SearchQuery."""

    limit = IntegerParameter("Maximum number of products.", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)
    offset = IntegerParameter(
        "Number of the best products that are passed over: with `limit`, the pages of an answer.",
        minimum=0,
        maximum=MAX_OFFSET,
        default=0,
    )
    diversity = NumberParameter(
        "Weight of diversity in maximal marginal relevance: 0 is nearest first, 1 is maximum diversity.",
        minimum=0,
        maximum=1,
        default=0,
    )
    min_score = NumberParameter(
        "Score threshold: the minimum for cosine and dot, the maximum distance for l1 and l2. Ignored for fallback results, "
        "which have no scores.",
        minimum=-_MAX_SCORE,
        maximum=_MAX_SCORE,
    )
    max_score = NumberParameter(
        "The maximum for cosine and dot, the minimum distance for l1 and l2: leaves out what is nearly the same. Ignored for "
        "fallback results.",
        minimum=-_MAX_SCORE,
        maximum=_MAX_SCORE,
    )
    min_confidence = NumberParameter(
        "Minimum confidence. Ignored if the encoder version has no calibration (confidence is null).",
        minimum=0,
        maximum=1,
    )
    explain = BooleanParameter(
        "Whether to say what merchandising rules did, in `explanation`. Takes twice as long.", default=False
    )


class SimilarParameters(SearchParameters):
    """The parameters of `GET /api/products/<id>/similar`: the fields of SimilarQuery."""

    collection = TextParameter("Collection to search.", max_length=COLLECTION_LENGTH, default=DEFAULT_COLLECTION)


class SubstituteParameters(SimilarParameters):
    """The parameters of `GET /api/products/<id>/substitutes`: those of similar products. Only what is in stock is returned."""

    def get_fields(self) -> dict[str, Any]:
        """All but `available`."""
        return {name: each for name, each in super().get_fields().items() if name != "available"}
