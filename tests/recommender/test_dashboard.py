"""The first page of the back office: what a manager learns from it, and who learns what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from html import escape, unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts import keys
from accounts.models import ApiKey, User
from catalog.importers.submission import IMPORT
from catalog.models import Product
from embeddings.backends import get_vector_index
from embeddings.errors import IndexUnavailable
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.selectors import clear_live_collection_cache
from embeddings.vector_index.base import Copies
from jobs.models import Job
from recommender import dashboard, metrics
from recommender.models import Event
from rest.metrics import observe_request
from tests.factories import CollectionFactory, EncoderVersionFactory, ProductFactory, ProductImageFactory, embedding
from tests.recommender.conftest import Shop

# What a score of two photos says of their products: 0.5 at a cosine of 0.9.
CALIBRATION = {"kind": {"scores": [0.0, 0.9, 1.0], "probabilities": [0.0, 0.5, 1.0]}}

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def staff(*permissions: str) -> Client:
    """Somebody who may do these things, and no more."""
    user = User.objects.create_user("staff", password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert user.user_permissions.count() == len(permissions)
    client = Client()
    client.force_login(user)
    return client


def html_of(client: Client) -> str:
    answer = client.get(reverse("admin:index"))
    assert answer.status_code == 200
    page: str = answer.content.decode()
    return page[page.index('<div class="overview">') :]


def text_of(client: Client) -> str:
    """The page's words, as they are read out."""
    return " ".join(unescape(strip_tags(html_of(client).replace("<", " <"))).split())


def seen(product: Product | int, times: int, *, days_ago: float = 0, collection: str = "all", **fields: Any) -> None:
    """The strip of a product was seen so often."""
    product_id = product if isinstance(product, int) else product.pk
    at = timezone.now() - timedelta(days=days_ago)
    values: dict[str, Any] = {"type": Event.Type.IMPRESSION, "results": [1, 2], "collection": collection, **fields}
    Event.objects.bulk_create([Event(product_id=product_id, created_at=at, **values) for _ in range(times)])


def clicked(product: Product, times: int = 1) -> None:
    seen(product, times, type=Event.Type.CLICK, results=None, result_id=1, position=1)


class TestCatalogue:
    def test_products_are_counted_with_links_to_them(self, shop: Shop, admin):
        shop.add((1, 0, 0))
        shop.add((1, 0, 0), (0, 1, 0))
        ProductFactory.create()
        ProductFactory.create(active=False)
        text, html = text_of(admin), html_of(admin)
        assert "Products for sale 3 For sale without a photo 1 Withdrawn 1 Photos 3" in text
        for query, number in (
            ("active__exact=1", 3),
            ("active__exact=1&embedding=no_photo", 1),
            ("active__exact=0", 1),
        ):
            address = f"{reverse('admin:catalog_product_changelist')}?{query}"
            assert f'<a href="{escape(address)}">{number}</a>' in html
            assert admin.get(address).context["cl"].result_count == number

    def test_a_new_shop_shows_the_first_steps(self, shop: Shop, admin):
        text = text_of(admin)
        assert "Your shop is empty: start here" in text
        assert "There is no photo yet." in text
        assert "No job has run yet." in text
        assert "Copy the lines from there into your product pages" in text
        assert "Done:" not in text
        assert reverse("admin:embed") in html_of(admin)

    def test_the_first_steps_are_ticked_off_until_visitors_are_seen(self, shop: Shop, admin):
        product = shop.add((1, 0, 0))
        caches["process"].clear()
        assert text_of(admin).count("Done:") == 2
        keys.create(ApiKey(name="Everywhere"))
        keys.create(ApiKey(name="Gone", origins="https://shop.example", expires_at=timezone.now()))
        caches["process"].clear()
        assert text_of(admin).count("Done:") == 2
        keys.create(ApiKey(name="Shop pages", origins="https://shop.example"))
        caches["process"].clear()
        assert text_of(admin).count("Done:") == 3
        seen(product, 1)
        caches["process"].clear()
        assert "First steps" not in text_of(admin)


