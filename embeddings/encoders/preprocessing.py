"""How a photo becomes the input of a model; serving and training share it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def squash(image: Image.Image, side: int) -> Image.Image:
    """The whole photo as a square; its aspect ratio is given up (why: docs/decisions).

    Args:
        image: RGB, of any size.
        side: of the square, in pixels.

    Returns:
        RGB, side x side.
    """
    return image.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)


def to_input(image: Image.Image, side: int) -> NDArray[np.float32]:
    """A photo as the input of a model.

    Args:
        image: upright, RGB, of any size.
        side: of the model's input, in pixels.

    Returns:
        float32 [1, side, side, 3] in [0, 1].
    """
    pixels: NDArray[np.float32] = np.multiply(
        np.asarray(squash(image, side))[None], np.float32(1 / 255), dtype=np.float32
    )
    return pixels
