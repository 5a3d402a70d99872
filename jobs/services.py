"""Creates jobs and has them run; cancels them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache, partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import current_actor
from jobs import background, tasks
from jobs.errors import JobEnded, JobInProgress
from jobs.facts import FactKind, gettext_noop
from jobs.files import delete_upload
from jobs.leases import clean_up_cancelled, end
from jobs.models import Job
from jobs.registry import kinds
from jobs.selectors import get_job, is_active
from jobs.states import ACTIVE_STATES, JobState

IN_PROGRESS = FactKind("in-progress", gettext_noop("%(job)s is under way: wait until it has ended, or cancel it"))
IN_PROGRESS_FOR = FactKind(
    "in-progress-for", gettext_noop("%(job)s for %(collection)s is under way: wait until it has ended, or cancel it")
)
_ENDED_AS = {JobState.SUCCEEDED: "succeeded", JobState.FAILED: "failed", JobState.CANCELLED: "was cancelled"}


def check_not_active(kind: str, collection: str = "") -> None:
    """Check that a job of this kind may be created, for example before a large upload is read.

    Args:
        kind: name of a registered kind.
        collection: slug; "" for a kind without collections.

    Raises:
        JobInProgress: one is queued or running for the collection.
    """
    if is_active(kind, collection):
        raise _in_progress(kind, collection)


def create_job(
    kind: str,
    *,
    collection: str = "",
    parameters: Mapping[str, Any] = MappingProxyType({}),
    upload: str = "",
) -> Job:
    """Create a job, and have it run once the transaction is committed.

    Args:
        kind: name of a registered kind.
        collection: slug; "" for a kind without collections.
        parameters: plain JSON.
        upload: name of what was stored for it; "" for nothing.

    Returns:
        The queued job.

    Raises:
        JobInProgress: one of this kind is queued or running for the collection.
    """
    try:
        with transaction.atomic():
            job = Job.objects.create(
                kind=kind,
                collection=collection,
                parameters=dict(parameters),
                upload=upload,
                submitted_by=current_actor(),
            )
            dispatch(job)
    except IntegrityError:
        # By the constraint; unless that job has ended meanwhile.
        if not is_active(kind, collection):
            raise
        raise _in_progress(kind, collection) from None
    return job


def record_finished(kind: str, *, collection: str, started_at: datetime, done: int, result: Mapping[str, Any]) -> None:
    """Record work that a command has done without a job, as a job that has succeeded.

    Args:
        kind: name of a registered kind.
        collection: slug; "" for a kind without collections.
        started_at: when it began.
        done: how many steps were done.
        result: plain JSON.
    """
    Job.objects.create(
        kind=kind,
        collection=collection,
        state=JobState.SUCCEEDED,
        started_at=started_at,
        finished_at=timezone.now(),
        done=done,
        total=done,
        result=dict(result),
    )


def cancel(job_id: UUID) -> Job:
    """Cancel a job that is queued or running; the process that runs it ends its child.

    Args:
        job_id: the job.

    Returns:
        The cancelled job.

    Raises:
        JobNotFound: there is none.
        JobEnded: it has ended.
    """
    job = get_job(job_id)
    if not end(Job.objects.filter(pk=job_id, state__in=ACTIVE_STATES), JobState.CANCELLED):
        job.refresh_from_db()
        raise JobEnded(f"job {job_id} has ended already: it {_ENDED_AS[JobState(job.state)]}")
    delete_upload(job)
    job.refresh_from_db()
    clean_up_cancelled(job)
    return job


def cancel_all_of(collection: str) -> None:
    """Cancel every active job of a collection, within the caller's transaction.

    Args:
        collection: slug of a collection that is deleted.
    """
    jobs = list(Job.objects.filter(collection=collection, state__in=ACTIVE_STATES))
    end(Job.objects.filter(pk__in=[job.pk for job in jobs], state__in=ACTIVE_STATES), JobState.CANCELLED)
    for job in jobs:
        transaction.on_commit(partial(delete_upload, job), robust=True)


def dispatch(job: Job) -> None:
    """Have the job run once the transaction is committed. A message that is lost costs time only.

    Args:
        job: a queued one.
    """
    job_id: UUID = job.pk
    queue = job.registered_kind.queue

    def send() -> None:
        if settings.CELERY_BROKER_URL:
            tasks.dispatch_job(job_id, queue)
        else:
            background.wake_job_threads()

    transaction.on_commit(send, robust=True)


def _in_progress(kind: str, collection: str) -> JobInProgress:
    job = _noun(kind)()
    return JobInProgress(IN_PROGRESS_FOR(job=job, collection=repr(collection)) if collection else IN_PROGRESS(job=job))


@cache
def _noun(kind: str) -> FactKind:
    return FactKind(f"job-{kind}", kinds.get(kind).noun)
