"""Feeds for tests: saved, and their jobs worked off in this process."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.utils import timezone

from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import Credentials, save_feed
from catalog.models import Feed
from jobs import files
from jobs.models import Job


def make_feed(
    address: str,
    name: str = "spring",
    *,
    options: ImportOptions | None = None,
    credentials: Credentials | None = None,
    **values: Any,
) -> Feed:
    """A saved feed."""
    feed = Feed(name=name, address=address, **values)
    save_feed(feed, options or ImportOptions(), credentials=credentials)
    return feed


def worked_off(job: Job | None) -> Job:
    """The job of a feed, ended; as its owner and its child would do it."""
    assert job is not None
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.RUNNING, heartbeat_at=timezone.now(), started_at=timezone.now()
    )
    call_command("run_import", "--job", str(job.pk))
    files.delete_upload_if_ended(job)
    return Job.objects.get(pk=job.pk)


def make_due(feed: Feed) -> None:
    """Its turn has come."""
    Feed.objects.filter(pk=feed.pk).update(next_run_at=timezone.now())
