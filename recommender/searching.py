"""One search for everything: words, a photo, products that are liked or disliked, in any combination."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from django.conf import settings
from PIL import Image

from catalog.cards import ProductCard, visible_cards
from catalog.filters import NO_FILTER
from catalog.selectors import ids_not_matching
from catalog.text_search import SearchUnavailable, TextResults
from embeddings.backends import encoder_of, get_text_encoder, get_text_map, get_vector_index
from embeddings.document_frequencies import frequencies_of
from embeddings.errors import EmbeddingsError
from embeddings.parts.embed import embed_photo
from embeddings.parts.foreground import find_foreground, proposed_part
from embeddings.parts.layout import Weights
from embeddings.ranking.candidates import RERANKED, Asked
from embeddings.selectors import LiveCollection, live_collection, missing_fields
from embeddings.text.bm25 import WORDS, QueryText, words_query
from embeddings.text.fusion import best_first
from embeddings.text.queries import query_of
from embeddings.text.ranking import EXACT, hybrid_scores, lexical_scores
from embeddings.text.synonyms import Synonyms, colour_synonyms, colour_term_ids, read_synonyms
from embeddings.text_indexing import texts_of
from embeddings.vector_index.base import UNFILTERED, Filter, Hit, SparseQuery, SparseVector, Vector, VectorQuery
from pictures.photos import open_visitors_photo
from recommender import pipeline
from recommender.errors import NothingToSearchFor, WithoutVector
from recommender.facets import facets_of
from recommender.filtering import to_index_filter
from recommender.metrics import query_stage
from recommender.product_search import filled, place_pins, with_pins
from recommender.queries import DEFAULT_COLLECTION, Parts, Recommendation, Recommendations, SearchQuery
from recommender.ranking import ranked
from recommender.retrieval import Sought, nearest_products
from recommender.rules.book import plan_of_search
from recommender.rules.plan import Plan
from recommender.rules.selection import Selection
from recommender.selectors import vectors_of_images, vectors_of_products
from recommender.weighing import Weighing

Crop = tuple[float, float, float, float]

# The shorter side of a photo of which a small part counts is reduced to about so many pixels.
_MAX_MIN_SIDE = 1024
_NOTHING = "give words, a photo, or a product that is liked"
# So many of the nearest products are what words choose among, where a photo is given, too.
NEIGHBOURHOOD = 300
# What looks count beside words.
WORDS_WEIGHTS = Weights(1.0, 0.0, 0.2)
# From this share of the best score on, words fit as well as they can: how often a product says "red" is no matter of looks.
_SATURATED = 0.6
# What looking as the words say counts beside having the words.
_MAPPED_SHARE = 0.5
# What being called the same counts beside looks: a photo shows a colour more clearly than a shape (bench/this_but_colour).
_NAMED_WEIGHT = 0.5
# A photo has no title: so many of the nearest say what it is.
_NAMED_BY = 3
# Of the products that words find, so many say what "similar looks" are.
_LOOKS_OF = 3
_LOOKS_WEIGHT = 0.5
# The index may lag behind the database by a few products, which are then dropped.
_EXTRA_CANDIDATES = 8
_GROWTH = 4
_MAX_CANDIDATES = 10_000
# Products that facets are counted of.
COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A product that is liked or disliked, and how much."""

    product_id: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ProductSearch(SearchQuery):
    """What to search for, besides what a search by photo has. Score limits and diversity apply without words alone.

    Attributes:
        text: words; "" for none.
        photo: the file or its content; None for none.
        crop: x, y, width and height of the part of the photo that counts, each 0 to 1.
        liked: products that the results look like.
        disliked: products that the results do not look like.
        text_weight: of the words beside looks, 0 or more.
        photo_weight: of the photo beside liked products, and of looks beside words, 0 or more.
        typing: the last word may be unfinished.
        similar_looks: find what looks like the best that the words find, too.
        facets: whether to count what the results can be narrowed down by.
        with_confidence: whether results have a confidence, for which vectors are read.
    """

    text: str = ""
    photo: bytes | BinaryIO | None = None
    crop: Crop | None = None
    liked: Sequence[Example] = ()
    disliked: Sequence[Example] = ()
    text_weight: float = 1.0
    photo_weight: float = 1.0
    typing: bool = False
    similar_looks: bool = False
    facets: bool = False
    with_confidence: bool = True


