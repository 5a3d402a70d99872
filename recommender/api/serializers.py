"""Recommendations and jobs as the API shows them: the JSON, and its serializers for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from catalog.api.serializers import ProductSerializer, product_cards
from recommender.pipeline import Recommendations

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
    if product_id is not None:
        body["fallback"] = recommended.fallback
    return body


@extend_schema_serializer(component_name="RecommendationSchema")
class RecommendationSerializer(serializers.Serializer[Any]):
    """A recommended product."""

    product = ProductSerializer()
    score = serializers.FloatField(
        allow_null=True,
        help_text="Similarity for cosine and dot (higher is nearer), distance for l1 and l2 (lower is nearer); null for "
        "fallback results.",
    )
    confidence = serializers.FloatField(
        allow_null=True,
        help_text="Calibrated probability, 0 to 1, that the product is of the same kind; null if the encoder version has no "
        "calibration.",
    )
    matched_image = serializers.IntegerField(
        allow_null=True,
        help_text="Id of the photo of this product that matches best, as in `images` of the product; null for fallback results.",
    )
    query_image = serializers.IntegerField(
        allow_null=True,
        help_text="Id of the photo that it matches, of the product of the request; null for fallback results and after a search "
        "by photo.",
    )


@extend_schema_serializer(component_name="SearchAnswerSchema")
class SearchResponseSerializer(serializers.Serializer[Any]):
    """Products that look like a photo, best first."""

    collection = serializers.CharField()
    encoder = serializers.CharField(help_text="Label of the encoder version, e.g. all-v1.")
    results = RecommendationSerializer(many=True)


@extend_schema_serializer(component_name="SimilarAnswerSchema")
class SimilarResponseSerializer(SearchResponseSerializer):
    """Products that look like a product, best first."""

    product = serializers.IntegerField(help_text="The product of the request.")
    fallback = serializers.BooleanField(
        help_text="true if the product has no vector yet. The results are then the newest products of its category, then of "
        "the parent categories, then of any that the collection covers; scores are null."
    )
