"""API keys in the OpenAPI documentation: their security schemes, and examples of their problems."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.authentication import ApiKeyAuthentication
from accounts.errors import WritesDisabled
from accounts.problems import WRITES_DISABLED as WRITES_DISABLED_TYPE
from rest.documenting import problem_example

WRITES_DISABLED = problem_example(WRITES_DISABLED_TYPE, WritesDisabled(), "/api/imports")


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The security schemes of API keys in the OpenAPI schema."""

    target_class = ApiKeyAuthentication
    name = ["bearer", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:  # noqa: ARG002
        """Both headers."""
        description = "An API key: publishable (pk_…) to read, secret (sk_…) to write."
        return [
            {"type": "http", "scheme": "bearer", "description": description},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": description},
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either header, or none if this server requires no key for the operation."""
        writes = auto_schema.method in auto_schema.view.write_scopes
        is_open = settings.API_WRITES == "open" if writes else settings.API_READS == "open"
        return [{name: []} for name in self.name] + ([{}] if is_open else [])
