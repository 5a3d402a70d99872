"""The page "Improve on my photos": what there is to learn from, the training, and what came of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog.models import ProductImage
from embeddings.models import Collection, ImageEmbedding
from jobs.models import Job
from tests.factories import CategoryFactory, EncoderVersionFactory
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import BLUE, RED, REDDISH
from training import submissions
from training.job_kinds import TRAIN

FINDS = [
    {"category": "hats", "queries": 60, "live": 40, "candidate": 60, "lost": 0, "gained": 20},
    {"category": "sofas", "queries": 40, "live": 34, "candidate": 20, "lost": 14, "gained": 0},
]


@pytest.fixture(autouse=True)
def can_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow counts as installed."""
    monkeypatch.setattr(submissions, "find_spec", lambda _: object())


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def address(collection: str = "all") -> str:
    return f"{reverse('admin:improve')}?collection={collection}"


def page_of(client: Client, collection: str = "all") -> str:
    response = client.get(address(collection))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def rows_of(client: Client) -> dict[str, tuple[int, int, list[str]]]:
    """Photos, products and troubles of each category in the table."""
    rows = client.get(address()).context["categories"]
    return {
        row.photos.category.path: (row.photos.photos, row.photos.products, list(map(str, row.troubles))) for row in rows
    }


@pytest.fixture
def furnished(shop: Shop) -> Shop:
    """Hats that are well, sofas that are not, and a product without a category."""
    hats, sofas = CategoryFactory.create(name="Hats"), CategoryFactory.create(name="Sofas")
    for _ in range(3):
        shop.add(RED, REDDISH, category=hats)
    shop.add(BLUE, BLUE, BLUE, category=sofas)
    shop.add(RED, category=None)
    chart, broken = ProductImage.objects.filter(product__category=sofas)[:2]
    ProductImage.objects.filter(pk=chart.pk).update(role=ProductImage.Role.CHART)
    ImageEmbedding.objects.filter(image_id=broken.pk).update(state=ImageEmbedding.State.FAILED)
    return shop


def test_each_category_has_its_photos_and_what_is_wrong_with_them(furnished: Shop, admin: Client) -> None:
    assert rows_of(admin) == {
        "hats": (6, 3, []),
        "sofas": (
            1, 1, ["one photo teaches nothing: add more", "1 photo cannot be read", "1 chart or placeholder is left out"]
        ),
    }  # fmt: skip


def test_what_is_wrong_with_the_whole_collection_is_said_and_nothing_can_be_started(
    furnished: Shop, admin: Client
) -> None:
    page = page_of(admin)
    assert "1 photo is of a product without a category: nothing is learned from it." in page
    assert "two with two photos each are the least" in page
    assert "Train on these photos" not in page
    answer = admin.post(address(), follow=True)
    assert "At least 2 categories with 2 photos each are needed, and 1 of 2 are so" in answer.content.decode()
    assert not Job.objects.exists()


@pytest.fixture
def ready(furnished: Shop) -> Shop:
    furnished.add(RED, RED, category=CategoryFactory.create(name="Lamps"))
    return furnished


def test_one_button_submits_a_training_on_the_collections_own_photos(ready: Shop, admin: Client) -> None:
    assert "9 photos of 3 categories are ready." in page_of(admin)
    admin.post(address())
    job = Job.objects.get(kind=TRAIN)
    assert (job.collection, job.upload, job.submitted_by) == ("all", "", "admin")
    assert (job.parameters["activate"], job.parameters["prepare"]) == (False, True)


def test_the_progress_of_the_training_is_shown_in_place_of_the_button(ready: Shop, admin: Client) -> None:
    job = Job.objects.create(kind=TRAIN, collection="all", state=Job.State.RUNNING, stage="features", done=3, total=10)
    page = page_of(admin)
    assert f'data-url="{reverse("admin:jobs_job_state", args=[job.pk])}"' in page
    assert "computing features" in page
    assert "Train on these photos" not in page


def test_a_training_that_failed_says_why(ready: Shop, admin: Client) -> None:
    Job.objects.create(kind=TRAIN, collection="all", state=Job.State.FAILED, error="the memory does not suffice")
    assert "The last training failed: the memory does not suffice" in page_of(admin)


def test_without_tensorflow_it_says_what_to_do(ready: Shop, admin: Client, settings: Any, monkeypatch: Any) -> None:
    settings.CELERY_BROKER_URL = ""
    monkeypatch.setattr(submissions, "find_spec", lambda _: None)
    page = page_of(admin)
    assert "Ask whoever runs it to install the extra “train” (make setup)" in page
    assert "Train on these photos" not in page
    assert "Ask whoever runs it" in admin.post(address(), follow=True).content.decode()


def test_the_verdict_is_in_words_with_the_way_to_the_strips(ready: Shop, admin: Client) -> None:
    version = EncoderVersionFactory.create(
        collection=ready.version.collection, number=2, files="abc", metrics={"finds": FINDS}
    )
    page = page_of(admin)
    assert "Of 100 photos, all-v2 finds a product of the same category first for 80 instead of 74." in page
    assert "Worse in sofas (20 of 40 instead of 34)." in page
    assert "Better in hats (60 of 60 instead of 40)." in page
    assert reverse("admin:activation", args=[version.pk]) in page


def test_the_page_of_the_job_has_the_verdict_too(ready: Shop, admin: Client) -> None:
    EncoderVersionFactory.create(collection=ready.version.collection, number=2, metrics={"finds": FINDS})
    job = Job.objects.create(kind=TRAIN, collection="all", state=Job.State.SUCCEEDED, result={"encoder": "all-v2"})
    page = admin.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()
    assert "first for 80 instead of 74" in page
    assert "Compare strips of all-v2 with those of today, and activate it" in page


def test_another_collection_is_chosen_by_its_link(ready: Shop, admin: Client) -> None:
    hats = Collection.objects.create(slug="hats", name="Hats only")
    assert "It covers: nothing." in page_of(admin, "hats")
    admin.post(address("hats"))
    assert not Job.objects.filter(collection="all").exists()
    assert str(hats.pk) in page_of(admin, "hats")


def test_only_those_who_may_change_versions_open_it(ready: Shop, client: Client) -> None:
    user = User.objects.create_user("clerk", password="secret", is_staff=True)
    client.force_login(user)
    assert client.get(address()).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="change_encoderversion"))
    assert client.get(address()).status_code == 200
    job = Job.objects.create(kind=TRAIN, collection="all")
    assert client.get(reverse("admin:jobs_job_change", args=[job.pk])).status_code == 200
