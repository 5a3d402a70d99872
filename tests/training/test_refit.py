"""The refitted last layers of a bundled encoder: they look at the product, and at what separates classes."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="TensorFlow is not installed: make setup")

from training.refit import Folder, linear_layer  # noqa: E402
from training.student import Pooling, foreground_features, pooled  # noqa: E402

pytestmark = [
    pytest.mark.tensorflow,
    # TensorFlow's arrays are older than NumPy's keyword `copy`.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_a_product_is_recognised_on_another_background():
    """A product in the middle of three backgrounds, as maps of features: 5 of 9 cells wide."""
    random = np.random.default_rng(0)
    kinds = random.uniform(0, 1, (6, 64)) ** 4
    maps = np.stack([np.broadcast_to(background, (9, 9, 64)) for background in kinds[:3]]).copy()
    maps = np.concatenate([maps, maps])
    for number in range(6):
        maps[number, 2:7, 2:7] = kinds[3 + number // 3]
    maps += random.uniform(0, 0.05, maps.shape)
    inputs = keras.Input(maps.shape[1:])
    found = keras.Model(inputs, foreground_features(inputs))(maps.astype(np.float32)).numpy()
    plain = unit(maps.mean(axis=(1, 2)))

    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-4)
    for features, recognised in ((found, True), (plain, False)):
        similar = features @ features.T - 2 * np.eye(6)
        assert all((row // 3 == best // 3) is recognised for row, best in enumerate(similar.argmax(axis=1).tolist()))


def test_what_most_photos_show_loudly_does_not_hide_what_they_show_quietly():
    """Photos of three kinds, two each, and a light that is bright in one photo of each kind and dim in the other."""
    kinds = np.zeros((6, 64), np.float32)
    for number in range(6):
        kinds[number, 20 * (number // 2) : 20 * (number // 2) + 20] = 1
    kinds[::2, 60:] = 30
    kinds[1::2, 60:] = 6
    maps = np.broadcast_to(kinds[:, None, None], (6, 3, 3, 64))

    def kind_found(pooling: Pooling) -> list[bool]:
        inputs = keras.Input(maps.shape[1:])
        features = unit(keras.Model(inputs, pooled(inputs, pooling))(maps).numpy())
        similar = features @ features.T - 2 * np.eye(6)
        return [row // 2 == best // 2 for row, best in enumerate(similar.argmax(axis=1).tolist())]

    assert all(kind_found(Pooling.ROOTS))
    assert not all(kind_found(Pooling.MEAN))


def test_what_differs_within_classes_counts_for_less_the_less_it_is_shrunk():
    random = np.random.default_rng(1)
    classes = np.arange(600) % 3
    features = np.column_stack([classes == number for number in range(3)]) + random.normal(0, 0.1, (600, 3))
    lighting = random.normal(0, 2, (600, 1))
    folder = Folder(np.hstack([features, lighting]).astype(np.float32), classes)

    def share_of_own_class(shrinkage: float) -> float:
        kernel, bias = linear_layer([folder], 4, shrinkage)
        vectors = unit(folder.features @ kernel + bias)
        assert vectors.mean(axis=0) == pytest.approx(0, abs=0.1)
        nearest = np.argsort(-(vectors @ vectors.T), axis=1)[:, :100]
        return float(np.mean(classes[nearest] == classes[:, None]))

    assert share_of_own_class(0.01) > 0.99
    assert share_of_own_class(1000) < 0.9


def test_each_folder_counts_the_same_whatever_its_photos():
    """The photos of one folder differ within a class in the first direction, those of the other in the second."""
    random = np.random.default_rng(2)

    def folder(count: int, direction: int) -> Folder:
        features = random.normal(0, 0.1, (count, 2))
        features[:, direction] *= 10
        return Folder(features.astype(np.float32), np.zeros(count, np.int64))

    kernel, _ = linear_layer([folder(4000, 0), folder(100, 1)], 2, 0.0)
    lengths = np.linalg.norm(kernel, axis=1)
    assert 0.7 < lengths[0] / lengths[1] < 1.4
