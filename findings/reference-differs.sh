#!/usr/bin/env bash
# Package: onnx 1.23.2, its `ReferenceEvaluator` (with NumPy 2.4.6; onnxruntime 1.32.0 and openvino 2026.4.1 beside it).
#
# Behaviour: the reference implementation of three operators is wrong, where onnxruntime, OpenVINO and the formula of the specification
# agree. `LRN` normalises as many channels as there are pictures in the batch, and leaves the others as they are (with more pictures than
# channels it raises an error). `LpNormalization` with p=1 divides by the sum of the numbers, signs and all. `AveragePool` with `ceil_mode`
# takes its windows a step too far up and left, in all of the picture, where the last window has one row and column.
#
# Seen: greatest difference from the formula, of random numbers; that of the other two is below 0.0001 each time.
#
#     operator                                      difference    how much of it is wrong
#     LRN, 8 channels, 1 picture                    2.95          channels 2 to 8
#     LRN, 8 channels, 4 pictures                   5.42          channels 5 to 8
#     LRN, 8 channels, 8 pictures                   0.00          nothing
#     LpNormalization, p=1, signed                  3.63          all
#     LpNormalization, p=1, none below 0            0.00          nothing
#     LpNormalization, p=2, signed                  0.00          nothing
#     AveragePool, 3 by 3, 12 or 14 pixels          0.00          nothing
#     AveragePool, 3 by 3, 13 or 16 pixels          3.18, 1.99    all means
#
# Why guesses are wrong: it is what one runs to learn which of two runtimes is right, and its output is what converters are tested against.
# The specification's own examples have five channels in five pictures and no number below 0, so that its tests pass, and a batch in which
# both numbers are the same does not show it either. A model's vector depends on how many others are computed with it. Whoever mends a
# converter until it agrees breaks it.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
"$work/venv/bin/python" -W ignore - <<'PY'
import math
import sys

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

draw = np.random.default_rng(0)
core = openvino.Core()
is_as_seen = True


def outputs(operator, numbers, **attributes):
    """The output of one operator by the reference, by onnxruntime and by OpenVINO."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, numbers.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    stored = model.SerializeToString()
    compiled = core.compile_model(core.read_model(stored), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    by_runtime = onnxruntime.InferenceSession(stored, providers=["CPUExecutionProvider"]).run(None, {"x": numbers})[0]
    return ReferenceEvaluator(model).run(None, {"x": numbers})[0], by_runtime, compiled(numbers)[0]


def checked(name, true, found, seen):
    """Prints how far the three are from the formula, and notes whether it is as seen: the reference off or not, the others right."""
    global is_as_seen
    far = [float(np.abs(output - true).max()) for output in found]
    print(f"{name:44}{far[0]:10.2f}{far[1]:12.2f}{far[2]:10.2f}")
    is_as_seen &= max(far[1:]) < 1e-4 and (far[0] > 0.1) == seen


def local_response(numbers, size, alpha, beta, bias):
    channels = numbers.shape[1]
    normalised = np.empty_like(numbers)
    for channel in range(channels):
        first, last = channel - math.floor((size - 1) / 2), channel + math.ceil((size - 1) / 2)
        squares = (numbers[:, max(0, first) : last + 1] ** 2).sum(1)
        normalised[:, channel] = numbers[:, channel] / (bias + alpha / size * squares) ** beta
    return normalised


print(f"{'greatest difference from the formula':44}{'reference':>10}{'onnxruntime':>12}{'OpenVINO':>10}")
for pictures in (1, 4, 8):
    numbers = 3 * draw.standard_normal((pictures, 8, 5, 5)).astype(np.float32)
    attributes = {"size": 5, "alpha": 0.5, "beta": 0.75, "bias": 2.0}
    found = outputs("LRN", numbers, **attributes)
    checked(f"LRN, 8 channels, {pictures} pictures", local_response(numbers, **attributes), found, seen=pictures < 8)
    off = [channel for channel in range(8) if np.abs(found[0][:, channel] - found[1][:, channel]).max() > 0.1]
    print(f"    channels that are not normalised: {off}")
    is_as_seen &= off == list(range(pictures, 8))
for name, numbers, seen in (
    ("signed", draw.standard_normal((4, 64)).astype(np.float32), True),
    ("none below 0", draw.random((4, 64)).astype(np.float32), False),
):
    true = numbers / np.abs(numbers).sum(1, keepdims=True)
    checked(f"LpNormalization, p=1, {name}", true, outputs("LpNormalization", numbers, axis=1, p=1), seen)
    true = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    checked(f"LpNormalization, p=2, {name}", true, outputs("LpNormalization", numbers, axis=1, p=2), False)
for side, seen in ((12, False), (13, True), (14, False), (16, True)):
    numbers = draw.standard_normal((1, 1, side, side)).astype(np.float32)
    windows = range(0, side, 3)
    true = np.array([[numbers[0, 0, down : down + 3, across : across + 3].mean() for across in windows] for down in windows])[None, None]
    found = outputs("AveragePool", numbers, kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1)
    checked(f"AveragePool, 3 by 3, ceil_mode, {side} by {side}", true, found, seen)
    print(f"    means that differ: {(np.abs(found[0] - true) > 1e-4).mean():.0%}")
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
