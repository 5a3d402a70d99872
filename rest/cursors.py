"""Cursor pagination: a page begins behind a row, not after a number of rows, so the last one costs no more than the first."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.http import QueryDict

from rest.parameters import Schema, TextParameter

Row = TypeVar("Row")

_MAX_LENGTH = 200
_INVALID = "is not a cursor of this list: use the URLs in `next` and `previous`"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list.

    Attributes:
        position: the values that a row is sorted by, as texts.
        backwards: whether the page is the one before the row; otherwise the one after it.
    """

    position: tuple[str, ...]
    backwards: bool = False

    def __str__(self) -> str:
        """The text for clients, to whom it means nothing."""
        document = json.dumps([*self.position, self.backwards], separators=(",", ":"))
        return urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read the text again.

        Args:
            text: whatever a client sent.

        Returns:
            The cursor.

        Raises:
            ValueError: it is none.
        """
        try:
            *position, backwards = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, TypeError, RecursionError):
            raise ValueError(_INVALID) from None
        if type(backwards) is not bool or not position or not all(isinstance(value, str) for value in position):
            raise ValueError(_INVALID)
        return cls(tuple(position), backwards)


class CursorParameter(TextParameter):
    """A cursor from an earlier answer, whose position `check` accepts."""

    pattern = r"^[A-Za-z0-9_-]+$"

    def __init__(self, help_text: str, *, columns: Sequence[Any], **options: Any) -> None:
        """Declare the parameter.

        Args:
            help_text: see Parameter.
            columns: for each value of a position a function that raises ValueError where it is none.
            options: see Parameter.
        """
        super().__init__(help_text, max_length=_MAX_LENGTH, **options)
        self.columns = columns

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.max_length, "pattern": self.pattern}

    def parse(self, text: str) -> Cursor:  # type: ignore[override]
        cursor = Cursor.parse(super().parse(text))
        if len(cursor.position) != len(self.columns):
            raise ValueError(_INVALID)
        try:
            for column, value in zip(self.columns, cursor.position, strict=True):
                column(value)
        except ValueError:
            raise ValueError(_INVALID) from None
        return cursor


@dataclass(frozen=True, slots=True)
class Window(Generic[Row]):
    """The rows of a page in the order of the list, and whether there are pages before and after it."""

    rows: Sequence[Row]
    has_previous: bool
    has_next: bool


def window(found: Sequence[Row], size: int, cursor: Cursor | None) -> Window[Row]:
    """Cut a page out of what was found from a cursor on.

    Args:
        found: in the cursor's direction, one row more than a page has, if there is one.
        size: rows per page.
        cursor: where the page begins; None for the first page.

    Returns:
        The page.
    """
    rows, more = found[:size], len(found) > size
    if cursor is None or not rows:
        return Window(rows, has_previous=False, has_next=more)
    if cursor.backwards:
        return Window(rows[::-1], has_previous=more, has_next=True)
    return Window(rows, has_previous=True, has_next=more)


def page_url(address: str, query: QueryDict, cursor: Cursor) -> str:
    """The URL of another page of a list.

    Args:
        address: of the list.
        query: of the request; its other parameters stay.
        cursor: of the page.

    Returns:
        The URL.
    """
    params = query.copy()
    params.pop("pagination", None)
    params["cursor"] = str(cursor)
    return f"{address}?{params.urlencode()}"
