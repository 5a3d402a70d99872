"""Facts that are kept in the database: a code with its parameters, worded for whoever reads it.

A fact is a `str`, its English sentence, as the command line, the API and the logs have it. The pages of the admin say it in the
reader's language, also long after it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from django.utils.formats import number_format
from django.utils.translation import gettext

from stores.errors import gettext_noop as gettext_noop

_kinds: dict[str, FactKind] = {}


class FactKind:
    """What facts of a kind say.

    Args:
        code: its name in the database; it stays when the wording changes.
        template: the English sentence, marked by `gettext_noop`, with named placeholders: "the price %(price)s is negative".

    Raises:
        ValueError: another kind has this code.
    """

    def __init__(self, code: str, template: str) -> None:
        if code in _kinds:
            raise ValueError(f"there is a kind of fact {code!r} already")
        self.code = code
        self.template = template
        _kinds[code] = self
        # One for all rows that lack the same thing.
        self._bare = Fact(self, {}) if "%(" not in template else None

    def __call__(self, **parameters: str | int | Fact) -> Fact:
        """A fact of this kind.

        Args:
            **parameters: by the names of the placeholders; numbers are written with their groups of thousands.

        Returns:
            The fact.

        Raises:
            KeyError: a placeholder has no parameter.
        """
        return self._bare if self._bare is not None else Fact(self, parameters)

    def in_words(self, parameters: Mapping[str, Any]) -> str:
        """The sentence in the active language.

        Args:
            parameters: by the names of the placeholders.

        Returns:
            The sentence.
        """
        return gettext(self.template) % {name: _in_words(value) for name, value in parameters.items()}


class Fact(str):
    """A sentence in English that can be said in other languages.

    Attributes:
        kind: what it says.
        parameters: about what.
    """

    __slots__ = ("kind", "parameters")

    kind: FactKind
    parameters: Mapping[str, str | int | Fact]

    def __new__(cls, kind: FactKind, parameters: Mapping[str, str | int | Fact]) -> Self:
        english = {name: f"{value:,}" if isinstance(value, int) else value for name, value in parameters.items()}
        fact = super().__new__(cls, kind.template % english)
        fact.kind, fact.parameters = kind, parameters
        return fact

    def __str__(self) -> str:
        """Itself, so that the message of an error stays a fact, as Django's SafeString stays safe."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self.as_json(), str.__str__(self))

    def as_json(self) -> dict[str, Any]:
        """Code and parameters, plain JSON."""
        parameters = {
            name: value.as_json() if isinstance(value, Fact) else value for name, value in self.parameters.items()
        }
        return {"code": self.kind.code, "parameters": parameters}


def fact_of(sentence: str) -> dict[str, Any] | None:
    """What is kept beside a sentence.

    Args:
        sentence: a fact, or any other text.

    Returns:
        Plain JSON; None for other texts.
    """
    return sentence.as_json() if isinstance(sentence, Fact) else None


def restored(fact: Mapping[str, Any] | None, sentence: str) -> str:
    """What was kept, as a fact again.

    Args:
        fact: what `fact_of` has returned.
        sentence: its English sentence.

    Returns:
        The fact; the sentence where its kind is not known.
    """
    if not fact or fact["code"] not in _kinds:
        return sentence
    parameters = {
        name: restored(value, "") if isinstance(value, Mapping) else value for name, value in fact["parameters"].items()
    }
    return Fact(_kinds[fact["code"]], parameters)


def in_words(fact: Mapping[str, Any] | None, sentence: str) -> str:
    """What was kept, in the active language.

    Args:
        fact: what `fact_of` has returned; None if it was written before facts were kept.
        sentence: its English sentence.

    Returns:
        The sentence in the active language; as it is, where its kind is not known.
    """
    kind = _kinds.get(fact["code"]) if fact else None
    return kind.in_words(fact["parameters"]) if fact and kind else sentence


def worded(sentence: str) -> str:
    """The same of a sentence that was not kept.

    Args:
        sentence: a fact, or any other text.

    Returns:
        The fact in the active language; other texts as they are.
    """
    return in_words(fact_of(sentence), sentence)


def replaced(sentence: str, old: str, new: str) -> str:
    """A sentence about something else, such as a file under the name that its sender gave it.

    Args:
        sentence: a fact, or any other text.
        old: what is replaced, also within the parameters of a fact.
        new: a text or a fact.

    Returns:
        The same, with the other name.
    """
    if not isinstance(sentence, Fact):
        return new if sentence == old else sentence.replace(old, new)
    parameters = {
        name: replaced(value, old, new) if isinstance(value, str) else value
        for name, value in sentence.parameters.items()
    }
    return sentence.kind(**parameters)


def with_gaps(fact: Mapping[str, Any] | None, sentence: str) -> str:
    """The same with … in place of each parameter: what several facts of a kind have in common."""
    kind = _kinds.get(fact["code"]) if fact else None
    return kind.in_words(dict.fromkeys(fact["parameters"], "…")) if fact and kind else sentence


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return in_words(value, "")
    return number_format(value, force_grouping=True) if isinstance(value, int) else str(value)
