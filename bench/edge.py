"""Memory and time of an exported folder's runner on one core, with at most 300 MB of memory of its own.

Usage: manage.py export_edge --out FOLDER; python -m bench.edge FOLDER PHOTO [--points 100000]
The runner is a child on one core whose own memory (RLIMIT_DATA) is limited; files that it maps are the kernel's, which takes their
pages back. `resident` counts both. "start": until the model, the shard and the cards are open. "ask": from the file of a photo to
its answer, the median of the photo asked 20 times. --points: also with so many random vectors in the shard, by the same engine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import qdrant_edge as engine

from bench.tables import Row, publish

LIMIT_MB = 300
TIMES = 20
_BATCH = 1000
CHILD = """
import json, resource, sys, time
from pathlib import Path
start = time.perf_counter()
sys.path.insert(0, sys.argv[1])
from similar import Similar
similar = Similar(Path(sys.argv[1]))
started, asked = time.perf_counter() - start, []
for _ in range(int(sys.argv[3])):
    before = time.perf_counter()
    found = similar.to(Path(sys.argv[2]))
    asked.append(time.perf_counter() - before)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak, own = (int(status[name].split()[0]) / 1024 for name in ("VmHWM", "RssAnon"))
first, middle = asked[0], sorted(asked)[len(asked) // 2]
print(json.dumps({"start s": started, "first ask ms": 1000 * first, "ask ms": 1000 * middle,
                  "resident MB": peak, "of its own MB": own, "products found": len(found)}))
"""


def limited() -> None:
    """In the child: one core, and so much memory of its own."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_MB * 1024**2, LIMIT_MB * 1024**2))


def measured(folder: Path, photo: Path) -> Row:
    """One run of the runner."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(photo), str(TIMES)],
        preexec_fn=limited, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"with {LIMIT_MB} MB it failed: {done.stderr.strip().splitlines()[-1:]}")
    points = json.loads((folder / "edge.json").read_text())["photos"]
    return {"points": points, **json.loads(done.stdout)}


def enlarged(folder: Path, copy: Path, points: int) -> None:
    """A copy of the folder with so many random points, each of a product of its own."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("photos", "page"))
    about = json.loads((copy / "edge.json").read_text())
    cards = json.loads((copy / "cards.json").read_text())
    shard = engine.EdgeShard.load(str(copy / "shard"))
    (record,) = shard.retrieve([_some_id(shard)], False, True)
    size = np.asarray(record.vector).size
    random, last = np.random.default_rng(0), max(card["id"] for card in cards)
    for start in range(0, points, _BATCH):
        vectors = random.standard_normal((_BATCH, size)).astype(np.float32)
        ids = [last + 1 + start + number for number in range(_BATCH)]
        batch = [
            engine.Point(1_000_000_000 + each, vector.tolist(), {"product_id": each})
            for each, vector in zip(ids, vectors, strict=True)
        ]
        shard.update(engine.UpdateOperation.upsert_points(batch))
        cards += [{**cards[0], "id": each, "family": each} for each in ids]
    shard.optimize()
    shard.close()
    (copy / "cards.json").write_text("[\n" + ",\n".join(map(json.dumps, cards)) + "\n]\n")
    about.update(photos=about["photos"] + points, products=len(cards))
    (copy / "edge.json").write_text(json.dumps(about))


def _some_id(shard: engine.EdgeShard) -> int:
    records, _ = shard.scroll(engine.ScrollRequest(limit=1, with_payload=False, with_vector=False))
    return int(records[0].id)


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--points", type=int, default=0)
    options = parser.parse_args()
    rows = [measured(options.folder, options.photo)]
    if options.points:
        with tempfile.TemporaryDirectory() as folder:
            enlarged(options.folder, Path(folder) / "edge", options.points)
            rows.append(measured(Path(folder) / "edge", options.photo))
    publish("edge", rows, {"limit of its own memory, MB": LIMIT_MB, "cores": 1})


if __name__ == "__main__":
    main()
