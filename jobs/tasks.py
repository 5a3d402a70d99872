"""The Celery tasks of jobs; each is safe to run twice. The setting CELERY_TASK_ROUTES says which queue each goes to."""

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
        _RUN_IN_QUEUE[queue].delay(str(job_id))
    except OperationalError as error:
        logger.warning("the broker is unavailable (%s): job %s waits for the periodic task", error, job_id)


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def run_job(self: Task[[str], None], job_id: str) -> None:
    """Run a job of the queue `jobs` to its end, or requeue the message where this worker ends first.

    Args:
        self: the task.
        job_id: the job's id.

    Raises:
        Reject: this worker ends.
        Retry: another process holds the lease.
    """
    _run(self, job_id)


@shared_task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=None)
def run_training(self: Task[[str], None], job_id: str) -> None:
    """The same for the queue `train`, so that minutes of work never wait for hours.

    Args:
        self: the task.
        job_id: the job's id.

    Raises:
        Reject: this worker ends.
        Retry: another process holds the lease.
    """
    _run(self, job_id)


_RUN_IN_QUEUE = {"jobs": run_job, "train": run_training}


def _run(task: Task[[str], None], job_id: str) -> None:
    match runner.run(UUID(job_id)):
        case RunResult.REQUEUED:
            raise Reject("this worker ends", requeue=True)
        case RunResult.OWNED_BY_OTHER:
            # The broker sends a message again when it is not acknowledged for long, and when a worker dies.
            raise task.retry(countdown=leases.LEASE_TIMEOUT.total_seconds())


@shared_task(acks_late=False)
def run_waiting_jobs() -> None:
    """Run jobs of the queue `jobs` whose message was lost."""
    _run_waiting("jobs")


@shared_task(acks_late=False)
def run_waiting_trainings() -> None:
    """Run jobs of the queue `train` whose message was lost."""
    _run_waiting("train")


def _run_waiting(queue: str) -> None:
    while runner.run_next_queued(kinds.names_in(queue)):
        pass


@worker_shutting_down.connect
def requeue_jobs(**_: Any) -> None:
    """Requeue the running jobs: a worker that is asked to end does not wait for hours of training."""
    runner.requeue_running_jobs()
