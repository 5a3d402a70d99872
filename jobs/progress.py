"""How long work tells how far it is, to whoever watches: a bar on a terminal, a row of a job."""

from __future__ import annotations

from collections.abc import Callable

# How many more are done.
Progress = Callable[[int], object]
# Stage, how many of it are done, of how many (0: nobody knows).
Tell = Callable[[str, int, int], object]


def counted(tell: Tell, stage: str, total: int) -> Progress:
    """Begins a stage, and gives what adds up its steps."""
    done = 0
    tell(stage, 0, total)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        tell(stage, done, total)

    return advance
