"""Recommendations and jobs as the API shows them: the JSON, and its serializers for the OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from catalog.api.serializers import ProductSerializer, product_cards
from embeddings.models import Job
from recommender.pipeline import Recommendations

# Scores are float32; more digits are noise.
_SCORE_DIGITS = 6
_CONFIDENCE_DIGITS = 4


def recommendations(recommended: Recommendations, *, product_id: int | None = None) -> dict[str, Any]:
    """The JSON of recommendations.

    Args:
        recommended: what was recommended.
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
        }
        for card, each in zip(product_cards(each.product for each in results), results, strict=True)
    ]
    if product_id is not None:
        body["fallback"] = recommended.fallback
    return body


def job(row: Job) -> dict[str, Any]:
    """Where long work stands."""
    succeeded = row.state == Job.State.SUCCEEDED
    told = min(row.done / row.total, 1.0) if row.total else None
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "collection": row.collection.slug if row.collection else None,
        "state": row.state,
        "stage": row.stage,
        "progress": 1.0 if succeeded else told,
        "done": row.done,
        "total": row.total,
        "result": row.result,
        "error": row.error or None,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


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
        "the parent categories, then of any; scores are null."
    )


class JobSchema(serializers.Serializer[Any]):
    """Long work: where it stands, and what came of it."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="train, activate or import.")
    collection = serializers.CharField(
        allow_null=True, help_text="null for an import, which is of the whole catalogue."
    )
    state = serializers.CharField(help_text="queued, running, succeeded, failed or cancelled.")
    stage = serializers.CharField(help_text='What is being done, "" before anything is.')
    progress = serializers.FloatField(
        allow_null=True, min_value=0, max_value=1, help_text="Of this stage; null where nobody knows."
    )
    done = serializers.IntegerField(help_text="Steps of this stage that are done.")
    total = serializers.IntegerField(help_text="Steps of this stage; 0 where nobody knows.")
    result = serializers.DictField(
        allow_null=True,
        help_text="Once it has succeeded. Of a training or activation: the encoder version and its figures. Of an import: how "
        "many rows were `created`, `updated`, `unchanged` and `rejected`, what became of the photos, the first `problems`, and "
        "with `rejected_file` whether `/api/jobs/<id>/rejected` has them all.",
    )
    error = serializers.CharField(allow_null=True, help_text="Once it has failed: why, and what to do.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
