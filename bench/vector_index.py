"""Speed and recall of each vector index, compared with exact NumPy: 20,000 x 256, with and without filters.

Usage: python -m bench.vector_index [--points 20000] [--dim 256] [--queries 200] [--skip-local]
Prints a table and writes bench/results/vector_index.json. Vectors are clustered, like those of photos.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bench.tables import publish
from embeddings.vector_index.base import Filter, IndexCollection, Point, Range, VectorIndex, VectorQuery
from embeddings.vector_index.edge import EdgeVectorIndex
from embeddings.vector_index.faiss import FaissVectorIndex
from embeddings.vector_index.faiss_structures import Kind
from embeddings.vector_index.qdrant import QdrantVectorIndex

TOP = 10
SEED = 7

Ask = Callable[[NDArray[np.float32], str], list[int]]


def main() -> None:
    """Measure, print and save the results."""
    options = _options()
    matrix, targets = _clustered(options.points, options.dim, options.queries)
    brands, prices = np.arange(options.points) % 20, np.arange(options.points) % 100
    passing = {
        "none": np.arange(options.points),
        "brand, 5%": np.flatnonzero(brands == 3),
        "price, 20%": np.flatnonzero(prices < 20),
    }
    filters = {
        "none": Filter(),
        "brand, 5%": Filter(match={"brand": "brand 3"}),
        "price, 20%": Filter(ranges={"price": Range(lte=19)}),
    }
    points = [
        Point(i, row, {"product_id": i, "brand": f"brand {brands[i]}", "price": float(prices[i])})
        for i, row in enumerate(matrix)
    ]

    def exact(target: NDArray[np.float32], wanted: str) -> list[int]:
        rows = passing[wanted]
        scores = matrix[rows] @ target if wanted != "none" else matrix @ target
        best = np.argpartition(-scores, TOP)[:TOP]
        return [int(rows[i]) for i in best[np.argsort(-scores[best])]]

    truth = {wanted: [exact(target, wanted) for target in targets] for wanted in passing}
    rows = [_measured("NumPy, exact", exact, targets, truth, loading_s=None)]
    with tempfile.TemporaryDirectory() as folder:
        # The threshold is lowered so that small runs measure the graph as well.
        edge = EdgeVectorIndex(folder, full_scan_threshold_kb=1000)
        rows.append(_engine("Qdrant Edge, HNSW", edge, points, filters, targets, truth))
        edge.close()
    for kind in get_args(Kind):
        with tempfile.TemporaryDirectory() as folder:
            faiss = FaissVectorIndex(folder, kind, approximate_from=1000)
            rows.append(_engine(f"FAISS, {kind}", faiss, points, filters, targets, truth))
            faiss.close()
    if not options.skip_local:
        warnings.simplefilter("ignore")  # the local mode warns about collections of this size
        local = QdrantVectorIndex(location=":memory:")
        rows.append(_engine("qdrant-client, local mode", local, points, filters, targets[:20], truth))
    _report(options, rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--skip-local", action="store_true", help="skip the local mode of qdrant-client, which is slow")
    return parser.parse_args()


def _clustered(points: int, dim: int, queries: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(SEED)
    centres = rng.normal(size=(max(1, points // 50), dim))
    rows = centres[rng.integers(len(centres), size=points + queries)] + 0.7 * rng.normal(size=(points + queries, dim))
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit[:points], unit[points:]


def _engine(
    name: str,
    index: VectorIndex,
    points: list[Point],
    filters: dict[str, Filter],
    targets: NDArray[np.float32],
    truth: dict[str, list[list[int]]],
) -> dict[str, Any]:
    started = time.perf_counter()
    index.ensure(IndexCollection("bench", len(targets[0])))
    for start in range(0, len(points), 5000):
        index.upsert("bench", points[start : start + 5000])
    loading_s = time.perf_counter() - started
    index.optimise("bench")
    print(f"{name}: loaded in {loading_s:.1f} s, optimised in {time.perf_counter() - started - loading_s:.1f} s")

    def ask(target: NDArray[np.float32], wanted: str) -> list[int]:
        query = VectorQuery(positive=[target], filter=filters[wanted], limit=TOP)
        return [hit.id for hit in index.query("bench", query)]

    return _measured(name, ask, targets, truth, loading_s)


def _measured(
    name: str, ask: Ask, targets: NDArray[np.float32], truth: dict[str, list[list[int]]], loading_s: float | None
) -> dict[str, Any]:
    answers = {}
    for wanted, right in truth.items():
        ask(targets[0], wanted)
        times, shared = [], 0
        for target, best in zip(targets, right, strict=False):
            started = time.perf_counter()
            hits = ask(target, wanted)
            times.append(time.perf_counter() - started)
            shared += len(set(hits) & set(best))
        answers[wanted] = {"p50_ms": float(np.median(times)) * 1e3, "recall": shared / (TOP * len(targets))}
    return {"engine": name, "loading_s": loading_s, "answers": answers}


def _report(options: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    baseline = rows[0]["answers"]
    table = []
    for row in rows:
        cells = {"engine": row["engine"]}
        for wanted, answer in row["answers"].items():
            cells[f"{wanted}: p50 ms"] = answer["p50_ms"]
            cells[f"recall ({wanted})"] = answer["recall"]
            cells[f"x NumPy ({wanted})"] = baseline[wanted]["p50_ms"] / answer["p50_ms"]
        table.append(cells)
    publish("vector_index", table, {"points": options.points, "dim": options.dim, "top": TOP})


if __name__ == "__main__":
    main()
