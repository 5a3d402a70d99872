"""Writes of rules. Each surface has its own form of a rule; here they are checked and saved, and the process is notified."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from catalog.api.inputs import InvalidInput, read
from embeddings.models import Collection
from recommender.models import NOTE_LENGTH, RULE_SET_LENGTH, TARGET_LENGTH, Rule, RuleSet
from recommender.rules.book import forget_rules
from recommender.rules.errors import InvalidRule, UnknownRule, UnknownRuleSet
from recommender.rules.kinds import KINDS, RuleParameters
from recommender.rules.targets import Named, detail_of, lost, named_by
from rest.errors import ParameterError

MAX_RULES = 1000
# What makes up a rule, in the API and in files.
COLUMNS = ("kind", "scope", "target", "parameters", "active", "note")
_CONTROL = r"\x00-\x1f\x7f-\x9f"


class RuleValues(BaseModel):
    """A rule as clients and files write it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal[tuple(KINDS)] = Field(description="What it does.", examples=["hide"])  # type: ignore[valid-type]
    scope: Literal[tuple(Rule.Scope.values)] = Field(  # type: ignore[valid-type]
        default=Rule.Scope.EVERYWHERE.value, description="Beside which products it applies."
    )
    target: Annotated[str, StringConstraints(max_length=TARGET_LENGTH, pattern=rf"^[^{_CONTROL}]*$")] = Field(
        default="",
        description='Of the scope: slug of the collection, path of the category, or SKU; "" everywhere.',
    )
    parameters: dict[str, Any] = Field(default={}, description="As its kind has them.", examples=[{"brand": ["Acme"]}])
    active: bool = Field(default=True, description="Whether it applies, if its set is active.")
    note: Annotated[str, StringConstraints(max_length=NOTE_LENGTH, pattern=rf"^[^{_CONTROL}]*$")] = Field(
        default="", description="For people."
    )


class RuleSetValues(BaseModel):
    """A rule set as clients and files write it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, StringConstraints(max_length=RULE_SET_LENGTH, pattern=r"^[a-zA-Z0-9_-]+$")] = Field(
        description="Name.", examples=["summer"]
    )
    collection: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-zA-Z0-9_-]+$")] | None = Field(
        default=None, description="The collection that it is for; null: every one without an active set of its own."
    )
    active: bool = Field(
        default=False, description="Whether it is the one in force; the one that was in force before no longer is."
    )


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule that can be saved. lost: what it names and nothing has."""

    values: RuleValues
    parameters: dict[str, Any]
    lost: Sequence[Named]


def read_rule(document: Any, *, known: Iterable[Named] = (), may_be_lost: bool = False) -> CheckedRule:
    """Check a rule.

    Args:
        document: plain JSON, as RuleValues.
        known: names that the rule had before; they may be lost.
        may_be_lost: whether any name may be.

    Returns:
        The rule, with the parameters that are not their defaults.

    Raises:
        InvalidRule: with all that is wrong; a name that nothing has comes with the nearest ones.
    """
    values = _read(RuleValues, document)
    errors = []
    if (values.scope == Rule.Scope.EVERYWHERE) != (not values.target):
        needed = (
            "is not empty, but the scope is everywhere" if values.target else f"is missing: name the {values.scope}"
        )
        errors.append(ParameterError("target", needed))
    try:
        parameters: RuleParameters = read(KINDS[values.kind], values.parameters)
    except InvalidInput as error:
        raise InvalidRule([*errors, *map(_of_parameters, error.errors)]) from error
    if errors:
        raise InvalidRule(errors)
    gone = lost(named_by(values.scope, values.target, parameters))
    accepted = {(each.what, each.name) for each in known}
    if unknown := [each for each in gone if not may_be_lost and (each.what, each.name) not in accepted]:
        raise InvalidRule(ParameterError(each.member, detail_of(each)) for each in unknown)
    return CheckedRule(values, parameters.model_dump(mode="json", exclude_defaults=True), gone)


def find_set(name: str) -> RuleSet:
    """The rule set with this name.

    Args:
        name: any text.

    Returns:
        The set.

    Raises:
        UnknownRuleSet: there is none.
    """
    found = RuleSet.objects.select_related("collection").filter(name=name).first()
    if found is None:
        raise UnknownRuleSet(name, RuleSet.objects.values_list("name", flat=True))
    return found


