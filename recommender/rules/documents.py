"""Rules in a file under version control: what is exported, imported again, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from recommender.models import Rule, RuleSet
from recommender.rules.errors import InvalidRule
from recommender.rules.services import (
    COLUMNS,
    MAX_RULES,
    CheckedRule,
    RuleSetValues,
    announce,
    columns_of,
    find_collection,
    make_room_for,
    names_of,
    read_rule,
    read_set,
)
from recommender.rules.targets import lost_by_rule
from rest.errors import ParameterError

VERSION = 1


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would do: names of sets, numbers of rules, and warnings."""

    created_sets: list[str] = field(default_factory=list)
    changed_sets: list[str] = field(default_factory=list)
    deleted_sets: list[str] = field(default_factory=list)
    created: int = 0
    deleted: int = 0
    kept: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def changes_nothing(self) -> bool:
        """Whether the file says what is there already."""
        return not (self.created_sets or self.changed_sets or self.deleted_sets)


class _DryRun(Exception):  # no error: it ends the transaction
    pass


def document_of(rule: Rule, lost: Sequence[object] = ()) -> dict[str, Any]:
    """A rule as a file has it.

    Args:
        rule: the rule.
        lost: what it names and nothing has.

    Returns:
        Its members; those that say nothing are left out, and `lost` is only there for those who read it.
    """
    values = {name: getattr(rule, name) for name in COLUMNS}
    empty = {"scope": Rule.Scope.EVERYWHERE, "target": "", "parameters": {}, "active": True, "note": ""}
    shown = {name: value for name, value in values.items() if name not in empty or value != empty[name]}
    return {**shown, **({"lost": [str(each) for each in lost]} if lost else {})}


