"""The query pipeline: every recommendation beside a product, or for a photo, is made here.

Where its neighbours are known they are the answer; else a search finds it (see `recommender.product_search`), and where there is no
vector or no index, the fallback.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from catalog.cards import ProductCard, visible_cards
from catalog.errors import ProductNotFound
from catalog.filters import NO_FILTER
from catalog.selectors import ids_not_matching, merge_target, stored_product
from embeddings.errors import CollectionNotFound, IndexUnavailable
from embeddings.selectors import LiveCollection, covered_by, live_collection
from embeddings.vector_index.base import Hit, Vector
from recommender.fallback import newest_in_category, popular_in_category
from recommender.index_query import EXTRA_CANDIDATES
from recommender.learning.serving import Plan as Served
from recommender.learning.serving import Rearrangement, plan_for
from recommender.metrics import query_stage
from recommender.neighbours import NEIGHBOURS, Neighbour, Neighbours, neighbours_of_each
from recommender.product_search import NOTHING_READ, ProductSearch, cards_of, filled, place_pins, with_pins
from recommender.queries import Recommendation, Recommendations, SearchQuery, SimilarQuery
from recommender.retrieval import nearest_products
from recommender.rules.book import plan_beside
from recommender.rules.errors import UnknownRuleSet
from recommender.rules.explanation import Answered, explain
from recommender.rules.plan import NO_RULES, Plan
from recommender.rules.selection import Selection
from recommender.selectors import Start, beside, beside_each, read_vectors, vectors_of
from recommender.weighing import shown_of_one

# The index does not answer, or has not been built; what else is wrong with it is an error.
_INDEX_AWAY = (IndexUnavailable, CollectionNotFound)


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
    read_vectors(live, [own.start for own, _ in planned.values() if own.start.photos])
    searches = {each: own.search(plan) for each, (own, plan) in planned.items() if own.start.vectors}
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
        asked = [own for own in asked if own.product_id in found]
        needed = {each for own in asked for each in own.first_needed(found[own.product_id])}
        cards = visible_cards(needed, query.stamp)
    read = {each: cards.get(each) for each in needed}
    for own in asked:
        try:
            yield own.product_id, own.near(found[own.product_id], read)
        except ProductNotFound as error:
            yield own.product_id, error


def _found_together(
    live: LiveCollection, searches: Mapping[int, ProductSearch], query: SimilarQuery
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
    """What is recommended beside a product. start: of its searches. The others: see `ProductSearch`."""

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
        if not self.start.photos:
            return self._fallback(plan)
        try:
            results = None
            if self.may_be_near(plan):
                with query_stage("retrieve"):
                    asked = {self.product_id: self.start}
                    neighbours = neighbours_of_each(self.live, asked, self.query.weights).get(self.product_id)
                results = None if neighbours is None else self.near(neighbours)
            if results is None:
                if not self.start.vectors:
                    return self._fallback(plan)
                results = self.search(plan).results()
            return _answered(self.live, self.query, results)
        except _INDEX_AWAY:
            if not self.query.fallback:
                raise
            return self.while_index_is_away(plan)

    def may_be_near(self, plan: Plan) -> bool:
        """Whether its neighbours may be all that the answer is made of: nothing is filtered, and nothing changes their order."""
        query = self.query
        most = query.offset + query.limit + len(self.start.excluded) + 1
        return (
            bool(self.start.photos)
            and most <= NEIGHBOURS
            and self.rearrangement is None
            and not plan.rules
            and not query.diversity
            and (query.min_score, query.max_score, query.min_confidence) == (None, None, None)
            and query.filter == NO_FILTER
        )

    def first_needed(self, neighbours: Neighbours) -> list[int]:
        """The products whose cards are enough, as a rule, for `near`."""
        most = self.query.offset + self.query.limit + len(self.start.excluded) + 1 + EXTRA_CANDIDATES
        return [self.product_id, *(each.product_id for each in neighbours.each[:most])]

    def near(
        self, neighbours: Neighbours, read: Mapping[int, ProductCard | None] = NOTHING_READ
    ) -> list[Recommendation] | None:
        """The results, of its neighbours: the same as those of a search that finds these.

        Args:
            neighbours: of the product.
            read: as in `ProductSearch.results`.

        Returns:
            Recommendations, best first; None where the neighbours that may be shown are too few, and there are others.

        Raises:
            ProductNotFound: the product is not visible.
        """
        wanted, excluded = self.query.offset + self.query.limit, self.excluded_ids
        needed = self.first_needed(neighbours)
        with query_stage("hydrate"):
            cards = cards_of(needed, read, self.query.stamp)
        if self.product_id not in cards:
            raise ProductNotFound(self.product_id)
        families: set[int] = set()
        places: set[int] = set()
        chosen: list[tuple[ProductCard, Neighbour]] = []
        for place, each in enumerate(neighbours.each):
            if place == len(needed) - 1:
                with query_stage("hydrate"):
                    cards |= cards_of([each.product_id for each in neighbours.each[place:]], read, self.query.stamp)
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
                each.query_image,
            )
            for card, each in chosen[self.query.offset :]
        ]

    def search(self, plan: Plan) -> ProductSearch:
        """The search of the index for it."""
        return ProductSearch(
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
                results = ProductSearch(live, vectors, query, plan, excluded_ids={product_id}).results()
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
        return _answered(live, query, ProductSearch(live, {None: vector}, query, plan, excluded_ids=()).results())

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
        return choose(category, covered, query.filter, limit=limit, excluded_ids=excluded_ids, stamp=query.stamp)

    cards = selection.moved(selection.admitted(of_category, selection.pool(wanted)), lambda card: card)
    results = [Recommendation(card, None) for card in cards[:wanted]]
    arranged = with_pins(results, selection, lambda product_id: Recommendation(pins[product_id], None))
    shown = filled(live, arranged[:wanted], query, selection, excluded_ids, category)
    return Recommendations(live.slug, live.label, shown[query.offset : wanted], fallback=True)
