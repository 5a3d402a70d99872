"""How commands show long work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from jobs.progress import Tell


@contextmanager
def stage_bars() -> Iterator[Tell]:
    """Gives a function of (stage, done, total) that shows a bar for each stage on a terminal, and nothing off it."""
    bar: tqdm[Any] | None = None
    shown = ""

    def tell(stage: str, done: int, total: int) -> None:
        nonlocal bar, shown
        if bar is None or stage != shown:
            if bar is not None:
                bar.close()
            shown = stage
            bar = tqdm(total=total or None, desc=stage, disable=None)
        bar.update(done - bar.n)

    try:
        yield tell
    finally:
        if bar is not None:
            bar.close()
