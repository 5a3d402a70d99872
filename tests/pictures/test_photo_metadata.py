"""What is stored of a photo: its picture, orientation and colour profile, and nothing about place, camera and owner."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from pictures.photos import ImageRejected, known_sha256, open_rgb, validate_photo

SECRET = b"Mallory Secret"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>Mallory Secret</dc:creator></x:xmpmeta>'


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (90, 60)) -> Image.Image:
    pixels = np.random.default_rng(4).integers(0, 255, (size[1] // 10, size[0] // 10, 4), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR).convert(mode)


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x010F] = block[0x013B] = SECRET.decode()
    block.get_ifd(0x8825).update({1: "N", 2: (IFDRational(48), IFDRational(8), IFDRational(15))})
    return block


def pixels_of(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGBA").tobytes()


def profile_of(content: bytes) -> bytes | None:
    with Image.open(io.BytesIO(content)) as image:
        return image.info.get("icc_profile")


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg(orientation: int = 1, mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG as cameras and editors write it, with everything that may be in one."""
    plain = encoded(
        noise(mode), "JPEG", exif=exif(orientation), icc_profile=PROFILE, comment=SECRET, xmp=XMP, **options
    )
    start = 2 + (2 + int.from_bytes(plain[4:6], "big") if plain[2:4] == b"\xff\xe0" else 0)
    extra = segment(0xE0, b"JFXX\x00\x10" + SECRET) + segment(0xED, b"Photoshop 3.0\x00" + SECRET)
    extra += segment(0xEB, b"JP" + SECRET) + segment(0xE2, b"FPXR\x00" + SECRET)
    return plain[:start] + extra + plain[start:] + b"\x00" * 40 + SECRET


def png(orientation: int = 1, mode: str = "RGB", **options: Any) -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    plain = encoded(noise(mode), "PNG", pnginfo=texts, exif=exif(orientation), icc_profile=PROFILE, **options)
    return plain[:-12] + chunk(b"prVt", SECRET) + plain[-12:] + SECRET


def webp(orientation: int = 1, mode: str = "RGB", **options: Any) -> bytes:
    plain = encoded(noise(mode), "WEBP", exif=exif(orientation), icc_profile=PROFILE, xmp=XMP, **options)
    own = b"prVt" + struct.pack("<I", len(SECRET)) + SECRET
    return plain[:4] + struct.pack("<I", len(plain) - 8 + len(own)) + plain[8:] + own + SECRET


def avif(orientation: int = 1, mode: str = "RGB", **options: Any) -> bytes:
    plain = encoded(noise(mode), "AVIF", exif=exif(orientation), icc_profile=PROFILE, xmp=XMP, **options)
    return plain + struct.pack(">I", 8 + len(SECRET)) + b"free" + SECRET + SECRET


FILES: dict[str, Callable[..., bytes]] = {
    "jpeg": jpeg, "progressive-jpeg": partial(jpeg, progressive=True), "grey-jpeg": partial(jpeg, mode="L"),
    "cmyk-jpeg": partial(jpeg, mode="CMYK"), "jpeg-with-restarts": partial(jpeg, restart_marker_rows=1),
    "png": png, "png-with-alpha": partial(png, mode="RGBA"), "palette-png": partial(png, mode="P", transparency=3),
    "webp": webp, "webp-with-alpha": partial(webp, mode="RGBA"), "lossless-webp": partial(webp, lossless=True),
    "avif": avif, "avif-with-alpha": partial(avif, mode="RGBA"),
}  # fmt: skip


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", FILES)
def test_a_stored_photo_has_its_picture_and_nothing_else(kind: str, orientation: int) -> None:
    content = FILES[kind](orientation)
    assert SECRET in content
    stored = validate_photo(content).content
    assert SECRET not in stored
    assert b"xmpmeta" not in stored
    assert pixels_of(stored) == pixels_of(content)
    assert profile_of(stored) == profile_of(content) == PROFILE
    with Image.open(io.BytesIO(stored)) as image:
        kept = image.getexif()
        assert dict(kept) == ({0x0112: 6} if orientation == 6 else {})
        assert not kept.get_ifd(0x8825)
    assert open_rgb(stored).tobytes() == open_rgb(content).tobytes()
    assert open_rgb(stored).size == ((60, 90) if orientation == 6 else (90, 60))


