"""How commands show long work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from jobs.progress import ProgressCallback


@contextmanager
def stage_bars() -> Iterator[ProgressCallback]:
    """Gives a progress callback that shows a bar for each stage on a terminal, and nothing elsewhere."""
    bar: tqdm[Any] | None = None
    shown = ""

    def show(stage: str, done: int, total: int) -> None:
        nonlocal bar, shown
        if bar is None or stage != shown or done < bar.n:
            if bar is not None:
                bar.close()
            shown = stage
            bar = tqdm(total=total or None, desc=stage, disable=None)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
