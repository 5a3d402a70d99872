"""Hooks of drf-spectacular: what the OpenAPI schema says besides what the views declare (SPECTACULAR_SETTINGS)."""

from __future__ import annotations

from typing import Any

Endpoint = tuple[str, str, str, Any]

_INTEGER, _TEXT = {"type": "integer"}, {"type": "string"}
_RATE_LIMITS = {
    "RateLimit": ("What is left of each rate limit: `r` requests, for `t` seconds.", _TEXT),
    "RateLimit-Policy": ("Rate limits that the request counts for: `q` requests in `w` seconds.", _TEXT),
}
_CREATED = {"Location": ("The address of what was created.", {"type": "string", "format": "uri"})}
# By status, or by its class.
_HEADERS = {
    "2": _RATE_LIMITS,
    "201": _CREATED,
    "401": {"WWW-Authenticate": ("How to send a key.", _TEXT)},
    "429": {"Retry-After": ("Seconds until the next request is allowed.", _INTEGER), **_RATE_LIMITS},
    "503": {"Retry-After": ("Seconds after which to retry the request.", _INTEGER)},
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
    """Postprocessing hook: declare the headers that say how to authenticate, what is left, when to retry, and where something is.

    Args:
        result: The schema; changed in place.
        **_: Other arguments of the hook.

    Returns:
        The schema.
    """
    for operation in _operations(result):
        for status, response in operation["responses"].items():
            declared = {**_HEADERS.get(status[0], {}), **_HEADERS.get(status, {})}
            if declared:
                response["headers"] = {
                    name: {"description": description, "schema": schema}
                    for name, (description, schema) in declared.items()
                } | response.get("headers", {})
    return result


def _operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in schema["paths"].values() for operation in path.values()]
