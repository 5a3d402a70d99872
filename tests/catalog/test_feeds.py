"""Feeds are fetched by themselves: when they are due, once, only if they have changed, and without showing their password."""

from __future__ import annotations

import base64
import gzip
import io
import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import AuditEntry
from catalog import outgoing
from catalog.importers import scheduled_feeds
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import (
    Credentials,
    InvalidFeed,
    import_options,
    next_start,
    save_feed,
    submit_due,
    submit_feed,
)
from catalog.models import Feed, Product
from catalog.tasks import import_due_feeds
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.services import cancel
from tests.catalog.feeds import make_due, make_feed, worked_off
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.factories import jpeg

pytestmark = pytest.mark.django_db

TABLE = b"sku,title,price\nm1,Mug,5\nm2,Bowl,6\n"
State = Job.State


@pytest.fixture(autouse=True)
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    with photo_server() as server:
        settings.CELERY_BROKER_URL = ""
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        settings.FEED_TIMEOUT_S = 5
        monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
        yield server


def skus() -> list[str]:
    return sorted(Product.objects.filter(active=True).values_list("sku", flat=True))


def result(job: Job | None) -> dict[str, Any]:
    """The result of a job that is worked off."""
    done = worked_off(job)
    assert done.result is not None, done.error
    return dict(done.result)


