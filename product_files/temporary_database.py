"""A database on the disk for what an import has to remember of every row, so that memory does not grow with the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import cast

from jobs.storage import database_storage_errors

_CACHE_KIB = 2048


class TemporaryDatabase:
    """An SQLite database in the folder for temporary files (TMPDIR), removed when it is closed.

    Args:
        schema: the statements that create its tables.
        contents: what it holds, for the message of a full disk.

    Raises:
        StorageUnavailable: the disk is full.
    """

    def __init__(self, *schema: str, contents: str) -> None:
        self._contents = f"the list of {contents}, in the folder for temporary files (TMPDIR),"
        self._connection = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            self._connection.execute(f"PRAGMA {setting}")
        for statement in schema:
            self.write(statement, [()])
        self._connection.execute("BEGIN")

    def write(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute a statement for each of these rows of parameters.

        Args:
            statement: with a question mark for each parameter.
            rows: the parameters.

        Raises:
            StorageUnavailable: the disk is full.
        """
        with database_storage_errors(self._contents):
            self._connection.executemany(statement, rows)

    def first(self, query: str, *parameters: object) -> tuple[object, ...] | None:
        """The first row that a query finds, or None."""
        row: tuple[object, ...] | None = self._connection.execute(query, parameters).fetchone()
        return row

    def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """The rows that a query finds."""
        return self._connection.execute(query, parameters).fetchall()

    def close(self) -> None:
        """Remove the database."""
        self._connection.close()


def text_key(text: str) -> bytes:
    """A text as a key: undecodable bytes of a file are lone surrogates, which SQLite refuses as text."""
    return text.encode("utf-8", errors="surrogatepass")


def key_text(key: object) -> str:
    """The text of a key that `text_key` has made."""
    return cast("bytes", key).decode("utf-8", errors="surrogatepass")
