"""The retrieval stage: the nearest products to one or several vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    """The best hit of each of the nearest products, best first. All vectors are asked in one batch.

    Args:
        collection: the index collection; its `dim` and `distance` are checked when a vector does not fit.
        vectors: float32 [dim] each. Several vectors are photos of one thing: a product counts by its best match with any of them.
        conditions: which points may be returned.
        limit: the maximum number of products. Fewer are returned only if the index has no more that match.
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
    queries = [
        VectorQuery(
            positive=(vector,),
            filter=conditions,
            limit=limit,
            group_by_product=True,
            min_score=min_score,
            with_vectors=with_vectors,
        )
        for vector in vectors
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
    hits = (replace(hit, example=example) for example, answer in enumerate(answers) for hit in answer)
    return best_of_products(best_first(hits))[:limit]
