"""The endpoint of similar products beside several products at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.throttling import count_further
from catalog.api.documenting import CARD
from catalog.api.parameters import check_names
from catalog.api.references import ProductReference
from catalog.errors import ProductNotFound
from catalog.models import MAX_PRODUCT_ID
from catalog.selectors import ids_of_skus
from jobs.process import process
from product_files.product_data import SKU_LENGTH
from recommender import pipeline
from recommender.api import serializers
from recommender.api.exceptions import PROBLEM_TYPES
from recommender.api.kept_answers import KeptAnswers, tag_of
from recommender.api.parameters import SimilarBatchParameters, known_collection, weighed
from recommender.editions import edition_of
from recommender.queries import SimilarQuery
from rest.addresses import base_address
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError
from rest.json_text import json_text
from rest.parsers import JsonParser
from rest.problems import INVALID_PARAMETERS, TOO_LARGE, find_type
from rest.views import ApiView, content_length

MAX_PRODUCTS = 20
MAX_BYTES = 64 * 1024
_PRODUCTS = "products"
_PATH = "/api/similar:batch"
_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": [_PRODUCTS],
    "properties": {
        _PRODUCTS: {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_PRODUCTS,
            "description": "Products by id (a number) or SKU (a text).",
            "items": {
                "oneOf": [
                    {"type": "integer", "minimum": 0, "maximum": MAX_PRODUCT_ID},
                    {"type": "string", "minLength": 1, "maxLength": SKU_LENGTH},
                ]
            },
        }
    },
}
_ANSWER = {
    "product": 4,
    "collection": "all",
    "encoder": "all-v1",
    "results": [{"product": CARD, "score": 0.912345, "confidence": 0.9731, "matched_image": 17, "query_image": 8}],
    "weights": {"shape": 1.0, "colour": 0.2, "pattern": 0.1},
    "fallback": False,
}


def _number_error(number: int) -> str:
    return f"has {number} products: send 1 to {MAX_PRODUCTS} per request"


def _too_large() -> RequestDataTooBig:
    return RequestDataTooBig(f"the body is larger than {MAX_BYTES:,} bytes: send fewer products per request")


def _problem_of(error: Exception, product: int | str) -> dict[str, Any]:
    """The problem detail of one product, as a request for it alone would get it."""
    place = str(product) if isinstance(product, int) else f"by-sku/{product}"
    instance = f"/api/products/{place}/similar"
    return find_type(error, PROBLEM_TYPES).describe(error, instance).as_json()


class SimilarBatchView(ApiView):
    """Products similar to each of several products."""

    endpoint = "similar_batch"
    parser_classes: Sequence[type[BaseParser]] = [JsonParser]

    @extend_schema(
        operation_id="similar_batch",
        summary="Find similar products of several products",
        tags=["Recommendations"],
        parameters=[SimilarBatchParameters],
        request={"application/json": _BODY},
        responses=responses(serializers.SimilarBatchSerializer, 400, 413, 415, 503, 507),
        examples=[
            OpenApiExample("A product by id and one by SKU", value={_PRODUCTS: [4, "MUG-99"]}, request_only=True),
            OpenApiExample(
                "Results",
                value={
                    "ok": 1,
                    "errors": 1,
                    "results": [
                        {"status": "ok", "answer": _ANSWER},
                        {"status": "error", "problem": _problem_of(ProductNotFound(sku="MUG-99"), "MUG-99")},
                    ],
                },
                response_only=True,
                status_codes=["200"],
            ),
            problem_example(
                INVALID_PARAMETERS, InvalidParameters([ParameterError(_PRODUCTS, _number_error(0))]), _PATH
            ),
            problem_example(TOO_LARGE, _too_large(), _PATH),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """What `GET /api/products/<id>/similar` answers for each of up to 20 products, in one request.

        The parameters apply to all of them. The results are in the order of the products; one that does not exist has a problem in
        its place. A batch counts as many requests for rate limits as it has products.
        """
        values = SimilarBatchParameters.parse(request.query_params)
        if content_length(request) > MAX_BYTES:
            raise _too_large()
        products = _products(request.data)
        count_further(request, len(products) - 1)
        strict = values.pop("strict")
        query = SimilarQuery(**values)
        ids, unknown = _ids(products)
        with weighed(), known_collection():
            answers = _answers(request, [*dict.fromkeys(ids.values())], query, strict=strict)
        results, errors = [], 0
        for product in products:
            answer = unknown[product] if product in unknown else answers[ids[product]]
            if isinstance(answer, ProductNotFound):
                error = answer if isinstance(product, int) else ProductNotFound(sku=product)
                results.append(f'{{"status":"error","problem":{json_text(_problem_of(error, product))}}}')
                errors += 1
            else:
                results.append(f'{{"status":"ok","answer":{answer.decode()}}}')
        counts = f'"ok":{len(results) - errors},"errors":{errors}'
        return HttpResponse(
            f'{{{counts},"results":[{",".join(results)}]}}',
            content_type=JSONRenderer.media_type,
            headers={"Cache-Control": "no-store"},
        )


def _answers(
    request: Request, product_ids: Sequence[int], query: SimilarQuery, *, strict: bool
) -> dict[int, bytes | ProductNotFound]:
    """By product the JSON of its answer, which may be kept of a request for it alone, or why there is none."""
    base, kept = base_address(request), process.get(KeptAnswers)
    edition = edition_of(query.collection, query.rule_set)
    tags = {
        each: tag_of(request, base, ProductReference(each), query, pipeline.similar_to, edition) for each in product_ids
    }
    answers: dict[int, bytes | ProductNotFound] = {
        each: known for each, tag in tags.items() if tag and (known := kept.find(edition.stamp, tag)) is not None
    }
    query = replace(query, stamp=edition.stamp)
    found = pipeline.similar_to_each([each for each in product_ids if each not in answers], query)
    # What is kept is of names that there are.
    if strict and not answers:
        made = [each for each in found.values() if not isinstance(each, ProductNotFound)]
        check_names(query.filter, is_empty=not any(each.results for each in made))
    answers |= {each: error for each, error in found.items() if isinstance(error, ProductNotFound)}
    recommended = {each: answer for each, answer in found.items() if not isinstance(answer, ProductNotFound)}
    for product_id, text in serializers.recommendations_texts(recommended, base, stamp=edition.stamp).items():
        answers[product_id] = text.encode()
        if (tag := tags[product_id]) is not None and not recommended[product_id].index_away:
            kept.keep(edition.stamp, tag, text.encode())
    return answers


def _products(document: Any) -> list[int | str]:
    """The products that a document names."""
    if not isinstance(document, dict) or not isinstance(document.get(_PRODUCTS), list):
        raise InvalidParameters([ParameterError(_PRODUCTS, 'is missing: send {"products": [4, "MUG-17"]}')])
    if unknown := [name for name in document if name != _PRODUCTS]:
        name = unknown[0][:40].encode("ascii", "backslashreplace").decode()
        raise InvalidParameters([ParameterError(name, f"is not a known field; the document has: {_PRODUCTS}")])
    # In JSON, 4.0 is the integer 4.
    products = [int(each) if isinstance(each, float) and each.is_integer() else each for each in document[_PRODUCTS]]
    if not 1 <= len(products) <= MAX_PRODUCTS:
        raise InvalidParameters([ParameterError(_PRODUCTS, _number_error(len(products)))])
    wrong = [position for position, each in enumerate(products) if not _is_product(each)]
    if wrong:
        detail = f"must be an id from 0 to {MAX_PRODUCT_ID}, or a SKU of 1 to {SKU_LENGTH} characters"
        raise InvalidParameters([ParameterError(f"{_PRODUCTS}[{each}]", detail) for each in wrong])
    return products


def _is_product(value: Any) -> bool:
    if isinstance(value, str):
        return 1 <= len(value) <= SKU_LENGTH
    return type(value) is int and 0 <= value <= MAX_PRODUCT_ID


def _ids(products: Sequence[int | str]) -> tuple[dict[int | str, int], dict[int | str, ProductNotFound]]:
    """The ids of products, and those of which there are none."""
    by_sku = ids_of_skus([each for each in products if isinstance(each, str)])
    ids: dict[int | str, int] = {}
    unknown: dict[int | str, ProductNotFound] = {}
    for product in products:
        if isinstance(product, int):
            ids[product] = product
        elif product in by_sku:
            ids[product] = by_sku[product]
        else:
            unknown[product] = ProductNotFound(sku=product)
    return ids, unknown
