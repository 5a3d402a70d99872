"""Validates photos: every photo from outside is checked here before it is stored or embedded.

Photos of a catalogue are limited by the memory that decoding them takes, since cameras make them large; photos of visitors by
their pixels, too. Both limits are checked before anything is decoded.
"""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

from django.conf import settings
from PIL import Image, UnidentifiedImageError

from catalog import metadata, signatures
from catalog.colours import to_srgb
from catalog.perceptual_hash import MIN_SIDE, perceptual_hash

# By Pillow's names: formats that browsers show, which are stored as they are, without metadata. MPO is a JPEG with more pictures
# after the first, as many phones write it.
_STORED = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "AVIF": "avif"}
EXTENSIONS = tuple(sorted(set(_STORED.values())))
# The others are converted. HEIF is HEIC's, of the package pillow-heif.
_CONVERTED = ("GIF", "BMP", "TIFF", "HEIF")
# For texts.
FORMAT_NAMES = "JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF"
_LOSSY = ("HEIF", "AVIF", "WEBP")
_JPEG = ("JPEG", "MPO")
_JPEG_QUALITY, _WEBP_QUALITY = 95, 90
# A picture with so few colours is a drawing: PNG keeps it exactly.
_DRAWING_COLOURS = 256

# The suffixes of files that may be photos; what they are shows their content.
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
)

# Bytes of a pixel in Pillow's memory, by mode; 4 for all others.
_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2}
# Buffers of the decoder beside that, per pixel.
_DECODER_BYTES = {"WEBP": 12, "AVIF": 12, "HEIF": 8, "TIFF": 4, "GIF": 4}
_WEBP_BYTES = 4 + _DECODER_BYTES["WEBP"]
_COEFFICIENT_BYTES = 2
# Pictures that take more memory are decoded one at a time, and reduced at once.
_LARGE_BYTES = 64 * 1024**2

# A progressive JPEG is decoded once per scan; real ones have about ten, hostile ones thousands.
_MAX_SCANS = 100

# Levels, of 255, between which the colours of a picture that shows nothing lie.
_BLANK_LEVELS = 4
# Pixels of the shorter side of a picture that is too small to show a product: a spacer, or a pixel that counts visits.
_TINY_SIDE = 16

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

# Everything that Pillow raises on hostile or damaged bytes.
_DECODING_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    RuntimeError,
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
        perceptual_hash: see `catalog.perceptual_hash`.
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
    stored, extension = _stripped(content), ""
    if stored is None:
        stored, extension = _convert(content)
        if len(stored) > limit:
            raise _too_large_error(limit)
    image = _open(stored)
    width, height = image.size
    with _decoded(image, stored, min_side=MIN_SIDE):
        small = _downscaled(image)
    orientation = _orientation(image)
    if orientation in _SWAPS_SIDES:
        width, height = height, width
    upright = _upright(to_srgb(small), orientation)
    return Photo(
        stored,
        hashlib.sha256(stored).hexdigest(),
        hashlib.sha256(content).hexdigest(),
        width,
        height,
        extension or _STORED[str(image.format)],
        perceptual_hash(upright),
        _finding(upright, width, height),
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
    stripped = _stripped(content)
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


def open_rgb(
    source: bytes | Path | BinaryIO, *, min_side: int | None = None, max_pixels: int | None = None
) -> Image.Image:
    """Decode a photo: sRGB by its colour profile, 8 bits, with EXIF orientation applied, on white where it is transparent.

    Args:
        source: content, path or file.
        min_side: decode a JPEG at 1/2, 1/4 or 1/8 of its scale, as long as its shorter side has this many pixels; that saves
            most of the work. Other large pictures are reduced likewise. Default: full scale.
        max_pixels: a limit beside those of `validate_photo`; for photos of visitors the setting PHOTO_MAX_PIXELS.

    Returns:
        The picture.

    Raises:
        ImageRejected: as in `validate_photo`, with the same limits.
    """
    content = source if isinstance(source, bytes) else read_limited(source)
    image = _open(content, max_pixels)
    with _decoded(image, content, min_side=min_side) as is_large:
        picture = _reduced(image, min_side) if is_large and min_side is not None else image
        return _upright(to_srgb(picture), _orientation(image))


def _stripped(content: bytes) -> bytes | None:
    """The file without metadata; None if it has to be converted."""
    image = _open(content)
    try:
        match image.format:
            case "JPEG" | "MPO":
                return metadata.strip_jpeg(content, _orientation(image))
            case "PNG":
                return metadata.strip_png(content, _png_orientation(image, content))
            case "WEBP":
                return metadata.strip_webp(content, _orientation(image))
            case "AVIF":
                return metadata.strip_avif(content)
    except metadata.NotStrippable:
        return None
    return None


def _convert(content: bytes) -> tuple[bytes, str]:
    """The first picture of a file as PNG, JPEG or WebP, upright, and its extension."""
    image = _open(content)
    with _decoded(image, content):
        profile = image.info.get("icc_profile")
        picture = _to_storable(image)
        orientation = _orientation(image)
    options = {"icc_profile": profile} if picture.mode == image.mode and isinstance(profile, bytes) else {}
    picture.info = {}
    picture = _upright(picture, orientation)
    file = io.BytesIO()
    if image.format in _LOSSY:
        if picture.mode in ("RGBA", "LA"):
            picture.save(file, "WEBP", quality=_WEBP_QUALITY, **options)
            return file.getvalue(), "webp"
    elif picture.mode in ("1", "P", "LA", "RGBA") or _is_drawing(picture):
        picture.save(file, "PNG", **options)
        return file.getvalue(), "png"
    picture.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **options)
    return file.getvalue(), "jpg"


