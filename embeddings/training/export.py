"""Turns a trained network into the LiteRT file that serving runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


def to_litert(network: keras.Model, *, half_precision_weights: bool = False) -> bytes:
    """A LiteRT model for one photo at a time: float32 [1, size, size, 3] in [0, 1] -> float32 [1, dim].

    half_precision_weights stores weights as float16: half the file, the same speed (XNNPACK widens them when it loads).
    """
    size = int(network.input_shape[1])

    @tf.function(input_signature=[tf.TensorSpec([1, size, size, 3], tf.float32, name="images")])  # type: ignore[untyped-decorator]
    def serve(images: Any) -> Any:
        return network(images, training=False)

    # The converter freezes the variables it finds on this object; it finds none on a Keras 3 model, and would write zeros.
    holder = tf.Module()
    holder.weights = [variable.value for variable in network.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], holder)
    if half_precision_weights:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def write_atomically(path: Path, content: bytes) -> None:
    """Write the whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
