"""Tileable noise, computed once, for the grain of materials, the folds of cloth and the figure of wood."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.floating[Any]]  # float32 for fields of the size of an image

TILE = 512  # samples per side of a tile


def sampled(tile: Field, x: Field, y: Field) -> Field:
    """The tile's values at (x, y), in samples; the tile repeats in both directions."""
    columns = x.astype(np.int32) & (TILE - 1)
    rows = y.astype(np.int32) & (TILE - 1)
    return np.take(tile, rows * TILE + columns)


@lru_cache(maxsize=1)
def smooth_noise() -> Field:
    """Soft hills: zero mean, about unit deviation, features of some 64 samples."""
    return _octaves(seed=1, cells=(8,), weights=(1.0,))


@lru_cache(maxsize=1)
def cloudy_noise() -> Field:
    """Hills upon hills, from 128 samples down to 4."""
    return _octaves(seed=2, cells=(4, 8, 16, 32, 64, 128), weights=(1.0, 0.7, 0.5, 0.35, 0.25, 0.18))


@lru_cache(maxsize=1)
def fine_grain() -> Field:
    """Grain of one to three samples."""
    return _octaves(seed=3, cells=(512, 256, 170), weights=(0.6, 0.6, 0.5))


@lru_cache(maxsize=1)
def cell_distance() -> Field:
    """Distance to the nearest of some 1,000 scattered points, 0 to about 1: leather grain, stone chips."""
    cells = 32
    rng = np.random.default_rng(4)
    jitter = rng.random((cells, cells, 2), dtype=np.float32)
    at = (np.arange(TILE, dtype=np.float32) + 0.5) * cells / TILE
    x, y = np.meshgrid(at, at)
    column, row = x.astype(np.int32), y.astype(np.int32)
    nearest = np.full((TILE, TILE), 9.0, dtype=np.float32)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            offset = jitter[(row + down) % cells, (column + across) % cells]
            away = np.hypot(column + across + offset[..., 0] - x, row + down + offset[..., 1] - y)
            np.minimum(nearest, away, out=nearest)
    return nearest


def _octaves(seed: int, cells: tuple[int, ...], weights: tuple[float, ...]) -> Field:
    rng = np.random.default_rng(seed)
    total = np.zeros((TILE, TILE), dtype=np.float32)
    for count, weight in zip(cells, weights, strict=True):
        coarse = rng.standard_normal((count, count), dtype=np.float32)
        # Three copies per side, of which the middle one is kept: the tile repeats without a seam.
        wrapped = Image.fromarray(np.tile(coarse, (3, 3)))
        middle = (count, count, 2 * count, 2 * count)
        resized = wrapped.resize((TILE, TILE), Image.Resampling.BICUBIC, box=middle)
        total += weight * np.asarray(resized, dtype=np.float32)
    total -= total.mean()
    normalised: Field = total / total.std()
    return normalised
