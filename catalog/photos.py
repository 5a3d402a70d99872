"""What a safe photo is: the one gate for bytes that claim to be a picture, wherever they come from."""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import numpy as np
from django.conf import settings
from PIL import Image, ImageChops, UnidentifiedImageError

from catalog.perceptual_hash import ENOUGH_PIXELS, perceptual_hash

# By Pillow's names. MPO is a JPEG with further pictures behind the first, as many phones write it.
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
_OPENED = ("JPEG", "PNG", "WEBP")
_JPEG = ("JPEG", "MPO")

# A progressive JPEG is decoded once for each scan; real ones have about ten, a hostile one has thousands.
_MAX_SCANS = 100

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%PDF": "PDF",
    b"PK\x03\x04": "a zip archive",
}

# All that Pillow raises on hostile or damaged bytes, beside OSError.
_DECODING_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)


class Reason(StrEnum):
    """Why a photo was refused."""

    UNREADABLE = "unreadable"
    NOT_AN_IMAGE = "not_an_image"
    FORMAT = "format"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_SCANS = "too_many_scans"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    ANIMATED = "animated"


class ImageRejected(ValueError):
    """These bytes are not a photo that we take. The message says what to do about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that passed the gate.

    `width` and `height`: as it is seen, EXIF orientation applied. `extension`: jpg, png or webp. `perceptual_hash`: what it looks
    like, see `catalog.perceptual_hash`.
    """

    content: bytes
    sha256: str
    width: int
    height: int
    extension: str
    perceptual_hash: int


def check_photo(content: bytes, *, max_bytes: int | None = None, max_pixels: int | None = None) -> Photo:
    """Take these bytes as a photo, or raise ImageRejected.

    Judged by content, never by name: first the size in bytes, then the header, and only a picture of a bearable size is
    decoded, to find out whether it is whole and what it looks like (a JPEG at a fraction of its scale). The limits default
    to the settings PHOTO_MAX_BYTES and PHOTO_MAX_PIXELS; no side may be longer than PHOTO_MAX_SIDE.
    """
    limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
    if len(content) > limit:
        raise _too_large(limit)
    image = _open(content, settings.PHOTO_MAX_PIXELS if max_pixels is None else max_pixels)
    width, height = image.size
    if image.format in _JPEG:
        image.draft(image.mode, (ENOUGH_PIXELS, ENOUGH_PIXELS))
    _decode(image, content)
    if _orientation(image) in _SIDEWAYS:
        width, height = height, width
    extension, look = _EXTENSIONS[str(image.format)], perceptual_hash(_upright(_reduced(image)))
    return Photo(content, hashlib.sha256(content).hexdigest(), width, height, extension, look)


def read_photo(source: BinaryIO | Path, *, max_bytes: int | None = None, max_pixels: int | None = None) -> Photo:
    """`check_photo` of a file, of which no more than one byte past the limit is ever read."""
    return check_photo(read_limited(source, max_bytes=max_bytes), max_bytes=max_bytes, max_pixels=max_pixels)


def read_limited(source: BinaryIO | Path, *, max_bytes: int | None = None) -> bytes:
    """The content of a file, or ImageRejected where it cannot be read or is longer than the limit."""
    limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
    if isinstance(source, Path):
        try:
            # Opening a pipe or a device could wait for ever.
            if not stat.S_ISREG(source.stat().st_mode):
                raise ImageRejected(Reason.UNREADABLE, f"{source} is a folder or a device, not a file")
            with source.open("rb") as file:
                return read_limited(file, max_bytes=limit)
        except OSError as error:
            raise ImageRejected(Reason.UNREADABLE, f"{source} cannot be read: {error.strerror or error}") from error
    content = source.read(limit + 1)
    if len(content) > limit:
        raise _too_large(limit)
    return content


def open_upright(source: bytes | Path | BinaryIO, *, at_least: int | None = None) -> Image.Image:
    """The picture as a person sees it: RGB, 8 bits, turned by its EXIF orientation, on white where it is transparent.

    With `at_least`, a JPEG is decoded at 1/2, 1/4 or 1/8 of its scale as long as its shorter side keeps that many
    pixels, which saves most of the work. Limits and errors are those of `check_photo`: no way in is unguarded.
    """
    content = source if isinstance(source, bytes) else read_limited(source)
    image = _open(content, settings.PHOTO_MAX_PIXELS)
    if at_least is not None and image.format in _JPEG:
        image.draft(image.mode, (at_least, at_least))
    _decode(image, content)
    return _upright(image)


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """The picture with its header read and nothing decoded; ImageRejected by what the header says."""
    if not content:
        raise ImageRejected(Reason.NOT_AN_IMAGE, "the file is empty")
    # Pillow allocates the whole canvas of a WebP when it opens it, and warns of sizes that we refuse anyway.
    claimed = _size_in_header(content)
    if claimed is not None:
        _refuse_too_many_pixels(*claimed, max_pixels)
    try:
        image = Image.open(io.BytesIO(content), formats=_OPENED)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(Reason.TOO_MANY_PIXELS, f"at most {max_pixels:,} pixels are taken: {error}") from error
    except UnidentifiedImageError as error:
        raise _unidentified(content) from error
    except _DECODING_ERRORS as error:
        raise _undecodable(content, error) from error
    _refuse_too_many_pixels(*image.size, max_pixels)
    if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
        raise ImageRejected(Reason.ANIMATED, "the picture is an animation: save one frame of it as a photo")
    if image.format in _JPEG and content.count(b"\xff\xda") > _MAX_SCANS:
        raise ImageRejected(Reason.TOO_MANY_SCANS, f"the JPEG has more than {_MAX_SCANS} scans: save it again")
    return image


