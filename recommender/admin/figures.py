"""The figures of the first page, for whoever may see the rows behind them, with links to those rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from catalog.thumbnails import thumbnail_url
from embeddings.admin.display import JOB_VARIANTS
from embeddings.admin.versions import report_of
from embeddings.models import Collection, Job
from recommender import dashboard
from recommender.dashboard import Coverage, PoorQuery, Quality, Weakness, Work
from recommender.metrics import latency
from recommender.models import Event
from recommender.pipeline import DEFAULT_COLLECTION

PRODUCT, PHOTO, VERSION, JOB, EVENT = (
    "catalog.product",
    "embeddings.imageembedding",
    "embeddings.encoderversion",
    "embeddings.job",
    "recommender.event",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name, and where its rows are listed."""

    name: str
    number: int
    address: str = ""


@dataclass(frozen=True, slots=True)
class CoverageShown:
    """A collection's coverage, state by state, and why photos failed."""

    coverage: Coverage
    states: Sequence[Figure]
    failures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class WorkShown:
    """A job as a line of text. variant: of unfold's label. pace: "12 a second", or ""."""

    work: Work
    title: str
    address: str
    variant: str
    pace: str


@dataclass(frozen=True, slots=True)
class CollectionShown:
    """A collection with its active version, "" where it has none, and that version's page and report."""

    name: str
    quality: Quality
    version: str = ""
    address: str = ""
    report: str = ""


@dataclass(frozen=True, slots=True)
class PoorShown:
    """A poor query with the product's page and photo, and what is wrong, in words. collection: "" for the one of all products."""

    query: PoorQuery
    collection: str
    address: str
    thumbnail: str
    reasons: Sequence[str]


def figures_for(user: User | AnonymousUser) -> dict[str, Any]:
    """The sections of the page that the user may see; one that may not be seen is not there, and nothing of it is read."""
    sections: dict[str, Any] = {}
    if _may_see(user, PRODUCT):
        figures = dashboard.catalogue()
        sections["catalogue"] = _catalogue(figures)
        sections["is_new_shop"] = not figures.active and not figures.withdrawn
    if _may_see(user, PHOTO):
        sections["coverage"] = [_coverage(each) for each in dashboard.coverage()]
    if _may_see(user, JOB):
        sections["work"] = [_work(each) for each in dashboard.work()]
    if _may_see(user, VERSION):
        sections["builds"] = dashboard.builds()
        sections["collections"] = [_collection(each) for each in dashboard.collections()]
    if _may_see(user, EVENT):
        counts = dashboard.event_counts()
        sections["events"] = [Figure(str(kind.label), counts.get(kind, 0)) for kind in Event.Type]
        sections["has_events"] = bool(counts)
        sections["latency"] = latency("similar")
        sections["all_processes"] = bool(settings.PROMETHEUS_MULTIPROC_DIR)
    if _may_see(user, PRODUCT, EVENT) and sections["has_events"]:
        found = dashboard.poor_queries()
        sections["poor"] = found
        sections["poor_rows"] = [_poor(query) for query in found.queries]
    sections["nothing_permitted"] = not sections
    return sections


def _may_see(user: User | AnonymousUser, *models: str) -> bool:
    return all(
        user.has_perm(f"{app}.view_{model}") or user.has_perm(f"{app}.change_{model}")
        for app, model in (name.split(".") for name in models)
    )


def _catalogue(figures: dashboard.Catalogue) -> list[Figure]:
    products = reverse("admin:catalog_product_changelist")
    return [
        Figure(_("Products for sale"), figures.active, f"{products}?active__exact=1"),
        Figure(_("For sale without a photo"), figures.without_photo, f"{products}?active__exact=1&embedding=no_photo"),
        Figure(_("Withdrawn"), figures.withdrawn, f"{products}?active__exact=0"),
        Figure(_("Photos"), figures.photos),
    ]


def _coverage(coverage: Coverage) -> CoverageShown:
    photos = f"{reverse('admin:embeddings_imageembedding_changelist')}?version__id__exact={coverage.version_id}"
    states = [
        Figure(_("Indexed"), coverage.indexed, f"{photos}&state__in=indexed%2Coutdated"),
        Figure(_("Waiting"), coverage.waiting, f"{photos}&state__in=pending%2Cembedded"),
        Figure(_("Failed"), coverage.failed, f"{photos}&state__exact=failed"),
    ]
    failed = f"{photos}&state__exact=failed"
    failures = [
        Figure(failure.reason, failure.photos, f"{failed}&{urlencode({'q': failure.words})}")
        for failure in coverage.failures
    ]
    return CoverageShown(coverage, states, failures)


def _work(work: Work) -> WorkShown:
    job = work.job
    kind = str(job.get_kind_display()).capitalize()
    return WorkShown(
        work,
        title=f"{kind}: {job.collection}" if job.collection_id else kind,
        address=reverse("admin:embeddings_job_change", args=[job.pk]),
        variant=JOB_VARIANTS.get(Job.State(job.state), "info"),
        pace=_pace(work.rate),
    )


def _pace(rate: float | None) -> str:
    if rate is None:
        return ""
    if rate >= 1:
        return _("%(number)s a second") % {"number": number_format(rate, decimal_pos=0, force_grouping=True)}
    return _("%(number)s a minute") % {"number": number_format(60 * rate, decimal_pos=0)}


def _collection(collection: Collection) -> CollectionShown:
    version = collection.active_version
    if version is None:
        return CollectionShown(collection.name, Quality(None, None))
    return CollectionShown(
        collection.name,
        dashboard.quality_of(version),
        version=version.label,
        address=reverse("admin:embeddings_encoderversion_change", args=[version.pk]),
        report=reverse("admin:embeddings_encoderversion_report", args=[version.pk]) if report_of(version) else "",
    )


def _poor(query: PoorQuery) -> PoorShown:
    return PoorShown(
        query,
        collection="" if query.collection == DEFAULT_COLLECTION else query.collection,
        address=reverse("admin:catalog_product_change", args=[query.product.id]),
        thumbnail=thumbnail_url(query.product.image, 96),
        reasons=[_told(weakness, query) for weakness in query.weaknesses],
    )


def _told(weakness: Weakness, query: PoorQuery) -> str:
    match weakness:
        case Weakness.NOTHING:
            return _("nothing is recommended")
        case Weakness.NOT_COMPARED:
            return _("none of its photos is embedded yet: the newest of its category are shown")
        case Weakness.FEW:
            text = ngettext("only %d product is recommended", "only %d products are recommended", query.results)
            return text % query.results
        case Weakness.UNSURE:
            percent = round(100 * (query.confidence or 0))
            return _("the best match is unsure: its confidence is %(percent)s%%") % {"percent": percent}
        case Weakness.IGNORED:
            return _("often seen, and nothing of it clicked")
