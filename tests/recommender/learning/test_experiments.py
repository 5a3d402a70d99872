"""A/B tests on stored events: which side a request gets, what a look finds, and that what is worse goes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from catalog.models import Product
from embeddings.backends import get_vector_index
from embeddings.models import Collection, EncoderVersion
from embeddings.selectors import clear_live_collection_cache
from recommender import tasks
from recommender.learning import experiments
from recommender.learning.experiments import ExperimentRefused
from recommender.learning.sequential import Arm, arm_of, effect_of, look_at
from recommender.learning.serving import clear_cache, is_candidate
from recommender.models import Event, Experiment, LearnedOrder, RuleSet
from recommender.rules.services import delete_set, save_rule, save_set
from tests.recommender.conftest import MeanColourEncoder, Shop
from tests.recommender.learning.conftest import Strip, clicked, hours_ago, seen

pytestmark = pytest.mark.django_db

HOURS = 60
PRODUCTS = range(100, 106)


@pytest.fixture
def versions(shop: Shop) -> tuple[EncoderVersion, EncoderVersion]:
    """The previous and the active version of `all`; both have an index."""
    second = EncoderVersion.objects.create(
        collection=shop.version.collection, number=2, encoder="tiny", fingerprint=MeanColourEncoder.fingerprint, dim=3
    )
    get_vector_index().ensure(second.index_collection())
    Collection.objects.update(active_version=second, previous_version=shop.version)
    clear_live_collection_cache()
    return shop.version, second


def started(test: Experiment, hours: int = HOURS) -> Experiment:
    """The test, as if it had begun so many hours ago."""
    Experiment.objects.filter(pk=test.pk).update(started_at=hours_ago(hours))
    test.refresh_from_db()
    clear_cache()
    return test


def store_clicks(sides: Callable[[int, datetime], tuple[str, float]], *, seed: int = 1) -> None:
    """Ten strips an hour beside each product. sides: gives the encoder label and the click rate of a product in an hour."""
    chance = np.random.default_rng(seed)
    rows = []
    for number in range(HOURS):
        at = hours_ago(number)
        for product in PRODUCTS:
            encoder, rate = sides(product, at)
            rows += [seen(product, [1, 2], at, encoder) for _ in range(10)]
            rows += [clicked(product, 1, 1, at, encoder) for _ in range(chance.binomial(10, rate))]
    Event.objects.bulk_create(rows)


def by_version(test: Experiment, control: float, candidate: float) -> Callable[[int, datetime], tuple[str, float]]:
    def side(product: int, at: datetime) -> tuple[str, float]:
        chosen = is_candidate(test, product, int(at.timestamp() // 3600))
        return (str(test.candidate), candidate) if chosen else (str(test.control), control)

    return side


class TestSides:
    def test_a_share_of_products_and_hours_gets_the_candidate_and_says_so(
        self, api: Client, shop: Shop, strip: Strip, learning: Any, versions: Any, at_hour: Callable[[int], None]
    ) -> None:
        control, candidate = versions
        test = started(experiments.start_encoder_test(candidate, 0.3))
        labels = []
        for hour in range(490_000, 490_030):
            at_hour(hour)
            labels.append(api.get(f"/api/products/{strip.product.pk}/similar").json()["encoder"])
            assert labels[-1] == ("all-v2" if is_candidate(test, strip.product.pk, hour) else "all-v1")
        assert set(labels) == {control.label, candidate.label}

    def test_a_share_of_products_and_hours_gets_the_rule_set_to_try(
        self, api: Client, strip: Strip, learning: Any, at_hour: Callable[[int], None]
    ) -> None:
        summer = save_set({"name": "summer"})
        hidden = Product.objects.get(pk=strip.results[0])
        save_rule(
            summer, {"kind": "hide", "scope": "everywhere", "target": "", "parameters": {"products": [hidden.sku]}}
        )
        test = started(experiments.start_rules_test(Collection.objects.get(), "summer", 0.5))

        shown_by_side: dict[bool, set[bool]] = {False: set(), True: set()}
        for hour in range(20):
            at_hour(hour)
            answer = api.get(f"/api/products/{strip.product.pk}/similar").json()
            ids = [each["product"]["id"] for each in answer["results"]]
            shown_by_side[is_candidate(test, strip.product.pk, hour)].add(hidden.pk in ids)

        assert shown_by_side == {False: {True}, True: {False}}
        delete_set(summer)
        assert api.get(f"/api/products/{strip.product.pk}/similar").status_code == 200

    def test_when_the_test_has_ended_all_get_the_active_version(
        self, api: Client, strip: Strip, learning: Any, versions: Any, at_hour: Callable[[int], None]
    ) -> None:
        test = started(experiments.start_encoder_test(versions[1], 0.5))
        experiments.stop(test, "enough")
        labels = set()
        for hour in range(490_000, 490_010):
            at_hour(hour)
            labels.add(api.get(f"/api/products/{strip.product.pk}/similar").json()["encoder"])
        assert labels == {"all-v2"}


class TestStart:
    def test_it_needs_the_active_and_the_previous_version(self, shop: Shop) -> None:
        with pytest.raises(ExperimentRefused, match=r"all-v1 cannot be compared: .* Activate all-v1 first"):
            experiments.start_encoder_test(shop.version, 0.5)

    def test_one_of_a_kind_at_a_time(self, versions: Any) -> None:
        experiments.start_encoder_test(versions[1], 0.5)
        with pytest.raises(ExperimentRefused, match="all has such a test already: stop it first"):
            experiments.start_encoder_test(versions[0], 0.5)

    @pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
    def test_a_share_leaves_something_to_compare(self, versions: Any, share: float) -> None:
        with pytest.raises(ExperimentRefused, match="leaves nothing to compare"):
            experiments.start_encoder_test(versions[1], share)

    def test_there_has_to_be_a_learned_order(self, shop: Shop) -> None:
        with pytest.raises(ExperimentRefused, match="not in a learned order"):
            experiments.start_order_test(Collection.objects.get(), 0.5)

    def test_the_command_needs_learning(self, versions: Any, settings: Any) -> None:
        with pytest.raises(CommandError, match="LEARNING is off"):
            call_command("ab_test", "start", "all-v2")


class TestLooks:
    def test_a_worse_version_is_rolled_back_by_itself(self, versions: Any, learning: Any) -> None:
        control, candidate = versions
        test = started(experiments.start_encoder_test(candidate, 0.5))
        store_clicks(by_version(test, control=0.3, candidate=0.1))
        assert tasks.check_experiments.name == learning.CELERY_BEAT_SCHEDULE["check-experiments"]["task"]
        tasks.check_experiments.run()
        test.refresh_from_db()
        assert (test.state, test.reason) == ("worse", "rolled back: all-v1 is active again")
        collection = Collection.objects.get()
        assert (collection.active_version, collection.previous_version) == (control, candidate)
        # It is looked at no more.
        assert experiments.check_all() == []

    def test_one_that_is_stopped_while_it_is_looked_at_takes_nothing_back(
        self, versions: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        test = started(experiments.start_encoder_test(versions[1], 0.5))
        store_clicks(by_version(test, control=0.3, candidate=0.1))
        measure = experiments._measure

        def stopped_meanwhile(test: Experiment) -> Any:
            call_command("ab_test", "stop")
            return measure(test)

        monkeypatch.setattr(experiments, "_measure", stopped_meanwhile)
        [test] = experiments.check_all()
        assert (test.state, test.reason) == ("stopped", "stopped by manage.py ab_test")
        assert Collection.objects.get().active_version == versions[1]

    def test_a_worse_version_that_is_not_active_just_ends(self, versions: Any) -> None:
        previous, active = versions
        test = started(experiments.start_encoder_test(previous, 0.5))
        store_clicks(by_version(test, control=0.3, candidate=0.1))
        [test] = experiments.check_all()
        assert (test.state, test.reason) == ("worse", "all-v2 stays the active version")
        assert Collection.objects.get().active_version == active

    def test_a_better_version_ends_the_test_and_stays(self, versions: Any, capsys: Any) -> None:
        test = started(experiments.start_encoder_test(versions[1], 0.5))
        store_clicks(by_version(test, control=0.1, candidate=0.3))
        call_command("ab_test", "check")
        out = capsys.readouterr().out
        assert out.startswith("all: all-v2 against all-v1, 50% of products and hours: ended: the candidate is better")
        assert Collection.objects.get().active_version == versions[1]

    def test_equal_versions_go_on(self, versions: Any) -> None:
        test = started(experiments.start_encoder_test(versions[1], 0.5))
        store_clicks(by_version(test, control=0.2, candidate=0.2))
        [test] = experiments.check_all()
        assert test.state == "running"
        assert test.p_value > 0.05
        assert test.result["low"] < 0 < test.result["high"]

    def test_a_worse_learned_order_gives_way_to_the_visual_one(self, shop: Shop) -> None:
        collection = shop.version.collection
        LearnedOrder.objects.create(collection=collection, is_live=True, learned_at=timezone.now())
        test = started(experiments.start_order_test(collection, 0.5))

        def sides(product: int, at: datetime) -> tuple[str, float]:
            return "all-v1", 0.1 if is_candidate(test, product, int(at.timestamp() // 3600)) else 0.3

        store_clicks(sides)
        [test] = experiments.check_all()
        assert (test.state, test.reason) == ("worse", "strips are in the visual order again")
        assert not LearnedOrder.objects.get().is_live

    def test_a_worse_rule_set_never_comes_into_force(self, shop: Shop, settings: Any) -> None:
        settings.LEARNING = "measure"
        RuleSet.objects.create(name="summer")
        call_command("ab_test", "start", "rules:summer", "--share", "0.5")
        test = started(Experiment.objects.get())

        def sides(product: int, at: datetime) -> tuple[str, float]:
            return "all-v1", 0.1 if is_candidate(test, product, int(at.timestamp() // 3600)) else 0.3

        store_clicks(sides)
        [test] = experiments.check_all()
        assert (test.state, test.reason) == ("worse", "no rule set stays in force")
        assert "rule set summer against no rules" in experiments.in_words(test)

    def test_another_rule_set_in_force_ends_the_test(self, shop: Shop) -> None:
        winter = RuleSet.objects.create(name="winter")
        RuleSet.objects.create(name="summer")
        experiments.start_rules_test(shop.version.collection, "summer", 0.5)
        RuleSet.objects.filter(pk=winter.pk).update(active=True)
        [test] = experiments.check_all()
        assert (test.state, test.reason) == ("stopped", "another rule set is in force, or the one to try is gone")
        with pytest.raises(ExperimentRefused, match="winter is in force"):
            experiments.start_rules_test(shop.version.collection, "winter", 0.5)
        with pytest.raises(ExperimentRefused, match="there is: summer, winter"):
            experiments.start_rules_test(shop.version.collection, "sumer", 0.5)

    def test_another_activation_ends_the_test(self, versions: Any) -> None:
        test = started(experiments.start_encoder_test(versions[1], 0.5))
        third = EncoderVersion.objects.create(
            collection=versions[0].collection, number=3, encoder="tiny", fingerprint="0" * 64, dim=3
        )
        Collection.objects.update(active_version=third, previous_version=versions[1])
        [test] = experiments.check_all()
        assert (test.state, test.reason) == ("stopped", "another encoder version was activated")

    def test_what_was_bought_goes_to_the_sides_by_their_clicks(self, versions: Any) -> None:
        test = started(experiments.start_encoder_test(versions[1], 0.5))
        at = hours_ago(5)
        rows = [seen(7, [1], at, label) for label in ("all-v1", "all-v2")]
        rows += [clicked(7, 1, 1, at, label) for label in ("all-v1", "all-v2", "all-v2", "all-v2")]
        rows += [Event(type="purchase", product_id=1, created_at=at + timedelta(hours=late)) for late in (0, 1, 3)]
        rows += [Event(type="add_to_cart", product_id=2, created_at=at)]
        Event.objects.bulk_create(rows)
        [test] = experiments.check_all()
        sides = [test.result[side]["purchases"] for side in ("control", "candidate")]
        assert sides == [0.5, 1.5]
        assert test.result["candidate"]["baskets"] == 0


class TestSequentialTest:
    def arms(self, chance: np.random.Generator, cells: int, low: float, high: float) -> tuple[Arm, Arm]:
        """Cells of a shop in which some products are clicked more than others."""
        rates = chance.uniform(0.5, 1.5, (2, cells)) * np.array([[low], [high]])
        strips = chance.poisson(5, (2, cells)).astype(float)
        clicks = chance.binomial(strips.astype(int), np.minimum(rates, 1)).astype(float)
        return arm_of(strips[0], clicks[0]), arm_of(strips[1], clicks[1])

    def first_alarm(self, seed: int, low: float, high: float) -> int | None:
        """The day of the first look, of forty, at which the sides are said to differ."""
        control, candidate = self.arms(np.random.default_rng(seed), 4000, low, high)
        effect = None
        for day in range(1, 41):
            some = day * len(candidate.strips) // 41
            now = [Arm(arm.strips[:some], arm.clicks[:some]) for arm in (control, candidate)]
            effect = effect_of(*now) if effect is None else effect
            look = look_at(now[0], now[1], effect)
            if look is not None and look.p_value <= 0.05:
                return day
        return None

    def test_looked_at_daily_it_hardly_ever_finds_a_difference_of_equals(self) -> None:
        assert sum(self.first_alarm(seed, 0.1, 0.1) is not None for seed in range(100)) <= 5

    def test_a_difference_is_found(self) -> None:
        assert all(self.first_alarm(seed, 0.1, 0.07) is not None for seed in range(20))

    def test_too_little_is_not_looked_at(self) -> None:
        few = arm_of(np.full(10, 100.0), np.full(10, 50.0))
        assert look_at(few, few, 0.1) is None
