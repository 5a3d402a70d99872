"""Deletes unused files, finds roles of photos and submits feeds without a broker: in a thread of the serving process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection

from catalog import photo_roles, unused_files
from catalog.importers import scheduled_feeds
from jobs.process import process

logger = logging.getLogger(__name__)

POLL_S = 300.0
FEEDS_POLL_S = 60.0


class SweepThread(threading.Thread):
    """Deletes unused files and finds waiting roles of photos every POLL_S seconds, submits feeds that are due every FEEDS_POLL_S.

    It goes on until the process ends.
    """

    def __init__(self) -> None:
        """A thread that is not started."""
        super().__init__(name="sweep", daemon=True)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop after the current file, and wait for it."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Sweep until the process ends, or `stop`."""
        sweeps_at = time.monotonic() + POLL_S
        while not self._stopped.wait(min(POLL_S, FEEDS_POLL_S)):
            _attempt("submitting feeds that are due", scheduled_feeds.submit_due)
            if time.monotonic() >= sweeps_at:
                sweeps_at = time.monotonic() + POLL_S
                _attempt("deleting unused files", unused_files.sweep)
                _attempt("finding roles of photos", photo_roles.find_waiting_roles)


def _attempt(name: str, work: Callable[[], object]) -> None:
    """The thread must survive an unavailable database or disk. What is to be done is still there afterwards."""
    try:
        work()
    except Exception:
        logger.exception("%s failed; retrying", name)
    finally:
        connection.close()


class SweepWork:
    """The thread of this process; none until it is started."""

    def __init__(self) -> None:
        """Without a thread."""
        self.thread: SweepThread | None = None


def start_sweep_thread() -> None:
    """Start the thread of the serving process, after any fork. Does nothing if there is a broker."""
    work = process.get(SweepWork)
    if not settings.CELERY_BROKER_URL and work.thread is None:
        work.thread = SweepThread()
        work.thread.start()
