"""The sections of the overview that a user may see, with links to the rows behind the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from catalog.admin.imports import IMPORT_PERMISSIONS
from catalog.importers.scheduled_feeds import FailingFeed, failing_feeds
from catalog.thumbnails import thumbnail_url
from embeddings.admin.versions import has_report
from embeddings.models import Collection
from jobs.admin import JOB_VARIANTS, job_url
from jobs.facts import in_words as worded_as_kept
from jobs.facts import with_gaps
from jobs.models import Job
from recommender import dashboard
from recommender.dashboard import CatalogueCounts, Coverage, JobSummary, PoorQuery, Quality, Weakness
from recommender.learning.experiments import in_words
from recommender.metrics import latency
from recommender.models import Event, LearnedOrder
from recommender.queries import DEFAULT_COLLECTION

PRODUCT, PHOTO, VERSION, JOB, EVENT = (
    "catalog.product",
    "embeddings.imageembedding",
    "embeddings.encoderversion",
    "jobs.job",
    "recommender.event",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name and the URL of the list of its rows, "" without one."""

    name: str
    number: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class CoverageView:
    """The coverage of a collection by state, and the reasons of failures."""

    coverage: Coverage
    states: Sequence[Figure]
    failures: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. variant: of unfold's label. rate: e.g. "12 per second", or ""."""

    summary: JobSummary
    title: str
    url: str
    variant: str
    rate: str