@dataclass(frozen=True, slots=True)
class _Found:
    """Candidates of an answer.

    Attributes:
        scores: by product, best first.
        parts: what each score is made of.
        hits: the photo of each product that looks most like what is asked for, where looks were asked for.
        is_exhausted: whether a larger query would find no more.
    """

    scores: Mapping[int, float]
    is_exhausted: bool
    parts: Mapping[int, Parts] = field(default_factory=dict)
    hits: Mapping[int, Hit] = field(default_factory=dict)


def search_products(collection_slug: str, search: ProductSearch) -> Recommendations:
    """Find products by words, by a photo, by liked and disliked products, or by all of them.

    Words alone rank by BM25 and n-grams, exact article numbers first; where the collection has a text encoder, by what they mean,
    too, once they are typed to the end. An active ranker puts the best in order. Looks alone rank as similar products do. Together,
    the words choose among the products that look most alike: "this, but red". A text map, where one was trained, adds how much
    each looks as the words say.

    Args:
        collection_slug: the collection to search.
        search: what to search for.

    Returns:
        The products, best first.

    Raises:
        NothingToSearchFor: there are no words, no photo and no liked product.
        WithoutVector: an example has no photo that is embedded yet.
        ImageRejected: the photo is not usable.
        DecoderBusy: other large photos are being decoded.
        UnknownCollection: there is no such collection.
        UnknownRuleSet: the search names a rule set that does not exist.
        EncoderUnavailable: the encoder's file cannot be loaded.
        RankerUnavailable: the files of the active ranker are missing, damaged or others.
        EncoderMismatch: encoder and index do not fit together.
        CollectionNotFound: nothing was indexed yet.
        IndexUnavailable: the vector index does not respond.
    """
    if not search.text and search.photo is None and not search.liked:
        raise NothingToSearchFor(_NOTHING)
    live = live_collection(collection_slug)
    photo = None if search.photo is None else _encoded(live, search.photo, search.crop)
    target = _target(live, search, photo)
    plan = plan_of_search(live.slug, search.rule_set)
    proposed = None if photo is None else photo.proposed_crop
    if not search.text and not search.liked and not search.disliked and not search.facets and target is not None:
        return replace(pipeline.search_by_vector(live, target, search, plan), proposed_crop=proposed)
    find = _Finder(live, search, target)

    def answer(plan: Plan) -> Recommendations:
        return _answer(live, search, plan, find)

    found = pipeline.explained(answer, plan) if search.explain else answer(plan)
    return replace(found, proposed_crop=proposed)


def search_shop(text: str, similar_looks: bool) -> TextResults:
    """The products that words find, for the shop's pages; rules apply.

    Args:
        text: words.
        similar_looks: find what looks like the best of them, too.

    Returns:
        Up to COUNTED products, best first.

    Raises:
        SearchUnavailable: there is no index of words, or it does not respond.
    """
    try:
        search = ProductSearch(limit=COUNTED, text=text, similar_looks=similar_looks, with_confidence=False)
        found = search_products(DEFAULT_COLLECTION, search)
    except EmbeddingsError as error:
        raise SearchUnavailable(str(error)) from error
    return TextResults([each.product.id for each in found.results], found.collection, found.encoder)


