#!/usr/bin/env bash
# Package: hnswlib 0.8.0 (nearest neighbour search by HNSW, and an exact one beside it).
#
# Behaviour: `BFIndex(space="cosine")`, the exact index, brings the vectors that are added to length one and the query not. What it gives as a
# distance is one minus the cosine times the query's length: below zero for a long query, never near zero for a short one.
# `Index(space="cosine")`, the approximate one, brings both to length one.
#
# Seen: 2,000 vectors of 32 dimensions; the first of them is asked for, as it is and at other lengths; hits at a distance of at most 0.5.
#
#     query            nearest by Index    by BFIndex    hits by Index    by BFIndex
#     as it is         0.00                 -5.17         8                649
#     of length one    0.00                  0.00         8                8
#     times 10         0.00                -60.65         8                960
#     divided by 10    0.00                  0.38         8                1
#
# Why guesses are wrong: the exact index is the one by which people check the other, and both take the same names of spaces. The order of the
# hits is right, so that a check of the recall passes; only the distances are in a unit of their own. A limit for "the same picture"
# that was set with one index lets half of the catalogue pass with the other, or the picture itself alone. Divide queries by their lengths.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check hnswlib==0.8.0 numpy==2.4.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import hnswlib
import numpy as np

POINTS, DIM, LIMIT = 2000, 32, 0.5
vectors = np.random.default_rng(4).standard_normal((POINTS, DIM)).astype(np.float32)

approximate = hnswlib.Index(space="cosine", dim=DIM)
approximate.init_index(max_elements=POINTS)
approximate.add_items(vectors, num_threads=1)
approximate.set_ef(POINTS)
exact = hnswlib.BFIndex(space="cosine", dim=DIM)
exact.init_index(max_elements=POINTS)
exact.add_items(vectors)

length = np.linalg.norm(vectors[0])
is_as_seen = True
for name, query in {
    "as it is": vectors[0],
    "of length one": vectors[0] / length,
    "times 10": vectors[0] * 10,
    "divided by 10": vectors[0] / 10,
}.items():
    approximate_ids, approximate_distances = approximate.knn_query(query, k=POINTS, num_threads=1)
    exact_ids, exact_distances = exact.knn_query(query, k=POINTS)
    nearest = float(approximate_distances.min()), float(exact_distances.min())
    hits = int((approximate_distances <= LIMIT).sum()), int((exact_distances <= LIMIT).sum())
    print(f"{name:14} nearest {nearest[0]:.2f} and {nearest[1]:.2f}; hits {hits[0]} and {hits[1]}")
    is_as_seen &= bool((approximate_ids[0, :10] == exact_ids[0, :10]).all()) and abs(nearest[0]) < 1e-4
    is_as_seen &= bool(np.isclose(nearest[1], 1 - np.linalg.norm(query), atol=1e-3))
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
