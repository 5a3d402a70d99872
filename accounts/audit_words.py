"""The audit log in words: what an entry's action and status mean to somebody who does not know the names of URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import AuditEntry

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_words: dict[str, StrOrPromise] = {"admin:login": _("signed in"), "admin:logout": _("signed out")}
_VERBS = {"add": _("added %(one)s"), "change": _("changed %(one)s"), "delete": _("deleted %(one)s")}
_ROW_PAGE = re.compile(r"admin:(?P<app>[a-z]+)_(?P<model>[a-z]+)_(?P<verb>add|change|delete|changelist)\Z")
# Django's own log entry, as `accounts.audit` writes it: "Catalogue | product 5: Changed “Blue mug” — Price."
_LOG_ENTRY = re.compile(r"\A.+? \| .+? \S+: (?P<text>.+)\Z", re.DOTALL)


def name_actions(words: Mapping[str, StrOrPromise]) -> None:
    """Say what actions are called.

    Args:
        words: by action, a verb in the past tense with its object: {"api:train": "submitted a training"}.
    """
    _words.update(words)


def action_in_words(entry: AuditEntry) -> str:
    """What was done, as a sentence without its subject.

    Args:
        entry: of the audit log.

    Returns:
        E.g. "Changed a product".
    """
    if entry.action in _words:
        return capfirst(str(_words[entry.action]))
    match = _ROW_PAGE.match(entry.action)
    if match is None or (match["app"], match["model"]) not in _models():
        return capfirst(entry.action.partition(":")[2].replace("_", " ") or entry.action)
    model = apps.get_model(match["app"], match["model"])
    names = {"one": str(model._meta.verbose_name), "many": str(model._meta.verbose_name_plural)}
    if match["verb"] == "changelist":
        action = _action_of_list(model, entry.detail)
        return gettext("In the list of %(many)s: %(action)s") % {**names, "action": action}
    return capfirst(str(_VERBS[match["verb"]] % names))


def detail_in_words(entry: AuditEntry) -> str:
    """Which rows it was about.

    Args:
        entry: of the audit log.

    Returns:
        The detail, in which the log entries of Django are sentences.
    """
    parts = []
    for part in entry.detail.split("; "):
        match = _LOG_ENTRY.match(part)
        parts.append(match["text"] if match else part)
    return " ".join(dict.fromkeys(filter(None, parts)))


def outcome_in_words(entry: AuditEntry) -> tuple[str, str]:
    """What came of it.

    Args:
        entry: of the audit log.

    Returns:
        A word, and the variant of its badge.
    """
    status = entry.status or 0
    if status >= 500:
        return gettext("failed"), "danger"
    if status >= 400:
        return gettext("refused"), "warning"
    if status == 200 and entry.action.startswith("admin:") and entry.action.endswith(("_add", "_change", "login")):
        # A form that is whole leads on to another page.
        return gettext("sent back: the form had mistakes"), "warning"
    return gettext("done"), "success"


def _models() -> set[tuple[str, str]]:
    return {(model._meta.app_label, model._meta.model_name or "") for model in apps.get_models()}


def _action_of_list(model: type, detail: str) -> str:
    """The name of the list's action, as its menu has it."""
    name = detail.partition(":")[0]
    model_admin = admin.site._registry.get(model)
    function = getattr(model_admin, name, None)
    described = getattr(function, "short_description", "")
    return str(described or name.replace("_", " ") or gettext("changed"))
