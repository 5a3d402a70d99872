"""A file is uploaded once, looked at, and read in another way, before anything is written."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, User
from catalog.admin.import_forms import FORMAT_LABELS
from catalog.importers.drafts import append_part, begin_draft
from catalog.models import Category, ImportDraft, ImportMapping, Product
from catalog.services import save_product
from jobs import files
from jobs.execution import fail
from jobs.models import Job
from jobs.services import cancel
from product_files.product_data import ProductData
from product_files.sources import FORMATS
from tests.factories import jpeg
from tests.zips import packed

pytestmark = pytest.mark.django_db

FORM = "/admin/catalog/product/import/"
UPLOADS = f"{FORM}uploads/"
# No column has the name of a field.
TABLE = b"Artikel;Bezeichnung;Preis;Marke;Farbe\nA1;Krug;12,50;Pier;blau\nA2;Hut;9,00;Pier;rot\n"


@pytest.fixture(autouse=True)
def no_broker(settings: Any) -> None:
    settings.CELERY_BROKER_URL = ""


@pytest.fixture
def owner() -> User:
    user = User.objects.create_user("ada", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_product", "add_product", "change_product"]))
    return user


@pytest.fixture
def manager(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def page_of(client: Client, content: bytes = TABLE, name: str = "frühling.csv") -> str:
    """Upload a file; the URL of its page."""
    answer = client.post(FORM, {"file": SimpleUploadedFile(name, content)})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


def begin(client: Client, size: int, name: str = "spring.csv") -> dict[str, str]:
    answer = client.post(UPLOADS, json.dumps({"name": name, "size": size}), content_type="application/json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def send_part(client: Client, url: str, offset: int, part: bytes) -> Any:
    return client.patch(
        url, part, content_type="application/offset+octet-stream", headers={"Upload-Offset": str(offset)}
    )


@pytest.mark.parametrize("content", ['{"name": "a.csv", "size": Infinity}', "[" * 9000, '{"name": "a.csv"}', "no JSON"])
def test_an_upload_without_a_size_is_refused(manager: Client, content: str) -> None:
    answer = manager.post(UPLOADS, content, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"error": "The name and the size of the file are missing."})


class TestAnUploadInParts:
    def test_goes_on_where_it_stopped(self, manager: Client) -> None:
        upload = begin(manager, len(TABLE))
        assert send_part(manager, upload["url"], 0, TABLE[:20]).headers["Upload-Offset"] == "20"

        # The answer was lost: the same part comes again.
        again = send_part(manager, upload["url"], 0, TABLE[:20])
        assert (again.status_code, again.headers["Upload-Offset"]) == (409, "20")
        assert manager.head(upload["url"]).headers["Upload-Offset"] == "20"

        last = send_part(manager, upload["url"], 20, TABLE[20:])
        assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(TABLE)))
        assert "Krug" in manager.get(upload["page"]).content.decode()

    def test_is_recorded_once(self, manager: Client) -> None:
        upload = begin(manager, len(TABLE))
        for offset in range(0, len(TABLE), 10):
            send_part(manager, upload["url"], offset, TABLE[offset : offset + 10])

        assert AuditEntry.objects.count() == 1

    def test_with_more_bytes_than_announced_is_refused(self, manager: Client) -> None:
        answer = send_part(manager, begin(manager, 10)["url"], 0, TABLE)

        assert answer.status_code == 422
        assert "more than the 10 bytes" in answer.json()["error"]

    def test_is_refused_in_the_readers_language(self, manager: Client) -> None:
        upload = begin(manager, 8, "offer.pdf")

        answer = manager.patch(
            upload["url"],
            b"%PDF-1.7",
            content_type="application/offset+octet-stream",
            headers={"Upload-Offset": "0", "Accept-Language": "de"},
        )

        assert answer.json()["error"] == "offer.pdf ist ein PDF: Beschaffen Sie die Tabelle als CSV"

    def test_of_what_is_no_catalogue_says_so_and_keeps_nothing(self, manager: Client, settings: Any) -> None:
        upload = begin(manager, 8, "offer.pdf")

        answer = send_part(manager, upload["url"], 0, b"%PDF-1.7")

        assert (answer.status_code, answer.json()["error"][:19]) == (422, "offer.pdf is a PDF:")
        assert not ImportDraft.objects.exists()
        assert not list(Path(settings.UPLOADS_ROOT).iterdir())

    def test_that_is_too_large_is_refused_before_its_first_byte(self, manager: Client, settings: Any) -> None:
        settings.IMPORT_MAX_BYTES = 100
        answer = manager.post(UPLOADS, {"name": "a.csv", "size": 101}, content_type="application/json")
        assert answer.status_code == 422
        assert answer.json()["error"] == "the file is larger than 100 bytes: divide it"

    def test_is_nobody_else_s(self, manager: Client, admin_client: Client) -> None:
        upload = begin(manager, len(TABLE))

        assert admin_client.head(upload["url"]).status_code == 404
        assert send_part(admin_client, upload["url"], 0, TABLE).status_code == 404

    def test_needs_the_permission_to_import(self, client: Client) -> None:
        client.force_login(User.objects.create_user("eve", password="secret", is_staff=True))
        assert client.post(UPLOADS, {"name": "a.csv", "size": 1}, content_type="application/json").status_code == 403


@pytest.mark.parametrize("character", ["\0", "\ud83d"])
def test_a_name_that_no_database_stores_is_shown_nearly(manager: Client, character: str) -> None:
    begin(manager, len(TABLE), f"spring{character}.csv")
    assert ImportDraft.objects.get().file_name == "spring\N{REPLACEMENT CHARACTER}.csv"


class _SlowPart(io.BytesIO):
    """A part whose sender has a slow line."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.is_asked, self.goes_on = threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.is_asked.set()
        self.goes_on.wait(20)
        return super().read(size)


