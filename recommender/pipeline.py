"""The query pipeline: retrieve, hydrate, filter, re-rank. Every recommendation is made here."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from catalog.cards import ProductCard, visible_cards
from catalog.errors import ProductNotFound
from catalog.filters import NO_FILTER, ProductFilter
from catalog.photos import open_rgb
from catalog.selectors import ids_not_matching, merge_target, stored_product
from embeddings.backends import encoder_of
from embeddings.selectors import LiveCollection, covered_by, live_collection, missing_fields
from embeddings.vector_index.base import UNFILTERED, Vector
from recommender.fallback import newest_in_category
from recommender.filtering import deduplicate_families, deduplicate_pictures, to_index_filter
from recommender.metrics import query_stage
from recommender.reranking import diversify
from recommender.retrieval import nearest_products
from recommender.selectors import excluded_products_of, vectors_of, vectors_of_images

DEFAULT_COLLECTION = "all"
DEFAULT_LIMIT = 12

# Re-ranking chooses among this many times the products that are returned.
_DIVERSITY_OVERSAMPLING = 4
# The index may lag behind the database by a few products, which are then dropped.
_EXTRA_CANDIDATES = 2
_MAX_CANDIDATES = 10_000
# A query that brought too few products, most of them variants of a few, is repeated for this many times what it seems to take.
_ESTIMATE_MARGIN = 1.25
_MAX_GROWTH = 8
# Up to this many excluded products are dropped after the query instead of being excluded by the index.
_MAX_POST_FILTERED = 20


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to recommend for a photo.

    Attributes:
        limit: maximum number of products.
        filter: conditions that every product has to meet.
        diversity: weight of diversity in maximal marginal relevance, 0 (nearest first) to 1.
        min_score: worst score that is returned, in the form of `Recommendation.score`.
        max_score: best score that is returned, in the same form.
        min_confidence: lowest confidence that is returned, 0 to 1; ignored where the encoder version has no calibration.
        offset: how many of the best are passed over.
    """

    limit: int = DEFAULT_LIMIT
    filter: ProductFilter = NO_FILTER
    diversity: float = 0.0
    min_score: float | None = None
    max_score: float | None = None
    min_confidence: float | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SimilarQuery(SearchQuery):
    """What to recommend beside a product: as in a search, and in which collection."""

    collection: str = DEFAULT_COLLECTION


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A recommended product.

    Attributes:
        product: its card.
        score: as users see it (`Distance.shown`); None in a fallback.
        confidence: calibrated probability, 0 to 1, that it is of the same kind; None without a calibration.
        matched_image: id of its photo that matches best; None in a fallback.
        query_image: id of the photo that it matches, of the product that the recommendations are for; None in a fallback and
            for a photo that was sent.
    """

    product: ProductCard
    score: float | None
    confidence: float | None = None
    matched_image: int | None = None
    query_image: int | None = None


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Recommended products.

    Attributes:
        collection: slug of the collection that was searched.
        encoder: label of its encoder version.
        results: best first.
        fallback: whether the product had no vector, so that the results come from its category.
    """

    collection: str
    encoder: str
    results: Sequence[Recommendation]
    fallback: bool = False


def similar_to(product_id: int, query: SimilarQuery) -> Recommendations:
    """Recommend products that look like a product.

    The product itself, its variants and products with the same main photo are excluded; of each other family one product is
    returned, and of products whose best-matching photos show the same picture one. A product without a vector gets the
    fallback, within the same collection and filter; one that was merged into another gets that one's results.

    Args:
        product_id: a visible product, or one that was merged into a visible one.
        query: what to recommend.

    Returns:
        The recommendations, best first.

    Raises:
        ProductNotFound: there is no such product, or it is not visible.
        UnknownCollection: there is no such collection.
        IndexUnavailable: the vector index does not respond.
    """
    try:
        return _similar_to(product_id, query)
    except ProductNotFound:
        target = merge_target(product_id)
        if target is None:
            raise
        return _similar_to(target.pk, query)


