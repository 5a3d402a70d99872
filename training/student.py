"""The bundled encoder's network: a MobileNetV2 whose hidden channels are pruned before it is distilled.

Starting a student from the teacher's most useful channels reaches in minutes what random weights need days for
(prune-and-distil: Muralidharan et al., "Compact Language Models via Pruning and Knowledge Distillation", NeurIPS 2024;
the channel score follows Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", ICLR 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

# Expansion, output channels, repeats and stride of each stage (Sandler et al., "MobileNetV2", CVPR 2018, table 2).
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM_CHANNELS = 32
CONVOLUTIONS = 52
# Of the logistic function that weights a cell by its difference from the border.
FOREGROUND_SLOPE = 3.0
# The first look at a photo, so many times smaller: the block whose map the mask is made of, and those of finer maps.
FIRST_LOOK, LOOK_BLOCK, FINER_BLOCKS = 2, 10, (4, 2)
# The convolutions of a first look, all of them before those of its mask, and those before the network's own.
LOOK_CONVOLUTIONS, MASK_CONVOLUTIONS = 33, 10
# The layers of the maps that a mask is made of, coarse to fine, each with the layer that takes it in; and that of the logits.
MASK_MAPS = {"look_map_10": "mask_0", "look_map_4": "mask_4", "look_map_2": "mask_7"}
MASK = f"mask_{MASK_CONVOLUTIONS - 1}"
# Cells of the finest map, in a square of this side, that a cell of the mask takes after where it is unsure.
MASK_EDGE = 3
# A mask of less of the photo than this shows no product, and the whole photo is seen; how abruptly that changes.
LEAST_FOREGROUND, FOREGROUND_EDGE = 0.08, 60.0
_TINY = 1e-12
_PIXELS = "pixels"

Kernel = NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """One inverted residual.

    Attributes:
        hidden: channels between expansion and projection.
        output: channels that it gives.
        stride: of its depthwise convolution.
        expands: whether it widens at all.
        residual: whether its input is added to what it gives.
        kernel: side of its depthwise convolution.
    """

    hidden: int
    output: int
    stride: int
    expands: bool
    residual: bool
    kernel: int = 3


@dataclass(frozen=True)
class Pixels:
    """What a network was trained to see: values in [0, 1] times `scale`, plus `offset`."""

    scale: float
    offset: float


MOBILENET_PIXELS = Pixels(2.0, -1.0)


class Pooling(StrEnum):
    """How the last map becomes the features of a photo: the mean, its square roots, or those of `foreground_features`."""

    MEAN = "mean"
    ROOTS = "roots"
    FOREGROUND = "foreground"


@dataclass(frozen=True)
class ConvWeights:
    """A convolution with its batch normalisation folded in. kernel: float32 [kh, kw, in, out]; bias: float32 [out]."""

    kernel: Kernel
    bias: Kernel


def mobilenet_v2_blocks() -> list[Block]:
    """The 17 inverted residuals of MobileNetV2 1.0."""
    blocks, channels = [], STEM_CHANNELS
    for expansion, output, repeats, stride in STAGES:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            blocks.append(Block(channels * expansion, output, step, expansion > 1, step == 1 and channels == output))
            channels = output
    return blocks


def read_teacher(folder: str) -> list[ConvWeights]:
    """The convolutions of a folded MobileNetV2 feature vector SavedModel, in order. Raises ValueError for another network."""
    import tensorflow as tf

    variables = [variable.numpy() for variable in getattr(tf.saved_model.load(folder), "vars", ())]
    if len(variables) != 2 * CONVOLUTIONS:
        raise ValueError(f"{folder} holds {len(variables)} weight arrays; a folded MobileNetV2 has {2 * CONVOLUTIONS}")
    return [ConvWeights(variables[i], variables[i + 1]) for i in range(0, len(variables), 2)]


def build_network(
    input_size: int | None,
    blocks: Sequence[Block],
    features: int,
    dim: int | None,
    pixels: Pixels = MOBILENET_PIXELS,
    *,
    pooling: Pooling = Pooling.MEAN,
    blanks_background: bool = False,
) -> keras.Model:
    """A network of inverted residuals without batch normalisation: the shape of MobileNetV2 and EfficientNet-Lite.

    Args:
        input_size: side of the photos in pixels; None takes any.
        blocks: its inverted residuals, in order.
        features: channels of the last convolution.
        dim: embedding dimension; None leaves the last layer out.
        pixels: how it sees photos.
        pooling: how its features come about.
        blanks_background: whether it sees photos as `blanked` gives them.

    Returns:
        float32 [B, input_size, input_size, 3] in [0, 1] -> float32 [B, dim], L2-normalised, or the pooled features [B, features].
    """
    inputs = keras.Input((input_size, input_size, 3))
    seen = blanked(inputs, blocks, pixels) if blanks_background else inputs
    maps = _maps(layers.Rescaling(pixels.scale, pixels.offset, name=_PIXELS)(seen), blocks, "conv")
    x = _relu6(layers.Conv2D(features, 1, name=f"conv_{_convolutions(blocks)}")(maps[-1]))
    x = pooled(x, pooling)
    if dim is not None:
        x = layers.UnitNormalization(name="embedding")(layers.Dense(dim, name="projection")(x))
    return keras.Model(inputs, x)


def _maps(x: Any, blocks: Sequence[Block], name: str) -> list[Any]:
    """What each block gives, [B, h, w, channels]; its convolutions are called by this name and their number."""
    x = _relu6(layers.Conv2D(STEM_CHANNELS, 3, 2, "same", name=f"{name}_0")(x))
    index, maps = 1, []
    for number, block in enumerate(blocks):
        h = x
        if block.expands:
            h = _relu6(layers.Conv2D(block.hidden, 1, name=f"{name}_{index}")(h))
            index += 1
        h = _relu6(layers.DepthwiseConv2D(block.kernel, block.stride, "same", name=f"{name}_{index}")(h))
        if name == "conv":
            h = layers.Activation("linear", name=f"hidden_{number}")(h)
        h = layers.Conv2D(block.output, 1, name=f"{name}_{index + 1}")(h)
        index += 2
        x = layers.Add()([x, h]) if block.residual else h
        if name == "look":
            x = layers.Activation("linear", name=f"look_map_{number}")(x)
        maps.append(x)
    return maps


def _convolutions(blocks: Sequence[Block]) -> int:
    """How many the stem and the blocks have."""
    return 1 + sum(3 if block.expands else 2 for block in blocks)


def blanked(photos: Any, blocks: Sequence[Block], pixels: Pixels) -> Any:
    """Photos with their background made white, as far as a first look at them separates it from the product.

    The first look starts from the convolutions of the network itself, named look_0 and so on, and sees the photo smaller. A few
    layers of its own, mask_0 and so on, make a mask of its maps, coarse to fine (Ronneberger et al., "U-Net", MICCAI 2015). Where
    next to nothing is found, the photo stays as it is.

    Args:
        photos: float32 [B, s, s, 3] in [0, 1], s a multiple of 32.
        blocks: of the network.
        pixels: how it sees photos.

    Returns:
        float32 [B, s, s, 3] in [0, 1].
    """
    small = layers.AveragePooling2D(FIRST_LOOK)(photos)
    maps = _maps(layers.Rescaling(pixels.scale, pixels.offset)(small), blocks[: LOOK_BLOCK + 1], "look")
    coarse, *finer = (maps[block] for block in (LOOK_BLOCK, *FINER_BLOCKS))
    mask = ops.sigmoid(_mask(coarse, finer))
    # The edges of a product belong to its shape: where the mask is unsure, they are seen with what is beside them.
    mask += 4 * mask * (1 - mask) * (layers.MaxPooling2D(MASK_EDGE, 1, "same")(mask) - mask)
    found = ops.sigmoid((ops.mean(mask, axis=(1, 2), keepdims=True) - LEAST_FOREGROUND) * FOREGROUND_EDGE)
    background = (1 - mask) * found
    # The finest map has a fourth of what the first look sees.
    background = layers.UpSampling2D(4 * FIRST_LOOK, interpolation="bilinear", name="background")(background)
    return photos + (1 - photos) * background


def _mask(coarse: Any, finer: Sequence[Any]) -> Any:
    """Logits of the foreground, [B, h, w, 1] of the finest map."""
    number = -1

    def convolved(x: Any, channels: int, side: int = 1, activation: str | None = "relu") -> Any:
        nonlocal number
        number += 1
        return layers.Conv2D(channels, side, padding="same", activation=activation, name=f"mask_{number}")(x)

    x = convolved(coarse, 44)
    x = layers.Add()([x, convolved(layers.GlobalAveragePooling2D(keepdims=True)(x), 44, activation=None)])
    for channels in (44, 33):
        x = convolved(x, channels, 3)
    for cells, kept, widths in zip(finer, (22, 11), ((33, 22), (16,)), strict=True):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = layers.Concatenate()([x, convolved(cells, kept)])
        for channels in widths:
            x = convolved(x, channels, 3)
    return convolved(x, 1, activation=None)


def pooled(cells: Any, pooling: Pooling) -> Any:
    """The features of a photo.

    Args:
        cells: the last map of features, float32 [B, h, w, features], none below 0.
        pooling: how they come about.

    Returns:
        float32 [B, features].
    """
    if pooling is Pooling.FOREGROUND:
        return foreground_features(cells)
    if pooling is Pooling.MEAN:
        return layers.GlobalAveragePooling2D(name="features")(cells)
    return _root_shares(layers.GlobalAveragePooling2D()(cells))


def foreground_features(cells: Any) -> Any:
    """A weighted mean over the photo, in which what differs from the photo's border counts for more, as square roots of its shares.

    A cell's weight is a logistic function of how much less than the average cell it is like the mean of the border's, in standard
    deviations. The roots even out features that shout (Arandjelovic & Zisserman, "Three things everyone should know to improve
    object retrieval", CVPR 2012).

    Args:
        cells: the last map of features, float32 [B, h, w, features], 3 cells or more in height and width, none below 0.

    Returns:
        float32 [B, features], L2-normalised.
    """
    directions = cells / _length(cells)
    # The mean of the border points where the sum of all less that of the middle does.
    middle = directions[:, 1:-1, 1:-1]
    border = ops.sum(directions, axis=(1, 2), keepdims=True) - ops.sum(middle, axis=(1, 2), keepdims=True)
    likeness = ops.sum(directions * (border / _length(border)), axis=-1, keepdims=True)
    difference = ops.mean(likeness, axis=(1, 2), keepdims=True) - likeness
    deviation = ops.sqrt(ops.maximum(ops.mean(ops.square(difference), axis=(1, 2), keepdims=True), _TINY))
    weights = ops.sigmoid(FOREGROUND_SLOPE * difference / deviation)
    return _root_shares(ops.sum(cells * weights, axis=(1, 2)))


def _root_shares(sums: Any) -> Any:
    """Square roots of each one's share of the sum of all: [B, features], L2-normalised."""
    sums = ops.maximum(sums, _TINY)
    return layers.Activation("linear", name="features")(ops.sqrt(sums / ops.sum(sums, axis=-1, keepdims=True)))


def with_pooling(network: keras.Model, pooling: Pooling) -> keras.Model:
    """A network of the same convolutions and output shape whose features come about otherwise; its last layer is new."""
    answer = layers.Dense(network.output_shape[1], name="projection")(pooled(_last_map(network), pooling))
    return keras.Model(network.input, layers.UnitNormalization(name="embedding")(answer))


def with_mean_features(network: keras.Model) -> keras.Model:
    """A network of the same convolutions that sees the whole photo and ends with the plain mean over it, float32 [B, features]."""
    return keras.Model(photos_seen(network), layers.GlobalAveragePooling2D(name="features")(_last_map(network)))


def photos_seen(network: keras.Model) -> Any:
    """What the convolutions that make vectors see: float32 [B, s, s, 3] in [0, 1], after the first look if there is one."""
    return network.get_layer(_PIXELS).input


def _last_map(network: keras.Model) -> Any:
    """What the last convolution gives after its activation, float32 [B, h, w, features]."""
    last = max(
        (layer for layer in network.layers if layer.name.startswith("conv_")), key=lambda layer: int(layer.name[5:])
    )
    return _relu6(last.output)


def _length(x: Any) -> Any:
    return ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), _TINY))


