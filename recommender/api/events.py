"""The endpoint of visitor events, which shops' pages report."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers as fields
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.addresses import client_network
from accounts.authentication import KEY_PARAMETER
from accounts.throttling import count_further, counts_for_address
from recommender.events import (
    EVENT_FIELDS,
    EVENTS_A_REQUEST,
    MAX_EVENTS,
    MAX_POSITION,
    MAX_UNKNOWN,
    EventLimitExceeded,
    ReadEvents,
    charge,
    event_schema,
    read_events,
    store,
)
from recommender.problems import EVENT_LIMIT_EXCEEDED
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError, integer_expected
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import NoParameters
from rest.parsers import JsonParser
from rest.problems import INVALID_PARAMETERS, TOO_LARGE
from rest.views import ApiView, content_length

MAX_BYTES = 64 * 1024


def _too_large() -> RequestDataTooBig:
    return RequestDataTooBig(f"the events are larger than {MAX_BYTES:,} bytes: send fewer per request")


class _BeaconParser(JsonParser):
    """JSON, too: a browser sends plain text to another origin without a preflight."""

    media_type = "text/plain"


class AcceptedSchema(fields.Serializer[Any]):
    """How many events were stored, and how many were not because no product has the id or SKU that they are about."""

    accepted = fields.IntegerField(min_value=0)
    dropped = fields.IntegerField(min_value=0)
    unknown = fields.ListField(
        child=fields.CharField(),
        max_length=MAX_UNKNOWN,
        help_text="The first ids and SKUs that no product has, as paths.",
    )


_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["events"],
    "properties": {
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_EVENTS,
            "items": {"oneOf": [event_schema(kind) for kind in EVENT_FIELDS]},
        }
    },
}
_NOTHING: dict[str, Any] = {"accepted": 0, "dropped": 0, "unknown": []}
_SHOWN = {"collection": "all", "encoder": "all-v1"}
_EXAMPLE = {
    "events": [
        {"type": "impression", "product": 12, "results": [3, 4, 5], **_SHOWN},
        {"type": "click", "product": 12, "result": 4, "position": 2, **_SHOWN},
        {"type": "add_to_cart", "product": 4, "quantity": 1},
        {"type": "purchase", "sku": "MUG-17", "quantity": 1},
    ]
}


class EventsView(ApiView):
    """Stores events."""

    endpoint = "events"
    accepts_key_in_query = True
    parser_classes: Sequence[type[BaseParser]] = [JsonParser, _BeaconParser]

    @extend_schema(
        operation_id="events",
        summary="Report visitor events",
        tags=["Events"],
        parameters=[
            OpenApiParameter(
                KEY_PARAMETER,
                {"type": "string"},
                description="A publishable key, for requests that a browser sends without headers.",
            ),
            IDEMPOTENCY_KEY,
        ],
        request={"application/json": _BODY, "text/plain": _BODY},
        responses=responses(AcceptedSchema, 400, 413, 415, 422, 503, 507, status=202),
        examples=[
            OpenApiExample("Events", value=_EXAMPLE, request_only=True),
            OpenApiExample(
                "Stored", value={"accepted": 4, "dropped": 0, "unknown": []}, response_only=True, status_codes=["202"]
            ),
            OpenApiExample(
                "A product is gone",
                value={"accepted": 3, "dropped": 1, "unknown": ["events[0].results[2]", "events[3].sku"]},
                response_only=True,
                status_codes=["202"],
            ),
            OpenApiExample("Do Not Track", value=_NOTHING, response_only=True, status_codes=["202"]),
            problem_example(
                INVALID_PARAMETERS,
                InvalidParameters([ParameterError("events[3].position", integer_expected(1, MAX_POSITION))]),
                "/api/events",
            ),
            problem_example(TOO_LARGE, _too_large(), "/api/events"),
            problem_example(
                EVENT_LIMIT_EXCEEDED,
                EventLimitExceeded("the server has stored as many events as it may in an hour", 1500),
                "/api/events",
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Store up to 100 events: all of them or, if one is invalid, none.

        `impression`: results were seen beside the product `product` (omitted or null after a search by photo). `click`: the result
        `result` was clicked at its `position`, from 1. `add_to_cart` and `purchase`: for any product, however it was found.
        `collection` and `encoder` are those of the response whose results were shown. Products may be named by SKU: `sku`
        instead of `product`, `result_sku` instead of `result`, `result_skus` instead of `results`.

        An event about a product that does not exist, such as one that was deleted a moment ago, is dropped, and the others are
        stored; the response says how many were dropped, and which ids and SKUs are `unknown`. For the rate limit a request
        counts once for every ten events. What one address may store in a day is limited, and what all may store in an hour.

        No data about the visitor is stored, and no event at all if the request has `DNT: 1` or `Sec-GPC: 1`. The body is JSON;
        as `text/plain`, a browser's `sendBeacon` can send it to this origin from any page.
        """
        query = request.query_params.copy()
        # The key, which authentication has read.
        query.pop(KEY_PARAMETER, None)
        NoParameters.parse(query)
        if "1" in (request.headers.get("DNT"), request.headers.get("Sec-GPC")):
            return Response(_NOTHING, status=HTTPStatus.ACCEPTED)
        if content_length(request) > MAX_BYTES:
            raise _too_large()
        return answer_once(request, _store, prepare=lambda: _read(request))


def _read(request: Request) -> ReadEvents:
    """The events of a request, counted for whoever sent them. Raises RateLimitExceeded, EventLimitExceeded, InvalidParameters."""
    read = read_events(request.data)
    count_further(request, (len(read.events) + read.dropped - 1) // EVENTS_A_REQUEST)
    charge(read, client_network(request._request) if counts_for_address(request) else None)
    return read


def _store(read: ReadEvents) -> Response:
    store(read.events)
    answer = {"accepted": len(read.events), "dropped": read.dropped, "unknown": read.unknown}
    return Response(answer, status=HTTPStatus.ACCEPTED)
