"""The Celery entry points: arguments are ids, and each task is safe to run twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from celery import shared_task
from kombu.exceptions import OperationalError

from embeddings import services
from embeddings.errors import IndexUnavailable

logger = logging.getLogger(__name__)

TASK_SIZE = 256
# Asking a broker that is away takes seconds: an import of thousands of products asks it again no sooner than this.
BROKER_PAUSE_S = 30.0

_asked_in_vain_at = float("-inf")


def request_indexing(image_ids: Sequence[int]) -> None:
    """Send these photos to the workers. Where the broker is away they wait in the outbox for the periodic task."""
    global _asked_in_vain_at
    if time.monotonic() - _asked_in_vain_at < BROKER_PAUSE_S:
        return
    try:
        for start in range(0, len(image_ids), TASK_SIZE):
            index_images.delay(list(image_ids[start : start + TASK_SIZE]))
    except OperationalError as error:
        _asked_in_vain_at = time.monotonic()
        logger.warning(
            "the broker is away (%s): photos wait in the outbox for the periodic task; trying again in %d s",
            error,
            BROKER_PAUSE_S,
        )


@shared_task(
    acks_late=True, autoretry_for=(IndexUnavailable,), retry_backoff=True, retry_backoff_max=600, max_retries=None
)
def index_images(image_ids: list[int]) -> None:
    """Bring the points of these photos up to date."""
    services.drain(image_ids)


@shared_task(acks_late=True)
def drain_outbox() -> None:
    """Find what a lost message left behind."""
    services.drain()
