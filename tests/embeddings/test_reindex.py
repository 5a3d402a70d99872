"""manage.py reindex: what it repairs, what it reports, and that answers go on meanwhile."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalog.models import Product, ProductImage
from catalog.services import remove_images, save_product
from embeddings import generations, indexing, outbox, verification, versions, written_states
from embeddings.backends import get_vector_index
from embeddings.errors import IndexLocked
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.text_indexing import process_texts
from embeddings.vector_index.base import Point, VectorQuery
from product_files.product_data import ProductData
from tests.embeddings.conftest import CountingEncoder, points, states
from tests.factories import ProductFactory

State = ImageEmbedding.State


@pytest.fixture(autouse=True)
def nobody_else_asks(monkeypatch):
    """No other process has to be given time to notice a switch."""
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)


@pytest.fixture(params=["memory", "edge"])
def engine(request, version):
    """Each index that needs no server."""
    if request.param == "edge":
        request.getfixturevalue("edge")


def reindex(*arguments: str) -> str:
    out = io.StringIO()
    call_command("reindex", *arguments, stdout=out)
    return out.getvalue()


def fresh(version: EncoderVersion) -> EncoderVersion:
    return EncoderVersion.objects.select_related("collection").get(pk=version.pk)


def live_name(version: EncoderVersion) -> str:
    return fresh(version).index_collection().name


def counted_writes(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, int]]:
    """How often each point is written from now on, by its index collection and id."""
    index, written = get_vector_index(), Counter[tuple[str, int]]()
    upsert = index.upsert

    def counted(name: str, points_of_it: Iterable[Point]) -> None:
        all_ = list(points_of_it)
        written.update((name, point.id) for point in all_)
        upsert(name, all_)

    monkeypatch.setattr(index, "upsert", counted)
    return written


def without_rows(count: int, add_photo: Any) -> list[ProductImage]:
    """Photos without a row."""
    images = [add_photo() for _ in range(count)]
    ImageEmbedding.objects.all().delete()
    return images


@pytest.mark.usefixtures("engine")
class TestReindex:
    def test_indexes_photos_without_a_row(self, version, add_photo):
        images = without_rows(3, add_photo)
        # One number, and none is written once more after the switch, although all of them changed a moment ago.
        assert reindex() == "all-v1: 3 points in a new index, now live\nnothing is left to index\n"
        assert points(version).keys() == {image.pk for image in images}
        assert set(states(version).values()) == {State.INDEXED}

    def test_builds_a_new_index_from_stored_vectors_and_drops_the_former(self, version, encoder, add_photo):
        images = [add_photo() for _ in range(3)]
        indexing.process_outbox()
        former = live_name(version)
        reindex()
        assert live_name(version) != former
        assert not get_vector_index().exists(former)
        assert points(version).keys() == {image.pk for image in images}
        assert encoder.encoded == 3

    def test_leaves_nothing_for_verify_to_find(self, version, add_photo):
        add_photo(ProductFactory.create(category=None, price=None, brand="", tags=["a", "b"]))
        add_photo(ProductFactory.create(price=Decimal("1234567.89"), available=False, active=False))
        reindex()
        assert "0 missing, 0 stale, 0 orphaned\n" in reindex("--verify")
        assert "repaired" not in reindex("--verify")

    def test_drops_rows_whose_photo_is_gone(self, version, add_photo):
        gone, stays = add_photo(), add_photo()
        indexing.process_outbox()
        ProductImage.objects.filter(pk=gone.pk).delete()
        reindex()
        assert points(version).keys() == {stays.pk}
        assert states(version) == {stays.pk: State.INDEXED}

    def test_gives_failed_photos_another_chance(self, version, add_photo):
        image = add_photo()
        ImageEmbedding.objects.update(state=State.FAILED, error="the disk was full", attempts=5)
        reindex()
        assert states(version) == {image.pk: State.INDEXED}

    def test_of_an_empty_catalogue_makes_an_empty_index(self, version):
        assert "0 points in a new index" in reindex()
        assert points(version) == {}

    def test_again_changes_nothing(self, version, add_photo):
        add_photo()
        reindex()
        before = points(version)
        reindex()
        after = points(version)
        assert {key: point.payload for key, point in before.items()} == {
            key: point.payload for key, point in after.items()
        }

    def test_right_after_many_photos_were_stored_writes_each_point_and_text_once(self, version, add_photo, monkeypatch):
        """All of them changed so lately that every pass, and the switch, has to look at them."""
        monkeypatch.setattr(generations, "SMALL_PASS", 0)
        images = [add_photo() for _ in range(4)]
        indexing.process_outbox()
        process_texts()
        # Some have an outdated point in the former index, which no worker came to.
        save_product(ProductData(sku=images[0].product.sku, title="-", price=Decimal(77)), fields={"price"})
        written = counted_writes(monkeypatch)
        generations.build_generation(fresh(version))
        indexing.process_outbox()
        texts = fresh(version).text_collection().name
        assert written == {
            **{(live_name(version), image.pk): 1 for image in images},
            # Of the price, the text's row waits as well: the build writes it, and the worker once more.
            **{(texts, image.product_id): 1 for image in images},
        }
        assert set(states(version).values()) == {State.INDEXED}
        assert points(version)[images[0].pk].payload["price"] == 77.0

    def test_what_changed_lately_and_is_more_than_is_remembered_is_written_again(self, version, add_photo, monkeypatch):
        images = [add_photo() for _ in range(4)]
        indexing.process_outbox()
        monkeypatch.setattr(written_states, "STATES_KEPT", 3)
        written = counted_writes(monkeypatch)
        generations.build_generation(fresh(version))
        indexing.process_outbox()
        name = live_name(version)
        assert [written[name, image.pk] for image in images] == [1, 1, 1, 3]
        assert set(states(version).values()) == {State.INDEXED}

    def test_of_one_collection_leaves_the_others_alone(self, version, encoder, add_photo):
        other = Collection.objects.create(slug="other", name="Other")
        other.active_version = versions.create_version(other, "counting")
        other.save()
        add_photo()
        former = live_name(version)
        reindex("--collection", "other")
        assert live_name(version) == former
        assert fresh(other.active_version).index_generation == 2


class TestWhileTheNewIndexIsBuilt:
    @pytest.fixture
    def indexed(self, version, add_photo, engine) -> list[ProductImage]:
        images = [add_photo() for _ in range(6)]
        indexing.process_outbox()
        return images

    @pytest.fixture(autouse=True)
    def small_batches(self, monkeypatch):
        monkeypatch.setattr(generations, "BATCH", 2)

    def test_the_live_index_answers(self, version, indexed):
        name = live_name(version)
        answers: list[set[int]] = []

        def ask(*_: object) -> None:
            hits = get_vector_index().query(name, VectorQuery(positive=[np.ones(3, np.float32)], limit=10))
            answers.append({hit.id for hit in hits})

        generations.build_generation(fresh(version), on_progress=ask)
        assert answers == [{image.pk for image in indexed}] * 7

    def test_changes_are_not_lost(self, version, indexed, add_photo):
        dearer, gone, *_ = indexed
        added: list[ProductImage] = []

        def change(stage: str, done: int, total: int) -> None:
            if stage == "indexing" and done and not added:
                save_product(ProductData(sku=dearer.product.sku, title="-", price=Decimal(77)), fields={"price"})
                remove_images([gone.pk])
                added.append(add_photo())
                # The serving process works meanwhile, on the live index.
                indexing.process_outbox()

        generations.build_generation(fresh(version), on_progress=change)
        indexing.process_outbox()
        found = points(version)
        assert found.keys() == {image.pk for image in [*indexed, *added]} - {gone.pk}
        assert found[dearer.pk].payload["price"] == 77.0
        assert set(states(version).values()) == {State.INDEXED}

    @staticmethod
    def change_price_by_a_slow_transaction(image: ProductImage) -> None:
        """A change that was stamped five seconds before it is committed, which is now."""
        save_product(ProductData(sku=image.product.sku, title="-", price=Decimal(77)), fields={"price"})
        ImageEmbedding.objects.filter(image_id=image.pk).update(changed_at=timezone.now() - timedelta(seconds=5))

    def test_a_change_that_was_stamped_before_a_pass_and_committed_after_it_is_not_lost(self, version, indexed):
        def change(stage: str, done: int, total: int) -> None:
            if stage == "indexing" and done == total:
                # The first pass has read the row.
                self.change_price_by_a_slow_transaction(indexed[0])

        generations.build_generation(fresh(version), on_progress=change)
        indexing.process_outbox()
        assert points(version)[indexed[0].pk].payload["price"] == 77.0

    def test_a_change_that_was_stamped_before_the_switch_and_committed_after_the_last_pass_is_not_lost(
        self, version, indexed, monkeypatch
    ):
        index, optimised = get_vector_index(), []
        optimise, close = index.optimise, index.close

        def note(name: str) -> None:
            optimise(name)
            optimised.append(name)

        def change_after_the_last_pass(name: str | None = None) -> None:
            close(name)
            if optimised and name == optimised[0]:
                self.change_price_by_a_slow_transaction(indexed[0])

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(index, "optimise", note)
            meanwhile.setattr(index, "close", change_after_the_last_pass)
            generations.build_generation(fresh(version))
        indexing.process_outbox()
        assert points(version)[indexed[0].pk].payload["price"] == 77.0

    def test_what_changes_during_the_first_pass_is_there_before_the_graph_is_built(self, version, indexed, monkeypatch):
        """Points that come after the graph are compared one by one with every query: the more, the slower."""
        monkeypatch.setattr(generations, "SMALL_PASS", 0)
        index = get_vector_index()
        optimise, prices = index.optimise, []

        def change(stage: str, done: int, total: int) -> None:
            if stage == "indexing" and done == total:
                save_product(ProductData(sku=indexed[0].product.sku, title="-", price=Decimal(77)), fields={"price"})

        def note(name: str) -> None:
            prices.append(index.retrieve(name, [indexed[0].pk])[indexed[0].pk].payload["price"])
            optimise(name)

        monkeypatch.setattr(index, "optimise", note)
        generations.build_generation(fresh(version), on_progress=change)
        assert prices == [77.0]

    def test_an_interruption_leaves_the_live_index_and_no_half_one(self, version, indexed):
        former = live_name(version)

        def interrupt(stage: str, done: int, total: int) -> None:
            if stage == "indexing" and done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            generations.build_generation(fresh(version), on_progress=interrupt)
        assert live_name(version) == former
        assert points(version).keys() == {image.pk for image in indexed}
        assert not get_vector_index().exists(version.index_collection(2).name)
        assert not fresh(version).rebuilding

    def test_removals_are_processed_again_after_an_interruption(self, version, indexed):
        def interrupt(stage: str, done: int, total: int) -> None:
            if stage == "indexing" and done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            generations.build_generation(fresh(version), on_progress=interrupt)
        remove_images([indexed[0].pk])
        indexing.process_outbox()
        assert indexed[0].pk not in points(version)

    def test_what_a_killed_build_left_is_in_nobodys_way(self, version, indexed):
        left = version.index_collection(2)
        get_vector_index().ensure(left)
        get_vector_index().upsert(left.name, [Point(999, np.ones(3, np.float32), {"product_id": 1})])
        generations.begin_build(version)
        reindex()
        assert points(version).keys() == {image.pk for image in indexed}


class TestOnlyMissing:
    def test_indexes_into_the_live_index(self, version, encoder, add_photo):
        indexed = add_photo()
        indexing.process_outbox()
        missing = add_photo()
        ImageEmbedding.objects.filter(image_id=missing.pk).delete()
        former = live_name(version)
        assert "1 photo indexed, 1 of them newly embedded" in reindex("--only-missing")
        assert live_name(version) == former
        assert points(version).keys() == {indexed.pk, missing.pk}
        assert encoder.encoded == 2

    def test_leaves_the_rows_to_the_process_that_holds_the_index(self, version, index, add_photo, monkeypatch):
        def locked(*_: object) -> None:
            raise IndexLocked("held by another process")

        image = add_photo()
        monkeypatch.setattr(index, "retrieve", locked)
        assert "1 photos wait for the process that holds the index" in reindex("--only-missing")
        assert states(version) == {image.pk: State.PENDING}


@pytest.mark.usefixtures("engine")
class TestVerify:
    @pytest.fixture
    def images(self, version, add_photo, engine) -> list[ProductImage]:
        images = [add_photo() for _ in range(5)]
        indexing.process_outbox()
        return images

    @pytest.fixture(params=[1000, 2])
    def batch(self, request, monkeypatch):
        monkeypatch.setattr(verification, "BATCH", request.param)

    def test_finds_nothing_where_all_is_well(self, version, images):
        assert "all-v1: 0 missing, 0 stale, 0 orphaned" in reindex("--verify")

    @pytest.mark.parametrize("lost", [[0], [2, 3], [4], [0, 1, 2, 3, 4]])
    def test_writes_points_that_are_missing(self, version, images, encoder, batch, lost):
        get_vector_index().delete(live_name(version), [images[number].pk for number in lost])
        assert f"{len(lost)} missing, 0 stale, 0 orphaned" in reindex("--verify")
        assert points(version).keys() == {image.pk for image in images}
        assert encoder.encoded == 5
        assert "0 missing" in reindex("--verify")

    def test_writes_points_whose_details_differ(self, version, images, batch):
        get_vector_index().set_payload(live_name(version), [images[1].pk], {"price": 1.0})
        # Written past the services, as by hand in the database.
        Product.objects.filter(pk=images[4].product.pk).update(price=Decimal("55.50"))
        assert "0 missing, 2 stale, 0 orphaned" in reindex("--verify")
        found = points(version)
        assert [found[images[number].pk].payload["price"] for number in (1, 4)] == [10.0, 55.5]

    def test_deletes_points_that_nobody_has_a_row_of(self, version, images, batch):
        strangers = [Point(each, np.ones(3, np.float32), {"product_id": 1}) for each in (10_000, 10_001, 10_002)]
        get_vector_index().upsert(live_name(version), strangers)
        assert "0 missing, 0 stale, 3 orphaned" in reindex("--verify")
        assert points(version).keys() == {image.pk for image in images}

    def test_deletes_points_whose_photo_is_gone(self, version, images, batch):
        ProductImage.objects.filter(pk=images[2].pk).delete()
        assert "0 missing, 0 stale, 1 orphaned" in reindex("--verify")
        assert images[2].pk not in points(version)
        assert images[2].pk not in states(version)

    def test_indexes_photos_without_a_row(self, version, images):
        ImageEmbedding.objects.filter(image_id=images[2].pk).delete()
        get_vector_index().delete(live_name(version), [images[2].pk])
        assert "1 missing" in reindex("--verify")
        assert points(version).keys() == {image.pk for image in images}

    def test_writes_a_whole_index_that_is_gone(self, version, images, encoder):
        get_vector_index().drop(live_name(version))
        assert "5 missing" in reindex("--verify")
        assert points(version).keys() == {image.pk for image in images}
        assert encoder.encoded == 5


class TestRebuild:
    def test_embeds_every_photo_again_as_a_new_version_and_switches_to_it(self, version, encoder, add_photo):
        images = [add_photo() for _ in range(3)]
        indexing.process_outbox()
        assert "all-v2: 3 points in a new index, now live" in reindex("--rebuild")
        active = Collection.objects.get(slug="all").active_version
        assert active is not None
        assert active.number == 2
        assert points(active).keys() == {image.pk for image in images}
        assert encoder.encoded == 6

    def test_keeps_the_former_version_for_a_return(self, version, add_photo):
        image = add_photo()
        indexing.process_outbox()
        reindex("--rebuild")
        assert points(version).keys() == {image.pk}

    @pytest.mark.parametrize(("former", "wanted"), [("bundled", "other.tflite"), ("mine.tflite", "mine.tflite")])
    def test_goes_over_to_the_default_encoder_where_one_of_the_project_served(
        self, version, add_photo, settings, former, wanted
    ):
        """A trained or added encoder is the collection's own and stays."""
        add_photo()
        EncoderVersion.objects.filter(pk=version.pk).update(encoder=former)
        settings.DEFAULT_ENCODER = "other.tflite"
        reindex("--rebuild")
        active = Collection.objects.get(slug="all").active_version
        assert active is not None
        assert (active.number, active.encoder) == (2, wanted)

    def test_takes_a_model_file_that_was_exchanged(self, version, encoder, add_photo):
        add_photo()
        indexing.process_outbox()
        encoder.fingerprint = "d" * 64
        reindex("--rebuild")
        active = Collection.objects.get(slug="all").active_version
        assert active is not None
        assert active.fingerprint == "d" * 64

    def test_goes_on_where_an_interrupted_one_ended(self, version, encoder, add_photo, monkeypatch):
        for _ in range(4):
            add_photo()
        indexing.process_outbox()
        monkeypatch.setattr(outbox, "PROCESSED_AT_ONCE", 2)
        encode = CountingEncoder.encode

        def interrupt(self: CountingEncoder, images: Any) -> Any:
            if self.encoded == 6:
                raise KeyboardInterrupt
            return encode(self, images)

        with monkeypatch.context() as patch, pytest.raises(CommandError, match="Interrupted") as interrupted:
            patch.setattr(CountingEncoder, "encode", interrupt)
            reindex("--rebuild")
        assert interrupted.value.returncode == 130
        assert Collection.objects.get(slug="all").active_version == version
        reindex("--rebuild")
        active = Collection.objects.get(slug="all").active_version
        assert active is not None
        assert active.number == 2
        assert len(points(active)) == 4
        assert encoder.encoded == 8

    def test_fails_where_a_photo_of_the_new_version_failed(self, version, add_photo):
        images = [add_photo() for _ in range(2)]
        indexing.process_outbox()
        default_storage.delete(images[0].file.name)
        with pytest.raises(CommandError, match="could not be embedded"):
            reindex("--rebuild")
        active = Collection.objects.get(slug="all").active_version
        assert active is not None
        assert points(active).keys() == {images[1].pk}


