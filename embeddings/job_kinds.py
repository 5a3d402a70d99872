"""Registers the kinds of job that this app owns: trainings, activations, reindexes and searches for near-duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.display import table
from accounts.keys import Scope
from embeddings.evaluation.metrics import METRICS
from jobs.models import Job
from jobs.registry import JobFiles, JobKind, JobPage, kinds

TRAIN, ACTIVATE, REINDEX, DUPLICATES = "train", "activate", "reindex", "duplicates"

ARCHIVE_SUFFIX = ".zip"
# Trainings and activations may take hours, so they have workers of their own.
_SLOW_QUEUE = "train"

_EMBEDDING_STAGES = {
    "embedding": _("embedding photos"),
    "comparison": _("comparing"),
    "index": _("building the index"),
    "indexing": _("building the index"),
    "indexing what changed": _("indexing recent changes"),
}
_TRAINING_STAGES = {
    "unpacking": _("unpacking"),
    "backbone": _("loading the backbone"),
    "features": _("computing features"),
    "head": _("training"),
    "unfrozen": _("fine-tuning"),
    "export": _("exporting"),
    "evaluation": _("evaluating"),
    "report": _("writing the report"),
}
_DUPLICATES_STAGES = {
    "looking at photos": _("reading photos"),
    "reading vectors": _("reading vectors"),
    "comparing photos": _("comparing photos"),
}
_INDEX_LABELS = {
    "encoder": _("encoder version"),
    "points": _("points in the index"),
    "failed": _("photos that failed"),
}


def _result_tables(job: Job) -> Sequence[tuple[str, SafeString]]:
    """The figures of the evaluation and the problems of the photos, where the result has them."""
    result: Mapping[str, Any] = job.result or {}
    tables = []
    if figures := result.get("figures"):
        tables.append((gettext("Quality"), _figures_table(figures)))
    if result.get("problems"):
        problems = [(str(number), text) for number, text in enumerate(result["problems"], start=1)]
        tables.append((gettext("Problems"), table((), problems)))
    return tables


def _figures_table(figures: Mapping[str, Mapping[str, float]]) -> SafeString:
    names = [name for name in METRICS if all(values.get(name) is not None for values in figures.values())]
    headers = [gettext("encoder"), *(METRICS[name] for name in names)]
    return table(
        headers, [[encoder, *(f"{values[name]:.3f}" for name in names)] for encoder, values in figures.items()]
    )


_TRAIN = JobKind(
    name=TRAIN,
    label=_("training"),
    noun="a training",
    command="train",
    scope=Scope.TRAIN,
    queue=_SLOW_QUEUE,
    files=JobFiles(suffixes=(ARCHIVE_SUFFIX,)),
    page=JobPage(
        stages=_TRAINING_STAGES | _EMBEDDING_STAGES,
        labels={
            "activate": _("activate afterwards"),
            "loss": _("loss"),
            "backbone": _("backbone"),
            "epochs": _("epochs"),
            "encoder": _("encoder version"),
            "dim": _("dimensions"),
            "activated": _("activated"),
            "not_activated": _("not activated"),
        },
        result_members=("encoder", "dim", "activated", "not_activated"),
        result_tables=_result_tables,
    ),
)
_ACTIVATE = JobKind(
    name=ACTIVATE,
    label=_("activation"),
    noun="an activation",
    command="activate_encoder",
    scope=Scope.TRAIN,
    queue=_SLOW_QUEUE,
    page=JobPage(
        stages=_EMBEDDING_STAGES,
        labels={"version": _("version"), "allow_worse": _("allow lower quality"), **_INDEX_LABELS},
        result_members=tuple(_INDEX_LABELS),
    ),
)
_REINDEX = JobKind(
    name=REINDEX,
    label=_("reindex"),
    noun="a reindex",
    command="reindex",
    scope=Scope.TRAIN,
    has_mean_rate=True,
    page=JobPage(stages=_EMBEDDING_STAGES, labels=_INDEX_LABELS, result_members=tuple(_INDEX_LABELS)),
)
_DUPLICATES_LABELS = {
    "photos": _("photos compared"),
    "pairs": _("pairs of products to decide on"),
    "new": _("new"),
    "dropped": _("resolved"),
    "left_out": _("photos skipped, as too many products share them"),
    "unreadable": _("photos that cannot be read"),
}
_DUPLICATES = JobKind(
    name=DUPLICATES,
    label=_("search for near-duplicates"),
    noun="a search for near-duplicates",
    command="find_duplicates",
    scope=Scope.TRAIN,
    page=JobPage(stages=_DUPLICATES_STAGES, labels=_DUPLICATES_LABELS, result_members=tuple(_DUPLICATES_LABELS)),
)


def register_kinds() -> None:
    """Register them, once."""
    for kind in (_TRAIN, _ACTIVATE, _REINDEX, _DUPLICATES):
        kinds.register(kind)
