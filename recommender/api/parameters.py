"""The parameters of the recommender's endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.http import QueryDict

from catalog.api.parameters import FilterParameters
from embeddings.parts.layout import MODES, PARTS, Weights
from recommender.models import COLLECTION_LENGTH
from recommender.pipeline import DEFAULT_COLLECTION, DEFAULT_LIMIT
from recommender.strip_pages import texts
from rest.errors import ParameterError
from rest.parameters import (
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    NumberParameter,
    Parameter,
    Schema,
    TextParameter,
)

MAX_LIMIT = 100
MAX_OFFSET = 1000
_MAX_SCORE = 1e9


_NUMBER = r"-?(?:1(?:\.0{1,6})?|0?\.[0-9]{1,6}|0)"
_WEIGHT = f"(?:{'|'.join(PARTS)}):{_NUMBER}"


class WeightsParameter(Parameter):
    """What each part of a vector counts: `shape:1,colour:0.5,pattern:0.2`."""

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{_WEIGHT}(?:,{_WEIGHT}){{0,{len(PARTS) - 1}}}$"}

    def parse(self, text: str) -> Weights:
        return Weights.parse(text)


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
    weights = WeightsParameter(
        f"What each part of the photos counts ({', '.join(PARTS)}), -1 to 1. A part that is not named counts nothing; below 0,"
        " what differs in it is preferred. Without it, what the collection has found in its catalogue.",
        example="shape:1,colour:0.5,pattern:0.2",
    )
    mode = ChoiceParameter(
        "Weights by name, instead of `weights`: the same shape in another colour, or the same colour in another shape.",
        choices=[*MODES],
    )
    explain = BooleanParameter(
        "Whether to say what merchandising rules did, in `explanation`. Takes twice as long.", default=False
    )

    @classmethod
    def parse(cls, *sources: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
        """See Parameters; the weights of a mode are in `weights`."""
        values = super().parse(*sources, errors=errors)
        mode = values.pop("mode", None)
        return values if mode is None else {**values, "weights": MODES[mode]}

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:
        """Weights twice."""
        yield from super().conflicts(values)
        if "mode" in values and "weights" in values:
            yield ParameterError("mode", "cannot be given with weights: it stands for weights")


class SimilarParameters(SearchParameters):
    """The parameters of `GET /api/products/<id>/similar`: the fields of SimilarQuery."""

    # Those that say how an answer is written.
    own_names: ClassVar[frozenset[str]] = frozenset()

    collection = TextParameter("Collection to search.", max_length=COLLECTION_LENGTH, default=DEFAULT_COLLECTION)


class StripParameters(SimilarParameters):
    """The parameters of `GET /api/products/<id>/similar.html`: those of similar products, and how the strip is written."""

    own_names: ClassVar[frozenset[str]] = frozenset({"heading", "lang", "mail"})

    heading = TextParameter("Heading of the strip, and its name for screen readers.", max_length=200, default="")
    lang = ChoiceParameter("Language of the texts and prices.", choices=tuple(texts()), default="en")
    mail = BooleanParameter(
        "Whether the strip is for mail: with styles in the elements, and without the data that the widget reads.",
        default=False,
    )

    def get_fields(self) -> dict[str, Any]:
        """All but `explain`."""
        return {name: each for name, each in super().get_fields().items() if name != "explain"}


class SubstituteParameters(SimilarParameters):
    """The parameters of `GET /api/products/<id>/substitutes`: those of similar products. Only what is in stock is returned."""

    def get_fields(self) -> dict[str, Any]:
        """All but `available`."""
        return {name: each for name, each in super().get_fields().items() if name != "available"}
