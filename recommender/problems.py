"""Every error of the API as a problem detail (RFC 9457), by one table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFilesSent
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils.log import log_response
from django.views import defaults
from rest_framework import exceptions
from rest_framework.views import set_rollback

from accounts.errors import (
    CrossSiteRequest,
    KeyRejected,
    KeyRequired,
    OriginRefused,
    RateExceeded,
    ScopeMissing,
    WritesDisabled,
)
from catalog import archives
from catalog.archives import ArchiveRejected
from catalog.importers.rows import UnusableSource
from catalog.photos import ImageRejected, Reason
from embeddings.errors import (
    CollectionNotFound,
    EncoderMismatch,
    EncoderUnavailable,
    IndexFull,
    IndexUnavailable,
    InvalidVector,
    JobEnded,
    JobNotFound,
    JobUnderWay,
    NoRejectedRows,
    NothingToImport,
    TrainingUnavailable,
    UnknownCollection,
    UnusablePhotos,
)
from jobs.errors import UploadTooLarge
from jobs.storage import StorageFull, StorageUnavailable, database_storage_error
from recommender.errors import PageNotFound, ProductNotFound
from rest.errors import InvalidParameters

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
# Somebody has to make room first.
STORAGE_RETRY_AFTER_S = 60
_OF_STORAGE = (StorageUnavailable, IndexFull)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. slug: "" where the status says it all. detail: told instead of the error's own message."""

    status: HTTPStatus
    slug: str = ""
    title: str = ""
    detail: str = ""
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as it is sent. extra: further members."""

    kind: Kind
    detail: str
    instance: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after_s: int = RETRY_AFTER_S

    def members(self) -> dict[str, Any]:
        """The JSON object."""
        kind = self.kind
        return {
            "type": f"urn:problem-type:lookalike:{kind.slug}" if kind.slug else "about:blank",
            "title": kind.title or kind.status.phrase,
            "status": kind.status.value,
            "detail": self.detail,
            "instance": self.instance,
            **self.extra,
        }


_AWAY = "The database does not answer; the same request may go through later."
_TOO_LARGE = Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", "The upload is too large")
_ARCHIVE = "archive-rejected", "The archive cannot be used"
_ARCHIVE_TOO_LARGE = Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, *_ARCHIVE)
_INTERNAL = Kind(HTTPStatus.INTERNAL_SERVER_ERROR, detail="Something went wrong on our side; it has been logged.")

_DATABASE_AWAY = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable", "The database does not answer", _AWAY, retry=True
)
_STORAGE_FULL = Kind(
    HTTPStatus.INSUFFICIENT_STORAGE,
    "storage-full",
    "There is no room left",
    "This server has no room left for that; the same request may go through once there is.",
    retry=True,
)
_STORAGE_UNAVAILABLE = Kind(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "storage-unavailable",
    "Nothing can be kept now",
    "This server cannot write to its disk now; the same request may go through later.",
    retry=True,
)


def _unavailable(slug: str, title: str) -> Kind:
    return Kind(HTTPStatus.SERVICE_UNAVAILABLE, slug, title, retry=True)


# The first row that fits counts.
TABLE: tuple[tuple[type[Exception], Kind], ...] = (
    (InvalidParameters, Kind(HTTPStatus.BAD_REQUEST, "invalid-parameters", "Some parameters cannot be used")),
    (ImageRejected, Kind(HTTPStatus.BAD_REQUEST, "image-rejected", "The photo cannot be used")),
    (ArchiveRejected, Kind(HTTPStatus.BAD_REQUEST, *_ARCHIVE)),
    (UnusablePhotos, Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "unusable-photos", "The photos cannot be trained on")),
    (UnusableSource, Kind(HTTPStatus.BAD_REQUEST, "unusable-catalogue", "The catalogue cannot be imported")),
    (UploadTooLarge, _TOO_LARGE),
    (ProductNotFound, Kind(HTTPStatus.NOT_FOUND, "product-not-found", "There is no such product")),
    (PageNotFound, Kind(HTTPStatus.NOT_FOUND, "page-not-found", "There is no such page")),
    (UnknownCollection, Kind(HTTPStatus.NOT_FOUND, "unknown-collection", "There is no such collection")),
    (JobNotFound, Kind(HTTPStatus.NOT_FOUND, "job-not-found", "There is no such job")),
    (NoRejectedRows, Kind(HTTPStatus.NOT_FOUND, "no-rejected-rows", "There are no rejected rows")),
    (NothingToImport, Kind(HTTPStatus.CONFLICT, "nothing-to-import", "The file is not kept any more")),
    (JobUnderWay, Kind(HTTPStatus.CONFLICT, "job-under-way", "A job of this kind is under way", retry=True)),
    (JobEnded, Kind(HTTPStatus.CONFLICT, "job-ended", "The job has ended")),
    (WritesDisabled, Kind(HTTPStatus.FORBIDDEN, "writes-disabled", "Writing is switched off")),
    (KeyRequired, Kind(HTTPStatus.UNAUTHORIZED, "key-required", "An API key is needed")),
    (KeyRejected, Kind(HTTPStatus.UNAUTHORIZED, "key-rejected", "The API key is not good")),
    (ScopeMissing, Kind(HTTPStatus.FORBIDDEN, "scope-missing", "The API key is not for this")),
    (OriginRefused, Kind(HTTPStatus.FORBIDDEN, "origin-refused", "The API key is not for this page")),
    (RateExceeded, Kind(HTTPStatus.TOO_MANY_REQUESTS, "rate-exceeded", "Too many requests", retry=True)),
    (CrossSiteRequest, Kind(HTTPStatus.FORBIDDEN, "cross-site", "Another site may not ask for this")),
    (TrainingUnavailable, Kind(HTTPStatus.SERVICE_UNAVAILABLE, "training-unavailable", "Nothing can be trained here")),
    (IndexFull, _STORAGE_FULL),
    (IndexUnavailable, _unavailable("index-unavailable", "The vector index does not answer")),
    (CollectionNotFound, _unavailable("not-indexed", "Nothing is indexed yet")),
    (EncoderUnavailable, _unavailable("encoder-unavailable", "The encoder is missing")),
    (EncoderMismatch, _unavailable("encoder-mismatch", "Encoder and index do not fit")),
    (StorageFull, _STORAGE_FULL),
    (StorageUnavailable, _STORAGE_UNAVAILABLE),
    (InvalidVector, _unavailable("invalid-vector", "The encoder gives nothing to compare by")),
    (OperationalError, _DATABASE_AWAY),
    (InterfaceError, _DATABASE_AWAY),
    (RequestDataTooBig, _TOO_LARGE),
    (TooManyFilesSent, Kind(HTTPStatus.BAD_REQUEST, "malformed", "The request cannot be read")),
    (UnreadablePostError, Kind(HTTPStatus.BAD_REQUEST, "malformed", "The request cannot be read")),
    (exceptions.ParseError, Kind(HTTPStatus.BAD_REQUEST, "malformed", "The request cannot be read")),
    (SuspiciousOperation, Kind(HTTPStatus.BAD_REQUEST, detail="The request is refused.")),
    (exceptions.UnsupportedMediaType, Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)),
    (exceptions.MethodNotAllowed, Kind(HTTPStatus.METHOD_NOT_ALLOWED)),
    (exceptions.NotAcceptable, Kind(HTTPStatus.NOT_ACCEPTABLE)),
    (exceptions.NotFound, Kind(HTTPStatus.NOT_FOUND)),
    (Http404, Kind(HTTPStatus.NOT_FOUND, detail="There is nothing at this address.")),
    (PermissionDenied, Kind(HTTPStatus.FORBIDDEN, detail="This is not allowed.")),
)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """The answer to any error in a view of the API; REST framework calls it."""
    request: HttpRequest = context["request"]._request
    set_rollback()
    if isinstance(error, DatabaseError):
        error = database_storage_error(error) or error
    kind = _kind_of(error)
    detail = kind.detail or _detail_of(error)
    answer = respond(Problem(kind, detail, request.path, _extra_of(error), _retry_after_s(error)))
    # Django would log that there was such an answer, and nothing of why. By its own function, so that it logs none twice.
    if kind is _INTERNAL:
        got_request_exception.send(sender=None, request=request)
        log_response("Internal Server Error: %s", request.path, response=answer, request=request, exception=error)
    elif kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        level = "error" if isinstance(error, _OF_STORAGE) else "warning"
        log_response(
            "%s: %s: %s", kind.status.phrase, request.path, error, response=answer, request=request, level=level
        )
    return answer


def respond(problem: Problem) -> HttpResponse:
    """The problem as an HTTP answer."""
    headers = {"Retry-After": str(problem.retry_after_s)} if problem.kind.retry else {}
    if problem.kind.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="lookalike"'
    body = json.dumps(problem.members(), ensure_ascii=False)
    return HttpResponse(body, status=problem.kind.status, content_type=CONTENT_TYPE, headers=headers)


def _retry_after_s(error: Exception) -> int:
    if isinstance(error, RateExceeded):
        return error.retry_after_s
    return STORAGE_RETRY_AFTER_S if isinstance(error, _OF_STORAGE) else RETRY_AFTER_S


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django answers to a request that it refuses before any view."""
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return respond(Problem(Kind(HTTPStatus.BAD_REQUEST), "The request is refused.", request.path))


