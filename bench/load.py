"""Errors, throughput and latency of a shop's API under load, compared with a bare view of the same server.

Usage: python -m bench.load [--products 3000] [--seconds 60] [--rounds 6] [--connections 8]
Of 100 requests, 90 are for similar products, 8 for the catalogue, 2 are searches by photo. Connections stay open, and each sends
the next request as soon as the response arrives. Both ways to serve (bench/shops.py), in rounds that alternate with rounds of the
bare view. PostgreSQL: TEST_DATABASE_URL, or a server of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.shops import WAYS, Catalogue, Shop, visitors, write_catalogue
from bench.tables import median, publish
from bench.traffic import CONNECTIONS, Answers, Kind, asked

HELLO = {"hello": Kind(1, ["/hello"])}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save the results. Exits with an error if a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=60, help="of load in total, per way to serve")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to serve")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    options = parser.parse_args(arguments)
    rows: list[Mapping[str, Any]] = []
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lookalike-load-") as temporary:
        catalogue = write_catalogue(Path(temporary) / "catalogue", options.products)
        for number, name in enumerate(options.ways):
            with WAYS[name](Path(temporary) / f"shop-{number}") as shop:
                shop.fill(catalogue)
                measured, failed = _measured(shop, catalogue, options)
            rows += [{"served by": name, **row} for row in measured]
            failures += failed
    publish(
        "load",
        rows,
        {"products": options.products, "connections": options.connections, "load average, 1 min": os.getloadavg()[0]},
    )
    if failures:
        raise SystemExit(f"{len(failures)} requests failed, the first: {failures[0]}")


def _measured(
    shop: Shop, catalogue: Catalogue, options: argparse.Namespace
) -> tuple[list[Mapping[str, Any]], list[str]]:
    base = shop.serve().base
    mix = visitors(shop.products(), catalogue)
    share = options.seconds / options.rounds
    for kinds in (HELLO, mix):  # warm-up: what the first requests create is not measured
        asked(base, kinds, share / 2, options.connections)
    hellos, rounds = [], []
    for _ in range(options.rounds):
        hellos.append(asked(base, HELLO, share / 2, options.connections))
        rounds.append(asked(base, mix, share, options.connections))
    rows = [_row("hello", hellos, hellos), *(_row(kind, rounds, hellos) for kind in mix)]
    everything = {
        "request": "all of the visitors'",
        "requests": sum(row["requests"] for row in rows[1:]),
        "failed": sum(len(each.failures) for each in rounds),
        "requests/s": median([each.rate for each in rounds]),
    }
    return [*rows, everything], [failure for each in (*hellos, *rounds) for failure in each.failures]


def _row(kind: str, rounds: Sequence[Answers], hellos: Sequence[Answers]) -> Mapping[str, Any]:
    answered = [(each, hello) for each, hello in zip(rounds, hellos, strict=True) if each.seconds.get(kind)]
    return {
        "request": kind,
        "requests": sum(len(each.seconds[kind]) for each, _ in answered),
        "failed": sum(failure.startswith(f"{kind}:") for each in rounds for failure in each.failures),
        "requests/s": median([len(each.seconds[kind]) / each.elapsed_s for each, _ in answered]),
        "p50 ms": median([each.percentile_ms(kind, 50) for each, _ in answered]),
        "p99 ms": median([each.percentile_ms(kind, 99) for each, _ in answered]),
        "p50 / hello": median(
            [each.percentile_ms(kind, 50) / hello.percentile_ms("hello", 50) for each, hello in answered]
        ),
    }


if __name__ == "__main__":
    main()
