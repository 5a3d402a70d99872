"""A map of embeddings from clicks: of numbers, and of stored events to a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from embeddings import backends
from embeddings.encoders.base import Encoder
from embeddings.encoders.mapped import MappedEncoder
from embeddings.models import EncoderVersion
from embeddings.selectors import live_collection
from recommender.learning.assignment import hour_of
from recommender.learning.counting import is_held_out
from recommender.learning.linear_map import Preferences, learn_scale
from recommender.learning.preferences import read_preferences
from recommender.models import Event
from tests.recommender.conftest import MeanColourEncoder, Shop
from tests.recommender.learning.conftest import Strip, clicked, hours_ago, seen

DIM = 16


def _open(name: str, root: Path) -> Encoder:
    """An encoder of mean colours, or the map of one."""
    return MappedEncoder(root / name, lambda _: MeanColourEncoder()) if name.endswith(".npz") else MeanColourEncoder()


def preferences(number: int, *, matters: int, seed: int = 0) -> Preferences:
    """Visitors who prefer what is alike in the first entries, whatever the others are."""
    chance = np.random.default_rng(seed)
    queries, ones, others = (chance.standard_normal((number, DIM)).astype(np.float32) for _ in range(3))
    for vectors in (queries, ones, others):
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    better = ((queries * (ones - others))[:, :matters].sum(1) > 0)[:, None]
    clicked, passed = np.where(better, ones, others), np.where(better, others, ones)
    return Preferences(queries, clicked, passed, np.ones(number))


class TestMap:
    def test_entries_that_matter_get_more_weight(self) -> None:
        scale = learn_scale(preferences(3000, matters=4), 0.01)
        assert scale[:4].min() > 2 * scale[4:].max()

    def test_the_ridge_keeps_it_near_the_identity(self) -> None:
        assert learn_scale(preferences(50, matters=4), 100.0) == pytest.approx(np.ones(DIM), abs=0.05)


@pytest.mark.django_db
class TestEvents:
    def test_what_stands_above_a_click_was_passed_over(self, strip: Strip) -> None:
        first, second, third, fourth, *_ = strip.results
        kept = [at for at in map(hours_ago, range(100)) if not is_held_out(hour_of(at))]
        at, before, product = kept[0], kept[1], strip.product.pk
        Event.objects.bulk_create(
            [
                seen(product, [first, second, None, third, fourth], at),
                seen(product, [fourth, first], before),
                clicked(product, third, 4, at),
                clicked(product, third, 4, at),
                clicked(product, second, 2, at),
                # No strip of its hour had it there.
                clicked(product, first, 3, at),
            ]
        )
        found = read_preferences(live_collection("all"))
        # The first was clicked itself, so nothing is left above the second.
        assert found.weights.tolist() == []
        Event.objects.filter(result_id=first).delete()
        found = read_preferences(live_collection("all"))
        assert sorted(found.weights.tolist()) == [1, 2]
        assert found.passed.tolist() == [found.passed[0].tolist()] * 2

    def test_too_few_are_not_learned_from(self, strip: Strip, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("learn", map=True)
        assert capsys.readouterr().out.startswith("all: 0 preferences: too few to learn a map from; it takes 200")

    def test_a_better_map_becomes_a_version(
        self,
        shop: Shop,
        capsys: pytest.CaptureFixture[str],
        settings: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        settings.ENCODERS_ROOT = tmp_path
        monkeypatch.setattr(backends, "_load_encoder", lambda *_: MeanColourEncoder())
        monkeypatch.setattr(backends.Backends, "encoder", lambda _, name: _open(name, tmp_path))
        product = shop.add((0.8, 0.6, 0.0))
        # Visitors look at the first number alone; the second misleads.
        liked, passed = shop.add((0.95, 0.1, 0.1)), shop.add((0.5, 0.8, 0.3))
        rows = []
        for number in range(400):
            at = hours_ago(number)
            # The second place is looked at half as much as the first.
            shown, place, clicks = ([liked.pk, passed.pk], 1, 2) if number % 3 == 0 else ([passed.pk, liked.pk], 2, 1)
            rows += [seen(product.pk, [*shown], at)] * 4 + [clicked(product.pk, liked.pk, place, at)] * clicks
        Event.objects.bulk_create(rows)
        call_command("learn", map=True)
        out = capsys.readouterr().out
        assert "To use it: manage.py activate_encoder all-v2" in out
        version = EncoderVersion.objects.get(number=2)
        assert (version.recipe["map_of"], version.embeddings.count()) == ("all-v1", 3)
        assert version.metrics["clicks"]["low"] > 0
