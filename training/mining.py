"""Which triplets of a labelled batch a loss learns from.

A triplet is an anchor, a positive (another photo of its class) and a negative (a photo of another class). Each strategy maps
labels (int [B]) and all distances of the batch (float32 [B, B]) to how much farther the positive is than the negative.
No loop runs over the batch. batch-all and semi-hard hold B x B x B values: 64 MB of float32 for a batch of 256.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

# Stands for "no such photo" in a minimum or, negated, in a maximum. Finite, so that no gradient turns into NaN.
_NOWHERE = 1e9


@dataclass(frozen=True)
class Triplets:
    """gaps: float32, distance to the positive less distance to the negative. valid: bool of the same shape, which of them exist."""

    gaps: Any
    valid: Any


def batch_all(labels: Any, distances: Any) -> Triplets:
    """Every triplet of the batch (Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017).

    Args:
        labels: int [B].
        distances: float32 [B, B].

    Returns:
        Gaps [B, B, B]: anchor, positive, negative.
    """
    positive, negative = pairs(labels)
    return Triplets(distances[:, :, None] - distances[:, None, :], positive[:, :, None] & negative[:, None, :])


def batch_hard(labels: Any, distances: Any) -> Triplets:
    """The farthest positive and the nearest negative of each anchor (Hermans et al., 2017, eq. 5).

    Args:
        labels: int [B].
        distances: float32 [B, B].

    Returns:
        Gaps [B].
    """
    positive, negative = pairs(labels)
    farthest = ops.max(ops.where(positive, distances, -_NOWHERE), axis=1)
    nearest = ops.min(ops.where(negative, distances, _NOWHERE), axis=1)
    return Triplets(farthest - nearest, ops.any(positive, axis=1) & ops.any(negative, axis=1))


def semi_hard(labels: Any, distances: Any) -> Triplets:
    """For each anchor and positive the nearest negative beyond the positive (Schroff et al., "FaceNet", CVPR 2015, section 3.2).

    Where no negative is beyond the positive, it is the farthest negative: the easiest of the hard ones.

    Args:
        labels: int [B].
        distances: float32 [B, B].

    Returns:
        Gaps [B, B]: anchor, positive.
    """
    positive, negative = pairs(labels)
    beyond = negative[:, None, :] & (distances[:, None, :] > distances[:, :, None])
    nearest_beyond = ops.min(ops.where(beyond, distances[:, None, :], _NOWHERE), axis=2)
    farthest = ops.max(ops.where(negative, distances, -_NOWHERE), axis=1, keepdims=True)
    chosen = ops.where(ops.any(beyond, axis=2), nearest_beyond, farthest)
    return Triplets(distances - chosen, positive & ops.any(negative, axis=1, keepdims=True))


# By the names of `config.MINING`.
STRATEGIES: dict[str, Callable[[Any, Any], Triplets]] = {
    "batch-all": batch_all,
    "batch-hard": batch_hard,
    "semi-hard": semi_hard,
}


def pairs(labels: Any) -> tuple[Any, Any]:
    """Two masks, bool [B, B]: pairs of two photos of one class (a photo is no pair with itself), pairs of two classes."""
    same = labels[:, None] == labels[None, :]
    rows = ops.arange(ops.shape(labels)[0])
    return same & (rows[:, None] != rows[None, :]), ops.logical_not(same)
