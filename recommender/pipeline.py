"""The query pipeline: retrieve, hydrate, filter, re-rank. Every recommendation is made here."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from catalog.cards import ProductCard, visible_cards
from catalog.errors import ProductNotFound
from catalog.filters import NO_FILTER, ProductFilter
from catalog.selectors import ids_not_matching, merge_target, stored_product
from embeddings.errors import CollectionNotFound, IndexUnavailable
from embeddings.parts.layout import Weights
from embeddings.selectors import LiveCollection, covered_by, live_collection, missing_fields
from embeddings.vector_index.base import UNFILTERED, Filter, Hit, Vector, best_first
from recommender.facets import SearchFacets
from recommender.fallback import bestsellers, newest_in_category, popular_in_category
from recommender.filtering import deduplicate_families, deduplicate_pictures, to_index_filter
from recommender.learning.serving import POOL, Rearrangement, plan_for
from recommender.learning.serving import Plan as Served
from recommender.metrics import query_stage
from recommender.neighbours import NEIGHBOURS, Neighbour, Neighbours, neighbours_of_each
from recommender.reranking import diversify
from recommender.retrieval import Sought, nearest_products
from recommender.rules.book import plan_beside
from recommender.rules.errors import UnknownRuleSet
from recommender.rules.explanation import Answered, Explanation, explain
from recommender.rules.plan import NO_RULES, Plan, Source
from recommender.rules.selection import Selection
from recommender.rules.stages import pinned
from recommender.selectors import Start, VectorReader, beside, beside_each, vectors_of
from recommender.weighing import Weighing, shown_of_one

DEFAULT_COLLECTION = "all"
DEFAULT_LIMIT = 12

# Re-ranking chooses among this many times the products that are returned.
_DIVERSITY_OVERSAMPLING = 4
# The index may lag behind the database by a few products, which are then dropped.
_EXTRA_CANDIDATES = 2
NOTHING_READ: Mapping[int, ProductCard | None] = {}
# The index does not answer, or has not been built; what else is wrong with it is an error.
_INDEX_AWAY = (IndexUnavailable, CollectionNotFound)
_MAX_CANDIDATES = 10_000
# Where colour and pattern count, those of the minimum confidence are looked for among so many of the nearest.
_MAX_LOOKED_THROUGH = 1000
# So many times what it seems to take is asked for: where rules leave something out, and where too few products came back.
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
        rule_set: name of the rule set that applies; None for the active one, "" for none.
        explain: whether to say which rule did what.
        weights: what shape, colour and pattern count; None for what the collection has found in its catalogue.
        stamp: of the catalogue, read before the query; what this process has read since is not read again. None: all is read.
    """

    limit: int = DEFAULT_LIMIT
    filter: ProductFilter = NO_FILTER
    diversity: float = 0.0
    min_score: float | None = None
    max_score: float | None = None
    min_confidence: float | None = None
    offset: int = 0
    rule_set: str | None = None
    explain: bool = False
    weights: Weights | None = None
    stamp: int | None = None


@dataclass(frozen=True, slots=True)
class SimilarQuery(SearchQuery):
    """What to recommend beside a product: as in a search, and in which collection.

    Attributes:
        collection: slug.
        for_visitor: whether A/B tests and the learned order apply, which differ from hour to hour.
        fallback: whether the fallback answers while the vector index is away or has not been built.
    """

    collection: str = DEFAULT_COLLECTION
    for_visitor: bool = True
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """What the score of a search by words and looks is made of.

    Attributes:
        text: of the words; None where none were given.
        looks: how much it looks like what was given; None where only words were.
        ranker: of the active ranker, which says the order; None without one, and behind the best that it puts in order.
    """

    text: float | None
    looks: float | None
    ranker: float | None = None


