"""Registers the kind of job that this app owns: trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.display import table
from accounts.keys import Scope
from embeddings.evaluation.metrics import METRICS
from embeddings.job_kinds import EMBEDDING_STAGES, SLOW_QUEUE
from jobs.models import Job
from jobs.registry import JobFiles, JobKind, JobPage, kinds

TRAIN = "train"

ARCHIVE_SUFFIX = ".zip"


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
    queue=SLOW_QUEUE,
    files=JobFiles(suffixes=(ARCHIVE_SUFFIX,)),
    page=JobPage(
        stages=_TRAINING_STAGES | EMBEDDING_STAGES,
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


def register_kinds() -> None:
    """Register it, once."""
    kinds.register(_TRAIN)
