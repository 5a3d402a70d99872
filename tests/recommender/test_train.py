"""What POST /api/collections/<slug>/train and /api/jobs/<id> answer."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from jobs import execution, uploads
from jobs.models import Job
from jobs.services import cancel
from tests.factories import CollectionFactory, jpeg
from tests.recommender.answers import problem
from tests.zips import PHOTOS, encrypted, link, packed, said_size
from training import submissions

ADDRESS = "/api/collections/all/train"
State = Job.State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def open_to_all(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training is switched on, and TensorFlow counts as installed."""
    settings.API_WRITES = "open"
    settings.CELERY_BROKER_URL = ""
    monkeypatch.setattr(submissions, "find_spec", lambda _: object())
    CollectionFactory.create(slug="all")


@pytest.fixture
def nothing_left(uploads_root: Path) -> Iterator[None]:
    """Checks afterwards that a refusal left no job and no file."""
    yield
    assert Job.objects.count() == 0
    assert not uploads_root.exists() or not list(uploads_root.iterdir())


def archive(content: bytes | None = None, name: str = "photos.zip") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, packed() if content is None else content, "application/zip")


def submitted(api: Client, **form: Any) -> dict[str, Any]:
    response = api.post(ADDRESS, {"archive": archive(), **form})
    assert response.status_code == 202, response.content
    return dict(response.json())


