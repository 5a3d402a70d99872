"""Registers the kinds of job that this app owns: activations, reindexes, verifications and searches for near-duplicates."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from accounts.keys import Scope
from embeddings.coverage import COVERAGE
from embeddings.generations import abandon_cancelled_build
from embeddings.models import Diagnosis, EncoderVersion
from embeddings.submissions import ACTIVATE, DOCTOR, DUPLICATES, REINDEX, VERIFY
from embeddings.verification import STAGE
from jobs.facts import gettext_noop
from jobs.models import Job
from jobs.registry import JobKind, JobPage, kinds

# Trainings and activations may take hours, so they have workers of their own.
SLOW_QUEUE: Final = "train"

EMBEDDING_STAGES = {
    "embedding": _("embedding photos"),
    "comparison": _("comparing"),
    "creating the index": _("creating the index"),
    "index": _("building the index"),
    "indexing": _("building the index"),
    "texts": _("encoding texts"),
    "indexing what changed": _("indexing recent changes"),
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


def _abandon_build(job: Job) -> None:
    """Of the version that an activation names, or of the active one."""
    label = job.parameters.get("version")
    for version in EncoderVersion.objects.filter(collection__slug=job.collection).select_related("collection"):
        if label in (None, version.label):
            abandon_cancelled_build(version, job.started_at)


_ACTIVATE = JobKind(
    name=ACTIVATE,
    label=_("activation"),
    noun=gettext_noop("an activation"),
    command="activate_encoder",
    scope=Scope.TRAIN,
    queue=SLOW_QUEUE,
    page=JobPage(
        stages=EMBEDDING_STAGES,
        labels={
            "version": _("version"),
            "allow_worse": _("allow lower quality"),
            "prepare": _("only embed"),
            "photos": _("photos with a vector"),
            **_INDEX_LABELS,
        },
        result_members=(*_INDEX_LABELS, "photos"),
    ),
    on_cancelled=_abandon_build,
)
_REINDEX = JobKind(
    name=REINDEX,
    label=_("reindex"),
    noun=gettext_noop("a reindex"),
    command="reindex",
    scope=Scope.TRAIN,
    has_mean_rate=True,
    on_cancelled=_abandon_build,
    page=JobPage(stages=EMBEDDING_STAGES, labels=_INDEX_LABELS, result_members=tuple(_INDEX_LABELS)),
)
_VERIFY_LABELS = {
    "encoder": _("encoder version"),
    "missing": _("missing points, written again"),
    "stale": _("stale points, written again"),
    "orphaned": _("orphaned points, deleted"),
}
_VERIFY = JobKind(
    name=VERIFY,
    label=_("verification of an index"),
    noun=gettext_noop("a verification"),
    command="reindex",
    scope=Scope.TRAIN,
    page=JobPage(
        stages={STAGE: _("comparing with the database")}, labels=_VERIFY_LABELS, result_members=tuple(_VERIFY_LABELS)
    ),
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
    noun=gettext_noop("a search for near-duplicates"),
    command="find_duplicates",
    scope=Scope.TRAIN,
    page=JobPage(stages=_DUPLICATES_STAGES, labels=_DUPLICATES_LABELS, result_members=tuple(_DUPLICATES_LABELS)),
)


_DOCTOR_LABELS = {
    "products": _("products examined"),
    "photos": _("photos examined"),
    "new": _("new findings"),
    **{kind.value: kind.label for kind in Diagnosis.Kind},
}
_DOCTOR_STAGES = {
    "reading vectors": _("reading vectors"),
    "judging": _("comparing with categories"),
    "comparing photos": _("comparing photos"),
    "looking at colours": _("looking at colours"),
}
_DOCTOR = JobKind(
    name=DOCTOR,
    label=_("examination of the catalogue"),
    noun=gettext_noop("an examination of the catalogue"),
    command="doctor",
    scope=Scope.TRAIN,
    page=JobPage(stages=_DOCTOR_STAGES, labels=_DOCTOR_LABELS, result_members=tuple(_DOCTOR_LABELS)),
)


_COVERAGE_LABELS = {
    "categories": _("categories"),
    "covers_all": _("the whole catalogue"),
    "added": _("photos to embed"),
    "removed": _("photos to remove"),
}
_COVERAGE = JobKind(
    name=COVERAGE,
    label=_("change of coverage"),
    noun=gettext_noop("a change of coverage"),
    command="update_coverage",
    scope=Scope.TRAIN,
    page=JobPage(
        stages={"photos": _("looking at photos")}, labels=_COVERAGE_LABELS, result_members=("added", "removed")
    ),
)


def register_kinds() -> None:
    """Register them, once."""
    for kind in (_ACTIVATE, _REINDEX, _VERIFY, _DUPLICATES, _DOCTOR, _COVERAGE):
        kinds.register(kind)
