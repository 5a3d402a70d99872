"""Feeds in the admin: their form, an import now, a look at the file, and what came of the imports."""

from __future__ import annotations

import html
import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, User
from catalog import outgoing
from catalog.admin import feed_forms
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import check_feed, import_options, submit_feed
from catalog.models import Feed, ImportDraft, Product
from jobs.admin import job_url
from jobs.models import Job
from tests.catalog.feeds import make_feed, worked_off
from tests.catalog.photo_server import PhotoServer, photo_server

pytestmark = pytest.mark.django_db

ADD = reverse("admin:catalog_feed_add")
LIST = reverse("admin:catalog_feed_changelist")
TABLE = b"sku;title;Kolor\nm1;Mug;red\nm2;Bowl;blue\n"


@pytest.fixture(autouse=True)
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    with photo_server() as server:
        settings.CELERY_BROKER_URL = ""
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
        yield server


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("-".join(["user", *permissions]), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager() -> Client:
    return staff("view_product", "add_product", "change_product")


def sent(client: Client, url: str, **fields: Any) -> Any:
    """Send the form of a feed."""
    values = {
        "name": "spring", "active": "on", "schedule": "hours", "every_hours": 4, "at_hour": 3, "fetch": "on",
        "automatic": "on", "category_separator": "", "image_separator": "", **fields,
    }  # fmt: skip
    return client.post(url, {name: value for name, value in values.items() if value is not None})


def change_url(feed: Feed) -> str:
    return reverse("admin:catalog_feed_change", args=[feed.pk])


def test_a_feed_is_saved_with_its_options_and_its_password_is_never_shown(manager: Client, server: PhotoServer) -> None:
    address = server.serve("/feed.csv?token=hidden", TABLE)
    page = manager.get(ADD).content.decode()
    assert "It is stored encrypted, and not shown again." in page
    answer = sent(
        manager, ADD, address=address, user="shop", password="s3cret", map="attribute.colour = Kolor", currency="chf",
        set="brand = Harbour", deactivate_missing="on",
    )  # fmt: skip
    assert answer.status_code == 302, answer.content.decode()
    feed = Feed.objects.get()
    assert import_options(feed) == ImportOptions(
        source="spring",
        deactivate_missing=True,
        map=("attribute.colour = Kolor",),
        set=("brand = Harbour", "currency=CHF"),
    )
    page = manager.get(change_url(feed)).content.decode()
    for shown in ("attribute.colour = Kolor", "brand = Harbour", 'value="CHF"', "Leave both empty to keep it"):
        assert shown in page
    assert sent(manager, change_url(feed), address=address, source="spring", every_hours=2).status_code == 302
    feed.refresh_from_db()
    assert (feed.every_hours, bool(feed.credentials)) == (2, True)
    entries = repr([*AuditEntry.objects.values()])
    listed = manager.get(LIST).content.decode()
    assert "s3cret" not in page + entries + listed
    assert "token=hidden" not in entries + listed
    assert "every 2 hours" in listed
    assert sent(manager, change_url(feed), address=address, source="spring", remove_password="on").status_code == 302
    feed.refresh_from_db()
    assert feed.credentials == ""


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"address": "ftp://shop.test/feed.csv"}, "the link has the scheme &#x27;ftp&#x27;: use http or https"),
        ({"address": "http://10.0.0.1:{port}/feed"}, "10.0.0.1, an address of a private or special network"),
        ({"map": "colour = Farbe"}, "there is no field colour"),
        ({"set": "colour = red"}, "there is no field colour"),
        ({"every_hours": 0}, "greater than or equal to 1"),
        ({"currency": "franc"}, "Three letters, as in EUR."),
        ({"name": "summer"}, "already exists"),
        ({"user": "shop:1"}, "cannot have a colon"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    manager: Client, server: PhotoServer, fields: dict[str, Any], error: str
) -> None:
    make_feed(server.url("/"), "summer")
    values = {"address": server.url("/feed.csv"), **fields}
    values["address"] = values["address"].format(port=server.port)
    answer = sent(manager, ADD, **values)
    assert answer.status_code == 200
    form = answer.context["adminform"].form
    assert list(form.errors) == [next(iter(fields))], form.errors
    assert error in answer.content.decode()
    assert Feed.objects.count() == 1


