"""Surfaces: the colour of each point of a product without lighting, from pattern and material."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from storefront.demo.attributes import MATERIALS, Material, Rgb
from storefront.demo.noise import Field, cell_distance, cloudy_noise, fine_grain, sampled, smooth_noise


@dataclass(frozen=True)
class Surface:
    """A printed or woven surface.

    Attributes:
        colour: of the ground.
        accent: of the pattern.
        pattern: name in `attributes.PATTERNS`.
        material: determines the texture.
        repeat: size of one repeat of the pattern, in object units.
        turn: 0 for horizontal bands, 1 for vertical ones.
        start: offset of the pattern; for two-tone, the line between the tones.
        phase: offset of the texture.
    """

    colour: Rgb
    accent: Rgb
    pattern: str
    material: Material
    repeat: float = 14.0
    turn: int = 0
    start: float = 0.0
    phase: float = 0.0

    def plain(self, colour: Rgb | None = None, material: str | None = None) -> "Surface":
        """The surface without its pattern, optionally in another colour or material."""
        return replace(
            self,
            pattern="plain",
            colour=colour or self.colour,
            material=MATERIALS[material] if material else self.material,
        )

    def turned(self) -> "Surface":
        """The surface with its pattern rotated by 90 degrees."""
        return replace(self, turn=1 - self.turn)

    def paint(self, u: Field, v: Field, pixel: float) -> Field:
        """Colours at (u, v), float32 [3, h, w]; `pixel` is the size of a pixel in object units, for antialiasing."""
        if self.turn:
            u, v = v, u
        base = planes_of(self.colour)
        grain = _TEXTURES[self.material.texture](u + self.phase, v + self.phase)
        if self.pattern == "plain":
            return base * grain
        rgb = _PATTERNS[self.pattern](self, u, v, pixel) * (planes_of(self.accent) - base)
        rgb += base
        rgb *= grain
        return rgb


def planes_of(colour: Rgb) -> Field:
    """A colour to calculate with, float32 [3, 1, 1]. Colours come before rows and columns, so that NumPy's loops run along rows."""
    return np.array(colour, dtype=np.float32)[:, None, None]


def _edge(distance: Field, pixel: float) -> Field:
    """1 inside (distance below 0), 0 outside, and a ramp of one pixel between."""
    tone: Field = np.clip(0.5 - distance / max(pixel, 1e-3), 0, 1)
    return tone


def _band(position: Field, repeat: float, share: float, pixel: float) -> Field:
    """Cover of bands that fill ``share`` of every repeat."""
    within = np.abs(np.mod(position, repeat) - repeat / 2)
    return _edge(within - repeat * share / 2, pixel)


def _stripes(s: Surface, _u: Field, v: Field, pixel: float) -> Field:
    return _band(v + s.start, s.repeat, 0.46, pixel)


def _dots(s: Surface, u: Field, v: Field, pixel: float) -> Field:
    row = np.floor(v / s.repeat + 0.25)
    x = np.mod(u + s.repeat * 0.5 * np.mod(row, 2), s.repeat) - s.repeat / 2
    y = v - (row + 0.25) * s.repeat
    return _edge(np.hypot(x, y) - s.repeat * 0.25, pixel)


def _check(s: Surface, u: Field, v: Field, pixel: float) -> Field:
    across = _band(v, s.repeat * 1.2, 0.5, pixel)
    down = _band(u, s.repeat * 1.2, 0.5, pixel)
    return 0.46 * across + 0.46 * down


def _zigzag(s: Surface, u: Field, v: Field, pixel: float) -> Field:
    tooth = np.abs(np.mod(u / (s.repeat * 1.1), 1.0) - 0.5) * s.repeat * 1.1
    return _band(v + tooth, s.repeat * 1.05, 0.46, pixel * 1.4)


def _floral(s: Surface, u: Field, v: Field, pixel: float) -> Field:
    step = s.repeat * 1.25
    row = np.floor(v / step)
    x = u + step * 0.5 * np.mod(row, 2)
    column = np.floor(x / step)
    wobble = np.sin(column * 12.9 + row * 78.2) * 43.7
    x = x - (column + 0.5) * step - np.cos(wobble) * step * 0.1
    y = v - (row + 0.5) * step - np.sin(wobble) * step * 0.1
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    size = step * (0.34 + 0.05 * np.sin(wobble * 3))
    petals = size * (0.62 + 0.38 * np.abs(np.cos(2.5 * angle + wobble)))
    flower = _edge(away - petals, pixel) - _edge(away - size * 0.26, pixel)
    # A small leaf in the gap between two flowers.
    lx, ly = np.abs(x) - step * 0.46, y - step * 0.30
    leaf = _edge(np.hypot(lx * 1.0, ly * 2.2) - step * 0.13, pixel)
    tone: Field = np.maximum(flower, leaf * 0.75)
    return tone


def _two_tone(s: Surface, _u: Field, v: Field, pixel: float) -> Field:
    return _edge(s.start - v, pixel)


