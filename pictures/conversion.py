"""Converts pictures that cannot be stored as they came into PNG, JPEG or WebP."""

from __future__ import annotations

import io

from PIL import Image

from pictures.colours import to_srgb
from pictures.decoding import orientation, upright

# By Pillow's names.
_LOSSY = ("HEIF", "AVIF", "WEBP")
_JPEG_QUALITY, _WEBP_QUALITY = 95, 90
# A picture with so few colours is a drawing: PNG keeps it exactly.
_DRAWING_COLOURS = 256


def convert(image: Image.Image) -> tuple[bytes, str]:
    """Convert a picture to PNG, JPEG or WebP, upright and without metadata.

    Args:
        image: as it was opened, decoded.

    Returns:
        The file, and its extension.
    """
    profile = image.info.get("icc_profile")
    picture = _to_storable(image)
    turned = orientation(image)
    options = {"icc_profile": profile} if picture.mode == image.mode and isinstance(profile, bytes) else {}
    picture.info = {}
    picture = upright(picture, turned)
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
