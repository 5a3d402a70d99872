"""A plan at work on the candidates of one answer: which are admitted, which are one too many, who moves, who has a fixed place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from catalog.cards import ProductCard
from recommender.rules.details import NO_DETAILS, Details, details_of
from recommender.rules.plan import Plan
from recommender.rules.stages import MOVED_TOGETHER, at_most, is_settled, moved

Item = TypeVar("Item")
CardOf = Callable[[Item], ProductCard]


class Selection:
    """What the rules of a plan say about candidates, as they become known."""

    def __init__(self, plan: Plan, stamp: int | None = None) -> None:
        """What the rules of a plan say. stamp: of the catalogue, see `catalog.kept`."""
        self.plan = plan
        self._stamp = stamp
        self.pins: dict[int, ProductCard] = {}
        self._details: dict[int, Details] = {}
        self._places: dict[int, int] = {}

    @property
    def pinned_ids(self) -> set[int]:
        """The products that have a fixed place, whether they may be shown or not."""
        return {pin.product_id for pin in self.plan.pins}

    @property
    def pinned_families(self) -> set[int]:
        """The families of those that are shown."""
        return {card.family for card in self.pins.values()}

    def pool(self, wanted: int) -> int:
        """How many candidates an answer is made of; wanted: how many it has."""
        return -(-wanted // MOVED_TOGETHER) * MOVED_TOGETHER if self.plan.moves else wanted

    def deciding(self, wanted: int) -> int:
        """How many of the pool decide which are the first, as a rule; see `is_settled`."""
        return min(self.pool(wanted), wanted + self.plan.earliest)

    def is_settled(self, items: Sequence[Item], wanted: int, card_of: CardOf[Item]) -> bool:
        """Whether more candidates behind these would leave the first ones in their places."""
        if not self.plan.moves or len(items) < wanted:
            return len(items) >= wanted
        return is_settled(self._places_of(items, card_of), wanted, self.plan.earliest)

    def look_up(self, product_ids: Collection[int]) -> None:
        """Read the details of candidates, if the checks need them."""
        if self.plan.checks_need_details:
            self._details |= details_of(product_ids, self._stamp)

    def admits(self, card: ProductCard) -> bool:
        """Whether a candidate that was looked up may be shown."""
        return self.plan.admits(card, self._details.get(card.id, NO_DETAILS))

    def place_pins(self, cards: Mapping[int, ProductCard], may_be_shown: Callable[[ProductCard], bool]) -> None:
        """Give pins their places, narrower scopes first; of one family the first.

        Args:
            cards: by product id, of the pins among them.
            may_be_shown: whether filters and rules admit a product.
        """
        self.pins = {}
        rules = [*dict.fromkeys(pin.rule for pin in self.plan.pins)]
        for pin in [pin for rule in rules[::-1] for pin in self.plan.pins if pin.rule == rule]:
            card = cards.get(pin.product_id)
            if card is None or card.family in self.pinned_families or not may_be_shown(card):
                continue
            place = pin.place
            while place in self.pins:
                place += 1
            self.pins[place] = card

    def capped(self, items: Iterable[Item], card_of: CardOf[Item]) -> tuple[list[Item], set[str]]:
        """What is left of each brand, and the brands of which no more may be shown; pins are counted first."""
        if self.plan.cap is None:
            return [*items], set()
        shown = [card.brand for card in self.pins.values()]
        return at_most(items, lambda item: card_of(item).brand, self.plan.cap.number, shown)

    def moved(self, items: Sequence[Item], card_of: CardOf[Item]) -> list[Item]:
        """The items, nearest first, in the order in which boosts and buries put them."""
        if not self.plan.moves:
            return [*items]
        return moved(items, self._places_of(items, card_of))

    def _places_of(self, items: Sequence[Item], card_of: CardOf[Item]) -> list[int]:
        """How many places earlier each item comes."""
        cards = [card_of(item) for item in items]
        # Those that are checked were looked up.
        if self.plan.moves_need_details and not self.plan.checks_need_details:
            self._details |= details_of({card.id for card in cards} - self._details.keys(), self._stamp)
        found = []
        for card in cards:
            places = self._places.get(card.id)
            if places is None:
                places = self._places[card.id] = self.plan.places(card, self._details.get(card.id, NO_DETAILS))
            found.append(places)
        return found

    def admitted(
        self, read: Callable[[int], Sequence[ProductCard]], wanted: int, shown: Iterable[ProductCard] = ()
    ) -> list[ProductCard]:
        """The first of a list of cards that rules admit.

        Args:
            read: gives the first so many cards of the list.
            wanted: how many are returned, if there are as many.
            shown: cards that are in the answer already; of their families there is no other.

        Returns:
            Cards, one of each family.
        """
        shown = [*shown]
        limit = wanted
        while True:
            cards = read(limit)
            self.look_up([card.id for card in cards if card.id not in self._details])
            families = {card.family for card in shown} | self.pinned_families
            kept = [card for card in cards if card.family not in families and self.admits(card)]
            if self.plan.cap is not None:
                brands = [card.brand for card in (*shown, *self.pins.values())]
                kept, _ = at_most(kept, lambda card: card.brand, self.plan.cap.number, brands)
            if len(kept) >= wanted or len(cards) < limit:
                return kept[:wanted]
            limit *= 4
