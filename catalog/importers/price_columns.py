"""Prices of a table in several currencies, each in a column whose name ends with its own: `Price USD`, `Price France [EUR]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from catalog.importers.currencies import currencies_of
from catalog.importers.shipped_mappings import header_key
from catalog.importers.synonyms import without_currency


class PriceColumns:
    """Chooses the price of each line: that of the first column that has one; columns of all regions come before those of one.

    Args:
        headers: columns of the table.
        patterns: names of the columns, in which * stands for any text.
        currency: the only one whose columns count, if there are any; "" for all.

    Attributes:
        all: the columns of prices.
        unused: those that no price was taken from.
    """

    def __init__(self, headers: Sequence[str], patterns: Iterable[str], currency: str) -> None:
        found: dict[str, tuple[str, bool]] = {}
        for pattern in map(header_key, patterns):
            for header in headers:
                name, code = without_currency(header)
                key = header_key(header)
                if code and (key == pattern or fnmatchcase(key, pattern)):
                    is_of_region = header_key(name) != pattern.partition("*")[0].rstrip(" -_[(")
                    found.setdefault(header, (code, is_of_region))
        wanted = currencies_of(currency)
        chosen = {header: each for header, each in found.items() if each[0] in wanted} or found
        self._columns = {header: chosen[header][0] for header in sorted(chosen, key=lambda header: chosen[header][1])}
        self.all = frozenset(found)
        self.unused = set(found)

    def __bool__(self) -> bool:
        """Whether the table has such columns."""
        return bool(self._columns)

    def price(self, cells: Mapping[str, str]) -> tuple[str, str]:
        """The price of a line.

        Args:
            cells: texts by column.

        Returns:
            The price, "" for none, and its currency.
        """
        for header, code in self._columns.items():
            if text := cells.get(header, "").strip():
                self.unused.discard(header)
                return text, code
        return "", next(iter(self._columns.values()), "")
