"""`similar` beside a view by Django and pgvector, as an engineer of a shop would write it: the same products, the same answers.

Usage: python -m bench.pgvector --postgres postgres://user@host:5432/database [--points 100000] [--seconds 10] [--keep FOLDER]
It needs a PostgreSQL server with the extension `vector` 0.8 or newer; the bench makes one table there and drops it. Both are
served by gunicorn with one process and 4 threads, in turns, 8 open connections, and no answer is kept. pgvector has its HNSW
index with default values, and an index over categories; a category has 5% of the products. `recall@10`: against exact
comparison, 100 products.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
import numpy as np
import psycopg
from numpy.typing import NDArray

from bench import PGVECTOR_TABLE
from bench.similar_latency import prepared, served
from bench.tables import median, publish
from bench.traffic import CONNECTIONS, Answers, Kind, asked
from tests.services.conftest import free_port

LIMIT, JUDGED = 10, 100
# The vectors of pgvector's table have no parts.
_BY_SHAPE = "weights=shape:1,colour:0,pattern:0"


_READ = """
    SELECT product.id, sku, title, product.slug, category.path, brand, price, available, file, vector
    FROM catalog_product AS product JOIN catalog_category AS category ON category.id = category_id
      JOIN catalog_productimage AS image ON product_id = product.id
      JOIN embeddings_imageembedding ON image_id = image.id
    ORDER BY product.id
"""


@dataclass(frozen=True)
class _Rows:
    """Products as both sides know them.

    Attributes:
        columns: what an answer shows of each, by id.
        categories: of each, by id.
        vectors: float32 [n, dim] of unit length; row 0 is that of id 1.
    """

    columns: Sequence[tuple[Any, ...]]
    categories: Sequence[str]
    vectors: NDArray[np.float32]


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", required=True, metavar="URL")
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        environment = prepared(options.keep or Path(temporary), options.points)
        django.setup()
        rows = _rows(Path(environment["DATA_DIR"]))
        with _filled(options.postgres, rows) as built_s, ExitStack() as stack:
            _measure(stack, environment, rows, options, built_s)


def _rows(data_dir: Path) -> _Rows:
    from embeddings.stored_vectors import vector_from_bytes

    with closing(sqlite3.connect(data_dir / "lookalike.sqlite3")) as connection:
        columns, vectors = [], []
        for *shown, vector in connection.execute(_READ):
            columns.append(tuple(shown))
            vectors.append(vector_from_bytes(vector))
    found = np.stack(vectors)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return _Rows(columns, [str(row[4]) for row in columns], found)


@contextmanager
def _filled(server: str, rows: _Rows) -> Iterator[float]:
    """The table of pgvector, filled; yields the seconds that its HNSW index took."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(f"DROP TABLE IF EXISTS {PGVECTOR_TABLE}")
        connection.execute(
            f"CREATE TABLE {PGVECTOR_TABLE} (id bigint PRIMARY KEY, sku text, title text, slug text, category text, brand text,"
            f" price numeric, available boolean, photo text, embedding vector({rows.vectors.shape[1]}))"
        )
        try:
            with connection.cursor() as cursor, cursor.copy(f"COPY {PGVECTOR_TABLE} FROM STDIN") as copy:
                for columns, vector in zip(rows.columns, rows.vectors, strict=True):
                    copy.write_row((*columns, str(vector.tolist())))
            connection.execute("SET maintenance_work_mem = '1GB'")
            started = time.monotonic()
            connection.execute(f"CREATE INDEX ON {PGVECTOR_TABLE} USING hnsw (embedding vector_cosine_ops)")
            built_s = time.monotonic() - started
            connection.execute(f"CREATE INDEX ON {PGVECTOR_TABLE} (category)")
            connection.execute(f"VACUUM ANALYZE {PGVECTOR_TABLE}")
            yield built_s
        finally:
            connection.execute(f"DROP TABLE {PGVECTOR_TABLE}")


