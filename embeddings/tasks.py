"""Celery tasks: the arguments are ids, and each task is idempotent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from celery import Task, shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from embeddings import indexing, outbox, text_indexing, text_outbox
from embeddings.errors import IndexUnavailable, MediaUnavailable
from embeddings.registry import registry
from embeddings.submissions import submit_outdated_reindexes
from jobs.tasks import is_long

logger = logging.getLogger(__name__)

SYNC_BATCH_SIZE = 256
# Small, so that on a worker of both queues a price change waits for one small batch at most.
EMBED_BATCH_SIZE = 64
# A request to an unavailable broker takes seconds. An import of thousands of products retries no sooner than this.
BROKER_RETRY_AFTER_S = 30.0
# If a message was only slow, sending its photos again does no harm: the second message finds no due rows.
RECONCILE_LIMIT = 100 * SYNC_BATCH_SIZE
# The periodic task sends photos again when the workers are nearly done with the messages there are.
_NEARLY_DONE = 50
# Seconds after which a worker drops a message: its photos were sent again.
MESSAGE_EXPIRES_S = 3600


class BrokerPause:
    """Circuit breaker of the broker: after a failure, this process sends nothing for BROKER_RETRY_AFTER_S."""

    def __init__(self) -> None:
        self._failed_at = float("-inf")

    @property
    def active(self) -> bool:
        """Whether it is too early to retry."""
        return time.monotonic() - self._failed_at < BROKER_RETRY_AFTER_S

    def begin(self) -> None:
        """Start a pause after a failure."""
        self._failed_at = time.monotonic()


def dispatch_indexing(image_ids: Sequence[int] | None) -> None:
    """Send photos to the workers. If the broker is unavailable, they wait for the periodic task.

    Args:
        image_ids: the photos; None for all that are due.
    """
    if image_ids is None:
        _dispatch(lambda: is_long(reconcile.name) or reconcile.delay(0))
    else:
        _dispatch(lambda: _send(sync_images, image_ids, SYNC_BATCH_SIZE))


def dispatch_texts(product_ids: Sequence[int]) -> None:
    """Send texts to the workers. If the broker is unavailable, they wait for the periodic task.

    Args:
        product_ids: of the products.
    """
    _dispatch(lambda: _send(sync_texts, product_ids, SYNC_BATCH_SIZE))


def _dispatch(send: Callable[[], object]) -> None:
    pause = registry.get(BrokerPause)
    if pause.active:
        return
    try:
        send()
    except OperationalError as error:
        pause.begin()
        logger.warning(
            "the broker is unavailable (%s): photos wait in the outbox for the periodic task; retrying in %d s",
            error,
            BROKER_RETRY_AFTER_S,
        )


def _send(task: Task[[list[int]], None], ids: Sequence[int], size: int) -> None:
    """Send ids in messages; where the queue is long, the rest waits in the outbox for the periodic task."""
    for start in range(0, len(ids), size):
        if is_long(task.name):
            return
        task.delay(list(ids[start : start + size]))


@shared_task(
    acks_late=True,
    expires=MESSAGE_EXPIRES_S,
    autoretry_for=(IndexUnavailable,),
    retry_backoff=True,
    retry_backoff_max=600,
    max_retries=None,
)
def sync_images(image_ids: list[int]) -> None:
    """Process the rows of these photos that need no encoder, and send the others to `embed_images`."""
    indexing.process_outbox(outbox.fill_batch(image_ids, SYNC_BATCH_SIZE), embed=False)
    _send(embed_images, outbox.images_to_embed(image_ids), EMBED_BATCH_SIZE)


@shared_task(
    acks_late=True,
    expires=MESSAGE_EXPIRES_S,
    autoretry_for=(IndexUnavailable,),
    retry_backoff=True,
    retry_backoff_max=600,
    max_retries=None,
)
def sync_texts(product_ids: list[int]) -> None:
    """Index the texts of these products, or delete them."""
    text_indexing.process_texts(product_ids)


@shared_task(
    acks_late=True,
    expires=MESSAGE_EXPIRES_S,
    autoretry_for=(IndexUnavailable, MediaUnavailable),
    retry_backoff=True,
    retry_backoff_max=600,
    max_retries=None,
)
def embed_images(image_ids: list[int]) -> None:
    """Embed these photos and upsert their points."""
    indexing.process_outbox(image_ids)


@shared_task(acks_late=False, expires=MESSAGE_EXPIRES_S)
def reconcile(waited_s: float | None = None) -> None:
    """Send photos whose message was lost again, and those that are due for a retry; rebuild what is outdated.

    Photos are not sent while many messages wait: theirs are among them.

    Args:
        waited_s: minimum age of a row in the outbox, in seconds; None for the setting MESSAGE_LOST_AFTER_S.
    """
    waited = timedelta(seconds=settings.MESSAGE_LOST_AFTER_S if waited_s is None else waited_s)
    if not (is_long(sync_images.name, _NEARLY_DONE) or is_long(embed_images.name, _NEARLY_DONE)):
        _send(sync_images, outbox.stale_images(waited, RECONCILE_LIMIT), SYNC_BATCH_SIZE)
        _send(sync_texts, text_outbox.stale_texts(waited, RECONCILE_LIMIT), SYNC_BATCH_SIZE)
    # Last: an index that does not respond keeps no message from being sent.
    submit_outdated_reindexes()
