"""The errors of a request's parameters and headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GIVEN_TWICE = "is given more than once"


def integer_expected(minimum: int, maximum: int) -> str:
    """The message for a value that is not an integer from `minimum` to `maximum`."""
    return f"must be an integer from {minimum} to {maximum}"


@dataclass(frozen=True, slots=True)
class ParameterError:
    """What is wrong with one parameter.

    Attributes:
        parameter: Its name, or the path of a JSON member such as `events[3].position`.
        detail: A predicate without its subject, e.g. "must be an integer from 1 to 100".
    """

    parameter: str
    detail: str


class EncodedBody(Exception):
    """A body is compressed, and not JSON as it is."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f"The body has Content-Encoding {encoding[:50]!r}: send it uncompressed")


class IdempotencyKeyReused(Exception):
    """An Idempotency-Key was sent before, with another request."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the Idempotency-Key {key!r} was sent with another request before: take a new key for each request, and the same one"
            " only to repeat it unchanged"
        )


class InvalidParameters(Exception):
    """A request has invalid parameters; `errors` lists all of them."""

    def __init__(self, errors: Sequence[ParameterError]) -> None:
        super().__init__("; ".join(f"{error.parameter}: {error.detail}" for error in errors))
        self.errors = errors
