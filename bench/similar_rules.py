"""Latency of `similar` with ten active rules beside none, on the same server in turns.

Usage: python -m bench.similar_rules [--points 100000] [--seconds 5] [--rounds 7] [--threads 4] [--keep FOLDER]
Data, server and connections as in bench/similar_latency.py, whose folder --keep may be. Between the turns the rule set is made
active or not, which the server notices within a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.similar_latency import prepared, wait_for
from bench.tables import median, publish
from bench.traffic import CONNECTIONS, Kind, asked
from tests.services.conftest import free_port

# Each applies beside every product.
TEN: list[dict[str, Any]] = [
    {"kind": "pin", "parameters": {"products": ["S17"], "place": 3}},
    {"kind": "hide", "parameters": {"brand": ["Brand 7"]}},
    {"kind": "boost", "parameters": {"attribute_at_least": {"margin": 0.7}}},
    {"kind": "bury", "parameters": {"tag": ["sale"]}},
    {"kind": "only_in_stock"},
    {"kind": "price_band"},
    {"kind": "wall", "parameters": {"attributes": ["gender"], "neutral": ["unisex"]}},
    {"kind": "at_most", "parameters": {"number": 3}},
    {"kind": "confidence_floor", "parameters": {"min_confidence": 0.1}},
    {"kind": "when_few", "parameters": {"show": "bestsellers"}},
]
# As a shop has them: half of them beside products of one of twenty shelves.
_SHELVES = {"pin": 3, "boost": 4, "bury": 5, "price_band": 6, "wall": 7}
SCOPED = [
    {**rule, "scope": "category", "target": f"shop/shelf-{_SHELVES[rule['kind']]}"}
    if rule["kind"] in _SHELVES
    else rule
    for rule in TEN
]
# After the switch: the server looks for changed rules every second.
_NOTICED_S = 1.5


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5, help="of each turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--alone", action="store_true", help="also each of the rules alone")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _measure(prepared(options.keep or Path(temporary), options.points), options)


def _measure(environment: dict[str, str], options: argparse.Namespace) -> None:
    sets: dict[str, list[dict[str, Any]]] = {
        "none": [],
        "ten, five of them of categories": SCOPED,
        "ten beside every product": TEN,
    }
    if options.alone:
        sets |= {str(rule["kind"]): [rule] for rule in TEN}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=environment, check=True)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "lookalike.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", str(options.threads), "--keep-alive", "60", "--log-level", "error"]
    server = subprocess.Popen(command, env=environment)
    addresses = [f"/api/products/{id_}/similar?limit=10" for id_ in range(1, options.points + 1)]
    kind = {"similar": Kind(1, addresses, once=True)}
    times: dict[str, list[float]] = {name: [] for name in sets}
    try:
        wait_for(port)
        for number in range(options.rounds + 1):
            for name, rules in sets.items():
                _switch(environment, rules)
                time.sleep(_NOTICED_S)
                answers = asked(f"http://127.0.0.1:{port}", kind, options.seconds)
                if answers.failures:
                    raise SystemExit(answers.failures[0])
                if number:  # the first round fills caches
                    times[name].append(answers.percentile_ms("similar", 50))
    finally:
        server.terminate()
        server.wait(20)
    rows = [
        {
            "rules": name,
            "p50 ms": median(own),
            "times none": median([mine / none for mine, none in zip(own, times["none"], strict=True)]),
        }
        for name, own in times.items()
    ]
    publish("similar_rules", rows, {"points": options.points, "connections": CONNECTIONS})


def _switch(environment: dict[str, str], rules: list[dict[str, Any]]) -> None:
    """Replace all rules, as an import does in a process of its own."""
    sets = [{"name": "bench", "active": True, "rules": rules}] if rules else []
    document = json.dumps({"version": 1, "rule_sets": sets})
    subprocess.run(
        [sys.executable, "manage.py", "rules", "import", "-"],
        input=document, text=True, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


if __name__ == "__main__":
    main()
