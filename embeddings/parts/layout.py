"""How the parts of a vector are joined, and what each counts in a query.

A point of the index has the encoder's vector (the shape) and behind it colour and pattern, each of unit length times a fixed
scale. A query scales its own parts instead, by the weights that it asks for. So any weights are one query of the same index: the
product of the two is the weighted sum of the parts' cosines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Vector

SHAPE, COLOUR, PATTERN = "shape", "colour", "pattern"
PARTS = (SHAPE, COLOUR, PATTERN)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a vector behind the encoder's.

    Attributes:
        name: COLOUR or PATTERN.
        length: of its vector.
        scale: its length in a point, beside a shape of 1. Near what it counts as a rule, so that the graph of the index is built by
            distances like those of most queries.
    """

    name: str
    length: int
    scale: float


# By number, which encoder versions keep. What a photo's parts are may only change with a new number.
LAYOUTS: Mapping[int, tuple[Part, ...]] = {0: (), 1: (Part(COLOUR, 24, 0.5), Part(PATTERN, 24, 0.5))}
CURRENT = 1


@dataclass(frozen=True, slots=True)
class Weights:
    """What each part counts in a query. Only their ratio matters for the order.

    Attributes:
        shape: of the encoder's vector, -1 to 1.
        colour: the same; below 0, other colours are preferred.
        pattern: the same.

    Raises:
        ValueError: a weight is out of bounds, or none is above 0.
    """

    shape: float = 1.0
    colour: float = 0.0
    pattern: float = 0.0

    def __post_init__(self) -> None:
        values = (self.shape, self.colour, self.pattern)
        if not all(-1 <= value <= 1 for value in values):
            raise ValueError("a weight is a number from -1 to 1")
        if max(values) <= 0:
            raise ValueError("at least one weight has to be above 0")

    @classmethod
    def parse(cls, text: str) -> Weights:
        """Read weights.

        Args:
            text: `shape:1,colour:0.5,pattern:0.2`, in any order; a part that is not named counts nothing.

        Returns:
            The weights.

        Raises:
            ValueError: it is no such text; says why.
        """
        found: dict[str, float] = {}
        for pair in text.split(","):
            name, colon, value = (each.strip() for each in pair.partition(":"))
            if name not in PARTS or not colon:
                raise ValueError(f"has to be like shape:1,colour:0.5,pattern:0.2, and {pair.strip()[:40]!r} is not")
            if name in found:
                raise ValueError(f"names {name} twice")
            try:
                found[name] = float(value)
            except ValueError:
                raise ValueError(f"the weight of {name} has to be a number from -1 to 1, not {value[:40]!r}") from None
        return cls(**{SHAPE: 0.0, **found})

    def __str__(self) -> str:
        return ",".join(f"{name}:{value:g}" for name, value in self.as_dict().items())

    def as_dict(self) -> dict[str, float]:
        """By name of the part."""
        return {SHAPE: self.shape, COLOUR: self.colour, PATTERN: self.pattern}


SHAPE_ALONE = Weights()
# For a catalogue of which nothing is known yet.
DEFAULT_WEIGHTS = Weights(1.0, 0.2, 0.1)
# Named modes of a query.
MODES: Mapping[str, Weights] = {
    "other-colour": Weights(1.0, -0.3, 0.2),
    "other-shape": Weights(-0.2, 1.0, 0.2),
}


