"""Imports as jobs: submitted, dry-run, executed; and the same by a manager in the admin."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import User
from catalog.categories import save_category
from catalog.errors import DryRunFileExpired, NoRejectedRows
from catalog.importers import writer
from catalog.importers.run import ImportOptions
from catalog.importers.submission import (
    IMPORT,
    can_import_dry_run,
    open_rejected,
    rejected_name,
    submit_dry_run_import,
    submit_import,
)
from catalog.models import Category, ImportDraft, Product
from jobs import files, runner, tasks
from jobs.errors import JobInProgress, JobNotFound
from jobs.execution import ProgressReporter
from jobs.models import Job
from jobs.runner import RunResult
from jobs.services import cancel
from product_files.rows import InvalidSource
from tests.factories import jpeg
from tests.zips import packed
from training.job_kinds import TRAIN

State = Job.State
TABLE = b"sku,title,price\nm1,Mug,5\nm2,,6\nm3,Hat,7\n"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_broker(settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""


def submit(content: bytes = TABLE, name: str = "spring.csv", **options: Any) -> Job:
    return submit_import(io.BytesIO(content), ImportOptions(**options), file_name=name)


def worked_off(job: Job) -> Job:
    """As the owner and its child would do it."""
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, heartbeat_at=timezone.now(), started_at=timezone.now())
    call_command("run_import", "--job", str(job.pk))
    files.delete_upload_if_ended(job)
    return now(job)


def now(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def kept(uploads_root: Path) -> set[str]:
    return {path.name for path in uploads_root.iterdir()} if uploads_root.exists() else set()


class TestACatalogueComesIn:
    def test_with_its_name_and_what_was_asked_for(self, uploads_root: Path) -> None:
        job = submit(source="spring", map=("brand=title",))
        assert (job.kind, job.collection, job.state) == ("import", "", State.QUEUED)
        assert job.parameters == {"source": "spring", "map": ["brand=title"], "file": "spring.csv"}
        assert read_upload(job) == TABLE
        assert kept(uploads_root) == {job.upload}

    @pytest.mark.parametrize(
        ("content", "options", "reason"),
        [
            (b"", {}, "the file is empty"),
            (b"%PDF-1.7", {}, "^offer.csv is a PDF"),
            (packed()[:-20], {}, "damaged"),
            (b"name,price\nMug,5\n", {}, "no column is mapped to the field sku"),
            (TABLE, {"map": ("price=cost",)}, "there is no column cost"),
            (TABLE, {"format": "zip"}, "offer.csv is not a zip archive"),
        ],
    )
    def test_or_is_refused_and_leaves_nothing_behind(
        self, uploads_root: Path, content: bytes, options: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(InvalidSource, match=reason):
            submit(content, "offer.csv", **options)
        assert (Job.objects.count(), kept(uploads_root)) == (0, set())

    def test_no_larger_than_allowed(self, settings: Any, uploads_root: Path) -> None:
        settings.IMPORT_MAX_BYTES = 10
        with pytest.raises(InvalidSource, match="larger than 10 bytes"):
            submit()
        assert kept(uploads_root) == set()

    def test_one_at_a_time(self, uploads_root: Path) -> None:
        first = submit()
        with pytest.raises(JobInProgress, match="an import is under way"):
            submit()
        assert kept(uploads_root) == {first.upload}
        with pytest.raises(IntegrityError), transaction.atomic():
            Job.objects.create(kind=IMPORT)
        cancel(first.pk)
        assert kept(uploads_root) == set()
        submit()

    def test_only_an_import_is_of_no_collection(self) -> None:
        with pytest.raises(ValueError, match="train with the collection ''"):
            Job.objects.create(kind=TRAIN)
        with pytest.raises(ValueError, match="import with the collection 'food'"):
            Job.objects.create(kind=IMPORT, collection="food")

    def test_and_is_sent_to_workers_of_its_own(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
    ) -> None:
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        sent: list[str] = []
        monkeypatch.setattr(tasks.run_job, "delay", sent.append)
        with django_capture_on_commit_callbacks(execute=True):
            job = submit()
        assert sent == [str(job.pk)]

    def test_whose_periodic_task_leaves_trainings_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ran: list[Any] = []

        def run(job_id: Any) -> RunResult:
            ran.append(job_id)
            Job.objects.filter(pk=job_id).update(state=State.FAILED)
            return RunResult.FINISHED

        monkeypatch.setattr(runner, "run", run)
        training = Job.objects.create(kind=TRAIN, collection="food")
        job = submit()
        tasks.run_waiting_jobs()
        assert ran == [job.pk]
        tasks.run_waiting_trainings()
        assert ran == [job.pk, training.pk]


class TestAnImportIsWorkedOff:
    def test_with_counts_problems_and_a_file_of_what_was_rejected(self, uploads_root: Path) -> None:
        job = worked_off(submit(source="spring"))
        assert (job.state, job.error) == (State.SUCCEEDED, "")
        result = job.result
        assert result is not None
        assert (result["rows"], result["created"], result["rejected"], result["dry_run"]) == (3, 2, 1, False)
        assert result["problems"] == [
            {
                "line": 3, "sku": "m2", "reason": "the title is empty", "photo": "", "is_warning": False,
                "fact": {"code": "no-title", "parameters": {}},
            }
        ]  # fmt: skip
        assert result["rejected_file"]
        assert (job.done, job.total, job.stage) == (3, 3, "importing")
        assert sorted(Product.objects.values_list("sku", "product_source__source")) == [
            ("m1", "spring"),
            ("m3", "spring"),
        ]
        assert next(csv.DictReader(io.StringIO(rejected_rows(job))))["reason"] == "the title is empty"
        assert kept(uploads_root) == {f"{job.pk}.rejected.csv"}

    def test_without_one_where_nothing_was(self, uploads_root: Path) -> None:
        job = worked_off(submit(b"sku,title\nm1,Mug\n"))
        assert job.result is not None
        assert not job.result["rejected_file"]
        with pytest.raises(NoRejectedRows, match="nothing was rejected"):
            open_rejected(job)
        assert kept(uploads_root) == set()

    def test_with_the_first_problems_alone_in_its_result(self) -> None:
        job = worked_off(submit(b"sku,title\n" + b"".join(b"m%d,\n" % n for n in range(50))))
        assert job.result is not None
        assert (job.result["rejected"], len(job.result["problems"])) == (50, 20)
        assert len(rejected_rows(job).splitlines()) == 51

    def test_from_a_zip_with_its_photos(self) -> None:
        content = packed(
            {"shop/products.csv": b"sku,title,image\nm1,Mug,red.jpg\n", "shop/images/red.jpg": jpeg((9, 9, 9))}
        )
        job = worked_off(submit(content, "shop.zip"))
        assert job.result is not None
        assert (job.result["created"], job.result["photos_added"]) == (1, 1)

    def test_and_fails_with_the_name_that_its_sender_knows(self) -> None:
        job = submit(b'{"sku": ', "spring.jsonl")
        assert worked_off(job).state == State.FAILED
        assert "no line is a JSON object" in now(job).error
        broken = submit(packed({"a.csv": b"name\nx\n"}), "shop.zip")
        assert "no column is mapped to the field sku" in worked_off(broken).error
        with translation.override("de"):
            assert now(job).error_in_words.startswith("keine Zeile ist ein JSON-Objekt: die Zeile")
            assert now(broken).error_in_words.startswith("dem Feld sku ist keine Spalte zugeordnet")

    def test_and_says_nothing_more_once_it_is_cancelled(self, uploads_root: Path) -> None:
        job = submit()
        cancel(job.pk)
        assert kept(uploads_root) == set()
        assert runner.run(job.pk) is RunResult.FINISHED
        assert Product.objects.count() == 0


class TestADryRun:
    def test_writes_nothing_and_keeps_the_file_for_the_import(self, uploads_root: Path) -> None:
        dry = worked_off(submit(dry_run=True, source="spring"))
        assert Product.objects.count() == 0
        assert dry.result is not None
        assert (dry.result["created"], dry.result["dry_run"]) == (2, True)
        assert can_import_dry_run(dry)

        job = submit_dry_run_import(dry.pk)
        assert job.parameters == {"source": "spring", "dry_run": False, "file": "spring.csv"}
        assert (job.upload, now(dry).upload) == (dry.upload, "")
        assert worked_off(job).state == State.SUCCEEDED
        assert Product.objects.count() == 2
        assert kept(uploads_root) == {f"{dry.pk}.rejected.csv", f"{job.pk}.rejected.csv"}

    def test_whose_owner_is_slow_takes_nothing_from_the_import_that_follows(self) -> None:
        dry = submit(dry_run=True)
        worked_off(dry)
        job = submit_dry_run_import(dry.pk)
        # As it was when the work began.
        files.delete_upload_if_ended(dry)
        assert files.has_upload(job)

    def test_is_gone_on_with_once(self) -> None:
        dry = worked_off(submit(dry_run=True))
        submit_dry_run_import(dry.pk)
        with pytest.raises(DryRunFileExpired, match="send the file again"):
            submit_dry_run_import(dry.pk)

    def test_waits_for_an_import_under_way_and_keeps_its_file_meanwhile(self) -> None:
        dry = worked_off(submit(dry_run=True))
        submit()
        with pytest.raises(JobInProgress):
            submit_dry_run_import(dry.pk)
        assert can_import_dry_run(now(dry))

    def test_alone_can_be_gone_on_with(self) -> None:
        with pytest.raises(JobNotFound):
            submit_dry_run_import(uuid4())
        job = worked_off(submit())
        with pytest.raises(DryRunFileExpired):
            submit_dry_run_import(job.pk)

    def test_that_fails_keeps_nothing(self, uploads_root: Path) -> None:
        job = worked_off(submit(b'{"sku": ', "spring.jsonl", dry_run=True))
        assert (job.upload, {name for name in kept(uploads_root) if name.endswith(".import")}) == ("", set())


def read_upload(job: Job) -> bytes:
    with files.open_upload(job) as file:
        return file.read()


def rejected_rows(job: Job) -> str:
    with open_rejected(job) as file:
        return file.read().decode()


MANY = b"sku,title,price\n" + b"".join(
    b"m%d,%s,5\n" % (number % 9, b"" if number in (1, 7, 10) else b"Mug") for number in range(12)
)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_import_that_was_interrupted_reports_the_whole(
    dry_run: bool, monkeypatch: pytest.MonkeyPatch, uploads_root: Path
) -> None:
    monkeypatch.setattr(writer, "_BATCH_ROWS", 2)
    whole = worked_off(submit(MANY, dry_run=dry_run))
    Product.objects.all().delete()
    job = submit(MANY, dry_run=dry_run)
    report_progress = ProgressReporter.__call__

    def killed_after_six_rows(self: ProgressReporter, stage: str, done: int, total: int) -> None:
        report_progress(self, stage, done, total)
        if done > 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ProgressReporter, "__call__", killed_after_six_rows)
        worked_off(job)
    assert Product.objects.count() == (0 if dry_run else 5)
    with (uploads_root / f"{job.pk}.rejected.csv").open("a") as file:
        file.write("a line that was written behind the last batch\n")

    resumed = worked_off(job)

    assert whole.result is not None
    assert (whole.result["rows"], whole.result["created"], whole.result["rejected"]) == (12, 7, 5)
    assert (resumed.state, resumed.result) == (State.SUCCEEDED, whole.result)
    assert rejected_rows(resumed) == rejected_rows(whole)
    assert Product.objects.filter(import_id=job.pk).count() == (0 if dry_run else 7)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["deleted", "renamed"])
def test_a_category_may_be_changed_while_its_products_are_imported(
    change: str, monkeypatch: pytest.MonkeyPatch, uploads_root: Path
) -> None:
    monkeypatch.setattr(writer, "_BATCH_ROWS", 1)
    report_progress = ProgressReporter.__call__

    def changed_behind_the_first_row(self: ProgressReporter, stage: str, done: int, total: int) -> None:
        report_progress(self, stage, done, total)
        if done != 1:
            return
        mugs = Category.objects.get(path="home/mugs")
        if change == "renamed":
            mugs.slug = "cups"
            save_category(mugs)
        else:
            Product.objects.update(category=None)
            mugs.delete()

    monkeypatch.setattr(ProgressReporter, "__call__", changed_behind_the_first_row)
    job = worked_off(submit(b"sku,title,category\nm1,Mug,Home > Mugs\nm2,Cup,Home > Mugs\nm3,Jug,Home > Mugs\n"))

    assert (job.state, job.error) == (State.SUCCEEDED, "")
    assert dict(Product.objects.values_list("sku", "category__path")) == {
        "m1": "home/cups" if change == "renamed" else None,
        "m2": "home/mugs",
        "m3": "home/mugs",
    }


def test_files_past_their_time_are_swept_away(uploads_root: Path, settings: Any) -> None:
    dry, job = worked_off(submit(dry_run=True)), worked_off(submit())
    old = time.time() - 2 * files.UPLOAD_GRACE.total_seconds()
    (uploads_root / "left.import").write_bytes(b"x")
    (uploads_root / f"{uuid4()}.rejected.csv").write_bytes(b"x")

    def sweep() -> set[str]:
        for path in uploads_root.iterdir():
            os.utime(path, (old, old))
        files.delete_expired_files()
        return kept(uploads_root)

    reports = {f"{each.pk}.rejected.csv" for each in (dry, job)}
    assert sweep() == {dry.upload, *reports}
    Job.objects.update(finished_at=timezone.now() - timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS))
    assert sweep() == reports
    assert (now(dry).upload, can_import_dry_run(now(dry))) == ("", False)
    Job.objects.update(finished_at=timezone.now() - timedelta(days=settings.IMPORT_REJECTED_KEEP_DAYS))
    assert sweep() == set()


class TestInTheAdmin:
    FORM = "/admin/catalog/product/import/"

    def staff(self, *permissions: str) -> Client:
        user = User.objects.create_user(f"user{User.objects.count()}", password="secret", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    @pytest.fixture
    def manager(self) -> Iterator[Client]:
        """Somebody who looks after products, and has never heard of jobs."""
        yield self.staff("view_product", "add_product", "change_product")

    def send(self, client: Client, content: bytes = TABLE, name: str = "spring.csv", **fields: Any) -> Any:
        """Upload a file and have it checked; the answer to the first of both that shows a page again."""
        answer = client.post(self.FORM, {"file": SimpleUploadedFile(name, content)})
        if answer.status_code != 302:
            return answer
        choices = {f"column_{number}": field for number, field in enumerate(("sku", "title", "price"))}
        return client.post(answer.headers["Location"], {"action": "check", **choices, **fields})

    def test_the_list_of_products_leads_to_the_form(self, manager: Client) -> None:
        assert self.FORM in manager.get(reverse("admin:catalog_product_changelist")).content.decode()
        page = manager.get(self.FORM)
        assert page.status_code == 200
        assert 'enctype="multipart/form-data"' in page.content.decode()

    def test_a_file_is_tried_out_and_then_imported_from_the_page_of_its_job(self, manager: Client) -> None:
        answer = self.send(manager, fetch="on", set="brand = {title}\n\n", source=" spring ", currency="chf")
        dry = Job.objects.get()
        assert answer.headers["Location"] == reverse("admin:jobs_job_change", args=[dry.pk])
        assert dry.parameters == {
            "dry_run": True, "source": "spring", "map": ["sku=sku", "title=title", "price=price"], "automatic": False,
            "set": ["brand = {title}", "currency=CHF"], "file": "spring.csv", "draft": str(ImportDraft.objects.get().pk),
        }  # fmt: skip
        worked_off(dry)

        page = manager.get(answer.headers["Location"]).content.decode()
        assert "Would be imported" in page
        assert "the title is empty" in page
        assert "Import these 2 rows" in page
        german = manager.get(answer.headers["Location"], headers={"Accept-Language": "de"}).content.decode()
        assert "der Titel ist leer" in german
        assert "the title is empty" not in german

        run = reverse("admin:catalog_import_run", args=[dry.pk])
        # Who had to sign in again comes back by GET, which imports nothing.
        assert manager.get(run).headers["Location"] == reverse("admin:jobs_job_change", args=[dry.pk])
        assert Job.objects.count() == 1
        answer = manager.post(run)
        job = Job.objects.get(state=State.QUEUED)
        assert answer.headers["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        worked_off(job)
        mug = Product.objects.get(sku="m1")
        assert (mug.brand, mug.currency) == ("Mug", "CHF")
        page = manager.get(answer.headers["Location"]).content.decode()
        assert "Products created" in page
        assert "Import these" not in page

        Product.objects.create(sku="other", title="Of another import")
        products = f"{reverse('admin:catalog_product_changelist')}?import_id={job.pk}"
        assert products in page
        listed = manager.get(products).content.decode()
        assert "Hat" in listed
        assert "Of another import" not in listed

    def test_jobs_are_distinguished_by_their_file_and_who_has_sent_it(self, manager: Client) -> None:
        self.send(manager, name="spring.csv")
        dry = worked_off(Job.objects.get())
        other = self.staff("view_product", "add_product", "change_product")
        other.post(reverse("admin:catalog_import_run", args=[dry.pk]))

        page = manager.get(reverse("admin:jobs_job_changelist")).content.decode()

        assert {(job.title, job.submitted_by) for job in Job.objects.all()} == {
            ("Import of spring.csv, dry run", "user0"), ("Import of spring.csv", "user1"),
        }  # fmt: skip
        for text in ("Import of spring.csv, dry run", "user0", "user1"):
            assert text in page
        assert "Submitted by user0" in manager.get(reverse("admin:jobs_job_change", args=[dry.pk])).content.decode()

    def test_an_invalid_file_is_reported_at_the_field(self, manager: Client) -> None:
        page = self.send(manager, b"%PDF-1.7", "offer.pdf").content.decode()
        assert "offer.pdf is a PDF" in page
        page = self.send(manager, deactivate_missing="on").content.decode()
        assert "Name the source" in page
        assert Job.objects.count() == 0

    def test_a_running_import_is_reported(self, manager: Client) -> None:
        submit()
        assert "an import is under way" in self.send(manager).content.decode()

    def test_a_running_import_and_a_file_that_is_gone_are_said_in_the_readers_language(
        self, manager: Client, settings: Any
    ) -> None:
        manager.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
        dry = worked_off(submit(dry_run=True))
        submit()
        run = reverse("admin:catalog_import_run", args=[dry.pk])
        assert "ein Import läuft gerade" in manager.post(run, follow=True).content.decode()
        Job.objects.filter(pk=dry.pk).update(upload="")
        page = manager.post(run, follow=True).content.decode()
        assert "ist kein Probelauf, dessen Datei noch aufbewahrt wird" in page

    def test_a_disk_without_room_is_said_in_the_readers_language(
        self, manager: Client, settings: Any, tmp_path: Path
    ) -> None:
        manager.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
        settings.UPLOADS_ROOT = tmp_path / "file" / "uploads"
        (tmp_path / "file").write_bytes(b"")
        page = self.send(manager).content.decode()
        assert "das Gesendete kann nicht nach" in page

    def test_the_page_of_a_job_shows_its_state_and_cancels_it(self, manager: Client) -> None:
        job = submit()
        Job.objects.update(state=State.RUNNING, stage="importing", done=5, total=20)
        page = manager.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
        assert 'max="20" value="5"' in page
        status = manager.get(reverse("admin:jobs_job_state", args=[job.pk]))
        assert "no-store" in status.headers["Cache-Control"]
        assert status.json() == {
            "state": "running", "stage": "importing", "done": 5, "total": 20, "started": False, "ended": False,
        }  # fmt: skip
        assert manager.get(reverse("admin:jobs_job_cancel", args=[job.pk])).status_code == 405
        manager.post(reverse("admin:jobs_job_cancel", args=[job.pk]))
        assert now(job).state == State.CANCELLED

    def test_what_was_rejected_is_downloaded_for_a_spreadsheet(self, manager: Client) -> None:
        job = worked_off(submit())
        answer = manager.get(reverse("admin:catalog_import_rejected", args=[job.pk]))
        assert answer.headers["Content-Disposition"] == f'attachment; filename="rejected-{job.pk}.csv"'
        content = b"".join(answer.streaming_content)
        assert content.startswith(b"\xef\xbb\xbfline,sku,photo,reason,sku,title,price\r\n")
        files.delete_stored(rejected_name(job))
        assert manager.get(reverse("admin:catalog_import_rejected", args=[job.pk])).status_code == 404

    def test_whoever_may_not_import_gets_nowhere(self) -> None:
        dry = worked_off(submit(dry_run=True))
        viewer = self.staff("view_product", "add_product")
        assert viewer.get(self.FORM).status_code == 403
        assert self.FORM not in viewer.get(reverse("admin:catalog_product_changelist")).content.decode()
        for page in ("jobs_job_change", "jobs_job_state", "catalog_import_rejected"):
            answer = viewer.get(reverse(f"admin:{page}", args=[dry.pk]))
            assert answer.status_code == 403
        onlooker = self.staff("view_job")
        assert onlooker.get(reverse("admin:jobs_job_change", args=[dry.pk])).status_code == 200
        for page in ("catalog_import_run", "jobs_job_cancel"):
            assert onlooker.post(reverse(f"admin:{page}", args=[dry.pk])).status_code == 403
        assert Job.objects.count() == 1

    def test_whoever_imports_sees_no_other_jobs(self, manager: Client) -> None:
        training = Job.objects.create(kind=TRAIN, collection="all")
        job = submit()
        page = manager.get(reverse("admin:jobs_job_changelist")).content.decode()
        assert str(job.pk) in page
        assert str(training.pk) not in page
        assert manager.get(reverse("admin:jobs_job_state", args=[training.pk])).status_code == 403

    def test_a_training_has_the_same_page(self) -> None:
        job = Job.objects.create(
            kind=TRAIN,
            collection="all",
            state=State.SUCCEEDED,
            parameters={"loss": "triplet", "activate": True},
            result={
                "encoder": "all-v2", "dim": 128, "activated": False, "not_activated": "it is worse", "problems": ["few photos"],
                "figures": {"after training": {"recall_at_1": 0.871, "mean_average_precision": 0.7624, "gallery": 80}},
            },
        )  # fmt: skip
        page = self.staff("view_job").get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
        for text in ("all-v2", "it is worse", "0.871", "0.762", "few photos", "Activate afterwards"):
            assert text in page
        assert "{" not in page.partition('id="job-heading"')[2].partition("</section>")[0]
