"""Pairs of columns of a table with the name and the value of an attribute: `Option1 Name` and `Option1 Value`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from product_files.columns.header_names import key_of
from product_files.mapping import says_nothing
from product_files.rows import Row

# Words for attributes, as keys of names have them.
_ATTRIBUTE = re.compile(
    "attribut|atribut|option|opcion|variation|variant|spec|param|propert|feature|characteristic|caracteristic|caratteristic"
    "|eigenschaft|merkmal|kenmerk|cecha|vlastnost|ozellik|характеристик|параметр|свойств|属性"
)
_NAMES = (
    "name",
    "bezeichnung",
    "nazwa",
    "nazev",
    "nombre",
    "nome",
    "naam",
    "nom",
    "adi",
    "название",
    "имя",
    "назва",
    "名",
)
_VALUES = (
    "wertname", "values", "value", "wert", "wartosc", "hodnota", "valor", "valore", "valeur", "waarde", "degeri",
    "значение", "значення", "值",
)  # fmt: skip


def attribute_pairs(headers: Sequence[str], used: Collection[str]) -> list[tuple[str, str]]:
    """The pairs of a table.

    Args:
        headers: its columns.
        used: those that become something else.

    Returns:
        (column of names, column of values) each.
    """
    free = {key: header for header in reversed(headers) if header not in used and (key := key_of(header))}
    found = []
    for key in map(key_of, headers):
        if key in free and _ATTRIBUTE.search(key):
            others = (key.replace(name, value, 1) for name in _NAMES if name in key for value in _VALUES)
            if other := next((each for each in others if each in free), ""):
                found.append((free[key], free[other]))
    return list(dict.fromkeys(found))


def with_attributes(row: Row, pairs: Sequence[tuple[str, str]], record: Mapping[str, str]) -> Row:
    """A row with the attributes of such pairs; those of columns of their own take precedence.

    Args:
        row: of the record.
        pairs: as `attribute_pairs` found them.
        record: its cells by column.

    Returns:
        The row, with the names in small letters.
    """
    if row.product is None or not pairs:
        return row
    cells = ((record.get(name, "").strip().lower(), record.get(value, "").strip()) for name, value in pairs)
    found = {name: value for name, value in cells if name and value and not says_nothing(value)}
    fields = None if row.fields is None else row.fields | {"attributes"}
    product = replace(row.product, attributes={**found, **row.product.attributes})
    return replace(row, product=product, fields=fields)
