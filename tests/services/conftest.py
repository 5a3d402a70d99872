"""Real processes beside real servers: each test has a site of its own, with a folder, an environment and databases of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from kombu import Connection
from redis import ConnectionError as RedisAway
from redis import Redis

from tests.drawings import write_patchworks
from tests.encoders import another_model
from tests.services import template

if TYPE_CHECKING:
    from tests.s3_server import S3Server

ROOT = Path(__file__).resolve().parents[2]
# Long enough for a machine on which several tests start processes at a time.
PATIENCE_S = 120
DATABASE = "lookalike.sqlite3"
# Below those that systems give to connections, one of which would take a port before its server starts.
_PORTS = range(10_000, 32_000)
# For a site whose trainings are a stand-in's: it takes training sets wherever TensorFlow is not installed, too.
STAND_IN = {
    "DJANGO_SETTINGS_MODULE": "tests.services.standin.settings",
    "PYTHONPATH": str(ROOT),
    "TEST_QUEUE": "unused",
}
_TAKEN_PORTS: set[int] = set()
# By kind, what this process's tests have had and given back.
_FREE_NAMES: defaultdict[str, list[str]] = defaultdict(list)

Started = subprocess.Popen[str] | template.Process


class Site:
    """An installation: a data folder and an environment, and the processes that run in it.

    Args:
        folder: for everything that the processes write.
        patience_s: seconds that `wait_until` waits.
        environment: variables of the processes, beside those that every site has.
    """

    def __init__(self, folder: Path, *, patience_s: float = PATIENCE_S, **environment: str) -> None:
        self.folder = folder
        self._patience_s = patience_s
        self.environment = {
            "ENV_FILE": os.devnull,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DEBUG": "true",
            "SERVICE": "all",
            "LOG_LEVEL": "INFO",
            "DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
            "DEFAULT_ENCODER": "bundled",
            "ENCODER_THREADS": "1",
            **environment,
        }
        self._started: list[Started] = []

    def run(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments to its end."""
        done = self._run(arguments, {**self.environment, **environment}, 2 * self._patience_s)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a management command to its end."""
        return self.run("manage.py", *arguments, check=check, **environment)

    def start(self, *arguments: str) -> Started:
        """Start Python with these arguments; it ends with the test at the latest. What it prints goes to its log()."""
        log = self.folder / f"process-{len(self._started)}.log"
        with log.open("w") as output:
            process = self._start(arguments, output)
        self._started.append(process)
        return process

    def start_worker(self, *arguments: str, concurrency: int = 2) -> Started:
        """Start a Celery worker; its node name is its own, since workers of other tests may use the same RabbitMQ."""
        worker = ("-m", "celery", "-A", "lookalike", "worker", "--pool=threads", "-n", f"{uuid4().hex}@%h")
        return self.start(*worker, f"--concurrency={concurrency}", *arguments)

    def log(self) -> str:
        """What all started processes have printed."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("process-*.log")))

    def serve(self, until: str = "ready", *, workers: int = 1, threads: int = 8) -> Server:
        """Start the web server, and wait until it is ready, or, for one that never will be, "alive"."""
        address = {"ready": "/readyz", "alive": "/healthz"}[until]
        port = free_port()
        process = self.start(
            "-m", "gunicorn", "lookalike.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
            "--threads", str(threads), "--log-level", "warning",
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
        deadline = time.monotonic() + self._patience_s
        while not true():
            assert time.monotonic() < deadline, f"it did not come about within {self._patience_s} s:\n{self.log()}"
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
            with closing(sqlite3.connect(self.folder / DATABASE, timeout=30)) as lite:
                rows = lite.execute(statement).fetchall()
                lite.commit()
                return rows
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            return connection.execute(statement).fetchall()

    def is_migrated(self) -> bool:
        """Whether somebody has migrated the database."""
        try:
            return bool(self.query("SELECT 1 FROM django_migrations LIMIT 1"))
        except (psycopg.errors.UndefinedTable, sqlite3.OperationalError):
            return False

    def states(self) -> dict[str, int]:
        """How many photos are in each state."""
        return dict(self.query("SELECT state, COUNT(*) FROM embeddings_imageembedding GROUP BY state"))

    def uploads(self) -> list[PurePath]:
        """The names of what is kept of what was sent, in the folder or in the bucket."""
        if not (url := self.environment.get("STORAGE_URL")):
            return [*(self.folder / "uploads").iterdir()]
        from tests.s3_server import client_of

        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        found = client_of(self.environment["STORAGE_ENDPOINT_URL"]).list_objects_v2(
            Bucket=bucket, Prefix=f"{prefix}/uploads/"
        )
        return [PurePath(each["Key"]) for each in found.get("Contents", ())]

    def _run(
        self, arguments: Sequence[str], environment: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout)

    def _start(self, arguments: Sequence[str], output: IO[str]) -> Started:
        command = [sys.executable, *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, text=True)


class ForkedSite(Site):
    """A site whose processes are forked from one that has set Django up for it, see `tests.services.template`."""

    def _run(
        self, arguments: Sequence[str], environment: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        set_up = environment == self.environment
        return template.run(arguments, environment=environment, timeout=timeout, set_up=set_up)

    def _start(self, arguments: Sequence[str], output: IO[str]) -> Started:
        return template.start(arguments, environment=self.environment, stdout=output, stderr=output, set_up=True)


class Server:
    """A web server that answers JSON."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> Any:
        """The answer; HTTPError where it is none."""
        with urllib.request.urlopen(self.base + path, timeout=PATIENCE_S) as response:  # noqa: S310
            return json.load(response)

    def similar(self, product_id: int, weights: str = "") -> Any:
        """What looks like a product, by the collection's own weights or by these."""
        asked = f"&weights={weights}" if weights else ""
        return self.get(f"/api/products/{product_id}/similar?limit=5{asked}")


@pytest.fixture(scope="session")
def sites_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the sites of one test at a time: in the same place, those with the same variables share a set-up of Django."""
    return tmp_path_factory.mktemp("sites")


@pytest.fixture(scope="session")
def migrated(sites_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database without a product, to be copied."""
    site = ForkedSite(_make_folder(sites_folder / "site-0"))
    site.manage("migrate", "--verbosity", "0")
    with closing(sqlite3.connect(site.folder / DATABASE)) as lite:
        lite.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return site.folder.rename(tmp_path_factory.mktemp("migrated") / site.folder.name) / DATABASE


@pytest.fixture
def make_site(
    request: pytest.FixtureRequest, sites_folder: Path, tmp_path: Path, migrated: Path
) -> Iterator[Callable[..., Site]]:
    """Makes a site with these variables in its environment, its database migrated; with TEST_ON_BUCKET, its files in a bucket."""
    sites: list[Site] = []

    def make(*, forked: bool = True, **environment: str) -> Site:
        folder = _make_folder(sites_folder / f"site-{len(sites)}")
        if os.environ.get("TEST_ON_BUCKET"):
            server: S3Server = request.getfixturevalue("s3")
            environment = {**server.environment(server.make_bucket()), **environment}
        sites.append((ForkedSite if forked else Site)(folder, **environment))
        if "DATABASE_URL" not in environment:
            shutil.copyfile(migrated, folder / DATABASE)
        elif not sites[-1].is_migrated():
            sites[-1].manage("migrate", "--verbosity", "0")
        return sites[-1]

    yield make
    for site in sites:
        site.stop()
        site.folder.rename(tmp_path / site.folder.name)


def _make_folder(folder: Path) -> Path:
    """A folder for a site, with the one that the settings make where they are read; another site's set-up has read them already."""
    (folder / "static").mkdir(parents=True)
    return folder


@pytest.fixture
def draw_photos(tmp_path: Path) -> Callable[..., Path]:
    """Draws so many small JPEG files, no two alike, into a folder for import_catalog (folder = category)."""
    return lambda count, name="photos": write_patchworks(tmp_path / name, count, name=name)


@pytest.fixture
def second_model(tmp_path: Path) -> Path:
    """See `another_model`."""
    path = tmp_path / "second.tflite"
    path.write_bytes(another_model())
    return path


class PostgresServer:
    """A PostgreSQL server of a test's own, in a temporary folder."""

    def __init__(self, pg_ctl: Path) -> None:
        # Short, since the path of a Unix socket has to be; and not under a folder that only root may enter.
        self._folder = Path(f"/tmp/lookalike-{uuid4().hex[:8]}")  # noqa: S108
        self._folder.mkdir()
        as_somebody: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, "nobody")
            uid = str(self._folder.stat().st_uid)
            as_somebody = ["setpriv", f"--reuid={uid}", "--regid=65534", "--clear-groups"]
        self._control = [*as_somebody, str(pg_ctl), "-D", str(self._folder / "data"), "-l", str(self._folder / "log")]
        self._port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self._port}/postgres"
        initdb = str(pg_ctl.with_name("initdb"))
        self._run(*as_somebody, initdb, "-A", "trust", "-U", "postgres", "-D", str(self._folder / "data"))

    def start(self) -> None:
        """And wait until it answers."""
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(*self._control, "-o", options, "-w", "start")

    def stop(self) -> None:
        """At once: connections are cut."""
        self._run(*self._control, "-m", "immediate", "stop")

    def remove(self) -> None:
        """With all its data."""
        shutil.rmtree(self._folder)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            arguments, cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout


class RedisServer:
    """A Redis server of a test's own, which keeps nothing."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self._port = free_port()
        self._command = [
            program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options
        ]  # fmt: skip
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """And wait until it answers."""
        self._process = process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with closing(Redis.from_url(self.url)) as redis:
            while not _answers(redis):
                assert process.poll() is None, "redis-server ended at once"
                time.sleep(0.05)

    def stop(self) -> None:
        """What was in it is gone."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)


def find_pg_ctl() -> Path:
    """The program that controls PostgreSQL; the test is skipped where there is none."""
    found = shutil.which("pg_ctl") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1:]), None)
    if found is None:
        pytest.skip("there is no PostgreSQL (initdb, pg_ctl) to start")
    return Path(found)


def find_redis() -> str:
    """The program redis-server; the test is skipped where there is none."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("there is no redis-server to start")
    return found


@contextmanager
def name_for(kind: str) -> Iterator[str]:
    """A name that nobody else has meanwhile and the next test gets: sites with the same variables share a set-up of Django."""
    names = _FREE_NAMES[kind]
    name = names.pop() if names else f"lookalike-{uuid4().hex}"
    yield name
    # Not where something of it could not be removed.
    names.append(name)


@contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a PostgreSQL server and of a database in it where others can be made: TEST_DATABASE_URL, or one started."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    server = PostgresServer(find_pg_ctl())
    try:
        server.start()
        yield server.url
        server.stop()
    finally:
        server.remove()


@contextmanager
def fresh_database(server: str, template: str = "template1") -> Iterator[str]:
    """The address of a new database on a PostgreSQL server, a copy of `template`; it is gone afterwards."""
    with name_for("database") as name, psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server and of a database in it where others can be made."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_on_postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated PostgreSQL database without a product, to be copied."""
    with fresh_database(postgres_server) as url:
        site = ForkedSite(tmp_path_factory.mktemp("migrated"), DATABASE_URL=url)
        site.manage("migrate", "--verbosity", "0")
        yield urlsplit(url).path.lstrip("/")


