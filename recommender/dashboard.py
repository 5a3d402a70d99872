"""The figures of the admin's overview: catalogue, index coverage, jobs, visitors, and products with poor recommendations.

Each process caches counts over whole tables, so that reloading the page is cheap.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar, cast

from django.core.cache import caches
from django.db.models import Case, Count, Exists, Max, OuterRef, Q, QuerySet, When
from django.utils import timezone

from accounts.models import ApiKey
from catalog.cards import ProductCard, visible_cards
from catalog.errors import ProductNotFound
from catalog.models import Product, ProductImage
from catalog.selectors import visible_products
from embeddings.backends import get_vector_index
from embeddings.errors import CollectionNotFound, EmbeddingsError, UnknownCollection
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.selectors import active_versions
from embeddings.vector_index.base import Copies
from jobs.models import Job
from recommender.models import Event, Experiment, LearnedOrder
from recommender.pipeline import similar_to
from recommender.queries import Recommendations, SimilarQuery

T = TypeVar("T")
State = ImageEmbedding.State

CACHE_S = 30
EVENTS_CACHE_S = 60
_RATE_CACHE_S = 3600
MAX_REASONS = 5
MAX_EXPERIMENTS = 5

PERIOD = timedelta(days=7)
# So many of the most viewed products are evaluated, within this time.
MAX_QUERIES = 50
QUERY_TIME_LIMIT_S = 1.0
# Some viewed products may be deleted, and clients may send ids that do not exist.
_OVERSAMPLING = 4
MAX_POOR_QUERIES = 10
STRIP_LENGTH = 8
FEW_RESULTS_BELOW = 4
LOW_CONFIDENCE_BELOW = 0.5
# With a click rate of 3%, one strip in twenty has no click by chance after so many impressions.
NO_CLICKS_AFTER = 100


@dataclass(frozen=True, slots=True)
class CatalogueCounts:
    """Numbers of products and photos.

    Attributes:
        active: visible products.
        without_photo: visible products without a photo.
        withdrawn: inactive products.
        photos: photos of all products.
    """

    active: int
    without_photo: int
    withdrawn: int
    photos: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Photos that failed for the same reason.

    Attributes:
        reason: the error, with … for the parts that differ between the photos.
        words: the longest part that all errors have in common, for a text search.
        photos: number of photos.
        fact: what one of the errors says, as `jobs.facts` keeps it; None if that is not known.
    """

    reason: str
    words: str
    photos: int
    fact: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many photos of a collection its active version has indexed; photos = indexed + waiting + failed.

    Attributes:
        copies: of the shards of its index; None with an engine in a process of ours, and while the index does not answer.
        problem: why the index does not answer; "" if it does.
    """

    collection: str
    version_id: int
    photos: int
    indexed: int
    waiting: int
    failed: int
    failures: Sequence[Failure]
    copies: Copies | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job with its rate.

    Attributes:
        job: the job.
        rate: steps per second; None if unknown.
        ends_at: when its stage ends at that rate; None if unknown.
    """

    job: Job
    rate: float | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """An index that is being built: `vectors` of `photos` photos are embedded."""

    version: EncoderVersion
    since: datetime
    vectors: int
    photos: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Metrics of an evaluation on held-out photos, 0 to 1; None if not measured."""

    recall_at_1: float | None
    mean_average_precision: float | None


class Weakness(StrEnum):
    """Why the recommendations of a product are poor."""

    NO_RESULTS = "no_results"
    FEW_RESULTS = "few_results"
    FALLBACK = "fallback"
    LOW_CONFIDENCE = "low_confidence"
    NO_CLICKS = "no_clicks"


@dataclass(frozen=True, slots=True)
class PoorQuery:
    """A product with poor recommendations in a collection.

    Attributes:
        product: its card.
        collection: slug of the collection.
        impressions: how often its recommendations were seen.
        clicks: how often one of them was clicked.
        results: number of recommended products.
        confidence: of the best result; None without one.
        weaknesses: what is poor.
    """

    product: ProductCard
    collection: str
    impressions: int
    clicks: int
    results: int
    confidence: float | None
    weaknesses: Sequence[Weakness]


@dataclass(frozen=True, slots=True)
class PoorQueries:
    """The most viewed products with poor recommendations.

    Attributes:
        queries: most impressions first.
        evaluated: number of products that were evaluated.
        problem: why not all could be evaluated; "" if all were.
    """

    queries: Sequence[PoorQuery]
    evaluated: int
    problem: str = ""


def catalogue_counts() -> CatalogueCounts:
    """Counts of the whole catalogue, up to CACHE_S old."""
    return _cached("catalogue", CACHE_S, _count_catalogue)


def coverage() -> Sequence[Coverage]:
    """The coverage of each collection with an active version, up to CACHE_S old."""
    return _cached("coverage", CACHE_S, _count_coverage)


def jobs() -> list[JobSummary]:
    """Queued and running jobs, and the latest job of each kind, newest first. What was only tried out says nothing of a kind."""
    tried_out = Q(parameters__dry_run__isnull=False, parameters__dry_run=True)
    latest = (
        Job.objects.filter(~tried_out).order_by().values("kind").annotate(latest=Max("created_at")).values("latest")
    )
    shown = Q(state__in=(Job.State.QUEUED, Job.State.RUNNING)) | Q(created_at__in=latest)
    return [_with_rate(job) for job in Job.objects.filter(shown)]


def builds() -> list[Build]:
    """The indexes that are being built, the oldest build first."""
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
    """All collections with their active versions."""
    return list(Collection.objects.select_related("active_version__collection"))


def quality_of(version: EncoderVersion) -> Quality:
    """The metrics of a version's training.

    Args:
        version: an encoder version.

    Returns:
        Its metrics, each None if not measured.
    """
    return Quality(version.outcome.get("recall_at_1"), version.outcome.get("mean_average_precision"))


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """How far a new shop has come. has_page_key: a valid publishable key that is bound to the origins of its pages."""

    has_products: bool
    has_strips: bool
    has_page_key: bool
    has_events: bool

    @property
    def are_done(self) -> bool:
        """Whether visitors are seen: then the key, which a shop need not have, is no question any more."""
        return self.has_products and self.has_strips and self.has_events


def first_steps() -> FirstSteps:
    """What a new shop has done, up to CACHE_S old."""
    return _cached("first_steps", CACHE_S, _find_first_steps)


def event_counts() -> dict[Event.Type, int]:
    """Numbers of events within the PERIOD for products that exist, up to EVENTS_CACHE_S old."""
    return _cached("events", EVENTS_CACHE_S, _count_events)


def learned_orders() -> list[LearnedOrder]:
    """What was learned for each collection."""
    return list(LearnedOrder.objects.select_related("collection").order_by("collection__slug"))


def experiments() -> list[Experiment]:
    """The running A/B tests, and the latest of those that have ended, newest first."""
    tests = Experiment.objects.select_related("collection", "control__collection", "candidate__collection")
    running = Case(When(state=Experiment.State.RUNNING, then=0), default=1)
    return list(tests.order_by(running, "-started_at", "-pk")[:MAX_EXPERIMENTS])


def poor_queries() -> PoorQueries:
    """The most viewed products within the PERIOD whose recommendations are poor, up to EVENTS_CACHE_S old."""
    return _cached("poor", EVENTS_CACHE_S, _find_poor_queries)


def _cached(name: str, seconds: int, read: Callable[[], T]) -> T:
    return cast("T", caches["process"].get_or_set(f"dashboard:{name}", read, seconds))


def _count_catalogue() -> CatalogueCounts:
    by_active = dict(Product.objects.order_by().values_list("active").annotate(Count("pk")))
    photos = ProductImage.objects.filter(product=OuterRef("pk")).order_by()
    return CatalogueCounts(
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
    copies, problems = _copies_of(versions)
    return [
        Coverage(
            copies=copies.get(version.pk),
            problem=problems.get(version.pk, ""),
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


def _copies_of(versions: Sequence[EncoderVersion]) -> tuple[dict[int, Copies | None], dict[int, str]]:
    """The copies of the shards of each version's index, or why it does not say; once it is away it is not waited for again."""
    copies: dict[int, Copies | None] = {}
    problems: dict[int, str] = {}
    for version in versions:
        try:
            copies[version.pk] = get_vector_index().copies(version.index_collection().name)
        except CollectionNotFound as error:
            problems[version.pk] = str(error)
        except EmbeddingsError as error:
            return copies, {**problems, **{each.pk: str(error) for each in versions if each.pk not in copies}}
    return copies, problems


