"""manage.py move_storage: there and back, compared, and gone on with after an interruption."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import StorageHandler
from django.core.management import CommandError, call_command

from catalog.models import ImportDraft
from stores.bucket import BucketStorage, _Away
from tests.s3_server import S3Server, refusing

pytestmark = pytest.mark.django_db

FILES = {
    "media": {
        "products/ab/one.jpg": b"one",
        "products/cd/two.jpg": b"two",
        "thumbs/96/products/ab/one.jpg.webp": b"small",
    },
    "encoders": {"v1/model.tflite": os.urandom(1000), "v1/saved_model/variables/data": b"data"},
    "uploads": {"a.import": b"sku,title\n"},
}


@pytest.fixture
def roots(settings: Any, tmp_path: Path) -> dict[str, Path]:
    """The folders, with files, and some that are not finished."""
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    found = {"media": tmp_path / "media", "encoders": tmp_path / "encoders", "uploads": tmp_path / "uploads"}
    for kind, files in FILES.items():
        for name, content in files.items():
            path = found[kind] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (found["uploads"] / "incoming-x.part").write_bytes(b"half")
    (found["encoders"] / ".unfinished-1").mkdir()
    (found["encoders"] / ".unfinished-1" / "model.tflite").write_bytes(b"half")
    return found


@pytest.fixture
def own_bucket(s3: S3Server, settings: Any, tmp_path: Path) -> str:
    """An empty bucket that the command gets as an argument, while this process keeps its files in folders."""
    name = s3.make_bucket()
    settings.BUCKET_STORAGES = {
        kind: {**each, "OPTIONS": {**each["OPTIONS"], **s3.account(name)}}
        for kind, each in settings.BUCKET_STORAGES.items()
    }
    settings.STORAGE_URL, settings.STORAGE_CACHE_DIR = f"s3://{name}", tmp_path / "cache"
    _Away.until = 0
    return name


def move(*arguments: str) -> str:
    out = StringIO()
    call_command("move_storage", *arguments, stdout=out)
    return out.getvalue()


def expected() -> list[str]:
    return sorted(f"{kind}/{name}" for kind, files in FILES.items() for name in files)


def test_files_go_there_and_back(
    roots: dict[str, Path], own_bucket: str, s3: S3Server, settings: Any, tmp_path: Path
) -> None:
    said = move("to-bucket")
    assert f"photos: 3 files (11 bytes) copied to s3://{own_bucket}/media and compared, 0 were there" in said
    assert s3.keys(own_bucket) == expected()
    settings.MEDIA_ROOT, settings.ENCODERS_ROOT, settings.UPLOADS_ROOT = (tmp_path / f"new-{kind}" for kind in FILES)
    move("to-folders")
    for kind, files in FILES.items():
        for name, content in files.items():
            assert (tmp_path / f"new-{kind}" / name).read_bytes() == content
    # Nothing was deleted.
    assert s3.keys(own_bucket) == expected()
    assert (roots["media"] / "products/ab/one.jpg").exists()


def test_what_is_there_is_passed_over(roots: dict[str, Path], own_bucket: str, s3: S3Server) -> None:
    move("to-bucket")
    (roots["media"] / "products/cd/new.jpg").write_bytes(b"new")
    s3.requests.clear()
    assert "photos: 1 files (3 bytes) copied" in move("to-bucket")
    assert [path for method, path in s3.requests if method == "PUT"] == [f"/{own_bucket}/media/products/cd/new.jpg"]


def test_a_file_that_differs_is_copied_again_where_all_are_compared(
    roots: dict[str, Path], own_bucket: str, s3: S3Server
) -> None:
    move("to-bucket")
    (roots["media"] / "products/ab/one.jpg").write_bytes(b"eno")
    assert "photos: 0 files" in move("to-bucket")
    assert "photos: 1 files (3 bytes) copied" in move("to-bucket", "--compare")
    body = s3.client().get_object(Bucket=own_bucket, Key="media/products/ab/one.jpg")["Body"].read()
    assert body == b"eno"


def test_one_kind_alone(roots: dict[str, Path], own_bucket: str, s3: S3Server) -> None:
    move("to-bucket", "--only", "encoders")
    assert {key.partition("/")[0] for key in s3.keys(own_bucket)} == {"encoders"}


def test_an_upload_that_is_not_whole_is_left_out(
    roots: dict[str, Path], own_bucket: str, s3: S3Server, admin_user: Any
) -> None:
    (roots["uploads"] / "half.draft").write_bytes(b"sku")
    ImportDraft.objects.create(owner=admin_user, file_name="a.csv", size=100, upload="half.draft")
    move("to-bucket")
    assert s3.keys(own_bucket) == expected()


def test_it_goes_on_after_a_failure(
    roots: dict[str, Path], own_bucket: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.management.commands.move_storage._PATIENCE_S", 0)
    with (
        s3.failing(refusing("507 Insufficient Storage", "XMinioStorageFull", "PUT")),
        pytest.raises(CommandError, match=r"there is no room left in the store.* run the same command again to go on"),
    ):
        move("to-bucket")
    move("to-bucket")
    assert s3.keys(own_bucket) == expected()


def test_a_copy_that_differs_is_not_left(
    roots: dict[str, Path], own_bucket: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = BucketStorage.put

    def damaged(self: BucketStorage, name: str, source: Any) -> None:
        put(self, name, source)
        put(self, name, b"ono")

    monkeypatch.setattr(BucketStorage, "put", damaged)
    with pytest.raises(CommandError, match=r"the copy of products/ab/one\.jpg in s3://"):
        move("to-bucket", "--only", "photos", "--threads", "1")
    assert "media/products/ab/one.jpg" not in s3.keys(own_bucket)


def test_it_needs_a_bucket(settings: Any) -> None:
    settings.STORAGE_URL = ""
    with pytest.raises(CommandError, match="Set STORAGE_URL for this command"):
        move("to-bucket")


def test_the_site_then_serves_from_the_bucket(roots: dict[str, Path], own_bucket: str, settings: Any) -> None:
    move("to-bucket")
    with StorageHandler(settings.BUCKET_STORAGES)["default"].open("products/ab/one.jpg") as file:
        assert file.read() == b"one"
