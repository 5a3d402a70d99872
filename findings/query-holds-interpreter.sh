#!/usr/bin/env bash
# Package: qdrant-edge-py 0.9.0 (Qdrant's engine inside a Python process).
#
# Behaviour: a query holds Python's interpreter until it is answered, though it runs in threads of the engine's own.
#
# Seen: one thread compares 20,000 vectors, and another counts meanwhile. A sleep lets the other one count,
# and gets the interpreter back after the switch interval of 0.2 s.
#
#     one query: 11.2 ms, counted meanwhile: 0
#     as long a sleep: 228.0 ms, counted meanwhile: 455785
#
# Why guesses are wrong: a shard has a pool of search threads, as many as there are processors, so one expects that Python's other
# threads run while it works. They wait, and so does the thread that asks. With `max_search_threads=1` the query runs in that thread,
# takes less processor time, and holds the interpreter just as long.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0
"$work/venv/bin/python" - "$work/shard" <<'PY'
import os
import random
import sys
import threading
import time

import qdrant_edge as engine

os.makedirs(sys.argv[1])
sys.setswitchinterval(0.2)  # nobody takes the interpreter from the thread that asks, unless it lets go
shard = engine.EdgeShard.create(
    sys.argv[1], engine.EdgeConfig(vectors=engine.EdgeVectorParams(size=256, distance=engine.Distance.Cosine))
)
draw = random.Random(0)
vectors = [[draw.gauss(0, 1) for _ in range(256)] for _ in range(20_000)]
for start in range(0, len(vectors), 1000):
    points = [engine.Point(start + i, row, {}) for i, row in enumerate(vectors[start : start + 1000])]
    shard.update(engine.UpdateOperation.upsert_points(points))
query = engine.QueryRequest(
    limit=10, query=engine.Query.Nearest(vectors[0]), params=engine.SearchParams(exact=True)
)
counts, ended = 0, threading.Event()


def count() -> None:
    global counts
    while not ended.is_set():
        counts += 1


threading.Thread(target=count).start()
for name, wait in (("one query", lambda: shard.query(query)), ("as long a sleep", lambda: time.sleep(took))):
    time.sleep(0.1)
    before, started = counts, time.perf_counter()
    wait()
    took = time.perf_counter() - started
    print(f"{name}: {1e3 * took:.1f} ms, counted meanwhile: {counts - before}")
ended.set()
PY
