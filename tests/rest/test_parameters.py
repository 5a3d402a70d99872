"""Parameters of a request: what is parsed, what is an error, and that the schema says the same."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict

from rest.errors import InvalidParameters, ParameterError
from rest.parameters import (
    BooleanParameter,
    ChoiceParameter,
    IntegerParameter,
    KeyValueParameter,
    NoParameters,
    NumberParameter,
    Parameters,
    PriceParameter,
    SlugPathParameter,
    TextParameter,
)


class Example(Parameters):
    """One parameter of each kind."""

    limit = IntegerParameter("How many.", minimum=1, maximum=100, default=12)
    weight = NumberParameter("How much.", minimum=0, maximum=1)
    price = PriceParameter("Price.")
    available = BooleanParameter("In stock.")
    order = ChoiceParameter("Order.", choices=("name", "price"))
    q = TextParameter("Text.", max_length=5, source="text")
    category = SlugPathParameter("Category.", max_length=20, example="clothing/shirts")
    map = KeyValueParameter("Columns.", max_length=20)


def errors(*sources: str, found: tuple[ParameterError, ...] = ()) -> dict[str, str]:
    """The errors of query strings, by parameter."""
    with pytest.raises(InvalidParameters) as raised:
        Example.parse(*map(QueryDict, sources), errors=found)
    return {error.parameter: error.detail for error in raised.value.errors}


def test_what_is_not_given_has_its_default_or_is_left_out() -> None:
    assert Example.parse(QueryDict("")) == {"limit": 12}


def test_values_are_converted_and_named_by_their_source() -> None:
    query = "limit=3&weight=1e-3&price=12.50&available=TRUE&order=name&q=a b&category=clothing/shirts&map=a=b&map=c=d=e"

    assert Example.parse(QueryDict(query)) == {
        "limit": 3,
        "weight": 0.001,
        "price": Decimal("12.50"),
        "available": True,
        "order": "name",
        "text": "a b",
        "category": "clothing/shirts",
        "map": ("a=b", "c=d=e"),
    }


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "must be an integer from 1 to 100"),
        ("limit=1.0", "must be an integer from 1 to 100"),
        ("limit=+1", "must be an integer from 1 to 100"),
        ("weight=nan", "must be a number from 0 to 1"),
        ("weight=1.01", "must be a number from 0 to 1"),
        ("price=-1", "must be a price such as 12 or 12.50"),
        ("price=10000000000", "must be a price such as 12 or 12.50"),
        ("available=yes", "must be true or false"),
        ("order=Name", "must be one of name, price"),
        ("q=abcdef", "is longer than 5 characters"),
        ("q=%00", "contains control characters"),
        ("category=/a", "must be a path of slugs such as clothing/shirts"),
        ("category=a//b", "must be a path of slugs such as clothing/shirts"),
        ("map=a", "must have the form field=column or field=text"),
        ("map=%20=a", "must have the form field=column or field=text"),
        ("q=", "is empty: give a value or omit the parameter"),
        ("map=a=b&map=", "is empty: give a value or omit the parameter"),
        ("q=a&q=b", "is given more than once"),
        (
            "colour=red",
            "is not a known parameter; known parameters: limit, weight, price, available, order, q, category, map",
        ),
    ],
)
def test_what_cannot_be_used_is_an_error_of_its_parameter(query: str, detail: str) -> None:
    assert errors(query) == {query.partition("=")[0]: detail}


def test_an_unknown_parameter_is_reported_with_those_that_are_spelled_alike() -> None:
    assert errors("limt=1")["limt"].startswith(
        "is not a known parameter; the nearest: limit; known parameters: limit, "
    )


@pytest.mark.parametrize(
    "name", ["_", "utm_source", "utm_campaign", "fbclid", "gclid", "msclkid", "mc_eid", "_ga", "srsltid"]
)
def test_what_trackers_and_scripts_add_to_an_address_is_passed_over(name: str) -> None:
    assert NoParameters.parse(QueryDict(f"{name}=1&{name}=")) == {}
    with pytest.raises(InvalidParameters, match=f"{name}"):
        NoParameters.parse(QueryDict(""), QueryDict(f"{name}=1"))


def test_all_errors_are_reported_those_found_before_included() -> None:
    before = ParameterError("file", "is missing")

    assert list(errors("limit=0", "q=", found=(before,))) == ["file", "limit", "q"]


def test_a_parameter_in_the_query_string_and_in_the_form_is_given_twice() -> None:
    assert errors("limit=1", "limit=1") == {"limit": "is given more than once"}


def test_an_endpoint_without_parameters_accepts_none() -> None:
    assert NoParameters.parse(QueryDict("")) == {}
    with pytest.raises(InvalidParameters, match="known parameters: none"):
        NoParameters.parse(QueryDict("page=1"))


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 12, "description": "How many."}),
        ("weight", {"type": "number", "minimum": 0, "maximum": 1, "description": "How much."}),
        ("available", {"type": "boolean", "description": "In stock."}),
        ("order", {"type": "string", "enum": ["name", "price"], "description": "Order."}),
    ],
)
def test_the_schema_of_a_form_has_the_same_bounds_and_defaults(name: str, schema: dict[str, Any]) -> None:
    assert Example.form_schema()[name] == schema
