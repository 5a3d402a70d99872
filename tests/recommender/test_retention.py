"""What is past its time is deleted, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, User
from catalog.models import FetchedPhoto
from embeddings.errors import VersionInUse
from embeddings.models import EncoderVersion
from embeddings.versions import delete_version
from jobs.models import Job
from tests.factories import CollectionFactory, EncoderVersionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.JOBS_KEEP_DAYS = settings.FETCHED_PHOTOS_KEEP_DAYS = settings.AUDIT_KEEP_DAYS = 30
    settings.UNUSED_VERSIONS_KEEP_DAYS = 30


def ago(**time: float) -> Any:
    return timezone.now() - timedelta(**time)


def make_versions(settings: Any) -> tuple[EncoderVersion, ...]:
    """One that is not used, the active one, and the newest, which is not used either; all old, with files."""
    collection = CollectionFactory.create(slug="hats")
    made = tuple(
        EncoderVersionFactory.create(collection=collection, number=number, files=f"files-{number}")
        for number in (1, 2, 3)
    )
    for version in made:
        (settings.ENCODERS_ROOT / version.files).mkdir(parents=True)
    EncoderVersion.objects.update(created_at=ago(days=31))
    collection.active_version = made[1]
    collection.save()
    return made


def test_rows_past_their_time_are_deleted(settings: Any) -> None:
    for number, age in enumerate((1, 31, 32)):
        Job.objects.create(kind="reindex", collection="all", state="succeeded", finished_at=ago(days=age))
        Job.objects.filter(finished_at__lte=ago(days=age)).update(created_at=ago(days=age))
        FetchedPhoto.objects.create(link_sha256=str(number))
        FetchedPhoto.objects.filter(link_sha256=str(number)).update(fetched_at=ago(days=age))
        entry = AuditEntry.objects.create(action="x")
        AuditEntry.objects.filter(pk=entry.pk).update(created_at=ago(days=age))
        attempt = AccessAttempt.objects.create(username=str(number), failures_since_start=1)
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=ago(days=age, minutes=-2) if number else ago())
        Session.objects.create(session_key=str(number), expire_date=ago(days=age - 5))
    # The last of its kind is kept, however old: a page shows it.
    kept = Job.objects.create(kind="verify", collection="all", state="succeeded", finished_at=ago(days=99))

    call_command("clean_up")

    assert Job.objects.exclude(pk=kept.pk).count() == 1
    assert Job.objects.filter(pk=kept.pk).exists()
    for model in (FetchedPhoto, AuditEntry, AccessAttempt, Session):
        assert model.objects.count() == 1, model


def test_files_that_no_photo_has_are_deleted(settings: Any) -> None:
    settings.DELETED_PHOTOS_KEEP_MINUTES = 0
    name = default_storage.save(f"products/ab/ab{'0' * 62}.jpg", ContentFile(b"photo"))

    call_command("clean_up")

    assert not default_storage.exists(name)


def test_versions_that_are_not_used_are_deleted_with_their_files(settings: Any) -> None:
    unused, active, newest = make_versions(settings)

    call_command("clean_up")

    assert set(EncoderVersion.objects.filter(collection__slug="hats")) == {active, newest}
    assert sorted(path.name for path in settings.ENCODERS_ROOT.iterdir()) == ["files-2", "files-3"]
    assert not EncoderVersion.objects.filter(pk=unused.pk).exists()


def test_a_version_that_is_used_cannot_be_deleted(settings: Any) -> None:
    _, active, newest = make_versions(settings)
    for version, reason in ((active, "answers queries"), (newest, "its number would be given again")):
        with pytest.raises(VersionInUse, match=reason):
            delete_version(version)


def test_staff_delete_versions_in_the_admin(settings: Any, client: Client) -> None:
    unused, active, _ = make_versions(settings)
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))

    answer = client.post(
        "/admin/embeddings/encoderversion/",
        {"action": "delete_versions", "_selected_action": [unused.pk, active.pk]},
        follow=True,
    )

    text = answer.content.decode()
    assert "hats-v1 is deleted, with its files." in text
    assert "Hats-v2 answers queries, or is kept for a roll-back." in text
    assert not (settings.ENCODERS_ROOT / "files-1").exists()