class TestTheExitStatus:
    @pytest.mark.parametrize("mode", [[], ["--only-missing"], ["--verify"], ["--rebuild"]])
    def test_is_not_0_when_a_photo_failed(self, version, add_photo, mode, capsys):
        good, bad = add_photo(), add_photo()
        default_storage.delete(bad.file.name)
        with pytest.raises(CommandError) as failure:
            reindex(*mode)
        assert failure.value.returncode == 1
        assert f"image {bad.pk}: the file" in capsys.readouterr().err
        active = Collection.objects.get(slug="all").active_version
        assert active is not None
        assert points(active).keys() == {good.pk}

    def test_is_not_0_when_the_storage_was_away(self, version, add_photo, monkeypatch):
        def refuse(*_: object) -> None:
            raise TimeoutError("no answer")

        add_photo()
        monkeypatch.setattr(indexing.default_storage, "open", refuse)
        with pytest.raises(CommandError):
            reindex()

    def test_is_not_0_for_a_collection_that_is_not_there(self, version):
        with pytest.raises(CommandError, match="no collection 'shoes'; there is: all"):
            reindex("--collection", "shoes")

    def test_is_not_0_for_a_collection_without_an_active_version(self, version):
        Collection.objects.create(slug="shoes", name="Shoes")

        with pytest.raises(CommandError, match=r"'shoes' has no active encoder version: manage\.py activate_encoder"):
            reindex("--collection", "shoes")

    def test_is_not_0_where_the_model_file_was_exchanged(self, version, encoder, add_photo):
        add_photo()
        encoder.fingerprint = "d" * 64
        with pytest.raises(CommandError, match="--rebuild"):
            reindex()
