"""Runs jobs without a broker: a thread of the serving process for each queue."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Collection

from django.conf import settings
from django.db import connection

from jobs import runner
from jobs.process import process
from jobs.registry import kinds as registered

logger = logging.getLogger(__name__)

POLL_S = 2.0


class JobThread(threading.Thread):
    """Runs jobs of some kinds, one after another, including those that other processes have left."""

    def __init__(self, kinds: Collection[str]) -> None:
        """A thread that has not begun.

        Args:
            kinds: names of the kinds that it runs.
        """
        super().__init__(name="jobs", daemon=True)
        self._kinds = kinds
        self._woken = threading.Event()
        self._ending = False

    def wake(self) -> None:
        """Look for a job now."""
        self._woken.set()

    def requeue_and_stop(self) -> None:
        """Requeue the job in hand, and end."""
        self._ending = True
        runner.requeue_running_jobs()
        self.wake()
        self.join()

    def run(self) -> None:
        """Run jobs until the process ends, or `requeue_and_stop`."""
        while not self._ending:
            ran = False
            try:
                ran = runner.run_next_queued(self._kinds, one_at_a_time=True)
            # The thread has to outlive a database that is unavailable for a while; the jobs are still there afterwards.
            except Exception:
                logger.exception("running a job failed; retrying")
            finally:
                connection.close()
            if not ran:
                self._woken.wait(POLL_S)
                self._woken.clear()


class JobThreads:
    """The job threads of this process; none until `start`."""

    def __init__(self) -> None:
        """Without threads."""
        self.threads: list[JobThread] = []

    def start(self) -> None:
        """Start one thread for each queue, so that minutes of work never wait for hours."""
        self.threads = [JobThread(registered.names_in(queue)) for queue in registered.queues()]
        for thread in self.threads:
            thread.start()
            # Otherwise a training would end with the process, and be claimed again only when its lease has expired.
            atexit.register(thread.requeue_and_stop)


def start_job_threads() -> None:
    """Run jobs in this process, unless a broker has workers for that. For the server, after any fork."""
    threads = process.get(JobThreads)
    if not settings.CELERY_BROKER_URL and not threads.threads:
        threads.start()


def wake_job_threads() -> None:
    """Have a new job run now. In a process without threads it waits until the serving process looks."""
    for thread in process.get(JobThreads).threads:
        thread.wake()