class TestATrainingSet:
    def test_may_bring_labels_that_are_learned_beside_the_class(self, api: Client) -> None:
        job = Job.objects.get(pk=submitted(api, also="colour,brand")["id"])

        assert job.parameters["also"] == "colour,brand"

    def test_is_answered_by_a_job_and_its_address(self, api: Client, uploads_root: Path) -> None:
        response = api.post(ADDRESS, {"archive": archive(), "loss": "triplet", "margin": "0.3", "activate": "true"})

        assert response.status_code == 202
        body = response.json()
        assert body.keys() == {
            "id", "kind", "collection", "state", "stage", "progress", "done", "total", "result", "error", "created_at",
            "started_at", "finished_at",
        }  # fmt: skip
        assert (body["kind"], body["collection"], body["state"], body["progress"]) == ("train", "all", "queued", None)
        assert response["Location"] == f"http://testserver/api/jobs/{body['id']}"
        assert api.get(response["Location"]).json() == body
        job = Job.objects.get()
        assert job.parameters == {"loss": "triplet", "margin": 0.3, "activate": True, "backbone": "bundled"}
        assert [path.name for path in uploads_root.iterdir()] == [job.upload]
        assert (uploads_root / job.upload).read_bytes() == packed()

    def test_may_come_with_parameters_in_the_address(self, api: Client) -> None:
        response = api.post(f"{ADDRESS}?dim=64&seed=0&mining=batch-hard&distance=l1", {"archive": archive()})

        assert response.status_code == 202
        asked = {"dim": 64, "seed": 0, "mining": "batch-hard", "distance": "l1"}
        assert Job.objects.get().parameters.items() >= asked.items()

    def test_may_be_the_body_itself(self, api: Client, uploads_root: Path) -> None:
        response = api.post(f"{ADDRESS}?epochs=3", packed(), content_type="application/zip")

        assert response.status_code == 202
        job = Job.objects.get()
        assert job.parameters["epochs"] == 3
        assert [path.read_bytes() for path in uploads_root.iterdir()] == [packed()]

    def test_may_name_a_backbone_that_the_server_knows(self, api: Client, settings: Any) -> None:
        settings.BACKBONES = {"bundled": "bundled", "mobilenet": "/models/mobilenet_v2"}

        submitted(api, backbone="mobilenet")

        assert Job.objects.get().parameters["backbone"] == "mobilenet"

    def test_is_never_held_in_memory(self, api: Client, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        pieces: list[int] = []
        real = uploads.StreamedUpload.append

        def noted(upload: uploads.StreamedUpload, chunk: bytes) -> None:
            pieces.append(len(chunk))
            real(upload, chunk)

        monkeypatch.setattr(uploads.StreamedUpload, "append", noted)
        photos = {name: content + bytes(range(256)) * 1000 for name, content in PHOTOS.items()}
        content = packed(photos, compression=0)

        assert api.post(ADDRESS, {"archive": archive(content)}).status_code == 202
        cancel(Job.objects.get().pk)
        assert api.post(ADDRESS, content, content_type="application/zip").status_code == 202

        assert sum(pieces) == 2 * len(content)
        assert max(pieces) <= 256 * 1024


@pytest.mark.usefixtures("nothing_left")
class TestRefused:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (packed({}), "empty"),
            (b"%PDF-1.7 ...", "not_a_zip"),
            (jpeg(), "not_a_zip"),
            (packed()[:-30], "damaged"),
            (packed({**PHOTOS, "../../etc/cron.d/x": b"x"}), "unsafe_path"),
            (packed({**PHOTOS, "mugs/9.jpg": bytes(3 * 1024 * 1024)}), "bomb"),
            (encrypted(packed()), "encrypted"),
            (packed([*PHOTOS.items(), link("mugs/9.jpg", "/etc/passwd")]), "special_file"),
            (packed([*PHOTOS.items(), ("MUGS/1.jpg", b"x")]), "duplicate"),
            (said_size(packed(), 10), "wrong_size"),
        ],
    )
    @pytest.mark.parametrize("raw", [False, True])
    def test_an_archive_that_cannot_be_used(self, api: Client, content: bytes, reason: str, raw: bool) -> None:
        response = (
            api.post(ADDRESS, content, content_type="application/zip")
            if raw
            else api.post(ADDRESS, {"archive": archive(content)})
        )

        body = problem(response, 400)
        assert (body["type"], body["reason"]) == ("urn:problem-type:lookalike:archive-rejected", reason)

    def test_an_empty_file(self, api: Client) -> None:
        assert problem(api.post(ADDRESS, {"archive": archive(b"")}), 400)["reason"] == "empty"

    def test_more_files_than_allowed(self, api: Client, settings: Any) -> None:
        settings.ARCHIVE_MAX_FILES = 5

        assert problem(api.post(ADDRESS, {"archive": archive()}), 400)["reason"] == "too_many_files"

    @pytest.mark.parametrize(
        "names", [["mugs/1.jpg", "mugs/2.jpg"], ["1.jpg", "2.jpg", "3.jpg"], ["mugs/1.jpg", "hats/1.jpg"], ["a/1.pdf"]]
    )
    def test_photos_that_nothing_can_be_learnt_from(self, api: Client, names: list[str]) -> None:
        body = problem(api.post(ADDRESS, {"archive": archive(packed(dict.fromkeys(names, b"x")))}), 422)

        assert body["type"] == "urn:problem-type:lookalike:unusable-photos"
        assert "a folder is a class" in body["detail"]

    def test_an_archive_over_the_limit_before_it_is_read(self, api: Client, settings: Any) -> None:
        settings.TRAIN_ARCHIVE_MAX_BYTES = 1000
        for kind in ("multipart/form-data; boundary=x", "application/zip"):
            body = problem(api.generic("POST", ADDRESS, b"", kind, CONTENT_LENGTH=str(10**10)), 413)

            assert (body["type"], body["reason"]) == ("urn:problem-type:lookalike:archive-rejected", "too_large")
            assert "1,000 bytes" in body["detail"]

    def test_an_archive_that_turns_out_to_be_over_the_limit(self, api: Client, settings: Any) -> None:
        settings.TRAIN_ARCHIVE_MAX_BYTES = 1000

        problem(api.post(ADDRESS, {"archive": archive()}), 413)
        problem(api.post(ADDRESS, packed(), content_type="application/zip"), 413)

    def test_a_body_that_breaks_off(self, api: Client) -> None:
        content = packed()
        sent: dict[str, Any] = {"CONTENT_LENGTH": str(len(content)), "wsgi.input": io.BytesIO(content[:900])}
        response = api.generic("POST", ADDRESS, b"x", "application/zip", **sent)

        assert problem(response, 400)["reason"] == "damaged"

    def test_a_form_that_breaks_off(self, api: Client) -> None:
        form = b'--x\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n' + packed()[:900]
        response = api.generic("POST", ADDRESS, form, "multipart/form-data; boundary=x")

        problem(response, 400)

    @pytest.mark.parametrize(
        ("form", "parameter"),
        [
            ({}, "archive"),
            ({"archive": "not a file"}, "archive"),
            ({"achive": archive()}, "achive"),
            ({"archive": archive(), "loss": "l2"}, "loss"),
            ({"archive": archive(), "mining": "hard"}, "mining"),
            ({"archive": archive(), "distance": "dot"}, "distance"),
            ({"archive": archive(), "margin": "-1"}, "margin"),
            ({"archive": archive(), "dim": "4"}, "dim"),
            ({"archive": archive(), "dim": "4096"}, "dim"),
            ({"archive": archive(), "epochs": "0"}, "epochs"),
            ({"archive": archive(), "seed": "x"}, "seed"),
            ({"archive": archive(), "activate": "maybe"}, "activate"),
            ({"archive": archive(), "backbone": "/etc/passwd"}, "backbone"),
            ({"archive": archive(), "backbone": "https://evil.example/model"}, "backbone"),
            ({"archive": archive(), "colour": "red"}, "colour"),
            ({"archive": archive(), "also": "colour,category"}, "also"),
            ({"archive": archive(), "also": "x" * 201}, "also"),
        ],
    )
    def test_a_form_that_cannot_be_used(self, api: Client, form: dict[str, Any], parameter: str) -> None:
        for value in form.values():
            if isinstance(value, SimpleUploadedFile):
                value.seek(0)
        body = problem(api.post(ADDRESS, form), 400)

        assert [error["parameter"] for error in body["errors"]] == [parameter]

    def test_all_errors_are_reported_at_once(self, api: Client) -> None:
        body = problem(api.post(f"{ADDRESS}?colour=red", {"dim": "0"}), 400)

        assert {error["parameter"] for error in body["errors"]} == {"archive", "colour", "dim"}

    def test_two_files_by_one_name(self, api: Client) -> None:
        body = problem(api.post(ADDRESS, {"archive": [archive(), archive()]}), 400)

        assert "2 were sent" in body["errors"][0]["detail"]

    def test_an_empty_body(self, api: Client) -> None:
        body = problem(api.post(ADDRESS, b"", content_type="application/zip"), 400)

        assert body["errors"][0]["parameter"] == "archive"

    def test_anything_but_a_form_or_a_zip(self, api: Client) -> None:
        problem(api.post(ADDRESS, {"archive": "x"}, content_type="application/json"), 415)

    def test_an_unknown_collection_before_anything_is_read(self, api: Client) -> None:
        body = problem(api.post("/api/collections/nope/train", {"archive": archive()}), 404)

        assert body["type"] == "urn:problem-type:lookalike:unknown-collection"

    @pytest.mark.parametrize("sent", [packed(), b"no zip"], ids=["good", "bad"])
    def test_where_nothing_can_be_trained_before_anything_is_read(
        self, api: Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
    ) -> None:
        monkeypatch.setattr(submissions, "find_spec", lambda _: None)

        body = problem(api.post(ADDRESS, sent, content_type="application/zip"), 503)

        assert body["type"] == "urn:problem-type:lookalike:training-unavailable"
        assert "make setup" in body["detail"]

    def test_where_training_is_switched_off(self, api: Client, settings: Any) -> None:
        settings.API_WRITES = "off"

        body = problem(api.post(ADDRESS, {"archive": archive()}), 403)

        assert body["type"] == "urn:problem-type:lookalike:writes-disabled"

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://["},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
        ],
    )
    def test_a_page_of_another_site(self, api: Client, headers: dict[str, str]) -> None:
        response = api.post(ADDRESS, {"archive": archive()}, headers=headers)

        assert problem(response, 403)["type"] == "urn:problem-type:lookalike:cross-site"
        assert "Access-Control-Allow-Origin" not in response


