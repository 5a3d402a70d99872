"""How a photo becomes the input of a model; serving, training and what is exported share it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# A photo is reduced by averaging as long as this factor remains, and then by the filter.
REDUCING_GAP = 2.0
RESAMPLING = Image.Resampling.BILINEAR
# Of a pixel's value, 0 to 255.
SCALE = 1 / 255


def squash(image: Image.Image, side: int) -> Image.Image:
    """The whole photo as a square; its aspect ratio is given up (why: docs/decisions).

    Args:
        image: RGB, of any size.
        side: of the square, in pixels.

    Returns:
        RGB, side x side.
    """
    return image.resize((side, side), RESAMPLING, reducing_gap=REDUCING_GAP)


def to_input(image: Image.Image, side: int) -> NDArray[np.float32]:
    """A photo as the input of a model.

    Args:
        image: upright, RGB, of any size.
        side: of the model's input, in pixels.

    Returns:
        float32 [1, side, side, 3] in [0, 1].
    """
    pixels: NDArray[np.float32] = np.multiply(
        np.asarray(squash(image, side))[None], np.float32(SCALE), dtype=np.float32
    )
    return pixels


def parameters(side: int) -> dict[str, Any]:
    """What `to_input` does, for a program that has to do the same. side: of the model's input, in pixels."""
    return {
        "input_size": side,
        "keeps_aspect_ratio": False,
        "resampling": RESAMPLING.name.lower(),
        "reducing_gap": REDUCING_GAP,
        "scale": SCALE,
    }
