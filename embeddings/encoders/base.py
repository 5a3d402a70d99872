"""The port every image encoder is reached through."""

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
        """Embed upright RGB images of any size: float32 [n, dim], each row L2-normalised."""