class Recommendation(NamedTuple):
    """A recommended product.

    Attributes:
        product: its card.
        score: as users see it (`Distance.shown`); None in a fallback, and where a rule brought in a product that is far away.
        confidence: calibrated probability, 0 to 1, that it is of the same kind; None without a calibration or a score.
        matched_image: id of its photo that matches best; None without a score.
        query_image: id of the photo that it matches, of the product that the recommendations are for; None without a score and
            for a photo that was sent.
        parts: what the score is made of; None unless that was asked for, after a search by words or for several things.
    """

    product: ProductCard
    score: float | None
    confidence: float | None = None
    matched_image: int | None = None
    query_image: int | None = None
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Recommended products.

    Attributes:
        collection: slug of the collection that was searched.
        encoder: label of its encoder version.
        results: best first.
        fallback: whether the product had no vector or the index is away, so that the results come from its category.
        index_away: whether the reason is the index, so that the results are soon others.
        explanation: what rules did; None unless it was asked for.
        weights: what each part counted; None where the vectors have no parts, and in a fallback.
        proposed_crop: x, y, width and height of the product on the photo that was sent, each 0 to 1; None for none.
        count: how many products were found, counted up to a limit; None unless facets were asked for.
        facets: what they can be narrowed down by; likewise.
        ranker: label of the ranker that put the best in order; None without one.
    """

    collection: str
    encoder: str
    results: Sequence[Recommendation]
    fallback: bool = False
    index_away: bool = False
    explanation: Explanation | None = None
    weights: Weights | None = None
    proposed_crop: tuple[float, float, float, float] | None = None
    count: int | None = None
    facets: SearchFacets | None = None
    ranker: str | None = None


def similar_to(product_id: int, query: SimilarQuery) -> Recommendations:
    """Recommend products that look like a product.

    The product itself, its variants and products with the same main photo are excluded; of each other family one product is
    returned, and of products whose best-matching photos show the same picture one. A product without a vector gets the
    fallback, within the same collection and filter; one that was merged into another gets that one's results. The rules that are
    in force change the results, see `recommender.rules`.

    Args:
        product_id: a visible product, or one that was merged into a visible one.
        query: what to recommend.

    Returns:
        The recommendations, best first.

    Raises:
        ProductNotFound: there is no such product, or it is not visible.
        UnknownCollection: there is no such collection.
        UnknownRuleSet: the query names a rule set that does not exist.
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
    served = _served(product_id, query)
    live = served.live
    with query_stage("retrieve"):
        start = beside(live, product_id, query.stamp)
    own = _Beside(product_id, query, live, start, served.rearrangement)
    with query_stage("filter"):
        plan = _plan_beside(live.slug, product_id, query, served.rule_set)
    return explained(own.answer, plan) if query.explain else own.answer(plan)


def similar_to_each(product_ids: Sequence[int], query: SimilarQuery) -> dict[int, Recommendations | ProductNotFound]:
    """Recommend products that look like each of several products, as `similar_to` does for one.

    All photos of all products are asked in one query of the index, and what it finds is read in one statement.

    Args:
        product_ids: the products.
        query: what to recommend beside each, without `explain`.

    Returns:
        By product its recommendations, or why there are none.

    Raises:
        UnknownCollection: there is no such collection.
        UnknownRuleSet: the query names a rule set that does not exist.
        IndexUnavailable: the vector index does not respond.
    """
    answers: dict[int, Recommendations | ProductNotFound] = {}
    # A test may give two versions to different products.
    by_version: dict[int, list[tuple[int, Served]]] = {}
    for product_id in dict.fromkeys(product_ids):
        served = _served(product_id, query)
        by_version.setdefault(served.live.version_id, []).append((product_id, served))
    for products in by_version.values():
        answers |= _similar_to_each(products, query)
    return answers


def _similar_to_each(
    products: Sequence[tuple[int, Served]], query: SimilarQuery
) -> dict[int, Recommendations | ProductNotFound]:
    """The answers of products that one version answers."""
    live = products[0][1].live
    with query_stage("retrieve"):
        read = beside_each(live, [product_id for product_id, _ in products], query.stamp)
    planned: dict[int, tuple[_Beside, Plan]] = {}
    answers: dict[int, Recommendations | ProductNotFound] = {}
    for product_id, served in products:
        own = _Beside(product_id, query, live, read[product_id], served.rearrangement)
        try:
            planned[product_id] = own, _plan_beside(live.slug, product_id, query, served.rule_set)
        except ProductNotFound:
            answers[product_id] = _of_merged(product_id, query)
    for product_id, results in _near_each(live, [own for own, plan in planned.values() if own.may_be_near(plan)]):
        if isinstance(results, ProductNotFound):
            answers[product_id] = _of_merged(product_id, query)
        elif results is not None:
            answers[product_id] = _answered(live, query, results)
    planned = {each: made for each, made in planned.items() if each not in answers}
    searches = {each: own.search(plan) for each, (own, plan) in planned.items() if own.start.rows}
    found, cards = _found_together(live, searches, query)
    for product_id, (own, plan) in planned.items():
        try:
            if product_id in found:
                results = searches[product_id].results(found[product_id], cards)
                answers[product_id] = _answered(live, query, results)
            elif product_id in searches:
                answers[product_id] = own.while_index_is_away(plan)
            else:
                answers[product_id] = own.answer(plan)
        except ProductNotFound:
            answers[product_id] = _of_merged(product_id, query)
    return answers


