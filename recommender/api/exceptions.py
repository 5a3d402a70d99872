"""The exception handler of the API: every error becomes a problem detail, by the problem types that each app declares."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.signals import got_request_exception
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.log import log_response
from django.views import defaults
from rest_framework.views import set_rollback

import accounts.problems
import catalog.problems
import jobs.problems
import recommender.problems
import rest.problems
import training.problems
from jobs.storage import database_storage_error
from rest.problems import INTERNAL_ERROR, REJECTED, ProblemTypes, find_type, problem_response, with_remedy

PROBLEM_TYPES: ProblemTypes = {
    **rest.problems.PROBLEM_TYPES,
    **accounts.problems.PROBLEM_TYPES,
    **jobs.problems.PROBLEM_TYPES,
    **catalog.problems.PROBLEM_TYPES,
    **training.problems.PROBLEM_TYPES,
    **recommender.problems.PROBLEM_TYPES,
}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """The response to an error in a view of the API; REST framework calls it (setting EXCEPTION_HANDLER).

    Args:
        error: Whatever the view, its authentication, its permissions or its parsers raised.
        context: REST framework's, with the request and the view.

    Returns:
        The problem detail; a status of 500 or above is logged with its cause.
    """
    request: HttpRequest = context["request"]._request
    set_rollback()
    if isinstance(error, DatabaseError):
        error = database_storage_error(error) or error
    error = with_remedy(error, context["view"])
    problem_type = find_type(error, PROBLEM_TYPES)
    response = problem_response(problem_type.describe(error, request.path))
    # Django would log the status without the cause. Its own function, which logs each response once.
    if problem_type is INTERNAL_ERROR:
        got_request_exception.send(sender=None, request=request)
        log_response("Internal Server Error: %s", request.path, response=response, request=request, exception=error)
    elif problem_type.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log_response(
            "%s: %s: %s", problem_type.status.phrase, request.path, error,
            response=response, request=request, level=problem_type.log_level,
        )  # fmt: skip
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The response to a request that Django rejects before any view (handler400).

    Args:
        request: The request.
        exception: Why it was rejected.

    Returns:
        A problem detail below /api, Django's page elsewhere.
    """
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return problem_response(REJECTED.describe(exception, request.path))


def server_error(request: HttpRequest) -> HttpResponse:
    """The response to an error outside of the API's views (handler500).

    Args:
        request: The request.

    Returns:
        A problem detail below /api, Django's page elsewhere.
    """
    if not _is_api(request):
        return defaults.server_error(request)
    return problem_response(INTERNAL_ERROR.describe(RuntimeError(), request.path))


def _is_api(request: HttpRequest) -> bool:
    return request.path_info == "/api" or request.path_info.startswith("/api/")
