"""Liveness, readiness and metrics, for load balancers, Kubernetes and Prometheus."""

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
    """A dependency is down; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Check:
    """State of one dependency.

    Attributes:
        name: database, index, encoder or broker.
        status: up or down.
        message: for operators.
    """

    name: str
    status: str
    message: str


@require_safe
@never_cache
def healthz(_: HttpRequest) -> HttpResponse:
    """Liveness: 200. It checks no dependency, so that a dependency that is down does not restart the process."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(_: HttpRequest) -> HttpResponse:
    """Readiness: 200, or 503 while a dependency is down."""
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
    """Metrics in Prometheus' text format."""
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def readiness() -> list[Check]:
    """Check every dependency, each for at most CHECK_TIMEOUT_S."""
    versions: list[EncoderVersion] = []

    def database() -> str:
        versions.extend(_read_versions())
        return connection.vendor

    # The database is checked in this thread, which owns the connection, under the connection's own timeout.
    checks = [_run_check("database", database)]
    checks.append(_run_check("index", _with_timeout(lambda: _index(versions))))
    checks.append(_run_check("encoder", _with_timeout(lambda: _encoder(versions))))
    if settings.CELERY_BROKER_URL:
        checks.append(_run_check("broker", _with_timeout(_broker)))
    return checks


def _run_check(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, "up", check())
    except _DownError as error:
        return Check(name, "down", str(error))


def _read_versions() -> list[EncoderVersion]:
    try:
        return active_versions()
    except DatabaseError as error:
        raise _DownError(f"no response from the database: {error}") from error


def _index(versions: Sequence[EncoderVersion]) -> str:
    if not versions:
        raise _DownError("no collection has an active encoder version: run manage.py migrate")
    empty = []
    for version in versions:
        try:
            _check_is_open(version)
        except CollectionNotFound:
            empty.append(version.label)
        except EmbeddingsError as error:
            raise _DownError(str(error)) from error
    # An empty catalogue is ready for its first import.
    return f"nothing indexed yet for {', '.join(empty)}" if empty else "answers"


def _check_is_open(version: EncoderVersion) -> None:
    """Query one id, which is cheap in an index of any size."""
    index, collection = get_vector_index(), version.index_collection()
    index.retrieve(collection.name, [0])
    # The collection exists, so this creates nothing; it raises if the index has other vectors.
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
        raise _DownError(f"no response from the broker: {error}") from error
    return "answers"


def _with_timeout(check: Callable[[], str]) -> Callable[[], str]:
    """The same check, which reports down if it takes longer than CHECK_TIMEOUT_S."""

    def run() -> str:
        results: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

        def put_result() -> None:
            try:
                results.put(check())
            # Raised again in the waiting thread.
            except Exception as error:  # noqa: BLE001
                results.put(error)

        threading.Thread(target=put_result, name="readiness", daemon=True).start()
        try:
            result = results.get(timeout=CHECK_TIMEOUT_S)
        except queue.Empty:
            raise _DownError(f"no response within {CHECK_TIMEOUT_S} s") from None
        if isinstance(result, Exception):
            raise result
        return result

    return run
