"""How long work reports its progress: to a bar on a terminal, to the row of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

# Called with the stage, how many of its steps are done, and how many there are (0: not known).
ProgressCallback = Callable[[str, int, int], object]


class StageProgress:
    """Counts the steps of one stage and reports each; the stage begins when it is made."""

    def __init__(self, on_progress: ProgressCallback | None, stage: str, total: int, *, done: int = 0) -> None:
        """Report the beginning of the stage.

        Args:
            on_progress: what is called; None: nothing.
            stage: its name, for users.
            total: how many steps it has; 0: not known.
            done: how many steps were done before.
        """
        self._on_progress, self._stage, self._total, self._done = on_progress, stage, total, done
        self.advance(0)

    def advance(self, steps: int = 1) -> None:
        """Report that so many more steps are done."""
        self._done += steps
        if self._on_progress is not None:
            self._on_progress(self._stage, self._done, self._total)


@contextmanager
def stage_bars() -> Iterator[ProgressCallback]:
    """Show progress on a terminal, and nothing elsewhere.

    Yields:
        A progress callback that shows a bar for each stage.
    """
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
