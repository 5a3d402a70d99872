"""Renames and moves of categories: at once with few products, followed by a job with many."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog import categories, events
from catalog.categories import MOVE, save_category
from catalog.models import Category, Product
from catalog.services import ensure_category, save_product, save_products
from jobs.errors import JobInProgress
from jobs.models import Job
from jobs.states import JobState
from product_files.product_data import ProductData

pytestmark = pytest.mark.django_db


@pytest.fixture
def batches() -> Any:
    """The products of each event that is sent."""
    seen: list[list[int]] = []

    def note(*, product_ids: list[int], **_: Any) -> None:
        seen.append(product_ids)

    events.products_changed.connect(note)
    yield seen
    events.products_changed.disconnect(note)


@pytest.fixture
def mugs(monkeypatch: pytest.MonkeyPatch) -> Category:
    """A category with more products than are enqueued at once, one of them in it as another category."""
    monkeypatch.setattr(categories, "MAX_PRODUCTS_AT_ONCE", 4)
    monkeypatch.setattr(categories, "_BATCH_PRODUCTS", 2)
    in_mugs = [ProductData(sku=f"mug-{number}", title="Mug", category=("Kitchen", "Mugs")) for number in range(4)]
    gift = ProductData(sku="gift", title="Gift", category=("Gifts",), other_categories=[("Kitchen", "Mugs", "Large")])
    save_products([(data, None) for data in (*in_mugs, gift, ProductData(sku="hat", title="Hat", category=("Hats",)))])
    return Category.objects.get(path="kitchen/mugs")


def rename(category: Category, name: str) -> Job | None:
    category.name, category.slug = name, ""
    return save_category(category).job


def test_many_products_follow_in_a_job_a_batch_at_a_time(mugs: Category, batches: list[list[int]]) -> None:
    job = rename(mugs, "Cups")

    assert job is not None
    assert sorted(Category.objects.values_list("path", flat=True)) == [
        "gifts", "hats", "kitchen", "kitchen/cups", "kitchen/cups/large",
    ]  # fmt: skip
    assert batches == []

    Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING)
    call_command("move_category", job=job.pk)

    job.refresh_from_db()
    assert (job.state, job.result, job.done) == (JobState.SUCCEEDED, {"products": 5}, 5)
    assert [len(batch) for batch in batches] == [2, 2, 1]
    moved = Product.objects.exclude(sku="hat").values_list("pk", flat=True)
    assert sorted(pk for batch in batches for pk in batch) == sorted(moved)


def test_while_one_is_moved_another_large_one_waits_and_stays_as_it_is(mugs: Category) -> None:
    rename(mugs, "Cups")
    kitchen = Category.objects.get(path="kitchen")

    with pytest.raises(JobInProgress, match="a move of a category is under way"):
        rename(kitchen, "Cooking")

    assert Category.objects.filter(path="kitchen/cups").exists()


def test_few_products_follow_at_once(batches: list[list[int]]) -> None:
    product, _ = save_product(ProductData(sku="hat", title="Hat", category=("Hats",)))

    assert rename(Category.objects.get(path="hats"), "Caps") is None

    assert batches == [[product.pk]]


def test_the_admin_shows_the_job(mugs: Category, client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    page = reverse("admin:catalog_category_change", args=[mugs.pk])

    answer = client.post(page, {"name": "Cups", "slug": "", "parent": mugs.parent_id}, follow=True)
    again = client.post(page, {"name": "Beakers", "slug": "", "parent": mugs.parent_id})

    job = Job.objects.get(kind=MOVE)
    assert reverse("admin:jobs_job_change", args=[job.pk]) in answer.content.decode()
    assert "Another category is being moved" in again.content.decode()
    assert Category.objects.filter(path="kitchen/cups").exists()


def test_a_name_alone_moves_nothing(batches: list[list[int]]) -> None:
    hats = ensure_category(["Hats"])
    hats.name = "Hats and caps"

    assert save_category(hats).job is None
    assert batches == []


def test_a_name_with_which_a_path_below_would_be_too_long_is_an_error_of_the_form(
    client: Client, admin_user: User
) -> None:
    client.force_login(admin_user)
    deep = ensure_category(["Kitchen", *("x" * 100 for _ in range(4)), "y" * 88])
    kitchen = Category.objects.get(path="kitchen")
    url = reverse("admin:catalog_category_change", args=[kitchen.pk])
    answer = client.post(url, {"name": "Kitchen and everything else", "slug": "", "parent": ""})
    below = "A category below it would have a path of more than 500 characters."
    assert below in answer.content.decode()
    deep.refresh_from_db()
    assert deep.path.startswith("kitchen/")


def test_a_category_whose_path_differs_in_capitals_is_another_one() -> None:
    capital = save_category(Category(name="Kitchen", slug="Kitchen")).category
    ensure_category(["Kitchen", "Mugs"])
    rename(capital, "Cuisine")
    assert sorted(Category.objects.values_list("path", flat=True)) == ["cuisine", "kitchen", "kitchen/mugs"]
