"""The perceptual hash of a photo: 63 bits that change little when the photo is recompressed, resized or retouched.

docs/decisions/0012-the-perceptual-hash.md compares it with the ImageHash package.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 32
_FREQUENCIES_KEPT = 8
# The sign of the mean is left out.
HASH_BITS = _FREQUENCIES_KEPT**2 - 1

# Photos are decoded with at least this many pixels on the shorter side before they are hashed.
MIN_SIDE = 64


def _bits(signs: NDArray[np.bool_]) -> int:
    """Pack signs, bool [8, 8], into an integer."""
    return int.from_bytes(np.packbits(signs.ravel()).tobytes(), "big")


_FREQUENCIES = np.arange(_FREQUENCIES_KEPT)
# Rows of the discrete cosine transform (DCT-II) of the lowest frequencies: float64 [8, 32].
_TRANSFORM = np.cos(np.pi * _FREQUENCIES[:, None] * (2 * np.arange(_SIDE)[None] + 1) / (2 * _SIDE))

# Tolerance for sums that are zero up to rounding.
_ROUNDING = 1e-6

# Mirroring a photo inverts the sign of every odd horizontal frequency.
MIRROR = _bits(np.broadcast_to(_FREQUENCIES % 2 == 1, (_FREQUENCIES_KEPT, _FREQUENCIES_KEPT)))


def perceptual_hash(image: Image.Image) -> int:
    """Signs of the lowest frequencies, after pHash (Zauner, 2010, section 3.2.1), with the sign in place of the median.

    Hashes are compared by the number of different bits; `hash ^ MIRROR` is the hash of the mirrored photo. The highest bit, that of
    the mean brightness, is never set, so that the hash fits a signed 64-bit integer.

    Args:
        image: RGB of any size, with EXIF orientation applied.

    Returns:
        0 to 2**63 - 1; 0 for a photo of one colour, which cannot be compared.
    """
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    positive = (_TRANSFORM @ grey @ _TRANSFORM.T) > _ROUNDING
    positive[0, 0] = False
    return _bits(positive)