def _near_each(
    live: LiveCollection, asked: Sequence[_Beside]
) -> Iterator[tuple[int, list[Recommendation] | ProductNotFound | None]]:
    """The results of products that neighbours may be enough for, as `_Beside.near`; none while the index is away."""
    if not asked:
        return
    query = asked[0].query
    try:
        with query_stage("retrieve"):
            found = neighbours_of_each(live, {each.product_id: each.start for each in asked}, query.weights)
    except _INDEX_AWAY:
        # The search that follows raises it again, or has a fallback.
        return
    with query_stage("hydrate"):
        needed = {each for own in asked for each in own.first_needed(found[own.product_id])}
        cards = visible_cards(needed, query.stamp)
    read = {each: cards.get(each) for each in needed}
    for own in asked:
        try:
            yield own.product_id, own.near(found[own.product_id], read)
        except ProductNotFound as error:
            yield own.product_id, error


def _found_together(
    live: LiveCollection, searches: Mapping[int, _Search], query: SimilarQuery
) -> tuple[Mapping[int, Sequence[Hit]], Mapping[int, ProductCard | None]]:
    """What searches find first, and the cards of it; nothing while the index is away."""
    if not searches:
        return {}, {}
    try:
        with query_stage("retrieve"):
            asked = nearest_products(live.index, [search.asked() for search in searches.values()])
    except _INDEX_AWAY:
        if not query.fallback:
            raise
        return {}, {}
    found = dict(zip(searches, asked, strict=True))
    with query_stage("hydrate"):
        needed = {each for product_id, hits in found.items() for each in searches[product_id].products_of(hits)}
        cards = visible_cards(needed, query.stamp)
        return found, {each: cards.get(each) for each in needed}


def _of_merged(product_id: int, query: SimilarQuery) -> Recommendations | ProductNotFound:
    """The answer of a product that may not be shown: that of the one that it was merged into, if it was."""
    try:
        return similar_to(product_id, query)
    except ProductNotFound as error:
        return error


