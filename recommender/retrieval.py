"""The retrieval stage: the nearest products to one or several vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from opentelemetry import trace

from embeddings.backends import get_vector_index
from embeddings.errors import InvalidVector
from embeddings.vector_index.base import (
    Distance,
    Filter,
    Hit,
    IndexCollection,
    Vector,
    VectorQuery,
    best_first,
    comparable,
    similarities_of_all,
)
from recommender.selectors import ReadVectors

tracer = trace.get_tracer(__name__)

# Each photo that is asked costs a search in the graph. Of a product with more photos than this, the few that differ most are asked
# for more products, and what they find is compared with all of its photos.
MAX_ASKED = 8
_FEW, _MORE_HITS, _MORE_PRODUCTS = 3, 2, 3


def nearest_products(
    collection: IndexCollection,
    vectors: Sequence[Vector],
    *,
    conditions: Filter,
    limit: int,
    read_vectors: ReadVectors,
    min_score: float | None = None,
    with_vectors: bool = False,
) -> list[Hit]:
    """The best hit of each of the nearest products, best first. The vectors are asked in one batch; of more than MAX_ASKED, a few.

    Args:
        collection: the index collection; its `dim` and `distance` are checked when a vector does not fit.
        vectors: float32 [dim] each. Several vectors are photos of one thing: a product counts by its best match with any of them.
        conditions: which points may be returned.
        limit: the maximum number of products. Fewer are returned only if the index has no more that match.
        read_vectors: gives vectors by point id; called once, where not all vectors are asked.
        min_score: lowest score still returned; higher is nearer, whatever the distance.
        with_vectors: whether each hit carries its vector.

    Returns:
        One hit for each product, `limit` at most; `example` is the position of the vector that it matches best.

    Raises:
        EncoderMismatch: the index holds vectors of another encoder.
        InvalidVector: a vector has no direction.
        CollectionNotFound: nothing was indexed yet.
        IndexUnavailable: the index does not respond.
    """
    index = get_vector_index()
    few = len(vectors) > MAX_ASKED
    asked = most_different(vectors, _FEW) if few else range(len(vectors))
    queries = [
        VectorQuery(
            positive=(vectors[position],),
            filter=conditions,
            limit=_MORE_HITS * limit if few else limit,
            group_by_product=True,
            min_score=min_score,
            with_vectors=with_vectors,
        )
        for position in asked
    ]
    try:
        with tracer.start_as_current_span(
            "index query", attributes={"collection": collection.name, "limit": limit, "photos": len(vectors)}
        ):
            if len(queries) == 1:
                return index.query(collection.name, queries[0])
            answers = index.query_batch(collection.name, queries)
    except InvalidVector:
        # The vector fits the version, so the index belongs to another one, which `ensure` reports.
        index.ensure(collection)
        raise
    found = _best_of_products(zip(asked, answers, strict=True))
    if few:
        found = found[: _MORE_PRODUCTS * limit]
        stored = read_vectors([hit.id for _, hit in found])
        return _compared_with_all([hit for _, hit in found], vectors, collection.distance, stored)[:limit]
    return [replace(hit, example=example) for example, hit in found[:limit]]


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
        hit.id: replace(hit, score=float(scores[example, column]), example=example)
        for column, (hit, example) in enumerate(zip(known, examples, strict=True))
    }
    return best_first(scored.get(hit.id, hit) for hit in hits)
