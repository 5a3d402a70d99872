"""A/B tests without cookies: a share of products, drawn again every hour, gets the candidate, and events say what was clicked.

A test may be looked at as often as one likes. A candidate that is significantly worse is taken back at that look: the encoder
version by a roll-back, the learned order by showing the visual one again.

A kind of test is a member of `Experiment.Kind`, and has three places: `serving.plan_for`, which gives a request its side,
`_sides_of` here, which says on which side an event was, and `_take_back`.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from embeddings import background
from embeddings.errors import EmbeddingsError
from embeddings.models import Collection, EncoderVersion
from embeddings.versions import roll_back
from recommender.learning.assignment import hour_of
from recommender.learning.sequential import LEVEL, arm_of, effect_of, look_at
from recommender.learning.serving import clear_cache, is_candidate, is_of_versions_in_use
from recommender.models import Event, Experiment, LearnedOrder, RuleSet

logger = logging.getLogger(__name__)

Cells = dict[tuple[int, int], float]
State = Experiment.State
# What is written when a test ends.
_OUTCOME = ("state", "reason", "ended_at")


class ExperimentRefused(EmbeddingsError):
    """A test that cannot be started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a test has brought.

    Attributes:
        strips: that were seen.
        clicks: on results.
        baskets: additions to the basket of products that were clicked within the hour or the one before, in parts of the clicks on
            them by side.
        purchases: the same.
    """

    strips: int
    clicks: int
    baskets: float
    purchases: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a look at a test has found.

    Attributes:
        control: A.
        candidate: B.
        difference: of clicks for each strip, B less A; None while there is too little to look at.
        low: lower end of an interval of the difference that holds at all looks together.
        high: upper end.
    """

    control: Side
    candidate: Side
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def start_encoder_test(candidate: EncoderVersion, share: float) -> Experiment:
    """Compare the active and the previous version of a collection, whose indexes are both kept up.

    Args:
        candidate: one of the two; the other is the control.
        share: of product and hour that get the candidate, above 0 and below 1.

    Returns:
        The running test.

    Raises:
        ExperimentRefused: the version is neither of the two, or another test is running.
    """
    collection = Collection.objects.select_related("active_version", "previous_version").get(pk=candidate.collection_id)
    in_use = {
        version.pk: version
        for version in (collection.active_version, collection.previous_version)
        if version is not None
    }
    if candidate.pk not in in_use or len(in_use) < 2:
        raise ExperimentRefused(
            f"{candidate.label} cannot be compared: a test needs the active and the previous version of {collection.slug}, whose"
            f" indexes are kept up. Activate {candidate.label} first; to keep the present version for most visitors, roll back then"
        )
    [control] = [version for version in in_use.values() if version.pk != candidate.pk]
    return _start(collection, Experiment.Kind.ENCODER, share, control, candidate)


def start_order_test(collection: Collection, share: float) -> Experiment:
    """Compare the learned order (B) with the visual one (A).

    Args:
        collection: one whose learned order is live.
        share: of product and hour that get the learned order, above 0 and below 1.

    Returns:
        The running test.

    Raises:
        ExperimentRefused: there is no live learned order, or another test is running.
    """
    if not LearnedOrder.objects.filter(collection=collection, is_live=True).exists():
        raise ExperimentRefused(
            f"the strips of {collection.slug} are not in a learned order, so there is none to compare"
        )
    return _start(collection, Experiment.Kind.ORDER, share)


def start_rules_test(collection: Collection, rule_set: str, share: float) -> Experiment:
    """Compare a rule set (B) with the one that is in force, or with no rules where none is (A).

    Args:
        collection: the collection.
        rule_set: name of the candidate.
        share: of product and hour that get it, above 0 and below 1.

    Returns:
        The running test.

    Raises:
        ExperimentRefused: there is no such rule set, it is in force already, or another test is running.
    """
    if not RuleSet.objects.filter(name=rule_set).exists():
        known = ", ".join(RuleSet.objects.values_list("name", flat=True)) or "none yet"
        raise ExperimentRefused(f"there is no rule set {rule_set!r}; there is: {known}")
    control = _rules_in_force(collection)
    if control == rule_set:
        raise ExperimentRefused(f"the rule set {rule_set} is in force in {collection.slug} already")
    return _start(collection, Experiment.Kind.RULES, share, rules=(control, rule_set))


def stop(test: Experiment, reason: str) -> None:
    """End a running test without a result.

    Args:
        test: any test; one that has ended stays as it is.
        reason: in words.
    """
    _end(test, State.STOPPED, reason)


