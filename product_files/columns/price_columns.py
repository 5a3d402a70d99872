"""Prices of a table in several currencies, each in a column whose name ends with its own: `Price USD`, `Price France [EUR]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from product_files.columns.header_names import without_currency
from product_files.tables.shipped_mappings import header_key
from product_files.values.currencies import currencies_of


class PriceColumns:
    """Chooses the price of each line: that of the first column that has one; columns of all regions come before those of one.

    Args:
        headers: columns of the table.
        patterns: names of the columns, in which * stands for any text.
        pairs: the same of columns of prices and those of their currencies, where these stand in columns of their own.
        currency: the only one whose columns count, if there are any; "" for all.

    Attributes:
        all: the columns of prices.
        unused: those that no price was taken from.
    """

    def __init__(
        self,
        headers: Sequence[str],
        patterns: Iterable[str],
        currency: str,
        *,
        pairs: Iterable[tuple[str, str]] = (),
    ) -> None:
        found: dict[str, tuple[str, bool]] = {}
        for pattern in map(header_key, patterns):
            for header in headers:
                name, code = without_currency(header)
                key = header_key(header)
                if code and (key == pattern or fnmatchcase(key, pattern)):
                    is_of_region = header_key(name) != pattern.partition("*")[0].rstrip(" -_[(")
                    found.setdefault(header, (code, is_of_region))
        self._wanted = wanted = currencies_of(currency)
        chosen = {header: each for header, each in found.items() if each[0] in wanted} or found
        self._columns = {header: chosen[header][0] for header in sorted(chosen, key=lambda header: chosen[header][1])}
        self._pairs = [pair for names in pairs for pair in _pairs_of(headers, names)]
        self.all = frozenset((*found, *(header for pair in self._pairs for header in pair)))
        self.unused = set(self.all)

    def __bool__(self) -> bool:
        """Whether the table has such columns."""
        return bool(self._columns or self._pairs)

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
        for header, of_currency in self._pairs:
            text, code = (cells.get(column, "").strip() for column in (header, of_currency))
            if text and (not self._wanted or currencies_of(code)[:1] == self._wanted[:1]):
                self.unused -= {header, of_currency}
                return text, code
        return "", next(iter(self._columns.values()), "")


def _pairs_of(headers: Sequence[str], names: tuple[str, str]) -> list[tuple[str, str]]:
    """The columns of prices with those of their currencies, in whose names the same text stands in place of *."""
    keys = {header_key(header): header for header in headers}
    price, currency = (name.casefold().replace("?*", "*") for name in names)
    start, _, end = price.partition("*")
    found = (
        (key[len(start) : len(key) - len(end)], keys[key])
        for key in keys
        if key.startswith(start) and key.endswith(end)
    )
    return [(header, keys.get(currency.replace("*", text), "")) for text, header in found if text]
