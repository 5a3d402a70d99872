"""Adapting an encoder version to the photos of its catalogue."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog.models import ProductImage
from embeddings import adaptation, indexing, versions
from embeddings.adaptation import turn_of
from embeddings.backends import encoder_of
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.registry import registry
from embeddings.stored_vectors import vector_from_bytes
from pictures.photos import open_rgb
from tests.drawings import KINDS, drawing
from tests.embeddings.conftest import AddPhoto
from tests.factories import ProductFactory


def test_what_differs_between_photos_of_one_thing_counts_less() -> None:
    random = np.random.default_rng(4)
    vectors = np.repeat(random.normal(size=(60, 6)), 2, axis=0)
    vectors[:, 0] += 6 * random.normal(size=120)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def found(rows: np.ndarray) -> float:
        cosines = rows @ rows.T
        np.fill_diagonal(cosines, -1)
        return float((cosines.argmax(axis=1) // 2 == np.arange(120) // 2).mean())

    turn = turn_of(vectors, vectors[::2] - vectors[1::2], shrinkage=0.1, power=0.0)
    assert np.linalg.norm(turn(vectors), axis=1) == pytest.approx(np.ones(120), abs=1e-5)
    assert found(turn(vectors)) > found(vectors) + 0.3


@pytest.fixture
def base(db: None, settings: Any, tmp_path: Any) -> EncoderVersion:
    """The active version of `all`, with the bundled encoder and an empty index in memory."""
    settings.CELERY_BROKER_URL = ""
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    registry.clear()
    version = Collection.objects.select_related("active_version__collection").get(slug="all").active_version
    assert version is not None
    return version


def adapted() -> str:
    out = io.StringIO()
    call_command("adapt", stdout=out)
    return out.getvalue()


@pytest.mark.any_database
def test_an_adapted_version_goes_live_like_any_other(
    base: EncoderVersion, add_photo: AddPhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "MIN_PHOTOS", 12)
    for number in range(8):
        product = ProductFactory.create()
        for view in range(2):
            add_photo(product, content=drawing(KINDS[number % 3], 2 * number + view))
    indexing.process_outbox()

    said = adapted()

    assert "all-v2: learned from 16 photos, 8 products with several and two views of 16" in said
    assert "photos kept aside" in said
    version = versions.find_version("all-v2")
    assert version.recipe["adapted"] == "all-v1"
    row = ImageEmbedding.objects.filter(version=version).first()
    assert row is not None and row.vector is not None
    with ProductImage.objects.get(pk=row.image_id).file.open() as file:
        photo = open_rgb(file.read(), min_side=encoder_of(version).input_size)
    assert encoder_of(version).encode([photo])[0] == pytest.approx(vector_from_bytes(row.vector), abs=5e-3)
    assert versions.activate(version, allow_worse=True).points == 16

    with pytest.raises(CommandError, match=r"all-v2 is a map of an encoder itself: .*: --encoder names it"):
        adapted()


@pytest.mark.any_database
def test_one_that_finds_no_more_is_not_recommended(
    base: EncoderVersion, add_photo: AddPhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "MIN_PHOTOS", 12)
    for number in range(12):
        add_photo(content=drawing(KINDS[number % 3], number))
    indexing.process_outbox()

    said = adapted()

    assert "It finds no more than all-v1, so there is no reason to activate it." in said
    assert "activate_encoder" not in said


def test_a_small_catalogue_says_why_it_is_not_adapted(base: EncoderVersion, add_photo: AddPhoto) -> None:
    add_photo()
    indexing.process_outbox()
    with pytest.raises(CommandError, match="1 photos are embedded by all-v1; an adaptation needs 100"):
        adapted()
