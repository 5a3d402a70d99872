"""System checks: the default encoder is there, and the vector index fits the deployment."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage

from embeddings.backends import BUNDLED_ENCODERS, get_encoder
from embeddings.errors import EncoderUnavailable


def check_encoder(**_: Any) -> list[CheckMessage]:
    """The file of the default encoder is there. Every command checks this, so the model itself is not loaded."""
    return _encoder_errors(get_encoder)


def check_encoder_model(**_: Any) -> list[CheckMessage]:
    """The default encoder can be loaded: `check --deploy` finds a damaged file."""
    return _encoder_errors(lambda: get_encoder().encode([]))


def _encoder_errors(attempt: Callable[[], object]) -> list[CheckMessage]:
    try:
        attempt()
    except EncoderUnavailable as error:
        hint = f"Set DEFAULT_ENCODER to {' or '.join(BUNDLED_ENCODERS)}, or to the path of a LiteRT file."
        return [checks.Error(str(error), hint=hint, id="embeddings.E001")]
    return []


def check_index_for_deployment(**_: Any) -> list[CheckMessage]:
    """An embedded index can be opened by one process only; web processes and Celery workers cannot share it."""
    if (
        settings.VECTOR_INDEX["BACKEND"].endswith((".EdgeVectorIndex", ".FaissVectorIndex"))
        and settings.CELERY_BROKER_URL
    ):
        return [
            checks.Warning(
                "Celery workers index photos, but the embedded vector index can be held by one process only.",
                hint="Set QDRANT_URL to a Qdrant server, or unset CELERY_BROKER_URL so that the serving process indexes.",
                id="embeddings.W001",
            )
        ]
    return []


def check_index_key_is_encrypted(**_: Any) -> list[CheckMessage]:
    """The API key is sent unencrypted only to this machine or a private network."""
    options = settings.VECTOR_INDEX.get("OPTIONS", {})
    urls = [urlsplit(url.strip()) for url in (options.get("url") or "").split(",")]
    return [
        checks.Warning(
            f"QDRANT_API_KEY is sent to {url.hostname} unencrypted over a public network.",
            hint="Use https:// in QDRANT_URL, or a private address of the server.",
            id="embeddings.W002",
        )
        for url in urls
        if options.get("api_key") and url.scheme == "http" and not _is_private_host(url.hostname or "")
    ]


def check_copies(**_: Any) -> list[CheckMessage]:
    """With the copies that are read and written to, one node may be away."""
    options = settings.VECTOR_INDEX.get("OPTIONS", {})
    copies: int = options.get("replication_factor") or 1
    read, written = options.get("read_consistency"), options.get("write_consistency_factor") or 1
    # For a majority the server asks all, and takes what most of them say.
    asked = {"all": copies, "majority": copies, "quorum": copies // 2 + 1}.get(read, read) if read else 1
    found: list[CheckMessage] = []
    if copies > 1 and asked >= copies:
        found.append(
            checks.Warning(
                f"With QDRANT_READ_CONSISTENCY={read} and {copies} copies, each read is made twice while one node is away, "
                "the second time of one copy.",
                hint="Unset it: a read asks one copy then, and a write reaches all copies that are there.",
                id="embeddings.W003",
            )
        )
    if copies > 1 and written >= copies:
        found.append(
            checks.Warning(
                f"With QDRANT_WRITE_CONSISTENCY_FACTOR={written} and {copies} copies, nothing is written while one node is away.",
                hint="Set it to less than QDRANT_REPLICATION_FACTOR: a node that comes back catches up.",
                id="embeddings.W004",
            )
        )
    return found


def _is_private_host(host: str) -> bool:
    """Whether a host is this machine or in a private network, by its IP address or a name that no public server has."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        # Service names of Compose and Kubernetes have no dot; names in clusters and clouds have these suffixes.
        return "." not in host or host.endswith((".local", ".internal", ".svc", ".localhost"))


def register_checks() -> None:
    """Register the checks with Django."""
    checks.register(check_encoder, checks.Tags.models)
    checks.register(check_encoder_model, checks.Tags.models, deploy=True)
    checks.register(check_index_for_deployment)
    checks.register(check_index_key_is_encrypted)
    checks.register(check_copies)
