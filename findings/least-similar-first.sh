#!/usr/bin/env bash
# Package: pyseekdb 1.4.0.post1 with pylibseekdb 1.4.0.post1 (OceanBase's vector database inside a Python process; with NumPy 2.4.6).
#
# Behaviour: a collection with the distance "inner_product" answers with the least similar vectors, least of all first: results are sorted
# by the inner product from the smallest up, as by a distance. With "l2" and "cosine" they are right. Those two find nothing for the first
# moments after `add` (a second or two), while `count` has all and nothing is raised; "inner_product" answers at once.
#
# Seen: 1,000 random vectors of 32 dimensions and length 1, so that all three have one order; of the ten results for 20 queries, how many
# are among the ten nearest, and among the ten farthest.
#
#     distance         at once                            later
#     l2               no results                         1.00 nearest, 0.00 farthest
#     cosine           no results                         1.00 nearest, 0.00 farthest
#     inner_product    0.00 nearest, 1.00 farthest        0.00 nearest, 1.00 farthest
#
# Why guesses are wrong: the three are offered side by side as ways to compute similarity, and which end of the scale is near is what a
# database is expected to know; others turn the sign, or sort downwards. `distances` are inner products, sorted upwards as distances should
# be, so that an answer looks in order. Random vectors in a test have small products of both signs, and what comes back is always full and
# never the query itself, which many leave out anyway. A recommender built so shows what fits least; and "nothing found", asked just after
# adding, looks like an empty collection, which the same collection by inner product does not.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyseekdb==1.4.0.post1 pylibseekdb==1.4.0.post1 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import os
import sys
import time

import numpy as np
import pyseekdb

VECTORS, DIMENSIONS, QUERIES = 1_000, 32, 20
draw = np.random.default_rng(0)
vectors = draw.standard_normal((VECTORS, DIMENSIONS))
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
queries = draw.standard_normal((QUERIES, DIMENSIONS))
database = pyseekdb.Client(path=os.path.join(os.getcwd(), "seek.db"), database="test")


def shares(collection):
    """How many results there are, and which shares of ten are among the nearest and the farthest."""
    results, near, far = 0, 0, 0
    for query in queries:
        ids = {int(id_) for id_ in collection.query(query_embeddings=query.tolist(), n_results=10)["ids"][0]}
        order = np.argsort(vectors @ query)
        results += len(ids)
        near += len(ids & set(order[-10:].tolist()))
        far += len(ids & set(order[:10].tolist()))
    return results, near / (10 * QUERIES), far / (10 * QUERIES)


is_as_seen = True
for distance in ("l2", "cosine", "inner_product"):
    configuration = pyseekdb.HNSWConfiguration(dimension=DIMENSIONS, distance=distance)
    collection = database.create_collection(distance, configuration=configuration, embedding_function=None)
    collection.add(ids=[str(id_) for id_ in range(VECTORS)], embeddings=vectors.tolist())
    at_once = len(collection.query(query_embeddings=queries[0].tolist(), n_results=10)["ids"][0])
    started = time.monotonic()
    while shares(collection)[0] < 10 * QUERIES and time.monotonic() - started < 60:
        time.sleep(0.2)
    waited = time.monotonic() - started
    results, near, far = shares(collection)
    print(f"{distance:16}counted {collection.count()}, results at once {at_once}, full after {waited:.1f} s: near {near:.2f}, far {far:.2f}")
    is_as_seen &= results == 10 * QUERIES and collection.count() == VECTORS
    is_as_seen &= (near, far) == (0.0, 1.0) and at_once == 10 if distance == "inner_product" else near > 0.95 and far == 0
sys.stdout.flush()
os._exit(0 if is_as_seen else print("it behaves in another way now", file=sys.stderr) or 1)
PY
