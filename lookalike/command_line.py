"""The command line: an error from outside the program ends a command with one line, not with a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.core.management import ManagementUtility
from django.core.management.base import BaseCommand, CommandError

from lookalike.garbage import look_for_garbage

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
_JOB = "--job"
# What SQLite and PostgreSQL call a table or a column that is not there.
_MISSING = ("no such table", "no such column", "does not exist")


def execute(argv: Sequence[str]) -> None:
    """Execute a command of `manage.py`.

    What is wrong outside, with the settings, the database, a file, the index or the disk, is said on the standard error, and exit
    status is 1; with `--traceback` the traceback is printed, too. Errors of the program itself have theirs. Ctrl-C and SIGTERM
    interrupt a command, which leaves nothing half done behind.

    Args:
        argv: the words of the command line, the program first.

    Raises:
        SystemExit: the command has failed or was interrupted.
    """
    with _interrupted_by_sigterm():
        _execute(list(argv))


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, as Ctrl-C does: by default it ends a process at once. A command may handle it itself."""
    came = False

    def interrupt(_signal: int, _frame: object) -> None:
        nonlocal came
        came = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except SystemExit as error:
        if came and error.code == INTERRUPTED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        if signal.getsignal(signal.SIGTERM) is interrupt:
            signal.signal(signal.SIGTERM, before)


def _execute(argv: list[str]) -> None:
    try:
        _Utility(argv).execute()
        sys.stdout.flush()
    except KeyboardInterrupt:
        _end("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        # Who reads the output has read enough; Python flushes it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        index_what_is_pending()
        raise SystemExit(1) from None
    except Exception as error:
        message = _message(error, is_job=_JOB in argv)
        if message is None or "--traceback" in argv:
            raise
        _end(f"CommandError: {message}", 1)


def index_what_is_pending() -> None:
    """Embed and index, at the end of a command, what it has added."""
    from django.apps import apps

    if apps.ready:
        from embeddings.background import process_pending_outbox

        process_pending_outbox()


class _Utility(ManagementUtility):
    def fetch_command(self, subcommand: str) -> BaseCommand:
        # Django is set up.
        look_for_garbage()
        return super().fetch_command(subcommand)


def _end(message: str, status: int) -> None:
    sys.stderr.write(f"{message}\n")
    raise SystemExit(status)


def _message(error: Exception, *, is_job: bool) -> str | None:
    """The line of an error; None for one whose traceback says more."""
    # Settings may be what is wrong, and these need them.
    from django.core.exceptions import ImproperlyConfigured

    if isinstance(error, ImproperlyConfigured):
        return f"the settings cannot be used:\n{error}"
    if isinstance(error, CommandError):
        return None
    from django.conf import settings
    from django.db import DatabaseError, InterfaceError

    from embeddings.errors import EmbeddingsError
    from embeddings.management.errors import command_error
    from jobs.errors import JobsError
    from jobs.storage import StorageUnavailable

    match error:
        case JobsError():
            return str(error)
        # The log of a worker, in which the child of a job writes, is for who looks after the program.
        case _ if is_job:
            return None
        case StorageUnavailable():
            return str(error)
        case EmbeddingsError():
            return str(command_error(error))
        case DatabaseError() | InterfaceError():
            return _of_database(error, settings.DATABASES["default"])
        case OSError(filename=name) if name:
            return f"{name} cannot be used: {error.strerror}"
        case _:
            return None


def _of_database(error: Exception, database: dict[str, object]) -> str | None:
    from django.db import OperationalError, ProgrammingError

    said = str(error).strip().partition("\n")[0]
    if isinstance(error, OperationalError | ProgrammingError) and any(text in said for text in _MISSING):
        return f"the database is not that of this release: run manage.py migrate ({said})"
    if not isinstance(error, OperationalError):
        return None
    place = f"{database['HOST']}/{database['NAME']}" if database.get("HOST") else database["NAME"]
    return f"the database {place} cannot be used: {said}: check DATABASE_URL and DATA_DIR, and that this user may write there"