def export_rules() -> str:
    """All rule sets as a file, in an order that depends on nothing else."""
    sets = RuleSet.objects.select_related("collection").prefetch_related("rules").order_by("name")
    rules = [rule for rule_set in sets for rule in rule_set.rules.all()]
    lost = lost_by_rule({rule.pk: names_of(rule) for rule in rules})
    document = {
        "version": VERSION,
        "rule_sets": [
            {
                "name": each.name,
                "collection": each.collection.slug if each.collection else None,
                "active": each.active,
                "rules": [document_of(rule, lost.get(rule.pk, ())) for rule in each.rules.all()],
            }
            for each in sets
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def import_rules(text: str, *, dry_run: bool = False, allow_lost: bool = False) -> ImportReport:
    """Replace all rule sets by those of a file, all or nothing.

    Args:
        text: of the file.
        dry_run: whether to change nothing and only report.
        allow_lost: whether rules may name what does not exist; they apply to nothing, and are warned of.

    Returns:
        What was done, or would be.

    Raises:
        InvalidRule: with all that is wrong with the file.
    """
    read = _read_file(text, allow_lost=allow_lost)
    report = ImportReport()
    try:
        with transaction.atomic():
            _replace(read, report)
            if dry_run:
                raise _DryRun
    except _DryRun:
        return report
    if not report.changes_nothing:
        announce()
    return report


def _read_file(text: str, *, allow_lost: bool) -> list[tuple[RuleSetValues, list[CheckedRule]]]:
    if not text.strip():
        raise InvalidRule([ParameterError("the file", "is empty")])
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise InvalidRule([ParameterError("the file", f"is no JSON: {error}")]) from error
    if not isinstance(document, dict) or not isinstance(document.get("rule_sets"), list):
        raise InvalidRule([ParameterError("the file", "has no list rule_sets")])
    if document.get("version") != VERSION:
        raise InvalidRule([ParameterError("version", f"is not {VERSION}")])
    errors: list[ParameterError] = []
    found = []
    for number, each in enumerate(document["rule_sets"]):
        try:
            found.append(_read_set(each, allow_lost=allow_lost))
        except InvalidRule as error:
            errors += _within(f"rule_sets[{number}]", error)
    errors += _conflicts([values for values, _ in found])
    if errors:
        raise InvalidRule(errors)
    return found


def _without_repetition(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no name stands twice, as in what is left of a merge: the last one would count.

    Returns:
        The object.

    Raises:
        InvalidRule: one does.
    """
    found = dict(members)
    if len(found) < len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidRule([ParameterError("the file", f"has {twice!r} twice in one object")])
    return found


def _read_set(document: Any, *, allow_lost: bool) -> tuple[RuleSetValues, list[CheckedRule]]:
    if not isinstance(document, dict):
        raise InvalidRule([ParameterError("document", "is no JSON object")])
    rules = document.get("rules", [])
    if not isinstance(rules, list) or len(rules) > MAX_RULES:
        raise InvalidRule([ParameterError("rules", f"is no list of at most {MAX_RULES:,} rules")])
    values = read_set({name: value for name, value in document.items() if name != "rules"})
    errors: list[ParameterError] = []
    checked = []
    for position, rule in enumerate(rules):
        plain = {name: value for name, value in rule.items() if name != "lost"} if isinstance(rule, dict) else rule
        try:
            checked.append(read_rule(plain, may_be_lost=allow_lost))
        except InvalidRule as error:
            errors += _within(f"rules[{position}]", error)
    if errors:
        raise InvalidRule(errors)
    return values, checked


def _within(place: str, error: InvalidRule) -> list[ParameterError]:
    return [ParameterError(f"{place}.{each.parameter}", each.detail) for each in error.errors]


def _conflicts(sets: Sequence[RuleSetValues]) -> list[ParameterError]:
    names = [values.name for values in sets]
    twice = sorted({name for name in names if names.count(name) > 1})
    active = [values.collection for values in sets if values.active]
    both = {collection for collection in active if active.count(collection) > 1}
    return [
        *(ParameterError("rule_sets", f"has two sets with the name {name!r}") for name in twice),
        *(ParameterError("rule_sets", f"has two active sets for {each or 'every collection'}") for each in both),
    ]


def _replace(read: Sequence[tuple[RuleSetValues, list[CheckedRule]]], report: ImportReport) -> None:
    existing = {each.name: each for each in RuleSet.objects.select_related("collection").prefetch_related("rules")}
    kept = {values.name for values, _ in read}
    for name in sorted(existing.keys() - kept):
        report.deleted_sets.append(name)
        report.deleted += len(existing[name].rules.all())
        existing[name].delete()
    # First what is inactive, so that there are never two active ones.
    for values, rules in sorted(read, key=lambda each: each[0].active):
        rule_set = existing.get(values.name)
        is_new = rule_set is None
        rule_set = rule_set or RuleSet(name=values.name)
        head = (find_collection(values.collection), values.active)
        changed = is_new or (rule_set.collection, rule_set.active) != head
        rule_set.collection, rule_set.active = head
        if rule_set.active:
            make_room_for(rule_set)
        if changed:
            rule_set.save()
        changed |= _replace_rules(rule_set, rules, report)
        if is_new:
            report.created_sets.append(rule_set.name)
        elif changed:
            report.changed_sets.append(rule_set.name)


def _replace_rules(rule_set: RuleSet, rules: Sequence[CheckedRule], report: ImportReport) -> bool:
    """Keep the rules that the file has, too; create and delete the others. Returns whether anything changed."""
    left: dict[str, list[Rule]] = {}
    for rule in rule_set.rules.all() if rule_set.pk else ():
        left.setdefault(_identity(document_of(rule)), []).append(rule)
    changed = False
    for position, checked in enumerate(rules):
        report.warnings += [f"{rule_set.name}, rule {position + 1}: {each} does not exist" for each in checked.lost]
        new = Rule(rule_set=rule_set, position=position, **columns_of(checked))
        same = left.get(_identity(document_of(new)))
        if not same:
            new.save()
            report.created += 1
            changed = True
            continue
        report.kept += 1
        rule = same.pop(0)
        if rule.position != position:
            Rule.objects.filter(pk=rule.pk).update(position=position, changed_at=timezone.now())
            changed = True
    gone = [rule.pk for rules_left in left.values() for rule in rules_left]
    Rule.objects.filter(pk__in=gone).delete()
    report.deleted += len(gone)
    return changed or bool(gone)


def _identity(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)
