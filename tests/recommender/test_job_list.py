"""What GET /api/jobs answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.models import Job
from tests.recommender.answers import problem

State = Job.State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def open_to_all(settings: Any) -> None:
    settings.API_WRITES = "open"


def job(kind: str = "import", *, state: str = State.SUCCEEDED, minutes_ago: int = 0, collection: str = "") -> Job:
    made = Job.objects.create(kind=kind, state=state, collection=collection)
    Job.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(minutes=minutes_ago))
    return made


def listed(api: Client, **params: Any) -> list[str]:
    return [each["id"] for each in api.get("/api/jobs", params).json()["results"]]


def test_jobs_are_listed_newest_first_as_one_by_one(api: Client) -> None:
    old, new = job(minutes_ago=5), job(minutes_ago=1)

    results = api.get("/api/jobs").json()["results"]

    assert results == [api.get(f"/api/jobs/{each.pk}").json() for each in (new, old)]


def test_jobs_are_filtered_by_kind_state_and_collection(api: Client) -> None:
    imported, failed = job(), job(state=State.FAILED)
    trained = job("train", collection="all", state=State.QUEUED)

    assert set(listed(api, kind="import")) == {str(imported.pk), str(failed.pk)}
    assert listed(api, state="failed") == [str(failed.pk)]
    assert listed(api, collection="all", kind="train") == [str(trained.pk)]
    assert listed(api, collection="none") == []


def test_pages_by_cursor_lead_through_the_jobs_and_back(api: Client) -> None:
    jobs = [str(job(minutes_ago=minutes).pk) for minutes in range(5)]
    # At the same moment: their ids decide.
    Job.objects.filter(pk__in=jobs[1:4]).update(created_at=timezone.now() - timedelta(minutes=2))
    everything = listed(api)
    job(state=State.FAILED)

    first = api.get("/api/jobs?page_size=2&state=succeeded").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()

    pages = [[each["id"] for each in page["results"]] for page in (first, second, third)]
    assert pages == [everything[:2], everything[2:4], everything[4:]]
    assert (first["previous"], third["next"]) == (None, None)
    assert api.get(third["previous"]).json()["results"] == second["results"]
    assert api.get(second["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize(
    "query",
    ["kind=baking", "state=done", "page_size=0", "cursor=x", "cursor=WyIxIixmYWxzZV0", "cursor=WyIxIiwiMiIsZmFsc2Vd"],
)
def test_invalid_parameters_are_reported(api: Client, query: str) -> None:
    body = problem(api.get(f"/api/jobs?{query}"), 400)

    assert [error["parameter"] for error in body["errors"]] == [query.partition("=")[0]]


def test_pages_of_other_sites_cannot_read_them(api: Client) -> None:
    assert "Access-Control-Allow-Origin" not in api.get("/api/jobs")
