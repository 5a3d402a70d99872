"""The endpoints of feeds."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import keys
from accounts.models import ApiKey, AuditEntry
from catalog import outgoing
from catalog.models import Feed, Product
from jobs.models import Job
from tests.catalog.feeds import worked_off
from tests.catalog.photo_server import PhotoServer, photo_server
from tests.recommender.answers import problem

pytestmark = pytest.mark.django_db

TABLE = b"sku,title\nm1,Mug\nm2,Bowl\n"


@pytest.fixture(autouse=True)
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoServer]:
    with photo_server() as server:
        settings.API_WRITES = "open"
        settings.CELERY_BROKER_URL = ""
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        monkeypatch.setattr(outgoing, "INITIAL_BACKOFF_S", 0.01)
        yield server


@pytest.fixture
def api() -> Client:
    return Client(raise_request_exception=False)


def send(api: Client, method: str, path: str = "", document: Any = None, **headers: str) -> Any:
    body = {} if document is None else {"data": json.dumps(document), "content_type": "application/json"}
    return getattr(api, method)(f"/api/feeds{path}", **body, headers=headers)


def test_a_feed_is_created_imported_changed_and_deleted(api: Client, server: PhotoServer) -> None:
    document = {
        "name": "spring", "address": server.serve("/feed.csv", TABLE), "schedule": "hours", "every_hours": 4,
        "credentials": {"user_name": "shop", "password": "s3cret"},
        "options": {"set": ["currency=CHF"], "deactivate_missing": True, "fetch": False, "decimal": ","},
    }  # fmt: skip
    created = send(api, "post", "", document)
    assert created.status_code == 201, created.content
    feed = created.json()
    assert created["Location"] == f"http://testserver/api/feeds/{feed['id']}"
    assert feed["next_run_at"] is not None
    assert feed | {"next_run_at": ""} == {
        "id": feed["id"], "name": "spring", "address": document["address"], "has_credentials": True,
        "options": {
            "source": "spring", "deactivate_missing": True, "fetch": False, "set": ["currency=CHF"], "decimal": ",",
        },
        "schedule": "hours", "every_hours": 4, "at_hour": 3, "active": True, "next_run_at": "", "last_run_at": None,
        "last_job": None, "last_result": None, "last_error": None, "failures": 0,
    }  # fmt: skip
    path = f"/{feed['id']}"
    run = send(api, "post", f"{path}/run")
    assert (run.status_code, run.json()["kind"]) == (202, "import")
    assert run["Location"] == f"http://testserver/api/jobs/{run.json()['id']}"
    assert problem(send(api, "post", f"{path}/run"), 409)["type"].endswith("job-under-way")
    worked_off(Job.objects.get())
    assert Product.objects.count() == 2
    assert "authorization" in server.headers
    now = send(api, "get", path).json()
    assert (now["last_result"], now["last_job"], now["last_error"]) == ("succeeded", run.json()["id"], None)
    assert send(api, "get").json() == {"results": [now]}

    # What is not sent gets its default, apart from the password.
    kept = send(api, "put", path, {"name": "summer", "address": document["address"]}).json()
    assert (kept["has_credentials"], kept["schedule"], kept["options"]) == (True, "daily", {"source": "summer"})
    removed = send(api, "put", path, {"name": "summer", "address": document["address"], "credentials": None}).json()
    assert removed["has_credentials"] is False
    answers = repr([created.content, run.content, kept, removed])
    assert "s3cret" not in answers + repr([*AuditEntry.objects.values(), *Feed.objects.values(), *Job.objects.values()])
    assert send(api, "delete", path).status_code == 204
    assert problem(send(api, "get", path), 404)["type"].endswith("feed-not-found")
    assert problem(send(api, "post", f"{path}/run"), 404)


def test_a_run_may_be_tried_out_or_depend_on_a_change(api: Client, server: PhotoServer) -> None:
    address = server.serve("/feed.csv", TABLE, ETag='"1"')
    path = f"/{send(api, 'post', '', {'name': 'spring', 'address': address}).json()['id']}"
    assert send(api, "post", f"{path}/run?dry_run=true").json()["kind"] == "import"
    worked_off(Job.objects.get(state="queued"))
    assert Product.objects.count() == 0
    send(api, "post", f"{path}/run?only_if_changed=true")
    worked_off(Job.objects.get(state="queued"))
    assert Product.objects.count() == 2
    server.serve("/feed.csv", status=304)
    send(api, "post", f"{path}/run?only_if_changed=true")
    worked_off(Job.objects.get(state="queued"))
    assert send(api, "get", path).json()["last_result"] == "not_changed"


@pytest.mark.parametrize(
    ("members", "parameter", "detail"),
    [
        ({"address": "ftp://shop.test/feed"}, "address", ""),
        ({"address": "http://u:p@shop.test/"}, "address", ""),
        ({"address": "http://10.0.0.1:{port}/"}, "address", "10.0.0.1, an address of a private or special network"),
        ({"name": "taken"}, "name", "is taken: there is a feed 'taken'"),
        ({"options": {"map": ["colour=Farbe"]}}, "options.map", "there is no field colour"),
        ({"options": {"set": ["colour=red"]}}, "options.set", "there is no field colour"),
        ({"options": {"fetch": "true"}}, "options.fetch", "must be a boolean"),
        ({"options": {"map": "sku=No"}}, "options.map", "must be a list of texts"),
        ({"options": {"dry_run": True}}, "options.dry_run", "is not a known parameter"),
        ({"options": {"decimal": "x"}}, "options.decimal", "must be one of"),
        ({"every_hours": 0}, "every_hours", "greater than or equal to 1"),
        ({"every_hours": 2.5}, "every_hours", "must be a whole number"),
        ({"at_hour": True}, "at_hour", "must be a whole number"),
        ({"credentials": {"user_name": "shop:1", "password": "x"}}, "credentials.user_name", "cannot have a colon"),
        ({"address": "https://"}, "address", ""),
        ({"credentials": {"user_name": "shop"}}, "credentials.password", ""),
        ({"colour": "red"}, "colour", ""),
    ],
)
def test_what_is_wrong_is_named(
    api: Client, server: PhotoServer, members: dict[str, Any], parameter: str, detail: str
) -> None:
    send(api, "post", "", {"name": "taken", "address": server.url("/")})
    document = {"name": "spring", "address": server.url("/feed.csv"), **members}
    document["address"] = document["address"].format(port=server.port)
    (error,) = problem(send(api, "post", "", document), 400)["errors"]
    assert error["parameter"] == parameter
    assert detail in error["detail"]
    assert Feed.objects.count() == 1


@pytest.mark.parametrize("address", ["HTTP://127.0.0.1:{port}/feed.csv", "http://127.0.0.1:{port}?feed=1"])
def test_an_address_may_have_capitals_and_no_path_and_a_whole_number_a_fraction_of_nought(
    api: Client, server: PhotoServer, address: str
) -> None:
    document = {"name": "spring", "address": address.format(port=server.port), "at_hour": 17.0, "every_hours": 6.0}
    created = send(api, "post", "", document)
    assert created.status_code == 201, created.content
    assert (created.json()["at_hour"], created.json()["every_hours"]) == (17, 6)


def test_reading_needs_the_scope_of_imports_too(api: Client, server: PhotoServer, settings: Any) -> None:
    settings.API_WRITES = "keys"
    Feed.objects.create(name="spring", address=server.url("/"))
    may, may_not = (
        keys.create(ApiKey(name=name, kind=ApiKey.Kind.SECRET, may_import=name == "may", may_train=name != "may")).text
        for name in ("may", "may not")
    )
    assert send(api, "get").status_code == 401
    assert send(api, "get", Authorization=f"Bearer {may_not}").status_code == 403
    assert send(api, "get", Authorization=f"Bearer {may}").status_code == 200


def test_a_repeated_request_creates_one_feed(api: Client, server: PhotoServer) -> None:
    document = {"name": "spring", "address": server.url("/")}
    answers = [send(api, "post", "", document, **{"Idempotency-Key": "a"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Feed.objects.count() == 1
