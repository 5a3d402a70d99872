"""The audit log: what users and keys changed, without what they typed into forms."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone, translation

from accounts import keys
from accounts.audit_words import action_in_words, detail_in_words, outcome_in_words, subjects_in_words
from accounts.models import ApiKey, AuditEntry, User
from catalog.models import Product
from jobs.models import Job
from recommender.admin.audit_words import WORDS
from tests.factories import ProductFactory
from tests.recommender.answers import problem

pytestmark = pytest.mark.django_db

ROW_PAGES = ("_changelist", "_add", "_change", "_delete", "_history", "_autocomplete")
# Pages that take nothing, and those that have words of their own in accounts.
ONLY_SHOWN = {
    "search", "visitors", "visual_search", "index", "login", "logout", "password_change_done", "autocomplete", "jsi18n",
    "view_on_site", "app_list", "jobs_job_state", "catalog_suggestions", "catalog_kept_photo", "catalog_import_photo",
    "catalog_import_rejected", "catalog_product_near_duplicates", "embeddings_encoderversion_report",
    "embeddings_rankerversion_train", "recommender_ruleset_preview", "recommender_rule_walls",
}  # fmt: skip
TABLE = b"sku,title,price\nm1,Mug,5\n"


@pytest.fixture
def imports(settings: Any, tmp_path: Any) -> None:
    settings.API_WRITES = "keys"
    settings.UPLOADS_ROOT = tmp_path
    settings.CELERY_BROKER_URL = "memory://"


@pytest.mark.usefixtures("imports")
class TestApi:
    def test_a_write_names_the_key_the_job_the_address_and_the_request(self, api: Client) -> None:
        key = keys.create(ApiKey(name="nightly", kind=ApiKey.Kind.SECRET, may_import=True))
        headers = {"Authorization": f"Bearer {key.text}", "X-Request-ID": "nightly-7"}
        sent = api.post("/api/imports", TABLE, content_type="text/csv", headers=headers, REMOTE_ADDR="192.0.2.7")

        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.action, entry.status) == (f"key {key.row.prefix}…", "api:imports", 202)
        assert (entry.target, entry.detail) == ("/api/imports", f"job {sent.json()['id']}")
        assert (entry.remote_address, entry.request_id) == ("192.0.2.7", "nightly-7")
        assert key.text not in json.dumps(list(AuditEntry.objects.values()), default=str)

    def test_requests_without_permission_and_reads_are_not_recorded(self, api: Client) -> None:
        problem(api.post("/api/imports", TABLE, content_type="text/csv"), 401)
        problem(api.post("/api/imports", TABLE, content_type="text/csv", headers={"X-API-Key": "sk_x"}), 401)
        api.get("/api/products")
        assert not AuditEntry.objects.exists()

    def test_a_write_with_invalid_content_is_recorded(self, api: Client) -> None:
        key = keys.create(ApiKey(name="nightly", kind=ApiKey.Kind.SECRET, may_import=True)).text
        problem(api.post("/api/imports", b"%PDF-1.7", content_type="text/csv", headers={"X-API-Key": key}), 400)
        assert AuditEntry.objects.get().status == 400


class TestAdmin:
    def test_a_change_is_recorded_with_its_user_and_its_rows(self, admin_client: Client, admin_user: User) -> None:
        product = ProductFactory.create(title="Mug")
        admin_client.post("/admin/catalog/product/", {"action": "withdraw", "_selected_action": [product.pk]})
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.action) == (admin_user.username, "admin:catalog_product_changelist")
        assert f"withdraw: rows {product.pk}" in entry.detail

    def test_the_entry_contains_djangos_own_log_of_the_change(self, admin_client: Client) -> None:
        key = keys.create(ApiKey(name="old"))
        admin_client.post(f"/admin/accounts/apikey/{key.row.pk}/change/", {"name": "new", "origins": ""})
        assert "Changed" in AuditEntry.objects.get().detail
        assert "Name" in AuditEntry.objects.get().detail

    def test_no_field_of_a_form_keeps_a_change_out_of_the_log(self, admin_client: Client) -> None:
        key = keys.create(ApiKey(name="old"))
        form = {"name": "new", "origins": "", "action": "\0", "_selected_action": "\0"}
        admin_client.post(f"/admin/accounts/apikey/{key.row.pk}/change/", form)
        assert ApiKey.objects.get().name == "new"
        assert "Changed" in AuditEntry.objects.get().detail

    @pytest.mark.parametrize("decision", ["merge", "variants", "different"])
    def test_a_decision_on_near_duplicates_names_all_products(self, admin_client: Client, decision: str) -> None:
        kept, other = ProductFactory.create(title="Mug"), ProductFactory.create(title="Mug, again")
        form = {"decision": decision, "main": kept.pk, "product": [kept.pk, other.pk]}
        assert admin_client.post("/admin/catalog/duplicatepair/decide/", form).status_code == 302
        detail = AuditEntry.objects.get().detail
        assert f"product {kept.pk}:" in detail
        assert f"({other.pk})" in detail

    @pytest.mark.usefixtures("imports")
    def test_an_import_names_its_job(self, admin_client: Client) -> None:
        draft = admin_client.post("/admin/catalog/product/import/", {"file": SimpleUploadedFile("mugs.csv", TABLE)})
        dry = admin_client.post(draft.headers["Location"], {"action": "check", "column_0": "sku", "column_1": "title"})
        assert dry.status_code == 302
        assert f"job {Job.objects.get().pk}:" in AuditEntry.objects.latest("pk").detail

    def test_sign_ins_and_sign_outs_are_recorded_without_the_password(self, client: Client, admin_user: User) -> None:
        client.post("/admin/login/", {"username": "admin", "password": "password"})
        client.post("/admin/logout/")
        changes = list(AuditEntry.objects.order_by("pk").values_list("actor", "action"))
        assert changes == [("admin", "admin:login"), ("admin", "admin:logout")]
        assert not AuditEntry.objects.filter(detail__contains="password").exists()

    def test_viewing_a_page_is_not_recorded(self, admin_client: Client) -> None:
        admin_client.get("/admin/")
        assert not AuditEntry.objects.exists()

    def test_the_log_is_read_only(self, admin_client: Client) -> None:
        entry = AuditEntry.objects.create(actor="admin", action="admin:login")
        address = f"/admin/accounts/auditentry/{entry.pk}/"
        assert "Signed in" in admin_client.get("/admin/accounts/auditentry/").content.decode()
        assert "admin:login" in admin_client.get(f"{address}change/").content.decode()
        assert admin_client.post(f"{address}change/", {"actor": "nobody"}).status_code == 403
        assert admin_client.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert AuditEntry.objects.filter(actor="admin", action="admin:login").exists()

    def test_an_upload_is_recorded_without_its_content(self, admin_client: Client) -> None:
        form = {"new_photos": SimpleUploadedFile("photo.jpg", b"no photo"), "title": "A title"}
        admin_client.post("/admin/catalog/product/add/", form)
        assert Product.objects.count() == 0
        assert AuditEntry.objects.get().detail == ""


class TestWords:
    def words(self, **fields: Any) -> tuple[str, str, str]:
        entry = AuditEntry(actor="admin", **fields)
        return action_in_words(entry), detail_in_words(entry, subjects_in_words([entry])), outcome_in_words(entry)[0]

    def test_a_change_says_what_was_changed_of_which_row(self, admin_client: Client) -> None:
        key = keys.create(ApiKey(name="old"))
        admin_client.post(f"/admin/accounts/apikey/{key.row.pk}/change/", {"name": "new", "origins": ""})
        entry = AuditEntry.objects.get()
        assert action_in_words(entry) == "Changed API key"
        assert detail_in_words(entry, {}).startswith("Changed “new (pk_")
        page = admin_client.get("/admin/accounts/auditentry/").content.decode()
        assert "Changed API key" in page

    @pytest.mark.parametrize(
        "fields",
        [
            {"action": "api:imports", "detail": "job {job}"},
            {"action": "admin:catalog_import_draft", "detail": "Aufträge | Auftrag {job}: „Import“ hinzugefügt"},
            {"action": "admin:jobs_job_cancel", "target": "/admin/jobs/job/{job}/cancel/"},
            {"action": "admin:jobs_job_changelist", "detail": "cancel: rows {job}"},
        ],
    )
    def test_a_job_has_its_title_and_time_in_the_readers_language(self, fields: dict[str, str]) -> None:
        job = Job.objects.create(kind="import", parameters={"file": "mugs.csv"})
        Job.objects.update(created_at=datetime(2026, 11, 29, 10, 12, tzinfo=UTC))
        entry = {name: text.format(job=job.pk) for name, text in fields.items()}
        assert self.words(**entry)[1] == "Import of mugs.csv, Nov. 29, 2026, 10:12 a.m."
        with translation.override("de"):
            assert self.words(**entry)[1] == "Import von mugs.csv, 29. November 2026 10:12"
        Job.objects.all().delete()
        assert "mugs.csv" not in self.words(**entry)[1]

    def test_an_action_of_a_list_has_the_name_of_its_menu(self) -> None:
        said = self.words(action="admin:accounts_apikey_changelist", detail="revoke_keys: rows 3, 4", status=302)
        assert said == ("In the list of API keys: Revoke", "revoke_keys: rows 3, 4", "done")

    @pytest.mark.parametrize(
        ("action", "status", "said"),
        [
            ("admin:login", 302, ("Signed in", "done")),
            ("admin:login", 200, ("Signed in", "sent back: the form had mistakes")),
            ("api:train", 202, ("Submitted a training by the API", "done")),
            ("api:train", 403, ("Submitted a training by the API", "refused")),
            ("admin:catalog_product_delete", 500, ("Deleted product", "failed")),
            ("admin:catalog_product_add", 200, ("Added product", "sent back: the form had mistakes")),
            ("admin:gone_page", 302, ("Gone page", "done")),
            ("admin:gone_model_change", 302, ("Gone model change", "done")),
        ],
    )
    def test_what_and_outcome(self, action: str, status: int, said: tuple[str, str]) -> None:
        what, _, outcome = self.words(action=action, status=status)
        assert (what, outcome) == said

    def test_every_page_that_changes_something_has_words(self) -> None:
        unnamed = [
            name
            for name in admin_url_names()
            if f"admin:{name}" not in WORDS and not name.endswith(ROW_PAGES) and name not in ONLY_SHOWN
        ]
        assert unnamed == []

    def test_a_period_and_an_action_are_chosen_in_words(self, admin_client: Client) -> None:
        AuditEntry.objects.create(actor="one", action="admin:login", status=302)
        AuditEntry.objects.create(actor="two", action="api:train", status=202)
        AuditEntry.objects.update(created_at=timezone.now() - timedelta(days=9))
        AuditEntry.objects.create(actor="three", action="api:train", status=202)
        filtered = admin_client.get("/admin/accounts/auditentry/?action=api:train")
        assert {entry.actor for entry in filtered.context["cl"].result_list} == {"two", "three"}
        since = (timezone.localtime() - timedelta(days=1)).strftime("%Y-%m-%d")
        recent = admin_client.get(f"/admin/accounts/auditentry/?created_at_from={since}")
        assert {entry.actor for entry in recent.context["cl"].result_list} == {"three"}
        today = timezone.localdate().isoformat()
        whole_day = admin_client.get(f"/admin/accounts/auditentry/?created_at_from={today}&created_at_to={today}")
        assert {entry.actor for entry in whole_day.context["cl"].result_list} == {"three"}
        nonsense = admin_client.get("/admin/accounts/auditentry/?created_at_from=yesterday")
        assert len(nonsense.context["cl"].result_list) == 3


def admin_url_names() -> set[str]:
    """The names of all pages of the admin."""

    def walk(patterns: Any) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield pattern.name or ""
            else:
                yield from walk(pattern.url_patterns)

    return set(filter(None, walk(admin.site.get_urls())))


@pytest.mark.parametrize("error", [OperationalError("database is locked"), InterfaceError("connection already closed")])
def test_a_database_error_while_recording_does_not_fail_the_request(
    admin_client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(AuditEntry, "save", fail)
    assert admin_client.post("/admin/logout/").status_code == 200
    assert "admin:logout" in caplog.text
    assert "could not write the audit entry" in caplog.text


def test_an_entry_is_also_a_log_line(admin_client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lookalike.audit"):
        admin_client.post("/admin/logout/")
    [line] = [record for record in caplog.records if record.name == "lookalike.audit"]
    assert "admin:logout" in line.getMessage()


def test_entries_older_than_the_setting_are_deleted(admin_client: Client, settings: Any) -> None:
    settings.AUDIT_KEEP_DAYS = 30
    for days in (31, 29):
        AuditEntry.objects.create(actor="a", action=f"{days}", created_at=timezone.now() - timedelta(days=days))
    admin_client.post("/admin/logout/")
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"29", "admin:logout"}
