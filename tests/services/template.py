"""A process that has imported the libraries already and is forked for each process that a test starts.

To import them takes most of the two seconds that a management command runs for, and tests start hundreds. What is forked has the
arguments, environment, folder and output of its own, and runs the program as `python` would. Nothing of the project is imported
before, and no library that reads the environment or the settings, or starts threads of its own, while it is imported.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

LIBRARIES = (
    "PIL.Image", "PIL.ImageCms", "PIL.ImageDraw", "PIL.ImageOps", "PIL.JpegImagePlugin", "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin", "ai_edge_litert.interpreter", "amqp", "babel.numbers", "celery.app", "celery.bin.celery",
    "celery.fixups.django", "celery.loaders.app", "celery.result", "celery.schedules", "celery.worker",
    "django.contrib.admin.sites", "django.contrib.admin.views.main", "django.contrib.admindocs.views",
    "django.contrib.auth.hashers", "django.contrib.auth.tokens", "django.contrib.postgres.fields", "django.core.files.storage",
    "django.core.handlers.wsgi", "django.core.management", "django.core.management.commands.migrate", "django.core.serializers",
    "django.core.wsgi", "django.db.backends.sqlite3.base", "django.db.migrations.autodetector", "django.db.migrations.executor",
    "django.db.models", "django.forms", "django.http", "django.template.backends.django", "django.template.loaders.cached",
    "django.test.client", "django.urls", "django.views", "django.views.defaults", "drf_spectacular.utils", "environ",
    "gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "httpcore", "httpx", "ijson.backends.yajl2_c", "inflection", "json",
    "jsonschema", "kombu", "numpy", "numpy.typing", "price_parser", "psycopg", "psycopg.types.json", "pydantic",
    "pydantic.networks", "pydantic.plugin._loader", "pydantic.type_adapter", "pygments.formatters.html", "pythonjsonlogger.json",
    "qdrant_client", "redis", "redis.asyncio", "requests", "rest_framework.permissions", "rest_framework.request",
    "rest_framework.serializers", "sqlparse", "tomllib", "tqdm", "uritemplate", "whitenoise.middleware", "yaml",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A forked process, with what tests use of `subprocess.Popen`."""

    def __init__(self, control: socket.socket, job: dict[str, Any], stdout: IO[Any], stderr: IO[Any]) -> None:
        self.returncode: int | None = None
        receiving, sending = os.pipe()
        self._said = os.fdopen(receiving)
        try:
            socket.send_fds(control, [json.dumps(job).encode()], [stdout.fileno(), stderr.fileno(), sending])
        finally:
            os.close(sending)
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._said, selectors.EVENT_READ)
                if selector.select(timeout):
                    self.returncode = int(self._said.readline())
                    self._said.close()
        return self.returncode


def start(
    arguments: Sequence[str], *, environment: Mapping[str, str], stdout: IO[Any], stderr: IO[Any], cwd: Path = _ROOT
) -> Process:
    """Start Python with these arguments: a script, `-m` and a module, or `-c` and code, and what follows."""
    job = {"arguments": list(arguments), "environment": dict(environment), "cwd": str(cwd)}
    return Process(_template(), job, stdout, stderr)


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str], timeout: float, cwd: Path = _ROOT
) -> subprocess.CompletedProcess[str]:
    """The same, to its end; raises TimeoutExpired, as subprocess.run does, and has ended it then."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = start(arguments, environment=environment, stdout=stdout, stderr=stderr, cwd=cwd)
        try:
            status = process.wait(timeout)
        except BaseException:
            process.kill()
            process.wait()
            raise
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(list(arguments), status, *texts)


@cache
def _template() -> socket.socket:
    """Start the template, once in the tests' process. It ends with this process."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        # Little of the environment, since a variable that a library reads at its start would stay with all that are forked.
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.services.template", str(its.fileno())],
            cwd=_ROOT,
            env={"PATH": os.environ["PATH"]},
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _next_job(control: socket.socket) -> dict[str, Any]:
    """Serve the tests' process; returns in each forked process, with what that one is to run."""
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    reports: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(waking, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if waking in ready:
                os.read(waking, 4096)
                _report_the_ended(reports)
            if control not in ready:
                continue
            content, files, _, _ = socket.recv_fds(control, 2**20, 3)
            if not content:
                os._exit(0)
            stdout, stderr, report = files
            if pid := os.fork():
                reports[pid] = report
                os.write(report, f"{pid}\n".encode())
                os.close(stdout)
                os.close(stderr)
                continue
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            for file in {waking, woken, stdout, stderr, report, *reports.values()}:
                os.close(file)
            break
    control.close()
    return dict(json.loads(content))


def _report_the_ended(reports: dict[int, int]) -> None:
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        report = reports.pop(pid)
        try:
            os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        except BrokenPipeError:
            pass  # nobody asks any more
        finally:
            os.close(report)


def _become(job: dict[str, Any]) -> None:
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["environment"])
    tempfile.tempdir = None
    # A script finds what lies beside it, a module and code find what lies in the folder that they are started in.
    script = job["arguments"][0]
    sys.path[0] = job["cwd"] if script.startswith("-") else str(Path(script).resolve().parent)
    sys.path[1:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    match job["arguments"]:
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *rest]:
            sys.argv = ["-c", *rest]
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        case [_, *rest]:
            sys.argv = [script, *rest]
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    for _name in LIBRARIES:
        importlib.import_module(_name)
    # Else each process's collections of garbage would go through the libraries' objects, and copy their pages.
    gc.collect()
    gc.freeze()
    _become(_next_job(socket.socket(fileno=int(sys.argv[1]))))