def test_a_feed_is_tried_out_looked_at_corrected_and_imported(manager: Client, server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", b"No;Name;Kolor\nm1;Mug;red\nm2;Bowl;blue\n"))
    page = manager.get(change_url(feed)).content.decode()
    assert "It was not imported yet" in page
    tried = manager.post(reverse("admin:catalog_feed_try", args=[feed.pk]))
    failed = worked_off(Job.objects.get())
    assert tried.headers["Location"] == job_url(failed)
    assert "no column is mapped to the field sku" in failed.error
    draft = ImportDraft.objects.get()
    draft_url = reverse("admin:catalog_import_draft", args=[draft.pk])
    assert draft_url in manager.get(job_url(failed)).content.decode()
    assert '<th scope="row"' in (page := manager.get(draft_url).content.decode())
    assert "Read the feed in this way" in page
    columns = {"column_0": "sku", "column_1": "title", "column_2": "attribute"}
    page = manager.post(draft_url, {"action": "feed", "fetch": "on", "source": "spring", **columns}).content.decode()
    assert "The feed “spring” is read in this way from now on." in page
    feed.refresh_from_db()
    assert import_options(feed).map == ("sku=No", "title=Name", "attribute.Kolor=Kolor")
    imported = manager.post(reverse("admin:catalog_feed_import", args=[feed.pk]))
    done = worked_off(Job.objects.get(state="queued"))
    assert imported.headers["Location"] == job_url(done)
    assert sorted(Product.objects.values_list("sku", flat=True)) == ["m1", "m2"]
    page = manager.get(change_url(feed)).content.decode()
    assert "2 new, 0 changed, 0 unchanged, 0 rejected" in page
    assert page.index(job_url(done)) < page.index(job_url(failed))


def test_while_an_import_runs_neither_begins(manager: Client, server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE))
    submit_feed(feed)
    for name in ("import", "try"):
        answer = manager.post(reverse(f"admin:catalog_feed_{name}", args=[feed.pk]), follow=True)
        assert "an import is under way" in answer.content.decode()
    assert (Job.objects.count(), ImportDraft.objects.count()) == (1, 0)


def test_what_fails_is_shown_in_the_list_and_on_the_overview(manager: Client, server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", status=404))
    for _ in range(2):
        worked_off(submit_feed(feed))
    page = manager.get(LIST).content.decode()
    assert "failed 2 times in a row" in page
    overview = html.unescape(manager.get(reverse("admin:index")).content.decode())
    assert "Feeds that need a look" in overview
    assert "is not there (404): copy the address of the feed" in overview
    tried_out = submit_feed(feed, dry_run=True)
    assert "Feeds that need a look" in manager.get(reverse("admin:index")).content.decode()
    server.serve("/feed.csv", TABLE)
    worked_off(tried_out)
    queued = submit_feed(feed)
    assert "is not there (404): copy the address of the feed" in manager.get(reverse("admin:index")).content.decode()
    worked_off(queued)
    assert "Feeds that need a look" not in manager.get(reverse("admin:index")).content.decode()


def test_only_those_who_may_import_see_feeds(server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE))
    client = staff("view_product", "change_product", "view_job")
    for url in (LIST, ADD, change_url(feed)):
        assert client.get(url).status_code == 403
    for name in ("import", "try"):
        assert client.post(reverse(f"admin:catalog_feed_{name}", args=[feed.pk])).status_code == 403
        assert client.get(reverse(f"admin:catalog_feed_{name}", args=[feed.pk])).status_code == 405
    assert LIST not in client.get(reverse("admin:index")).content.decode()


def test_a_feed_that_is_deleted_while_it_is_saved_is_not_written(
    manager: Client, server: PhotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE))

    def check_and_delete(*args: Any, **options: Any) -> None:
        check_feed(*args, **options)
        Feed.objects.all().delete()

    monkeypatch.setattr(feed_forms, "check_feed", check_and_delete)
    answer = sent(manager, change_url(feed), address=feed.address, name="summer")
    assert answer.status_code == 302
    assert "Perhaps it was deleted?" in manager.get(answer["Location"], follow=True).content.decode()
    assert not Feed.objects.filter(name="summer").exists()


def test_a_deleted_feed_leaves_its_products(manager: Client, server: PhotoServer) -> None:
    feed = make_feed(server.serve("/feed.csv", TABLE))
    job = worked_off(submit_feed(feed))
    queued = submit_feed(feed)
    assert manager.post(reverse("admin:catalog_feed_delete", args=[feed.pk]), {"post": "yes"}).status_code == 302
    assert "the feed was deleted" in worked_off(queued).error
    assert Product.objects.count() == 2
    assert manager.get(job_url(job)).status_code == 200
