"""What recommendations bring, from visitor events: by day, by collection and by encoder version.

Nothing links two events, so that a purchase belongs to no click: the figures stand side by side.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from recommender.models import Event

PERIODS = (7, 28, 90)
# What pages that are open keep showing after a switch.
_OVERLAP = timedelta(days=1)
# Of them the collection and the encoder version are known; a basket and a purchase are the shop's.
OF_STRIPS = (Event.Type.IMPRESSION, Event.Type.CLICK)


@dataclass(frozen=True, slots=True)
class Series:
    """The number of events of a type by day, oldest first."""

    kind: Event.Type
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Of all days."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """What strips of an encoder version brought.

    Attributes:
        since: hour of its first event in the period; a version that follows another one was switched to then.
        until: hour of its last event.
        change: of the click rate, against the version before it in the same collection; None without both rates.
    """

    collection: str
    encoder: str
    shown: int
    clicked: int
    since: datetime
    until: datetime
    change: float | None = None

    @property
    def click_rate(self) -> float | None:
        """Clicks for each strip that was seen; None if none was."""
        return self.clicked / self.shown if self.shown else None


@dataclass(frozen=True, slots=True)
class BeforeAndAfter:
    """A figure around a switch, as a mean of a day. kind: None for the clicks for each strip seen."""

    kind: Event.Type | None
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """In parts of what it was; None without both."""
        return self.after / self.before - 1 if self.after is not None and self.before else None


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch of a collection to another encoder version, with as many days before as after it.

    Attributes:
        before: label of the version that answered before.
        after: label of the version that has answered since.
        day: of the switch; it belongs to neither side.
        days: how many days each side has.
        figures: of the collection; baskets and purchases of the whole shop.
    """

    collection: str
    before: str
    after: str
    day: date
    days: int
    figures: tuple[BeforeAndAfter, ...]


@dataclass(frozen=True, slots=True)
class VisitorReport:
    """The report of a period.

    Attributes:
        days: of the period, oldest first.
        series: by type of event, in the order of the types.
        versions: by collection, in the order of their first events.
        switches: the newest first.
    """

    days: tuple[date, ...]
    series: tuple[Series, ...]
    versions: tuple[VersionFigures, ...]
    switches: tuple[Switch, ...] = ()

    @property
    def click_rate(self) -> float | None:
        """Clicks for each strip that was seen; None if none was."""
        totals = {each.kind: each.total for each in self.series}
        return totals[Event.Type.CLICK] / totals[Event.Type.IMPRESSION] if totals[Event.Type.IMPRESSION] else None


def visitor_report(days: int, collection: str = "") -> VisitorReport:
    """Count the events of the last days, today included.

    Args:
        days: one of PERIODS.
        collection: slug, of which strips seen and clicked are counted; "" for all together.

    Returns:
        The report; days begin at midnight in the shop's time zone.
    """
    today = timezone.localdate()
    dates = tuple(today - timedelta(days=ago) for ago in range(days - 1, -1, -1))
    since = timezone.make_aware(datetime.combine(dates[0], datetime.min.time()))
    events = Event.objects.filter(type__in=[*Event.Type], created_at__gte=since).order_by()
    daily = _Daily()
    for kind, slug, day, number in (
        events.annotate(day=TruncDate("created_at")).values_list("type", "collection", "day").annotate(Count("pk"))
    ):
        daily.add(Event.Type(kind), slug, day, number)
    series = tuple(Series(kind, tuple(daily.count(kind, collection, day) for day in dates)) for kind in Event.Type)
    versions = [each for each in _versions(events) if not collection or each.collection == collection]
    return VisitorReport(dates, series, tuple(_with_changes(versions)), tuple(_switches(versions, daily, dates)))


class _Daily:
    """Counts by type, collection and day."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Event.Type, str, date]] = Counter()

    def add(self, kind: Event.Type, collection: str, day: date, number: int) -> None:
        """Baskets and purchases have no collection."""
        self._counts[kind, "", day] += number
        if collection and kind in OF_STRIPS:
            self._counts[kind, collection, day] += number

    def count(self, kind: Event.Type, collection: str, day: date) -> int:
        """Of a collection where that is known. collection: "" for all."""
        return self._counts[kind, collection if kind in OF_STRIPS else "", day]


def _switches(versions: Sequence[VersionFigures], daily: _Daily, dates: Sequence[date]) -> list[Switch]:
    """What came before and after each switch that has days on both sides."""
    switches = []
    for old, new in pairwise(versions):
        day = timezone.localdate(new.since)
        # Versions that answer side by side are compared by an A/B test.
        if old.collection != new.collection or old.until > new.since + _OVERLAP:
            continue
        before = [each for each in dates if timezone.localdate(old.since) <= each < day]
        after = [each for each in dates if each > day]
        length = min(len(before), len(after))
        if length:
            figures = _around(daily, new.collection, before[-length:], after[:length])
            switches.append(Switch(new.collection, old.encoder, new.encoder, day, length, figures))
    return sorted(switches, key=lambda each: each.day, reverse=True)


def _around(
    daily: _Daily, collection: str, before: Sequence[date], after: Sequence[date]
) -> tuple[BeforeAndAfter, ...]:
    totals = {
        kind: tuple(sum(daily.count(kind, collection, day) for day in side) for side in (before, after))
        for kind in Event.Type
    }
    rates = [
        clicked / shown if shown else None
        for shown, clicked in zip(totals[Event.Type.IMPRESSION], totals[Event.Type.CLICK], strict=True)
    ]
    counted = [
        BeforeAndAfter(kind, first / len(before), second / len(after)) for kind, (first, second) in totals.items()
    ]
    return (*counted, BeforeAndAfter(None, *rates))


def _versions(events: QuerySet[Event]) -> list[VersionFigures]:
    shown = events.filter(type__in=OF_STRIPS).exclude(encoder="")
    rows = shown.values_list("collection", "encoder", "type").annotate(
        Count("pk"), Min("created_at"), Max("created_at")
    )
    figures: dict[tuple[str, str], dict[str, tuple[int, datetime, datetime]]] = defaultdict(dict)
    for collection, encoder, kind, number, first, last in rows:
        figures[collection, encoder][kind] = (number, first, last)
    versions = [
        VersionFigures(
            collection,
            encoder,
            kinds.get(Event.Type.IMPRESSION, (0,))[0],
            kinds.get(Event.Type.CLICK, (0,))[0],
            min(first for _, first, _ in kinds.values()),
            max(last for _, _, last in kinds.values()),
        )
        for (collection, encoder), kinds in figures.items()
    ]
    versions.sort(key=lambda each: (each.collection, each.since, each.encoder))
    return versions


def _with_changes(versions: Sequence[VersionFigures]) -> list[VersionFigures]:
    compared = []
    for _, group in groupby(versions, key=lambda each: each.collection):
        before: float | None = None
        for each in group:
            rate = each.click_rate
            change = rate / before - 1 if rate is not None and before else None
            compared.append(replace(each, change=change))
            before = rate
    return compared
