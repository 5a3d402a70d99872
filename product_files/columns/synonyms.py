"""Finds the columns of fields by their names, also with a currency, a number or the code of any language."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from product_files.columns.column_names import FURTHER_IMAGES, LAST, SYNONYMS, WELL_KNOWN
from product_files.columns.column_names_elsewhere import FURTHER_LANGUAGES
from product_files.columns.header_names import (
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
from product_files.columns.likely_columns import (
    may_be_price,
)
from product_files.columns.tax_in_names import tax_in
from product_files.mapping import ATTRIBUTE_PREFIX, FIELDS, FieldMapping

_PRICES = ("price", "list_price")
# A name with an explanation in a template: `SKU (unique, up to 50 characters)`.
_EXPLAINED = re.compile(r"([^()\n]+)(?:\([^()]{4,}\)|\n.*)\s*\*?", re.DOTALL)
_BY_LANGUAGE = ("title", "description", "category", "tags")
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
# Names that only say something together with what they are in, and elements that have the texts of a product.
_SAYING_NOTHING = frozenset(
    ("name", "title", "value", "text", "url", "src", "href", "link", "uri", "path", "gross", "brutto", "label")
)
_LINKS = frozenset(("url", "src", "href", "link", "uri"))
_TEXTS = frozenset(("description", "descriptions", "translation", "translations", "names", "texts", "info", "content"))
# Around prices of something else than the product.
_OF_OTHER_PRICES = re.compile(
    "surcharge|shipping|delivery|versand|param|deposit|purchase|related|accessor|warrant|fee$|fees$"
)
# Around what is not of a product, but of what goes with it.
BESIDE_PRODUCTS = re.compile(
    "related|accessor|zubehor|crosssell|upsell|similar|review|rating|comment|shipping|deliver|versand|livraison|doprav"
    "|dostaw(?!c)|spedizion|carrier|courier|payment|surcharge|priplat|warrant|voucher|coupon|bundle|setitem"
)
# Identifiers, which other things than products have.
_OF_OTHERS = frozenset(("id", "code", "reference"))
# An attribute that nothing separates from its element.
_BEFORE_ATTRIBUTE = re.compile(r"(?<=[^/])@")
LAST_KEYS = {name: keys_of([by_language.get(LAST, "")]) for name, by_language in SYNONYMS.items()}
_FIRST_KEYS = {
    name: keys_of(
        [
            *(texts for language, texts in by_language.items() if language != LAST),
            *(by_field.get(name, "") for by_field in FURTHER_LANGUAGES.values()),
        ]
    )
    for name, by_language in SYNONYMS.items()
}
KEYS = {name: {**_FIRST_KEYS[name], **LAST_KEYS[name]} for name in SYNONYMS}
_FURTHER_KEYS = keys_of([FURTHER_IMAGES]).keys()
_WELL_KNOWN_KEYS = keys_of([WELL_KNOWN]).keys()


def find_columns(headers: Sequence[str], mapping: FieldMapping | None = None) -> dict[str, tuple[str, ...]]:
    """The columns of fields, by their names.

    Args:
        headers: columns of the source.
        mapping: fields and columns that are taken already.

    Returns:
        Columns of each field that has any; each column once. A column that has the name of a field is this field's.
    """
    mapping = mapping or FieldMapping()
    taken = used_columns(mapping)
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
        if columns := columns_of(name, free):
            found[name] = columns
            free = [header for header in free if header not in columns]
    if "list_price" in found and not {"price"} & (found.keys() | done) and not any(map(_may_be_to_pay, free)):
        # The only price of a table is the one that people pay.
        found["price"] = found.pop("list_price")
    if not {"sku"} & (found.keys() | done) and "attribute.gtin" in found:
        # A table without article numbers has barcodes instead.
        found["sku"] = found.pop("attribute.gtin")
    if "image" in found:
        further = [header for header in free if _is_further_image(header) and list(headers).count(header) == 1]
        found["image"] = (*found["image"], *further)
    return found


def _may_be_to_pay(header: str) -> bool:
    """Whether a name may be that of a price that people pay, also by what it says of a tax."""
    tax = tax_in(header)
    return may_be_price(header) or (tax is not None and not tax.is_net and tax.rest in {"", *KEYS["price"]})


def find_paths(
    paths: Sequence[str], mapping: FieldMapping, found: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Find the paths of fields that no element of a product is named for, by the names at their ends.

    Args:
        paths: of the source.
        mapping: fields and paths that are taken already.
        found: columns of fields, of which those that are no paths stay.

    Returns:
        The shortest path of each field that has any.
    """
    taken = {name for name, columns in found.items() if "/" not in columns[0]} | {*mapping.columns, *mapping.values}
    used = used_columns(mapping) | {path for name in taken for path in found.get(name, ())}
    # Those of elements in which there are others: they have the texts of all.
    used.update(parent for path in paths if "/@" not in path for parent in [path.rpartition("/")[0]] if parent)
    further: dict[str, tuple[str, ...]] = {}
    for name, levels in _LEVELS_OF_PATHS.items():
        places = {key: place for place, key in enumerate(KEYS[name])}
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