def _similar_to(product_id: int, query: SimilarQuery) -> Recommendations:
    live = live_collection(query.collection)
    with query_stage("retrieve"):
        vectors = vectors_of(live.version_id, product_id)
    with query_stage("filter"):
        excluded_ids = {product_id, *excluded_products_of(product_id)}
    if not vectors:
        return _fallback_by_category(product_id, live, query, excluded_ids)
    results = _search_index(live, vectors, query, excluded_ids, required_product_id=product_id)
    return Recommendations(live.slug, live.label, results)


def substitutes_for(product_id: int, query: SimilarQuery) -> Recommendations:
    """Recommend what can be bought instead of a product that is withdrawn or sold out: the nearest products in stock.

    An inactive product keeps its photos and their vectors, so it is compared like any other. Its family and products with the
    same photo are the best substitutes, so they are not excluded, as they are beside a product that is for sale. A product
    that was merged into another one is compared by that one's photos, and that one comes first.

    Args:
        product_id: a product, visible or not.
        query: what to recommend. Whatever its filter says of availability, only products in stock are returned.

    Returns:
        The recommendations, best first; the fallback if the product has no vector.

    Raises:
        ProductNotFound: there is no such product.
        UnknownCollection: there is no such collection.
        IndexUnavailable: the vector index does not respond.
    """
    query = replace(query, filter=replace(query.filter, available=True))
    live = live_collection(query.collection)
    with query_stage("retrieve"):
        product = stored_product(product_id)
        vectors = vectors_of(live.version_id, product.pk)
    if vectors:
        return Recommendations(live.slug, live.label, _search_index(live, vectors, query, excluded_ids={product_id}))
    with query_stage("hydrate"):
        path = product.category.path if product.category else ""
        return _fallback(path, live, query, excluded_ids={product_id})


def search(collection_slug: str, photo: bytes, query: SearchQuery) -> Recommendations:
    """Recommend products that look like what is on a photo.

    Args:
        collection_slug: the collection to search.
        photo: the file, in any format that `open_rgb` reads.
        query: what to recommend.

    Returns:
        The recommendations, best first.

    Raises:
        ImageRejected: the file is not a usable photo.
        UnknownCollection: there is no such collection.
        EncoderUnavailable: the encoder's file cannot be loaded.
        EncoderMismatch: encoder and index do not fit together.
        IndexUnavailable: the vector index does not respond.
    """
    live = live_collection(collection_slug)
    encoder = encoder_of(live)
    with query_stage("encode"):
        picture = open_rgb(photo, min_side=encoder.input_size, max_pixels=settings.PHOTO_MAX_PIXELS)
        vector = encoder.encode([picture])[0]
    return Recommendations(live.slug, live.label, _search_index(live, {None: vector}, query, excluded_ids=()))


def _fallback_by_category(
    product_id: int, live: LiveCollection, query: SimilarQuery, excluded_ids: Collection[int]
) -> Recommendations:
    with query_stage("hydrate"):
        product = visible_cards([product_id]).get(product_id)
        if product is None:
            raise ProductNotFound(product_id)
        return _fallback(product.category, live, query, excluded_ids)


def _fallback(
    category: str, live: LiveCollection, query: SimilarQuery, excluded_ids: Collection[int]
) -> Recommendations:
    covered = covered_by(live.collection_id)
    cards = newest_in_category(
        category, covered, query.filter, limit=query.offset + query.limit, excluded_ids=excluded_ids
    )[query.offset :]
    return Recommendations(live.slug, live.label, [Recommendation(card, None) for card in cards], fallback=True)


