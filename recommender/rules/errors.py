"""What can be wrong with rules."""

from __future__ import annotations

from collections.abc import Iterable

from rest.errors import ParameterError


class RulesError(Exception):
    """Base of the errors of rules; the message is a fact."""


class InvalidRule(RulesError):
    """A rule or a rule set cannot be saved. `errors`: all that is wrong with it."""

    def __init__(self, errors: Iterable[ParameterError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{error.parameter} {error.detail}" for error in self.errors))


class UnknownRuleSet(RulesError):
    """There is no rule set with this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no rule set {name!r}; there is: {', '.join(known) or 'none yet'}")


class UnknownRule(RulesError):
    """A rule set has no such rule."""

    def __init__(self, rule_set: str, rule_id: int) -> None:
        super().__init__(f"the rule set {rule_set!r} has no rule {rule_id}")
