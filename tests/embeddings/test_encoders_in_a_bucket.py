"""Encoder versions in a bucket: registered on one machine, fetched by each process of another once, and checked by their hash."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from embeddings import versions
from embeddings.backends import BUNDLED, BUNDLED_FAST, encoder_of, get_encoder
from embeddings.encoders.mapped import MappedEncoder
from embeddings.errors import EncoderMismatch, EncoderUnavailable
from embeddings.mapping import register_mapped_version
from embeddings.models import Collection, EncoderVersion
from embeddings.registry import registry
from jobs.storage import StorageFull
from stores.bucket import _Away
from tests.s3_server import S3Server, refusing

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("bucket")]


@pytest.fixture
def other_machine(settings: Any, tmp_path: Path) -> Any:
    """Makes this process a new one of another machine."""

    def move() -> None:
        settings.STORAGE_CACHE_DIR = tmp_path / "other-cache"
        shutil.rmtree(tmp_path / "other-cache", ignore_errors=True)
        registry.clear()

    registry.clear()
    yield move
    registry.clear()


def register(model: Path = BUNDLED) -> EncoderVersion:
    """As a training does it."""
    folder = versions.create_staging_folder()
    try:
        shutil.copyfile(model, folder / "model.tflite")
        (folder / "report").mkdir()
        (folder / "report" / "report.html").write_text("<p>good</p>")
        return versions.register_version(
            Collection.objects.get(slug="all"), folder, "model.tflite", recipe={}, data={}, metrics={}, calibration=None
        )
    finally:
        versions.delete_staging_folder(folder)


def fetched(s3: S3Server) -> int:
    return sum(method == "GET" and path.endswith(".tflite") for method, path in s3.requests)


def test_a_version_is_fetched_once_by_a_process_of_another_machine(
    s3: S3Server, bucket: str, other_machine: Any
) -> None:
    version = register()
    assert s3.keys(bucket) == [
        f"encoders/{version.files}/model.tflite",
        f"encoders/{version.files}/report/report.html",
    ]
    other_machine()
    s3.requests.clear()
    for _ in range(3):
        assert encoder_of(version).fingerprint == get_encoder("bundled").fingerprint
    assert fetched(s3) == 1


def test_a_process_of_the_same_machine_takes_it_from_the_cache(s3: S3Server, other_machine: Any) -> None:
    version = register()
    registry.clear()
    s3.requests.clear()
    assert encoder_of(version).dim == version.dim
    assert fetched(s3) == 0


def test_a_file_that_was_replaced_is_refused(s3: S3Server, bucket: str, other_machine: Any) -> None:
    version = register()
    s3.client().put_object(Bucket=bucket, Key=f"encoders/{version.files}/model.tflite", Body=BUNDLED_FAST.read_bytes())
    other_machine()
    with pytest.raises(EncoderMismatch, match="was made by model"):
        encoder_of(version)


def test_a_file_that_is_gone_is_said(s3: S3Server, bucket: str, other_machine: Any) -> None:
    version = register()
    s3.client().delete_object(Bucket=bucket, Key=f"encoders/{version.files}/model.tflite")
    other_machine()
    with pytest.raises(
        EncoderUnavailable, match=f"there is no file s3://{bucket}/encoders/{version.files}/model.tflite"
    ):
        encoder_of(version)


def test_a_store_that_is_away_is_said_and_asked_again(s3: S3Server, other_machine: Any) -> None:
    version = register()
    other_machine()
    with s3.away(), pytest.raises(EncoderUnavailable, match="cannot be fetched: the store does not answer"):
        encoder_of(version)
    _Away.until = 0
    assert encoder_of(version).dim == version.dim


def test_a_version_that_finds_no_room_is_none(s3: S3Server, bucket: str) -> None:
    before = EncoderVersion.objects.count()
    with (
        s3.failing(refusing("507 Insufficient Storage", "XMinioStorageFull", "PUT")),
        pytest.raises(StorageFull, match="a new version cannot be written to s3://"),
    ):
        register()
    assert (EncoderVersion.objects.count(), s3.keys(bucket)) == (before, [])


def test_a_map_of_a_version_is_one_there_too(other_machine: Any) -> None:
    base = register()
    mapped = register_mapped_version(base, encoder_of(base).encode([]).sum(axis=0) + 1, recipe={}, metrics={})
    other_machine()
    encoder = encoder_of(mapped)
    assert isinstance(encoder, MappedEncoder)
    assert encoder.base_name == base.encoder
    assert versions.reason_to_keep(base) == f"another version is a map of {base.label}"


def test_a_deleted_version_leaves_nothing(s3: S3Server, bucket: str) -> None:
    first, _ = register(), register()
    versions.delete_version(first)
    assert not [key for key in s3.keys(bucket) if first.files in key]


def test_a_version_is_deleted_while_the_bucket_is_away(s3: S3Server) -> None:
    first, _ = register(), register()
    first.text_map = "maps/first.npz"
    first.save()
    with s3.failing(refusing("403 Forbidden", "AccessDenied", "DELETE")):
        versions.delete_version(first)
    assert not EncoderVersion.objects.filter(pk=first.pk).exists()


def test_a_backbone_is_given_to_the_other_machines(s3: S3Server, bucket: str, other_machine: Any) -> None:
    recipe = {"backbone_fingerprint": "ab" * 32}
    path = versions.backbones_folder() / f"{('ab' * 32)[:24]}.tflite"
    path.parent.mkdir(parents=True)
    shutil.copyfile(BUNDLED, path)
    versions.keep_backbone(recipe)
    other_machine()
    version = EncoderVersion(collection=Collection.objects.get(slug="all"), recipe=recipe)
    assert get_encoder(versions.backbone_of(version)).fingerprint == get_encoder("bundled").fingerprint


def test_the_admin_shows_a_report(admin_client: Client) -> None:
    version = register()
    address = reverse("admin:embeddings_encoderversion_report", args=[version.pk])
    assert b"".join(admin_client.get(address).streaming_content) == b"<p>good</p>"
    bundled = EncoderVersion.objects.filter(files="").first()
    assert bundled is not None
    assert admin_client.get(reverse("admin:embeddings_encoderversion_report", args=[bundled.pk])).status_code == 404
