"""Registers the kind of job that this app owns: trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.display import table
from accounts.keys import Scope
from embeddings.evaluation.finds import CategoryFinds, finds_in_words
from embeddings.evaluation.metrics import METRICS
from embeddings.job_kinds import EMBEDDING_STAGES, SLOW_QUEUE
from embeddings.models import EncoderVersion
from jobs.facts import gettext_noop
from jobs.models import Job
from jobs.registry import JobFiles, JobKind, JobPage, kinds

TRAIN = "train"
# Of staff who train, and see and cancel trainings.
TRAINING_PERMISSIONS = ("embeddings.change_encoderversion",)

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


def _verdict(_request: HttpRequest, job: Job) -> Mapping[str, Any]:
    """The new version and what it finds in words; nothing where it was deleted."""
    label = (job.result or {}).get("encoder", "")
    versions = EncoderVersion.objects.filter(collection__slug=job.collection).select_related("collection")
    version = next((each for each in versions if each.label == label), None)
    return {} if version is None else {"version": version, "words": training_verdict(version)}


def training_verdict(version: EncoderVersion) -> list[str]:
    """What a training was good for, on photos that were held out.

    Args:
        version: of any collection.

    Returns:
        A sentence each; none where it was not compared with the version that was active then.
    """
    finds = version.metrics.get("finds")
    return finds_in_words(version.label, [CategoryFinds(**each) for each in finds]) if finds else []


def _figures_table(figures: Mapping[str, Mapping[str, float]]) -> SafeString:
    names = [name for name in METRICS if all(values.get(name) is not None for values in figures.values())]
    headers = [gettext("encoder"), *(METRICS[name] for name in names)]
    return table(
        headers, [[encoder, *(f"{values[name]:.3f}" for name in names)] for encoder, values in figures.items()]
    )


_TRAIN = JobKind(
    name=TRAIN,
    label=_("training"),
    noun=gettext_noop("a training"),
    command="train",
    scope=Scope.TRAIN,
    queue=SLOW_QUEUE,
    permissions=TRAINING_PERMISSIONS,
    files=JobFiles(suffixes=(ARCHIVE_SUFFIX,)),
    page=JobPage(
        stages=_TRAINING_STAGES | EMBEDDING_STAGES,
        labels={
            "activate": _("activate afterwards"),
            "loss": _("loss"),
            "backbone": _("backbone"),
            "also": _("learned as well"),
            "epochs": _("epochs"),
            "encoder": _("encoder version"),
            "dim": _("dimensions"),
            "activated": _("activated"),
            "not_activated": _("not activated"),
            "prepare": _("embed afterwards"),
            "photos": _("photos embedded to compare"),
            "not_prepared": _("not embedded"),
        },
        result_members=("encoder", "dim", "activated", "not_activated", "photos", "not_prepared"),
        result_tables=_result_tables,
        template="admin/training/verdict.html",
        context=_verdict,
    ),
)


def register_kinds() -> None:
    """Register it, once."""
    kinds.register(_TRAIN)
