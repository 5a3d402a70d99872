"""What a change of the catalogue leaves in the outbox."""

from decimal import Decimal

import pytest
from django.db import transaction

from catalog.services import delete_products, remove_images, save_product, withdraw_products
from embeddings import indexing, outbox, versions
from embeddings.coverage import set_coverage
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from product_files.product_data import ProductData
from tests.embeddings.conftest import AddPhoto, states
from tests.factories import CategoryFactory, ProductFactory

State = ImageEmbedding.State


@pytest.fixture
def indexed(version, add_photo: AddPhoto):
    """A photo that is indexed."""
    image = add_photo()
    indexing.process_outbox()
    assert states(version) == {image.pk: State.INDEXED}
    return image


def test_a_new_photo_is_to_be_embedded(version, add_photo):
    image = add_photo()
    row = ImageEmbedding.objects.get(version=version, image_id=image.pk)
    assert (row.state, row.content_hash, row.vector, row.attempts) == (State.PENDING, image.sha256, None, 0)


def test_a_change_that_is_rolled_back_leaves_nothing_to_do(version, add_photo):
    with pytest.raises(RuntimeError), transaction.atomic():
        add_photo()
        raise RuntimeError
    assert not ImageEmbedding.objects.exists()


def test_a_price_change_leaves_a_patch(version, indexed):
    save_product(ProductData(sku=indexed.product.sku, title="Now dearer", price=Decimal(99)), fields={"price"})
    assert states(version) == {indexed.pk: State.OUTDATED}


def test_a_product_that_did_not_change_leaves_nothing_to_do(version, indexed):
    save_product(ProductData(sku=indexed.product.sku, title=indexed.product.title), fields={"title"})
    assert states(version) == {indexed.pk: State.INDEXED}


def test_a_withdrawn_product_leaves_a_patch(version, indexed):
    withdraw_products([indexed.product.pk])
    assert states(version) == {indexed.pk: State.OUTDATED}


def test_a_removed_photo_leaves_a_row_that_outlives_it(version, indexed):
    remove_images([indexed.pk])
    assert states(version) == {indexed.pk: State.REMOVED}


def test_a_deleted_product_leaves_its_photos_to_be_removed(version, indexed):
    delete_products([indexed.product.pk])
    assert states(version) == {indexed.pk: State.REMOVED}


def test_a_price_change_leaves_a_photo_that_waits_to_be_embedded_as_it_is(version, add_photo):
    image = add_photo()
    save_product(ProductData(sku=image.product.sku, title="-", price=Decimal(99)), fields={"price"})
    assert states(version) == {image.pk: State.PENDING}


def test_new_content_of_a_waiting_photo_is_what_will_be_embedded(version, add_photo):
    image = add_photo()
    image.sha256 = "f" * 64
    image.save()
    outbox.enqueue_images([image.pk])
    row = ImageEmbedding.objects.get(version=version)
    assert (row.state, row.content_hash) == (State.PENDING, "f" * 64)


def test_new_content_of_an_indexed_photo_makes_its_vector_void(version, indexed):
    indexed.sha256 = "f" * 64
    indexed.save()
    outbox.enqueue_images([indexed.pk])
    row = ImageEmbedding.objects.get(version=version)
    assert (row.state, row.content_hash, row.vector) == (State.PENDING, "f" * 64, None)


def test_a_photo_enqueued_again_with_the_same_content_keeps_its_vector(version, indexed):
    outbox.enqueue_images([indexed.pk])
    row = ImageEmbedding.objects.get(version=version)
    assert row.state == State.EMBEDDED
    assert row.vector is not None


def test_embed_again_drops_vectors_and_failures(version, indexed, add_photo):
    failed = add_photo()
    ImageEmbedding.objects.filter(image_id=failed.pk).update(state=State.FAILED, error="broken", attempts=5)
    outbox.embed_again([indexed.pk, failed.pk])
    rows = ImageEmbedding.objects.order_by("image_id")
    assert [(row.state, row.vector, row.error, row.attempts) for row in rows] == [(State.PENDING, None, "", 0)] * 2


class TestACollectionThatCoversOneCategory:
    @pytest.fixture
    def shoes(self):
        return CategoryFactory.create(name="Shoes")

    @pytest.fixture
    def other(self, version, shoes) -> EncoderVersion:
        """The active version of a second collection, over shoes alone."""
        collection = Collection.objects.create(slug="shoes", name="Shoes")
        collection.categories.add(shoes)
        collection.active_version = versions.create_version(collection, "counting")
        collection.save()
        return collection.active_version

    def test_takes_photos_of_the_category_and_of_those_below_it(self, other, shoes, add_photo):
        boots = CategoryFactory.create(name="Boots", parent=shoes)
        inside = [add_photo(ProductFactory.create(category=category)) for category in (shoes, boots)]
        add_photo(ProductFactory.create(category=CategoryFactory.create(name="Shoes and more", slug="shoes-and-more")))
        assert states(other) == {image.pk: State.PENDING for image in inside}

    def test_loses_a_photo_whose_product_moves_out(self, version, other, shoes, add_photo):
        image = add_photo(ProductFactory.create(category=shoes))
        indexing.process_outbox()
        save_product(ProductData(sku=image.product.sku, title="-", category=["Bags"]), fields={"category"})
        assert states(other) == {image.pk: State.REMOVED}
        assert states(version) == {image.pk: State.OUTDATED}

    def test_takes_a_photo_whose_product_moves_in(self, version, other, shoes, add_photo):
        image = add_photo(ProductFactory.create())
        save_product(ProductData(sku=image.product.sku, title="-", category=["Shoes"]), fields={"category"})
        assert states(other) == {image.pk: State.PENDING}

    def test_takes_back_a_photo_with_its_vector_before_its_point_was_removed(self, other, shoes, add_photo):
        image = add_photo(ProductFactory.create(category=shoes))
        indexing.process_outbox()
        for name in ("Bags", "Shoes"):
            save_product(ProductData(sku=image.product.sku, title="-", category=[name]), fields={"category"})
        row = ImageEmbedding.objects.get(version=other)
        assert row.state == State.EMBEDDED
        assert row.vector is not None

    def test_that_is_widened_takes_back_what_was_marked_as_removed(self, other, shoes, add_photo):
        image = add_photo(ProductFactory.create(category=shoes))
        other.collection.categories.set([CategoryFactory.create(name="Bags")])
        outbox.mark_orphans(other)
        assert states(other) == {image.pk: State.REMOVED}
        set_coverage(other.collection, [], covers_all=True)
        outbox.ensure_all_rows(other)
        assert states(other) == {image.pk: State.PENDING}


def test_changes_are_enqueued_for_a_version_that_is_being_built_too(version, add_photo):
    coming = versions.version_to_rebuild(version.collection, "counting")
    image = add_photo()
    assert states(coming) == states(version) == {image.pk: State.PENDING}
