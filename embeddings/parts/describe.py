"""The colours and the pattern of a product, as vectors of a few numbers.

Colours are a histogram of the product's pixels over colours of CIE L*a*b*. A pattern is how much contrast there is in which
directions and at which distances: the structure tensor (Bigün and Granlund, 1987) at three scales, and the power spectrum. Both are
square roots of shares (Hellinger), turned by a fixed basis in which the first numbers separate photos of shops best.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from embeddings.parts.foreground import (
    BINS,
    WINDOW,
    Foreground,
    bins,
    find_foregrounds,
    numbered,
    pixels_of,
    window_sums,
)
from embeddings.parts.foreground import SIDE as _MASK_SIDE
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
# Of the scales, the first _SIDE pixels wide and each of the others half as wide, on a canvas that has them side by side.
_CORNERS = ((0, 0), (_SIDE, 0), (_SIDE, _SIDE // 2))
# What a pixel between two directions counts for the one before it and the one after it, from a half circle less on.
_BEFORE, _AFTER = (np.eye(_DIRECTIONS)[(np.arange(_DIRECTIONS + 1) + shift) % _DIRECTIONS] for shift in (3, 4))
# Of red, green, blue, and a byte without meaning.
_OPPONENT = np.array(
    [
        [0.4 * 0.299, 0.4 * 0.587, 0.4 * 0.114, 0],
        [0.6 * (1 - 0.299), 0.6 * -0.587, 0.6 * -0.114, 0],
        [0.4 * -0.299, 0.4 * -0.587, 0.4 * (1 - 0.114), 0],
    ],
    np.float32,
)
# Contrast of neighbours, and variance, at which half counts as pattern.
_HALF_CONTRAST, _HALF_VARIANCE = 12.0, 60.0
_RINGS, _LONGEST, _SHORTEST = 4, 2.5, 28.0  # periods on the product
_FREQUENCIES = 28  # below the shortest
_SPECTRUM = 0.7
_EDGE = 5  # pixels of the outline that are left out
_LEAST_PIXELS = 100

# With more, what is computed no longer fits into a core's cache.
DESCRIBED_AT_ONCE = 4


def describe(image: Image.Image, foreground: Foreground | None = None) -> NDArray[np.float32]:
    """Describe the product of a photo.

    Args:
        image: RGB, upright, of any size.
        foreground: of this photo; None: it is looked for.

    Returns:
        Its colour and its pattern one after the other, float32 [`Layout.parts_dim`], each of unit length.
    """
    described: NDArray[np.float32] = describe_all([image], None if foreground is None else [foreground])[0]
    return described


def describe_all(images: Sequence[Image.Image], foregrounds: Sequence[Foreground] | None = None) -> NDArray[np.float32]:
    """Describe the products of several photos; for each this takes less time than for one, most of all with DESCRIBED_AT_ONCE.

    Args:
        images: one or more; RGB, upright, of any sizes.
        foregrounds: of these photos; None: they are looked for.

    Returns:
        Colour and pattern of each one after the other, float32 [n, `Layout.parts_dim`], each of unit length.
    """
    colours, patterns = measured(images, foregrounds)
    basis = _basis()
    return np.concatenate([_turned(colours, *basis[COLOUR]), _turned(patterns, *basis[PATTERN])], axis=1)


def measured(
    images: Sequence[Image.Image], foregrounds: Sequence[Foreground] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The square roots of shares that `describe_all` turns.

    Args:
        images: see `describe_all`.
        foregrounds: see `describe_all`.

    Returns:
        Of colours and of the pattern, float32 [n, shares], of unit length each.
    """
    pixels, masks = _products(images, foregrounds or find_foregrounds(images))
    return _colours(pixels, masks), _patterns(pixels, masks)