def paths_of_table(headers: Sequence[str]) -> dict[str, str]:
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
    *around, parent, last = path.split("/")
    key = key_of(last.removeprefix("@"))
    if name in (*_PRICES, "currency") and any(_OF_OTHER_PRICES.search(key_of(each)) for each in (*around, parent)):
        return set()
    if name != "available" and any(BESIDE_PRODUCTS.search(key_of(each)) for each in (*around, parent)):
        return set()
    # A link is a photo, or no field.
    if key in _LINKS and name != "image":
        return set()
    if key not in _SAYING_NOTHING:
        return {key_of(path), key} - _OF_OTHERS
    return {key_of(path), key_of(parent), *((key,) if key_of(parent) in _TEXTS else ())}


def is_name_of(header: str, *fields: str) -> bool:
    """Whether a column has a name of one of these fields."""
    return any(key_of(header) in KEYS[name] for name in fields)


def is_well_known(header: str) -> bool:
    """Whether a column has a name that shops use, so that somebody may miss it."""
    key = key_of(without_language(header)[0])
    return (
        key in _WELL_KNOWN_KEYS
        or any(key in keys for keys in KEYS.values())
        or numbered_key(header) in KEYS["category"]
        or _is_further_image(header)
    )


def columns_of(name: str, headers: Sequence[str]) -> tuple[str, ...]:
    """The columns of a field by its names; by those that may say something else only where there is no other.

    Args:
        name: of the field.
        headers: columns that may be taken.

    Returns:
        None where no column has such a name.
    """
    return (
        _columns_named(name, headers, _FIRST_KEYS[name])
        or _columns_explained(name, headers)
        or _columns_named(name, headers, LAST_KEYS[name])
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
    return key_of(header) in _FURTHER_KEYS or numbered_key(header) in (KEYS["image"].keys() | _FURTHER_KEYS)


def used_columns(mapping: FieldMapping) -> set[str]:
    """The columns of a mapping, those in its constants, too."""
    placeholders = {column for value in mapping.values.values() for column in re.findall(r"\{([^{}]+)\}", value)}
    return {column for columns in mapping.columns.values() for column in columns} | placeholders


def free_columns(headers: Sequence[str], found: Mapping[str, Sequence[str]], mapping: FieldMapping) -> list[str]:
    """The columns that are nothing yet.

    Args:
        headers: columns of the table.
        found: columns of the fields that are known so far.
        mapping: what the user has mapped.

    Returns:
        Those of the headers that neither has.
    """
    used = used_columns(mapping) | {column for columns in found.values() for column in columns}
    return [header for header in headers if header not in used]
