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
from jobs.process import process
from jobs.storage import StorageUnavailable, database_storage_errors

logger = logging.getLogger(__name__)

POLL_S = 2.0
GRACE_S = 5.0


class OutboxThread(threading.Thread):
    """Processes the outbox when woken, and every POLL_S seconds for rows that other processes have left."""

    def __init__(self) -> None:
        """A thread that has not begun."""
        super().__init__(name="outbox", daemon=True)
        self._woken = threading.Event()
        self._ending = False
        self._last_error = ""

    def wake(self) -> None:
        """Look for rows now."""
        self._woken.set()

    def stop(self) -> None:
        """End after the batch in hand, and wait for that."""
        self._ending = True
        self.wake()
        self.join()

    def run(self) -> None:
        """Process the outbox until the process ends, or `stop`."""
        live_indexes = _LiveIndexes()
        while not self._ending:
            try:
                with database_storage_errors():
                    live_indexes.refresh()
                    process_outbox()
                self._last_error = ""
            except (EmbeddingsError, StorageUnavailable) as error:
                self._log_once(str(error))
            # The thread has to outlive a database that is unavailable for a while; the rows are still there afterwards.
            except Exception:
                logger.exception("processing the outbox failed; retrying")
            finally:
                connection.close()
            self._woken.wait(POLL_S)
            self._woken.clear()

    def _log_once(self, message: str) -> None:
        if message != self._last_error:
            logger.warning("photos wait to be indexed: %s", message)
            self._last_error = message


class OutboxWork:
    """What this process knows about its outbox: the thread that processes it, or that a command has left rows in it."""

    def __init__(self) -> None:
        """Without a thread, and with nothing pending."""
        self.thread: OutboxThread | None = None
        self.pending = False


def start_outbox_thread() -> None:
    """Make this process the one that indexes, unless a broker has workers for that. For the server, after any fork."""
    work = process.get(OutboxWork)
    if not settings.CELERY_BROKER_URL and work.thread is None:
        work.thread = OutboxThread()
        work.thread.start()


def wake_outbox() -> None:
    """Have new rows processed: by the thread now, or at the end of this command."""
    work = process.get(OutboxWork)
    work.pending = True
    if work.thread is not None:
        work.thread.wake()


def process_pending_outbox() -> None:
    """At the end of a command: index what it has left, unless a running server holds the index and will do it."""
    work = process.get(OutboxWork)
    if not work.pending or work.thread is not None:
        return
    # Called again at the very end of every command, when what was left to a server stays so.
    work.pending = False
    waiting = rows_of_active_versions().filter(state__in=TO_DO).count()
    if not waiting:
        return
    try:
        with tqdm(total=waiting, desc="indexing", unit="photo", disable=None) as bar:
            report = process_outbox(on_progress=lambda _stage, done, _total: bar.update(done - bar.n))
    except IndexLocked:
        logger.warning("%d photos wait: a running server holds the index and will index them within seconds", waiting)
    # The command itself has succeeded, and the rows stay in the outbox.
    except EmbeddingsError as error:
        logger.warning("%d photos wait to be indexed: %s", waiting, error)
    else:
        logger.info("indexed %d, removed %d, failed %d", report.indexed, report.removed, report.failed)


class _LiveIndexes:
    """Holds the live index collections open, and closes those that a reindex has replaced."""

    def __init__(self) -> None:
        self._live: set[str] = set()
        self._retired_at: dict[str, float] = {}

    def refresh(self) -> None:
        """Read which generations are live now. Raises IndexLocked where another process holds one of them."""
        versions = active_versions()
        live = {version.index_collection().name for version in versions}
        for name in self._live - live:
            forget_live_collections()
            self._retired_at[name] = time.monotonic()
        self._live = live
        # Current requests may still query a replaced one.
        for name in [name for name, since in self._retired_at.items() if time.monotonic() - since > GRACE_S]:
            del self._retired_at[name]
            if name not in live:
                get_vector_index().close(name)
        for version in versions:
            claim_index(version)