def _answer(live: LiveCollection, search: ProductSearch, plan: Plan, find: _Finder) -> Recommendations:
    """Ask for candidates, keep what the database confirms and the rules admit, and ask for more while there are too few."""
    wanted = search.offset + search.limit
    selection = Selection(plan)
    pool = max(selection.pool(wanted), COUNTED if search.facets else 0)
    excluded = {each.product_id for each in (*search.liked, *search.disliked)}
    depth = pool + _EXTRA_CANDIDATES + len(excluded)
    cards: dict[int, ProductCard] = {}
    unmet: set[int] = set()
    looked_up: set[int] = set()
    while True:
        with query_stage("retrieve"):
            found = find(depth, plan)
        new = (found.scores.keys() | selection.pinned_ids) - looked_up
        with query_stage("hydrate"):
            cards |= visible_cards(new)
            looked_up |= new
            unmet |= ids_not_matching(new & cards.keys(), search.filter) if search.filter.needs_database else set()
            selection.look_up(new & cards.keys())
        with query_stage("filter"):
            refused = excluded | unmet
            place_pins(selection, cards, search, refused)
            families = {*selection.pinned_families}
            kept: list[int] = []
            for product_id in found.scores:
                card = cards.get(product_id)
                if card is None or product_id in refused or card.family in families:
                    continue
                if (search.filter == NO_FILTER or search.filter.matches(card)) and selection.admits(card):
                    families.add(card.family)
                    kept.append(product_id)
            kept, _ = selection.capped(kept, cards.__getitem__)
        if len(kept) >= pool or found.is_exhausted or depth >= _MAX_CANDIDATES:
            break
        depth = min(_GROWTH * depth, _MAX_CANDIDATES)
    with query_stage("rerank"):
        ordered = selection.moved(kept, cards.__getitem__)

    shown_hits = [found.hits[each] for each in ordered[:wanted] if each in found.hits]
    confidences = find.confidences(shown_hits) if search.with_confidence else {}

    def shown(product_id: int) -> Recommendation:
        score, hit = found.scores.get(product_id), found.hits.get(product_id)
        parts = found.parts.get(product_id) if search.explain else None
        matched = hit.id if hit is not None else None
        confidence = confidences.get(matched) if matched is not None else None
        return Recommendation(cards[product_id], score, confidence, matched, None, parts)

    results = with_pins([shown(each) for each in ordered[:wanted]], selection, shown)
    complete = filled(live, results[:wanted], search, selection, excluded, "")
    return Recommendations(
        live.slug,
        live.label,
        complete[search.offset :],
        weights=find.weights,
        count=len(kept) if search.facets else None,
        facets=facets_of(kept) if search.facets else None,
        ranker=find.ranker,
    )


