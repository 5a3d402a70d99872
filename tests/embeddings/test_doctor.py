"""What the catalogue doctor finds, and what becomes of it in the admin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog.models import Category, Product, ProductImage
from catalog.services import remove_images
from embeddings.doctor import examine
from embeddings.models import Diagnosis, EncoderVersion, ImageEmbedding
from tests.factories import CategoryFactory, ProductFactory, ProductImageFactory, embedding, jpeg

Kind = Diagnosis.Kind
Decision = Diagnosis.Decision
DIRECTIONS = {"mugs": (1, 0, 0), "hats": (0, 1, 0), "lamps": (0, 0, 1)}
# In three dimensions, everything is near to something.
DIM = 16
LIST = "admin:embeddings_diagnosis_changelist"

pytestmark = pytest.mark.django_db


@pytest.fixture
def categories() -> dict[str, Category]:
    return {name: CategoryFactory.create(name=name, slug=name) for name in DIRECTIONS}


def padded(vector: Sequence[float]) -> list[float]:
    """The vector in DIM dimensions."""
    return [*vector, *[0.0] * (DIM - len(vector))]


class Shop:
    """Puts products with vectors into the database."""

    def __init__(self, version: EncoderVersion, categories: dict[str, Category]) -> None:
        self.version, self.categories = version, categories
        self._random = np.random.default_rng(0)

    def near(self, direction: Sequence[float]) -> list[float]:
        """A vector in about this direction."""
        return list(np.asarray(padded(direction)) + self._random.normal(scale=0.12, size=DIM))

    def add(self, category: str, *vectors: Sequence[float], **fields: Any) -> Product:
        product = ProductFactory.create(category=self.categories[category], **fields)
        for vector in vectors:
            embedding(self.version, ProductImageFactory.create(product=product), padded(vector))
        return product

    def fill(self, each: int = 40) -> None:
        """Plain products, past the services and without files."""
        for name, direction in DIRECTIONS.items():
            products = Product.objects.bulk_create(
                Product(sku=f"{name}-{number}", title=name, slug=name, category=self.categories[name])
                for number in range(each)
            )
            images = ProductImage.objects.bulk_create(
                ProductImage(
                    product=product, file="photos/none.jpg", width=9, height=9,
                    sha256=hashlib.sha256(product.sku.encode()).hexdigest(),
                )
                for product in products
            )  # fmt: skip
            for image in images:
                embedding(self.version, image, self.near(direction))


@pytest.fixture
def shop(version: EncoderVersion, categories: dict[str, Category]) -> Shop:
    EncoderVersion.objects.filter(pk=version.pk).update(dim=DIM)
    return Shop(version, categories)


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@shop.example", "secret"))
    return client


def found(kind: str) -> list[tuple[int, str]]:
    """Products and suggestions of the open findings."""
    rows = Diagnosis.objects.filter(kind=kind, decision=Decision.OPEN).order_by("product")
    return list(rows.values_list("product", "suggestion"))


def quietly(*_: object) -> None:
    """No progress."""


def decide(client: Client, row: Diagnosis, decision: str) -> str:
    """The page afterwards."""
    address = reverse("admin:embeddings_diagnosis_decide", args=[row.pk])
    return str(client.post(address, {"decision": decision}, follow=True).content.decode())


class TestCategories:
    def test_a_product_that_looks_like_another_category_is_found(self, shop):
        shop.fill()
        wrong = shop.add("mugs", shop.near((0, 1, 0)))
        examine(quietly)
        assert found(Kind.CATEGORY) == [(wrong.pk, "hats")]
        row = Diagnosis.objects.get(kind=Kind.CATEGORY)
        shown = ProductImage.objects.filter(pk__in=row.evidence, product__category__path="hats")
        assert len(row.evidence) == shown.count() == 3

    def test_a_broader_or_narrower_category_is_no_mistake(self, shop, categories):
        shop.fill()
        categories["berets"] = CategoryFactory.create(name="berets", slug="berets", parent=categories["hats"])
        for _ in range(10):
            shop.add("berets", shop.near((0, 1, 0)))
        examine(quietly)
        assert found(Kind.CATEGORY) == []

    def test_nor_is_another_category_that_the_product_is_in(self, shop, categories):
        shop.fill()
        both = shop.add("mugs", shop.near((0, 1, 0)))
        both.other_categories.add(categories["hats"])
        examine(quietly)
        assert found(Kind.CATEGORY) == []

    def test_an_inactive_product_is_not_looked_at(self, shop):
        shop.fill()
        shop.add("mugs", shop.near((0, 1, 0)), active=False)
        assert examine(quietly).open[Kind.CATEGORY] == 0

    def test_an_empty_catalogue_has_nothing_wrong(self, version):
        report = examine(quietly)
        assert (report.products, report.photos, report.new) == (0, 0, 0)


class TestPhotos:
    def test_a_photo_of_another_product_is_found(self, shop):
        shop.fill()
        hat = shop.add("hats", (0, 1, 0.3))
        mug = shop.add("mugs", (1, 0, 0), (1, 0.05, 0), (0, 1, 0.3))
        examine(quietly)
        row = Diagnosis.objects.get(kind=Kind.FOREIGN_PHOTO)
        last = mug.images.order_by("pk").last()
        assert (row.product_id, row.photo_id, row.suggestion) == (mug.pk, last.pk, str(hat.pk))

    def test_a_photo_that_many_products_have_is_no_mistake_of_one(self, shop):
        shop.fill()
        for _ in range(6):
            shop.add("mugs", shop.near((1, 0, 0)), (-1, -1, 0.2))
        examine(quietly)
        assert found(Kind.FOREIGN_PHOTO) == []

    def test_a_main_photo_beside_a_detail_is_not_taken_for_that_of_another_product_of_its_kind(self, shop):
        shop.fill()
        shop.add("mugs", (1, 0.01, 0.45), (0.2, -0.9, 0.1))
        shop.add("mugs", (1, 0.3, 0.35))
        examine(quietly)
        assert found(Kind.FOREIGN_PHOTO) == []

    def test_a_photo_that_is_like_no_other_is_found(self, shop):
        shop.fill()
        odd = shop.add("mugs", (-1, -1, -1))
        examine(quietly)
        assert [product for product, _ in found(Kind.NO_PRODUCT)] == [odd.pk]


class TestColours:
    def coloured(self, shop: Shop, colour: str, **attributes: str) -> Product:
        product = ProductFactory.create(category=shop.categories["mugs"], attributes=attributes)
        ProductImageFactory.create(product=product, content=jpeg(colour, (64, 64 + Product.objects.count())))
        return product

    @pytest.fixture(autouse=True)
    def plain(self, monkeypatch):
        """Photos of one colour, whose middle is looked at."""
        monkeypatch.setattr("pictures.dominant_colour._SAME_AS_BORDER", -1)

    def test_a_colour_that_the_photo_does_not_show_is_found(self, shop):
        self.coloured(shop, "#203080", Colour="Navy")
        wrong = self.coloured(shop, "#c01020", Colour="green")
        examine(quietly)
        assert found(Kind.COLOUR_WRONG) == [(wrong.pk, "Colour=red")]

    def test_a_missing_colour_is_suggested_where_others_have_one(self, shop):
        self.coloured(shop, "#203080", Colour="blue")
        self.coloured(shop, "#c01020", Colour="red")
        missing = self.coloured(shop, "#208030", size="L")
        examine(quietly)
        assert found(Kind.COLOUR_MISSING) == [(missing.pk, "Colour=green")]

    def test_words_that_name_no_colour_are_left_alone(self, shop):
        self.coloured(shop, "#c01020", Colour="Sunset")
        examine(quietly)
        assert found(Kind.COLOUR_WRONG) == []


class TestDeciding:
    @pytest.fixture
    def wrong(self, shop: Shop) -> Diagnosis:
        shop.fill()
        shop.add("mugs", shop.near((0, 1, 0)), title="Straw hat")
        examine(quietly)
        return Diagnosis.objects.get(kind=Kind.CATEGORY)

    def test_the_page_shows_pictures_and_both_categories(self, admin, wrong):
        page = admin.get(reverse(LIST)).content.decode()
        assert "Straw hat" in page
        assert "<dd>mugs</dd>" in page
        assert "Move to hats" in page
        assert page.count("<img") >= 4

    def test_accepting_moves_the_product_and_is_in_its_history(self, admin, wrong, shop):
        assert "Accepted: looks like another category: hats." in decide(admin, wrong, "accept")
        assert wrong.product.__class__.objects.get(pk=wrong.product_id).category == shop.categories["hats"]
        assert ImageEmbedding.objects.filter(state=ImageEmbedding.State.OUTDATED).count() == 1
        assert LogEntry.objects.get().object_id == str(wrong.product_id)

    def test_undoing_moves_it_back(self, admin, wrong, shop):
        decide(admin, wrong, "accept")
        assert "Taken back" in decide(admin, wrong, "undo")
        assert Product.objects.get(pk=wrong.product_id).category == shop.categories["mugs"]
        wrong.refresh_from_db()
        assert wrong.decision == Decision.OPEN

    def test_what_was_changed_since_is_not_undone(self, admin, wrong, shop):
        decide(admin, wrong, "accept")
        Product.objects.filter(pk=wrong.product_id).update(category=shop.categories["lamps"])
        assert "The product was changed since" in decide(admin, wrong, "undo")
        assert Product.objects.get(pk=wrong.product_id).category == shop.categories["lamps"]

    def test_what_was_dismissed_is_not_found_again(self, admin, wrong):
        decide(admin, wrong, "dismiss")
        examine(quietly)
        assert found(Kind.CATEGORY) == []
        decide(admin, wrong, "undo")
        examine(quietly)
        assert len(found(Kind.CATEGORY)) == 1

    def test_what_an_import_made_wrong_again_is_found_again(self, admin, wrong, shop):
        decide(admin, wrong, "accept")
        examine(quietly)
        assert found(Kind.CATEGORY) == []
        Product.objects.filter(pk=wrong.product_id).update(category=shop.categories["mugs"])
        examine(quietly)
        assert len(found(Kind.CATEGORY)) == 1

    def test_a_decision_is_made_once(self, admin, wrong):
        decide(admin, wrong, "dismiss")
        assert "It was decided meanwhile." in decide(admin, wrong, "accept")

    def test_a_photo_is_removed_and_brought_back(self, admin, shop):
        product = ProductFactory.create(category=shop.categories["mugs"])
        kept, image = (
            ProductImageFactory.create(product=product, content=jpeg(each), alt=each) for each in ("red", "blue")
        )
        row = Diagnosis.objects.create(kind=Kind.FOREIGN_PHOTO, product=product, photo_id=image.pk, confidence=0.9)
        decide(admin, row, "accept")
        assert list(product.images.all()) == [kept]
        decide(admin, row, "undo")
        assert [each.alt for each in product.images.order_by("alt")] == ["blue", "red"]
        row.refresh_from_db()
        assert row.photo_id == product.images.get(alt="blue").pk

    def test_a_photo_that_shows_no_product_is_ignored_and_compared_again(self, admin, shop):
        image = ProductImageFactory.create()
        row = Diagnosis.objects.create(kind=Kind.NO_PRODUCT, product=image.product, photo_id=image.pk, confidence=0.9)
        decide(admin, row, "accept")
        image.refresh_from_db()
        assert image.role == ProductImage.Role.IGNORED
        decide(admin, row, "undo")
        image.refresh_from_db()
        assert image.role == ProductImage.Role.PRODUCT

    def test_a_photo_that_is_gone_cannot_be_removed(self, admin, shop):
        image = ProductImageFactory.create()
        row = Diagnosis.objects.create(kind=Kind.NO_PRODUCT, product=image.product, photo_id=image.pk, confidence=0.9)
        remove_images([image.pk])
        assert "The photo was removed already." in decide(admin, row, "accept")

    def test_a_colour_is_set_and_taken_back(self, admin, shop):
        product = ProductFactory.create(category=shop.categories["mugs"], attributes={"Colour": "green", "size": "L"})
        row = Diagnosis.objects.create(kind=Kind.COLOUR_WRONG, product=product, suggestion="Colour=red", confidence=0.9)
        decide(admin, row, "accept")
        product.refresh_from_db()
        assert product.attributes == {"Colour": "red", "size": "L"}
        decide(admin, row, "undo")
        product.refresh_from_db()
        assert product.attributes == {"Colour": "green", "size": "L"}

    def test_whoever_may_not_change_products_decides_nothing(self, wrong):
        client = Client()
        client.force_login(User.objects.create_user("viewer", password="secret", is_staff=True))
        assert client.get(reverse(LIST)).status_code == 403
        assert client.post(reverse("admin:embeddings_diagnosis_decide", args=[wrong.pk])).status_code == 403
        assert client.post(reverse("admin:embeddings_diagnosis_examine")).status_code == 403


class TestTheCommand:
    def test_prints_what_it_found(self, shop):
        shop.fill()
        shop.add("mugs", shop.near((0, 1, 0)), sku="HAT-1")
        said = StringIO()
        call_command("doctor", stdout=said)
        assert "121 products and 121 photos examined" in said.getvalue()
        assert "HAT-1  mugs -> hats" in said.getvalue()
        said = StringIO()
        call_command("doctor", "--format", "json", stdout=said)
        document = json.loads(said.getvalue())
        assert document["open"]["category"] == 1
        assert document["findings"][0]["suggestion"] == "hats"

    def test_is_a_job_of_the_admin(self, admin, version):
        admin.post(reverse("admin:embeddings_diagnosis_examine"))
        page = admin.post(reverse("admin:embeddings_diagnosis_examine"), follow=True).content.decode()
        assert "an examination of the catalogue for &#x27;all&#x27; is under way" in page
