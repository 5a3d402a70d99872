#!/usr/bin/env bash
# Package: opencv-python-headless 5.0.0.93 (OpenCV's `dnn`; with onnx 1.23.2, onnxruntime 1.32.0 and NumPy 2.4.6).
#
# Behaviour: `auto_pad` of an ONNX model's `Conv`, `AveragePool` and `MaxPool` says at which end the odd pixel of padding goes: behind the
# picture with `SAME_UPPER`, in front of it with `SAME_LOWER`. `cv2.dnn` lets the kernel decide: with an odd side (3, 5, 7) it goes in
# front, with an even one (2, 4) behind, whatever the model says. Explicit `pads` are right.
#
# Seen: a stride of 2 on 224 x 224, and of 1 for the kernel of 2; equal to the output of onnxruntime, for all three operators?
#
#     kernel    SAME_UPPER    SAME_LOWER
#     3         no            yes
#     5         no            yes
#     7         no            yes
#     2         yes           no
#
# An encoder of five convolutions of 3 x 3 with a stride of 2 and an average (not trained), 200 drawn products, indexed by onnxruntime and
# asked for by OpenCV: how many find themselves, and their cosine to themselves (to the nearest other one: 0.996).
#
#     SAME_UPPER            12 of 200     0.953
#     SAME_LOWER            200 of 200    1.000
#     SAME_UPPER as pads    200 of 200    1.000
#
# Why guesses are wrong: an attribute with two values is expected to be read or refused, and a runtime that has both names to mean two
# things by them. With a stride of 1 and odd kernels, or with sides that are odd, there is no odd pixel, and both are the same. tf2onnx
# writes `SAME_UPPER` for a Keras model whose input has no fixed sides (and `pads` where it has): 3 x 3 with a stride of 2 in each block that
# halves the picture. Each shifts it by a pixel, the fifth by 16 of the photo's. Labels of a classifier hardly change, as what is on the
# picture stays on it; neighbours do, once index and query come from different runtimes.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PRODUCTS, SIDE, CHANNELS = 200, 128, (3, 16, 24, 32, 48, 64)
MODES = ("SAME_UPPER", "SAME_LOWER")
draw = np.random.default_rng(0)


def model(nodes, constants, shape):
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made).SerializeToString()


def by_onnxruntime(made):
    session = onnxruntime.InferenceSession(made, providers=["CPUExecutionProvider"])
    return lambda photo: session.run(None, {"photo": photo})[0]


def by_opencv(made):
    net = cv2.dnn.readNetFromONNX(np.frombuffer(made, np.uint8))

    def run(photo):
        net.setInput(photo, "photo")
        return net.forward("vector").copy()

    return run


def encoder(padding):
    """Five convolutions that halve the picture, and an average; the same weights each time."""
    weights = np.random.default_rng(1)
    constants, nodes, last = {}, [], "photo"
    for number, (before, after) in enumerate(zip(CHANNELS, CHANNELS[1:], strict=False)):
        scale = np.sqrt(2 / (9 * before))
        constants[f"w{number}"] = (scale * weights.standard_normal((after, before, 3, 3))).astype(np.float32)
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [f"c{number}"], kernel_shape=[3, 3], strides=[2, 2], **padding))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [last := f"r{number}"]))
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["vector"]))
    return model(nodes, constants, [1, 3, SIDE, SIDE])


def product(seed):
    """A photo on white: a box with dots."""
    place = np.random.default_rng(seed)

    def numbers(low, high, count):
        return tuple(int(number) for number in place.integers(low, high, count))

    drawn = np.full((SIDE, SIDE, 3), 255, np.uint8)
    cv2.rectangle(drawn, numbers(15, 45, 2), numbers(80, 115, 2), numbers(0, 256, 3), -1)
    for _ in range(6):
        cv2.circle(drawn, numbers(30, 100, 2), numbers(2, 9, 1)[0], numbers(0, 256, 3), -1)
    return np.ascontiguousarray(drawn.transpose(2, 0, 1)[None], np.float32) / 255


def unit(rows):
    stacked = np.stack([row.ravel() for row in rows])
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


is_as_seen = True
photo = draw.standard_normal((1, 3, 224, 224)).astype(np.float32)
for kernel, stride in ((3, 2), (5, 2), (7, 2), (2, 1)):
    for mode in MODES:
        equal = set()
        for operator in ("Conv", "AveragePool", "MaxPool"):
            weights = {"w": draw.standard_normal((4, 3, kernel, kernel)).astype(np.float32)} if operator == "Conv" else {}
            options = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "auto_pad": mode}
            made = model([helper.make_node(operator, ["photo", *weights], ["vector"], **options)], weights, list(photo.shape))
            equal.add(bool(np.abs(by_onnxruntime(made)(photo) - by_opencv(made)(photo)).max() < 1e-3))
        print(f"kernel {kernel}, {mode}: equal {equal}")
        is_as_seen &= equal == {(kernel % 2 == 0) == (mode == "SAME_UPPER")}

photos = [product(seed) for seed in range(PRODUCTS)]
paddings = {mode: {"auto_pad": mode} for mode in MODES} | {"SAME_UPPER as pads": {"pads": [0, 0, 1, 1]}}
for name, padding in paddings.items():
    made = encoder(padding)
    runs = by_onnxruntime(made), by_opencv(made)
    indexed, asked = (unit([run(photo) for photo in photos]) for run in runs)
    found = int(((asked @ indexed.T).argmax(1) == np.arange(PRODUCTS)).sum())
    cosine = float((asked * indexed).sum(1).mean())
    nearest = float(np.sort(indexed @ indexed.T)[:, -2].mean())
    print(f"{name:20}{found} of {PRODUCTS} find themselves, cosine {cosine:.3f}, nearest other one {nearest:.3f}")
    is_as_seen &= (found < 20 and cosine < 0.98) if name == "SAME_UPPER" else (found == PRODUCTS and cosine > 0.999)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
