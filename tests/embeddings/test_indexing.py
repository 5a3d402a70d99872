"""Processing the outbox: what is encoded, what reaches the index, and what stays to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from catalog.models import ProductImage
from catalog.services import attach_image, delete_products, remove_images, save_product
from embeddings import generations, indexing, outbox, versions
from embeddings.backends import Backends, get_vector_index
from embeddings.errors import EncoderMismatch, EncoderUnavailable, IndexUnavailable
from embeddings.indexing import IndexingReport, process_outbox
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.parts.layout import CURRENT
from pictures.photos import validate_photo
from product_files.product_data import ProductData
from tests.embeddings.conftest import CountingEncoder, points, states
from tests.factories import CategoryFactory, ProductFactory, jpeg

State = ImageEmbedding.State


def change_price(image: ProductImage, price: str) -> None:
    save_product(ProductData(sku=image.product.sku, title="-", price=Decimal(price)), fields={"price"})


def test_a_photo_is_embedded_and_its_point_says_what_its_product_is(version, add_photo):
    boots = CategoryFactory.create(name="Boots", parent=CategoryFactory.create(name="Shoes"))
    attributes = {"colour": ["red", "blue"], "size": 38, "lined": True, "story": "once upon a time " * 20}
    product = ProductFactory.create(
        category=boots, brand="Harbour", price=Decimal("19.99"), tags=["warm"], attributes=attributes
    )
    image = add_photo(product, content=jpeg("red"))
    assert process_outbox() == IndexingReport(embedded=1, indexed=1)
    point = points(version)[image.pk]
    # PostgreSQL has its own order of names.
    assert {**point.payload, "attributes": sorted(point.payload["attributes"])} == {
        "product_id": product.pk,
        "category": ["shoes", "shoes/boots"],
        "brand": "Harbour",
        "price": 19.99,
        "currency": "EUR",
        "available": True,
        "active": True,
        "tags": ["warm"],
        "attributes": ["colour=blue", "colour=red", "lined=true", "size=38"],
        "sha256": image.sha256,
    }
    assert point.vector[0] > 0.99
    assert np.linalg.norm(point.vector) == pytest.approx(1, abs=1e-3)
    assert states(version) == {image.pk: State.INDEXED}


def test_a_second_run_has_nothing_to_do(version, encoder, add_photo):
    add_photo()
    process_outbox()
    assert process_outbox() == IndexingReport()
    assert encoder.encoded == 1


def test_work_that_was_done_before_a_crash_is_done_again_without_harm(version, encoder, add_photo):
    images = [add_photo() for _ in range(3)]
    process_outbox()
    # The points were written, and the process ended before it could say so.
    ImageEmbedding.objects.update(state=State.EMBEDDED)
    assert process_outbox() == IndexingReport(indexed=3)
    assert points(version).keys() == {image.pk for image in images}
    assert encoder.encoded == 3


def test_only_the_chosen_photos_are_processed(version, add_photo):
    chosen, other = add_photo(), add_photo()
    process_outbox([chosen.pk])
    assert states(version) == {chosen.pk: State.INDEXED, other.pk: State.PENDING}


def test_a_lost_message_costs_time_only(version, add_photo):
    lost, sent = add_photo(), add_photo()
    process_outbox([sent.pk])
    process_outbox()
    assert states(version) == {lost.pk: State.INDEXED, sent.pk: State.INDEXED}


def test_more_photos_than_a_batch_are_all_indexed(version, add_photo, monkeypatch):
    monkeypatch.setattr(outbox, "PROCESSED_AT_ONCE", 4)
    reported: list[tuple[str, int, int]] = []
    images = [add_photo() for _ in range(9)]
    process_outbox(on_progress=lambda *progress: reported.append(progress))
    assert points(version).keys() == {image.pk for image in images}
    assert reported == [("embedding", done, 9) for done in (0, 4, 8, 9)]


class TestDetails:
    def test_a_price_change_patches_the_payload_without_encoding_again(self, version, encoder, add_photo):
        image = add_photo()
        process_outbox()
        before = points(version)[image.pk]
        change_price(image, "3.50")
        assert process_outbox() == IndexingReport(indexed=1)
        after = points(version)[image.pk]
        assert after.payload == {**before.payload, "price": 3.5}
        assert np.array_equal(after.vector, before.vector)
        assert encoder.encoded == 1

    def test_a_price_change_patches_every_photo_of_the_product(self, version, add_photo):
        first = add_photo()
        add_photo(first.product)
        process_outbox()
        change_price(first, "3.50")
        process_outbox()
        assert {point.payload["price"] for point in points(version).values()} == {3.5}

    def test_a_price_change_does_not_wait_for_a_model_that_is_missing(self, version, encoder, add_photo):
        image = add_photo()
        process_outbox()
        change_price(image, "3.50")
        add_photo()
        encoder.fingerprint = "d" * 64
        with pytest.raises(EncoderMismatch, match="all-v1 was made by model"):
            process_outbox()
        assert points(version)[image.pk].payload["price"] == 3.5

    def test_a_change_while_the_row_is_processed_stays_to_do(self, version, add_photo, monkeypatch):
        image = add_photo()
        process_outbox()
        change_price(image, "2.00")
        patch = get_vector_index().set_payload

        def change_meanwhile(*arguments: Any) -> None:
            patch(*arguments)
            change_price(image, "3.00")

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(get_vector_index(), "set_payload", change_meanwhile)
            process_outbox()
        process_outbox()
        assert points(version)[image.pk].payload["price"] == 3.0
        assert states(version) == {image.pk: State.INDEXED}

    def test_older_details_written_over_newer_ones_by_a_slow_worker_are_written_again(self, version, add_photo):
        image = add_photo()
        process_outbox()
        change_price(image, "2.00")
        slow = list(ImageEmbedding.objects.filter(state=State.OUTDATED))
        older = indexing.payloads_of([image.pk])[image.pk]
        change_price(image, "3.00")
        process_outbox()
        # The slow worker, which read the row before the second change, writes after everybody else.
        get_vector_index().set_payload(version.index_collection().name, [image.pk], older)
        indexing.mark_indexed(version, slow)
        process_outbox()
        assert points(version)[image.pk].payload["price"] == 3.0


class TestFailures:
    def test_a_file_that_is_gone_fails_with_the_reason(self, version, add_photo):
        image = add_photo()
        default_storage.delete(image.file.name)
        assert process_outbox() == IndexingReport(failed=1)
        row = ImageEmbedding.objects.get()
        assert row.state == State.FAILED
        assert "missing from the media storage" in row.error
        assert ProductImage.objects.filter(file_missing=True).get() == image

    def test_a_damaged_file_fails_with_the_reason_and_the_others_go_on(self, version, add_photo):
        good, bad = add_photo(), add_photo()
        with default_storage.open(bad.file.name, "wb") as file:
            file.write(b"not a photo")
        assert process_outbox() == IndexingReport(embedded=1, indexed=1, failed=1)
        assert states(version) == {good.pk: State.INDEXED, bad.pk: State.FAILED}
        assert ImageEmbedding.objects.get(image_id=bad.pk).error

    def test_a_failed_photo_is_left_alone_until_somebody_asks(self, version, encoder, add_photo):
        image = add_photo()
        path = Path(default_storage.path(image.file.name))
        content = path.read_bytes()
        path.unlink()
        process_outbox()
        path.write_bytes(content)
        assert process_outbox() == IndexingReport()
        outbox.embed_again([image.pk])
        assert process_outbox() == IndexingReport(embedded=1, indexed=1)
        assert ImageEmbedding.objects.get().error == ""

    @pytest.fixture
    def storage_away(self, monkeypatch):
        def refuse(*_: object) -> None:
            raise TimeoutError("no answer")

        monkeypatch.setattr(indexing.default_storage, "open", refuse)

    def test_a_storage_that_is_away_is_asked_again_later(self, version, add_photo, storage_away):
        image = add_photo()
        for _ in range(3):
            assert process_outbox() == IndexingReport()
        row = ImageEmbedding.objects.get()
        assert (row.state, row.attempts, row.error) == (State.PENDING, 1, "the media storage failed: no answer")
        assert states(version) == {image.pk: State.PENDING}

    def test_a_storage_that_stays_away_is_given_up(self, version, add_photo, storage_away):
        add_photo()
        long_ago = timezone.now() - timedelta(days=1)
        for _ in range(len(outbox.EMBED_RETRY_WAITS_S) + 1):
            ImageEmbedding.objects.update(changed_at=long_ago)
            process_outbox()
        assert ImageEmbedding.objects.get().state == State.FAILED

    def test_a_photo_that_failed_once_is_embedded_when_its_storage_is_back(self, version, add_photo, monkeypatch):
        def refuse(*_: object) -> None:
            raise TimeoutError("no answer")

        image = add_photo()
        with monkeypatch.context() as away:
            away.setattr(indexing.default_storage, "open", refuse)
            process_outbox()
        ImageEmbedding.objects.update(changed_at=timezone.now() - timedelta(days=1))
        process_outbox()
        assert states(version) == {image.pk: State.INDEXED}
        assert ImageEmbedding.objects.get().error == ""

    def test_an_index_that_is_away_leaves_the_rows_and_keeps_the_vectors(
        self, version, index, encoder, add_photo, monkeypatch
    ):
        def away(*_: object) -> None:
            raise IndexUnavailable("no answer")

        image = add_photo()
        with monkeypatch.context() as patch, pytest.raises(IndexUnavailable):
            patch.setattr(index, "upsert", away)
            process_outbox()
        assert states(version) == {image.pk: State.EMBEDDED}
        assert process_outbox() == IndexingReport(indexed=1)
        assert encoder.encoded == 1


class TestTwins:
    def test_one_picture_on_many_products_is_encoded_once(self, version, encoder, add_photo):
        category = CategoryFactory.create()
        images = [add_photo(ProductFactory.create(category=category), content=jpeg("navy")) for _ in range(5)]
        assert process_outbox() == IndexingReport(embedded=5, indexed=5)
        assert encoder.encoded == 1
        assert points(version).keys() == {image.pk for image in images}

    def test_a_picture_seen_before_is_not_encoded_again(self, version, encoder, add_photo):
        first = add_photo(content=jpeg("navy"))
        process_outbox()
        second = add_photo(content=jpeg("navy"))
        process_outbox()
        assert encoder.encoded == 1
        found = points(version)
        assert np.array_equal(found[first.pk].vector, found[second.pk].vector)

    def test_two_collections_with_one_model_share_vectors(self, version, encoder, add_photo):
        other = Collection.objects.create(slug="other", name="Other", covers_all=True)
        other.active_version = versions.create_version(other, "counting")
        other.save()
        EncoderVersion.objects.update(parts=CURRENT)
        image = add_photo()
        assert process_outbox() == IndexingReport(embedded=2, indexed=2)
        assert encoder.encoded == 1
        assert points(other.active_version).keys() == points(version).keys() == {image.pk}


class TestRemovals:
    def test_a_deleted_product_leaves_the_index(self, version, add_photo):
        gone, stays = add_photo(), add_photo()
        process_outbox()
        delete_products([gone.product.pk])
        assert points(version).keys() == {gone.pk, stays.pk}
        assert process_outbox() == IndexingReport(removed=1)
        assert points(version).keys() == {stays.pk}
        assert states(version) == {stays.pk: State.INDEXED}

    def test_a_photo_deleted_before_it_was_embedded_leaves_no_row(self, version, encoder, add_photo):
        remove_images([add_photo().pk])
        assert process_outbox() == IndexingReport(removed=1)
        assert not ImageEmbedding.objects.exists()
        assert encoder.encoded == 0

    def test_a_photo_deleted_while_it_is_embedded_leaves_no_row(self, version, encoder, add_photo, monkeypatch):
        image = add_photo()

        def delete_meanwhile(*_: object) -> CountingEncoder:
            remove_images([image.pk])
            return encoder

        monkeypatch.setattr(Backends, "encoder", delete_meanwhile)
        assert process_outbox() == IndexingReport()
        process_outbox()
        assert not ImageEmbedding.objects.exists()
        assert points(version) == {}

    def test_rows_are_kept_while_a_next_generation_may_hold_their_points(self, version, add_photo):
        image = add_photo()
        process_outbox()
        generations.begin_build(version)
        remove_images([image.pk])
        process_outbox()
        assert states(version) == {image.pk: State.REMOVED}

    def test_a_photo_that_comes_back_while_its_point_is_deleted_is_in_the_index_again(
        self, version, index, add_photo, monkeypatch
    ):
        def cover(*, everything: bool) -> None:
            version.collection.covers_all = everything
            version.collection.save(update_fields=["covers_all"])

        image = add_photo()
        process_outbox()
        cover(everything=False)
        assert outbox.mark_orphans(version) == 1
        delete = index.delete

        def come_back_meanwhile(*arguments: Any) -> None:
            # Another worker writes the point again before this one, which is slow, deletes it.
            monkeypatch.setattr(index, "delete", delete)
            cover(everything=True)
            outbox.ensure_all_rows(version)
            process_outbox()
            assert states(version) == {image.pk: State.INDEXED}
            delete(*arguments)
            assert points(version) == {}

        monkeypatch.setattr(index, "delete", come_back_meanwhile)
        process_outbox()
        process_outbox()
        assert index.delete == delete, "nothing was deleted"
        assert points(version).keys() == {image.pk}
        assert states(version) == {image.pk: State.INDEXED}

    def test_a_product_that_leaves_a_collection_leaves_its_index_and_comes_back_without_encoding(
        self, version, encoder, add_photo
    ):
        shoes = Collection.objects.create(slug="shoes", name="Shoes")
        shoes.categories.add(category := CategoryFactory.create(name="Shoes"))
        shoes.active_version = versions.create_version(shoes, "counting")
        shoes.save()
        EncoderVersion.objects.update(parts=CURRENT)
        image = add_photo(ProductFactory.create(category=category))
        process_outbox()
        for name, inside in (("Bags", set()), ("Shoes", {image.pk})):
            save_product(ProductData(sku=image.product.sku, title="-", category=[name]), fields={"category"})
            process_outbox()
            assert points(shoes.active_version).keys() == inside
            assert points(version).keys() == {image.pk}
        assert encoder.encoded == 1


def test_a_photo_that_is_to_be_embedded_again_while_it_is_embedded_stays_to_do(
    version, encoder, add_photo, monkeypatch
):
    changed, other = add_photo(), add_photo()

    def change_meanwhile(*_: object) -> CountingEncoder:
        monkeypatch.setattr(Backends, "encoder", lambda *_: encoder)
        outbox.embed_again([changed.pk])
        return encoder

    monkeypatch.setattr(Backends, "encoder", change_meanwhile)
    assert process_outbox() == IndexingReport(embedded=1, indexed=1)
    assert states(version) == {changed.pk: State.PENDING, other.pk: State.INDEXED}


def test_a_run_that_a_reindex_overtakes_says_nothing_of_the_new_index(version, index, encoder, add_photo, monkeypatch):
    image = add_photo()

    def overtake(*_: object) -> CountingEncoder:
        monkeypatch.setattr(Backends, "encoder", lambda *_: encoder)
        generations.build_generation(EncoderVersion.objects.select_related("collection").get(pk=version.pk))
        return encoder

    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)
    # A process that has the former index open can go on writing to it.
    monkeypatch.setattr(index, "drop", lambda _: None)
    monkeypatch.setattr(Backends, "encoder", overtake)
    process_outbox()
    assert points(version) == {}
    assert states(version) == {image.pk: State.EMBEDDED}
    process_outbox()
    assert points(version).keys() == {image.pk}
    assert states(version) == {image.pk: State.INDEXED}


def test_attaching_the_same_photo_again_leaves_nothing_to_do(version, add_photo):
    image = add_photo(content=jpeg("navy"))
    process_outbox()
    attach_image(image.product, validate_photo(jpeg("navy")))
    assert states(version) == {image.pk: State.INDEXED}


def test_a_collection_does_not_wait_for_the_model_of_another(version, encoder, add_photo, monkeypatch):
    # "absent" comes before "all", which has the model.
    absent = Collection.objects.create(slug="absent", name="Absent", covers_all=True)
    absent.active_version = versions.create_version(absent, "counting")
    absent.save()
    EncoderVersion.objects.filter(pk=absent.active_version.pk).update(encoder="gone")
    image = add_photo()

    def known(_: Backends, name: str | None = None) -> CountingEncoder:
        if name == "gone":
            raise EncoderUnavailable("no encoder 'gone'")
        return encoder

    monkeypatch.setattr(Backends, "encoder", known)
    with pytest.raises(EncoderUnavailable, match="no encoder 'gone'"):
        process_outbox()
    assert states(version) == {image.pk: State.INDEXED}
    assert states(absent.active_version) == {image.pk: State.PENDING}


class TestBesideATransaction:
    """A worker that processes the outbox while a change is not committed yet."""

    @pytest.fixture(autouse=True)
    def _shop(self, transactional_db: None, version_of_all: EncoderVersion) -> None:
        self.version = version_of_all

    def work_beside(self, change: Callable[[], object]) -> None:
        """Make a change, and commit it a second after a worker has begun, or when it is done."""
        errors: list[Exception] = []

        def work() -> None:
            try:
                process_outbox()
            except Exception as error:  # noqa: BLE001 -- reported by the test
                errors.append(error)
            finally:
                connection.close()

        worker = threading.Thread(target=work)
        with transaction.atomic():
            change()
            worker.start()
            worker.join(1)
        worker.join()
        assert errors == []

    def test_a_price_that_changes_while_the_photo_is_embedded_is_in_the_index(self, add_photo):
        image = add_photo()
        self.work_beside(lambda: change_price(image, "3.50"))
        process_outbox()
        assert points(self.version)[image.pk].payload["price"] == 3.5

    def test_a_new_photo_beside_a_price_that_is_written_waits_for_nobody(self, add_photo):
        image = add_photo()
        process_outbox()
        change_price(image, "2.00")

        def change() -> None:
            change_price(image, "3.50")
            add_photo(image.product)

        self.work_beside(change)
        process_outbox()
        assert {point.payload["price"] for point in points(self.version).values()} == {3.5}
        assert len(points(self.version)) == 2
