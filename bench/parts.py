"""Colour and pattern: what the nearest products share with a product, what describing a photo costs, and how a query is best made.

Usage: python -m bench.parts [--products 300] [--points 20000] [--queries 100]
The demo's products have known colours, patterns and categories. `ceiling` orders products by these themselves: no vectors can do
better. The second table compares two ways to weigh parts, with synthetic vectors in the embedded engine: parts joined in the
index, and the nearest by shape put in order again by parts that are read from the database.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.tables import Row, median, publish
from embeddings.backends import get_encoder
from embeddings.parts.describe import DESCRIBED_AT_ONCE, describe_all
from embeddings.parts.layout import CURRENT, LAYOUTS, MODES, PARTS, Layout, Weights
from embeddings.vector_index.base import IndexCollection, Point, Vector, VectorQuery
from embeddings.vector_index.edge import EdgeVectorIndex
from storefront.demo.catalogue import DemoProduct, demo_products, draw_view

TOP, POOL = 8, 100
KNOWN = ("colour", "pattern", "category")
SIDE = 320


def known_of(products: Sequence[DemoProduct]) -> dict[str, NDArray[np.str_]]:
    """What is known of each product."""
    return {
        "colour": np.array([each.attributes["colour"] for each in products]),
        "pattern": np.array([each.attributes["pattern"] for each in products]),
        "category": np.array([each.category for each in products]),
    }


def shares(scores: NDArray[np.float32], known: dict[str, NDArray[np.str_]]) -> dict[str, float]:
    """How many of the TOP nearest products share each attribute. scores: float32 [n, n] between products."""
    scores = scores.copy()
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    return {name: float((values[nearest] == values[:, None]).mean()) for name, values in known.items()}


def demo_rows(count: int) -> tuple[list[Row], dict[str, float]]:
    """The shares of the demo, and the CPU time of a photo."""
    products = demo_products(count=count)
    photos = [draw_view(product, view, SIDE) for product in products for view in range(product.views)]
    owners = np.array([number for number, product in enumerate(products) for _ in range(product.views)])
    encoder = get_encoder()
    started = time.process_time()
    shapes = np.concatenate([encoder.encode([photo]) for photo in photos])
    encoded = time.process_time()
    few = [photos[start : start + DESCRIBED_AT_ONCE] for start in range(0, len(photos), DESCRIBED_AT_ONCE)]
    parts = np.concatenate([describe_all(each) for each in few])
    described = time.process_time()
    layout = Layout(encoder.dim, LAYOUTS[CURRENT])
    vectors, known = layout.joined(shapes, parts), known_of(products)
    found = default_weights(layout, vectors, owners, known["category"])

    def by(weights: Weights) -> dict[str, float]:
        asked = np.stack([layout.query(vector, weights) for vector in vectors])
        between = np.full((count, count), -np.inf, np.float32)
        np.maximum.at(between, (owners[:, None], owners[None]), asked @ vectors.T)
        return shares(between, known)

    named = {"shape alone": Weights(), f"default, {found}": found, **MODES, "colour alone": Weights(0, 1, 0),
             "pattern alone": Weights(0, 0, 1)}  # fmt: skip
    rows: list[Row] = [{"weights": name, **by(weights)} for name, weights in named.items()]
    same = {name: (values[:, None] == values).astype(np.float32) for name, values in known.items()}
    for name, (colour, pattern) in {"all alike": (0.99, 0.98), "category first": (0.6, 0.3)}.items():
        ideal = same["category"] + colour * same["colour"] + pattern * same["pattern"]
        rows.append({"weights": f"ceiling, {name}", **shares(ideal, known)})
    cost = {
        "encode, ms of CPU a photo": 1000 * (encoded - started) / len(photos),
        "describe, ms of CPU a photo": 1000 * (described - encoded) / len(photos),
    }
    return rows, cost


def default_weights(
    layout: Layout, vectors: NDArray[np.float32], owners: NDArray[np.int64], categories: NDArray[np.str_]
) -> Weights:
    """What the catalogue finds, from the first photo of each product."""
    import django

    django.setup()
    from embeddings.part_weights import best_weights

    first = np.unique(owners, return_index=True)[1]
    return best_weights(layout, vectors[first], categories, np.arange(len(first))).weights


def query_rows(count: int, asked: int) -> list[Row]:
    """Recall of the exact answer and p50 of joined parts and of a pool that is put in order again."""
    random = np.random.default_rng(0)
    layout = Layout(256, LAYOUTS[CURRENT])
    shapes, parts = (
        _clustered(random, count, layout.shape, 50),
        [_clustered(random, count, part.length, 12) for part in layout.parts],
    )
    vectors = layout.joined(shapes, np.concatenate(parts, axis=1))
    queries = random.permutation(count)[:asked]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        index = EdgeVectorIndex(Path(folder))
        for name, matrix in (("shape", shapes), ("joined", vectors)):
            index.ensure(IndexCollection(name, matrix.shape[1]), bulk_load=True)
            for start in range(0, count, 1000):
                block = enumerate(matrix[start : start + 1000], start)
                index.upsert(name, [Point(row, vector, {"product_id": row}) for row, vector in block])
            index.optimise(name)
        database = sqlite3.connect(Path(folder) / "parts.sqlite3")
        database.execute("CREATE TABLE parts (id INTEGER PRIMARY KEY, vector BLOB)")
        stored = ((row, vector.astype("<f2").tobytes()) for row, vector in enumerate(vectors))
        database.executemany("INSERT INTO parts VALUES (?, ?)", stored)
        ways: dict[str, Callable[[Vector, Weights], list[int]]] = {
            "shape alone, no parts": lambda vector, _: _ids(index, "shape", vector[: layout.shape], TOP),
            "joined": lambda vector, weights: _ids(index, "joined", layout.query(vector, weights), TOP),
            f"pool of {POOL}": lambda vector, weights: _reranked(index, database, layout, vector, weights),
        }
        for weights in (Weights(1, 0.2, 0.1), Weights(1, 1, 0.5), *MODES.values()):
            exact = [_exact(layout, vectors, vectors[row], weights) for row in queries]
            for name, way in ways.items():
                seconds, found = [], []
                for row in queries:
                    started = time.perf_counter()
                    found.append(way(vectors[row], weights))
                    seconds.append(time.perf_counter() - started)
                recall = np.mean([len({*one} & {*other}) / TOP for one, other in zip(found, exact, strict=True)])
                rows.append(
                    {"weights": str(weights), "way": name, "recall": float(recall), "p50 ms": 1000 * median(seconds)}
                )
        index.close()
    return rows


def _clustered(random: np.random.Generator, count: int, length: int, size: int) -> NDArray[np.float32]:
    """Unit vectors in clusters of so many, each part in clusters of its own."""
    centres = random.standard_normal((count // size + 1, length))
    vectors = centres[random.integers(len(centres), size=count)] + 0.6 * random.standard_normal((count, length))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _ids(index: EdgeVectorIndex, name: str, target: Vector, limit: int) -> list[int]:
    return [hit.id for hit in index.query(name, VectorQuery(positive=(target,), limit=limit))]


def _reranked(
    index: EdgeVectorIndex, database: sqlite3.Connection, layout: Layout, vector: Vector, weights: Weights
) -> list[int]:
    ids = _ids(index, "shape", vector[: layout.shape], POOL)
    marks = ",".join("?" * len(ids))
    rows = database.execute(f"SELECT id, vector FROM parts WHERE id IN ({marks})", ids).fetchall()  # noqa: S608  # numbers
    matrix = np.frombuffer(b"".join(each for _, each in rows), "<f2").astype(np.float32).reshape(len(rows), -1)
    order = np.argsort(-(matrix @ layout.query(vector, weights)))[:TOP]
    return [rows[place][0] for place in order]


def _exact(layout: Layout, vectors: NDArray[np.float32], vector: Vector, weights: Weights) -> list[int]:
    nearest: list[int] = np.argsort(-(vectors @ layout.query(vector, weights)))[:TOP].tolist()
    return nearest


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    rows, cost = demo_rows(options.products)
    publish("parts", rows, {"products": options.products, "top": TOP, "parts": ", ".join(PARTS), **cost})
    publish("parts_queries", query_rows(options.points, options.queries), {"points": options.points, "top": TOP})


if __name__ == "__main__":
    main()
