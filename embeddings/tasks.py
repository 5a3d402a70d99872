"""The Celery entry points: arguments are ids, and each task is safe to run twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject
from celery.signals import worker_shutting_down
from django.conf import settings
from kombu.exceptions import OperationalError

from embeddings import indexing, jobs, outbox
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


def request_job(job_id: UUID, kind: str) -> None:
    """Send the job to the workers of its queue. Where the broker is away it waits for the periodic task."""
    try:
        (run_training if kind in jobs.TRAININGS else run_job).delay(str(job_id))
    except OperationalError as error:
        logger.warning("the broker is away (%s): job %s waits for the periodic task", error, job_id)


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def run_job(self: Task[[str], None], job_id: str) -> None:
    """Run the job to its end, or put the message back where this worker ends first."""
    _run(self, job_id)


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def run_training(self: Task[[str], None], job_id: str) -> None:
    """The same for a training or an activation, in a queue of their own: minutes of work never wait for hours."""
    _run(self, job_id)


def _run(task: Task[[str], None], job_id: str) -> None:
    match jobs.run(UUID(job_id)):
        case jobs.Outcome.PUT_BACK:
            raise Reject("this worker ends", requeue=True)
        case jobs.Outcome.OWNED_BY_ANOTHER:
            # The broker sends a message again when it is not acknowledged for long, and when a worker dies. Who knows which?
            raise task.retry(countdown=jobs.STALE_AFTER.total_seconds())


@shared_task(acks_late=False)
def run_waiting_jobs() -> None:
    """Find what a lost message left behind."""
    while jobs.run_waiting(kinds=jobs.SHORT):
        pass


@shared_task(acks_late=False)
def run_waiting_trainings() -> None:
    """The same for trainings and activations."""
    while jobs.run_waiting(kinds=jobs.TRAININGS):
        pass


@worker_shutting_down.connect
def put_jobs_back(**_: Any) -> None:
    """A worker that is asked to end does not wait for hours of training."""
    jobs.stop_running()