@pytest.mark.parametrize("kind", FILES)
def test_a_photo_without_metadata_stays_as_it_is_byte_for_byte(kind: str) -> None:
    stored = validate_photo(FILES[kind](6)).content
    again = validate_photo(stored)
    assert (again.content, again.sha256, again.source_sha256) == (stored, again.source_sha256, again.sha256)


def test_a_png_may_have_its_orientation_behind_the_picture() -> None:
    plain = encoded(noise(), "PNG")
    content = plain[:-12] + chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\x00\x00")) + plain[-12:]
    photo = validate_photo(content)
    assert (photo.width, photo.height) == (60, 90)
    assert SECRET not in photo.content


def test_the_second_picture_of_a_phone_s_jpeg_is_not_stored() -> None:
    content = encoded(noise(), "MPO", save_all=True, append_images=[noise("L")])
    stored = validate_photo(content).content
    with Image.open(io.BytesIO(stored)) as image:
        assert image.format == "JPEG"
    assert stored.count(b"\xff\xd8\xff") == 1
    assert pixels_of(stored) == pixels_of(content)


def test_the_thumbnail_of_jfif_is_not_stored() -> None:
    plain = encoded(noise(), "JPEG")
    thumbnail = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01" + bytes([2, 2]) + SECRET[:12]
    stored = validate_photo(plain[:2] + segment(0xE0, thumbnail) + plain[20:]).content
    assert SECRET[:12] not in stored
    assert pixels_of(stored) == pixels_of(plain)


def test_an_animation_keeps_its_first_frame_without_encoding_it_again() -> None:
    frames = [noise(), noise().rotate(180)]
    for file_format in ("WEBP", "PNG"):
        content = encoded(
            frames[0], file_format, save_all=True, append_images=frames[1:], duration=90, exif=exif(1), quality=30
        )
        stored = validate_photo(content).content
        assert SECRET not in stored
        assert pixels_of(stored) == pixels_of(content)


@pytest.mark.parametrize("kind", FILES)
def test_the_same_file_is_known_again_and_so_is_its_picture_with_other_metadata(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = FILES[kind](6), FILES[kind](6).replace(SECRET, SECRET[::-1])
    photo, other = validate_photo(first), validate_photo(FILES[kind](1))
    assert photo.sha256 != other.sha256
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    assert known_sha256(first, {photo.source_sha256: photo.sha256}) == photo.sha256
    assert known_sha256(first, {photo.sha256: photo.sha256}) == photo.sha256
    if "png" not in kind and "avif" not in kind:
        assert known_sha256(second, {photo.sha256: photo.sha256}) == photo.sha256
    assert known_sha256(first, {other.sha256: other.sha256}) is None
    assert known_sha256(first, {}) is None


def test_a_converted_file_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(noise(), "BMP")
    photo = validate_photo(content)
    assert photo.extension == "jpg"
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    assert known_sha256(content, {photo.source_sha256: photo.sha256}) == photo.sha256


def test_bytes_between_the_segments_of_a_jpeg_do_no_harm_and_are_not_stored() -> None:
    plain = encoded(noise(), "JPEG")
    stored = validate_photo(plain[:20] + SECRET + b"\xff\xff" + plain[20:]).content
    assert stored == plain


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_that_is_cut_off_is_still_refused(file_format: str, share: float) -> None:
    content = encoded(noise(size=(300, 200)), file_format, icc_profile=PROFILE, exif=exif(6), xmp=XMP)
    with pytest.raises(ImageRejected):
        validate_photo(content[: int(len(content) * share)])
