"""Registers the kind of job that this app owns: learning from visitor events."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.keys import Scope
from embeddings.job_kinds import SLOW_QUEUE
from jobs.registry import JobKind, JobPage, kinds
from recommender.learning.scheduling import LEARN

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
    noun="learning from clicks",
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


def register_kinds() -> None:
    """Register it, once."""
    kinds.register(_LEARN)
