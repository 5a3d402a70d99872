"""The child process of a job: attaches to the process that runs the job, reports progress, and ends the job."""

from __future__ import annotations

import logging
import os
import re
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs import failures
from jobs.facts import fact_of
from jobs.leases import end
from jobs.models import Job
from jobs.progress import ProgressCallback
from jobs.selectors import get_job
from jobs.states import JobState
from jobs.storage import StorageUnavailable, os_error_message
from stores.patience import patience

logger = logging.getLogger(__name__)

PROGRESS_EVERY_S = 0.5
TERMINATE_GRACE_S = 10.0
# How long a job waits for a store of files that is away.
STORE_PATIENCE_S = 600.0

_PATH = re.compile(r"""(?<![\w.:/])/(?:[^\s/:;,'"()]+/)*(?=[^\s/])""")


def attach_to_runner(job: Job) -> None:
    """Begin: from here on this process ends with the one that runs the job, by SystemExit if there is time.

    Args:
        job: the job that this process executes.
    """
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        signal.signal(signal.SIGTERM, _exit_on_signal)
        threading.Thread(target=_exit_with_parent, name="parent", daemon=True).start()
    patience.seconds = STORE_PATIENCE_S
    ProgressReporter(job)("starting", 0, 0)


def execute(
    job_id: UUID,
    function: Callable[[Job, ProgressCallback], dict[str, Any]],
    *,
    failures: tuple[type[Exception], ...],
) -> bool:
    """Execute a job and end it.

    Args:
        job_id: the job.
        function: gets the job and a progress callback; returns the result, plain JSON.
        failures: errors whose message is the reason why the job has failed.

    Returns:
        Whether the function has returned.
    """
    job = get_job(job_id)
    attach_to_runner(job)
    try:
        result = function(job, ProgressReporter(job))
    except failures as error:
        fail(job, str(error))
        return False
    except StorageUnavailable as error:
        fail_with_storage_error(job, error)
        return False
    except OSError as error:
        fail_with_os_error(job, error)
        return False
    succeed(job, result)
    return True


class ProgressReporter:
    """Writes the progress of a job into its row, at most twice a second; a progress callback."""

    def __init__(self, job: Job) -> None:
        """Report for this job.

        Args:
            job: is given the same values as its row.
        """
        self._job = job
        self._written_at = float("-inf")

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report the progress of a stage.

        Args:
            stage: its name.
            done: how many steps are done.
            total: of how many; 0 where that is unknown.
        """
        job, now = self._job, time.monotonic()
        recent = now - self._written_at < PROGRESS_EVERY_S
        # A new stage and the end of one are always written.
        if recent and stage == job.stage and done != total:
            return
        self._written_at = now
        job.stage, job.done, job.total = stage, done, total
        Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(stage=stage, done=done, total=total)


def save_checkpoint(job: Job, checkpoint: dict[str, Any]) -> None:
    """Keep what the job needs to go on where it was interrupted, in the transaction of the work that it is about.

    Args:
        job: a running one.
        checkpoint: plain JSON.
    """
    Job.objects.filter(pk=job.pk).update(checkpoint=checkpoint)


def succeed(job: Job, result: dict[str, Any]) -> bool:
    """End the job as succeeded.

    Args:
        job: a running one.
        result: plain JSON.

    Returns:
        False where the job had ended before, because it was cancelled.
    """
    return end(_running(job), JobState.SUCCEEDED, result=result)


def fail(job: Job, reason: str) -> bool:
    """End the job as failed.

    Args:
        job: a running one.
        reason: for the user who asked for the work; paths on the server are removed from it.

    Returns:
        False where the job had ended before.
    """
    return end(_running(job), JobState.FAILED, error=_strip_paths(reason), error_fact=_without_paths(fact_of(reason)))


def fail_with_os_error(job: Job, error: OSError) -> bool:
    """End the job as failed because of the server's own files; the details are for the server's log only.

    Args:
        job: a running one.
        error: what the operating system has said.

    Returns:
        False where the job had ended before.
    """
    logger.error("job %s failed", job.pk, exc_info=error)
    return fail(job, failures.FILES_FAILED(error=os_error_message(error)))


def fail_with_storage_error(job: Job, error: Exception) -> bool:
    """End the job as failed because the disk does not take something.

    Args:
        job: a running one.
        error: its message is the reason.

    Returns:
        False where the job had ended before.
    """
    logger.error("job %s failed: %s", job.pk, error)
    return fail(job, str(error))


def _running(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, state=JobState.RUNNING)


def _strip_paths(reason: str) -> str:
    """Of each path its last part, so that a user learns nothing about the server's folders."""
    for root in (settings.ENCODERS_ROOT, settings.UPLOADS_ROOT, settings.STORAGE_CACHE_DIR, settings.DATA_DIR):
        # Their names may have spaces in them.
        reason = reason.replace(f"{root}/", "/")
    return _PATH.sub("", reason)


def _without_paths(fact: Any) -> Any:
    """The same of what is kept of a fact."""
    if isinstance(fact, dict):
        return {name: _without_paths(value) for name, value in fact.items()}
    return _strip_paths(fact) if isinstance(fact, str) else fact


def _exit_on_signal(number: int, _: object) -> None:
    """By SystemExit, so that temporary folders are removed."""
    sys.exit(128 + number)


def _exit_with_parent() -> None:
    """The runner holds the other end of this process's input, which is closed however the runner ends."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TERMINATE_GRACE_S)
    os._exit(1)
