"""A deployment without containers: each service of docker-compose.yml runs its own command, with its own variables and secrets.

Python's programs are forked from a process that has imported the libraries (see `tests.services.template`).
The tests replace what a container provides: host names become addresses, /tmp and the volumes become folders of the test.
A service is healthy if its own health check passes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import psycopg

from tests.deploy.files import DEPLOY, ENV_FILE, ROOT, compose
from tests.services import template
from tests.services.conftest import Started, free_port

PATIENCE_S = 120
BIN = Path(sys.executable).parent
# Where each service listens in its container.
PORTS = {
    "proxy": 8080,
    "catalog": 8000,
    "recommender": 8000,
    "worker": 8001,
    "jobs": 8001,
    "trainer": 8001,
    "redis": 6379,
    "qdrant": 6333,
}
# Where web processes answer health checks.
HEALTH_PORT = 8002


class Deployment:
    """The services of docker-compose.yml as processes, their files below one folder, their data in a PostgreSQL database."""

    def __init__(self, folder: Path, database_url: str, **variables: str) -> None:
        self.folder = folder
        self.services: dict[str, Any] = compose(variables={**ENV_FILE, **variables})["services"]
        self.ports = {name: free_port() for name in PORTS}
        self._health_ports = {name: free_port() for name in ("catalog", "recommender")}
        self.processes: dict[str, Started] = {}
        self._url = database_url
        self._database = urlsplit(database_url)
        for name in ("tmp", "metrics", "redis", "var/media", "var/encoders", "var/uploads", "var/training"):
            (folder / name).mkdir(parents=True)
        _done(subprocess.run([DEPLOY / "make-secrets", folder / "secrets"], capture_output=True, text=True, timeout=30))
        self._reach("database_url", database_url)
        self._reach("redis_url", self.secret("redis_url").replace("redis:6379", f"127.0.0.1:{self.ports['redis']}"))

    def secret(self, name: str) -> str:
        """The content of a secret's file."""
        return (self.folder / "secrets" / name).read_text()

    def _reach(self, name: str, value: str) -> None:
        path = self.folder / "secrets" / name
        path.chmod(0o600)
        path.write_text(value)

    def environment(self, name: str) -> dict[str, str]:
        """The variables of a service. Only PATH comes from this machine."""
        given = {key: self._here(name, value) for key, value in self.services[name].get("environment", {}).items()}
        place = self._database
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin",
            "HOME": str(self.folder / "tmp"),
            "HOSTNAME": name,
            # The images hold no .env.
            "ENV_FILE": os.devnull,
            **given,
            # The stand-in supports only REST.
            "QDRANT_GRPC_PORT": "",
            "DATA_DIR": str(self.folder / "var"),
            # The variables that PostgreSQL's programs have in their container.
            "PGHOST": place.hostname or "",
            "PGPORT": str(place.port or 5432),
            "PGPASSWORD": place.password or "",
            "POSTGRES_USER": place.username or "postgres",
            "POSTGRES_DB": place.path.lstrip("/"),
        }

    def here(self, name: str, *words: str) -> list[str]:
        """The words of a service's command, adapted to this machine."""
        return [self._here(name, word) for word in words]

    def _here(self, name: str, text: str) -> str:
        """One word of a command or one value of a variable, adapted to this machine."""
        places = {
            "/run/secrets": self.folder / "secrets",
            "/run/metrics": self.folder / "metrics" / name,
            "/app/var": self.folder / "var",
            "/tmp": self.folder / "tmp",  # noqa: S108
            "/data": self.folder / "redis",
        }
        text = re.sub(rf"(?<![\w/.])({'|'.join(places)})(?![\w.])", lambda match: str(places[match[0]]), text)
        text = text.replace("0.0.0.0:", "127.0.0.1:").replace(
            "http://qdrant:6333", f"http://127.0.0.1:{self.ports['qdrant']}"
        )
        if name in self._health_ports:
            text = text.replace(f"127.0.0.1:{HEALTH_PORT}", f"127.0.0.1:{self._health_ports[name]}")
        if name in PORTS:
            text = re.sub(rf"(localhost|127\.0\.0\.1)([:/]){PORTS[name]}\b", rf"\1\g<2>{self.ports[name]}", text)
        return text

    def command(self, name: str) -> list[str]:
        """The command of a service, adapted to this machine."""
        if name == "qdrant":
            return [
                sys.executable,
                "-m",
                "tests.deploy.qdrant_standin",
                "127.0.0.1",
                str(self.ports[name]),
                self.secret("qdrant_api_key"),
                str(self.folder / "qdrant"),
            ]
        if name == "proxy":
            return ["nginx", "-c", str(self._proxy_configuration()), "-g", "daemon off;"]
        words = [self._here(name, word) for word in self.services[name]["command"]]
        if name == "redis":
            words += ["--port", str(self.ports[name]), "--bind", "127.0.0.1"]
        if "worker" in words:
            # Workers are named after the host name of their container.
            words += [f"--hostname=celery@{name}"]
        return words

    def _proxy_configuration(self) -> Path:
        """The nginx configuration of the proxy's image, with the values that its entry point would fill in."""
        template = (DEPLOY / "proxy" / "lookalike.conf.template").read_text()
        for variable, value in {
            "NGINX_LOCAL_RESOLVERS": "127.0.0.1",
            "CATALOG": f"127.0.0.1:{self.ports['catalog']}",
            "RECOMMENDER": f"127.0.0.1:{self.ports['recommender']}",
        }.items():
            template = template.replace(f"${{{variable}}}", value)
        template = template.replace("listen 8080", f"listen 127.0.0.1:{self.ports['proxy']}")
        main = (DEPLOY / "proxy" / "nginx.conf").read_text()
        scratch = f"{self.folder}/tmp"  # noqa: S108
        places = {"/srv/lookalike": f"{self.folder}/var", "/tmp": scratch, "/dev": scratch}  # noqa: S108
        for path, text in {"lookalike.conf": template, "nginx.conf": main}.items():
            text = re.sub(r"/srv/lookalike|/tmp(?=/)|/dev(?=/std)", lambda match: places[match[0]], text)
            if os.geteuid() == 0:
                text = text.replace("worker_processes", "user root;\nworker_processes")
            (self.folder / "tmp" / path).write_text(text)
        return self.folder / "tmp" / "nginx.conf"

    def start(self, *names: str) -> None:
        """Start services, and wait until the health check of each passes."""
        for name in names:
            (self.folder / "metrics" / name).mkdir(exist_ok=True)
            with (self.folder / f"{name}.log").open("a") as log:
                self.processes[name] = self._start(name, log)
        for name in names:
            self.wait_until(partial(self.healthy, name))

    def _start(self, name: str, log: IO[str]) -> Started:
        command, environment = self.command(name), self.environment(name)
        if arguments := _pythons(command):
            return template.start(arguments, environment=environment, stdout=log, stderr=log, set_up=True)
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, text=True)

    def healthy(self, name: str) -> bool:
        """Whether the health check of the service passes."""
        assert self.processes[name].poll() is None, self.log(name)
        kind, *words = self.services[name]["healthcheck"]["test"]
        command = [self._here(name, word) for word in words]
        if name == "redis":
            command[0] = command[0].replace("redis-cli", f"redis-cli -p {self.ports[name]}")
        if kind == "CMD" and (arguments := _pythons(command)):
            environment = self.environment(name)
            return template.run(arguments, environment=environment, timeout=PATIENCE_S, set_up=True).returncode == 0
        done = subprocess.run(
            ["sh", "-c", *command] if kind == "CMD-SHELL" else command,
            cwd=ROOT,
            env=self.environment(name),
            capture_output=True,
            timeout=PATIENCE_S,
        )
        return done.returncode == 0

    def run(self, name: str, *words: str, check: bool = True, **streams: Any) -> subprocess.CompletedProcess[str]:
        """`docker compose run` or `exec`: another command with the service's variables; without one, the service's own."""
        command, environment = list(words) or self.command(name), self.environment(name)
        arguments = _pythons(command)
        if arguments and not streams:
            done = template.run(arguments, environment=environment, timeout=2 * PATIENCE_S, set_up=True)
        else:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
                timeout=2 * PATIENCE_S,
                **{"stdout": subprocess.PIPE, **streams},
            )
        return _done(done) if check else done

    def manage(self, *words: str, check: bool = True) -> str:
        """The output of a management command in the worker's container."""
        done = self.run("worker", "python", "manage.py", *words, check=check)
        return done.stdout + done.stderr

    def query(self, statement: str) -> list[Any]:
        """The rows of an SQL statement, without Django."""
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement).fetchall()

    def end(self, *names: str) -> dict[str, int]:
        """Stop services as `docker compose stop` does, and return their exit statuses. Fails if one exceeds its grace period."""
        for name in names:
            number = {"proxy": signal.SIGQUIT}.get(name, signal.SIGTERM)
            self.processes[name].send_signal(number)
        return {name: self._ended(name) for name in names}

    def _ended(self, name: str) -> int:
        grace_s = (
            int(self.services[name]["stop_grace_period"].rstrip("s"))
            if "stop_grace_period" in self.services[name]
            else 10
        )
        try:
            return self.processes.pop(name).wait(grace_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} did not end within {grace_s} s:\n{self.log(name)}") from None

    def stop(self) -> None:
        """Stop all processes that still run."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        """The output of a service."""
        return f"{name}:\n" + (self.folder / f"{name}.log").read_text()

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Wait until the condition is true; after a timeout, fail with the logs of the services."""
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            logs = "\n".join(self.log(name)[-3000:] for name in self.processes)
            assert time.monotonic() < deadline, f"it did not come about within {PATIENCE_S} s:\n{logs}"
            time.sleep(0.2)


