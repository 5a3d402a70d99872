"""Reads the colours of a picture by its ICC profile, as screens show them: RGB of 8 bits in sRGB."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms

# The colour space that a profile must describe for a picture of this mode, by ICC's signatures. Pillow's other modes of grey and
# RGB are converted to one of these first. Lab needs no profile.
_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK"}
# Differences that nobody sees, of 255: a profile that changes colours no more than this is that of sRGB.
_SAME_COLOUR = 3
# Levels of each channel at which a profile is compared with sRGB.
_LEVELS = np.linspace(0, 255, 9).astype(np.uint8)
# A catalogue has a few profiles; the transform of a printing press takes some megabytes.
_CACHE_SIZE = 16

Transform = ImageCms.ImageCmsTransform


class _Transforms:
    """The transforms to sRGB by profile and mode; safe to use from several threads."""

    def __init__(self) -> None:
        self._cache: OrderedDict[tuple[bytes, str], Transform | None] = OrderedDict()
        self._lock = Lock()

    def to_srgb(self, profile: bytes, mode: str) -> Transform | None:
        """The transform of a picture with this mode; None if its values are sRGB, or the profile cannot be used for it."""
        key = (hashlib.sha256(profile).digest(), mode)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        transform = _build(profile, mode)
        with self._lock:
            self._cache[key] = transform
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return transform


_transforms = _Transforms()


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture to sRGB, by its profile if it has one that fits its mode.

    A broken profile, and one of other channels (that of a press in an RGB file), are ignored: the values are then taken as
    browsers take those of a file without a profile.

    Args:
        image: decoded; of any mode. Its orientation does not matter.

    Returns:
        RGB of 8 bits, on white where it is transparent, without a profile. It may be `image` itself.
    """
    opaque, alpha = _channels(image)
    profile = image.info.get("icc_profile")
    rgb = _by_profile(opaque, profile if isinstance(profile, bytes) else b"")
    if alpha is not None:
        white = Image.new("RGB", image.size, "white")
        white.paste(rgb, mask=alpha)
        rgb = white
    for entry in ("icc_profile", "transparency"):
        rgb.info.pop(entry, None)  # it described the former channels
    return rgb


def _channels(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours in one of the modes L, RGB, CMYK and LAB, and the alpha channel if there is one."""
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La", "I;16")
        coloured = _to_8_bits(image).convert("LA" if grey and "transparency" not in image.info else "RGBA")
        alpha = coloured.getchannel("A")
        colours = coloured.convert("L" if coloured.mode == "LA" else "RGB")
        return colours, None if alpha.getextrema() == (255, 255) else alpha
    if image.mode == "CMYK" and image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        # Pillow reads every CMYK JPEG as Adobe writes it, inverted; one without Adobe's marker is not.
        return ImageChops.invert(image), None
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    if image.mode == "1" or image.mode.startswith(("I", "F")):
        return _to_8_bits(image).convert("L"), None
    return image.convert("RGB"), None


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as grey of 8. Pillow's own conversion would clip everything above 255 to white."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image, dtype=np.int32) >> 8).clip(0, 255).astype(np.uint8))


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode == "LAB":
        return _apply(image, _lab_to_srgb())
    transform = _transforms.to_srgb(profile, image.mode) if profile else None
    if transform is not None:
        return _apply(image, transform)
    return image if image.mode == "RGB" else image.convert("RGB")


def _apply(image: Image.Image, transform: Transform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ValueError("a transform that makes a new picture made none")
    return converted


def _build(profile: bytes, mode: str) -> Transform | None:
    space = _SPACES[mode]
    # The colour space, in the header of every profile.
    if profile[16:20] != space.encode():
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = _transform_from(source, mode)
        probe = _probe(mode)
        seen = np.asarray(_apply(probe, transform), dtype=np.int16)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "CMYK":
        return transform
    naive = np.asarray(probe.convert("RGB"), dtype=np.int16)
    return None if np.abs(seen - naive).max() <= _SAME_COLOUR else transform


def _transform_from(source: ImageCms.ImageCmsProfile, mode: str) -> Transform:
    return ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _lab_to_srgb() -> Transform:
    return _transform_from(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _probe(mode: str) -> Image.Image:
    """A picture of evenly spread values."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    grid: NDArray[np.uint8] = np.stack(np.meshgrid(*[_LEVELS] * min(bands, 3), indexing="ij"), axis=-1).reshape(
        -1, min(bands, 3)
    )
    if bands == 4:
        grid = np.pad(grid, ((0, 0), (0, 1)))
    raw = grid.tobytes()
    return Image.frombytes(mode, (1, len(grid)), raw)