def _is_drawing(picture: Image.Image) -> bool:
    return picture.mode == "RGB" and picture.getcolors(_DRAWING_COLOURS) is not None


def _to_storable(image: Image.Image) -> Image.Image:
    """In a mode that PNG, JPEG and WebP have: the same one if possible, sRGB otherwise."""
    if image.mode in ("1", "L", "RGB", "RGBA", "LA") and "transparency" not in image.info:
        plain = image
    elif image.has_transparency_data:
        plain = image.convert("RGBA")
    elif image.mode == "P":
        # Of palettes only those of RGB are the same everywhere.
        plain = image.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, dither=Image.Dither.NONE)
    else:
        plain = to_srgb(image).convert("L" if image.mode.startswith("I") else "RGB")
    return plain


def _open(content: bytes, max_pixels: int | None = None) -> Image.Image:
    """Read the header and check it; decode nothing."""
    if not content:
        raise ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, "the file is empty")
    # Pillow allocates the whole canvas of a WebP when it opens it, and warns of sizes that are rejected here anyway.
    declared = signatures.size_in_header(content)
    if declared is not None:
        _check_size(*declared, _WEBP_BYTES if content.startswith(b"RIFF") else 1, max_pixels)
    formats = _formats(content)
    try:
        image = Image.open(io.BytesIO(content), formats=formats)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS, f"the picture has too many pixels: {error}"
        ) from error
    except UnidentifiedImageError as error:
        raise _unknown_format_error(content) from error
    except _DECODING_ERRORS as error:
        raise _decoding_error(content, error) from error
    if image.format in _JPEG:
        # Its memory depends on the scale that it is decoded at.
        _check_size(*image.size, 0, max_pixels)
        if content.count(b"\xff\xda") > _MAX_SCANS:
            raise ImageRejected(
                PhotoRejectionReason.TOO_MANY_SCANS, f"the JPEG has more than {_MAX_SCANS} scans: save it again"
            )
    else:
        _check_size(*image.size, _bytes_per_pixel(image), max_pixels)
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
            "the file is HEIC, which this server reads only with the extra heif (requirements/heif.txt): install it, or"
            " save the photo as JPEG",
        ) from None
    pillow_heif.register_heif_opener()
    return (*usual, "HEIF")


def _bytes_per_pixel(image: Image.Image) -> int:
    """Memory of a pixel while the picture is decoded and converted."""
    return _PIXEL_BYTES.get(image.mode, 4) + _DECODER_BYTES.get(str(image.format), 0)


@contextmanager
def _decoded(image: Image.Image, content: bytes, *, min_side: int | None = None) -> Iterator[bool]:
    """Decode a picture for the block, a JPEG at the smallest scale that keeps min_side; large ones one at a time.

    Yields:
        Whether it is large.
    """
    coefficients = _coefficient_bytes(image, content)
    if min_side is not None and image.format in _JPEG:
        image.draft(image.mode, (min_side, min_side))
    needed = coefficients + image.width * image.height * _bytes_per_pixel(image)
    limit: int = settings.PHOTO_MAX_DECODED_BYTES
    if needed > limit:
        raise _too_much_memory_error(*image.size, needed, limit)
    if needed <= _LARGE_BYTES:
        _decode(image, content)
        yield False
        return
    with _one_large_picture:
        _decode(image, content)
        yield True


_one_large_picture = Lock()


