"""The page that shows what activating an encoder version changes, and confirms it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from catalog.duplicates import make_variants
from catalog.models import Product, ProductImage
from embeddings.evaluation.live import compare_categories
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.submissions import submit_activation
from jobs.models import Job
from recommender import strips
from recommender.models import Event
from recommender.strips import compare_strips
from tests.factories import CategoryFactory, EncoderVersionFactory, embedding
from tests.recommender.conftest import Shop
from tests.recommender.test_similar import BLUE, GREEN, PINK, RED, REDDISH


@pytest.fixture
def candidate(shop: Shop) -> EncoderVersion:
    return EncoderVersionFactory.create(collection=shop.version.collection, number=2)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def address(version: EncoderVersion) -> str:
    return reverse("admin:activation", args=[version.pk])


def embed(version: EncoderVersion, product: Product, vector: Any) -> None:
    """The vector that a version has of all photos of a product."""
    for image in product.images.all():
        embedding(version, image, vector)


def seen(product: Product, times: int) -> None:
    now = timezone.now()
    values = {"type": Event.Type.IMPRESSION, "collection": "all", "created_at": now}
    Event.objects.bulk_create(Event(product_id=product.pk, results=[], **values) for _ in range(times))


class TestTheStrips:
    def test_are_those_of_both_versions_nearest_first(self, shop: Shop, candidate: EncoderVersion) -> None:
        product, red, blue = shop.add(RED), shop.add(REDDISH), shop.add(BLUE)
        for each, vector in ((product, BLUE), (red, RED), (blue, (0, 0.1, 1))):
            embed(candidate, each, vector)

        comparison = compare_strips(shop.version, candidate)

        strip = next(each for each in comparison.strips if each.product.id == product.pk)
        assert [card.id for card in strip.before] == [red.pk, blue.pk]
        assert [card.id for card in strip.after] == [blue.pk, red.pk]
        assert (strip.new, strip.gone) == (frozenset(), frozenset())

    def test_say_what_is_new_and_what_goes(
        self, shop: Shop, candidate: EncoderVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(strips, "LENGTH", 1)
        product, red, blue = shop.add(RED), shop.add(REDDISH), shop.add(BLUE)
        for each, vector in ((product, BLUE), (red, RED), (blue, (0, 0.1, 1))):
            embed(candidate, each, vector)

        comparison = compare_strips(shop.version, candidate)

        strip = next(each for each in comparison.strips if each.product.id == product.pk)
        assert (strip.new, strip.gone) == ({blue.pk}, {red.pk})
        assert comparison.changed >= 1
        assert comparison.strips[0].new

    def test_have_one_of_each_family_and_none_of_the_products_own(self, shop: Shop, candidate: EncoderVersion) -> None:
        product, variant, main, other = shop.add(RED), shop.add(RED), shop.add(PINK), shop.add(PINK)
        make_variants(product.pk, [product.pk, variant.pk])
        make_variants(main.pk, [main.pk, other.pk])
        for each in (product, variant, main, other):
            embed(candidate, each, RED)

        strip = next(each for each in compare_strips(shop.version, candidate).strips if each.product.id == product.pk)

        assert [card.id for card in strip.after] == [main.pk]

    def test_are_those_of_the_most_seen_products_then_of_the_newest(
        self, shop: Shop, candidate: EncoderVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(strips, "PRODUCTS", 3)
        old, popular, _passed_over, newest = (shop.add(vector) for vector in (RED, PINK, GREEN, BLUE))
        for each in Product.objects.all():
            embed(candidate, each, RED)
        seen(popular, 5)
        seen(old, 2)

        comparison = compare_strips(shop.version, candidate)

        assert {each.product.id: each.impressions for each in comparison.strips} == {
            popular.pk: 5,
            old.pk: 2,
            newest.pk: 0,
        }

    def test_of_a_large_shop_are_looked_for_while_there_is_time(
        self, shop: Shop, candidate: EncoderVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            embed(candidate, shop.add(RED), RED)
        monkeypatch.setattr(strips, "TIME_LIMIT_S", -1.0)

        comparison = compare_strips(shop.version, candidate)

        assert (comparison.photos, comparison.all_photos) == (0, 3)


class TestTheFigures:
    def test_count_what_each_version_finds_first_by_category(self, shop: Shop, candidate: EncoderVersion) -> None:
        self.fill(shop, candidate)

        finds = {each.category: each for each in compare_categories(shop.version, candidate)}

        sofas, lamps = finds["sofas"], finds["lamps"]
        assert (sofas.queries, sofas.live, sofas.candidate, sofas.lost, sofas.gained) == (12, 12, 0, 12, 0)
        assert sofas.is_worse and not sofas.is_better
        assert lamps.live == lamps.candidate == 12
        assert not lamps.is_worse and not lamps.is_better

    def fill(self, shop: Shop, candidate: EncoderVersion) -> None:
        """Twelve sofas, which only the live version separates from chairs, and as many lamps."""
        random = np.random.default_rng(0)
        directions = {"sofas": RED, "chairs": GREEN, "lamps": BLUE}
        for name, vector in directions.items():
            category = CategoryFactory.create(slug=name)
            for number in range(12):
                product = shop.add(np.asarray(vector) + random.normal(scale=0.01, size=3), category=category)
                # Each sofa is a little nearer to a chair than to another sofa, and each chair to a chair.
                pair = {"sofas": (1, 0.2 * number, 0), "chairs": (1, 0.2 * number + 0.01, 0), "lamps": BLUE}[name]
                embed(candidate, product, pair)

    def test_are_said_in_words(self, shop: Shop, candidate: EncoderVersion, admin: Client) -> None:
        self.fill(shop, candidate)

        page = admin.get(address(candidate)).content.decode()

        assert "Of 100 photos, all-v2 finds a product of the same category first for" in page
        assert "instead of 100" in page
        assert "sofas (0 of 12 instead of 12)" in page
        assert page.count("<h3>After</h3>") == 36


class TestThePage:
    def test_of_a_version_that_has_embedded_nothing_offers_to_embed_first(
        self, shop: Shop, candidate: EncoderVersion, admin: Client
    ) -> None:
        shop.add(RED)
        assert "Embed and compare first" in admin.get(address(candidate)).content.decode()

        page = admin.post(address(candidate), {"prepare": "1"}, follow=True).content.decode()

        assert "The photos will be embedded by all-v2." in page
        job = Job.objects.get()
        assert (job.kind, job.parameters) == ("activate", {"version": "all-v2", "prepare": True})

    @pytest.mark.parametrize("allow_worse", [False, True])
    def test_submits_the_activation(
        self, shop: Shop, candidate: EncoderVersion, admin: Client, allow_worse: bool
    ) -> None:
        data = {"activate": "1"} | ({"allow_worse": "1"} if allow_worse else {})

        page = admin.post(address(candidate), data, follow=True).content.decode()

        assert "all-v2 will be activated." in page
        assert Job.objects.get().parameters == {"version": "all-v2", "allow_worse": allow_worse}

    def test_says_where_an_activation_is_under_way(self, shop: Shop, candidate: EncoderVersion, admin: Client) -> None:
        submit_activation(candidate)

        page = admin.post(address(candidate), {"activate": "1"}, follow=True).content.decode()

        assert "is under way: wait until it has ended" in page
        assert Job.objects.count() == 1

    def test_the_active_version_needs_no_confirmation(self, shop: Shop, admin: Client) -> None:
        assert "all-v1 is active already." in admin.get(address(shop.version), follow=True).content.decode()

    def test_is_for_those_who_may_activate(self, shop: Shop, candidate: EncoderVersion) -> None:
        user = User.objects.create_user("viewer", password="secret", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_encoderversion"))
        viewer = Client()
        viewer.force_login(user)
        assert viewer.get(address(candidate)).status_code == 403
        assert viewer.post(address(candidate), {"activate": "1"}).status_code == 403
        user.user_permissions.add(Permission.objects.get(codename="change_encoderversion"))
        assert viewer.get(address(candidate)).status_code == 200


def test_a_version_is_embedded_without_being_activated(shop: Shop, candidate: EncoderVersion) -> None:
    shop.add(RED)

    call_command("activate_encoder", "all-v2", "--prepare")

    rows = ImageEmbedding.objects.filter(version=candidate, vector__isnull=False)
    assert rows.count() == ProductImage.objects.count() == 1
    shop.version.collection.refresh_from_db()
    assert shop.version.collection.active_version == shop.version
