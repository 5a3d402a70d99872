"""How a photo is shown anew to a network that learns from it."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageEnhance


def random_view(
    photo: Image.Image, random: np.random.Generator, *, least_area: float = 0.4, shift: float = 0.2
) -> Image.Image:
    """A crop of at least this share of the area, its aspect changed by at most a third, lighting and colours shifted a little."""
    width, height = photo.size
    area, aspect = random.uniform(least_area, 1.0), math.exp(random.uniform(-0.29, 0.29))
    w, h = min(width, width * math.sqrt(area * aspect)), min(height, height * math.sqrt(area / aspect))
    left, top = random.uniform(0, width - w), random.uniform(0, height - h)
    crop = photo.crop((int(left), int(top), max(int(left + w), int(left) + 8), max(int(top + h), int(top) + 8)))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        crop = enhance(crop).enhance(random.uniform(1 - shift, 1 + shift))
    return crop
