"""Reads jobs."""

from __future__ import annotations

from uuid import UUID

from jobs.errors import JobNotFound
from jobs.models import Job
from jobs.states import ACTIVE_STATES


def get_job(job_id: UUID) -> Job:
    """The job of this id.

    Args:
        job_id: its id.

    Returns:
        The job as it is now.

    Raises:
        JobNotFound: there is none.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise JobNotFound(f"there is no job {job_id}")
    return job


def is_active(kind: str, collection: str = "") -> bool:
    """Whether a job of this kind is queued or running for the collection.

    Args:
        kind: name of a registered kind.
        collection: slug; "" for a kind without collections.

    Returns:
        True where another one would be refused.
    """
    return Job.objects.filter(kind=kind, collection=collection, state__in=ACTIVE_STATES).exists()
