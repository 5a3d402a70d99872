"""The endpoint of collections: what `collection=` may be."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from embeddings.selectors import collection_summaries
from embeddings.vector_index.base import Distance
from rest.documenting import responses
from rest.parameters import NoParameters
from rest.views import ApiView

_EXAMPLE = {
    "results": [
        {
            "slug": "all", "name": "All products", "categories": [], "covers_all": True, "distance": "cosine",
            "encoder": "all-v1", "photos": 3127,
        },
        {
            "slug": "fashion", "name": "Fashion", "categories": ["clothing", "shoes"], "covers_all": False, "distance": "cosine",
            "encoder": "fashion-v4", "photos": 1890,
        },
    ]
}  # fmt: skip


class CollectionSchema(serializers.Serializer[Any]):
    """A collection: a similarity system of its own."""

    slug = serializers.CharField(help_text="For `collection=` and in URLs.")
    name = serializers.CharField()
    categories = serializers.ListField(
        child=serializers.CharField(),
        help_text="Slug paths of its categories, with everything below them.",
    )
    covers_all = serializers.BooleanField(help_text="Whether it covers the whole catalogue, whatever the category.")
    distance = serializers.ChoiceField([distance.value for distance in Distance])
    encoder = serializers.CharField(
        allow_null=True, help_text="Label of its active encoder version; null without one: it recommends nothing yet."
    )
    photos = serializers.IntegerField(help_text="Number of photos in its index.")


class CollectionListSchema(serializers.Serializer[Any]):
    """All collections."""

    results = CollectionSchema(many=True)


class CollectionsView(ApiView):
    """All collections."""

    endpoint = "collections"

    @extend_schema(
        operation_id="collections",
        summary="List collections",
        tags=["Recommendations"],
        responses=responses(CollectionListSchema, 400),
        examples=[OpenApiExample("Two collections", value=_EXAMPLE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """All collections, by slug, with their categories and their active encoder version."""
        NoParameters.parse(request.query_params)
        return Response({"results": [asdict(each) for each in collection_summaries()]})