def _states_of(versions: Sequence[EncoderVersion]) -> dict[int, Counter[str]]:
    """The number of photos in each state, by version."""
    counts: dict[int, Counter[str]] = {version.pk: Counter() for version in versions}
    rows = ImageEmbedding.objects.filter(version__in=counts).order_by()
    for version_id, state, number in rows.values_list("version", "state").annotate(Count("pk")):
        counts[version_id][state] = number
    return counts


def _sum(counts: Counter[str], states: Iterable[str]) -> int:
    return sum(counts[state] for state in states)


# A file name, a size or a number of pixels: what differs between photos that failed for the same reason.
_VARIABLE_PART = re.compile(r"\S*[/\d]\S*")
_MAX_ERRORS_READ = 1000


def _failures(version: EncoderVersion) -> list[Failure]:
    """The most frequent reasons why photos of a version failed."""
    failed = ImageEmbedding.objects.filter(version=version, state=State.FAILED).order_by()
    by_reason: Counter[str] = Counter()
    facts: dict[str, Mapping[str, Any] | None] = {}
    errors = failed.values_list("error", "error_fact").annotate(number=Count("pk")).order_by("-number")
    for error, fact, number in errors[:_MAX_ERRORS_READ]:
        reason = _VARIABLE_PART.sub("…", error)
        by_reason[reason] += number
        facts.setdefault(reason, fact)
    return [
        Failure(reason, max(reason.split("…"), key=len).strip(), number, facts[reason])
        for reason, number in by_reason.most_common(MAX_REASONS)
    ]


