"""manage.py check_media: rows without files and files without rows."""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from catalog.models import Product, ProductImage
from catalog.services import attach_image, save_product
from catalog.thumbnails import thumbnail
from pictures.photos import validate_photo
from product_files.product_data import ProductData

pytestmark = pytest.mark.django_db


def add(sku: str, seed: int) -> ProductImage:
    file = io.BytesIO()
    Image.effect_noise((40, 30), seed).save(file, "PNG")
    product, _ = save_product(ProductData(sku, sku))
    return attach_image(product, validate_photo(file.getvalue()))[0]


def check(*options: str) -> tuple[dict[str, Any], int]:
    out, status = io.StringIO(), 0
    try:
        call_command("check_media", "--json", *options, stdout=out)
    except SystemExit as end:
        status = int(end.code or 0)
    return json.loads(out.getvalue()), status


def age(path: Path, hours: float = 2) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def orphan(media_root: Path, name: str = "ab" * 32 + ".jpg", hours: float = 2) -> Path:
    path = media_root / "products" / name[:2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"12345")
    age(path, hours)
    return path


def test_a_whole_catalogue_agrees() -> None:
    image = add("one", 5)
    thumbnail(str(image.file.name), 96)
    report, status = check()
    assert (status, report["photos"], report["files"], report["missing_count"], report["unused_count"]) == (
        0,
        1,
        1,
        0,
        0,
    )
    assert report["thumbnails_unused"] == 0


def test_a_photo_without_a_file_is_named_and_noted_until_it_is_back(media_root: Path) -> None:
    images = [add(sku, 5 + number) for number, sku in enumerate(("one", "two", "three"))]
    path = media_root / str(images[1].file.name)
    content = path.read_bytes()
    path.unlink()
    report, status = check()
    assert (status, report["missing_count"]) == (1, 1)
    assert report["missing"] == [{"sku": "two", "file": images[1].file.name}]
    assert list(ProductImage.objects.filter(file_missing=True)) == [images[1]]
    path.write_bytes(content)
    assert check()[1] == 0
    assert not ProductImage.objects.filter(file_missing=True).exists()


def test_files_without_a_photo_are_reported_and_deleted_when_asked_for(media_root: Path) -> None:
    kept = add("one", 5)
    old, new = orphan(media_root), orphan(media_root, "cd" * 32 + ".png", hours=0.5)
    unfinished = orphan(media_root, ".tmpx1y2")
    thumb = media_root / "thumbs" / "96" / "products" / "ab" / f"{old.name}.webp"
    thumb.parent.mkdir(parents=True)
    thumb.write_bytes(b"thumbnail")
    shutil.move(unfinished, unfinished.parent.parent / "ab" / unfinished.name)
    report, status = check()
    assert (status, report["unused_count"], report["unused_bytes"], report["deleted"]) == (0, 3, 15, 0)
    assert f"products/ab/{old.name}" in report["unused"]
    assert old.exists()
    report, status = check("--delete-orphans")
    assert (status, report["deleted"]) == (0, 2)
    assert not old.exists()
    assert not thumb.exists()
    assert new.exists(), "it may belong to a photo whose row is not saved yet"
    assert (media_root / str(kept.file.name)).exists()


def test_a_thumbnail_without_a_photo_is_reported_and_deleted(media_root: Path) -> None:
    image = add("one", 5)
    thumbnail(str(image.file.name), 96)
    (media_root / str(image.file.name)).unlink()
    Product.objects.all().delete()
    add("two", 6)
    report, _ = check("--delete-orphans")
    assert (report["thumbnails_unused"], report["deleted"]) == (1, 1)
    assert not list((media_root / "thumbs").rglob("*.webp"))


def test_a_disk_that_is_not_mounted_marks_nothing(media_root: Path) -> None:
    add("one", 5)
    shutil.rmtree(media_root)
    with pytest.raises(CommandError, match="the media storage has none: mount the disk of"):
        call_command("check_media")
    assert not ProductImage.objects.filter(file_missing=True).exists()


def test_the_report_is_a_few_lines(media_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = add("one", 5)
    (media_root / str(image.file.name)).unlink()
    orphan(media_root)
    with pytest.raises(SystemExit):
        call_command("check_media")
    printed = capsys.readouterr().out
    assert "1 photos, 1 files" in printed
    assert f"1 photos without a file; import or upload them again:\n  one: {image.file.name}" in printed
    assert "1 files without a photo, 5 bytes, the oldest of 2\xa0hours ago:" in printed
