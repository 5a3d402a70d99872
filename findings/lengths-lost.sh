#!/usr/bin/env bash
# Package: usearch 2.26.6 (nearest neighbour search by HNSW).
#
# Behaviour: an index with `dtype="i8"` keeps the direction of each vector and not its length, whatever its metric is. An inner product or
# Euclidean index then ranks by cosine, and its distances are in another unit. Nothing is raised or warned of. The other small types, two
# bytes or one (`f16`, `bf16`, `e4m3`, `e5m2`), keep the length.
#
# Seen: 2,000 vectors of 64 dimensions whose lengths lie between 0.2 and 1; 100 queries; expansion_search 200. Recall@10 against the exact
# answer of the metric, and against the exact answer by cosine.
#
#     metric    dtype    recall    as cosine    nearest distance of the first query
#     ip        f32      1.00      0.43         0.668
#     ip        e4m3     0.95      0.43         0.672
#     ip        i8       0.44      0.95         -15351
#     l2sq      f32      0.95      0.52         0.550
#     l2sq      e4m3     0.94      0.54         0.550
#     l2sq      i8       0.54      0.95         0
#
# Why guesses are wrong: quantisation is known to cost a little accuracy, one scale for the whole index being the usual way. Here each vector
# has a scale of its own, which is not stored. Cosine, the metric that most people use, loses nothing by it, and neither does any index of
# unit vectors. For inner products whose length carries popularity, or for colour descriptors by distance, the answer is another one.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.4.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
from usearch.index import Index

POINTS, DIM, QUERIES, TOP = 2000, 64, 100, 10
draw = np.random.default_rng(0)
directions = draw.standard_normal((POINTS, DIM)).astype(np.float32)
directions /= np.linalg.norm(directions, axis=1, keepdims=True)
vectors = directions * draw.uniform(0.2, 1, (POINTS, 1)).astype(np.float32)
queries = directions[:QUERIES]

cosine = -queries @ directions.T
exact = {"ip": -queries @ vectors.T, "l2sq": ((queries[:, None] - vectors[None]) ** 2).sum(axis=2)}


def recall(found, distances):
    best = np.argsort(distances, axis=1)[:, :TOP].tolist()
    return np.mean([len(set(row) & set(truth)) / TOP for row, truth in zip(found.tolist(), best, strict=True)])


unchanged = True
print(f"{'metric':10}{'dtype':9}{'recall':10}{'as cosine':13}nearest distance of the first query")
for metric, distances in exact.items():
    for dtype in ("f32", "f16", "e4m3", "i8"):
        index = Index(ndim=DIM, metric=metric, dtype=dtype, expansion_search=200)
        index.add(np.arange(POINTS), vectors)
        matches = index.search(queries, TOP)
        right, as_cosine = recall(matches.keys, distances), recall(matches.keys, cosine)
        print(f"{metric:10}{dtype:9}{right:<10.2f}{as_cosine:<13.2f}{matches.distances[0, 0]:.3f}")
        unchanged &= (right < 0.65 and as_cosine > 0.9) if dtype == "i8" else (right > 0.9 and as_cosine < 0.65)
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
