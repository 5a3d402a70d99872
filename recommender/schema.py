"""Which addresses the OpenAPI schema describes."""

from __future__ import annotations

from typing import Any

Endpoint = tuple[str, str, str, Any]


def without_version_alias(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Each endpoint once: /api/v1/... is the same as /api/..."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/api/v1/")]
