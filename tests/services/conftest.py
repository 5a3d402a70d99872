"""Real processes beside real servers: each test has a site of its own, with a folder, an environment and databases of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from PIL import Image
from redis import ConnectionError as RedisAway
from redis import Redis

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
# Named, so that nothing of the developer's shell or .env file reaches a process under test.
NOTHING_SET = dict.fromkeys(
    ("REDIS_URL", "CELERY_BROKER_URL", "QDRANT_URL", "QDRANT_API_KEY", "PRODUCT_URL", "PROMETHEUS_MULTIPROC_DIR"), ""
)


class Site:
    """An installation: a data folder and an environment, and the processes that run in it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **NOTHING_SET,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DEBUG": "true",
            "SERVICE": "all",
            "LOG_LEVEL": "INFO",
            "DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'lookalike.sqlite3'}",
            "DEFAULT_ENCODER": "bundled",
            "ENCODER_THREADS": "1",
            **environment,
        }
        self._started: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments to its end."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return self.run("manage.py", *arguments, check=check, **environment)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python with these arguments; it ends with the test at the latest. What it prints goes to its log()."""
        log = self.folder / f"process-{len(self._started)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=self.environment, stdout=output, stderr=output, text=True
            )
        self._started.append(process)
        return process

    def log(self) -> str:
        """What all started processes have printed."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("process-*.log")))

    def serve(self, until: str = "ready") -> Server:
        """Start the web server, and wait until it is ready, or, for one that never will be, "alive"."""
        address = {"ready": "/readyz", "alive": "/healthz"}[until]
        port = _free_port()
        process = self.start(
            "-m", "gunicorn", "recommender.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "8", "--log-level", "warning"
        )  # fmt: skip
        server = Server(port)

        def ready() -> bool:
            assert process.poll() is None, self.log()
            try:
                return bool(server.get(address)["status"] == until)
            except OSError:
                return False

        self.wait_until(ready)
        return server

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Fails with the processes' logs where it does not come about."""
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, f"it did not come about within {PATIENCE_S} s:\n{self.log()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """End every process that was started."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def running(self) -> list[int]:
        """The process ids of what was started and still runs, with their children."""
        found = [process.pid for process in self._started if process.poll() is None]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            found += [int(child) for child in children.split()]
        return found

    def query(self, statement: str) -> list[Any]:
        """The rows of a statement, asked past Django."""
        if self.environment["DATABASE_URL"].startswith("sqlite"):
            with closing(sqlite3.connect(self.folder / "lookalike.sqlite3", timeout=30)) as lite:
                rows = lite.execute(statement).fetchall()
                lite.commit()
                return rows
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            return connection.execute(statement).fetchall()

    def states(self) -> dict[str, int]:
        """How many photos are in each state."""
        return dict(self.query("SELECT state, COUNT(*) FROM embeddings_imageembedding GROUP BY state"))


class Server:
    """A web server that answers JSON."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Any:
        """The answer; HTTPError where it is none."""
        with urllib.request.urlopen(self.base + path, timeout=PATIENCE_S) as response:  # noqa: S310
            return json.load(response)

    def similar(self, product_id: int) -> Any:
        """What looks like a product."""
        return self.get(f"/api/products/{product_id}/similar?limit=5")


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes a site with these variables in its environment, its database migrated."""
    sites: list[Site] = []

    def make(**environment: str) -> Site:
        folder = tmp_path / f"site-{len(sites)}"
        folder.mkdir()
        sites.append(Site(folder, **environment))
        sites[-1].manage("migrate", "--verbosity", "0")
        return sites[-1]

    yield make
    for site in sites:
        site.stop()


@pytest.fixture
def draw_photos(tmp_path: Path) -> Callable[..., Path]:
    """Draws so many small JPEG files, no two alike, into a folder for import_catalog (folder = category)."""
    random = np.random.default_rng(11)

    def draw(count: int, name: str = "photos") -> Path:
        folder = tmp_path / name
        for number in range(count):
            category = folder / f"{name} {number % 5}"
            category.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((48, 48)).save(category / f"{name}-{number:05}.jpg")
        return folder

    return draw


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server and of a database in it where others can be made."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    found = shutil.which("pg_ctl") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1:]), None)
    if found is None:
        pytest.skip("TEST_DATABASE_URL is not set, and there is no PostgreSQL (initdb, pg_ctl) to start one")
    # Short, since the path of a Unix socket has to be; and not under a folder that only root may enter.
    folder = Path(f"/tmp/lookalike-{uuid4().hex[:8]}")  # noqa: S108
    folder.mkdir()
    as_somebody: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "nobody")
        uid = str(folder.stat().st_uid)
        as_somebody = ["setpriv", f"--reuid={uid}", "--regid=65534", "--clear-groups"]
    control = [*as_somebody, str(found), "-D", str(folder / "data"), "-l", str(folder / "log")]
    port = _free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    initdb = str(Path(found).with_name("initdb"))
    try:
        _quietly(*as_somebody, initdb, "-A", "trust", "-U", "postgres", "-D", str(folder / "data"), cwd=folder)
        _quietly(*control, "-o", options, "-w", "start", cwd=folder)
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        _quietly(*control, "-m", "immediate", "stop", cwd=folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of the test's own."""
    name = f"lookalike_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server; what tests leave in it carries names of their own."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("TEST_REDIS_URL is not set, and there is no redis-server to start one")
    port = _free_port()
    arguments = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path_factory.mktemp("redis")),
    ]
    process = subprocess.Popen([found, *arguments], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    with closing(Redis.from_url(url)) as redis:
        while not _answers(redis):
            assert process.poll() is None, "redis-server ended at once"
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """A RabbitMQ server; it takes too long to start for a test to start one."""
    url = os.environ.get("TEST_AMQP_URL")
    if not url:
        pytest.skip("TEST_AMQP_URL is not set: no RabbitMQ to test with")
    return url


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisAway:
        return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _quietly(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(arguments, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