@pytest.mark.django_db(transaction=True)
def test_others_write_while_a_part_arrives_slowly() -> None:
    draft = begin_draft(User.objects.create_superuser("boss"), "spring.csv", len(TABLE))
    part, there = _SlowPart(TABLE), []

    def upload() -> None:
        try:
            there.append(append_part(draft, 0, part))
        finally:
            connection.close()

    uploading = threading.Thread(target=upload)
    uploading.start()
    assert part.is_asked.wait(20)
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA busy_timeout = 500")
    try:
        save_product(ProductData(sku="m1", title="Mug"))
    finally:
        part.goes_on.set()
        uploading.join()
        connection.close()
    assert there == [len(TABLE)]


class TestThePageOfAFile:
    def test_shows_columns_values_products_and_what_is_new(self, manager: Client) -> None:
        save_product(ProductData(sku="old", title="Old", brand="Pier", category=("Kitchen",)))
        table = b"sku,title,category,brand,price\n1,Jug,Kitchen,Pier,5 CHF\n2,Hat,Hats > Straw,Cove,6 CHF\n"

        page = manager.get(page_of(manager, table)).content.decode()

        for text in ("Jug", "Hats &gt; Straw", "New categories: hats/straw", "New brands: Cove", "Currencies: CHF"):
            assert text in page, text
        assert not Product.objects.filter(sku="1").exists()
        assert not Category.objects.filter(path="hats").exists()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"sku,title\nm1,Mug\n", "table (CSV)"),
            (b"<table><tr><td>sku<td>title<tr><td>m1<td>Mug</table>", "table (HTML)"),
            (
                b"MIME-Version: 1.0\nContent-Type: text/html\n\n<table><tr><td>sku<td>title<tr><td>m1<td>Mug</table>",
                "table (MHTML)",
            ),
        ],
    )
    def test_says_what_kind_of_table_the_file_is(self, manager: Client, content: bytes, words: str) -> None:
        assert f"Read as: {words}" in manager.get(page_of(manager, content)).content.decode()

    def test_says_in_the_readers_language_how_the_file_is_read(self, manager: Client, settings: Any) -> None:
        manager.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
        page = manager.get(page_of(manager, "code;name\nA1;Krug\n".encode("utf-16"))).content.decode()
        assert "<li>Zeichenkodierung: utf-16</li>" in page
        assert "<li>Am Namen erkannte Spalten: code → sku, name → title</li>" in page

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (
                packed({"a.csv": b"sku,title\nm1,Mug\n", "b.csv": b"sku,title\n"}),
                "im Archiv sind 2 Tabellen (a.csv, b.csv)",
            ),
            (b"<table><tr><td>sku<td>title</table>" * 2, "in der HTML-Datei sind 2 Tabellen (1, 2)"),
            ("sku;title\nm1;Stra\u00dfe\n".encode("cp1252"), "die Zeichenkodierung der Datei ist nicht sicher"),
        ],
        ids=["zip", "html", "encoding"],
    )
    def test_says_in_the_readers_language_why_it_cannot_be_read(
        self, manager: Client, settings: Any, content: bytes, words: str
    ) -> None:
        manager.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
        assert words in manager.get(page_of(manager, content)).content.decode()

    def test_lets_columns_be_chosen_by_clicking_alone(self, manager: Client) -> None:
        url = page_of(manager)
        page = manager.get(url).content.decode()
        for text in ("Artikel", "Bezeichnung", "Krug", "12,50"):
            assert text in page

        chosen = {
            "column_0": "sku",
            "column_1": "title",
            "column_2": "price",
            "column_3": "brand",
            "column_4": "attribute",
        }
        manager.post(url, {"action": "look", "fetch": "on", **chosen})
        page = manager.get(url).content.decode()
        assert "First products" in page
        assert "€12.50" in page

        answer = manager.post(url, {"action": "check", "fetch": "on", **chosen})
        job = Job.objects.get()
        assert answer.headers["Location"] == reverse("admin:jobs_job_change", args=[job.pk])
        assert "attribute.Farbe=Farbe" in job.parameters["map"]

    def test_says_which_column_is_still_to_be_chosen(self, manager: Client) -> None:
        answer = manager.post(page_of(manager), {"action": "check", "column_1": "title"})

        assert "Choose the column that becomes: SKU (article number)." in answer.content.decode()
        assert not Job.objects.exists()

    def test_refuses_two_columns_for_a_field_that_takes_one(self, manager: Client) -> None:
        chosen = {"column_0": "sku", "column_1": "title", "column_2": "title"}
        answer = manager.post(page_of(manager), {"action": "check", **chosen})
        assert "title takes one column" in answer.content.decode()

    def test_keeps_a_mapping_by_name_and_offers_it_for_the_same_columns(self, manager: Client) -> None:
        chosen = {"column_0": "sku", "column_1": "title", "column_2": "price"}
        manager.post(page_of(manager), {"action": "look", "save_as": "Our export", "decimal": ",", **chosen})
        mapping = ImportMapping.objects.get()
        assert (mapping.name, mapping.created_by) == ("Our export", "ada")

        url = page_of(manager)
        assert "Our export" in manager.get(url).content.decode()
        page = manager.get(f"{url}?mapping={mapping.pk}").content.decode()
        assert "First products" in page
        assert ImportDraft.objects.first().options["decimal"] == ","
        other = page_of(manager, b"sku,title\n1,Jug\n")
        assert "Our export" not in manager.get(other).content.decode()

    def test_shows_photos_of_an_archive(self, manager: Client) -> None:
        table = b"sku,title,image\n1,Jug,jug.jpg\n2,Hat,missing.jpg\n"
        url = page_of(manager, packed({"products.csv": table, "images/jug.jpg": jpeg()}), "spring.zip")

        photo = manager.get(f"{url}photos/0/")

        assert photo.headers["Content-Type"] == "image/webp"
        # A browser shows the picture of a response whatever its status.
        missing = manager.get(f"{url}photos/1/", headers={"Accept-Language": "de"})
        assert (missing.status_code, missing.headers["Content-Type"]) == (404, "image/svg+xml")
        assert ">kein Foto</text>" in missing.content.decode()
        assert manager.get(f"{url}photos/7/").status_code == 404

    def test_shows_what_is_no_photo_among_photos_as_a_problem(self, manager: Client) -> None:
        files = {"mugs/red.jpg": jpeg(), "mugs/readme.txt": b"hello", "prices.pdf": b"%PDF-1.7"}
        page = manager.get(page_of(manager, packed(files), "spring.zip")).content.decode()
        assert page.count("/photos/") == 1
        assert "mugs/readme.txt: the file is not a picture" in page
        assert "prices.pdf: the file is PDF" in page

    def test_keeps_the_file_when_a_dry_run_was_not_right(self, manager: Client) -> None:
        url = page_of(manager)
        chosen = {"column_0": "sku", "column_1": "title"}
        manager.post(url, {"action": "check", **chosen})
        Job.objects.update(state=Job.State.CANCELLED)

        manager.post(url, {"action": "check", **chosen, "column_2": "price"})

        assert Job.objects.count() == 2
        assert "price=Preis" in Job.objects.first().parameters["map"]

    def test_that_has_expired_says_so(self, manager: Client, settings: Any) -> None:
        url = page_of(manager)
        long_ago = timezone.now() - timedelta(hours=settings.IMPORT_UPLOAD_KEEP_HOURS)
        ImportDraft.objects.update(used_at=long_ago)
        for path in Path(settings.UPLOADS_ROOT).iterdir():
            os.utime(path, (0, 0))
        files.delete_expired_files()

        answer = manager.get(url, follow=True)

        assert "the file is no longer kept: upload it again" in answer.content.decode()
        assert not list(Path(settings.UPLOADS_ROOT).iterdir())

    def test_another_delimiter_gives_other_columns(self, manager: Client) -> None:
        url = page_of(manager, b"sku|title;x\n1|Jug;y\n", "odd.csv")

        manager.post(url, {"action": "look", "delimiter": "|", "column_0": "sku", "column_1": "title"})

        assert "title;x" in manager.get(url).content.decode()


