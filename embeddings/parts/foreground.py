"""Where a photo shows its product: by colours that its middle has and its border has not (back-projection of histograms, Swain and
Ballard, 1991: "Color indexing"). No model is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Left, upper, right and lower edge, 0 to 1 of a photo's width and height.
Box = tuple[float, float, float, float]

SIDE = 64
_LEVELS = 16  # of each channel
BINS = _LEVELS**3
_BORDER = 3
WINDOW = 7  # over which the mask is evened out, so that holes of a pattern are filled
_THRESHOLD = 0.2
# Less of the photo is noise, or a white thing on white; with more nothing stands out from the background.
_LEAST, _MOST = 0.02, 0.9
# How much rarer its colours have to be at the border than in the middle; 0.5: as frequent.
_CLEAR = 0.65
# A plain border: so many of its pixels differ from its colour by no more than this, of 255.
_PLAIN, _PLAIN_SHARE = 14, 0.95
_MARGIN = 0.08  # of the box, around it
_NARROW = 0.85  # of the photo: margins around so much are left
_OUTLIERS = 0.01  # of the product's pixels, at each side of the box


@dataclass(frozen=True, slots=True)
class Foreground:
    """What a photo shows.

    Attributes:
        mask: bool [SIDE, SIDE], over the whole photo squeezed to a square.
        box: the product's edges.
        found: whether something stands out from the border; if not, mask and box are of the middle.
    """

    mask: NDArray[np.bool_]
    box: Box
    found: bool


def find_foreground(image: Image.Image) -> Foreground:
    """Separate a product from its background.

    Args:
        image: RGB, upright, of any size.

    Returns:
        Where the product is.
    """
    return find_foregrounds([image])[0]


def find_foregrounds(images: Sequence[Image.Image]) -> list[Foreground]:
    """Separate products from their backgrounds; for each of several photos this takes less time than for one.

    Args:
        images: RGB, upright, of any size.

    Returns:
        Where the product is, of each.
    """
    small = [image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0) for image in images]
    place = bins(pixels_of(small)).reshape(len(images), -1)
    in_middle, at_border = _histograms(place)
    ratio = in_middle / (in_middle + at_border + 1e-9)
    place = numbered(place)
    weight = np.minimum(np.maximum((ratio - 0.45) / 0.3, 0), 1).take(place) * _root_middle()
    sums = window_sums(weight.astype(np.float32).reshape(-1, SIDE, SIDE))
    mask = sums > _THRESHOLD * WINDOW**2
    flat = mask.reshape(len(mask), -1)
    size = np.count_nonzero(flat, axis=1)
    clear = np.einsum("ij,ij->i", ratio.take(place), flat) >= _CLEAR * size
    found = clear & (size >= _LEAST * SIDE**2) & (size <= _MOST * SIDE**2)
    mask[~found] = _middle() > 0.3
    return [
        Foreground(one, (left, upper, right, lower), is_found)
        for one, (left, right), (upper, lower), is_found in zip(
            mask, _spans(mask, axis=1), _spans(mask, axis=2), found.tolist(), strict=True
        )
    ]


def product_box(image: Image.Image, foreground: Foreground) -> Image.Image:
    """The part of a photo that shows its product, with a margin.

    Args:
        image: RGB, upright, of any size.
        foreground: of this photo.

    Returns:
        RGB; the photo itself where nothing stands out.
    """
    return _cropped(image, _framed(foreground)) if foreground.found else image


def proposed_part(foreground: Foreground) -> Box | None:
    """The part of a photo that a search may be narrowed down to, as `product_box` cuts it out.

    Args:
        foreground: of the photo.

    Returns:
        Left, upper, right and lower edge, 0 to 1 of width and height; None where nothing stands out, or it fills the photo.
    """
    left, upper, right, lower = part = _framed(foreground)
    return part if foreground.found and (right - left) * (lower - upper) <= _NARROW else None


def _framed(foreground: Foreground) -> Box:
    """The box with its margin, within the photo."""
    left, upper, right, lower = foreground.box
    across, down = _MARGIN * (right - left), _MARGIN * (lower - upper)
    return max(0.0, left - across), max(0.0, upper - down), min(1.0, right + across), min(1.0, lower + down)


def without_margins(image: Image.Image) -> Image.Image:
    """A photo without white or plain margins.

    Args:
        image: RGB, upright, of any size.

    Returns:
        RGB; the photo itself where its border has more than one colour, or the margins are narrow.
    """
    rgb = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))
    border = rgb[_border()]
    if not _is_plain(border):
        return image
    differs = np.abs(rgb.astype(np.int16) - np.median(border, axis=0)).max(axis=2) > _PLAIN
    if differs.mean() < _LEAST:
        return image
    left, upper, right, lower = _box(differs)
    if (right - left) * (lower - upper) > _NARROW:
        return image
    return _cropped(image, (left - _MARGIN / 2, upper - _MARGIN / 2, right + _MARGIN / 2, lower + _MARGIN / 2))


def _is_plain(border: NDArray[np.uint8]) -> bool:
    apart = np.abs(border.astype(np.int16) - np.median(border, axis=0)).max(axis=1)
    return bool((apart <= _PLAIN).mean() > _PLAIN_SHARE)


def _cropped(image: Image.Image, box: Box) -> Image.Image:
    left, upper, right, lower = (min(max(edge, 0.0), 1.0) for edge in box)
    width, height = image.size
    return image.crop(
        (int(left * width), int(upper * height), max(1, round(right * width)), max(1, round(lower * height)))
    )


def pixels_of(images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """The pixels of pictures, as Pillow keeps them.

    Args:
        images: RGB, all of one size.

    Returns:
        uint8 [n, h, w, 4]: red, green, blue, and a byte without meaning.
    """
    content = b"".join([image.tobytes("raw", "RGBX") for image in images])
    return np.frombuffer(content, np.uint8).reshape(len(images), images[0].height, images[0].width, 4)


def bins(pixels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Bins of colours, 16 levels a channel.

    Args:
        pixels: uint8 [..., 4], of `pixels_of`.

    Returns:
        0 to BINS - 1 [...].
    """
    # A pixel is one number, with red in its lowest byte.
    whole = pixels.view("<u4")[..., 0]
    place = (whole << 4) & 0xF00
    place |= (whole >> 8) & 0xF0
    place |= (whole >> 20) & 0xF
    return place.astype(np.intp)