def _with_rate(job: Job) -> JobSummary:
    """The job with its rate: over its whole time if it has ended, else since this process saw its stage first."""
    if job.registered_kind.has_mean_rate and job.started_at and job.finished_at and job.done:
        return JobSummary(job, job.done / max((job.finished_at - job.started_at).total_seconds(), 1))
    if job.state != Job.State.RUNNING or not job.total:
        return JobSummary(job)
    now, key = time.time(), f"dashboard:rate:{job.pk}"
    stage, done, at = caches["process"].get(key) or ("", 0, now)
    if stage != job.stage or done > job.done:
        caches["process"].set(key, (job.stage, job.done, now), _RATE_CACHE_S)
        return JobSummary(job)
    if done == job.done or now == at:
        return JobSummary(job)
    rate = (job.done - done) / (now - at)
    return JobSummary(job, rate, timezone.now() + timedelta(seconds=(job.total - job.done) / rate))


def _recent(*types: Event.Type) -> QuerySet[Event]:
    """Events of these types within the PERIOD. The types are named so that the index is used."""
    return Event.objects.filter(type__in=types, created_at__gte=timezone.now() - PERIOD).order_by()


def _find_first_steps() -> FirstSteps:
    valid = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    keys = ApiKey.objects.filter(valid, kind=ApiKey.Kind.PUBLISHABLE, revoked_at=None).exclude(origins="")
    return FirstSteps(
        has_products=Product.objects.exists(),
        has_strips=ImageEmbedding.objects.filter(state=State.INDEXED).exists(),
        has_page_key=keys.exists(),
        has_events=Event.objects.exists(),
    )


def _count_events() -> dict[Event.Type, int]:
    known = Q(product_id__isnull=True) | Q(product_id__in=Product.objects.order_by().values("pk"))
    rows = _recent(*Event.Type).filter(known).values_list("type").annotate(Count("pk"))
    return {Event.Type(kind): number for kind, number in rows}


def _find_poor_queries() -> PoorQueries:
    viewed = _most_viewed()
    cards = visible_cards({product_id for product_id, _, _ in viewed})
    viewed = [each for each in viewed if each[0] in cards][:MAX_QUERIES]
    clicks = _clicks_on(cards)
    poor: list[PoorQuery] = []
    started = time.monotonic()
    for number, (product_id, collection, impressions) in enumerate(viewed):
        if len(poor) == MAX_POOR_QUERIES or time.monotonic() - started > QUERY_TIME_LIMIT_S:
            return PoorQueries(poor, number)
        try:
            recommended = similar_to(
                product_id, SimilarQuery(collection=collection, limit=STRIP_LENGTH, for_visitor=False)
            )
        except (ProductNotFound, UnknownCollection):
            continue
        except EmbeddingsError as error:
            return PoorQueries(poor, number, str(error))
        clicked = clicks[product_id, collection]
        if weaknesses := _weaknesses(recommended, impressions, clicked):
            results = recommended.results
            confidence = results[0].confidence if results else None
            poor.append(
                PoorQuery(cards[product_id], collection, impressions, clicked, len(results), confidence, weaknesses)
            )
    return PoorQueries(poor, len(viewed))


def _most_viewed() -> list[tuple[int, str, int]]:
    """Product ids with a collection and the number of impressions, most first; more than are evaluated."""
    impressions = _recent(Event.Type.IMPRESSION).filter(product_id__isnull=False)
    counted = impressions.values_list("product_id", "collection").annotate(seen=Count("pk"))
    return list(counted.order_by("-seen", "product_id")[: MAX_QUERIES * _OVERSAMPLING])


def _clicks_on(product_ids: AnyCollection[int]) -> Counter[tuple[int, str]]:
    """The number of clicks on results, by the product that they were recommended for, and the collection."""
    clicked = _recent(Event.Type.CLICK).filter(product_id__in=product_ids)
    rows = clicked.values_list("product_id", "collection").annotate(Count("pk"))
    return Counter({(product_id, collection): number for product_id, collection, number in rows})


def _weaknesses(recommended: Recommendations, impressions: int, clicks: int) -> tuple[Weakness, ...]:
    results = recommended.results
    confidence = results[0].confidence if results else None
    checks = (
        (Weakness.NO_RESULTS, not results),
        (Weakness.FALLBACK, recommended.fallback and bool(results)),
        (Weakness.FEW_RESULTS, not recommended.fallback and 0 < len(results) < FEW_RESULTS_BELOW),
        (Weakness.LOW_CONFIDENCE, confidence is not None and confidence < LOW_CONFIDENCE_BELOW),
        (Weakness.NO_CLICKS, impressions >= NO_CLICKS_AFTER and not clicks),
    )
    return tuple(weakness for weakness, applies in checks if applies)
