"""Training sets sent to real servers, worked off by their own threads or by workers, and processes that die meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import PurePath
from typing import Any
from urllib.error import HTTPError

import pytest
from redis import Redis

from tests.services.conftest import PATIENCE_S, STAND_IN, Server, Site, Started, queue_in_redis
from tests.zips import PHOTOS, packed


@pytest.fixture
def site(make_site: Any) -> Site:
    """A site without a broker."""
    made: Site = make_site(**STAND_IN)
    return made


@pytest.fixture
def queue(redis_url: str) -> Iterator[dict[str, str]]:
    """A broker with queues of the test's own that are gone afterwards; as variables of the environment."""
    with queue_in_redis(redis_url) as name:
        yield {**STAND_IN, "CELERY_BROKER_URL": redis_url, "TEST_QUEUE": name}


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of an answer, problems too."""
    request = urllib.request.Request(server.base + path, body, headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)


def train(server: Server, epochs: int, **parameters: int) -> str:
    """Send a training set; the address of the job."""
    query = "&".join(f"{name}={value}" for name, value in {"epochs": epochs, **parameters}.items())
    path = f"/api/collections/all/train?{query}"
    status, job = ask(server, "POST", path, packed(), **{"Content-Type": "application/zip"})
    assert status == 202, job
    return f"/api/jobs/{job['id']}"


def state(server: Server, job: str) -> str:
    return str(server.get(job)["state"])


def uploads(site: Site) -> list[PurePath]:
    return site.uploads()


def trainings(job: str) -> list[str]:
    """The processes that train for this job."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"--job {job.rpartition('/')[2]}" in line]


def worker(site: Site, *more: str) -> Started:
    """A worker as the documentation says, but for the queue's name; returns when it listens."""
    before = site.log().count(" ready.")
    queue = f"{site.environment['TEST_QUEUE']}-train"
    process = site.start_worker("-Q", queue, "--loglevel=info", *more, concurrency=1)
    site.wait_until(lambda: site.log().count(" ready.") > before)
    return process


class TestWithoutABroker:
    def test_the_server_trains_in_a_process_of_its_own_and_goes_on_serving(self, site: Site) -> None:
        server = site.serve()
        job = train(server, epochs=15)
        progress = []

        def ended() -> bool:
            body = server.get(job)
            progress.append(body["progress"])
            assert server.get("/api/products")["count"] == 0
            return body["state"] not in ("queued", "running")

        site.wait_until(ended)
        body = server.get(job)
        assert (body["state"], body["result"]) == ("succeeded", {"photos": len(PHOTOS)})
        assert len({each for each in progress if each}) > 2
        site.wait_until(lambda: not uploads(site))

    def test_a_training_that_is_killed_fails_with_the_likely_reason_and_the_next_one_runs(self, site: Site) -> None:
        server = site.serve()
        killed = train(server, epochs=4, seed=13)
        site.wait_until(lambda: state(server, killed) == "failed")
        assert "too little memory" in server.get(killed)["error"]
        later = train(server, epochs=1)
        site.wait_until(lambda: state(server, later) == "succeeded")

    def test_a_training_is_cancelled(self, site: Site) -> None:
        server = site.serve()
        job = train(server, epochs=600)
        site.wait_until(lambda: server.get(job)["stage"] == "training")
        assert ask(server, "DELETE", job)[0] == 200
        site.wait_until(lambda: not trainings(job))
        assert state(server, job) == "cancelled"
        assert uploads(site) == []

    @pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
    def test_the_next_server_takes_up_what_one_that_ended_left(self, site: Site, end: signal.Signals) -> None:
        server = site.serve()
        job = train(server, epochs=20)
        site.wait_until(lambda: server.get(job)["stage"] == "training")
        # Its workers too, as when the machine's power fails.
        for pid in site.running():
            subprocess.run(["kill", f"-{end.value}", str(pid)], check=True)
        site.wait_until(lambda: not site.running() and not trainings(job))
        assert site.query("SELECT state FROM jobs_job") == [("queued" if end is signal.SIGTERM else "running",)]
        assert len(uploads(site)) == 1

        again = site.serve()
        site.wait_until(lambda: state(again, job) == "succeeded")
        site.wait_until(lambda: not uploads(site))

    def test_a_refused_archive_leaves_nothing_behind(self, site: Site) -> None:
        server = site.serve()
        answer = ask(
            server, "POST", "/api/collections/all/train", packed()[:-30], **{"Content-Type": "application/zip"}
        )
        assert (answer[0], answer[1]["reason"]) == (400, "damaged")
        assert uploads(site) == []
        assert site.query("SELECT COUNT(*) FROM jobs_job") == [(0,)]


class TestWithABroker:
    def test_a_worker_of_the_queue_trains(self, make_site: Any, queue: dict[str, str]) -> None:
        site = make_site(**queue)
        server = site.serve()
        job = train(server, epochs=3)
        worker(site)
        site.wait_until(lambda: state(server, job) == "succeeded")
        site.wait_until(lambda: not uploads(site))

    def test_a_worker_that_ends_puts_its_job_back_at_once(self, make_site: Any, queue: dict[str, str]) -> None:
        site = make_site(**queue)
        server = site.serve()
        first = worker(site)
        job = train(server, epochs=60)
        site.wait_until(lambda: server.get(job)["stage"] == "training")
        first.send_signal(signal.SIGTERM)
        assert first.wait(20) == 0
        assert state(server, job) == "queued"
        assert not trainings(job)
        worker(site)
        site.wait_until(lambda: state(server, job) == "succeeded")

    def test_a_job_of_a_worker_that_was_killed_is_found_by_the_periodic_task(
        self, make_site: Any, queue: dict[str, str]
    ) -> None:
        site = make_site(**queue)
        server = site.serve()
        first = worker(site)
        job = train(server, epochs=20)
        site.wait_until(lambda: server.get(job)["stage"] == "training")
        first.kill()
        site.wait_until(lambda: not trainings(job))
        worker(site, "--beat", "--schedule", str(site.folder / "beat"))
        site.wait_until(lambda: state(server, job) == "succeeded")

    def test_a_job_that_no_broker_heard_of_is_found_too(self, make_site: Any, queue: dict[str, str]) -> None:
        site = make_site(**queue)
        server = site.serve()
        job = train(server, epochs=1)
        with closing(Redis.from_url(queue["CELERY_BROKER_URL"])) as redis:
            assert redis.delete(f"{queue['TEST_QUEUE']}-train") == 1
        worker(site, "--beat", "--schedule", str(site.folder / "beat"))
        site.wait_until(lambda: state(server, job) == "succeeded")
