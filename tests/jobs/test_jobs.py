"""Jobs: submitted, run in a child process, reported, and ended once; with stand-ins for the process that trains."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery.exceptions import Reject, Retry
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError as DatabaseAway
from django.db import connection, connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError
from prometheus_client import REGISTRY

from accounts.models import User
from embeddings.errors import UnknownCollection, UnusablePhotos
from embeddings.models import Collection, EncoderVersion
from embeddings.submissions import submit_activation, submit_reindex
from jobs import background, execution, files, leases, runner, services, tasks
from jobs.background import JobThread
from jobs.errors import JobEnded, JobInProgress, JobNotFound
from jobs.execution import ProgressReporter
from jobs.leases import Lease
from jobs.models import Job
from jobs.process import process
from jobs.registry import kinds
from jobs.runner import Runner, RunResult
from jobs.storage import StorageFull
from lookalike.celery import app
from product_files.containers.archives import ArchiveRejected
from tests.factories import CollectionFactory, EncoderVersionFactory
from tests.zips import PHOTOS, packed, said_size
from training import submissions
from training.errors import TrainingUnavailable
from training.submissions import submit_training

State = Job.State
REPORTS = """
import django, sys
django.setup()
from jobs import execution, files
from jobs.models import Job
job = Job.objects.get(pk=sys.argv[1])
execution.attach_to_runner(job)
"""
SLEEPS = "import time; time.sleep(60)"


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def submit(slug: str = "all", content: bytes | None = None, **parameters: Any) -> Job:
    upload = io.BytesIO(packed() if content is None else content)
    return submit_training(slug, upload, parameters)


def active_version() -> EncoderVersion:
    version = Collection.objects.select_related("active_version__collection").get(slug="all").active_version
    assert version is not None
    return version


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def read_upload(job: Job) -> bytes:
    with files.open_upload(job) as file:
        return file.read()


def kept() -> list[Path]:
    """What lies in the folder of uploads."""
    root = Path(settings.UPLOADS_ROOT)
    return list(root.iterdir()) if root.exists() else []


@pytest.fixture(autouse=True)
def calm(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No broker, and no waiting about."""
    settings.CELERY_BROKER_URL = ""
    monkeypatch.setattr(runner, "POLL_S", 0.05)
    monkeypatch.setattr(runner, "TERMINATE_GRACE_S", 0.5)
    monkeypatch.setattr(submissions, "find_spec", lambda _: object())
    yield


@pytest.fixture
def child_runs(monkeypatch: pytest.MonkeyPatch, uploads_root: Path) -> Callable[[str], None]:
    """Has jobs run this program instead of manage.py; it gets the job's id and finds the tests' database."""
    where = connection.settings_dict
    name = f"sqlite:///{where['NAME']}"
    if connection.vendor == "postgresql":
        name = f"postgres://{where['USER']}:{where['PASSWORD']}@{where['HOST']}:{where['PORT']}/{where['NAME']}"
    monkeypatch.setenv("DATABASE_URL", name)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "lookalike.settings")
    monkeypatch.setenv("UPLOADS_ROOT", str(uploads_root))

    def use(program: str) -> None:
        monkeypatch.setattr(runner, "_command", lambda job: [sys.executable, "-c", program, str(job.pk)])

    return use


