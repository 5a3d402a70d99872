"""Encoder versions: put into use with no gap, refused where they are worse, rolled back in a moment, retired."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog.models import ProductImage
from catalog.services import remove_images, save_product
from embeddings import generations, indexing, versions
from embeddings.backends import BUNDLED, Backends, get_encoder, get_vector_index
from embeddings.errors import (
    BuildOvertaken,
    CollectionNotFound,
    EncoderMismatch,
    NothingToRollBackTo,
    UnknownCollection,
    WorseEncoder,
)
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from product_files.product_data import ProductData
from tests.embeddings.conftest import CountingEncoder, points, states
from tests.factories import ProductFactory, ProductImageFactory, jpeg

State = ImageEmbedding.State


class BlindEncoder(CountingEncoder):
    """Its vectors are random: similar photos are not closer than others."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = "b" * 64

    def encode(self, images: Any) -> Any:
        self.encoded += len(images)
        vectors = np.array(
            [np.random.default_rng(np.asarray(image).sum()).normal(size=3) for image in images], dtype=np.float32
        )
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def nobody_else_asks(monkeypatch):
    monkeypatch.setattr(generations, "LIVE_COLLECTION_TTL_S", 0)


@pytest.fixture
def other(version, encoder, monkeypatch) -> CountingEncoder:
    """The model behind every encoder whose name is not that of the first version."""
    another = BlindEncoder()
    monkeypatch.setattr(Backends, "encoder", lambda _, name=None: encoder if name == "counting" else another)
    return another


def second(version: EncoderVersion, encoder: CountingEncoder, name: str = "second") -> EncoderVersion:
    return EncoderVersion.objects.create(
        collection=version.collection, number=version.number + 1, encoder=name, fingerprint=encoder.fingerprint, dim=3
    )


def fresh(version: EncoderVersion) -> EncoderVersion:
    return EncoderVersion.objects.select_related("collection").get(pk=version.pk)


def active() -> EncoderVersion:
    collection = Collection.objects.select_related("active_version__collection").get(slug="all")
    assert collection.active_version is not None
    return collection.active_version


def test_an_activated_version_answers_and_the_former_one_is_kept(version, other, shop):
    new = second(version, other)
    done = versions.activate(new, allow_worse=True)
    assert active() == new
    assert set(points(new)) == set(shop)
    assert done.points == len(shop)
    assert Collection.objects.get(slug="all").previous_version == version
    assert get_vector_index().exists(version.index_collection().name)


def test_a_version_that_is_worse_is_refused_and_the_live_one_goes_on(version, other, shop):
    new = second(version, other)
    with pytest.raises(WorseEncoder, match=r"mAP 0\.\d+ against 1\.0000"):
        versions.activate(new)
    assert active() == version
    assert not get_vector_index().exists(new.index_collection().name)
    # Nobody notes the catalogue's changes for it any more.
    new.refresh_from_db()
    assert new.rebuild_started_at is None


def test_a_version_that_is_as_good_is_activated(version, encoder, other, shop):
    new = second(version, encoder, "counting")
    done = versions.activate(new)
    assert done.comparison is not None
    assert not done.comparison.worse
    assert active() == new


def test_what_nothing_can_be_compared_by_is_activated_and_said_so(version, other, add_photo):
    add_photo()
    indexing.process_outbox()
    done = versions.activate(second(version, other))
    assert done.comparison is None
    assert "two products" in done.comparison_error


def test_a_roll_back_encodes_nothing_and_answers_at_once(version, encoder, other, shop):
    versions.activate(second(version, other), allow_worse=True)
    encoded = encoder.encoded
    assert versions.roll_back(version.collection) == version
    assert active() == version
    assert set(points(version)) == set(shop)
    assert encoder.encoded == encoded


def test_rolled_back_twice_is_where_it_was(version, other, shop):
    new = second(version, other)
    versions.activate(new, allow_worse=True)
    versions.roll_back(version.collection)
    versions.roll_back(version.collection)
    assert active() == new


def test_what_changed_meanwhile_is_caught_up_with_after_a_roll_back(version, other, shop, add_photo):
    versions.activate(second(version, other), allow_worse=True)
    added, product = add_photo(), ProductFactory.create()
    remove_images([shop[0]])
    indexing.process_outbox()
    save_product(ProductData(sku=product.sku, title="Renamed"))
    versions.roll_back(version.collection)
    indexing.process_outbox()
    assert set(points(version)) == {*shop[1:], added.pk}


