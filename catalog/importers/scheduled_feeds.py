"""Feeds that are fetched by themselves: checked and saved, submitted as imports, by hand or where they are due.

- An import of a feed is a job of the kind of all imports, so one runs at a time, and a second beat starts none twice.
- When a feed is due is a column that is set in the transaction in which its job is created.
- A feed that fails several times in a row is asked less often: the hours between its imports double with each failure, up to a day.
  A feed that is imported once a day stays at its hour. It never stops; the admin and the metrics say that it fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.sealed import CannotUnseal, seal, unseal
from catalog import facts
from catalog.errors import FeedNotFound
from catalog.importers.feeds import FeedAddress
from catalog.importers.run import ImportOptions
from catalog.importers.submission import IMPORT
from catalog.models.feeds import ADDRESS_LENGTH, Feed, FeedSchedule
from catalog.outgoing import LinkNotAllowed, check_host, validate_url
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.services import create_job
from jobs.states import ACTIVE_STATES, JobState
from product_files.rows import InvalidSource

# Parameters of the job of a feed, beside those of every import.
FEED, ONLY_IF_CHANGED, BASE = "feed", "only_if_changed", "base"
# In the result of such a job.
NOT_CHANGED = "not_changed"
MAX_WAIT = timedelta(days=1)
_COUNTED_FAILURES = 10
# What imports write, and `save_feed` itself.
_NOT_EDITED = ("credentials", "etag", "last_modified", "next_run_at", "last_job_id")
_PURPOSE = "catalog.feed"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of Basic authentication."""

    user: str
    password: str


class InvalidFeed(Exception):
    """A feed that cannot be saved.

    Attributes:
        errors: names of fields, each with what is wrong, a fact.
    """

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors))
        self.errors = errors


class FeedSecretLost(InvalidSource):
    """Its password was sealed with another SECRET_KEY."""


def get_feed(feed_id: int) -> Feed:
    """A feed by its id.

    Args:
        feed_id: any number.

    Returns:
        The feed, with its last job.

    Raises:
        FeedNotFound: there is none.
    """
    feed = Feed.objects.select_related("last_job").filter(pk=feed_id).first() if feed_id < 2**63 else None
    if feed is None:
        raise FeedNotFound(f"there is no feed {feed_id}")
    return feed


def import_options(feed: Feed) -> ImportOptions:
    """How a feed is imported."""
    return ImportOptions.from_parameters(feed.options)


def address_of(feed: Feed) -> FeedAddress:
    """Where a feed is, with what opens it.

    Args:
        feed: the feed.

    Returns:
        The address.

    Raises:
        InvalidSource: it may not be asked any more, or its password cannot be read.
    """
    address = FeedAddress.parse(feed.address).of_a_feed()
    if not feed.credentials:
        return address
    try:
        content = json.loads(unseal(feed.credentials, _PURPOSE))
    except CannotUnseal as error:
        raise FeedSecretLost(facts.FEED_SECRET_LOST()) from error
    return address.of_a_feed(content["user"], content["password"])


def save_feed(
    feed: Feed, options: ImportOptions, *, credentials: Credentials | None = None, keep_credentials: bool = True
) -> None:
    """Save a feed, new or changed.

    Args:
        feed: with its new values.
        options: how it is imported; without a source, its products are attributed to its name.
        credentials: new ones.
        keep_credentials: without new ones, the feed keeps those that it has.

    Raises:
        FeedNotFound: it was deleted meanwhile.
        InvalidFeed: with all that is wrong.
    """
    with transaction.atomic():
        before = _stored(feed, lock=True)
        if before is None and feed.pk is not None:
            raise FeedNotFound(f"there is no feed {feed.pk}")
        check_feed(feed, options, credentials, keep_credentials=keep_credentials)
        if before is not None:
            # Meanwhile it may have been submitted, or got another password.
            for name in _NOT_EDITED:
                setattr(feed, name, getattr(before, name))
        options = replace(options, dry_run=False, source=options.source or feed.name)
        if credentials is not None:
            feed.credentials = seal(json.dumps({"user": credentials.user, "password": credentials.password}), _PURPOSE)
        elif not keep_credentials:
            feed.credentials = ""
        feed.options = options.as_parameters()
        if before is None or (before.address, before.options) != (feed.address, feed.options):
            # What was imported was another file, or was read in another way.
            feed.etag = feed.last_modified = ""
        schedule = ("schedule", "every_hours", "at_hour", "active")
        if before is None or any(getattr(before, name) != getattr(feed, name) for name in schedule):
            feed.next_run_at = None
            feed.next_run_at = next_start(feed, timezone.now())
        feed.save()


