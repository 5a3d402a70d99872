"""Backdrops of the photos: a studio, a coloured wall, a table, a cloth."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from storefront.demo.attributes import hex_rgb
from storefront.demo.noise import Field, cloudy_noise, fine_grain, sampled, smooth_noise
from storefront.demo.surfaces import planes_of

STUDIO_TONES = ("#f8f5f0", "#f4f5f6", "#f9f4ec", "#f3f6f2")
WALL_TONES = ("#e2dccf", "#cfdad2", "#ecd6ca", "#cdd8e2", "#e4dce6", "#e9e0c4", "#c3cdc8", "#d9c6b3")
STANDING_FLOORS = ("paper", "oak", "walnut", "stone", "linen")
LYING_PLANES = ("paper", "boards", "linen", "stone")


@dataclass(frozen=True)
class Backdrop:
    """The background of a photo; `floor` is the material of the ground, `window` adds sunlight from a window."""

    tone: str
    floor: str = "paper"
    window: bool = False
    light_from_left: bool = True
    shift: float = 0.0


def backdrop_pixels(backdrop: Backdrop, size: int, foot: float | None) -> Field:
    """Pixels, float32 [3, size, size]; `foot` is the height of the ground line, 0 to 1, None for a plane from above."""
    x, y = _grid(size)
    tone = _rgb(backdrop.tone)
    away = x if backdrop.light_from_left else 1 - x
    if foot is None:
        pixels = _ground(backdrop.floor, x * 200 + backdrop.shift, y * 200, tone)
        light = 1.05 - 0.10 * away - 0.06 * y
    else:
        horizon = foot - 0.13
        pixels = _room(backdrop, x, y, tone, horizon)
        light = 1.04 - 0.08 * away - 0.13 * np.abs(y - 0.45)
    if backdrop.window:
        light = light * _window_light(away, y)
    pixels *= light
    return pixels


def _room(backdrop: Backdrop, x: Field, y: Field, tone: Field, horizon: float) -> Field:
    pixels = np.empty((3, *x.shape), dtype=np.float32)
    pixels[:] = tone
    if backdrop.floor == "paper":
        # A seamless roll of paper: the wall bends into the floor.
        bend = 1 / (1 + np.exp(-(y - horizon) * 26))
        lit: Field = pixels * (1 - 0.045 * np.exp(-(((y - horizon) / 0.06) ** 2)) + 0.02 * bend)
        return lit
    pixels *= 1 + 0.012 * sampled(cloudy_noise(), x * 300, y * 300)
    first = int(np.searchsorted(y[:, 0], horizon))
    depth = (y[first:] - horizon) / max(1 - horizon, 1e-3)
    # Perspective: distant parts are smaller and flatter.
    across = (x[first:] - 0.5) * 240 / (0.55 + 0.45 * depth) + backdrop.shift
    ground = _ground(backdrop.floor, across, depth * 60, tone * 0.97)
    pixels[:, first:] = ground * (0.94 + 0.1 * depth)
    edge = np.clip((y[first:] - horizon) * 60, 0, 1)
    pixels[:, first:] *= 0.86 + 0.14 * edge
    return pixels


def _ground(kind: str, u: Field, v: Field, tone: Field) -> Field:
    if kind == "paper":
        return tone * (1 + 0.008 * sampled(fine_grain(), u * 2, v * 2))
    if kind == "linen":
        weave = 0.024 * sampled(fine_grain(), u * 0.8, v * 3) + 0.024 * sampled(fine_grain(), u * 3, v * 0.8)
        tile = smooth_noise()
        folds = sampled(tile, u * 0.9 + v * 0.5, v * 0.7) - sampled(tile, u * 0.9 + v * 0.5 + 8, v * 0.7 + 5)
        return tone * (1 + weave + 0.028 * folds)
    if kind == "stone":
        cloud = sampled(cloudy_noise(), u * 1.1, v * 1.1)
        return (0.5 * tone + 0.5 * _rgb("#e4e2de")) * (1 + 0.022 * cloud + 0.012 * sampled(fine_grain(), u, v))
    if kind == "boards":
        plank = np.floor(v / 34)
        figure = _wood_figure(u + plank * 61, v + plank * 17)
        seam = np.abs(np.mod(v / 34 + 0.5, 1) - 0.5) < 0.012
        shade = figure * (1 + 0.05 * np.sin(plank * 2.4)) * (1 - 0.28 * seam)
        return _rgb("#c2a582") * shade
    return _rgb("#c8a273" if kind == "oak" else "#7d5a42") * _wood_figure(u, v)


def _wood_figure(u: Field, v: Field) -> Field:
    drift = sampled(smooth_noise(), u * 0.6, v * 2.2)
    lit: Field = 1 + 0.05 * np.sin(v * 0.8 + drift * 2.4) + 0.04 * sampled(fine_grain(), u * 0.35, v * 3) + 0.03 * drift
    return lit


def _window_light(away: Field, y: Field) -> Field:
    """Two soft panes of sunlight, slanting away from the window."""
    slant = away + (y - 0.5) * 0.45
    panes = np.zeros_like(slant)
    for left, right in ((0.10, 0.36), (0.41, 0.68)):
        panes += 1 / (1 + np.exp(-(slant - left) * 45)) - 1 / (1 + np.exp(-(slant - right) * 45))
    return 0.93 + 0.12 * panes


def _rgb(code: str) -> Field:
    return planes_of(hex_rgb(code))


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Field, Field]:
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(at, at)
    return x, y
