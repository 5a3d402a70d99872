"""Which rule did what to an answer: for `explain=true` and the admin's preview."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from catalog.cards import ProductCard
from recommender.models import Rule, RuleSet
from recommender.rules.details import NO_DETAILS, Details, details_of
from recommender.rules.plan import Place, Plan, RuleKey
from recommender.rules.services import names_of
from recommender.rules.targets import Named, lost_by_rule


@dataclass(frozen=True, slots=True)
class RuleEffect:
    """What one rule did.

    Attributes:
        rule: the rule.
        place: where it was applied; None for a rule that applied nowhere, since what it names is gone.
        products: ids of those that it pinned, moved, filled in, or left out of what the answer would be without rules.
        lost: what it names and nothing has.
    """

    rule: RuleKey
    place: Place | None
    products: Sequence[int]
    lost: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the rules did to an answer. rule_set: "" without one. rules: those that applied, then those that lost something."""

    rule_set: str
    rules: Sequence[RuleEffect]


@dataclass(frozen=True, slots=True)
class Answered:
    """A product of an answer. near: whether it is there because it looks similar; confidence: see Recommendation."""

    card: ProductCard
    near: bool
    confidence: float | None


def explain(plan: Plan, before: Sequence[Answered], after: Sequence[Answered]) -> Explanation:
    """Compare an answer with what it would be without rules.

    Args:
        plan: of the answer.
        before: the answer without rules.
        after: the answer.

    Returns:
        The effect of each rule.
    """
    lost = lost_of(plan.rule_set)
    shown = {each.card.id for each in after}
    details = details_of({each.card.id for each in (*before, *after)})
    gone = [each for each in before if each.card.id not in shown]
    places = dict(plan.rules)
    effects = [
        RuleEffect(rule, places[rule], _products(plan, rule, gone, after, details), [*map(str, lost.get(rule, ()))])
        for rule in plan.order
        if rule in places
    ]
    applied = {effect.rule for effect in effects}
    effects += [RuleEffect(rule, None, (), [*map(str, named)]) for rule, named in lost.items() if rule not in applied]
    return Explanation(plan.rule_set, effects)


def lost_of(rule_set: str) -> dict[RuleKey, list[Named]]:
    """What the active rules of a set name and nothing has, by rule; without rules that have lost nothing."""
    rules = [*Rule.objects.filter(rule_set__in=RuleSet.objects.filter(name=rule_set), active=True)]
    lost = lost_by_rule({rule.pk: names_of(rule) for rule in rules})
    return {RuleKey(rule.pk, rule.kind, rule.scope, rule.target): lost[rule.pk] for rule in rules if rule.pk in lost}


def _products(
    plan: Plan, rule: RuleKey, gone: Sequence[Answered], after: Sequence[Answered], details: Mapping[int, Details]
) -> list[int]:
    def known(each: Answered) -> Details:
        return details.get(each.card.id, NO_DETAILS)

    pinned = {pin.product_id: pin.rule for pin in plan.pins}
    found = [each for each in after if pinned.get(each.card.id) == rule]
    for refusal in plan.refusals:
        if refusal.rule == rule:
            found += [each for each in gone if not refusal.admits(each.card, known(each))]
    for move in plan.moves:
        if move.rule == rule:
            found += [each for each in after if each.near and move.concerns(each.card, known(each))]
    if plan.floor is not None and plan.floor.rule == rule:
        floor = plan.floor.min_confidence
        found += [each for each in gone if each.confidence is not None and each.confidence < floor]
    if plan.cap is not None and plan.cap.rule == rule:
        brands = [each.card.brand for each in after]
        full = {brand for brand in brands if brand and brands.count(brand) >= plan.cap.number}
        found += [each for each in gone if each.card.brand in full and plan.admits(each.card, known(each))]
    if plan.fill is not None and plan.fill.rule == rule:
        found += [each for each in after if not each.near and each.card.id not in pinned]
    return _ids(found)


def _ids(found: Collection[Answered]) -> list[int]:
    return [*dict.fromkeys(each.card.id for each in found)]