def numbered(place: NDArray[np.intp]) -> NDArray[np.intp]:
    """Bins of several photos, each with bins of its own.

    Args:
        place: 0 to BINS - 1 [n, pixels].

    Returns:
        0 to n * BINS - 1 [n, pixels].
    """
    return np.asarray(place + np.arange(len(place))[:, None] * BINS)


def window_sums(values: NDArray[Any]) -> NDArray[Any]:
    """Sums over square windows of WINDOW pixels a side; outside of the picture is 0.

    Args:
        values: numbers [n, h, w].

    Returns:
        Of the same type [n, h, w].
    """
    (count, height, width), half = values.shape, WINDOW // 2
    padded = np.zeros((count, height + 2 * half, width + 2 * half), values.dtype)
    padded[:, half:-half, half:-half] = values
    return _sums_of_seven(_sums_of_seven(padded).swapaxes(1, 2)).swapaxes(1, 2)


def _sums_of_seven(rows: NDArray[Any]) -> NDArray[Any]:
    two = rows[:, :-1] + rows[:, 1:]
    four = two[:, :-2] + two[:, 2:]
    return np.asarray(four[:, :-3] + two[:, 4:-1] + rows[:, 6:])


def _histograms(place: NDArray[np.intp]) -> NDArray[np.float64]:
    """Shares of colours in the middle and at the border of each photo, each spread over the bins next to it: [2, n, BINS]."""
    count, at_border = len(place), numbered(place.take(_border_places(), axis=1))
    middle, cube = np.tile(_middle().ravel(), count), np.empty((2, count * BINS))
    np.divide(np.bincount(numbered(place).ravel(), middle, count * BINS), _middle().sum(), out=cube[0])
    np.divide(np.bincount(at_border.ravel(), minlength=count * BINS), at_border.shape[1], out=cube[1])
    by_photo, flat = cube.reshape(-1, BINS), cube.ravel()
    for step, to_next, to_previous in _neighbours():
        up, down = (by_photo * to_next).ravel(), (by_photo * to_previous).ravel()
        flat *= 0.5
        flat[step:] += up[:-step]
        flat[:-step] += down[step:]
    return cube.reshape(2, count, BINS)


@lru_cache
def _neighbours() -> list[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    """Of each channel: steps from a level to the next, and what bins give of theirs to the next level and to the one before."""
    level = np.indices((_LEVELS, _LEVELS, _LEVELS)).reshape(3, -1)
    return [
        (_LEVELS ** (2 - channel), 0.25 * (level[channel] < _LEVELS - 1), 0.25 * (level[channel] > 0))
        for channel in range(3)
    ]


@lru_cache
def _middle() -> NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return np.asarray(np.exp(-((x / 0.55) ** 2 + (y / 0.65) ** 2)))


@lru_cache
def _root_middle() -> NDArray[np.float64]:
    return np.sqrt(_middle()).ravel()


@lru_cache
def _border() -> NDArray[np.bool_]:
    border = np.ones((SIDE, SIDE), bool)
    border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    return border


@lru_cache
def _border_places() -> NDArray[np.intp]:
    return np.flatnonzero(_border())


def _box(mask: NDArray[np.bool_]) -> Box:
    (left, right), (upper, lower) = (_spans(mask[None], axis=axis)[0] for axis in (1, 2))
    return left, upper, right, lower


def _spans(masks: NDArray[np.bool_], axis: int) -> list[tuple[float, float]]:
    """First and last edge of each mask, 0 to 1, from the sums along an axis."""
    counts = np.add.reduce(masks, axis=axis, dtype=np.intp)
    shares = np.cumsum(counts, axis=1)
    shares = shares / shares[:, -1:]
    first = np.count_nonzero(shares <= _OUTLIERS, axis=1) / shares.shape[1]
    last = (np.count_nonzero(shares < 1 - _OUTLIERS, axis=1) + 1) / shares.shape[1]
    return list(zip(first.tolist(), last.tolist(), strict=True))
