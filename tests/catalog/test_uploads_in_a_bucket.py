"""Uploads, imports and their rejected rows where machines share nothing but a bucket: each has a cache of its own."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.importers import writer
from catalog.importers.submission import submit_dry_run_import
from catalog.models import ImportDraft, Product
from jobs import files, runner
from jobs.execution import ProgressReporter
from jobs.models import Job
from jobs.runner import RunResult
from stores.bucket import _Away
from stores.patience import patience
from tests.catalog.test_import_drafts import TABLE, begin, page_of, send_part
from tests.catalog.test_import_jobs import MANY, now, rejected_rows, submit, worked_off
from tests.s3_server import S3Server, refusing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]

State = Job.State
MB = 1024**2


@pytest.fixture
def other_machine(settings: Any, tmp_path: Path) -> Any:
    """Makes this process one of another machine, with nothing in its cache."""

    def move() -> None:
        settings.STORAGE_CACHE_DIR = tmp_path / f"cache-{os.urandom(4).hex()}"

    return move


@pytest.fixture(autouse=True)
def without_broker(settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""


def kept(s3: S3Server, bucket: str) -> list[str]:
    return [key for key in s3.keys(bucket) if key.startswith("uploads/")]


def test_an_import_runs_on_another_machine(s3: S3Server, bucket: str, other_machine: Any) -> None:
    job = submit()
    assert kept(s3, bucket) == [f"uploads/{job.upload}"]
    other_machine()
    done = worked_off(job)
    assert (done.state, Product.objects.count()) == (State.SUCCEEDED, 2)
    files.delete_upload_if_ended(done)
    assert kept(s3, bucket) == [f"uploads/{job.pk}.rejected.csv"]
    other_machine()
    assert "the title is empty" in rejected_rows(done)


def test_an_import_goes_on_on_another_machine(
    s3: S3Server, bucket: str, other_machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_BATCH_ROWS", 2)
    whole = worked_off(submit(MANY))
    Product.objects.all().delete()
    job = submit(MANY)
    report_progress = ProgressReporter.__call__

    def killed_after_six_rows(self: ProgressReporter, stage: str, done: int, total: int) -> None:
        report_progress(self, stage, done, total)
        if done > 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ProgressReporter, "__call__", killed_after_six_rows)
        worked_off(job)
    other_machine()
    resumed = worked_off(job)
    assert (resumed.state, resumed.result) == (State.SUCCEEDED, whole.result)
    assert rejected_rows(resumed) == rejected_rows(whole)
    # Nothing of what was kept on the way.
    assert sum(key.endswith(".rejected.csv") for key in kept(s3, bucket)) == 2


def test_the_file_of_a_dry_run_is_imported(s3: S3Server, bucket: str) -> None:
    dry = worked_off(submit(dry_run=True))
    job = submit_dry_run_import(dry.pk)
    assert worked_off(job).state == State.SUCCEEDED
    assert Product.objects.count() == 2


def test_what_was_sent_and_is_gone_fails_the_job(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = submit()
    files.delete_stored(job.upload)
    assert runner.run(job.pk) is RunResult.FINISHED
    assert now(job).error == "what was sent is gone: send it again"


def test_expired_files_are_swept_and_the_others_kept(
    s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, job = files.store_upload(io.BytesIO(b"lost"), ".import"), submit()
    monkeypatch.setattr(files, "UPLOAD_GRACE", -timedelta(minutes=1))
    files.delete_expired_files()
    assert lost not in kept(s3, bucket)
    assert kept(s3, bucket) == [f"uploads/{job.upload}"]


class TestAnUploadInParts:
    def test_of_which_each_part_reaches_another_machine(
        self,
        admin_client: Client,
        s3: S3Server,
        bucket: str,
        other_machine: Any,
    ) -> None:
        content = TABLE + b"".join(b"m%07d,Mug,5\n" % number for number in range(500_000))
        upload = begin(admin_client, len(content))
        there = 0
        while there < len(content):
            other_machine()
            part = content[there : there + 6 * MB]
            answer = send_part(admin_client, upload["url"], there, part)
            assert answer.status_code == 204, answer.content
            there = int(answer.headers["Upload-Offset"])
            assert there == len(content) or int(admin_client.head(upload["url"]).headers["Upload-Offset"]) == there
        draft = ImportDraft.objects.get()
        assert (draft.complete, draft.upload_key) == (True, "")
        assert s3.client().head_object(Bucket=bucket, Key=f"uploads/{draft.upload}")["ContentLength"] == len(content)
        other_machine()
        assert "Krug" in admin_client.get(upload["page"]).content.decode()

    def test_goes_on_once_the_store_is_back(self, admin_client: Client, s3: S3Server) -> None:
        upload = begin(admin_client, len(TABLE))
        with s3.away():
            answer = send_part(admin_client, upload["url"], 0, TABLE)
            # The page of the upload waits and sends it again.
            assert (answer.status_code, "the store does not answer" in answer.json()["error"]) == (503, True)
        _Away.until = 0
        assert send_part(admin_client, upload["url"], 0, TABLE).status_code == 204

    def test_that_finds_no_room_says_so(self, admin_client: Client, s3: S3Server) -> None:
        upload = begin(admin_client, len(TABLE))
        with s3.failing(refusing("507 Insufficient Storage", "InsufficientStorage", "PUT")):
            answer = send_part(admin_client, upload["url"], 0, TABLE)
        assert (answer.status_code, "there is no room left in the store" in answer.json()["error"]) == (507, True)

    def test_that_fails_says_why_in_the_language_of_the_reader(
        self, admin_client: Client, s3: S3Server, settings: Any
    ) -> None:
        settings.LANGUAGE_CODE = "de"
        upload = begin(admin_client, len(TABLE))
        with s3.failing(refusing("507 Insufficient Storage", "InsufficientStorage", "PUT")):
            answer = send_part(admin_client, upload["url"], 0, TABLE)
        assert "im Speicher ist kein Platz mehr" in answer.json()["error"]

    def test_that_nobody_finishes_is_swept(
        self,
        admin_client: Client,
        s3: S3Server,
        bucket: str,
        settings: Any,
    ) -> None:
        begin(admin_client, 20 * MB)
        expired = timezone.now() - timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS, minutes=1)
        ImportDraft.objects.update(used_at=expired)
        files.delete_expired_files()
        assert not ImportDraft.objects.exists()
        assert s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []

    def test_is_tried_out_and_imported(
        self, admin_client: Client, s3: S3Server, bucket: str, other_machine: Any
    ) -> None:
        url = page_of(admin_client)
        other_machine()
        admin_client.post(url, {"action": "check", "column_0": "sku", "column_1": "title"})
        job = Job.objects.get()
        # The job has a name of its own for the file.
        assert job.upload != ImportDraft.objects.get().upload
        other_machine()
        assert worked_off(job).state == State.SUCCEEDED


def test_a_job_waits_for_a_store_that_is_away(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    job = submit()
    s3.stop()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            s3.start()

    monkeypatch.setattr("stores.bucket.time.sleep", wait)
    done = worked_off(job)
    assert patience.seconds == 600
    assert (done.state, Product.objects.count()) == (State.SUCCEEDED, 2)
    assert len(waits) == 3


def test_the_form_says_that_the_store_is_away(admin_client: Client, s3: S3Server) -> None:
    url = page_of(admin_client)
    with s3.away():
        answer = admin_client.get(url, follow=True)
        assert (answer.status_code, "the store does not answer" in answer.content.decode()) == (200, True)
    _Away.until = 0
    assert admin_client.get(url).status_code == 200