def _served(product_id: int, query: SimilarQuery) -> Served:
    """What a request gets: by tests and the learned order if it is a visitor's."""
    live = live_collection(query.collection)
    return plan_for(live, product_id, diversity=query.diversity) if query.for_visitor else Served(live)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is recommended beside a product. start: of its searches. The others: see `_Search`."""

    product_id: int
    query: SimilarQuery
    live: LiveCollection
    start: Start
    rearrangement: Rearrangement | None

    @property
    def excluded_ids(self) -> Collection[int]:
        """Products that are never recommended beside it, itself among them."""
        return {self.product_id, *self.start.excluded}

    def answer(self, plan: Plan) -> Recommendations:
        """The answer by the rules of a plan."""
        if not self.start.rows:
            return self._fallback(plan)
        try:
            results = None
            if self.may_be_near(plan):
                with query_stage("retrieve"):
                    asked = {self.product_id: self.start}
                    neighbours = neighbours_of_each(self.live, asked, self.query.weights)[self.product_id]
                results = self.near(neighbours)
            return _answered(self.live, self.query, self.search(plan).results() if results is None else results)
        except _INDEX_AWAY:
            if not self.query.fallback:
                raise
            return self.while_index_is_away(plan)

    def may_be_near(self, plan: Plan) -> bool:
        """Whether its neighbours may be all that the answer is made of: nothing is filtered, and nothing changes their order."""
        query = self.query
        most = query.offset + query.limit + len(self.start.excluded) + 1
        return (
            bool(self.start.rows)
            and most <= NEIGHBOURS
            and self.rearrangement is None
            and not plan.rules
            and not query.diversity
            and (query.min_score, query.max_score, query.min_confidence) == (None, None, None)
            and query.filter == NO_FILTER
        )

    def first_needed(self, neighbours: Neighbours) -> list[int]:
        """The products whose cards are enough, as a rule, for `near`."""
        most = self.query.offset + self.query.limit + len(self.start.excluded) + 1 + _EXTRA_CANDIDATES
        return [self.product_id, *(each.product_id for each in neighbours.each[:most])]

    def near(
        self, neighbours: Neighbours, read: Mapping[int, ProductCard | None] = NOTHING_READ
    ) -> list[Recommendation] | None:
        """The results, of its neighbours: the same as those of a search that finds these.

        Args:
            neighbours: of the product.
            read: as in `_Search.results`.

        Returns:
            Recommendations, best first; None where the neighbours that may be shown are too few, and there are others.

        Raises:
            ProductNotFound: the product is not visible.
        """
        wanted, excluded = self.query.offset + self.query.limit, self.excluded_ids
        needed = self.first_needed(neighbours)
        with query_stage("hydrate"):
            cards = _cards(needed, read, self.query.stamp)
        if self.product_id not in cards:
            raise ProductNotFound(self.product_id)
        families: set[int] = set()
        places: set[int] = set()
        chosen: list[tuple[ProductCard, Neighbour]] = []
        for place, each in enumerate(neighbours.each):
            if place == len(needed) - 1:
                with query_stage("hydrate"):
                    cards |= _cards([each.product_id for each in neighbours.each[place:]], read, self.query.stamp)
            card = cards.get(each.product_id)
            if card is None or card.id in excluded or card.family in families:
                continue
            families.add(card.family)
            if any(later == place and earlier in places for earlier, later in neighbours.same):
                continue
            places.add(place)
            chosen.append((card, each))
            if len(chosen) == wanted:
                return self._shown(chosen)
        return self._shown(chosen) if neighbours.are_all else None

    def _shown(self, chosen: Sequence[tuple[ProductCard, Neighbour]]) -> list[Recommendation]:
        calibration, of_one = self.live.calibration, shown_of_one(self.live, self.live.weights_of(self.query.weights))
        return [
            Recommendation(
                card,
                each.score * of_one,
                None if calibration is None or each.cosine is None else calibration.probability_of(each.cosine),
                each.image_id,
                self.start.rows[each.example][0],
            )
            for card, each in chosen[self.query.offset :]
        ]

    def search(self, plan: Plan) -> _Search:
        """The search of the index for it."""
        return _Search(
            self.live, self.start.vectors, self.query, plan, self.excluded_ids, self.product_id, self.rearrangement
        )

    def while_index_is_away(self, plan: Plan) -> Recommendations:
        """The fallback with bestsellers."""
        return replace(self._fallback(plan, popular=True), index_away=True)

    def _fallback(self, plan: Plan, *, popular: bool = False) -> Recommendations:
        return _fallback_by_category(self.product_id, self.live, self.query, plan, self.excluded_ids, popular=popular)


def _plan_beside(collection: str, product_id: int, query: SimilarQuery, tested: str | None) -> Plan:
    """The rules of a query: of the set that it names, or else of one that an A/B test gives it. tested: its name; None: no test."""
    if query.rule_set is None and tested is not None:
        try:
            return plan_beside(collection, product_id, tested, stamp=query.stamp)
        except UnknownRuleSet:
            # It was deleted since; the test ends at its next look.
            return plan_beside(collection, product_id, stamp=query.stamp)
    return plan_beside(collection, product_id, query.rule_set, stamp=query.stamp)


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
        vectors = vectors_of(live, product.pk)
    with query_stage("filter"):
        plan = plan_beside(live.slug, product.pk, query.rule_set, visible_only=False, stamp=query.stamp)

    def answer(plan: Plan) -> Recommendations:
        is_away = False
        if vectors:
            try:
                results = _Search(live, vectors, query, plan, excluded_ids={product_id}).results()
                return _answered(live, query, results)
            except _INDEX_AWAY:
                if not query.fallback:
                    raise
                is_away = True
        with query_stage("hydrate"):
            path = product.category.path if product.category else ""
            found = _fallback(path, live, query, plan, excluded_ids={product_id}, popular=is_away)
            return replace(found, index_away=is_away)

    return explained(answer, plan) if query.explain else answer(plan)


def search_by_vector(live: LiveCollection, vector: Vector, query: SearchQuery, plan: Plan) -> Recommendations:
    """Recommend products that look like what is on a photo.

    Args:
        live: the collection to search.
        vector: float32 [dim], of the photo.
        query: what to recommend.
        plan: the rules.

    Returns:
        The recommendations, best first.

    Raises:
        EncoderMismatch: encoder and index do not fit together.
        IndexUnavailable: the vector index does not respond.
    """

    def answer(plan: Plan) -> Recommendations:
        return _answered(live, query, _Search(live, {None: vector}, query, plan, excluded_ids=()).results())

    return explained(answer, plan) if query.explain else answer(plan)


def _answered(live: LiveCollection, query: SearchQuery, results: Sequence[Recommendation]) -> Recommendations:
    weights = live.weights_of(query.weights) if live.layout.parts else None
    return Recommendations(live.slug, live.label, results, weights=weights)


def explained(answer: Callable[[Plan], Recommendations], plan: Plan) -> Recommendations:
    """The answer with an explanation, for which it is also made without rules."""
    found = answer(plan)
    before, after = (
        [Answered(each.product, each.score is not None, each.confidence) for each in made.results]
        for made in (answer(NO_RULES), found)
    )
    return replace(found, explanation=explain(plan, before, after))


def _fallback_by_category(
    product_id: int,
    live: LiveCollection,
    query: SimilarQuery,
    plan: Plan,
    excluded_ids: Collection[int],
    *,
    popular: bool = False,
) -> Recommendations:
    with query_stage("hydrate"):
        product = visible_cards([product_id], query.stamp).get(product_id)
        if product is None:
            raise ProductNotFound(product_id)
        return _fallback(product.category, live, query, plan, excluded_ids, popular=popular)


def _fallback(
    category: str,
    live: LiveCollection,
    query: SimilarQuery,
    plan: Plan,
    excluded_ids: Collection[int],
    *,
    popular: bool = False,
) -> Recommendations:
    """The newest products of a category; popular: its bestsellers before them."""
    wanted = query.offset + query.limit
    selection = Selection(plan, query.stamp)
    pins = visible_cards(selection.pinned_ids, query.stamp)
    unmet = ids_not_matching(pins.keys(), query.filter) if pins and query.filter.needs_database else set()
    selection.look_up(pins)
    place_pins(selection, pins, query, {*excluded_ids, *unmet})
    covered = covered_by(live.collection_id) & plan.q()

    def of_category(limit: int) -> Sequence[ProductCard]:
        choose = popular_in_category if popular else newest_in_category
        return choose(category, covered, query.filter, limit=limit, excluded_ids=excluded_ids)

    cards = selection.moved(selection.admitted(of_category, selection.pool(wanted)), lambda card: card)
    results = [Recommendation(card, None) for card in cards[:wanted]]
    arranged = with_pins(results, selection, lambda product_id: Recommendation(pins[product_id], None))
    shown = filled(live, arranged[:wanted], query, selection, excluded_ids, category)
    return Recommendations(live.slug, live.label, shown[query.offset : wanted], fallback=True)


class _Search:
    """A search for one answer: asks the index, keeps the products that the database confirms, and asks for more of too few."""

    def __init__(
        self,
        live: LiveCollection,
        vectors: Mapping[int, Vector] | Mapping[None, Vector],
        query: SearchQuery,
        plan: Plan,
        excluded_ids: Collection[int],
        required_product_id: int | None = None,
        rearrangement: Rearrangement | None = None,
    ) -> None:
        """Prepare it.

        Args:
            live: the collection.
            vectors: float32 [D] by the id of their photo; None for one that was sent.
            query: limits and filters.
            plan: the rules.
            excluded_ids: products that are never returned.
            required_product_id: product that must be visible itself; read with the others, which saves a query.
            rearrangement: learned order of the best; None for the visual order.
        """
        self.live, self._query = live, query
        self._required_id, self._rearrangement = required_product_id, rearrangement
        self._wanted = query.offset + query.limit
        # Asked once: comparing filters for each hit takes longer than all else here.
        self._is_filtered = query.filter != NO_FILTER
        self._needs_database = self._is_filtered and query.filter.needs_database
        self._selection = Selection(plan, query.stamp)
        target = max(
            self._wanted * _DIVERSITY_OVERSAMPLING if query.diversity else self._wanted,
            self._selection.pool(self._wanted),
        )
        self._target = target if rearrangement is None else max(target, POOL)
        # Diversity and the learned order choose among all candidates; what rules move is often settled before.
        self._needs_all = bool(query.diversity) or rearrangement is not None
        self._deciding = self._target if self._needs_all else self._selection.deciding(self._wanted)
        self._excluded = frozenset(excluded_ids)
        self._pages = _IndexQuery(live, query, plan, excluded_ids, self._deciding)
        self._read_vectors = VectorReader(live)
        self._photos = [*vectors]
        self._weighing = Weighing(live, [*vectors.values()], query.weights, self._read_vectors)
        # In the form of the index, in which higher is nearer.
        self._min_score, self._max_score = (
            None if score is None else self._weighing.score_of(score) for score in (query.min_score, query.max_score)
        )
        self._min_confidence = _min_confidence(query, plan)

    def asked(self) -> Sought:
        """What the index is asked next."""
        return Sought(
            self._weighing.asked,
            self._pages.filter,
            self._pages.limit,
            self._read_vectors,
            self._min_score,
            with_vectors=self._query.diversity > 0,
            breadth=self._weighing.breadth,
        )

    def products_of(self, hits: Sequence[Hit]) -> set[int]:
        """The products whose cards are needed for hits of the index."""
        required = () if self._required_id is None else (self._required_id,)
        return {*(hit.product_id for hit in hits), *self._selection.pinned_ids, *required}

    def results(
        self, found: Sequence[Hit] | None = None, read: Mapping[int, ProductCard | None] = NOTHING_READ
    ) -> list[Recommendation]:
        """What is recommended.

        Args:
            found: what the index has answered to `asked`; None if it was not asked yet.
            read: cards that were read, None for products that may not be shown.

        Returns:
            Recommendations, best first.

        Raises:
            ProductNotFound: the required product is not visible.
        """
        live, query, selection, weighing, pages = self.live, self._query, self._selection, self._weighing, self._pages
        wanted, target, excluded, plan = self._wanted, self._target, self._excluded, self._selection.plan
        cards: dict[int, ProductCard] = {plan.product.card.id: plan.product.card} if plan.product else {}
        looked_up: set[int] = {*cards}
        unmet: set[int] = set()
        # Of brands of which no more may be shown, so that the index is not asked for them again.
        held: list[Hit] = []

        def card_of(hit: Hit) -> ProductCard:
            return cards[hit.product_id]

        while True:
            with query_stage("retrieve"):
                hits, found = found if found is not None else nearest_products(live.index, [self.asked()])[0], None
            new = ({hit.product_id for hit in hits} | selection.pinned_ids) - looked_up
            if self._required_id is not None:
                new |= {self._required_id} - looked_up
            with query_stage("hydrate"):
                cards |= _cards(new, read, query.stamp)
                looked_up |= new
                unmet |= ids_not_matching(new & cards.keys(), query.filter) if self._needs_database else set()
                selection.look_up(new & cards.keys())
            if self._required_id is not None and self._required_id not in cards:
                raise ProductNotFound(self._required_id)
            with query_stage("filter"):
                unsure = (
                    set() if self._min_confidence is None else _below_confidence(weighing, hits, self._min_confidence)
                )
                refused = excluded | unmet
                place_pins(selection, cards, query, refused)
                pinned_families = selection.pinned_families
                confirmed = (
                    hit
                    for hit in (best_first([*held, *hits]) if held else hits)
                    if (card := cards.get(hit.product_id)) is not None
                    and card.id not in refused
                    and (self._max_score is None or hit.score <= self._max_score)
                    and not (self._is_filtered and not query.filter.matches(card))
                    and hit.id not in unsure
                    and selection.admits(card)
                    and card.family not in pinned_families
                )
                of_families = deduplicate_families(confirmed, cards)
                # The rest is looked at where these do not decide.
                first = [*islice(of_families, self._deciding)]
                accepted, full = self._distinguished(first, card_of)
                settled = self._is_settled(accepted, card_of)
                if not settled and (rest := [*of_families]):
                    accepted, full = self._distinguished([*first, *rest], card_of)
                    settled = self._is_settled(accepted, card_of)
            pages.learn(accepted, hits)
            if settled or pages.is_exhausted(hits) or _all_below(weighing, hits, self._min_confidence):
                break
            leaves_out = pages.ask_for_more(len(accepted), full)
            held = [hit for hit in accepted if card_of(hit).brand in leaves_out]
        with query_stage("rerank"):
            if self._rearrangement is not None:
                accepted = _rearranged(self._rearrangement, weighing, accepted[:target])
            # The target number and no more, so that results do not depend on how often the index was queried.
            ordered = selection.moved(accepted[:target], card_of)
            if query.diversity:
                ordered = _in_order(ordered, accepted)
            chosen = diversify(ordered, limit=wanted, diversity=query.diversity, distance=live.index.distance)
        shown = _Shown(weighing, self._photos, cards, {hit.product_id: hit for hit in (*hits, *accepted)})
        shown.look_up([*(hit.product_id for hit in chosen), *(card.id for card in selection.pins.values())])
        results = with_pins([shown.recommendation(hit.product_id) for hit in chosen], selection, shown.recommendation)
        product = cards[self._required_id] if self._required_id is not None else plan.product and plan.product.card
        category = product.category if product else ""
        return filled(live, results[:wanted], query, selection, excluded, category)[query.offset :]

    def _distinguished(self, hits: Sequence[Hit], card_of: Callable[[Hit], ProductCard]) -> tuple[list[Hit], set[str]]:
        """One hit of each picture and so many of a brand as may be shown, and the brands of which no more may be."""
        found = deduplicate_pictures(hits, self.live.index.distance, self._target, self._read_vectors)
        return self._selection.capped(found, card_of)

    def _is_settled(self, accepted: Sequence[Hit], card_of: Callable[[Hit], ProductCard]) -> bool:
        """Whether more hits behind the accepted ones would change nothing."""
        if self._needs_all or len(accepted) >= self._target:
            return len(accepted) >= self._target
        return self._selection.is_settled(accepted, self._wanted, card_of)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is needed to show candidates. hits: the best of each product, by its id. confidences: by point id."""

    weighing: Weighing
    photos: Sequence[int | None]
    cards: Mapping[int, ProductCard]
    hits: Mapping[int, Hit]
    confidences: dict[int, float | None] = field(default_factory=dict)

    def look_up(self, product_ids: Iterable[int]) -> None:
        """Find the confidence of products that are shown, at once."""
        hits = [hit for hit in map(self.hits.get, product_ids) if hit is not None]
        self.confidences.update(zip((hit.id for hit in hits), self.weighing.confidences(hits), strict=True))

    def recommendation(self, product_id: int) -> Recommendation:
        """The recommendation of a product; without a score if it is not among the hits."""
        card, hit = self.cards[product_id], self.hits.get(product_id)
        if hit is None:
            return Recommendation(card, None)
        score = self.weighing.shown(hit.score)
        return Recommendation(card, score, self.confidences[hit.id], hit.id, self.photos[hit.example])