class _Finder:
    """Asks the index for the best candidates of a search."""

    def __init__(self, live: LiveCollection, search: ProductSearch, target: Vector | None) -> None:
        """A search; target: what looks are compared with, None for words alone."""
        self._live, self._search, self._target = live, search, target
        self._weighing: Weighing | None = None
        # What put the answer in order; None for the order of the words or the looks.
        self.ranker: str | None = None
        # Words may name another colour than the photo's.
        default = WORDS_WEIGHTS if search.text and target is not None and live.layout.parts else None
        self._weights = search.weights or default
        if target is not None:
            self._weigh(target)

    @property
    def weights(self) -> Weights | None:
        """What each part of the looks counts; None where there are no looks, or no parts."""
        looks = self._weighing is not None and self._live.layout.parts
        return self._live.weights_of(self._weights) if looks else None

    def confidences(self, hits: Sequence[Hit]) -> dict[int, float | None]:
        """The calibrated probability of hits by point id."""
        if self._weighing is None or not hits:
            return {}
        return dict(zip([hit.id for hit in hits], self._weighing.confidences(hits), strict=True))

    def __call__(self, limit: int, plan: Plan) -> _Found:
        """The best so many candidates under the filters of a plan."""
        conditions = self._conditions(plan)
        if self._target is None or self._weighing is None:
            return (self._by_words_and_looks if self._search.similar_looks else self._by_words)(limit, conditions)
        return (
            self._by_both(self._weighing, conditions)
            if self._search.text
            else self._by_looks(self._weighing, limit, conditions)
        )

    def _by_looks(self, weighing: Weighing, limit: int, conditions: Filter) -> _Found:
        hits = self._nearest(weighing, limit, conditions)
        scores = {hit.product_id: weighing.shown(hit.score) for hit in hits}
        parts = {each: Parts(None, score) for each, score in scores.items()}
        return _Found(scores, len(hits) < limit, parts, {hit.product_id: hit for hit in hits})

    def _by_words(self, limit: int, conditions: Filter) -> _Found:
        ranker = self._live.ranker
        # Suggestions have to be there before the next letter, and a ranker knows nothing of half a word.
        if ranker is None or self._search.typing:
            return _by_words_alone(self._words(limit, conditions), limit)
        limit = max(limit, RERANKED)
        scores = self._words(limit, conditions)
        asked = Asked(self._query, self._live.language, self._frequencies, self._live.text_lengths)
        meaning = self._meaning if self._live.text_encoder else None
        self.ranker = ranker.label
        return _in_order_of(ranked(self._live, ranker, asked, scores, meaning), _by_words_alone(scores, limit))

    def _by_both(self, weighing: Weighing, conditions: Filter) -> _Found:
        """The words among the nearest, whatever number is wanted: what is farther away is another thing."""
        hits = self._nearest(weighing, NEIGHBOURHOOD, conditions)
        scores = self._words(NEIGHBOURHOOD, conditions, [hit.product_id for hit in hits]) if hits else {}
        return _fused(
            scores, hits, self._search.text_weight, self._search.photo_weight, self._mapped(hits), self._named(hits)
        )

    def _named(self, hits: Sequence[Hit]) -> Mapping[int, float]:
        """How much products are called what is liked, or what looks most like the photo, by product: 1 for the most."""
        language, asked = self._live.language, self._query.terms.keys()
        models = [each.product_id for each in self._search.liked] or [hit.product_id for hit in hits[:_NAMED_BY]]
        title = " ".join(text.fields["title"] for text in texts_of(models).values())
        colours = colour_term_ids(language)
        # The words say what is different: where they name a colour, no colour is kept.
        dropped = asked | (colours if colours & asked else set())
        kept = {term: weight for term, weight in query_of(title, language, {}).terms.items() if term not in dropped}
        query = QueryText(kept, {})
        vector = words_query(query, frequencies_of(self._live.version_id, query.looked_up))
        among = Filter(match_any={"product_id": [hit.product_id for hit in hits]})
        found = get_vector_index().query_sparse(self._live.texts.name, SparseQuery(WORDS, vector, among, NEIGHBOURHOOD))
        best = max((hit.score for hit in found), default=1.0)
        return {hit.product_id: hit.score / best for hit in found}

    def _mapped(self, hits: Sequence[Hit]) -> Mapping[int, float]:
        """How much products look as the words say, by product: 0 for the least of the hits, 1 for the most."""
        if not self._live.text_map or not hits:
            return {}
        text_map = get_text_map(self._live.text_map)
        if text_map.text_encoder != self._live.text_encoder:
            return {}
        stored = self._read([hit.id for hit in hits])
        known = [hit for hit in hits if hit.id in stored]
        if not known:
            return {}
        photos = np.stack([stored[hit.id] for hit in known])
        similarities = text_map.similarities(text_map.looks(self._meaning[None]), photos)[0]
        low, span = similarities.min(), np.ptp(similarities) or 1.0
        scaled = ((similarities - low) / span).tolist()
        return {hit.product_id: score for hit, score in zip(known, scaled, strict=True)}

    def _by_words_and_looks(self, limit: int, conditions: Filter) -> _Found:
        """What the words find, and what looks like the best of it."""
        scores = self._words(limit, conditions)
        best = [*scores][:_LOOKS_OF]
        found = vectors_of_products(self._live, best)
        vectors = [vector for product_id in best for vector in found.get(product_id, {}).values()]
        if not vectors:
            return _by_words_alone(scores, limit)
        hits = self._nearest(self._weigh(_mean([(each, 1.0) for each in vectors])), limit, conditions)
        fused = _fused(scores, hits, self._search.text_weight, _LOOKS_WEIGHT * self._search.photo_weight)
        return replace(fused, is_exhausted=len(scores) < limit and len(hits) < limit)

    def _weigh(self, vector: Vector) -> Weighing:
        self._weighing = Weighing(self._live, [vector], self._weights, self._read)
        return self._weighing

    def _read(self, ids: Collection[int]) -> Mapping[int, Vector]:
        return vectors_of_images(self._live, ids)

    def _conditions(self, plan: Plan) -> Filter:
        # The index is faster without conditions; inactive products are then dropped, since the database does not return them.
        examples = self._search.liked or self._search.disliked
        if self._search.filter == NO_FILTER and not plan.filters and not examples:
            return UNFILTERED
        excluded = [each.product_id for each in (*self._search.liked, *self._search.disliked)]
        return to_index_filter(self._search.filter, excluded, missing_fields(self._live), further=plan.filters)

    @cached_property
    def _query(self) -> QueryText:
        language = self._live.language
        return query_of(self._search.text, language, synonyms_of(language), unfinished=self._search.typing)

    @cached_property
    def _meaning(self) -> Vector:
        with query_stage("encode"):
            meaning: Vector = get_text_encoder(self._live.text_encoder).encode([self._search.text])[0]
        return meaning

    @cached_property
    def _frequencies(self) -> Mapping[int, int]:
        return frequencies_of(self._live.version_id, self._query.looked_up)

    def _nearest(self, weighing: Weighing, limit: int, conditions: Filter) -> list[Hit]:
        sought = Sought(weighing.asked, conditions, limit, self._read, breadth=weighing.breadth)
        [hits] = nearest_products(self._live.index, [sought])
        return hits

    def _words(self, limit: int, conditions: Filter, among: Collection[int] | None = None) -> dict[int, float]:
        live, query = self._live, self._query

        def ask(using: str, vector: SparseVector, among: Collection[int] | None = among) -> dict[int, float]:
            # Those among which is chosen have met the conditions.
            chosen = conditions if among is None else Filter(match_any={"product_id": [*among]})
            hits = get_vector_index().query_sparse(live.texts.name, SparseQuery(using, vector, chosen, limit))
            return {hit.product_id: hit.score for hit in hits}

        def ask_meaning(among: Collection[int] | None = None) -> dict[int, float]:
            chosen = conditions if among is None else Filter(match_any={"product_id": [*among]})
            wanted = limit if among is None else len(among)
            asked = VectorQuery(positive=[self._meaning], filter=chosen, limit=wanted)
            return {hit.product_id: hit.score for hit in get_vector_index().query(live.texts.name, asked)}

        # Among products that look alike the words say what is different, such as a colour; a word that is not finished means
        # something else.
        if not live.text_encoder or among is not None or self._search.typing:
            return lexical_scores(ask, query, self._frequencies)
        return hybrid_scores(ask, ask_meaning, query, self._frequencies)


