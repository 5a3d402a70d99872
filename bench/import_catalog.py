"""How fast a table of products is imported, and if ten times the rows need more memory.

Usage: python -m bench.import_catalog [--rows 10000 100000] [--database postgres://...]
Tables without photos: title, description, category, brand, price, stock, tags and an attribute. Each import has a database and a
process of its own: SQLite, and PostgreSQL if --database or TEST_DATABASE_URL names a server. Memory is the peak of the
process (VmHWM). Required: 100,000 rows need at most 15% more memory than 10,000.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from bench import SECRET_KEY
from bench.tables import publish
from tests.services.conftest import fresh_database

WORDS = (
    *("enamel", "linen", "oak", "wool", "copper", "glass", "ribbed", "folded", "striped", "washed"),
    *("brushed", "small", "large", "blue", "red", "green"),
)
KINDS = ("Mugs", "Bowls", "Shirts", "Coats", "Lamps", "Chairs", "Bags", "Hats")
BAR = 1.15


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--database", default=os.environ.get("TEST_DATABASE_URL", ""))
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _import(options.child)
        return
    rows = []
    notes: dict[str, object] = {"bar": f"memory of the longest / the shortest table: {BAR} at most"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for engine in ["sqlite", *(["postgresql"] if options.database else [])]:
            peaks = {}
            for number in options.rows:
                table = folder / f"{number}.csv"
                if not table.exists():
                    _write_table(table, number)
                with _database(engine, options.database, folder) as address:
                    first, again = _run(table, address, folder), _run(table, address, folder)
                peaks[number] = first["peak_mb"]
                rows.append(
                    {
                        "database": engine,
                        "rows": number,
                        "first import, rows/s": number / first["seconds"],
                        "again, unchanged, rows/s": number / again["seconds"],
                        "peak MB": first["peak_mb"],
                        "peak MB, again": again["peak_mb"],
                    }
                )
            notes[f"{engine}: memory ratio"] = peaks[max(peaks)] / peaks[min(peaks)]
    publish("import_catalog", rows, notes)


def _write_table(path: Path, rows: int) -> None:
    draw = random.Random(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ("sku", "title", "description", "category", "brand", "price", "available", "tags", "attribute.colour")
        )
        for number in range(rows):
            words = draw.sample(WORDS, 5)
            table.writerow(
                (
                    f"SKU-{number:07}",
                    f"{' '.join(words[:3])} {number}".capitalize(),
                    " ".join(draw.choices(WORDS, k=40)),
                    f"Home > {draw.choice(KINDS)} > {words[0].capitalize()}",
                    f"Brand {draw.randrange(200)}",
                    f"{draw.randrange(100, 90_000) / 100:.2f} EUR",
                    draw.choice(("in stock", "out of stock")),
                    ",".join(words[:2]),
                    words[4],
                )
            )


@contextmanager
def _database(engine: str, server: str, folder: Path) -> Iterator[str]:
    """The URL of a new database, which is deleted afterwards."""
    if engine == "sqlite":
        path = folder / f"{uuid4().hex}.sqlite3"
        yield f"sqlite:///{path}"
        path.unlink()
        return
    with fresh_database(server) as address:
        yield address


def _run(table: Path, address: str, folder: Path) -> dict[str, float]:
    ours = {
        "DATABASE_URL": address,
        "DATA_DIR": str(folder / "data"),
        "SECRET_KEY": SECRET_KEY,
        "DEBUG": "false",
        "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "lookalike.settings",
    }
    environment = {**os.environ, **ours}
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=environment, check=True)
    child = subprocess.run(
        [sys.executable, "-m", "bench.import_catalog", "--child", str(table)],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    measured: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return measured


def _import(table: Path) -> None:
    """Import the table in this process, and print the seconds and the peak memory as JSON."""
    import io

    import django
    from django.core.management import call_command

    django.setup()
    output = io.StringIO()
    started = time.perf_counter()
    call_command("import_catalog", table, "--json", stdout=output)
    seconds = time.perf_counter() - started
    report = json.loads(output.getvalue())
    if report["rejected"] or report["interrupted"]:
        raise SystemExit(f"{report['rejected']} rows were rejected: {report['problems'][:3]}")
    print(json.dumps({"seconds": seconds, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


if __name__ == "__main__":
    main()
