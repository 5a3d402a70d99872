"""What a request gets: an encoder version and rules by an A/B test, and the learned order of its results.

Nothing is read while the setting LEARNING is `off`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.db import connection

from embeddings.models import Collection
from embeddings.selectors import LiveCollection, live_of
from jobs.process import Registry
from recommender.learning.assignment import EXPLORING, FIRST_EXPERIMENT, HOUR_S, is_yardstick, share
from recommender.learning.ordering import arrange
from recommender.models import Experiment, LearnedOrder, PairCount

registry = Registry()

STATE_TTL_S = 5.0
# So many of the nearest are put in the learned order; those behind them keep their places.
POOL = 36

_PAIRS_SQL = f"""
    SELECT result_id, clicks, looks FROM {PairCount._meta.db_table} WHERE collection_id = %s AND product_id = %s
"""  # noqa: S608  # the name of a table


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What is known of one pair: clicks, and how often the result was looked at."""

    clicks: float = 0.0
    looks: float = 0.0


NO_EVIDENCE = PairEvidence()


@dataclass(frozen=True, slots=True)
class Rearrangement:
    """How the results beside a product are put in order.

    Attributes:
        evidence: by result.
        click_rate: of all pairs of the collection.
        strip_length: how many results a strip shows as a rule.
        seed: of the exploring places; None: none explores.
    """

    evidence: dict[int, PairEvidence]
    click_rate: float
    strip_length: int
    seed: int | None = None

    def order(self, product_ids: Sequence[int], confidences: Sequence[float | None]) -> list[int]:
        """Put results in order.

        Args:
            product_ids: the results, best first.
            confidences: of each; None where the encoder version has no calibration, so that the rank has to do.

        Returns:
            Positions of the results in their new order.
        """
        pool = [self.evidence.get(product_id, NO_EVIDENCE) for product_id in product_ids[:POOL]]
        known = [each for each in confidences[:POOL] if each is not None]
        arranged = arrange(
            np.array(known) if len(known) == len(pool) else 1 / np.log2(np.arange(len(pool)) + 2.0),
            np.array([each.clicks for each in pool]),
            np.array([each.looks for each in pool]),
            click_rate=self.click_rate,
            shown=self.strip_length,
            chance=None if self.seed is None else np.random.default_rng(self.seed),
        )
        return [*arranged, *range(len(pool), len(product_ids))]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request gets.

    Attributes:
        live: a version of the collection's encoder.
        rearrangement: an order; None for the visual order.
        rule_set: name of a rule set, "" for no rules; None for the one that is in force.
    """

    live: LiveCollection
    rearrangement: Rearrangement | None = None
    rule_set: str | None = None


@dataclass(frozen=True, slots=True)
class _Order:
    """A live learned order."""

    click_rate: float
    strip_length: int


@dataclass(frozen=True, slots=True)
class _State:
    """What there is for a collection. arms: of the test of encoder versions, the live versions of control and candidate."""

    order: _Order | None
    order_test: Experiment | None
    encoder_test: Experiment | None
    rules_test: Experiment | None
    arms: tuple[LiveCollection, LiveCollection] | None


class _States:
    """Cache by collection; an entry expires after STATE_TTL_S."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[float, _State]] = {}
        self._lock = threading.Lock()

    def get(self, live: LiveCollection) -> _State:
        now = time.monotonic()
        entry = self._read.get(live.collection_id)
        if entry is not None and now - entry[0] < STATE_TTL_S:
            return entry[1]
        state = _read_state(live)
        with self._lock:
            self._read[live.collection_id] = (now, state)
        return state


def clear_cache() -> None:
    """Forget what was read, after an experiment or a learned order has changed."""
    registry.clear()


