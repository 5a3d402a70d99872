"""Where a photo shows its product: by colours that its middle has and its border has not (back-projection of histograms, Swain and
Ballard, 1991: "Color indexing"). No model is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Left, upper, right and lower edge, 0 to 1 of a photo's width and height.
Box = tuple[float, float, float, float]

SIDE = 64
_LEVELS = 16  # of each channel
_BORDER = 3
_WINDOW = 7  # over which the mask is evened out, so that holes of a pattern are filled
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
    rgb = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))
    place = bins(rgb)
    in_middle, at_border = _histograms(place)
    ratio = in_middle / (in_middle + at_border + 1e-9)
    weight = np.clip((ratio[place] - 0.45) / 0.3, 0, 1) * np.sqrt(_middle())
    mask = evened(weight.astype(np.float32), _WINDOW) > _THRESHOLD
    found = _LEAST <= mask.mean() <= _MOST and ratio[place][mask].mean() >= _CLEAR
    if not found:
        mask = _middle() > 0.3
    return Foreground(mask, _box(mask), bool(found))


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


def bins(rgb: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Bins of colours, 16 levels a channel.

    Args:
        rgb: uint8 [..., 3].

    Returns:
        0 to 4,095 [...].
    """
    level = (rgb >> 4).astype(np.intp)
    return np.asarray((level[..., 0] << 8) | (level[..., 1] << 4) | level[..., 2])


def evened(values: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Means over square windows; outside of the picture is 0.

    Args:
        values: float32 [h, w].
        window: side in pixels, odd.

    Returns:
        float32 [h, w].
    """
    before = window // 2 + 1
    (height, width), edge = values.shape, slice(window, None)
    # numpy.pad takes as long as all that follows.
    sums = np.zeros((height + window, width + window), np.float32)
    sums[before : before + height, before : before + width] = values
    np.cumsum(sums, axis=0, out=sums)
    np.cumsum(sums, axis=1, out=sums)
    area = sums[edge, edge] - sums[:-window, edge]
    area -= sums[edge, :-window]
    area += sums[:-window, :-window]
    area /= np.float32(window * window)
    return area


def _histograms(place: NDArray[np.intp]) -> NDArray[np.float64]:
    """Shares of colours in the middle and at the border, each spread over the bins next to it: [2, 4096]."""
    counts = np.stack(
        [
            np.bincount(place.ravel(), weights=_middle().ravel(), minlength=_LEVELS**3),
            np.bincount(place[_border()], minlength=_LEVELS**3),
        ]
    )
    cube = (counts / counts.sum(axis=1, keepdims=True)).reshape(2, _LEVELS, _LEVELS, _LEVELS)
    for axis in (1, 2, 3):
        moved = np.moveaxis(cube, axis, 0)
        spread = 0.5 * moved
        spread[1:] += 0.25 * moved[:-1]
        spread[:-1] += 0.25 * moved[1:]
        cube = np.moveaxis(spread, 0, axis)
    return np.asarray(cube.reshape(2, -1))


@lru_cache
def _middle() -> NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return np.asarray(np.exp(-((x / 0.55) ** 2 + (y / 0.65) ** 2)))


@lru_cache
def _border() -> NDArray[np.bool_]:
    border = np.ones((SIDE, SIDE), bool)
    border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    return border


def _box(mask: NDArray[np.bool_]) -> Box:
    (left, right), (upper, lower) = (_span(mask.sum(axis=axis)) for axis in (0, 1))
    return left, upper, right, lower


def _span(counts: NDArray[np.intp]) -> tuple[float, float]:
    shares = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(shares, _OUTLIERS, side="right"))
    last = int(np.searchsorted(shares, 1 - _OUTLIERS))
    return first / len(counts), (last + 1) / len(counts)