def _relu6(x: Any) -> Any:
    return layers.ReLU(6.0)(x)


def load_convolutions(network: keras.Model, weights: Sequence[ConvWeights]) -> None:
    """Set the network's convolutions, in order, and those of its first look, which start from them."""
    _load(network, "conv", weights)
    if looks_first(network):
        _load(network, "look", weights[:LOOK_CONVOLUTIONS])


def load_look(network: keras.Model, weights: Sequence[ConvWeights]) -> None:
    """Set the convolutions of a network's first look and the layers of its mask, in order."""
    _load(network, "look", weights[:LOOK_CONVOLUTIONS])
    _load(network, "mask", weights[LOOK_CONVOLUTIONS:])


def looks_first(network: keras.Model) -> bool:
    """Whether it takes a first look at photos, as `blanked` describes."""
    return any(layer.name.startswith("look_") for layer in network.layers)


def _load(network: keras.Model, name: str, weights: Sequence[ConvWeights]) -> None:
    for index, conv in enumerate(weights):
        layer = network.get_layer(f"{name}_{index}")
        layer.set_weights([conv.kernel.reshape(layer.kernel.shape), conv.bias])


@dataclass(frozen=True)
class HiddenStatistics:
    """Of a block's hidden channels over photos and positions: mean float32 [h], covariance float64 [h, h]."""

    mean: Kernel
    covariance: NDArray[np.float64]


