"""What a photo goes through before the model sees it; serving and training share it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def squash(image: Image.Image, side: int) -> Image.Image:
    """The whole photo as a square of `side` pixels; its aspect is given up (why: docs/decisions)."""
    return image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)


def to_input(image: Image.Image, side: int) -> NDArray[np.float32]:
    """An upright RGB photo as the model takes it: float32 [1, side, side, 3] in [0, 1]."""
    pixels: NDArray[np.float32] = np.multiply(
        np.asarray(squash(image, side))[None], np.float32(1 / 255), dtype=np.float32
    )
    return pixels
