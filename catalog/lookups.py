"""Conditions on columns that Django has no lookup for."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Lookup
from django.db.models.lookups import StartsWith


class Among(Lookup):
    """Whether an id is one of many: `pk__among=[1, 2]`. It has one parameter; of `in`, Django prepares each id by itself."""

    lookup_name = "among"
    # A list of numbers stays one.
    prepare_rhs = False

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        """By a table that the engine makes of the list."""
        column, params = self.process_lhs(compiler, connection)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*params, json.dumps([*self.rhs])]  # noqa: S608  # a column

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        """By an array."""
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*params, [*self.rhs]]


class Below(StartsWith):
    """Whether a path lies below another one: `path__below="clothing"`. Case-sensitive, which `startswith` is not in SQLite."""

    lookup_name = "below"

    def __init__(self, lhs: Any, rhs: str) -> None:
        """Use it by its name."""
        super().__init__(lhs, f"{rhs}/")

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        """As of `startswith`."""
        operator: str = connection.operators["startswith"] % rhs
        return operator

    def as_sqlite(self, compiler: Any, connection: Any) -> Any:
        """By GLOB, which has an index as well."""
        column, params = self.process_lhs(compiler, connection)
        escaped = "".join(f"[{each}]" if each in "[*?" else each for each in self.rhs)
        return f"{column} GLOB %s", [*params, f"{escaped}*"]
