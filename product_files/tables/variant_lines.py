"""Lines of a table that have no title, since they are variants of the product in a line above, or further photos of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile

from product_files import row_facts
from product_files.columns.header_names import key_of
from product_files.mapping import ATTRIBUTE_PREFIX, FieldMapping, says_nothing
from product_files.tables.csv_file import TableRow
from product_files.values.cell_lists import split_photos

# The column that the lines get, where the table has none of families.
FAMILY = "family"
# What a product has, and its variants have from it.
_OF_PRODUCTS = ("category", "description", "brand")
# What differs from one variant to the next, or is the same in several products: it does not say which product a line is of.
_OF_VARIANTS = ("sku", "title", "price", "list_price", "sale_price", "currency", "available", "active", "image")
# What variants of a product are chosen by, as fields and as words in names of columns.
_OPTIONS = frozenset(f"{ATTRIBUTE_PREFIX}{name}" for name in ("size", "color", "material", "pattern"))
_OF_OPTIONS = re.compile("option|variant|variation")
# Beginnings of article numbers that two lines must have in common, as a share of the shorter one.
_MIN_SHARED = 0.5
_MIN_CHARACTERS = 2
# Lines of one product that are read before its first one is passed on.
_MAX_LINES = 5000
_LINK = "attribute.link"
# Of the lines below a title, those that repeat the text that identifies the product.
_MIN_REPEATING = 0.9


class VariantLines:
    """Completes the lines of variants.

    A line without a title belongs to the product above it where the table shows it: they have the same text in a column that
    keeps products apart (a handle), or the line has a SKU and none of what describes a product, and its SKU begins as that of the
    product does, and unlike those of other products, or the line says which size, colour or other option it is.

    Args:
        mapping: how columns become fields.
        headers: columns of the table.
        sample: some of its records.

    Attributes:
        count: lines that were taken for variants so far.
    """

    def __init__(self, mapping: FieldMapping, headers: Sequence[str], sample: Iterable[Mapping[str, str]]) -> None:
        self._columns = mapping.columns
        self._separator = mapping.image_separator
        self._title = self._column("title")
        self._sku = self._column("sku")
        self._photos = [column for column in self._columns.get("image", ()) if column in headers]
        self.count = 0
        self._keys: list[str] = []
        self._own: set[str] = set()
        self._described = [column for name in _OF_PRODUCTS for column in self._columns.get(name, ())]
        self._options = {column for name in _OPTIONS for column in self._columns.get(name, ())}
        self._options |= {header for header in headers if _OF_OPTIONS.search(key_of(header))}
        self._options -= {column for name in _OF_VARIANTS for column in self._columns.get(name, ())}
        # Characters that article numbers of different products have in common at their beginnings.
        self._shared_by_products = 0
        records = list(sample) if self._title and self._sku else []
        pairs = list(_below_titles(records, self._title))
        self._is_useful = bool(pairs)
        if not pairs:
            return
        differ = {
            column
            for name, found in self._columns.items()
            if name in (*_OF_VARIANTS, *_OF_PRODUCTS) or (name.startswith(ATTRIBUTE_PREFIX) and name != _LINK)
            for column in found
        }
        titled = [record for record in records if _text(record, self._title)]
        skus = [sku for record in titled if (sku := _text(record, self._sku))]
        self._shared_by_products = max((_shared(*pair) for pair in pairwise(skus)), default=0)
        self._keys = [header for header in headers if header not in differ and _keeps_apart(header, titled, pairs)]
        # What lines of variants have themselves is not that of their product where they lack it.
        variants = [record for product, record in pairs if self._belongs(product, record)]
        filled = {header for header in headers for record in variants if _text(record, header)}
        own = {column for name in ("available",) for column in self._columns.get(name, ())}
        own |= {
            column for name, found in self._columns.items() if name.startswith(ATTRIBUTE_PREFIX) for column in found
        }
        self._own = {*self._columns.get("sku", ()), *self._columns.get("attribute.gtin", ()), *(own & filled)}
        self._is_useful = bool(variants)

    def __bool__(self) -> bool:
        """Whether the table has such lines."""
        return self._is_useful

    @property
    def notes(self) -> list[str]:
        """What was found so far."""
        return [row_facts.VARIANTS_BELOW(rows=self.count)] if self.count else []

    def with_family(self, mapping: FieldMapping) -> FieldMapping:
        """The mapping with a column of families, which the lines of `completed` have."""
        has_family = {FAMILY} & {*mapping.columns, *mapping.values}
        return mapping if has_family else mapping.with_columns([(FAMILY, FAMILY)])

    def completed(self, lines: Iterable[TableRow]) -> Iterator[TableRow]:
        """Complete the lines of variants by what their product has.

        Args:
            lines: of the table.

        Yields:
            The lines, without those that only have a photo, which their product has instead, and without those of products that
            have no SKU and are sold as their variants.
        """
        self.count = 0
        product: _Product | None = None
        for line in lines:
            if line.error:
                yield from self._done(product)
                product = None
                yield line
            elif _text(line.values, self._title):
                yield from self._done(product)
                product = _Product(line)
            elif product is None or not self._belongs(product.line.values, line.values):
                yield from self._done(product)
                product = None
                yield self._without_family(line)
            elif self._is_photo(line):
                product.photos.append(line)
            else:
                product.variants.append(line)
                if len(product.variants) > _MAX_LINES:
                    yield from self._done(product)
                    product = _Product(product.line, is_done=True)
        yield from self._done(product)

    def _done(self, product: _Product | None) -> Iterator[TableRow]:
        """The lines of a product and its variants."""
        if product is None:
            return
        values = self._with_photos(product)
        first = product.line
        if not product.variants:
            if not product.is_done:
                yield self._without_family(replace(first, values=values))
            return
        family = self._family_of(product)
        if not product.is_done and _text(values, self._sku):
            yield replace(first, values={**values, self._family_column: family})
        for line in product.variants:
            self.count += 1
            own = {
                header: text
                if text.strip() and not says_nothing(text)
                else ("" if header in self._own else values[header])
                for header, text in line.values.items()
            }
            yield replace(line, values={**own, self._family_column: family}, cells=(*first.cells, *line.cells))

    def _with_photos(self, product: _Product) -> Mapping[str, str]:
        """The cells of a product, with the photos of the lines that have nothing else."""
        if not product.photos:
            return product.line.values
        column = self._photos[0]
        texts = [product.line.values[column], *(_text(line.values, column) for line in product.photos)]
        photos = [photo for text in texts for photo in split_photos(text, self._separator)]
        return {**product.line.values, column: (self._separator or "\n").join(photos)}

    def _family_of(self, product: _Product) -> str:
        first = product.line.values
        own = _text(first, self._column(FAMILY))
        named = next((text for line in product.variants if (text := _text(line.values, self._column(FAMILY)))), "")
        key = next((text for column in self._keys if (text := _text(first, column))), "")
        sku = _text(first, self._sku)
        return own or named or sku or key or _text(product.variants[0].values, self._sku)

    @property
    def _family_column(self) -> str:
        return self._column(FAMILY) or FAMILY

    def _without_family(self, line: TableRow) -> TableRow:
        return line if self._column(FAMILY) else replace(line, values={**line.values, FAMILY: ""})

    def _is_photo(self, line: TableRow) -> bool:
        """Whether a line has no SKU and no price, but a photo."""
        columns = [self._sku, *self._columns.get("price", ())]
        return bool(self._photos and _text(line.values, self._photos[0])) and not any(
            _text(line.values, column) for column in columns
        )

    def _belongs(self, product: Mapping[str, str], record: Mapping[str, str]) -> bool:
        """Whether a line without a title is of the product above it."""
        if keys := [(text, _text(product, column)) for column in self._keys if (text := _text(record, column))]:
            return any(own == other for own, other in keys)
        sku, of_product = _text(record, self._sku), _text(product, self._sku)
        if family := _text(record, self._column(FAMILY)):
            return family in (of_product, _text(product, self._column(FAMILY)))
        if (
            not sku
            or any(_text(record, each) for each in self._described)
            or not any(_text(product, each) for each in self._described)
        ):
            return False
        if not of_product:
            return True
        shared = _shared(sku, of_product)
        begins_alike = shared >= max(_MIN_CHARACTERS, _MIN_SHARED * min(len(sku), len(of_product)))
        if begins_alike and shared > self._shared_by_products:
            return True
        return any((text := _text(record, each)) and text != _text(product, each) for each in self._options)

    def _column(self, name: str) -> str:
        return next(iter(self._columns.get(name, ())), "")


@dataclass(slots=True)
class _Product:
    """A line with a title, and those below it. is_done: it was passed on already."""

    line: TableRow
    variants: list[TableRow] = field(default_factory=list)
    photos: list[TableRow] = field(default_factory=list)
    is_done: bool = False


def _below_titles(
    records: Iterable[Mapping[str, str]], title: str
) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """The records without a title, each with the one with a title above it."""
    product: Mapping[str, str] | None = None
    for record in records:
        if _text(record, title):
            product = record
        elif product is not None:
            yield product, record


def _keeps_apart(
    header: str, titled: Sequence[Mapping[str, str]], pairs: Sequence[tuple[Mapping[str, str], Mapping[str, str]]]
) -> bool:
    """Whether a column has a text of its own for each product, which the lines below it repeat."""
    texts = [text for record in titled if (text := _text(record, header))]
    found = [(own, _text(product, header)) for product, record in pairs if (own := _text(record, header))]
    same = sum(own == other for own, other in found)
    return len(set(texts)) == len(texts) and bool(found) and same >= _MIN_REPEATING * len(found)


def _shared(one: str, other: str) -> int:
    """Characters that two texts have in common at their beginnings."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _text(record: Mapping[str, str], column: str) -> str:
    text = record.get(column, "").strip()
    return "" if says_nothing(text) else text
