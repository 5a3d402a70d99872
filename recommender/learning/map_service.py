"""Learns a linear map of a collection's embeddings from clicks, and registers it as an encoder version where it is better."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.mapping import register_mapped_version
from embeddings.models import Collection, EncoderVersion
from embeddings.selectors import LiveCollection, live_collection
from jobs.progress import ProgressCallback
from recommender.learning.assignment import CHOOSING, share
from recommender.learning.counting import Log, read_log
from recommender.learning.linear_map import LearnedMap, Preferences, learn_map
from recommender.learning.places import measure_places, results_seen
from recommender.learning.preferences import read_preferences
from recommender.learning.replay import MAX_REPLAYED, Outcome, replay
from recommender.learning.visual import visual_orders

# With fewer there is nothing to learn from, or to measure with.
MIN_PREFERENCES = 200


@dataclass(frozen=True, slots=True)
class MapReport:
    """What came of it.

    Attributes:
        preferences: that the events have.
        outcome: of the replay; None with too few preferences.
        version: that was registered; None where the map is not better.
    """

    preferences: int
    outcome: Outcome | None = None
    version: EncoderVersion | None = None


def learn_version(collection: Collection, on_progress: ProgressCallback) -> MapReport:
    """Learn a map of the active version's vectors, and register it if it is better on hours that it was not learned from.

    Args:
        collection: one with an active version.
        on_progress: called with the stages "reading" and "learning".

    Returns:
        What came of it. The version serves nothing until it is activated.

    Raises:
        UnknownCollection: the collection has no active version.
        EncoderUnavailable: the model of the active version is missing.
    """
    live = live_collection(collection.slug)
    preferences = read_preferences(live)
    log = read_log(collection.slug, on_progress)
    number = int(preferences.weights.sum())
    if number < MIN_PREFERENCES or not len(log.held_out.hours):
        return MapReport(number)
    on_progress("learning", 0, 0)
    found = _learn(live, preferences, log)
    if not found.outcome.is_better:
        return MapReport(number, found.outcome)
    base = EncoderVersion.objects.select_related("collection").get(pk=live.version_id)
    version = register_mapped_version(
        base,
        found.scale,
        recipe={"learned_from": "clicks", "preferences": number, "ridge": found.ridge},
        metrics={"clicks": asdict(found.outcome)},
    )
    return MapReport(number, found.outcome, version)


def _learn(live: LiveCollection, preferences: Preferences, log: Log) -> LearnedMap:
    """Learn from the hours that are not kept aside; of those, one half chooses the ridge, the other half measures."""
    look = measure_places(log.learned_from)
    products = log.held_out.most_clicked(MAX_REPLAYED)
    seen = results_seen(log.everything, products)
    choosing = np.array([share(0, hour, CHOOSING) < 0.5 for hour in log.held_out.hours.tolist()])

    def replayed(scale: NDArray[np.float32], hours: NDArray[np.bool_]) -> Outcome:
        visual, by_map = visual_orders(live, seen, [None, scale])
        return replay(
            log.held_out.of(hours),
            log.strips,
            look,
            visual={product_id: order.results for product_id, order in visual.items()},
            learned={product_id: order.results for product_id, order in by_map.items()},
            strip_length=log.strip_length,
        )

    return learn_map(preferences, lambda scale: replayed(scale, choosing), lambda scale: replayed(scale, ~choosing))
