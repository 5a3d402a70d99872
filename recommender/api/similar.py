"""The endpoints that recommend beside a product: what is similar to it, as JSON and as HTML, and its substitutes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import parse_etags, quote_etag
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from catalog.api.documenting import NO_PRODUCT, NO_PRODUCT_WITH_SKU
from catalog.api.parameters import check_names
from catalog.api.references import PRODUCT_ID, SKU, ProductReference
from catalog.selectors import shop_currency
from embeddings.errors import IndexUnavailable
from jobs.process import process
from recommender import pipeline
from recommender.api import serializers
from recommender.api.documenting import RESULTS, WEIGHTS
from recommender.api.kept_answers import KeptAnswers, Recommend, tag_of
from recommender.api.parameters import (
    MAX_LIMIT,
    SimilarParameters,
    StripParameters,
    SubstituteParameters,
    known_collection,
    weighed,
)
from recommender.editions import NO_EDITION, Edition, edition_of
from recommender.learning.serving import seconds_left
from recommender.problems import INDEX_UNAVAILABLE
from recommender.queries import Recommendations, SimilarQuery
from recommender.strip_pages import strip_page
from rest.addresses import base_address
from rest.documenting import problem_example, problem_responses, responses
from rest.errors import InvalidParameters, ParameterError, integer_expected
from rest.json_text import json_text
from rest.problems import INVALID_PARAMETERS
from rest.views import ApiView

_STRIP_MAX_AGE_S = 300
# An answer as JSON may be used for so long without asking, and for so long more while it is asked for again.
_MAX_AGE_S, _STALE_S = 10, 60
# While the index is away: soon there are better answers.
_FALLBACK_MAX_AGE_S = 5
_AWAY = f"max-age={_FALLBACK_MAX_AGE_S}"
_RESULTS = [{**RESULTS[0], "query_image": 8}]
_INVALID_LIMIT = problem_example(
    INVALID_PARAMETERS,
    InvalidParameters([ParameterError("limit", integer_expected(1, MAX_LIMIT))]),
    "/api/products/4/similar",
)
_NOT_AVAILABLE = problem_example(
    INDEX_UNAVAILABLE, IndexUnavailable("the index is held by another process"), "/api/products/4/similar"
)


_SIMILAR: dict[str, Any] = {
    "tags": ["Recommendations"],
    "responses": {
        **responses(serializers.SimilarResponseSerializer, 400, 404, 503, 507),
        (304, "application/json"): None,
    },
    "description": (
        "The products whose photos are most similar to this product's photos, nearest first.\n\n"
        "The product itself, its variants, products with the same main photo and products that are not visible are excluded. A"
        " product with several photos counts with the best match between any two photos. Of products whose best-matching photos"
        " show the same picture, one is returned."
        " If the product has no vector yet,"
        " `fallback` is true, the results are the newest products of its category (then of the parent categories, then of any"
        " category) that the collection covers and that meet the filters, and every score is null."
        " The same while the vector index is away, with the bestsellers of the category first and `Cache-Control: max-age=5`,"
        " unless `fallback=false` asks for a problem instead."
        " For a product that was merged into another one, the results are that one's.\n\n"
        "The answer has an `ETag`, which changes with the catalogue, the index and the rules. With it in `If-None-Match`, status"
        " 304 says that nothing has changed. There is none with `explain`, while the index is away, and where a rule looks at the"
        " age of products or at bestsellers."
    ),
}
_SUBSTITUTES: dict[str, Any] = {
    **_SIMILAR,
    "description": (
        "What can be bought instead of a product that is withdrawn or sold out: the products in stock whose photos are most"
        " similar to this product's photos, nearest first.\n\n"
        "Unlike similar products, the product may be inactive: its photos and their vectors are kept. Its variants and products"
        " with an identical photo are among the results, of each family one. For a product that was merged into another one,"
        " that one is the first. If the product has no vector, `fallback` is true, as for similar products. A product that was"
        " deleted is not found."
    ),
}
_STRIP: dict[str, Any] = {
    "tags": ["Recommendations"],
    "responses": {
        (200, "text/html"): OpenApiTypes.STR,
        (304, "text/html"): None,
        **problem_responses(400, 404, 503, 507),
    },
    "description": (
        "The strip of similar products as a piece of HTML, for pages without JavaScript, mail and search engines. It has the parts"
        " of the widget, which takes it over where a page puts it into `<similar-products>`. Caches may keep it for five minutes;"
        " it is empty if nothing is similar."
    ),
}
_EXAMPLES = [
    OpenApiExample(
        "Similar products",
        value={
            "product": 4,
            "collection": "all",
            "encoder": "all-v1",
            "results": _RESULTS,
            "weights": WEIGHTS,
            "fallback": False,
        },
        response_only=True,
        status_codes=["200"],
    ),
    OpenApiExample(
        "A product whose photos are not embedded yet",
        value={
            "product": 4,
            "collection": "all",
            "encoder": "all-v1",
            "results": [{**_RESULTS[0], "score": None, "confidence": None, "matched_image": None, "query_image": None}],
            "weights": None,
            "fallback": True,
        },
        response_only=True,
        status_codes=["200"],
    ),
    _INVALID_LIMIT,
    _NOT_AVAILABLE,
]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for recommendations beside a product.

    Attributes:
        query: what to recommend.
        strict: whether a name in the filter that does not exist is an error.
        others: parameters that say how the answer is written.
    """

    query: SimilarQuery
    strict: bool
    others: dict[str, Any]


