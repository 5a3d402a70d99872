"""What the back office's first page tells: the catalogue, the index, work under way, and how recommendations do.

Counts over whole tables are kept for half a minute in each process, so that looking at the page often costs nothing.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar, cast

from django.core.cache import caches
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from catalog.cards import ProductCard, visible_cards
from catalog.errors import ProductNotFound
from catalog.models import Product, ProductImage
from catalog.selectors import visible_products
from embeddings.errors import EmbeddingsError, UnknownCollection
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, Job
from embeddings.selectors import active_versions
from recommender.models import Event
from recommender.pipeline import Recommendations, SimilarQuery, similar_to

T = TypeVar("T")
State = ImageEmbedding.State

KEEP_S = 30
KEEP_EVENTS_S = 60
_PACE_KEPT_S = 3600
REASONS_SHOWN = 5

PERIOD = timedelta(days=7)
# Of the products that were asked about most, so many are asked about again, for no longer than this.
QUERIES_ASKED = 50
ASKING_S = 1.0
# Products may be gone, and anybody may send numbers that are none.
_SPARE = 4
POOR_SHOWN = 10
STRIP = 8
FEW = 4
UNSURE = 0.5
# Where three visitors of a hundred click, one strip in twenty that was seen so often has no click by chance.
IGNORED_AFTER = 100


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Products for sale, those of them without a photo, products that were withdrawn, and photos."""

    active: int
    without_photo: int
    withdrawn: int
    photos: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Photos that failed for one reason. reason: with … for what differs between them. words: what all have in common."""

    reason: str
    words: str
    photos: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what a collection covers its active version finds. photos = indexed + waiting + failed."""

    collection: str
    version_id: int
    photos: int
    indexed: int
    waiting: int
    failed: int
    failures: Sequence[Failure]


@dataclass(frozen=True, slots=True)
class Work:
    """A job, with its steps a second and the time when its stage ends at that rate; None where nobody can say yet."""

    job: Job
    rate: float | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """An index that is being built. vectors: photos embedded so far, of so many photos."""

    version: EncoderVersion
    since: datetime
    vectors: int
    photos: int


@dataclass(frozen=True, slots=True)
class Quality:
    """What an evaluation found, from 0 to 1, on photos that the training kept aside; None where nobody measured it."""

    recall_at_1: float | None
    mean_average_precision: float | None


class Weakness(StrEnum):
    """Why the strip beside a product is poor."""

    NOTHING = "nothing"
    FEW = "few"
    NOT_COMPARED = "not_compared"
    UNSURE = "unsure"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class PoorQuery:
    """A product beside which the recommendations are poor. confidence: of the best result, None where there is none."""

    product: ProductCard
    collection: str
    impressions: int
    clicks: int
    results: int
    confidence: float | None
    weaknesses: Sequence[Weakness]


@dataclass(frozen=True, slots=True)
class PoorQueries:
    """The poor ones among the products asked about most, those seen most first. problem: why not all could be asked about."""

    queries: Sequence[PoorQuery]
    asked: int
    problem: str = ""


def catalogue() -> Catalogue:
    """Counts of the whole catalogue, up to KEEP_S old."""
    return _kept("catalogue", KEEP_S, _count_catalogue)


def coverage() -> Sequence[Coverage]:
    """Of each collection that has an active version, up to KEEP_S old."""
    return _kept("coverage", KEEP_S, _count_coverage)


def work() -> list[Work]:
    """Jobs that wait or are under way, and the latest of each kind, newest first."""
    latest = Job.objects.order_by().values("kind").annotate(latest=Max("created_at")).values("latest")
    shown = Q(state__in=(Job.State.QUEUED, Job.State.RUNNING)) | Q(created_at__in=latest)
    return [_paced(job) for job in Job.objects.filter(shown).select_related("collection")]