def check_feed(
    feed: Feed, options: ImportOptions, credentials: Credentials | None = None, *, keep_credentials: bool = True
) -> None:
    """Check what `save_feed` is about to save.

    Args:
        feed: as there.
        options: as there.
        credentials: as there.
        keep_credentials: as there.

    Raises:
        InvalidFeed: with all that is wrong.
    """
    before = _stored(feed)
    errors = list(_errors(feed, options))
    if credentials is not None and ":" in credentials.user:
        errors.append(("user", facts.FEED_USER_WITH_COLON()))
    keeps_password = before is not None and bool(before.credentials) and keep_credentials and credentials is None
    if not errors and before is not None and keeps_password and not _same_server(before.address, feed.address):
        # Else whoever may change an address could have the password sent to a server of theirs.
        errors.append(("password", facts.FEED_PASSWORD_NEEDED()))
    if errors:
        raise InvalidFeed(errors)


def _stored(feed: Feed, *, lock: bool = False) -> Feed | None:
    feeds = Feed.objects.select_for_update() if lock else Feed.objects.all()
    return feeds.filter(pk=feed.pk).first() if feed.pk else None


def _errors(feed: Feed, options: ImportOptions) -> Iterator[tuple[str, str]]:
    try:
        if len(feed.address) > ADDRESS_LENGTH:
            raise LinkNotAllowed(facts.LINK_TOO_LONG(limit=ADDRESS_LENGTH))
        url = validate_url(feed.address, with_user=True)
        if url.userinfo:
            yield "address", facts.FEED_WITH_USER()
        else:
            check_host(url)
    except LinkNotAllowed as error:
        yield "address", str(error)
    try:
        replace(options, set=()).mapping()
    except InvalidSource as error:
        yield "map", str(error)
        return
    try:
        options.mapping()
    except InvalidSource as error:
        yield "set", str(error)


def _same_server(before: str, after: str) -> bool:
    try:
        return FeedAddress.parse(before).may_know(FeedAddress.parse(after).url)
    except InvalidSource:
        return False