class _ReadQueries:
    """What query strings ask for, as a process has read them. A page's widget sends the same one beside every product."""

    most, longest = 1000, 500

    def __init__(self) -> None:
        self._read: dict[tuple[type[SimilarParameters], str, str], _Asked] = {}

    def get(self, request: Request, parameters: type[SimilarParameters]) -> _Asked:
        """See `_asked`."""
        text = request._request.META.get("QUERY_STRING", "")
        # The currency of prices without one; it may change.
        currency = shop_currency() if "price" in text or "%" in text else ""
        key = (parameters, text, currency)
        if (known := self._read.get(key)) is not None:
            return known
        values = parameters.parse(request.query_params)
        strict = values.pop("strict")
        others = {name: values.pop(name) for name in parameters.own_names if name in values}
        asked = _Asked(SimilarQuery(**values), strict, others)
        if len(text) <= self.longest:
            if len(self._read) >= self.most:
                self._read = {}
            self._read[key] = asked
        return asked


def _asked(request: Request, parameters: type[SimilarParameters]) -> _Asked:
    """What a request asks for. Raises InvalidParameters."""
    return process.get(_ReadQueries).get(request, parameters)


def _recommended(
    request: Request, reference: ProductReference, parameters: type[SimilarParameters], recommend: Recommend
) -> HttpResponse:
    asked = _asked(request, parameters)
    query, base = asked.query, base_address(request)
    with known_collection():
        edition = NO_EDITION if query.explain else edition_of(query.collection, query.rule_set)
    tag = tag_of(request, base, reference, query, recommend, edition)
    if tag is None:
        answer, index_away = _answer_text(base, reference, asked, recommend, edition)
        return _response(answer, {"Cache-Control": _AWAY if index_away else "no-store"})
    headers = {"ETag": tag, "Cache-Control": _cache_control(request)}
    known = parse_etags(request._request.META.get("HTTP_IF_NONE_MATCH", ""))
    # Proxies that compress make strong tags weak ones.
    if tag in known or f"W/{tag}" in known:
        return HttpResponseNotModified(headers=headers)
    answers = process.get(KeptAnswers)
    if (kept := answers.find(edition.stamp, tag)) is None:
        kept, index_away = _answer_text(base, reference, asked, recommend, edition)
        if index_away:
            headers = {"Cache-Control": _AWAY}
        else:
            answers.keep(edition.stamp, tag, kept)
    # Any tag stands for an answer that there is.
    return HttpResponseNotModified(headers=headers) if "*" in known else _response(kept, headers)


def _response(answer: bytes, headers: dict[str, str]) -> HttpResponse:
    """Not REST framework's Response: what is rendered already needs no renderer."""
    return HttpResponse(answer, content_type=JSONRenderer.media_type, headers=headers)


def _answer_text(
    base: str, reference: ProductReference, asked: _Asked, recommend: Recommend, edition: Edition
) -> tuple[bytes, bool]:
    """The JSON of an answer, and whether the index is away, so that there is soon another."""
    with reference.found() as product_id, weighed(), known_collection():
        recommended = _answer(product_id, asked, recommend, edition.stamp)
    texts = serializers.recommendations_texts({product_id: recommended}, base, stamp=edition.stamp)
    return texts[product_id].encode(), recommended.index_away


def _answer(product_id: int, asked: _Asked, recommend: Recommend, stamp: int | None = None) -> Recommendations:
    """What is recommended; the names in the filter are checked."""
    recommended = recommend(product_id, replace(asked.query, stamp=stamp))
    if asked.strict:
        check_names(asked.query.filter, is_empty=not recommended.results)
    return recommended


def _cache_control(request: Request) -> str:
    """For how long an answer may be used again: not beyond the hour, after which tests and the learned order may bring another."""
    left = seconds_left()
    fresh, stale = (
        (_MAX_AGE_S, _STALE_S) if left is None else (min(_MAX_AGE_S, left), min(_STALE_S, max(left - _MAX_AGE_S, 0)))
    )
    return f"{_audience(request)}, max-age={fresh}, stale-while-revalidate={stale}"


