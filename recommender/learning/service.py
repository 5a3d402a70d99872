"""Learns a collection's order from its events, replays it, and has it shown where it was found better."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from embeddings.models import Collection
from embeddings.selectors import live_collection
from jobs.progress import ProgressCallback
from recommender.learning import experiments, serving
from recommender.learning.assignment import YARDSTICK_SHARE
from recommender.learning.counting import Log, read_log
from recommender.learning.places import PairCounts, count_pairs, measure_places, results_seen
from recommender.learning.replay import MAX_REPLAYED, Outcome, replay
from recommender.learning.serving import PairEvidence, Rearrangement
from recommender.learning.visual import visual_orders
from recommender.models import Experiment, LearnedOrder, PairCount

# A learned order that a test found worse is not shown again sooner.
BANNED_FOR = timedelta(days=28)
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Report:
    """What was learned for a collection.

    Attributes:
        collection: its slug.
        impressions: strips seen in the events.
        clicks: on their results.
        pairs: of products that were counted.
        outcome: of the replay.
        is_live: whether the learned order is live now.
        reason: why, in words.
    """

    collection: str
    impressions: int
    clicks: int
    pairs: int
    outcome: Outcome
    is_live: bool
    reason: str


def learn(collection: Collection, on_progress: ProgressCallback) -> Report:
    """Count the events of a collection again, and decide whether the learned order is live.

    Args:
        collection: one with an active version.
        on_progress: called with the stages "reading", "replaying" and "writing".

    Returns:
        What was learned.

    Raises:
        UnknownCollection: it has no active version.
    """
    log = read_log(collection.slug, on_progress)
    outcome = _replayed(collection, log, on_progress)
    look = measure_places(log.everything)
    pairs = count_pairs(log.everything, look)
    on_progress("writing", 0, len(pairs.products))
    with transaction.atomic():
        _replace_pairs(collection, pairs)
        former = LearnedOrder.objects.select_for_update().filter(collection=collection).first()
        is_live, reason = _decide(collection, outcome, was_live=former is not None and former.is_live)
        values = {
            "is_live": is_live,
            "click_rate": pairs.click_rate,
            "places": [round(share, 4) for share in look.tolist()],
            "strip_length": log.strip_length,
            "outcome": asdict(outcome),
            "reason": reason,
            "learned_at": timezone.now(),
        }
        LearnedOrder.objects.update_or_create(collection=collection, defaults=values)
    serving.clear_cache()
    if is_live and settings.LEARNING == "on":
        _watch(collection)
    return Report(collection.slug, log.impressions, log.clicks, len(pairs.products), outcome, is_live, reason)


def _watch(collection: Collection) -> None:
    """Have the learned order compared with the visual one, in the requests that stay unlearned, as long as it is live."""
    running = Experiment.objects.filter(
        collection=collection, kind=Experiment.Kind.ORDER, state=Experiment.State.RUNNING
    )
    if not running.exists():
        experiments.start_order_test(collection, 1 - YARDSTICK_SHARE)


def _decide(collection: Collection, outcome: Outcome, *, was_live: bool) -> tuple[bool, str]:
    """Whether the learned order is live, and why."""
    worse = Experiment.objects.filter(
        collection=collection,
        kind=Experiment.Kind.ORDER,
        state=Experiment.State.WORSE,
        ended_at__gt=timezone.now() - BANNED_FOR,
    )
    if worse.exists():
        return False, f"an A/B test within the last {BANNED_FOR.days} days found it worse than the visual order"
    if not outcome.is_measured:
        return was_live, f"too few clicks to replay: {outcome.clicks} in {outcome.hours} hours"
    if outcome.is_better:
        return True, f"the replay found it better: {outcome.in_words}"
    if outcome.high < 0:
        return False, f"the replay found it worse: {outcome.in_words}"
    return was_live, f"the replay found no clear difference: {outcome.in_words}"


def _replayed(collection: Collection, log: Log, on_progress: ProgressCallback) -> Outcome:
    """Replay what is learned from most hours on the others."""
    look = measure_places(log.learned_from)
    pairs = count_pairs(log.learned_from, look)
    if not len(pairs.products) or not len(log.held_out.products):
        return Outcome()
    evidence = _by_product(pairs)
    most_clicked = log.held_out.most_clicked(MAX_REPLAYED)
    results = results_seen(log.everything, most_clicked)
    [orders] = visual_orders(live_collection(collection.slug), results)
    learned: dict[int, list[int]] = {}
    for number, (product_id, visual) in enumerate(orders.items()):
        on_progress("replaying", number, len(orders))
        arrangement = Rearrangement(evidence.get(product_id, {}), pairs.click_rate, log.strip_length)
        arranged = arrangement.order(visual.results, visual.confidences)
        learned[product_id] = [visual.results[position] for position in arranged]
    visual_order = {product_id: order.results for product_id, order in orders.items()}
    return replay(log.held_out, log.strips, look, visual=visual_order, learned=learned, strip_length=log.strip_length)


def _by_product(pairs: PairCounts) -> dict[int, dict[int, PairEvidence]]:
    evidence: dict[int, dict[int, PairEvidence]] = {}
    columns = (each.tolist() for each in (pairs.products, pairs.results, pairs.clicks, pairs.looks))
    for product_id, result_id, clicks, looks in zip(*columns, strict=True):
        evidence.setdefault(product_id, {})[result_id] = PairEvidence(clicks, looks)
    return evidence


def _replace_pairs(collection: Collection, pairs: PairCounts) -> None:
    PairCount.objects.filter(collection=collection).delete()
    columns = np.rec.fromarrays([pairs.products, pairs.results, pairs.clicks, pairs.looks])
    for start in range(0, len(columns), _BATCH):
        PairCount.objects.bulk_create(
            PairCount(collection=collection, product_id=product_id, result_id=result_id, clicks=clicks, looks=looks)
            for product_id, result_id, clicks, looks in columns[start : start + _BATCH].tolist()
        )
