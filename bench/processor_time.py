"""Processor time of one request in the process that answers, without server and client, beside that of another checkout.

Usage: python -m bench.processor_time [--points 100000] [--requests 300] [--rounds 3] [--keep FOLDER] [--against FOLDER]
Data as in bench/similar_latency.py, whose folder --keep may be; requests as there and in bench/search_latency.py, one after the
other. Of each kind the mean of the fastest tenth, which other work on the machine disturbs least, and of all. `process` counts the
threads of the embedded engine, too, `thread` the one that answers. `similar, prices change`: another product's price is written to
the index before each request. --against: a checkout of another release with a `.venv`, which answers the same requests in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from bench.search_latency import kinds_of_words
from bench.similar_latency import prepared
from bench.tables import publish
from bench.traffic import Kind

SEED = 5
_Times = Mapping[str, list[tuple[float, float]]]


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=300, help="of each kind, in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        environment = prepared(options.keep or Path(temporary), options.points)
        checkouts = [Path.cwd(), *([options.against.absolute()] if options.against else [])]
        times: dict[Path, dict[str, list[tuple[float, float]]]] = {each: defaultdict(list) for each in checkouts}
        for number in range(options.rounds):
            asked = json.dumps(_requests(options.points, options.requests, random.Random(SEED + number)))
            for checkout in checkouts:
                for kind, measured in _measured(environment, checkout, asked).items():
                    times[checkout][kind] += measured
    rows = [
        {
            "request": kind,
            "of": checkout.name,
            "process ms": _fastest(each, 0),
            "thread ms": _fastest(each, 1),
            "process ms, mean": 1e3 * sum(one for one, _ in each) / len(each),
        }
        for kind in times[checkouts[0]]
        for checkout in checkouts
        for each in [times[checkout][kind]]
    ]
    publish("processor_time", rows, {"points": options.points, "requests": options.requests * options.rounds})


def _requests(points: int, number: int, draw: random.Random) -> dict[str, list[tuple[str, str]]]:
    """So many addresses of each kind with their bodies, those of similar products each once, so that no answer is kept."""
    products = draw.sample(range(1, points + 1), 2 * number)
    similar = [(f"/api/products/{product}/similar?limit=10", "") for product in products]

    def batch() -> tuple[str, str]:
        first = draw.randint(1, points - 20)
        return "/api/similar:batch?limit=10", json.dumps({"products": [*range(first, first + 20)]})

    def of(kind: Kind) -> list[tuple[str, str]]:
        return [(draw.choice(kind.addresses), "") for _ in range(number)]

    return {
        "hello": [("/hello", "")] * number,
        "not modified": [("/api/products/1/similar?limit=10", "")] * number,
        "similar": similar[:number],
        "similar, prices change": similar[number:],
        "batch": [batch() for _ in range(number)],
        **{name: of(kind) for name, kind in kinds_of_words(points).items()},
    }


def _measured(environment: dict[str, str], checkout: Path, asked: str) -> _Times:
    python = sys.executable if checkout == Path.cwd() else str(checkout / ".venv/bin/python")
    script = Path(__file__).with_name("processor_time_child.py")
    done = subprocess.run(
        [python, str(script)], env={**environment, "PYTHONPATH": str(checkout)}, cwd=checkout, input=asked, text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    times: _Times = json.loads(done.stdout)
    return times


def _fastest(times: list[tuple[float, float]], column: int) -> float:
    """The mean of the fastest tenth, in ms."""
    ordered = sorted(each[column] for each in times)
    some = ordered[: max(1, len(ordered) // 10)]
    return 1e3 * sum(some) / len(some)


if __name__ == "__main__":
    # Not those of the developer's shell.
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    main()