def check_all() -> list[Experiment]:
    """Look at every running test.

    Returns:
        The tests, as they are now.
    """
    running = Experiment.objects.filter(state=State.RUNNING).order_by("pk")
    return [
        check(test) for test in running.select_related("collection", "control__collection", "candidate__collection")
    ]


def check(test: Experiment) -> Experiment:
    """Look at a test; end it if one side is significantly better, and take a candidate back that is worse.

    Args:
        test: a running one, with its collection and versions.

    Returns:
        The test, as it is now.
    """
    if test.kind == Experiment.Kind.ENCODER and not is_of_versions_in_use(test):
        stop(test, "another encoder version was activated")
        return test
    if test.kind == Experiment.Kind.RULES and not _has_its_rules(test):
        stop(test, "another rule set is in force, or the one to try is gone")
        return test
    strips, clicks, result = _measure(test)
    control, candidate = (arm_of(*_aligned(strips[side], clicks[side])) for side in (False, True))
    if test.effect is None and control.is_enough and candidate.is_enough:
        test.effect = effect_of(control, candidate)
    look = None if test.effect is None else look_at(control, candidate, test.effect)
    if look is not None:
        test.p_value = min(test.p_value, look.p_value)
        result = Result(result.control, result.candidate, look.difference, look.low, look.high)
    test.result = asdict(result)
    test.save(update_fields=["effect", "p_value", "result"])
    if look is None or look.p_value > LEVEL:
        return test
    if look.difference >= 0:
        _end(test, State.BETTER, f"{candidate.rate:.4f} clicks for each strip instead of {control.rate:.4f}")
    elif Experiment.objects.filter(pk=test.pk, state=State.RUNNING).exists():
        _end(test, State.WORSE, _take_back(test))
    else:
        # Somebody has stopped it while its events were counted.
        test.refresh_from_db(fields=_OUTCOME)
    return test


def in_words(test: Experiment) -> str:
    """How a test stands, in a sentence.

    Args:
        test: with its collection and versions.

    Returns:
        For an operator.
    """
    match test.kind:
        case Experiment.Kind.ORDER:
            compared = "learned order against visual order"
        case Experiment.Kind.RULES:
            compared = f"rule set {test.candidate_rules} against {test.control_rules or 'no rules'}"
        case _:
            compared = f"{test.candidate} against {test.control}"
    title = (
        f"{test.collection.slug}: {compared}, {100 * test.share:g}% of products and hours: {test.get_state_display()}"
    )
    if test.reason:
        title += f": {test.reason}"
    if not test.result:
        return title
    sides = "; ".join(
        f"{name} {side['clicks']:,} clicks on {side['strips']:,} strips ({_rate(side, 'clicks')}), {_rate(side, 'baskets')} to the"
        f" basket, {_rate(side, 'purchases')} bought"
        for name, side in (("A", test.result["control"]), ("B", test.result["candidate"]))
    )
    return f"{title}. {sides}; p {test.p_value:.3g}"


def _rate(side: Mapping[str, float], name: str) -> str:
    return f"{100 * side[name] / side['strips']:.2f}%" if side["strips"] else "none"


def _start(
    collection: Collection,
    kind: Experiment.Kind,
    share: float,
    control: EncoderVersion | None = None,
    candidate: EncoderVersion | None = None,
    rules: tuple[str, str] = ("", ""),
) -> Experiment:
    if not 0 < share < 1:
        raise ExperimentRefused(f"a share of {share:g} leaves nothing to compare: it is above 0 and below 1")
    # From the next hour on: the events of this one are of both times.
    started = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    try:
        with transaction.atomic():
            test = Experiment.objects.create(
                collection=collection, kind=kind, share=share, control=control, candidate=candidate, started_at=started,
                control_rules=rules[0], candidate_rules=rules[1],
            )  # fmt: skip
    except IntegrityError:
        raise ExperimentRefused(f"{collection.slug} has such a test already: stop it first") from None
    clear_cache()
    return test


def _rules_in_force(collection: Collection) -> str:
    """The name of the active rule set of a collection; "" for none."""
    active = RuleSet.objects.in_force(collection.slug)
    return active.name if active else ""


def _has_its_rules(test: Experiment) -> bool:
    """Whether a test of rule sets still compares the one in force with one that exists."""
    exists = RuleSet.objects.filter(name=test.candidate_rules).exists()
    return exists and _rules_in_force(test.collection) == test.control_rules


