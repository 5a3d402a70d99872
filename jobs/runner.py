"""Runs jobs: claims one, executes its command in a child process, renews the lease, and sees the job ended or requeued.

The work is a child process so that neither a web process nor a worker loads TensorFlow, and what kills the work kills nothing else.
A job whose heartbeat has expired is claimed by another process. The former owner notices that and ends its child, and a child
ends when its runner dies.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from datetime import timedelta
from enum import Enum, auto
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from jobs import failures, leases, metrics
from jobs.execution import TERMINATE_GRACE_S
from jobs.files import delete_expired_files, delete_upload_if_ended, has_upload
from jobs.leases import Lease
from jobs.models import Job
from jobs.process import process
from jobs.states import JobState
from stores.errors import StoreError

logger = logging.getLogger(__name__)

POLL_S = 0.5
# Checked when a job is claimed: one whose runners die again and again, of too little memory for example, fails at last.
RETRY_DEADLINE = timedelta(days=2)
# For a child that has ended its job, to exit.
CHILD_EXIT_GRACE_S = 60.0
DELETE_FILES_EVERY_S = 600.0


class RunResult(Enum):
    """How an attempt to run a job ended."""

    FINISHED = auto()
    REQUEUED = auto()
    OWNED_BY_OTHER = auto()


class Runner:
    """Runs jobs in this process."""

    def __init__(self) -> None:
        """A runner that claims jobs until `requeue_running_jobs`."""
        self.shutting_down = threading.Event()
        self._files_deleted_at = float("-inf")

    def run(self, job_id: UUID) -> RunResult:
        """Claim the job and stay until its child process has ended.

        Args:
            job_id: a job; FINISHED for one that has ended or is gone.

        Returns:
            How the attempt ended.
        """
        lease = None if self.shutting_down.is_set() else Lease.claim(job_id)
        if lease is None:
            job = Job.objects.filter(pk=job_id).first()
            return RunResult.FINISHED if job is None or job.ended else RunResult.OWNED_BY_OTHER
        result = self._execute(lease)
        if result is RunResult.FINISHED:
            _count(job_id)
        return result

    def run_next_queued(self, kinds: Collection[str], *, one_at_a_time: bool = False) -> bool:
        """Run the job that waits longest.

        Args:
            kinds: names of the kinds that count.
            one_at_a_time: run none while any process runs a job of these kinds.

        Returns:
            Whether a job was run to its end.
        """
        self._delete_expired_files()
        if one_at_a_time and leases.any_leased(kinds):
            return False
        job_id = leases.oldest_claimable(kinds)
        return job_id is not None and run(job_id) is RunResult.FINISHED

    def requeue_running_jobs(self) -> None:
        """Requeue the jobs that this process runs, and claim none any more: the process ends."""
        self.shutting_down.set()

    def _delete_expired_files(self) -> None:
        now = time.monotonic()
        if now - self._files_deleted_at >= DELETE_FILES_EVERY_S:
            self._files_deleted_at = now
            try:
                delete_expired_files()
            except StoreError as error:
                logger.warning("expired files are not deleted yet: %s", error)

    def _execute(self, lease: Lease) -> RunResult:
        """From the child's start to its end."""
        job = lease.job
        if job.started_at and timezone.now() - job.started_at > RETRY_DEADLINE:
            return _fail(lease, failures.INTERRUPTED())
        if _upload_is_gone(job):
            return _fail(lease, failures.UPLOAD_GONE())
        logger.info("job %s: %s for %s", job.pk, job.kind, job.collection or "the catalogue")
        try:
            # It shares this process's output. A session of its own: Ctrl-C in a terminal reaches the runner only.
            child = subprocess.Popen(  # noqa: S603  # no shell, and nothing of a request but the job's id
                _command(job), cwd=settings.BASE_DIR, stdin=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            logger.exception("job %s: its process cannot be started", job.pk)
            return _fail(lease, failures.NOT_STARTED(error=str(error.strerror or error)))
        try:
            return self._supervise(lease, child)
        finally:
            _terminate(child)

    def _supervise(self, lease: Lease, child: subprocess.Popen[bytes]) -> RunResult:
        job = lease.job
        last_heartbeat = time.monotonic()
        ended_at: float | None = None
        while True:
            try:
                return _fail(lease, _exit_reason(child.wait(POLL_S)))
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            if self.shutting_down.is_set():
                _terminate(child)
                return _requeue(lease)
            try:
                state = lease.state()
                if state == JobState.RUNNING and now - last_heartbeat > leases.HEARTBEAT_S:
                    lease.renew()
                    last_heartbeat = now
            except DatabaseError as error:
                # A training outlives a database that is unavailable for a while.
                logger.warning("job %s: the database does not answer: %s", job.pk, error)
                connection.close()
                continue
            if state is None:
                logger.info("job %s: cancelled or claimed by another process", job.pk)
                _terminate(child)
                delete_upload_if_ended(job)
                if now_job := Job.objects.filter(pk=job.pk).first():
                    # The child may have gone on until now.
                    leases.clean_up_cancelled(now_job)
                return RunResult.FINISHED
            if state != JobState.RUNNING:
                ended_at = ended_at or now
                if now - ended_at > CHILD_EXIT_GRACE_S:
                    _terminate(child)


def run(job_id: UUID) -> RunResult:
    """Run a job by this process's runner; see `Runner.run`.

    Args:
        job_id: a job.

    Returns:
        How the attempt ended.
    """
    return process.get(Runner).run(job_id)


def run_next_queued(kinds: Collection[str], *, one_at_a_time: bool = False) -> bool:
    """Run the job that waits longest by this process's runner; see `Runner.run_next_queued`.

    Args:
        kinds: names of the kinds that count.
        one_at_a_time: run none while any process runs a job of these kinds.

    Returns:
        Whether a job was run to its end.
    """
    return process.get(Runner).run_next_queued(kinds, one_at_a_time=one_at_a_time)


def requeue_running_jobs() -> None:
    """Requeue the jobs that this process runs, and claim none any more: the process ends."""
    process.get(Runner).requeue_running_jobs()


def _upload_is_gone(job: Job) -> bool:
    try:
        return bool(job.upload) and not has_upload(job)
    except StoreError:
        # The child waits for a store that is away.
        return False


def _count(job_id: UUID) -> None:
    job = Job.objects.filter(pk=job_id).first()
    # One that another process has claimed meanwhile is counted by that process.
    if job is not None and job.ended:
        started, finished = job.started_at, job.finished_at
        metrics.count_job(job.kind, job.state, (finished - started).total_seconds() if started and finished else None)


def _fail(lease: Lease, reason: str) -> RunResult:
    """Fail for this reason, unless the child has ended the job."""
    if lease.fail(reason):
        logger.warning("job %s: %s", lease.job.pk, reason)
    delete_upload_if_ended(lease.job)
    return RunResult.FINISHED


def _requeue(lease: Lease) -> RunResult:
    if lease.requeue():
        logger.info("job %s: requeued", lease.job.pk)
        return RunResult.REQUEUED
    delete_upload_if_ended(lease.job)
    return RunResult.FINISHED


def _command(job: Job) -> list[str]:
    command = job.registered_kind.command
    # Checks of all apps delay each job, and what they find wrong is no reason that the job could state.
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), command, "--job", str(job.pk), "--skip-checks"]


def _exit_reason(status: int) -> str:
    """Why a child has ended that did not end its job."""
    if status >= 0:
        return failures.ENDED(status=str(status))
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    if -status == signal.SIGKILL:
        return failures.KILLED_FOR_MEMORY(signal=name)
    return failures.KILLED(signal=name)


def _terminate(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(TERMINATE_GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdin:
        child.stdin.close()
