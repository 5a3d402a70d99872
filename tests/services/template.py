"""A process that has imported the libraries already and is forked for each process that a test starts.

To import them takes most of the two seconds that a management command runs for, and tests start hundreds. What is forked has the
arguments, environment, folder and output of its own, and runs the program as `python` would. Nothing of the project is imported
before, and no library that reads the environment or the settings, or starts threads of its own, while it is imported.

What a site's processes have in common, Django's set-up with the site's own environment, is done once as well: by a process forked
from the first, which is forked in turn for each process of that site. Where the set-up fails, each process fails by itself.
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
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn

import django
from django.conf import settings

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
    "jsonschema", "kombu", "kombu.matcher", "numpy", "numpy.typing", "price_parser", "psycopg", "psycopg.types.json", "pydantic",
    "pydantic.networks", "pydantic.plugin._loader", "pydantic.type_adapter", "pygments.formatters.html", "pythonjsonlogger.json",
    "qdrant_client", "redis", "redis.asyncio", "requests", "rest_framework.permissions", "rest_framework.request",
    "rest_framework.serializers", "sqlparse", "tomllib", "tqdm", "uritemplate", "whitenoise.middleware", "yaml",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parents[2]
# While they are imported, libraries act on these by opening files and starting threads, which no other process may share.
_NOT_SHARED = ("PROMETHEUS_MULTIPROC_DIR", "OTEL_EXPORTER_OTLP_ENDPOINT")
# So many set-ups are kept; the one that was not used for longest is dropped. The tests of a module take turns with as many.
_SITES = 8
_PATH = list(sys.path)


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
    arguments: Sequence[str], *, environment: Mapping[str, str], stdout: IO[Any], stderr: IO[Any], set_up: bool = False
) -> Process:
    """Start Python with these arguments: a script, `-m` and a module, or `-c` and code, and what follows.

    Args:
        arguments: of Python.
        environment: all its variables.
        stdout: a file for what it prints.
        stderr: the same, for errors.
        set_up: whether Django may be set up already; worth it if more processes have the same environment.

    Returns:
        The process.
    """
    job = {
        "arguments": list(arguments),
        "environment": dict(environment),
        "set_up": set_up and not any(map(environment.get, _NOT_SHARED)),
    }
    return Process(_template(), job, stdout, stderr)


def run(
    arguments: Sequence[str], *, environment: Mapping[str, str], timeout: float, set_up: bool = False
) -> subprocess.CompletedProcess[str]:
    """The same, to its end; raises TimeoutExpired, as subprocess.run does, and has ended it then."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = start(arguments, environment=environment, stdout=stdout, stderr=stderr, set_up=set_up)
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


def _next_job(control: socket.socket, *, is_root: bool = True) -> dict[str, Any]:
    """Serve who writes to `control`; returns in each forked process, with what that one is to run."""
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    reports: dict[int, int] = {}
    sites: dict[str, socket.socket | None] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(waking, selectors.EVENT_READ)
        # A site's process whose site is dropped waits for those that it has forked, since nobody else can.
        while reports or control in selector.get_map():
            ready = {key.fileobj for key, _ in selector.select()}
            if waking in ready:
                os.read(waking, 4096)
                _report_the_ended(reports)
            if control not in ready:
                continue
            content, files, _, _ = socket.recv_fds(control, 2**20, 3)
            if not content:
                if is_root:
                    break
                selector.unregister(control)
                continue
            job = json.loads(content)
            key = json.dumps(job["environment"], sort_keys=True) if job.pop("set_up", False) else ""
            if key:
                # The one that was used last is the last to be dropped.
                sites[key] = (
                    sites.pop(key)
                    if key in sites
                    else _fork_site(
                        job["environment"], control, waking, woken, *files, *reports.values(), *sites.values()
                    )
                )
                if len(sites) > _SITES:
                    _close(sites.pop(next(iter(sites))))
            if site := sites.get(key):
                socket.send_fds(site, [json.dumps(job).encode()], files)
                _close(*files)
                continue
            stdout, stderr, report = files
            if pid := os.fork():
                reports[pid] = report
                os.write(report, f"{pid}\n".encode())
                _close(stdout, stderr)
                continue
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            _leave(control, waking, woken, *files, *reports.values(), *sites.values())
            return dict(job)
    os._exit(0)


def _leave(*files: int | socket.socket | None) -> None:
    """In a process that was just forked: be no template any more, and close the template's files."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _close(*files)


def _close(*files: int | socket.socket | None) -> None:
    for file in files:
        if isinstance(file, socket.socket):
            file.close()
        elif file is not None:
            os.close(file)


def _fork_site(environment: dict[str, str], *files: int | socket.socket | None) -> socket.socket | None:
    """Fork the template of a site, in whose environment Django is set up.

    Args:
        environment: of the site's processes.
        files: of this template; the new one closes them.

    Returns:
        Where the new one takes jobs; None if Django cannot be set up.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if not os.fork():
        _leave(ours, *files)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        gc.disable()
        try:
            _enter(environment, str(_ROOT))
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookalike.settings")
            django.setup()
            importlib.import_module(settings.ROOT_URLCONF)
        except Exception:  # noqa: BLE001  each of the site's processes will fail, too, and say so
            os._exit(1)
        _freeze()
        its.send(b"ready")
        _run(_next_job(its, is_root=False))
    its.close()
    return ours if ours.recv(8) else None


def _report_the_ended(reports: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        if (report := reports.pop(pid, None)) is None:
            continue  # a site's
        try:
            os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        except BrokenPipeError:
            pass  # nobody asks any more
        finally:
            os.close(report)


def _enter(environment: dict[str, str], first_path: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [first_path, *paths, *_PATH[1:]]


def _become(job: dict[str, Any]) -> None:
    # A script finds what lies beside it, a module and code find what lies in the folder that they are started in.
    script = job["arguments"][0]
    _enter(job["environment"], str(_ROOT) if script.startswith("-") else str(Path(script).resolve().parent))
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


def _run(job: dict[str, Any]) -> NoReturn:
    """End as the interpreter would, but without deleting the libraries' objects, which takes longer than most commands."""
    status = 0
    try:
        _become(job)
    except SystemExit as exit_:
        if not isinstance(exit_.code, int | None):
            raise
        status = (exit_.code or 0) & 0xFF
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _freeze() -> None:
    """Else each process's collections of garbage would go through the objects that are there already, and copy their pages.

    Until here there was no collection: what is imported stays, and to look for garbage in it takes a seventh of the time.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    gc.disable()
    for _name in LIBRARIES:
        importlib.import_module(_name)
    _freeze()
    _run(_next_job(socket.socket(fileno=int(sys.argv[1]))))
