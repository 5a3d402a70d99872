"""Shops for load tests: a catalogue of real photos, and the two ways to serve it."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import SECRET_KEY
from bench.tables import real_data
from bench.traffic import Kind
from tests.drawings import write_patchworks
from tests.services.conftest import (
    ROOT,
    RedisServer,
    Server,
    Site,
    find_redis,
    free_port,
    fresh_database,
    running_postgres,
)
from tests.services.faults import start_beat

PATIENCE_S = 900
# As in `make demo` and docker-compose.yml.
THREADS = 4
SEARCHED = 200
PAGES = 50
# Another name of this machine: Qdrant's client opens a new connection per request to 127.0.0.1, and keeps connections to other
# hosts.
STANDIN_HOST = "127.0.0.2"

BASE: dict[str, Any] = {
    "DJANGO_SETTINGS_MODULE": "bench.served",
    "PYTHONPATH": str(ROOT),
    "DEBUG": "false",
    "SECRET_KEY": SECRET_KEY,
    "LOG_LEVEL": "WARNING",
    "ENCODER_THREADS": str(os.cpu_count() or 1),
}


@dataclass(frozen=True)
class Catalogue:
    """A file for import_catalog with the folder of its photos, and photos that are not in it."""

    file: Path
    images: Path
    spare: Sequence[Path]


@dataclass(frozen=True)
class Shop:
    """An installation, and its web server once it serves."""

    site: Site
    workers: int

    def fill(self, catalogue: Catalogue) -> None:
        """Import the catalogue and index it in the command, which is faster than a busy worker."""
        command = ("import_catalog", str(catalogue.file), "--images", str(catalogue.images))
        self.site.manage(*command, CELERY_BROKER_URL="", REDIS_URL="")
        self.site.wait_until(lambda: set(self.site.states()) == {"indexed"})

    def serve(self) -> Server:
        """Start as many web processes as this way to serve allows."""
        return self.site.serve(workers=self.workers, threads=THREADS)

    def products(self) -> list[int]:
        """Ids, ascending."""
        return [id_ for (id_,) in self.site.query("SELECT id FROM catalog_product ORDER BY id")]


def write_catalogue(folder: Path, products: int, *, one_photo_each: bool = False) -> Catalogue:
    """Write a catalogue of products with real photos, or with drawn ones if REAL_DATA is not set.

    Products of Magento have several photos each unless `one_photo_each`; all others have one.
    """
    folder.mkdir()
    draw = random.Random(7)
    if os.environ.get("REAL_DATA"):
        images = real_data() / "data"
        things = _real_things(images)
    else:
        images = write_patchworks(folder / "images", products + SEARCHED)
        things = [[path] for path in sorted(images.rglob("*.jpg"))]
    draw.shuffle(things)
    if len(things) < products:
        raise SystemExit(f"there are photos for {len(things):,} products, not for {products:,}")
    with (folder / "catalogue.jsonl").open("w") as file:
        for number, photos in enumerate(things[:products]):
            where = photos[0].relative_to(images)
            record = {
                "sku": f"SKU-{number:05}",
                "title": f"{where.parent.name} {number}".capitalize(),
                "description": f"Number {number} of its kind.",
                "category": ["Shop", *where.parent.parts[-2:]],
                "brand": f"Brand {draw.randrange(40)}",
                "price": f"{draw.randrange(100, 50_000) / 100:.2f}",
                "available": draw.random() < 0.9,
                "image": [str(path.relative_to(images)) for path in photos[: 1 if one_photo_each else None]],
            }
            file.write(json.dumps(record) + "\n")
    rest = things[products:] or things
    return Catalogue(folder / "catalogue.jsonl", images, [photos[0] for photos in rest[:SEARCHED]])


def _real_things(images: Path) -> list[list[Path]]:
    """The photos of each product."""
    folders = [images / name for name in ("clothing/train", "clothing/validation", "grocery/train", "grocery/val")]
    things = [[path] for folder in folders for path in sorted(folder.rglob("*.jpg"))]
    several: dict[str, list[Path]] = {}
    with (images / "magento_luma/images.csv").open() as file:
        for row in csv.DictReader(file):
            several.setdefault(row["product_id"], []).append(images / "magento_luma/images" / row["file"])
    return [*things, *several.values()]


def visitors(products: Sequence[int], catalogue: Catalogue) -> dict[str, Kind]:
    """The requests of visitors: mostly similar products, sometimes a page of the catalogue or a search by photo."""
    return {
        "similar": Kind(90, [f"/api/products/{product}/similar" for product in products]),
        "product list": Kind(
            4, [f"/api/products?page={page + 1}" for page in range(min(PAGES, len(products) // 24 + 1))]
        ),
        "product": Kind(4, [f"/api/products/{product}" for product in products]),
        "photo search": Kind(2, ["/api/collections/all/search"], [str(photo) for photo in catalogue.spare]),
    }


@contextmanager
def one_process(folder: Path) -> Iterator[Shop]:
    """As in `make demo`: one web process that owns the embedded index and embeds photos, and SQLite."""
    folder.mkdir()
    site = Site(folder, patience_s=PATIENCE_S, **BASE)
    try:
        site.manage("migrate", "--verbosity", "0")
        yield Shop(site, workers=1)
    finally:
        site.stop()


@contextmanager
def two_processes(folder: Path) -> Iterator[Shop]:
    """As in docker-compose.yml: two web processes, a worker, beat, PostgreSQL, Redis, and a stand-in for Qdrant.

    The stand-in is the embedded engine behind a web server in Python, which needs more CPU time than Qdrant.
    """
    folder.mkdir()
    with ExitStack() as stack:
        redis = RedisServer(find_redis(), folder)
        redis.start()
        stack.callback(redis.stop)
        qdrant = stack.enter_context(_qdrant_standin(folder / "qdrant"))
        site = Site(
            folder,
            patience_s=PATIENCE_S,
            **BASE,
            DATABASE_URL=stack.enter_context(fresh_database(stack.enter_context(running_postgres()))),
            REDIS_URL=redis.url,
            CELERY_BROKER_URL=redis.url,
            QDRANT_URL=qdrant,
            # One second suits Qdrant; the stand-in shares two busy cores with everything else.
            QDRANT_QUERY_TIMEOUT_S="10",
            PROMETHEUS_MULTIPROC_DIR=str(folder / "metrics"),
        )
        stack.callback(site.stop)
        site.manage("migrate", "--verbosity", "0")
        site.start_worker("-Q", "sync,embed,jobs")
        start_beat(site)
        yield Shop(site, workers=2)


WAYS: dict[str, Callable[[Path], AbstractContextManager[Shop]]] = {
    "one process": one_process,
    "two processes": two_processes,
}


@contextmanager
def _qdrant_standin(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "tests.deploy.qdrant_standin", STANDIN_HOST, str(port), "", str(folder)]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        yield f"http://{STANDIN_HOST}:{port}"
    finally:
        server.terminate()
        server.wait(20)