def with_pins(
    results: Sequence[Recommendation], selection: Selection, recommendation: Callable[[int], Recommendation]
) -> list[Recommendation]:
    """The results with pinned products at their places."""
    return pinned(results, {place: recommendation(card.id) for place, card in selection.pins.items()})


def filled(
    live: LiveCollection,
    results: Sequence[Recommendation],
    query: SearchQuery,
    selection: Selection,
    excluded_ids: Collection[int],
    category: str,
) -> list[Recommendation]:
    """The results, and if they are too few, what a rule fills them up with. category: of the product; "" for none."""
    wanted, fill = query.offset + query.limit, selection.plan.fill
    if fill is None or fill.source is Source.NOTHING or len(results) >= min(fill.fewer_than or wanted, wanted):
        return [*results]
    shown = [result.product for result in results]
    excluded = {*excluded_ids, *(card.id for card in shown)}
    covered = covered_by(live.collection_id) & selection.plan.q()

    def newest(limit: int) -> Sequence[ProductCard]:
        return newest_in_category(category, covered, query.filter, limit=limit, excluded_ids=excluded)

    def sold(limit: int) -> Sequence[ProductCard]:
        return bestsellers(covered, query.filter, limit=limit, excluded_ids=excluded)

    with query_stage("hydrate"):
        read = sold if fill.source is Source.BESTSELLERS else newest
        cards = selection.admitted(read, wanted - len(results), shown)
    return [*results, *(Recommendation(card, None) for card in cards)]


