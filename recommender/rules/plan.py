"""What the rules of a query come to: conditions for the index, checks after it, and steps that change the order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from django.db.models import Q

from catalog.cards import ProductCard
from catalog.filters import ProductFilter
from recommender.rules.details import Details, Facts

Check = Callable[[ProductCard, Details], bool]

_LEARNING_RATE = 0.05
# Where less is left, conditions of the index query take less time.
_LEAST_SHARE = 0.4


class Place(StrEnum):
    """Where a rule is applied."""

    INDEX = "index"
    AFTER = "after"


class Source(StrEnum):
    """What fills an answer that has too few products."""

    CATEGORY = "category"
    BESTSELLERS = "bestsellers"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RuleKey:
    """A rule in plans and explanations: its row, kind, scope and target."""

    id: int
    kind: str
    scope: str
    target: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A condition that every product has to meet. admits: whether it does."""

    rule: RuleKey
    admits: Check
    needs_details: bool


@dataclass(frozen=True, slots=True)
class Pin:
    """A product at a fixed place. place: from 1."""

    rule: RuleKey
    product_id: int
    place: int


@dataclass(frozen=True, slots=True)
class Move:
    """Products that come some places earlier, or later where `places` is negative."""

    rule: RuleKey
    concerns: Check
    places: int
    needs_details: bool


@dataclass(frozen=True, slots=True)
class Cap:
    """How many products of one brand an answer may have."""

    rule: RuleKey
    number: int


@dataclass(frozen=True, slots=True)
class Floor:
    """The lowest confidence of a result, 0 to 1."""

    rule: RuleKey
    min_confidence: float


@dataclass(frozen=True, slots=True)
class Fill:
    """What comes into an answer with fewer products than `fewer_than`; None: than were asked for."""

    rule: RuleKey
    source: Source
    fewer_than: int | None


@dataclass(slots=True)
class Share:
    """How much of the nearest some conditions leave, as a moving average of the answers so far: so many more are asked for."""

    value: float = 0.75

    def learn(self, left: int, found: int) -> None:
        """Take an answer into account, in which so many of those found were left."""
        self.value += _LEARNING_RATE * (max(left / found, _LEAST_SHARE) - self.value)


@dataclass(frozen=True, slots=True)
class Plan:
    """The rules of one query.

    Attributes:
        rule_set: name of the set; "" without one.
        product: the product of the query; None after a search by photo, or where no rule asks for it.
        rules: those that apply, each with where; in no order.
        order: of the rules, from the widest scope to the narrowest.
        filters: for the index and for SQL; all have to be met. What they leave out, `refusals` refuse, too.
        mild: whether most of the nearest meet the filters, as a rule, so that they may be met by chance.
        checks_need_details: whether `admits` has to know a candidate's details.
        moves_need_details: whether the order depends on details.
        earliest: how many places earlier all moves together bring a product at most.
        share: how much of the nearest `refusals` leave.
    """

    rule_set: str = ""
    product: Facts | None = None
    rules: Sequence[tuple[RuleKey, Place]] = ()
    order: Sequence[RuleKey] = ()
    filters: Sequence[ProductFilter] = ()
    refusals: Sequence[Refusal] = ()
    pins: Sequence[Pin] = ()
    moves: Sequence[Move] = ()
    cap: Cap | None = None
    floor: Floor | None = None
    fill: Fill | None = None
    mild: bool = True
    checks_need_details: bool = False
    moves_need_details: bool = False
    earliest: int = 0
    share: Share = field(default_factory=Share, compare=False)

    def admits(self, card: ProductCard, details: Details) -> bool:
        """Whether a product may be shown."""
        for refusal in self.refusals:  # noqa: SIM110  # in every answer for every candidate: twice as fast as all()
            if not refusal.admits(card, details):
                return False
        return True

    def places(self, card: ProductCard, details: Details) -> int:
        """How many places earlier a product comes by all moves together; negative: later."""
        places = 0
        for move in self.moves:  # as in `admits`
            if move.concerns(card, details):
                places += move.places
        return places

    def q(self) -> Q:
        """The filters in SQL."""
        return Q(*(each.q() for each in self.filters))


NO_RULES = Plan()


@dataclass(slots=True)
class Draft:
    """A plan while rules are added to it.

    Attributes:
        product: see Plan.
        ids: of the products that rules name, by SKU; without those that are gone.
        values: those that the attributes of walls have, as far as they are known.
    """

    product: Facts | None
    ids: Mapping[str, int]
    values: Mapping[str, Sequence[str]]
    pins: list[Pin] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    cap: Cap | None = None
    floor: Floor | None = None
    fill: Fill | None = None
    _refusals: list[Refusal] = field(default_factory=list)
    _filters: list[ProductFilter] = field(default_factory=list)
    _places: list[tuple[RuleKey, Place]] = field(default_factory=list)
    _mild: bool = True

    def beside(self, product: Facts | None) -> Draft:
        """A draft with the same rules, to which those are added that compare with a product."""
        return replace(
            self,
            product=product,
            pins=[*self.pins],
            moves=[*self.moves],
            _refusals=[*self._refusals],
            _filters=[*self._filters],
            _places=[*self._places],
        )

    def leave_out(
        self,
        rule: RuleKey,
        admits: Check,
        *,
        filters: ProductFilter | None = None,
        needs_details: bool = False,
        mild: bool = True,
    ) -> None:
        """Add a condition.

        Args:
            rule: its rule.
            admits: whether a product meets it.
            filters: as much of it as the index can check.
            needs_details: whether `admits` asks for details.
            mild: whether most of what is similar meets it.
        """
        self._refusals.append(Refusal(rule, admits, needs_details))
        if filters is not None:
            self._filters.append(filters)
        self._places.append((rule, Place.AFTER if filters is None else Place.INDEX))
        self._mild = self._mild and mild

    def after(self, rule: RuleKey) -> None:
        """Note that a rule is applied after the query."""
        self._places.append((rule, Place.AFTER))

    def plan(self, rule_set: str, order: Sequence[RuleKey], shares: dict[tuple[int, ...], Share]) -> Plan:
        """The plan of all rules that were added.

        Args:
            rule_set: name of their set.
            order: the rules, from the widest scope to the narrowest.
            shares: by the rules that leave something out; that of this plan is added.

        Returns:
            The plan.
        """
        return Plan(
            rule_set,
            self.product,
            self._places,
            order,
            self._filters,
            self._refusals,
            self.pins,
            self.moves,
            self.cap,
            self.floor,
            self.fill,
            self._mild,
            any(refusal.needs_details for refusal in self._refusals),
            any(move.needs_details for move in self.moves),
            sum(move.places for move in self.moves if move.places > 0),
            shares.setdefault(tuple(refusal.rule.id for refusal in self._refusals), Share()),
        )
