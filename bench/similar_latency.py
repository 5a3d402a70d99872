"""Latency of `similar` with 100,000 points in the embedded index, compared with a bare view of the same server.

Usage: python -m bench.similar_latency [--points 100000] [--seconds 10] [--rounds 5] [--keep FOLDER] [--against FOLDER]
gunicorn with one process and 4 threads (as in `make demo`), 8 open connections, all kinds of requests alternately; synthetic
clustered vectors of 256 dimensions. `similar`: as if nobody had asked for the product since the catalogue changed, once the server
has found the neighbours of all products, for which this waits (half a minute, and some 3 ms a product). `repeated`: of 100
products, whose answers are kept. `not modified`: with the ETag of the first answer. `batch`: 20 products in one request, as
`similar`. --keep: build the index there once and use it again. --against: a checkout of another release, which is measured in the
same rounds with a copy of the data; it needs a `.venv`, and only `similar` is asked of it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

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
    parser.add_argument("--against", type=Path)
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
    ids = range(1, options.points + 1)
    addresses = [f"/api/products/{id_}/similar?limit=10" for id_ in ids]
    batches = [_batch(number) for number in range(options.points // 20)]
    kinds = {
        "hello": Kind(1, ["/hello"]),
        "similar": Kind(1, addresses, once=True),
        "repeated": Kind(1, addresses[:100]),
        "not modified": Kind(1, addresses[:5], conditional=True),
        "batch": Kind(1, ["/api/similar:batch?limit=10"], bodies=batches, once=True),
    }
    with ExitStack() as stack:
        servers = [(served(stack, environment, Path.cwd(), options.threads), kinds)]
        if options.against:
            copy = shutil.copytree(
                environment["DATA_DIR"], stack.enter_context(tempfile.TemporaryDirectory()) + "/data"
            )
            other = {**environment, "DATA_DIR": str(copy)}
            base = served(stack, other, options.against, options.threads)
            servers.append((base, {f"similar, {options.against.name}": Kind(1, addresses, once=True)}))
        for base, _ in servers:
            wait_for_neighbours(base, options.points)
        rounds: dict[str, list[Answers]] = {name: [] for _, asked_for in servers for name in asked_for}
        for number in range(options.rounds + 1):
            for base, asked_for in servers:
                for name, kind in asked_for.items():
                    answers = asked(base, {name: kind}, options.seconds)
                    if answers.failures:
                        raise SystemExit(answers.failures[0])
                    if number:  # the first round fills caches
                        rounds[name].append(answers)
    rows = [
        {
            "request": name,
            "answers/s": median([answers.rate for answers in all_]),
            "p50 ms": median([answers.percentile_ms(name, 50) for answers in all_]),
            "p99 ms": median([answers.percentile_ms(name, 99) for answers in all_]),
            "p50 / hello": _ratio(rounds, name, "hello"),
            "p50 / similar": _ratio(rounds, name, "similar"),
        }
        for name, all_ in rounds.items()
    ]
    publish("similar_latency", rows, {"points": options.points, "connections": CONNECTIONS})


def _ratio(rounds: Mapping[str, Sequence[Answers]], name: str, other: str) -> float:
    pairs = zip(rounds[name], rounds[other], strict=True)
    return median([one.percentile_ms(name, 50) / beside.percentile_ms(other, 50) for one, beside in pairs])


def _batch(number: int) -> str:
    """A request for 20 products that are not neighbours."""
    return json.dumps({"products": [number * 20 + 1 + position for position in range(20)]})


def served(stack: ExitStack, environment: dict[str, str], checkout: Path, threads: int) -> str:
    """Start a server with the code of a checkout; returns its address once it answers."""
    port = free_port()
    python = sys.executable if checkout == Path.cwd() else str(checkout / ".venv/bin/python")
    command = [python, "-m", "gunicorn", "lookalike.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", str(threads), "--keep-alive", "60", "--log-level", "error"]
    server = subprocess.Popen(command, env=environment, cwd=checkout)
    stack.callback(server.wait, 20)
    stack.callback(server.terminate)
    wait_for(port)
    return f"http://127.0.0.1:{port}"


def wait_for_neighbours(base: str, products: int) -> None:
    """Wait until a server knows the neighbours of so many products, some minutes; exit if it does not get there.

    A release that keeps no neighbours has none to wait for.
    """
    for _ in range(1200):
        answer = httpx.get(f"{base}/metrics", timeout=30)
        all_known = f'\nlookalike_known_neighbours{{collection="all"}} {float(products)}\n' in answer.text
        if all_known or "lookalike_known_neighbours" not in answer.text:
            return
        time.sleep(1)
    raise SystemExit("the server does not find the neighbours of its products")


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
