"""What visitors did with recommendations, as shops' pages tell it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers as fields
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import KEY_PARAMETER
from recommender.events import MAX_EVENTS, MEMBERS, read_events, record
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError
from rest.parameters import NoParameters
from rest.problems import INVALID_PARAMETERS, TOO_LARGE
from rest.views import ApiView, content_length

MAX_BYTES = 64 * 1024


def _too_large() -> RequestDataTooBig:
    return RequestDataTooBig(f"the events are larger than {MAX_BYTES:,} bytes: send fewer at a time")


class _JsonParser(BaseParser):
    """JSON in UTF-8. Nesting without end, which Python's own parser fails on, is malformed like anything else."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """The document. Raises ParseError."""
        try:
            return json.loads(stream.read().decode())
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not JSON in UTF-8: {str(error)[:100]}") from error


class _BeaconParser(_JsonParser):
    """The same: as plain text a browser sends it to another origin without asking first."""

    media_type = "text/plain"


class AcceptedSchema(fields.Serializer[Any]):
    """How many events were stored."""

    accepted = fields.IntegerField(min_value=0)


_BODY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["events"],
    "properties": {
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_EVENTS,
            "items": {
                "oneOf": [
                    {
                        "type": "object",
                        "title": kind.value,
                        "additionalProperties": False,
                        "required": ["type", *(member.name for member in members if member.required)],
                        "properties": {
                            "type": {"type": "string", "enum": [kind.value]},
                            **{member.name: dict(member.schema) for member in members},
                        },
                    }
                    for kind, members in MEMBERS.items()
                ]
            },
        }
    },
}
_STRIP = {"collection": "all", "encoder": "all-v1"}
_EXAMPLE = {
    "events": [
        {"type": "impression", "product": 12, "results": [3, 4, 5], **_STRIP},
        {"type": "click", "product": 12, "result": 4, "position": 2, **_STRIP},
        {"type": "add_to_cart", "product": 4, "quantity": 1},
        {"type": "purchase", "product": 4, "quantity": 1},
    ]
}


class EventsView(ApiView):
    """Takes events."""

    endpoint = "events"
    accepts_key_in_query = True
    parser_classes: Sequence[type[BaseParser]] = [_JsonParser, _BeaconParser]

    @extend_schema(
        operation_id="events",
        summary="Tell what visitors saw, clicked and bought",
        tags=["Events"],
        parameters=[
            OpenApiParameter(
                KEY_PARAMETER,
                {"type": "string"},
                description="A publishable key, where a browser sends no headers with it.",
            )
        ],
        request={"application/json": _BODY, "text/plain": _BODY},
        responses=responses(AcceptedSchema, 400, 413, 415, 503, 507, status=202),
        examples=[
            OpenApiExample("Events", value=_EXAMPLE, request_only=True),
            OpenApiExample("Stored", value={"accepted": 4}, response_only=True, status_codes=["202"]),
            OpenApiExample(
                "A visitor who asks not to be tracked", value={"accepted": 0}, response_only=True, status_codes=["202"]
            ),
            problem_example(
                INVALID_PARAMETERS,
                InvalidParameters([ParameterError("events[3].position", "is not a whole number from 1 to 1000")]),
                "/api/events",
            ),
            problem_example(TOO_LARGE, _too_large(), "/api/events"),
        ],
    )
    def post(self, request: Request) -> Response:
        """Store up to 100 events, all of them or, where one is wrong, none.

        `impression`: results were seen beside the product `product` (left out or null: after a search by photo). `click`: one of
        them, `result`, was clicked at its `position`, from 1. `add_to_cart` and `purchase`: of any product, however it was found.
        `collection` and `encoder` are those of the answer that was shown.

        Nothing is kept of who the visitor is, and nothing at all where the request says `DNT: 1` or `Sec-GPC: 1`. The body is JSON;
        send it as `text/plain` and a browser's `sendBeacon` may send it to this origin from any page.
        """
        query = request.query_params.copy()
        # The key, which authentication has read.
        query.pop(KEY_PARAMETER, None)
        NoParameters.parse(query)
        if "1" in (request.headers.get("DNT"), request.headers.get("Sec-GPC")):
            return Response({"accepted": 0}, status=HTTPStatus.ACCEPTED)
        if content_length(request) > MAX_BYTES:
            raise _too_large()
        events = read_events(request.data)
        record(events)
        return Response({"accepted": len(events)}, status=HTTPStatus.ACCEPTED)
