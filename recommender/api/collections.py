"""The endpoints of collections: what `collection=` may be, and what a collection covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from pydantic import BaseModel, ConfigDict, Field
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.api.inputs import Category, InvalidInput, json_schema, read
from embeddings.coverage import COVERAGE, submit_coverage
from embeddings.errors import InvalidCoverage
from embeddings.selectors import collection_summaries
from embeddings.vector_index.base import Distance
from embeddings.versions import find_collection
from jobs.api import JOB, JobSchema, accepted_response
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.problems import JOB_IN_PROGRESS
from rest.documenting import problem_example, responses
from rest.documents import check_document
from rest.errors import InvalidParameters, ParameterError
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import NoParameters
from rest.parsers import JsonParser
from rest.views import ApiView

_MAX_CATEGORIES = 1000
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


class CoverageInput(BaseModel):
    """What a collection is to cover."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    categories: list[Category] = Field(
        default=[],
        max_length=_MAX_CATEGORIES,
        description="Slug paths of the categories, each with everything below it; [] for none.",
        examples=[["clothing", "shoes"]],
    )
    covers_all: bool = Field(default=False, description="The whole catalogue, instead of categories.")


class CollectionView(ApiView):
    """One collection."""

    endpoint = "collection"
    write_scopes = {"PATCH": frozenset({Scope.TRAIN})}
    parser_classes: Sequence[type[BaseParser]] = [JsonParser]

    @extend_schema(
        operation_id="set_coverage",
        summary="Set what a collection covers",
        tags=["Recommendations"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            IDEMPOTENCY_KEY,
        ],
        request={"application/json": json_schema(CoverageInput)},
        responses=responses(JobSchema, 400, 403, 404, 409, 413, 415, 422, 503, status=202),
        examples=[
            OpenApiExample("Two categories", value={"categories": ["clothing", "shoes"]}, request_only=True),
            OpenApiExample("The whole catalogue", value={"covers_all": True}, request_only=True),
            OpenApiExample("Queued job", value={**JOB, "kind": COVERAGE}, response_only=True, status_codes=["202"]),
            WRITES_DISABLED,
            problem_example(
                JOB_IN_PROGRESS,
                JobInProgress("a change of coverage for 'all' is under way: wait until it has ended, or cancel it"),
                "/api/collections/all",
            ),
        ],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Set which categories a collection covers, or that it covers the whole catalogue. The response is a job.

        The job embeds the photos of products that are covered now, and removes the others from the index. Without categories and
        `covers_all`, the collection covers nothing.
        """
        check_document(request, "send less at once")
        return answer_once(
            request,
            lambda coverage: accepted_response(request, _submit(slug, coverage)),
            prepare=lambda: _read(request.data),
        )


def _read(document: Any) -> CoverageInput:
    try:
        coverage = read(CoverageInput, document)
    except InvalidInput as error:
        raise InvalidParameters(error.errors) from error
    if not coverage.model_fields_set:
        raise InvalidParameters([ParameterError("categories", "is missing: name categories, or set covers_all")])
    return coverage


def _submit(slug: str, coverage: CoverageInput) -> Job:
    try:
        return submit_coverage(find_collection(slug), coverage.categories, covers_all=coverage.covers_all)
    except InvalidCoverage as error:
        raise InvalidParameters([ParameterError("categories", str(error))]) from error
