"""Reads the networks of the bundled encoders back from their LiteRT files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np

from training import efficientnet
from training.student import (
    CONVOLUTIONS,
    LOOK_CONVOLUTIONS,
    MASK_CONVOLUTIONS,
    MOBILENET_PIXELS,
    Block,
    ConvWeights,
    Pixels,
    Pooling,
    build_network,
    load_convolutions,
    load_look,
    mobilenet_v2_blocks,
)

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def read_litert(path: Path, *, any_size: bool = False, blanks_background: bool = False) -> keras.Model:
    """A student's network with the weights of its exported `.tflite` file, to train further or to compare with.

    Args:
        path: the file of a bundled encoder's weights, or one that a recipe has exported.
        any_size: whether the network takes photos of any size, to train it with several; else that of the file.
        blanks_background: whether it takes a first look at photos even if that of the file does not; its mask is then new.

    Returns:
        A network as `build_network` makes it.

    Raises:
        ValueError: another file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Without the delegate the operations stand as they were exported, weights beside them.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    size = int(interpreter.get_input_details()[0]["shape"][1])
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.zeros((1, size, size, 3), np.float32))
    interpreter.invoke()
    every = interpreter._get_ops_details()
    operations = [op for op in every if op["op_name"] in _WEIGHTED]
    kernels = [(op["op_name"], *(interpreter.get_tensor(index) for index in op["inputs"][1:3])) for op in operations]
    # LiteRT keeps [out, kh, kw, in] and, for a dense layer, [out, in]; Keras has the output last.
    weights = [
        ConvWeights(np.moveaxis(kernel, 0, -1) if name == "CONV_2D" else kernel[0], bias)
        for name, kernel, bias in kernels[:-1]
    ]
    names = [name for name, _, _ in kernels]
    # Nothing else in a student enlarges a map.
    looks_first = any(op["op_name"] == "RESIZE_BILINEAR" for op in every)
    look = LOOK_CONVOLUTIONS + MASK_CONVOLUTIONS if looks_first else 0
    family = _family(len(names) - 1 - look)
    if family is None or names[-1] != "FULLY_CONNECTED":
        raise ValueError(f"{path} is not a student's network: it has {len(names)} layers with weights")
    if blanks_background and family[1] == MOBILENET_PIXELS:
        raise ValueError(f"{path} has the shape of MobileNetV2; a first look is made for that of EfficientNet-Lite0")
    convolutions = weights[look:]
    hidden = iter(
        [len(conv.bias) for name, conv in zip(names[look:], convolutions, strict=False) if name == "DEPTHWISE_CONV_2D"]
    )
    blocks = [dataclasses.replace(block, hidden=next(hidden)) for block in family[0]]
    _, projection, offset = kernels[-1]
    network = build_network(
        None if any_size else size,
        blocks,
        projection.shape[1],
        projection.shape[0],
        family[1],
        pooling=_pooling({op["op_name"] for op in every}),
        blanks_background=looks_first or blanks_background,
    )
    load_convolutions(network, convolutions)
    if looks_first:
        load_look(network, weights[:look])
    network.get_layer("projection").set_weights([projection.T, offset])
    return network


def _pooling(operations: set[str]) -> Pooling:
    """How the features come about: nothing else in a student has a logistic function, and nothing else without one has roots."""
    if "LOGISTIC" in operations:
        return Pooling.FOREGROUND
    return Pooling.ROOTS if "SQRT" in operations else Pooling.MEAN


def _family(convolutions: int) -> tuple[list[Block], Pixels] | None:
    """The blocks of the network with so many convolutions, and how it sees photos; None for none that is known."""
    if convolutions == CONVOLUTIONS:
        return mobilenet_v2_blocks(), MOBILENET_PIXELS
    lite = efficientnet.blocks(efficientnet.VARIANTS["efficientnet-lite0"])
    count = 2 + sum(3 if block.expands else 2 for block in lite)
    return (lite, efficientnet.PIXELS) if convolutions == count else None