def hidden_statistics(network: keras.Model, photos: NDArray[np.float32]) -> list[HiddenStatistics]:
    """What the hidden channels of each block do over photos: float32 [n, size, size, 3] in [0, 1]."""
    hidden = [layer.output for layer in network.layers if layer.name.startswith("hidden_")]
    probe = keras.Model(network.input, hidden)
    sums = [np.zeros(tensor.shape[-1]) for tensor in hidden]
    products = [np.zeros((tensor.shape[-1], tensor.shape[-1])) for tensor in hidden]
    counts = [0] * len(hidden)
    for start in range(0, len(photos), 32):
        for block, activation in enumerate(probe(photos[start : start + 32])):
            values = np.asarray(activation).reshape(-1, activation.shape[-1])
            sums[block] += values.sum(axis=0)
            products[block] += values.T @ values
            counts[block] += len(values)
    means = [total / count for total, count in zip(sums, counts, strict=True)]
    return [
        HiddenStatistics(mean.astype(np.float32), product / count - np.outer(mean, mean))
        for mean, product, count in zip(means, products, counts, strict=True)
    ]


def prune(
    teacher: Sequence[ConvWeights], statistics: Sequence[HiddenStatistics], keep: Callable[[int], int]
) -> tuple[list[Block], list[ConvWeights]]:
    """Keep the hidden channels that contribute most to their block's output.

    A channel's score is its variance times the squared length of its projection weights. The projection is then fitted by least
    squares to what the block gave before (He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017).

    Args:
        teacher: its convolutions, in order.
        statistics: of each block's hidden channels.
        keep: how many of so many hidden channels to keep.

    Returns:
        The narrower blocks, and their convolutions.
    """
    blocks, weights, index = [], [teacher[0]], 1
    for block, hidden in zip(mobilenet_v2_blocks(), statistics, strict=True):
        if not block.expands:
            blocks.append(block)
            weights += teacher[index : index + 2]
            index += 2
            continue
        expand, depthwise, project = teacher[index : index + 3]
        index += 3
        outgoing = project.kernel.reshape(block.hidden, block.output)
        score = np.diag(hidden.covariance) * np.square(outgoing).sum(axis=1)
        kept = np.sort(np.argsort(-score, kind="stable")[: keep(block.hidden)])
        among = hidden.covariance[np.ix_(kept, kept)]
        ridge = 1e-3 * np.trace(among) / len(kept) * np.eye(len(kept))
        fitted = np.linalg.solve(among + ridge, hidden.covariance[kept] @ outgoing + ridge @ outgoing[kept])
        bias = project.bias + hidden.mean @ outgoing - hidden.mean[kept] @ fitted
        blocks.append(Block(len(kept), block.output, block.stride, True, block.residual))
        weights += [
            ConvWeights(expand.kernel[..., kept], expand.bias[kept]),
            ConvWeights(depthwise.kernel[:, :, kept], depthwise.bias[kept]),
            ConvWeights(fitted.astype(np.float32)[None, None], bias.astype(np.float32)),
        ]
    return blocks, weights


def prune_last(conv: ConvWeights, features: NDArray[np.float32], keep: int) -> ConvWeights:
    """Keep the output channels of the last convolution whose pooled features (float32 [n, channels]) vary most."""
    kept = np.sort(np.argsort(-features.var(axis=0), kind="stable")[:keep])
    return ConvWeights(conv.kernel[..., kept], conv.bias[kept])
