"""Puts the best of a search by words in the order of the collection's ranker, if one is active."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from embeddings.backends import ranker_of
from embeddings.models import IndexedText
from embeddings.ranking.candidates import RERANKED, Asked, Candidate
from embeddings.selectors import LiveCollection, LiveRanker
from embeddings.stored_vectors import vector_from_bytes
from embeddings.text.bm25 import ProductText
from embeddings.text.ranking import EXACT
from embeddings.text_indexing import texts_of
from embeddings.vector_index.base import Vector
from recommender.learning.visual import vectors_by_product
from recommender.popularity import bought

# So many of the best that the words find say what looks like it.
_LOOKS_OF = 3


def ranked(
    live: LiveCollection, ranker: LiveRanker, asked: Asked, scores: Mapping[int, float], meaning: Vector | None
) -> dict[int, float]:
    """Put the best of a search by words in a better order. Exact codes stay first, and what is not among the best stays behind.

    Args:
        live: the collection.
        ranker: its active ranker.
        asked: the query.
        scores: of the text search by product, best first.
        meaning: the text encoder's vector of the query; None without a text encoder.

    Returns:
        The ranker's scores by product, best first, of those that were put in order.

    Raises:
        RankerUnavailable: the ranker's files are missing, damaged or others.
    """
    chosen = [product_id for product_id in [*scores][:RERANKED] if scores[product_id] < EXACT]
    texts = texts_of(chosen)
    chosen = [product_id for product_id in chosen if product_id in texts]
    if not chosen:
        return {}
    candidates = candidates_of(live, chosen, scores, texts, meaning)
    found = ranker_of(ranker).scores(asked, candidates)
    order = np.argsort(-found, kind="stable")
    return {chosen[place]: float(found[place]) for place in order}


def candidates_of(
    live: LiveCollection,
    product_ids: Sequence[int],
    scores: Mapping[int, float],
    texts: Mapping[int, ProductText],
    meaning: Vector | None,
) -> list[Candidate]:
    """What a ranker sees of products.

    Args:
        live: the collection.
        product_ids: best first by the text search.
        scores: of the text search by product; 0 where one is missing.
        texts: by product.
        meaning: the text encoder's vector of the query; None without a text encoder.

    Returns:
        One for each, in their order.
    """
    sold = bought()
    looks = _looks(live, product_ids)
    cosines = {} if meaning is None else cosines_to(meaning, text_vectors(live, product_ids))
    found = []
    for each in product_ids:
        signals = {"popularity": math.log1p(sold.get(each, 0))} if sold else {}
        if each in looks:
            signals["looks"] = looks[each]
        if each in cosines:
            signals["dense"] = cosines[each]
        found.append(Candidate(texts[each], scores.get(each, 0.0), signals))
    return found


def text_vectors(live: LiveCollection, product_ids: Collection[int]) -> dict[int, Vector]:
    """The vectors of products' texts.

    Args:
        live: the collection.
        product_ids: the products.

    Returns:
        float32 [dim] by product, of those whose texts are encoded.
    """
    rows = IndexedText.objects.filter(version=live.version_id, product_id__in=product_ids, vector__isnull=False)
    return {each: vector_from_bytes(vector or b"") for each, vector in rows.values_list("product_id", "vector")}


def cosines_to(meaning: Vector, vectors: Mapping[int, Vector]) -> dict[int, float]:
    """How near texts are in meaning.

    Args:
        meaning: the text encoder's vector of a query, of unit length.
        vectors: of products, by product; those of another length are left out.

    Returns:
        Cosines by product.
    """
    fitting = {each: vector for each, vector in vectors.items() if len(vector) == len(meaning)}
    return {each: float(vector @ meaning / (np.linalg.norm(vector) or 1.0)) for each, vector in fitting.items()}


def _looks(live: LiveCollection, product_ids: Sequence[int]) -> dict[int, float]:
    """How much each looks like the best of them, by the cosine of the main photos' shapes."""
    vectors = vectors_by_product(live, product_ids)
    shapes = {each: live.layout.split(photos[:1])[0][0].astype(np.float32) for each, photos in vectors.items()}
    units = {each: shape / np.float32(np.linalg.norm(shape) or 1.0) for each, shape in shapes.items()}
    best = [units[each] for each in product_ids if each in units][:_LOOKS_OF]
    if not best:
        return {}
    centre = np.mean(best, axis=0)
    centre = centre / (np.linalg.norm(centre) or 1.0)
    return {each: float(unit @ centre) for each, unit in units.items()}