def _turned(values: NDArray[np.float32], mean: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    turned = (values - mean) @ basis
    # As average as can be: like everything a little.
    turned[_lengths(turned) < 1e-6] = 1
    return _unit(turned)


@lru_cache
def _basis() -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    with np.load(BASIS) as arrays:
        return {part: (arrays[f"{part}_mean"], arrays[f"{part}_basis"]) for part in (COLOUR, PATTERN)}


def _products(
    images: Sequence[Image.Image], foregrounds: Sequence[Foreground]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The products' boxes as squares, as `pixels_of` has them, and which of their pixels are the product's."""
    squares, masks = [], []
    for image, foreground in zip(images, foregrounds, strict=True):
        left, upper, right, lower = foreground.box
        box = (left * image.width, upper * image.height, right * image.width, lower * image.height)
        squares.append(image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))
        of_mask = (left * _MASK_SIDE, upper * _MASK_SIDE, right * _MASK_SIDE, lower * _MASK_SIDE)
        mask = Image.frombytes("L", (_MASK_SIDE, _MASK_SIDE), (foreground.mask * np.uint8(255)).tobytes())
        masks.append(mask.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, box=of_mask).tobytes())
    return pixels_of(squares), np.frombuffer(b"".join(masks), np.uint8).reshape(-1, _SIDE, _SIDE) > 127


def _inside(masks: NDArray[np.bool_], edge: int) -> NDArray[np.bool_]:
    """The masks without their outlines, each unless nothing is left."""
    inner = np.zeros_like(masks)
    down = _all_of(masks, 2 * edge + 1)
    inner[:, edge:-edge, edge:-edge] = _all_of(down.swapaxes(1, 2), 2 * edge + 1).swapaxes(1, 2)
    few = _sizes(inner) < _LEAST_PIXELS
    inner[few] = masks[few]
    return inner


def _all_of(masks: NDArray[np.bool_], window: int) -> NDArray[np.bool_]:
    """Whether all of so many rows are set, from each row on: bool [n, h - window + 1, w]."""
    done = 1
    while done < window:
        more = min(done, window - done)
        masks = masks[:, :-more] & masks[:, more:]
        done += more
    return masks


def _sizes(masks: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.asarray(np.add.reduce(masks, axis=(1, 2), dtype=np.intp))


def _colours(pixels: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    place = numbered(bins(pixels).reshape(len(pixels), -1)).ravel().take(np.flatnonzero(_inside(masks, 1)))
    colours = np.empty((len(pixels), _COLOURS), np.float32)
    for number, counts in enumerate(np.bincount(place, minlength=len(pixels) * BINS).reshape(-1, BINS)):
        # A photo has a few hundred of the bins.
        present = np.flatnonzero(counts)
        shares = _colour_shares().take(present, axis=0)
        np.einsum("i,ij->j", counts.take(present).astype(np.float32), shares, out=colours[number])
    return _roots(colours)


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


def _patterns(pixels: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    channels = _opponent(pixels)
    inside = _inside(masks, _EDGE)
    return _unit(np.concatenate([_directions(channels, inside), _SPECTRUM * _spectrum(channels, inside)], axis=1))


def _opponent(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Lightness, red and blue against it: float32 [n, 3, h, w], in steps that look about equal."""
    count, height, width, _ = pixels.shape
    levels = pixels.reshape(count, -1, 4).astype(np.float32)
    return np.asarray((_OPPONENT @ levels.swapaxes(1, 2)).reshape(count, 3, height, width))


def _directions(channels: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shares of no contrast and of contrast in each direction, at each scale: [n, _SCALES * (1 + _DIRECTIONS)]."""
    # All scales on one canvas a photo: a call of NumPy takes longer than what it computes.
    count = len(channels)
    canvas = np.zeros((3, count, _SIDE + _SIDE // 2, _SIDE), np.float32)
    wanted = np.zeros(canvas.shape[1:], bool)
    sizes = np.empty((count, _SCALES), np.intp)
    for scale, (top, left) in enumerate(_CORNERS):
        if scale:
            channels, inside = _halved(channels), _all_of(inside, 2)[:, ::2]
            inside = _all_of(inside.swapaxes(1, 2), 2)[:, ::2].swapaxes(1, 2)
            inside[_sizes(inside) * 4 < _LEAST_PIXELS] = True
        side = inside.shape[1]
        canvas[:, :, top : top + side, left : left + side] = channels.swapaxes(0, 1)
        inner = inside[:, 1:-1, 1:-1]
        wanted[:, top + 1 : top + side - 1, left + 1 : left + side - 1] = inner
        sizes[:, scale] = _sizes(inner)
    pixels, flat = np.flatnonzero(wanted), canvas.reshape(3, -1)
    across = (flat[:, 2:] - flat[:, :-2]).take(pixels - 1, axis=1)
    down = (flat[:, 2 * _SIDE :] - flat[:, : -2 * _SIDE]).take(pixels - _SIDE, axis=1)
    xx, yy, xy = (np.einsum("ij,ij->j", one, other) for one, other in ((across, across), (down, down), (across, down)))
    contrast = np.sqrt(xx + yy)
    share = contrast / (contrast + np.float32(_HALF_CONTRAST))
    direction = np.arctan2(xy + xy, xx - yy) * np.float32(_DIRECTIONS / (2 * np.pi)) + np.float32(_DIRECTIONS // 2)
    first = direction.astype(np.intp)
    later = share * (direction - first)
    row = np.arange(count)[:, None] * _SCALES + _scale_of()
    first += (row * (_DIRECTIONS + 1)).take(pixels)
    before, after = (
        np.bincount(first, each, sizes.size * (_DIRECTIONS + 1)).reshape(sizes.size, -1)
        for each in (share - later, later)
    )
    shares = np.empty((sizes.size, 1 + _DIRECTIONS))
    np.divide(before @ _BEFORE + after @ _AFTER, sizes.reshape(-1, 1), out=shares[:, 1:])
    np.subtract(1, shares[:, 1:].sum(axis=1), out=shares[:, 0])
    return _roots(shares.reshape(count, -1))


@lru_cache
def _scale_of() -> NDArray[np.intp]:
    """The scale of each pixel of the canvas of `_directions`."""
    scale = np.zeros((_SIDE + _SIDE // 2, _SIDE), np.intp)
    for number, (top, left) in enumerate(_CORNERS):
        scale[top:, left:] = number
    return scale.ravel()


def _halved(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = channels[:, :, ::2] + channels[:, :, 1::2]
    return np.asarray((rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25))


def _spectrum(channels: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Shares of what is even and of the variance at each distance and direction: [n, 1 + rings * directions]."""
    count, member = len(channels), inside.view(np.uint8)
    window = (window_sums(member) * member) * np.float32(1 / WINDOW**2)
    weights = window.reshape(count, -1)
    mean = np.einsum("ncp,np->nc", channels.reshape(count, 3, -1), weights)
    mean /= np.maximum(weights.sum(axis=1), 1e-6)[:, None]
    shown = (channels - mean[:, :, None, None]) * window[:, None]
    # For a picture as small as this, products with the waves that a ring has take less time than a fast Fourier transform.
    waves = _waves()
    parts = (waves @ (shown @ waves.T)).reshape(count, 3, 2, _FREQUENCIES, 2, _FREQUENCIES)
    cos_cos, cos_sin, sin_cos, sin_sin = (parts[:, :, down, :, across] for down in (0, 1) for across in (0, 1))
    power = np.stack(
        [
            _squares(cos_cos - sin_sin) + _squares(cos_sin + sin_cos),
            _squares(cos_cos + sin_sin) + _squares(cos_sin - sin_cos),
        ],
        axis=1,
    )
    variance = np.empty((count, _RINGS * _DIRECTIONS), np.float32)
    for number, each in enumerate(power.reshape(count, -1)):
        # Not by BLAS, whose threads would take longer to start.
        np.einsum("ij,j->i", _rings(), each, out=variance[number])
    variance /= _SIDE * _SIDE * np.maximum(np.einsum("ij,ij->i", weights, weights), 1)[:, None]
    total = variance.sum(axis=1, keepdims=True) + np.float32(_HALF_VARIANCE)
    return _roots(np.concatenate([_HALF_VARIANCE / total, variance / total], axis=1))


def _squares(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.einsum("ncij,ncij->nij", channels, channels))


@lru_cache
def _waves() -> NDArray[np.float32]:
    """Cosines of each frequency, and sines: float32 [2 * _FREQUENCIES, _SIDE]."""
    angle = np.outer(np.arange(_FREQUENCIES), np.arange(_SIDE)) * (2 * np.pi / _SIDE)
    return np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)


@lru_cache
def _rings() -> NDArray[np.float32]:
    """What each wave counts for each ring and direction: float32 [rings * directions, 2 * _FREQUENCIES**2]."""
    # Waves that fall to the right, and then those that rise.
    frequency = np.arange(_FREQUENCIES)
    down, across = np.stack([frequency, -frequency])[:, :, None], frequency[None, None]
    ring = np.log(np.maximum(np.hypot(down, across), 1e-3) / _LONGEST) / np.log(_SHORTEST / _LONGEST) * _RINGS
    direction = (np.arctan2(down, across) / np.pi % 1) * _DIRECTIONS
    first = direction.astype(np.intp)
    after = direction - first
    # A wave stands for its mirror image as well; one straight down has both among these, and one straight across is there twice.
    twice = np.where(across == 0, 1.0, 2.0) * np.ones_like(ring)
    twice[1, 0] = 0
    rows = []
    for number in range(_RINGS):
        for way in range(_DIRECTIONS):
            share = (first % _DIRECTIONS == way) * (1 - after) + ((first + 1) % _DIRECTIONS == way) * after
            rows.append((share * twice * (np.floor(ring) == number)).ravel())
    return np.asarray(rows, np.float32)


def _roots(shares: NDArray[np.floating]) -> NDArray[np.float32]:
    return _unit(np.sqrt(np.maximum(shares, 0)))


def _unit(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(values / _lengths(values)[:, None], np.float32)


def _lengths(values: NDArray[np.floating]) -> NDArray[np.floating]:
    # numpy.linalg.norm takes four times as long.
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", values, values)))