def next_start(feed: Feed, after: datetime) -> datetime | None:
    """When a feed is due next.

    Args:
        feed: the feed.
        after: a moment; it is due later than that.

    Returns:
        The time; None where it is not fetched by itself.
    """
    if not feed.active:
        return None
    if feed.schedule == FeedSchedule.DAILY:
        local = timezone.localtime(after)
        due = local.replace(hour=feed.at_hour, minute=0, second=0, microsecond=0)
        return due if due > local else due + timedelta(days=1)
    step, start = timedelta(hours=feed.every_hours), feed.next_run_at or after
    return start + step * ((after - start) // step + 1)


def jobs_of(feed_id: int) -> Any:
    """The jobs of a feed, newest first, with what was only tried out."""
    return Job.objects.filter(kind=IMPORT, **{f"parameters__{FEED}": feed_id}).order_by("-created_at")


def _imports_of(feed_id: int) -> Any:
    return jobs_of(feed_id).filter(parameters__dry_run__isnull=True)


def failures_in_a_row(feed: Feed) -> int:
    """How many of its last imports have failed, one after the other; up to ten.

    Args:
        feed: the feed.

    Returns:
        The number.
    """
    if feed.last_job is None or feed.last_job.state not in (JobState.FAILED, *ACTIVE_STATES):
        return 0
    # Each by the index of states and times: of many jobs, the newest are read.
    imports = _imports_of(feed.pk).values_list("created_at", flat=True)
    failed = [*imports.filter(state=JobState.FAILED)[:_COUNTED_FAILURES]]
    if not failed:
        return 0
    succeeded = imports.filter(state=JobState.SUCCEEDED, created_at__gt=failed[-1]).first()
    return sum(succeeded is None or time > succeeded for time in failed)


def submit_feed(
    feed: Feed, *, dry_run: bool = False, only_if_changed: bool = False, draft_id: UUID | None = None
) -> Job:
    """Have a feed imported now.

    Args:
        feed: the feed.
        dry_run: it is only tried out.
        only_if_changed: nothing is imported if its server says that the file is the one that was imported last.
        draft_id: a draft that gets the file.

    Returns:
        The queued job.

    Raises:
        JobInProgress: an import is queued or running.
    """
    with transaction.atomic():
        parameters = {
            **replace(import_options(feed), dry_run=dry_run).as_parameters(),
            "file": feed.name,
            FEED: feed.pk,
            **({ONLY_IF_CHANGED: True} if only_if_changed else {}),
            **({"draft": str(draft_id)} if draft_id else {}),
        }
        job = create_job(IMPORT, parameters=parameters)
        if not dry_run:
            Feed.objects.filter(pk=feed.pk).update(last_job=job)
            feed.last_job = job
    return job


def submit_due() -> Job | None:
    """Have a feed imported that is due, the one that has waited longest. Others wait until it has ended: imports run one by one.

    Returns:
        The queued job; None where no feed is due, or an import is under way.
    """
    now = timezone.now()
    for feed in due_feeds(now):
        # A feed that is still being imported is passed over this time.
        is_running = feed.last_job is not None and not feed.last_job.ended
        try:
            with transaction.atomic():
                if not _take_turn(feed, now) or is_running or _waits(feed, now):
                    continue
                return submit_feed(feed, only_if_changed=True)
        except JobInProgress:
            # Of another feed, or of a file: this one stays due.
            return None
    return None


class FailingFeed(NamedTuple):
    """A feed that needs a look, and its last import that has ended."""

    feed: Feed
    job: Job


def failing_feeds() -> list[FailingFeed]:
    """The feeds whose last import has failed, or has withdrawn nothing though something was missing.

    While the next one runs, it is still the one before that counts: else an alert would begin again with each attempt.

    Returns:
        The feeds, by name.
    """
    failed = Q(last_job__state=JobState.FAILED)
    withdrew_nothing = Q(last_job__result__not_withdrawn__gt="")
    # At most one, as imports run one by one.
    under_way = Q(last_job__state__in=ACTIVE_STATES)
    feeds = Feed.objects.select_related("last_job").filter(failed | withdrew_nothing | under_way)
    ended = [(feed, _last_ended(feed)) for feed in feeds]
    return [FailingFeed(feed, job) for feed, job in ended if job is not None and _needs_a_look(job)]


def _last_ended(feed: Feed) -> Job | None:
    job = feed.last_job
    if job is None or job.ended:
        return job
    before: Job | None = _imports_of(feed.pk).exclude(state__in=ACTIVE_STATES).first()
    return before


def _needs_a_look(job: Job) -> bool:
    return job.state == JobState.FAILED or bool((job.result or {}).get("not_withdrawn"))


def last_result(feed: Feed) -> str:
    """What came of its last import.

    Args:
        feed: the feed.

    Returns:
        The state of the job, or `not_changed`; "" where it was not imported yet.
    """
    job = feed.last_job
    if job is None:
        return ""
    return NOT_CHANGED if (job.result or {}).get(NOT_CHANGED) else str(job.state)


def due_feeds(now: datetime) -> Any:
    """The feeds that are due, the one that has waited longest first."""
    feeds = Feed.objects.select_related("last_job").filter(active=True, next_run_at__lte=now)
    return feeds.order_by("next_run_at", "pk")


def _take_turn(feed: Feed, now: datetime) -> bool:
    """Set when it is due next. Returns whether no other process has done so."""
    same_turn = Feed.objects.filter(pk=feed.pk, active=True, next_run_at=feed.next_run_at)
    return bool(same_turn.update(next_run_at=next_start(feed, now)))


def _waits(feed: Feed, now: datetime) -> bool:
    """Whether it has failed so often that this turn is left out."""
    failures = failures_in_a_row(feed)
    if feed.schedule == FeedSchedule.DAILY or not failures or feed.last_job is None:
        return False
    wait = min(timedelta(hours=feed.every_hours) * 2**failures, max(MAX_WAIT, timedelta(hours=feed.every_hours)))
    # A job is created a moment after its feed was due.
    return bool(now < feed.last_job.created_at + wait - timedelta(minutes=10))
