"""manage.py import_feeds: import the feeds that are due, or those that are named, for servers without beat."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.importers.scheduled_feeds import NOT_CHANGED, due_feeds, submit_due, submit_feed
from catalog.models import Feed
from jobs import runner
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.selectors import get_job
from jobs.states import JobState

_POLL_S = 1.0


class Command(BaseCommand):
    help = (
        "Import the feeds that are due, one after the other, or those that are named. A server does this by itself: this is for "
        "shops where neither the server nor a beat runs all the time, in a crontab. A feed that is due is imported only if it has "
        "changed; one that is named, always. Exit status: 1 if an import failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="of a feed (default: those that are due)")
        parser.add_argument("--dry-run", action="store_true", help="try the named feeds out, and write nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["dry_run"] and not options["names"]:
            raise CommandError("--dry-run tries out feeds that are named: name one")
        done = (
            [self._import(feed, dry_run=options["dry_run"]) for feed in _named(options["names"])]
            if options["names"]
            else self._import_due()
        )
        if not all(done):
            raise CommandError("An import failed.", returncode=1)

    def _import(self, feed: Feed, *, dry_run: bool) -> bool:
        try:
            return self._finish(submit_feed(feed, dry_run=dry_run))
        except JobInProgress as error:
            raise CommandError(f"{feed.name}: {error}") from error

    def _import_due(self) -> list[bool]:
        done = []
        while (job := submit_due()) is not None:
            done.append(self._finish(job))
        if waiting := [feed.name for feed in due_feeds(timezone.now())]:
            self.stdout.write(f"An import is under way, and these feeds wait until it has ended: {', '.join(waiting)}")
        elif not done:
            self.stdout.write("No feed is due.")
        return done

    def _finish(self, job: Job) -> bool:
        """Run a job here, or wait for the process that does. Returns whether it has succeeded."""
        while not job.ended:
            if runner.run(job.pk) is not runner.RunResult.FINISHED:
                time.sleep(_POLL_S)
            job = get_job(job.pk)
        self.stdout.write(f"{job.parameters['file']}: {_outcome(job)}")
        return job.state == JobState.SUCCEEDED


def _named(names: list[str]) -> list[Feed]:
    feeds = {feed.name: feed for feed in Feed.objects.filter(name__in=names)}
    if unknown := [name for name in names if name not in feeds]:
        known = ", ".join(Feed.objects.values_list("name", flat=True)) or "none yet"
        raise CommandError(f"There is no feed {unknown[0]!r}. Feeds: {known}")
    return [feeds[name] for name in names]


def _outcome(job: Job) -> str:
    if job.state != JobState.SUCCEEDED:
        return f"{job.state}. {job.error}".strip()
    result = job.result or {}
    if result.get(NOT_CHANGED):
        return "not changed"
    counts = ", ".join(f"{result[name]} {name}" for name in ("created", "updated", "unchanged", "rejected"))
    more = f"; nothing was withdrawn: {result['not_withdrawn']}" if result["not_withdrawn"] else ""
    withdrawn = f", {result['withdrawn']} withdrawn" if result["withdrawn"] else ""
    return f"{'would be ' if result['dry_run'] else ''}{counts}{withdrawn}{more}"
