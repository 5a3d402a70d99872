"""The Celery tasks of jobs; each is safe to run twice. A job is sent to the queue of its kind."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from celery import Task, shared_task
from celery.exceptions import Reject
from celery.signals import worker_shutting_down
from kombu.exceptions import OperationalError

from jobs import leases, runner
from jobs.registry import kinds
from jobs.runner import RunResult

logger = logging.getLogger(__name__)


def dispatch_job(job_id: UUID, queue: str) -> None:
    """Send a job to the workers. Where the broker is unavailable it waits for the periodic task.

    Args:
        job_id: the job.
        queue: that of its kind.
    """
    try:
        run_job.apply_async((str(job_id),), queue=queue)
    except OperationalError as error:
        logger.warning("the broker is away (%s): job %s waits for the periodic task", error, job_id)


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def run_job(self: Task[[str], None], job_id: str) -> None:
    """Run the job to its end, or requeue the message where this worker ends first.

    Args:
        self: the task.
        job_id: the job's id.

    Raises:
        Reject: this worker ends.
        Retry: another process holds the lease.
    """
    match runner.run(UUID(job_id)):
        case RunResult.REQUEUED:
            raise Reject("this worker ends", requeue=True)
        case RunResult.OWNED_BY_OTHER:
            # The broker sends a message again when it is not acknowledged for long, and when a worker dies.
            raise self.retry(countdown=leases.LEASE_TIMEOUT.total_seconds())


@shared_task(acks_late=False)
def run_waiting_jobs(queue: str) -> None:
    """Run jobs whose message was lost.

    Args:
        queue: of the kinds that count; the worker's own.
    """
    names = kinds.names_in(queue)
    while runner.run_next_queued(names):
        pass


@worker_shutting_down.connect
def requeue_jobs(**_: Any) -> None:
    """Requeue the running jobs: a worker that is asked to end does not wait for hours of training."""
    runner.requeue_running_jobs()
