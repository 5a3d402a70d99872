"""A deployment that runs on this machine, for the tests that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from PIL import Image

from tests.deploy.natively import Deployment, missing_programs
from tests.services.conftest import postgres_server

__all__ = ["postgres_server"]

PROGRAMS = {
    "redis-server": "redis-server",
    "redis-cli": "redis-tools",
    "nginx": "nginx-light",
    "wget": "wget",
    "pg_dump": "postgresql-client",
}
ALL = ("redis", "qdrant", "catalog", "recommender", "worker", "trainer", "beat", "proxy")


@pytest.fixture(scope="module")
def database_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database of the module's own."""
    name = f"lookalike_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Deployment]:
    """The services of docker-compose.yml, started in their order, without a product yet. One for all tests of a module."""
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
    """Draws so many small JPEG files, no two alike, into a folder for import_catalog (folder = category)."""
    random = np.random.default_rng(11)

    def draw(count: int, name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        for number in range(count):
            category = folder / f"{name} {number % 3}"
            category.mkdir(exist_ok=True)
            pixels = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((120, 120)).save(category / f"{name}-{number:05}.jpg")
        return folder

    return draw
