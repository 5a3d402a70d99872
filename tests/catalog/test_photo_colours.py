"""Photos are seen in the colours of their profile: by the encoder, in thumbnails, and for the perceptual hash."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms

from catalog.media import write_if_absent
from catalog.thumbnails import thumbnail
from pictures.photos import open_rgb, validate_photo

# A cotton tee of pale yellow, as a press prints it: little of cyan and magenta, half of yellow.
PALE_YELLOW_INK = (10, 5, 128, 0)
PALE_YELLOW = (242, 226, 141)

D50 = (0.9642, 1.0, 0.8249)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def fixed(value: float) -> bytes:
    """s15Fixed16Number."""
    return struct.pack(">i", round(value * 65536))


def profile(device: bytes, space: bytes, colours: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2, by ICC.1:2001-04."""
    tags = {
        b"desc": b"desc\x00\x00\x00\x00\x00\x00\x00\x05test\x00" + bytes(78),
        b"cprt": b"text\x00\x00\x00\x00none\x00",
        b"wtpt": b"XYZ \x00\x00\x00\x00" + b"".join(map(fixed, D50)),
        **tags,
    }
    table, data, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(">I", start + len(data)) + b"\x00\x00\x00\x00\x02\x10\x00\x00" + device + space + colours
    header += bytes(12) + b"acsp" + bytes(28) + b"".join(map(fixed, D50))
    return header.ljust(128, b"\x00") + table + data


# Inks on paper as printed, in Lab: white, cyan, magenta, yellow, and their overprints; black is darker by ink of black.
INKS = {
    (0, 0, 0): (95, 0, -2), (1, 0, 0): (55, -37, -50), (0, 1, 0): (48, 74, -3), (0, 0, 1): (89, -5, 93),
    (1, 1, 0): (24, 22, -46), (1, 0, 1): (50, -68, 33), (0, 1, 1): (47, 68, 48), (1, 1, 1): (23, 0, 0),
}  # fmt: skip


