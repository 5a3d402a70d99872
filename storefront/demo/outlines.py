"""Outlines are the geometry every product is drawn from: closed curves in object units (100 = half a frame)."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]  # [N, 2]: x to the right, y down

_TOKEN = re.compile(r"[MLCQ]|-?\d+(?:\.\d+)?")
_CURVE_STEPS = 28


@lru_cache(maxsize=512)
def path(commands: str) -> Outline:
    """The curve of an SVG-like path: absolute ``M``, ``L``, ``Q`` and ``C`` only; closed when it is filled."""
    tokens = _TOKEN.findall(commands)
    points: list[tuple[float, float]] = []
    verb, numbers = "M", list[float]()
    wanted = {"M": 2, "L": 2, "Q": 4, "C": 6}
    for token in tokens:
        if token in wanted:
            verb = token
            continue
        numbers.append(float(token))
        if len(numbers) == wanted[verb]:
            controls = list(zip(numbers[::2], numbers[1::2], strict=True))
            points.extend(controls if verb in "ML" else _bezier([points[-1], *controls]))
            numbers = []
    return np.array(points)


@lru_cache(maxsize=512)
def symmetric(commands: str, axis: float = 0.0) -> Outline:
    """The closed outline whose right half is the path, from the top of the axis to its bottom."""
    right = path(commands)
    left = right[::-1].copy()
    left[:, 0] = 2 * axis - left[:, 0]
    return np.concatenate([right, left])


def flipped(outline: Outline, axis: float = 0.0) -> Outline:
    """The outline mirrored at a vertical axis."""
    copy = outline.copy()
    copy[:, 0] = 2 * axis - copy[:, 0]
    return copy


def moved(outline: Outline, x: float, y: float, scale: float = 1.0, turn_deg: float = 0.0) -> Outline:
    """The outline scaled and turned about the origin, then shifted."""
    turn = math.radians(turn_deg)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    placed: Outline = (outline * scale) @ rotation + (x, y)
    return placed


def smooth(points: Sequence[tuple[float, float]], *, closed: bool = True) -> Outline:
    """A Catmull-Rom curve through the points."""
    knots = np.array(points, dtype=np.float64)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = np.linspace(0, 1, 10, endpoint=False)[:, None]
    pieces = []
    for p0, p1, p2, p3 in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        pieces.append(
            0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
        )
    if not closed:
        pieces.append(knots[-2:-1])
    return np.concatenate(pieces)


def ellipse(x: float, y: float, rx: float, ry: float | None = None) -> Outline:
    """An ellipse about (x, y); a circle if ``ry`` is None."""
    angle = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + (rx if ry is None else ry) * np.sin(angle)], axis=1)


def box(left: float, top: float, right: float, bottom: float, corner: float = 0.0) -> Outline:
    """A rectangle with rounded corners."""
    corner = min(corner, (right - left) / 2, (bottom - top) / 2)
    if corner <= 0:
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
    quarter = np.linspace(0, math.pi / 2, 8)
    arc = np.stack([np.cos(quarter), np.sin(quarter)], axis=1) * corner
    corners = []
    for x, y, turn in (
        (right - corner, bottom - corner, 0),
        (left + corner, bottom - corner, 1),
        (left + corner, top + corner, 2),
        (right - corner, top + corner, 3),
    ):
        cos, sin = round(math.cos(turn * math.pi / 2)), round(math.sin(turn * math.pi / 2))
        corners.append(arc @ np.array([[cos, sin], [-sin, cos]]) + (x, y))
    return np.concatenate(corners)


def stroke(line: Outline, width: float, end_width: float | None = None) -> Outline:
    """The closed ribbon along an open line, its width running from ``width`` to ``end_width``."""
    widths = np.linspace(width, width if end_width is None else end_width, len(line))[:, None] / 2
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    return np.concatenate([line + normal * widths, (line - normal * widths)[::-1]])


def stitches(line: Outline, width: float, dash: float) -> list[Outline]:
    """Short ribbons along a line, like machine stitches."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    starts = np.arange(dash * 0.5, travelled[-1] - dash, dash * 1.8)
    dashes = []
    for start in starts:
        at = np.array([start, start + dash])
        dashes.append(
            stroke(
                np.stack([np.interp(at, travelled, line[:, 0]), np.interp(at, travelled, line[:, 1])], axis=1), width
            )
        )
    return dashes


def turned(
    profile: Sequence[tuple[float, float]], bow: float, axis: float = 0.0, top_bow: float | None = None
) -> Outline:
    """Silhouette of a solid of revolution, seen from slightly above.

    Args:
        profile: (y, radius) points from top to bottom, in object units.
        bow: curvature of the lower edge, as a fraction of its radius.
        axis: x coordinate of the axis of revolution.
        top_bow: curvature of the upper edge; `bow` if None.

    Returns:
        Closed outline, float64 [N, 2].
    """
    knots = np.array(profile, dtype=np.float64)
    right = np.stack([axis + knots[:, 1], knots[:, 0]], axis=1)
    half_turn = np.linspace(0, math.pi, 40)[1:-1]
    foot_y, foot_r = knots[-1]
    head_y, head_r = knots[0]
    foot = np.stack([axis + foot_r * np.cos(half_turn), foot_y + foot_r * bow * np.sin(half_turn)], axis=1)
    rise = bow if top_bow is None else top_bow
    head = np.stack([axis - head_r * np.cos(half_turn), head_y + head_r * rise * np.sin(half_turn)], axis=1)
    left = right[::-1].copy()
    left[:, 0] = 2 * axis - left[:, 0]
    return np.concatenate([right, foot, left, head])


def profile_curve(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A smooth lathe profile through (y, radius) points, monotonic in y."""
    curve = smooth([(radius, y) for y, radius in points], closed=False)
    y = np.maximum.accumulate(curve[:, 1])
    return [(float(a), max(float(r), 0.1)) for a, r in zip(y, curve[:, 0], strict=True)]


def _bezier(controls: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of a quadratic or cubic curve after its first control point, by de Casteljau."""
    t = np.linspace(0, 1, _CURVE_STEPS + 1)[1:, None]
    levels = [np.broadcast_to(np.array(control), (_CURVE_STEPS, 2)) for control in controls]
    while len(levels) > 1:
        levels = [a + (b - a) * t for a, b in pairwise(levels)]
    return [(float(x), float(y)) for x, y in levels[0]]
