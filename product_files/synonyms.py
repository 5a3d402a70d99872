"""Finds the columns of fields by their names, also with a currency, a number or the code of any language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from product_files import file_facts, row_facts
from product_files.column_names import FURTHER_IMAGES, LAST, SALE_PRICES, SYNONYMS, WELL_KNOWN
from product_files.column_names_elsewhere import FURTHER_LANGUAGES
from product_files.header_names import (
    MAX_CHARACTERS,
    key_of,
    keys_of,
    numbered_key,
    of_shop_language,
    product_key,
    shop_language,
    without_currency,
    without_language,
)
from product_files.likely_columns import identifies_products, likely_price, may_be_price, sku_of_variants
from product_files.mapping import ATTRIBUTE_PREFIX, FIELDS, SALE_PRICE, FieldMapping, Record, says_nothing
from product_files.rows import NoColumn

_MAX_NOTED = 20
# Records with the same text from which on it is no SKU if they are most: fewer may be one product twice.
_MIN_REPEATED = 3
_PRICES = ("price", "list_price")
# In osCommerce's database; tax is added when a price is shown.
_NET_PRICE, _TAX_CLASS = key_of("products price"), key_of("products tax class id")
# Fields that have names, where a database may have numbers.
_NAMED = ("category", "brand")

# A name with an explanation in a template: `SKU (unique, up to 50 characters)`.
_EXPLAINED = re.compile(r"([^()\n]+)(?:\([^()]{4,}\)|\n.*)\s*\*?", re.DOTALL)
_BY_LANGUAGE = ("title", "description", "category", "tags")


@dataclass(frozen=True, slots=True)
class KnownColumns:
    """A mapping with the columns that are known by their names. notes: which, and well-known ones that are not used."""

    mapping: FieldMapping
    notes: list[str]


def with_known_columns(
    mapping: FieldMapping, headers: Sequence[str], *, are_paths: bool = False, sample: Iterable[Record] = ()
) -> KnownColumns:
    """Complete a mapping: a field that has no column yet gets the one of its name, or else one with a synonym of it.

    Args:
        mapping: takes precedence; unchanged if it is not to be completed.
        headers: columns of the source.
        are_paths: they are paths of XML, of which the last names count, too.
        sample: some records. A column that is empty in all of them gives way to one that is not.

    Returns:
        The mapping, with what a report says about it.

    Raises:
        NoColumn: the text of each column that may have the SKUs is the same in most records.
    """
    if not mapping.automatic:
        return KnownColumns(mapping, [])
    sample = list(sample)
    found, repeated = _with_own_skus(headers, mapping, sample, are_paths=are_paths)
    _take_only_price(found, headers, mapping, sample)
    by_synonym = {name: columns for name, columns in found.items() if not _is_its_name(name, columns)}
    notes: list[str] = [row_facts.SKUS_REPEATED(columns=", ".join(repeated))] if repeated else []
    if by_synonym:
        listed = ", ".join(f"{' + '.join(columns)} → {name}" for name, columns in by_synonym.items())
        notes.append(row_facts.KNOWN_COLUMNS(columns=listed))
    values = dict(mapping.values)
    notes += _add_titles(found, values, headers, mapping, sample)
    notes += _add_likely_columns(found, values, headers, mapping, sample)
    if "price" in found and "currency" not in {*found, *mapping.columns, *values}:
        (column,) = found["price"]
        if code := without_currency(column)[1]:
            values["currency"] = code
            notes.append(row_facts.CURRENCY_OF_COLUMN(currency=code, column=column))
    if net := _net_price(headers, {**found, **mapping.columns}):
        notes.append(row_facts.NET_PRICES(types=net))
    if sale := _sale_column(headers, found, mapping):
        found[SALE_PRICE] = (sale,)
        notes.append(row_facts.SALE_PRICES(column=sale))
    unused = [header for header in _free(headers, found, mapping) if is_well_known(header)]
    if unused:
        notes.append(row_facts.unused_columns(unused, _MAX_NOTED))
    doubtful = [name for name in _DOUBTFUL if name not in {*found, *mapping.columns}]
    left_out = frozenset(header for header in headers if header.casefold() in doubtful)
    complete = replace(mapping, columns={**found, **mapping.columns}, values=values, left_out=left_out)
    return KnownColumns(complete, notes)


def _take_only_price(
    found: dict[str, tuple[str, ...]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> None:
    """Make the list price the price if no column has another one: the only price of a table is the one that people pay."""
    known = {*found, *mapping.columns, *mapping.values}
    if "list_price" in found and "price" not in known and not likely_price(_free(headers, found, mapping), sample):
        found["price"] = found.pop("list_price")


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
        if further := _columns_of("description", [header for header in headers if header != column]):
            found["description"] = further
        found["title"] = (column,)
        notes.append(row_facts.TITLE_OF_COLUMNS(title=column))
    return notes


def _add_likely_columns(
    found: dict[str, tuple[str, ...]],
    values: Mapping[str, str],
    headers: Sequence[str],
    mapping: FieldMapping,
    sample: Sequence[Record],
) -> list[str]:
    """Add a price and a SKU by what is in the columns, where none has their names; the notes about them."""
    known = {*found, *mapping.columns, *values}
    notes: list[str] = []
    family = next(iter(found.get("sku", ())), "")
    if family and "family" not in known and (own := sku_of_variants(family, _free(headers, found, mapping), sample)):
        found |= {"sku": (own,), "family": (family,)}
        notes.append(row_facts.SKUS_OF_VARIANTS(family=family, sku=own))
    link = next(iter(found.get("attribute.link", ())), "")
    if "title" in known and "sku" not in known and link and identifies_products(link, sample):
        found["sku"] = (link,)
        notes.append(row_facts.SKUS_OF_LINKS(column=link))
    if "price" not in known and (column := likely_price(_free(headers, found, mapping), sample)):
        found["price"] = (column,)
        notes.append(row_facts.KNOWN_COLUMNS(columns=f"{column} → price"))
    return notes


def with_nested_columns(known: KnownColumns, names: Sequence[str], sample: Sequence[Record]) -> KnownColumns:
    """Complete a mapping of JSON by names that are nested, `images.src`: those of fields that have no column yet.

    A field with one value has none of several, and a price none at all: where it is an object, it may be in cents.

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
    for field, columns in _find_paths(list(paths), mapping, {}).items():
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
            found = {**found, **_with_names(partial(_find_paths, mapping=mapping, found=found), free, sample)[0]}
        elif _paths_of_table(free):
            found = {**_with_names(partial(_columns_of_paths, mapping=mapping), free, sample)[0], **found}
        if "sku" not in found:
            if repeated:
                raise NoColumn("sku", file_facts.SKUS_THE_SAME(columns=", ".join(repeated)))
            return found, []
        if not _is_mostly_one_text(found["sku"][0], sample):
            return found, repeated
        repeated.append(found["sku"][0])


