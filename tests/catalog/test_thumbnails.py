"""Thumbnails: their URL is computed without reading the photo; the first request creates the file."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from catalog.media import write_if_absent
from catalog.thumbnails import SIDES, thumbnail, thumbnail_url
from jobs.storage import StorageUnavailable

NAME = f"products/ab/{'ab' * 32}.jpg"


@pytest.fixture
def stored(media_root: Path) -> str:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1800, 1200), "teal").save(file, "JPEG", exif=exif)
    write_if_absent(NAME, file.getvalue())
    return NAME


@pytest.fixture
def browser(settings: Any) -> Client:
    settings.ROOT_URLCONF = "catalog.thumbnails"
    return Client()


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_an_address_needs_no_photo_and_reads_nothing(media_root: Path) -> None:
    assert thumbnail_url(NAME, 320) == f"/thumbs/320/{NAME}.webp"
    assert thumbnail_url("", 320) == ""
    assert not media_root.exists()


def test_a_side_that_is_not_offered_is_refused() -> None:
    with pytest.raises(ValueError, match="use one of 96, 320, 640, 1280"):
        thumbnail_url(NAME, 321)


@pytest.mark.parametrize("side", SIDES)
def test_the_first_request_makes_the_thumbnail_upright(
    stored: str, browser: Client, side: int, media_root: Path
) -> None:
    answer = browser.get(thumbnail_url(stored, side))
    with Image.open(io.BytesIO(answer.getvalue())) as picture:
        assert (picture.format, max(picture.size), picture.width < picture.height) == ("WEBP", side, True)
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("image/webp", "public, max-age=31536000, immutable")
    assert (media_root / "thumbs" / str(side) / f"{stored}.webp").is_file()


def test_the_second_request_finds_it(stored: str, browser: Client, media_root: Path) -> None:
    first = browser.get(thumbnail_url(stored, 96)).getvalue()
    (media_root / stored).unlink()
    assert browser.get(thumbnail_url(stored, 96)).getvalue() == first


def test_a_small_photo_is_not_blown_up() -> None:
    file = io.BytesIO()
    Image.new("RGB", (50, 40)).save(file, "PNG")
    write_if_absent(NAME.replace(".jpg", ".png"), file.getvalue())
    with Image.open(io.BytesIO(thumbnail(NAME.replace(".jpg", ".png"), 320))) as picture:
        assert picture.size == (50, 40)


@pytest.mark.parametrize(
    "address",
    [
        f"/thumbs/320/{NAME}.webp",
        f"/thumbs/321/{NAME}.webp",
        f"/thumbs/320/products/../secret/{'ab' * 32}.jpg.webp",
        "/thumbs/320/products/ab/photo.jpg.webp",
        "/thumbs/320/../../etc/passwd.webp",
    ],
)
def test_anything_but_a_stored_photo_is_not_found(browser: Client, address: str) -> None:
    assert browser.get(address).status_code == 404


def test_a_photo_that_cannot_be_decoded_is_not_found(browser: Client, media_root: Path) -> None:
    write_if_absent(NAME, b"\xff\xd8\xff not a photo")
    assert browser.get(thumbnail_url(NAME, 96)).status_code == 404
    assert files(media_root) == {Path(NAME).name}


def test_a_thumbnail_is_only_read(stored: str, browser: Client) -> None:
    assert browser.post(thumbnail_url(stored, 96)).status_code == 405


def test_a_stored_file_is_whole_readable_by_a_web_server_and_never_written_twice(media_root: Path) -> None:
    write_if_absent(NAME, b"first")
    write_if_absent(NAME, b"second")
    path = media_root / NAME
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert files(media_root) == {path.name}


def test_a_write_that_fails_leaves_nothing_behind(media_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StorageUnavailable, match="no space"):
        write_if_absent(NAME, b"content")
    assert files(media_root) == set()