def test_every_format_has_a_name_for_people() -> None:
    # A zip is read as what is in it.
    assert set(FORMAT_LABELS) == {*FORMATS} - {"zip"}


@pytest.mark.parametrize("end", [lambda job: fail(job, "no line is a JSON object"), lambda job: cancel(job.pk)])
def test_a_check_that_was_not_completed_leads_back_to_the_file(manager: Client, end: Callable[[Job], object]) -> None:
    page = page_of(manager)
    answer = manager.post(page, {"column_0": "sku", "column_1": "title", "fetch": "on", "action": "check"})
    assert page not in manager.get(answer["Location"]).content.decode()
    Job.objects.update(state=Job.State.RUNNING)

    end(Job.objects.get())

    assert page in manager.get(answer["Location"]).content.decode()


def test_a_file_without_products_is_named(manager: Client) -> None:
    page = manager.get(page_of(manager, b"sku,title,price\n", "header.csv")).content.decode()

    assert "There is no product in the file: is it the right one, and all of it?" in page
    assert "first 0 rows" not in page


def test_a_file_of_600_columns_can_be_mapped(manager: Client) -> None:
    names = ["sku", "title", *(f"field {number}" for number in range(600))]
    page = manager.get(page_of(manager, ",".join(names).encode() + b"\nA1,Jug\n")).content.decode()

    assert page.count('<select name="column_') == 602
    assert page.count('<option value="sku" selected>') == 1
    assert page.count('<option value="attribute">') == 602
