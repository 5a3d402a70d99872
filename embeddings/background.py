"""Processing of the outbox without a broker: in a thread of the serving process, or at the end of a command."""

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
from embeddings.selectors import DUE_STATES, active_rows, active_versions, clear_live_collection_cache
from embeddings.submissions import submit_outdated_reindexes
from embeddings.text_indexing import process_texts
from embeddings.verification import execute_requests
from jobs.process import process
from jobs.storage import StorageUnavailable, database_storage_errors

logger = logging.getLogger(__name__)

POLL_S = 2.0
GRACE_S = 5.0


class _Stopping(Exception):
    """The process ends."""


class OutboxThread(threading.Thread):
    """Processes the photos' outbox when woken, and every POLL_S seconds for rows of other processes."""

    name_of_thread, waiting = "outbox", "photos are pending"

    def __init__(self) -> None:
        """A thread that is not started."""
        super().__init__(name=self.name_of_thread, daemon=True)
        self._live_indexes = _LiveIndexes()
        self._woken = threading.Event()
        self._stopping = False
        self._last_error = ""

    def wake(self) -> None:
        """Process the outbox now."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after the current batch, and wait for it."""
        self._stopping = True
        self.wake()
        self.join()

    def run(self) -> None:
        """Process the outbox until the process ends, or `stop`."""
        while not self._stopping:
            try:
                with database_storage_errors():
                    self._process()
                self._last_error = ""
            except (EmbeddingsError, StorageUnavailable) as error:
                self._log_once(str(error))
            except _Stopping:
                break
            # The thread must survive an unavailable database. The rows are still there afterwards.
            except Exception:
                logger.exception("processing the outbox failed; retrying")
            finally:
                connection.close()
            self._woken.wait(POLL_S)
            self._woken.clear()

    def _process(self) -> None:
        self._live_indexes.refresh()
        execute_requests(self._check_stopping)
        process_outbox()

    def _check_stopping(self, *_: object) -> None:
        """A progress callback that interrupts a comparison, which the next process repeats."""
        if self._stopping:
            raise _Stopping

    def _log_once(self, message: str) -> None:
        if message != self._last_error:
            logger.warning("%s: %s", self.waiting, message)
            self._last_error = message


class TextThread(OutboxThread):
    """Processes the texts' outbox: a new title does not wait for ten thousand photos."""

    name_of_thread, waiting = "texts", "texts are pending"

    def _process(self) -> None:
        process_texts()


class OutboxWork:
    """State of the outbox in this process: its threads, and whether a command has added rows."""

    def __init__(self) -> None:
        """No threads, nothing pending."""
        self.threads: list[OutboxThread] = []
        self.pending = False


def start_outbox_thread() -> None:
    """Start the outbox threads of the serving process, after any fork. Does nothing if there is a broker."""
    work = process.get(OutboxWork)
    if not settings.CELERY_BROKER_URL and not work.threads:
        work.threads = [OutboxThread(), TextThread()]
        for thread in work.threads:
            thread.start()


def wake_outbox() -> None:
    """Process new rows: in the threads now, or at the end of this command."""
    work = process.get(OutboxWork)
    work.pending = True
    for thread in work.threads:
        thread.wake()


def process_pending_outbox() -> None:
    """At the end of a command: process the rows it has added, unless a running server holds the index and processes them."""
    work = process.get(OutboxWork)
    if not work.pending or work.threads:
        return
    # Called again at the end of every command. Rows that are left to a server must not be tried again then.
    work.pending = False
    pending = active_rows().filter(state__in=DUE_STATES).count()
    if not pending:
        _process_pending_texts()
        return
    try:
        with tqdm(total=pending, desc="indexing", unit="photo", disable=None) as bar:
            report = process_outbox(on_progress=lambda _stage, done, _total: bar.update(done - bar.n))
    except IndexLocked:
        logger.warning(
            "%d photos are pending: a running server holds the index and indexes them within seconds", pending
        )
    # The command has succeeded, and the rows stay in the outbox.
    except EmbeddingsError as error:
        logger.warning("%d photos are pending: %s", pending, error)
    else:
        logger.info("indexed %d, removed %d, failed %d", report.indexed, report.removed, report.failed)
    _process_pending_texts()


def _process_pending_texts() -> None:
    try:
        process_texts()
    except IndexLocked:
        logger.info("a running server holds the index and indexes the texts within seconds")
    # As with photos, the rows stay.
    except EmbeddingsError as error:
        logger.warning("texts are pending: %s", error)


class _LiveIndexes:
    """Keeps the live index collections open, and closes those that a rebuild has replaced."""

    def __init__(self) -> None:
        self._live: set[str] = set()
        self._retired_at: dict[str, float] = {}

    def refresh(self) -> None:
        """Read the live generations. Raises IndexLocked if another process holds one of them."""
        versions = active_versions()
        live = {each.name for version in versions for each in (version.index_collection(), version.text_collection())}
        for name in self._live - live:
            clear_live_collection_cache()
            self._retired_at[name] = time.monotonic()
        if live - self._live:
            submit_outdated_reindexes()
        self._live = live
        # Running requests may still query a replaced one.
        for name in [name for name, since in self._retired_at.items() if time.monotonic() - since > GRACE_S]:
            del self._retired_at[name]
            if name not in live:
                get_vector_index().close(name)
        for version in versions:
            claim_index(version)
