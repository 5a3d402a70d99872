"""Hooks of drf-spectacular: what the OpenAPI schema says besides what the views declare (SPECTACULAR_SETTINGS)."""

from __future__ import annotations

from typing import Any

Endpoint = tuple[str, str, str, Any]

_HEADERS = {
    "401": {"WWW-Authenticate": "How to send a key."},
    "429": {"Retry-After": "Seconds until the next request is allowed."},
    "503": {"Retry-After": "Seconds after which to retry the request."},
}


def without_version_alias(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Preprocessing hook: list each endpoint once, because /api/v1/... is the same as /api/...

    Args:
        endpoints: Path, path pattern, method and view of each operation.

    Returns:
        Those without the version in their path.
    """
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/api/v1/")]


def with_required_bodies(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: mark every request body as required.

    Args:
        result: The schema; changed in place.
        **_: Other arguments of the hook.

    Returns:
        The schema.
    """
    for operation in _operations(result):
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
    return result


def with_headers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: declare the headers that say how to authenticate and when to retry.

    Args:
        result: The schema; changed in place.
        **_: Other arguments of the hook.

    Returns:
        The schema.
    """
    for operation in _operations(result):
        for status in _HEADERS.keys() & operation["responses"].keys():
            operation["responses"][status]["headers"] = {
                name: {"description": description, "schema": {"type": "integer" if name == "Retry-After" else "string"}}
                for name, description in _HEADERS[status].items()
            }
    return result


def _operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in schema["paths"].values() for operation in path.values()]
