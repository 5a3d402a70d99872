"""The errors of a request's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParameterError:
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class InvalidParameters(Exception):
    """A request has parameters that cannot be used; every one of them is told."""

    def __init__(self, errors: Sequence[ParameterError]) -> None:
        super().__init__("; ".join(f"{error.parameter}: {error.detail}" for error in errors))
        self.errors = errors
