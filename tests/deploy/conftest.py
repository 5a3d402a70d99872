"""A running deployment on this machine, for the tests that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.natively import Deployment, missing_programs
from tests.drawings import write_patchworks
from tests.services.conftest import fresh_database, postgres_server

__all__ = ["postgres_server"]

PROGRAMS = {
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "nginx": "nginx-light",
    "wget": "wget",
    "pg_dump": "postgresql-client",
}
ALL = ("redis", "qdrant", "catalog", "recommender", "worker", "jobs", "trainer", "beat", "proxy")


@pytest.fixture(scope="module")
def database_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database for the module."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Deployment]:
    """The services of docker-compose.yml, started in their order, without products; shared by the tests of a module."""
    if missing := missing_programs(PROGRAMS):
        pytest.skip(f"not installed: {', '.join(missing)}")
    made = Deployment(tmp_path_factory.mktemp("deployment"), database_url, API_WRITES="open")
    try:
        made.start("redis", "qdrant")
        made.run("migrate")
        made.run("catalog", "python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
        made.start(*(name for name in ALL if name not in made.processes))
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Draws different small JPEG files into a folder for import_catalog (folder = category)."""
    return lambda count, name: write_patchworks(tmp_path_factory.mktemp(name), count, name=name, categories=3, side=120)
