"""How many products have a term: counted in the transaction that marks a text as indexed, so that each counts once."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Mapping

from django.db import connection

from embeddings.models import DocumentFrequency

_ROWS_A_STATEMENT = 500
_TABLE = DocumentFrequency._meta.db_table
_ADD_SQL = f"""
    INSERT INTO {_TABLE} (version_id, term, documents) VALUES {{rows}}
    ON CONFLICT (version_id, term) DO UPDATE SET documents = {_TABLE}.documents + excluded.documents
"""


def add_frequencies(version_id: int, changes: Mapping[int, int]) -> None:
    """Change the counts of terms. In one order for all who do so, which cannot wait for each other in a circle.

    Args:
        version_id: the encoder version.
        changes: what is added, by term; may be negative.
    """
    rows = [(version_id, term, change) for term, change in sorted(changes.items()) if change]
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            some = rows[start : start + _ROWS_A_STATEMENT]
            values = [value for row in some for value in row]
            cursor.execute(_ADD_SQL.format(rows=", ".join(["(%s, %s, %s)"] * len(some))), values)


def frequencies_of(version_id: int, terms: AnyCollection[int]) -> dict[int, int]:
    """Read the counts of terms.

    Args:
        version_id: the encoder version.
        terms: ids, one at least.

    Returns:
        Products by term; a term that no product has is missing.
    """
    ids = [*terms]
    sql = f"SELECT term, documents FROM {_TABLE} WHERE version_id = %s AND documents > 0 AND term IN"
    with connection.cursor() as cursor:
        # By hand: in every search, building the query by the ORM takes longer than running it.
        cursor.execute(f"{sql} ({', '.join(['%s'] * len(ids))})", [version_id, *ids])
        return dict(cursor.fetchall())