def test_a_roll_back_finds_the_former_index_whole_while_it_is_built_anew(version, other, shop):
    versions.activate(second(version, other), allow_worse=True)
    former = fresh(version).index_collection().name
    found: list[set[int]] = []

    def roll_back(stage: str, done: int, total: int) -> None:
        if stage == "indexing" and done == total and not found:
            assert versions.roll_back(version.collection) == version
            assert active().index_collection().name == former
            found.append(set(points(version)))

    versions.activate(fresh(version), allow_worse=True, on_progress=roll_back)
    assert found == [set(shop)]
    assert active() == version
    assert active().index_collection().name != former
    assert set(points(version)) == set(shop)


def test_a_roll_back_while_photos_are_embedded_leaves_the_live_index_alone(version, other, shop):
    versions.activate(second(version, other), allow_worse=True)
    again = fresh(version)
    assert again.collection.active_version_id != version.pk
    versions.roll_back(version.collection)
    live = active().index_collection().name
    sizes: list[int] = []
    generations.build_generation(again, on_progress=lambda *_: sizes.append(get_vector_index().count(live)))
    assert set(sizes) == {len(shop)}
    assert active().index_generation == 2


def test_a_reindex_does_not_undo_a_roll_back_that_was_made_meanwhile(version, other, shop):
    new = second(version, other)
    versions.activate(new, allow_worse=True)
    rolled_back: list[EncoderVersion] = []

    def roll_back(stage: str, done: int, total: int) -> None:
        if stage == "indexing" and done == total:
            rolled_back.append(versions.roll_back(version.collection))

    generations.build_generation(fresh(new), on_progress=roll_back)
    assert rolled_back == [version]
    assert active() == version
    assert Collection.objects.get(slug="all").previous_version == new
    assert set(points(new)) == set(shop)


def test_of_two_that_build_the_same_index_the_later_one_goes_on(version, other, shop):
    new = second(version, other)
    name = new.index_collection().name

    def begin_again(stage: str, done: int, total: int) -> None:
        if stage == "indexing" and done == total:
            # As another process does it.
            generations.begin_build(EncoderVersion.objects.get(pk=new.pk))

    with pytest.raises(BuildOvertaken, match="all-v2"):
        versions.activate(fresh(new), allow_worse=True, on_progress=begin_again)
    assert active() == version
    assert get_vector_index().exists(name)
    assert EncoderVersion.objects.get(pk=new.pk).rebuilding


def test_a_build_whose_index_another_one_took_says_that_it_was_overtaken(version, other, shop):
    new = second(version, other)

    def take_over(stage: str, done: int, total: int) -> None:
        if stage != "indexing":
            return
        # As another process does it.
        generations.begin_build(EncoderVersion.objects.get(pk=new.pk))
        get_vector_index().drop(new.index_collection().name)
        raise CollectionNotFound("index the photos first")

    with pytest.raises(BuildOvertaken, match="another process has begun to rebuild the index of all-v2"):
        generations.build_generation(fresh(new), on_progress=take_over)
    assert EncoderVersion.objects.get(pk=new.pk).rebuilding


def test_a_renewal_after_a_roll_back_embeds_everything_anew(version, encoder, shop):
    newest = versions.version_to_rebuild(version.collection, "counting")
    versions.activate(newest)
    versions.roll_back(version.collection)
    assert versions.version_to_rebuild(Collection.objects.get(slug="all"), "counting").number == newest.number + 1


def test_photos_whose_transaction_had_begun_before_are_embedded_too(version, other, shop):
    late: list[ProductImage] = []

    def commit(stage: str, done: int, total: int) -> None:
        if stage == "indexing" and not late:
            # Nothing is noted: for the transaction that added it, only the live version was there.
            late.append(ProductImageFactory.create(content=jpeg((1, 2, 3))))

    new = second(version, other)
    versions.activate(new, allow_worse=True, on_progress=commit)
    assert states(new)[late[0].pk] == State.PENDING


def test_a_photo_that_came_back_with_new_content_is_embedded_again(version, other, shop):
    new = second(version, other)
    with pytest.raises(WorseEncoder):
        versions.activate(new)
    # Out of the collection and back, and changed meanwhile; nobody notes it for a version that was refused.
    ImageEmbedding.objects.filter(version=new, image_id=shop[0]).update(state=State.REMOVED)
    ProductImage.objects.filter(pk=shop[0]).update(sha256="f" * 64)
    encoded = other.encoded
    versions.activate(new, allow_worse=True)
    assert other.encoded == encoded + 1
    assert ImageEmbedding.objects.get(version=new, image_id=shop[0]).content_hash == "f" * 64