def _end(test: Experiment, state: Experiment.State, reason: str) -> None:
    """End a test, unless it has ended meanwhile; the object is then as the database has it."""
    running = Experiment.objects.filter(pk=test.pk, state=State.RUNNING)
    if running.update(state=state, reason=reason, ended_at=timezone.now()):
        logger.info("A/B test %d of %s: %s: %s", test.pk, test.collection.slug, state.label, reason)
    test.refresh_from_db(fields=_OUTCOME)
    clear_cache()


def _take_back(test: Experiment) -> str:
    """Have everybody get the control. Returns what was done, in words."""
    if test.kind == Experiment.Kind.ORDER:
        reason = "an A/B test found it worse than the visual order"
        LearnedOrder.objects.filter(collection=test.collection_id).update(is_live=False, reason=reason)
        return "strips are in the visual order again"
    if test.kind == Experiment.Kind.RULES:
        return f"{test.control_rules or 'no rule set'} stays in force"
    collection = Collection.objects.get(pk=test.collection_id)
    if collection.active_version_id != test.candidate_id:
        return f"{test.control} stays the active version"
    try:
        active = roll_back(collection)
    except EmbeddingsError as error:
        logger.error("A/B test %d: no roll-back: %s", test.pk, error)
        return f"it could not be rolled back: {error}"
    background.wake_outbox()
    return f"rolled back: {active.label} is active again"


def _measure(test: Experiment) -> tuple[Mapping[bool, Cells], Mapping[bool, Cells], Result]:
    """Strips and clicks of each side by product and hour, and their sums. True is the candidate."""
    side_of = _sides_of(test)
    strips: dict[bool, Cells] = {False: defaultdict(float), True: defaultdict(float)}
    clicks: dict[bool, Cells] = {False: defaultdict(float), True: defaultdict(float)}
    clicked: dict[bool, Counter[tuple[int, int]]] = {False: Counter(), True: Counter()}
    events = _events_of(test).filter(collection=test.collection.slug, product_id__isnull=False)
    seen = events.filter(type=Event.Type.IMPRESSION).values_list("product_id", "created_at", "encoder")
    for product_id, created_at, encoder, number in seen.annotate(Count("pk")).iterator():
        hour = hour_of(created_at)
        side = side_of(product_id, hour, encoder)
        if side is not None:
            strips[side][product_id, hour] += number
    on_results = events.filter(type=Event.Type.CLICK).values_list("product_id", "created_at", "encoder", "result_id")
    for product_id, created_at, encoder, result_id, number in on_results.annotate(Count("pk")).iterator():
        hour = hour_of(created_at)
        side = side_of(product_id, hour, encoder)
        if side is not None:
            clicks[side][product_id, hour] += number
            clicked[side][result_id, hour] += number
    baskets, purchases = (_attributed(test, kind, clicked) for kind in (Event.Type.ADD_TO_CART, Event.Type.PURCHASE))
    control, candidate = (
        Side(int(sum(strips[side].values())), int(sum(clicks[side].values())), baskets[side], purchases[side])
        for side in (False, True)
    )
    return strips, clicks, Result(control, candidate)


def _sides_of(test: Experiment) -> Callable[[int, int, str], bool | None]:
    """Which side an event was on, by its product, hour and encoder label: True for the candidate, None for neither."""
    if test.kind in (Experiment.Kind.ORDER, Experiment.Kind.RULES):
        return lambda product_id, hour, _: is_candidate(test, product_id, hour)
    sides = {str(test.control): False, str(test.candidate): True}
    return lambda _, __, encoder: sides.get(encoder)


def _attributed(
    test: Experiment, kind: Event.Type, clicked: Mapping[bool, Counter[tuple[int, int]]]
) -> dict[bool, float]:
    """What was bought after clicks, by side: no visitor is followed, so in parts of the clicks on the product."""
    bought = {False: 0.0, True: 0.0}
    events = _events_of(test).filter(type=kind, product_id__isnull=False).values_list("product_id", "created_at")
    for product_id, created_at, number in events.annotate(Count("pk")).iterator():
        hour = hour_of(created_at)
        by_side = {side: clicked[side][product_id, hour] + clicked[side][product_id, hour - 1] for side in bought}
        if total := sum(by_side.values()):
            for side, clicks in by_side.items():
                bought[side] += number * clicks / total
    return bought


def _events_of(test: Experiment) -> QuerySet[Event, Event]:
    since: datetime = test.started_at
    return Event.objects.filter(created_at__gte=since).order_by()


def _aligned(strips: Cells, clicks: Cells) -> tuple[Any, Any]:
    """float64 [cells] each, of the cells in which strips were seen."""
    return np.array([*strips.values()]), np.array([clicks.get(cell, 0.0) for cell in strips])
