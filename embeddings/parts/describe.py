"""The colours and the pattern of a product, as vectors of a few numbers.

Colours are a histogram of the product's pixels over colours of CIE L*a*b*. A pattern is how much contrast there is in which
directions and at which distances: the structure tensor (Bigün and Granlund, 1987) at three scales, and the power spectrum. Both are
square roots of shares (Hellinger), turned by a fixed basis in which the first numbers separate photos of shops best.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.parts.foreground import SIDE as _MASK_SIDE
from embeddings.parts.foreground import Foreground, bins, evened, find_foreground
from embeddings.parts.layout import COLOUR, PATTERN
from pictures.dominant_colour import to_lab

BASIS = Path(__file__).parent / "basis.npz"

_SIDE = 64
_COLOURS = 48
_COLOUR_WIDTH = 10.0
# Differences of lightness are shadows and folds as often as other colours.
_LIGHTNESS = 0.6
_DIRECTIONS = 6
_SCALES = 3
# Contrast of neighbours, and variance, at which half counts as pattern.
_HALF_CONTRAST, _HALF_VARIANCE = 12.0, 60.0
_RINGS, _LONGEST, _SHORTEST = 4, 2.5, 28.0  # periods on the product
_SPECTRUM = 0.7
_EDGE = 5  # pixels of the outline that are left out
_LEAST_PIXELS = 100


def describe(image: Image.Image, foreground: Foreground | None = None) -> NDArray[np.float32]:
    """Describe the product of a photo.

    Args:
        image: RGB, upright, of any size.
        foreground: of this photo; None: it is looked for.

    Returns:
        Its colour and its pattern one after the other, float32 [`Layout.parts_dim`], each of unit length.
    """
    colour, pattern = measured(image, foreground)
    basis = _basis()
    return np.concatenate([_turned(colour, *basis[COLOUR]), _turned(pattern, *basis[PATTERN])])


def measured(
    image: Image.Image, foreground: Foreground | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The square roots of shares that `describe` turns.

    Args:
        image: see `describe`.
        foreground: see `describe`.

    Returns:
        Of colours and of the pattern, float32, of unit length each.
    """
    rgb, mask = _product(image, foreground or find_foreground(image))
    return _colours(rgb, mask), _pattern(rgb, mask)