# Without slots, for what is computed once.
@dataclass(frozen=True)
class Layout:
    """What the vectors of an encoder version consist of.

    Attributes:
        shape: length of the encoder's vector.
        parts: behind it; none where the vector is the encoder's alone.
    """

    shape: int
    parts: tuple[Part, ...] = ()

    @property
    def dim(self) -> int:
        """Length of the whole vector."""
        return self.shape + self.parts_dim

    @property
    def parts_dim(self) -> int:
        """Length of the parts behind the encoder's vector."""
        return sum(part.length for part in self.parts)

    def joined(self, shapes: NDArray[np.float32], parts: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Vectors as the index has them.

        Args:
            shapes: float32 [n, shape].
            parts: float32 [n, parts_dim], each part of unit length; None where the layout has none.

        Returns:
            float32 [n, dim]; of unit length where the layout has parts.

        Raises:
            ValueError: the layout has parts and they are missing.
        """
        if not self.parts:
            return shapes
        if parts is None or parts.shape != (len(shapes), self.parts_dim):
            raise ValueError("colour and pattern of a photo are missing")
        whole = np.concatenate([shapes, parts], axis=1)
        # Stored as float16: made of unit length again. By few calls of NumPy and not by its norm: for the photos of one product, a
        # call takes longer than what it computes.
        squares = whole * whole
        lengths = np.empty((len(whole), len(self._places)), np.float32)
        for number, (_, start, stop) in enumerate(self._places):
            np.add.reduce(squares[:, start:stop], axis=1, out=lengths[:, number])
        factors = self._scales / np.maximum(np.sqrt(lengths, out=lengths), 1e-12, out=lengths)
        for number, (_, start, stop) in enumerate(self._places):
            whole[:, start:stop] *= factors[:, number : number + 1]
        return whole

    def split(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """The inverse of `joined`.

        Args:
            vectors: float32 [n, dim].

        Returns:
            The encoder's vectors, and the parts behind them, each of unit length; None where the layout has none.
        """
        if not self.parts:
            return vectors, None
        pieces = [
            vectors[:, start:stop] * np.float32(self._length / self._scale(name)) for name, start, stop in self._places
        ]
        return pieces[0], np.concatenate(pieces[1:], axis=1)

    def query(self, vector: Vector, weights: Weights) -> Vector:
        """A photo's vector as a query with these weights.

        Args:
            vector: float32 [dim], of `joined`.
            weights: what each part counts.

        Returns:
            float32 [dim]; the vector itself where the layout has no parts.
        """
        if not self.parts:
            return vector
        asked: Vector = vector * self._factors(weights)
        return asked

    def shown(self, score: float, weights: Weights) -> float:
        """A score of the index as users see it: the weighted mean of the parts' cosines, -1 to 1.

        Args:
            score: of a query with these weights, as a cosine.
            weights: of the query.

        Returns:
            The mean; the score itself where the layout has no parts.
        """
        return score * self._factor(weights)

    def score_of(self, shown: float, weights: Weights) -> float:
        """The inverse of `shown`."""
        return shown / self._factor(weights)

    def highest_shape(self, score: float, weights: Weights) -> float:
        """The highest cosine of the shapes that a hit with this score may have: the other parts say nothing against it.

        Args:
            score: as in `shown`.
            weights: of the query.

        Returns:
            The bound; infinity where the shape does not count.
        """
        if not self.parts:
            return score
        if weights.shape <= 0:
            return math.inf
        others = sum(abs(weights.as_dict()[part.name]) for part in self.parts)
        return (self.shown(score, weights) * (others + weights.shape) + others) / weights.shape

    def cosines(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Cosines of pairs of vectors, by part.

        Args:
            one: float32 [n, dim], of `joined`.
            other: float32 [n, dim].

        Returns:
            float32 [n] for each part.
        """
        cosines = {}
        for name, start, stop in self._places:
            dots = np.einsum("ij,ij->i", one[:, start:stop], other[:, start:stop])
            cosines[name] = np.asarray(dots * np.float32((self._length / self._scale(name)) ** 2), np.float32)
        return cosines

    @lru_cache(maxsize=256)  # noqa: B019  # a few layouts and weights
    def _factors(self, weights: Weights) -> NDArray[np.float32]:
        """What each entry of a vector is multiplied by for a query."""
        factors = np.empty(self.dim, np.float32)
        for name, start, stop in self._places:
            factors[start:stop] = np.float32(weights.as_dict()[name] * self._length / self._scale(name) ** 2)
        return factors

    @lru_cache(maxsize=256)  # noqa: B019  # a few layouts and weights
    def _factor(self, weights: Weights) -> float:
        if not self.parts:
            return 1.0
        by_name = {name: weights.as_dict()[name] for name, _, _ in self._places}
        asked = math.sqrt(sum((weight / self._scale(name)) ** 2 for name, weight in by_name.items()))
        return self._length * asked / sum(abs(weight) for weight in by_name.values())

    @cached_property
    def _length(self) -> float:
        """Of a point before it is made of unit length."""
        return math.sqrt(1 + sum(part.scale**2 for part in self.parts))

    def _scale(self, name: str) -> float:
        return next((part.scale for part in self.parts if part.name == name), 1.0)

    @cached_property
    def _scales(self) -> NDArray[np.float32]:
        """The length of each part in a point."""
        return np.array([self._scale(name) / self._length for name, _, _ in self._places], np.float32)

    @cached_property
    def _places(self) -> Sequence[tuple[str, int, int]]:
        """Name, start and stop of each part."""
        places, start = [(SHAPE, 0, self.shape)], self.shape
        for part in self.parts:
            places.append((part.name, start, start + part.length))
            start += part.length
        return tuple(places)
