"""Running an import, and reading its report."""

from __future__ import annotations

import gc
import io
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management import call_command

from product_files.product_data import ProductData
from product_files.rows import Row


def run(path: Path | str, *options: str) -> dict[str, Any]:
    """Run the command and return its report."""
    out = io.StringIO()
    call_command("import_catalog", str(path), "--json", *options, stdout=out)
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    """Products created, updated, unchanged, and rows rejected."""
    return report["created"], report["updated"], report["unchanged"], report["rejected"]


def problems(report: dict[str, Any]) -> list[tuple[int, str]]:
    """Line and reason of each problem."""
    return [(problem["line"], problem["reason"]) for problem in report["problems"]]


def of(row: Row) -> ProductData:
    """The product of a row, which has one."""
    assert row.product is not None, row.error
    return row.product


def photos(row: Row) -> list[str]:
    """The names of a row's photos."""
    return [photo.name for photo in row.photos or ()]


_COLLECT_EVERY = 250


def memory_growth(read: Callable[[Callable[[Iterable[Row]], Iterable[Row]]], int], *, after: int, rows: int) -> float:
    """How much more memory all rows took than the first ones. They pass once, since tracing makes Python several times slower.

    Args:
        read: reads the rows, through the function that it is given, and returns their number.
        after: number of rows after which memory must not grow any more.
        rows: number of all rows.

    Returns:
        The peak of all rows in multiples of the peak of the first ones.
    """
    peaks = []

    def watch(each: Iterable[Row]) -> Iterator[Row]:
        for number, row in enumerate(each, start=1):
            yield row
            if number % _COLLECT_EVERY == 0:
                # Whenever Python would do it by itself, what waits for it counts as growth by chance.
                gc.collect()
            if number == after:
                peaks.append(tracemalloc.get_traced_memory()[1])

    # What libraries load at their first use would hide the growth.
    read(lambda each: islice(each, 100))
    # Else each collection below would go through the objects of all tests before this one.
    gc.collect()
    gc.freeze()
    tracemalloc.start()
    try:
        assert read(watch) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    first, of_all = peaks
    return of_all / first