def _by_words_alone(scores: Mapping[int, float], limit: int) -> _Found:
    return _Found(scores, len(scores) < limit, {each: Parts(score, None) for each, score in scores.items()})


def _in_order_of(ranking: Mapping[int, float], found: _Found) -> _Found:
    """What words found, its best in the order of a ranker; scores stay those of the words. ranking: by product, best first."""
    exact = [each for each, score in found.scores.items() if score >= EXACT]
    order = [*dict.fromkeys([*exact, *ranking, *found.scores])]
    parts = {each: replace(found.parts[each], ranker=ranking.get(each)) for each in order}
    return replace(found, scores={each: found.scores[each] for each in order}, parts=parts)


def _fused(
    scores: Mapping[int, float],
    hits: Sequence[Hit],
    text_weight: float,
    looks_weight: float,
    mapped: Mapping[int, float] | None = None,
    named: Mapping[int, float] | None = None,
) -> _Found:
    """Words and looks, each from 0 for the worst of the candidates to 1 for the best, by their weights.

    Args:
        scores: of words, by product.
        hits: by looks.
        text_weight: of words.
        looks_weight: of looks.
        mapped: how much products look as the words say, 0 to 1. It stands in for words that a product's text does not have.
        named: how much products are called what is looked for, 0 to 1. It is part of the looks.

    Returns:
        The candidates, best first.
    """
    seen = mapped or {}
    near = [hit.score for hit in hits]
    low, span = min(near, default=0.0), (max(near, default=0.0) - min(near, default=0.0)) or 1.0
    best = max(scores.values(), default=0.0) or 1.0
    looks = {hit.product_id: (hit.score - low) / span for hit in hits}
    if named:
        looks = {
            each: (score + _NAMED_WEIGHT * named.get(each, 0.0)) / (1 + _NAMED_WEIGHT) for each, score in looks.items()
        }
    parts = {
        each: Parts(
            max(min(1.0, scores.get(each, 0.0) / (_SATURATED * best)), _MAPPED_SHARE * seen.get(each, 0.0)),
            looks.get(each, 0.0),
        )
        for each in {**looks, **scores}
    }
    fused = {
        each: text_weight * (part.text or 0.0) + looks_weight * (part.looks or 0.0) for each, part in parts.items()
    }
    return _Found(best_first(fused), is_exhausted=True, parts=parts, hits={hit.product_id: hit for hit in hits})


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo that was sent. proposed_crop: where its product is; None where none is proposed, or the photo was cropped."""

    vector: Vector
    proposed_crop: Crop | None


def _target(live: LiveCollection, search: ProductSearch, photo: _Photo | None) -> Vector | None:
    """The direction that looks are compared with: photo and liked products by their weights, away from disliked ones."""
    vectors = _example_vectors(live, [*search.liked, *search.disliked])
    likes = [(vectors[each.product_id], each.weight) for each in search.liked]
    if photo is not None:
        likes.append((photo.vector, search.photo_weight if search.liked else 1.0))
    dislikes = [(vectors[each.product_id], each.weight) for each in search.disliked]
    if not likes:
        return None
    liked = _mean(likes)
    if not dislikes:
        return liked if len(likes) > 1 else likes[0][0]
    strength = min(1.0, sum(weight for _, weight in dislikes) / len(dislikes))
    # Away from what is disliked, as Qdrant's average-vector recommendation: twice what is liked, less what is not.
    return _direction((1 + strength) * liked - strength * _mean(dislikes))


def _mean(weighted: Sequence[tuple[Vector, float]]) -> Vector:
    total = sum(weight for _, weight in weighted) or 1.0
    return _direction(np.sum([_direction(vector) * weight for vector, weight in weighted], axis=0) / total)


def _direction(vector: Vector) -> Vector:
    unit: Vector = (vector / (np.linalg.norm(vector) or 1.0)).astype(np.float32)
    return unit


def _example_vectors(live: LiveCollection, examples: Sequence[Example]) -> dict[int, Vector]:
    """The direction of each example. Raises WithoutVector for the first that has no photo that is embedded."""
    found = vectors_of_products(live, [each.product_id for each in examples])
    vectors: dict[int, Vector] = {}
    for each in examples:
        own = [*found.get(each.product_id, {}).values()]
        if not own:
            raise WithoutVector(each.product_id)
        mean = own[0] if len(own) == 1 else _direction(np.mean([_direction(vector) for vector in own], axis=0))
        vectors[each.product_id] = mean
    return vectors


def _encoded(live: LiveCollection, photo: bytes | BinaryIO, crop: Crop | None) -> _Photo:
    encoder = encoder_of(live)
    with query_stage("encode"):
        # At a scale at which a part of the photo still has enough pixels.
        wanted = encoder.input_size if crop is None else math.ceil(encoder.input_size / max(min(crop[2:]), 0.01))
        picture = open_visitors_photo(photo, min_side=min(wanted, _MAX_MIN_SIDE))
        if crop is not None:
            return _Photo(embed_photo(encoder, live.layout, _cropped(picture, crop)), None)
        foreground = find_foreground(picture)
        vector = embed_photo(encoder, live.layout, picture, foreground)
        part = proposed_part(foreground)
        return _Photo(vector, None if part is None else (part[0], part[1], part[2] - part[0], part[3] - part[1]))


def _cropped(picture: Image.Image, crop: Crop) -> Image.Image:
    x, y, width, height = crop
    left, top = min(round(x * picture.width), picture.width - 1), min(round(y * picture.height), picture.height - 1)
    right, bottom = round((x + width) * picture.width), round((y + height) * picture.height)
    return picture.crop((left, top, max(left + 1, right), max(top + 1, bottom)))


def synonyms_of(language: str) -> Synonyms:
    """Colours, and the file that the setting TEXT_SYNONYMS names, as it is now. language: of the terms."""
    path: Path | None = settings.TEXT_SYNONYMS
    if path is None:
        return colour_synonyms(language)
    return _read_synonyms(path, path.stat().st_mtime_ns if path.exists() else 0, language)


@lru_cache(maxsize=8)
def _read_synonyms(path: Path, _modified_at: int, language: str) -> Synonyms:
    return read_synonyms(path, language, colour_synonyms(language))
