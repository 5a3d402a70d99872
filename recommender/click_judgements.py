"""Judgements from clicks: how often a product was clicked, of the times that it was looked at after a search by words.

By the cascade model (Craswell et al., "An Experimental Comparison of Click Position-Bias Models", WSDM 2008): who clicks has
looked at everything above the click.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from recommender.models import Event

# The latest clicks; more would take memory and teach nothing new.
MAX_CLICKS = 200_000
# A product that was looked at less often says nothing.
MIN_LOOKS = 3
_Cell = tuple[str, datetime]


def judgements_of_clicks(collection: str) -> dict[str, dict[int, float]]:
    """What visitors clicked after searches by words.

    No event names the list of a click: it is one of the same query and hour that has the clicked result at its place. What stands
    above it, and was not clicked in that hour, was passed over.

    Args:
        collection: slug.

    Returns:
        The share of clicks of each product that was looked at MIN_LOOKS times, 0 to 1, by query.
    """
    events = Event.objects.filter(collection=collection, searched__isnull=False)
    clicks: Any = events.filter(type=Event.Type.CLICK).order_by("-pk").values_list(
        "searched__query", "created_at", "result_id", "position"
    )  # fmt: skip
    clicked: defaultdict[_Cell, Counter[tuple[int, int]]] = defaultdict(Counter)
    for query, hour, result, position in clicks[:MAX_CLICKS]:
        clicked[query, hour][result, position] += 1
    lists = _lists(events, clicked)
    looks: defaultdict[str, Counter[int]] = defaultdict(Counter)
    hits: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for cell, places in clicked.items():
        query, results = cell[0], {result for result, _ in places}
        for (result, position), number in places.items():
            hits[query][result] += number
            looks[query][result] += number
            fitting = (each for each in lists[cell] if len(each) >= position and each[position - 1] == result)
            for above in next(fitting, ())[: position - 1]:
                if above is not None and above not in results:
                    looks[query][above] += number
    return {
        query: {each: hits[query][each] / number for each, number in counted.items() if number >= MIN_LOOKS}
        for query, counted in looks.items()
    }


def _lists(events: Any, cells: Collection[_Cell]) -> defaultdict[_Cell, set[Sequence[int | None]]]:
    """The lists that were seen in some hours for some queries."""
    found: defaultdict[_Cell, set[Sequence[int | None]]] = defaultdict(set)
    if cells:
        since = min(hour for _, hour in cells)
        seen: Any = events.filter(type=Event.Type.IMPRESSION, created_at__gte=since).order_by()
        for query, hour, results in seen.values_list("searched__query", "created_at", "results").iterator():
            if (query, hour) in cells:
                found[query, hour].add(tuple(results))
    return found
