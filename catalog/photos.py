"""Validates photos: every photo from outside is checked here before it is stored or embedded."""

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

from catalog.perceptual_hash import MIN_SIDE, perceptual_hash

# By Pillow's names. MPO is a JPEG with more pictures after the first, as many phones write it.
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
_OPENED = ("JPEG", "PNG", "WEBP")
_JPEG = ("JPEG", "MPO")

# A progressive JPEG is decoded once per scan; real ones have about ten, hostile ones thousands.
_MAX_SCANS = 100

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPS_SIDES = (5, 6, 7, 8)

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

# Everything that Pillow raises on hostile or damaged bytes.
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


class PhotoRejectionReason(StrEnum):
    """Why a photo was rejected."""

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
    """The bytes are not a usable photo.

    Attributes:
        reason: which rule they break.
    """

    def __init__(self, reason: PhotoRejectionReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Photo:
    """A valid photo.

    Attributes:
        content: the file.
        sha256: of the content.
        width: in pixels, after EXIF orientation.
        height: in pixels, after EXIF orientation.
        extension: jpg, png or webp.
        perceptual_hash: see `catalog.perceptual_hash`.
    """

    content: bytes
    sha256: str
    width: int
    height: int
    extension: str
    perceptual_hash: int


def validate_photo(content: bytes, *, max_bytes: int | None = None, max_pixels: int | None = None) -> Photo:
    """Validate the bytes of a photo.

    The name does not matter. The size in bytes is checked first, then the header; only a picture within the limits is
    decoded, to check that it is complete and to hash it (a JPEG at a fraction of its scale).

    Args:
        content: the file.
        max_bytes: default: the setting PHOTO_MAX_BYTES.
        max_pixels: default: the setting PHOTO_MAX_PIXELS. No side may be longer than PHOTO_MAX_SIDE.

    Returns:
        The photo.

    Raises:
        ImageRejected: the bytes are not a usable photo.
    """
    limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
    if len(content) > limit:
        raise _too_large_error(limit)
    image = _open(content, settings.PHOTO_MAX_PIXELS if max_pixels is None else max_pixels)
    width, height = image.size
    if image.format in _JPEG:
        image.draft(image.mode, (MIN_SIDE, MIN_SIDE))
    _decode(image, content)
    if _orientation(image) in _SWAPS_SIDES:
        width, height = height, width
    extension, picture_hash = _EXTENSIONS[str(image.format)], perceptual_hash(_apply_orientation(_downscaled(image)))
    return Photo(content, hashlib.sha256(content).hexdigest(), width, height, extension, picture_hash)


def read_photo(source: BinaryIO | Path, *, max_bytes: int | None = None, max_pixels: int | None = None) -> Photo:
    """Read and validate a photo.

    Args:
        source: path or file; at most one byte more than the limit is read.
        max_bytes: as in `validate_photo`.
        max_pixels: as in `validate_photo`.

    Returns:
        The photo.

    Raises:
        ImageRejected: the file cannot be read or is not a usable photo.
    """
    return validate_photo(read_limited(source, max_bytes=max_bytes), max_bytes=max_bytes, max_pixels=max_pixels)


def read_limited(source: BinaryIO | Path, *, max_bytes: int | None = None) -> bytes:
    """Read a file that may be too large.

    Args:
        source: path or file.
        max_bytes: default: the setting PHOTO_MAX_BYTES.

    Returns:
        The content.

    Raises:
        ImageRejected: the file cannot be read or is larger than the limit.
    """
    limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
    if isinstance(source, Path):
        try:
            # Opening a pipe or a device could block.
            if not stat.S_ISREG(source.stat().st_mode):
                raise ImageRejected(PhotoRejectionReason.UNREADABLE, f"{source} is a folder or a device, not a file")
            with source.open("rb") as file:
                return read_limited(file, max_bytes=limit)
        except OSError as error:
            raise ImageRejected(
                PhotoRejectionReason.UNREADABLE, f"{source} cannot be read: {error.strerror or error}"
            ) from error
    content = source.read(limit + 1)
    if len(content) > limit:
        raise _too_large_error(limit)
    return content


def open_rgb(source: bytes | Path | BinaryIO, *, min_side: int | None = None) -> Image.Image:
    """Decode a photo: RGB, 8 bits, with EXIF orientation applied, on white where it is transparent.

    Args:
        source: content, path or file.
        min_side: decode a JPEG at 1/2, 1/4 or 1/8 of its scale, as long as its shorter side has this many pixels; that saves
            most of the work. Default: full scale.

    Returns:
        The picture.

    Raises:
        ImageRejected: as in `validate_photo`, with the same limits.
    """
    content = source if isinstance(source, bytes) else read_limited(source)
    image = _open(content, settings.PHOTO_MAX_PIXELS)
    if min_side is not None and image.format in _JPEG:
        image.draft(image.mode, (min_side, min_side))
    _decode(image, content)
    return _apply_orientation(image)


def _open(content: bytes, max_pixels: int) -> Image.Image:
    """Read the header and check it; decode nothing."""
    if not content:
        raise ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, "the file is empty")
    # Pillow allocates the whole canvas of a WebP when it opens it, and warns of sizes that are rejected here anyway.
    declared = _size_in_header(content)
    if declared is not None:
        _check_size(*declared, max_pixels)
    try:
        image = Image.open(io.BytesIO(content), formats=_OPENED)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS, f"the maximum is {max_pixels:,} pixels: {error}"
        ) from error
    except UnidentifiedImageError as error:
        raise _unknown_format_error(content) from error
    except _DECODING_ERRORS as error:
        raise _decoding_error(content, error) from error
    _check_size(*image.size, max_pixels)
    if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
        raise ImageRejected(
            PhotoRejectionReason.ANIMATED, "the picture is an animation: save one frame of it as a photo"
        )
    if image.format in _JPEG and content.count(b"\xff\xda") > _MAX_SCANS:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_SCANS, f"the JPEG has more than {_MAX_SCANS} scans: save it again"
        )
    return image


