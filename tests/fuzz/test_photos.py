"""Any bytes given as a photo: either they are a valid photo and accepted, or they are rejected with a reason."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
import pytest
from django.conf import settings
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from pictures.photos import ImageRejected, open_rgb, validate_photo
from tests.fuzz.mutations import mutated

pillow_heif.register_heif_opener()

# Outside of tests, a warning from Pillow is only logged.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

MAGIC = {"jpg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "webp": b"RIFF", "avif": b"\x00\x00\x00"}


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """A small picture with some structure."""
    pixels = np.random.default_rng(5).integers(0, 255, (6, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((24, 36), Image.Resampling.BILINEAR)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) << 8)
    file = io.BytesIO()
    picture.convert(mode).save(file, kind, **options)
    return file.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (24, 36), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


PNGS = (
    saved("PNG"), saved("PNG", "P", transparency=3), saved("PNG", "LA"), saved("PNG", "1"), saved("PNG", "I;16"),
    saved("PNG", "RGBA", dpi=(300, 300), exif=turned()), animated("PNG"),
)  # fmt: skip
PHOTOS = (
    saved("JPEG"), saved("JPEG", progressive=True), saved("JPEG", "L"), saved("JPEG", "CMYK"),
    saved("JPEG", exif=turned(), icc_profile=b"p" * 200, comment=b"c" * 40), saved("WEBP"), saved("WEBP", lossless=True),
    saved("WEBP", "RGBA", exif=turned()), animated("WEBP"), saved("GIF", "P"), animated("GIF"), saved("MPO"), *PNGS,
    saved("AVIF", exif=turned(), xmp=b"x" * 60), saved("BMP"), saved("TIFF"), saved("TIFF", "CMYK"), saved("HEIF"),
)  # fmt: skip


def with_right_checksums(content: bytes) -> bytes:
    """The PNG with corrected checksums, so that a decoder reads past the first damaged chunk."""
    repaired, rest = bytearray(content[:8]), content[8:]
    while len(rest) >= 12:
        size = min(struct.unpack(">L", rest[:4])[0], len(rest) - 12)
        body = rest[4 : 8 + size]
        repaired += struct.pack(">L", size) + body + struct.pack(">L", zlib.crc32(body))
        rest = rest[12 + size :]
    return bytes(repaired)


def taken_or_refused(content: bytes) -> None:
    try:
        photo = validate_photo(content)
    except ImageRejected as error:
        assert str(error)
        assert error.reason
        return
    assert photo.content.startswith(MAGIC[photo.extension])
    assert max(photo.width, photo.height) <= settings.PHOTO_MAX_SIDE
    assert validate_photo(photo.content).content == photo.content, "what is stored has nothing left to be removed"
    assert -(2**63) <= photo.perceptual_hash < 2**63
    upright = open_rgb(photo.content)
    assert (upright.mode, upright.size) == ("RGB", (photo.width, photo.height))
    # As the encoder and the thumbnails read it.
    for at_least in (16, 160):
        assert open_rgb(photo.content, min_side=at_least).mode == "RGB"


@given(mutated(st.sampled_from(PHOTOS)))
def test_a_photo_with_something_wrong_in_it(content: bytes) -> None:
    taken_or_refused(content)


@given(mutated(st.sampled_from(PNGS)).map(with_right_checksums))
def test_a_png_with_something_wrong_in_it_and_checksums_that_fit(content: bytes) -> None:
    taken_or_refused(content)


@given(
    st.sampled_from([b"", *MAGIC.values(), b"RIFF\x40\x00\x00\x00WEBPVP8 ", b"GIF89a", b"II*\x00"]),
    st.binary(max_size=400),
)
@example(b"", b"")
def test_any_bytes_at_all(magic: bytes, rest: bytes) -> None:
    taken_or_refused(magic + rest)
