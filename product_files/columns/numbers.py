"""The numbers that a database gives to products: SKUs of those that have none, and what the variants of a product share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from product_files.columns.column_names import NUMBERS
from product_files.columns.header_names import key_of, keys_of
from product_files.columns.synonyms import find_columns, free_columns
from product_files.mapping import FieldMapping, Record, says_nothing

_NUMBER_KEYS = keys_of([NUMBERS]).keys()


def take_numbers_for_skus(
    found: dict[str, tuple[str, ...]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> str:
    """Take the numbers of products in a database for their SKUs where none of them has one.

    Args:
        found: columns of the fields that are known so far; changed.
        headers: columns of the table.
        mapping: what the user has mapped.
        sample: some records.

    Returns:
        The column of the SKUs; "" where it is not empty, or nothing numbers the products.
    """
    column = next(iter(find_columns(headers, mapping).get("sku", ())), "")
    if not column or not sample or any(_said(record, column) for record in sample):
        return ""
    if column in found["sku"]:
        numbers = _column_of_numbers(found, headers, mapping, sample)
        if not numbers:
            return ""
        found["sku"] = (numbers,)
    return column


def numbers_for_some(
    found: Mapping[str, Sequence[str]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> str:
    """The column of the products' numbers in a database, where these can be the SKUs of those that have none.

    Args:
        found: columns of the fields that are known so far.
        headers: columns of the table.
        mapping: what the user has mapped.
        sample: some records.

    Returns:
        The column; "" where no SKU is missing, or a number is the SKU of another product.
    """
    column = next(iter(found.get("sku", ())), "")
    skus = [_said(record, column) for record in sample] if column else []
    if all(skus) or not any(skus):
        return ""
    numbers = _column_of_numbers(found, headers, mapping, sample)
    places = {_said(record, numbers).casefold(): place for place, record in enumerate(sample)} if numbers else {}
    are_apart = all(places.get(sku.casefold(), place) == place for place, sku in enumerate(skus) if sku)
    return numbers if are_apart else ""


def family_of_numbers(
    found: Mapping[str, Sequence[str]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> str:
    """The column with the number that only the variants of a product share, each with a SKU of its own.

    Args:
        found: columns of the fields that are known so far.
        headers: columns of the table.
        mapping: what the user has mapped.
        sample: some records.

    Returns:
        The column; "" for none.
    """
    columns = {**found, **mapping.columns}
    sku, title = (next(iter(columns.get(name, ())), "") for name in ("sku", "title"))
    if "family" in {*columns, *mapping.values} or not sku or not title:
        return ""
    for header in free_columns(headers, found, mapping):
        if key_of(header) in _NUMBER_KEYS:
            texts = [(_said(record, header), _said(record, title), _said(record, sku)) for record in sample]
            if _are_numbers_of_variants(texts):
                return header
    return ""


def _are_numbers_of_variants(texts: Sequence[tuple[str, str, str]]) -> bool:
    """Whether several records have the same number, with one title and a SKU each. texts: number, title and SKU."""
    numbers = {number for number, _, _ in texts}
    with_skus = [(number, sku) for number, _, sku in texts if sku]
    have_one_title = len({(number, title) for number, title, _ in texts}) == len(numbers)
    are_several = len({number for number, _ in with_skus}) < len(with_skus) == len({sku for _, sku in with_skus})
    return "" not in numbers and have_one_title and are_several


def _column_of_numbers(
    found: Mapping[str, Sequence[str]], headers: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]
) -> str:
    """The column with the number of each product in a database, which no other product has; "" for none."""
    return column_of_numbers(free_columns(headers, found, mapping), sample)


def column_of_numbers(headers: Sequence[str], sample: Iterable[Record]) -> str:
    """The column with the number of each product in a database, which no other product has.

    Args:
        headers: columns that may be it.
        sample: some records.

    Returns:
        The column; "" for none.
    """
    sample = list(sample)
    named = {key_of(header): header for header in reversed(headers)}
    for header in (named[key] for key in _NUMBER_KEYS if key in named):
        numbers = [_said(record, header) for record in sample]
        if all(numbers) and len(set(numbers)) == len(numbers):
            return header
    return ""


def _said(record: Record, column: str) -> str:
    """The text of a column, "" for a word that there is none."""
    text = "".join(record.get(column, "")).strip()
    return "" if says_nothing(text) else text
