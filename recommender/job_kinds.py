"""Registers the kinds of job that this app owns: learning from visitor events, and training rankers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.display import table, with_interval
from accounts.keys import Scope
from embeddings.job_kinds import SLOW_QUEUE
from jobs.facts import gettext_noop
from jobs.models import Job
from jobs.registry import JobFiles, JobKind, JobPage, kinds
from recommender.learning.scheduling import LEARN
from recommender.ranker_submissions import JUDGEMENTS_SUFFIX, TRAIN_RANKER

# Of staff who train rankers, and see and cancel such jobs.
RANKER_PERMISSIONS = ("embeddings.change_rankerversion",)

_LABELS = {
    "impressions": _("strips seen"),
    "clicks": _("clicks"),
    "pairs": _("pairs of products"),
    "found": _("found"),
    "tests": _("A/B tests"),
}
_LEARN = JobKind(
    name=LEARN,
    label=_("learning from clicks"),
    noun=gettext_noop("learning from clicks"),
    command="learn",
    scope=Scope.TRAIN,
    queue=SLOW_QUEUE,
    needs_collection=False,
    page=JobPage(
        stages={"reading": _("reading events"), "replaying": _("replaying"), "writing": _("writing counts")},
        labels=_LABELS,
        result_members=tuple(_LABELS),
    ),
)


def _ranker_tables(job: Job) -> Sequence[tuple[str, SafeString]]:
    """nDCG@10 of each ranker beside that of the text order."""
    result: Mapping[str, Any] = job.result or {}
    rows = [
        [name, _mean(figures), "" if (found := figures["difference"]) is None else _mean(found, signed=True)]
        for name, figures in result["figures"].items()
    ]
    headers = ["", gettext("nDCG@10, 95% interval"), gettext("against the text order")]
    return [(gettext("Quality"), table(headers, rows))]


def _mean(found: Mapping[str, float], *, signed: bool = False) -> str:
    return with_interval(found["mean"], (found["low"], found["high"]), signed=signed)


_TRAIN_RANKER = JobKind(
    name=TRAIN_RANKER,
    label=_("training of rankers"),
    noun=gettext_noop("a training of rankers"),
    command="train_ranker",
    scope=Scope.TRAIN,
    queue=SLOW_QUEUE,
    files=JobFiles(suffixes=(JUDGEMENTS_SUFFIX,)),
    permissions=RANKER_PERMISSIONS,
    page=JobPage(
        stages={
            "reading texts": _("reading texts"),
            "searching": _("searching"),
            "word vectors": _("word vectors"),
            "boosted trees": _("boosted trees"),
            "DeepRank: titles": _("DeepRank on titles"),
            "DeepRank: judgements": _("DeepRank on judgements"),
            "measuring": _("measuring"),
        },
        labels={
            "file": _("file"),
            "only": _("kind"),
            "activate": _("activate afterwards"),
            "trained_on": _("queries to train on"),
            "kept_aside": _("queries kept aside"),
            "activated": _("activated"),
        },
        result_members=("trained_on", "kept_aside", "activated"),
        result_tables=_ranker_tables,
        template="admin/recommender/ranker_verdict.html",
        context=lambda _request, job: job.result or {},
    ),
)


def register_kinds() -> None:
    """Register them, once."""
    kinds.register(_LEARN)
    kinds.register(_TRAIN_RANKER)
