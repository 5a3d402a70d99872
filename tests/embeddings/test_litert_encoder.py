"""The LiteRT encoder: unit vectors, the same ones whatever the threads, and a clear word where the file is no encoder."""

from __future__ import annotations

import base64
import hashlib
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embeddings.backends import BUNDLED, BUNDLED_ENCODERS, BUNDLED_FAST, get_encoder
from embeddings.checks import (
    check_copies,
    check_encoder,
    check_encoder_model,
    check_index_for_deployment,
    check_index_key_is_encrypted,
)
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.errors import EncoderUnavailable, InvalidVector

# A sound model that maps float32 [1, 4] to its double.
NO_ENCODER = (
    "eNptUj9Lw3AQfUljLRhqqVE6dOjgHG2tizhYa4VC/0ANTkIVmiFgUqipWHB08CMUP4GjguDS0cHZUfwsxrtfrqEUrzzyy0ve3XuXFgE4p609Cy"
    "UUUYCFHEziMjDoDOJihIRDDWgRpjqQQlx0RJVgEH6iKFqR8wah3u2cN3pnzW6n3244tZOaU6O+puqdkffm7/pe0B+Ng9Dz3f6tO7rxhgHSxH8Q"
    "ZoRnwlR8sCagWXy9JOTESwbZpDdz24pNKy4tOi4zyWmorAfO5+v9e3CckjyGUgEVu1K2d4FvmcU9y/Y+U0lxZ+OfOTLr6OU3it4I63TTbjV7pf"
    "owoHyhO7BBq1Q7BvmeO+IeWeF57xeScSA9/SsvYMWi1lLeTKyJVvaxacq5Sv41yaaLb02gy5WL8z+yaZn1RDp+nJM+/LxAeCCed9wcuPTBwgkW"
    "+rDua0mni9eZ/D/88fXOJNnglsoOSR/XKrGxTUu087yG+sX3d0tzNZlnql3EX4d3kI975f8AXVlTMQ=="
)
# A model of an encoder's shape, float32 [1, 8, 8, 3] -> [1, 3], that answers zeros whatever it sees.
ZEROS = (
    "eNp1Uz1Lw1AUvbFRi4ZaatSCgh0cBKXVKs7WLyhYC7WIk63YgAEboU1F/4eCg4ODg39CcXByVnBw8Bc4uWo89+UmrUVfc+jLffec+/UyQUTljc"
    "0Fk1I0QUkyKU4GbFHSsSfYfLjArkZ0CFxGiPCo1QMsAjrw5nlev+yHgdXi1s56aTtf3KoU1su5tVw5B11DaUdx3tfhW7edSqPluHbdqpxYjaZ9"
    "7Cifd+AVeABugCvgXPJh7h5i8n8ViEtOUYqFMdg2pax9yhbE5GWE9eqq5vvJx8m7i5eZiNSlS47ZdHY+PUf0JLFYcz69xKZwXX953g3wIT56eP"
    "I7Luekif4z/F+BIewLm/lSavXYQe2uVUsrH1PxY2GWrBMTO8/kWnpyK9r1fdsJZrL7B3+wg481Epc9x6p+e54mOswPesB8U9Xc5kufxw3ZXwm3"
    "zfE1Az1NbL1ASvNneQosy/kAesZucdFjvyTwCV3uV75m4WK4Z0FtQayVLp4u9czKDArWvtPNOeniRIRThZ3j1ltHmbNwdqPqmxiT7vurH1a/RF"
    "O4UnMP37Nb6IxK7EzDqrUOXFzliu3U7AOr2Z49ayfDzv6vHdwDXf3899OOvkYFQe9TcvaJPBK+VsJQsyN1wjOb9u3TP1Mvf+o="
)


def model(path: Path, packed: str) -> Path:
    """The packed model as a file."""
    path.write_bytes(zlib.decompress(base64.b64decode(packed)))
    return path


