"""What recommendations bring: the figures, and who may see them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from accounts.models import User
from recommender.models import Event
from recommender.visitor_report import visitor_report

pytestmark = pytest.mark.django_db


def record(kind: str, times: int, *, days_ago: int = 0, **fields: Any) -> None:
    at = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    Event.objects.bulk_create([Event(type=kind, created_at=at, **fields) for _ in range(times)])


@pytest.fixture
def switched() -> None:
    """Ten days of all-v1, then three of all-v2, which is clicked twice as often."""
    for days_ago in range(3, 13):
        record("impression", 20, days_ago=days_ago, collection="all", encoder="all-v1")
        record("click", 1, days_ago=days_ago, collection="all", encoder="all-v1")
    for days_ago in range(3):
        record("impression", 20, days_ago=days_ago, collection="all", encoder="all-v2")
        record("click", 2, days_ago=days_ago, collection="all", encoder="all-v2")
    record("impression", 5, collection="food", encoder="food-v1")
    record("add_to_cart", 4, days_ago=1, product_id=1)
    record("purchase", 3, product_id=1)


@pytest.mark.usefixtures("switched")
def test_events_are_counted_by_day_and_by_version_before_and_after_a_switch() -> None:
    report = visitor_report(7)

    assert [each.total for each in report.series] == [145, 10, 4, 3]
    assert report.series[0].counts == (20, 20, 20, 20, 20, 20, 25)
    assert report.series[2].counts == (0, 0, 0, 0, 0, 4, 0)
    assert report.days[-1] == timezone.localdate()
    old, new, food = report.versions
    assert (old.encoder, old.shown, old.clicked, old.change) == ("all-v1", 80, 4, None)
    assert (new.encoder, new.shown, new.clicked, new.change) == ("all-v2", 60, 6, pytest.approx(1))
    assert (food.collection, food.click_rate, food.change) == ("food", 0, None)
    assert visitor_report(28).series[0].total == 265


@pytest.mark.usefixtures("switched")
def test_the_page_shows_a_period_to_who_may_see_events(client: Client) -> None:
    caches["process"].clear()
    user = User.objects.create_user("staff", is_staff=True)
    client.force_login(user)
    assert client.get("/admin/visitors/").status_code == 403
    user.is_superuser = True
    user.save()

    page = client.get("/admin/visitors/?days=7").content.decode()

    assert "In the last 7 days" in page
    assert "<td>all-v2</td>" in page
    assert '<td class="number">10.0</td><td class="number">+100%</td>' in page
    assert page.count('data-type="line"') == 4
    assert 'aria-label="145 in all, at most 25 on a day"' in page
    assert "Before and after the switch to all-v2" in page
    assert "In the last 28 days" in client.get("/admin/visitors/?days=nonsense").content.decode()


@pytest.mark.usefixtures("switched")
def test_a_switch_has_as_many_days_before_as_after_it_without_its_own() -> None:
    (switch,) = visitor_report(28).switches
    assert (switch.collection, switch.before, switch.after, switch.days) == ("all", "all-v1", "all-v2", 2)
    assert switch.day == timezone.localdate() - timedelta(days=2)
    assert [(each.before, each.after) for each in switch.figures] == [
        (20, 20), (1, 2), (0, 2), (0, 1.5), (pytest.approx(0.05), pytest.approx(0.1)),
    ]  # fmt: skip
    assert [each.change for each in switch.figures] == [0, 1, None, None, pytest.approx(1)]


def test_versions_that_answer_side_by_side_are_no_switch() -> None:
    for days_ago in range(8):
        record("impression", 5, days_ago=days_ago, collection="all", encoder="all-v1")
    for days_ago in range(6):
        record("impression", 5, days_ago=days_ago, collection="all", encoder="all-v2")
    assert visitor_report(28).switches == ()


@pytest.mark.usefixtures("switched")
def test_the_strips_of_one_collection_are_counted_alone() -> None:
    report = visitor_report(7, "food")
    assert [each.total for each in report.series] == [5, 0, 4, 3]
    assert [each.encoder for each in report.versions] == ["food-v1"]


def test_a_shop_without_events_learns_how_to_get_them(client: Client) -> None:
    caches["process"].clear()
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))

    assert "Add the widget to your product pages" in client.get("/admin/visitors/").content.decode()
