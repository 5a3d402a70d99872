"""Latency of the search by words beside `similar`, in one run of one server with the embedded index.

Usage: python -m bench.search_latency [--products 100000] [--seconds 10] [--rounds 5] [--threads 4] [--keep FOLDER]
gunicorn with one process and 4 threads (as in `make demo`), 8 open connections, the addresses in turn. "words": two to four words
of titles; "typed wrong": the same with an error in one; "typing": the last word unfinished, as suggestions ask.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from bench.similar_latency import prepared, wait_for
from bench.similar_latency_data import title_of
from bench.tables import median, publish
from bench.text_relevance import typing_error
from bench.traffic import CONNECTIONS, Answers, Kind, asked
from tests.services.conftest import free_port

QUERIES = 2000
SEED = 7


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _measure(prepared(options.keep or Path(temporary), options.products), options)


def _measure(environment: dict[str, str], options: argparse.Namespace) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "lookalike.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", str(options.threads), "--keep-alive", "60", "--log-level", "error"]
    server = subprocess.Popen(command, env=environment)
    addresses = [f"/api/products/{id_}/similar?limit=10" for id_ in range(1, options.products + 1)]
    kinds = {"similar": Kind(1, addresses), **kinds_of_words(options.products)}
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
    ratios = {
        name: median(
            [
                one.percentile_ms(name, 50) / other.percentile_ms("similar", 50)
                for one, other in zip(rounds[name], rounds["similar"], strict=True)
            ]
        )
        for name in kinds
    }
    rows = [
        {
            "address": name,
            "p50 ms": median([answers.percentile_ms(name, 50) for answers in all_]),
            "p99 ms": median([answers.percentile_ms(name, 99) for answers in all_]),
            "p50 / similar": ratios[name],
        }
        for name, all_ in rounds.items()
    ]
    publish("search_latency", rows, {"products": options.products, "connections": CONNECTIONS})


def kinds_of_words(products: int) -> dict[str, Kind]:
    """Searches by words of so many products' titles."""
    generator = random.Random(SEED)
    words = []
    for _ in range(QUERIES):
        title = title_of(generator.randint(1, products)).split()
        words.append(" ".join(generator.sample(title, generator.randint(2, 4))))
    return {
        "words": Kind(1, [_address(text) for text in words]),
        "typed wrong": Kind(1, [_address(typing_error(text, generator)) for text in words]),
        "typing": Kind(1, [_address(text[: max(3, len(text) - 2)], typing="true") for text in words]),
    }


def _address(text: str, **parameters: str) -> str:
    return f"/api/search?{urlencode({'text': text, 'limit': '10', **parameters})}"


if __name__ == "__main__":
    main()
