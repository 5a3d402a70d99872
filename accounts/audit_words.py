"""The audit log in words: what an entry's action and status mean to somebody who does not know the names of URLs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

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
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_subjects: list[Callable[[set[UUID]], Mapping[UUID, str]]] = []


def name_actions(words: Mapping[str, StrOrPromise]) -> None:
    """Say what actions are called.

    Args:
        words: by action, a verb in the past tense with its object: {"api:train": "submitted a training"}.
    """
    _words.update(words)


def name_subjects(in_words: Callable[[set[UUID]], Mapping[UUID, str]]) -> None:
    """Say what rows with a UUID are called, in the language of who reads the log.

    Args:
        in_words: the words for those of these ids that it knows.
    """
    if in_words not in _subjects:
        _subjects.append(in_words)


def subjects_in_words(entries: Iterable[AuditEntry]) -> dict[UUID, str]:
    """What the rows are called that entries name by their UUID.

    Args:
        entries: of the audit log.

    Returns:
        The words by id; without those of rows that are deleted.
    """
    ids = {UUID(found) for entry in entries for found in _UUID.findall(f"{entry.detail} {entry.target}")}
    return {pk: words for in_words in _subjects for pk, words in in_words(ids).items()} if ids else {}


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


def detail_in_words(entry: AuditEntry, subjects: Mapping[UUID, str]) -> str:
    """Which rows it was about.

    Args:
        entry: of the audit log.
        subjects: what `subjects_in_words` says.

    Returns:
        The detail, in which the log entries of Django are sentences, and jobs have their titles.
    """
    parts = []
    for part in (entry.detail or entry.target).split("; "):
        ids = map(UUID, _UUID.findall(part))
        named = "; ".join(subjects[pk] for pk in ids if pk in subjects)
        match = _LOG_ENTRY.match(part)
        parts.append(named or ((match["text"] if match else part) if entry.detail else ""))
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
