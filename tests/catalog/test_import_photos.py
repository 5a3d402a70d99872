"""Photos that an import has seen before: recognised without decoding, whatever their format, and stored again if they are lost."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from catalog.models import ProductImage
from catalog.services import note_missing_files
from pictures.photos import open_rgb
from tests.catalog.importing import counts, run
from tests.catalog.photo_server import photo_server
from tests.factories import jpeg
from tests.s3_server import S3Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A product with a photo in each of several formats, each with the name of its camera in it where the format allows."""
    names = []
    for number, (suffix, options) in enumerate(
        {"jpg": {"exif": camera()}, "png": {"exif": camera()}, "webp": {"exif": camera()}, "avif": {"exif": camera()},
         "gif": {}, "bmp": {}, "tiff": {}, "heic": {"exif": camera()}}.items()
    ):  # fmt: skip
        names.append(f"photo.{suffix}")
        draw(number).save(tmp_path / names[-1], **options)
    path = tmp_path / "products.csv"
    path.write_text(f"sku,title,image\nmug,Mug,{'|'.join(names)}\n")
    return path


def camera() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Camera of Mallory"
    return exif


def draw(seed: int) -> Image.Image:
    import pillow_heif

    pillow_heif.register_heif_opener()
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((80, 60), Image.Resampling.BILINEAR)


def test_all_formats_are_taken_and_known_again_without_being_decoded(
    table: Path, media_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(table)
    assert (counts(report), report["photos_added"], report["photos_rejected"]) == ((1, 0, 0, 0), 8, 0)
    stored = [path for path in media_root.rglob("*") if path.is_file()]
    assert {path.suffix for path in stored} == {".jpg", ".png", ".webp", ".avif"}
    assert not any(b"Mallory" in path.read_bytes() for path in stored)
    for number, image in enumerate(ProductImage.objects.order_by("position")):
        seen = np.asarray(open_rgb(Path(image.file.path)), np.int16)
        assert np.abs(seen - np.asarray(draw(number), np.int16)).mean() < 8, image.file.name
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    report = run(table)
    assert (counts(report), report["photos_added"], report["photos_unchanged"]) == ((0, 0, 1, 0), 0, 8)


def test_a_photo_whose_file_is_lost_is_stored_again(table: Path, media_root: Path) -> None:
    run(table)
    first, *others = ProductImage.objects.order_by("position")
    content = Path(first.file.path).read_bytes()
    Path(first.file.path).unlink()
    report = run(table)
    assert (counts(report), report["photos_added"], report["photos_unchanged"]) == ((0, 1, 0, 0), 1, 7)
    assert Path(first.file.path).read_bytes() == content
    assert list(ProductImage.objects.order_by("position")) == [first, *others]
    assert counts(run(table)) == (0, 0, 1, 0)


def test_a_photo_by_a_link_whose_file_is_lost_is_fetched_again(tmp_path: Path, settings: Any) -> None:
    with photo_server() as server:
        settings.FETCH_ALLOW_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
        settings.FETCH_PORTS = (server.port,)
        path = tmp_path / "products.csv"
        path.write_text(f"sku,title,image\nmug,Mug,{server.serve('/1.jpg', jpeg('red'), ETag='one')}\n")
        run(path)
        stored = Path(ProductImage.objects.get().file.path)
        stored.unlink()
        report = run(path)
        assert (report["photos_added"], report["photos_unchanged"]) == (1, 0)
        assert stored.is_file()


def test_an_object_store_is_asked_for_new_and_noted_photos_only(table: Path, bucket: str, s3: S3Server) -> None:
    run(table)
    image = ProductImage.objects.order_by("position").first()
    s3.client().delete_object(Bucket=bucket, Key=f"media/{image.file.name}")
    del s3.requests[:]
    assert counts(run(table)) == (0, 0, 1, 0)
    assert s3.requests == []
    # As check_media does it, and an encoder that does not find the file.
    note_missing_files([image.pk])
    assert counts(run(table)) == (0, 1, 0, 0)
    assert f"media/{image.file.name}" in s3.keys(bucket)
    assert not ProductImage.objects.filter(file_missing=True).exists()
