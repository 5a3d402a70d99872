"""Recommendations and jobs as the API shows them: the JSON, and its serializers for the OpenAPI schema."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from catalog.api.serializers import ProductSerializer, product_cards
from recommender.pipeline import Recommendations
from recommender.rules.explanation import Explanation
from recommender.rules.plan import Place

# Scores are float32; more digits are noise.
_SCORE_DIGITS = 6
_CONFIDENCE_DIGITS = 4


def recommendations(recommended: Recommendations, base: str, *, product_id: int | None = None) -> dict[str, Any]:
    """The JSON of recommendations.

    Args:
        recommended: what was recommended.
        base: from `rest.addresses.base_address`.
        product_id: the product that the recommendations are for; None after a search.

    Returns:
        An object as SimilarResponseSerializer describes it, after a search as SearchResponseSerializer does.
    """
    results = recommended.results
    body: dict[str, Any] = {} if product_id is None else {"product": product_id}
    body["collection"] = recommended.collection
    body["encoder"] = recommended.encoder
    body["results"] = [
        {
            "product": card,
            "score": None if each.score is None else round(each.score, _SCORE_DIGITS),
            "confidence": None if each.confidence is None else round(each.confidence, _CONFIDENCE_DIGITS),
            "matched_image": each.matched_image,
            "query_image": each.query_image,
        }
        for card, each in zip(product_cards((each.product for each in results), base), results, strict=True)
    ]
    body["weights"] = None if recommended.weights is None else recommended.weights.as_dict()
    if product_id is not None:
        body["fallback"] = recommended.fallback
    if recommended.explanation is not None:
        body["explanation"] = _explanation(recommended.explanation)
    return body


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {
        "rule_set": explanation.rule_set,
        "rules": [
            {**asdict(each.rule), "place": each.place, "products": [*each.products], "lost": [*each.lost]}
            for each in explanation.rules
        ],
    }


@extend_schema_serializer(component_name="RecommendationSchema")
class RecommendationSerializer(serializers.Serializer[Any]):
    """A recommended product."""

    product = ProductSerializer()
    score = serializers.FloatField(
        allow_null=True,
        help_text="Similarity for cosine and dot (higher is nearer), distance for l1 and l2 (lower is nearer); with colour and "
        "pattern, the mean of the parts' cosines by their weights. null for "
        "fallback results, and where a rule brought in a product that is far away.",
    )
    confidence = serializers.FloatField(
        allow_null=True,
        help_text="Calibrated probability, 0 to 1, that the product is of the same kind, by its shape alone; null if the encoder "
        "version has no calibration.",
    )
    matched_image = serializers.IntegerField(
        allow_null=True,
        help_text="Id of the photo of this product that matches best, as in `images` of the product; null without a score.",
    )
    query_image = serializers.IntegerField(
        allow_null=True,
        help_text="Id of the photo that it matches, of the product of the request; null without a score and after a search by "
        "photo.",
    )


@extend_schema_serializer(component_name="RuleEffectSchema")
class RuleEffectSerializer(serializers.Serializer[Any]):
    """What a rule did to an answer."""

    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="As in the rule.")
    scope = serializers.CharField(help_text="As in the rule.")
    target = serializers.CharField(help_text="As in the rule.")
    place = serializers.ChoiceField(
        [place.value for place in Place],
        allow_null=True,
        help_text="Where it was applied: in the query of the index, or after it; null for a rule that applies nowhere, since what "
        "it names is gone.",
    )
    products = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Ids of the products that it pinned, moved or filled in, or that it left out of what the answer would be "
        "without rules.",
    )
    lost = serializers.ListField(
        child=serializers.CharField(), help_text="What the rule names and what does not exist, e.g. `brand Acme`."
    )


@extend_schema_serializer(component_name="ExplanationSchema")
class ExplanationSerializer(serializers.Serializer[Any]):
    """What merchandising rules did to an answer."""

    rule_set = serializers.CharField(help_text='Name of the rule set that is active; "" if there is none.')
    rules = RuleEffectSerializer(many=True)


@extend_schema_serializer(component_name="WeightsSchema")
class WeightsSerializer(serializers.Serializer[Any]):
    """What each part of the photos counted, -1 to 1."""

    shape = serializers.FloatField()
    colour = serializers.FloatField()
    pattern = serializers.FloatField()


@extend_schema_serializer(component_name="SearchAnswerSchema")
class SearchResponseSerializer(serializers.Serializer[Any]):
    """Products that look like a photo, best first."""

    collection = serializers.CharField()
    encoder = serializers.CharField(help_text="Label of the encoder version, e.g. all-v1.")
    results = RecommendationSerializer(many=True)
    weights = WeightsSerializer(
        allow_null=True,
        help_text="What each part counted; null for fallback results, and where the vectors of the collection have no parts.",
    )
    explanation = ExplanationSerializer(required=False, help_text="Only with `explain=true`.")


@extend_schema_serializer(component_name="SimilarAnswerSchema")
class SimilarResponseSerializer(SearchResponseSerializer):
    """Products that look like a product, best first."""

    product = serializers.IntegerField(help_text="The product of the request.")
    fallback = serializers.BooleanField(
        help_text="true if the product has no vector yet. The results are then the newest products of its category, then of "
        "the parent categories, then of any that the collection covers; scores are null."
    )
