"""The endpoint of a product by its SKU: a shop's system reads, creates, replaces, changes and deletes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import describe_change
from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog import changes, selectors
from catalog.api import inputs, serializers
from catalog.api.documenting import DETAIL, NO_PRODUCT_WITH_SKU
from catalog.api.products import A_PRODUCT, DETAIL_SCHEMA, detail_response
from catalog.api.references import SKU, ProductReference
from catalog.changes import MAX_PHOTOS, Changed, LinksRejected, ProductChange
from catalog.errors import ProductMerged
from catalog.problems import PRODUCT_MERGED
from catalog.services import SaveResult
from jobs.temporary_uploads import get_storage_error
from pictures.photos import ImageRejected, Photo, validate_photo
from product_files.product_data import SKU_LENGTH
from rest.addresses import api_address, base_address
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import NoParameters
from rest.parsers import JsonParser
from rest.problems import INVALID_PARAMETERS, TOO_LARGE
from rest.views import FORM_BYTES, ApiView, content_length

MAX_JSON_BYTES = 1024 * 1024
_PHOTOS = "photos"
_MUG = "/api/products/by-sku/MUG-17"
_RECORD = {**DETAIL, "active": True, "family": ""}
_INPUT = {"title": "Blue enamel mug", "category": "Kitchen > Mugs", "price": "14.50", "attributes": {"colour": "blue"}}
_MERGED = problem_example(PRODUCT_MERGED, ProductMerged("MUG-17"), _MUG)


def _too_large(limit: int) -> RequestDataTooBig:
    return RequestDataTooBig(f"the request is larger than {limit:,} bytes: send less at once")


_WRITE_EXAMPLES = [
    WRITES_DISABLED,
    _MERGED,
    problem_example(
        INVALID_PARAMETERS, InvalidParameters([ParameterError("price", "must be a price such as 12")]), _MUG
    ),
    problem_example(TOO_LARGE, _too_large(MAX_JSON_BYTES), _MUG),
]


def _body(model: type[inputs.ProductPatch]) -> dict[str, Any]:
    return {"application/json": inputs.json_schema(model), "multipart/form-data": inputs.form_schema(model)}


class ProductBySkuView(ApiView):
    """One product, named by its SKU."""

    endpoint = "product"
    write_scopes = dict.fromkeys(("PUT", "PATCH", "DELETE"), frozenset({Scope.IMPORT}))
    parser_classes: Sequence[type[BaseParser]] = [JsonParser, MultiPartParser]

    @extend_schema(
        operation_id="product_by_sku",
        summary="Get a product by SKU",
        parameters=[SKU],
        examples=[A_PRODUCT, NO_PRODUCT_WITH_SKU],
        **DETAIL_SCHEMA,
    )
    def get(self, request: Request, sku: str) -> Response:
        """One visible product with its description, tags, attributes and all its photos."""
        return detail_response(request, ProductReference(sku=sku))

    @extend_schema(
        operation_id="put_product",
        summary="Create or replace a product",
        tags=["Catalogue"],
        parameters=[SKU, IDEMPOTENCY_KEY],
        request=_body(inputs.ProductPut),
        responses={
            (201, "application/json"): serializers.ProductRecordSerializer,
            **responses(serializers.ProductRecordSerializer, 400, 403, 409, 413, 415, 422, 503, 507),
        },
        examples=[
            OpenApiExample("A mug", value=_INPUT, request_only=True),
            OpenApiExample("Created", value=_RECORD, response_only=True, status_codes=["201"]),
            OpenApiExample("Replaced", value=_RECORD, response_only=True, status_codes=["200"]),
            *_WRITE_EXAMPLES,
        ],
    )
    def put(self, request: Request, sku: str) -> Response:
        """Create the product with this SKU, or replace it: fields that are not sent get their defaults.

        Photos stay as they are unless `photos` (files of a form) or `image_links` is sent. The response is 201 with `Location`
        for a new product, otherwise 200.
        """
        _check_size(request)
        return answer_once(
            request,
            lambda change: _changed(request, changes.put_product(change)),
            prepare=lambda: _read_change(request, sku, inputs.ProductPut, _sku_errors(sku)),
        )

    @extend_schema(
        operation_id="patch_product",
        summary="Change a product",
        tags=["Catalogue"],
        parameters=[SKU, IDEMPOTENCY_KEY],
        request=_body(inputs.ProductPatch),
        responses=responses(serializers.ProductRecordSerializer, 400, 403, 404, 409, 413, 415, 422, 503, 507),
        examples=[
            OpenApiExample("A new price", value={"price": "12.90", "list_price": "14.50"}, request_only=True),
            OpenApiExample("Changed", value=_RECORD, response_only=True, status_codes=["200"]),
            NO_PRODUCT_WITH_SKU,
            *_WRITE_EXAMPLES,
        ],
    )
    def patch(self, request: Request, sku: str) -> Response:
        """Change the fields that are sent, and no others."""
        _check_size(request)
        return answer_once(
            request,
            lambda change: _changed(request, changes.patch_product(change)),
            prepare=lambda: _read_change(request, sku, inputs.ProductPatch),
        )

    @extend_schema(
        operation_id="delete_product",
        summary="Delete a product",
        tags=["Catalogue"],
        parameters=[SKU, IDEMPOTENCY_KEY],
        request=None,
        responses={204: None, **responses(None, 400, 403, 404, 415, 422, 503)},
        examples=[WRITES_DISABLED, NO_PRODUCT_WITH_SKU],
    )
    def delete(self, request: Request, sku: str) -> Response:
        """Delete the product with its photos. To hide it for a while, change `active` to false."""
        NoParameters.parse(request.query_params)
        return answer_once(request, lambda _: _delete(request, sku))


def _delete(request: Request, sku: str) -> Response:
    changes.delete_product(sku)
    describe_change(request._request, f"SKU {sku}: deleted")
    return Response(status=HTTPStatus.NO_CONTENT)


def _changed(request: Request, changed: Changed) -> Response:
    product = changed.product
    describe_change(request._request, f"SKU {product.sku}: {changed.result}")
    body = serializers.product_record(selectors.product_record(product.pk), base_address(request))
    if changed.result is not SaveResult.CREATED:
        return Response(body)
    location = f"{api_address(request)}/products/by-sku/{quote(product.sku, safe='')}"
    return Response(body, status=HTTPStatus.CREATED, headers={"Location": location})


def _check_size(request: Request) -> None:
    """Before the body is read."""
    is_form = (request.content_type or "").startswith(MultiPartParser.media_type)
    limit = MAX_PHOTOS * settings.PHOTO_MAX_BYTES + FORM_BYTES if is_form else MAX_JSON_BYTES
    if content_length(request) > limit:
        raise _too_large(limit)


def _sku_errors(sku: str) -> list[ParameterError]:
    """What imports would not give to a product, either: they could not find it again."""
    if len(sku) > SKU_LENGTH:
        return [ParameterError("sku", f"is longer than {SKU_LENGTH} characters")]
    if sku != " ".join(sku.split()) or not sku.isprintable():
        return [ParameterError("sku", "has control characters, or spaces at an end or next to each other")]
    if sku.endswith("/") and not selectors.ids_of_skus([sku]):
        return [ParameterError("sku", "ends with a slash: URLs of the API have none at their end")]
    return []


def _read_change(
    request: Request, sku: str, model: type[inputs.ProductPatch], errors: Iterable[ParameterError] = ()
) -> ProductChange:
    """Read the change of a request with its photos, and report all errors together."""
    NoParameters.parse(request.query_params)
    document = request.data
    found = list(errors)
    if failure := get_storage_error(request._request):
        raise failure
    values: inputs.ProductPatch | None = None
    try:
        document = inputs.read_form(request.POST) if isinstance(document, QueryDict) else document
        values = inputs.read(model, document)
    except inputs.InvalidInput as error:
        found += error.errors
    uploads = _uploaded_photos(request, found)
    if values is None or found:
        raise InvalidParameters(found)
    photos = _all_photos(values, uploads)
    return ProductChange(sku, inputs.product_values([values])[0], photos)


def _uploaded_photos(request: Request, errors: list[ParameterError]) -> list[Photo] | None:
    """The photos of a form; None without any. errors: what is wrong with its files is added."""
    errors += [
        ParameterError(name, f"is not accepted: files are `{_PHOTOS}`") for name in request.FILES if name != _PHOTOS
    ]
    files = request.FILES.getlist(_PHOTOS)
    if not files:
        return None
    if len(files) > MAX_PHOTOS:
        errors.append(ParameterError(_PHOTOS, f"has {len(files)} files: send at most {MAX_PHOTOS}"))
        return None
    photos = []
    for number, file in enumerate(files):
        try:
            photos.append(_photo(file))
        except ImageRejected as error:
            errors.append(ParameterError(f"{_PHOTOS}[{number}]", str(error)))
    return photos


def _photo(file: UploadedFile[Any]) -> Photo:
    """The photo of a file; one that is too large is not read to its end."""
    return validate_photo(file.read(settings.PHOTO_MAX_BYTES + 1))


def _all_photos(values: inputs.ProductPatch, uploads: list[Photo] | None) -> list[Photo] | None:
    if "image_links" not in values.model_fields_set:
        return uploads
    try:
        return [*(uploads or ()), *changes.fetch_photos(values.image_links)]
    except LinksRejected as error:
        raise InvalidParameters(
            [ParameterError(f"image_links[{number}]", reason) for number, reason in error.errors.items()]
        ) from error


def parameter_errors(error: ValidationError) -> list[ParameterError]:
    """The errors of a product's fields.

    Args:
        error: from `catalog.changes`.

    Returns:
        One for each field, by its name in the API.
    """
    names = {"family_code": inputs.FAMILY}
    return [ParameterError(names.get(name, name), " ".join(messages)) for name, messages in error.message_dict.items()]
