"""The endpoints that recommend: products similar to a product, and to a photo."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.datastructures import MultiValueDict
from django.utils.http import parse_etags, quote_etag
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.documenting import CARD, NO_PRODUCT, NO_PRODUCT_WITH_SKU
from catalog.api.parameters import check_names
from catalog.api.references import PRODUCT_ID, SKU, ProductReference
from catalog.fetching import Fetcher
from catalog.models import MAX_PRODUCT_ID
from catalog.photos import FORMAT_NAMES, ImageRejected, PhotoRejectionReason
from catalog.problems import IMAGE_REJECTED, IMAGE_TOO_LARGE
from catalog.selectors import existing_ids, ids_of_skus, shop_currency
from embeddings.errors import IndexUnavailable, UnknownCollection
from jobs.process import process
from jobs.temporary_uploads import get_storage_error
from recommender import pipeline
from recommender.api import serializers
from recommender.api.kept_answers import KeptAnswers, Recommend, tag_of
from recommender.api.parameters import (
    MAX_LIMIT,
    LinkableSearchParameters,
    ProductSearchParameters,
    SimilarParameters,
    StripParameters,
    SubstituteParameters,
)
from recommender.editions import NO_EDITION, Edition, edition_of
from recommender.errors import NothingToSearchFor, WithoutVector
from recommender.learning.serving import seconds_left
from recommender.problems import INDEX_UNAVAILABLE
from recommender.searching import Example, ProductSearch, search_products
from recommender.strip_pages import strip_page
from recommender.weighing import NoParts
from rest.addresses import base_address
from rest.documenting import form_body, problem_example, problem_responses, responses
from rest.errors import GIVEN_TWICE, InvalidParameters, ParameterError, integer_expected
from rest.json_text import json_text
from rest.problems import INVALID_PARAMETERS
from rest.views import FORM_BYTES, ApiView, content_length

_PHOTO = "photo"
_STRIP_MAX_AGE_S = 300
# An answer as JSON may be used for so long without asking, and for so long more while it is asked for again.
_MAX_AGE_S, _STALE_S = 10, 60
# While the index is away: soon there are better answers.
_FALLBACK_MAX_AGE_S = 5
_AWAY = f"max-age={_FALLBACK_MAX_AGE_S}"
_SEARCH_RESULTS = [{"product": CARD, "score": 0.912345, "confidence": 0.9731, "matched_image": 17, "query_image": None}]
_WEIGHTS = {"shape": 1.0, "colour": 0.2, "pattern": 0.1}
_RESULTS = [{**_SEARCH_RESULTS[0], "query_image": 8}]
_INVALID_LIMIT = problem_example(
    INVALID_PARAMETERS,
    InvalidParameters([ParameterError("limit", integer_expected(1, MAX_LIMIT))]),
    "/api/products/4/similar",
)
_NOT_AVAILABLE = problem_example(
    INDEX_UNAVAILABLE, IndexUnavailable("the index is held by another process"), "/api/products/4/similar"
)


def _too_large(limit: int) -> ImageRejected:
    return ImageRejected(PhotoRejectionReason.TOO_LARGE, f"the file is larger than {limit:,} bytes: save it smaller")


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
            "weights": _WEIGHTS,
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


@contextmanager
def weighed() -> Iterator[None]:
    """Report that a collection's vectors have no parts to weigh."""
    try:
        yield
    except NoParts as error:
        raise InvalidParameters([ParameterError("weights", str(error))]) from error


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for recommendations beside a product.

    Attributes:
        query: what to recommend.
        strict: whether a name in the filter that does not exist is an error.
        others: parameters that say how the answer is written.
    """

    query: pipeline.SimilarQuery
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
        asked = _Asked(pipeline.SimilarQuery(**values), strict, others)
        if len(text) <= self.longest:
            if len(self._read) >= self.most:
                self._read = {}
            self._read[key] = asked
        return asked


def _asked(request: Request, parameters: type[SimilarParameters]) -> _Asked:
    """What a request asks for. Raises InvalidParameters."""
    return process.get(_ReadQueries).get(request, parameters)


@contextmanager
def known_collection() -> Iterator[None]:
    """Report a collection that does not exist as an error of the parameter."""
    try:
        yield
    except UnknownCollection as error:
        raise InvalidParameters([ParameterError("collection", str(error))]) from error


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
    text = serializers.recommendations_text(recommended, base, product_id=product_id, stamp=edition.stamp)
    return text.encode(), recommended.index_away


def _answer(product_id: int, asked: _Asked, recommend: Recommend, stamp: int | None = None) -> pipeline.Recommendations:
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


_SEARCH_ERRORS = (400, 404, 413, 415, 503, 507)
_BY_WORDS = OpenApiExample(
    "Search by words, with facets",
    value={
        "collection": "all",
        "encoder": "all-v1",
        "results": [{**_SEARCH_RESULTS[0], "score": 1.1, "confidence": None, "matched_image": None}],
        "count": 1,
        "facets": {
            "categories": [{"value": "kitchen", "name": "Kitchen", "products": 1}],
            "brands": [{"value": "Nordwind", "name": "Nordwind", "products": 1}],
            "prices": [{"min_price": None, "max_price": "19.99", "products": 1}],
            "currency": "EUR",
            "attributes": {"colour": [{"value": "blue", "name": "blue", "products": 1}]},
        },
    },
    response_only=True,
    status_codes=["200"],
)


class SearchView(ApiView):
    """Products found by words, a photo, and liked products."""

    endpoint = "search"
    # A photo has to be decoded and encoded.
    throttle_cost = 10
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser, FormParser]

    @extend_schema(
        operation_id="search",
        summary="Search by words, photo and examples",
        tags=["Recommendations"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            ProductSearchParameters,
        ],
        request=form_body(
            _PHOTO,
            f"A photo: {FORMAT_NAMES}; or an http(s) link or a `data:` URL.",
            ProductSearchParameters.form_schema(),
            required=False,
        ),
        responses=responses(serializers.SearchResponseSerializer, *_SEARCH_ERRORS),
        examples=[
            OpenApiExample(
                "Similar products",
                value={"collection": "all", "encoder": "all-v1", "results": _SEARCH_RESULTS, "weights": _WEIGHTS},
                response_only=True,
                status_codes=["200"],
            ),
            _BY_WORDS,
            problem_example(
                IMAGE_REJECTED,
                ImageRejected(PhotoRejectionReason.FORMAT, "the file is PDF: save it as JPEG, PNG or WebP"),
                "/api/collections/all/search",
            ),
            problem_example(IMAGE_TOO_LARGE, _too_large(20 * 1024 * 1024), "/api/collections/all/search"),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """The products that words, a photo, and liked and disliked products find together, best first.

        `text` alone ranks by the words. A photo or liked products alone rank by looks: the products whose photos are most similar
        come first, and of products whose best-matching photos show the same picture, one is returned. Words beside a photo or a
        liked product choose among the products that look most alike: "this, but red".

        The photo is a file of the form, or the parameter `photo` with a link or a `data:` URL.

        Parameters may be given in the query string or in the form.
        """
        check_size(content_length(request), allowance=FORM_BYTES)
        given = {*request.query_params, *request.POST}
        errors = _file_errors(request.FILES, given)
        if failure := get_storage_error(request._request):
            raise failure
        values = ProductSearchParameters.parse(request.query_params, request.POST, errors=errors)
        address = values.pop("photo_address", None)
        file = request.FILES.get(_PHOTO)
        if file is not None:
            check_size(file.size)
            values["photo"] = file
        elif address is not None:
            values["photo"] = _photo_behind(address)
        return _found(request, slug, values)


class TextSearchView(ApiView):
    """Products found by words, by a link."""

    endpoint = "text_search"

    @extend_schema(
        operation_id="text_search",
        summary="Search by words",
        tags=["Recommendations"],
        parameters=[LinkableSearchParameters],
        responses=responses(serializers.SearchResponseSerializer, 400, 503, 507),
        examples=[_BY_WORDS],
    )
    def get(self, request: Request) -> Response:
        """The products that words, and liked and disliked products, find together, best first.

        The same as `POST /api/collections/<slug>/search` without a photo, as a link.
        """
        given = {*request.query_params}
        errors = (
            []
            if given & {"text", "liked"}
            else [ParameterError("text", "is missing: give words, or a product that is liked")]
        )
        values = LinkableSearchParameters.parse(request.query_params, errors=errors)
        slug = values.pop("collection")
        try:
            return _found(request, slug, values)
        except UnknownCollection as error:
            raise InvalidParameters([ParameterError("collection", str(error))]) from error


def _found(request: Request, slug: str, values: dict[str, Any]) -> Response:
    strict = values.pop("strict")
    errors: list[ParameterError] = []
    for name in ("liked", "disliked"):
        values[name] = _examples(name, values.get(name, ()), errors)
    if values["disliked"] and not values["liked"] and "photo" not in values:
        errors.append(ParameterError("disliked", "needs a photo or a liked product beside it"))
    if errors:
        raise InvalidParameters(errors)
    search = ProductSearch(**values)
    try:
        with weighed():
            found = search_products(slug, search)
    except WithoutVector as error:
        name = "liked" if error.product_id in {each.product_id for each in search.liked} else "disliked"
        raise InvalidParameters([ParameterError(name, f"{error}: leave it out, or wait until it is")]) from error
    except NothingToSearchFor as error:
        raise InvalidParameters([ParameterError("text", str(error))]) from error
    if strict:
        check_names(search.filter, is_empty=not found.results)
    return Response(serializers.recommendations(found, base_address(request)))


def _examples(name: str, given: Sequence[tuple[str, float]], errors: list[ParameterError]) -> list[Example]:
    """The products of a parameter, by SKU or else by id. Adds an error for each that does not exist."""
    by_sku = ids_of_skus([reference for reference, _ in given])
    numbers = {int(text) for text, _ in given if text.isdecimal() and text.isascii() and int(text) <= MAX_PRODUCT_ID}
    by_id = existing_ids(numbers) if numbers else set()
    found = []
    for reference, weight in given:
        product_id = by_sku.get(reference)
        if product_id is None and reference.isdecimal() and reference.isascii() and int(reference) in by_id:
            product_id = int(reference)
        if product_id is None:
            errors.append(ParameterError(name, f"{reference!r} is neither the SKU nor the id of a product"))
        else:
            found.append(Example(product_id, weight))
    return found


def _photo_behind(address: str) -> bytes:
    """The photo of a link or a `data:` URL."""
    if address.startswith("data:"):
        head, _, data = address.partition(",")
        if not head.endswith(";base64"):
            raise InvalidParameters(
                [ParameterError(_PHOTO, "is a data: URL without base64: encode the photo by base64")]
            )
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise InvalidParameters([ParameterError(_PHOTO, f"is no valid base64: {error}")]) from error
    if not address.lower().startswith(("http://", "https://")):
        raise InvalidParameters([ParameterError(_PHOTO, "is neither a file, an http(s) link nor a data: URL")])
    fetcher = Fetcher()
    try:
        fetched = fetcher.fetch(address)
    except ImageRejected as error:
        raise InvalidParameters([ParameterError(_PHOTO, str(error))]) from error
    finally:
        fetcher.close()
    if fetched.photo is None:
        raise InvalidParameters([ParameterError(_PHOTO, "is a link without a photo behind it")])
    return fetched.photo.content


def check_size(size: int, allowance: int = 0) -> None:
    """Raises ImageRejected for a file, or a request with one, that is larger than a photo may be. allowance: in bytes."""
    if size > settings.PHOTO_MAX_BYTES + allowance:
        raise _too_large(settings.PHOTO_MAX_BYTES)


def _file_errors(files: MultiValueDict[str, UploadedFile[Any]], given: Collection[str]) -> list[ParameterError]:
    """The errors of the files of a form, and of a form that asks for nothing. given: names of its other parameters."""
    errors = [ParameterError(name, f"is not accepted: the only file is `{_PHOTO}`") for name in files if name != _PHOTO]
    photos = files.getlist(_PHOTO)
    if len(photos) > 1 or (photos and _PHOTO in given):
        errors.append(ParameterError(_PHOTO, GIVEN_TWICE))
    elif not photos and not {_PHOTO, "text", "liked"} & {*given}:
        errors.append(ParameterError(_PHOTO, "is missing: send a photo, words as `text`, or a product as `liked`"))
    return errors
