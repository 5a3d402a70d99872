"""Prometheus metrics of embedding, in web processes and workers."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from django.conf import settings
from opentelemetry import trace
from prometheus_client import Counter, Histogram

from embeddings.models import ImageEmbedding

_tracer = trace.get_tracer(__name__)
_NO_SPAN = nullcontext()

STAGES = ("decode", "encode", "describe", "upsert")
_SECONDS = Histogram(
    "lookalike_embedding_stage_seconds",
    "Duration of decoding and encoding a photo, of describing a few, and of upserting a batch of points.",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_STAGE_SECONDS = {stage: _SECONDS.labels(stage) for stage in STAGES}
_BATCH = Histogram(
    "lookalike_embedding_batch_photos",
    "Photos per batch that is embedded.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
_PHOTOS = Counter("lookalike_photos_processed", "Photos that were embedded, failed or postponed.", ["result"])
_RESULT_OF_STATE = {
    ImageEmbedding.State.EMBEDDED: _PHOTOS.labels("embedded"),
    ImageEmbedding.State.FAILED: _PHOTOS.labels("failed"),
    ImageEmbedding.State.PENDING: _PHOTOS.labels("postponed"),
}


class timed:  # noqa: N801  # a context manager, as those of contextlib
    """Record the duration of the block, also if it raises, and a span of this name. A generator takes longer."""

    __slots__ = ("_name", "_seconds", "_span", "_start")

    def __init__(self, seconds: Histogram, name: str) -> None:
        self._seconds, self._name = seconds, name
        self._span: AbstractContextManager[object] | None = None

    def __enter__(self) -> None:
        self._start = time.perf_counter()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            self._span = span(self._name)
            self._span.__enter__()

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._span is not None:
                self._span.__exit__(error_type, error, traceback)
        finally:
            self._seconds.observe(time.perf_counter() - self._start)


def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:
    """A span of traces round the block; nothing without traces, where OpenTelemetry does nothing slowly."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return _NO_SPAN
    return _tracer.start_as_current_span(name, attributes=attributes)


def embed_stage(name: str) -> AbstractContextManager[None]:
    """Record the duration of the block, one of STAGES."""
    return timed(_STAGE_SECONDS[name], name)


def count_batch(photos: int) -> None:
    """Record the size of a batch that was embedded."""
    _BATCH.observe(photos)


def count_photos(state: str, photos: int) -> None:
    """Count photos by the state that they have after embedding."""
    _RESULT_OF_STATE[ImageEmbedding.State(state)].inc(photos)