def _coefficient_bytes(image: Image.Image, content: bytes) -> int:
    """What a decoder keeps of a JPEG with several scans: every coefficient of its whole scale; nothing for other pictures."""
    layers: Sequence[tuple[int, int, int, int]] = getattr(image, "layer", ()) if image.format in _JPEG else ()
    if not layers or content.count(b"\xff\xda") <= 1:
        return 0
    # Sampling factors across and down, of each component.
    samples = sum(layer[1] * layer[2] for layer in layers) / max(layer[1] * layer[2] for layer in layers)
    return int(image.width * image.height * samples * _COEFFICIENT_BYTES)


def _decode(image: Image.Image, content: bytes) -> None:
    try:
        image.load()
    except _DECODING_ERRORS as error:
        raise _decoding_error(content, error) from error


def _check_size(width: int, height: int, bytes_per_pixel: int, max_pixels: int | None) -> None:
    longest: int = settings.PHOTO_MAX_SIDE
    most: int = settings.PHOTO_MAX_DECODED_BYTES
    if max(width, height) > longest:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS,
            f"the picture has {width:,} x {height:,} pixels; the maximum is {longest:,} per side",
        )
    if max_pixels is not None and width * height > max_pixels:
        raise ImageRejected(
            PhotoRejectionReason.TOO_MANY_PIXELS,
            f"the picture has {width:,} x {height:,} pixels; the maximum is {max_pixels:,}",
        )
    if width * height * bytes_per_pixel > most:
        raise _too_much_memory_error(width, height, width * height * bytes_per_pixel, most)


def _too_much_memory_error(width: int, height: int, needed: int, limit: int) -> ImageRejected:
    return ImageRejected(
        PhotoRejectionReason.TOO_MANY_PIXELS,
        f"decoding {width:,} x {height:,} pixels would take {needed:,} bytes of memory; the maximum is {limit:,}: save it smaller",
    )


def _too_large_error(limit: int) -> ImageRejected:
    return ImageRejected(PhotoRejectionReason.TOO_LARGE, f"the file is larger than {limit:,} bytes: save it smaller")


def _unknown_format_error(content: bytes) -> ImageRejected:
    """The error for bytes that Pillow does not recognise as a photo."""
    name = signatures.format_of(content)
    if name in signatures.READABLE:
        return ImageRejected(
            PhotoRejectionReason.DAMAGED, f"the {name} file is damaged or truncated: export or upload it again"
        )
    if name is not None:
        return ImageRejected(PhotoRejectionReason.FORMAT, f"the file is {name}: save it as JPEG, PNG or WebP")
    return ImageRejected(PhotoRejectionReason.NOT_AN_IMAGE, "the file is not a picture: use JPEG, PNG or WebP")


def _decoding_error(content: bytes, error: Exception) -> ImageRejected:
    if "truncated" in str(error).lower() or signatures.is_truncated(content):
        return ImageRejected(PhotoRejectionReason.TRUNCATED, "the picture is truncated: copy or upload it again")
    return ImageRejected(PhotoRejectionReason.DAMAGED, f"the picture is damaged ({error}): export it again")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if the EXIF block cannot be read."""
    try:
        return _valid(image.getexif().get(0x0112, 1))
    except (*_DECODING_ERRORS, UserWarning):
        return 1


def _png_orientation(image: Image.Image, content: bytes) -> int:
    """The same of a PNG whose EXIF block may stand behind the picture, where opening it does not read it."""
    exif = Image.Exif()
    try:
        exif.load(metadata.png_exif(content))
        return _valid(exif.get(0x0112, 0)) if 0x0112 in exif else _orientation(image)
    except (*_DECODING_ERRORS, UserWarning):
        return 1


def _valid(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and orientation in _ORIENTATIONS else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _ORIENTATIONS.get(orientation)
    return image if turn is None else image.transpose(turn)


def _downscaled(image: Image.Image) -> Image.Image:
    """Downscale to the size that the hash needs, so that a large PNG is not converted at full size."""
    return _reduced(image, MIN_SIDE)


def _reduced(image: Image.Image, min_side: int) -> Image.Image:
    """The picture at a fraction of its scale at which its shorter side still has this many pixels."""
    factor = min(image.size) // min_side
    return image.reduce(factor) if factor > 1 and image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") else image


def _finding(upright: Image.Image, width: int, height: int) -> Finding | None:
    """upright: sRGB, on white, of any scale."""
    if min(width, height) < _TINY_SIDE:
        return Finding.TINY
    extrema = cast("tuple[tuple[int, int], ...]", upright.getextrema())
    return Finding.BLANK if max(high - low for low, high in extrema) <= _BLANK_LEVELS else None