@pytest.mark.django_db
class TestAJobComesIn:
    def test_with_its_archive_and_what_was_asked_for(self, uploads_root):
        job = submit(loss="triplet", margin=0.3, activate=True)
        assert (job.state, job.kind, job.collection) == (State.QUEUED, "train", "all")
        assert job.parameters == {"loss": "triplet", "margin": 0.3, "backbone": "bundled", "activate": True}
        assert read_upload(job) == packed()
        assert kept() == [uploads_root / job.upload]

    def test_from_an_upload_in_memory(self):
        job = submit_training("all", SimpleUploadedFile("photos.zip", packed()), {})
        assert read_upload(job) == packed()

    def test_below_one_folder_that_everything_lies_in(self):
        assert submit(content=packed({f"shop/{name}": content for name, content in PHOTOS.items()})).upload

    def test_for_a_collection_that_has_no_encoder_yet(self):
        CollectionFactory.create(slug="food")
        assert submit("food").collection == "food"

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"", ArchiveRejected),
            (b"not a zip", ArchiveRejected),
            (said_size(packed(), 10), ArchiveRejected),
            (packed({"../1.jpg": b"x"}), ArchiveRejected),
            (packed({"1.jpg": b"x", "2.jpg": b"y"}), UnusablePhotos),
            (packed({f"mugs/{number}.jpg": b"x" for number in range(9)}), UnusablePhotos),
            (packed({"mugs/1.jpg": b"x", "mugs/2.jpg": b"x", "hats/1.jpg": b"x"}), UnusablePhotos),
            (packed({"mugs/1.txt": b"x", "mugs/2.txt": b"x", "hats/1.pdf": b"x", "hats/2.zip": b"x"}), UnusablePhotos),
        ],
    )
    def test_or_is_refused_and_leaves_nothing_behind(self, content, error):
        with pytest.raises(error):
            submit(content=content)
        assert (Job.objects.count(), kept()) == (0, [])

    def test_no_larger_than_allowed(self, settings):
        settings.TRAIN_ARCHIVE_MAX_BYTES = 1000
        with pytest.raises(ArchiveRejected, match="larger than 1,000 bytes"):
            submit()
        assert kept() == []

    def test_for_no_collection_that_there_is_not(self):
        with pytest.raises(UnknownCollection, match="there is: all"):
            submit("nope")
        assert kept() == []

    def test_one_at_a_time_for_each_collection(self):
        first = submit()
        with pytest.raises(JobInProgress):
            submit()
        assert kept() == [Path(settings.UPLOADS_ROOT, first.upload)]
        CollectionFactory.create(slug="food")
        submit("food")
        services.cancel(first.pk)
        submit()

    def test_one_alone_where_two_come_at_the_same_time(self, monkeypatch):
        first = submit()
        expected, real = [], submissions.check_training_allowed

        def too_early(slug: str) -> Collection:
            expected.append(slug)
            return Collection.objects.get(slug=slug) if len(expected) == 1 else real(slug)

        monkeypatch.setattr(submissions, "check_training_allowed", too_early)
        with pytest.raises(JobInProgress):
            submit()
        assert Job.objects.get() == first
        assert kept() == [Path(settings.UPLOADS_ROOT, first.upload)]

    def test_nowhere_that_cannot_train(self, settings, monkeypatch):
        monkeypatch.setattr(submissions, "find_spec", lambda _: None)
        with pytest.raises(TrainingUnavailable, match="make setup"):
            submit()
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        assert submit().state == State.QUEUED

    def test_and_leaves_nothing_behind_where_the_disk_is_full(self, monkeypatch):
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(StorageFull, match="no room left on the disk: free some"):
            submit()
        assert (Job.objects.count(), kept()) == (0, [])


@pytest.mark.django_db
class TestAnActivationComesIn:
    def test_with_the_version_and_whether_it_may_be_worse(self):
        job = submit_activation(active_version())
        assert (job.kind, job.state, job.collection, job.upload) == ("activate", State.QUEUED, "all", "")
        assert job.parameters == {"version": "all-v1", "allow_worse": False}
        services.cancel(job.pk)
        assert submit_activation(active_version(), allow_worse=True).parameters["allow_worse"]

    def test_one_at_a_time_for_each_collection(self):
        first = submit_activation(active_version())
        with pytest.raises(JobInProgress, match="an activation for 'all' is under way"):
            submit_activation(active_version())
        services.cancel(first.pk)
        submit_activation(active_version())

    def test_beside_a_training(self):
        submit()
        assert submit_activation(active_version()).state == State.QUEUED

    def test_and_is_called_for_like_any_other(self, settings, monkeypatch, django_capture_on_commit_callbacks):
        sent: list[str] = []
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(tasks.run_training, "delay", sent.append)
        with django_capture_on_commit_callbacks(execute=True):
            job = submit_activation(active_version())
        assert sent == [str(job.pk)]


