"""The OpenAPI schema of this API, as what is made of it reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

JSON_TYPE = "application/json"
FORM_TYPE = "multipart/form-data"

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation. place: path, query or header."""

    name: str
    place: str
    required: bool
    description: str
    schema: Schema
    example: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        name: The operation's id.
        method: HTTP method, in capitals.
        path: Path with its parameters in braces.
        tag: What it belongs to.
        summary: What it does, in a few words.
        description: The same at length, as Markdown.
        parameters: Its parameters, those of the path in their order.
        bodies: The media types that its body may have, each with schema and examples.
        answers: The media types of its success, each with its schema.
    """

    name: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    bodies: Mapping[str, Schema]
    answers: Mapping[str, Schema]

    def in_place(self, place: str) -> list[Parameter]:
        """The parameters that are in the path, the query or the headers."""
        return [each for each in self.parameters if each.place == place]


def schema_document() -> dict[str, Any]:
    """The schema as `/api/schema` serves it.

    Returns:
        The JSON object.
    """
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document: dict[str, Any] = json.loads(OpenApiJsonRenderer().render(schema, renderer_context={}))
    return document


def operations(document: Schema) -> list[Operation]:
    """All operations of a schema.

    Args:
        document: The schema.

    Returns:
        One for each method of each path, in the order of the schema.
    """
    return [
        _operation(path, method, declared)
        for path, methods in document["paths"].items()
        for method, declared in methods.items()
    ]


def example_of(holder: Schema) -> Any:
    """The first example of a parameter, a body or a schema.

    Args:
        holder: What has `example` or `examples`, itself or in its schema.

    Returns:
        The value; None without an example.
    """
    for each in (holder, holder.get("schema", {})):
        if "example" in each:
            return each["example"]
        examples = each.get("examples") or ()
        for example in examples.values() if isinstance(examples, Mapping) else examples:
            return example["value"] if isinstance(examples, Mapping) else example
    return None


def _operation(path: str, method: str, declared: Schema) -> Operation:
    success = [response for status, response in declared["responses"].items() if status.startswith("2")]
    parameters = [
        Parameter(
            each["name"],
            each["in"],
            each.get("required", False),
            each.get("description", ""),
            each.get("schema", {}),
            example_of(each),
        )
        for each in declared.get("parameters", ())
    ]
    parameters.sort(key=lambda each: path.find(f"{{{each.name}}}"))
    return Operation(
        name=declared["operationId"],
        method=method.upper(),
        path=path,
        tag=declared["tags"][0],
        summary=declared.get("summary", ""),
        description=declared.get("description", ""),
        parameters=tuple(parameters),
        bodies=declared.get("requestBody", {}).get("content", {}),
        answers={
            kind: body.get("schema", {}) for response in success for kind, body in response.get("content", {}).items()
        },
    )
