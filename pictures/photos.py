"""Validates photos: every photo from outside is checked here before it is stored or embedded.

Photos of a catalogue are limited by the memory that decoding them takes, since cameras make them large; photos of visitors by
less memory, and by their pixels. The limits are checked before anything is decoded. A process decodes one large photo at a
time, see `pictures.turns`.
"""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from PIL import Image, UnidentifiedImageError

from pictures import metadata, photo_facts, signatures
from pictures.conversion import convert
from pictures.decoding import (
    DECODING_ERRORS,
    JPEG,
    ORIENTATION_TAG,
    SWAPS_SIDES,
    draft,
    orientation,
    scaled,
    small_rgb,
    upright,
    valid_orientation,
)
from pictures.perceptual_hash import MIN_SIDE, perceptual_hash
from pictures.turns import Limits, Turn

# By Pillow's names: formats that browsers show, which are stored as they are, without metadata. MPO is a JPEG with more pictures
# after the first, as many phones write it.
_STORED = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif"}
EXTENSIONS = tuple(sorted(set(_STORED.values())))
# For texts. Those that are not stored as they are, are converted.
FORMAT_NAMES = "JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF"

# The suffixes of files that may be photos; what they are shows their content.
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
)

# Bytes of a pixel in Pillow's memory, by mode; 4 for all others.
_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2}
# Buffers of the decoder beside that, per pixel, as measured by tests/pictures/test_photo_memory.py.
_DECODER_BYTES = {"WEBP": 14, "AVIF": 14, "HEIF": 6, "TIFF": 4, "GIF": 4}
_WEBP_BYTES = 4 + _DECODER_BYTES["WEBP"]
_COEFFICIENT_BYTES = 2
# A visitor's file is also large by its own size: as many as there are threads would be read at once.
_VISITORS_LARGE_FILE_BYTES = 4 * 1024**2
# A progressive JPEG is decoded once per scan; real ones have about ten, hostile ones thousands.
_MAX_SCANS = 100

# Levels, of 255, between which the colours of a picture that shows nothing lie.
_BLANK_LEVELS = 4
# Pixels of the shorter side of a picture that is too small to show a product: a spacer, or a pixel that counts visits.
_TINY_SIDE = 16


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


class Finding(StrEnum):
    """What makes a photo useless for recommendations, though it is a valid file."""

    BLANK = "blank"
    TINY = "tiny"


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
    """A valid photo, in the form in which it is stored.

    Attributes:
        content: the file: JPEG, PNG, WebP or AVIF, without metadata.
        sha256: of the content.
        source_sha256: of the file as it came.
        width: in pixels, after EXIF orientation.
        height: in pixels, after EXIF orientation.
        extension: jpg, png, webp or avif.
        perceptual_hash: see `pictures.perceptual_hash`.
        finding: why it is useless for recommendations; None for a usual photo.
    """

    content: bytes
    sha256: str
    source_sha256: str
    width: int
    height: int
    extension: str
    perceptual_hash: int
    finding: Finding | None = None


def validate_photo(content: bytes, *, max_bytes: int | None = None) -> Photo:
    """Validate the bytes of a photo, and bring it into the form in which it is stored.

    The name does not matter. The size in bytes is checked first, then the header; only a picture within the limits is
    decoded, to check that it is complete and to hash it (a JPEG at a fraction of its scale). What is decoded is the file without
    metadata, so that what was checked is what is stored. Of an animation, or of several pages, the first picture is taken.

    Args:
        content: the file.
        max_bytes: default: the setting PHOTO_MAX_BYTES.

    Returns:
        The photo.

    Raises:
        ImageRejected: the bytes are not a usable photo. No side may be longer than PHOTO_MAX_SIDE, and decoding may not take more
            memory than PHOTO_MAX_DECODED_BYTES.
    """
    limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
    if len(content) > limit:
        raise _too_large_error(limit)
    with Turn(Limits.of_catalogue()) as turn:
        return _validated(content, limit, turn)


