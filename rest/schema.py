"""What the OpenAPI schema describes, beside what the views say themselves."""

from __future__ import annotations

from typing import Any

Endpoint = tuple[str, str, str, Any]


def without_version_alias(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Each endpoint once: /api/v1/... is the same as /api/..."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/api/v1/")]


# Who is told of a job can ask for it.
_JOB_LINKS = {
    operation: {"operationId": operation, "parameters": {"job_id": "$response.body#/id"}}
    for operation in ("job", "cancel_job", "import_of_dry_run", "rejected_rows")
}


def with_bodies_and_links(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every body is needed where one is taken, and what is done with the job that an answer names has links there."""
    for path in result["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            if "202" in operation["responses"] and operation["operationId"] != "events":
                operation["responses"]["202"]["links"] = _JOB_LINKS
    return result


_HEADERS = {
    "401": {"WWW-Authenticate": "How a key is sent."},
    "429": {"Retry-After": "In how many seconds the next request may come."},
    "503": {"Retry-After": "In how many seconds the same request may go through."},
}


def with_headers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What an answer says in its headers of when and how to ask again."""
    for path in result["paths"].values():
        for operation in path.values():
            for status in _HEADERS.keys() & operation["responses"].keys():
                operation["responses"][status]["headers"] = {
                    name: {"description": told, "schema": {"type": "integer" if name == "Retry-After" else "string"}}
                    for name, told in _HEADERS[status].items()
                }
    return result