class _IndexQuery:
    """What the index is asked for: which points, and how many."""

    def __init__(
        self, live: LiveCollection, query: SearchQuery, plan: Plan, excluded_ids: Collection[int], target: int
    ) -> None:
        """The first query of an answer; target: how many products it needs."""
        self._live, self._query, self._plan, self._excluded_ids = live, query, plan, excluded_ids
        self._target = target
        self._is_wider = False
        # The index is twice as fast without conditions. Excluded products are then dropped afterwards, inactive ones because the
        # database does not return them, and what rules leave out if most of the nearest stay.
        if query.filter == NO_FILTER and plan.mild and len(excluded_ids) <= _MAX_POST_FILTERED:
            self.filter = UNFILTERED
            oversampling = _ESTIMATE_MARGIN / plan.share.value if plan.filters else 1
            self.limit = max(math.ceil(oversampling * target), target + _EXTRA_CANDIDATES) + len(excluded_ids)
        elif len(excluded_ids) <= _MAX_POST_FILTERED:
            # Each condition is one more check of every point that is compared, and those on nearly all points hide next to none.
            self.filter = to_index_filter(query.filter, (), {"active", *missing_fields(live)}, further=plan.filters)
            self.limit = target + _EXTRA_CANDIDATES + len(excluded_ids)
        else:
            self.filter = self._conditions()
            self.limit = target + _EXTRA_CANDIDATES

    def is_exhausted(self, hits: Sequence[Hit]) -> bool:
        """Whether another query could bring no more than these hits."""
        return len(hits) < self.limit or self.limit >= _MAX_CANDIDATES

    def learn(self, accepted: Sequence[Hit], hits: Sequence[Hit]) -> None:
        """Note how much of what the first query found was accepted, if rules alone left something out of it."""
        if self.filter is UNFILTERED and self._plan.filters and not self._is_wider and hits:
            looked_at = [hit.id for hit in hits].index(accepted[-1].id) + 1 if accepted else len(hits)
            self._plan.share.learn(len(accepted), looked_at)

    def ask_for_more(self, accepted: int, full: Collection[str]) -> Collection[str]:
        """Prepare the next query.

        Args:
            accepted: how many hits were accepted.
            full: brands of which no more may be shown.

        Returns:
            Those of the brands that it leaves out.
        """
        few_are_missing = 2 * accepted >= self._target and 2 * self.limit < _MAX_CANDIDATES
        if self.filter is UNFILTERED and self._plan.filters and few_are_missing and not self._is_wider:
            # Conditions would cost more than what they leave out.
            self._is_wider = True
            self.limit *= 2
            return ()
        if self.filter is UNFILTERED and self._plan.filters:
            self.limit, self.filter = self._target + _EXTRA_CANDIDATES, self._conditions()
        else:
            self.limit = _more_candidates(self.limit, accepted, self._target)
            if self.filter is not UNFILTERED:
                self.filter = self._conditions()
        if full:
            self.filter = self._conditions(ProductFilter(not_brand=tuple(sorted(full))))
        return full

    def _conditions(self, *further: ProductFilter) -> Filter:
        missing = missing_fields(self._live)
        return to_index_filter(self._query.filter, self._excluded_ids, missing, further=(*self._plan.filters, *further))


