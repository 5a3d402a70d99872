"""The retrieval stage: the nearest products to one or several vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from embeddings.backends import get_vector_index
from embeddings.errors import InvalidVector
from embeddings.metrics import span
from embeddings.vector_index.base import Distance, Filter, Hit, IndexCollection, Vector, VectorQuery
from embeddings.vector_index.scoring import best_first, comparable, similarities_of_all
from recommender.selectors import ReadVectors

# Each photo that is asked costs a search in the graph. Of a product with more photos than this, the few that differ most are asked
# for more products, and what they find is compared with all of its photos.
MAX_ASKED = 8
_FEW, _MORE_HITS, _MORE_PRODUCTS = 3, 2, 3


@dataclass(frozen=True, slots=True)
class Sought:
    """What to find the nearest products to.

    Attributes:
        vectors: float32 [dim] each. Several vectors are photos of one thing: a product counts by its best match with any of them.
        conditions: which points may be returned.
        limit: the maximum number of products. Fewer are returned only if the index has no more that match.
        read_vectors: gives vectors by point id; called once, where not all vectors are asked.
        min_score: lowest score still returned; higher is nearer, whatever the distance.
        with_vectors: whether each hit carries its vector.
        breadth: how many times as wide as usual the index is searched.
    """

    vectors: Sequence[Vector]
    conditions: Filter
    limit: int
    read_vectors: ReadVectors
    min_score: float | None = None
    with_vectors: bool = False
    breadth: int = 1

    @property
    def _is_sample(self) -> bool:
        return len(self.vectors) > MAX_ASKED

    def positions(self) -> Sequence[int]:
        """Which of the vectors are asked."""
        return most_different(self.vectors, _FEW) if self._is_sample else range(len(self.vectors))

    def queries(self, positions: Sequence[int]) -> list[VectorQuery]:
        """One query for each of these vectors."""
        return [
            VectorQuery(
                positive=(self.vectors[position],),
                filter=self.conditions,
                limit=_MORE_HITS * self.limit if self._is_sample else self.limit,
                group_by_product=True,
                min_score=self.min_score,
                with_vectors=self.with_vectors,
                breadth=self.breadth,
            )
            for position in positions
        ]

    def answer(
        self, collection: IndexCollection, positions: Sequence[int], answers: Sequence[Sequence[Hit]]
    ) -> list[Hit]:
        """One hit for each product, of the answers to the queries of these vectors."""
        if len(self.vectors) == 1:
            return [*answers[0]]
        found = _best_of_products(zip(positions, answers, strict=True))
        if not self._is_sample:
            return [hit._replace(example=example) for example, hit in found[: self.limit]]
        found = found[: _MORE_PRODUCTS * self.limit]
        stored = self.read_vectors([hit.id for _, hit in found])
        hits = _compared_with_all([hit for _, hit in found], self.vectors, collection.distance, stored)
        return hits[: self.limit]


def nearest_products(collection: IndexCollection, asked: Sequence[Sought]) -> list[list[Hit]]:
    """The best hit of each of the nearest products, best first. All vectors are asked in one batch; of more than MAX_ASKED, a few.

    Args:
        collection: the index collection; its `dim` and `distance` are checked when a vector does not fit.
        asked: what to find the nearest products to, one thing at least.

    Returns:
        For each thing one hit for each product, its `limit` at most; `example` is the position of the vector that it matches best.

    Raises:
        EncoderMismatch: the index holds vectors of another encoder.
        InvalidVector: a vector has no direction.
        CollectionNotFound: nothing was indexed yet.
        IndexUnavailable: the index does not respond.
    """
    index = get_vector_index()
    chosen = [each.positions() for each in asked]
    queries = [query for each, positions in zip(asked, chosen, strict=True) for query in each.queries(positions)]
    try:
        with span("index query", collection=collection.name, limit=asked[0].limit, photos=len(queries)):
            # One alone is asked as such: an engine may answer it faster.
            single = len(queries) == 1
            answers = iter(
                [index.query(collection.name, queries[0])] if single else index.query_batch(collection.name, queries)
            )
    except InvalidVector:
        # The vector fits the version, so the index belongs to another one, which `ensure` reports.
        index.ensure(collection)
        raise
    return [
        each.answer(collection, positions, [next(answers) for _ in positions])
        for each, positions in zip(asked, chosen, strict=True)
    ]


def _best_of_products(answers: Iterable[tuple[int, Sequence[Hit]]]) -> list[tuple[int, Hit]]:
    """The best hit of each product with the position of its query, best first."""
    best: dict[int, tuple[int, Hit]] = {}
    for example, hits in answers:
        for hit in hits:
            known = best.get(hit.product_id)
            if known is None or (-hit.score, hit.id) < (-known[1].score, known[1].id):
                best[hit.product_id] = (example, hit)
    return sorted(best.values(), key=lambda each: (-each[1].score, each[1].product_id))


def most_different(vectors: Sequence[Vector], count: int) -> list[int]:
    """Choose vectors by farthest-first traversal (Gonzalez, 1985): each chosen one is the farthest from those before it.

    Args:
        vectors: float32 [dim] each, one at least.
        count: how many are chosen, or all.

    Returns:
        Their positions; the first vector is always chosen.
    """
    matrix = np.stack(vectors)
    chosen, nearest = [0], np.full(len(matrix), np.inf, dtype=np.float32)
    while len(chosen) < min(count, len(matrix)):
        apart = matrix - matrix[chosen[-1]]
        nearest = np.minimum(nearest, np.einsum("ij,ij->i", apart, apart))
        chosen.append(int(np.argmax(nearest)))
    return chosen


def _compared_with_all(
    hits: Sequence[Hit], vectors: Sequence[Vector], distance: Distance, stored: Mapping[int, Vector]
) -> list[Hit]:
    """The hits with the score of the vector that each matches best, best first. stored: vectors by point id."""
    known = [hit for hit in hits if hit.id in stored]
    if not known:
        return [*hits]
    matrix = comparable(np.stack([stored[hit.id] for hit in known]), distance)
    scores = similarities_of_all(matrix, comparable(np.stack(vectors), distance), distance)
    examples = scores.argmax(axis=0).tolist()
    scored = {
        hit.id: hit._replace(score=float(scores[example, column]), example=example)
        for column, (hit, example) in enumerate(zip(known, examples, strict=True))
    }
    return best_first(scored.get(hit.id, hit) for hit in hits)
