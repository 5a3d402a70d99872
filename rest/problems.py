"""Problem details (RFC 9457): the JSON form of every error of the API.

A problem type is declared once, as a `ProblemType`, by the app whose errors it reports, beside a mapping from these errors to their
types. The exception handler looks an error up in the mappings of all apps; the OpenAPI examples use the same types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import exceptions, serializers
from rest_framework.views import APIView

from rest.errors import EncodedBody, IdempotencyKeyReused, InvalidParameters

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


def _no_members(_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem.

    Attributes:
        status: HTTP status of the response.
        slug: Last part of the type's URN; "" for about:blank, where the status is explanation enough.
        title: Short text, the same for every problem of the type; "" for the phrase of the status.
        detail: Fixed detail instead of the error's own message, which may name what clients must not see.
        retry_after_s: Seconds for Retry-After, or a function of the error that returns them; None: no such header.
        members: Function of the error that returns the further members of the JSON object.
        log_level: Level at which a status of 500 or above is logged.
    """

    status: HTTPStatus
    slug: str = ""
    title: str = ""
    detail: str = ""
    retry_after_s: int | Callable[[Any], int] | None = None
    members: Callable[[Any], Mapping[str, Any]] = _no_members
    log_level: str = "warning"

    def describe(self, error: Exception, instance: str) -> ProblemDetail:
        """The problem detail of an error.

        Args:
            error: An error of this type; its message becomes the detail unless the type has a fixed one.
            instance: Path of the request.

        Returns:
            The problem detail as it is sent.
        """
        retry_after_s = self.retry_after_s(error) if callable(self.retry_after_s) else self.retry_after_s
        return ProblemDetail(self, self.detail or _message(error), instance, self.members(error), retry_after_s)


@dataclass(frozen=True, slots=True)
class ProblemDetail:
    """One problem as it is sent. members: what it has besides the members of RFC 9457."""

    type: ProblemType
    detail: str
    instance: str
    members: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "type": f"urn:problem-type:lookalike:{self.type.slug}" if self.type.slug else "about:blank",
            "title": self.type.title or self.type.status.phrase,
            "status": self.type.status.value,
            "detail": self.detail,
            "instance": self.instance,
            **self.members,
        }


# An error's type is that of its nearest base class in the mapping; some classes have a type for each reason.
ProblemTypes = Mapping[type[Exception], ProblemType | Callable[[Any], ProblemType]]


def find_type(error: Exception, types: ProblemTypes) -> ProblemType:
    """The problem type of an error.

    Args:
        error: Any error.
        types: Mapping that contains `Exception`, as PROBLEM_TYPES does.

    Returns:
        The type of the nearest base class of the error's class.
    """
    found = next(types[each] for each in type(error).__mro__ if each in types)
    return found if isinstance(found, ProblemType) else found(error)


def problem_response(problem: ProblemDetail) -> HttpResponse:
    """The HTTP response of a problem.

    Args:
        problem: What to send.

    Returns:
        A response of type application/problem+json, with the headers that belong to its status.
    """
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    if problem.type.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="lookalike"'
    body = json.dumps(problem.as_json(), ensure_ascii=False)
    return HttpResponse(body, status=problem.type.status, content_type=CONTENT_TYPE, headers=headers)


def with_remedy(error: Exception, view: APIView) -> Exception:
    """An error of REST framework about the form of a request, with what the view takes instead.

    Args:
        error: Any error.
        view: The view that was called.

    Returns:
        The same error, or one with a longer message.
    """
    if isinstance(error, exceptions.MethodNotAllowed):
        allowed = [method for method in view.allowed_methods if method not in ("HEAD", "OPTIONS")]
        elsewhere = getattr(view, "elsewhere", {}).get(view.request.method)
        remedy = " or ".join(allowed) + (f"; {elsewhere}" if elsewhere else "")
        return exceptions.MethodNotAllowed("", detail=f"{str(error.detail).rstrip('.')}: use {remedy}.")
    if isinstance(error, exceptions.UnsupportedMediaType):
        types = [parser.media_type for parser in view.get_parsers()]
        return exceptions.UnsupportedMediaType(
            "", detail=f"{str(error.detail).rstrip('.')}: send {' or '.join(types)}."
        )
    return error


