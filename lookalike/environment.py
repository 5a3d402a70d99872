"""How the environment is read: each kind of value, and what is said of one that cannot be used. Only settings.py asks."""

from __future__ import annotations

from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

BASE_DIR = Path(__file__).resolve().parent.parent

# The parts of OpenTelemetry that traces are made of.
_TRACING = ("sdk", "exporter.otlp.proto.http", *(f"instrumentation.{each}" for each in ("celery", "django", "psycopg")))


class _Variables(FileAwareMapping):  # type: ignore[misc]  # django-environ carries no types
    """Of a file without the line end that an editor, or `echo`, puts behind its text."""

    def __getitem__(self, key: str) -> str:
        value: str = super().__getitem__(key)
        return value.removesuffix("\n") if self.env.get(f"{key}_FILE") else value


class _Env(environ.FileAwareEnv):  # type: ignore[misc]
    """Also reads each variable X from the file named by X_FILE (Docker and Kubernetes secrets)."""

    ENVIRON = _Variables()


env = _Env()
if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of these words."""
    value: str = env.str(name, default=default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of {', '.join(allowed)}")
    return value


def count(name: str, default: int, *, above: int = -1) -> int:
    """A whole number."""
    raw = env.str(name, default=str(default))
    if not raw.isdecimal() or int(raw) <= above:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number{' above 0' if above == 0 else ''}")
    return int(raw)


def positive(name: str, default: int) -> int:
    """A whole number above 0."""
    return count(name, default, above=0)


def boolean(name: str, default: bool) -> bool:
    """True or false, in the usual words."""
    raw = env.str(name, default=str(default)).strip().lower()
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
        "": False,
    }
    if raw not in known:
        raise ImproperlyConfigured(f"{name}={raw!r} is neither true nor false")
    return known[raw]


def named(name: str) -> dict[str, str]:
    """name=value,name=value."""
    named = {}
    for pair in filter(None, (pair.strip() for pair in env.str(name, default="").split(","))):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise ImproperlyConfigured(f"{name}: {pair!r} is not name=value")
        named[key] = value
    return named


def ports(name: str, default: str) -> tuple[int, ...]:
    """Ports, as in 80,443."""
    raw = [port.strip() for port in env.str(name, default=default).split(",")]
    if not all(map(_is_port, raw)):
        raise ImproperlyConfigured(f"{name}: {','.join(raw)!r} is not a list of ports like {default}")
    return tuple(int(port) for port in raw)


def address(name: str) -> tuple[str, int] | None:
    """A port of this machine, or host:port."""
    if not (raw := env.str(name, default="")):
        return None
    host, _, port = raw.rpartition(":")
    if not _is_port(port):
        raise ImproperlyConfigured(
            f"{name}={raw!r} is neither a port like 8001 nor an address and a port like 0.0.0.0:8001"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def collector(name: str) -> str:
    """The address of an OpenTelemetry collector, where one can be told of anything."""
    url: str = env.str(name, default="")
    if not url:
        return ""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ImproperlyConfigured(f"{name}={url!r} is not an address like http://collector:4318")
    if not all(map(_installed, _TRACING)):
        raise ImproperlyConfigured(
            f"{name} is set, but OpenTelemetry is not installed: pip install --require-hashes -r requirements/otel.txt,"
            " or build the images with REQUIREMENTS=otel"
        )
    return url


def networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks, as in 10.1.0.0/16,fd00::/8."""
    try:
        return tuple(ip_network(network.strip()) for network in env.list(name, default=[]) if network.strip())
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}: write networks like 10.1.0.0/16") from error


def database(name: str, default: str) -> dict[str, Any]:
    """What Django is to know of a database, from its address."""
    url = env.str(name, default=default)
    scheme = url.partition(":")[0]
    if scheme not in ("postgres", "postgresql", "psql", "pgsql", "sqlite"):
        raise ImproperlyConfigured(
            f"{name} starts with {scheme!r}: use postgres://user:password@host:5432/name or sqlite:///path"
        )
    return dict(environ.Env.db_url_config(url))


def qdrant_options(url: str) -> dict[str, Any]:
    """What the environment says of a Qdrant server or cluster; the adapter has the defaults."""
    options: dict[str, Any] = {"url": url, "api_key": env.str("QDRANT_API_KEY", default="") or None}
    for name in (
        "GRPC_PORT", "TIMEOUT_S", "QUERY_TIMEOUT_S", "SHARD_NUMBER", "REPLICATION_FACTOR", "WRITE_CONSISTENCY_FACTOR",
        "HNSW_M", "HNSW_EF_CONSTRUCT", "EF",
    ):  # fmt: skip
        if env.str(f"QDRANT_{name}", default=""):
            options[name.lower()] = positive(f"QDRANT_{name}", 1)
    if replicas := env.str("QDRANT_READ_CONSISTENCY", default=""):
        options["read_consistency"] = (
            int(replicas)
            if replicas.isdigit()
            else choice("QDRANT_READ_CONSISTENCY", "", ("majority", "quorum", "all"))
        )
    if choice("QDRANT_QUANTIZATION", "", ("", "int8")):
        options["quantization"] = "int8"
    return options | {
        "on_disk": boolean("QDRANT_ON_DISK", False),
        "on_disk_payload": boolean("QDRANT_ON_DISK_PAYLOAD", False),
    }


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _installed(part: str) -> bool:
    """Whether this part of OpenTelemetry is there."""
    try:
        return find_spec(f"opentelemetry.{part}") is not None
    except ModuleNotFoundError:
        return False
