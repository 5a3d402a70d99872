"""How soon a web process is ready, and its memory, at rest and after it has answered.

Usage: python -m bench.web_process [--products 300] [--starts 5]
A demo shop with the embedded index, served as by `make serve` (gunicorn, one process, four threads). Each start is measured until
`/readyz` answers; then memory at rest, and after similar products of all products and a search by photo. Memory is that of gunicorn
and its worker together, pages that they share counted once.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import httpx

from bench.demo_shop import UNLIMITED, drawn_shop, served_shop
from bench.tables import median, publish

_PROPORTIONAL_KB = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=300)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    rounds = []
    with drawn_shop(products=options.products, debug=False, settings=UNLIMITED) as (environment, _):
        photo = next(Path(environment["DATA_DIR"]).rglob("*.jpg"))
        for _ in range(options.starts):
            began = time.perf_counter()
            with served_shop(environment) as (address, server):
                ready_s = time.perf_counter() - began
                pids = [server.pid, *_children(server.pid)]
                measured = {"ready s": ready_s, "processor s": sum(map(_processor_s, pids)), "MB at rest": _mb(pids)}
                with httpx.Client(base_url=address, timeout=30) as client, photo.open("rb") as file:
                    for product in range(1, options.products + 1):
                        client.get(f"/api/products/{product}/similar").raise_for_status()
                    client.post("/api/collections/all/search", files={"photo": file}).raise_for_status()
                rounds.append({**measured, "MB after answers": _mb(pids)})
    row = {name: median([each[name] for each in rounds]) for name in rounds[0]}
    publish("web_process", [row], {"products": options.products, "starts": options.starts})


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _processor_s(pid: int) -> float:
    # Behind the name of the program, which may hold spaces, the 12th and 13th fields: in user mode, in the kernel; in hundredths.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _mb(pids: list[int]) -> float:
    sizes = [_PROPORTIONAL_KB.search(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids]
    return sum(int(each[1]) for each in sizes if each) / 1024


if __name__ == "__main__":
    main()