def _decode(image: Image.Image, content: bytes) -> None:
    try:
        image.load()
    except _DECODING_ERRORS as error:
        raise _undecodable(content, error) from error


def _refuse_too_many_pixels(width: int, height: int, max_pixels: int) -> None:
    longest: int = settings.PHOTO_MAX_SIDE
    if width * height > max_pixels or max(width, height) > longest:
        raise ImageRejected(
            Reason.TOO_MANY_PIXELS,
            f"the picture has {width:,} x {height:,} pixels: at most {max_pixels:,}, and {longest:,} a side, are taken",
        )


def _too_large(limit: int) -> ImageRejected:
    return ImageRejected(Reason.TOO_LARGE, f"the file is larger than {limit:,} bytes: save it smaller")


def _size_in_header(content: bytes) -> tuple[int, int] | None:
    """Width and height as a PNG or WebP claims them in its first 30 bytes; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR" and len(content) >= 24:
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP" or len(content) < 30:
        return None
    match content[12:16]:
        case b"VP8X":
            return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        case b"VP8L":
            packed = int.from_bytes(content[21:25], "little")
            return (packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1
        case b"VP8 ":
            return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF
    return None


def _unidentified(content: bytes) -> ImageRejected:
    """The best explanation of bytes that are no JPEG, PNG or WebP at all, or not enough of one to tell."""
    name = _format_of(content)
    if name in ("JPEG", "PNG", "WebP"):
        return ImageRejected(Reason.DAMAGED, f"the {name} file is damaged or cut off: export or upload it again")
    if name is not None:
        return ImageRejected(Reason.FORMAT, f"the file is {name}: save it as JPEG, PNG or WebP")
    return ImageRejected(Reason.NOT_AN_IMAGE, "the file is not a picture: JPEG, PNG and WebP are taken")


def _undecodable(content: bytes, error: Exception) -> ImageRejected:
    if "truncated" in str(error).lower() or _is_cut_off(content):
        return ImageRejected(Reason.TRUNCATED, "the picture is cut off, its end is missing: copy or upload it again")
    return ImageRejected(Reason.DAMAGED, f"the picture is damaged ({error}): export it again")


def _is_cut_off(content: bytes) -> bool:
    match _format_of(content):
        case "JPEG":
            return b"\xff\xd9" not in content[-1024:]
        case "PNG":
            return b"IEND" not in content[-1024:]
        case "WebP":
            return int.from_bytes(content[4:8], "little") + 8 > len(content)
    return False


def _format_of(content: bytes) -> str | None:
    """A name of what these bytes look like, for messages."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp":
        return "AVIF" if content[8:12] in (b"avif", b"avis") else "HEIC or a video"
    for magic, name in _MAGIC.items():
        if content.startswith(magic):
            return name
    text = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "SVG" if text.startswith(b"<") and b"<svg" in text else None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8. An unreadable EXIF block spoils no picture: it counts as upright."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except (*_DECODING_ERRORS, UserWarning):
        return 1
    return orientation if orientation in _TURNS else 1


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    upright = _to_rgb(image)
    return upright if turn is None else upright.transpose(turn)


def _reduced(image: Image.Image) -> Image.Image:
    """As few pixels as its hash is made of, so that a large PNG is not converted whole."""
    factor = min(image.size) // ENOUGH_PIXELS
    return image.reduce(factor) if factor > 1 and image.mode in ("L", "LA", "RGB", "RGBA") else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "CMYK":
        # Pillow reads every CMYK JPEG as Adobe writes it, inverted; one without Adobe's marker is not.
        image = image if "adobe" in image.info or image.format not in _JPEG else ImageChops.invert(image)
        rgb = image.convert("RGB")
    elif image.mode.startswith("I"):
        # 16 bits of grey. Pillow's own conversion would clip everything above 255 to white.
        rgb = Image.fromarray((np.asarray(image, dtype=np.int32) >> 8).astype(np.uint8)).convert("RGB")
    elif image.has_transparency_data:
        coloured = image.convert("RGBA")
        rgb = Image.new("RGB", image.size, "white")
        rgb.paste(coloured, mask=coloured.getchannel("A"))
    else:
        rgb = image.convert("RGB")
    rgb.info.pop("icc_profile", None)  # it described the former channels
    return rgb
