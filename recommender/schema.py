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
