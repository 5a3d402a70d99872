"""What load balancers, Kubernetes and Prometheus ask: does the process live, can it serve, how does it do."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import KombuError
from prometheus_client import CONTENT_TYPE_LATEST

from embeddings.backends import encoder_of, get_vector_index
from embeddings.errors import CollectionNotFound, EmbeddingsError
from embeddings.models import EncoderVersion
from embeddings.selectors import active_versions
from lookalike.celery import app as celery_app
from recommender import metrics

CHECK_TIMEOUT_S = 2


class _DownError(Exception):
    """Something that requests need is away; the message says what."""


@dataclass(frozen=True, slots=True)
class Check:
    """How one dependency is. status: up or down."""

    name: str
    status: str
    message: str


@require_safe
@never_cache
def healthz(_: HttpRequest) -> HttpResponse:
    """The process is alive. Asks nobody, so that a dependency that is away gets nobody restarted."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(_: HttpRequest) -> HttpResponse:
    """Whether requests can be answered: 503 while anything they need is down."""
    checks = readiness()
    ready = all(check.status == "up" for check in checks)
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {check.name: {"status": check.status, "message": check.message} for check in checks},
    }
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
@never_cache
def metrics_view(_: HttpRequest) -> HttpResponse:
    """The metrics, for Prometheus."""
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def readiness() -> list[Check]:
    """Every dependency, each asked for no longer than CHECK_TIMEOUT_S."""
    versions: list[EncoderVersion] = []

    def database() -> str:
        versions.extend(_read_versions())
        return connection.vendor

    # The database in this thread, whose connection it is; the connection's own timeout holds.
    checks = [_ask("database", database)]
    checks.append(_ask("index", _bounded(lambda: _index(versions))))
    checks.append(_ask("encoder", _bounded(lambda: _encoder(versions))))
    if settings.CELERY_BROKER_URL:
        checks.append(_ask("broker", _bounded(_broker)))
    return checks


def _ask(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, "up", check())
    except _DownError as error:
        return Check(name, "down", str(error))


def _read_versions() -> list[EncoderVersion]:
    try:
        return active_versions()
    except DatabaseError as error:
        raise _DownError(f"the database does not answer: {error}") from error


def _index(versions: Sequence[EncoderVersion]) -> str:
    if not versions:
        raise _DownError("no collection has an active encoder version: run manage.py migrate")
    empty = []
    for version in versions:
        try:
            _open(version)
        except CollectionNotFound:
            empty.append(version.label)
        except EmbeddingsError as error:
            raise _DownError(str(error)) from error
    # An empty shop is ready to be filled.
    return f"nothing indexed yet for {', '.join(empty)}" if empty else "answers"


def _open(version: EncoderVersion) -> None:
    """Costs nothing however large it is."""
    index, collection = get_vector_index(), version.index_collection()
    index.retrieve(collection.name, [0])
    # It stands, so that this makes nothing: it says where it is of other vectors.
    index.ensure(collection)


def _encoder(versions: Sequence[EncoderVersion]) -> str:
    for version in versions:
        try:
            encoder_of(version)
        except EmbeddingsError as error:
            raise _DownError(str(error)) from error
    return "loaded"


def _broker() -> str:
    try:
        with celery_app.connection_for_write(connect_timeout=CHECK_TIMEOUT_S) as broker:
            broker.ensure_connection(max_retries=1, timeout=CHECK_TIMEOUT_S)
    except (OSError, KombuError) as error:
        raise _DownError(f"the broker does not answer: {error}") from error
    return "answers"


def _bounded(check: Callable[[], str]) -> Callable[[], str]:
    """The same check, down when it takes longer than CHECK_TIMEOUT_S."""

    def ask() -> str:
        answers: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                answers.put(check())
            # Raised again in the thread that waits.
            except Exception as error:  # noqa: BLE001
                answers.put(error)

        threading.Thread(target=run, name="readiness", daemon=True).start()
        try:
            answer = answers.get(timeout=CHECK_TIMEOUT_S)
        except queue.Empty:
            raise _DownError(f"no answer within {CHECK_TIMEOUT_S} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask
