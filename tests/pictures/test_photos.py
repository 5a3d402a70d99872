"""Which photos are accepted or rejected and why, and their orientation."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms

from pictures import decoding, photos, turns
from pictures.photos import (
    Finding,
    ImageRejected,
    PhotoRejectionReason,
    open_rgb,
    open_visitors_photo,
    read_photo,
    validate_photo,
)
from pictures.turns import DecoderBusy

RED, GREEN, BLUE, WHITE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (255, 255, 0)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def scene(width: int = 160, height: int = 120) -> Image.Image:
    """Four corners of different colours: red, green / blue, yellow."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def noise(width: int = 320, height: int = 240) -> Image.Image:
    return Image.effect_noise((width, height), 60).convert("RGB")


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    width, height = image.size
    points = ((5, 5), (width - 6, 5), (5, height - 6), (width - 6, height - 6))
    return [tuple(image.getpixel(point)) for point in points]


def is_close(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 12) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(colour, expected, strict=True))


def reason_of(content: bytes, **limits: int) -> PhotoRejectionReason:
    with pytest.raises(ImageRejected) as refusal:
        validate_photo(content, **limits)
    assert len(str(refusal.value)) > 10
    return refusal.value.reason


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(("file_format", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_jpeg_png_and_webp_are_taken(file_format: str, extension: str) -> None:
    content = encoded(scene(), file_format)
    photo = validate_photo(content)
    assert (photo.width, photo.height, photo.extension, photo.content) == (160, 120, extension, content)
    assert len(photo.sha256) == 64


@pytest.mark.parametrize("progressive", [False, True])
def test_the_size_is_that_of_the_whole_jpeg_though_it_is_checked_at_a_smaller_scale(progressive: bool) -> None:
    photo = validate_photo(encoded(noise(1000, 700), "JPEG", progressive=progressive))
    assert (photo.width, photo.height) == (1000, 700)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (7, 5)])
def test_a_tiny_photo_is_taken(size: tuple[int, int]) -> None:
    content = encoded(Image.new("RGB", size, RED), "JPEG")
    assert (validate_photo(content).width, validate_photo(content).height) == size
    assert open_rgb(content, min_side=128).size == size


def test_a_phone_s_jpeg_with_a_second_picture_behind_the_first_is_a_jpeg() -> None:
    content = encoded(scene(), "MPO", save_all=True, append_images=[scene(80, 60)])
    photo = validate_photo(content)
    assert (photo.extension, photo.width) == ("jpg", 160)
    assert is_close(corners(open_rgb(content, min_side=60))[1], GREEN)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", PhotoRejectionReason.NOT_AN_IMAGE),
        (b"\x00" * 5000, PhotoRejectionReason.NOT_AN_IMAGE),
        (b"just some words", PhotoRejectionReason.NOT_AN_IMAGE),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', PhotoRejectionReason.FORMAT),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', PhotoRejectionReason.FORMAT),
        (b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>", PhotoRejectionReason.FORMAT),
        (b"%PDF-1.7 ...", PhotoRejectionReason.FORMAT),
        (b"\xff\xd8\xff\xe0", PhotoRejectionReason.DAMAGED),
    ],
    ids=["nothing", "zeros", "text", "svg", "svg-with-prolog", "html", "pdf", "jpeg-start"],
)
def test_the_content_decides_not_the_name(content: bytes, reason: PhotoRejectionReason, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageRejected) as refusal:
        read_photo(path)
    assert refusal.value.reason is reason
    with pytest.raises(ImageRejected):
        open_rgb(path)


def test_the_message_names_the_format_that_was_found() -> None:
    with pytest.raises(ImageRejected, match="the file is PDF: save it as JPEG, PNG or WebP"):
        validate_photo(b"%PDF-1.7 ...")


def test_numbers_without_a_white_are_no_photo() -> None:
    content = io.BytesIO()
    Image.new("F", (32, 32), 0.5).save(content, "TIFF")

    with pytest.raises(ImageRejected, match="the file is TIFF of floating-point numbers: save it as JPEG, PNG or WebP"):
        validate_photo(content.getvalue())


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.8, 0.97])
@pytest.mark.parametrize(
    "content",
    [
        encoded(noise(), "JPEG"),
        encoded(noise(), "JPEG", progressive=True),
        encoded(noise(), "PNG"),
        encoded(noise(), "WEBP"),
        encoded(noise(), "WEBP", lossless=True),
    ],
    ids=["jpeg", "progressive-jpeg", "png", "webp", "lossless-webp"],
)
def test_a_file_that_is_cut_off_is_refused(content: bytes, share: float) -> None:
    assert reason_of(content[: int(len(content) * share)]) in (
        PhotoRejectionReason.TRUNCATED,
        PhotoRejectionReason.DAMAGED,
    )
    with pytest.raises(ImageRejected):
        open_rgb(content[: int(len(content) * share)], min_side=32)


def test_a_truncated_photo_is_reported_as_such() -> None:
    content = encoded(noise(), "JPEG")
    with pytest.raises(ImageRejected, match="is truncated"):
        validate_photo(content[: len(content) // 2])


def test_a_damaged_png_is_refused() -> None:
    content = bytearray(encoded(noise(), "PNG"))
    content[len(content) // 2] ^= 0xFF
    assert reason_of(bytes(content)) is PhotoRejectionReason.DAMAGED


def test_a_damaged_avif_is_refused() -> None:
    content = bytearray(encoded(noise(), "AVIF"))
    content[content.index(b"mdat") + 8] ^= 0xFF
    assert reason_of(bytes(content)) is PhotoRejectionReason.DAMAGED


def png_bomb(side: int = 100_000) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(1_000_000)))


def webp_bomb() -> bytes:
    """A VP8X header that claims 16,383 x 16,383 pixels, of which the decoder would allocate the whole canvas."""
    side = (16_382).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\x10\x00\x00\x00" + side + side
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def jpeg_bomb() -> bytes:
    content = bytearray(encoded(scene(), "JPEG"))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", 65_000, 65_000)
    return bytes(content)


@pytest.mark.parametrize(
    "bomb", [png_bomb(), png_bomb(14_000), webp_bomb(), jpeg_bomb()], ids=["png", "smaller-png", "webp", "jpeg"]
)
def test_a_decompression_bomb_is_refused_by_its_header(bomb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never("nothing may be decoded"))
    assert reason_of(bomb) is PhotoRejectionReason.TOO_MANY_PIXELS
    with pytest.raises(ImageRejected):
        open_rgb(bomb)


def never(message: str) -> Callable[..., Any]:
    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError(message)

    return fail


def test_the_limit_of_a_catalogue_s_photo_is_the_memory_that_decoding_takes(settings: Any) -> None:
    # Pillow has four bytes for a pixel of RGB, and one for a pixel of grey.
    settings.PHOTO_MAX_DECODED_BYTES = 160 * 120 * 4
    assert validate_photo(encoded(scene(), "PNG"))
    assert validate_photo(encoded(scene(320, 240).convert("L"), "PNG"))
    settings.PHOTO_MAX_DECODED_BYTES -= 1
    assert reason_of(encoded(scene(), "PNG")) is PhotoRejectionReason.TOO_MANY_PIXELS
    with pytest.raises(ImageRejected, match="would take 76,800 bytes of memory; the maximum is 76,799"):
        open_rgb(encoded(scene(), "PNG"))


def test_a_jpeg_counts_at_the_scale_it_is_decoded_at_and_a_progressive_one_whole(settings: Any) -> None:
    settings.PHOTO_MAX_DECODED_BYTES = 1000 * 700 * 2
    assert validate_photo(encoded(noise(1000, 700), "JPEG"))
    assert open_rgb(encoded(noise(1000, 700), "JPEG"), min_side=100)
    for options in ({"progressive": True, "subsampling": 0}, {"progressive": True}):
        assert reason_of(encoded(noise(1000, 700), "JPEG", **options)) is PhotoRejectionReason.TOO_MANY_PIXELS
    assert reason_of(encoded(noise(1000, 700), "PNG")) is PhotoRejectionReason.TOO_MANY_PIXELS
    # Coefficients of two bytes, in three channels of which two are of a quarter, and the picture itself at an eighth.
    settings.PHOTO_MAX_DECODED_BYTES = 1000 * 700 * 3 + 125 * 88 * 4
    assert validate_photo(encoded(noise(1000, 700), "JPEG", progressive=True))


def test_a_photo_of_a_visitor_has_a_limit_of_pixels_too(settings: Any) -> None:
    content = encoded(scene(), "PNG")
    settings.SEARCH_PHOTO_MAX_PIXELS = 160 * 120
    assert open_visitors_photo(content, min_side=32)
    settings.SEARCH_PHOTO_MAX_PIXELS -= 1
    with pytest.raises(ImageRejected, match="160 x 120 pixels; the maximum is 19,199 in all"):
        open_visitors_photo(content, min_side=32)
    assert open_rgb(content)


def test_a_photo_of_a_visitor_has_a_limit_of_memory_of_its_own(settings: Any) -> None:
    settings.SEARCH_PHOTO_MAX_DECODED_BYTES = 160 * 120 * 4 - 1
    with pytest.raises(ImageRejected, match="would take 76,800 bytes of memory; the maximum is 76,799"):
        open_visitors_photo(encoded(scene(), "PNG"), min_side=32)
    assert open_rgb(encoded(scene(), "PNG"))


@pytest.mark.parametrize("options", [{}, {"lossless": True}], ids=["png", "webp"])
def test_of_large_photos_of_visitors_one_is_decoded_at_a_time(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(scene(), "WEBP" if options else "PNG", **options)
    monkeypatch.setattr(turns, "_VISITORS_LARGE_BYTES", 1000)
    monkeypatch.setattr(turns, "_VISITORS_WAIT_S", 0.01)
    with turns.Turn(turns.Limits.of_catalogue()) as other:
        other.wait()
        with pytest.raises(DecoderBusy, match="send it again in a moment"):
            open_visitors_photo(content, min_side=32)
    seen = open_visitors_photo(io.BytesIO(content), min_side=32)
    assert corners(seen) == [RED, GREEN, BLUE, YELLOW]


def test_a_large_file_of_a_visitor_is_read_when_its_turn_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "_VISITORS_LARGE_FILE_BYTES", 100)
    monkeypatch.setattr(turns, "_VISITORS_WAIT_S", 0.01)
    file = io.BytesIO(encoded(scene(), "JPEG"))
    with turns.Turn(turns.Limits.of_catalogue()) as other:
        other.wait()
        with pytest.raises(DecoderBusy):
            open_visitors_photo(file, min_side=32)
        assert file.tell() == 0
    assert open_visitors_photo(file, min_side=32)


def test_a_rejected_photo_does_not_keep_its_picture() -> None:
    content = encoded(noise(), "WEBP")
    with pytest.raises(ImageRejected) as refusal:
        open_visitors_photo(content[: len(content) // 2], min_side=32)
    error: BaseException | None = refusal.value
    assert error is not None
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "LAB"])
def test_a_large_photo_that_is_reduced_in_strips_looks_as_it_does_at_once(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "CONVERTED_PIXELS", 3000)
    monkeypatch.setattr(decoding, "STRIP_PIXELS", 3000)
    image = scene(330, 250)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode == "LAB":
        profiles = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
        image = cast("Image.Image", ImageCms.profileToProfile(image, *profiles, outputMode="LAB"))
    else:
        image = image.convert(mode)
    content = encoded(image, "TIFF")

    reduced = open_visitors_photo(content, min_side=60)

    assert reduced.size == (83, 63)
    at_once = open_rgb(content).reduce(4)
    assert np.abs(np.asarray(reduced, np.int16) - np.asarray(at_once, np.int16)).mean() < 2


def test_the_photo_of_a_large_camera_is_taken_in_little_memory() -> None:
    """8,484 x 11,042 pixels, as a real catalogue has them; the process is another one, so that its peak is this photo's."""
    content = encoded(Image.linear_gradient("L").resize((8484, 11042)).convert("RGB"), "JPEG", quality=60)
    script = (
        "import re, sys, django; django.setup()\n"
        "from pictures.photos import open_rgb, validate_photo\n"
        "content = sys.stdin.buffer.read()\n"
        "def memory(): return int(re.search('VmHWM:\\\\s+([0-9]+)', open('/proc/self/status').read())[1])\n"
        "before = memory()\n"
        "photo = validate_photo(content); open_rgb(photo.content, min_side=160); open_rgb(photo.content, min_side=1280)\n"
        "print(photo.width, photo.height, (memory() - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=content, capture_output=True, check=True)
    width, height, peak_mb = map(int, done.stdout.split())
    assert (width, height) == (8484, 11042)
    assert peak_mb < 100


def test_a_side_that_is_too_long_is_refused(settings: Any) -> None:
    settings.PHOTO_MAX_SIDE = 500
    assert reason_of(encoded(Image.new("RGB", (501, 1)), "PNG")) is PhotoRejectionReason.TOO_MANY_PIXELS


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    content = encoded(scene(), "JPEG", progressive=True)
    assert (
        reason_of(content[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 200)
        is PhotoRejectionReason.TOO_MANY_SCANS
    )


def test_a_large_file_is_not_read_to_its_end() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            assert size >= 0
            self.taken += size
            return b"\xff" * size

    source = Endless()
    with pytest.raises(ImageRejected, match="larger than 5,000 bytes") as refusal:
        read_photo(source, max_bytes=5000)
    assert refusal.value.reason is PhotoRejectionReason.TOO_LARGE
    assert source.taken == 5001
    assert reason_of(encoded(noise(), "PNG"), max_bytes=100) is PhotoRejectionReason.TOO_LARGE


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.jpg", Path("/dev/null")):
        with pytest.raises(ImageRejected) as refusal:
            read_photo(path)
        assert refusal.value.reason is PhotoRejectionReason.UNREADABLE


@pytest.mark.parametrize(
    ("file_format", "extension"), [("WEBP", "webp"), ("PNG", "png"), ("GIF", "png"), ("AVIF", "jpg")]
)
def test_the_first_picture_of_an_animation_is_taken(file_format: str, extension: str) -> None:
    frames = [scene(), *(Image.new("RGB", (160, 120), colour) for colour in (GREEN, BLUE))]
    content = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)
    photo = validate_photo(content)
    assert photo.extension == extension
    with Image.open(io.BytesIO(photo.content)) as stored:
        assert getattr(stored, "n_frames", 1) == 1
    for seen in (open_rgb(photo.content), open_rgb(content)):
        assert all(is_close(*pair) for pair in zip(corners(seen), [RED, GREEN, BLUE, YELLOW], strict=True))


def test_an_animation_whose_first_frame_is_a_part_is_seen_whole() -> None:
    """Frames are cropped to what changes, so an animation may begin with less than its canvas."""
    frame = Image.new("RGBA", (160, 120), (0, 0, 0, 0))
    frame.paste((*RED, 255), (40, 40, 80, 80))
    content = encoded(frame, "WEBP", save_all=True, append_images=[scene().convert("RGBA")], lossless=True)
    photo = validate_photo(content)
    assert (photo.width, photo.height, photo.extension) == (160, 120, "webp")
    seen = open_rgb(photo.content)
    assert corners(seen) == [WHITE] * 4
    assert is_close(seen.getpixel((60, 60)), RED)


def test_the_first_page_of_a_tiff_is_taken() -> None:
    photo = validate_photo(encoded(scene(), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))]))
    assert (photo.width, photo.height) == (160, 120)


@pytest.mark.parametrize(
    ("file_format", "mode", "extension"),
    [
        ("AVIF", "RGB", "avif"), ("AVIF", "RGBA", "avif"), ("GIF", "P", "png"),
        ("BMP", "RGB", "jpg"), ("BMP", "L", "jpg"), ("BMP", "1", "png"),
        ("TIFF", "RGB", "jpg"), ("TIFF", "RGBA", "png"), ("TIFF", "CMYK", "jpg"), ("TIFF", "LAB", "jpg"), ("TIFF", "I;16", "jpg"),
        ("TIFF", "P", "png"), ("HEIF", "RGB", "jpg"), ("HEIF", "RGBA", "webp"),
    ],
)  # fmt: skip
def test_other_formats_are_stored_as_what_browsers_show(file_format: str, mode: str, extension: str) -> None:
    pillow_heif.register_heif_opener()
    smooth = Image.merge(
        "RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L").rotate(90)]
    )
    if mode == "LAB":
        picture = ImageCms.applyTransform(
            smooth, ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        )
    elif mode == "I;16":
        picture = Image.fromarray(np.asarray(smooth.convert("L"), np.uint16) * 257)
    else:
        picture = smooth.convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.radial_gradient("L"))
    content = encoded(picture, file_format)
    photo = validate_photo(content)
    assert (photo.width, photo.height, photo.extension) == (256, 256, extension)
    stored, came = np.asarray(open_rgb(photo.content), np.int16), np.asarray(open_rgb(content), np.int16)
    assert np.abs(stored - came).mean() < 2
    if mode in ("RGB", "LAB"):
        assert np.abs(stored - np.asarray(smooth, np.int16)).mean() < 4


def test_heic_without_the_extra_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pillow_heif.register_heif_opener()
    content = encoded(scene(), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        ImageRejected, match="the file is HEIC, which this server reads only with the extra heif"
    ) as refusal:
        validate_photo(content)
    assert refusal.value.reason is PhotoRejectionReason.FORMAT


@pytest.mark.parametrize(
    ("picture", "finding"),
    [
        (Image.new("RGB", (1, 1), RED), Finding.TINY),
        (Image.new("RGB", (15, 400), WHITE), Finding.TINY),
        (Image.new("RGB", (400, 300), WHITE), Finding.BLANK),
        (Image.new("RGB", (400, 300), (200, 30, 90)), Finding.BLANK),
        (Image.new("L", (400, 300), 128), Finding.BLANK),
        (Image.new("RGBA", (400, 300), (255, 0, 0, 0)), Finding.BLANK),
        (scene(400, 300), None),
        (ImageChops.offset(Image.linear_gradient("L"), 5), None),
    ],
    ids=["pixel", "spacer", "white", "coloured", "grey", "transparent", "scene", "gradient"],
)
@pytest.mark.parametrize("file_format", ["PNG", "AVIF"])
def test_a_picture_that_shows_nothing_is_marked(
    picture: Image.Image, finding: Finding | None, file_format: str
) -> None:
    assert validate_photo(encoded(picture, file_format)).finding is finding


def test_a_white_mug_on_white_is_not_marked() -> None:
    mug = Image.new("RGB", (600, 600), WHITE)
    mug.paste((245, 245, 245), (250, 250, 350, 350))
    assert validate_photo(encoded(mug, "JPEG")).finding is None


# Where the corners of the stored picture (red, green / blue, yellow) appear, by EXIF orientation.
SEEN = {
    1: [RED, GREEN, BLUE, YELLOW],
    2: [GREEN, RED, YELLOW, BLUE],
    3: [YELLOW, BLUE, GREEN, RED],
    4: [BLUE, YELLOW, RED, GREEN],
    5: [RED, BLUE, GREEN, YELLOW],
    6: [BLUE, RED, YELLOW, GREEN],
    7: [YELLOW, GREEN, BLUE, RED],
    8: [GREEN, YELLOW, RED, BLUE],
}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_by_its_exif_orientation(orientation: int, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(scene(320, 240), file_format, exif=exif, quality=95)
    photo = validate_photo(content)
    sideways = orientation >= 5
    assert (photo.width, photo.height) == ((240, 320) if sideways else (320, 240))
    for at_least in (None, 100):
        seen = open_rgb(content, min_side=at_least)
        assert (seen.width < seen.height) is sideways
        found = corners(seen)
        assert all(is_close(*pair) for pair in zip(found, SEEN[orientation], strict=True)), found


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert validate_photo(encoded(scene(), "JPEG", exif=exif)).width == 160


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "block", [b"", b"II", b"XX*\x00\x08\x00\x00\x00", b"II*\x00\x08\x00\x00\x00\xff\xff" + b"\x12\x01" * 40]
)
def test_a_broken_exif_block_spoils_no_photo(block: bytes) -> None:
    content = encoded(scene(), "JPEG", exif=b"Exif\x00\x00" + block)
    assert validate_photo(content).width == 160
    assert is_close(corners(open_rgb(content))[1], GREEN)


