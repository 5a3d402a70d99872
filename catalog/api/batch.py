"""The endpoint of many small changes at once: prices, stock, activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import RequestDataTooBig, ValidationError
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import describe_change
from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.api import inputs
from catalog.api.by_sku import parameter_errors
from catalog.changes import Changed, ChangeResult, ProductChange, patch_products
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import NoParameters
from rest.parsers import JsonParser
from rest.problems import INVALID_PARAMETERS, TOO_LARGE, ParameterErrorSerializer
from rest.views import ApiView, content_length

MAX_CHANGES = 1000
MAX_BYTES = 5 * 1024 * 1024
_SHOWN_SKUS = 20
_BATCH = "/api/products:batch"
_CHANGES = "changes"
_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": [_CHANGES],
    "properties": {
        _CHANGES: {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_CHANGES,
            "items": inputs.json_schema(inputs.BatchChange),
        }
    },
}
_SENT = {_CHANGES: [{"sku": "MUG-17", "price": "12.90"}, {"sku": "MUG-18", "available": "no"}, {"sku": "MUG-99"}]}
_RESULTS = {
    "ok": 1,
    "errors": 2,
    "results": [
        {"sku": "MUG-17", "status": "ok", "result": "updated"},
        {
            "sku": "MUG-18",
            "status": "error",
            "errors": [{"parameter": "available", "detail": "must be true or false"}],
        },
        {
            "sku": "MUG-99",
            "status": "error",
            "errors": [
                {
                    "parameter": "sku",
                    "detail": "there is no product with this SKU: 'MUG-99', or it is no longer visible",
                }
            ],
        },
    ],
}


def _too_large() -> RequestDataTooBig:
    return RequestDataTooBig(f"the changes are larger than {MAX_BYTES:,} bytes: send fewer per request")


def _number_error(number: int) -> str:
    return f"has {number} changes: send 1 to {MAX_CHANGES} per request"


class ChangeResultSchema(serializers.Serializer[Any]):
    """What became of one change."""

    sku = serializers.CharField(allow_null=True, help_text="Of the change; null if it has none.")
    status = serializers.ChoiceField(["ok", "error"])
    result = serializers.CharField(required=False, help_text="With ok: `updated`, or `unchanged` if all was so before.")
    errors = ParameterErrorSerializer(  # type: ignore[assignment]  # a field, taken out of the class when it is made
        many=True, required=False, help_text="With error: why nothing of this change was made."
    )


class BatchResultSchema(serializers.Serializer[Any]):
    """What became of a batch."""

    ok = serializers.IntegerField(help_text="Number of changes that were made.")
    errors = serializers.IntegerField(help_text="Number of changes that were not made.")  # type: ignore[assignment]
    results = ChangeResultSchema(many=True, help_text="One for each change, in the order of the changes.")


class ProductBatchView(ApiView):
    """Changes of many products."""

    endpoint = "product_batch"
    write_scopes = {"POST": frozenset({Scope.IMPORT})}
    parser_classes: Sequence[type[BaseParser]] = [JsonParser]

    @extend_schema(
        operation_id="product_batch",
        summary="Change many products",
        tags=["Catalogue"],
        parameters=[IDEMPOTENCY_KEY],
        request={"application/json": _BODY},
        responses=responses(BatchResultSchema, 400, 403, 413, 415, 422, 503),
        examples=[
            OpenApiExample("Prices and stock", value=_SENT, request_only=True),
            OpenApiExample("Results", value=_RESULTS, response_only=True, status_codes=["200"]),
            WRITES_DISABLED,
            problem_example(
                INVALID_PARAMETERS, InvalidParameters([ParameterError(_CHANGES, _number_error(0))]), _BATCH
            ),
            problem_example(TOO_LARGE, _too_large(), _BATCH),
        ],
    )
    def post(self, request: Request) -> Response:
        """Change up to 1,000 products by SKU, each as `PATCH` does, without photos.

        Every change that can be made is made, in one transaction; the response has a result for each, in the same order. Products
        that do not exist are not created.
        """
        NoParameters.parse(request.query_params)
        if content_length(request) > MAX_BYTES:
            raise _too_large()
        return answer_once(request, lambda items: _apply(request, items), prepare=lambda: _items(request.data))


def _items(document: Any) -> list[Any]:
    """The changes of a document, which are not checked yet."""
    if not isinstance(document, dict) or not isinstance(document.get(_CHANGES), list):
        raise InvalidParameters([ParameterError(_CHANGES, 'is missing: send {"changes": [...]}')])
    items: list[Any] = document[_CHANGES]
    if unknown := [name for name in document if name != _CHANGES]:
        name = unknown[0][:40].encode("ascii", "backslashreplace").decode()
        raise InvalidParameters([ParameterError(name, f"is not a known field; the document has: {_CHANGES}")])
    if not 1 <= len(items) <= MAX_CHANGES:
        raise InvalidParameters([ParameterError(_CHANGES, _number_error(len(items)))])
    return items


def _apply(request: Request, items: Sequence[Any]) -> Response:
    valid: dict[int, inputs.BatchChange] = {}
    errors: dict[int, list[ParameterError]] = {}
    numbers: dict[str, int] = {}
    for number, item in enumerate(items):
        try:
            change = inputs.read(inputs.BatchChange, item)
        except inputs.InvalidInput as error:
            errors[number] = error.errors
            continue
        if (first := numbers.setdefault(change.sku, number)) != number:
            errors[number] = [ParameterError("sku", f"is that of changes[{first}], too: send one change of a product")]
            continue
        valid[number] = change
    values = inputs.product_values(list(valid.values()))
    changes = [ProductChange(change.sku, each) for change, each in zip(valid.values(), values, strict=True)]
    results = dict(zip(valid, patch_products(changes), strict=True))
    errors |= {number: _errors(result) for number, result in results.items() if not isinstance(result, Changed)}
    lines = [_line(item, results.get(number), errors.get(number)) for number, item in enumerate(items)]
    describe_change(request._request, _summary(valid, results, len(errors)))
    return Response({"ok": len(items) - len(errors), "errors": len(errors), "results": lines})


def _errors(result: ChangeResult) -> list[ParameterError]:
    if isinstance(result, ValidationError):
        return parameter_errors(result)
    return [ParameterError("sku", str(result))]


def _line(item: Any, result: ChangeResult | None, errors: Sequence[ParameterError] | None) -> dict[str, Any]:
    sku = item.get("sku") if isinstance(item, dict) else None
    # It may have characters that no answer can have.
    shown = sku.encode(errors="backslashreplace").decode() if isinstance(sku, str) else None
    line: dict[str, Any] = {"sku": shown}
    if isinstance(result, Changed):
        return {**line, "status": "ok", "result": str(result.result)}
    reasons = [{"parameter": error.parameter, "detail": error.detail} for error in errors or ()]
    return {**line, "status": "error", "errors": reasons}


def _summary(valid: dict[int, inputs.BatchChange], results: dict[int, ChangeResult], errors: int) -> str:
    """For the audit log."""
    made = [valid[number].sku for number, result in results.items() if isinstance(result, Changed)]
    more = f" and {len(made) - _SHOWN_SKUS} more" if len(made) > _SHOWN_SKUS else ""
    return f"{len(made)} changes, {errors} errors: SKUs {', '.join(made[:_SHOWN_SKUS])}{more}"
