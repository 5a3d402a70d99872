"""The retrieval stage: the nearest products to one or several vectors."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import trace

from embeddings.backends import get_vector_index
from embeddings.errors import InvalidVector
from embeddings.vector_index.base import Filter, Hit, IndexCollection, Vector, VectorQuery, best_first, best_of_products

tracer = trace.get_tracer(__name__)


def nearest_products(
    collection: IndexCollection,
    vectors: Sequence[Vector],
    *,
    conditions: Filter,
    limit: int,
    min_score: float | None = None,
    with_vectors: bool = False,
) -> list[Hit]:
    """The best hit of each of the `limit` nearest products, best first. vectors: float32 [dim] each.

    Several vectors are photos of one thing: a product counts by its best match with any of them.
    Fewer hits than `limit` mean that the index holds no more. Raises EncoderMismatch for an index of other vectors.
    """
    index = get_vector_index()
    hits: list[Hit] = []
    for vector in vectors:
        query = VectorQuery(
            positive=(vector,),
            filter=conditions,
            limit=limit,
            group_by_product=True,
            min_score=min_score,
            with_vectors=with_vectors,
        )
        try:
            with tracer.start_as_current_span(
                "index query", attributes={"collection": collection.name, "limit": limit}
            ):
                hits += index.query(collection.name, query)
        except InvalidVector:
            # It fits the version: an index that it does not fit is another's, which this says.
            index.ensure(collection)
            raise
    if len(vectors) == 1:
        return hits
    return best_of_products(best_first(hits, collection.distance))[:limit]