def press_profile(steps: int = 7) -> bytes:
    """A printing press: the mean of the overprints, by the area that each covers (Neugebauer, 1937)."""
    cmyk = np.stack(np.meshgrid(*[np.linspace(0, 1, steps)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    lab = np.zeros((len(cmyk), 3))
    for inks, colour in INKS.items():
        lab += np.where(inks, cmyk[:, :3], 1 - cmyk[:, :3]).prod(axis=1, keepdims=True) * colour
    lab *= 1 - cmyk[:, 3:] * (0.85, 1, 1)
    table = np.rint(lab * (2.55, 1, 1) + (0, 128, 128)).astype(np.uint8).tobytes()
    identity = b"".join(map(fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    curve = bytes(range(256))
    lut = b"mft1\x00\x00\x00\x00" + bytes([4, 3, steps, 0]) + identity + curve * 4 + table + curve * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


def rgb_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """A screen with these primaries, XYZ adapted to D50."""
    curve = b"curv\x00\x00\x00\x00" + struct.pack(">IH", 1, round(gamma * 256)) + b"\x00\x00"
    tags = {
        name: b"XYZ \x00\x00\x00\x00" + b"".join(map(fixed, colour))
        for name, colour in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)
    }
    return profile(b"mntr", b"RGB ", b"XYZ ", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


ADOBE_RGB = rgb_profile(((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)), 2.2)
DISPLAY_P3 = rgb_profile(((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)), 2.2)
GREY_GAMMA_1 = profile(
    b"mntr", b"GRAY", b"XYZ ", {b"kTRC": b"curv\x00\x00\x00\x00" + struct.pack(">IH", 1, 256) + b"\x00\x00"}
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def colour_of(content: bytes, **options: Any) -> tuple[int, ...]:
    seen = open_rgb(content, **options)
    assert seen.mode == "RGB"
    assert "icc_profile" not in seen.info
    return tuple(seen.getpixel((5, 5)))


def is_close(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(colour, expected, strict=True))


def without_adobe_marker(content: bytes) -> bytes:
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4], "big") :]


def tee(file_format: str, *, inverted: bool = False, **options: Any) -> bytes:
    picture = Image.new("CMYK", (64, 64), PALE_YELLOW_INK)
    return encoded(ImageChops.invert(picture) if inverted else picture, file_format, **options)


@pytest.mark.parametrize(
    "content",
    [
        tee("JPEG", quality=95, icc_profile=press_profile()),
        without_adobe_marker(tee("JPEG", inverted=True, quality=95, icc_profile=press_profile())),
        tee("TIFF", icc_profile=press_profile()),
    ],
    ids=["jpeg-of-adobe", "jpeg-not-inverted", "tiff"],
)
def test_a_pale_yellow_tee_for_a_press_is_not_neon_green(content: bytes, media_root: Path) -> None:
    photo = validate_photo(content)
    name = f"products/ab/{photo.sha256}.jpg"
    write_if_absent(name, photo.content)
    with Image.open(io.BytesIO(thumbnail(name, 96))) as small:
        seen = small.convert("RGB").getpixel((5, 5))
    for colour in (colour_of(content), colour_of(photo.content, min_side=8), tuple(seen)):
        assert is_close(colour, PALE_YELLOW, 5), colour
    # Naively it is: the blue channel is the share of paper that yellow ink leaves.
    assert is_close(colour_of(tee("JPEG", quality=95)), (245, 250, 127), 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    ("space", "stored", "shown"),
    [(ADOBE_RGB, (150, 160, 90), (144, 161, 83)), (DISPLAY_P3, (200, 90, 80), (213, 82, 74))],
    ids=["adobe-rgb", "display-p3"],
)
def test_wide_colours_are_those_of_the_profile(
    space: bytes, stored: tuple[int, ...], shown: tuple[int, ...], file_format: str
) -> None:
    content = encoded(Image.new("RGB", (64, 64), stored), file_format, icc_profile=space, quality=95)
    assert is_close(colour_of(content), shown, 5)
    assert is_close(colour_of(validate_photo(content).content), shown, 6)


def test_transparent_wide_colours_are_those_of_the_profile_on_white() -> None:
    picture = Image.new("RGBA", (64, 64), (150, 160, 90, 255))
    picture.paste((0, 0, 0, 0), (32, 0, 64, 64))
    seen = open_rgb(encoded(picture, "PNG", icc_profile=ADOBE_RGB))
    assert is_close(seen.getpixel((5, 5)), (144, 161, 83), 5)
    assert seen.getpixel((50, 5)) == (255, 255, 255)


def test_grey_is_that_of_its_profile() -> None:
    content = encoded(Image.new("L", (64, 64), 55), "PNG", icc_profile=GREY_GAMMA_1)
    assert is_close(colour_of(content), (128, 128, 128), 3)


def test_lab_is_seen_in_its_colours() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    content = encoded(ImageCms.applyTransform(Image.new("RGB", (64, 64), (200, 120, 40)), to_lab), "TIFF")
    assert is_close(colour_of(content), (200, 120, 40), 3)


@pytest.mark.parametrize(
    ("mode", "colour", "broken", "naive"),
    [
        ("RGB", (200, 120, 40), b"no profile at all", (200, 120, 40)),
        ("RGB", (200, 120, 40), ADOBE_RGB[:200], (200, 120, 40)),
        ("RGB", (200, 120, 40), press_profile(), (200, 120, 40)),
        ("RGB", (200, 120, 40), GREY_GAMMA_1, (200, 120, 40)),
        ("L", 90, ADOBE_RGB, (90, 90, 90)),
        ("CMYK", PALE_YELLOW_INK, ADOBE_RGB, (245, 250, 127)),
        ("CMYK", PALE_YELLOW_INK, press_profile()[:400], (245, 250, 127)),
    ],
    ids=["words", "cut-off", "press-in-rgb", "grey-in-rgb", "rgb-in-grey", "rgb-in-cmyk", "press-cut-off"],
)
def test_a_profile_that_is_broken_or_of_other_channels_is_ignored(
    mode: str, colour: Any, broken: bytes, naive: tuple[int, ...]
) -> None:
    content = encoded(Image.new(mode, (64, 64), colour), "JPEG", quality=95, icc_profile=broken)
    assert is_close(colour_of(content), naive, 3)
    assert validate_photo(content)


def test_a_picture_in_srgb_is_not_converted() -> None:
    """Nearly every photo names sRGB as its profile."""
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    seen = open_rgb(encoded(noise, "PNG", icc_profile=SRGB))
    assert seen.tobytes() == noise.tobytes()


def test_real_photos_for_a_press_look_as_they_are_printed(real_data: Path) -> None:
    paths = sorted((real_data / "data" / "clothing" / "validation").rglob("*.jpg"))[:40]
    space = press_profile()
    from_press = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(space)), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
    )
    by_profile, naive = [], []
    for path in paths:
        inks = open_rgb(path).convert("CMYK")
        printed = np.asarray(ImageCms.applyTransform(inks, from_press), np.int16)
        content = encoded(inks, "JPEG", quality=95, icc_profile=space)
        by_profile.append(np.abs(np.asarray(open_rgb(content), np.int16) - printed).mean())
        naive.append(np.abs(np.asarray(open_rgb(encoded(inks, "JPEG", quality=95)), np.int16) - printed).mean())
    assert np.mean(by_profile) < 3
    assert np.mean(naive) > 5 * np.mean(by_profile)