def find_rule(rule_set: RuleSet, rule_id: int) -> Rule:
    """A rule of a set.

    Args:
        rule_set: the set.
        rule_id: any number.

    Returns:
        The rule.

    Raises:
        UnknownRule: the set has no such rule.
    """
    rule = rule_set.rules.filter(pk=rule_id).first() if rule_id < 2**63 else None
    if rule is None:
        raise UnknownRule(rule_set.name, rule_id)
    return rule


def names_of(rule: Rule) -> list[Named]:
    """What a rule names; nothing where its parameters are not those of its kind."""
    try:
        parameters: RuleParameters = read(KINDS[rule.kind], rule.parameters)
    except (InvalidInput, KeyError):
        return []
    return [*named_by(rule.scope, rule.target, parameters)]


@transaction.atomic
def save_rule(rule_set: RuleSet, document: Any, rule: Rule | None = None) -> Rule:
    """Create a rule at the end of its set, or change one.

    Args:
        rule_set: the set.
        document: plain JSON, as RuleValues.
        rule: the one to change; None for a new one.

    Returns:
        The rule.

    Raises:
        InvalidRule: with all that is wrong.
    """
    checked = read_rule(document, known=names_of(rule) if rule else ())
    if rule is None:
        count = RuleSet.objects.select_for_update().get(pk=rule_set.pk).rules.count()
        if count >= MAX_RULES:
            raise InvalidRule(
                [ParameterError("kind", f"would be one rule more than the {MAX_RULES:,} that a set may have")]
            )
        last = rule_set.rules.order_by("position").last()
        rule = Rule(rule_set=rule_set, position=last.position + 1 if last else 0)
    for name, value in columns_of(checked).items():
        setattr(rule, name, value)
    rule.save()
    announce()
    return rule


def delete_rule(rule: Rule) -> None:
    """Delete a rule."""
    rule.delete()
    announce()


@transaction.atomic
def save_set(document: Any, rule_set: RuleSet | None = None) -> RuleSet:
    """Create a rule set, or change one. The one that was active in its place no longer is.

    Args:
        document: plain JSON, as RuleSetValues.
        rule_set: the one to change; None for a new one.

    Returns:
        The set.

    Raises:
        InvalidRule: with all that is wrong.
    """
    values = read_set(document)
    if (rule_set is None or rule_set.name != values.name) and RuleSet.objects.filter(name=values.name).exists():
        raise InvalidRule([ParameterError("name", f"is taken: there is a rule set {values.name!r}")])
    changed = rule_set or RuleSet()
    changed.name, changed.active, changed.collection = values.name, values.active, find_collection(values.collection)
    if changed.active:
        make_room_for(changed)
    changed.save()
    announce()
    return changed


def read_set(document: Any) -> RuleSetValues:
    """Check a rule set without its rules.

    Args:
        document: plain JSON, as RuleSetValues.

    Returns:
        The values.

    Raises:
        InvalidRule: with all that is wrong.
    """
    values: RuleSetValues = _read(RuleSetValues, document)
    return values


def make_room_for(rule_set: RuleSet) -> None:
    """Make inactive what is active in the place of a set that becomes active."""
    others = RuleSet.objects.filter(collection=rule_set.collection, active=True).exclude(pk=rule_set.pk)
    others.update(active=False, changed_at=timezone.now())


def delete_set(rule_set: RuleSet) -> None:
    """Delete a rule set with its rules."""
    rule_set.delete()
    announce()


def _read(model: type[Any], document: Any) -> Any:
    try:
        return read(model, document)
    except InvalidInput as error:
        raise InvalidRule(error.errors) from error


def _of_parameters(error: ParameterError) -> ParameterError:
    name = "parameters" if error.parameter == "document" else f"parameters.{error.parameter}"
    return ParameterError(name, error.detail)


def find_collection(slug: str | None) -> Collection | None:
    """A collection by its slug; None for None. Raises InvalidRule."""
    if slug is None:
        return None
    found = Collection.objects.filter(slug=slug).first()
    if found is None:
        raise InvalidRule([ParameterError("collection", detail_of(Named("collection", "collection", slug)))])
    return found


def columns_of(checked: CheckedRule) -> dict[str, Any]:
    """The columns of Rule."""
    return {**checked.values.model_dump(), "parameters": checked.parameters}


def announce() -> None:
    """This process reads the rules again, also after the commit; others within a second."""
    forget_rules()
    transaction.on_commit(forget_rules)