def server_error(request: HttpRequest) -> HttpResponse:
    """What Django answers where something outside the API's views fails."""
    if not _is_api(request):
        return defaults.server_error(request)
    return respond(Problem(_INTERNAL, _INTERNAL.detail, request.path))


def _kind_of(error: Exception) -> Kind:
    if isinstance(error, ImageRejected) and error.reason is Reason.TOO_LARGE:
        return _TOO_LARGE
    if isinstance(error, ArchiveRejected) and error.reason is archives.Reason.TOO_LARGE:
        return _ARCHIVE_TOO_LARGE
    for error_class, kind in TABLE:
        if isinstance(error, error_class):
            return kind
    if isinstance(error, exceptions.APIException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Kind(HTTPStatus(error.status_code))
    return _INTERNAL


def _detail_of(error: Exception) -> str:
    if isinstance(error, InvalidParameters):
        return "See `errors` for what is wrong with each parameter."
    text = str(error.detail if isinstance(error, exceptions.APIException) else error)
    return text[:1].upper() + text[1:]


def _extra_of(error: Exception) -> dict[str, Any]:
    if isinstance(error, InvalidParameters):
        return {"errors": [{"parameter": each.parameter, "detail": each.detail} for each in error.errors]}
    if isinstance(error, (ImageRejected, ArchiveRejected)):
        return {"reason": str(error.reason)}
    return {}


def _is_api(request: HttpRequest) -> bool:
    return request.path_info == "/api" or request.path_info.startswith("/api/")
