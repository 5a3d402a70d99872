"""Empties the database after a test with real transactions, as Django's `flush` does, but by copying an empty one.

Django deletes the rows of all tables, and makes the content types, permissions and what else follows a migration again: a tenth
of a second of processor time for each test. Here it does so after the first of these tests; after the others, what was there then
is put back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from unittest.mock import patch

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import TransactionTestCase


@contextmanager
def emptying_by_copy() -> Iterator[None]:
    """Empty the database in this way until the end; on SQLite alone, since another server would take longer to copy one."""
    flush: Callable[[TransactionTestCase], None] = TransactionTestCase._fixture_teardown
    is_empty_known = False

    def empty(case: TransactionTestCase) -> None:
        nonlocal is_empty_known
        if connection.vendor != "sqlite" or case.available_apps is not None or case.serialized_rollback:
            flush(case)
            return
        if not is_empty_known:
            flush(case)
            connection.connection.backup(kept)
            is_empty_known = True
            return
        connection.ensure_connection()
        kept.backup(connection.connection)
        # As after a flush: what a test has put there may have had other ids.
        ContentType.objects.clear_cache()

    with closing(sqlite3.connect(":memory:")) as kept, patch.object(TransactionTestCase, "_fixture_teardown", empty):
        yield
