"""The mappings of shop systems' tables that ship with the product: each in a file of `mappings/`, recognised by its columns."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from product_files.mapping import ATTRIBUTE_PREFIX, FIELDS, MULTI_COLUMN_FIELDS

FOLDER = Path(__file__).parent / "mappings"

# In the name of a column: numbered from 1, as in IMAGE1, IMAGE2.
_NUMBERED = "{n}"
_MAX_NUMBER = 50


@dataclass(frozen=True, slots=True)
class Variants:
    """How a table has the variants of a product: in lines below it.

    Attributes:
        key: column that identifies the product, with its other names; a line without it belongs to the product above.
        parent: column of a variant that has the key of its product; "" where `key` has it.
        level: column that says what a line is; "" where it is a product if it has a key.
        product: values of `level` of a product.
        variant: values of `level` of a variant. Lines of other values are left out.
        first_is_variant: the line of the product is the one of its first variant, too.
        sku: column of a variant's SKU, if it is not that of a product.
        options: pairs of columns of an option's name and value.
        option_prefix: columns with this prefix have the value of the option whose name follows.
        option_text: column whose text has the options: `[S]Size=Small,[C]Color=Red`.
        option_lists: (column of names, column of values, what is between them): `Size|Color` and `S|Red`.
        image: column of a variant's own photo, which stands in front of the product's.
        are_all: a product with variants below it is not sold itself, so that its line is no product.
        one_currency: lines without a title, of another product or in another currency than the product above, are left out.
        surcharge: column of what a variant costs more than the product.
    """

    key: tuple[str, ...] = ()
    parent: str = ""
    level: str = ""
    product: tuple[str, ...] = ()
    variant: tuple[str, ...] = ()
    first_is_variant: bool = False
    sku: str = ""
    options: tuple[tuple[str, str], ...] = ()
    option_prefix: str = ""
    option_text: str = ""
    option_lists: tuple[tuple[str, str, str], ...] = ()
    image: str = ""
    are_all: bool = False
    one_currency: bool = False
    surcharge: str = ""


@dataclass(frozen=True, slots=True)
class ShippedMapping:
    """A shop system's table.

    Attributes:
        slug: name of the format.
        name: of the shop system.
        headers: columns that identify the table, each with the other names that it may have.
        columns: columns of each field, in which * stands for any text. Of several, a field with one value has the first that is
            not empty.
        lists: what separates several values in one cell, by field; a field with one value has the first.
        category_separator: between the levels of a category; of several, the first that a category has.
        category_levels: columns that are the levels of one category, from the root down; where the first has levels itself, it is
            the whole category.
        photo_prefix: of photos that are not links.
        language: column of the language of a line, "" for none. Lines in another language than the shop's, or else the first one,
            are left out.
        sale_price: column of a lower price, "" for none.
        sale_if: column that says whether it counts, "" where it always does.
        sale_dates: columns of its first and its last moment, and those of a discount.
        net: columns of prices that are without tax, which the report says.
        discount: columns of a reduction of the price, an amount or `10%`.
        discount_percent: columns of a reduction in percent.
        discount_mode: column that says `percent` where the reduction is not an amount.
        stock_tracked: column that says whether the stock is counted, "" for none.
        untracked: values of the column `stock_tracked` where it is not.
        words: texts that mean yes or no, beside the usual ones.
        hidden: column that says yes for a product that is not shown, "" for none.
        prices: pairs of columns of prices and of their currencies, in which * stands for the same text.
        minor_units: prices are lists such as `EUR 1990;DE-EUR 1890`, in cents.
        minor_currency: column of their currency, where such a price is a number alone; "" for none.
        currency_mark: what stands before the currency of the prices in the name of a column, "" for none.
        attributes: pairs of columns of an attribute's name and value; of columns that are repeated, all.
        attribute_prefix: columns with this prefix, in which * stands for any text, have the value of the attribute whose name
            follows; "" for none.
        attribute_suffixes: columns that end so have the value of the attribute whose name stands in front.
        attribute_end: what stands between that name and what is no part of it; "" for nothing.
        properties: (column, what is between attributes, what is between name and value) of texts such as `Size:L|Fit:slim`.
        shared_properties: columns of properties that variants without a text of their own have from their product.
        property_fields: names of properties that are a field: `category` has all values of its property, another one the first.
        remarks: beginnings of lines that are no rows.
        belongs_without: column without which a line is no row, but belongs to the product above; "" for none.
        ends_before: column from which on lines may end, with its other names.
        variants: None if each line is a product of its own.
    """

    slug: str
    name: str
    headers: tuple[tuple[str, ...], ...]
    columns: Mapping[str, tuple[str, ...]]
    lists: Mapping[str, str] = field(default_factory=dict)
    category_separator: tuple[str, ...] = (">",)
    category_levels: tuple[tuple[str, ...], ...] = ()
    photo_prefix: str = ""
    language: str = ""
    sale_price: str = ""
    sale_if: str = ""
    sale_dates: tuple[str, ...] = ()
    net: tuple[str, ...] = ()
    discount: tuple[str, ...] = ()
    discount_percent: tuple[str, ...] = ()
    discount_mode: str = ""
    stock_tracked: str = ""
    untracked: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    hidden: str = ""
    prices: tuple[tuple[str, str], ...] = ()
    minor_units: bool = False
    minor_currency: str = ""
    currency_mark: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    attribute_prefix: str = ""
    attribute_suffixes: tuple[str, ...] = ()
    attribute_end: str = ""
    properties: tuple[tuple[str, str, str], ...] = ()
    shared_properties: tuple[str, ...] = ()
    property_fields: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    belongs_without: str = ""
    ends_before: tuple[str, ...] = ()
    variants: Variants | None = None

    def matches(self, headers: Sequence[str]) -> bool:
        """Whether a table with these columns is such a table."""
        keys = {header_key(header) for header in headers}
        return all(any(header_key(name) in keys for name in names) for names in self.headers)


def header_key(header: str) -> str:
    """A column name without regard to case and spaces, and without the mark of columns that are required."""
    return " ".join(header.casefold().split()).removeprefix("*")


def numbered(name: str) -> list[str]:
    """The columns that a name with {n} stands for; the name itself if it has none."""
    return [name.replace(_NUMBERED, str(n)) for n in range(1, _MAX_NUMBER + 1)] if _NUMBERED in name else [name]


@cache
def shipped_mappings() -> Mapping[str, ShippedMapping]:
    """All shipped mappings by slug, those with more identifying columns first.

    Returns:
        The mappings.

    Raises:
        ValueError: a file is not valid.
    """
    found = [_load(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {mapping.slug: mapping for mapping in sorted(found, key=lambda mapping: -len(mapping.headers))}


def _load(path: Path) -> ShippedMapping:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = content.keys() - {each.name for each in fields(ShippedMapping)}
    columns = {name: _as_tuple(value) for name, value in _flat(content.pop("columns")).items()}
    wrong = {name for name in columns if name not in FIELDS and not name.startswith(ATTRIBUTE_PREFIX)}
    if unknown or wrong:
        raise ValueError(f"{path} has {', '.join(sorted(unknown | wrong))}")
    variants = content.pop("variants", None)
    return ShippedMapping(
        slug=path.stem,
        headers=tuple(_as_tuple(names) for names in content.pop("headers")),
        columns={name: tuple(each for column in value for each in numbered(column)) for name, value in columns.items()},
        category_levels=tuple(
            tuple(each for name in names for each in numbered(name)) for names in content.pop("category_levels", ())
        ),
        category_separator=_as_tuple(content.pop("category_separator", ">")),
        sale_dates=tuple(content.pop("sale_dates", ())),
        untracked=tuple(content.pop("untracked", ())),
        shared_properties=_as_tuple(content.pop("shared_properties", ())),
        remarks=_as_tuple(content.pop("remarks", ())),
        ends_before=_as_tuple(content.pop("ends_before", ())),
        net=_as_tuple(content.pop("net", ())),
        discount=_as_tuple(content.pop("discount", ())),
        discount_percent=_as_tuple(content.pop("discount_percent", ())),
        prices=_pairs(content.pop("prices", ())),
        attribute_suffixes=tuple(content.pop("attribute_suffixes", ())),
        attributes=_pairs(content.pop("attributes", ())),
        properties=tuple((column, between, mark) for column, between, mark in content.pop("properties", ())),
        variants=None if variants is None else _variants(variants),
        **content,
    )


def _variants(content: dict[str, Any]) -> Variants:
    options = _pairs(content.pop("options", ()))
    lists = tuple((names, values, mark) for names, values, mark in content.pop("option_lists", ()))
    key, product, variant = (_as_tuple(content.pop(name, ())) for name in ("key", "product", "variant"))
    return Variants(**content, key=key, product=product, variant=variant, options=options, option_lists=lists)


def _pairs(pairs: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value) for one, other in pairs for name, value in zip(numbered(one), numbered(other), strict=True)
    )


def _flat(table: dict[str, Any]) -> dict[str, Any]:
    attributes = table.pop("attribute", {})
    return {**table, **{f"attribute.{name}": value for name, value in attributes.items()}}


def _as_tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


# BigCommerce: the kind of an option stands in brackets before its name.
_OPTION = re.compile(r"(?:\[[A-Z]+\])?\s*([^=,\[\]]+)=((?:[^,]|,(?!\s*\[))*)")


def parse_options(text: str) -> dict[str, str]:
    """The options of a text such as `[S]Size=Small,[C]Color=Red:#ff0000`.

    Args:
        text: the text.

    Returns:
        Values by names, without colour codes.
    """
    return {name.strip(): value.partition(":#")[0].strip() for name, value in _OPTION.findall(text)}


def is_multiple(name: str) -> bool:
    """Whether a field takes the values of all of its columns."""
    return name in MULTI_COLUMN_FIELDS
