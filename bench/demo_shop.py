"""A demo shop for benches and screenshots, in a temporary folder and on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import SECRET_KEY

# Settings of a shop whose API has no limit of requests.
UNLIMITED = {"DJANGO_SETTINGS_MODULE": "bench.served"}
START_TIMEOUT_S = 60
_POLL_S = 0.02


@contextmanager
def demo_shop(
    *,
    products: int,
    debug: bool,
    prepare: Sequence[str] = (),
    python: str = sys.executable,
    settings: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, Callable[..., None]]]:
    """The URL of a running demo shop, and a function that runs management commands in it.

    `debug` allows to sign in as demo; `prepare` is a command that runs before the shop is served; `python` runs all of it;
    `settings` are further environment variables.
    """
    with drawn_shop(products=products, debug=debug, python=python, settings=settings) as (environment, manage):
        if prepare:
            manage(*prepare)
        with served_shop(environment, python) as (address, _):
            yield address, manage


@contextmanager
def drawn_shop(
    *, products: int, debug: bool, python: str = sys.executable, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[Mapping[str, str], Callable[..., None]]]:
    """The environment of a demo shop that is not served yet, and a function that runs management commands in it."""
    with tempfile.TemporaryDirectory(prefix="lookalike-demo-") as folder:
        environment = {
            **os.environ,
            "DATA_DIR": folder,
            "DATABASE_URL": f"sqlite:///{Path(folder) / 'demo.sqlite3'}",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "",
            "QDRANT_URL": "",
            "SECRET_KEY": SECRET_KEY,
            "DEBUG": str(debug).lower(),
            "SERVE_MEDIA": "true",
            "LOG_LEVEL": "WARNING",
            # As in images and `make serve`.
            "MALLOC_ARENA_MAX": "2",
            **(settings or {}),
        }

        def manage(*arguments: str) -> None:
            subprocess.run([python, "manage.py", *arguments], env=environment, check=True)

        manage("migrate", "--verbosity", "0")
        manage("collectstatic", "--no-input", "--verbosity", "0")
        manage("demo", "--count", str(products))
        yield environment, manage


@contextmanager
def served_shop(
    environment: Mapping[str, str], python: str = sys.executable
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The URL of a shop that is served, once it is ready, and gunicorn's process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["gunicorn", "lookalike.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4"]
    server = subprocess.Popen([python, "-m", *command, "--log-level", "error"], env=environment)
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str) -> None:
    for _ in range(int(START_TIMEOUT_S / _POLL_S)):
        try:
            urllib.request.urlopen(address, timeout=30).close()  # noqa: S310 - our own server
        except urllib.error.HTTPError as error:
            raise SystemExit(f"the demo shop is not ready: {error.read().decode()[:500]}") from error
        except urllib.error.URLError:
            time.sleep(_POLL_S)
        else:
            return
    raise SystemExit("the demo shop did not start")
