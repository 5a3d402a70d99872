"""How long this process waits for a store that is away: a job waits, a page does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Patience:
    """Of a process.

    Attributes:
        seconds: for which a request to a store that is away is repeated.
    """

    seconds: float = 0.0


patience = Patience()
