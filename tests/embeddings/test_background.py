"""Indexing without a broker: a thread of the server, or the end of a command."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from kombu.exceptions import OperationalError

from catalog.models import Product
from catalog.services import remove_images
from embeddings import background, generations, indexing, outbox, receivers, tasks, versions
from embeddings.backends import get_vector_index
from embeddings.background import OutboxThread, OutboxWork, process_pending_outbox, wake_outbox
from embeddings.errors import EncoderMismatch, IndexLocked
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, VerificationRequest
from embeddings.registry import registry
from embeddings.vector_index.edge import EdgeVectorIndex
from jobs.background import JobThreads, start_job_threads
from jobs.process import process
from tests.embeddings.conftest import points, states

State = ImageEmbedding.State


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


class TestACommand:
    def test_indexes_at_its_end_what_it_brought_in(self, version, add_photo, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            image = add_photo()
        assert states(version) == {image.pk: State.PENDING}
        process_pending_outbox()
        assert states(version) == {image.pk: State.INDEXED}

    def test_that_changed_nothing_leaves_the_outbox_alone(self, version, add_photo):
        image = add_photo()
        process_pending_outbox()
        assert states(version) == {image.pk: State.PENDING}

    @pytest.mark.parametrize(
        ("trouble", "said"),
        [
            (IndexLocked("held"), "1 photos are pending: a running server holds the index"),
            (EncoderMismatch("made by another model"), "1 photos are pending: made by another model"),
        ],
    )
    def test_that_cannot_index_says_so_and_leaves_the_rows(
        self, version, add_photo, monkeypatch, caplog, trouble, said
    ):
        def fail(**_: object) -> None:
            raise trouble

        image = add_photo()
        wake_outbox()
        monkeypatch.setattr(background, "process_outbox", fail)
        with caplog.at_level(logging.WARNING):
            process_pending_outbox()
        assert said in caplog.text
        assert states(version) == {image.pk: State.PENDING}


@pytest.mark.usefixtures("edge")
class TestACommandThatPutAnotherVersionIntoUse:
    @pytest.fixture
    def activated(self, version, add_photo, monkeypatch) -> EncoderVersion:
        monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)
        add_photo()
        indexing.process_outbox()
        get_vector_index().close()
        new = versions.create_version(version.collection, "counting")
        activated = versions.activate(new).version
        # What came after the index was built is left to do.
        ImageEmbedding.objects.filter(version=activated).mark_to_upsert()
        return activated

    @pytest.fixture
    def server(self, settings) -> Iterator[EdgeVectorIndex]:
        """Another process with the same index."""
        index = EdgeVectorIndex(settings.VECTOR_INDEX["OPTIONS"]["path"])
        yield index
        index.close()

    def test_leaves_its_index_to_a_server_that_has_not_noticed_yet(self, version, activated, server, caplog):
        server.claim()
        server.retrieve(version.index_collection().name, [0])
        wake_outbox()
        process_pending_outbox()
        assert "1 photos are pending: a running server holds the index" in caplog.text
        assert set(states(activated).values()) == {State.EMBEDDED}
        # And the server finds it free.
        assert len(server.retrieve(activated.index_collection().name, states(activated))) == 1

    def test_indexes_what_is_left_where_no_server_runs(self, version, activated, server):
        wake_outbox()
        process_pending_outbox()
        assert set(states(activated).values()) == {State.INDEXED}
        # Nor does the command keep the index to itself when it has ended.
        get_vector_index().close()
        server.claim()


@pytest.mark.django_db(transaction=True)
class TestTheThread:
    @pytest.fixture
    def version(self, transactional_db: None, request: pytest.FixtureRequest) -> EncoderVersion:
        versions.ensure_default_collection()
        found: EncoderVersion = request.getfixturevalue("version_of_all")
        return found

    @pytest.fixture
    def thread(self, version: EncoderVersion, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutboxThread]:
        monkeypatch.setattr(background, "POLL_S", 0.05)
        thread = OutboxThread()
        yield thread
        if thread.is_alive():
            thread.stop()

    def test_works_off_rows_that_other_processes_left(self, version, thread, add_photo):
        left = add_photo()
        thread.start()
        wait_until(lambda: states(version) == {left.pk: State.INDEXED})
        later = add_photo()
        wait_until(lambda: states(version) == {left.pk: State.INDEXED, later.pk: State.INDEXED})
        remove_images([left.pk])
        wait_until(lambda: states(version) == {later.pk: State.INDEXED})
        assert points(version).keys() == {later.pk}

    def test_verifies_the_index_for_a_process_that_waits(self, version, thread, add_photo):
        add_photo()
        indexing.process_outbox()
        Product.objects.update(available=False)
        request = VerificationRequest.objects.create(version=version)
        thread.start()
        wait_until(lambda: VerificationRequest.objects.get(pk=request.pk).finished_at is not None)
        request.refresh_from_db()
        assert (request.missing, request.stale, request.orphaned, request.error) == (0, 1, 0, "")

    def test_says_why_it_could_not_verify_the_index(self, version, thread, monkeypatch):
        other = versions.create_version(version.collection, "counting")
        request = VerificationRequest.objects.create(version=other)
        thread.start()
        wait_until(lambda: VerificationRequest.objects.get(pk=request.pk).finished_at is not None)
        assert VerificationRequest.objects.get(pk=request.pk).error == "all-v2 is no longer the active version"

    def test_survives_errors_and_logs_them_once(self, version, thread, add_photo, monkeypatch, caplog):
        real, calls = background.process_outbox, []

        def locked_at_first() -> Any:
            calls.append(1)
            if len(calls) < 4:
                raise IndexLocked("held by another process")
            return real()

        monkeypatch.setattr(background, "process_outbox", locked_at_first)
        image = add_photo()
        thread.start()
        wait_until(lambda: states(version) == {image.pk: State.INDEXED})
        assert caplog.text.count("held by another process") == 1

    def test_outlives_an_error_that_nobody_foresaw(self, version, thread, add_photo, monkeypatch, caplog):
        real, calls = background.process_outbox, []

        def fail_at_first() -> Any:
            calls.append(1)
            if len(calls) == 1:
                raise RuntimeError("unforeseen")
            return real()

        monkeypatch.setattr(background, "process_outbox", fail_at_first)
        image = add_photo()
        thread.start()
        wait_until(lambda: states(version) == {image.pk: State.INDEXED})
        assert "unforeseen" in caplog.text

    def test_lets_go_of_a_generation_that_was_replaced_but_not_at_once(self, version, thread, monkeypatch):
        monkeypatch.setattr(background, "GRACE_S", 0.2)
        monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)
        closed: list[str] = []
        index = get_vector_index()
        monkeypatch.setattr(index, "close", closed.append)
        former, former_texts = version.index_collection().name, version.text_collection().name
        thread.start()
        wait_until(lambda: index.exists(former))
        # As another process does it.
        EncoderVersion.objects.filter(pk=version.pk).update(index_generation=2)
        wait_until(lambda: index.exists(version.index_collection(2).name))
        wait_until(lambda: {*closed} == {former, former_texts})


class TestWithABroker:
    @pytest.fixture(autouse=True)
    def asked_not_yet(self):
        registry.clear()

    def test_one_that_is_away_is_asked_once_and_again_after_a_pause(self, monkeypatch, caplog):
        asked: list[list[int]] = []

        def refuse(ids: list[int]) -> None:
            asked.append(ids)
            raise OperationalError("connection refused")

        monkeypatch.setattr(tasks.sync_images, "delay", refuse)
        for image_id in range(5):
            tasks.dispatch_indexing([image_id])
        assert asked == [[0]]
        assert caplog.text.count("the broker is unavailable (connection refused)") == 1
        monkeypatch.setattr(tasks, "BROKER_RETRY_AFTER_S", 0)
        tasks.dispatch_indexing([5])
        assert asked == [[0], [5]]

    def test_a_change_sends_ids_to_the_workers_once_it_is_committed(
        self, version, settings, monkeypatch, django_capture_on_commit_callbacks, add_photo
    ):
        sent: list[list[int]] = []
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(tasks.sync_images, "delay", sent.append)
        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            image = add_photo()
            assert sent == []
        assert len(callbacks) == 1
        assert sent == [[image.pk]]

    def test_many_ids_are_sent_in_messages_of_a_bounded_size(self, settings, monkeypatch):
        sent: list[list[int]] = []
        monkeypatch.setattr(tasks.sync_images, "delay", sent.append)
        tasks.dispatch_indexing(range(600))
        assert [len(ids) for ids in sent] == [256, 256, 88]

    def test_all_that_waits_is_asked_for_without_ids(
        self, settings, monkeypatch, django_capture_on_commit_callbacks, db
    ):
        asked: list[float] = []
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(tasks.reconcile, "delay", asked.append)
        with django_capture_on_commit_callbacks(execute=True):
            receivers.dispatch_indexing(None)
        assert asked == [0]

    def test_the_server_starts_no_thread_of_its_own(self, settings, monkeypatch):
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        background.start_outbox_thread()
        start_job_threads()
        assert process.get(OutboxWork).threads == []
        assert not process.get(JobThreads).threads

    def test_a_photo_to_embed_is_passed_on_and_the_rest_is_done_at_once(self, version, add_photo, monkeypatch):
        new, changed, gone = add_photo(), add_photo(), add_photo()
        tasks.embed_images([changed.pk, gone.pk])
        outbox.enqueue_products([changed.product_id])
        outbox.enqueue_removals([gone.pk])
        passed_on: list[list[int]] = []
        monkeypatch.setattr(tasks.embed_images, "delay", passed_on.append)
        tasks.sync_images([new.pk, changed.pk, gone.pk])
        assert states(version) == {new.pk: State.PENDING, changed.pk: State.INDEXED}
        assert passed_on == [[new.pk]]
        tasks.embed_images(*passed_on)
        assert states(version)[new.pk] == State.INDEXED

    def test_the_first_of_many_messages_does_the_work_of_the_rest(self, version, add_photo, monkeypatch):
        photos = [add_photo() for _ in range(5)]
        tasks.embed_images([photo.pk for photo in photos])
        outbox.enqueue_products([photo.product_id for photo in photos])
        monkeypatch.setattr(tasks, "SYNC_BATCH_SIZE", 4)
        tasks.sync_images([photos[4].pk])
        assert states(version) == {photo.pk: State.INDEXED for photo in photos} | {photos[3].pk: State.OUTDATED}
        tasks.sync_images([photos[0].pk])
        assert states(version)[photos[3].pk] == State.OUTDATED
        tasks.sync_images([photos[3].pk])
        assert State.OUTDATED not in states(version).values()

    def test_the_periodic_task_sends_again_what_has_waited_for_long(self, version, settings, add_photo, monkeypatch):
        lost, fresh, due, tried = (add_photo() for _ in range(4))
        rows = ImageEmbedding.objects.filter(version=version)
        long_ago = timezone.now() - timedelta(seconds=settings.MESSAGE_LOST_AFTER_S + 1)
        rows.filter(image_id=lost.pk).update(changed_at=long_ago)
        rows.filter(image_id=due.pk).update(attempts=1, changed_at=timezone.now() - timedelta(seconds=11))
        rows.filter(image_id=tried.pk).update(attempts=1)
        sent: list[list[int]] = []
        monkeypatch.setattr(tasks.sync_images, "delay", sent.append)
        tasks.reconcile()
        assert sent == [[lost.pk, due.pk]]
        tasks.reconcile(0)
        assert sent[1] == [lost.pk, fresh.pk, due.pk]


def test_a_fresh_database_gets_its_first_collection(db):
    Collection.objects.all().update(active_version=None)
    EncoderVersion.objects.all().delete()
    Collection.objects.all().delete()
    receivers.on_migrated(app_config=type("AppConfig", (), {"label": "embeddings"}))
    collection = Collection.objects.get()
    assert collection.slug == "all"
    assert collection.active_version is not None
    assert collection.active_version.encoder == "bundled"
