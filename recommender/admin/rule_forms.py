"""The form of a rule: its fields are made of what its kind declares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic.fields import FieldInfo
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from recommender.models import Rule, RuleSet
from recommender.rules.errors import InvalidRule
from recommender.rules.kinds import KINDS, RuleParameters
from recommender.rules.services import names_of, read_rule, read_set

if TYPE_CHECKING:
    _RuleModelForm = forms.ModelForm[Rule]
    _RuleSetModelForm = forms.ModelForm[RuleSet]
else:
    _RuleModelForm = _RuleSetModelForm = forms.ModelForm

# Of the fields of parameters, so that none has the name of a field of the rule.
PREFIX = "parameter_"
_FLAGS = {"": None, "true": True, "false": False}


class RuleForm(_RuleModelForm):
    """A rule of one kind."""

    kind_class: type[RuleParameters]

    class Meta:
        model = Rule
        fields = ("rule_set", "scope", "target", "active", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "target" in self.fields:
            self.fields["target"].help_text = _(
                "Slug of the collection, path of the category, or SKU of the product; empty everywhere."
            )
        stored = self.instance.parameters if self.instance.pk else {}
        for name, value in stored.items():
            self.initial.setdefault(f"{PREFIX}{name}", _shown(value))

    def document(self) -> dict[str, Any]:
        """The rule as `services.save_rule` reads it."""
        parameters = {
            name: value
            for name, declared in self.kind_class.model_fields.items()
            if (value := _value(declared, self.cleaned_data.get(f"{PREFIX}{name}"))) not in (None, "", [], {})
        }
        plain = {name: self.cleaned_data[name] for name in ("scope", "target", "active", "note")}
        return {"kind": self.kind_class.kind, **plain, "parameters": parameters}

    def clean(self) -> dict[str, Any] | None:
        """Check the rule as every surface does, and put each error at its field."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            read_rule(self.document(), known=names_of(self.instance) if self.instance.pk else ())
        except ValueError as error:
            raise ValidationError(str(error)) from error
        except InvalidRule as error:
            for each in error.errors:
                member = each.parameter.partition("[")[0]
                name = f"{PREFIX}{member.split('.')[1]}" if member.startswith("parameters.") else member
                self.add_error(name if name in self.fields else None, _sentence(each.detail))
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """Leave out the constraint of the target: `clean` has checked it, in words."""
        return {*super()._get_validation_exclusions(), "target"}  # type: ignore[misc]


class RuleSetForm(_RuleSetModelForm):
    """A rule set. Making it active makes the one inactive that was active in its place."""

    class Meta:
        model = RuleSet
        fields = ("name", "collection", "active")

    def document(self) -> dict[str, Any]:
        """The set as `services.save_set` reads it."""
        collection = self.cleaned_data["collection"]
        plain = {name: self.cleaned_data[name] for name in ("name", "active")}
        return {**plain, "collection": collection.slug if collection else None}

    def clean(self) -> dict[str, Any] | None:
        """Check the set as every surface does."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                read_set(self.document())
            except InvalidRule as error:
                raise ValidationError([_sentence(each.detail) for each in error.errors]) from error
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """Leave out the constraints of what is active: saving makes room for a set that becomes active."""
        return {*super()._get_validation_exclusions(), "active"}  # type: ignore[misc]


def rule_form(kind: type[RuleParameters]) -> type[RuleForm]:
    """The form of rules of a kind.

    Args:
        kind: the kind.

    Returns:
        A form with a field for each parameter.
    """
    fields: dict[str, Any] = {f"{PREFIX}{name}": _field(each) for name, each in kind.model_fields.items()}
    return type(f"{kind.__name__}Form", (RuleForm,), {**fields, "kind_class": kind})


def parameter_fields(kind: str) -> tuple[str, ...]:
    """The names of the fields of a kind's parameters."""
    return tuple(f"{PREFIX}{name}" for name in KINDS[kind].model_fields)


def _field(declared: FieldInfo) -> forms.Field:
    options: dict[str, Any] = {
        "label": _lazy(declared.title or ""),
        "help_text": _lazy(declared.description) if declared.description else "",
        "required": declared.is_required(),
    }
    default = None if declared.is_required() else declared.get_default(call_default_factory=True)
    kind, choices = _type_of(declared)
    if choices and kind is list:
        return forms.MultipleChoiceField(
            choices=[(each, each) for each in choices], widget=UnfoldAdminCheckboxSelectMultipleWidget, **options
        )
    if choices:
        return forms.ChoiceField(choices=[(each, each) for each in choices], widget=UnfoldAdminSelectWidget, **options)
    if kind is list:
        options["help_text"] = f"{options['help_text']} {gettext('One a line.')}"
        return forms.CharField(widget=UnfoldAdminTextareaWidget({"rows": 3}), **options)
    if kind is dict:
        options["help_text"] = f"{options['help_text']} {gettext('One a line: name=value.')}"
        return forms.CharField(widget=UnfoldAdminTextareaWidget({"rows": 3}), **options)
    if kind is bool:
        flags = [("", _("either")), ("true", _("yes")), ("false", _("no"))]
        return forms.ChoiceField(choices=flags, widget=UnfoldAdminSelectWidget, **options)
    if kind is int:
        return forms.IntegerField(initial=default, widget=UnfoldAdminIntegerFieldWidget, **options)
    return forms.FloatField(initial=default, widget=UnfoldAdminTextInputWidget, **options)


def _lazy(text: str) -> Any:
    return _(text)


def _type_of(declared: FieldInfo) -> tuple[type, tuple[str, ...]]:
    """The type of a parameter, and the names among which it chooses."""
    annotation = declared.annotation
    inner = [each for each in get_args(annotation) if each is not NoneType]
    if get_origin(annotation) is Literal:
        return str, tuple(map(str, inner))
    if get_origin(annotation) is list:
        return list, tuple(map(str, get_args(inner[0]))) if get_origin(inner[0]) is Literal else ()
    if get_origin(annotation) is dict:
        return dict, ()
    plain: Any = inner[0] if inner else annotation
    return plain, ()


def _value(declared: FieldInfo, text: Any) -> Any:
    """The value of a parameter of what its field holds."""
    kind, choices = _type_of(declared)
    if choices or text is None:
        return text
    if kind is bool:
        return _FLAGS[text]
    if kind is list:
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind is dict:
        return _mapping(text, numbers=float in get_args(declared.annotation))
    if isinstance(text, float) and not math.isfinite(text):
        raise ValueError(gettext("Write a number."))
    return text


def _mapping(text: str, *, numbers: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (name and equals and value):
            raise ValueError(gettext("%(line)s is not of the form name=value.") % {"line": line})
        if numbers:
            values[name] = _number(value)
        else:
            values.setdefault(name, []).append(value)
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(gettext("%(text)s is not a number.") % {"text": text}) from None


def _shown(value: Any) -> Any:
    """A stored value as its field shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "\n".join(value)
    if isinstance(value, Mapping):
        lines = [
            (name, each) for name, texts in value.items() for each in (texts if isinstance(texts, list) else [texts])
        ]
        return "\n".join(f"{name}={each}" for name, each in lines)
    return value


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
