"""The embedded engine with a million vectors: loading, building, memory, latency and recall, compared with a hundred thousand.

Usage: python -m bench.million [--points 1000000] [--dim 128] [--queries 500] [--folder FOLDER]
Vectors are synthetic and clustered, like those of photos; int8 in memory, rescored by the full vectors on disk. With --folder, the
indexes are kept there, and the next run measures them without building them again. Prints a table, writes
bench/results/million.json. Building takes more than half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.tables import publish
from embeddings.vector_index.base import IndexCollection, Point, VectorQuery
from embeddings.vector_index.edge import EdgeVectorIndex

TOP = 10
SEED = 7
BLOCK = 20_000
POINTS_A_CLUSTER = 50

Vectors = NDArray[np.float32]


def main() -> None:
    """Build both sizes, then measure both, each in a process of its own."""
    options = _options()
    if options.measure:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        sizes = (options.points // 10, options.points)
        built = {points: _built(folder, points, options.dim) for points in sizes}
        measured = {points: _in_a_process_of_its_own(options, folder, points) for points in sizes}
    small, large = (measured[points] for points in sizes)
    rows = [{"points": points, **built[points], **measured[points]} for points in sizes]
    publish(
        "million",
        rows,
        {"dim": options.dim, "top": TOP, "p50, times that of a tenth": large["p50 ms"] / small["p50 ms"]},
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="keep the indexes here; default: a temporary folder")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _name(points: int, dim: int) -> str:
    return f"bench-{points}-{dim}"


def _blocks(points: int, dim: int) -> Iterator[Vectors]:
    """The points in blocks, float32 [BLOCK, dim] of unit length; the same ones each time."""
    centres, rng = _centres(points, dim), np.random.default_rng(SEED + 1)
    for start in range(0, points, BLOCK):
        yield _near(centres, rng, min(BLOCK, points - start))


def _queries(points: int, dim: int, count: int) -> Vectors:
    return _near(_centres(points, dim), np.random.default_rng(SEED + 2), count)


def _centres(points: int, dim: int) -> Vectors:
    return np.random.default_rng(SEED).normal(size=(points // POINTS_A_CLUSTER, dim)).astype(np.float32)


def _near(centres: Vectors, rng: np.random.Generator, count: int) -> Vectors:
    noise = rng.normal(size=(count, centres.shape[1])).astype(np.float32)
    rows = centres[rng.integers(len(centres), size=count)] + np.float32(0.7) * noise
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _built(folder: Path, points: int, dim: int) -> dict[str, Any]:
    """Build the index, and save the figures of the build beside it for later measurements."""
    notes = folder / f"{_name(points, dim)}.json"
    if notes.exists():
        kept: dict[str, Any] = json.loads(notes.read_text())
        return kept
    with closing(EdgeVectorIndex(folder, quantization="int8")) as index:
        name = _name(points, dim)
        index.drop(name)
        index.ensure(IndexCollection(name, dim), bulk_load=True)
        written, loading_s = 0, 0.0
        for rows in _blocks(points, dim):
            batch = [_point(written + i, row) for i, row in enumerate(rows)]
            started = time.perf_counter()
            index.upsert(name, batch)
            loading_s += time.perf_counter() - started
            written += len(batch)
            # As a reindex does: reopening the embedded engine frees the memory of new points.
            index.close(name)
        print(f"{points:,} loaded in {loading_s:.0f} s", flush=True)
        started = time.perf_counter()
        index.optimise(name)
        building_s = time.perf_counter() - started
        print(f"{points:,} built in {building_s:.0f} s", flush=True)
    built = {"points/s loaded": points / loading_s, "build s": building_s, "disk MB": _disk_mb(folder / name)}
    notes.write_text(json.dumps(built))
    return built


def _point(number: int, row: Vectors) -> Point:
    about = {"product_id": number, "category": [f"department {number % 10}"], "brand": f"brand {number % 200}"}
    return Point(number, row, {**about, "price": float(number % 500), "available": True, "active": True})


def _disk_mb(folder: Path) -> float:
    """The space that the files use; they are sparse."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


def _in_a_process_of_its_own(options: argparse.Namespace, folder: Path, points: int) -> dict[str, Any]:
    arguments = [
        "--points",
        points,
        "--dim",
        options.dim,
        "--queries",
        options.queries,
        "--folder",
        folder,
        "--measure",
    ]
    command = [sys.executable, "-m", "bench.million", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure latency and memory first, then compute the exact results to compare with."""
    name = _name(options.points, options.dim)
    targets = _queries(options.points, options.dim, options.queries)
    with closing(EdgeVectorIndex(options.folder, quantization="int8")) as index:
        # Twice, because the first pass reads the files.
        for _ in range(2):
            found, times = [], []
            for target in targets:
                started = time.perf_counter()
                hits = index.query(name, VectorQuery(positive=[target], limit=TOP))
                times.append(1e3 * (time.perf_counter() - started))
                found.append({hit.id for hit in hits})
        memory_mb = _resident_mb()
    exact = _exact(options, targets)
    shared = sum(len(ids & set(best)) for ids, best in zip(found, exact, strict=True))
    return {
        "memory MB": memory_mb,
        "p50 ms": float(np.median(times)),
        "p99 ms": float(np.percentile(times, 99)),
        "recall@10": shared / (TOP * len(targets)),
    }


def _exact(options: argparse.Namespace, targets: Vectors) -> list[list[int]]:
    scores = np.empty((len(targets), 0), dtype=np.float32)
    ids = np.empty((len(targets), 0), dtype=np.int64)
    first = 0
    for rows in _blocks(options.points, options.dim):
        scores = np.concatenate([scores, targets @ rows.T], axis=1)
        ids = np.concatenate([ids, np.tile(np.arange(first, first + len(rows)), (len(targets), 1))], axis=1)
        best = np.argsort(-scores, axis=1)[:, :TOP]
        scores, ids = np.take_along_axis(scores, best, axis=1), np.take_along_axis(ids, best, axis=1)
        first += len(rows)
    return [[int(each) for each in row] for row in ids]


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1e3


if __name__ == "__main__":
    main()
