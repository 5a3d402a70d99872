"""The port of every image encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Encoder(Protocol):
    """Turns photos into unit vectors."""

    @property
    def dim(self) -> int:
        """Length of an embedding."""

    @property
    def input_size(self) -> int:
        """Side in pixels of the square that the model sees."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the model file, hexadecimal."""

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright, RGB, of any size.

        Returns:
            float32 [n, dim], each row L2-normalised.

        Raises:
            InvalidVector: the model gives an embedding without a direction.
            EncoderUnavailable: the model cannot be run.
        """
