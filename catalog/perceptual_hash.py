"""What a photo looks like in 63 bits, so that the same photo is known after it was saved anew, resized or retouched."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 32
_KEPT = 8

# Fewer pixels than this on the shorter side are not what a photo's hash should be made of.
MIN_SIDE = 64


def _bits(signs: NDArray[np.bool_]) -> int:
    """The hash of signs, bool [8, 8]."""
    return int.from_bytes(np.packbits(signs.ravel()).tobytes(), "big")


_FREQUENCIES = np.arange(_KEPT)
# Rows of the discrete cosine transform (DCT-II) of the lowest frequencies: float64 [8, 32].
_TRANSFORM = np.cos(np.pi * _FREQUENCIES[:, None] * (2 * np.arange(_SIDE)[None] + 1) / (2 * _SIDE))

# Of sums that are zero but for the rounding of floats.
_ROUNDING = 1e-6

# Mirroring a photo turns the sign of every odd horizontal frequency.
MIRROR = _bits(np.broadcast_to(_FREQUENCIES % 2 == 1, (_KEPT, _KEPT)))


def perceptual_hash(image: Image.Image) -> int:
    """The signs of the photo's lowest frequencies, 0 to 2**63 - 1; after pHash (Zauner, 2010, 3.2.1), with signs for its median.

    image: upright RGB of any size. Hashes are compared by the number of bits in which they differ; `hash ^ MIRROR` is that of the
    mirrored photo. The highest bit, of the mean brightness, is never set: so it fits a database's signed integer. A photo of one
    colour has the hash 0, which says nothing.
    """
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    positive = (_TRANSFORM @ grey @ _TRANSFORM.T) > _ROUNDING
    positive[0, 0] = False
    return _bits(positive)
