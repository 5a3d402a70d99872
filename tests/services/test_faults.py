"""Servers go away and come back, and processes are killed: nobody's work is lost, and what fails fails only meanwhile."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.conftest import ROOT, PostgresServer, RedisServer, Server, find_pg_ctl, find_redis
from tests.services.faults import kill_workers, photos_and_rows, start_beat, verified

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.services.settings", "PYTHONPATH": str(ROOT), "TEST_QUEUE": "faults"}
PHOTOS = 300
KILLS = 3


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A broker that the test may stop."""
    server = RedisServer(find_redis(), tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A database server that the test may stop."""
    server = PostgresServer(find_pg_ctl())
    try:
        server.start()
        yield server
        server.stop()
    finally:
        server.remove()


def test_what_comes_in_while_the_broker_is_away_is_indexed_once_it_is_back(make_site, draw_photos, postgres_url, redis):
    site = make_site(DATABASE_URL=postgres_url, CELERY_BROKER_URL=redis.url, MESSAGE_LOST_AFTER_S="1", **SETTINGS)
    site.start_worker()
    start_beat(site)
    site.wait_until(lambda: " ready." in site.log())
    redis.stop()
    assert "the broker is unavailable" in site.manage("import_catalog", str(draw_photos(20))).stderr
    assert site.states() == {"pending": 20}
    redis.start()
    site.wait_until(lambda: site.states() == {"indexed": 20})


def test_workers_killed_again_and_again_lose_no_photo_and_index_none_twice(make_site, draw_photos, postgres_url, redis):
    site = make_site(DATABASE_URL=postgres_url, CELERY_BROKER_URL=redis.url, MESSAGE_LOST_AFTER_S="1", **SETTINGS)
    start_beat(site)
    site.manage("import_catalog", str(draw_photos(PHOTOS)))
    kill_workers(site, kills=KILLS, photos=PHOTOS)
    site.start_worker()
    site.wait_until(lambda: site.states() == {"indexed": PHOTOS})
    assert "0 missing, 0 stale, 0 orphaned" in verified(site)
    images, rows = photos_and_rows(site)
    assert rows == images
    assert len(rows) == PHOTOS


def test_a_database_that_restarts_fails_requests_only_meanwhile(make_site, draw_photos, postgres):
    site = make_site(DATABASE_URL=postgres.url)
    site.manage("import_catalog", str(draw_photos(20)))
    server = site.serve()
    product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
    asked = Clients(server, product)
    with asked:
        asked.until_answered(50)
        assert asked.failures == []
        postgres.stop()
        time.sleep(1)
        postgres.start()
        # Those under way when it was back are through.
        asked.until_answered(20)
        failures = list(asked.failures)
        asked.until_answered(50)
        assert asked.failures == failures
    assert failures, "nobody noticed"
    assert set(failures) == {503}
    assert site.states() == {"indexed": 20}


class TestAnIndexThatIsAway:
    def test_is_reported_soon_and_the_work_waits(self, make_site, draw_photos):
        site = make_site()
        site.manage("import_catalog", str(draw_photos(8)))
        product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
        with socket.socket() as silent:  # takes connections, and never answers
            silent.bind(("127.0.0.1", 0))
            silent.listen(64)
            site.environment["QDRANT_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
            server = site.serve(until="alive")
            assert server.similar(product)["fallback"] is True
            with pytest.raises(urllib.error.HTTPError) as refused:
                server.get(f"/api/products/{product}/similar?fallback=false")
            with refused.value as answer:
                assert answer.code == 503
                assert int(answer.headers["Retry-After"]) > 0
                assert b"index-unavailable" in answer.read()
            more = site.manage("import_catalog", str(draw_photos(3, "more")), QDRANT_URL="http://127.0.0.1:1")
            assert "3 photos are pending" in more.stderr
            assert site.states() == {"indexed": 8, "pending": 3}

    def test_answers_again_when_it_is_back(self, make_site, draw_photos):
        site = make_site()
        site.manage("import_catalog", str(draw_photos(8)))
        held = site.start("-c", HOLD, str(site.folder / "index"))
        site.wait_until(lambda: "held" in site.log())
        server = site.serve(until="alive")
        product = site.query("SELECT MIN(id) FROM catalog_product")[0][0]
        assert not answers(server, product)
        held.kill()
        held.wait()
        site.wait_until(lambda: answers(server, product))


HOLD = """
import sys, time
from embeddings.vector_index.edge import EdgeVectorIndex
index = EdgeVectorIndex(sys.argv[1])
index.claim()
index.count("all-v1-g1")
print("held", flush=True)
time.sleep(600)
"""


def answers(server: Server, product: int) -> bool:
    try:
        answer = server.similar(product)
        return not answer["fallback"] and len(answer["results"]) == 5
    except urllib.error.HTTPError as error:
        error.close()
        return False


class Clients:
    """Four clients that ask without pause, and the statuses of the requests that failed."""

    def __init__(self, server: Server, product: int) -> None:
        self._server, self._product = server, product
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]
        self.answered = 0
        self.failures: list[int] = []

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def until_answered(self, count: int) -> None:
        """Wait for so many further answers."""
        goal, deadline = self.answered + count, time.monotonic() + 60
        while self.answered < goal:
            assert time.monotonic() < deadline, "nobody is answered any more"
            time.sleep(0.02)

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self._server.get(f"/api/products/{self._product}/similar?limit=5&fallback=false")
            except urllib.error.HTTPError as error:
                error.close()
                self.failures.append(error.code)
                time.sleep(0.05)
            else:
                self.answered += 1