@pytest.mark.django_db
class TestWhoeverWorks:
    @pytest.fixture
    def job(self) -> Job:
        job = submit()
        Job.objects.update(state=State.RUNNING, heartbeat_at=timezone.now())
        return job

    def test_reports_its_progress(self, job):
        ProgressReporter(job)("training", 3, 20)
        assert (now(job).stage, now(job).done, now(job).total) == ("training", 3, 20)

    def test_is_written_down_seldom_but_at_a_new_stage_and_at_the_end(self, job, django_assert_num_queries):
        report = ProgressReporter(job)
        report("unpacking", 0, 1000)
        with django_assert_num_queries(0):
            for done in range(1, 1000):
                report("unpacking", done, 1000)
        report("unpacking", 1000, 1000)
        assert now(job).done == 1000
        report("training", 0, 20)
        assert now(job).stage == "training"

    def test_ends_a_job_once(self, job):
        assert execution.succeed(job, {"encoder": "all-v2"})
        assert not execution.fail(job, "too late")
        ProgressReporter(job)("training", 9, 20)
        with pytest.raises(JobEnded, match="it succeeded"):
            services.cancel(job.pk)
        ended = now(job)
        assert (ended.state, ended.result, ended.error, ended.done) == (State.SUCCEEDED, {"encoder": "all-v2"}, "", 0)
        assert ended.finished_at is not None

    def test_has_done_it_for_nothing_once_it_is_cancelled(self, job):
        services.cancel(job.pk)
        assert not execution.succeed(job, {})
        assert not execution.fail(job, "too late")
        assert now(job).state == State.CANCELLED

    @pytest.mark.parametrize(
        ("reason", "message"),
        [
            ("the index {root}/index/all-v2-g1 cannot be made", "the index all-v2-g1 cannot be made"),
            ("no file /srv/models/a.tflite or b.tflite", "no file a.tflite or b.tflite"),
            ("mAP 0.5 against 0.7; 3/4 of them", "mAP 0.5 against 0.7; 3/4 of them"),
        ],
    )
    def test_errors_show_no_paths_of_the_server(self, job, reason, message):
        execution.fail(job, reason.format(root=settings.DATA_DIR))
        assert now(job).error == message

    def test_cannot_cancel_what_there_is_not(self):
        with pytest.raises(JobNotFound):
            services.cancel(uuid4())


def test_a_queued_job_is_cancelled_at_once(db):
    job = services.cancel(submit().pk)
    assert (job.state, job.upload) == (State.CANCELLED, "")
    assert kept() == []
    assert runner.run(job.pk) is RunResult.FINISHED


def test_the_command_is_that_of_the_kind(db):
    job = submit()
    command = runner._command(job)
    assert command[0] == sys.executable
    assert Path(command[1]).name == "manage.py"
    assert command[2:] == ["train", "--job", str(job.pk), "--skip-checks"]
    activation = submit_activation(active_version())
    assert runner._command(activation)[2:5] == ["activate_encoder", "--job", str(activation.pk)]


