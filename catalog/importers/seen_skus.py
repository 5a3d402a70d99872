"""What an import remembers of the SKUs of a source, so that none is imported twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from product_files.rows import Row
from product_files.temporary_database import TemporaryDatabase, key_text, text_key


class SeenSkus:
    """The SKUs so far and their lines, in a database that lies on the disk and is removed with it."""

    def __init__(self) -> None:
        # line: NULL if the row was rejected.
        self._database = TemporaryDatabase(
            "CREATE TABLE seen (sku BLOB PRIMARY KEY, line INTEGER) WITHOUT ROWID",
            # The first spelling of each SKU, without regard to case.
            "CREATE TABLE spelling (folded BLOB PRIMARY KEY, sku BLOB, line INTEGER) WITHOUT ROWID",
            contents="imported SKUs",
        )

    def line_of(self, sku: str) -> int | None:
        """The line that this SKU was imported from, or None."""
        row = self._database.first("SELECT line FROM seen WHERE sku = ?", text_key(sku))
        return cast("int | None", row[0]) if row else None

    def has(self, sku: str) -> bool:
        """Whether any row has this SKU."""
        return self._database.first("SELECT 1 FROM seen WHERE sku = ?", text_key(sku)) is not None

    def add(self, rows: Iterable[Row]) -> None:
        """Add imported rows."""
        self._database.write(
            "INSERT INTO seen VALUES (?, ?) ON CONFLICT (sku) DO UPDATE SET line = excluded.line WHERE line IS NULL",
            ((text_key(row.sku), row.line) for row in rows),
        )

    def spell(self, row: Row) -> tuple[str, int] | None:
        """Note the spelling of an imported SKU. Returns the earlier one, if it differs in case only, and its line."""
        folded, sku = text_key(row.sku.casefold()), text_key(row.sku)
        self._database.write("INSERT OR IGNORE INTO spelling VALUES (?, ?, ?)", [(folded, sku, row.line)])
        found = self._database.first("SELECT sku, line FROM spelling WHERE folded = ?", folded)
        first, line = cast("tuple[bytes, int]", found)
        return None if first == sku else (key_text(first), line)

    def add_rejected(self, rows: Iterable[Row]) -> None:
        """Add rejected rows."""
        self._database.write("INSERT OR IGNORE INTO seen VALUES (?, NULL)", ((text_key(row.sku),) for row in rows))

    def close(self) -> None:
        self._database.close()
