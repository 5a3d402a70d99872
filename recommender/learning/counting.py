"""Reads visitor events into counts; each event is read once, and memory grows with the pairs, not with the events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db.models import QuerySet

from jobs.progress import ProgressCallback
from recommender.learning.assignment import HELD_OUT, hour_of, share
from recommender.learning.places import Seen, total
from recommender.learning.replay import HeldOutClicks
from recommender.models import Event

# One of so many hours is kept aside, to replay on.
HOLD_OUT_EVERY = 5
# Places behind are hardly seen, and what is said of them is mostly wrong.
MAX_PLACES = 100
_CHUNK = 20_000
# Entries that are added up together: with more, fewer passes and more memory.
_ENTRIES = 4_000_000


@dataclass(frozen=True, slots=True)
class Log:
    """What the events of a collection say.

    Attributes:
        everything: of all hours.
        learned_from: of the hours that are not kept aside.
        held_out: clicks of the hours kept aside.
        strips: by hour kept aside, how many strips were seen in it.
        strip_length: of most strips; 0 without any.
        impressions: strips seen in all.
        clicks: in all.
    """

    everything: Seen
    learned_from: Seen
    held_out: HeldOutClicks
    strips: dict[int, int]
    strip_length: int
    impressions: int
    clicks: int


@dataclass
class _Half:
    """Collects the entries of some hours."""

    parts: list[Seen] = field(default_factory=list)
    entries: int = 0

    def add(self, seen: Seen) -> None:
        self.parts.append(seen)
        self.entries += len(seen.places)
        if self.entries > _ENTRIES:
            self.parts = [self.total()]
            self.entries = 0

    def total(self) -> Seen:
        return joined(*self.parts)


def joined(*parts: Seen) -> Seen:
    """Add up several counts.

    Args:
        *parts: any number of them.

    Returns:
        One entry for each pair at each place.
    """
    if not parts:
        none = np.empty(0, np.int64)
        return Seen(none, none, none, np.empty(0), np.empty(0))
    products, results, places, shown, clicks = zip(*(part.columns for part in parts), strict=True)
    return total(
        Seen(
            np.concatenate(products),
            np.concatenate(results),
            np.concatenate(places),
            np.concatenate(shown),
            np.concatenate(clicks),
        )
    )


def is_held_out(hour: int) -> bool:
    """Whether an hour is kept aside."""
    return share(0, hour, HELD_OUT) < 1 / HOLD_OUT_EVERY


def read_log(collection: str, on_progress: ProgressCallback) -> Log:
    """Read the events of a collection.

    Args:
        collection: its slug.
        on_progress: called with the stage "reading".

    Returns:
        What they say.
    """
    halves = (_Half(), _Half())
    lengths: Counter[int] = Counter()
    strips: Counter[int] = Counter()
    impressions = clicks = 0
    events = Event.objects.filter(collection=collection, product_id__isnull=False).order_by()
    seen = events.filter(type=Event.Type.IMPRESSION)
    number = seen.count()
    held: list[tuple[int, int, int, int]] = []
    aside: dict[int, bool] = {}

    def is_aside(hour: int) -> bool:
        if hour not in aside:
            aside[hour] = is_held_out(hour)
        return aside[hour]

    for chunk in _chunks(seen.values_list("product_id", "created_at", "results")):
        entries: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] = ([], [])
        for product_id, created_at, results in chunk:
            hour = hour_of(created_at)
            lengths[len(results)] += 1
            strips[hour] += is_aside(hour)
            entries[is_aside(hour)].extend(
                (product_id, result, place) for place, result in enumerate(results[:MAX_PLACES]) if result is not None
            )
        impressions += len(chunk)
        for half, rows in zip(halves, entries, strict=True):
            half.add(_seen(rows, shown=1.0, clicks=0.0))
        on_progress("reading", impressions, number)
    for chunk in _chunks(
        events.filter(type=Event.Type.CLICK, position__lte=MAX_PLACES).values_list(
            "product_id", "created_at", "result_id", "position"
        )
    ):
        clicked: tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]] = ([], [])
        for product_id, created_at, result, position in chunk:
            hour = hour_of(created_at)
            clicked[is_aside(hour)].append((product_id, result, position - 1))
            if is_aside(hour):
                held.append((hour, product_id, result, position - 1))
        clicks += len(chunk)
        for half, rows in zip(halves, clicked, strict=True):
            half.add(_seen(rows, shown=0.0, clicks=1.0))
    learned_from, kept_aside = halves[0].total(), halves[1].total()
    columns = np.array(held, np.int64).reshape(-1, 4).T
    lengths.pop(0, None)
    return Log(
        everything=joined(learned_from, kept_aside),
        learned_from=learned_from,
        held_out=HeldOutClicks(columns[0], columns[1], columns[2], columns[3]),
        strips={hour: number for hour, number in strips.items() if number},
        strip_length=lengths.most_common(1)[0][0] if lengths else 0,
        impressions=impressions,
        clicks=clicks,
    )


def _seen(rows: list[tuple[int, int, int]], *, shown: float, clicks: float) -> Seen:
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return total(Seen(columns[0], columns[1], columns[2], np.full(len(rows), shown), np.full(len(rows), clicks)))


def _chunks(rows: QuerySet[Event, Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for row in rows.iterator(chunk_size=_CHUNK):
        chunk.append(row)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
