"""From a file's decoder to the picture that an encoder sees: a fraction of the scale, upright, sRGB. Without Django."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

from pictures.colours import to_srgb

# By Pillow's names. MPO is a JPEG with more pictures after the first, as many phones write it.
JPEG = ("JPEG", "MPO")

# A picture of more pixels is reduced before it is converted, in strips.
CONVERTED_PIXELS = 1_000_000
STRIP_PIXELS = 250_000

ORIENTATION_TAG = 0x0112
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SWAPS_SIDES = (5, 6, 7, 8)

# Everything that Pillow raises on hostile or damaged bytes.
DECODING_ERRORS = (
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


def decode(image: Image.Image, min_side: int) -> Image.Image:
    """Decode a picture that was opened: sRGB, with EXIF orientation applied, on white where it is transparent.

    Args:
        image: as `Image.open` gives it.
        min_side: see `draft` and `scaled`.

    Returns:
        RGB of 8 bits.

    Raises:
        OSError: the file is damaged; further errors are listed in DECODING_ERRORS.
    """
    draft(image, min_side)
    image.load()
    return upright(scaled(image, min_side), orientation(image))


def draft(image: Image.Image, min_side: int) -> None:
    """Have a JPEG decoded at the smallest of 1, 1/2, 1/4 and 1/8 of its scale at which both sides have this many pixels."""
    if image.format in JPEG:
        image.draft(image.mode, (min_side, min_side))


def scaled(image: Image.Image, min_side: int | None) -> Image.Image:
    """A decoded picture in sRGB, on white.

    Args:
        image: of any mode.
        min_side: a picture of more than CONVERTED_PIXELS is reduced, as far as its shorter side keeps so many; None: none is.

    Returns:
        RGB of 8 bits.
    """
    is_large = image.width * image.height > CONVERTED_PIXELS
    return small_rgb(image, min_side) if is_large and min_side is not None else to_srgb(image)


def small_rgb(image: Image.Image, min_side: int) -> Image.Image:
    """A decoded picture at a fraction of its scale. It is converted in strips, so that nothing is converted at full size.

    Args:
        image: of any mode.
        min_side: how many pixels the shorter side still has.

    Returns:
        RGB of 8 bits, sRGB, on white.
    """
    factor = max(1, min(image.size) // min_side)
    if factor == 1 and image.width * image.height <= CONVERTED_PIXELS:
        return to_srgb(image)
    # What can be averaged as it is; palettes, 16 bits and transparency cannot.
    is_plain = factor > 1 and image.mode in ("L", "RGB", "CMYK") and not image.has_transparency_data
    width, height = -(-image.width // factor), -(-image.height // factor)
    small = Image.new(image.mode if is_plain else "RGB", (width, height))
    rows = max(1, STRIP_PIXELS // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strip.format = image.format
        small.paste((strip if is_plain else to_srgb(strip)).reduce(factor), (0, top // factor))
    if not is_plain:
        return small
    small.info, small.format = dict(image.info), image.format
    return to_srgb(small)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if the EXIF block cannot be read."""
    try:
        return valid_orientation(image.getexif().get(ORIENTATION_TAG, 1))
    except (*DECODING_ERRORS, UserWarning):
        return 1


def valid_orientation(value: object) -> int:
    """What a file says, if it is an orientation, and 1 otherwise."""
    return value if isinstance(value, int) and value in _ORIENTATIONS else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """A picture with its EXIF orientation applied."""
    turn = _ORIENTATIONS.get(orientation)
    return image if turn is None else image.transpose(turn)