def plan_for(live: LiveCollection, product_id: int, *, diversity: float = 0.0, now: float | None = None) -> Plan:
    """What a request for products similar to a product gets.

    Args:
        live: the collection with its active version.
        product_id: whose page it is.
        diversity: of the request; more than 0 asks for an order of its own.
        now: seconds since the epoch; None for the clock's.

    Returns:
        The version that answers, and the order.
    """
    if settings.LEARNING == "off":
        return Plan(live)
    state = registry.get(_States).get(live)
    hour = _hour(now)
    if state.encoder_test is not None and state.arms is not None:
        live = state.arms[is_candidate(state.encoder_test, product_id, hour)]
    rule_set = None
    if (rules_test := state.rules_test) is not None:
        gets_candidate = is_candidate(rules_test, product_id, hour)
        rule_set = rules_test.candidate_rules if gets_candidate else rules_test.control_rules
    if settings.LEARNING != "on" or state.order is None or diversity:
        return Plan(live, rule_set=rule_set)
    test = state.order_test
    if is_yardstick(product_id, hour) if test is None else not is_candidate(test, product_id, hour):
        return Plan(live, rule_set=rule_set)
    seed = int(share(product_id, hour, EXPLORING) * 2**53)
    evidence = evidence_of(live.collection_id, product_id)
    rearrangement = Rearrangement(evidence, state.order.click_rate, state.order.strip_length, seed)
    return Plan(live, rearrangement, rule_set)


def tested_rule_sets(live: LiveCollection) -> tuple[str, ...]:
    """The names of the rule sets that a test compares.

    Args:
        live: the collection.

    Returns:
        Two names, "" for no rules; none where no such test runs.
    """
    test = None if settings.LEARNING == "off" else registry.get(_States).get(live).rules_test
    return () if test is None else (test.control_rules, test.candidate_rules)


def current_hour() -> int | None:
    """The hour that tests and the learned order go by; None while LEARNING is `off`, and no answer depends on it."""
    return None if settings.LEARNING == "off" else _hour()


def seconds_left() -> int | None:
    """Seconds until the next hour, which may bring other answers; None while LEARNING is `off`."""
    return None if settings.LEARNING == "off" else int(HOUR_S - time.time() % HOUR_S)


def _hour(now: float | None = None) -> int:
    return int((time.time() if now is None else now) // HOUR_S)


def is_candidate(experiment: Experiment, product_id: int, hour: int) -> bool:
    """Whether an experiment gives its candidate to a product in an hour."""
    return share(product_id, hour, FIRST_EXPERIMENT + experiment.pk) < experiment.share


def evidence_of(collection_id: int, product_id: int) -> dict[int, PairEvidence]:
    """Read what was counted beside a product.

    Args:
        collection_id: of the collection.
        product_id: the product.

    Returns:
        The evidence by result.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS_SQL, [collection_id, product_id])
        return {result_id: PairEvidence(clicks, looks) for result_id, clicks, looks in cursor.fetchall()}


def _read_state(live: LiveCollection) -> _State:
    learned = LearnedOrder.objects.filter(collection=live.collection_id, is_live=True).first()
    order = None if learned is None else _Order(learned.click_rate, learned.strip_length)
    running = Experiment.objects.filter(collection=live.collection_id, state=Experiment.State.RUNNING)
    tests = {test.kind: test for test in running.select_related("control__collection", "candidate__collection")}
    encoder_test = tests.get(Experiment.Kind.ENCODER)
    arms = None
    # After the activation of another version, the index of one of the two may be gone.
    if encoder_test is not None and is_of_versions_in_use(encoder_test):
        control, candidate = encoder_test.control, encoder_test.candidate
        arms = None if control is None or candidate is None else (live_of(control), live_of(candidate))
    return _State(order, tests.get(Experiment.Kind.ORDER), encoder_test, tests.get(Experiment.Kind.RULES), arms)


def is_of_versions_in_use(test: Experiment) -> bool:
    """Whether a test of encoder versions compares the active and the previous version, whose indexes are kept up."""
    collection = Collection.objects.get(pk=test.collection_id)
    in_use = {collection.active_version_id, collection.previous_version_id}
    return {test.control_id, test.candidate_id} == in_use
