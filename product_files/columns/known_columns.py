"""Completes a mapping by the columns that are known by their names, as far as some records bear them out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from product_files import file_facts, row_facts
from product_files.columns.column_names import SALE_PRICES
from product_files.columns.header_names import (
    MAX_CHARACTERS,
    key_of,
    keys_of,
    without_currency,
)
from product_files.columns.likely_columns import (
    are_with_tax,
    has_prices,
    identifies_products,
    keeps_apart,
    largest_photo,
    likely_price,
    numbers_restart,
    price_in_units,
    sku_of_variants,
)
from product_files.columns.numbers import family_of_numbers, numbers_for_some, take_numbers_for_skus
from product_files.columns.synonyms import (
    KEYS,
    LAST_KEYS,
    columns_of,
    find_columns,
    find_paths,
    free_columns,
    is_well_known,
    paths_of_table,
    used_columns,
)
from product_files.columns.tax_in_names import tax_in
from product_files.mapping import ATTRIBUTE_PREFIX, FieldMapping, Record, says_nothing
from product_files.rows import NoColumn
from product_files.values.row_prices import SALE_PRICE

_MAX_NOTED = 20
# Records with the same text from which on it is no SKU if they are most: fewer may be one product twice.
_MIN_REPEATED = 3
# In osCommerce's database; tax is added when a price is shown.
_NET_PRICE = key_of("products price")
_TAX_CLASS = key_of("products tax class id")
# Fields that have names, where a database may have numbers.
_NAMED = ("category", "brand")
# Fields of nested names in JSON, with several values and with one. What is nested for a price may be in cents.
_NESTED_LISTS = frozenset(("category", "image"))
_NESTED_TEXTS = frozenset(("brand", "currency"))
# Of Google's Retail API, in units of the currency.
_NESTED_PRICES = {"priceInfo.price": "price", "priceInfo.originalPrice": "list_price"}
# Levels around what is meant, as Strapi and JSON:API have them, and photos that are too small.
_WRAPPERS = frozenset(("data", "attributes"))
_THUMBNAIL = re.compile(r"thumb|small|tiny|icon", re.IGNORECASE)
_SALE_KEYS = keys_of([SALE_PRICES]).keys()
_SALE_DATE = re.compile(
    r"(?:sale|special|promo|offer|discount).*(?:from|(?<!net)(?<!brut)to\b|start|end|date|effective|valid)",
    re.IGNORECASE,
)
_PAGE_KEYS = keys_of(
    ["slug, handle, url key, permalink, url slug, seo url, url handle, friendly url, url rewritten"]
).keys()
# Fields whose own columns may have something else: numbers of categories and brands, the only text of an article.
_DOUBTFUL = (*_NAMED, "description")
_NUMBERS = re.compile(r"[\d\s,;|>]+", re.ASCII)
# Columns of categories that may say what kind of product a shop system has in a row, and what they say then.
_TYPE = re.compile("types?$|typ$|tipo")
_KINDS = frozenset(
    (
        "product", "products", "simple", "variable", "variation", "variant", "configurable", "grouped", "bundle", "virtual",
        "downloadable", "physical", "digital", "service", "goods", "item", "set", "product set", "product-set",
        "gift-certificate", "producto", "produto", "produkt",
    )
)  # fmt: skip
_BARE_PRICES = keys_of(["price, preis, prix, precio, prezzo, prijs, cena, preço, pris, hinta, цена, ціна"]).keys()
# With a tax, in a name that does not say more of it.
_GROSS_PRICES = keys_of(["price vat"]).keys()
_DECIMALS = re.compile(r"\d[.,]\d")
_MODEL_KEYS = keys_of(["model, model name, folder id, modell, modelo, modello, модель"]).keys()


@dataclass(frozen=True, slots=True)
class KnownColumns:
    """A mapping with the columns that are known by their names. notes: which, and well-known ones that are not used."""

    mapping: FieldMapping
    notes: list[str]

    def with_categories(self, columns: Sequence[str]) -> KnownColumns:
        """Take these columns for the categories where no other was found.

        Args:
            columns: none, or those in which names of categories stand in place of numbers.

        Returns:
            The mapping with them.
        """
        if not columns or "category" in {*self.mapping.columns, *self.mapping.values}:
            return self
        note = row_facts.KNOWN_COLUMNS(columns=f"{' + '.join(columns)} → category")
        return KnownColumns(self.mapping.with_columns(("category", each) for each in columns), [*self.notes, note])


def with_known_columns(
    mapping: FieldMapping,
    headers: Sequence[str],
    *,
    are_paths: bool = False,
    sample: Iterable[Record] = (),
    is_filled: Callable[[str], bool] = lambda _: False,
) -> KnownColumns:
    """Complete a mapping: a field that has no column yet gets the one of its name, or else one with a synonym of it.

    Args:
        mapping: takes precedence; unchanged if it is not to be completed.
        headers: columns of the source.
        are_paths: they are paths of XML, of which the last names count, too.
        sample: some records. A column that is empty in all of them gives way to one that is not.
        is_filled: whether a column that is empty in these has a text in any of the others.

    Returns:
        The mapping, with what a report says about it.

    Raises:
        NoColumn: the text of each column that may have the SKUs is the same in most records.
    """
    if not mapping.automatic:
        return KnownColumns(mapping, [])
    sample = list(sample)
    found, repeated = _with_own_skus(headers, mapping, sample, are_paths=are_paths)
    empty = take_numbers_for_skus(found, headers, mapping, sample)
    empty = empty or _without_empty_skus(found, headers, mapping, sample, is_filled)
    _take_price_by_tax(found, headers, mapping, sample, is_net=False)
    _take_only_price(found, headers, mapping, sample)
    net = _take_price_by_tax(found, headers, mapping, sample, is_net=True)
    _take_gross_price(found, headers, mapping, sample)
    by_synonym = {name: columns for name, columns in found.items() if not _is_its_name(name, columns)}
    notes: list[str] = [row_facts.SKUS_REPEATED(columns=", ".join(repeated))] if repeated else []
    if by_synonym:
        listed = ", ".join(f"{' + '.join(columns)} → {name}" for name, columns in by_synonym.items())
        notes.append(row_facts.KNOWN_COLUMNS(columns=listed))
    values = dict(mapping.values)
    if empty:
        notes.append(row_facts.SKUS_EMPTY(column=empty))
    notes += _add_titles(found, values, headers, mapping, sample)
    notes += _add_likely_columns(found, values, headers, mapping, sample)
    notes += _add_currency(found, values, headers, mapping)
    if net := net or _net_price(headers, {**found, **mapping.columns}):
        notes.append(row_facts.NET_PRICES(types=net))
    if sale := _sale_column(headers, found, mapping):
        found[SALE_PRICE] = (sale,)
        notes.append(row_facts.SALE_PRICES(column=sale))
    if numbers := numbers_for_some(found, headers, mapping, sample):
        notes.append(row_facts.SKUS_OF_NUMBERS(column=found["sku"][0], other=numbers))
    free = free_columns(headers, found, replace(mapping, values=values))
    # An element that is used has the texts of those in it.
    above = {column for columns in found.values() for column in columns} if are_paths else set()
    unused = [
        header
        for header in free
        if header not in (empty, numbers) and header.rpartition("/")[0] not in above and is_well_known(header)
    ]
    if unused:
        notes.append(row_facts.unused_columns(unused, _MAX_NOTED))
    doubtful = [name for name in _DOUBTFUL if name not in {*found, *mapping.columns}]
    left_out = frozenset(header for header in headers if header.casefold() in doubtful)
    columns = {**found, **mapping.columns}
    complete = replace(mapping, columns=columns, values=values, left_out=left_out, sku_otherwise=numbers)
    return KnownColumns(complete, notes)


def _take_only_price(
    found: dict[str, tuple[str, ...]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> None:
    """Make the list price the price if no column has another one: the only price of a table is the one that people pay."""
    known = {*found, *mapping.columns, *mapping.values}
    if (
        "list_price" in found
        and "price" not in known
        and not likely_price(free_columns(headers, found, mapping), sample)
    ):
        found["price"] = found.pop("list_price")


def _currency_of(price: str, headers: Sequence[str]) -> str:
    """The column of the currency of a price that is named after it, `SatisFiyati1ParaBirimi`; "" for none."""
    key = key_of(price)
    return next((each for each in headers if key and key_of(each).removeprefix(key) in KEYS["currency"]), "")


def _add_currency(
    found: dict[str, tuple[str, ...]], values: dict[str, str], headers: Sequence[str], mapping: FieldMapping
) -> list[str]:
    """Add the currency that the name of the price's column, or a column named after it, says; the notes about it."""
    if "price" not in found or "currency" in {*found, *mapping.columns, *values}:
        return []
    (price,) = found["price"]
    if column := _currency_of(price, headers):
        found["currency"] = (column,)
        return [row_facts.KNOWN_COLUMNS(columns=f"{column} → currency")]
    if code := without_currency(price)[1] or ((tax := tax_in(price)) and tax.currency):
        values["currency"] = code
        return [row_facts.CURRENCY_OF_COLUMN(currency=code, column=price)]
    return []


