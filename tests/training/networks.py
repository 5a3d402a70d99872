"""Networks small enough to make in a test, with random weights that are the same each time."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def keras_network(size: int | None = 32, *, channels: int = 3, features: int = 12, seed: int = 0) -> keras.Model:
    """Two convolutions, the first normalised: float32 [B, size, size, channels] -> float32 [B, features]."""
    inputs = keras.Input((size, size, channels))
    x = layers.Conv2D(8, 3, 2, kernel_initializer=keras.initializers.HeNormal(seed), name="first")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="statistics")(x))
    x = layers.Conv2D(features, 3, 2, kernel_initializer=keras.initializers.HeNormal(seed + 1), name="last")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.LeakyReLU()(x)))


def hub_model(
    folder: Path, size: int | None = 32, *, channels: int = 3, features: int = 12, pooled: bool = True, seed: int = 0
) -> Path:
    """A SavedModel in the form of TF Hub's image feature vectors; not pooled, it answers with a map of features."""
    random = np.random.default_rng(seed)
    module = tf.Module()
    module.kernel = tf.Variable(random.normal(size=(3, 3, channels, 8)).astype(np.float32))
    module.bias = tf.Variable(random.normal(size=8).astype(np.float32))
    module.last = tf.Variable(random.normal(size=(3, 3, 8, features)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, size, size, channels], tf.float32)])  # type: ignore[untyped-decorator]
    def call(images: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(images, module.kernel, 2, "SAME") + module.bias)
        x = tf.nn.leaky_relu(tf.nn.conv2d(x, module.last, 2, "SAME"))
        return tf.reduce_mean(x, [1, 2]) if pooled else x

    module.__call__ = call
    tf.saved_model.save(module, str(folder), signatures=call.get_concrete_function())
    return folder


def archived(folder: Path) -> bytes:
    """A folder's files as TF Hub packs them: .tar.gz, paths from the folder on."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    return file.getvalue()