def test_a_version_that_is_being_activated_is_not_retired_by_another(version, other, shop):
    new = second(version, other)
    with pytest.raises(WorseEncoder):
        versions.activate(new)
    generations.begin_build(new)
    generations.retire(new)
    assert ImageEmbedding.objects.filter(version=new).count() == len(shop)
    generations.abandon_build(new)
    generations.retire(new)
    assert not ImageEmbedding.objects.filter(version=new).exists()


def test_an_index_that_was_dropped_never_gives_its_name_to_another(version, other, shop):
    new = second(version, other)
    versions.activate(new, allow_worse=True)
    versions.activate(second(new, other, "third"), allow_worse=True)
    former = version.index_collection().name
    versions.activate(fresh(version), allow_worse=True)
    assert active().index_collection().name != former


def test_a_version_whose_model_was_exchanged_is_not_activated(version, other, shop):
    new = second(version, other)
    versions.activate(new, allow_worse=True)
    versions.roll_back(version.collection)
    other.fingerprint = "e" * 64
    # Though there is nothing left to embed by it.
    with pytest.raises(EncoderMismatch):
        versions.activate(fresh(new), allow_worse=True)
    assert active() == version


def test_there_is_nothing_to_roll_back_to_at_first(version):
    with pytest.raises(NothingToRollBackTo, match="no previous version"):
        versions.roll_back(version.collection)


def test_the_version_before_the_previous_one_is_retired(version, other, shop):
    new = second(version, other)
    versions.activate(new, allow_worse=True)
    newest = second(new, other, "third")
    versions.activate(newest, allow_worse=True)
    assert not get_vector_index().exists(version.index_collection().name)
    assert not ImageEmbedding.objects.filter(version=version).exists()
    assert Collection.objects.get(slug="all").previous_version == new
    # It can be activated again.
    versions.activate(version, allow_worse=True)
    assert set(points(version)) == set(shop)


def test_a_worse_version_is_refused_with_the_option_that_activates_it_on_the_command_line_alone(version, other, shop):
    new = second(version, other)
    with pytest.raises(WorseEncoder) as refused:
        versions.activate(new)
    assert "--" not in str(refused.value)
    with pytest.raises(CommandError, match="it is not activated: --allow-worse activates it all the same"):
        call_command("activate_encoder", new.label)


def test_the_command_prints_the_comparison(version, encoder, other, shop):
    out = io.StringIO()
    call_command("activate_encoder", second(version, encoder, "counting").label, stdout=out)
    assert "mAP 1.0000, was 1.0000" in out.getvalue()
    assert "all-v2 is active, with 8 points" in out.getvalue()
    call_command("rollback_encoder", stdout=out)
    assert "all-v1 is active again" in out.getvalue()


@pytest.mark.parametrize("label", ["nothing-v1", "all-v9", "all", ""])
def test_a_label_that_is_none_is_answered_with_those_there_are(version, label):
    with pytest.raises(UnknownCollection, match="all-v1"):
        versions.find_version(label)


@pytest.mark.django_db
def test_an_encoder_that_is_registered_twice_has_files_of_its_own_each_time(settings, tmp_path):
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    out = io.StringIO()
    call_command("add_encoder", str(BUNDLED), "--collection", "fashion", stdout=out)
    call_command("add_encoder", str(BUNDLED), "--collection", "fashion", stdout=out)
    first, again = EncoderVersion.objects.filter(collection__slug="fashion").order_by("number")
    assert first.dim == get_encoder("bundled").dim
    assert first.fingerprint == again.fingerprint
    for version in (first, again):
        assert (settings.ENCODERS_ROOT / version.encoder).read_bytes() == BUNDLED.read_bytes()
    assert {path.name for path in settings.ENCODERS_ROOT.iterdir()} == {first.files, again.files}
    assert first.files != again.files


@pytest.mark.django_db
def test_a_file_that_is_no_encoder_leaves_nothing_behind(settings, tmp_path):
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    (tmp_path / "model.tflite").write_bytes(b"not a model")
    with pytest.raises(CommandError, match="not a LiteRT model"):
        call_command("add_encoder", str(tmp_path / "model.tflite"))
    assert not list(Path(settings.ENCODERS_ROOT).iterdir())
    assert EncoderVersion.objects.filter(collection__slug="all").count() == 1


def test_what_a_killed_training_left_long_ago_is_removed(settings, tmp_path):
    settings.ENCODERS_ROOT = tmp_path
    killed, under_way = versions.create_staging_folder(), versions.create_staging_folder()
    os.utime(killed, (0, 0))
    made = versions.create_staging_folder()
    assert set(tmp_path.iterdir()) == {under_way, made}