@pytest.mark.django_db(transaction=True)
class TestAJobRuns:
    @pytest.fixture(autouse=True)
    def collection(self, transactional_db: None) -> None:
        CollectionFactory.create(slug="all")

    def test_in_a_child_process_that_reports_progress_and_succeeds(self, child_runs):
        child_runs(f"""{REPORTS}
assert files.has_upload(job)
execution.ProgressReporter(job)("training", 20, 20)
execution.succeed(job, {{"encoder": "all-v2"}})
""")
        job = submit()
        assert runner.run(job.pk) is RunResult.FINISHED
        ended = now(job)
        assert (ended.state, ended.stage, ended.result) == (State.SUCCEEDED, "training", {"encoder": "all-v2"})
        assert (ended.upload, kept()) == ("", [])
        assert ended.started_at is not None
        assert ended.finished_at is not None

    def test_and_fails_for_the_reason_that_the_process_gives(self, child_runs):
        child_runs(f"{REPORTS}\nexecution.fail(job, 'the loss is no number any more')\nsys.exit(1)")
        job = submit()
        runner.run(job.pk)
        assert (now(job).state, now(job).error) == (State.FAILED, "the loss is no number any more")
        assert kept() == []

    @pytest.mark.parametrize(("end", "result"), [("succeed(job, {})", "succeeded"), ("fail(job, 'no')", "failed")])
    def test_and_is_counted_by_its_result(self, child_runs, end, result):
        def counted() -> list[float]:
            labels = {"kind": "train"}
            ended = REGISTRY.get_sample_value("lookalike_jobs_total", {**labels, "result": result})
            return [ended or 0, REGISTRY.get_sample_value("lookalike_job_seconds_count", labels) or 0]

        before = counted()
        child_runs(f"{REPORTS}\nexecution.{end}")
        runner.run(submit().pk)
        assert counted() == [count + 1 for count in before]

    @pytest.mark.parametrize(
        ("program", "reason"),
        [
            ("import os; os.kill(os.getpid(), 9)", "killed (SIGKILL): most likely the machine has too little memory"),
            ("import os; os.kill(os.getpid(), 11)", "killed (SIGSEGV)"),
            ("import sys; sys.exit(3)", "ended unexpectedly, with status 3"),
            ("pass", "ended unexpectedly, with status 0"),
        ],
    )
    def test_and_fails_with_a_reason_if_the_process_reports_none(self, child_runs, program, reason):
        child_runs(program)
        job = submit()
        assert runner.run(job.pk) is RunResult.FINISHED
        assert now(job).state == State.FAILED
        assert reason in now(job).error
        assert (now(job).upload, kept()) == ("", [])

    def test_and_fails_where_the_process_cannot_be_started(self, monkeypatch):
        monkeypatch.setattr(runner, "_command", lambda _: ["/nowhere/python"])
        job = submit()
        runner.run(job.pk)
        assert "cannot be started" in now(job).error

    def test_without_an_archive_where_it_needs_none(self, child_runs):
        child_runs(f"{REPORTS}\nexecution.succeed(job, {{}})")
        version = EncoderVersionFactory.create(collection=Collection.objects.get(slug="all"), number=7)
        job = submit_activation(version)
        runner.run(job.pk)
        assert now(job).state == State.SUCCEEDED

    def test_without_an_archive_where_it_trains_on_the_catalogue(self, child_runs):
        child_runs(f"{REPORTS}\nexecution.succeed(job, {{}})")
        job = services.create_job("train", collection="all", parameters={"activate": False})
        runner.run(job.pk)
        assert now(job).state == State.SUCCEEDED

    def test_and_fails_where_its_archive_is_gone(self, child_runs):
        child_runs(SLEEPS)
        job = submit()
        files.delete_stored(job.upload)
        runner.run(job.pk)
        assert now(job).error == "what was sent is gone: send it again"

    def test_until_it_is_cancelled(self, child_runs, tmp_path):
        # One that will not end by being asked to.
        child_runs(f"""
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
time.sleep(60)
""")
        job = submit()
        running = in_a_thread(lambda: runner.run(job.pk))
        wait_until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        services.cancel(job.pk)
        running.join(20)
        assert not running.is_alive()
        assert not alive(int((tmp_path / "pid").read_text()))
        assert (now(job).state, now(job).upload, kept()) == (State.CANCELLED, "", [])

    def test_and_has_a_moment_to_clean_up_when_it_is_cancelled(self, child_runs, tmp_path):
        child_runs(f"""{REPORTS}
import pathlib, tempfile, time
with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}, prefix="unpacked-"):
    time.sleep(60)
""")
        job = submit()
        running = in_a_thread(lambda: runner.run(job.pk))
        wait_until(lambda: bool(list(tmp_path.glob("unpacked-*"))))
        services.cancel(job.pk)
        running.join(20)
        assert not list(tmp_path.glob("unpacked-*"))

    def test_until_its_collection_is_deleted(self, child_runs):
        child_runs(SLEEPS)
        job = submit()
        running = in_a_thread(lambda: runner.run(job.pk))
        wait_until(lambda: now(job).state == State.RUNNING)
        waiting = submit_reindex(Collection.objects.get(slug="all"))
        Collection.objects.all().delete()
        running.join(20)
        assert not running.is_alive()
        assert (now(job).state, now(waiting).state, kept()) == (State.CANCELLED, State.CANCELLED, [])

    def test_and_beats_as_long_as_it_does(self, child_runs, monkeypatch):
        monkeypatch.setattr(leases, "HEARTBEAT_S", 0.1)
        child_runs("import time; time.sleep(1)")
        job = submit()
        running = in_a_thread(lambda: runner.run(job.pk))
        wait_until(lambda: now(job).state == State.RUNNING)
        first = now(job).heartbeat_at
        wait_until(lambda: now(job).heartbeat_at != first)
        running.join(20)

    def test_in_one_process_at_a_time(self, child_runs):
        child_runs("import time; time.sleep(1)")
        job = submit()
        running = in_a_thread(lambda: runner.run(job.pk))
        wait_until(lambda: now(job).state == State.RUNNING)
        assert runner.run(job.pk) is RunResult.OWNED_BY_OTHER
        running.join(20)
        assert runner.run(job.pk) is RunResult.FINISHED

    def test_again_when_whoever_ran_it_fell_silent(self, child_runs):
        child_runs(f"{REPORTS}\nexecution.succeed(job, {{}})")
        job = submit()
        long_ago = timezone.now() - 2 * leases.LEASE_TIMEOUT
        Job.objects.update(state=State.RUNNING, heartbeat_at=long_ago, started_at=long_ago)
        assert runner.run_next_queued(["train"])
        assert now(job).state == State.SUCCEEDED
        assert now(job).started_at == long_ago

    def test_but_not_for_ever(self, child_runs):
        child_runs(SLEEPS)
        job = submit()
        long_ago = timezone.now() - 2 * runner.RETRY_DEADLINE
        Job.objects.update(state=State.RUNNING, heartbeat_at=long_ago, started_at=long_ago)
        runner.run(job.pk)
        assert "again and again" in now(job).error

    def test_for_nobody_who_lost_it_while_he_slept(self, child_runs):
        child_runs(SLEEPS)
        job = submit()
        running = in_a_thread(lambda: runner.run(job.pk))
        wait_until(lambda: now(job).state == State.RUNNING)
        Job.objects.update(heartbeat_at=timezone.now() + timedelta(seconds=1))
        running.join(20)
        assert not running.is_alive()
        assert now(job).state == State.RUNNING
        assert len(kept()) == 1

    def test_and_goes_back_into_the_queue_where_the_process_that_runs_it_ends(self, child_runs):
        child_runs(SLEEPS)
        job = submit()
        outcomes: list[RunResult] = []
        running = in_a_thread(lambda: outcomes.append(runner.run(job.pk)))
        wait_until(lambda: now(job).state == State.RUNNING)
        runner.requeue_running_jobs()
        running.join(20)
        assert outcomes == [RunResult.REQUEUED]
        assert (now(job).state, now(job).heartbeat_at) == (State.QUEUED, None)
        assert len(kept()) == 1
        assert runner.run(job.pk) is RunResult.OWNED_BY_OTHER

    def test_in_a_process_that_ends_with_the_one_that_started_it(self, child_runs, tmp_path):
        job = submit()
        Job.objects.update(state=State.RUNNING)
        pid = tmp_path / "pid"
        program = f"{REPORTS}\nimport os, pathlib\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n{SLEEPS}"
        owner = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {program!r}, {str(job.pk)!r}], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""
        process = subprocess.Popen([sys.executable, "-c", owner], cwd=settings.BASE_DIR)
        wait_until(lambda: pid.exists() and bool(pid.read_text()))
        child = int(pid.read_text())
        assert alive(child)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not alive(child))

    def test_though_the_answer_to_a_renewal_of_its_lease_is_lost(self, uploads_root):
        job = submit()
        lease = Lease.claim(job.pk)
        assert lease is not None

        def written_and_lost(execute: Any, *statement: Any) -> Any:
            execute(*statement)
            raise DatabaseAway("server closed the connection unexpectedly")

        for _ in range(2):
            with connection.execute_wrapper(written_and_lost), pytest.raises(DatabaseAway):
                lease.renew()
            assert lease.state() == State.RUNNING
        lease.renew()
        assert lease.state() == State.RUNNING
        assert Lease.claim(job.pk) is None
        # Another process that claims it after all is not taken for this one.
        Job.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - 2 * leases.LEASE_TIMEOUT)
        assert Lease.claim(job.pk) is not None
        assert lease.state() is None

    def test_through_a_database_that_is_away_for_a_while(self, child_runs, monkeypatch, caplog):
        child_runs("import time; time.sleep(0.5)")
        real, calls = leases.Lease.state, []

        def away_at_first(lease: Any) -> Any:
            calls.append(1)
            if len(calls) < 3:
                raise DatabaseAway("gone")
            return real(lease)

        monkeypatch.setattr(leases.Lease, "state", away_at_first)
        job = submit()
        assert runner.run(job.pk) is RunResult.FINISHED
        assert "does not answer" in caplog.text
        assert now(job).state == State.FAILED


