"""How long `similar` takes with 100,000 points in the embedded index, beside a bare view of the same server.

Usage: python -m bench.similar_latency [--points 100000] [--requests 1500] [--rounds 5] [--threads 4] [--keep FOLDER]
gunicorn with one process and 4 threads (as `make demo` serves), 8 connections that stay open, both addresses in turn; synthetic
clustered vectors of 256 dimensions. --keep: make the index there once and use it again.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from bench.tables import median, publish

DIM = 256
CONNECTIONS = 8


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        ours = {
            "DATA_DIR": str(folder),
            "SECRET_KEY": "bench",
            "DEBUG": "false",
            "DJANGO_SETTINGS_MODULE": "bench.served",
        }
        environment = {**os.environ, **ours}
        if not (folder / "ready").exists():
            subprocess.run(
                [sys.executable, "-m", "bench.similar_latency_data", str(options.points)], env=environment, check=True
            )
            (folder / "ready").touch()
        _measure(environment, options)


def _measure(environment: dict[str, str], options: argparse.Namespace) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "recommender.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", str(options.threads), "--keep-alive", "60", "--log-level", "error"]
    server = subprocess.Popen(command, env=environment)
    try:
        _wait_for(port)
        ways = {
            "hello": lambda: "/hello",
            "similar": lambda: f"/api/products/{random.randint(1, options.points)}/similar?limit=10",
        }
        seconds: dict[str, list[list[float]]] = {name: [] for name in ways}
        for path in ways.values():
            _load(port, path, 400)
        for _ in range(options.rounds):
            for name, path in ways.items():
                seconds[name].append(_load(port, path, options.requests))
    finally:
        server.terminate()
        server.wait(20)
    rows = [
        {
            "address": name,
            "p50 ms": median([float(np.percentile(run, 50)) * 1000 for run in runs]),
            "p99 ms": median([float(np.percentile(run, 99)) * 1000 for run in runs]),
        }
        for name, runs in seconds.items()
    ]
    pairs = zip(seconds["similar"], seconds["hello"], strict=True)
    ratio = median([float(np.percentile(similar, 50) / np.percentile(hello, 50)) for similar, hello in pairs])
    publish(
        "similar_latency", rows, {"p50 similar / hello": ratio, "points": options.points, "connections": CONNECTIONS}
    )


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/api/products/1/similar?limit=1")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200 and not json.loads(body)["fallback"]:
                return
            raise SystemExit(f"the server answers {answer.status}: {body.decode()[:500]}")
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def _load(port: int, path, requests: int) -> list[float]:
    """Seconds of each request, over CONNECTIONS connections at the same time."""
    seconds: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        own = []
        for _ in range(requests // CONNECTIONS):
            started = time.perf_counter()
            connection.request("GET", path())
            answer = connection.getresponse()
            answer.read()
            own.append(time.perf_counter() - started)
            if answer.status != 200:
                raise SystemExit(f"{path()} answered {answer.status}")
        connection.close()
        seconds.extend(own)

    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) != requests // CONNECTIONS * CONNECTIONS:
        raise SystemExit("a client failed")
    return seconds


if __name__ == "__main__":
    main()