def _message(error: Exception) -> str:
    text = str(error.detail if isinstance(error, exceptions.APIException) else error)
    # A name stays as it is: of a file, a version, a parameter.
    is_name = not text.partition(" ")[0].rstrip(",;:").isalpha()
    return text if is_name else text[:1].upper() + text[1:]


def _parameter_errors(error: InvalidParameters) -> dict[str, Any]:
    return {"errors": [{"parameter": each.parameter, "detail": each.detail} for each in error.errors]}


def _of_status(error: exceptions.APIException) -> ProblemType:
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return INTERNAL_ERROR
    return ProblemType(HTTPStatus(error.status_code))


INVALID_PARAMETERS = ProblemType(
    HTTPStatus.BAD_REQUEST, "invalid-parameters", "Invalid parameters",
    detail="See `errors` for what is wrong with each parameter.", members=_parameter_errors,
)  # fmt: skip
KEY_REUSED = ProblemType(
    HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused", "The Idempotency-Key belongs to another request"
)
ENCODED = ProblemType(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
MALFORMED = ProblemType(HTTPStatus.BAD_REQUEST, "malformed", "Malformed request")
REJECTED = ProblemType(HTTPStatus.BAD_REQUEST, detail="The request was rejected.")
NOT_FOUND = ProblemType(HTTPStatus.NOT_FOUND, detail="No such URL.")
FORBIDDEN = ProblemType(HTTPStatus.FORBIDDEN, detail="You do not have permission for this request.")
TOO_LARGE = ProblemType(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The upload is too large")
DATABASE_UNAVAILABLE = ProblemType(
    HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable", "Database unavailable",
    detail="The database is unavailable. Retry later.", retry_after_s=RETRY_AFTER_S,
)  # fmt: skip
INTERNAL_ERROR = ProblemType(
    HTTPStatus.INTERNAL_SERVER_ERROR, detail="An internal error occurred and was logged.", log_level="error"
)

# Errors of Django, of REST framework and of parameters.
PROBLEM_TYPES: ProblemTypes = {
    InvalidParameters: INVALID_PARAMETERS,
    IdempotencyKeyReused: KEY_REUSED,
    EncodedBody: ENCODED,
    RequestDataTooBig: TOO_LARGE,
    TooManyFilesSent: MALFORMED,
    UnreadablePostError: MALFORMED,
    exceptions.ParseError: MALFORMED,
    exceptions.APIException: _of_status,
    SuspiciousOperation: REJECTED,
    Http404: NOT_FOUND,
    PermissionDenied: FORBIDDEN,
    OperationalError: DATABASE_UNAVAILABLE,
    InterfaceError: DATABASE_UNAVAILABLE,
    Exception: INTERNAL_ERROR,
}


@extend_schema_serializer(component_name="ParameterErrorSchema")
class ParameterErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one parameter."""

    parameter = serializers.CharField()
    detail = serializers.CharField()


@extend_schema_serializer(component_name="ProblemSchema")
class ProblemSerializer(serializers.Serializer[Any]):
    """A problem detail (RFC 9457)."""

    type = serializers.CharField(help_text="URN of the problem type; about:blank where the status says enough.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong with this request, and what to do about it.")
    instance = serializers.CharField(help_text="Path of the request.")
    errors = ParameterErrorSerializer(  # type: ignore[assignment]  # a field, taken out of the class when it is made
        many=True, required=False, help_text="With invalid-parameters: one entry for each invalid parameter."
    )
    reason = serializers.CharField(
        required=False, help_text="With image-rejected and archive-rejected: the reason as a word."
    )