def _cards(
    product_ids: Iterable[int], read: Mapping[int, ProductCard | None], stamp: int | None
) -> dict[int, ProductCard]:
    """The cards of products, of those that may be shown. read: cards that were read, see `_Search.results`."""
    unread = [each for each in product_ids if each not in read] if read else [*product_ids]
    cards = visible_cards(unread, stamp) if unread else {}
    return cards | {each: card for each in product_ids if (card := read.get(each)) is not None} if read else cards


def _rearranged(rearrangement: Rearrangement, weighing: Weighing, hits: Sequence[Hit]) -> list[Hit]:
    order = rearrangement.order([hit.product_id for hit in hits], weighing.confidences(hits))
    return [hits[position] for position in order]


def _more_candidates(candidates: int, accepted: int, target: int) -> int:
    """How many candidates to query for next, if the further ones are accepted as often as those before."""
    estimate = math.ceil(_ESTIMATE_MARGIN * candidates * target / max(accepted, 1))
    return min(max(estimate, 2 * candidates), _MAX_GROWTH * candidates, _MAX_CANDIDATES)


def _min_confidence(query: SearchQuery, plan: Plan) -> float | None:
    """The lowest confidence by query and rules."""
    floors = [query.min_confidence, plan.floor.min_confidence if plan.floor else None]
    return max((floor for floor in floors if floor is not None), default=None)


