"""Tables of shop systems that a shipped mapping describes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.columns.header_names import of_shop_language, shop_language
from product_files.columns.price_columns import PriceColumns
from product_files.mapping import ATTRIBUTE_PREFIX, FieldMapping
from product_files.photo_files import PhotoFolder, is_link
from product_files.rows import InvalidSource, Row, RowRejected
from product_files.tables.csv_file import CsvTable, TableRow
from product_files.tables.shipped_mappings import ShippedMapping, header_key, is_multiple, parse_options
from product_files.tables.shop_rows import (
    ShopExport,
    ShopProduct,
    ShopRows,
    SkusOfFile,
    amount,
    lasts,
    machine_price,
    split_escaped,
    with_list_price,
)
from product_files.values.availability import says_yes
from product_files.values.cell_lists import deepest_first, split_photos
from product_files.values.html_text import html_to_text
from product_files.values.minor_units import first_price

_MAX_LINES = 5000
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?", re.ASCII)
# Before the photo of a variant, the value that it shows: `Red=https://...`.
_VALUE_OF_PHOTO = re.compile(r"[^=:/?]+=(?=https?://)", re.IGNORECASE)
_CENT = Decimal("0.01")
# Stocks of several places in one cell: `default=10,outlet=0`.
_STOCK = re.compile(r"=(-?\d+)", re.ASCII)
_STOCKS = re.compile(r"[\w-]+=-?\d+(?:,[\w-]+=-?\d+)*")
_BOOLEANS = ("available", "active")
_MAX_UNUSED = 20


class ShopTable(ShopExport[ShopRows]):
    """A row per product and per variant; the variants of a product are a family.

    Args:
        path: the file.
        mapping: how columns become fields; takes precedence over the shipped one.
        photos: folder of the photos that are not links.
        shipped: describes the table.
        now: time that decides whether a sale is on; by default the current time.

    Attributes:
        headers: columns of the table.
        total: approximate number of lines.

    Raises:
        InvalidSource: the table lacks the columns of the shipped mapping.
    """

    def __init__(
        self,
        path: Path,
        mapping: FieldMapping,
        *,
        photos: PhotoFolder,
        shipped: ShippedMapping,
        now: datetime | None = None,
    ) -> None:
        self._now = now or datetime.now(UTC)
        self.format = shipped.slug
        self._shipped = shipped
        self._decimal = mapping.decimal
        self._separators = (mapping.category_separator,) if mapping.category_separator else shipped.category_separator
        self._table = CsvTable(path, mapping)
        self.headers = self._table.headers
        if not shipped.matches(self.headers):
            missing = ", ".join(names[0] for names in shipped.headers)
            raise InvalidSource(
                file_facts.NOT_AN_EXPORT(missing=missing, system=shipped.name, columns=", ".join(self.headers))
            )
        self._headers = {header_key(header): header for header in reversed(self.headers)}
        self._left_out = 0
        self._translations = 0
        self._parts = 0
        self._language = ""
        self._found: dict[str, list[str]] = {}
        self._found_by_prefix: dict[str, dict[str, str]] = {}
        self._fields = {self._header(column) for columns in shipped.columns.values() for column in columns}
        self._pairs = self._places()
        names = mapping.columns.get("price") or shipped.columns.get("price", ())
        pairs = () if "price" in mapping.columns else shipped.prices
        self._price_columns = PriceColumns(self.headers, names, mapping.values.get("currency", ""), pairs=pairs)
        self._suffixed = self._with_suffix()
        prices = [header for column in shipped.columns.get("price", ()) if (header := self._header(column))]
        self._net = next((header for header in prices[:1] if header in map(self._header, shipped.net)), "")
        if self._is_present("currency") or self._price_columns or shipped.minor_units:
            mapping = mapping.with_derived_currency()
        elif "currency" not in mapping.columns and (code := self._currency_of_price()):
            mapping = mapping.with_values({"currency": mapping.values.get("currency", code)})
        headers = [*self.headers, *(name for name in ("currency",) if name not in self.headers)]
        self._rows = ShopRows(mapping, headers, photos=photos, system=shipped.name)
        self._mapped = {column for columns in mapping.columns.values() for column in columns}
        if ends := next((header for name in shipped.ends_before if (header := self._header(name))), ""):
            self._table.allow_end_before(self.headers.index(ends))
        else:
            self._table.allow_end_behind(self._used() - self._with_prefix(shipped.attribute_prefix).keys())
        self.total = self._table.total

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the table as a whole, with the columns that were not used."""
        used = self._used() - self._price_columns.unused
        unused = [header for header in self.headers if header not in used]
        notes = [row_facts.unused_columns(unused, _MAX_UNUSED)] if unused else []
        if self._net and self._rows.derives("price"):
            notes.append(row_facts.NET_PRICES(types=self._net))
        if self._left_out:
            notes.append(row_facts.OTHER_CURRENCIES(rows=self._left_out))
        if self._translations:
            notes.append(row_facts.OTHER_LANGUAGES(rows=self._translations, language=self._language))
        if self._parts:
            notes.append(row_facts.ROWS_OF_THE_PRODUCT_ABOVE(rows=self._parts))
        return [*super().notes, *notes, *self._table.notes]

    def __iter__(self) -> Iterator[Row]:
        self._left_out = self._translations = self._parts = 0
        self._language = self._chosen_language()
        with closing(SkusOfFile()) as skus:
            for line, product in self._lines():
                if product is None:
                    yield Row(line.line, "", error=line.error, cells=line.cells)
                elif product.count > _MAX_LINES:
                    yield Row(line.line, "", error=row_facts.TOO_MANY_VARIANTS(limit=_MAX_LINES), cells=line.cells)
                else:
                    yield self._row(line, product, skus)

    def _lines(self) -> Iterator[tuple[TableRow, _Product | None]]:
        """The lines that are rows, each with its product; that of one that could not be read is None."""
        product: _Product | None = None
        waits = False
        for line in self._table:
            if self._is_remark(line) or self._is_translation(line) or self._is_part(line):
                continue
            level = self._level(line, product)
            if level == "variant" and product is not None:
                if waits:
                    # What is sold are its variants.
                    product.sku = self._text(product.line, "sku") or product.key or self._text(product.line, "title")
                    waits = False
                product.count += 1
                yield line, product
            elif line.error:
                yield line, None
            elif level:
                if waits and product is not None:
                    yield product.line, product
                product = self._product(line)
                waits = self._shipped.variants is not None and self._shipped.variants.are_all
                if not waits:
                    yield line, product
        if waits and product is not None:
            yield product.line, product

    def _is_remark(self, line: TableRow) -> bool:
        return any(cells[0].startswith(self._shipped.remarks) for cells in line.cells if cells)

    def _is_part(self, line: TableRow) -> bool:
        is_part = bool(self._header(self._shipped.belongs_without)) and not (
            line.error or self._cell(line, self._shipped.belongs_without)
        )
        self._parts += is_part
        return is_part

    def _chosen_language(self) -> str:
        """Of the languages of lines, that of the shop, or else the first; "" where the table has none."""
        if not (column := self._header(self._shipped.language)):
            return ""
        found = dict.fromkeys(text for row in self._table.sample() if (text := row.get(column, "").strip()))
        own = [text for text in found if text[:2].casefold() == shop_language()]
        return next(iter(own or found), "")

    def _is_translation(self, line: TableRow) -> bool:
        language = self._cell(line, self._shipped.language)
        if language in ("", self._language):
            return False
        self._translations += 1
        return True

    def _level(self, line: TableRow, product: _Product | None) -> str:
        """What a line is: a product, a variant, or "" for what is left out."""
        variants = self._shipped.variants
        if line.error:
            return ""
        if variants is None:
            return "product"
        key = self._key(line)
        if variants.one_currency and self._is_in_another_currency(line, key, product):
            self._left_out += 1
            return ""
        if variants.parent:
            parent = self._cell(line, variants.parent)
            return "variant" if product is not None and parent and parent == product.key else "product"
        if variants.level:
            level = self._cell(line, variants.level).casefold()
            of_product = product is not None and (not variants.key or key in ("", product.key))
            if level in {value.casefold() for value in variants.variant}:
                return "variant" if of_product else "product"
            return "product" if level in {value.casefold() for value in variants.product} else ""
        return "variant" if product is not None and key in ("", product.key) else "product"

    def _is_in_another_currency(self, line: TableRow, key: str, product: _Product | None) -> bool:
        if self._text(line, "title"):
            return False
        of_product = self._text(product.line, "currency") if product is not None and key == product.key else None
        return self._text(line, "currency") not in ("", of_product)

    def _product(self, line: TableRow) -> _Product:
        variants = self._shipped.variants
        key = self._key(line)
        names = {value: self._cell(line, name) for name, value in variants.options} if variants else {}
        return _Product(line, key, {value: name for value, name in names.items() if name})

    def _row(self, line: TableRow, product: _Product, skus: SkusOfFile) -> Row:
        is_first = line is product.line
        options = {} if is_first and not self._first_is_variant() else self._options(line, product)
        # Without columns of options, what makes a variant another one are its properties.
        parts = options or ({} if is_first else dict(self._properties(line, product)))
        made = "-".join([product.sku or product.key or self._text(line, "title"), *parts.values()])
        sku, warning = skus.claim(self._sku(line, is_first), "\0".join(line.values.values()), made)
        if is_first and not self._first_is_variant():
            product.sku = sku
        record: dict[str, str | Sequence[str]] = {**line.values}
        for name in self._shipped.columns:
            if self._is_present(name):
                # A stock that is not counted has none, whatever that of the first variant is. A barcode is of one variant only.
                own = (name == "available" and self._first_is_variant()) or name == "attribute.gtin"
                record[name] = self._value(line, name) or ("" if own else self._value(product.line, name))
        record |= self._of_properties(line, product)
        self._add_own_photo(record, line)
        record["sku"] = sku
        if not is_first and self._shipped.variants is not None and self._shipped.variants.option_text:
            # The text of its options stands in place of its title.
            record["title"] = self._text(product.line, "title")
        has_category = self._has_category()
        paths = deepest_first(self._paths(line, product, record)) if has_category else []
        if has_category:
            record["category"] = paths[0] if paths else ()
        warnings = [warning] if warning and self._rows.derives("sku") else []
        prices, unread = self._prices(line, product)
        record |= prices
        warnings += unread
        if self._shipped.minor_units:
            record |= first_price(self._minor_price(line) or self._minor_price(product.line))
        if self._shipped.variants is not None:
            record["family"] = product.sku or self._text(product.line, "family") or product.key
        record |= self._states(line, product)
        attributes = self._all_attributes(line, product, options, record)
        return self._rows.build(
            ShopProduct(
                line=line.line,
                record=record,
                attributes=attributes,
                other_categories=paths[1:],
                warnings=tuple(warnings),
                cells=line.cells if is_first else (*product.line.cells, *line.cells),
            )
        )

    def _minor_price(self, line: TableRow) -> str:
        """The prices of a line in cents, with their currency in front."""
        price = self._text(line, "price")
        return (
            f"{self._cell(line, self._shipped.minor_currency)} {price}"
            if self._shipped.minor_currency and price
            else price
        )

    def _first_is_variant(self) -> bool:
        return self._shipped.variants is not None and self._shipped.variants.first_is_variant

    def _sku(self, line: TableRow, is_first: bool) -> str:
        variants = self._shipped.variants
        if variants is not None and variants.sku and not is_first:
            return self._cell(line, variants.sku) or self._text(line, "sku")
        text = self._text(line, "sku")
        mark = self._shipped.lists.get("sku", "")
        # Of the SKUs of a product's variations, which have no lines, the first stands for the product.
        return text.split(mark)[0].strip() if mark else text

    def _options(self, line: TableRow, product: _Product) -> dict[str, str]:
        """The options of a variant, whose names may stand in the line of the product."""
        variants = self._shipped.variants
        if variants is None:
            return {}
        found = {}
        for name, value in variants.options:
            text = self._cell(line, value)
            if text and (option := self._cell(line, name) or product.options.get(value, "")):
                found[option] = text
        for names, values, mark in variants.option_lists:
            of_product = self._cell(line, names) or self._cell(product.line, names)
            pairs = zip(of_product.split(mark), self._cell(line, values).split(mark), strict=False)
            found |= {name.strip(): value.strip() for name, value in pairs if name.strip() and value.strip()}
        found |= {name.strip("{} "): text for name, text in self._prefixed(line, variants.option_prefix)}
        return found | (parse_options(self._cell(line, variants.option_text)) if variants.option_text else {})

    def _all_attributes(
        self,
        line: TableRow,
        product: _Product,
        options: Mapping[str, str],
        record: dict[str, str | Sequence[str]],
    ) -> dict[str, str]:
        """Options first, then what stands in pairs of columns, and the fields of the record, which are taken out of it."""
        attributes = {name: value for column, value in options.items() if (name := column.lower())}
        prefix = self._shipped.attribute_prefix
        # What all of its variants have stands in the line of a product that is none.
        shared = {} if self._first_is_variant() else dict(self._prefixed(product.line, prefix))
        attributes = {**shared, **_joined(self._attributes(line, product)), **attributes}
        for name in self._shipped.property_fields.values():
            attributes.pop(name, None)
        for name in [name for name in record if name.startswith(ATTRIBUTE_PREFIX)]:
            if text := str(record.pop(name)):
                attributes.setdefault(name.removeprefix(ATTRIBUTE_PREFIX), text)
        return attributes

    def _attributes(self, line: TableRow, product: _Product) -> Iterator[tuple[str, str]]:
        """Names and values of the attributes that stand in pairs of columns, or several in a cell."""
        cells = line.cells[-1]
        for one, other in self._pairs:
            if other < len(cells) and (name := cells[one].strip().lower()) and (value := cells[other].strip()):
                yield name, value
        yield from self._prefixed(line, self._shipped.attribute_prefix)
        for header, name in self._suffixed.items():
            if header not in self._fields and (text := line.values[header].strip()):
                yield name, text
        yield from self._properties(line, product)

    def _properties(self, line: TableRow, product: _Product) -> Iterator[tuple[str, str]]:
        for column, between, mark in self._shipped.properties:
            of_product = self._cell(product.line, column) if column in self._shipped.shared_properties else ""
            for text in (self._cell(line, column) or of_product).split(between):
                name, _, value = text.partition(mark)
                if name.strip() and value.strip():
                    yield name.strip().lower(), value.strip()

    def _prefixed(self, line: TableRow, prefix: str) -> Iterator[tuple[str, str]]:
        """What follows the prefix in the names of columns, and the texts of these columns."""
        for header, name in self._with_prefix(prefix).items():
            if header not in self._fields and (text := line.values[header].strip()):
                yield name, text

    def _with_prefix(self, prefix: str) -> dict[str, str]:
        """The columns with a prefix, in which * stands for any text, and what follows it in their names."""
        if prefix not in self._found_by_prefix:
            pattern = re.compile(re.escape(prefix.casefold()).replace(r"\*", ".*?"))
            found = ((header, pattern.match(header_key(header))) for header in self.headers if prefix)
            end = self._shipped.attribute_end or "\n"
            names = {header: match.string[match.end() :].partition(end)[0].strip() for header, match in found if match}
            self._found_by_prefix[prefix] = {header: name for header, name in names.items() if name}
        return self._found_by_prefix[prefix]

    def _with_suffix(self) -> dict[str, str]:
        """The columns with a suffix of attributes, and what stands in front of it in their names."""
        suffixes = tuple(each.casefold() for each in self._shipped.attribute_suffixes)
        return {
            header: key.removesuffix(suffix).strip()
            for header in self.headers
            for key in [header.casefold()]
            for suffix in suffixes
            if key.endswith(suffix)
        }

    def _of_properties(self, line: TableRow, product: _Product) -> dict[str, str | Sequence[str]]:
        """Fields that are properties, of the line or else of its product."""
        found: dict[str, str | Sequence[str]] = {}
        for name, key in self._shipped.property_fields.items():
            values = [value for found_key, value in self._properties(line, product) if found_key == key]
            found[name] = list(dict.fromkeys(values)) if is_multiple(name) else "".join(values[:1])
        return found

    def _add_own_photo(self, record: dict[str, str | Sequence[str]], line: TableRow) -> None:
        column = self._shipped.variants.image if self._shipped.variants is not None else ""
        if own := split_photos(self._cell(line, column)) if column else []:
            record["image"] = self._photos([*own, *record.get("image", ())])

    def _places(self) -> list[tuple[int, int]]:
        """The places of the columns of attributes: those of the names, and of the values."""
        keys = [header_key(header) for header in self.headers]
        places: list[tuple[int, int]] = []
        for one, other in self._shipped.attributes:
            names = [place for place, key in enumerate(keys) if key == header_key(one)]
            values = [place for place, key in enumerate(keys) if key == header_key(other)]
            places += zip(names, values, strict=False)
        return places

    def _states(self, line: TableRow, product: _Product) -> dict[str, str]:
        """Fields that other columns than their own decide about."""
        states = {}
        if self._is_untracked(line, product):
            states["available"] = "yes"
        if self._is_hidden(line):
            states["active"] = "no"
        return states

    def _is_hidden(self, line: TableRow) -> bool:
        text = self._cell(line, self._shipped.hidden) if self._shipped.hidden else ""
        return says_yes(self._boolean(text))

    def _currency_of_price(self) -> str:
        """The currency in the name of the column of prices: `Price EUR`."""
        if mark := self._shipped.currency_mark:
            named = (re.search(rf"{re.escape(mark)}([A-Z]{{3}})\b", header) for header in self.headers)
            return next((match[1] for match in named if match), "")
        return ""

    def _value(self, line: TableRow, name: str) -> str | list[str]:
        texts = [text for column in self._shipped.columns[name] if (text := self._cell(line, column))]
        mark = self._shipped.lists.get(name, "")
        if is_multiple(name):
            if name == "image":
                split = (split_escaped(text, mark) if mark else split_photos(text) for text in texts)
                return self._photos([photo for photos in split for photo in photos])
            return [value for text in texts for value in (split_escaped(text, mark) if mark else [text])]
        if name in _BOOLEANS:
            # A column for each of several places or channels.
            places = (
                each for column in self._shipped.columns[name] if "*" in column for each in self._matching(column)
            )
            if any(says_yes(self._boolean(line.values[place].strip())) for place in places):
                return "yes"
        text = next((first for text in texts if (first := text.split(mark)[0].strip() if mark else text)), "")
        if name in _BOOLEANS:
            return self._boolean(text)
        return html_to_text(text) if name == "description" else text

    def _boolean(self, text: str) -> str:
        """A yes or no; of a stock, whether there is any."""
        if _STOCKS.fullmatch(text):
            text = str(sum(int(stock) for stock in _STOCK.findall(text)))
        if _NUMBER.fullmatch(text):
            return "yes" if Decimal(text.replace(",", ".")) > 0 else "no"
        return self._shipped.words.get(text.casefold(), text)

    def _photos(self, names: Sequence[str]) -> list[str]:
        """The links; the files, if there are none."""
        prefix = self._shipped.photo_prefix
        names = [_VALUE_OF_PHOTO.sub("", name) for name in names]
        found = [name if is_link(name) or not prefix else f"{prefix}{name}" for name in dict.fromkeys(names)]
        return [name for name in found if is_link(name)] or found

    def _has_category(self) -> bool:
        levels = (column for columns in self._shipped.category_levels for column in columns)
        in_column = self._is_present("category") or any(map(self._header, levels))
        return in_column or "category" in self._shipped.property_fields

    def _paths(self, line: TableRow, product: _Product, record: Mapping[str, str | Sequence[str]]) -> list[list[str]]:
        paths = [self._levels(path) for path in record.get("category", ())]
        for columns in self._shipped.category_levels:
            of_line, of_product = (
                [text for column in columns if (text := self._cell(each, column))] for each in (line, product.line)
            )
            levels = of_line or of_product
            whole = self._levels(levels[0]) if levels else []
            paths.append(whole if len(whole) > 1 else levels)
        return paths

    def _levels(self, path: str) -> list[str]:
        separator = next((each for each in self._separators if each and each in path), "")
        return split_escaped(path, separator) if separator else [path]

    def _prices(self, line: TableRow, product: _Product) -> tuple[dict[str, str], list[str]]:
        """The price, the one before a reduction, or "", and the currency where the table has one; and what could not be read."""
        own, _ = self._price(line)
        # Where each line has prices in all currencies, that of the first variant is none of another.
        has_own = bool(self._price_columns) and self._first_is_variant()
        is_own = line is product.line or has_own or amount(own, self._decimal) is not None
        # What cannot be read is reported where its product has no price, either.
        is_own = is_own or not self._price(product.line)[0]
        source = line if is_own else product.line
        text, code = self._price(source)
        price = self._rounded_net(machine_price(text))
        before = self._text(source, "list_price")
        sale, unread = self._sale(source)
        if (lower := amount(sale, self._decimal)) and lower < (amount(price, self._decimal) or lower):
            price, before = sale, price
        price, before = self._discounted(source, price, before)
        variants = self._shipped.variants
        surcharge = self._cell(line, variants.surcharge) if variants is not None and line is not product.line else ""
        if (
            surcharge
            and (more := amount(surcharge, self._decimal))
            and (base := amount(price, self._decimal)) is not None
        ):
            price, before = str(base + more), ""
        price, before = with_list_price(price, machine_price(before), self._decimal)
        currency = {"currency": code} if self._price_columns else {}
        return {"price": price, "list_price": before, **currency}, unread

    def _rounded_net(self, price: str) -> str:
        """A price as it is; one without tax, which programs keep with more decimals, with two."""
        return str(net.quantize(_CENT)) if self._net and (net := amount(price, self._decimal)) is not None else price

    def _discounted(self, line: TableRow, price: str, before: str) -> tuple[str, str]:
        """The price less the discount of a line, and the full one; both as they are where there is no discount now."""
        percent = self._first(line, self._shipped.discount_percent)
        discount = self._first(line, self._shipped.discount)
        off = amount((percent or discount).removesuffix("%"), self._decimal)
        full = amount(price, self._decimal)
        if not off or not full or not self._is_time_of_sale(line):
            return price, before
        mode = self._cell(line, self._shipped.discount_mode).casefold()
        is_percent = bool(percent) or discount.endswith("%") or mode == "percent"
        return str((full * (100 - off) / 100).quantize(_CENT) if is_percent else full - off), price

    def _is_time_of_sale(self, line: TableRow) -> bool:
        """Whether the dates of a line allow its sale; those that cannot be read do not."""
        dates = [self._cell(line, column) for column in self._shipped.sale_dates]
        try:
            return not dates or lasts(dates[0], dates[1], self._now)
        except RowRejected:
            return False

    def _sale(self, line: TableRow) -> tuple[str, list[str]]:
        """The lower price of a line, "" if it does not count now, and which of its dates could not be read."""
        sale = machine_price(self._cell(line, self._shipped.sale_price))
        if self._shipped.sale_if and not says_yes(self._boolean(self._cell(line, self._shipped.sale_if))):
            return "", []
        dates = [self._cell(line, column) for column in self._shipped.sale_dates]
        try:
            return sale if not (sale and dates) or lasts(dates[0], dates[1], self._now) else "", []
        except RowRejected as error:
            return "", [row_facts.SPECIAL_PRICE_LEFT_OUT(reason=error.args[0])]

    def _price(self, line: TableRow) -> tuple[str, str]:
        """The price of a line, and the currency that its column names, or ""."""
        return self._price_columns.price(line.values) if self._price_columns else (self._text(line, "price"), "")

    def _is_untracked(self, line: TableRow, product: _Product) -> bool:
        if not self._shipped.stock_tracked:
            return False
        text = self._cell(line, self._shipped.stock_tracked) or self._cell(product.line, self._shipped.stock_tracked)
        return text.casefold() in self._shipped.untracked

    def _text(self, line: TableRow, name: str) -> str:
        return self._first(line, self._shipped.columns.get(name, ()))

    def _key(self, line: TableRow) -> str:
        return self._first(line, self._shipped.variants.key) if self._shipped.variants is not None else ""

    def _first(self, line: TableRow, columns: Iterable[str]) -> str:
        """The first of these cells that is not empty."""
        return next((text for column in columns if (text := self._cell(line, column))), "")

    def _is_present(self, name: str) -> bool:
        return any(self._header(column) for column in self._shipped.columns.get(name, ()))

    def _used(self) -> set[str]:
        """Columns that have become something."""
        shipped, variants = self._shipped, self._shipped.variants
        names = [column for columns in shipped.columns.values() for column in columns]
        names += [name for alternatives in shipped.headers for name in alternatives]
        names += [column for columns in shipped.category_levels for column in columns]
        names += [shipped.minor_currency, shipped.sale_price, shipped.stock_tracked, shipped.hidden]
        names += [column for pair in shipped.attributes for column in pair]
        names += [column for column, _, _ in shipped.properties]
        if variants is not None:
            names += [
                *variants.key,
                variants.parent,
                variants.level,
                variants.sku,
                variants.surcharge,
                variants.option_text,
                variants.image,
            ]
            names += [column for pair in variants.options for column in pair]
            names += [column for lists in variants.option_lists for column in lists[:2]]
        names += [
            *shipped.discount,
            *shipped.discount_percent,
            shipped.discount_mode,
            shipped.sale_if,
            *shipped.sale_dates,
        ]
        names.append(shipped.language)
        names.append(shipped.belongs_without)
        used = {header for name in names if (header := self._header(name))} | self._price_columns.all
        several = (column for name in _BOOLEANS for column in shipped.columns.get(name, ()))
        used.update(place for column in several for place in self._matching(column))
        used.update(self._suffixed)
        option_prefix = variants.option_prefix if variants is not None else ""
        return used.union(self._mapped, self._with_prefix(option_prefix), self._with_prefix(shipped.attribute_prefix))

    def _cell(self, line: TableRow, column: str) -> str:
        return line.values.get(self._header(column), "").strip()

    def _header(self, column: str) -> str:
        """The column of the table with this name, in which * stands for any text; "" if there is none."""
        return of_shop_language(self._matching(column))

    def _matching(self, column: str) -> list[str]:
        """All columns of the table with this name."""
        if column not in self._found:
            key = header_key(column)
            matches = [header for header in self.headers if "*" in key and fnmatchcase(header_key(header), key)]
            self._found[column] = [self._headers[key]] if key in self._headers else matches
        return self._found[column]


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The values of each name, each once, with commas between them."""
    found: dict[str, dict[str, None]] = {}
    for name, value in pairs:
        found.setdefault(name, {})[value] = None
    return {name: ", ".join(values) for name, values in found.items()}


@dataclass(slots=True)
class _Product:
    """The line of a product, what identifies it, and the names of its options by the columns of their values."""

    line: TableRow
    key: str
    options: Mapping[str, str]
    sku: str = ""
    count: int = 0