def _take_gross_price(
    found: dict[str, tuple[str, ...]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> None:
    """Take the price with tax where it stands beside one whose name does not say more: `PRICE` and `PRICE_VAT`."""
    price = key_of(next(iter(found.get("price", ())), ""))
    if price not in KEYS["price"]:
        return
    bare = {"", *_BARE_PRICES} if price in _BARE_PRICES else set()
    free = free_columns(headers, found, mapping)
    gross = next((header for header in free if _is_gross(header, {price, *bare})), "")
    if gross and are_with_tax(gross, found["price"][0], sample):
        found["price"] = (gross,)


def _is_gross(header: str, prices: Collection[str]) -> bool:
    """Whether a name is that of one of these prices, with tax."""
    tax = tax_in(header)
    return key_of(header) in _GROSS_PRICES or (tax is not None and not tax.is_net and tax.rest in prices)


def _take_price_by_tax(
    found: dict[str, tuple[str, ...]],
    headers: Sequence[str],
    mapping: FieldMapping,
    sample: Sequence[Record],
    *,
    is_net: bool,
) -> str:
    """Take a price whose name is known but for what it says of a tax, with it or without, where nothing else is the price.

    Returns:
        The column; "" for none.
    """
    if "price" in {*found, *mapping.columns, *mapping.values}:
        return ""
    prices = {"": 0, **{key: place for place, key in enumerate(KEYS["price"])}}
    named = [
        (prices[tax.rest], header)
        for header in free_columns(headers, found, mapping)
        if (tax := tax_in(header)) and tax.is_net == is_net and tax.rest in prices and has_prices(header, sample)
        # `Tax included` may say yes or no.
        if tax.rest or tax.currency or any(_DECIMALS.search("".join(record.get(header, ""))) for record in sample)
    ]
    if not named:
        return ""
    _, column = min(named, key=lambda each: each[0])
    found["price"] = (column,)
    return column


def _add_titles(
    found: dict[str, tuple[str, ...]],
    values: dict[str, str],
    headers: Sequence[str],
    mapping: FieldMapping,
    sample: Sequence[Record],
) -> list[str]:
    """Add what may stand for titles to the columns and constants of fields, where nothing has their name; the notes about it."""
    if "title" not in {*found, *mapping.columns, *values} and (named := _title_that_is_sku(mapping)):
        # Who has no SKUs may map the titles to them.
        found["title"] = (named,)
    notes: list[str] = []
    if "title" not in {*found, *mapping.columns, *values} and (title := _title_of_model(headers, found, mapping)):
        values["title"] = title
        notes.append(row_facts.TITLE_OF_COLUMNS(title=title))
    if column := _title_in_description(found, mapping, values, sample):
        # Price lists have one text of an article, which names it.
        del found["description"]
        if further := columns_of("description", [header for header in headers if header != column]):
            found["description"] = further
        found["title"] = (column,)
        notes.append(row_facts.TITLE_OF_COLUMNS(title=column))
    return notes


def _add_likely_columns(
    found: dict[str, tuple[str, ...]],
    values: dict[str, str],
    headers: Sequence[str],
    mapping: FieldMapping,
    sample: Sequence[Record],
) -> list[str]:
    """Add a price and a SKU by what is in the columns, where none has their names; the notes about them."""
    known = {*found, *mapping.columns, *values}
    notes: list[str] = []
    family = next(iter(found.get("sku", ())), "")
    if (
        family
        and "family" not in known
        and (own := sku_of_variants(family, free_columns(headers, found, mapping), sample))
    ):
        found |= {"sku": (own,), "family": (family,)}
        notes.append(row_facts.SKUS_OF_VARIANTS(family=family, sku=own))
    if column := family_of_numbers(found, headers, mapping, sample):
        found["family"] = (column,)
        notes.append(row_facts.KNOWN_COLUMNS(columns=f"{column} → family"))
    link = next(iter(found.get("attribute.link", ())), "")
    if "title" in known and "sku" not in known and link and identifies_products(link, sample):
        found["sku"] = (link,)
        notes.append(row_facts.SKUS_OF_LINKS(column=link))
    number, category = (next(iter(found.get(name, ())), "") for name in ("sku", "category"))
    title = next(iter({**found, **mapping.columns}.get("title", ())), "")
    if number and category and numbers_restart(number, category, title, sample):
        del found["sku"]
        values["sku"] = f"{{{category}}}-{{{number}}}"
        notes.append(row_facts.SKUS_OF_CATEGORIES(column=number, category=category))
    if "price" not in known and (column := likely_price(free_columns(headers, found, mapping), sample)):
        found["price"] = (column,)
        notes.append(row_facts.KNOWN_COLUMNS(columns=f"{column} → price"))
    return notes


def with_nested_columns(known: KnownColumns, names: Sequence[str], sample: Sequence[Record]) -> KnownColumns:
    """Complete a mapping of JSON by names that are nested, `images.src`: those of fields that have no column yet.

    A field with one value has none of several. A price that is an object may be in cents: it is one only where any has decimals.

    Args:
        known: what was found so far.
        names: of the source, with dots between their levels.
        sample: some records.

    Returns:
        The mapping, with what a report says about it.
    """
    mapping = known.mapping
    if not mapping.automatic:
        return known
    paths: dict[str, str] = {}
    for name in names:
        levels = [level for level in name.split(".") if level not in _WRAPPERS]
        if len(levels) > 1 and not name.startswith(ATTRIBUTE_PREFIX) and not _THUMBNAIL.search(name):
            paths.setdefault("/".join(levels), name)
    found = {}
    for field, columns in find_paths(list(paths), mapping, {}).items():
        (name,) = (paths[column] for column in columns)
        values = [value for record in sample if (value := record.get(name))]
        are_single = all(isinstance(value, str) for value in values)
        if field in _NAMED and _are_numbers((name,), sample):
            continue
        if field in _NESTED_LISTS or (field in _NESTED_TEXTS and are_single):
            found[field] = (name,)
    found |= {
        field: (name,) for name, field in _NESTED_PRICES.items() if name in names and field not in mapping.columns
    }
    if "image" not in {*found, *mapping.columns, *mapping.values} and (photo := largest_photo(names, sample)):
        found["image"] = (photo,)
    if "price" not in {*found, *mapping.columns, *mapping.values} and (price := price_in_units(names, sample)):
        found["price"] = (price,)
    if not found:
        return known
    listed = ", ".join(f"{' + '.join(columns)} → {name}" for name, columns in found.items())
    return KnownColumns(
        mapping.with_columns((name, column) for name, columns in found.items() for column in columns),
        [*known.notes, row_facts.KNOWN_COLUMNS(columns=listed)],
    )


def _with_own_skus(
    headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record], *, are_paths: bool
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Find the columns of fields, of which that of SKUs differs from product to product.

    Returns:
        Columns of each field, and those that are no SKUs because most products have the same text in them.

    Raises:
        NoColumn: the text of each column that may have the SKUs is the same in most records.
    """
    repeated: list[str] = []
    while True:
        free: Sequence[str] = [header for header in headers if header not in repeated]
        found, free = _with_names(partial(_with_filled, mapping=mapping, sample=sample), free, sample)
        found = _with_page(found, free, mapping)
        if are_paths:
            found = {**found, **_with_names(partial(find_paths, mapping=mapping, found=found), free, sample)[0]}
        elif paths_of_table(free):
            found = {**_with_names(partial(_columns_of_paths, mapping=mapping), free, sample)[0], **found}
        if "sku" not in found:
            if repeated:
                raise NoColumn("sku", file_facts.SKUS_THE_SAME(columns=", ".join(repeated)))
            return found, []
        if not _is_mostly_one_text(found["sku"][0], sample):
            return found, repeated
        repeated.append(found["sku"][0])


def _without_empty_skus(
    found: dict[str, tuple[str, ...]],
    headers: Sequence[str],
    mapping: FieldMapping,
    sample: Sequence[Record],
    is_filled: Callable[[str], bool],
) -> str:
    """Take the name of a page or a link for the SKU where the column of SKUs is empty from the first to the last record.

    Returns:
        That column; "" where it is not empty, or nothing can stand for it.
    """
    column = next(iter(found.get("sku", ())), "")
    if not column or not sample or any("".join(record.get(column, "")).strip() for record in sample):
        return ""
    others = {name: columns for name, columns in found.items() if name != "sku"}
    paged = _with_page(others, [header for header in headers if header != column], mapping)
    page, link = (next(iter(columns), "") for columns in (paged.get("sku", ()), found.get("attribute.link", ())))
    has_page = bool(page) and keeps_apart(page, sample)
    if not (has_page or (link and identifies_products(link, sample))) or is_filled(column):
        return ""
    del found["sku"]
    if has_page:
        found["sku"] = (page,)
    return column


def _is_mostly_one_text(column: str, sample: Iterable[Record]) -> bool:
    """Whether most records have the same text in a column."""
    found = ("".join(record.get(column, "")).strip() for record in sample)
    texts = Counter(text for text in found if text and not says_nothing(text))
    most = max(texts.values(), default=0)
    return most >= _MIN_REPEATED and 2 * most > texts.total()


def _with_names(
    find: Callable[[Sequence[str]], dict[str, tuple[str, ...]]], headers: Sequence[str], sample: Sequence[Record]
) -> tuple[dict[str, tuple[str, ...]], Sequence[str]]:
    """What is found where the columns of categories and brands have their names, and no numbers of a database or kinds of rows.

    Args:
        find: finds the columns of fields among some.
        headers: all of them.
        sample: some records.

    Returns:
        Columns of each field, and the headers without those that have only such.
    """
    while True:
        found = find(headers)
        numbers = {column for name in _NAMED if _are_numbers(found.get(name, ()), sample) for column in found[name]}
        if _are_kinds(found.get("category", ()), sample):
            numbers.update(found["category"])
        if not numbers:
            return found, headers
        headers = [header for header in headers if header not in numbers]


def _columns_of_paths(headers: Sequence[str], mapping: FieldMapping) -> dict[str, tuple[str, ...]]:
    """The columns of fields in a table whose columns are paths."""
    paths = paths_of_table(headers)
    found = find_paths(list(paths), mapping, {})
    return {name: tuple(paths[path] for path in columns) for name, columns in found.items()}


def _with_filled(headers: Sequence[str], mapping: FieldMapping, sample: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """The columns of fields; in place of one that is empty another one that is known for its field, as `NAME` for `TITLE`."""
    found = find_columns(headers, mapping)
    filled = {column for record in sample for column, value in record.items() if "".join(value).strip()}
    if not filled:
        return found
    doubtful = next(iter(found.get("title", ())), "")
    if key_of(doubtful) in LAST_KEYS["title"] and _are_numbers((doubtful,), sample):
        # `product` may refer to another table.
        found = {name: columns for name, columns in found.items() if name != "title"}
    free = [header for header in free_columns(headers, found, mapping) if header in filled]
    for name in [name for name, columns in found.items() if filled.isdisjoint(columns)]:
        if columns := columns_of(name, free):
            found[name] = columns
            free = [header for header in free if header not in columns]
    return found


def _are_kinds(columns: Sequence[str], sample: Iterable[Record]) -> bool:
    """Whether columns say only what kind of product is in a row, `product` or `bundle`, and no category."""
    if not columns or not all(_TYPE.search(key_of(column)) for column in columns):
        return False
    texts = {"".join(record.get(column, "")).strip().casefold() for record in sample for column in columns} - {""}
    return bool(texts) and texts <= _KINDS


def _are_numbers(columns: Sequence[str], sample: Iterable[Record]) -> bool:
    """Whether columns have numbers only, one or several in a cell."""
    values = (record.get(column, "") for record in sample for column in columns)
    texts = [text for value in values for text in ([value] if isinstance(value, str) else value) if text.strip()]
    return bool(texts) and all(_NUMBERS.fullmatch(text) for text in texts)


def _with_page(
    found: dict[str, tuple[str, ...]], headers: Sequence[str], mapping: FieldMapping
) -> dict[str, tuple[str, ...]]:
    """The columns of fields; the name of a product's page identifies it where nothing else does."""
    if "title" not in found or "sku" in {*found, *mapping.columns, *mapping.values}:
        return found
    used = used_columns(mapping)
    page = next((header for header in headers if key_of(header) in _PAGE_KEYS and header not in used), "")
    return {**found, "sku": (page,)} if page else found


def _net_price(headers: Sequence[str], found: Mapping[str, Sequence[str]]) -> str:
    """The column of prices of osCommerce's database, and of those of shops made of it such as xt:Commerce; "" for others."""
    if _TAX_CLASS not in map(key_of, headers):
        return ""
    return next((column for column in found.get("price", ()) if key_of(column) == _NET_PRICE), "")


def _sale_column(headers: Sequence[str], found: Mapping[str, Sequence[str]], mapping: FieldMapping) -> str:
    """The column of prices of sales; "" where there is none, no other price, or columns say when a sale is."""
    if (
        "price" not in {*found, *mapping.columns}
        or {SALE_PRICE, "list_price"} & mapping.columns.keys()
        or any(_SALE_DATE.search(header) for header in headers)
    ):
        return ""
    names = free_columns(headers, found, mapping)
    price = next(iter({**found, **mapping.columns}["price"]), "")
    return next((header for header in names if _is_sale(header, price)), "")


def _is_sale(header: str, price: str) -> bool:
    """Whether a name is that of a price of a sale, with a tax or without, as the other price is."""
    tax, of_price = tax_in(header), tax_in(price)
    is_net = of_price is not None and of_price.is_net
    return key_of(without_currency(header)[0]) in _SALE_KEYS or (
        tax is not None and tax.is_net == is_net and tax.rest in _SALE_KEYS
    )


def _title_that_is_sku(mapping: FieldMapping) -> str:
    """The column that is mapped to the SKU, if its name is that of a title; "" for others."""
    column = next(iter(mapping.columns.get("sku", ())), "")
    return column if key_of(column) in KEYS["title"] else ""


def _title_in_description(
    found: Mapping[str, Sequence[str]], mapping: FieldMapping, values: Mapping[str, str], sample: Iterable[Record]
) -> str:
    """The column of descriptions that are as short as titles, where there have to be titles and are none; "" for none."""
    known = {*found, *mapping.columns, *values}
    if mapping.update_only or "title" in known or "sku" not in known:
        return ""
    column = next(iter(found.get("description", ())), "")
    texts = [text for record in sample if (text := "".join(record.get(column, "")))] if column else []
    return column if texts and all(len(text) <= MAX_CHARACTERS and "<" not in text for text in texts) else ""


def _title_of_model(headers: Sequence[str], found: Mapping[str, Sequence[str]], mapping: FieldMapping) -> str:
    """Brand and model, which name a vehicle, as a constant with columns; "" without a model."""
    model = next((header for header in headers if key_of(header) in _MODEL_KEYS), "")
    brand = [column for column in {**found, **mapping.columns}.get("brand", ()) if column != model]
    return " ".join(f"{{{column}}}" for column in (*brand, model)) if model else ""


def _is_its_name(name: str, columns: Sequence[str]) -> bool:
    return [column.casefold() for column in columns] == [name.removeprefix(ATTRIBUTE_PREFIX)]