@pytest.fixture(scope="module", params=list(BUNDLED_ENCODERS.values()), ids=list(BUNDLED_ENCODERS))
def bundled(request: Any) -> LiteRTEncoder:
    return LiteRTEncoder(request.param, threads=3)


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Coloured noise of all kinds of sizes, landscape and portrait."""
    random = np.random.default_rng(7)
    sizes = [(1, 1), (7, 200), (160, 160), (333, 90), (64, 64), (500, 400), (90, 91)]
    return [Image.fromarray(random.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in sizes]


def test_embeddings_have_length_one(bundled, photos):
    embeddings = bundled.encode(photos)
    assert embeddings.shape == (len(photos), bundled.dim)
    assert embeddings.dtype == np.float32
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(len(photos)), abs=1e-5)


def test_no_photo_gives_no_embedding(bundled):
    assert bundled.encode([]).shape == (0, bundled.dim)


def test_one_by_one_and_together_are_the_same(bundled, photos):
    together = bundled.encode(photos)
    one_by_one = np.concatenate([bundled.encode([photo]) for photo in photos])
    assert np.array_equal(together, one_by_one)


def test_many_threads_at_once_are_the_same(bundled, photos):
    expected = bundled.encode(photos)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: bundled.encode(photos), range(8)))
    assert all(np.array_equal(answer, expected) for answer in answers)


def test_another_photo_has_another_embedding(bundled, photos):
    embeddings = bundled.encode(photos)
    assert len({embedding.tobytes() for embedding in embeddings}) == len(photos)


def test_photos_are_left_as_they_were(bundled, photos):
    before = [photo.tobytes() for photo in photos]
    bundled.encode(photos)
    assert [photo.tobytes() for photo in photos] == before


@pytest.mark.parametrize(("name", "path"), BUNDLED_ENCODERS.items())
def test_the_fingerprint_is_that_of_the_file_and_of_the_model_card(name, path):
    fingerprint = get_encoder(name).fingerprint
    assert fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"`{fingerprint}`" in (path.parent / "MODEL_CARD.md").read_text()


def test_the_bundled_models_are_as_small_as_promised():
    assert BUNDLED.stat().st_size <= 6_000_000
    assert BUNDLED_FAST.stat().st_size <= 2_000_000


def test_the_same_name_gives_the_same_encoder():
    assert get_encoder("bundled") is get_encoder("bundled")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EncoderUnavailable, match=r"no file .*/nowhere\.tflite"):
        get_encoder(str(tmp_path / "nowhere.tflite"))


@pytest.mark.parametrize("size", [0, 10, 1000, 1_000_000])
def test_a_damaged_file_is_said(tmp_path, photos, size):
    path = tmp_path / "half.tflite"
    path.write_bytes(BUNDLED.read_bytes()[:size])
    with pytest.raises(EncoderUnavailable, match=r"half\.tflite is not a LiteRT model"):
        LiteRTEncoder(path).encode(photos)


def test_a_model_that_is_no_encoder_is_said_with_what_one_is(tmp_path, photos):
    encoder = LiteRTEncoder(model(tmp_path / "double.tflite", NO_ENCODER))
    with pytest.raises(EncoderUnavailable, match=r"maps \[1, 4\] to \[1, 4\]; an encoder maps float32 \[1, s, s, 3\]"):
        encoder.encode(photos)


def test_an_embedding_without_direction_is_refused(tmp_path, photos):
    encoder = LiteRTEncoder(model(tmp_path / "zeros.tflite", ZEROS))
    assert (encoder.input_size, encoder.dim) == (8, 3)
    with pytest.raises(InvalidVector, match="without a direction"):
        encoder.encode(photos)


class TestSystemChecks:
    def test_have_no_objection_to_the_bundled_model(self, settings: Any):
        settings.DEFAULT_ENCODER = "bundled"
        assert check_encoder() == check_encoder_model() == []

    @pytest.mark.parametrize("kind", ["missing", "damaged", "no encoder"])
    def test_name_a_model_that_cannot_serve(self, settings: Any, tmp_path: Path, kind: str):
        path = tmp_path / f"{kind}.tflite"  # an encoder is kept by its path, and folders of tests come again
        if kind == "damaged":
            path.write_bytes(BUNDLED.read_bytes()[:1000])
        if kind == "no encoder":
            model(path, NO_ENCODER)
        settings.DEFAULT_ENCODER = str(path)
        (error,) = check_encoder_model()
        # Every command looks for the file, and none but `check --deploy` loads the model.
        assert check_encoder() == ([error] if kind == "missing" else [])
        assert error.id == "embeddings.E001"
        assert str(path) in error.msg

    @pytest.mark.parametrize(
        ("backend", "broker", "warned"),
        [
            ("EdgeVectorIndex", "redis://", True),
            ("EdgeVectorIndex", "", False),
            ("FaissVectorIndex", "redis://", True),
            ("QdrantVectorIndex", "redis://", False),
        ],
    )
    def test_warn_of_workers_beside_an_index_of_one_process(
        self, settings: Any, backend: str, broker: str, warned: bool
    ):
        settings.VECTOR_INDEX = {"BACKEND": f"somewhere.{backend}"}
        settings.CELERY_BROKER_URL = broker
        assert [warning.id for warning in check_index_for_deployment()] == ["embeddings.W001"] * warned

    @pytest.mark.parametrize(
        ("options", "warned"),
        [
            ({"replication_factor": 2}, []),
            ({"replication_factor": 2, "read_consistency": 1, "write_consistency_factor": 1}, []),
            ({"replication_factor": 3, "read_consistency": "quorum"}, []),
            ({"replication_factor": 3, "read_consistency": "majority"}, ["embeddings.W003"]),
            ({"replication_factor": 2, "read_consistency": "majority"}, ["embeddings.W003"]),
            ({"replication_factor": 2, "read_consistency": 2}, ["embeddings.W003"]),
            ({"replication_factor": 3, "read_consistency": "all"}, ["embeddings.W003"]),
            ({"replication_factor": 2, "write_consistency_factor": 2}, ["embeddings.W004"]),
            ({"read_consistency": "all"}, []),
        ],
    )
    def test_warn_of_copies_that_all_have_to_be_there(self, settings: Any, options: dict[str, Any], warned: list[str]):
        settings.VECTOR_INDEX = {"BACKEND": "somewhere", "OPTIONS": options}
        assert [warning.id for warning in check_copies()] == warned

    @pytest.mark.parametrize(
        ("url", "key", "warned"),
        [
            ("http://10.1.2.3:6333, http://8.8.8.8:6333", "secret", True),
            ("http://qdrant.shop.example:6333", "secret", True),
            ("http://8.8.8.8:6333", "secret", True),
            ("https://qdrant.shop.example:6333", "secret", False),
            ("http://qdrant.shop.example:6333", None, False),
            ("http://127.0.0.1:6333", "secret", False),
            ("http://10.1.2.3:6333", "secret", False),
            ("http://[fd00::1]:6333", "secret", False),
            ("http://qdrant:6333", "secret", False),
            ("http://qdrant.lookalike.svc.cluster.local:6333", "secret", False),
        ],
    )
    def test_warn_of_a_key_that_can_be_read_on_its_way(self, settings: Any, url: str, key: str | None, warned: bool):
        settings.VECTOR_INDEX = {"BACKEND": "somewhere", "OPTIONS": {"url": url, "api_key": key}}
        assert [warning.id for warning in check_index_key_is_encrypted()] == ["embeddings.W002"] * warned
