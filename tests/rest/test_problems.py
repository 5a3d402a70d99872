"""Problem types: which error gets which, and what is sent."""

from __future__ import annotations

from http import HTTPStatus
from operator import attrgetter

import pytest
from rest_framework import exceptions

from rest.documenting import problem_example
from rest.errors import InvalidParameters, ParameterError
from rest.problems import (
    INTERNAL_ERROR,
    INVALID_PARAMETERS,
    MALFORMED,
    PROBLEM_TYPES,
    ProblemType,
    find_type,
    problem_response,
)


class Unavailable(Exception):
    """An error of an app."""


class Full(Unavailable):
    """A special case of it."""

    retry_after_s = 7


UNAVAILABLE = ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Unavailable", retry_after_s=5)
FULL = ProblemType(HTTPStatus.INSUFFICIENT_STORAGE, "full", "Full", retry_after_s=attrgetter("retry_after_s"))
TYPES = {**PROBLEM_TYPES, Unavailable: UNAVAILABLE, Full: FULL}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable(), UNAVAILABLE),
        (Full(), FULL),
        (type("Fuller", (Full,), {})(), FULL),
        (InvalidParameters([]), INVALID_PARAMETERS),
        (exceptions.ParseError(), MALFORMED),
        (exceptions.APIException(), INTERNAL_ERROR),
        (KeyError("password"), INTERNAL_ERROR),
    ],
)
def test_an_error_has_the_type_of_its_nearest_base_class(error: Exception, expected: ProblemType) -> None:
    assert find_type(error, TYPES) is expected


def test_an_error_of_rest_framework_keeps_its_status() -> None:
    assert find_type(exceptions.UnsupportedMediaType("text/css"), TYPES).status == 415


def test_a_response_says_when_to_retry() -> None:
    assert problem_response(FULL.describe(Full("no space"), "/api/x"))["Retry-After"] == "7"
    assert problem_response(UNAVAILABLE.describe(Unavailable(), "/api/x"))["Retry-After"] == "5"
    assert "Retry-After" not in problem_response(MALFORMED.describe(exceptions.ParseError(), "/api/x"))


@pytest.mark.parametrize(
    ("message", "detail"),
    [("there is no such file", "There is no such file"), ("mug.jpg is a photo", "mug.jpg is a photo")],
)
def test_a_detail_begins_with_a_capital_unless_it_is_the_name_of_a_file(message: str, detail: str) -> None:
    assert MALFORMED.describe(ValueError(message), "/api/imports").detail == detail


def test_a_type_with_a_fixed_detail_hides_the_message_of_the_error() -> None:
    assert "password" not in INTERNAL_ERROR.describe(KeyError("password"), "/api/x").detail


def test_an_example_of_the_documentation_is_what_a_response_contains() -> None:
    error = InvalidParameters([ParameterError("limit", "must be an integer from 1 to 100")])
    example = problem_example(INVALID_PARAMETERS, error, "/api/products")
    assert example.value == INVALID_PARAMETERS.describe(error, "/api/products").as_json()
    assert example.value["errors"] == [{"parameter": "limit", "detail": "must be an integer from 1 to 100"}]
    assert example.status_codes == ["400"]
