"""The life of a job: taken up by one process at a time, worked off in a process of its own, told of, ended once.

The work is a child process, so that neither a web process nor a worker loads TensorFlow, and what kills the work kills nobody else.
Whoever runs a job owns it as long as `beat_at` is the time that it wrote there itself: a job whose owner fell silent is taken up
again by another, and the former owner, should it wake, sees that and ends its child. The child ends by itself when its owner dies.
Every change of state is an update that names the state it comes from, so an ended job stays as it ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Collection as AnyCollection
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from embeddings import metrics
from embeddings.errors import EmbeddingsError, JobEnded, JobNotFound, NoRejectedRows
from embeddings.models import Collection, Job
from jobs.progress import ProgressCallback
from jobs.storage import StorageUnavailable, reason_of

logger = logging.getLogger(__name__)

State = Job.State
# The command that works off a job of each kind, as the child of whoever runs it.
COMMANDS = {
    Job.Kind.TRAIN: "train",
    Job.Kind.ACTIVATE: "activate_encoder",
    Job.Kind.IMPORT: "run_import",
    Job.Kind.REINDEX: "reindex",
    Job.Kind.DUPLICATES: "find_duplicates",
}
# What may take hours, and has workers of its own; all the rest takes minutes.
TRAININGS = (Job.Kind.TRAIN, Job.Kind.ACTIVATE)
SHORT = tuple(kind for kind in Job.Kind if kind not in TRAININGS)
# Those that work on something that was sent.
WITH_UPLOAD = (Job.Kind.TRAIN, Job.Kind.IMPORT)
UNDER_WAY = (State.QUEUED, State.RUNNING)

POLL_S = 0.5
BEAT_S = 10.0
STALE_AFTER = timedelta(seconds=60)
# A job whose owners die again and again, for want of memory say, is given up at last.
GIVE_UP_AFTER = timedelta(days=2)
TERMINATE_GRACE_S = 10.0
# A child that has told how it ended, and does not end.
LINGER_S = 60.0
PROGRESS_EVERY_S = 0.5
# An upload without a job is one that is being stored just now, or was when its process died.
UPLOAD_GRACE = timedelta(hours=1)
SWEEP_EVERY_S = 600.0

_PATH = re.compile(r"""(?<![\w.:/])/(?:[^\s/:;,'"()]+/)*(?=[^\s/])""")

_REJECTED = ".rejected.csv"
_SWEPT = (".zip", ".import", ".part")

_ending = threading.Event()
_told_at: dict[UUID, float] = {}
_swept_at = float("-inf")


class Outcome(Enum):
    """What became of an attempt to run a job."""

    ENDED = auto()
    PUT_BACK = auto()
    OWNED_BY_ANOTHER = auto()


def get_job(job_id: UUID) -> Job:
    """The job with its collection, if it is of one. Raises JobNotFound."""
    job = Job.objects.select_related("collection").filter(pk=job_id).first()
    if job is None:
        raise JobNotFound(f"there is no job {job_id}")
    return job


def upload_path(job: Job) -> Path:
    """Where what was sent for the job lies."""
    return Path(settings.UPLOADS_ROOT) / job.upload


def rejected_path(job: Job) -> Path:
    """Where an import writes the rows that could not be taken; whether there are any is known when it has succeeded."""
    return Path(settings.UPLOADS_ROOT) / f"{job.pk}{_REJECTED}"


def rejected_file(job: Job) -> Path:
    """The rows that an import could not take. Raises NoRejectedRows."""
    path = rejected_path(job)
    if job.kind != Job.Kind.IMPORT or job.state != State.SUCCEEDED or not path.is_file():
        raise NoRejectedRows(
            f"job {job.pk} has no file of rejected rows: nothing was rejected, it is no import that has succeeded,"
            f" or it ended more than {settings.IMPORT_REJECTED_KEEP_DAYS} days ago"
        )
    return path


def importable(job: Job) -> bool:
    """Whether the job is a dry run whose file waits to be imported."""
    return (
        job.kind == Job.Kind.IMPORT
        and job.state == State.SUCCEEDED
        and bool(job.parameters.get("dry_run"))
        and bool(job.upload)
        and upload_path(job).is_file()
    )


def start(job: Job) -> None:
    """For the child, first of all: from here on it ends with the process that runs the job, by SystemExit if there is time."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        signal.signal(signal.SIGTERM, _leave)
        threading.Thread(target=_end_with_owner, name="owner", daemon=True).start()
    progress(job, "starting", 0, 0)


def work_off(job_id: UUID, work: Callable[[Job, ProgressCallback], dict[str, Any]]) -> bool:
    """For the child: do the work, and end the job by what comes of it. Returns whether it was done.

    work: is given the job and a function to tell its progress by; returns the result, plain JSON.
    """
    job = get_job(job_id)
    start(job)
    try:
        result = work(job, partial(progress, job))
    except EmbeddingsError as error:
        fail(job, str(error))
        return False
    except StorageUnavailable as error:
        fail_for_storage(job, error)
        return False
    except OSError as error:
        fail_for_files(job, error)
        return False
    succeed(job, result)
    return True


def record(kind: Job.Kind, collection: Collection, started_at: datetime, done: int, result: dict[str, Any]) -> None:
    """Tell of work that was not asked for by a job, as one that has succeeded. done: how many were worked off."""
    Job.objects.create(
        kind=kind,
        collection=collection,
        state=State.SUCCEEDED,
        started_at=started_at,
        finished_at=timezone.now(),
        done=done,
        total=done,
        result=result,
    )


def progress(job: Job, stage: str, done: int, total: int) -> None:
    """Tell how far the stage is (total 0: nobody knows). Called as often as one likes, and written twice a second at most."""
    now = time.monotonic()
    recent = now - _told_at.get(job.pk, float("-inf")) < PROGRESS_EVERY_S
    # A new stage, and the end of one, are always told.
    if recent and stage == job.stage and done != total:
        return
    _told_at[job.pk] = now
    job.stage, job.done, job.total = stage, done, total
    Job.objects.filter(pk=job.pk, state=State.RUNNING).update(stage=stage, done=done, total=total)


def succeed(job: Job, result: dict[str, Any]) -> bool:
    """The work is done. result: plain JSON. False where the job had ended before, by being cancelled."""
    return _end(Job.objects.filter(pk=job.pk, state=State.RUNNING), State.SUCCEEDED, result=result)


def fail(job: Job, reason: str) -> bool:
    """The work cannot be done; the reason is for whoever asked for it. False where the job had ended before."""
    return _end(Job.objects.filter(pk=job.pk, state=State.RUNNING), State.FAILED, error=_without_places(reason))


def fail_for_files(job: Job, error: OSError) -> bool:
    """The same where the server's own files failed, which is for the server's log and no business of who asked."""
    logger.error("job %s failed", job.pk, exc_info=error)
    return fail(job, f"the server cannot read or write its files: {reason_of(error)}, then start it again")


def fail_for_storage(job: Job, error: Exception) -> bool:
    """The same where it is known what could not be kept."""
    logger.error("job %s failed: %s", job.pk, error)
    return fail(job, str(error))


def cancel(job_id: UUID) -> Job:
    """End a job that is queued or running; whoever runs it ends its process. Raises JobNotFound, and JobEnded."""
    job = get_job(job_id)
    if not _end(Job.objects.filter(pk=job_id, state__in=UNDER_WAY), State.CANCELLED):
        job.refresh_from_db()
        raise JobEnded(f"job {job_id} has ended already: it {_ENDED_AS[State(job.state)]}")
    _discard_upload(job)
    job.refresh_from_db()
    return job


_ENDED_AS = {State.SUCCEEDED: "succeeded", State.FAILED: "failed", State.CANCELLED: "was cancelled"}


def _end(jobs: QuerySet[Job], state: str, **values: Any) -> bool:
    return bool(jobs.update(state=state, finished_at=timezone.now(), **values))


def _without_places(reason: str) -> str:
    """Of each path its last part: whoever asked for the work is not told where on the server things lie."""
    for root in (settings.ENCODERS_ROOT, settings.UPLOADS_ROOT, settings.DATA_DIR):
        # Their names may have spaces in them.
        reason = reason.replace(f"{root}/", "/")
    return _PATH.sub("", reason)


def run(job_id: UUID) -> Outcome:
    """Take the job up, unless it has ended or another process works on it, and stay until its child has ended."""
    owner = _Owner.of(job_id)
    if owner is None:
        job = Job.objects.filter(pk=job_id).first()
        if job is None or job.ended:
            return Outcome.ENDED
        return Outcome.OWNED_BY_ANOTHER
    outcome = owner.work()
    if outcome is Outcome.ENDED:
        _count(job_id)
    return outcome


def _count(job_id: UUID) -> None:
    job = Job.objects.filter(pk=job_id).first()
    # One that another process has taken up meanwhile is that one's to count.
    if job is not None and job.ended:
        metrics.count_job(job)


def run_waiting(*, one_at_a_time: bool = False, kinds: AnyCollection[str] = Job.Kind.values) -> bool:
    """Run the oldest job of these kinds that waits. one_at_a_time: unless any process runs one of them now.

    Returns whether one was run to its end.
    """
    _sweep_uploads()
    now = timezone.now()
    if (
        one_at_a_time
        and Job.objects.filter(kind__in=kinds, state=State.RUNNING, beat_at__gt=now - STALE_AFTER).exists()
    ):
        return False
    waiting = Job.objects.filter(_claimable(now), kind__in=kinds).order_by("created_at").first()
    return waiting is not None and run(waiting.pk) is Outcome.ENDED


def stop_running() -> None:
    """This process ends: put back the jobs that it runs, for another to take up. Nothing is taken up here any more."""
    _ending.set()


def _claimable(now: datetime) -> Q:
    fell_silent = Q(beat_at__isnull=True) | Q(beat_at__lte=now - STALE_AFTER)
    return Q(state=State.QUEUED) | (Q(state=State.RUNNING) & fell_silent)


class _Owner:
    """Runs one job that this process has taken up."""

    def __init__(self, job: Job, beat_at: datetime) -> None:
        self.job = job
        self._beat_at = beat_at

    @classmethod
    def of(cls, job_id: UUID) -> _Owner | None:
        """Take the job up; None where it cannot be taken."""
        now = timezone.now()
        if _ending.is_set() or not Job.objects.filter(_claimable(now), pk=job_id).update(
            state=State.RUNNING, beat_at=now, started_at=Coalesce(F("started_at"), now)
        ):
            return None
        return cls(get_job(job_id), now)

    def work(self) -> Outcome:
        """From the child's start to its end."""
        job = self.job
        if job.started_at and timezone.now() - job.started_at > GIVE_UP_AFTER:
            return self._end_as("the work was interrupted again and again: is there memory enough?")
        if job.kind in WITH_UPLOAD and not upload_path(job).is_file():
            return self._end_as("what was sent is gone: send it again")
        logger.info("job %s: %s for %s", job.pk, job.kind, job.collection or "the catalogue")
        try:
            # Its output goes where this process's own does. A session of its own: Ctrl-C in a terminal reaches the owner alone.
            child = subprocess.Popen(  # noqa: S603  # no shell, and nothing of a request but the job's id
                _command(job), cwd=settings.BASE_DIR, stdin=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            logger.exception("job %s: its process cannot be started", job.pk)
            return self._end_as(f"its process cannot be started: {error.strerror or error}")
        try:
            return self._watch(child)
        finally:
            _terminate(child)

    def _watch(self, child: subprocess.Popen[bytes]) -> Outcome:
        beaten = time.monotonic()
        ended_at: float | None = None
        while True:
            try:
                return self._end_as(_reason(child.wait(POLL_S)))
            except subprocess.TimeoutExpired:
                pass
            now = time.monotonic()
            if _ending.is_set():
                _terminate(child)
                return self._put_back()
            try:
                state = self._state()
                if state == State.RUNNING and now - beaten > BEAT_S:
                    self._beat()
                    beaten = now
            except DatabaseError as error:
                # A training outlives a database that is away for a while.
                logger.warning("job %s: the database does not answer: %s", self.job.pk, error)
                connection.close()
                continue
            if state is None:
                logger.info("job %s: cancelled, or taken up elsewhere", self.job.pk)
                _terminate(child)
                _discard_if_ended(self.job)
                return Outcome.ENDED
            if state != State.RUNNING:
                ended_at = ended_at or now
                if now - ended_at > LINGER_S:
                    _terminate(child)

    def _mine(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job.pk, state=State.RUNNING, beat_at=self._beat_at)

    def _state(self) -> str | None:
        """Running, or as the child has ended it; None where the job is not this process's any more."""
        mine = Q(state=State.RUNNING, beat_at=self._beat_at) | Q(state__in=(State.SUCCEEDED, State.FAILED))
        return Job.objects.filter(mine, pk=self.job.pk).values_list("state", flat=True).first()

    def _beat(self) -> None:
        now = timezone.now()
        if self._mine().update(beat_at=now):
            self._beat_at = now

    def _put_back(self) -> Outcome:
        if self._mine().update(state=State.QUEUED, stage="", done=0, total=0, beat_at=None):
            logger.info("job %s: put back", self.job.pk)
            return Outcome.PUT_BACK
        _discard_if_ended(self.job)
        return Outcome.ENDED

    def _end_as(self, reason: str) -> Outcome:
        """Fail with this reason, unless the child has told how it ended."""
        if _end(self._mine(), State.FAILED, error=reason):
            logger.warning("job %s: %s", self.job.pk, reason)
        _discard_if_ended(self.job)
        return Outcome.ENDED


def _command(job: Job) -> list[str]:
    command = COMMANDS[Job.Kind(job.kind)]
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), command, "--job", str(job.pk)]


def _reason(status: int) -> str:
    """Why a child ended that did not tell itself."""
    if status >= 0:
        return f"its process ended unexpectedly, with status {status}: the server's log says why"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    if -status == signal.SIGKILL:
        return f"its process was killed ({name}): most likely the machine has too little memory for it"
    return f"its process was killed ({name}): the server's log may say why"


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


def _leave(number: int, _: object) -> None:
    """What has been unpacked goes with the process."""
    sys.exit(128 + number)


def _end_with_owner() -> None:
    """The owner holds the other end of this process's input, and lets go of it however it ends."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TERMINATE_GRACE_S)
    os._exit(1)


def _discard_if_ended(job: Job) -> None:
    now = Job.objects.filter(pk=job.pk).first()
    # What a dry run has read is kept for a while, for the import that may follow.
    # By the row as it is now: what a dry run has read may be another job's meanwhile.
    if now is None:
        _discard_upload(job)
    elif now.ended and not importable(now):
        _discard_upload(now)


def _discard_upload(job: Job) -> None:
    if job.upload:
        upload_path(job).unlink(missing_ok=True)
        Job.objects.filter(pk=job.pk).update(upload="")
        job.upload = ""


def _sweep_uploads() -> None:
    """Remove what killed processes have left, and what is past its time: see `_kept_names`."""
    global _swept_at
    root = Path(settings.UPLOADS_ROOT)
    if time.monotonic() - _swept_at < SWEEP_EVERY_S or not root.is_dir():
        return
    _swept_at = time.monotonic()
    before = time.time() - UPLOAD_GRACE.total_seconds()
    kept = _kept_names()
    for path in root.iterdir():
        if (path.suffix in _SWEPT or path.name.endswith(_REJECTED)) and path.name not in kept:
            # Its own process may be removing it just now.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _kept_names() -> set[str]:
    """Uploads of jobs under way and of dry runs of late, and the rejected rows of imports of late."""
    now = timezone.now()
    under_way = Job.objects.filter(state__in=UNDER_WAY)
    imported = Job.objects.filter(kind=Job.Kind.IMPORT, state=State.SUCCEEDED)
    dry_runs = imported.exclude(upload="")
    upload_expires = timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS)
    dry_runs.filter(finished_at__lte=now - upload_expires).update(upload="")
    told = imported.filter(finished_at__gt=now - timedelta(days=settings.IMPORT_REJECTED_KEEP_DAYS))
    kept = {*under_way.values_list("upload", flat=True), *dry_runs.values_list("upload", flat=True)}
    for ids in (told, under_way):
        kept |= {f"{job_id}{_REJECTED}" for job_id in ids.values_list("pk", flat=True)}
    return kept
