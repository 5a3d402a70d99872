"""Tests run in one transaction; PostgreSQL changes a stamp once in each."""

from __future__ import annotations

from django.db import connection

from catalog.stamps import Topic


def as_if_committed() -> None:
    """Have the next change set a stamp as if it were in another transaction than the last one."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for topic in Topic:
                cursor.execute("SELECT set_config(%s, '', true)", [f"lookalike.{topic}"])


def statements_again(first: int) -> int:
    """How many statements the same request takes again: that of the stamps. PostgreSQL keeps nothing within a transaction."""
    return 1 if connection.vendor == "sqlite" else first