def _validated(content: bytes, limit: int, turn: Turn) -> Photo:
    stored, extension = _stripped(content, turn), ""
    if stored is None:
        stored, extension = _converted(content, turn)
        if len(stored) > limit:
            raise _too_large_error(limit)
    image = _open(stored, turn)
    width, height = image.size
    _decode(image, stored, turn, min_side=MIN_SIDE)
    turned = orientation(image)
    small = upright(small_rgb(image, MIN_SIDE), turned)
    if turned in SWAPS_SIDES:
        width, height = height, width
    return Photo(
        stored,
        hashlib.sha256(stored).hexdigest(),
        hashlib.sha256(content).hexdigest(),
        width,
        height,
        extension or _STORED[str(image.format)],
        perceptual_hash(small),
        _finding(small, width, height),
    )


def known_sha256(content: bytes, known: Mapping[str, str]) -> str | None:
    """Recognise a file that was stored before, without decoding it.

    Args:
        content: the file as it comes.
        known: SHA-256 of stored files, by their own and by that of the file as it came.

    Returns:
        SHA-256 of the stored file; None if it is not known.

    Raises:
        ImageRejected: the bytes are not a usable photo; not every one is noticed.
    """
    if not known:
        return None
    if found := known.get(hashlib.sha256(content).hexdigest()):
        return found
    with Turn(Limits.of_catalogue()) as turn:
        stripped = _stripped(content, turn)
    return None if stripped is None else known.get(hashlib.sha256(stripped).hexdigest())


def read_photo(source: BinaryIO | Path, *, max_bytes: int | None = None) -> Photo:
    """Read and validate a photo.

    Args:
        source: path or file; at most one byte more than the limit is read.
        max_bytes: as in `validate_photo`.

    Returns:
        The photo.

    Raises:
        ImageRejected: the file cannot be read or is not a usable photo.
    """
    return validate_photo(read_limited(source, max_bytes=max_bytes), max_bytes=max_bytes)


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
                raise ImageRejected(PhotoRejectionReason.UNREADABLE, photo_facts.NOT_A_FILE(file=str(source)))
            with source.open("rb") as file:
                return read_limited(file, max_bytes=limit)
        except OSError as error:
            raise ImageRejected(
                PhotoRejectionReason.UNREADABLE,
                photo_facts.FILE_UNREADABLE(file=str(source), error=str(error.strerror or error)),
            ) from error
    content = source.read(limit + 1)
    if len(content) > limit:
        raise _too_large_error(limit)
    return content


def open_rgb(source: bytes | Path | BinaryIO, *, min_side: int | None = None) -> Image.Image:
    """Decode a photo: sRGB by its colour profile, 8 bits, with EXIF orientation applied, on white where it is transparent.

    Args:
        source: content, path or file.
        min_side: decode a JPEG at 1/2, 1/4 or 1/8 of its scale, as long as its shorter side has this many pixels; that saves
            most of the work. Other pictures of more than a million pixels are reduced likewise. Default: full scale.

    Returns:
        The picture.

    Raises:
        ImageRejected: as in `validate_photo`, with the same limits.
    """
    content = source if isinstance(source, bytes) else read_limited(source)
    with Turn(Limits.of_catalogue()) as turn:
        return _rgb(content, turn, min_side)


def open_visitors_photo(source: bytes | BinaryIO, *, min_side: int) -> Image.Image:
    """Decode a photo that a visitor searches with, as `open_rgb` does, in little memory however it was made.

    Args:
        source: content or file; a large file is read when its turn has come.
        min_side: as in `open_rgb`.

    Returns:
        The picture.

    Raises:
        ImageRejected: as in `validate_photo`; no more pixels than SEARCH_PHOTO_MAX_PIXELS, and decoding may not take more memory
            than SEARCH_PHOTO_MAX_DECODED_BYTES.
        DecoderBusy: other large photos are being decoded.
    """
    with Turn(Limits.of_visitors()) as turn:
        try:
            if not isinstance(source, bytes) and _size_of(source) > _VISITORS_LARGE_FILE_BYTES:
                turn.wait()
            return _rgb(source if isinstance(source, bytes) else read_limited(source), turn, min_side)
        except ImageRejected as error:
            rejected = ImageRejected(error.reason, str(error))
        # Without the frames of the first error, which hold the picture and its decoder.
        raise rejected


