"""The audit log: what users and keys changed, without what they typed into forms."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey, AuditEntry, User
from catalog.models import Product
from jobs.models import Job
from tests.factories import ProductFactory
from tests.recommender.answers import problem

pytestmark = pytest.mark.django_db

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
        assert "admin:login" in admin_client.get("/admin/accounts/auditentry/").content.decode()
        assert admin_client.post(f"{address}change/", {"actor": "nobody"}).status_code == 403
        assert admin_client.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert AuditEntry.objects.filter(actor="admin", action="admin:login").exists()

    def test_an_upload_is_recorded_without_its_content(self, admin_client: Client) -> None:
        form = {"new_photos": SimpleUploadedFile("photo.jpg", b"no photo"), "title": "A title"}
        admin_client.post("/admin/catalog/product/add/", form)
        assert Product.objects.count() == 0
        assert AuditEntry.objects.get().detail == ""


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