@dataclass(frozen=True, slots=True)
class FailingFeedView:
    """A feed whose last import has failed, its page, and why."""

    name: str
    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection with its active version and the URLs of its page and report; "" where there is none."""

    name: str
    quality: Quality
    version: str = ""
    url: str = ""
    report: str = ""


@dataclass(frozen=True, slots=True)
class PoorQueryView:
    """A product with poor recommendations, its page and photo, and the reasons as texts. collection: "" for the default one."""

    query: PoorQuery
    collection: str
    url: str
    thumbnail: str
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class LearnedView:
    """What was learned for a collection, in words. places: how much the last place is looked at; "" if unknown."""

    collection: str
    is_shown: bool
    reason: str
    places: str
    learned_at: datetime


def overview_context(user: User | AnonymousUser) -> dict[str, Any]:
    """The context of the page.

    Args:
        user: the user who opens it.

    Returns:
        The sections that the user may see; the others are missing, and nothing is read for them.
    """
    sections: dict[str, Any] = {}
    if _may_see(user, PRODUCT):
        counts = dashboard.catalogue_counts()
        sections["catalogue"] = _catalogue(counts)
        steps = dashboard.first_steps()
        sections["first_steps"] = None if steps.are_done else steps
    if _may_see(user, PHOTO):
        sections["coverage"] = [_coverage(each) for each in dashboard.coverage()]
    if _may_see(user, JOB):
        sections["jobs"] = [_job(each) for each in dashboard.jobs()]
    if user.has_perms(IMPORT_PERMISSIONS):
        sections["failing_feeds"] = [_failing_feed(each) for each in failing_feeds()]
    if _may_see(user, VERSION):
        sections["builds"] = dashboard.builds()
        sections["collections"] = [_collection(each) for each in dashboard.collections()]
    if _may_see(user, EVENT):
        events = dashboard.event_counts()
        sections["events"] = [Figure(str(kind.label), events.get(kind, 0)) for kind in Event.Type]
        sections["has_events"] = bool(events)
        sections["latency"] = latency("similar")
        sections["all_processes"] = bool(settings.PROMETHEUS_MULTIPROC_DIR)
        sections["learning_mode"] = settings.LEARNING
        sections["learned"] = [_learned(each) for each in dashboard.learned_orders()]
        sections["tests"] = [in_words(test) for test in dashboard.experiments()]
    if _may_see(user, PRODUCT, EVENT) and sections["has_events"]:
        poor = dashboard.poor_queries()
        sections["poor"] = poor
        sections["poor_rows"] = [_poor_query(query) for query in poor.queries]
    sections["nothing_permitted"] = not sections
    return sections


def _may_see(user: User | AnonymousUser, *models: str) -> bool:
    return all(
        user.has_perm(f"{app}.view_{model}") or user.has_perm(f"{app}.change_{model}")
        for app, model in (name.split(".") for name in models)
    )


def _catalogue(counts: CatalogueCounts) -> list[Figure]:
    products = reverse("admin:catalog_product_changelist")
    return [
        Figure(_("Products for sale"), counts.active, f"{products}?active__exact=1"),
        Figure(_("For sale without a photo"), counts.without_photo, f"{products}?active__exact=1&embedding=no_photo"),
        Figure(_("Withdrawn"), counts.withdrawn, f"{products}?active__exact=0"),
        Figure(_("Photos"), counts.photos),
    ]


def _coverage(coverage: Coverage) -> CoverageView:
    photos = f"{reverse('admin:embeddings_imageembedding_changelist')}?version__id__exact={coverage.version_id}"
    states = [
        Figure(_("Indexed"), coverage.indexed, f"{photos}&state__in=indexed%2Coutdated"),
        Figure(_("Waiting"), coverage.waiting, f"{photos}&state__in=pending%2Cembedded"),
        Figure(_("Failed"), coverage.failed, f"{photos}&state__exact=failed"),
    ]
    failed = f"{photos}&state__exact=failed"
    failures = [
        Figure(with_gaps(failure.fact, failure.reason), failure.photos, f"{failed}&{urlencode({'q': failure.words})}")
        for failure in coverage.failures
    ]
    return CoverageView(coverage, states, failures)


def _job(summary: JobSummary) -> JobView:
    job = summary.job
    return JobView(
        summary,
        title=job.title,
        url=job_url(job),
        variant=JOB_VARIANTS.get(Job.State(job.state), "info"),
        rate=_rate_text(summary.rate),
    )


def _failing_feed(failing: FailingFeed) -> FailingFeedView:
    feed, job = failing
    result: Mapping[str, Any] = job.result or {}
    why_not = worded_as_kept(result.get("not_withdrawn_fact"), result.get("not_withdrawn", ""))
    reason = f"{_('nothing was withdrawn')}: {why_not}" if why_not else job.error_in_words
    return FailingFeedView(feed.name, reverse("admin:catalog_feed_change", args=[feed.pk]), reason)


def _rate_text(rate: float | None) -> str:
    if rate is None:
        return ""
    if rate >= 1:
        return _("%(number)s per second") % {"number": number_format(rate, decimal_pos=0, force_grouping=True)}
    return _("%(number)s per minute") % {"number": number_format(60 * rate, decimal_pos=0)}


def _collection(collection: Collection) -> CollectionView:
    version = collection.active_version
    if version is None:
        return CollectionView(collection.name, Quality(None, None))
    return CollectionView(
        collection.name,
        dashboard.quality_of(version),
        version=version.label,
        url=reverse("admin:embeddings_encoderversion_change", args=[version.pk]),
        report=reverse("admin:embeddings_encoderversion_report", args=[version.pk]) if has_report(version) else "",
    )


def _learned(order: LearnedOrder) -> LearnedView:
    places = ""
    if order.strip_length > 1 and len(order.places) >= order.strip_length:
        place = order.strip_length
        percent = round(100 * order.places[place - 1])
        places = _("Place %(place)d is looked at %(percent)d%% as much as the first.") % {
            "place": place,
            "percent": percent,
        }
    is_shown = order.is_live and settings.LEARNING == "on"
    return LearnedView(order.collection.name, is_shown, order.reason, places, order.learned_at)


def _poor_query(query: PoorQuery) -> PoorQueryView:
    return PoorQueryView(
        query,
        collection="" if query.collection == DEFAULT_COLLECTION else query.collection,
        url=reverse("admin:catalog_product_change", args=[query.product.id]),
        thumbnail=thumbnail_url(query.product.image, 96),
        reasons=[_weakness_text(weakness, query) for weakness in query.weaknesses],
    )


def _weakness_text(weakness: Weakness, query: PoorQuery) -> str:
    match weakness:
        case Weakness.NO_RESULTS:
            return _("no recommendations")
        case Weakness.FALLBACK:
            return _("no embedded photo yet; showing the newest products of its category")
        case Weakness.FEW_RESULTS:
            return ngettext("only %d recommendation", "only %d recommendations", query.results) % query.results
        case Weakness.LOW_CONFIDENCE:
            percent = round(100 * (query.confidence or 0))
            return _("low confidence of the best match: %(percent)s%%") % {"percent": percent}
        case Weakness.NO_CLICKS:
            return _("many impressions, no clicks")