def builds() -> list[Build]:
    """The indices that are being built, the longest under way first."""
    started = EncoderVersion.objects.filter(rebuild_started_at__isnull=False).select_related("collection")
    versions = [version for version in started.order_by("rebuild_started_at") if version.rebuilding]
    counts = _states_of(versions)
    return [
        Build(
            version,
            version.rebuild_started_at,
            _sum(counts[version.pk], _WITH_VECTOR),
            _sum(counts[version.pk], _PRESENT),
        )
        for version in versions
        if version.rebuild_started_at
    ]


def collections() -> list[Collection]:
    """All collections, with their active versions."""
    return list(Collection.objects.select_related("active_version__collection"))


def quality_of(version: EncoderVersion) -> Quality:
    """How good a version is."""
    return Quality(version.outcome.get("recall_at_1"), version.outcome.get("mean_average_precision"))


def event_counts() -> dict[Event.Type, int]:
    """What happened within the PERIOD to products that the catalogue knows, up to KEEP_EVENTS_S old."""
    return _kept("events", KEEP_EVENTS_S, _count_events)


def poor_queries() -> PoorQueries:
    """The products seen most within the PERIOD beside which recommendations are poor, up to KEEP_EVENTS_S old."""
    return _kept("poor", KEEP_EVENTS_S, _find_poor)


def forget() -> None:
    """Count everything afresh."""
    caches["process"].clear()


def _kept(name: str, seconds: int, read: Callable[[], T]) -> T:
    return cast("T", caches["process"].get_or_set(f"dashboard:{name}", read, seconds))


def _count_catalogue() -> Catalogue:
    by_active = dict(Product.objects.order_by().values_list("active").annotate(Count("pk")))
    photos = ProductImage.objects.filter(product=OuterRef("pk")).order_by()
    return Catalogue(
        active=by_active.get(True, 0),
        without_photo=visible_products().filter(~Exists(photos)).count(),
        withdrawn=by_active.get(False, 0),
        photos=ProductImage.objects.count(),
    )


_INDEXED = (State.INDEXED, State.OUTDATED)
_WAITING = (State.PENDING, State.EMBEDDED)
_WITH_VECTOR = (*_INDEXED, State.EMBEDDED)
_PRESENT = (*_INDEXED, *_WAITING, State.FAILED)


def _count_coverage() -> list[Coverage]:
    versions = active_versions()
    counts = _states_of(versions)
    return [
        Coverage(
            collection=version.collection.name,
            version_id=version.pk,
            photos=_sum(counts[version.pk], _PRESENT),
            indexed=_sum(counts[version.pk], _INDEXED),
            waiting=_sum(counts[version.pk], _WAITING),
            failed=counts[version.pk][State.FAILED],
            failures=_failures(version) if counts[version.pk][State.FAILED] else (),
        )
        for version in versions
    ]


def _states_of(versions: Sequence[EncoderVersion]) -> dict[int, Counter[str]]:
    """How many photos of each version are in each state."""
    counts: dict[int, Counter[str]] = {version.pk: Counter() for version in versions}
    rows = ImageEmbedding.objects.filter(version__in=counts).order_by()
    for version_id, state, number in rows.values_list("version", "state").annotate(Count("pk")):
        counts[version_id][state] = number
    return counts


def _sum(counts: Counter[str], states: Iterable[str]) -> int:
    return sum(counts[state] for state in states)


# A file's name, a size or a number of pixels: what tells two photos apart that failed for the same reason.
_PARTICULAR = re.compile(r"\S*[/\d]\S*")
_REASONS_READ = 1000


def _failures(version: EncoderVersion) -> list[Failure]:
    """The reasons that most of a version's photos failed for."""
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).order_by()
    by_reason: Counter[str] = Counter()
    for error, number in failed.values_list("error").annotate(number=Count("pk")).order_by("-number")[:_REASONS_READ]:
        by_reason[_PARTICULAR.sub("…", error)] += number
    return [
        Failure(reason, max(reason.split("…"), key=len).strip(), number)
        for reason, number in by_reason.most_common(REASONS_SHOWN)
    ]