def _is_mostly_one_text(column: str, sample: Iterable[Record]) -> bool:
    """Whether most records have the same text in a column."""
    found = ("".join(record.get(column, "")).strip() for record in sample)
    texts = Counter(text for text in found if text and not says_nothing(text))
    most = max(texts.values(), default=0)
    return most >= _MIN_REPEATED and 2 * most > texts.total()


def _with_names(
    find: Callable[[Sequence[str]], dict[str, tuple[str, ...]]], headers: Sequence[str], sample: Sequence[Record]
) -> tuple[dict[str, tuple[str, ...]], Sequence[str]]:
    """What is found where the columns of categories and brands have their names, and not their numbers in a database.

    Args:
        find: finds the columns of fields among some.
        headers: all of them.
        sample: some records.

    Returns:
        Columns of each field, and the headers without those that have numbers only.
    """
    while True:
        found = find(headers)
        numbers = {column for name in _NAMED if _are_numbers(found.get(name, ()), sample) for column in found[name]}
        if not numbers:
            return found, headers
        headers = [header for header in headers if header not in numbers]


def _columns_of_paths(headers: Sequence[str], mapping: FieldMapping) -> dict[str, tuple[str, ...]]:
    """The columns of fields in a table whose columns are paths."""
    paths = _paths_of_table(headers)
    found = _find_paths(list(paths), mapping, {})
    return {name: tuple(paths[path] for path in columns) for name, columns in found.items()}


