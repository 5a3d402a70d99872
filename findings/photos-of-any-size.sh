#!/usr/bin/env bash
# Package: ai-edge-litert 2.3.0 (the model is made with tensorflow 2.21.0).
#
# Behaviour: a model whose input is fixed, here [1, 32, 32, 3], with no dimension left open, runs on photos of any size and on several at once
# by its signature (`get_signature_runner`). The call resizes the input tensor to what it is given, and asks nobody. The same model refuses
# such photos by `set_tensor`, and a strict resize says that the dimension is no unknown one. The interpreter is left with the new size,
# so that `set_tensor` then refuses the right photos.
#
# Seen: three convolutions (not trained), an average, 32 numbers of length one; 100 pictures of 32 pixels as they are, and enlarged to 64.
#
#     64 px by set_tensor               refused
#     64 px by strict resize            refused
#     64 px by the signature            taken; the picture's own vector is the nearest for 2 of 100
#     8 of 32 px by the signature       taken, the same vectors as one by one
#     32 px by set_tensor after that    refused
#
# Why guesses are wrong: a signature is read as a contract, and of the two ways this is the newer one, which names its inputs and refuses
# numbers of another type. Whoever comes from `set_tensor` counts on the error where a photo was not scaled; here it gives vectors that
# look like any others and find other pictures. Keep the shape that `get_input_details()` has before the first call, which changes
# it, and compare.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6
TMPDIR="$work" TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" - 2>/dev/null <<'PY'
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

SIDE, PICTURES = 32, 100
keras.utils.set_random_seed(7)
draw = np.random.default_rng(7)
coarse = draw.random((PICTURES, 8, 8, 3))
pictures = np.kron(coarse, np.ones((1, SIDE // 8, SIDE // 8, 1))).astype(np.float32)
enlarged = np.kron(pictures, np.ones((1, 2, 2, 1))).astype(np.float32)

photo = features = keras.Input((SIDE, SIDE, 3), batch_size=1, name="photo")
for filters in (8, 16, 16):
    features = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(features)
vector = keras.layers.UnitNormalization()(keras.layers.Dense(32)(keras.layers.GlobalAveragePooling2D()(features)))
folder = tempfile.mkdtemp()
keras.Model(photo, vector).export(folder, verbose=False)
interpreter = Interpreter(model_content=tf.lite.TFLiteConverter.from_saved_model(folder).convert(), num_threads=1)
interpreter.allocate_tensors()
place = interpreter.get_input_details()[0]["index"]
runner = interpreter.get_signature_runner()
[given], [got] = runner.get_input_details(), runner.get_output_details()


def refused(action):
    try:
        action()
    except (ValueError, RuntimeError):
        return True
    return False


def embed(photos):
    return runner(**{given: photos})[got]


shape = interpreter.get_input_details()[0]["shape"].tolist()
answers = {
    "64 px by set_tensor": refused(lambda: interpreter.set_tensor(place, enlarged[:1])),
    "64 px by strict resize": refused(lambda: interpreter.resize_tensor_input(place, enlarged[:1].shape, strict=True)),
}
vectors = np.concatenate([embed(each[None]) for each in pictures])
together = embed(pictures[:8])
other = np.concatenate([embed(each[None]) for each in enlarged])
answers["32 px by set_tensor after that"] = refused(lambda: interpreter.set_tensor(place, pictures[:1]))
own = int(((other @ vectors.T).argmax(axis=1) == np.arange(PICTURES)).sum())
same = bool(np.allclose(together, vectors[:8], atol=1e-5))
print(f"the model's input: {shape}")
for name, is_refused in answers.items():
    print(f"{name:34}{'refused' if is_refused else 'taken'}")
print(f"{'64 px by the signature':34}taken; the picture's own vector is the nearest for {own} of {PICTURES}")
print(f"{'8 of 32 px by the signature':34}taken; the same vectors as one by one: {same}")
unchanged = shape == [1, SIDE, SIDE, 3] and all(answers.values()) and same and own < PICTURES // 2
if not unchanged:
    print("This is no longer what the head of the script says.")
sys.exit(0 if unchanged else 1)
PY
