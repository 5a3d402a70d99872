"""The Celery tasks of jobs, and how full the broker is, which other apps ask.

Each task is safe to run twice. The setting CELERY_TASK_ROUTES says which queue each goes to.
A message only says that a row waits: whatever is lost, a periodic task finds the row again. So no message is sent to a long queue.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from celery import Task, current_app, shared_task
from celery.exceptions import Reject
from celery.signals import worker_shutting_down
from kombu.exceptions import OperationalError

from jobs import leases, runner
from jobs.registry import kinds
from jobs.runner import RunResult

logger = logging.getLogger(__name__)

# A queue with more messages is long: workers are behind, or away.
LONG_QUEUE = 500
# Seconds after which the length of a queue is read again.
_LENGTH_VALID_S = 1.0


@dataclass(slots=True)
class QueueLengths:
    """How many messages wait in each queue, as this process read it last; what it has sent since is added."""

    _read: dict[str, tuple[float, int]] = field(default_factory=dict)

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue.

        Args:
            queue: its name.

        Returns:
            Their number.

        Raises:
            OperationalError: the broker is unavailable.
        """
        read_at, count = self._read.get(queue, (float("-inf"), 0))
        if time.monotonic() - read_at >= _LENGTH_VALID_S:
            read_at, count = time.monotonic(), _length(queue)
        self._read[queue] = (read_at, count + 1)
        return count


_lengths = QueueLengths()


def is_long(task: str, limit: int = LONG_QUEUE) -> bool:
    """Whether so many messages wait in the queue of a task that no more are sent. Call it once for each message.

    Args:
        task: its name.
        limit: more messages are too many.

    Returns:
        Whether the queue is long.

    Raises:
        OperationalError: the broker is unavailable.
    """
    return _lengths.waiting(_queue_of(task)) >= limit


def queue_lengths() -> Mapping[str, int]:
    """How many messages wait in each queue.

    Returns:
        Their number by the queue's name.

    Raises:
        OperationalError: the broker is unavailable.
    """
    routed = (route["queue"] for route in current_app.conf.task_routes.values())
    return {queue: _length(queue) for queue in sorted({*current_app.conf.task_queues, *routed})}


def broker_memory() -> float | None:
    """How much of the memory that Redis may use is used.

    Returns:
        0 to 1; None for another broker, and without a limit.

    Raises:
        OperationalError: the broker is unavailable.
    """
    with current_app.producer_or_acquire() as producer, producer.connection._reraise_as_library_errors():
        if producer.connection.transport.driver_type != "redis":
            return None
        memory = producer.channel.client.info("memory")
    return float(memory["used_memory"] / memory["maxmemory"]) if memory["maxmemory"] else None


def _queue_of(task: str) -> str:
    # The router would add a queue that a worker then serves.
    conf = current_app.conf
    return str(conf.task_routes.get(task, {}).get("queue", conf.task_default_queue))


def _length(queue: str) -> int:
    with current_app.producer_or_acquire() as producer, producer.connection._reraise_as_library_errors():
        # As Celery declares its queues.
        return int(producer.channel.queue_declare(queue, durable=True, auto_delete=False).message_count)


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
