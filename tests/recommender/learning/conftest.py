"""A shop of one strip, and visitors who click by a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from catalog.models import Product
from recommender.learning import serving
from recommender.models import Event
from tests.factories import CategoryFactory
from tests.recommender.conftest import Shop


@dataclass
class Strip:
    """A product and what is like it, nearest first."""

    product: Product
    results: list[int]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    serving.clear_cache()
    yield
    serving.clear_cache()


@pytest.fixture
def strip(shop: Shop) -> Strip:
    category = CategoryFactory.create()
    product = shop.add((1, 0, 0), category=category)
    angles = np.linspace(0.1, 0.8, 10)
    results = [shop.add((np.cos(angle), np.sin(angle), 0), category=category).pk for angle in angles]
    return Strip(product, results)


@pytest.fixture
def learning(settings: Any) -> Any:
    settings.LEARNING = "on"
    return settings


@pytest.fixture
def at_hour(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the hour in which requests come."""

    def set_hour(hour: int) -> None:
        clock = SimpleNamespace(time=lambda: hour * 3600.0, monotonic=serving_time.monotonic)
        monkeypatch.setattr(serving, "time", clock)

    serving_time = serving.time
    return set_hour


def hours_ago(number: int) -> datetime:
    return timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=number)


def seen(product: int | None, results: list[int | None], at: datetime, encoder: str = "all-v1") -> Event:
    return Event(
        type="impression", product_id=product, results=results, collection="all", encoder=encoder, created_at=at
    )


def clicked(product: int | None, result: int, position: int, at: datetime, encoder: str = "all-v1") -> Event:
    return Event(
        type="click", product_id=product, result_id=result, position=position, collection="all", encoder=encoder,
        created_at=at,
    )  # fmt: skip


def store_visits(strip: Strip, liked: int, *, hours: int = 100, encoder: str = "all-v1") -> None:
    """In each hour ten strips of eight results; the liked one is clicked in two of them, wherever it is shown, the first in one."""
    chance = np.random.default_rng(5)
    rows = []
    for number in range(1, hours + 1):
        at = hours_ago(number)
        shown = [int(each) for each in chance.permutation(strip.results[:8])] if number % 4 == 0 else strip.results[:8]
        rows += [seen(strip.product.pk, [*shown], at, encoder) for _ in range(10)]
        rows += [clicked(strip.product.pk, liked, shown.index(liked) + 1, at, encoder) for _ in range(2)]
        rows += [clicked(strip.product.pk, shown[0], 1, at, encoder)]
    Event.objects.bulk_create(rows)
