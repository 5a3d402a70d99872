"""Hand-written statements on the path of every recommendation, where building a query by the ORM takes longer than running it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from sqlite3 import Cursor
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorWrapper


def fetched(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement and read all of its rows.

    Args:
        sql: with `%s` for each parameter and no other percent sign. Give the same object each time where it is long.
        params: the parameters.

    Returns:
        The rows.
    """
    # Not the proxy `connection`, which looks for the connection of this thread at each attribute.
    database = connections[DEFAULT_DB_ALIAS]
    rows: list[tuple[Any, ...]]
    with database.cursor() as cursor:
        if database.vendor != "sqlite" or type(cursor) is not CursorWrapper or database.execute_wrappers:
            cursor.execute(sql, params)
            rows = cursor.fetchall()
        else:
            # Django would look through the whole text for `%s` each time, which takes as long as running it. Elsewhere, and where
            # statements are logged, counted or traced, it does.
            database.validate_no_broken_transaction()
            with database.wrap_database_errors:
                rows = Cursor.execute(cursor.cursor, _for_sqlite(sql), params).fetchall()
    return rows


@lru_cache(maxsize=256)
def _for_sqlite(sql: str) -> str:
    return sql.replace("%s", "?")


@lru_cache(maxsize=256)
def marks(number: int) -> str:
    """The marks of so many parameters, in parentheses, for `IN`."""
    return f"({', '.join(['%s'] * number)})"
