"""How long work reports its progress: to a bar on a terminal, to the row of a job."""

from __future__ import annotations

from collections.abc import Callable

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
