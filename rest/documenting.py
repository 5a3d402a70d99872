"""Parts of the OpenAPI documentation that the endpoints of all apps use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import OpenApiExample

from rest.problems import CONTENT_TYPE, ProblemSerializer, ProblemType

# A request body that is the file itself.
RAW_BODY = {"type": "string", "format": "binary", "minLength": 1}


def form_body(
    file: str,
    description: str,
    fields: Mapping[str, Mapping[str, Any]],
    *,
    required: bool = True,
    required_fields: Sequence[str] = (),
) -> dict[str, Any]:
    """A multipart form with one file, as the `request` of `extend_schema`.

    Args:
        file: Name of the form's file.
        description: What the file has to be.
        fields: The schema of each other field, by its name; one of the file's name is what may stand in its place.
        required: Whether there has to be the file.
        required_fields: The names of the other fields that there have to be.

    Returns:
        The schema of the body by its media type.
    """
    return {
        "multipart/form-data": {
            "type": "object",
            "properties": {
                **{name: dict(schema) for name, schema in fields.items()},
                file: {"type": "string", "format": "binary", "description": description},
            },
            **({"required": names} if (names := [*[file] * required, *required_fields]) else {}),
            "additionalProperties": False,
        }
    }


def problem_example(problem_type: ProblemType, error: Exception, instance: str) -> OpenApiExample:
    """An example of a problem detail, made of a real error by the same code as the response.

    Args:
        problem_type: The declared type of the error.
        error: An error with realistic values.
        instance: Path of a request that gets it.

    Returns:
        The example, for the `examples` of `extend_schema`.
    """
    return OpenApiExample(
        problem_type.slug.replace("-", " ").capitalize() or problem_type.status.phrase,
        value=problem_type.describe(error, instance).as_json(),
        response_only=True,
        status_codes=[str(problem_type.status.value)],
        media_type=CONTENT_TYPE,
    )


def responses(schema: Any, *problems: int, status: int = 200) -> dict[tuple[int, str], Any]:
    """The `responses` of `extend_schema` for an endpoint that answers with JSON.

    Args:
        schema: Serializer of the body.
        *problems: Statuses of this endpoint's problems, besides those of `problem_responses`.
        status: Status of the success.

    Returns:
        The schema of each response by status and media type.
    """
    return {(status, "application/json"): schema} | problem_responses(*problems)


def problem_responses(*statuses: int) -> dict[tuple[int, str], Any]:
    """The problems of an endpoint.

    Args:
        *statuses: Statuses besides those that any request may get: 401, 403 (its API key) and 429 (rate limit).

    Returns:
        The schema of a problem detail by status and media type.
    """
    return {(status, CONTENT_TYPE): ProblemSerializer for status in sorted({*statuses, 401, 403, 429})}
