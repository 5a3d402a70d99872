"""The API: each view reads a request, makes one call, and writes the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.datastructures import MultiValueDict
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalog.photos import ImageRejected, Reason
from embeddings.errors import UnknownCollection
from recommender import params, pipeline, products, serializers
from recommender.errors import InvalidParameters, ParameterError, ProductNotFound
from recommender.metrics import count_request
from recommender.params import Param
from recommender.problems import CONTENT_TYPE

# Room for the form around a photo.
_FORM_BYTES = 1024 * 1024
_LARGEST_ID = 2**63 - 1


class _JsonOnly(DefaultContentNegotiation):
    """There is one format, whatever a client says that it would rather have."""

    def select_renderer(self, _: Request, renderers: Iterable[BaseRenderer], *__: Any) -> tuple[BaseRenderer, str]:
        """The one renderer there is."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ApiView(APIView):
    """An endpoint that any web page may call: it reads public data and takes no cookie.

    `endpoint` names it in the metrics.
    """

    endpoint = ""
    content_negotiation_class = _JsonOnly

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, for pages of every origin, and count it."""
        response = super().dispatch(request, *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        if request.method == "OPTIONS":
            response["Access-Control-Allow-Methods"] = response["Allow"]
            response["Access-Control-Allow-Headers"] = "Content-Type"
            response["Access-Control-Max-Age"] = "86400"
        else:
            response["Access-Control-Expose-Headers"] = "Retry-After"
        count_request(self.endpoint, str(request.method), response.status_code)
        return response

    def options(self, *_: Any, **__: Any) -> Response:
        """Tell a browser that a page of another origin may call this."""
        return Response(status=HTTPStatus.NO_CONTENT)


def _documented(parameters: Sequence[Param]) -> list[OpenApiParameter]:
    return [
        OpenApiParameter(
            param.name,
            dict(param.schema),
            description=param.description,
            examples=[OpenApiExample(param.name, value=param.example)] if param.example is not None else [],
        )
        for param in parameters
    ]


def _problem(status: int, slug: str, title: str, detail: str, instance: str, **extra: Any) -> OpenApiExample:
    problem_type = f"urn:problem-type:lookalike:{slug}" if slug else "about:blank"
    value = {"type": problem_type, "title": title, "status": status, "detail": detail, "instance": instance, **extra}
    name = slug.replace("-", " ").capitalize() or title
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)], media_type=CONTENT_TYPE)


def _responses(answer: Any, *problems: int) -> dict[tuple[int, str], Any]:
    """The answer, and the problems with these statuses."""
    return {(200, "application/json"): answer} | {
        (status, CONTENT_TYPE): serializers.ProblemSchema for status in problems
    }


_CARD = {
    "id": 17, "sku": "MUG-017", "title": "Blue enamel mug", "category": "kitchen/mugs", "brand": "Harbour",
    "price": "14.50", "currency": "EUR", "available": True, "image": "/media/products/3f/3f0c.jpg",
    "url": "/products/17/blue-enamel-mug/",
}  # fmt: skip
_RESULTS = [{"product": _CARD, "score": 0.912345}]
_BAD_LIMIT = _problem(
    400, "invalid-parameters", "Some parameters cannot be used", "See `errors` for what is wrong with each parameter.",
    "/api/products/4/similar", errors=[{"parameter": "limit", "detail": "is not a whole number from 1 to 100"}],
)  # fmt: skip
_NO_PRODUCT = _problem(
    404,
    "product-not-found",
    "There is no such product",
    "There is no product 4, or it is not shown any more",
    "/api/products/4",
)
_INDEX_AWAY = _problem(
    503,
    "index-unavailable",
    "The vector index does not answer",
    "The index is held by another process",
    "/api/products/4/similar",
)


class ProductListView(ApiView):
    """The catalogue."""

    endpoint = "products"

    @extend_schema(
        operation_id="products",
        summary="Products, newest first",
        tags=["Catalogue"],
        parameters=_documented(params.PRODUCT_LIST),
        responses=_responses(serializers.ProductPageSchema, 400, 404),
        examples=[
            OpenApiExample(
                "A page",
                value={
                    "count": 25,
                    "next": "https://shop.example/api/products?page=2",
                    "previous": None,
                    "results": [_CARD],
                },
                response_only=True,
                status_codes=["200"],
            ),
            _BAD_LIMIT,
        ],
    )
    def get(self, request: Request) -> Response:
        """The products that are for sale, page by page."""
        query = params.product_list_query(request.query_params)
        page = products.product_page(query)
        return Response(
            {
                "count": page.count,
                "next": _page_address(request, query.page + 1) if page.has_next else None,
                "previous": _page_address(request, query.page - 1) if page.has_previous else None,
                "results": serializers.product_cards(page.products),
            }
        )


class ProductView(ApiView):
    """One product."""

    endpoint = "product"

    @extend_schema(
        operation_id="product",
        summary="One product",
        tags=["Catalogue"],
        parameters=[OpenApiParameter("product_id", int, OpenApiParameter.PATH, description="Its id.")],
        responses=_responses(serializers.ProductDetailSchema, 400, 404),
        examples=[
            OpenApiExample(
                "A product",
                value={
                    **_CARD,
                    "description": "Holds 350 ml.",
                    "tags": ["camping"],
                    "attributes": {"colour": "blue"},
                    "images": [{"url": "/media/products/3f/3f0c.jpg", "width": 800, "height": 600, "alt": "A mug"}],
                },
                response_only=True,
                status_codes=["200"],
            ),
            _NO_PRODUCT,
        ],
    )
    def get(self, request: Request, product_id: int) -> Response:
        """One product with its description, tags, attributes and all its photos."""
        params.no_parameters(request.query_params)
        return Response(serializers.product_detail(products.product_detail(_existing(product_id))))


class SimilarView(ApiView):
    """Products that look like a product."""

    endpoint = "similar"

    @extend_schema(
        operation_id="similar",
        summary="Products that look like this one",
        tags=["Recommendations"],
        parameters=[
            OpenApiParameter("product_id", int, OpenApiParameter.PATH, description="The product's id."),
            *_documented(params.SIMILAR),
        ],
        responses=_responses(serializers.SimilarAnswerSchema, 400, 404, 503),
        examples=[
            OpenApiExample(
                "Similar products",
                value={"product": 4, "collection": "all", "encoder": "all-v1", "results": _RESULTS, "fallback": False},
                response_only=True,
                status_codes=["200"],
            ),
            OpenApiExample(
                "A product whose photos are not embedded yet",
                value={
                    "product": 4,
                    "collection": "all",
                    "encoder": "all-v1",
                    "results": [{"product": _CARD, "score": None}],
                    "fallback": True,
                },
                response_only=True,
                status_codes=["200"],
            ),
            _BAD_LIMIT,
            _NO_PRODUCT,
            _INDEX_AWAY,
        ],
    )
    def get(self, request: Request, product_id: int) -> Response:
        """The products whose photos look most like this product's, the nearest first.

        Never the product itself, nor one with a byte-identical photo, nor one that is not for sale any more.
        A product with several photos counts by the best match between any two. A product with no vector yet is
        answered by a fall-back that says so: `fallback` is true, the results are the newest products of its category
        (then of the categories above it, then of any), and every score is null.
        """
        query = params.similar_query(request.query_params)
        try:
            answer = pipeline.similar_to(_existing(product_id), query)
        except UnknownCollection as error:
            raise InvalidParameters([ParameterError("collection", str(error))]) from error
        return Response(serializers.recommendations(answer, product_id=product_id))


class SearchView(ApiView):
    """Products that look like a photo."""

    endpoint = "search"
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser]

    @extend_schema(
        operation_id="search",
        summary="Products that look like a photo",
        tags=["Recommendations"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            *_documented(params.SEARCH),
        ],
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {
                    "photo": {"type": "string", "format": "binary", "description": "A JPEG, PNG or WebP file."},
                    **{param.name: {**param.schema, "description": param.description} for param in params.SEARCH},
                },
                "required": ["photo"],
            }
        },
        responses=_responses(serializers.SearchAnswerSchema, 400, 404, 413, 415, 503),
        examples=[
            OpenApiExample(
                "Look-alikes",
                value={"collection": "all", "encoder": "all-v1", "results": _RESULTS},
                response_only=True,
                status_codes=["200"],
            ),
            _problem(
                400, "image-rejected", "The photo cannot be used", "The file is PDF: save it as JPEG, PNG or WebP",
                "/api/collections/all/search", reason="format",
            ),
            _problem(
                413, "too-large", "The upload is too large",
                "The file is larger than 20,971,520 bytes: save it smaller", "/api/collections/all/search",
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        """The products whose photos look most like the uploaded one.

        Parameters may come in the address or in the form.
        """
        _refuse_too_large(_announced_bytes(request), allowance=_FORM_BYTES)
        query = params.search_query(request.query_params, request.POST, errors=_errors_of_files(request.FILES))
        photo = request.FILES["photo"]
        _refuse_too_large(photo.size)
        return Response(serializers.recommendations(pipeline.search(slug, photo.read(), query)))


@extend_schema(exclude=True)
class UnknownAddressView(ApiView):
    """Every address below /api that is none."""

    endpoint = "unknown"

    def get(self, request: Request) -> Response:
        """Nothing here."""
        hint = (
            "addresses of the API have no trailing slash"
            if request.path.endswith("/")
            else "see /api/docs for what there is"
        )
        raise NotFound(f"There is nothing at this address: {hint}.")

    post = put = patch = delete = get


def _existing(product_id: int) -> int:
    """Databases fail on ids that they could not hold."""
    if product_id > _LARGEST_ID:
        raise ProductNotFound(product_id)
    return product_id


def _page_address(request: Request, page: int) -> str:
    query = request.query_params.copy()
    query["page"] = str(page)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _announced_bytes(request: Request) -> int:
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    return int(announced) if announced.isdecimal() else 0


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
        errors.append(ParameterError("photo", "is given more than once"))
    elif not photos:
        errors.append(ParameterError("photo", "is missing: send one picture as a file of a multipart form"))
    return errors
