"""The API: each view reads a request, makes one call, and writes the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit
from uuid import UUID

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
from embeddings import jobs
from embeddings.errors import UnknownCollection
from embeddings.submissions import expect_training, submit_training
from recommender import params, pipeline, products, serializers, uploads
from recommender.errors import (
    CrossSiteRequest,
    InvalidParameters,
    ParameterError,
    ProductNotFound,
    TrainingDisabled,
)
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

    `endpoint` names it in the metrics. `training_methods`: those that start or end a training, for which pages of other sites may
    not use their visitors' browsers, and which answer only where TRAINING_API is set.
    """

    endpoint = ""
    content_negotiation_class = _JsonOnly
    training_methods: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse before anything is read."""
        super().initial(request, *args, **kwargs)
        if request.method in self.training_methods:
            _refuse_other_sites(request)
            if not settings.TRAINING_API:
                raise TrainingDisabled

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, for pages of every origin where they may ask, and count it."""
        response = super().dispatch(request, *args, **kwargs)
        public = [method for method in self.allowed_methods if method not in self.training_methods]
        if request.method == "OPTIONS" and public != ["OPTIONS"]:
            response["Access-Control-Allow-Origin"] = "*"
            response["Access-Control-Allow-Methods"] = ", ".join(public)
            response["Access-Control-Allow-Headers"] = "Content-Type"
            response["Access-Control-Max-Age"] = "86400"
        elif request.method not in self.training_methods and request.method != "OPTIONS":
            response["Access-Control-Allow-Origin"] = "*"
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


def _responses(answer: Any, *problems: int, status: int = 200) -> dict[tuple[int, str], Any]:
    """The answer, and the problems with these statuses."""
    return {(status, "application/json"): answer} | {
        (status, CONTENT_TYPE): serializers.ProblemSchema for status in problems
    }


_CARD = {
    "id": 17, "sku": "MUG-017", "title": "Blue enamel mug", "category": "kitchen/mugs", "brand": "Harbour",
    "price": "14.50", "currency": "EUR", "available": True, "image": "/media/products/3f/3f0c.jpg",
    "url": "/products/17/blue-enamel-mug/",
}  # fmt: skip
_RESULTS = [{"product": _CARD, "score": 0.912345, "confidence": 0.9731}]
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
                    "results": [{"product": _CARD, "score": None, "confidence": None}],
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


_JOB = {
    "id": "8f9d0f1c-3d1e-4f0e-9f43-3c1a6b0c8f11", "kind": "train", "collection": "all", "state": "queued", "stage": "",
    "progress": None, "done": 0, "total": 0, "result": None, "error": None, "created_at": "2026-11-24T09:30:00Z",
    "started_at": None, "finished_at": None,
}  # fmt: skip
_RUNNING = {
    **_JOB,
    "state": "running",
    "stage": "training",
    "progress": 0.4,
    "done": 8,
    "total": 20,
    "started_at": "2026-11-24T09:30:01Z",
}
_FAILED = {
    **_JOB,
    "state": "failed",
    "error": "its process was killed (SIGKILL): most likely the machine has too little memory for it",
    "started_at": "2026-11-24T09:30:01Z",
    "finished_at": "2026-11-24T09:41:12Z",
}
_TRAIN = "/api/collections/all/train"
_NO_JOB = _problem(
    404, "job-not-found", "There is no such job", f"There is no job {_JOB['id']}", f"/api/jobs/{_JOB['id']}"
)
_DISABLED = _problem(
    403, "training-disabled", "Training is switched off",
    "Training by the API is switched off here: set TRAINING_API=true, or run manage.py train", _TRAIN,
)  # fmt: skip


