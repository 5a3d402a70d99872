"""Leases: a job belongs to the process that claimed it as long as that process renews its heartbeat.

Every change of state is an update that names the state that it comes from, so a job ends once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from jobs.facts import fact_of
from jobs.models import Job
from jobs.selectors import get_job
from jobs.states import JobState

HEARTBEAT_S = 10.0
LEASE_TIMEOUT = timedelta(seconds=60)


def end(jobs: QuerySet[Job], state: JobState, **values: Any) -> bool:
    """End jobs.

    Args:
        jobs: those that may end, filtered by the state that they come from.
        state: a final one.
        **values: other columns to write.

    Returns:
        Whether there were any.
    """
    return bool(jobs.update(state=state, finished_at=timezone.now(), **values))


def clean_up_cancelled(job: Job) -> None:
    """Undo what a job has begun, as its kind does it.

    Args:
        job: as the database has it; nothing is done unless it was cancelled.
    """
    if job.state == JobState.CANCELLED and job.registered_kind.on_cancelled is not None:
        job.registered_kind.on_cancelled(job)


def oldest_claimable(kinds: Collection[str]) -> UUID | None:
    """The job that waits longest.

    Args:
        kinds: names of the kinds that count.

    Returns:
        The id of a job that is queued, or whose lease has expired; None where there is none.
    """
    jobs = Job.objects.filter(_claimable(timezone.now()), kind__in=kinds).order_by("created_at")
    return jobs.values_list("pk", flat=True).first()


def any_leased(kinds: Collection[str]) -> bool:
    """Whether any process holds a lease on a job of these kinds."""
    since = timezone.now() - LEASE_TIMEOUT
    return Job.objects.filter(kind__in=kinds, state=JobState.RUNNING, heartbeat_at__gt=since).exists()


def _claimable(now: datetime) -> Q:
    heartbeat_expired = Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lte=now - LEASE_TIMEOUT)
    return Q(state=JobState.QUEUED) | (Q(state=JobState.RUNNING) & heartbeat_expired)


class Lease:
    """The claim of this process on one job. The heartbeat in the row is this process's as long as it is one that it wrote."""

    def __init__(self, job: Job, heartbeat_at: datetime) -> None:
        """Use `claim`."""
        self.job = job
        # The last that was written, and behind it those whose answer did not come: they may be in the row as well.
        self._heartbeats = [heartbeat_at]

    @classmethod
    def claim(cls, job_id: UUID) -> Lease | None:
        """Claim a job.

        Args:
            job_id: its id.

        Returns:
            The lease; None where the job has ended or another process holds a lease on it.
        """
        now = timezone.now()
        claimed = Job.objects.filter(_claimable(now), pk=job_id).update(
            state=JobState.RUNNING, heartbeat_at=now, started_at=Coalesce(F("started_at"), now)
        )
        return cls(get_job(job_id), now) if claimed else None

    def state(self) -> str | None:
        """`running`, or the state in which the child has ended the job; None where the job is not this process's any more."""
        owned = Q(state=JobState.RUNNING, heartbeat_at__in=self._heartbeats)
        ended = Q(state__in=(JobState.SUCCEEDED, JobState.FAILED))
        return Job.objects.filter(owned | ended, pk=self.job.pk).values_list("state", flat=True).first()

    def renew(self) -> None:
        """Write a new heartbeat, if the job is still this process's."""
        now = timezone.now()
        owned = self._owned_rows()
        # Before: a connection that is lost as the database commits leaves open whether it was written.
        self._heartbeats = [*self._heartbeats, now]
        if owned.update(heartbeat_at=now):
            self._heartbeats = [now]

    def requeue(self) -> bool:
        """Give the job back to the queue, where any process may claim it.

        Returns:
            False where the job has ended or is not this process's any more.
        """
        return bool(self._owned_rows().update(state=JobState.QUEUED, stage="", done=0, total=0, heartbeat_at=None))

    def fail(self, reason: str) -> bool:
        """End the job as failed, unless its child has ended it.

        Args:
            reason: for the user who asked for the work.

        Returns:
            False where the job has ended or is not this process's any more.
        """
        return end(self._owned_rows(), JobState.FAILED, error=str.__str__(reason), error_fact=fact_of(reason))

    def _owned_rows(self) -> QuerySet[Job]:
        return Job.objects.filter(pk=self.job.pk, state=JobState.RUNNING, heartbeat_at__in=self._heartbeats)