def _below_confidence(weighing: Weighing, hits: Sequence[Hit], min_confidence: float) -> set[int]:
    """Point ids of the hits that are below it; where nothing is known of confidence, none."""
    known = zip(hits, weighing.confidences(hits), strict=True)
    return {hit.id for hit, confidence in known if confidence is not None and confidence < min_confidence}


def _all_below(weighing: Weighing, hits: Sequence[Hit], min_confidence: float | None) -> bool:
    """Whether no hit behind these would meet the minimum confidence, or so many were looked through that the search ends."""
    if min_confidence is None or not hits:
        return False
    highest = weighing.highest_confidence(hits[-1].score)
    below = highest is not None and highest < min_confidence
    return below or (weighing.is_mixed and len(hits) >= _MAX_LOOKED_THROUGH)


def place_pins(
    selection: Selection, cards: Mapping[int, ProductCard], query: SearchQuery, refused_ids: Collection[int]
) -> None:
    """Give places to the pins that filters and rules admit."""
    if not selection.plan.pins:
        return
    selection.place_pins(
        cards,
        lambda card: card.id not in refused_ids and query.filter.matches(card) and selection.admits(card),
    )


def _in_order(ordered: Sequence[Hit], nearest: Sequence[Hit]) -> list[Hit]:
    """Hits in the order that rules gave them, each with the score of the place that it has now: re-ranking goes by scores."""
    return [
        hit if hit is before else hit._replace(score=before.score)
        for hit, before in zip(ordered, nearest, strict=False)
    ]
