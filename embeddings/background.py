"""Processes the outbox without a broker: in a thread of the serving process, or at the end of a command."""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import connection
from tqdm import tqdm

from embeddings.backends import get_vector_index
from embeddings.errors import EmbeddingsError, IndexLocked
from embeddings.indexing import claim_index, process_outbox
from embeddings.selectors import TO_DO, active_versions, forget_live_collections, rows_of_active_versions
from jobs.storage import StorageUnavailable, database_storage_errors

logger = logging.getLogger(__name__)

POLL_S = 2.0
GRACE_S = 5.0


class OutboxThread(threading.Thread):
    """Drains the outbox when woken, and every POLL_S seconds for rows that other processes left."""

    def __init__(self) -> None:
        super().__init__(name="outbox", daemon=True)
        self._woken = threading.Event()
        self._ending = False
        self._last_trouble = ""

    def wake(self) -> None:
        """There may be work."""
        self._woken.set()

    def stop(self) -> None:
        """End after the work in hand, and wait for that."""
        self._ending = True
        self.wake()
        self.join()

    def run(self) -> None:
        """Until the process ends, or stop()."""
        generations = _Generations()
        while not self._ending:
            try:
                with database_storage_errors():
                    generations.follow()
                    process_outbox()
                self._last_trouble = ""
            except (EmbeddingsError, StorageUnavailable) as error:
                self._tell_once(str(error))
            # The thread has to outlive a database that is away for a while; the rows are still there afterwards.
            except Exception:
                logger.exception("working off the outbox failed; trying again")
            finally:
                connection.close()
            self._woken.wait(POLL_S)
            self._woken.clear()

    def _tell_once(self, trouble: str) -> None:
        if trouble != self._last_trouble:
            logger.warning("photos wait to be indexed: %s", trouble)
            self._last_trouble = trouble


_thread: OutboxThread | None = None
_work_noted = False


def start_outbox_thread() -> None:
    """Make this process the one that indexes, unless a broker has workers for that. For the server, after any fork."""
    global _thread
    if settings.CELERY_BROKER_URL or _thread is not None:
        return
    _thread = OutboxThread()
    _thread.start()


def note_work() -> None:
    """There is work in the outbox: wake the thread, or remember it for the end of this command."""
    global _work_noted
    _work_noted = True
    if _thread is not None:
        _thread.wake()


def finish_noted_work() -> None:
    """At the end of a command: index what it left, unless a running server holds the index and will do it."""
    global _work_noted
    if not _work_noted or _thread is not None:
        return
    # Every command comes by here at its very end, and what was left to a server stays so.
    _work_noted = False
    waiting = rows_of_active_versions().filter(state__in=TO_DO).count()
    if not waiting:
        return
    try:
        with tqdm(total=waiting, desc="indexing", unit="photo", disable=None) as bar:
            report = process_outbox(on_progress=lambda _stage, done, _total: bar.update(done - bar.n))
    except IndexLocked:
        logger.warning("%d photos wait: a running server holds the index and will index them within seconds", waiting)
    # What the command was called for is done, and the rows stay in the outbox.
    except EmbeddingsError as error:
        logger.warning("%d photos wait to be indexed: %s", waiting, error)
    else:
        logger.info("indexed %d, removed %d, failed %d", report.indexed, report.removed, report.failed)


class _Generations:
    """Holds the live index collections open, and lets go of those that a reindex has replaced."""

    def __init__(self) -> None:
        self._live: set[str] = set()
        self._replaced: dict[str, float] = {}

    def follow(self) -> None:
        """Look which generations are live now. Raises IndexLocked where another process holds one of them."""
        versions = active_versions()
        live = {version.index_collection().name for version in versions}
        for name in self._live - live:
            forget_live_collections()
            self._replaced[name] = time.monotonic()
        self._live = live
        # Requests under way may still ask a replaced one.
        for name in [name for name, since in self._replaced.items() if time.monotonic() - since > GRACE_S]:
            del self._replaced[name]
            if name not in live:
                get_vector_index().close(name)
        for version in versions:
            claim_index(version)
