"""Reads from events what visitors clicked and what they passed over. No event names the strip of a click: the hour has to do."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import numpy as np

from embeddings.selectors import LiveCollection
from recommender.learning.assignment import hour_of
from recommender.learning.counting import is_held_out
from recommender.learning.linear_map import Preferences
from recommender.learning.visual import vectors_by_product
from recommender.models import Event

# The latest clicks; more would take memory and teach nothing new.
MAX_CLICKS = 200_000
_Preference = tuple[int, int, int]


def read_preferences(live: LiveCollection) -> Preferences:
    """The preferences that the events of a collection have, of hours that are not kept aside.

    All who look at a product within an hour see the same strip. So a click at a place belongs to a strip of its product and hour
    that has the clicked result there, and what stands above it and was not clicked in that hour was passed over.

    Args:
        live: the collection; the vectors are those of each product's first photo by its active version.

    Returns:
        The preferences between products that have vectors.
    """
    counted = _count(live.slug)
    vectors = vectors_by_product(live, {product for each in counted for product in each})
    first = {product_id: live.layout.split(photos[:1])[0][0] for product_id, photos in vectors.items()}
    known = [each for each in counted if all(product in first for product in each)]
    queries, clicked, passed = (
        np.array([first[each[member]] for each in known], np.float32).reshape(len(known), live.dim)
        for member in range(3)
    )
    return Preferences(
        queries,
        clicked,
        passed,
        np.array([counted[each] for each in known], np.float64),
    )


def _count(collection: str) -> Counter[_Preference]:
    """Product, clicked result and passed result, with how often, of the hours that are not kept aside."""
    events = Event.objects.filter(collection=collection, product_id__isnull=False)
    clicks: Any = events.filter(type=Event.Type.CLICK).order_by("-pk").values_list(
        "product_id", "created_at", "result_id", "position"
    )  # fmt: skip
    by_cell: dict[tuple[int, datetime], Counter[tuple[int, int]]] = defaultdict(Counter)
    for product_id, created_at, result_id, position in clicks[:MAX_CLICKS]:
        if not is_held_out(hour_of(created_at)):
            by_cell[product_id, created_at][result_id, position] += 1
    counted: Counter[_Preference] = Counter()
    if not by_cell:
        return counted
    since = min(created_at for _, created_at in by_cell)
    strips: dict[tuple[int, datetime], set[tuple[int | None, ...]]] = defaultdict(set)
    seen: Any = (
        events.filter(type=Event.Type.IMPRESSION, created_at__gte=since)
        .order_by()
        .values_list("product_id", "created_at", "results")
    )
    for product_id, created_at, results in seen.iterator():
        if (product_id, created_at) in by_cell:
            strips[product_id, created_at].add(tuple(results))
    for cell, clicked in by_cell.items():
        results_clicked = {result for result, _ in clicked}
        for (result, position), number in clicked.items():
            fitting = (strip for strip in strips[cell] if len(strip) >= position and strip[position - 1] == result)
            for above in next(fitting, ())[: position - 1]:
                if above is not None and above not in results_clicked:
                    counted[cell[0], result, above] += number
    return counted
