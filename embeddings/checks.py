"""System checks: the default encoder can be loaded, and the index suits the way the project is deployed."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage

from embeddings.backends import get_encoder
from embeddings.errors import EncoderUnavailable


def check_encoder(**_: Any) -> list[CheckMessage]:
    """The default encoder can be loaded."""
    try:
        get_encoder().encode([])  # reads the model: a damaged file is found here
    except EncoderUnavailable as error:
        hint = 'Set DEFAULT_ENCODER to "bundled" or to the path of a LiteRT file.'
        return [checks.Error(str(error), hint=hint, id="embeddings.E001")]
    return []


def check_index_for_deployment(**_: Any) -> list[CheckMessage]:
    """The embedded index belongs to one process; web processes and Celery workers cannot share it."""
    if settings.VECTOR_INDEX["BACKEND"].endswith(".EdgeVectorIndex") and settings.CELERY_BROKER_URL:
        return [
            checks.Warning(
                "Celery workers index photos, but the embedded vector index can be held by one process only.",
                hint="Set QDRANT_URL to a Qdrant server, or unset CELERY_BROKER_URL so that the serving process indexes.",
                id="embeddings.W001",
            )
        ]
    return []


def check_index_key_is_encrypted(**_: Any) -> list[CheckMessage]:
    """A key is sent unencrypted to servers of this machine or of a private network only."""
    options = settings.VECTOR_INDEX.get("OPTIONS", {})
    address = urlsplit(options.get("url") or "")
    if not options.get("api_key") or address.scheme != "http" or _within(address.hostname or ""):
        return []
    return [
        checks.Warning(
            f"QDRANT_API_KEY is sent to {address.hostname} unencrypted over a public network.",
            hint="Write QDRANT_URL with https://, or reach the server by a private address.",
            id="embeddings.W002",
        )
    ]


def _within(host: str) -> bool:
    """Whether a host belongs to this machine or a private network, by its address or by a name that no public server has."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        # Compose and Kubernetes call services by one word, clusters and clouds by these endings.
        return "." not in host or host.endswith((".local", ".internal", ".svc", ".localhost"))


def register_checks() -> None:
    """Register with Django, once."""
    checks.register(check_encoder, checks.Tags.models)
    checks.register(check_index_for_deployment)
    checks.register(check_index_key_is_encrypted)
