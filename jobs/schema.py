"""Hook of drf-spectacular: what can be done with the job in a response (SPECTACULAR_SETTINGS)."""

from __future__ import annotations

from typing import Any

_JOB = {"$ref": "#/components/schemas/JobSchema"}
_LOCATION = {"description": "The address of the job, to poll.", "schema": {"type": "string", "format": "uri"}}
_LINKS = {
    operation: {"operationId": operation, "parameters": {"job_id": "$response.body#/id"}}
    for operation in ("job", "cancel_job", "import_of_dry_run", "rejected_rows")
}


def with_job_links(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Postprocessing hook: link each response of status 202 that is a job to the operations on jobs.

    Args:
        result: The schema; changed in place.
        **_: Other arguments of the hook.

    Returns:
        The schema.
    """
    for path in result["paths"].values():
        for operation in path.values():
            accepted = operation["responses"].get("202")
            if accepted and accepted["content"]["application/json"]["schema"] == _JOB:
                accepted["links"] = _LINKS
                accepted.setdefault("headers", {})["Location"] = _LOCATION
    return result
