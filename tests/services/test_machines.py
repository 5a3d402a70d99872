"""Web machines, workers and a trainer with nothing in common but the database, the broker, Qdrant's address and an S3 server."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from uuid import uuid4

import pytest

from tests.s3_server import S3Server
from tests.services.conftest import PATIENCE_S, STAND_IN, Server, Site, free_port
from tests.services.test_storage_faults import noise
from tests.zips import PHOTOS, packed


@dataclass
class Machines:
    """Two web machines, and one each for embedding, jobs and trainings; every one with a folder of its own."""

    one: Server
    other: Server
    sites: list[Site]

    def wait_until(self, true: Callable[[], bool]) -> None:
        try:
            self.sites[0].wait_until(true)
        except AssertionError as error:
            raise AssertionError("\n".join(site.log() for site in self.sites)) from error

    def indexed(self, photos: int) -> None:
        self.wait_until(lambda: self.sites[0].states() == {"indexed": photos})

    def ended(self, job: Any) -> Any:
        address = f"/api/jobs/{job['id']}"
        self.wait_until(lambda: self.other.get(address)["state"] not in {"queued", "running"})
        return self.other.get(address)


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(server.base + path, body, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            content = answer.read()
            return answer.status, json.loads(content) if answer.headers[
                "Content-Type"
            ] == "application/json" else content
    except HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture
def machines(make_site: Any, postgres_url: str, redis_url: str, s3: S3Server) -> Machines:
    bucket = s3.make_bucket()
    index = make_site()
    port = free_port()
    index.start("-m", "tests.deploy.qdrant_standin", "127.0.0.1", str(port), "key", str(index.folder / "qdrant"))
    queue = f"lookalike-{uuid4().hex}"
    shared = {
        **STAND_IN,
        **s3.environment(bucket),
        "TEST_QUEUE": queue,
        "DATABASE_URL": postgres_url,
        "CELERY_BROKER_URL": redis_url,
        "QDRANT_URL": f"http://127.0.0.1:{port}",
        "QDRANT_API_KEY": "key",
        "API_WRITES": "open",
    }
    web, other, embedding, jobs, trainer = (make_site(**shared) for _ in range(5))
    embedding.start_worker("-Q", f"{queue}-sync,{queue}-embed", "--beat", f"--schedule={embedding.folder / 'beat'}")
    jobs.start_worker("-Q", f"{queue}-jobs", concurrency=1)
    trainer.start_worker("-Q", f"{queue}-train", concurrency=1)
    return Machines(web.serve(), other.serve(), [web, other, embedding, jobs, trainer, index])


def catalogue(count: int, first: int = 0) -> bytes:
    """A zip of photos, a folder a category."""
    return packed({f"mugs/{number}.png": noise(number, 100) for number in range(first, first + count)})


def test_machines_share_nothing_but_the_bucket(machines: Machines, s3: S3Server) -> None:
    status, job = ask(machines.one, "POST", "/api/imports", catalogue(4), **{"Content-Type": "application/zip"})
    assert status == 202
    assert machines.ended(job)["result"]["created"] == 4
    machines.indexed(4)
    product = machines.other.get("/api/products")["results"][0]
    assert len(machines.other.similar(product["id"])["results"]) == 3
    # The other machine redirects to a photo that the jobs' machine has stored, and makes its thumbnail.
    with urllib.request.urlopen(product["image"]) as answer:  # noqa: S310
        assert answer.url.startswith(s3.url)
        assert answer.read(8) == b"\x89PNG\r\n\x1a\n"
    for address in product["thumbnails"].values():
        with urllib.request.urlopen(address) as answer:  # noqa: S310
            assert answer.headers["Content-Type"] == "image/webp"
    status, job = ask(
        machines.other,
        "POST",
        "/api/collections/all/train?epochs=2",
        packed(PHOTOS),
        **{"Content-Type": "application/zip"},
    )
    assert status == 202
    assert machines.ended(job)["result"] == {"photos": len(PHOTOS)}
    for site in machines.sites[:-1]:
        assert not any((site.folder / name).exists() for name in ("media", "encoders", "uploads"))


def test_a_store_that_is_away_for_a_while_loses_nothing(machines: Machines, s3: S3Server) -> None:
    _, job = ask(machines.one, "POST", "/api/imports", catalogue(3), **{"Content-Type": "application/zip"})
    machines.ended(job)
    machines.indexed(3)
    product = machines.one.get("/api/products")["results"][0]
    _, job = ask(machines.one, "POST", "/api/imports", catalogue(40, 3), **{"Content-Type": "application/zip"})
    machines.wait_until(lambda: machines.one.get("/api/products")["count"] > 3)
    s3.stop()
    back = threading.Timer(20, s3.start)
    back.start()
    try:
        # Pages go on without the photos, and what is sent is refused.
        assert len(machines.other.similar(product["id"])["results"]) >= 2
        assert ask(machines.one, "GET", f"/products/{product['id']}/any")[0] == 200
        assert (
            ask(machines.other, "GET", next(iter(product["thumbnails"].values())).removeprefix(machines.one.base))[0]
            == 503
        )
        assert ask(machines.other, "POST", "/api/imports", catalogue(1), **{"Content-Type": "application/zip"})[0] in {
            409,
            503,
        }
    finally:
        back.join()
    # The import has waited, and every photo is embedded.
    ended = machines.ended(job)
    assert (ended["state"], ended["result"]["created"]) == ("succeeded", 40), ended
    machines.indexed(43)
    assert machines.sites[3].manage("check_media").stdout.startswith("43 photos, 43 files")
