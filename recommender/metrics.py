"""Metrics for Prometheus: the time of each query stage, the outbox, the size of the index, the queues, free disk space."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIServer

from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError, connections
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, Gauge, Histogram, Metric, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from catalog.importers.scheduled_feeds import failing_feeds
from embeddings.backends import get_vector_index
from embeddings.errors import EmbeddingsError
from embeddings.metrics import timed
from embeddings.selectors import active_versions, oldest_due_age_s, outbox_counts
from jobs.tasks import broker_memory, queue_lengths
from rest.metrics import REQUEST_SECONDS

logger = logging.getLogger(__name__)

STATE_TTL_S = 5
_STATE = "metrics:state"
# An index that took so long to fail for one collection is not waited for again for the others.
_INDEX_PATIENCE_S = 0.2

STAGES = ("encode", "retrieve", "hydrate", "filter", "rerank")
_STAGE_SECONDS = Histogram(
    "lookalike_recommendation_stage_seconds",
    "Time of a stage of one recommendation.",
    ["stage"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_BY_STAGE = {stage: _STAGE_SECONDS.labels(stage) for stage in STAGES}

KNOWN_NEIGHBOURS = Gauge(
    "lookalike_known_neighbours",
    "Products whose nearest ones were found ahead of requests, since the index changed.",
    ["collection"],
    multiprocess_mode="livesum",
)


@dataclass(frozen=True, slots=True)
class Latency:
    """The response times of an endpoint, as exact as the buckets of the histogram.

    Attributes:
        count: Number of responses.
        p50_s: Median in seconds.
        p95_s: 95th percentile in seconds.
    """

    count: int
    p50_s: float
    p95_s: float


def query_stage(name: str) -> AbstractContextManager[None]:
    """Measure a stage of a recommendation.

    Args:
        name: one of STAGES.

    Returns:
        A context manager around the stage.
    """
    return timed(_BY_STAGE[name], name)


def exposition() -> bytes:
    """All metrics in Prometheus' text format; with PROMETHEUS_MULTIPROC_DIR those of all processes of this server."""
    return generate_latest(_registry()) + generate_latest(_state_registry)


def serve(address: str, port: int) -> tuple[WSGIServer, Thread]:
    """Serve the metrics on a port of this process.

    Args:
        address: the interface to listen on.
        port: the port.

    Returns:
        Server and thread, for `stop_serving`.

    Raises:
        OSError: the port cannot be opened.
    """
    return start_http_server(port, address, _WithState(_registry()))


def stop_serving(server: WSGIServer, thread: Thread) -> None:
    """Stop what `serve` started.

    Args:
        server: from `serve`.
        thread: from `serve`.
    """
    server.shutdown()
    server.server_close()
    thread.join()


class _WithState(CollectorRegistry):
    """Another registry's metrics and the state, for the threads of a server, each of which opens a database connection."""

    def __init__(self, counted: CollectorRegistry) -> None:
        super().__init__()
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        try:
            yield from chain(self._counted.collect(), _state.collect())
        finally:
            connections.close_all()


def latency(endpoint: str) -> Latency | None:
    """The response times of an endpoint since the server started.

    Args:
        endpoint: Label of the endpoint, e.g. "similar".

    Returns:
        The latency over all processes that `exposition` covers; None before the first response.
    """
    buckets: dict[float, float] = defaultdict(float)
    for family in _registry().collect():
        if family.name == REQUEST_SECONDS:
            for sample in family.samples:
                if sample.name == f"{REQUEST_SECONDS}_bucket" and sample.labels["endpoint"] == endpoint:
                    buckets[float(sample.labels["le"])] += sample.value
    bounds = sorted(buckets.items())
    if not bounds or not bounds[-1][1]:
        return None
    return Latency(int(bounds[-1][1]), _quantile(0.5, bounds), _quantile(0.95, bounds))


def _quantile(quantile: float, bounds: Sequence[tuple[float, float]]) -> float:
    """A quantile by linear interpolation within a bucket, as PromQL does.

    Args:
        quantile: From 0 to 1.
        bounds: Upper bound and cumulative count of each bucket in ascending order; the last bound is infinite.

    Returns:
        Seconds.
    """
    rank = quantile * bounds[-1][1]
    low, below = 0.0, 0.0
    for high, up_to in bounds:
        if up_to >= rank:
            return low if math.isinf(high) else low + (high - low) * (rank - below) / (up_to - below)
        low, below = high, up_to
    return low