def _speckles(s: Surface, u: Field, v: Field, _pixel: float) -> Field:
    scale = 110 / s.repeat
    size = 0.25 + 0.03 * sampled(smooth_noise(), u * scale, v * scale)
    return np.clip((size - sampled(cell_distance(), u * scale, v * scale)) * 9, 0, 1) * 0.92


_PATTERNS: dict[str, Callable[[Surface, Field, Field, float], Field]] = {
    "striped": _stripes,
    "dotted": _dots,
    "checked": _check,
    "zigzag": _zigzag,
    "floral": _floral,
    "two-tone": _two_tone,
    "speckled": _speckles,
}


def _smooth(u: Field, v: Field) -> Field:
    return 1 + 0.008 * sampled(smooth_noise(), u * 2, v * 2)


def _weave(u: Field, v: Field) -> Field:
    return 1 + 0.028 * sampled(fine_grain(), u * 3, v * 3) + 0.012 * sampled(cloudy_noise(), u * 2, v * 2)


def _slub(u: Field, v: Field) -> Field:
    across = sampled(fine_grain(), u * 0.5, v * 4)
    down = sampled(fine_grain(), u * 4, v * 0.5)
    return 1 + 0.032 * across + 0.026 * down


def _twill(u: Field, v: Field) -> Field:
    diagonal = np.sin((u + v) * 3.1)
    worn = sampled(cloudy_noise(), u * 1.5, v * 1.5)
    tone: Field = 1 + 0.05 * diagonal + 0.05 * sampled(fine_grain(), u * 1.2, v * 4) + 0.035 * worn
    return tone


def _knit(u: Field, v: Field) -> Field:
    rib = 3.4
    side = np.abs(np.mod(u / rib, 1.0) - 0.5) * 2
    loop = np.sin((v / rib * 1.25 + side * 0.55) * 2 * np.pi)
    tone: Field = 0.97 + 0.085 * loop - 0.13 * (side > 0.86) + 0.03 * sampled(fine_grain(), u * 3, v * 3)
    return tone


def _satin(u: Field, v: Field) -> Field:
    return 1 + 0.012 * sampled(fine_grain(), u * 4, v * 0.5)


def _pile(u: Field, v: Field) -> Field:
    return 1 + 0.035 * sampled(fine_grain(), u * 2.6, v * 2.6) + 0.045 * sampled(cloudy_noise(), u * 2.5, v * 2.5)


def _canvas(u: Field, v: Field) -> Field:
    tone: Field = 1 + 0.035 * np.sin(u * 4.2) * np.sin(v * 4.2) + 0.035 * sampled(fine_grain(), u * 2.4, v * 2.4)
    return tone


def _grain(u: Field, v: Field) -> Field:
    return 0.965 + 0.11 * (0.55 - sampled(cell_distance(), u * 7, v * 7)) + 0.03 * sampled(cloudy_noise(), u * 2, v * 2)


def _felt(u: Field, v: Field) -> Field:
    return 1 + 0.05 * sampled(fine_grain(), u * 1.8, v * 1.8) + 0.02 * sampled(cloudy_noise(), u * 3, v * 3)


def _straw(u: Field, v: Field) -> Field:
    plait = np.sin(u * 1.1 + np.where(np.mod(v / 4, 2) < 1, 0.0, np.pi)) * 0.07
    tone: Field = 0.98 + plait - 0.16 * (np.mod(v / 4, 1) < 0.16) + 0.05 * sampled(fine_grain(), u * 1.5, v * 4)
    return tone


def _stone(u: Field, v: Field) -> Field:
    fleck = np.clip((0.16 - sampled(cell_distance(), u * 5, v * 5)) * 9, 0, 1)
    tone: Field = 1 - 0.30 * fleck + 0.022 * sampled(cloudy_noise(), u * 3, v * 3)
    return tone


def _clay(u: Field, v: Field) -> Field:
    return 1 + 0.05 * sampled(fine_grain(), u * 2, v * 2) + 0.05 * sampled(cloudy_noise(), u * 1.2, v * 4)


def _brushed(u: Field, v: Field) -> Field:
    return 1 + 0.03 * sampled(fine_grain(), u * 0.4, v * 4)


def _wood(u: Field, v: Field) -> Field:
    drift = sampled(smooth_noise(), u * 0.5, v * 2.4)
    rings = np.sin(v * 0.9 + drift * 2.6)
    tone: Field = 1 + 0.055 * rings + 0.055 * sampled(fine_grain(), u * 0.3, v * 4) + 0.03 * drift
    return tone


_TEXTURES: dict[str, Callable[[Field, Field], Field]] = {
    "smooth": _smooth,
    "weave": _weave,
    "slub": _slub,
    "twill": _twill,
    "knit": _knit,
    "satin": _satin,
    "pile": _pile,
    "canvas": _canvas,
    "grain": _grain,
    "felt": _felt,
    "straw": _straw,
    "stone": _stone,
    "clay": _clay,
    "brushed": _brushed,
    "wood": _wood,
}
