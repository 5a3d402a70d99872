"""How soon changes of the catalogue are visible in the API, while visitors send requests.

Usage: python -m bench.changing_shop [--products 3000] [--prices 1000] [--deletes 200] [--photos 200] [--seconds 60] [--within 5]
Another process changes prices, deletes products and adds products with a new photo, through the catalogue's services. For each
change, `similar` of an unchanged product is polled until it returns the new price, no longer lists the deleted product, or lists
the new one. Both ways to serve (bench/shops.py). Required: each change is visible within --within seconds, no request fails, and
`reindex --verify` finds nothing afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.shops import WAYS, Catalogue, Shop, visitors, write_catalogue
from bench.tables import publish
from bench.traffic import asking
from tests.services.conftest import ROOT, Server

GIVE_UP_S = 300.0
OBSERVERS = 8
# Pause before a change is polled again, so that polling adds little load.
PAUSE_S = 0.1
ENDED = -1
# A product that was found in a list of NEAR may rank lower later, because others were added before it.
NEAR, LISTED = 12, 48


# When to poll a change, its number, and when it was committed. Changes that were not polled yet come first.
Waiting = queue.PriorityQueue[tuple[float, int, float]]


@dataclass(frozen=True)
class Change:
    """A change of a product, and the unchanged product whose list shows it. `price` is the new price."""

    kind: str
    beside: int
    sku: str
    title: str = ""
    product: int = 0
    price: str = ""

    def seen(self, listed: Sequence[Mapping[str, Any]]) -> bool:
        """Whether this list of products shows the change."""
        prices = {product["sku"]: product["price"] for product in listed}
        return self.sku not in prices if self.kind == "delete" else prices.get(self.sku) == self.price


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save the results. Exits with an error if a requirement is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=3000)
    parser.add_argument("--prices", type=int, default=1000)
    parser.add_argument("--deletes", type=int, default=200)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60, help="over which the changes are distributed")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to serve")
    parser.add_argument("--within", type=float, default=5, help="required: seconds until each change is visible")
    options = parser.parse_args(arguments)
    rows: list[Mapping[str, Any]] = []
    notes: dict[str, Any] = {"bar": f"seen within {options.within:g} s"}
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lookalike-changing-") as temporary:
        catalogue = write_catalogue(Path(temporary) / "catalogue", options.products)
        for number, name in enumerate(options.ways):
            with WAYS[name](Path(temporary) / f"shop-{number}") as shop:
                shop.fill(catalogue)
                seconds, failures = _measured(shop, catalogue, options)
                shop.site.stop()
                verified = shop.site.manage("reindex", "--verify").stdout
            found = re.search(r"\d+ missing, \d+ stale, \d+ orphaned", verified)
            notes[f"{name}: reindex --verify"] = found[0] if found else verified
            notes[f"{name}: failed requests"] = len(failures)
            rows += [{"served by": name, **_row(kind, times)} for kind, times in seconds.items()]
            missed += [f"{name}: {failure}" for failure in failures[:3]]
            late = {kind: max(times) for kind, times in seconds.items() if max(times) > options.within}
            missed += [f"{name}: {kind}: seen after {latest:.1f} s" for kind, latest in late.items()]
            if not found or re.search(r"[1-9]", found[0]):
                missed.append(f"{name}: {verified}")
    publish("changing_shop", rows, {**notes, "products": options.products, "load average, 1 min": os.getloadavg()[0]})
    if missed:
        raise SystemExit("\n".join(missed))


def _row(kind: str, seconds: Sequence[float]) -> Mapping[str, Any]:
    p50, p99 = (float(np.percentile(seconds, percent)) for percent in (50, 99))
    return {"change": kind, "changes": len(seconds), "p50 s": p50, "p99 s": p99, "max s": max(seconds)}


def _measured(
    shop: Shop, catalogue: Catalogue, options: argparse.Namespace
) -> tuple[Mapping[str, Sequence[float]], Sequence[str]]:
    """Seconds until each change was visible, by kind, and the failures."""
    server = shop.serve()
    changes = _changes(shop, server, options)
    lasting = sorted(set(shop.products()) - {change.product for change in changes if change.kind == "delete"})
    with asking(server.base, visitors(lasting, catalogue)) as answers:
        watched = _Watched(server, changes)
        watched.make(shop.site.environment, options.seconds / len(changes))
    return watched.seconds, [*answers.failures, *watched.failures]


def _changes(shop: Shop, server: Server, options: argparse.Namespace) -> list[Change]:
    draw = random.Random(5)
    # Some products stay unchanged: their lists show the changes of the others.
    products = shop.products()
    draw.shuffle(products)
    unchanged = products[: len(products) // 4]
    beside: dict[int, tuple[int, Mapping[str, Any]]] = {}
    wanted = options.prices + options.deletes
    for product in unchanged:
        for result in server.get(f"/api/products/{product}/similar?limit={NEAR}")["results"]:
            beside.setdefault(result["product"]["id"], (product, result["product"]))
        for each in unchanged:
            beside.pop(each, None)
        if len(beside) >= wanted:
            break
    if len(beside) < wanted:
        raise SystemExit(f"{len(products):,} products are too few to change {wanted:,} of them: raise --products")
    changed = draw.sample(sorted(beside.items()), wanted)
    changes = []
    for number, (product, (where, card)) in enumerate(changed):
        if number < options.deletes:
            changes.append(Change("delete", where, card["sku"], product=product))
        else:
            price = f"{draw.randrange(50_000, 90_000) / 100:.2f}"
            changes.append(Change("price", where, card["sku"], card["title"], product, price))
    for number, where in enumerate(draw.sample(unchanged, options.photos)):
        changes.append(Change("photo", where, f"NEW-{number:05}", f"New {number}", price="19.90"))
    draw.shuffle(changes)
    return changes


@dataclass
class _Watched:
    """Makes changes, and polls each until it is visible."""

    server: Server
    changes: Sequence[Change]
    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def make(self, environment: Mapping[str, str], pause_s: float) -> None:
        """Make all changes, and wait until each is visible."""
        waiting: Waiting = queue.PriorityQueue()
        left = threading.Semaphore(0)
        observers = [threading.Thread(target=self._observe, args=(waiting, left.release)) for _ in range(OBSERVERS)]
        for observer in observers:
            observer.start()
        orders = {"pause_s": pause_s, "changes": [change.__dict__ for change in self.changes]}
        try:
            with subprocess.Popen(
                [sys.executable, "-m", "bench.changes"],
                cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            ) as maker:  # fmt: skip
                assert maker.stdin is not None and maker.stdout is not None
                maker.stdin.write(json.dumps(orders) + "\n")
                maker.stdin.close()
                for line in maker.stdout:
                    made = json.loads(line)
                    waiting.put((0.0, made["number"], made["committed_at"]))
            if maker.returncode:
                raise SystemExit("the changes could not be made")
            for _ in self.changes:
                left.acquire()
        finally:
            for _ in observers:
                waiting.put((float("inf"), ENDED, 0.0))
            for observer in observers:
                observer.join()

    def _observe(self, waiting: Waiting, done: Callable[[], None]) -> None:
        while (entry := waiting.get())[1] != ENDED:
            due_at, number, committed_at = entry
            time.sleep(max(0.0, due_at - time.monotonic()))
            change = self.changes[number]
            seen = self._is_seen(change)
            took = time.monotonic() - committed_at
            if seen:
                self.seconds.setdefault(change.kind, []).append(took)
                done()
            elif took > GIVE_UP_S:
                self.failures.append(f"{change.kind}: {change.sku} was not seen within {GIVE_UP_S:g} s")
                done()
            else:
                waiting.put((committed_at + took + PAUSE_S, number, committed_at))

    def _is_seen(self, change: Change) -> bool:
        try:
            answer = self.server.get(f"/api/products/{change.beside}/similar?limit={LISTED}")
        except OSError as error:
            self.failures.append(f"{change.kind}: {error!r}")
            return False
        return change.seen([result["product"] for result in answer["results"]])


if __name__ == "__main__":
    main()
