#!/usr/bin/env bash
# Package: qdrant-edge-py 0.9.0 (Qdrant's engine inside a Python process).
#
# Behaviour: among points with the same score, which come back depends on `limit` and `offset`. The first 4 are not the first 4 of
# the first 12, and paging by `offset` shows some points twice and others never. The same request gives the same answer again.
#
# Seen: 60 points with one and the same vector, written in a mixed order.
#
#     limit 4:   5 21 34 23
#     limit 12:  5 21 34 37 55 58 52 42 10 59 35 23
#     six pages of ten: 60 hits, 55 different points
#
# Why guesses are wrong: an exact search over points that nobody changes looks like a sorted list that is cut off, and a list has one
# order. Ties are no rarity: products that share one picture have one vector. Whoever needs pages or stable answers asks for more while
# the last score repeats, and orders ties by a key of their own.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import random
import sys
import tempfile

import qdrant_edge as edge

POINTS, PAGE = 60, 10
config = edge.EdgeConfig(vectors=edge.EdgeVectorParams(size=4, distance=edge.Distance.Cosine))
shard = edge.EdgeShard.create(tempfile.mkdtemp(), config)
numbers = list(range(POINTS))
random.Random(3).shuffle(numbers)
shard.update(edge.UpdateOperation.upsert_points([edge.Point(number, [1.0, 0.0, 0.0, 0.0], {}) for number in numbers]))


def ask(limit, offset=0):
    request = edge.QueryRequest(limit=limit, offset=offset, query=edge.Query.Nearest([1.0, 0.0, 0.0, 0.0]))
    return [hit.id for hit in shard.query(request)]


few, more = ask(4), ask(12)
paged = [number for offset in range(0, POINTS, PAGE) for number in ask(PAGE, offset)]
print("limit 4:  ", *few)
print("limit 12: ", *more)
print(f"{POINTS // PAGE} pages of {PAGE}: {len(paged)} hits, {len(set(paged))} different points")
unchanged = few != more[:4] and len(paged) == POINTS and len(set(paged)) < POINTS and ask(12) == more
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