def _audience(request: Request) -> str:
    """Who may keep an answer: what a key may read is not for everybody."""
    return "public" if request.auth is None else "private"


class SimilarView(ApiView):
    """Products similar to a product."""

    endpoint = "similar"

    @extend_schema(
        operation_id="similar",
        summary="Find similar products",
        parameters=[PRODUCT_ID, SimilarParameters],
        examples=[*_EXAMPLES, NO_PRODUCT],
        **_SIMILAR,
    )
    def get(self, request: Request, product_id: int) -> HttpResponse:
        """Products similar to the one with this id."""
        return _recommended(request, ProductReference(product_id), SimilarParameters, pipeline.similar_to)


class SimilarBySkuView(ApiView):
    """Products similar to a product, named by its SKU."""

    endpoint = "similar"

    @extend_schema(
        operation_id="similar_by_sku",
        summary="Find similar products by SKU",
        parameters=[SKU, SimilarParameters],
        examples=[*_EXAMPLES, NO_PRODUCT_WITH_SKU],
        **_SIMILAR,
    )
    def get(self, request: Request, sku: str) -> HttpResponse:
        """Products similar to the one with this SKU."""
        return _recommended(request, ProductReference(sku=sku), SimilarParameters, pipeline.similar_to)


class _StripView(ApiView):
    """The same as HTML."""

    endpoint = "similar"

    def strip(self, request: Request, reference: ProductReference) -> HttpResponseBase:
        """The strip of a product, for caches: a request with its ETag is answered by 304."""
        asked = _asked(request, StripParameters)
        with reference.found() as product_id, weighed(), known_collection():
            recommended = _answer(product_id, asked, pipeline.similar_to)
        answer = serializers.recommendations(recommended, base_address(request), product_id=product_id)
        html = strip_page(
            json.loads(json_text(answer)),
            heading=asked.others["heading"], language=asked.others["lang"], for_mail=asked.others["mail"],
        )  # fmt: skip
        response = HttpResponse(html, headers={"ETag": quote_etag(hashlib.sha256(html.encode()).hexdigest())})
        max_age_s = _FALLBACK_MAX_AGE_S if recommended.index_away else _STRIP_MAX_AGE_S
        response["Cache-Control"] = f"{_audience(request)}, max-age={max_age_s}"
        return get_conditional_response(request._request, etag=response["ETag"], response=response) or response


class SimilarHtmlView(_StripView):
    """A strip of products similar to a product."""

    @extend_schema(
        operation_id="similar_html",
        summary="Find similar products, as HTML",
        parameters=[PRODUCT_ID, StripParameters],
        examples=[_INVALID_LIMIT, _NOT_AVAILABLE, NO_PRODUCT],
        **_STRIP,
    )
    def get(self, request: Request, product_id: int) -> HttpResponseBase:
        """The strip of the product with this id."""
        return self.strip(request, ProductReference(product_id))


class SimilarHtmlBySkuView(_StripView):
    """A strip of products similar to a product, named by its SKU."""

    @extend_schema(
        operation_id="similar_html_by_sku",
        summary="Find similar products by SKU, as HTML",
        parameters=[SKU, StripParameters],
        examples=[_INVALID_LIMIT, _NOT_AVAILABLE, NO_PRODUCT_WITH_SKU],
        **_STRIP,
    )
    def get(self, request: Request, sku: str) -> HttpResponseBase:
        """The strip of the product with this SKU."""
        return self.strip(request, ProductReference(sku=sku))


class SubstitutesView(ApiView):
    """What can be bought instead of a product."""

    endpoint = "substitutes"

    @extend_schema(
        operation_id="substitutes",
        summary="Find substitutes",
        parameters=[PRODUCT_ID, SubstituteParameters],
        examples=[*_EXAMPLES, NO_PRODUCT],
        **_SUBSTITUTES,
    )
    def get(self, request: Request, product_id: int) -> HttpResponse:
        """Products in stock that are similar to the one with this id, which may be withdrawn or sold out."""
        return _recommended(request, ProductReference(product_id), SubstituteParameters, pipeline.substitutes_for)


class SubstitutesBySkuView(ApiView):
    """What can be bought instead of a product, named by its SKU."""

    endpoint = "substitutes"

    @extend_schema(
        operation_id="substitutes_by_sku",
        summary="Find substitutes by SKU",
        parameters=[SKU, SubstituteParameters],
        examples=[*_EXAMPLES, NO_PRODUCT_WITH_SKU],
        **_SUBSTITUTES,
    )
    def get(self, request: Request, sku: str) -> HttpResponse:
        """Products in stock that are similar to the one with this SKU, which may be withdrawn or sold out."""
        return _recommended(request, ProductReference(sku=sku), SubstituteParameters, pipeline.substitutes_for)
