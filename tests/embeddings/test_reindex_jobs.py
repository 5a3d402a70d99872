"""Reindexes and searches for near-duplicates that somebody waits for, and what the admin keeps of a reindex by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from catalog.models import DuplicatePair, Product
from embeddings import generations, indexing, verification
from embeddings import tasks as tasks_of_photos
from embeddings.backends import get_vector_index
from embeddings.errors import IndexUnavailable
from embeddings.management.commands import reindex as reindex_command
from embeddings.models import Collection, ImageEmbedding, VerificationRequest
from embeddings.submissions import submit_duplicate_search, submit_reindex, submit_verification
from embeddings.vector_index.edge import EdgeVectorIndex
from jobs import execution, tasks
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.services import cancel
from tests.embeddings.conftest import points, states
from tests.memory_index import MemoryVectorIndex

State = Job.State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No owner whose end would end this process, and no other process that asks."""
    monkeypatch.setattr(execution, "attach_to_runner", lambda job: execution.ProgressReporter(job)("starting", 0, 0))
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)


def worked_off(job: Job) -> Job:
    Job.objects.update(state=State.RUNNING, started_at=timezone.now(), heartbeat_at=timezone.now())
    call_command(job.registered_kind.command, job=job.pk)
    return Job.objects.get(pk=job.pk)


class TestAReindex:
    def test_rebuilds_the_index_and_reports_its_progress(self, version, add_photo):
        images = [add_photo() for _ in range(3)]
        job = worked_off(submit_reindex(version.collection))
        assert (job.state, job.error) == (State.SUCCEEDED, "")
        assert job.result == {"encoder": version.label, "points": 3, "failed": 0}
        assert (job.stage, job.done, job.total) == ("indexing", 3, 3)
        version.refresh_from_db()
        assert points(version).keys() == {image.pk for image in images}
        assert set(states(version).values()) == {ImageEmbedding.State.INDEXED}

    def test_says_what_it_waits_for_while_a_server_creates_collections(self, version, add_photo, index, monkeypatch):
        add_photo()
        reports: list[tuple[str, int, int]] = []
        monkeypatch.setattr(execution, "ProgressReporter", lambda _: lambda *where: reports.append(where))
        ensure, said_before = index.ensure, []

        def slowly(*arguments: Any, **options: Any) -> None:
            said_before.append(reports[-1])
            ensure(*arguments, **options)

        monkeypatch.setattr(index, "ensure", slowly)
        worked_off(submit_reindex(version.collection))
        assert said_before[:2] == [("creating the index", 0, 2), ("creating the index", 1, 2)]
        assert reports[reports.index(said_before[1]) + 1] == ("creating the index", 2, 2)

    def test_is_submitted_for_an_index_that_lacks_a_field_and_again_an_hour_later(
        self, version, add_photo, monkeypatch, caplog
    ):
        photo = add_photo()
        tasks_of_photos.reconcile()
        assert not Job.objects.exists()
        monkeypatch.setattr(MemoryVectorIndex, "missing_fields", lambda *_: frozenset({"currency"}))
        tasks_of_photos.reconcile()
        tasks_of_photos.reconcile()
        job = Job.objects.get()
        assert (job.kind, job.collection, job.state) == ("reindex", version.collection.slug, State.QUEUED)
        assert "the index of all is rebuilt, as it was made before: currency" in caplog.text
        assert worked_off(job).state == State.SUCCEEDED
        version.refresh_from_db()
        assert points(version).keys() == {photo.pk}
        tasks_of_photos.reconcile()
        assert Job.objects.count() == 1
        Job.objects.update(created_at=timezone.now() - timedelta(minutes=61))
        tasks_of_photos.reconcile()
        assert Job.objects.count() == 2

    @pytest.mark.parametrize("is_made_anew", [False, True])
    def test_is_submitted_for_an_index_that_was_lost(self, version, encoder, add_photo, caplog, is_made_anew):
        photos = {add_photo().pk for _ in range(3)}
        indexing.process_outbox()
        get_vector_index().drop(version.index_collection().name)
        if is_made_anew:
            # As by the first change of a product after it.
            get_vector_index().ensure(version.index_collection())

        tasks_of_photos.reconcile()
        tasks_of_photos.reconcile()

        job = Job.objects.get()
        reason = "it has 0 points and should have 3" if is_made_anew else "it is gone"
        assert f"the index of all is rebuilt, as {reason}" in caplog.text
        assert worked_off(job).state == State.SUCCEEDED
        version.refresh_from_db()
        assert points(version).keys() == photos
        assert encoder.encoded == 3

    def test_that_cannot_be_done_says_why(self, version, add_photo, monkeypatch):
        def fail(*_: object, **__: object) -> int:
            raise IndexUnavailable("the index is away")

        monkeypatch.setattr(reindex_command, "build_generation", fail)
        job = worked_off(submit_reindex(version.collection))
        assert (job.state, job.error) == (State.FAILED, "the index is away")

    def test_one_at_a_time_for_each_collection_beside_other_jobs(self, version):
        submit_duplicate_search()
        first = submit_reindex(version.collection)
        with pytest.raises(JobInProgress, match="a reindex for 'all' is under way"):
            submit_reindex(version.collection)
        cancel(first.pk)
        submit_reindex(version.collection)

    def test_never_waits_for_a_training(self, version, settings, monkeypatch, django_capture_on_commit_callbacks):
        sent: list[str] = []
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(tasks.run_job, "delay", sent.append)
        with django_capture_on_commit_callbacks(execute=True):
            job = submit_reindex(version.collection)
        assert sent == [str(job.pk)]

    @pytest.mark.parametrize("mode", [(), ("--rebuild",)])
    def test_by_hand_is_kept_as_one_that_has_succeeded(self, version, add_photo, mode):
        add_photo()
        call_command("reindex", *mode)
        job = Job.objects.get()
        assert (job.kind, job.state, job.done, job.collection) == ("reindex", State.SUCCEEDED, 1, "all")
        assert job.started_at is not None
        assert job.finished_at is not None
        assert job.started_at <= job.finished_at


