"""Signs of vectors, a bit for each dimension: which of many vectors may be near a target, in a fifth of the time of comparing them.

As in RaBitQ (Gao and Long, 2024): turned by a random rotation, a vector's numbers are alike, and of each the sign is kept. The
numbers of the target have two sizes. How many signs differ, those of large numbers counted three times, says where along the target
a vector lies, with an error that is measured when the signs are made.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Vector
from embeddings.vector_index.columns import Rows
from embeddings.vector_index.packed_columns import rows_between
from embeddings.vector_index.products import products

Vectors = NDArray[np.float32]
_Words = NDArray[np.uint64]

_BITS, _BLOCK = 64, 8
_LARGE = 3  # how large a large number counts; a small one 1
_LEAST_SLOPE = 0.01  # with less, signs show nothing
_TINY = 1e-6


class _Target(NamedTuple):
    """What vectors are compared with.

    Attributes:
        signs: uint64 [words], of its numbers.
        large: uint64 [words], which of them are large.
        most: by how much vectors differ that differ in each sign.
        length: square root of the sum of the squares of the sizes.
    """

    signs: _Words
    large: _Words
    most: int
    length: float


class SignBits:
    """The signs of what the vectors of cells have beside the centres of these."""

    def __init__(self, dim: int, bounds: Rows) -> None:
        """Begin without vectors.

        Args:
            dim: of the vectors.
            bounds: int64 [cells + 1], where each cell begins in the order of the vectors.
        """
        turned = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, dim)))[0]
        self._rotation = np.ascontiguousarray(turned, np.float32)
        # A cell has whole blocks, which are read as one piece of memory.
        self._bounds, self._blocks = bounds, np.concatenate([[0], np.cumsum(-(-np.diff(bounds) // _BLOCK))])
        self._words = np.zeros((-(-dim // _BITS), self._blocks[-1], _BLOCK), np.uint64)
        self._slope, self._error = 0.0, 1.0

    def put(self, start: int, beside: Vectors) -> None:
        """Keep the signs of vectors.

        Args:
            start: the row of the first of them.
            beside: float32 [n, dim], what they have beside the centres of their cells.
        """
        rows = np.arange(start, start + len(beside))
        cells = np.searchsorted(self._bounds, rows, side="right") - 1
        places = _BLOCK * self._blocks[cells] + rows - self._bounds[cells]
        words = self._words.reshape(len(self._words), -1)
        words[:, places] = _packed(products(beside, self._rotation.T) > 0).T

    def measure(self, vectors: Vectors, deviations: Vector, targets: Vectors) -> Self:
        """Measure how well signs show where vectors lie along targets.

        Args:
            vectors: float32 [n, dim], a sample.
            deviations: float32 [n], the standard deviation of each along other vectors.
            targets: float32 [m, dim], a sample, of unit length.

        Returns:
            This.
        """
        along = products(vectors, targets.T) / np.maximum(deviations, _TINY)[:, None]
        sizes = products(self._rotation, targets.T).T
        sizes = np.sign(sizes) * np.where(_are_large(sizes), _LARGE, 1)
        sizes /= np.sqrt(np.square(sizes).sum(axis=1, keepdims=True))
        shown = products(np.sign(products(vectors, self._rotation.T)), sizes.T.astype(np.float32))
        self._slope = float((along * shown).mean() / max(float(np.square(shown).mean()), _TINY))
        self._error = math.sqrt(float(np.square(along - self._slope * shown).mean()))
        return self

    def reaching(self, target: Vector, cells: Rows, least: Vector, errors: float) -> Rows:
        """The rows of cells that are likely to be far enough along a target.

        Args:
            target: float32 [dim], of unit length.
            cells: int64 [n], which.
            least: float32 [n], how far from the centre of each cell, in its standard deviations.
            errors: so many times its standard deviation the error may be.

        Returns:
            int64 [rows].
        """
        compared = self._compared_with(target)
        starts, ends = self._blocks[cells], self._blocks[cells + 1]
        blocks = rows_between(starts, ends)
        cell_of = np.arange(len(cells)).repeat(ends - starts)
        allowed = self._allowed(compared, least, errors).take(cell_of)
        found = np.flatnonzero(self._differences(compared, blocks) <= allowed[:, None])
        found_blocks = found // _BLOCK
        found_cells = cell_of.take(found_blocks)
        rows = _BLOCK * (blocks.take(found_blocks) - starts.take(found_cells)) + found % _BLOCK
        rows += self._bounds[cells.take(found_cells)]
        # The last block of a cell has rows that are none.
        there: Rows = rows.compress(rows < self._bounds[cells.take(found_cells) + 1])
        return there

    def _compared_with(self, vector: Vector) -> _Target:
        turned = products(self._rotation, vector)
        large = _are_large(turned)
        many = int(np.count_nonzero(large))
        return _Target(
            _packed((turned > 0)[None])[0],
            _packed(large[None])[0],
            len(vector) + (_LARGE - 1) * many,
            math.sqrt(len(vector) + (_LARGE**2 - 1) * many),
        )

    def _allowed(self, target: _Target, least: Vector, errors: float) -> NDArray[np.int16]:
        """int16 [n], by how much vectors of cells may differ from a target."""
        if self._slope < _LEAST_SLOPE:
            return np.full(len(least), target.most, np.int16)
        shown = (least - errors * self._error) / self._slope
        return np.clip((target.most - target.length * shown) / 2, -1, target.most).astype(np.int16)

    def _differences(self, target: _Target, blocks: Rows) -> NDArray[np.int16]:
        """int16 [n, _BLOCK], by how much the vectors of blocks differ from a target."""
        found = np.zeros((len(blocks), _BLOCK), np.int16)
        for words, signs, large in zip(self._words, target.signs, target.large, strict=True):
            differing = words.take(blocks, axis=0)
            differing ^= signs
            number = np.bitwise_count(differing)
            differing &= large
            of_large = np.bitwise_count(differing)
            of_large *= _LARGE - 1
            number += of_large
            found += number.astype(np.int16)  # NumPy adds numbers of one type in a third of the time
        return found


def _are_large(numbers: Vectors) -> NDArray[np.bool_]:
    """Which of the numbers of vectors of unit length are: those above their standard deviation."""
    return np.asarray(np.abs(numbers) > 1 / math.sqrt(numbers.shape[-1]))


def _packed(signs: NDArray[np.bool_]) -> _Words:
    """uint64 [n, words]; bool [n, dim]."""
    number, dim = signs.shape
    padded = np.zeros((number, -(-dim // _BITS) * _BITS), np.bool_)
    padded[:, :dim] = signs
    return np.packbits(padded, axis=1).view(np.uint64)