@pytest.mark.parametrize(
    ("at_least", "expected"),
    [(None, (1000, 800)), (800, (1000, 800)), (400, (500, 400)), (224, (500, 400)), (101, (250, 200)), (1, (125, 100))],
)
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_keeps_enough_pixels(
    at_least: int | None, expected: tuple[int, int]
) -> None:
    assert open_rgb(encoded(scene(1000, 800), "JPEG"), min_side=at_least).size == expected


def test_a_source_may_be_bytes_a_path_or_a_file(tmp_path: Path) -> None:
    content = encoded(scene(), "PNG")
    path = tmp_path / "scene.png"
    path.write_bytes(content)
    for source in (content, path, io.BytesIO(content)):
        image = open_rgb(source)
        assert (image.mode, image.size) == ("RGB", (160, 120))
        assert corners(image) == [RED, GREEN, BLUE, YELLOW]


def without_adobe_marker(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    length = int.from_bytes(content[start + 2 : start + 4], "big")
    return content[:start] + content[start + 2 + length :]


def test_cmyk_keeps_its_colours_with_adobe_s_inversion_and_without() -> None:
    cmyk = scene().convert("CMYK")
    adobe = encoded(cmyk, "JPEG", quality=95)
    plain = without_adobe_marker(encoded(ImageChops.invert(cmyk), "JPEG", quality=95))
    for content in (adobe, plain):
        assert validate_photo(content).extension == "jpg"
        for at_least in (None, 20):
            seen = open_rgb(content, min_side=at_least)
            assert seen.mode == "RGB"
            found = corners(seen)
            assert all(is_close(*pair) for pair in zip(found, [RED, GREEN, BLUE, YELLOW], strict=True)), found


def test_a_profile_of_other_channels_does_not_stay_with_the_rgb_picture() -> None:
    content = encoded(scene().convert("CMYK"), "JPEG", icc_profile=b"a profile of four channels")
    assert "icc_profile" not in open_rgb(content).info


def test_a_palette_with_a_transparent_colour_is_seen_on_white() -> None:
    image = Image.new("P", (20, 10))
    image.putpalette([*RED, *BLUE])
    image.paste(1, (10, 0, 20, 10))
    seen = open_rgb(encoded(image, "PNG", transparency=0))
    assert (seen.getpixel((2, 2)), seen.getpixel((15, 5))) == (WHITE, BLUE)


def test_a_palette_with_half_transparent_colours_is_blended_with_white() -> None:
    image = Image.new("P", (20, 10))
    image.putpalette([*RED, *BLUE])
    seen = open_rgb(encoded(image, "PNG", transparency=bytes([128, 255])))
    assert is_close(seen.getpixel((2, 2)), (255, 127, 127), 2)


def test_a_plain_palette_keeps_its_colours() -> None:
    seen = open_rgb(encoded(scene().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"))
    assert corners(seen) == [RED, GREEN, BLUE, YELLOW]


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_alpha_is_seen_on_white(file_format: str) -> None:
    image = scene().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    assert corners(open_rgb(encoded(image, file_format))) == [WHITE] * 4


def test_grey_with_alpha_is_seen_on_white() -> None:
    seen = open_rgb(encoded(Image.new("LA", (10, 10), (0, 51)), "PNG"))
    assert is_close(seen.getpixel((5, 5)), (204, 204, 204), 1)


def test_one_transparent_colour_of_an_rgb_png_is_seen_on_white() -> None:
    assert corners(open_rgb(encoded(scene(), "PNG", transparency=RED))) == [WHITE, GREEN, BLUE, YELLOW]


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    image = Image.new("I;16", (30, 10))
    for column in range(30):
        for line in range(10):
            image.putpixel((column, line), (0, 0x8000, 0xFFFF)[column // 10])
    seen = open_rgb(encoded(image, "PNG"))
    assert [seen.getpixel((column, 5)) for column in (5, 15, 25)] == [(0, 0, 0), (128, 128, 128), WHITE]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_black_and_white_becomes_rgb(mode: str) -> None:
    seen = open_rgb(encoded(Image.new(mode, (10, 10), 255), "PNG"))
    assert (seen.mode, seen.getpixel((5, 5))) == ("RGB", WHITE)
