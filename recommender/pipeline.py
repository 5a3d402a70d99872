"""The query pipeline: retrieve, hydrate, filter, re-rank. Everything that recommends comes through here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from catalog.photos import check_photo, open_upright
from catalog.selectors import ProductCard, kept_instead_of
from embeddings.backends import encoder_of
from embeddings.selectors import LiveCollection, live_collection
from embeddings.vector_index.base import UNFILTERED, Vector
from recommender.errors import ProductNotFound
from recommender.fallback import products_of_like_category
from recommender.filtering import EVERYTHING, ProductFilter, one_of_each_family
from recommender.metrics import stage
from recommender.reranking import diversify
from recommender.retrieval import nearest_products
from recommender.selectors import cards_of, twins_of, vectors_of

DEFAULT_COLLECTION = "all"
DEFAULT_LIMIT = 12

# Re-ranking chooses among this many times the products that are asked for.
_POOL = 4
# The index may lag behind the database by a few products, which are then dropped.
_SPARE = 2
_ASK_AT_MOST = 10_000
_DROPPED_HERE = 20


@dataclass(frozen=True, slots=True)
class SimilarQuery:
    """What to recommend beside a product. diversity: 0 (nearest first) to 1.

    min_score: worst score still shown, in the form of `Recommendation.score`. min_confidence: lowest probability of the same kind
    of product, 0 to 1; without effect where the encoder version has no calibration.
    """

    collection: str = DEFAULT_COLLECTION
    limit: int = DEFAULT_LIMIT
    filter: ProductFilter = EVERYTHING
    diversity: float = 0.0
    min_score: float | None = None
    min_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to answer to a photo; see SimilarQuery."""

    limit: int = DEFAULT_LIMIT
    filter: ProductFilter = EVERYTHING
    diversity: float = 0.0
    min_score: float | None = None
    min_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A recommended product. score: as users see it (`Distance.shown`); None where nothing was compared.

    confidence: probability that it is of the same kind; None where nobody has measured what the score says of that.
    """

    product: ProductCard
    score: float | None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Recommended products, best first.

    `encoder` names the version that compared; `fallback`: nothing could be compared.
    """

    collection: str
    encoder: str
    results: Sequence[Recommendation]
    fallback: bool = False


def similar_to(product_id: int, query: SimilarQuery) -> Recommendations:
    """Products that look like this one, never itself, a variant of it or one with a byte-identical photo; one of each family.

    A product without a vector yet is answered by its category, one that was merged into another by that one's likes.
    Raises ProductNotFound, UnknownCollection, IndexUnavailable.
    """
    try:
        return _similar_to(product_id, query)
    except ProductNotFound:
        kept = kept_instead_of(product_id)
        if kept is None:
            raise
        return _similar_to(kept.pk, query)


def _similar_to(product_id: int, query: SimilarQuery) -> Recommendations:
    live = live_collection(query.collection)
    with stage("retrieve"):
        vectors = vectors_of(live.version_id, product_id)
    with stage("filter"):
        hidden = {product_id, *twins_of(product_id)}
    if not vectors:
        return _by_category(product_id, live, query, hidden)
    results = _look_alike(live, vectors, query, hidden, must_be_visible=product_id)
    return Recommendations(live.slug, live.label, results)


def search(collection_slug: str, photo: bytes, query: SearchQuery) -> Recommendations:
    """Products that look like what is on the photo.

    Raises ImageRejected, UnknownCollection, EncoderUnavailable, EncoderMismatch, IndexUnavailable.
    """
    live = live_collection(collection_slug)
    encoder = encoder_of(live)
    with stage("encode"):
        check_photo(photo)
        vector = encoder.encode([open_upright(photo, at_least=encoder.input_size)])[0]
    return Recommendations(live.slug, live.label, _look_alike(live, [vector], query, hidden=()))


def _by_category(
    product_id: int, live: LiveCollection, query: SimilarQuery, hidden: Collection[int]
) -> Recommendations:
    with stage("hydrate"):
        product = cards_of([product_id]).get(product_id)
        if product is None:
            raise ProductNotFound(product_id)
        cards = products_of_like_category(product.category, query.filter, limit=query.limit, hidden=hidden)
    return Recommendations(live.slug, live.label, [Recommendation(card, None) for card in cards], fallback=True)


def _look_alike(
    live: LiveCollection,
    vectors: Sequence[Vector],
    query: SimilarQuery | SearchQuery,
    hidden: Collection[int],
    must_be_visible: int | None = None,
) -> list[Recommendation]:
    """Ask the index, keep what the database confirms, and ask for more while too few are left.

    must_be_visible: a product that has to be there itself; looked up with the rest, which saves a query.
    """
    wanted = query.limit * _POOL if query.diversity else query.limit
    # The index walks its graph twice as fast without conditions. What is hidden is then dropped here, and what is inactive
    # by the database.
    unconditional = query.filter == EVERYTHING and len(hidden) <= _DROPPED_HERE
    dropped = hidden if unconditional else ()
    ask = wanted + _SPARE + len(dropped)
    allowed = UNFILTERED if unconditional else query.filter.for_index(hidden)
    min_score = None if query.min_score is None else live.index.distance.score_of(query.min_score)
    cards: dict[int, ProductCard] = {}
    looked_up: set[int] = set()
    while True:
        with stage("retrieve"):
            hits = nearest_products(
                live.index,
                vectors,
                conditions=allowed,
                limit=ask,
                min_score=min_score,
                with_vectors=query.diversity > 0,
            )
        new = {hit.product_id for hit in hits} - looked_up
        if must_be_visible is not None:
            new |= {must_be_visible} - looked_up
        with stage("hydrate"):
            cards |= cards_of(new)
            looked_up |= new
        if must_be_visible is not None and must_be_visible not in cards:
            raise ProductNotFound(must_be_visible)
        with stage("filter"):
            allowed_hits = (
                hit
                for hit in hits
                if hit.product_id in cards
                and hit.product_id not in dropped
                and query.filter.allows(cards[hit.product_id])
                and _sure_enough(live, hit.score, query)
            )
            kept = one_of_each_family(allowed_hits, cards)
        # Hits come best first: behind one that is not sure enough there is none that is.
        unsure = bool(hits) and not _sure_enough(live, hits[-1].score, query)
        if len(kept) >= wanted or len(hits) < ask or ask >= _ASK_AT_MOST or unsure:
            break
        ask = min(4 * ask, _ASK_AT_MOST)
    with stage("rerank"):
        # What was wanted and no more, so that an answer does not depend on how often the index was asked.
        chosen = diversify(kept[:wanted], limit=query.limit, diversity=query.diversity, distance=live.index.distance)
    shown = live.index.distance.shown
    return [Recommendation(cards[hit.product_id], shown(hit.score), _confidence(live, hit.score)) for hit in chosen]


def _confidence(live: LiveCollection, score: float) -> float | None:
    """What the version's calibration, which is of cosines, says of a score."""
    cosine = live.index.distance.cosine_of(score)
    return None if live.confidence is None or cosine is None else live.confidence.probability_of(cosine)


def _sure_enough(live: LiveCollection, score: float, query: SimilarQuery | SearchQuery) -> bool:
    if query.min_confidence is None:
        return True
    confidence = _confidence(live, score)
    return confidence is None or confidence >= query.min_confidence