def _size_of(file: BinaryIO) -> int:
    size = file.seek(0, io.SEEK_END) or file.tell()
    file.seek(0)
    return size


def _rgb(content: bytes, turn: Turn, min_side: int | None) -> Image.Image:
    image = _open(content, turn)
    _decode(image, content, turn, min_side=min_side)
    return upright(scaled(image, min_side), orientation(image))


def _stripped(content: bytes, turn: Turn) -> bytes | None:
    """The file without metadata; None if it has to be converted."""
    image = _open(content, turn)
    try:
        match image.format:
            case "JPEG" | "MPO":
                return metadata.strip_jpeg(content, orientation(image))
            case "PNG":
                return metadata.strip_png(content, _png_orientation(image, content))
            case "WEBP":
                return metadata.strip_webp(content, orientation(image))
            case "AVIF":
                return metadata.strip_avif(content)
    except metadata.NotStrippable:
        return None
    return None


def _converted(content: bytes, turn: Turn) -> tuple[bytes, str]:
    """The first picture of a file in a format that is stored, and its extension."""
    image = _open(content, turn)
    _decode(image, content, turn)
    return convert(image)


def _open(content: bytes, turn: Turn) -> Image.Image:
    """Read the header and check it; decode nothing."""
    if not content:
        raise ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, photo_facts.FILE_EMPTY())
    # Pillow allocates the whole canvas of a WebP when it opens it, and warns of sizes that are rejected here anyway.
    declared = signatures.size_in_header(content)
    if declared is not None:
        is_webp = content.startswith(b"RIFF")
        _check_size(*declared, _WEBP_BYTES if is_webp else 1, turn.limits)
        if is_webp:
            turn.take(declared[0] * declared[1] * _WEBP_BYTES)
    formats = _formats(content)
    try:
        image = Image.open(io.BytesIO(content), formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS, photo_facts.PIXELS_REFUSED(error=str(error))
        ) from error
    except UnidentifiedImageError as error:
        raise _unknown_format_error(content) from error
    except DECODING_ERRORS as error:
        raise _decoding_error(content, error) from error
    if image.format in JPEG:
        # Its memory depends on the scale that it is decoded at.
        _check_size(*image.size, 0, turn.limits)
        if content.count(b"\xff\xda") > _MAX_SCANS:
            raise ImageRejected(PhotoRejectionReason.TOO_MANY_SCANS, photo_facts.JPEG_SCANS(limit=_MAX_SCANS))
    else:
        _check_size(*image.size, _bytes_per_pixel(image), turn.limits)
    if image.mode == "F":
        # Nothing says which numbers are black and white: Pillow would cut off those beyond 0 to 255, and show 0 to 1 as black.
        raise ImageRejected(
            PhotoRejectionReason.FORMAT, photo_facts.FORMAT_UNUSABLE(format=f"{image.format} of floating-point numbers")
        )
    return image


def _formats(content: bytes) -> tuple[str, ...]:
    """Pillow's names of the formats that may be opened: HEIC only if the content is that, and with the extra."""
    usual = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
    if signatures.format_of(content) != signatures.HEIC:
        return usual
    try:
        import pillow_heif
    except ImportError:
        raise ImageRejected(
            PhotoRejectionReason.FORMAT,
            photo_facts.HEIC_WITHOUT_EXTRA(),
        ) from None
    pillow_heif.register_heif_opener()
    return (*usual, "HEIF")


def _bytes_per_pixel(image: Image.Image) -> int:
    """Memory of a pixel while the picture is decoded and converted."""
    return _PIXEL_BYTES.get(image.mode, 4) + _DECODER_BYTES.get(str(image.format), 0)


def _decode(image: Image.Image, content: bytes, turn: Turn, *, min_side: int | None = None) -> None:
    """Decode a picture, a JPEG at the smallest scale that keeps min_side."""
    coefficients = _coefficient_bytes(image, content)
    if min_side is not None:
        draft(image, min_side)
    needed = coefficients + image.width * image.height * _bytes_per_pixel(image)
    if needed > turn.limits.decoded_bytes:
        raise _too_much_memory_error(*image.size, needed, turn.limits.decoded_bytes)
    turn.take(needed)
    try:
        image.load()
    except DECODING_ERRORS as error:
        raise _decoding_error(content, error) from error