def _decode(image: Image.Image, content: bytes) -> None:
    try:
        image.load()
    except _DECODING_ERRORS as error:
        raise _decoding_error(content, error) from error


def _check_size(width: int, height: int, max_pixels: int) -> None:
    longest: int = settings.PHOTO_MAX_SIDE
    if width * height > max_pixels or max(width, height) > longest:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS,
            f"the picture has {width:,} x {height:,} pixels; the maximum is {max_pixels:,}, and {longest:,} per side",
        )


def _too_large_error(limit: int) -> ImageRejected:
    return ImageRejected(PhotoRejectionReason.TOO_LARGE, f"the file is larger than {limit:,} bytes: save it smaller")


def _size_in_header(content: bytes) -> tuple[int, int] | None:
    """Width and height in the header of a PNG or WebP; None for other formats."""
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


def _unknown_format_error(content: bytes) -> ImageRejected:
    """The error for bytes that Pillow does not recognise as JPEG, PNG or WebP."""
    name = _format_of(content)
    if name in ("JPEG", "PNG", "WebP"):
        return ImageRejected(
            PhotoRejectionReason.DAMAGED, f"the {name} file is damaged or truncated: export or upload it again"
        )
    if name is not None:
        return ImageRejected(PhotoRejectionReason.FORMAT, f"the file is {name}: save it as JPEG, PNG or WebP")
    return ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, "the file is not a picture: use JPEG, PNG or WebP")


def _decoding_error(content: bytes, error: Exception) -> ImageRejected:
    if "truncated" in str(error).lower() or _is_truncated(content):
        return ImageRejected(PhotoRejectionReason.TRUNCATED, "the picture is truncated: copy or upload it again")
    return ImageRejected(PhotoRejectionReason.DAMAGED, f"the picture is damaged ({error}): export it again")


def _is_truncated(content: bytes) -> bool:
    match _format_of(content):
        case "JPEG":
            return b"\xff\xd9" not in content[-1024:]
        case "PNG":
            return b"IEND" not in content[-1024:]
        case "WebP":
            return int.from_bytes(content[4:8], "little") + 8 > len(content)
    return False


def _format_of(content: bytes) -> str | None:
    """The format that the bytes look like, for messages."""
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
    """The EXIF orientation, 1 to 8; 1 if the EXIF block cannot be read."""
    try:
        orientation = image.getexif().get(0x0112, 1)
    except (*_DECODING_ERRORS, UserWarning):
        return 1
    return orientation if orientation in _ORIENTATIONS else 1


def _apply_orientation(image: Image.Image) -> Image.Image:
    turn = _ORIENTATIONS.get(_orientation(image))
    upright = _to_rgb(image)
    return upright if turn is None else upright.transpose(turn)


def _downscaled(image: Image.Image) -> Image.Image:
    """Downscale to the size that the hash needs, so that a large PNG is not converted at full size."""
    factor = min(image.size) // MIN_SIDE
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
