"""What recommendations bring, from visitor events: by day, by collection and by encoder version.

Nothing links two events, so that a purchase belongs to no click: the figures stand side by side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby

from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDate
from django.utils import timezone

from recommender.models import Event

PERIODS = (7, 28, 90)


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
class VisitorReport:
    """The report of a period. `versions`: by collection, in the order of their first events."""

    days: tuple[date, ...]
    series: tuple[Series, ...]
    versions: tuple[VersionFigures, ...]

    @property
    def click_rate(self) -> float | None:
        """Clicks for each strip that was seen; None if none was."""
        totals = {each.kind: each.total for each in self.series}
        return totals[Event.Type.CLICK] / totals[Event.Type.IMPRESSION] if totals[Event.Type.IMPRESSION] else None


def visitor_report(days: int) -> VisitorReport:
    """Count the events of the last days, today included.

    Args:
        days: one of PERIODS.

    Returns:
        The report; days begin at midnight in the shop's time zone.
    """
    today = timezone.localdate()
    dates = tuple(today - timedelta(days=ago) for ago in range(days - 1, -1, -1))
    since = timezone.make_aware(datetime.combine(dates[0], datetime.min.time()))
    events = Event.objects.filter(type__in=[*Event.Type], created_at__gte=since).order_by()
    by_day: dict[tuple[str, date], int] = {
        (kind, day): number
        for kind, day, number in events.annotate(day=TruncDate("created_at"))
        .values_list("type", "day")
        .annotate(Count("pk"))
    }
    series = tuple(Series(kind, tuple(by_day.get((kind, day), 0) for day in dates)) for kind in Event.Type)
    shown = events.filter(type__in=(Event.Type.IMPRESSION, Event.Type.CLICK)).exclude(encoder="")
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
    return VisitorReport(dates, series, tuple(_with_changes(versions)))


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
