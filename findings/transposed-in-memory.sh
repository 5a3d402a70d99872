#!/usr/bin/env bash
# Package: safetensors 0.8.0 (files of model weights and embeddings; with NumPy 2.4.6).
#
# Behaviour: `safetensors.numpy.save` and `save_file` write the bytes of an array in the order in which they lie in the memory, and the
# shape as it is. An array that lies there in another order, transposed, in Fortran's order or a slice of columns, comes back with the
# right shape and type and with the numbers in other places. Nothing is raised or warned of.
#
# Seen: the numbers from 0 to 5 in two rows of three.
#
#     saved              as it is                 as it comes back
#     as made            0 1 2 | 3 4 5            0 1 2 | 3 4 5
#     transposed         0 3 | 1 4 | 2 5          0 1 | 2 3 | 4 5
#     Fortran's order    0 1 2 | 3 4 5            0 3 1 | 4 2 5
#     first 2 columns    0 1 | 3 4                0 1 | 2 3
#     600 embeddings of 64 numbers, transposed back and forth by a PCA: the nearest neighbours of 1 in 100 stay
#
# Why guesses are wrong: `numpy.save` notes the order in the file, so that such an array comes back as it was, and of a format whose name
# is safety one expects that, a copy in the right order, or an error. Two arrays that are equal by `array_equal` are written as different
# files. Embeddings that went through `vectors @ rotation.T` are safe, those through `(rotation @ vectors.T).T`, the
# same numbers, are not. Pass `numpy.ascontiguousarray(array)`.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
TMPDIR="$work" OPENBLAS_NUM_THREADS=1 "$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
from safetensors.numpy import load, save

POINTS, DIM = 600, 64
made = np.arange(6, dtype=np.float32).reshape(2, 3)
SAVED = {
    "as made": (made, True),
    "transposed": (made.T, False),
    "Fortran's order": (np.asfortranarray(made), False),
    "first 2 columns": (made[:, :2], False),
}


def again(array):
    return load(save({"x": array}))["x"]


def shown(array):
    return " | ".join(" ".join(f"{number:.0f}" for number in row) for row in array)


ok = True
for name, (array, is_kept) in SAVED.items():
    back = again(array)
    ok &= back.shape == array.shape and np.array_equal(back, array) == is_kept
    print(f"{name:18} {shown(array):18} {shown(back)}")

draw = np.random.default_rng(2)
vectors = draw.standard_normal((POINTS, DIM)).astype(np.float32)
rotation = np.linalg.qr(draw.standard_normal((DIM, DIM)))[0].astype(np.float32)


def nearest(array):
    unit = array / np.linalg.norm(array, axis=1, keepdims=True)
    scores = unit @ unit.T
    np.fill_diagonal(scores, -2)
    return scores.argmax(axis=1)


one_way, other_way = vectors @ rotation.T, (rotation @ vectors.T).T
kept = [float((nearest(again(array)) == nearest(array)).mean()) for array in (one_way, other_way)]
print(f"same numbers by two ways: {np.allclose(one_way, other_way, atol=1e-4)}; neighbours kept: {kept[0]:.0%} and {kept[1]:.0%}")
sys.exit(0 if ok and kept[0] == 1 and kept[1] < 0.05 else "it behaves in another way now")
PY
