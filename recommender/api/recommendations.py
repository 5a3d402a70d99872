"""What looks like a product, and what looks like a photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.photos import ImageRejected, Reason
from catalog.problems import IMAGE_REJECTED, IMAGE_TOO_LARGE
from embeddings.errors import UnknownCollection
from jobs.spooling import storage_failure
from recommender import pipeline, serializers
from recommender.api.documenting import (
    BAD_LIMIT,
    CARD,
    INDEX_AWAY,
    NO_PRODUCT,
    RESULTS,
)
from recommender.api.parameters import SearchParameters, SimilarParameters
from recommender.api.product_ids import validate_product_id
from rest.documenting import form_body, problem_example, responses
from rest.errors import InvalidParameters, ParameterError
from rest.parameters import GIVEN_TWICE
from rest.views import FORM_BYTES, ApiView, content_length


class SimilarView(ApiView):
    """Products that look like a product."""

    endpoint = "similar"

    @extend_schema(
        operation_id="similar",
        summary="Products that look like this one",
        tags=["Recommendations"],
        parameters=[
            OpenApiParameter("product_id", int, OpenApiParameter.PATH, description="The product's id."),
            SimilarParameters,
        ],
        responses=responses(serializers.SimilarResponseSerializer, 400, 404, 503),
        examples=[
            OpenApiExample(
                "Similar products",
                value={"product": 4, "collection": "all", "encoder": "all-v1", "results": RESULTS, "fallback": False},
                response_only=True,
                status_codes=["200"],
            ),
            OpenApiExample(
                "A product whose photos are not embedded yet",
                value={
                    "product": 4,
                    "collection": "all",
                    "encoder": "all-v1",
                    "results": [{"product": CARD, "score": None, "confidence": None}],
                    "fallback": True,
                },
                response_only=True,
                status_codes=["200"],
            ),
            BAD_LIMIT,
            NO_PRODUCT,
            INDEX_AWAY,
        ],
    )
    def get(self, request: Request, product_id: int) -> Response:
        """The products whose photos look most like this product's, the nearest first.

        Never the product itself, nor one with a byte-identical photo, nor one that is not for sale any more.
        A product with several photos counts by the best match between any two. A product with no vector yet is
        answered by a fall-back that says so: `fallback` is true, the results are the newest products of its category
        (then of the categories above it, then of any), and every score is null.
        """
        query = pipeline.SimilarQuery(**SimilarParameters.parse(request.query_params))
        try:
            answer = pipeline.similar_to(validate_product_id(product_id), query)
        except UnknownCollection as error:
            raise InvalidParameters([ParameterError("collection", str(error))]) from error
        return Response(serializers.recommendations(answer, product_id=product_id))


class SearchView(ApiView):
    """Products that look like a photo."""

    endpoint = "search"
    # A photo has to be decoded and encoded.
    throttle_cost = 10
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser]

    @extend_schema(
        operation_id="search",
        summary="Products that look like a photo",
        tags=["Recommendations"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            SearchParameters,
        ],
        request=form_body("photo", "A JPEG, PNG or WebP file.", SearchParameters.form_schema()),
        responses=responses(serializers.SearchResponseSerializer, 400, 404, 413, 415, 503, 507),
        examples=[
            OpenApiExample(
                "Look-alikes",
                value={"collection": "all", "encoder": "all-v1", "results": RESULTS},
                response_only=True,
                status_codes=["200"],
            ),
            problem_example(
                IMAGE_REJECTED,
                ImageRejected(Reason.FORMAT, "the file is PDF: save it as JPEG, PNG or WebP"),
                "/api/collections/all/search",
            ),
            problem_example(
                IMAGE_TOO_LARGE,
                ImageRejected(Reason.TOO_LARGE, "the file is larger than 20,971,520 bytes: save it smaller"),
                "/api/collections/all/search",
            ),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """The products whose photos look most like the uploaded one.

        Parameters may come in the address or in the form.
        """
        _refuse_too_large(content_length(request), allowance=FORM_BYTES)
        errors = _errors_of_files(request.FILES)
        if failure := storage_failure(request._request):
            raise failure
        values = SearchParameters.parse(request.query_params, request.POST, errors=errors)
        photo = request.FILES["photo"]
        _refuse_too_large(photo.size)
        return Response(
            serializers.recommendations(pipeline.search(slug, photo.read(), pipeline.SearchQuery(**values)))
        )


def _refuse_too_large(size: int, allowance: int = 0) -> None:
    limit = settings.PHOTO_MAX_BYTES
    if size > limit + allowance:
        raise ImageRejected(Reason.TOO_LARGE, f"the file is larger than {limit:,} bytes: save it smaller")


def _errors_of_files(files: MultiValueDict[str, UploadedFile[Any]]) -> list[ParameterError]:
    """What is wrong with the files of a form that ought to have one, `photo`."""
    errors = [
        ParameterError(name, "is a file, and the only file taken is `photo`") for name in files if name != "photo"
    ]
    photos = files.getlist("photo")
    if len(photos) > 1:
        errors.append(ParameterError("photo", GIVEN_TWICE))
    elif not photos:
        errors.append(ParameterError("photo", "is missing: send one picture as a file of a multipart form"))
    return errors