def _search_index(
    live: LiveCollection,
    vectors: Mapping[int, Vector] | Mapping[None, Vector],
    query: SearchQuery,
    excluded_ids: Collection[int],
    required_product_id: int | None = None,
) -> list[Recommendation]:
    """Query the index, keep the products that the database confirms, and query for more while there are too few.

    Args:
        live: the collection.
        vectors: float32 [D] by the id of their photo; None for one that was sent.
        query: limits and filters.
        excluded_ids: products that are never returned.
        required_product_id: product that must be visible itself; read with the others, which saves a query.

    Returns:
        Recommendations, best first.

    Raises:
        ProductNotFound: the required product is not visible.
    """
    wanted = query.offset + query.limit
    target = wanted * _DIVERSITY_OVERSAMPLING if query.diversity else wanted
    # The index walks its graph twice as fast without conditions. Excluded products are then dropped here, and inactive ones
    # because the database does not return them.
    unfiltered = query.filter == NO_FILTER and len(excluded_ids) <= _MAX_POST_FILTERED
    excluded = frozenset(excluded_ids)
    candidates = target + _EXTRA_CANDIDATES + (len(excluded) if unfiltered else 0)
    index_filter = UNFILTERED if unfiltered else to_index_filter(query.filter, excluded_ids, missing_fields(live))
    # In the form of the index, in which higher is nearer.
    min_score, max_score = (
        None if score is None else live.index.distance.score_of(score) for score in (query.min_score, query.max_score)
    )
    cards: dict[int, ProductCard] = {}
    looked_up: set[int] = set()
    unmet: set[int] = set()
    vectors_of_hits: dict[int, Vector] = {}

    def read_vectors(image_ids: Collection[int]) -> Mapping[int, Vector]:
        if unread := [each for each in image_ids if each not in vectors_of_hits]:
            vectors_of_hits.update(vectors_of_images(live.version_id, unread))
        return vectors_of_hits

    while True:
        with query_stage("retrieve"):
            hits = nearest_products(
                live.index,
                [*vectors.values()],
                conditions=index_filter,
                limit=candidates,
                read_vectors=read_vectors,
                min_score=min_score,
                with_vectors=query.diversity > 0,
            )
        new = {hit.product_id for hit in hits} - looked_up
        if required_product_id is not None:
            new |= {required_product_id} - looked_up
        with query_stage("hydrate"):
            cards |= visible_cards(new)
            looked_up |= new
            unmet |= ids_not_matching(new & cards.keys(), query.filter) if query.filter.needs_database else set()
        if required_product_id is not None and required_product_id not in cards:
            raise ProductNotFound(required_product_id)
        with query_stage("filter"):
            confirmed = (
                hit
                for hit in hits
                if hit.product_id in cards
                and hit.product_id not in excluded
                and hit.product_id not in unmet
                and (max_score is None or hit.score <= max_score)
                and (unfiltered or query.filter.matches(cards[hit.product_id]))
                and _meets_min_confidence(live, hit.score, query)
            )
            accepted = deduplicate_pictures(
                deduplicate_families(confirmed, cards), live.index.distance, target, read_vectors
            )
        # Hits come best first: behind one below the minimum confidence there is none that meets it.
        below_confidence = bool(hits) and not _meets_min_confidence(live, hits[-1].score, query)
        if len(accepted) >= target or len(hits) < candidates or candidates >= _MAX_CANDIDATES or below_confidence:
            break
        candidates = _more_candidates(candidates, len(accepted), target)
    with query_stage("rerank"):
        # The target number and no more, so that results do not depend on how often the index was queried.
        chosen = diversify(accepted[:target], limit=wanted, diversity=query.diversity, distance=live.index.distance)[
            query.offset :
        ]
    shown, photos = live.index.distance.shown, [*vectors]
    return [
        Recommendation(
            cards[hit.product_id], shown(hit.score), _confidence(live, hit.score), hit.id, photos[hit.example]
        )
        for hit in chosen
    ]


def _more_candidates(candidates: int, accepted: int, target: int) -> int:
    """How many candidates to query for next, if the further ones are accepted as often as those before."""
    estimate = math.ceil(_ESTIMATE_MARGIN * candidates * target / max(accepted, 1))
    return min(max(estimate, 2 * candidates), _MAX_GROWTH * candidates, _MAX_CANDIDATES)


def _confidence(live: LiveCollection, score: float) -> float | None:
    """The calibrated probability of a score; calibrations are of cosines."""
    cosine = live.index.distance.cosine_of(score)
    return None if live.calibration is None or cosine is None else live.calibration.probability_of(cosine)


def _meets_min_confidence(live: LiveCollection, score: float, query: SearchQuery) -> bool:
    if query.min_confidence is None:
        return True
    confidence = _confidence(live, score)
    return confidence is None or confidence >= query.min_confidence
