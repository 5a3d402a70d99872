"""The two kinds of photo of a demo product: a frontal studio photo, and styled photos in a room."""

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from storefront.demo.backdrops import LYING_PLANES, STANDING_FLOORS, STUDIO_TONES, WALL_TONES, Backdrop
from storefront.demo.relief import Lamp
from storefront.demo.scene import Camera, Drawing, photograph


def studio_photo(drawing: Drawing, seed: int, size: int) -> Image.Image:
    """From the front on light paper, lit from the upper left."""
    rng = random.Random(seed)
    matrix, unit = _aimed(drawing, fill=0.76)
    camera = Camera(matrix, _lamp(-0.46, -0.48), unit)
    return photograph(drawing, camera, Backdrop(rng.choice(STUDIO_TONES)), size)


def styled_photo(drawing: Drawing, seed: int, size: int) -> Image.Image:
    """Slightly rotated, on another background and in another light, with sensor noise."""
    rng = random.Random(seed)
    mirrored = rng.random() < 0.5
    from_left = rng.random() < 0.5
    matrix, unit = _aimed(
        drawing,
        fill=rng.uniform(0.62, 0.78 if drawing.standing else 0.72),
        turn_deg=rng.uniform(-2.0, 2.0) if drawing.standing else rng.choice((-1, 1)) * rng.uniform(4, 14),
        squash=rng.uniform(0.90, 1.0) * (-1 if mirrored else 1),
        lean=(rng.uniform(-0.0011, 0.0011), rng.uniform(-0.0007, 0.0007)),
        shift=(rng.uniform(-0.035, 0.035), rng.uniform(-0.01, 0.03)),
    )
    lamp = _lamp(rng.uniform(0.30, 0.60) * (-1 if from_left else 1), rng.uniform(-0.55, -0.35), mirrored=mirrored)
    camera = Camera(
        matrix,
        lamp,
        unit,
        exposure=rng.uniform(0.99, 1.09),
        warmth=rng.uniform(-0.02, 0.035),
        noise=rng.uniform(0.006, 0.016),
        seed=seed,
    )
    backdrop = Backdrop(
        tone=rng.choice(WALL_TONES),
        floor=rng.choice(STANDING_FLOORS if drawing.standing else LYING_PLANES),
        window=rng.random() < 0.35,
        light_from_left=from_left,
        shift=rng.uniform(0, 500),
    )
    return photograph(drawing, camera, backdrop, size)


def _lamp(x: float, y: float, *, mirrored: bool = False) -> Lamp:
    return Lamp(x, y, math.sqrt(1 - x * x - y * y), object_x=-x if mirrored else x)


def _aimed(
    drawing: Drawing,
    fill: float,
    turn_deg: float = 0.0,
    squash: float = 1.0,
    lean: tuple[float, float] = (0.0, 0.0),
    shift: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[np.float64], float]:
    """Camera matrix that makes the product fill a fraction of the frame.

    Args:
        drawing: the product.
        fill: fraction of the frame's side, 0 to 1.
        turn_deg: rotation in the image plane.
        squash: horizontal scale; negative mirrors the product.
        lean: perspective along x and y, per object unit.
        shift: of the centre, as a fraction of the frame's side.

    Returns:
        Matrix float64 [3, 3], and the side of the frame in object units.
    """
    points = np.concatenate([outline for layer in drawing.layers for outline in layer.outlines])
    low, high = points.min(axis=0), points.max(axis=0)
    unit = float(max(high - low)) / fill
    if drawing.standing:
        unit = max(unit, 150.0)
    turn = math.radians(turn_deg)
    centred = np.array([[1, 0, -(low[0] + high[0]) / 2], [0, 1, -(low[1] + high[1]) / 2], [0, 0, 1]])
    seen = np.array(
        [
            [math.cos(turn) * squash, -math.sin(turn), 0],
            [math.sin(turn) * squash, math.cos(turn), 0],
            [lean[0], lean[1], 1],
        ]
    )
    middle = (0.5 + shift[0], (0.515 if drawing.standing else 0.5) + shift[1])
    framed = np.array([[1 / unit, 0, middle[0]], [0, 1 / unit, middle[1]], [0, 0, 1]])
    return framed @ seen @ centred, unit
