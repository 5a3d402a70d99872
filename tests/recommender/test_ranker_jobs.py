"""Trainings of rankers as jobs: submitted by the API and in the admin, executed, and what their pages say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog.models import Product
from embeddings.models import Collection, RankerVersion
from embeddings.text_indexing import process_texts
from jobs.models import Job
from jobs.states import JobState
from recommender import ranker_submissions
from tests.embeddings.test_rankers import TABLE
from tests.factories import ProductFactory
from tests.recommender.answers import problem
from tests.recommender.conftest import Shop
from tests.recommender.test_rankers import judged
from training import submissions

ADDRESS = "/api/collections/all/train-ranker"
PAGE, LIST = "admin:train_ranker", "admin:embeddings_rankerversion_changelist"


@pytest.fixture(autouse=True)
def open_to_all(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Training is switched on, TensorFlow counts as installed, and jobs wait for a worker."""
    settings.API_WRITES = "open"
    settings.CELERY_BROKER_URL = "memory://"
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.ENCODERS_ROOT.mkdir()
    monkeypatch.setattr(submissions, "find_spec", lambda _: object())


@pytest.fixture
def mug(shop: Shop) -> Product:
    return ProductFactory.create(title="Mug")


@pytest.fixture
def trainer(client: Client, django_user_model: type[User]) -> Client:
    """Of somebody who may train rankers and nothing else."""
    user = django_user_model.objects.create_user("trainer", "trainer@shop.example", "secret", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_rankerversion"))
    client.force_login(user)
    return client


def table(*lines: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("judged.csv", "\n".join(["query,sku,grade", *lines]).encode(), "text/csv")


class TestByTheAPI:
    def test_judgements_become_a_job(self, api: Client, mug: Product, uploads_root: Path) -> None:
        form = {"judgements": table(f"mug,{mug.sku},1"), "only": "boosted", "activate": "true"}
        response = api.post(ADDRESS, form)

        assert response.status_code == 202, response.content
        body = response.json()
        assert (body["kind"], body["collection"], body["state"]) == ("train-ranker", "all", "queued")
        assert response["Location"] == f"http://testserver/api/jobs/{body['id']}"
        job = Job.objects.get()
        assert job.parameters == {"file": "judged.csv", "only": "boosted", "activate": True}
        assert [path.name for path in uploads_root.iterdir()] == [job.upload]

    def test_the_file_may_be_the_body_and_clicks_need_none(self, api: Client, mug: Product) -> None:
        content = f"query,sku,grade\nmug,{mug.sku},1\n".encode()
        assert api.post(ADDRESS, content, content_type="text/csv").status_code == 202
        Job.objects.all().delete()
        assert api.post(ADDRESS, {"clicks": "true"}).status_code == 202
        assert Job.objects.get().upload == ""

    def test_one_at_a_time(self, api: Client, mug: Product) -> None:
        assert api.post(f"{ADDRESS}?clicks=true").status_code == 202
        body = problem(api.post(f"{ADDRESS}?clicks=true"), 409)
        assert "A training of rankers for 'all' is under way" in body["detail"]
        body = problem(api.post(f"{ADDRESS}?clicks=true&only=trees"), 400)
        assert body["errors"][0]["parameter"] == "only"

    @pytest.mark.parametrize(
        ("sent", "parameters"),
        [
            ({}, {"judgements"}),
            ({"clicks": "false"}, {"judgements"}),
            ({"only": "trees", "activate": "maybe"}, {"judgements", "only", "activate"}),
            ({"clicks": "true", "judgements": table("mug,A,1")}, {"clicks"}),
            ({"one": table("mug,A,1"), "two": table("mug,A,1")}, {"one", "two"}),
            ({"clicks": "true", "one": table("mug,A,1")}, {"one"}),
        ],
    )
    def test_a_form_that_cannot_be_used(self, api: Client, mug: Product, sent: Any, parameters: set[str]) -> None:
        body = problem(api.post(ADDRESS, sent), 400)
        assert {error["parameter"] for error in body["errors"]} == parameters
        assert not Job.objects.exists()

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("mug,NONE-1,1", "no product has any of its 1 SKUs"),
            ("mug,A,good", "line 2, column grade: 'good' is not a number"),
        ],
    )
    def test_a_file_with_errors_is_refused_at_once(
        self, api: Client, mug: Product, uploads_root: Path, line: str, words: str
    ) -> None:
        body = problem(api.post(ADDRESS, {"judgements": table(line)}), 422)
        assert body["type"] == "urn:problem-type:lookalike:invalid-judgements"
        assert words in body["detail"]
        assert body["detail"].startswith("The file judged.csv")
        assert not Job.objects.exists()
        assert not uploads_root.exists() or not list(uploads_root.iterdir())

    def test_a_file_over_the_limit(self, api: Client, mug: Product, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = {"CONTENT_LENGTH": str(ranker_submissions.MAX_JUDGEMENTS_BYTES * 2)}
        body = problem(api.generic("POST", ADDRESS, b"", "text/csv", **sent), 413)
        assert body["detail"] == f"The file is larger than {ranker_submissions.MAX_JUDGEMENTS_BYTES:,} bytes"

    def test_an_unknown_collection_and_a_server_that_cannot_train(
        self, api: Client, mug: Product, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        problem(api.post("/api/collections/nope/train-ranker?clicks=true"), 404)
        settings.CELERY_BROKER_URL = ""
        monkeypatch.setattr(submissions, "find_spec", lambda _: None)
        assert "make setup" in problem(api.post(f"{ADDRESS}?clicks=true"), 503)["detail"]


class TestInTheAdmin:
    def test_the_list_leads_to_the_page_whose_form_submits_a_training(
        self, trainer: Client, mug: Product, uploads_root: Path
    ) -> None:
        assert trainer.get(reverse("admin:embeddings_rankerversion_train"), follow=True).redirect_chain[-1] == (
            reverse(PAGE), 302
        )  # fmt: skip
        assert reverse("admin:embeddings_rankerversion_train") in trainer.get(reverse(LIST)).content.decode()
        sent = {"collection": "all", "source": "judgements", "file": table(f"mug,{mug.sku},1"), "activate": "on"}
        answer = trainer.post(reverse(PAGE), sent, follow=True)
        job = Job.objects.get()
        assert job.parameters == {"file": "judged.csv", "only": "", "activate": True}
        assert answer.redirect_chain == [(reverse("admin:jobs_job_change", args=[job.pk]), 302)]

    def test_clicks_need_no_file(self, trainer: Client, mug: Product) -> None:
        trainer.post(reverse(PAGE), {"collection": "all", "source": "clicks"})
        assert Job.objects.get().upload == ""

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            ({}, "Choose the file of judgements."),
            ({"file": table("mug,NONE-1,1")}, "no product has any of its 1 SKUs"),
            ({"file": table("mug,A,good")}, "column grade: &#x27;good&#x27; is not a number"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_file(self, trainer: Client, mug: Product, sent: Any, words: str) -> None:
        page = trainer.post(reverse(PAGE), {"collection": "all", "source": "judgements", **sent})
        assert page.status_code == 200
        assert words in page.content.decode()
        assert not Job.objects.exists()

    def test_a_second_training_and_a_server_that_cannot_train_are_said(
        self, trainer: Client, mug: Product, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wanted = {"collection": "all", "source": "clicks"}
        trainer.post(reverse(PAGE), wanted)
        assert "is under way" in trainer.post(reverse(PAGE), wanted).content.decode()
        settings.CELERY_BROKER_URL = ""
        monkeypatch.setattr(submissions, "find_spec", lambda _: None)
        assert "TensorFlow is not installed" in trainer.post(reverse(PAGE), wanted).content.decode()

    def test_only_those_who_may_change_ranker_versions_see_it(self, client: Client, mug: Product) -> None:
        client.force_login(User.objects.create_user("viewer", "viewer@shop.example", "secret", is_staff=True))
        assert client.get(reverse(PAGE)).status_code == 403


@pytest.fixture
def small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.rankers.word_table", lambda: TABLE)


def run(job: Job) -> Job:
    """Execute it as the process that runs jobs does, but in this one."""
    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING)
    call_command("train_ranker", job=job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.tensorflow
@pytest.mark.usefixtures("small_table", "uploads_root")
class TestExecuted:
    def test_the_best_is_activated_and_the_page_says_why(
        self, shop: Shop, tmp_path: Path, api: Client, trainer: Client
    ) -> None:
        content = judged(shop, tmp_path).read_bytes()
        process_texts()
        api.post(f"{ADDRESS}?only=boosted&activate=true", content, content_type="text/csv")
        job = run(Job.objects.get())
        assert (job.state, job.error) == (JobState.SUCCEEDED, "")
        assert job.result is not None
        assert (job.result["best"], job.result["is_certain"], job.result["activated"]) == ("all-r1", True, True)
        assert (job.result["trained_on"], job.result["kept_aside"]) == (34, 14)
        assert Collection.objects.get(slug="all").active_ranker == RankerVersion.objects.get()
        page = trainer.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
        assert "all-r1 is the best, and better than the text order." in page
        assert "boosted trees" in page

    def test_too_few_judgements_are_the_reason_of_its_failure(self, shop: Shop, api: Client, mug: Product) -> None:
        api.post(ADDRESS, {"judgements": table(f"mug,{mug.sku},1")})
        job = run(Job.objects.get())
        assert job.state == JobState.FAILED
        assert "it takes 20 of them" in job.error