@pytest.mark.django_db
def test_what_killed_processes_left_is_swept_away(uploads_root):
    job = submit()
    old = time.time() - 2 * files.UPLOAD_GRACE.total_seconds()
    for name in ("left.zip", "incoming-left.part", "fresh.part", "notes.txt"):
        (uploads_root / name).write_bytes(b"x")
    for name in ("left.zip", "incoming-left.part", "notes.txt", job.upload):
        os.utime(uploads_root / name, (old, old))
    files.delete_expired_files()
    assert {path.name for path in kept()} == {"fresh.part", "notes.txt", job.upload}


@pytest.mark.django_db(transaction=True)
class TestWithoutABroker:
    @pytest.fixture(autouse=True)
    def collection(self, transactional_db: None) -> None:
        CollectionFactory.create(slug="all")

    @pytest.fixture
    def thread(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobThread]:
        monkeypatch.setattr(background, "POLL_S", 0.05)
        thread = JobThread(kinds.names_in("train"))
        process.get(background.JobThreads).threads = [thread]
        yield thread
        if thread.is_alive():
            thread.requeue_and_stop()

    def test_the_threads_run_jobs_one_after_the_other(self, thread, child_runs):
        CollectionFactory.create(slug="food")
        child_runs("import time; time.sleep(0.3)")
        waiting = submit()
        thread.start()
        wait_until(lambda: now(waiting).ended)
        later, last = submit(), submit("food")
        seen = set()

        def done() -> bool:
            seen.add(Job.objects.filter(state=State.RUNNING).count())
            return now(later).ended and now(last).ended

        wait_until(done)
        assert max(seen) == 1
        wait_until(lambda: not kept())

    def test_a_job_that_another_process_runs_is_left_alone_and_nothing_starts_beside_it(self, thread, child_runs):
        child_runs(SLEEPS)
        CollectionFactory.create(slug="food")
        running, waiting = submit(), submit("food")
        Job.objects.filter(pk=running.pk).update(state=State.RUNNING, heartbeat_at=timezone.now())
        thread.start()
        time.sleep(0.3)
        assert now(waiting).state == State.QUEUED

    def test_what_takes_minutes_does_not_wait_for_what_takes_hours(self, thread, child_runs, monkeypatch):
        child_runs(SLEEPS)
        training = submit()
        thread.start()
        wait_until(lambda: now(training).state == State.RUNNING)
        reindex = submit_reindex(Collection.objects.get(slug="all"))
        other = JobThread(kinds.names_in("jobs"))
        other.start()
        wait_until(lambda: now(reindex).state == State.RUNNING)
        other.requeue_and_stop()

    def test_the_end_of_the_server_puts_the_job_back(self, thread, child_runs):
        child_runs(SLEEPS)
        job = submit()
        thread.start()
        wait_until(lambda: now(job).state == State.RUNNING)
        thread.requeue_and_stop()
        assert now(job).state == State.QUEUED

    def test_the_thread_outlives_trouble(self, thread, child_runs, monkeypatch, caplog):
        child_runs("pass")
        real, calls = runner.run_next_queued, []

        def fail_at_first(*args: Any, **options: Any) -> bool:
            calls.append(1)
            if len(calls) < 3:
                raise RuntimeError("unforeseen")
            return real(*args, **options)

        monkeypatch.setattr(runner, "run_next_queued", fail_at_first)
        job = submit()
        thread.start()
        wait_until(lambda: now(job).ended)
        assert "unforeseen" in caplog.text


