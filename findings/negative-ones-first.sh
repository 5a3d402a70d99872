#!/usr/bin/env bash
# Package: tiledb-vector-search 0.16.0 (with tiledb 0.36.1 and NumPy 2.3.5, since it does not run with 2.4).
#
# Behaviour: a `FLAT` index with the metric `INNER_PRODUCT` puts the vectors with a negative product first, the one nearest to 0 in front,
# and all with a positive product behind them. Where all products are positive, or all negative, the order is right. The products that it
# returns are the true ones.
#
# Seen: 1,000 vectors of 16 numbers, 50 queries; recall of the ten best, how many vectors have a higher product than the first hit, and
# the products of the first three hits for the first query, with the best there is.
#
#     vectors                       recall    better than the first    first three               best
#     of both signs                 0.00      503                      -0.00, -0.03, -0.05       23.98
#     of both signs, as int8        0.00      503                      -0.02, -0.07, -0.07       475.13
#     only positive                 1.00      0                        35.63, 32.22, 31.09       35.63
#     of both signs, by COSINE      1.00      0                        23.98, 9.04, 8.83         23.98
#
# Why guesses are wrong: a flat index compares with every vector, so that there is nothing to lose, and it takes part in no recall test;
# its distances are right when they are checked. Counts of words, colours or what comes out of a ReLU have no negative numbers, and an
# example with three drawn vectors is often all positive. Embeddings have both signs: the shopper gets what has nothing to do with the
# query, sorted by how little. `COSINE` on the same vectors is right, and with vectors of length 1 it is the same order.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tiledb-vector-search==0.16.0 tiledb==0.36.1 numpy==2.3.5
cd "$work"
venv/bin/python -W ignore - <<'PY'
import sys

import numpy as np
from tiledb.vector_search._tiledbvspy import DistanceMetric
from tiledb.vector_search.ingestion import ingest

COUNT, LENGTH, QUERIES, TOP = 1000, 16, 50, 10
draw = np.random.default_rng(0)
signed = (draw.standard_normal((COUNT, LENGTH)) * draw.uniform(0.3, 3, (COUNT, 1))).astype(np.float32)
queries = draw.standard_normal((QUERIES, LENGTH)).astype(np.float32)
whole = np.clip(20 * signed, -127, 127).astype(np.int8)
CASES = {
    "of both signs": (signed, queries, DistanceMetric.INNER_PRODUCT),
    "of both signs, as int8": (whole, queries, DistanceMetric.INNER_PRODUCT),
    "only positive": (np.abs(signed), np.abs(queries), DistanceMetric.INNER_PRODUCT),
    "of both signs, by COSINE": (signed, queries, DistanceMetric.COSINE),
}
is_as_seen = True
for number, (name, (vectors, asked, metric)) in enumerate(CASES.items()):
    index = ingest(index_type="FLAT", index_uri=f"index-{number}", input_vectors=vectors, distance_metric=metric)
    distances, ids = index.query(asked, k=TOP)
    products = asked @ vectors.astype(np.float32).T
    scores = products / np.linalg.norm(vectors.astype(np.float32), axis=1) if metric == DistanceMetric.COSINE else products
    best = np.argsort(-scores, axis=1)[:, :TOP]
    recall = float(np.mean([len(set(row.astype(int)) & set(wanted)) / TOP for row, wanted in zip(ids, best, strict=True)]))
    firsts = ids[:, 0].astype(int)
    better = float(np.mean([(row > row[first]).sum() for row, first in zip(scores, firsts, strict=True)]))
    shown = products[0, ids[0, :3].astype(int)]
    print(f"{name:28}recall {recall:.2f}, better {better:.0f}, first three {np.round(shown, 2)}, best {products[0].max():.2f}")
    if number < 2:
        is_as_seen &= recall == 0 and better > 300 and float(np.abs(distances[0, :3] - shown).max()) < 1e-2
    else:
        is_as_seen &= recall > 0.999
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
