"""Where a photo shows its product: by colours that its middle has and its border has not (back-projection of histograms, Swain and
Ballard, 1991: "Color indexing"). No model is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
_LEVELS = 16  # of each channel
_BORDER = 3
_WINDOW = 7  # over which the mask is evened out, so that holes of a pattern are filled
_THRESHOLD = 0.3
# Less of the photo is noise, or a white thing on white; more tells nothing from the background.
_LEAST, _MOST = 0.02, 0.9
# How much rarer its colours have to be at the border than in the middle; 0.5: as frequent.
_CLEAR = 0.65
_OUTLIERS = 0.01  # of the product's pixels, at each side of the box


@dataclass(frozen=True, slots=True)
class Foreground:
    """What a photo shows.

    Attributes:
        mask: bool [SIDE, SIDE], over the whole photo squeezed to a square.
        box: left, upper, right and lower edge, 0 to 1 of the photo's width and height.
        found: whether something stands out from the border; if not, mask and box are of the middle.
    """

    mask: NDArray[np.bool_]
    box: tuple[float, float, float, float]
    found: bool


def find_foreground(image: Image.Image) -> Foreground:
    """Tell a product from its background.

    Args:
        image: RGB, upright, of any size.

    Returns:
        Where the product is.
    """
    rgb = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=2.0))
    place = bins(rgb)
    in_middle = _histogram(place, _middle())
    at_border = _histogram(place, _border())
    ratio = in_middle / (in_middle + at_border + 1e-9)
    weight = np.clip((ratio[place] - 0.3) / 0.4, 0, 1) * np.sqrt(_middle())
    mask = evened(weight.astype(np.float32), _WINDOW) > _THRESHOLD
    found = _LEAST <= mask.mean() <= _MOST and ratio[place][mask].mean() >= _CLEAR
    if not found:
        mask = _middle() > _THRESHOLD
    return Foreground(mask, _box(mask), bool(found))


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
    after = window // 2
    padded = np.pad(values, ((after + 1, after), (after + 1, after)))
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    area = sums[window:, window:] - sums[:-window, window:] - sums[window:, :-window] + sums[:-window, :-window]
    return np.asarray(area / np.float32(window * window))


def _histogram(place: NDArray[np.intp], weights: NDArray[Any]) -> NDArray[np.float64]:
    """Shares of colours, each spread over the bins next to it: [4096]."""
    counts = np.bincount(place.ravel(), weights=weights.ravel(), minlength=_LEVELS**3)
    cube = (counts / counts.sum()).reshape((_LEVELS,) * 3)
    for axis in range(3):
        moved = np.moveaxis(cube, axis, 0)
        spread = 0.5 * moved
        spread[1:] += 0.25 * moved[:-1]
        spread[:-1] += 0.25 * moved[1:]
        cube = np.moveaxis(spread, 0, axis)
    return np.asarray(cube.reshape(-1))


@lru_cache
def _middle() -> NDArray[np.float64]:
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    return np.asarray(np.exp(-((x / 0.55) ** 2 + (y / 0.65) ** 2)))


@lru_cache
def _border() -> NDArray[np.float64]:
    border = np.ones((SIDE, SIDE))
    border[_BORDER:-_BORDER, _BORDER:-_BORDER] = 0
    return border


def _box(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    (left, right), (upper, lower) = (_span(mask.sum(axis=axis)) for axis in (0, 1))
    return left, upper, right, lower


def _span(counts: NDArray[np.intp]) -> tuple[float, float]:
    shares = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(shares, _OUTLIERS, side="right"))
    last = int(np.searchsorted(shares, 1 - _OUTLIERS))
    return first / len(counts), (last + 1) / len(counts)
