"""manage.py activate_encoder --job: an activation that somebody waits for, as the child of whoever runs it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from embeddings import generations, indexing, versions
from embeddings.backends import Backends, get_vector_index
from embeddings.errors import IndexUnavailable
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.submissions import submit_activation
from jobs import execution
from jobs.models import Job
from jobs.services import cancel
from tests.embeddings.conftest import CountingEncoder, points, states

State = Job.State


class DullEncoder(CountingEncoder):
    """Finds nothing alike but by brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = "d" * 64

    def encode(self, images: Any) -> Any:
        vectors = super().encode(images)
        vectors[:, :] = vectors[:, [1, 1, 1]]
        vectors[:, 2] = [number % 2 for number in range(len(vectors))]
        return vectors / (vectors**2).sum(axis=1, keepdims=True) ** 0.5


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No runner whose end would end this process, and no other process that asks."""
    monkeypatch.setattr(execution, "attach_to_runner", lambda job: execution.ProgressReporter(job)("starting", 0, 0))
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)


@pytest.fixture
def second(version, encoder, monkeypatch) -> EncoderVersion:
    """A version that is as good."""
    return versions.create_version(version.collection, "counting")


@pytest.fixture
def dull(version, encoder, monkeypatch) -> EncoderVersion:
    """A version that is worse."""
    other = DullEncoder()
    monkeypatch.setattr(Backends, "encoder", lambda _, name=None: encoder if name == "counting" else other)
    return versions.create_version(version.collection, "dull")


def worked_off(version: EncoderVersion, **asked: Any) -> Job:
    job = submit_activation(version, **asked)
    Job.objects.update(state=State.RUNNING, heartbeat_at=timezone.now())
    call_command("activate_encoder", job=job.pk)
    return Job.objects.get(pk=job.pk)


def active() -> EncoderVersion | None:
    return Collection.objects.get(slug="all").active_version


def test_the_version_is_active_and_the_job_says_how_it_compares(version, shop, second):
    job = worked_off(second)
    assert (job.state, job.error) == (State.SUCCEEDED, "")
    assert job.result is not None
    assert {**job.result, "comparison": None} == {
        "encoder": "all-v2",
        "points": len(shop),
        "failed": 0,
        "comparison": None,
    }
    assert job.result["comparison"]["live"]["mean_average_precision"] == 1
    assert job.result["comparison"]["candidate"]["queries"] == len(shop)
    assert active() == second
    assert set(points(second)) == set(shop)


def test_it_reports_its_progress(shop, second, monkeypatch):
    reports: list[tuple[str, int, int]] = []
    monkeypatch.setattr(execution, "ProgressReporter", lambda _: lambda *where: reports.append(where))
    worked_off(second)
    stages = ["starting", "embedding", "comparison", "creating the index", "indexing"]
    assert [stage for stage, done, total in reports if done == 0] == stages
    assert ("indexing", len(shop), len(shop)) in reports


def test_what_waits_is_indexed_too_where_no_server_does_it(shop, second):
    worked_off(second)
    assert set(states(second).values()) == {ImageEmbedding.State.INDEXED}


def test_what_cannot_be_compared_is_activated_without(version, add_photo, second):
    add_photo()
    indexing.process_outbox()
    job = worked_off(second)
    assert job.result == {"encoder": "all-v2", "points": 1, "failed": 0, "comparison": None}


def test_one_that_is_worse_fails_with_the_figures_and_the_live_one_goes_on(version, shop, dull):
    job = worked_off(dull)
    assert job.state == State.FAILED
    assert "all-v2 finds the catalogue's categories worse than all-v1: mAP 0." in job.error
    assert active() == version


def test_one_that_is_worse_is_activated_where_that_was_asked_for(shop, dull):
    assert worked_off(dull, allow_worse=True).state == State.SUCCEEDED
    assert active() == dull


def test_a_version_that_is_gone_meanwhile_fails(version, second):
    job = submit_activation(second)
    Job.objects.update(state=State.RUNNING, heartbeat_at=timezone.now())
    second.delete()
    call_command("activate_encoder", job=job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "there is no encoder version 'all-v2'; there is: all-v1")


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (IndexUnavailable("the index /srv/shop/index/all-v2-g1 cannot be made"), "the index all-v2-g1 cannot be made"),
        (OSError(28, "No space left on device"), "cannot read or write its files: there is no room left"),
    ],
)
def test_trouble_fails_with_its_reason_and_nothing_is_switched(version, shop, second, monkeypatch, trouble, message):
    def fail(*_: Any, **__: Any) -> None:
        raise trouble

    monkeypatch.setattr(get_vector_index(), "ensure", fail)
    job = worked_off(second)
    assert job.state == State.FAILED
    assert message in job.error
    assert active() == version


def test_without_a_job_a_version_has_to_be_named(version):
    with pytest.raises(CommandError, match="Which version"):
        call_command("activate_encoder")


def test_a_cancelled_activation_is_not_being_built_any_more(version, second):
    job = submit_activation(second)
    Job.objects.update(state=State.RUNNING, started_at=timezone.now(), heartbeat_at=timezone.now())
    generations.begin_build(second)
    # A build of another version goes on.
    generations.begin_build(version)

    cancel(job.pk)

    second.refresh_from_db()
    version.refresh_from_db()
    assert (second.rebuilding, version.rebuilding) == (False, True)