class TestCoverage:
    def test_each_collection_shows_indexed_pending_and_failed_photos(self, shop: Shop, admin):
        photos = [ProductImageFactory.create() for _ in range(9)]
        states = ["indexed"] * 4 + ["outdated", "pending", "embedded", "failed", "removed"]
        for photo, state in zip(photos, states, strict=True):
            embedding(shop.version, photo, (1, 0, 0), state=state)
        assert "All products 62% 5 of 8 photos are indexed" in text_of(admin)
        html = html_of(admin)
        assert '<progress value="5" max="8" aria-labelledby="overview-coverage-1">62%</progress>' in html
        for figure in admin.get(reverse("admin:index")).context["coverage"][0].states:
            assert f'<a href="{escape(figure.url)}">{figure.number}</a>' in html
            assert admin.get(figure.url).context["cl"].result_count == figure.number

    def test_nearly_all_is_not_all(self, shop: Shop, admin):
        for number in range(300):
            state = "pending" if number == 0 else "indexed"
            ImageEmbedding.objects.create(version=shop.version, image_id=number + 1, state=state, content_hash="0" * 64)
        assert "99% 299 of 300" in text_of(admin)

    def test_failures_are_grouped_by_their_reason_and_lead_to_the_photos(self, shop: Shop, admin):
        reasons = [
            f"the file products/ab/{number}.jpg is missing from the media storage: upload it" for number in range(3)
        ]
        for reason in (*reasons, "the file is cut off <b>"):
            embedding(shop.version, ProductImageFactory.create(), (1, 0, 0), state="failed", error=reason)
        text = text_of(admin)
        assert "the file … is missing from the media storage: upload it 3" in text
        assert "the file is cut off <b> 1" in text
        assert "<b>" not in admin.get(reverse("admin:index")).content.decode()
        for figure in admin.get(reverse("admin:index")).context["coverage"][0].failures:
            assert admin.get(figure.url).context["cl"].result_count == figure.number

    def test_figures_are_kept_for_a_while(self, shop: Shop, admin):
        html_of(admin)
        shop.add((1, 0, 0))
        assert "Products for sale 0" in text_of(admin)
        caches["process"].clear()
        assert "Products for sale 1" in text_of(admin)

    def test_dead_copies_and_missing_shards_of_a_cluster_are_shown(
        self, shop: Shop, admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "Dead copies" not in text_of(admin)
        caches["process"].clear()
        seen = [Copies(shards=6, copies=12, dead=4, missing=0, transfers=2)]
        monkeypatch.setattr(type(get_vector_index()), "copies", lambda *_: seen[0])

        text = text_of(admin)
        assert "Shards: 6 Copies: 12 Dead copies: 4 Missing shards: 0 Copies being brought up to date: 2" in text
        assert "A node of Qdrant is away. Nothing is lost" in text
        caches["process"].clear()
        seen[0] = Copies(shards=6, copies=12, dead=6, missing=2, transfers=0)
        assert "Answers lack the products of the missing shards" in text_of(admin)

    def test_an_index_that_is_away_is_named_and_the_page_is_there(
        self, shop: Shop, admin: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> None:
            raise IndexUnavailable("the Qdrant server http://qdrant:6333 does not answer")

        monkeypatch.setattr(type(get_vector_index()), "copies", away)
        assert "the Qdrant server http://qdrant:6333 does not answer" in text_of(admin)


class TestWork:
    @pytest.fixture
    def job(self, shop: Shop) -> Callable[..., Job]:
        def create(kind: str = "train", *, minutes_ago: float = 0, **fields: Any) -> Job:
            at = timezone.now() - timedelta(minutes=minutes_ago)
            collection = "" if kind == IMPORT else shop.version.collection.slug
            row = Job.objects.create(kind=kind, collection=collection, **fields)
            Job.objects.filter(pk=row.pk).update(created_at=at)
            return row

        return create

    def test_the_latest_job_of_each_kind_is_shown(self, job, admin):
        now = timezone.now()
        ended = {"started_at": now - timedelta(minutes=65), "finished_at": now - timedelta(minutes=60)}
        job(minutes_ago=100, state="failed", error="an older one", **ended)
        job(minutes_ago=66, state="failed", error="too few photos", **ended)
        activation = job("activate", minutes_ago=66, state="succeeded", **ended)
        text = text_of(admin)
        assert "Training: all failed ended 1 hour ago, took 5 minutes too few photos" in text
        assert "Activation: all succeeded ended 1 hour ago, took 5 minutes" in text
        assert "an older one" not in text
        assert reverse("admin:jobs_job_change", args=[activation.pk]) in html_of(admin)

    def test_a_running_job_shows_progress_rate_and_remaining_time(self, job, admin, monkeypatch):
        row = job(state="running", stage="training", done=10, total=1000, started_at=timezone.now())
        start = dashboard.time.time()
        assert "Training: all running training: 10 of 1,000 (1%)" in text_of(admin)
        Job.objects.filter(pk=row.pk).update(done=110)
        monkeypatch.setattr(dashboard.time, "time", lambda: start + 20)
        assert "training: 110 of 1,000 (11%), 5 per second, about 2 minutes left" in text_of(admin)

    def test_a_new_stage_is_measured_anew(self, job, admin, monkeypatch):
        row = job(state="running", stage="reading", done=900, total=1000, started_at=timezone.now())
        html_of(admin)
        start = dashboard.time.time()
        Job.objects.filter(pk=row.pk).update(stage="training", done=950)
        monkeypatch.setattr(dashboard.time, "time", lambda: start + 60)
        assert "training: 950 of 1,000 (95%)" in text_of(admin)
        assert "per second" not in text_of(admin)

    def test_an_import_that_has_ended_shows_its_rate(self, job, admin):
        now = timezone.now()
        job("import", state="succeeded", done=9000, total=9000, started_at=now - timedelta(seconds=90), finished_at=now)
        assert "Import of a file succeeded ended 0 minutes ago, took 1 minute: 100 per second" in text_of(admin)

    def test_a_dry_run_that_failed_is_no_import_that_failed(self, job, admin):
        now = timezone.now()
        ended = {"started_at": now, "finished_at": now}
        job("import", minutes_ago=9, state="succeeded", parameters={"dry_run": False, "file": "old.csv"}, **ended)
        job("import", state="failed", error="no title", parameters={"dry_run": True, "file": "new.csv"}, **ended)
        text = text_of(admin)
        assert "Import of old.csv succeeded" in text
        assert "failed" not in text.partition("Jobs and index builds")[2].partition("Encoders in use")[0]
        job("import", state="running", parameters={"dry_run": True, "file": "next.csv"})
        assert "Import of next.csv, dry run running" in text_of(admin)

    def test_a_job_that_waits_says_so(self, job, admin):
        job(minutes_ago=3)
        assert "Training: all queued queued for 3 minutes" in text_of(admin)

    def test_an_index_that_is_being_built_is_shown(self, shop: Shop, admin):
        coming = EncoderVersionFactory.create(
            collection=shop.version.collection, rebuild_started_at=timezone.now() - timedelta(minutes=12)
        )
        for state in ("embedded", "pending", "pending"):
            embedding(coming, ProductImageFactory.create(), (1, 0, 0), state=state)
        text = text_of(admin)
        assert "The index of all-v2 is being built 1 of 3 photos are embedded; started 12 minutes ago" in text


class TestEncoders:
    def test_each_collection_names_its_version_and_how_good_that_is(self, shop: Shop, admin):
        outcome = {"recall_at_1": 0.871, "mean_average_precision": 0.7624}
        EncoderVersion.objects.filter(pk=shop.version.pk).update(metrics={"outcomes": [outcome, {"recall_at_1": 0.1}]})
        CollectionFactory.create(slug="food", name="Food")
        text = text_of(admin)
        assert "All products all-v1 0.871 0.762" in text
        assert "Food none – –" in text  # noqa: RUF001
        assert reverse("admin:embeddings_encoderversion_change", args=[shop.version.pk]) in html_of(admin)


class TestVisitors:
    def test_what_happened_in_a_week_is_counted(self, shop: Shop, admin):
        product = shop.add((1, 0, 0))
        seen(product, 3)
        seen(product, 4, days_ago=8)
        seen(product, 1, type=Event.Type.PURCHASE, results=None)
        Event.objects.create(type="impression", results=[1], collection="all", created_at=timezone.now())
        clicked(product, 2)
        assert "Results seen 4 Result clicked 2 Added to the basket 0 Bought 1" in text_of(admin)

    def test_events_of_unknown_products_are_not_counted(self, shop: Shop, admin):
        seen(shop.add((1, 0, 0)), 1)
        seen(2**62, 500)
        text = text_of(admin)
        assert "Results seen 1 " in text
        assert "The product with the most impressions" in text

    def test_the_response_time_of_the_api_is_shown(self, shop: Shop, admin, api):
        product = shop.add((1, 0, 0))
        before = metrics.latency("similar")
        api.get(f"/api/products/{product.pk}/similar")
        after = metrics.latency("similar")
        assert after is not None
        assert after.count == (before.count if before else 0) + 1
        assert 0 < after.p50_s <= after.p95_s
        text = text_of(admin)
        assert f"Requests {after.count} The process that rendered this page, since it started." in text

    def test_before_the_first_answer_there_is_no_figure(self, shop: Shop):
        assert metrics.latency("nothing that was ever asked for") is None


def test_quantiles_lie_within_their_bucket() -> None:
    for seconds in [0.004] * 50 + [0.04] * 45 + [400] * 5:
        observe_request("made up", "GET", 200, seconds)
    measured = metrics.latency("made up")
    assert measured is not None
    assert measured.count == 100
    assert measured.p50_s == pytest.approx(0.005)
    assert measured.p95_s == pytest.approx(0.05)


class TestPoorQueries:
    @pytest.fixture
    def group(self, shop: Shop) -> Callable[..., list[Product]]:
        """So many products that look alike."""

        def add(number: int, vector: Sequence[float] = (1, 0, 0), **fields: Any) -> list[Product]:
            first, second, _ = vector
            return [shop.add((first, second, 0.06 * each), **fields) for each in range(number)]

        return add

    def poor(self) -> dict[int, list[str]]:
        caches["process"].clear()
        found = dashboard.poor_queries()
        assert not found.problem
        return {query.product.id: [str(weakness) for weakness in query.weaknesses] for query in found.queries}

    def test_a_product_among_its_like_is_not_poor(self, group, admin):
        product, *_ = group(6)
        seen(product, 3)
        assert self.poor() == {}
        text = text_of(admin)
        assert "The product with impressions in the last 7 days has good recommendations." in text

    def test_nothing_and_little_to_recommend(self, group):
        alone = group(1)[0]
        seen(alone, 5)
        assert self.poor() == {alone.pk: ["no_results"]}
        group(2)
        assert self.poor() == {alone.pk: ["few_results"]}

    def test_a_product_without_a_vector_is_answered_by_its_category(self, group, admin):
        group(6)
        product = ProductFactory.create(title="Mug <b>")
        seen(product, 5)
        assert self.poor() == {product.pk: ["fallback"]}
        assert "Mug <b> no embedded photo yet; showing the newest products of its category 5 0" in text_of(admin)

    def test_a_best_match_that_is_unsure(self, shop: Shop, group, admin):
        odd, _ = group(1, (1, 1, 0))[0], group(6)
        seen(odd, 2)
        assert self.poor() == {}
        EncoderVersion.objects.filter(pk=shop.version.pk).update(calibration=CALIBRATION)
        clear_live_collection_cache()
        assert self.poor() == {odd.pk: ["low_confidence"]}
        assert "low confidence of the best match:" in text_of(admin)

    def test_often_seen_and_never_clicked(self, group, monkeypatch):
        monkeypatch.setattr(dashboard, "NO_CLICKS_AFTER", 5)
        ignored, clicked_once, seldom, *_ = group(6)
        for product, times in ((ignored, 5), (clicked_once, 9), (seldom, 4)):
            seen(product, times)
        clicked(clicked_once)
        assert self.poor() == {ignored.pk: ["no_clicks"]}

    def test_those_seen_most_come_first_with_their_figures(self, shop: Shop, admin):
        less, more = ProductFactory.create(title="Less seen"), ProductFactory.create(title="More seen")
        ProductImageFactory.create(product=less)
        seen(less, 3)
        seen(more, 7)
        seen(less, 50, days_ago=9)
        clicked(more, 2)
        text = text_of(admin)
        assert "More seen no embedded photo yet; showing the newest products of its category 7 2" in text
        assert text.index("More seen") < text.index("Less seen")
        assert "The 2 products with the most impressions in the last 7 days were checked." in text
        assert reverse("admin:catalog_product_change", args=[more.pk]) in html_of(admin)

    def test_products_and_collections_that_are_gone_are_left_out(self, shop: Shop):
        withdrawn = ProductFactory.create(active=False)
        kept = ProductFactory.create()
        seen(withdrawn, 9)
        seen(10**15, 9)
        seen(kept, 9, collection="long-gone")
        seen(kept, 2)
        assert list(self.poor()) == [kept.pk]
        (query,) = dashboard.poor_queries().queries
        assert (query.collection, query.impressions) == ("all", 2)

    def test_numbers_that_are_no_products_do_not_push_out_those_that_are(self, shop: Shop, monkeypatch):
        monkeypatch.setattr(dashboard, "MAX_QUERIES", 2)
        for number in range(4):
            seen(10**15 + number, 9)
        product = ProductFactory.create()
        seen(product, 2)
        assert list(self.poor()) == [product.pk]

    def test_an_index_that_is_away_takes_nothing_else_from_the_page(self, shop: Shop, group, admin):
        seen(group(3)[0], 5)
        get_vector_index().drop(shop.version.index_collection().name)
        text = text_of(admin)
        assert "Incomplete: there is no index" in text
        assert "Products for sale 3" in text


class TestPermissions:
    HEADINGS = {
        "Catalogue": ("view_product",),
        "Index coverage": ("view_imageembedding",),
        "Jobs and index builds": ("view_job",),
        "Encoders in use": ("view_encoderversion",),
        "Visitors": ("view_event",),
        "Popular products with poor recommendations": ("view_product", "view_event"),
    }

    @pytest.mark.parametrize("heading", HEADINGS)
    def test_a_section_is_shown_to_those_who_may_see_its_rows(self, shop: Shop, heading):
        seen(ProductFactory.create(), 1)
        permitted = self.HEADINGS[heading]
        text = text_of(staff(*permitted))
        shown = {each for each, needed in self.HEADINGS.items() if set(needed) <= set(permitted)}
        assert {each for each in self.HEADINGS if each in text} == shown

    def test_a_user_without_permissions_sees_a_message(self, shop: Shop):
        text = text_of(staff())
        assert "have permission to view or edit anything." in text
        assert not any(heading in text for heading in self.HEADINGS)

    def test_whoever_may_change_something_may_see_it(self, shop: Shop):
        assert "Products for sale" in text_of(staff("change_product"))

    def test_strangers_are_asked_to_sign_in(self, client):
        assert client.get(reverse("admin:index")).status_code == 302


def test_the_page_asks_the_database_as_often_however_many_rows_there_are(shop: Shop, admin: Client) -> None:
    def asked() -> int:
        caches["process"].clear()
        with CaptureQueriesContext(connection) as queries:
            html_of(admin)
        return len(queries)

    asked()
    few = asked()
    for number in range(5):
        shop.add((1, 0, 0))
        EncoderVersionFactory.create(collection=CollectionFactory.create(slug=f"more-{number}"))
    assert asked() == few
    assert Collection.objects.count() == 6


def test_a_page_looked_at_again_counts_nothing_again(shop: Shop, admin: Client) -> None:
    shop.add((1, 0, 0))
    html_of(admin)
    with CaptureQueriesContext(connection) as queries:
        html_of(admin)
    assert not [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert caches["process"].get("dashboard:catalogue") is not None
