"""Turns a trained network into the LiteRT file that serving runs."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Forward = Callable[[Any], Any]

# What stands between the pooled features and the layers of a head. In 8 bits a square root or a length loses the differences
# between products (clothing mAP 0.82 fell to 0.64 with all of it quantised).
_KEPT_FLOAT = [
    "ABS", "DIV", "GELU", "L2_NORMALIZATION", "LOGISTIC", "MAXIMUM", "MEAN", "MUL", "RSQRT", "SIGN", "SQRT", "SQUARE",
    "STRIDED_SLICE", "SUB", "SUM",
]  # fmt: skip


def to_litert(network: keras.Model, *, half_precision_weights: bool = False) -> bytes:
    """A network as LiteRT: float32 [1, size, size, 3] in [0, 1] -> float32 [1, dim]; see `export_litert`."""

    def forward(images: Any) -> Any:
        return network(images, training=False)

    variables = [variable.value for variable in network.variables]
    return export_litert(forward, int(network.input_shape[1]), variables, half_precision_weights=half_precision_weights)


def export_litert(
    forward: Forward,
    input_size: int,
    variables: Sequence[Any],
    *,
    half_precision_weights: bool = False,
    photos: Iterable[NDArray[np.float32]] | None = None,
) -> bytes:
    """A LiteRT model for one photo at a time.

    Args:
        forward: float32 [1, s, s, 3] in [0, 1] -> float32 [1, dim].
        input_size: s, in pixels.
        variables: all that `forward` reads.
        half_precision_weights: stores weights as float16: half the file, the same speed (XNNPACK widens them when it loads).
        photos: float32 [1, s, s, 3] each, some hundreds; with them, weights and activations become int8, input and output stay
            float32 (Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
            CVPR 2018).

    Returns:
        Content of a `.tflite` file.
    """
    # The converter freezes the variables it finds on this object; it finds none on a Keras 3 model, and would write zeros.
    holder = tf.Module()
    holder.weights = list(variables)
    function = serving_function(forward, input_size, batch=1).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    if photos is not None:
        return _int8(converter, list(photos))
    if half_precision_weights:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _int8(converter: Any, photos: Sequence[NDArray[np.float32]]) -> bytes:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([photo] for photo in photos)
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=_KEPT_FLOAT)
    with warnings.catch_warnings():
        # It runs the model by TensorFlow's own interpreter, which warns of its deprecation.
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf\.lite\.Interpreter is deprecated")
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=lambda: ([photo] for photo in photos[:1]), debug_options=options
        )
        return bytes(debugger.get_nondebug_quantized_model())


def export_saved_model(
    forward: Forward, input_size: int, variables: Sequence[Any], folder: Path, *, beside: Any = None
) -> None:
    """A SavedModel in the form of TF Hub's image feature vectors: float32 [B, s, s, 3] in [0, 1] -> float32 [B, dim].

    beside: an object that `forward` reads other than variables from, such as tables.
    """
    module = tf.Module()
    module.weights = list(variables)
    module.beside = beside
    module.__call__ = serving_function(forward, input_size, batch=None)
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())


def serving_function(forward: Forward, input_size: int, *, batch: int | None) -> Any:
    """`forward` as a graph of fixed shape (batch None: any number of photos)."""

    @tf.function(input_signature=[tf.TensorSpec([batch, input_size, input_size, 3], tf.float32, name="images")])  # type: ignore[untyped-decorator]
    def serve(images: Any) -> Any:
        return forward(images)

    return serve


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