def _registry() -> CollectorRegistry:
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=settings.PROMETHEUS_MULTIPROC_DIR)  # type: ignore[no-untyped-call]
    return registry


class _StateCollector(Collector):
    """Outbox, index sizes and disks, read at a scrape and at most once in STATE_TTL_S."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from caches["process"].get_or_set(_STATE, _read_state, STATE_TTL_S) or ()

    def describe(self) -> list[GaugeMetricFamily]:
        return []


def _read_state() -> list[GaugeMetricFamily]:
    return [*_outbox(), *_index_sizes(), *_queues(), *_feeds(), *_disks()]


def _outbox() -> Iterator[GaugeMetricFamily]:
    family = GaugeMetricFamily("lookalike_images", "Photos of active encoder versions by state.", labels=["state"])
    oldest = GaugeMetricFamily(
        "lookalike_images_waiting_seconds",
        "Age of the oldest photo that is due, by state.",
        labels=["state"],
    )
    try:
        for state, count in outbox_counts().items():
            family.add_metric([state], count)
        for state, seconds in oldest_due_age_s().items():
            oldest.add_metric([state], seconds)
    except DatabaseError as error:
        logger.warning("cannot count the outbox: %s", error)
        return
    yield family
    yield oldest


def _index_sizes() -> Iterator[GaugeMetricFamily]:
    points = GaugeMetricFamily("lookalike_index_points", "Points in the live index.", labels=["collection", "encoder"])
    up = GaugeMetricFamily("lookalike_index_up", "1 if the live index responds, else 0.", labels=["collection"])
    try:
        versions = active_versions()
    except DatabaseError as error:
        logger.warning("cannot read the collections: %s", error)
        return
    waited_s = 0.0
    for version in versions:
        slug = version.collection.slug
        if waited_s >= _INDEX_PATIENCE_S:
            up.add_metric([slug], 0)
            continue
        began = time.monotonic()
        try:
            points.add_metric([slug, version.label], get_vector_index().count(version.index_collection().name))
            up.add_metric([slug], 1)
        except EmbeddingsError as error:
            waited_s += time.monotonic() - began
            logger.warning("cannot count the index of %s: %s", slug, error)
            up.add_metric([slug], 0)
    yield points
    yield up


def _queues() -> Iterator[GaugeMetricFamily]:
    if not settings.CELERY_BROKER_URL:
        return
    messages = GaugeMetricFamily("lookalike_queue_messages", "Messages that wait for a worker.", labels=["queue"])
    try:
        # First: at its limit of memory, Redis does not count.
        if (used := broker_memory()) is not None:
            yield GaugeMetricFamily("lookalike_broker_memory_ratio", "Share of Redis' memory limit in use.", value=used)
        for queue, count in queue_lengths().items():
            messages.add_metric([queue], count)
    except OperationalError as error:
        logger.warning("cannot count the messages of the broker: %s", error)
        return
    yield messages


def _feeds() -> Iterator[GaugeMetricFamily]:
    try:
        failing = len(failing_feeds())
    except DatabaseError as error:
        logger.warning("cannot read the feeds: %s", error)
        return
    yield GaugeMetricFamily(
        "lookalike_feeds_failing", "Feeds whose last import failed, or withdrew nothing.", value=failing
    )


def _disks() -> Iterator[GaugeMetricFamily]:
    free = GaugeMetricFamily("lookalike_disk_free_bytes", "Free space on the disk of a folder.", labels=["folder"])
    size = GaugeMetricFamily("lookalike_disk_size_bytes", "Size of the disk of a folder.", labels=["folder"])
    folders = {
        "data": settings.DATA_DIR,
        "encoders": settings.ENCODERS_ROOT,
        "media": settings.MEDIA_ROOT,
        "uploads": settings.UPLOADS_ROOT,
        "cache": settings.STORAGE_CACHE_DIR,
    }
    for name, folder in folders.items():
        # Some are created with their first file.
        if Path(folder).is_dir():
            usage = shutil.disk_usage(folder)
            free.add_metric([name], usage.free)
            size.add_metric([name], usage.total)
    yield free
    yield size


_state = _StateCollector()
_state_registry = CollectorRegistry()
_state_registry.register(_state)
