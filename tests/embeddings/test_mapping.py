"""A linear map of a version's vectors: a version like any other, whose photos are not encoded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embeddings import indexing, versions
from embeddings.backends import encoder_of, get_encoder
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.encoders.mapped import MappedEncoder, mapped, write_map
from embeddings.errors import EncoderMismatch, EncoderUnavailable
from embeddings.mapping import register_mapped_version
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.registry import registry
from embeddings.stored_vectors import vector_from_bytes
from tests.drawings import KINDS, drawing
from tests.embeddings.conftest import AddPhoto

pytestmark = pytest.mark.django_db

CURVE = {"kind": {"scores": [0.2, 0.9], "probabilities": [0.05, 0.95]}}


@pytest.fixture
def base(settings: Any, tmp_path: Path) -> EncoderVersion:
    """The active version of `all`, with the bundled encoder and an empty index in memory."""
    settings.CELERY_BROKER_URL = ""
    settings.ENCODERS_ROOT = tmp_path / "encoders"
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    registry.clear()
    version = Collection.objects.select_related("active_version__collection").get(slug="all").active_version
    assert version is not None
    return version


@pytest.fixture
def scale(base: EncoderVersion) -> np.ndarray:
    return np.random.default_rng(1).uniform(0.5, 1.5, base.dim).astype(np.float32)


@pytest.fixture
def photos(base: EncoderVersion, add_photo: AddPhoto) -> list[int]:
    ids = [add_photo(content=drawing(KINDS[number % 3], number)).pk for number in range(4)]
    indexing.process_outbox()
    return ids


def vectors(version: EncoderVersion) -> dict[int, np.ndarray]:
    rows = ImageEmbedding.objects.filter(version=version)
    return {image: vector_from_bytes(vector) for image, vector in rows.values_list("image_id", "vector") if vector}


def test_its_vectors_are_those_of_the_base_mapped(base, scale, photos):
    version = register_mapped_version(base, scale, recipe={"learned_from": "clicks"}, metrics={})
    assert version.label == "all-v2"
    assert version.recipe == {"map_of": "all-v1", "learned_from": "clicks"}
    before, after = vectors(base), vectors(version)
    assert after.keys() == before.keys() == set(photos)
    for image, vector in after.items():
        assert vector == pytest.approx(mapped(before[image][None], scale)[0], abs=2e-3)


def test_it_is_activated_without_encoding_and_rolled_back(base, scale, photos, monkeypatch):
    version = register_mapped_version(base, scale, recipe={}, metrics={})
    monkeypatch.setattr(LiteRTEncoder, "encode", lambda *_: pytest.fail("a photo was encoded"))
    done = versions.activate(version, allow_worse=True)
    assert (done.points, done.failed) == (4, 0)
    assert versions.roll_back(Collection.objects.get(slug="all")) == base


def test_a_photo_gets_the_same_vector_from_its_encoder(base, scale):
    version = register_mapped_version(base, scale, recipe={}, metrics={})
    picture = Image.effect_noise((90, 90), 80).convert("RGB")
    vector = encoder_of(version).encode([picture])[0]
    assert vector == pytest.approx(mapped(get_encoder("bundled").encode([picture]), scale)[0], abs=1e-5)
    assert float(np.linalg.norm(vector)) == pytest.approx(1)


def test_a_map_of_a_map_is_one_map(base, scale, photos):
    first = register_mapped_version(base, scale, recipe={}, metrics={})
    second = register_mapped_version(first, scale, recipe={}, metrics={})
    encoder = encoder_of(second)
    assert isinstance(encoder, MappedEncoder)
    assert encoder.base_name == "bundled"
    picture = Image.effect_noise((90, 90), 80).convert("RGB")
    assert encoder.encode([picture])[0] == pytest.approx(
        mapped(get_encoder("bundled").encode([picture]), scale**2)[0], abs=1e-5
    )
    assert vectors(second)[photos[0]] == pytest.approx(mapped(vectors(base)[photos[0]][None], scale**2)[0], abs=4e-3)


def test_confidence_is_carried_over_to_the_new_scores(base, scale, add_photo):
    for number in range(12):
        add_photo(content=drawing(KINDS[number % 3], number))
    indexing.process_outbox()
    EncoderVersion.objects.filter(pk=base.pk).update(calibration=CURVE)
    base.refresh_from_db()
    version = register_mapped_version(base, scale, recipe={}, metrics={})
    assert version.calibration is not None
    assert version.calibration.keys() == {"kind"}
    assert version.calibration != CURVE


class TestFile:
    def test_of_another_model_is_refused(self, base, scale, tmp_path):
        write_map(tmp_path / "map.npz", encoder="bundled", fingerprint="0" * 64, scale=scale)
        with pytest.raises(EncoderMismatch, match="is a map for model 000000000000, but 'bundled' is now"):
            MappedEncoder(tmp_path / "map.npz", get_encoder).encode([Image.new("RGB", (90, 90))])

    def test_of_other_dimensions_is_refused(self, base, tmp_path):
        write_map(tmp_path / "map.npz", encoder="bundled", fingerprint=base.fingerprint, scale=np.ones(3, np.float32))
        with pytest.raises(EncoderUnavailable, match="maps vectors of 3 dimensions"):
            _ = MappedEncoder(tmp_path / "map.npz", get_encoder).dim

    @pytest.mark.parametrize("content", [b"", b"no map", b"PK\x03\x04"])
    def test_that_is_no_map_is_refused(self, tmp_path, content):
        (tmp_path / "map.npz").write_bytes(content)
        with pytest.raises(EncoderUnavailable, match=r"is not a map of an encoder"):
            MappedEncoder(tmp_path / "map.npz", get_encoder)