def _turned(values: NDArray[np.float32], mean: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    turned = (values - mean) @ basis
    length = np.linalg.norm(turned)
    if length < 1e-6:  # as average as can be: like everything a little
        turned, length = np.ones_like(turned), np.sqrt(np.float32(len(turned)))
    return np.asarray(turned / length, np.float32)


@lru_cache
def _basis() -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    with np.load(BASIS) as arrays:
        return {part: (arrays[f"{part}_mean"], arrays[f"{part}_basis"]) for part in (COLOUR, PATTERN)}


def _product(image: Image.Image, foreground: Foreground) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The product's box as a square, and which of its pixels are the product's."""
    left, upper, right, lower = foreground.box
    box = (left * image.width, upper * image.height, right * image.width, lower * image.height)
    square = image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
    of_mask = (left * _MASK_SIDE, upper * _MASK_SIDE, right * _MASK_SIDE, lower * _MASK_SIDE)
    mask = Image.fromarray(foreground.mask.astype(np.uint8) * 255)
    return np.asarray(square), np.asarray(mask.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=of_mask)) > 127


def _inside(mask: NDArray[np.bool_], edge: int) -> NDArray[np.bool_]:
    """The mask without its outline, unless nothing is left."""
    inner = evened(mask.astype(np.float32), 2 * edge + 1) > 1 - 1e-4
    return inner if inner.sum() >= _LEAST_PIXELS else mask


def _colours(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    place = bins(rgb)[_inside(mask, 1)]
    counts = np.bincount(place, minlength=4096).astype(np.float32)
    return _roots(counts @ _colour_shares())


@lru_cache
def _colour_shares() -> NDArray[np.float32]:
    """How much of each bin belongs to each of the colours, which are as far apart as can be: float32 [4096, _COLOURS]."""
    level = ((np.arange(16) + 0.5) / 16).astype(np.float32)
    cube = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = to_lab(cube.astype(np.float32)) * np.array([_LIGHTNESS, 1, 1], np.float32)
    chosen = [int(np.abs(lab - [_LIGHTNESS * 50, 0, 0]).sum(axis=1).argmin())]
    nearest = np.full(len(lab), np.inf)
    while len(chosen) < _COLOURS:
        nearest = np.minimum(nearest, ((lab - lab[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    apart = ((lab[:, None] - lab[chosen]) ** 2).sum(axis=2)
    shares = np.exp((apart.min(axis=1, keepdims=True) - apart) / (2 * _COLOUR_WIDTH**2))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _pattern(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    channels = _opponent(rgb)
    inside = _inside(mask, _EDGE)
    return _unit(np.concatenate([_directions(channels, inside), _SPECTRUM * _spectrum(channels, inside)]))


def _opponent(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Lightness, red and blue against it: float32 [3, h, w], in steps that look about equal."""
    red, green, blue = (rgb[..., channel].astype(np.float32) for channel in range(3))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return np.stack([0.4 * light, 0.6 * (red - light), 0.4 * (blue - light)])


def _directions(channels: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shares of no contrast and of contrast in each direction, at each scale."""
    parts = []
    for _ in range(_SCALES):
        across = channels[:, 1:-1, 2:] - channels[:, 1:-1, :-2]
        down = channels[:, 2:, 1:-1] - channels[:, :-2, 1:-1]
        pixels = np.flatnonzero(inside[1:-1, 1:-1])
        xx, yy, xy = (
            np.einsum("ijk,ijk->jk", one, other).ravel()[pixels]
            for one, other in ((across, across), (down, down), (across, down))
        )
        contrast = np.sqrt(xx + yy)
        share = contrast / (contrast + _HALF_CONTRAST)
        direction = np.arctan2(2 * xy, xx - yy) * np.float32(_DIRECTIONS / (2 * np.pi))
        direction[direction < 0] += _DIRECTIONS
        first = direction.astype(np.intp)
        after = direction - first
        counts = np.bincount(first % _DIRECTIONS, share * (1 - after), _DIRECTIONS)
        counts += np.bincount((first + 1) % _DIRECTIONS, share * after, _DIRECTIONS)
        parts += [(1 - share).sum(keepdims=True) / len(share), counts / len(share)]
        channels, inside = _halved(channels), _halved(inside[None].astype(np.float32))[0] == 1
        if inside.sum() * 4 < _LEAST_PIXELS:
            inside = np.ones_like(inside)
    return _roots(np.concatenate(parts))


def _halved(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = channels[:, ::2] + channels[:, 1::2]
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25))


def _spectrum(channels: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shares of what is even and of the variance at each distance and direction."""
    window = evened(inside.astype(np.float32), 7) * inside
    mean = np.einsum("ijk,jk->i", channels, window) / max(float(window.sum()), 1e-6)
    transformed = np.fft.rfft2((channels - mean[:, None, None]) * window)
    power = np.square(transformed.real) + np.square(transformed.imag)
    variance = _rings() @ power.sum(axis=0).ravel() / (_SIDE * _SIDE * max(float((window**2).sum()), 1.0))
    total = variance.sum() + _HALF_VARIANCE
    return _roots(np.concatenate([[_HALF_VARIANCE / total], variance / total]))


@lru_cache
def _rings() -> NDArray[np.float32]:
    """What each frequency of the spectrum counts for each ring and direction: float32 [rings * directions, frequencies]."""
    down, across = np.fft.fftfreq(_SIDE)[:, None] * _SIDE, np.fft.rfftfreq(_SIDE)[None] * _SIDE
    frequency = np.hypot(down, across)
    ring = np.log(np.maximum(frequency, 1e-3) / _LONGEST) / np.log(_SHORTEST / _LONGEST) * _RINGS
    direction = (np.arctan2(down, across) / np.pi % 1) * _DIRECTIONS
    first = direction.astype(np.intp)
    after = direction - first
    # The half of the spectrum that is not computed mirrors the other.
    twice = np.where((across == 0) | (across == _SIDE // 2), 1.0, 2.0)
    rows = []
    for number in range(_RINGS):
        for way in range(_DIRECTIONS):
            share = (first % _DIRECTIONS == way) * (1 - after) + ((first + 1) % _DIRECTIONS == way) * after
            rows.append((share * twice * (np.floor(ring) == number)).ravel())
    return np.asarray(rows, np.float32)


def _roots(shares: NDArray[np.floating]) -> NDArray[np.float32]:
    return _unit(np.sqrt(np.maximum(shares, 0)))


def _unit(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(values / np.linalg.norm(values), np.float32)
