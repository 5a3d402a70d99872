"""The endpoints that search products: by words, a photo, and products that are liked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.parameters import check_names
from catalog.models import MAX_PRODUCT_ID
from catalog.problems import IMAGE_REJECTED, IMAGE_TOO_LARGE
from catalog.selectors import existing_ids, ids_of_skus
from jobs.temporary_uploads import get_storage_error
from pictures.photos import FORMAT_NAMES, ImageRejected, PhotoRejectionReason
from recommender.api import serializers
from recommender.api.documenting import RESULTS, WEIGHTS
from recommender.api.parameters import LinkableSearchParameters, ProductSearchParameters, known_collection, weighed
from recommender.api.photos import PHOTO, check_size, photo_behind, too_large
from recommender.errors import NothingToSearchFor, WithoutVector
from recommender.searching import Example, ProductSearch, search_products
from rest.addresses import base_address
from rest.documenting import form_body, problem_example, responses
from rest.errors import GIVEN_TWICE, InvalidParameters, ParameterError
from rest.views import FORM_BYTES, ApiView, content_length

_SEARCH_ERRORS = (400, 404, 413, 415, 503, 507)
_BY_WORDS = OpenApiExample(
    "Search by words, with facets",
    value={
        "collection": "all",
        "encoder": "all-v1",
        "results": [{**RESULTS[0], "score": 1.1, "confidence": None, "matched_image": None}],
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
            PHOTO,
            f"A photo: {FORMAT_NAMES}; or an http(s) link or a `data:` URL.",
            ProductSearchParameters.form_schema(),
            required=False,
        ),
        responses=responses(serializers.SearchResponseSerializer, *_SEARCH_ERRORS),
        examples=[
            OpenApiExample(
                "Similar products",
                value={"collection": "all", "encoder": "all-v1", "results": RESULTS, "weights": WEIGHTS},
                response_only=True,
                status_codes=["200"],
            ),
            _BY_WORDS,
            problem_example(
                IMAGE_REJECTED,
                ImageRejected(PhotoRejectionReason.FORMAT, "the file is PDF: save it as JPEG, PNG or WebP"),
                "/api/collections/all/search",
            ),
            problem_example(IMAGE_TOO_LARGE, too_large(20 * 1024 * 1024), "/api/collections/all/search"),
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
        file = request.FILES.get(PHOTO)
        if file is not None:
            check_size(file.size)
            values["photo"] = file
        elif address is not None:
            values["photo"] = photo_behind(address)
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
        with known_collection():
            return _found(request, slug, values)


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


def _file_errors(files: MultiValueDict[str, UploadedFile[Any]], given: Collection[str]) -> list[ParameterError]:
    """The errors of the files of a form, and of a form that asks for nothing. given: names of its other parameters."""
    errors = [ParameterError(name, f"is not accepted: the only file is `{PHOTO}`") for name in files if name != PHOTO]
    photos = files.getlist(PHOTO)
    if len(photos) > 1 or (photos and PHOTO in given):
        errors.append(ParameterError(PHOTO, GIVEN_TWICE))
    elif not photos and not {PHOTO, "text", "liked"} & {*given}:
        errors.append(ParameterError(PHOTO, "is missing: send a photo, words as `text`, or a product as `liked`"))
    return errors