def _coefficient_bytes(image: Image.Image, content: bytes) -> int:
    """What a decoder keeps of a JPEG with several scans: every coefficient of its whole scale; nothing for other pictures."""
    layers: Sequence[tuple[int, int, int, int]] = getattr(image, "layer", ()) if image.format in JPEG else ()
    if not layers or content.count(b"\xff\xda") <= 1:
        return 0
    # Sampling factors across and down, of each component.
    samples = sum(layer[1] * layer[2] for layer in layers) / max(layer[1] * layer[2] for layer in layers)
    return int(image.width * image.height * samples * _COEFFICIENT_BYTES)


def _check_size(width: int, height: int, bytes_per_pixel: int, limits: Limits) -> None:
    longest: int = settings.PHOTO_MAX_SIDE
    if max(width, height) > longest:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS,
            photo_facts.SIDE_TOO_LONG(width=width, height=height, limit=longest),
        )
    if limits.pixels is not None and width * height > limits.pixels:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS,
            photo_facts.TOO_MANY_PIXELS(width=width, height=height, limit=limits.pixels),
        )
    if width * height * bytes_per_pixel > limits.decoded_bytes:
        raise _too_much_memory_error(width, height, width * height * bytes_per_pixel, limits.decoded_bytes)


def _too_much_memory_error(width: int, height: int, needed: int, limit: int) -> ImageRejected:
    return ImageRejected(
        PhotoRejectionReason.TOO_MANY_PIXELS,
        photo_facts.TOO_MUCH_MEMORY(width=width, height=height, needed=needed, limit=limit),
    )


def _too_large_error(limit: int) -> ImageRejected:
    return ImageRejected(PhotoRejectionReason.TOO_LARGE, photo_facts.FILE_TOO_LARGE(limit=limit))


def check_start(start: bytes) -> None:
    """Check by its first bytes whether a file may be a photo, before it is read.

    Args:
        start: the first bytes of the file.

    Raises:
        ImageRejected: it is something else.
    """
    if signatures.format_of(start) not in signatures.READABLE:
        raise _unknown_format_error(start)


def _unknown_format_error(content: bytes) -> ImageRejected:
    """The error for bytes that Pillow does not recognise as a photo."""
    name = signatures.format_of(content)
    if name in signatures.READABLE:
        return ImageRejected(PhotoRejectionReason.DAMAGED, photo_facts.FORMAT_DAMAGED(format=name))
    if name is not None:
        return ImageRejected(PhotoRejectionReason.FORMAT, photo_facts.FORMAT_UNUSABLE(format=name))
    return ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, photo_facts.NOT_A_PICTURE())


def _decoding_error(content: bytes, error: Exception) -> ImageRejected:
    if "truncated" in str(error).lower() or signatures.is_truncated(content):
        return ImageRejected(PhotoRejectionReason.TRUNCATED, photo_facts.PICTURE_TRUNCATED())
    return ImageRejected(PhotoRejectionReason.DAMAGED, photo_facts.PICTURE_DAMAGED(error=str(error)))


def _png_orientation(image: Image.Image, content: bytes) -> int:
    """The same of a PNG whose EXIF block may stand behind the picture, where opening it does not read it."""
    exif = Image.Exif()
    try:
        exif.load(metadata.png_exif(content))
        return valid_orientation(exif.get(ORIENTATION_TAG, 0)) if ORIENTATION_TAG in exif else orientation(image)
    except (*DECODING_ERRORS, UserWarning):
        return 1


def _finding(small: Image.Image, width: int, height: int) -> Finding | None:
    """small: upright, sRGB, on white, of any scale."""
    if min(width, height) < _TINY_SIDE:
        return Finding.TINY
    extrema = cast("tuple[tuple[int, int], ...]", small.getextrema())
    return Finding.BLANK if max(high - low for low, high in extrema) <= _BLANK_LEVELS else None
