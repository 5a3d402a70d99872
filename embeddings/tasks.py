"""The Celery entry points: arguments are ids, and each task is safe to run twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from celery import Task, shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from embeddings import indexing, outbox
from embeddings.errors import IndexUnavailable, MediaUnavailable
from embeddings.registry import registry

logger = logging.getLogger(__name__)

SYNC_SIZE = 256
# Small, for a worker that serves both queues: a price waits for no more photos than these.
EMBED_SIZE = 64
# Asking a broker that is away takes seconds: an import of thousands of products asks it again no sooner than this.
BROKER_PAUSE_S = 30.0
# A message that was only slow finds nothing to do when its photos are sent again.
RECONCILED_AT_ONCE = 100 * SYNC_SIZE


class BrokerPause:
    """Remembers when the broker did not answer, so that this process asks again no sooner than BROKER_PAUSE_S later."""

    def __init__(self) -> None:
        self._began = float("-inf")

    @property
    def lasts(self) -> bool:
        """Whether it is too early to ask again."""
        return time.monotonic() - self._began < BROKER_PAUSE_S

    def begin(self) -> None:
        """The broker did not answer just now."""
        self._began = time.monotonic()


def request_indexing(image_ids: Sequence[int] | None) -> None:
    """Send photos to the workers. Where the broker is away they wait for the periodic task.

    Args:
        image_ids: the photos; None: all that wait.
    """
    pause = registry.get(BrokerPause)
    if pause.lasts:
        return
    try:
        if image_ids is None:
            reconcile.delay(0)
            return
        _send(sync_images, image_ids, SYNC_SIZE)
    except OperationalError as error:
        pause.begin()
        logger.warning(
            "the broker is away (%s): photos wait in the outbox for the periodic task; trying again in %d s",
            error,
            BROKER_PAUSE_S,
        )


def _send(task: Task[[list[int]], None], image_ids: Sequence[int], size: int) -> None:
    for start in range(0, len(image_ids), size):
        task.delay(list(image_ids[start : start + size]))


@shared_task(
    acks_late=True, autoretry_for=(IndexUnavailable,), retry_backoff=True, retry_backoff_max=600, max_retries=None
)
def sync_images(image_ids: list[int]) -> None:
    """Process the rows of these photos that need no encoder, and pass on those that do."""
    indexing.process_outbox(outbox.fill_batch(image_ids, SYNC_SIZE), embed=False)
    _send(embed_images, outbox.images_to_embed(image_ids), EMBED_SIZE)


@shared_task(
    acks_late=True,
    autoretry_for=(IndexUnavailable, MediaUnavailable),
    retry_backoff=True,
    retry_backoff_max=600,
    max_retries=None,
)
def embed_images(image_ids: list[int]) -> None:
    """Embed these photos and write their points."""
    indexing.process_outbox(image_ids)


@shared_task(acks_late=False)
def reconcile(waited_s: float | None = None) -> None:
    """Send photos again whose message was lost, and those that are due for another attempt.

    Args:
        waited_s: how many seconds a row has to have waited in the outbox; None: the setting MESSAGE_LOST_AFTER_S.
    """
    waited = timedelta(seconds=settings.MESSAGE_LOST_AFTER_S if waited_s is None else waited_s)
    _send(sync_images, outbox.stale_images(waited, RECONCILED_AT_ONCE), SYNC_SIZE)