def _paced(job: Job) -> Work:
    """The job with its rate: of one that has ended the whole one, else that since its stage was looked at first."""
    if job.kind in (Job.Kind.IMPORT, Job.Kind.REINDEX) and job.started_at and job.finished_at and job.done:
        return Work(job, job.done / max((job.finished_at - job.started_at).total_seconds(), 1))
    if job.state != Job.State.RUNNING or not job.total:
        return Work(job)
    now, key = time.time(), f"dashboard:pace:{job.pk}"
    stage, done, at = caches["process"].get(key) or ("", 0, now)
    if stage != job.stage or done > job.done:
        caches["process"].set(key, (job.stage, job.done, now), _PACE_KEPT_S)
        return Work(job)
    if done == job.done or now == at:
        return Work(job)
    rate = (job.done - done) / (now - at)
    return Work(job, rate, timezone.now() + timedelta(seconds=(job.total - job.done) / rate))


def _recent(*types: Event.Type) -> QuerySet[Event]:
    """Events of these types within the PERIOD. The types are named so that the index finds them."""
    return Event.objects.filter(type__in=types, created_at__gte=timezone.now() - PERIOD).order_by()


def _count_events() -> dict[Event.Type, int]:
    known = Q(product_id__isnull=True) | Q(product_id__in=Product.objects.order_by().values("pk"))
    rows = _recent(*Event.Type).filter(known).values_list("type").annotate(Count("pk"))
    return {Event.Type(kind): number for kind, number in rows}


def _find_poor() -> PoorQueries:
    asked = _asked_most()
    cards = visible_cards({product_id for product_id, _, _ in asked})
    asked = [each for each in asked if each[0] in cards][:QUERIES_ASKED]
    clicks = _clicks_on(cards)
    found: list[PoorQuery] = []
    started = time.monotonic()
    for number, (product_id, collection, impressions) in enumerate(asked):
        if len(found) == POOR_SHOWN or time.monotonic() - started > ASKING_S:
            return PoorQueries(found, number)
        try:
            answer = similar_to(product_id, SimilarQuery(collection=collection, limit=STRIP))
        except (ProductNotFound, UnknownCollection):
            continue
        except EmbeddingsError as error:
            return PoorQueries(found, number, str(error))
        clicked = clicks[product_id, collection]
        if weaknesses := _weaknesses(answer, impressions, clicked):
            best = answer.results[0].confidence if answer.results else None
            found.append(
                PoorQuery(cards[product_id], collection, impressions, clicked, len(answer.results), best, weaknesses)
            )
    return PoorQueries(found, len(asked))


def _asked_most() -> list[tuple[int, str, int]]:
    """Products, each with a collection and how often its strip of that was seen, most first; more than are asked about."""
    seen = _recent(Event.Type.IMPRESSION).filter(product_id__isnull=False)
    counted = seen.values_list("product_id", "collection").annotate(seen=Count("pk"))
    return list(counted.order_by("-seen", "product_id")[: QUERIES_ASKED * _SPARE])


def _clicks_on(product_ids: AnyCollection[int]) -> Counter[tuple[int, str]]:
    """How often a result was clicked, by the product whose strip it was in and the collection."""
    clicked = _recent(Event.Type.CLICK).filter(product_id__in=product_ids)
    rows = clicked.values_list("product_id", "collection").annotate(Count("pk"))
    return Counter({(product_id, collection): number for product_id, collection, number in rows})


def _weaknesses(answer: Recommendations, impressions: int, clicks: int) -> tuple[Weakness, ...]:
    results = answer.results
    confidence = results[0].confidence if results else None
    checks = (
        (Weakness.NOTHING, not results),
        (Weakness.NOT_COMPARED, answer.fallback and bool(results)),
        (Weakness.FEW, not answer.fallback and 0 < len(results) < FEW),
        (Weakness.UNSURE, confidence is not None and confidence < UNSURE),
        (Weakness.IGNORED, impressions >= IGNORED_AFTER and not clicks),
    )
    return tuple(weakness for weakness, holds in checks if holds)
