"""Which products are found to be near-duplicates, by real photos and by drawn ones, and what the index has after a merge."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image, ImageEnhance, ImageOps

from catalog.duplicates import make_variants, mark_as_different, merge
from catalog.models import DuplicatePair, DuplicateSearch, Product, ProductImage
from catalog.services import attach_image, withdraw_products
from embeddings import duplicates, indexing
from embeddings.duplicates import SearchReport, find_duplicates
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.selectors import clear_live_collection_cache
from pictures.photos import validate_photo
from storefront.demo.catalogue import demo_products, photo_files
from tests.embeddings.conftest import points, states
from tests.factories import CategoryFactory, ProductFactory, blank_jpeg, jpeg, numbered_colour

pytestmark = pytest.mark.django_db

Kind = DuplicatePair.Kind
Change = Callable[[Image.Image], Image.Image]

CHANGES: dict[str, Change] = {
    "resized": lambda image: image.resize((image.width * 6 // 10, image.height * 6 // 10)),
    "cropped": lambda image: ImageOps.crop(image, image.width // 40),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "mirrored": ImageOps.mirror,
}


def changed(content: bytes, change: Change, quality: int = 75) -> bytes:
    """The photo as another shop would have it."""
    file = io.BytesIO()
    change(Image.open(io.BytesIO(content)).convert("RGB")).save(file, "JPEG", quality=quality)
    return file.getvalue()


def search() -> SearchReport:
    return find_duplicates(lambda _stage, _done, _total: None)


def pairs() -> dict[tuple[int, int], str]:
    """The kind of each open pair, by its products."""
    rows = DuplicatePair.objects.filter(decision=DuplicatePair.Decision.OPEN)
    return {(first, second): kind for first, second, kind in rows.values_list("first", "second", "kind")}


@pytest.fixture
def shop(db: None, settings: Any) -> Iterator[Callable[[bytes], Product]]:
    """Adds a product with a photo, embedded by the bundled encoder."""
    settings.CELERY_BROKER_URL = ""
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    clear_live_collection_cache()

    category = CategoryFactory.create()

    def add(*contents: bytes) -> Product:
        # Of one category: what products of several have in common is a placeholder.
        product = ProductFactory.create(category=category)
        for content in contents:
            attach_image(product, validate_photo(content))
        indexing.process_outbox()
        return product

    yield add
    clear_live_collection_cache()


@pytest.fixture(scope="module")
def drawn() -> list[bytes]:
    """A photo of each of six kinds of thing."""
    return [photo_files(product)[0] for product in demo_products()[:6]]


class TestFinding:
    @pytest.mark.parametrize("name", CHANGES)
    def test_a_photo_is_known_again_when_it_was(self, shop, drawn, name):
        products = [shop(content) for content in drawn]
        copy = shop(changed(drawn[2], CHANGES[name]))
        search()
        assert pairs() == {(products[2].pk, copy.pk): Kind.MIRRORED if name == "mirrored" else Kind.SIMILAR}

    def test_real_photos_are_known_again(self, shop, real_data):
        files = sorted((real_data / "data/retail_demo_store/images").iterdir())[:20]
        products = [shop(file.read_bytes()) for file in files]
        copies = [
            shop(changed(file.read_bytes(), change))
            for file, change in zip(files, [*CHANGES.values()] * 5, strict=True)
        ]
        search()
        planted = {(one.pk, other.pk) for one, other in zip(products, copies, strict=True)}
        assert len(planted & pairs().keys()) >= 19
        assert not pairs().keys() - planted

    def test_texts_of_one_product_are_found_where_a_photo_is_missing_or_another(self, shop, drawn):
        said = {"brand": "Bose", "price": 329, "currency": "EUR"}
        titles = [
            "QuietComfort 45 headphones, black",
            "QuietComfort 45 black headphones",
            "SoundLink Flex speaker, black",
        ]
        one, other, third = shop(drawn[0]), shop(), shop(drawn[1])
        for product, title in zip((one, other, third), titles, strict=True):
            Product.objects.filter(pk=product.pk).update(title=title, **said)
        Product.objects.exclude(pk=third.pk).update(description="Wireless, with noise cancelling and a day of battery.")
        search()
        assert pairs() == {(one.pk, other.pk): Kind.TEXT}
        mark_as_different([one.pk, other.pk])
        search()
        assert pairs() == {}

    def test_the_very_same_bytes_are_certain(self, shop, drawn):
        one, other = shop(drawn[0]), shop(drawn[1], drawn[0])
        search()
        assert pairs() == {(one.pk, other.pk): Kind.SAME_FILE}
        assert DuplicatePair.objects.get().similarity == 1

    def test_photos_of_one_product_are_no_duplicates(self, shop, drawn):
        shop(drawn[0], changed(drawn[0], CHANGES["brighter"]))
        search()
        assert pairs() == {}

    def test_products_that_nobody_sees_are_passed_over(self, shop, drawn):
        shop(drawn[0])
        withdraw_products([shop(drawn[0]).pk])
        search()
        assert pairs() == {}

    def test_variants_are_expected_to_look_alike(self, shop, drawn):
        one, other = shop(drawn[0]), shop(drawn[0])
        Product.objects.filter(pk=other.pk).update(variant_of=one)
        search()
        assert pairs() == {}

    def test_photos_of_one_colour_are_not_compared(self, shop):
        shop(blank_jpeg((200, 30, 30)))
        shop(blank_jpeg((190, 40, 30)))
        search()
        assert pairs() == {}

    def test_a_photo_that_everybody_has_says_nothing(self, shop, drawn, monkeypatch):
        monkeypatch.setattr(duplicates, "MAX_PRODUCTS_PER_PHOTO", 2)
        for _ in range(3):
            shop(drawn[4])
        assert search().skipped == 1
        assert pairs() == {}

    def test_nor_does_one_that_is_like_too_many(self, shop, drawn, monkeypatch):
        monkeypatch.setattr(duplicates, "MAX_MATCHES_PER_PHOTO", 2)
        for quality in (60, 70, 80, 90):
            shop(changed(drawn[4], lambda image: image, quality))
        one, other = shop(drawn[0]), shop(changed(drawn[0], CHANGES["brighter"]))
        assert search().skipped == 4
        assert pairs() == {(one.pk, other.pk): Kind.SIMILAR}

    def test_blocks_make_no_difference(self, shop, drawn, monkeypatch):
        for content in [*drawn, *(changed(content, CHANGES["brighter"]) for content in drawn)]:
            shop(content)
        search()
        whole = pairs()
        monkeypatch.setattr(duplicates, "_BLOCK", 5)
        search()
        assert pairs() == whole
        assert len(whole) == 6


class TestHashes:
    def test_photos_that_came_before_there_were_any_get_theirs(self, shop, drawn):
        one, other = shop(drawn[0]), shop(changed(drawn[0], CHANGES["resized"]))
        ProductImage.objects.update(perceptual_hash=None)
        search()
        assert pairs() == {(one.pk, other.pk): Kind.SIMILAR}
        assert not ProductImage.objects.filter(perceptual_hash=None).exists()

    def test_a_photo_that_cannot_be_read_is_counted(self, shop, drawn, media_root: Path):
        image = shop(drawn[0]).images.get()
        ProductImage.objects.update(perceptual_hash=None)
        (media_root / str(image.file.name)).write_bytes(b"gone")
        assert search().unreadable == 1


class TestTheCommand:
    def test_it_says_what_it_found_and_when_it_looked_is_kept(self, shop, drawn, capsys):
        shop(drawn[0])
        shop(drawn[0])
        call_command("find_duplicates")
        output = capsys.readouterr().out
        assert "2 photos compared: 1 open pairs, 1 new, 0 resolved" in output
        assert DuplicateSearch.objects.get().photos == 2

    def test_it_asks_nothing_twice(self, shop, drawn):
        one, other = shop(drawn[0]), shop(drawn[0])
        search()
        mark_as_different([one.pk, other.pk])
        assert search().changes.open == 0

    def test_it_drops_what_no_longer_holds(self, shop, drawn):
        shop(drawn[0])
        other = shop(drawn[0])
        search()
        withdraw_products([other.pk])
        assert search().changes.dropped == 1
        assert pairs() == {}

    def test_an_empty_shop_has_none(self, shop):
        assert search().photos == 0

    def test_without_an_encoder_version_it_says_what_to_do(self, shop):
        Collection.objects.update(active_version=None)
        with pytest.raises(CommandError, match=r"manage\.py migrate"):
            call_command("find_duplicates")


class TestTheIndexAfterAMerge:
    def test_it_has_the_photos_under_the_kept_product(self, version: EncoderVersion, add_photo, encoder):
        own, taken = add_photo(), add_photo()
        indexing.process_outbox()
        encoded = encoder.encoded
        merge(own.product_id, [taken.product_id])
        indexing.process_outbox()
        assert {point.payload["product_id"] for point in points(version).values()} == {own.product_id}
        assert {point.payload["active"] for point in points(version).values()} == {True}
        assert set(points(version)) == {own.pk, taken.pk}
        assert encoder.encoded == encoded

    def test_a_photo_that_both_had_is_there_once(self, version: EncoderVersion, add_photo):
        content = jpeg(numbered_colour(77))
        own, twin = add_photo(content=content), add_photo(content=content)
        indexing.process_outbox()
        merge(own.product_id, [twin.product_id])
        indexing.process_outbox()
        assert states(version) == {own.pk: ImageEmbedding.State.INDEXED}
        assert set(points(version)) == {own.pk}


class TestMany:
    def test_five_thousand_products_are_compared_and_all_planted_pairs_found(self, version: EncoderVersion):
        version.dim = 3
        random = np.random.default_rng(1)
        numbers = count()
        products = Product.objects.bulk_create(
            Product(sku=f"MANY-{number}", title="Many", slug="many") for number in range(5_000)
        )
        images = ProductImage.objects.bulk_create(
            ProductImage(
                product=product, file="products/00/x.jpg", sha256=f"{next(numbers):064x}", width=1, height=1,
                perceptual_hash=int(random.integers(1, 2**63)),
            )
            for product in products
        )  # fmt: skip
        for one, other in zip(images[::500], images[1::500], strict=True):
            other.perceptual_hash = (one.perceptual_hash or 0) ^ 0b101
        ProductImage.objects.bulk_update(images[1::500], ["perceptual_hash"])
        vectors = random.normal(size=(5_000, 3)).astype("<f2")
        vectors[1::500] = vectors[::500]
        ImageEmbedding.objects.bulk_create(
            ImageEmbedding(
                version=version, image_id=image.pk, state="indexed", content_hash=image.sha256, vector=vector.tobytes()
            )
            for image, vector in zip(images, vectors, strict=True)
        )
        assert search().photos == 5_000
        planted = {(one.pk, other.pk) for one, other in zip(products[::500], products[1::500], strict=True)}
        assert planted <= pairs().keys()


def test_a_family_made_by_hand_is_not_asked_about(shop, drawn):
    one, other = shop(drawn[0]), shop(drawn[0])
    search()
    make_variants(one.pk, [other.pk])
    search()
    assert pairs() == {}