def test_a_page_of_this_server_or_of_one_that_is_trusted_may_send_one(api: Client, settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://back.shop.example"]
    for origin, site in (("http://testserver", "same-origin"), ("https://back.shop.example", "same-site")):
        headers = {"Origin": origin, "Sec-Fetch-Site": site}
        response = api.post(ADDRESS, {"archive": archive()}, headers=headers)
        assert response.status_code == 202
        cancel(response.json()["id"])


def test_pages_of_other_sites_are_not_let_near_trainings_nor_jobs(api: Client) -> None:
    page = {"Origin": "https://other.example"}
    job = f"/api/jobs/{submitted(api)['id']}"
    for address in (ADDRESS, job):
        assert "Access-Control-Allow-Origin" not in api.options(address, headers=page)
    response = api.get(job, headers=page)
    assert "Access-Control-Allow-Origin" not in response
    problem(response, 403)


def test_a_second_training_of_a_collection_waits_for_the_first_one_to_end(api: Client, uploads_root: Path) -> None:
    first = submitted(api)

    response = api.post(ADDRESS, {"archive": archive()})

    assert problem(response, 409)["type"] == "urn:problem-type:lookalike:job-under-way"
    assert int(response["Retry-After"]) > 0
    assert Job.objects.count() == len(list(uploads_root.iterdir())) == 1
    cancel(first["id"])
    submitted(api)


class TestAJob:
    def test_reports_its_progress(self, api: Client) -> None:
        job = Job.objects.get(pk=submitted(api)["id"])
        Job.objects.update(state=State.RUNNING, started_at=timezone.now())
        execution.ProgressReporter(job)("training", 5, 20)

        body = api.get(f"/api/jobs/{job.pk}").json()

        assert (body["state"], body["stage"], body["progress"]) == ("running", "training", 0.25)
        assert (body["done"], body["total"], body["result"], body["error"]) == (5, 20, None, None)
        assert body["started_at"].endswith("Z")

    @pytest.mark.parametrize(
        ("end", "state", "progress", "result", "error"),
        [
            (lambda job: execution.succeed(job, {"encoder": "all-v2"}), "succeeded", 1.0, {"encoder": "all-v2"}, None),
            (lambda job: execution.fail(job, "too few photos"), "failed", None, None, "too few photos"),
        ],
    )
    def test_reports_its_result(
        self, api: Client, end: Callable[[Job], object], state: str, progress: float | None, result: Any, error: Any
    ) -> None:
        job = Job.objects.get(pk=submitted(api)["id"])
        Job.objects.update(state=State.RUNNING)
        end(job)

        body = api.get(f"/api/jobs/{job.pk}").json()

        assert (body["state"], body["progress"], body["result"], body["error"]) == (state, progress, result, error)
        assert body["finished_at"]

    def test_that_there_is_not_is_a_404_problem(self, api: Client) -> None:
        for ask in (api.get, api.delete):
            body = problem(ask(f"/api/jobs/{uuid4()}"), 404)
            assert body["type"] == "urn:problem-type:lookalike:job-not-found"
        problem(api.get("/api/jobs/17"), 404)

    def test_takes_no_parameters(self, api: Client) -> None:
        problem(api.get(f"/api/jobs/{submitted(api)['id']}?x=1"), 400)

    def test_is_cancelled_and_nothing_of_it_is_kept(self, api: Client, uploads_root: Path) -> None:
        address = f"/api/jobs/{submitted(api)['id']}"

        response = api.delete(address)

        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
        assert api.get(address).json()["state"] == "cancelled"
        assert not list(uploads_root.iterdir())

    def test_that_has_ended_cannot_be_cancelled(self, api: Client) -> None:
        address = f"/api/jobs/{submitted(api)['id']}"
        api.delete(address)

        body = problem(api.delete(address), 409)

        assert body["type"] == "urn:problem-type:lookalike:job-ended"
        assert "was cancelled" in body["detail"]

    def test_is_cancelled_by_nobody_where_training_is_switched_off_nor_by_other_sites(
        self, api: Client, settings: Any
    ) -> None:
        address = f"/api/jobs/{submitted(api)['id']}"
        problem(api.delete(address, headers={"Sec-Fetch-Site": "cross-site"}), 403)
        settings.API_WRITES = "off"
        problem(api.delete(address), 403)
        problem(api.get(address), 403)
        assert Job.objects.get().state == "queued"


def test_the_same_addresses_answer_below_v1(api: Client) -> None:
    response = api.post("/api/v1/collections/all/train", {"archive": archive()})

    assert api.get(f"/api/v1/jobs/{response.json()['id']}").json() == response.json()


class BrokenConnection(io.BytesIO):
    """Gives what it has, and then fails instead of ending."""

    def read(self, size: int | None = -1, /) -> bytes:
        if not (content := super().read(size)):
            raise OSError("connection reset by peer")
        return content


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("kind", ["application/zip", "multipart/form-data; boundary=x"])
def test_a_connection_that_breaks_leaves_nothing_behind(api: Client, kind: str) -> None:
    beginning = b'--x\r\nContent-Disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n' + bytes(10**6)
    sent: dict[str, Any] = {"CONTENT_LENGTH": str(10**7), "wsgi.input": BrokenConnection(beginning)}

    problem(api.generic("POST", ADDRESS, b"x", kind, **sent), 400)