@pytest.mark.django_db
class TestWithABroker:
    @pytest.fixture(autouse=True)
    def broker(self, settings: Any) -> None:
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    def test_a_job_is_sent_to_the_workers_once_it_is_committed(self, monkeypatch, django_capture_on_commit_callbacks):
        sent: list[str] = []
        monkeypatch.setattr(tasks.run_training, "delay", sent.append)
        with django_capture_on_commit_callbacks(execute=True):
            job = submit()
            assert sent == []
        assert sent == [str(job.pk)]

    def test_a_broker_that_is_away_fails_nothing(self, monkeypatch, django_capture_on_commit_callbacks, caplog):
        def refuse(_: str) -> None:
            raise OperationalError("connection refused")

        monkeypatch.setattr(tasks.run_training, "delay", refuse)
        with django_capture_on_commit_callbacks(execute=True):
            job = submit()
        assert now(job).state == State.QUEUED
        assert "waits for the periodic task" in caplog.text

    def test_the_periodic_task_runs_what_nobody_heard_of(self, monkeypatch):
        monkeypatch.setattr(runner, "_command", lambda _: [sys.executable, "-c", "pass"])
        job = submit()
        tasks.run_waiting_trainings()
        assert now(job).ended

    def test_a_message_for_a_job_that_another_worker_runs_comes_again_later(self):
        job = submit()
        Job.objects.update(state=State.RUNNING, heartbeat_at=timezone.now())
        with pytest.raises(Retry):
            tasks.run_training.apply([str(job.pk)], throw=True)

    def test_a_message_goes_back_where_the_worker_ends(self, monkeypatch):
        monkeypatch.setattr(runner, "run", lambda _: RunResult.REQUEUED)
        with pytest.raises(Reject) as caught:
            tasks.run_training(str(uuid4()))
        assert caught.value.requeue

    def test_a_message_for_a_job_that_is_gone_is_forgotten(self):
        tasks.run_training(str(uuid4()))

    def test_a_worker_that_is_asked_to_end_lets_go(self):
        tasks.requeue_jobs(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
        assert process.get(Runner).shutting_down.is_set()

    def test_jobs_have_a_queue_of_their_own(self):
        assert {kind.name: kind.queue for kind in kinds} == {
            "train": "train", "activate": "train", "import": "jobs", "move": "jobs", "bulk_edit": "jobs", "reindex": "jobs",
            "duplicates": "jobs", "coverage": "jobs", "verify": "jobs", "doctor": "jobs", "learn": "train",
            "train-ranker": "train",
        }  # fmt: skip
        for task in ("run_training", "run_waiting_trainings"):
            assert app.amqp.router.route({}, f"jobs.tasks.{task}")["queue"].name == "train"
        for task in ("run_job", "run_waiting_jobs"):
            assert app.amqp.router.route({}, f"jobs.tasks.{task}")["queue"].name == "jobs"

    def test_what_needs_no_encoder_never_waits_for_what_does(self):
        assert app.amqp.router.route({}, "embeddings.tasks.sync_images")["queue"].name == "sync"
        assert app.amqp.router.route({}, "embeddings.tasks.embed_images")["queue"].name == "embed"
        # By default a worker consumes these queues, but not the queue of trainings.
        assert set(app.conf.task_queues) == {"sync", "embed", "jobs"}


@pytest.mark.django_db
class TestInTheAdmin:
    LIST = "admin:jobs_job_changelist"

    @pytest.fixture
    def admin(self, client: Client) -> Client:
        client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
        return client

    def cancel(self, client: Client, *chosen: Job) -> Any:
        data = {"action": "cancel", "_selected_action": [str(job.pk) for job in chosen]}
        return client.post(reverse(self.LIST), data, follow=True)

    def test_a_job_shows_where_it_stands_and_why_it_failed(self, admin):
        job = submit()
        Job.objects.update(state=State.RUNNING, stage="training", done=5, total=20)
        page = admin.get(reverse(self.LIST)).content.decode()
        assert "training" in page
        assert "5 / 20 (25%)" in page
        execution.fail(job, "the loss is no number any more")
        for address in (reverse(self.LIST), reverse("admin:jobs_job_change", args=[job.pk])):
            assert "the loss is no number any more" in admin.get(address).content.decode()
        assert "5 / 20" not in admin.get(reverse(self.LIST)).content.decode()

    def test_its_page_is_called_by_what_it_does_and_when_it_was_submitted(self, admin):
        job = submit()
        Job.objects.update(created_at=datetime(2026, 11, 29, 10, 12, tzinfo=UTC))
        page = admin.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
        heading = re.sub(r"<[^>]+>", "", page[page.index("<h1") : page.index("</h1>")])
        title = page[page.index("<title>") : page.index("</title>")]
        for shown in (heading, title):
            assert f"{job.title}, Nov. 29, 2026, 10:12 a.m." in shown
            assert str(job.pk) not in shown

    def test_the_sidebar_leads_there(self, admin):
        assert reverse(self.LIST) in admin.get(reverse("admin:index")).content.decode()

    def test_jobs_are_cancelled_and_ended_ones_are_reported(self, admin):
        ended, waiting = submit(), submit(CollectionFactory.create(slug="food").slug)
        services.cancel(ended.pk)
        answer = self.cancel(admin, ended, waiting)
        messages = [str(message) for message in answer.context["messages"]]
        assert messages == [f"“{ended.title}” has ended already: cancelled.", "1 job was cancelled."]
        assert now(waiting).state == State.CANCELLED
        assert kept() == []

    def test_whoever_may_only_look_cancels_nothing(self):
        viewer = Client()
        user = User.objects.create_user("viewer", password="secret", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_job"))
        viewer.force_login(user)
        job = submit()
        assert viewer.get(reverse(self.LIST)).status_code == 200
        self.cancel(viewer, job)
        assert now(job).state == State.QUEUED

    def test_jobs_are_not_made_changed_or_deleted_by_hand(self, admin):
        job = submit()
        assert admin.get(reverse("admin:jobs_job_add")).status_code == 403
        for page in ("change", "delete"):
            address = reverse(f"admin:jobs_job_{page}", args=[job.pk])
            assert admin.post(address, {"post": "yes"}).status_code == 403


def in_a_thread(work: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def alive(pid: int) -> bool:
    try:
        # One that nobody has waited for yet is dead, too.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
