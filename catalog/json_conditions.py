"""Conditions on the JSON columns of products, which SQLite and PostgreSQL write differently."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import BooleanField, F, Func

# Characters of a tag, and of an attribute's name or value, by which products can be found.
MAX_TERM = 200


def attribute_texts(value: Any) -> list[str]:
    """The texts by which an attribute is found: a text as it is, numbers and booleans as JSON writes them, each text of a list.

    Args:
        value: of the attribute, as it is stored.

    Returns:
        The texts; none of null and of an object.
    """
    if isinstance(value, list):
        return [text for text in value if isinstance(text, str)]
    if value is None or isinstance(value, dict):
        return []
    if isinstance(value, str):
        return [value]
    if type(value) in (int, float) and math.isfinite(value):
        # As JSON writes them, without an encoder.
        return [repr(value)]
    return [json.dumps(value)]


def attribute_term(name: str, text: str) -> str:
    """An attribute with one of its texts, as the vector index has it."""
    return f"{name}={text}"


def attribute_terms(attributes: Mapping[str, Any]) -> list[str]:
    """The attributes of a product as the vector index has them; those that are too long to be asked for are left out.

    Args:
        attributes: values by name.

    Returns:
        A term for each text of an attribute.
    """
    return [
        attribute_term(name, text)
        for name, value in attributes.items()
        for text in attribute_texts(value)
        if len(name) <= MAX_TERM and len(text) <= MAX_TERM
    ]


class ListHolds(Func):
    """Whether a column with a list of texts holds a text."""

    output_field = BooleanField()

    def __init__(self, column: str, text: str) -> None:
        """A condition for `filter`.

        Args:
            column: its name.
            text: exact, case-sensitive match.
        """
        super().__init__(F(column))
        self._text = text

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        column, _none = compiler.compile(self.source_expressions[0])
        return f"EXISTS (SELECT 1 FROM json_each({column}) AS held WHERE held.atom = %s)", [self._text]  # noqa: S608

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        column, _none = compiler.compile(self.source_expressions[0])
        return f"{column} @> %s::jsonb", [json.dumps([self._text])]


class AttributeIs(Func):
    """Whether a product has an attribute with one of some values: see `attribute_texts`."""

    output_field = BooleanField()

    def __init__(self, column: str, name: str, texts: Sequence[str]) -> None:
        """A condition for `filter`.

        Args:
            column: of the attributes, an object of values by name.
            name: of the attribute.
            texts: of which one has to be a text of the attribute.
        """
        super().__init__(F(column))
        self._name, self._texts = name, [*texts]

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        column, _none = compiler.compile(self.source_expressions[0])
        one_of = f"IN ({', '.join(['%s'] * len(self._texts))})"
        sql = (
            f"EXISTS (SELECT 1 FROM json_each({column}) AS own WHERE own.key = %s AND CASE own.type"  # noqa: S608
            f" WHEN 'array' THEN EXISTS (SELECT 1 FROM json_each(own.value) AS held WHERE held.atom {one_of})"
            f" WHEN 'true' THEN 'true' {one_of} WHEN 'false' THEN 'false' {one_of} ELSE CAST(own.atom AS TEXT) {one_of} END)"
        )
        return sql, [self._name, *self._texts * 4]

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        column, _none = compiler.compile(self.source_expressions[0])
        sql = (
            f"CASE jsonb_typeof({column} -> %s) WHEN 'array' THEN jsonb_exists_any({column} -> %s, %s::text[])"
            f" WHEN 'object' THEN FALSE"
            f" ELSE COALESCE({column} ->> %s = ANY(%s::text[]), FALSE) END"
        )
        return sql, [self._name, self._name, self._texts, self._name, self._texts]


class HasAttribute(Func):
    """Whether a product has an attribute, whatever its value. `has_key` finds no name with a quote in SQLite: `Diagonal (")`."""

    output_field = BooleanField()

    def __init__(self, column: str, name: str) -> None:
        """A condition for `filter`.

        Args:
            column: of the attributes, an object of values by name.
            name: of the attribute.
        """
        super().__init__(F(column))
        self._name = name

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        column, _none = compiler.compile(self.source_expressions[0])
        return f"EXISTS (SELECT 1 FROM json_each({column}) AS own WHERE own.key = %s)", [self._name]  # noqa: S608

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:  # noqa: ARG002
        column, _none = compiler.compile(self.source_expressions[0])
        return f"jsonb_exists({column}, %s)", [self._name]