@pytest.fixture
def postgres_url(postgres_server: str, migrated_on_postgres: str) -> Iterator[str]:
    """A migrated PostgreSQL database of the test's own."""
    with fresh_database(postgres_server, migrated_on_postgres) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server; what tests leave in it carries names of their own."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    server = RedisServer(find_redis(), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """A RabbitMQ server; it takes too long to start for a test to start one."""
    url = os.environ.get("TEST_AMQP_URL")
    if not url:
        pytest.skip("TEST_AMQP_URL is not set: no RabbitMQ to test with")
    return url


@pytest.fixture(params=["redis", "amqp"])
def broker(request) -> Iterator[dict[str, str]]:
    """A broker, with queues of the test's own that are gone afterwards; as variables of the environment."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    settings = {"DJANGO_SETTINGS_MODULE": "tests.services.settings", "PYTHONPATH": str(ROOT), "CELERY_BROKER_URL": url}
    if request.param == "redis":
        with queue_in_redis(url) as queue:
            yield {**settings, "TEST_QUEUE": queue}
        return
    with name_for("queue") as queue:
        yield {**settings, "TEST_QUEUE": queue}
        with closing(Connection(url)) as connection:
            channel: Any = connection.default_channel
            for name in (f"{queue}-{kind}" for kind in ("sync", "embed", "jobs", "train")):
                channel.queue_delete(name)
                channel.exchange_delete(name)


@contextmanager
def queue_in_redis(url: str) -> Iterator[str]:
    """The name of a queue; it and its like are gone afterwards."""
    with name_for("queue") as queue:
        yield queue
        with closing(Redis.from_url(url)) as redis:
            if keys := redis.keys(f"*{queue}*"):
                redis.delete(*keys)


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisAway:
        return False


def free_port() -> int:
    """A port that nobody listens on. No two calls of a process return the same."""
    while True:
        port = secrets.choice(_PORTS)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _TAKEN_PORTS:
                _TAKEN_PORTS.add(port)
                return port