class TrainView(ApiView):
    """Takes training sets."""

    endpoint = "train"
    training_methods = frozenset({"POST"})
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser, uploads.ZipParser]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Have files streamed to the disk that keeps them."""
        request.upload_handlers = [uploads.ArchiveUploadHandler(request)]
        return super().initialize_request(request, *args, **kwargs)

    @extend_schema(
        operation_id="train",
        summary="Train an encoder on a zip of photos",
        tags=["Training"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            *_documented(params.TRAINING),
        ],
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {
                    "archive": {
                        "type": "string",
                        "format": "binary",
                        "description": "A zip with a folder of photos for each class, and metadata.csv if there is one.",
                    },
                    **{param.name: {**param.schema, "description": param.description} for param in params.TRAINING},
                },
                "required": ["archive"],
            },
            "application/zip": {"type": "string", "format": "binary"},
        },
        responses=_responses(serializers.JobSchema, 400, 403, 404, 409, 413, 415, 422, 503, status=202),
        examples=[
            OpenApiExample("A job that waits", value=_JOB, response_only=True, status_codes=["202"]),
            _problem(
                400, "archive-rejected", "The archive cannot be used",
                "The archive is damaged: its end is missing or cannot be read (File is not a zip file);"
                " pack it again, and send all of it", _TRAIN, reason="damaged",
            ),
            _DISABLED,
            _problem(
                409, "job-under-way", "A job of this kind is under way",
                "A training for 'all' is under way: wait until it has ended, or cancel it", _TRAIN,
            ),
            _problem(
                413, "archive-rejected", "The archive cannot be used",
                "The archive is larger than 2,147,483,648 bytes: send fewer or smaller photos", _TRAIN, reason="too_large",
            ),
            _problem(
                422, "unusable-photos", "The photos cannot be trained on",
                "At least 2 folders with 2 photos each are needed, and 1 of 1 are so: a folder is a class, and its JPEG, PNG"
                " and WebP files are its photos", _TRAIN,
            ),
            _problem(
                503, "training-unavailable", "Nothing can be trained here",
                "TensorFlow is not installed here: install the extra `train` (make setup), or name a broker whose workers"
                " have it (CELERY_BROKER_URL)", _TRAIN,
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        """A new encoder version for the collection, trained on the photos of an archive. Answers at once with a job.

        The archive is a zip: a folder is a class, and its JPEG, PNG and WebP files are its photos. A `metadata.csv` beside
        the folders may say which photos show the same product (columns `file` and `product_id`). It comes as the one file
        of a form, or as the body itself (`application/zip`). Parameters may come in the address or in the form.
        Ask the address in `Location` how far the training is, and what came of it.
        """
        uploads.refuse_too_large(_announced_bytes(request), allowance=_FORM_BYTES)
        expect_training(slug)
        try:
            files = [file for _, each in request.FILES.lists() for file in each]
            wanted = params.training_parameters(request.query_params, request.POST, errors=_errors_of_archives(files))
            job = submit_training(slug, cast("BinaryIO", files[0]), wanted)
        finally:
            _close(request)
        headers = {"Location": f"{request.path.partition('/collections/')[0]}/jobs/{job.pk}"}
        return Response(serializers.job(job), status=HTTPStatus.ACCEPTED, headers=headers)


class JobView(ApiView):
    """Long work."""

    endpoint = "job"
    training_methods = frozenset({"DELETE"})

    @extend_schema(
        operation_id="job",
        summary="How far a job is, and what came of it",
        tags=["Training"],
        parameters=[OpenApiParameter("job_id", UUID, OpenApiParameter.PATH, description="Its id.")],
        responses=_responses(serializers.JobSchema, 400, 404),
        examples=[
            OpenApiExample("A job under way", value=_RUNNING, response_only=True, status_codes=["200"]),
            OpenApiExample("A job that failed", value=_FAILED, response_only=True, status_codes=["200"]),
            _NO_JOB,
        ],
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        params.no_parameters(request.query_params)
        return Response(serializers.job(jobs.get_job(job_id)))

    @extend_schema(
        operation_id="cancel_job",
        summary="Cancel a job",
        tags=["Training"],
        parameters=[OpenApiParameter("job_id", UUID, OpenApiParameter.PATH, description="Its id.")],
        request=None,
        responses=_responses(serializers.JobSchema, 400, 403, 404, 409),
        examples=[
            OpenApiExample(
                "A cancelled job",
                value={**_JOB, "state": "cancelled", "finished_at": "2026-11-24T09:30:20Z"},
                response_only=True,
                status_codes=["200"],
            ),
            _DISABLED,
            _NO_JOB,
            _problem(
                409, "job-ended", "The job has ended", f"Job {_JOB['id']} has ended already: it succeeded",
                f"/api/jobs/{_JOB['id']}",
            ),
        ],
    )  # fmt: skip
    def delete(self, request: Request, job_id: UUID) -> Response:
        """End a job that waits or is under way; nothing of it is kept."""
        params.no_parameters(request.query_params)
        return Response(serializers.job(jobs.cancel(job_id)))


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


def _refuse_other_sites(request: Request) -> None:
    """Raises CrossSiteRequest. Whoever calls without a browser sends neither header."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise CrossSiteRequest
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return
    if urlsplit(origin).netloc.lower() != request.get_host().lower():
        raise CrossSiteRequest


def _close(request: Request) -> None:
    """Let go of the uploads: those that were not kept are gone."""
    for handler in request._request.upload_handlers:
        if isinstance(handler, uploads.ArchiveUploadHandler):
            handler.close()
    for file in request.FILES.values():
        file.close()


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


def _errors_of_archives(files: Sequence[UploadedFile[Any]]) -> list[ParameterError]:
    """What is wrong with the files of a request that ought to have one, whatever its name."""
    if not files:
        return [
            ParameterError(
                "archive", "is missing: send a zip as the one file of a form, or as the body, with a Content-Length"
            )
        ]
    if len(files) > 1:
        return [ParameterError("archive", f"is one file, and {len(files)} were sent: put all photos into one zip")]
    return []