def _measure(
    stack: ExitStack, environment: dict[str, str], rows: _Rows, options: argparse.Namespace, built_s: float
) -> None:
    ids = range(1, len(rows.columns) + 1)
    ours = served(stack, environment, Path.cwd(), 4)
    theirs, iterative = (_plain(stack, options.postgres, scan) for scan in ("off", "strict_order"))

    def own(id_: int) -> str:
        return f"category={rows.categories[id_ - 1]}"

    sides: dict[str, tuple[str, Callable[[int], str], bool]] = {
        "Lookalike": (ours, lambda id_: f"/api/products/{id_}/similar?limit=10", False),
        "Lookalike, by shape": (ours, lambda id_: f"/api/products/{id_}/similar?limit=10&{_BY_SHAPE}", False),
        "pgvector": (theirs, lambda id_: f"/similar/{id_}", False),
        "Lookalike, 5% filter": (ours, lambda id_: f"/api/products/{id_}/similar?limit=10&{own(id_)}", True),
        "Lookalike, by shape, 5% filter": (
            ours, lambda id_: f"/api/products/{id_}/similar?limit=10&{_BY_SHAPE}&{own(id_)}", True,
        ),
        "pgvector, 5% filter": (theirs, lambda id_: f"/similar/{id_}?{own(id_)}", True),
        "pgvector, 5% filter, iterative scan": (iterative, lambda id_: f"/similar/{id_}?{own(id_)}", True),
    }  # fmt: skip
    rounds: dict[str, list[Answers]] = {name: [] for name in sides}
    for number in range(options.rounds + 1):
        for name, (base, address, _) in sides.items():
            kind = Kind(1, [address(id_) for id_ in ids], once=True)
            answers = asked(base, {name: kind}, options.seconds)
            if answers.failures:
                raise SystemExit(answers.failures[0])
            if number:  # the first round fills caches
                rounds[name].append(answers)
    judged = random.Random(1).sample(ids, JUDGED)
    table = []
    for name, (base, address, filtered) in sides.items():
        found = {id_: _found(base, address(id_)) for id_ in judged}
        row = {
            "answers by": name,
            "answers/s": median([each.rate for each in rounds[name]]),
            "p50 ms": median([each.percentile_ms(name, 50) for each in rounds[name]]),
            "times pgvector's answers/s": median(
                [one.rate / other.rate for one, other in zip(rounds[name], rounds[_beside(filtered)], strict=True)]
            ),
            "full answers": sum(len(each) == LIMIT for each in found.values()) / JUDGED,
        }
        # Parts weigh in the first, so that its order is another.
        if "shape" in name or "pgvector" in name:
            row["recall@10"] = float(
                np.mean([_recall(rows, id_, each, filtered=filtered) for id_, each in found.items()])
            )
        table.append(row)
    publish(
        "pgvector", table, {"points": len(rows.columns), "connections": CONNECTIONS, "HNSW of pgvector, s": built_s}
    )


def _beside(filtered: bool) -> str:
    return "pgvector, 5% filter, iterative scan" if filtered else "pgvector"


def _plain(stack: ExitStack, server: str, scan: str) -> str:
    """Start the server of bench/pgvector_shop.py; returns its address once it answers."""
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bench.pgvector_shop",
        "PGVECTOR_URL": server,
        "HNSW_ITERATIVE_SCAN": scan,
    }
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "django.core.wsgi:get_wsgi_application()",
        "--bind",
        f"127.0.0.1:{port}",
    ]
    command += ["--workers", "1", "--threads", "4", "--keep-alive", "60", "--log-level", "error"]
    process = subprocess.Popen(command, env=environment)
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    base = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            _found(base, "/similar/1")
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return base
    raise SystemExit("the server of pgvector's answers did not start")


def _found(base: str, address: str) -> list[int]:
    """Ids of the products of an answer."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    connection.request("GET", address)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{address}: {answer.status} {body[:300]!r}")
    return [int(result["product"]["id"]) for result in json.loads(body)["results"]]


def _recall(rows: _Rows, product_id: int, found: Sequence[int], *, filtered: bool) -> float:
    scores = rows.vectors @ rows.vectors[product_id - 1]
    scores[product_id - 1] = -np.inf
    if filtered:
        own = np.array([category == rows.categories[product_id - 1] for category in rows.categories])
        scores[~own] = -np.inf
    nearest = set((np.argsort(-scores)[:LIMIT] + 1).tolist())
    return len(nearest & set(found)) / LIMIT


if __name__ == "__main__":
    main()
