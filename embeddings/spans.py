"""Spans of what is done, for traces; nothing at all where nobody takes them. Whoever wires the process gives the tracer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Tracer(Protocol):
    """The part of an OpenTelemetry tracer that is needed here."""

    def start_as_current_span(
        self, name: str, *, attributes: dict[str, str | int] | None = None
    ) -> AbstractContextManager[object]:
        """A span that lasts as long as the block."""


_tracer: Tracer | None = None
_NOTHING = nullcontext()


def take(tracer: Tracer) -> None:
    """From here on spans go to this tracer."""
    global _tracer
    _tracer = tracer


def span(name: str, **attributes: str | int) -> AbstractContextManager[object]:
    """The block is a span of this name: one of a few, so that they can be compared; attributes tell one from another."""
    return _NOTHING if _tracer is None else _tracer.start_as_current_span(name, attributes=attributes)
