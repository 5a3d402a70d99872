"""The parameters of the recommender's endpoints."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.fields import empty

from catalog.api.parameters import FilterParameters
from embeddings.training.config import Knob, api_knobs
from recommender.models import COLLECTION_LENGTH
from recommender.pipeline import DEFAULT_COLLECTION, DEFAULT_LIMIT
from rest.parameters import (
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    NumberParameter,
    Parameter,
    Parameters,
    TextParameter,
)

MAX_LIMIT = 100
_MAX_SCORE = 1e9


class SearchParameters(FilterParameters):
    """The parameters of a search: the fields of SearchQuery."""

    limit = IntegerParameter("Maximum number of products.", minimum=1, maximum=MAX_LIMIT, default=DEFAULT_LIMIT)
    diversity = NumberParameter(
        "Weight of diversity in maximal marginal relevance: 0 is nearest first, 1 is maximum diversity.",
        minimum=0,
        maximum=1,
        default=0.0,
    )
    min_score = NumberParameter(
        "Score threshold: the minimum for cosine and dot, the maximum distance for l1 and l2. Ignored for fallback results, "
        "which have no scores.",
        minimum=-_MAX_SCORE,
        maximum=_MAX_SCORE,
    )
    min_confidence = NumberParameter(
        "Minimum confidence. Ignored if the encoder version has no calibration (confidence is null).",
        minimum=0,
        maximum=1,
    )


class SimilarParameters(SearchParameters):
    """The parameters of `GET /api/products/<id>/similar`: the fields of SimilarQuery."""

    collection = TextParameter("Collection to search.", max_length=COLLECTION_LENGTH, default=DEFAULT_COLLECTION)


class TrainingParameters(Parameters):
    """The parameters of `POST /api/collections/<slug>/train`: those of a training that the API offers, and `activate`."""

    activate = BooleanParameter(
        "Activate the new version when it is trained and the catalogue is embedded with it.", default=False
    )

    def get_fields(self) -> dict[str, Any]:
        """One parameter for each knob, then the declared ones."""
        return {**{knob.name: _parameter(knob) for knob in api_knobs()}, **super().get_fields()}


def _parameter(knob: Knob) -> Parameter:
    default = knob.default if knob.api == "default" else empty
    if knob.name == "backbone":
        # Not a path or a URL: the server would open whatever a client names.
        help_text = "Backbone to fine-tune: `bundled`, or a name in the server's setting BACKBONES."
        return ChoiceParameter(help_text, choices=lambda: settings.BACKBONES, default=default)
    if knob.choices:
        return ChoiceParameter(knob.help, choices=knob.choices, default=default)
    low, high = knob.bounds or (0, 0)
    if knob.kind is int:
        return IntegerParameter(knob.help, minimum=int(low), maximum=int(high), default=default)
    return NumberParameter(knob.help, minimum=low, maximum=high, default=default)