def versioned(server: PhotoServer, path: str, content: bytes, **headers: str) -> str:
    """Serve a file that is not sent again to those who have it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        same = request.headers.get("If-None-Match") == headers.get("ETag", "") or (
            request.headers.get("If-Modified-Since") == headers.get("Last_Modified", "")
        )
        request.send_response(304 if same else 200)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0" if same else str(len(content)))
        request.end_headers()
        if not same:
            request.wfile.write(content)

    server.answers[path] = answer
    return server.url(path)


def errors(feed: Feed, options: ImportOptions | None = None, **kwargs: Any) -> dict[str, str]:
    """What is wrong with a feed, by field."""
    with pytest.raises(InvalidFeed) as refused:
        save_feed(feed, options or ImportOptions(), **kwargs)
    return dict(refused.value.errors)


# What is imported


def test_a_feed_that_is_due_is_imported_once_until_its_next_turn(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv.gz", gzip.compress(TABLE)), schedule="hours", every_hours=2)
    assert submit_due() is None
    make_due(feed)
    import_due_feeds()
    job = Job.objects.get()
    assert (job.kind, job.title, job.submitted_by) == ("import", "Import of spring", "")
    import_due_feeds()
    done = worked_off(job)
    assert (done.state, skus(), Product.objects.first().product_source.source) == (
        State.SUCCEEDED,
        ["m1", "m2"],
        "spring",
    )
    import_due_feeds()
    assert Job.objects.count() == 1
    feed.refresh_from_db()
    assert feed.last_job == done
    assert feed.next_run_at is not None
    assert timedelta(hours=1.9) < feed.next_run_at - timezone.now() <= timedelta(hours=2)


def test_relative_photos_and_options_are_those_of_the_feed(server: PhotoServer) -> None:
    server.serve("/feeds/photos/1.jpg", jpeg("red"))
    server.serve("/feeds/feed.csv", b"No,Name,Picture,Price\nm1,Mug,photos/1.jpg,5\n")
    options = ImportOptions(map=("sku=No", "image=Picture"), set=("currency=CHF",))
    feed = make_feed(server.serve("/feed?token=hidden", status=302, Location="/feeds/feed.csv"), options=options)
    assert result(submit_feed(feed))["photos_added"] == 1
    assert Product.objects.get().currency == "CHF"
    assert "hidden" not in repr(Job.objects.values())


def test_what_left_the_feed_is_withdrawn_unless_it_is_most_of_it(server: PhotoServer) -> None:
    lines = [b"m%02d,Mug,5\n" % number for number in range(50)]
    feed = make_feed(
        server.serve("/feed.csv", b"sku,title,price\n" + b"".join(lines)),
        options=ImportOptions(source="spring", deactivate_missing=True),
    )
    worked_off(submit_feed(feed))
    versioned(server, "/feed.csv", b"sku,title,price\n" + b"".join(lines[:20]), ETag='"1"')
    assert result(submit_feed(feed))["withdrawn"] == 0
    make_due(feed)
    # That is no import after which a feed is not fetched again: somebody has to see what it says.
    assert "30 of the 50 products" in result(submit_due())["not_withdrawn"]
    assert len(skus()) == 50


@pytest.mark.parametrize("headers", [{"ETag": 'W/"v1"'}, {"Last_Modified": "Mon, 30 Nov 2026 10:00:00 GMT"}])
def test_a_feed_that_has_not_changed_is_not_imported_again(server: PhotoServer, headers: dict[str, str]) -> None:
    feed = make_feed(versioned(server, "/feed.csv", TABLE, **headers))
    worked_off(submit_feed(feed))
    Product.objects.update(title="Changed here")
    make_due(feed)
    job = worked_off(submit_due())
    assert job.state == State.SUCCEEDED
    assert job.result is not None
    assert (job.result["not_changed"], job.result["rows"]) == (True, 0)
    assert set(Product.objects.values_list("title", flat=True)) == {"Changed here"}
    # By hand it is imported in any case, and so it is once it is read in another way.
    assert result(submit_feed(feed))["updated"] == 2
    feed.refresh_from_db()
    save_feed(feed, ImportOptions(set=("brand=Harbour",)))
    make_due(feed)
    assert result(submit_due())["updated"] == 2


def test_a_photo_that_could_not_be_fetched_is_tried_again_though_the_feed_has_not_changed(server: PhotoServer) -> None:
    server.serve("/1.jpg", status=404)
    feed = make_feed(versioned(server, "/feed.csv", b"sku,title,image\nm1,Mug,1.jpg\n", ETag='"1"'))
    assert result(submit_feed(feed))["photos_rejected"] == 1
    server.serve("/1.jpg", jpeg("red"))
    make_due(feed)
    assert result(submit_due())["photos_added"] == 1


def test_a_dry_run_of_a_feed_writes_nothing_and_can_be_imported(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE))
    assert (result(submit_feed(feed, dry_run=True))["created"], skus()) == (2, [])
    feed.refresh_from_db()
    assert feed.last_job is None


# When it is due


@pytest.mark.parametrize(
    ("now", "due"),
    [("2026-11-30T01:30:00", "2026-11-30T03:00:00"), ("2026-11-30T03:00:00", "2026-12-01T03:00:00")],
)
def test_a_daily_feed_is_due_at_its_hour_of_the_shop(settings: Any, now: str, due: str) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    zone = timezone.get_default_timezone()
    feed = Feed(schedule="daily", at_hour=3)
    assert next_start(feed, datetime.fromisoformat(now).replace(tzinfo=zone)) == datetime.fromisoformat(due).replace(
        tzinfo=zone
    )


def test_hours_between_imports_do_not_drift() -> None:
    start = datetime.fromisoformat("2026-11-30T10:00:00+00:00")
    feed = Feed(schedule="hours", every_hours=2, next_run_at=start)
    assert next_start(feed, start + timedelta(minutes=1)) == start + timedelta(hours=2)
    assert next_start(feed, start + timedelta(hours=5)) == start + timedelta(hours=6)
    assert next_start(Feed(active=False), start) is None


def test_a_feed_whose_job_is_still_running_is_passed_over_and_others_wait(server: PhotoServer) -> None:
    first, second = (make_feed(server.serve(f"/{name}.csv", TABLE), name) for name in ("first", "second"))
    make_due(first)
    job = submit_due()
    make_due(first)
    make_due(second)
    assert submit_due() is None
    first.refresh_from_db()
    assert first.next_run_at is not None
    assert first.next_run_at > timezone.now()
    with pytest.raises(JobInProgress):
        submit_feed(first)
    worked_off(job)
    following = submit_due()
    assert following is not None
    assert following.parameters["feed"] == second.pk
    assert submit_due() is None


def test_an_inactive_feed_is_imported_by_hand_only(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE), active=False)
    assert feed.next_run_at is None
    assert worked_off(submit_feed(feed)).state == State.SUCCEEDED


def test_a_feed_that_fails_is_asked_less_often_and_says_why(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", status=404), schedule="hours", every_hours=2)
    for _ in range(2):
        make_due(feed)
        Job.objects.update(created_at=timezone.now() - timedelta(hours=5))
        failed = worked_off(submit_due())
    assert "is not there (404): copy the address" in failed.error
    feed.refresh_from_db()
    assert scheduled_feeds.failures_in_a_row(feed) == 2
    for hours, is_submitted in ((7, False), (9, True)):
        Job.objects.update(created_at=timezone.now() - timedelta(hours=hours))
        make_due(feed)
        assert (submit_due() is not None) is is_submitted
    job = Job.objects.get(state=State.QUEUED)
    server.serve("/feed.csv", TABLE)
    worked_off(job)
    feed.refresh_from_db()
    assert scheduled_feeds.failures_in_a_row(feed) == 0
    server.serve("/feed.csv", status=404)
    worked_off(submit_feed(feed, dry_run=True))
    worked_off(submit_feed(feed))
    feed.refresh_from_db()
    assert scheduled_feeds.failures_in_a_row(feed) == 1


def test_a_job_that_is_cancelled_while_its_feed_arrives_imports_nothing(
    server: PhotoServer, uploads_root: Path
) -> None:
    job = submit_feed(make_feed(server.serve("/feed.csv", TABLE)))
    cancel(job.pk)
    with pytest.raises(SystemExit):
        call_command("run_import", "--job", str(job.pk))
    assert (server.seen, skus()) == (["/feed.csv"], [])
    assert [path for path in uploads_root.glob("*") if path.is_file()] == []


def test_a_second_beat_that_has_seen_the_same_feed_due_starts_nothing(server: PhotoServer) -> None:
    make_due(make_feed(server.serve("/feed.csv", TABLE)))
    now = timezone.now()
    seen_by_both = [*scheduled_feeds.due_feeds(now)]
    worked_off(submit_due())
    assert not scheduled_feeds._take_turn(seen_by_both[0], now)


# What is refused


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ftp://shop.test/feed.csv", "the link has the scheme 'ftp': use http or https"),
        ("shop.test/feed.csv", "the link has the scheme '': use http or https"),
        ("http://shop.test:81/", "the link has the port 81"),
        ("http://10.0.0.1:{port}/", "10.0.0.1, an address of a private or special network"),
        ("http://u:p@shop.test:{port}/", "enter it and the password in their own fields"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(server: PhotoServer, address: str, reason: str) -> None:
    assert reason in errors(Feed(name="spring", address=address.format(port=server.port)))["address"]


def test_options_are_checked_field_by_field(server: PhotoServer) -> None:
    feed = Feed(name="spring", address=server.url("/"))
    assert "there is no field colour" in errors(feed, ImportOptions(map=("colour=Farbe",)))["map"]
    assert "there is no field colour" in errors(feed, ImportOptions(set=("colour=red",)))["set"]
    assert "is not of the form" in errors(feed, ImportOptions(map=("sku",)))["map"]


# User name and password


def test_a_password_opens_the_feed_and_is_nowhere_else(server: PhotoServer, caplog: pytest.LogCaptureFixture) -> None:
    secret = Credentials("shop", "s@cr/et:ü")
    with caplog.at_level("DEBUG"):
        feed = make_feed(server.serve("/feed.csv", TABLE), credentials=secret)
        worked_off(submit_feed(feed))
        assert base64.b64decode(server.headers["authorization"].removeprefix("Basic ")) == "shop:s@cr/et:ü".encode()
        server.serve("/feed.csv", status=401)
        failed = worked_off(submit_feed(feed))
    assert "refuses this user name and password (401)" in failed.error
    stored = repr([*Feed.objects.values(), *Job.objects.values(), *AuditEntry.objects.values()])
    for text in (stored, caplog.text, str(feed.__dict__)):
        assert "cr/et" not in text
        assert base64.b64encode("shop:s@cr/et:ü".encode()).decode() not in text


def test_a_feed_without_a_password_says_where_to_enter_it(server: PhotoServer) -> None:
    failed = worked_off(submit_feed(make_feed(server.serve("/feed.csv", status=401))))
    assert "asks for a user name and a password (401): enter them with the feed" in failed.error


def test_a_password_stays_until_it_is_replaced_or_removed_and_never_goes_to_another_server(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE), credentials=Credentials("shop", "secret"))
    feed.address = server.serve("/other.csv", TABLE)
    save_feed(feed, ImportOptions())
    worked_off(submit_feed(feed))
    assert "authorization" in server.headers
    feed.address = server.url("/other.csv", "localhost")
    assert list(errors(feed, ImportOptions())) == ["password"]
    save_feed(feed, ImportOptions(), credentials=Credentials("shop", "other"))
    save_feed(feed, ImportOptions(), keep_credentials=False)
    worked_off(submit_feed(feed))
    assert "authorization" not in server.headers


def test_who_saves_a_feed_undoes_no_turn_and_no_password_that_came_meanwhile(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE), schedule="hours")
    make_due(feed)
    opened = Feed.objects.get()
    job = submit_due()
    opened.name = "autumn"
    save_feed(opened, import_options(opened))
    saved = Feed.objects.get()
    assert job is not None
    assert (saved.name, saved.last_job_id, opened.last_job_id) == ("autumn", job.pk, job.pk)
    worked_off(job)
    assert submit_due() is None
    save_feed(saved, import_options(saved), credentials=Credentials("shop", "secret"))
    opened.address = f"http://localhost:{server.port}/feed.csv"
    with pytest.raises(InvalidFeed, match="leads to another server"):
        save_feed(opened, import_options(opened))


def test_another_secret_key_asks_for_the_password_again(server: PhotoServer, settings: Any) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE), credentials=Credentials("shop", "secret"))
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    failed = worked_off(submit_feed(feed))
    assert "the server has another SECRET_KEY: enter it again" in failed.error
    settings.SECRET_KEY_FALLBACKS = [former]
    assert worked_off(submit_feed(feed)).state == State.SUCCEEDED


# The command


def command(*options: str) -> str:
    out = io.StringIO()
    call_command("import_feeds", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child process of a job is this process: it would not see the data of this test."""

    def run(job_id: Any) -> Any:
        worked_off(Job.objects.get(pk=job_id))
        return scheduled.RunResult.FINISHED

    from catalog.management.commands.import_feeds import runner as scheduled

    monkeypatch.setattr("catalog.management.commands.import_feeds.runner.run", run)


@pytest.mark.usefixtures("run_here")
def test_the_command_imports_what_is_due_or_named(server: PhotoServer) -> None:
    assert command() == "No feed is due.\n"
    first = make_feed(versioned(server, "/1.csv", TABLE, ETag='"1"'), "first")
    second = make_feed(server.serve("/2.csv", status=404), "second")
    make_due(first)
    assert command() == "first: 2 created, 0 updated, 0 unchanged, 0 rejected\n"
    make_due(first)
    assert command() == "first: not changed\n"
    assert command("first", "--dry-run") == "first: would be 0 created, 0 updated, 2 unchanged, 0 rejected\n"
    make_due(second)
    with pytest.raises(CommandError, match="An import failed"):
        command()
    with pytest.raises(CommandError, match=r"There is no feed 'third'. Feeds: first, second"):
        command("third")
    submit_feed(second)
    with pytest.raises(CommandError, match="first: an import is under way"):
        command("first")
