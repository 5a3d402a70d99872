"""IdoSell's table of products: its columns are paths of IOF, and a cell has a line for each size, stock, photo or parameter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.columns.header_names import of_shop_language
from product_files.mapping import FieldMapping
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.tables.csv_file import CsvTable, TableRow
from product_files.tables.shop_rows import ShopExport, ShopProduct, ShopRows, SkusOfFile, machine_price
from product_files.values.html_text import html_to_text
from product_files.xml_files.iof import gtin_of, is_in_stock

_ID, _NAME, _LONG, _SHORT = "@id", "/description/name", "/description/long_desc", "/description/short_desc"
_BRAND, _CATEGORY, _CURRENCY, _GROUP = "/producer@name", "/category@name", "@currency", "/group@id"
_IMAGE, _SHOWN = "/images/large/image@url", "/visibility/site@visible"
_GROSS, _NET = ("/price@gross", "/price_retail_base@gross"), ("/price@net", "/price_retail_base@net")
_SIZE, _SIZE_NAME, _SIZE_SKU, _SIZE_GTIN = (
    f"/sizes/size@{name}" for name in ("id", "name", "code_external", "code_producer")
)
_SIZE_GROSS, _SIZE_NET = "/sizes/size/price@gross", "/sizes/size/price@net"
_QUANTITY, _SIZE_OF_QUANTITY = "/sizes/size/stock@quantity", "/sizes/size/stock@size_id"
_PARAMETER, _PARAMETER_ID = "/parameters/parameter@name", "/parameters/parameter@id"
_VALUE, _ID_OF_VALUE = "/parameters/parameter/value@name", "/parameters/parameter/value@parameter_id"
_MPN = "@code_producer"
_USED = (
    *(_ID, _NAME, _LONG, _SHORT, _BRAND, _CATEGORY, _CURRENCY, _GROUP, _IMAGE, _SHOWN, *_GROSS, *_NET),
    *(_SIZE, _SIZE_NAME, _SIZE_SKU, _SIZE_GTIN, _SIZE_GROSS, _SIZE_NET, _QUANTITY, _SIZE_OF_QUANTITY),
    *(_PARAMETER, _PARAMETER_ID, _VALUE, _ID_OF_VALUE, _MPN),
)
_LANGUAGE = re.compile(r"\[[a-z]{2,3}\]$", re.IGNORECASE)
_LEVELS = re.compile(r"\s*(?:>|\\|/)\s*")
_NO = frozenset(("no", "n", "0", "false"))
_MAX_UNUSED = 20


class IdoSellTable(ShopExport[ShopRows]):
    """A row per size of a product. The sizes of a product, and the products of a group, are a family.

    Args:
        path: the file.
        mapping: how columns become fields; takes precedence over what is read.
        photos: folder of the photos that are not links.

    Attributes:
        headers: columns of the table.
        total: approximate number of lines.

    Raises:
        InvalidSource: the file is not such a table.
    """

    format = "idosell"

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        self._table = CsvTable(path, mapping)
        self.headers = headers = self._table.headers
        if not self.matches(headers):
            raise InvalidSource(
                file_facts.NOT_AN_EXPORT(missing=f"{_ID}, {_NAME}[pol]", system="IdoSell", columns=", ".join(headers))
            )
        self._columns = _columns(headers)
        mapped = {column for columns in mapping.columns.values() for column in columns}
        self._unused = [header for header in headers if header not in {*self._columns.values(), *mapped}]
        if _CURRENCY in self._columns:
            mapping = mapping.with_derived_currency()
        self._rows = ShopRows(mapping, [*headers, "currency"], photos=photos, system="IdoSell")
        self._table.allow_end_behind(set(self._columns.values()) | mapped)
        self._has_net = False
        self.total = self._table.total

    @staticmethod
    def matches(headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such a table."""
        return _columns(headers).keys() >= {_ID, _NAME}

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the table as a whole."""
        unused = [row_facts.unused_columns(self._unused, _MAX_UNUSED)] if self._unused else []
        net = [row_facts.NET_PRICES(types="net")] if self._has_net else []
        return [*super().notes, *unused, *net, *self._table.notes]

    def __iter__(self) -> Iterator[Row]:
        with closing(SkusOfFile()) as skus:
            for line in self._table:
                if line.error:
                    yield Row(line.line, "", error=line.error, cells=line.cells)
                else:
                    yield from self._product(line, skus)

    def _product(self, line: TableRow, skus: SkusOfFile) -> Iterator[Row]:
        shared = self._shared(line)
        parameters, warnings = self._parameters(line)
        own, sizes = self._text(line, _ID), self._lines(line, _SIZE) or [""]
        names = self._of_sizes(line, _SIZE_NAME, sizes)
        codes, gtins = self._of_sizes(line, _SIZE_SKU, sizes), self._of_sizes(line, _SIZE_GTIN, sizes)
        mpn = self._text(line, _MPN)
        for place, size in enumerate(sizes):
            otherwise = f"{own}-{size or place + 1}" if len(sizes) > 1 else own
            sku, warning = skus.claim(codes[place], f"{own}-{size}", otherwise)
            gtin = gtin_of((gtins[place], mpn))
            yield self._rows.build(
                ShopProduct(
                    line=line.line,
                    record={
                        **line.values,
                        **shared,
                        "sku": sku,
                        **self._price(line, place, len(sizes)),
                        **self._availability(line, size, len(sizes)),
                    },
                    attributes={
                        **parameters,
                        **({"size": names[place]} if len(sizes) > 1 and names[place] else {}),
                        **({"gtin": gtin} if gtin else {"mpn": mpn} if mpn else {}),
                    },
                    warnings=(*warnings, *((warning,) if warning and self._rows.derives("sku") else ())),
                    cells=line.cells,
                )
            )

    def _shared(self, line: TableRow) -> dict[str, str | Sequence[str]]:
        """What all sizes have; what the table has no column of stays as it is."""
        group = self._text(line, _GROUP)
        record: dict[str, str | Sequence[str]] = {
            "title": self._text(line, _NAME),
            # Numbers of groups and products are counted apart from each other.
            "family": f"group {group}" if group else self._text(line, _ID),
        }
        if {_LONG, _SHORT} & self._columns.keys():
            record["description"] = html_to_text(self._text(line, _LONG) or self._text(line, _SHORT))
        if _CATEGORY in self._columns:
            record["category"] = [name for name in _LEVELS.split(self._text(line, _CATEGORY)) if name]
        if _IMAGE in self._columns:
            record["image"] = self._lines(line, _IMAGE)
        if _SHOWN in self._columns and (states := self._lines(line, _SHOWN)):
            record["active"] = "no" if all(state.casefold() in _NO for state in states) else "yes"
        fields = {"brand": _BRAND, "currency": _CURRENCY}
        return record | {name: self._text(line, column) for name, column in fields.items() if column in self._columns}

    def _price(self, line: TableRow, place: int, sizes: int) -> dict[str, str]:
        """That of the size, or else of the product, with tax if it is there."""
        if not {*_GROSS, *_NET, _SIZE_GROSS, _SIZE_NET} & self._columns.keys():
            return {}
        for of_size, columns in ((_SIZE_GROSS, _GROSS), (_SIZE_NET, _NET)):
            own = self._lines(line, of_size)
            of_product = next((text for column in columns if (text := self._text(line, column))), "")
            if price := (own[place] if len(own) == sizes else "") or of_product:
                self._has_net = self._has_net or columns == _NET
                return {"price": machine_price(price)}
        return {"price": ""}

    def _availability(self, line: TableRow, size: str, sizes: int) -> dict[str, str]:
        """Whether any stock has the size. Where it is not said which size a stock is of, as long as there are several: nothing."""
        quantities, of_sizes = self._lines(line, _QUANTITY), self._lines(line, _SIZE_OF_QUANTITY)
        if sizes > 1:
            if len(quantities) != len(of_sizes):
                return {}
            quantities = [text for text, of_size in zip(quantities, of_sizes, strict=True) if of_size == size]
        return {"available": "yes" if any(map(is_in_stock, quantities)) else "no"} if quantities else {}

    def _parameters(self, line: TableRow) -> tuple[dict[str, str], list[str]]:
        """Values by the names of parameters, and what could not be read."""
        names, values = self._lines(line, _PARAMETER), self._lines(line, _VALUE)
        numbers, of_values = self._lines(line, _PARAMETER_ID), self._lines(line, _ID_OF_VALUE)
        if len(numbers) == len(names) and len(of_values) == len(values):
            named = dict(zip(numbers, names, strict=True))
            pairs = [(named.get(number, ""), value) for number, value in zip(of_values, values, strict=True)]
        elif len(names) == len(values):
            pairs = list(zip(names, values, strict=True))
        else:
            return {}, [row_facts.NAMES_WITHOUT_VALUES(field="attributes", names=len(names), values=len(values))]
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            if (key := " ".join(name.casefold().split())) and value:
                found.setdefault(key, []).append(value)
        return {name: ", ".join(each) for name, each in found.items()}, []

    def _of_sizes(self, line: TableRow, column: str, sizes: Sequence[str]) -> list[str]:
        """A text of each size; empty ones where the lines of the cell are not as many."""
        found = self._lines(line, column)
        return found if len(found) == len(sizes) else [""] * len(sizes)

    def _lines(self, line: TableRow, column: str) -> list[str]:
        text = line.values.get(self._columns.get(column, ""), "")
        return [each.strip() for each in text.split("\n")] if text.strip() else []

    def _text(self, line: TableRow, column: str) -> str:
        return next(iter(self._lines(line, column)), "")


def _columns(headers: Sequence[str]) -> Mapping[str, str]:
    """The columns that are read, by their paths; of several languages, that of the shop."""
    found: dict[str, list[str]] = {}
    for header in headers:
        found.setdefault(_LANGUAGE.sub("", header.strip()).replace("/@", "@"), []).append(header)
    return {path: of_shop_language(found[path]) for path in _USED if path in found}
