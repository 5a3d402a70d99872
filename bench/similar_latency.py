"""Latency of `similar` with 100,000 points in the embedded index, compared with a bare view of the same server.

Usage: python -m bench.similar_latency [--points 100000] [--seconds 10] [--rounds 5] [--threads 4] [--keep FOLDER]
gunicorn with one process and 4 threads (as in `make demo`), 8 open connections, both URLs alternately; synthetic clustered vectors
of 256 dimensions. --keep: build the index there once and use it again.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import SECRET_KEY
from bench.tables import median, publish
from bench.traffic import CONNECTIONS, Answers, Kind, asked
from tests.services.conftest import free_port


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _measure(prepared(options.keep or Path(temporary), options.points), options)


def prepared(folder: Path, points: int) -> dict[str, str]:
    """Fill a folder with so many products and their index, unless it is; return the environment of processes that use it."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = {
        "DATA_DIR": str(folder),
        "SECRET_KEY": SECRET_KEY,
        "DEBUG": "false",
        "DJANGO_SETTINGS_MODULE": "bench.served",
    }
    environment = {**os.environ, **ours}
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "bench.similar_latency_data", str(points)], env=environment, check=True)
        (folder / "ready").touch()
    return environment


def _measure(environment: dict[str, str], options: argparse.Namespace) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "lookalike.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", str(options.threads), "--keep-alive", "60", "--log-level", "error"]
    server = subprocess.Popen(command, env=environment)
    kinds = {
        "hello": Kind(1, ["/hello"]),
        "similar": Kind(1, [f"/api/products/{id_}/similar?limit=10" for id_ in range(1, options.points + 1)]),
    }
    rounds: dict[str, list[Answers]] = {name: [] for name in kinds}
    try:
        wait_for(port)
        for number in range(options.rounds + 1):
            for name, kind in kinds.items():
                answers = asked(f"http://127.0.0.1:{port}", {name: kind}, options.seconds)
                if answers.failures:
                    raise SystemExit(answers.failures[0])
                if number:  # the first round fills caches
                    rounds[name].append(answers)
    finally:
        server.terminate()
        server.wait(20)
    rows = [
        {
            "address": name,
            "p50 ms": median([answers.percentile_ms(name, 50) for answers in all_]),
            "p99 ms": median([answers.percentile_ms(name, 99) for answers in all_]),
        }
        for name, all_ in rounds.items()
    ]
    pairs = zip(rounds["similar"], rounds["hello"], strict=True)
    ratio = median(
        [similar.percentile_ms("similar", 50) / hello.percentile_ms("hello", 50) for similar, hello in pairs]
    )
    publish(
        "similar_latency", rows, {"p50 similar / hello": ratio, "points": options.points, "connections": CONNECTIONS}
    )


def wait_for(port: int) -> None:
    """Wait until a server with these data answers; exit if it does not."""
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


if __name__ == "__main__":
    main()
