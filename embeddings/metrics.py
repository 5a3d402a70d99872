"""Counts what this process has embedded; web processes and workers count alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import trace
from prometheus_client import Counter, Histogram

from embeddings.models import ImageEmbedding

# Does nothing unless `lookalike.tracing` sets a tracer provider.
tracer = trace.get_tracer(__name__)

STAGES = ("decode", "encode", "upsert")
_SECONDS = Histogram(
    "lookalike_embedding_stage_seconds",
    "Time that a photo takes to be decoded and encoded, and a batch of points to be written to the index.",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
_OF_STAGE = {stage: _SECONDS.labels(stage) for stage in STAGES}
_BATCH = Histogram(
    "lookalike_embedding_batch_photos",
    "Photos that are embedded at a time.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
_PHOTOS = Counter(
    "lookalike_photos_processed", "Photos that were embedded, failed, or are to be tried again later.", ["result"]
)
_RESULT_OF_STATE = {
    ImageEmbedding.State.EMBEDDED: _PHOTOS.labels("embedded"),
    ImageEmbedding.State.FAILED: _PHOTOS.labels("failed"),
    ImageEmbedding.State.PENDING: _PHOTOS.labels("postponed"),
}


@contextmanager
def timed(seconds: Histogram, name: str) -> Iterator[None]:
    """Count the time of the block, whether it ends well or not; it is a span of this name, too."""
    start = time.perf_counter()
    try:
        with tracer.start_as_current_span(name):
            yield
    finally:
        seconds.observe(time.perf_counter() - start)


def stage(name: str) -> AbstractContextManager[None]:
    """Count the time of the block, one of STAGES."""
    return timed(_OF_STAGE[name], name)


def count_batch(photos: int) -> None:
    """So many photos are embedded together."""
    _BATCH.observe(photos)


def count_photos(state: str, photos: int) -> None:
    """So many photos came out of it in this state."""
    _RESULT_OF_STATE[ImageEmbedding.State(state)].inc(photos)
