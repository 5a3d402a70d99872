"""What a query looks for by the weights of its parts (shape, colour, pattern), and what its scores mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from embeddings.parts.layout import SHAPE, SHAPE_ALONE, Weights
from embeddings.selectors import LiveCollection
from embeddings.vector_index.base import Hit, Vector
from recommender.selectors import ReadVectors

# How much wider a graph is searched for a query in which a part counts nothing, or against it: no point is like that.
_WITHOUT_A_PART, _AGAINST_A_PART = 2, 8


class NoParts(Exception):
    """A query weighs parts that the vectors of the collection do not have."""


def shown_of_one(live: LiveCollection, weights: Weights) -> float:
    """What users see of the score 1 in a query with these weights; of other scores it is that multiple."""
    return live.index.distance.shown(live.layout.shown(1.0, weights))


class Weighing:
    """A query's photos with the weights of their parts.

    A score is of all parts. Confidence is of the shape alone: it was calibrated by cosines of the encoder's vectors.
    """

    def __init__(
        self, live: LiveCollection, vectors: Sequence[Vector], weights: Weights | None, read_vectors: ReadVectors
    ) -> None:
        """Weigh vectors.

        Args:
            live: the collection.
            vectors: float32 [live.layout.dim] each, of the photos that are asked.
            weights: of the query; None for the collection's own.
            read_vectors: gives vectors by point id.

        Raises:
            NoParts: the query has weights, and the collection's vectors have no parts.
        """
        layout = live.layout
        if weights not in (None, SHAPE_ALONE) and not layout.parts:
            raise NoParts(
                f"the vectors of {live.label} have no colour and pattern: a collection that compares by cosine has them"
                " once it is rebuilt"
            )
        self._live, self._vectors, self._read_vectors = live, vectors, read_vectors
        self._weights = live.weights_of(weights)
        self.asked = [layout.query(vector, self._weights) for vector in vectors]
        self._shown = shown_of_one(live, self._weights)
        # Hits are in the order of scores, which is not that of their confidence.
        self.is_mixed = bool(layout.parts) and self._weights != SHAPE_ALONE
        self.breadth = _breadth(self._weights) if layout.parts else 1

    def shown(self, score: float) -> float:
        """A score as users see it."""
        return score * self._shown

    def score_of(self, shown: float) -> float:
        """The score of a number that a user wrote: the inverse of `shown`."""
        return self._live.index.distance.score_of(self._live.layout.score_of(shown, self._weights))

    def confidences(self, hits: Sequence[Hit]) -> list[float | None]:
        """The calibrated probability of each hit; None without a calibration. Vectors that are needed are read at once."""
        calibration = self._live.calibration
        if calibration is None:
            return [None] * len(hits)
        return [None if cosine is None else calibration.probability_of(cosine) for cosine in self.cosines(hits)]

    def highest_confidence(self, score: float) -> float | None:
        """The most that the confidence of a hit with this score, or a lower one, can be; None without a calibration."""
        calibration, cosine = self._live.calibration, self._live.index.distance.cosine_of(score)
        if calibration is None or cosine is None:
            return None
        return calibration.probability_of(min(1.0, self._live.layout.highest_shape(cosine, self._weights)))

    def cosines(self, hits: Sequence[Hit]) -> list[float | None]:
        """The cosine of each hit's shape with that of the photo that it matches best; None where there is none."""
        layout = self._live.layout
        if not layout.parts:
            return [self._live.index.distance.cosine_of(hit.score) for hit in hits]
        missing = [hit.id for hit in hits if hit.vector is None]
        read: Mapping[int, Vector] = self._read_vectors(missing) if missing else {}
        found = [(hit, read.get(hit.id) if hit.vector is None else hit.vector) for hit in hits]
        known = [(hit, vector) for hit, vector in found if vector is not None]
        if not known:
            return [None] * len(hits)
        own = np.stack([self._vectors[hit.example] for hit, _ in known])
        shapes = layout.cosines(own, np.stack([vector for _, vector in known]))[SHAPE]
        by_id = {hit.id: cosine for (hit, _), cosine in zip(known, shapes.tolist(), strict=True)}
        return [by_id.get(hit.id) for hit in hits]


def _breadth(weights: Weights) -> int:
    """How many times as wide as usual the index is searched for these weights of parts."""
    least = min(weights.as_dict().values())
    if least < 0:
        return _AGAINST_A_PART
    return _WITHOUT_A_PART if least == 0 else 1
