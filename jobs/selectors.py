"""Reads jobs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.utils.dateparse import parse_datetime

from jobs.errors import JobNotFound
from jobs.models import Job
from jobs.states import ACTIVE_STATES
from rest.cursors import Cursor, Window, window

JOBS_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class JobListQuery:
    """Which jobs, newest first.

    Attributes:
        kind: name of a registered kind; "" for all.
        state: a JobState; "" for all.
        collection: slug; "" for all.
        page_size: jobs per page.
        cursor: the page, from `position_of`; None for the first one.
    """

    kind: str = ""
    state: str = ""
    collection: str = ""
    page_size: int = JOBS_PAGE_SIZE
    cursor: Cursor | None = None


def job_page(query: JobListQuery) -> Window[Job]:
    """Read a page of jobs.

    Args:
        query: which jobs, and which page of them.

    Returns:
        The page; it may be empty.
    """
    wanted = {"kind": query.kind, "state": query.state, "collection": query.collection}
    jobs = Job.objects.filter(**{name: value for name, value in wanted.items() if value})
    order = ("-created_at", "-pk")
    if query.cursor is not None:
        created_at, pk = parse_datetime(query.cursor.position[0]), UUID(query.cursor.position[1])
        side = "gt" if query.cursor.backwards else "lt"
        jobs = jobs.filter(Q((f"created_at__{side}", created_at)) | Q(("created_at", created_at), (f"pk__{side}", pk)))
        order = ("created_at", "pk") if query.cursor.backwards else order
    return window(list(jobs.order_by(*order)[: query.page_size + 1]), query.page_size, query.cursor)


def position_of(job: Job) -> tuple[str, str]:
    """The place of a job in the list, for a cursor."""
    return job.created_at.isoformat(), str(job.pk)


def jobs_in_words(ids: Collection[UUID]) -> dict[UUID, str]:
    """What jobs do, and when they were submitted, in the language of the reader.

    Args:
        ids: of jobs, or of other rows.

    Returns:
        The words by id, of those that are jobs.
    """
    return {job.pk: str(job) for job in Job.objects.filter(pk__in=ids)}


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
