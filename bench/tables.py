"""The output of every bench: a table on the screen and a JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Row = Mapping[str, Any]


def publish(question: str, rows: Sequence[Row], notes: Mapping[str, Any] | None = None) -> None:
    """Print rows (name of column -> value) and notes, and write both to bench/results/<question>.json."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[_shown(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [columns, *cells]) for i in range(len(columns))]
    print(f"\n{question}")
    for line in [columns, ["-" * width for width in widths], *cells]:
        print(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
        )
    for name, value in (notes or {}).items():
        print(f"{name}: {_shown(value)}")
    RESULTS.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    content = {"rows": rows, "notes": notes or {}, "machine": machine}
    (RESULTS / f"{question}.json").write_text(json.dumps(content, indent=2) + "\n")


def median(values: Sequence[float]) -> float:
    """The median of several runs."""
    return statistics.median(values)


def real_data() -> Path:
    """The folder of real photos that the variable REAL_DATA names; exits the script if there is none."""
    folder = os.environ.get("REAL_DATA")
    if not folder:
        raise SystemExit("set REAL_DATA to a folder of real photos to measure with")
    return Path(folder).resolve()


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
