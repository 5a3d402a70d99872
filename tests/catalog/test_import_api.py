"""What POST /api/imports, /api/jobs/<id>/import and /api/jobs/<id>/rejected answer."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from catalog.models import Product
from jobs import files, uploads
from jobs.models import Job
from tests.recommender.answers import problem
from tests.zips import packed

ADDRESS = "/api/imports"
TABLE = b"sku,title,price\nm1,Mug,5\nm2,,6\n"
State = Job.State

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def open_to_all(settings: Any) -> None:
    settings.API_WRITES = "open"
    settings.CELERY_BROKER_URL = ""


@pytest.fixture
def nothing_left(uploads_root: Path) -> Iterator[None]:
    """Checks afterwards that a refusal left no job and no file."""
    yield
    assert Job.objects.count() == 0
    assert not uploads_root.exists() or not list(uploads_root.iterdir())


@pytest.fixture
def api() -> Client:
    """A client that sees an error as a caller would."""
    return Client(raise_request_exception=False)


def file(content: bytes = TABLE, name: str = "spring.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def work_off(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING, heartbeat_at=timezone.now())
    call_command("run_import", "--job", str(job.pk))


class TestACatalogue:
    def test_is_answered_by_a_job_and_its_address(self, api: Client, uploads_root: Path) -> None:
        form = {"file": file(), "dry_run": "true", "source": "feed", "map": ["sku=sku", "brand=title"], "decimal": "."}
        response = api.post(ADDRESS, form)

        assert response.status_code == 202, response.content
        body = response.json()
        assert (body["kind"], body["collection"], body["state"]) == ("import", None, "queued")
        assert response["Location"] == f"http://testserver/api/jobs/{body['id']}"
        assert api.get(response["Location"]).json() == body
        job = Job.objects.get()
        assert job.parameters == {
            "dry_run": True, "source": "feed", "map": ["sku=sku", "brand=title"], "decimal": ".", "file": "spring.csv",
        }  # fmt: skip
        assert [path.name for path in uploads_root.iterdir()] == [job.upload]

    @pytest.mark.parametrize(
        ("media_type", "content"),
        [
            ("text/csv", TABLE),
            ("text/csv; charset=utf-8", TABLE),
            ("text/tab-separated-values", TABLE.replace(b",", b"\t")),
            ("application/xml", b"<rss version='2.0'><channel><item/></channel></rss>"),
            ("application/jsonl", b'{"sku": "m1", "title": "Mug"}\n'),
            ("application/x-ndjson", b'{"sku": "m1", "title": "Mug"}\n'),
            ("application/zip", packed({"products.csv": TABLE})),
            ("application/gzip", gzip.compress(TABLE, mtime=0)),
        ],
    )
    def test_may_be_the_body_itself(self, api: Client, media_type: str, content: bytes) -> None:
        response = api.post(
            f"{ADDRESS}?fetch=false&map=brand%3Dtitle&map=tags%3Dtitle", content, content_type=media_type
        )

        assert response.status_code == 202, response.content
        job = Job.objects.get()
        with files.open_upload(job) as file:
            assert file.read() == content
        assert (job.parameters["fetch"], job.parameters["map"]) == (False, ["brand=title", "tags=title"])

    def test_is_never_held_in_memory(self, api: Client, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        pieces: list[int] = []
        real = uploads.StreamedUpload.append

        def noted(upload: uploads.StreamedUpload, chunk: bytes) -> None:
            pieces.append(len(chunk))
            real(upload, chunk)

        monkeypatch.setattr(uploads.StreamedUpload, "append", noted)
        content = TABLE + b"".join(b"m%d,Mug,5\n" % number for number in range(100_000))
        assert api.post(ADDRESS, {"file": file(content)}).status_code == 202
        assert sum(pieces) == len(content)
        assert len(pieces) > 3

    def test_has_the_same_address_by_its_version(self, api: Client) -> None:
        response = api.post("/api/v1/imports", {"file": file()})
        assert response["Location"] == f"http://testserver/api/v1/jobs/{response.json()['id']}"

    def test_is_worked_off_and_its_rejected_rows_are_fetched(self, api: Client) -> None:
        address = api.post(ADDRESS, {"file": file()})["Location"]
        work_off(Job.objects.get())

        body = api.get(address).json()
        assert (body["state"], body["progress"]) == ("succeeded", 1.0)
        assert (body["result"]["created"], body["result"]["rejected"], body["result"]["rejected_file"]) == (1, 1, True)
        rejected = api.get(f"{address}/rejected")
        assert rejected.status_code == 200
        assert rejected["Content-Type"] == "text/csv; charset=utf-8"
        assert rejected["Content-Disposition"].startswith("attachment; ")
        assert "Access-Control-Allow-Origin" not in rejected
        lines = b"".join(rejected.streaming_content).decode().splitlines()
        assert lines == ["line,sku,photo,reason,sku,title,price", "3,m2,,the title is empty,m2,,6"]

    def test_is_tried_out_and_then_imported_without_being_sent_again(self, api: Client) -> None:
        address = api.post(ADDRESS, {"file": file(), "dry_run": "true"})["Location"]
        dry = Job.objects.get()
        work_off(dry)
        assert Product.objects.count() == 0

        response = api.post(f"{address}/import")
        assert response.status_code == 202, response.content
        work_off(Job.objects.get(pk=response.json()["id"]))
        assert Product.objects.count() == 1
        assert problem(api.post(f"{address}/import"), 409)["type"].endswith(":nothing-to-import")

    def test_is_cancelled(self, api: Client) -> None:
        address = api.post(ADDRESS, {"file": file()})["Location"]
        assert api.delete(address).json()["state"] == "cancelled"


@pytest.mark.usefixtures("nothing_left")
class TestRefused:
    @pytest.mark.parametrize(
        ("content", "detail"),
        [
            (b"%PDF-1.7", "offer.pdf is a PDF"),
            (packed()[:-20], "damaged"),
            (b"name\nMug\n", "No column is mapped to the field sku"),
        ],
    )
    def test_what_can_be_seen_to_be_no_catalogue(self, api: Client, content: bytes, detail: str) -> None:
        body = problem(api.post(ADDRESS, {"file": file(content, "offer.pdf")}), 400)
        assert body["type"] == "urn:problem-type:lookalike:unusable-catalogue"
        assert detail.casefold() in body["detail"].casefold()

    @pytest.mark.parametrize("as_body", [True, False])
    def test_more_than_may_be_sent(self, api: Client, settings: Any, as_body: bool) -> None:
        settings.IMPORT_MAX_BYTES = 100
        content = TABLE * 100
        response = (
            api.post(ADDRESS, content, content_type="text/csv")
            if as_body
            else api.post(ADDRESS, {"file": file(content)})
        )
        said = "The file is larger than 100 bytes: send its products in several files"
        assert problem(response, 413)["detail"] == said

    @pytest.mark.parametrize(
        ("parameters", "name"),
        [
            ({"format": "excel"}, "format"),
            ({"map": "sku"}, "map"),
            ({"dry_run": "perhaps"}, "dry_run"),
            ({"deactivate_missing": "true"}, "source"),
            ({"source": "x" * 81}, "source"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_parameters_that_cannot_be_used(self, api: Client, parameters: dict[str, str], name: str) -> None:
        body = problem(api.post(ADDRESS, {"file": file(), **parameters}), 400)
        assert [error["parameter"] for error in body["errors"]] == [name]

    def test_none_or_several_files(self, api: Client) -> None:
        assert problem(api.post(ADDRESS, {"dry_run": "true"}), 400)["errors"][0]["parameter"] == "file"
        both = {"file": [file(), file()]}
        assert "2 were sent" in problem(api.post(ADDRESS, both), 400)["errors"][0]["detail"]

    def test_a_file_by_another_name_and_a_text_by_its_name(self, api: Client) -> None:
        for form in ({"fiel": file()}, {"fiel": file(), "file": file()}):
            [error] = problem(api.post(ADDRESS, form), 400)["errors"]
            assert error == {"parameter": "fiel", "detail": "is not accepted: the only file is `file`"}
        [error] = problem(api.post(ADDRESS, {"file": "spring.csv"}), 400)["errors"]
        assert (error["parameter"], error["detail"][:25]) == ("file", "is a text, not a file: se")

    def test_a_media_type_that_is_no_catalogue(self, api: Client) -> None:
        problem(api.post(ADDRESS, b"x", content_type="application/pdf"), 415)

    def test_a_page_of_another_site(self, api: Client) -> None:
        problem(api.post(ADDRESS, {"file": file()}, headers={"Origin": "https://evil.example"}), 403)
        problem(api.get(f"/api/jobs/{uuid4()}/rejected", headers={"Sec-Fetch-Site": "cross-site"}), 403)

    def test_where_imports_are_switched_off(self, api: Client, settings: Any) -> None:
        settings.API_WRITES = "off"
        for response in (
            api.post(ADDRESS, {"file": file()}),
            api.post(f"/api/jobs/{uuid4()}/import"),
            api.get(f"/api/jobs/{uuid4()}/rejected"),
        ):
            assert problem(response, 403)["type"].endswith(":writes-disabled")


def test_an_import_under_way_keeps_the_next_one_out(api: Client) -> None:
    api.post(ADDRESS, {"file": file()})
    assert "An import is under way" in problem(api.post(ADDRESS, {"file": file()}), 409)["detail"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("sent", "status", "parameter"),
    [
        ({"data": {"file": file(), "dry_run": "perhaps"}}, 400, "dry_run"),
        ({"data": {"fiel": file()}}, 400, "fiel"),
        ({"data": {"dry_run": "true"}}, 400, "file"),
        ({"data": TABLE, "content_type": "text/csv", "query": "?dry_run=perhaps"}, 400, "dry_run"),
        ({"data": TABLE, "content_type": "text/csv", "query": "?deactivate_missing=true"}, 400, "source"),
        ({"data": b"x", "content_type": "application/pdf"}, 415, None),
        # Too large to be read for this: by the address alone.
        ({"data": {"file": file(b"x" * 1100000), "dry_run": "perhaps"}}, 409, None),
        ({"data": {"file": file(b"x" * 1100000)}, "query": "?dry_run=perhaps"}, 400, "dry_run"),
        ({"data": {"file": file(b"x" * 1100000)}, "query": "?deactivate_missing=true"}, 409, None),
    ],
)
def test_a_request_that_is_wrong_in_itself_is_refused_while_an_import_is_under_way(
    api: Client, uploads_root: Path, sent: dict[str, Any], status: int, parameter: str | None
) -> None:
    api.post(ADDRESS, {"file": file()})
    before = list(uploads_root.iterdir())
    for value in sent["data"].values() if isinstance(sent["data"], dict) else ():
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)
    kind = {"content_type": sent["content_type"]} if "content_type" in sent else {}

    body = problem(api.post(f"{ADDRESS}{sent.get('query', '')}", sent["data"], **kind), status)

    assert [error["parameter"] for error in body.get("errors", ())] == ([parameter] if parameter else [])
    assert list(uploads_root.iterdir()) == before


def test_a_job_without_rejected_rows_has_none_to_fetch(api: Client) -> None:
    address = api.post(ADDRESS, {"file": file()})["Location"]
    assert problem(api.get(f"{address}/rejected"), 404)["type"].endswith(":no-rejected-rows")
    problem(api.get(f"/api/jobs/{uuid4()}/rejected"), 404)