def _with_filled(headers: Sequence[str], mapping: FieldMapping, sample: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """The columns of fields; in place of one that is empty another one that is known for its field, as `NAME` for `TITLE`."""
    found = find_columns(headers, mapping)
    filled = {column for record in sample for column, value in record.items() if "".join(value).strip()}
    if not filled:
        return found
    doubtful = next(iter(found.get("title", ())), "")
    if key_of(doubtful) in _LAST_KEYS["title"] and _are_numbers((doubtful,), sample):
        # `product` may refer to another table.
        found = {name: columns for name, columns in found.items() if name != "title"}
    free = [header for header in _free(headers, found, mapping) if header in filled]
    for name in [name for name, columns in found.items() if filled.isdisjoint(columns)]:
        if columns := _columns_of(name, free):
            found[name] = columns
            free = [header for header in free if header not in columns]
    return found


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
    used = _used_columns(mapping)
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
    names = _free(headers, found, mapping)
    return next((header for header in names if key_of(without_currency(header)[0]) in _SALE_KEYS), "")


def _free(headers: Sequence[str], found: Mapping[str, Sequence[str]], mapping: FieldMapping) -> list[str]:
    """The columns that are nothing yet."""
    used = _used_columns(mapping) | {column for columns in found.values() for column in columns}
    return [header for header in headers if header not in used]


def _title_that_is_sku(mapping: FieldMapping) -> str:
    """The column that is mapped to the SKU, if its name is that of a title; "" for others."""
    column = next(iter(mapping.columns.get("sku", ())), "")
    return column if key_of(column) in _KEYS["title"] else ""


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


def find_columns(headers: Sequence[str], mapping: FieldMapping | None = None) -> dict[str, tuple[str, ...]]:
    """The columns of fields, by their names.

    Args:
        headers: columns of the source.
        mapping: fields and columns that are taken already.

    Returns:
        Columns of each field that has any; each column once. A column that has the name of a field is this field's.
    """
    mapping = mapping or FieldMapping()
    taken = _used_columns(mapping)
    names = (header for header in headers if len(header.strip()) <= MAX_CHARACTERS)
    free = [header for header in dict.fromkeys(names) if header not in taken]
    done = {*mapping.columns, *mapping.values}
    found: dict[str, tuple[str, ...]] = {}
    for name in FIELDS:
        own = [header for header in free if header.casefold() == name]
        if own and name not in done:
            found[name] = (own[0],)
            free.remove(own[0])
    for name in SYNONYMS:
        if name in done or name in found:
            continue
        if columns := _columns_of(name, free):
            found[name] = columns
            free = [header for header in free if header not in columns]
    if "list_price" in found and not {"price"} & (found.keys() | done) and not any(map(may_be_price, free)):
        # The only price of a table is the one that people pay.
        found["price"] = found.pop("list_price")
    if not {"sku"} & (found.keys() | done) and "attribute.gtin" in found:
        # A table without article numbers has barcodes instead.
        found["sku"] = found.pop("attribute.gtin")
    if "image" in found:
        further = [header for header in free if _is_further_image(header) and list(headers).count(header) == 1]
        found["image"] = (*found["image"], *further)
    return found


def _find_paths(
    paths: Sequence[str], mapping: FieldMapping, found: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Paths of fields that no element of a product is named for, by the names at their ends: the shortest path of each."""
    taken = {name for name, columns in found.items() if "/" not in columns[0]} | {*mapping.columns, *mapping.values}
    used = _used_columns(mapping) | {path for name in taken for path in found.get(name, ())}
    # Those of elements in which there are others: they have the texts of all.
    used.update(parent for path in paths if "/@" not in path for parent in [path.rpartition("/")[0]] if parent)
    further: dict[str, tuple[str, ...]] = {}
    for name, levels in _LEVELS_OF_PATHS.items():
        places = {key: place for place, key in enumerate(_KEYS[name])}
        named = [
            (path.count("/"), min(places[key] for key in keys), path)
            for path in paths
            if path not in used and 0 < path.count("/") <= levels and (keys := _names_of(path, name) & places.keys())
        ]
        if named and name not in taken:
            path = min(named, key=lambda found: found[:2])[2]
            further[name] = (path,)
            used.add(path)
    return further


def _paths_of_table(headers: Sequence[str]) -> dict[str, str]:
    """Columns by the paths that are their names, as a table made of XML has them: `/description/name[pol]`, `/price@gross`.

    Of texts in several languages only that of the shop is here, or else the first.

    Args:
        headers: the columns.

    Returns:
        Nothing for a table whose columns are no paths.
    """
    by_path: dict[str, list[str]] = {}
    for header in headers:
        if header.startswith(("/", "@")):
            path = _BEFORE_ATTRIBUTE.sub("/@", without_language(header)[0].strip("/"))
            by_path.setdefault(path, []).append(header)
    return {path: of_shop_language(named) or named[0] for path, named in by_path.items()}


def _names_of(path: str, name: str) -> set[str]:
    """What the end of a path may be the name of for a field: `brand/name` of a brand, `description/name` of a product."""
    *_, parent, last = path.split("/")
    key = key_of(last.removeprefix("@"))
    # A link is a photo, or no field.
    if key in _LINKS and name != "image":
        return set()
    if key not in _SAYING_NOTHING:
        return {key_of(path), key} - _OF_OTHERS
    return {key_of(path), key_of(parent), *((key,) if key_of(parent) in _TEXTS else ())}


def is_name_of(header: str, *fields: str) -> bool:
    """Whether a column has a name of one of these fields."""
    return any(key_of(header) in _KEYS[name] for name in fields)


def is_well_known(header: str) -> bool:
    """Whether a column has a name that shops use, so that somebody may miss it."""
    key = key_of(without_language(header)[0])
    return (
        key in _WELL_KNOWN_KEYS
        or any(key in keys for keys in _KEYS.values())
        or numbered_key(header) in _KEYS["category"]
        or _is_further_image(header)
    )


def _columns_of(name: str, headers: Sequence[str]) -> tuple[str, ...]:
    """The columns of a field by its names; by those that may say something else only where there is no other."""
    return (
        _columns_named(name, headers, _FIRST_KEYS[name])
        or _columns_explained(name, headers)
        or _columns_named(name, headers, _LAST_KEYS[name])
    )


def _columns_explained(name: str, headers: Sequence[str]) -> tuple[str, ...]:
    """The column of a field whose name has an explanation behind it; none of prices and stocks, which it may be the kind of."""
    if name in (*_PRICES, "available"):
        return ()
    explained = {key_of(match[1]): header for header in reversed(headers) if (match := _EXPLAINED.fullmatch(header))}
    return next(((explained[key],) for key in _FIRST_KEYS[name] if key in explained), ())


def _columns_named(name: str, headers: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    by_key = {key_of(header): header for header in reversed(headers)}
    for key in known:
        if key in by_key:
            return (by_key[key],)
    of_product = {key: header for header in reversed(headers) if (key := product_key(header))}
    for key in known:
        if key in of_product:
            return (of_product[key],)
    if (name in _BY_LANGUAGE or name.startswith(ATTRIBUTE_PREFIX)) and (column := _column_by_language(headers, known)):
        return (column,)
    if name in _PRICES:
        named = {
            key_of(rest): header for header in reversed(headers) for rest, code in [without_currency(header)] if code
        }
        return next(((named[key],) for key in known if key in named), ())
    if name not in ("image", "category"):
        return ()
    # `image 1`, `image 2`: no column has the name without a number.
    numbered = [header for header in headers if numbered_key(header) in known]
    return tuple(numbered if name == "category" else numbered[:1])


def _column_by_language(headers: Sequence[str], names: Collection[str]) -> str:
    """The column of a field whose texts are in several languages: in that of the shop, or else the first one; "" for none."""
    split = [(header, *without_language(header)) for header in headers]
    known = [(header, {key_of(rest), product_key(rest)}, language) for header, rest, language in split if language]
    for key in names:
        found: dict[str, str] = {}
        for header, keys, language in known:
            if key in keys:
                found.setdefault(language, header)
        if found:
            return found.get(shop_language(), next(iter(found.values())))
    return ""


def _is_further_image(header: str) -> bool:
    return key_of(header) in _FURTHER_KEYS or numbered_key(header) in (_KEYS["image"].keys() | _FURTHER_KEYS)


def _is_its_name(name: str, columns: Sequence[str]) -> bool:
    return [column.casefold() for column in columns] == [name.removeprefix(ATTRIBUTE_PREFIX)]


def _used_columns(mapping: FieldMapping) -> set[str]:
    placeholders = {column for value in mapping.values.values() for column in re.findall(r"\{([^{}]+)\}", value)}
    return {column for columns in mapping.columns.values() for column in columns} | placeholders


# Fields that paths of XML are looked for by their ends, with the most levels that these may be deep.
_LEVELS_OF_PATHS: Mapping[str, int] = {
    "title": 2,
    "sku": 1,
    "description": 2,
    "category": 3,
    "brand": 2,
    "price": 4,
    "list_price": 4,
    "currency": 3,
    "available": 1,
    "image": 5,
}
# Fields of nested names in JSON, with several values and with one. What is nested for a price may be in cents.
_NESTED_LISTS = frozenset(("category", "image"))
_NESTED_TEXTS = frozenset(("brand", "currency"))
# Of Google's Retail API, in units of the currency.
_NESTED_PRICES = {"priceInfo.price": "price", "priceInfo.originalPrice": "list_price"}
# Levels around what is meant, as Strapi and JSON:API have them, and photos that are too small.
_WRAPPERS = frozenset(("data", "attributes"))
_THUMBNAIL = re.compile(r"thumb|small|tiny|icon", re.IGNORECASE)
# Names that only say something together with what they are in, and elements that have the texts of a product.
_SAYING_NOTHING = frozenset(
    ("name", "title", "value", "text", "url", "src", "href", "link", "uri", "path", "gross", "brutto", "label")
)
_LINKS = frozenset(("url", "src", "href", "link", "uri"))
_TEXTS = frozenset(("description", "descriptions", "translation", "translations", "names", "texts", "info", "content"))
# Identifiers, which other things than products have.
_OF_OTHERS = frozenset(("id", "code", "reference"))
# An attribute that nothing separates from its element.
_BEFORE_ATTRIBUTE = re.compile(r"(?<=[^/])@")
_LAST_KEYS = {name: keys_of([by_language.get(LAST, "")]) for name, by_language in SYNONYMS.items()}
_FIRST_KEYS = {
    name: keys_of(
        [
            *(texts for language, texts in by_language.items() if language != LAST),
            *(by_field.get(name, "") for by_field in FURTHER_LANGUAGES.values()),
        ]
    )
    for name, by_language in SYNONYMS.items()
}
_KEYS = {name: {**_FIRST_KEYS[name], **_LAST_KEYS[name]} for name in SYNONYMS}
_SALE_KEYS = keys_of([SALE_PRICES]).keys()
_SALE_DATE = re.compile(
    r"(?:sale|special|promo|offer|discount).*(?:from|to\b|start|end|date|effective|valid)", re.IGNORECASE
)
_PAGE_KEYS = keys_of(
    ["slug, handle, url key, permalink, url slug, seo url, url handle, friendly url, url rewritten"]
).keys()
# Fields whose own columns may have something else: numbers of categories and brands, the only text of an article.
_DOUBTFUL = (*_NAMED, "description")
_NUMBERS = re.compile(r"[\d\s,;|>]+", re.ASCII)
_MODEL_KEYS = keys_of(["model, model name, folder id, modell, modelo, modello, модель"]).keys()
_FURTHER_KEYS = keys_of([FURTHER_IMAGES]).keys()
_WELL_KNOWN_KEYS = keys_of([WELL_KNOWN]).keys()