def test_a_search_for_near_duplicates_reports_its_result(version, add_photo):
    for _ in range(2):
        add_photo()
    indexing.process_outbox()
    job = worked_off(submit_duplicate_search())
    assert (job.state, job.error) == (State.SUCCEEDED, "")
    assert job.result is not None
    assert job.result["photos"] == 2
    assert job.result["pairs"] == DuplicatePair.objects.count()


class TestInTheAdmin:
    @pytest.fixture
    def admin(self, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
        return client

    def test_collections_are_reindexed_from_their_list(self, version, admin):
        data = {"action": "reindex", "_selected_action": [version.collection_id]}
        page = admin.post(reverse("admin:embeddings_collection_changelist"), data, follow=True)
        job = Job.objects.get()
        assert (job.kind, job.collection) == ("reindex", "all")
        assert reverse("admin:jobs_job_change", args=[job.pk]) in page.content.decode()
        again = admin.post(reverse("admin:embeddings_collection_changelist"), data, follow=True)
        assert "is under way" in again.content.decode()

    def test_by_nobody_who_may_only_look(self, version, client):
        viewer = User.objects.create_user("viewer", is_staff=True)
        viewer.user_permissions.add(Permission.objects.get(codename="view_collection"))
        client.force_login(viewer)
        data = {"action": "reindex", "_selected_action": [version.collection_id]}
        client.post(reverse("admin:embeddings_collection_changelist"), data)
        assert not Job.objects.exists()

    def test_near_duplicates_are_looked_for_by_a_button(self, version, admin):
        page = admin.get(reverse("admin:catalog_duplicatepair_changelist"))
        assert "Search for near-duplicates" in page.content.decode()
        assert admin.get(reverse("admin:catalog_duplicatepair_search")).status_code == 405
        page = admin.post(reverse("admin:catalog_duplicatepair_search"), follow=True)
        assert "The search for near-duplicates has started." in page.content.decode()
        assert Job.objects.get().kind == "duplicates"
        page = admin.post(reverse("admin:catalog_duplicatepair_search"), follow=True)
        assert "is under way" in page.content.decode()

    def test_the_overview_shows_the_last_reindex_with_its_pace(self, version, add_photo, admin):
        add_photo()
        call_command("reindex")
        page = admin.get(reverse("admin:index")).content.decode()
        assert f"Reindex: {Collection.objects.get()}" in page


class TestAVerification:
    def test_reports_what_it_found_and_repaired(self, version, add_photo):
        gone, changed = add_photo(), add_photo()
        indexing.process_outbox()
        get_vector_index().delete(version.index_collection().name, [gone.pk])
        Product.objects.filter(pk=changed.product_id).update(available=False)
        job = worked_off(submit_verification(version.collection))
        assert (job.state, job.error) == (State.SUCCEEDED, "")
        assert job.result == {"encoder": "all-v1", "missing": 1, "stale": 1, "orphaned": 0}
        assert points(version).keys() == {gone.pk, changed.pk}

    def test_by_hand_is_kept_for_the_admin(self, version, add_photo):
        add_photo()
        indexing.process_outbox()
        call_command("reindex", "--verify")
        job = Job.objects.get(kind="verify")
        assert job.state == State.SUCCEEDED
        assert job.result == {"encoder": "all-v1", "missing": 0, "stale": 0, "orphaned": 0}

    @pytest.mark.usefixtures("edge")
    def test_is_done_here_once_the_process_that_held_the_index_has_ended(self, version, add_photo, settings):
        add_photo()
        indexing.process_outbox()
        get_vector_index().close()
        holder = EdgeVectorIndex(settings.VECTOR_INDEX["OPTIONS"]["path"])
        holder.claim()
        waited: list[int] = []

        def on_progress(stage: str, done: int, total: int) -> None:
            waited.append(VerificationRequest.objects.filter(finished_at=None).count())
            holder.close()

        assert verification.verify(version, on_progress) == verification.VerificationReport(0, 0, 0)
        assert waited[0] == 1
        assert not VerificationRequest.objects.exists()
