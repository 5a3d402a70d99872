"""A search for one answer: what the index finds, the products that the database confirms, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from catalog.cards import ProductCard, visible_cards
from catalog.errors import ProductNotFound
from catalog.filters import NO_FILTER
from catalog.selectors import ids_not_matching
from embeddings.selectors import LiveCollection, covered_by
from embeddings.vector_index.base import Hit, Vector
from embeddings.vector_index.scoring import best_first
from recommender.fallback import bestsellers, newest_in_category
from recommender.filtering import deduplicate_families, deduplicate_pictures
from recommender.index_query import IndexQuery
from recommender.learning.serving import POOL, Rearrangement
from recommender.metrics import query_stage
from recommender.queries import Recommendation, SearchQuery
from recommender.reranking import diversify
from recommender.retrieval import Sought, nearest_products
from recommender.rules.plan import Plan, Source
from recommender.rules.selection import Selection
from recommender.rules.stages import pinned
from recommender.selectors import VectorReader
from recommender.weighing import Weighing

NOTHING_READ: Mapping[int, ProductCard | None] = {}
# Re-ranking chooses among this many times the products that are returned.
_DIVERSITY_OVERSAMPLING = 4
# Where colour and pattern count, those of the minimum confidence are looked for among so many of the nearest.
_MAX_LOOKED_THROUGH = 1000


class ProductSearch:
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
        self._pages = IndexQuery(live, query, plan, excluded_ids, self._deciding)
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
                cards |= cards_of(new, read, query.stamp)
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


def cards_of(
    product_ids: Iterable[int], read: Mapping[int, ProductCard | None], stamp: int | None
) -> dict[int, ProductCard]:
    """The cards of products, of those that may be shown. read: cards that were read, see `ProductSearch.results`."""
    unread = [each for each in product_ids if each not in read] if read else [*product_ids]
    cards = visible_cards(unread, stamp) if unread else {}
    return cards | {each: card for each in product_ids if (card := read.get(each)) is not None} if read else cards


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
        return newest_in_category(
            category, covered, query.filter, limit=limit, excluded_ids=excluded, stamp=query.stamp
        )

    def sold(limit: int) -> Sequence[ProductCard]:
        return bestsellers(covered, query.filter, limit=limit, excluded_ids=excluded)

    with query_stage("hydrate"):
        read = sold if fill.source is Source.BESTSELLERS else newest
        cards = selection.admitted(read, wanted - len(results), shown)
    return [*results, *(Recommendation(card, None) for card in cards)]


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


def _rearranged(rearrangement: Rearrangement, weighing: Weighing, hits: Sequence[Hit]) -> list[Hit]:
    order = rearrangement.order([hit.product_id for hit in hits], weighing.confidences(hits))
    return [hits[position] for position in order]


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


def _in_order(ordered: Sequence[Hit], nearest: Sequence[Hit]) -> list[Hit]:
    """Hits in the order that rules gave them, each with the score of the place that it has now: re-ranking goes by scores."""
    return [
        hit if hit is before else hit._replace(score=before.score)
        for hit, before in zip(ordered, nearest, strict=False)
    ]
