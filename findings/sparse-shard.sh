#!/usr/bin/env bash
# Package: qdrant-edge-py 0.9.0.
#
# Behaviour: the files of a shard are made at their full size from the beginning (two logs, a page of payloads and a chunk of vectors of 32 MiB
# each), and stay sparse. The shard is small on the disk where it was made, and becomes as large as its files say with the first
# copy by a tool that does not look for holes: Python's `shutil.copytree` fills them with zeros, and so does what packs or uploads
# a file as it reads it.
#
# Seen: 100 vectors of 64 numbers (26 kB), each with a short payload.
#
#                          as the files say    on the disk
#     an empty shard            103 MB            0.0 MB
#     100 points                136 MB            0.2 MB
#     its copy                  136 MB          136.4 MB
#
# Why guesses are wrong: an engine for small devices is expected to ship a shard of about the size of its vectors, and `du` says so
# where it was built. What is sent to the device is 5,000 times as much. A copy that keeps holes (`cp --sparse=always`, `rsync --sparse`,
# `tar --sparse`) stays small, and a compressed archive is small on its way alone.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check qdrant-edge-py==0.9.0 numpy==2.4.0
"$work/venv/bin/python" - "$work" <<'PY'
import shutil
import sys
from pathlib import Path

import numpy as np
import qdrant_edge as engine

POINTS, DIM = 100, 64
folder, copy = Path(sys.argv[1], "shard"), Path(sys.argv[1], "copy")


def megabytes(folder):
    states = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(state.st_size for state in states) / 1e6, sum(state.st_blocks * 512 for state in states) / 1e6


folder.mkdir()
config = engine.EdgeConfig(vectors={"": engine.EdgeVectorParams(size=DIM, distance=engine.Distance.Cosine)})
shard = engine.EdgeShard.create(str(folder), config)
seen = {"an empty shard": megabytes(folder)}
vectors = np.random.default_rng(0).standard_normal((POINTS, DIM)).astype(np.float32)
points = [engine.Point(number, vector.tolist(), {"sku": f"s{number}"}) for number, vector in enumerate(vectors)]
shard.update(engine.UpdateOperation.upsert_points(points))
shard.flush()
del shard
seen[f"{POINTS} points"] = megabytes(folder)
shutil.copytree(folder, copy)
seen["its copy"] = megabytes(copy)

print(f"{vectors.nbytes / 1e3:.0f} kB of vectors{'':8}as the files say    on the disk")
for name, (said, used) in seen.items():
    print(f"{name:24}{said:10.0f} MB      {used:10.1f} MB")
said, used = seen[f"{POINTS} points"]
if not (said > 100 and used < 2 and seen["its copy"][1] > 100):
    sys.exit("a shard is not as large as this any more, or its copy not")
PY
