"""Catalogues as tables that no shop system is known by: columns are found by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.columns.known_columns import with_known_columns
from product_files.columns.likely_columns import lacks_last_cell
from product_files.columns.numbers import column_of_numbers
from product_files.columns.synonyms import find_columns
from product_files.mapping import FieldMapping, RowBuilder
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.attribute_columns import attribute_pairs, with_attributes
from product_files.tables.csv_file import CsvTable, TableRow
from product_files.tables.related_rows import Parents, in_all_categories
from product_files.tables.totals import are_sums, may_be_totals
from product_files.tables.variant_lines import FAMILY, VariantLines

_MAX_PAIRS_NOTED = 3
# More than were forgotten.
_MIN_UNTITLED = 3
# In any language: `Attribute (Name:Type:Position)*` and `Value (Value:Position)*`.
_MARKS_OF_COMBINATIONS = (re.compile(r"\([^():]+:[^():]+:[^():]+\)"), re.compile(r"\([^():]+:[^():]+\)"))


class CsvCatalogue:
    """The rows of a CSV file.

    Args:
        path: the file.
        mapping: how columns become fields.
        photos: folder of the photos.

    Attributes:
        headers: names of the columns.
        total: approximate number of rows.

    Raises:
        InvalidSource: the file has no usable header.
    """

    format = "csv"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._table = CsvTable(path, mapping)
        self.headers = self._table.headers
        self.total = self._table.total
        short = self._table.short_lines()
        if short and lacks_last_cell(self.headers, short, find_columns(self.headers, mapping)):
            self._table.allow_end_before(len(self.headers) - 1)
        known = with_known_columns(
            mapping, self.headers, sample=self._table.sample(), is_filled=self._table.has_texts_in
        )
        _refuse_combinations(known.mapping, self.headers)
        self._variants = VariantLines(known.mapping, self.headers, self._table.sample())
        found, headers = known.mapping, self._joined_photos(known.mapping)
        if self._variants:
            found, headers = self._variants.with_family(found), list(dict.fromkeys([*headers, FAMILY]))
        self._builder = RowBuilder(found, headers, photos=photos)
        self._table.allow_end_behind(self._builder.used)
        self._builder.learn(self._table.sample())
        self._pairs = attribute_pairs(self.headers, self._builder.used) if mapping.automatic else []
        listed = ", ".join(f"{name} + {value} → attributes" for name, value in self._pairs[:_MAX_PAIRS_NOTED])
        self._known = [*known.notes, *([row_facts.KNOWN_COLUMNS(columns=listed)] if listed else [])]
        self._untitled = 0
        self._totals = 0

    def _joined_photos(self, mapping: FieldMapping) -> list[str]:
        """The headers, with several columns of photos that have the same name as one."""
        columns = mapping.columns.get("image") or [name for name in self.headers if name.casefold() == "image"]
        self._table.join(columns, mapping.image_separator or "\n")
        return [
            name for place, name in enumerate(self.headers) if name not in columns or name not in self.headers[:place]
        ]

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the table."""
        untitled = [row_facts.ROWS_WITHOUT_TITLE(rows=self._untitled)] if self._untitled >= _MIN_UNTITLED else []
        totals = [row_facts.TOTALS_LEFT_OUT(line=self._totals)] if self._totals else []
        return [*self._table.notes, *self._known, *self._builder.notes, *self._variants.notes, *untitled, *totals]

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    def __iter__(self) -> Iterator[Row]:
        sku, family = (next(iter(self.columns.get(name, ())), "") for name in ("sku", "family"))
        numbers = column_of_numbers(self.headers, self._table.sample()) if sku and family else ""
        with closing(Parents(sku, family, numbers)) as parents:
            if not self._variants and parents.are_in(self._table.sample()):
                parents.read(row.values for row in self._table)
            yield from in_all_categories(map(parents.joined, self._rows()))

    def _rows(self) -> Iterator[Row]:
        self._untitled = 0
        lines = self._variants.completed(self._lines()) if self._variants else self._lines()
        for record in lines:
            if record.error:
                yield Row(record.line, "", error=record.error, cells=record.cells)
            else:
                row = self._builder.build(record.line, record.values, cells=record.cells)
                self._untitled += row.error == row_facts.NO_TITLE()
                yield with_attributes(row, self._pairs, record.values)

    def _lines(self) -> Iterator[TableRow]:
        """The lines without one of totals at the end of a report."""
        self._totals = 0
        last: TableRow | None = None
        for line in self._table:
            if last is not None:
                yield last
            last = line
        if last is not None and self._has_totals(last):
            self._totals = last.line
        elif last is not None:
            yield last

    def _has_totals(self, last: TableRow) -> bool:
        if not may_be_totals(last):
            return False
        named = [self.columns.get(name, ("",))[0] for name in ("sku", "title")]
        # What has both may be a product of this name.
        if not all(last.values.get(column, "").strip() for column in named):
            return True
        return are_sums(last.values, (line.values for line in self._table if line.line != last.line and not line.error))


def _refuse_combinations(mapping: FieldMapping, headers: Sequence[str]) -> None:
    """Say what a table of PrestaShop's combinations is, in which no product has a name."""
    has_title = mapping.update_only or "title" in {*mapping.columns, *mapping.values}
    if not has_title and all(any(map(mark.search, headers)) for mark in _MARKS_OF_COMBINATIONS):
        raise InvalidSource(file_facts.COMBINATIONS_ALONE())