def documented(deployment: Deployment, commands: Sequence[Sequence[str]], folder: Path) -> list[str]:
    """Run documented `docker compose` commands, `<` and `>` in this folder; returns what each printed.

    `exec` and `run` are run as the service's; `stop`, `start` and `up` end and start the services that they name.
    """
    return [_documented(deployment, list(words), folder) for words in commands]


def _documented(deployment: Deployment, words: list[str], folder: Path) -> str:
    assert words[:2] == ["docker", "compose"], words
    verb, *rest = words[2:]
    streams: dict[str, Any] = {}
    for sign, name, mode in (("<", "stdin", "r"), (">", "stdout", "w")):
        if sign in rest:
            at = rest.index(sign)
            streams[name] = (folder / rest[at + 1]).open(mode)
            del rest[at : at + 2]
    rest = [word for word in rest if word not in ("-T", "--rm", "--no-deps", "--detach")]
    try:
        match verb:
            case "exec" | "run":
                done = deployment.run(rest[0], *deployment.here(*rest), **streams)
                return (done.stdout or "") + done.stderr
            case "stop":
                deployment.end(*rest)
            case "start" | "up":
                deployment.start(*rest)
            case _:
                raise AssertionError(f"not known here: {words}")
    finally:
        for stream in streams.values():
            stream.close()
    return ""


def _pythons(command: Sequence[str]) -> list[str] | None:
    """The arguments of Python for this command; None if it is not a Python program."""
    program, *words = command
    if program == "python":
        return words
    script = BIN / program
    return [str(script), *words] if script.exists() and script.read_bytes().startswith(b"#!") else None


def _done(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, (done.stdout or "") + done.stderr
    return done


def missing_programs(names: Mapping[str, str]) -> list[str]:
    """The programs that are not installed, with the packages that provide them."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    return [f"{name} ({source})" for name, source in names.items() if shutil.which(name, path=path) is None]
