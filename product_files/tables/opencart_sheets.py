"""The workbook of OpenCart's Export/Import Tool, whose sheet of products refers to others, and their columns beside its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from product_files.columns.header_names import of_shop_language
from product_files.rows import RowRejected
from product_files.tables.shop_rows import amount, lasts

# Columns that `mappings/opencart.toml` reads.
IMAGES, SPECIAL, CATEGORIES = "AdditionalImages.image", "Specials.price", "Categories.name"
ATTRIBUTES = "ProductAttributes.text"

_PRODUCTS = frozenset(("product_id", "model", "image_name"))
_PRICE = "price"
_GROUP = "customer_group"
_DEFAULT_GROUP = "Default"
# Sheets that name groups of customers, and words of those that are not for everybody.
_SHEETS_OF_GROUPS = ("Specials", "Discounts", "Rewards")
_RESELLERS = re.compile(
    r"wholesale|reseller|dealer|distribut|trade|b2b|vip|partner|staff|employee|club|gold|silver|großhandel|händler|gewerb"
    r"|revend|profession|pro\b|mayorista|grossist|rivendit|hurt|опт|дилер|партн|гурт|toptan|bayi",
    re.IGNORECASE,
)
_MAX_LEVELS = 20
_LAST = Decimal("Infinity")

_Rows = Iterable[Sequence[str]]


def with_other_sheets(rows: Iterator[list[str]], sheets: Mapping[str, Callable[[], _Rows]]) -> Iterator[list[str]]:
    """The rows of a sheet; of OpenCart's products with what other sheets have: photos, prices, attributes, options, categories.

    Args:
        rows: with the names of the columns in the first one.
        sheets: the rows of each sheet of the workbook, by its name.

    Yields:
        The rows, as many as there were.
    """
    header = next(rows, [])
    if not set(header) >= _PRODUCTS:
        yield header
        yield from rows
        return
    key = header.index("product_id")
    group = _group_of_everybody(sheets)
    added = {
        name: texts
        for name, texts in (
            (IMAGES, _images(_records(sheets, "AdditionalImages"))),
            (SPECIAL, _prices(_records(sheets, "Specials"), group)),
            (ATTRIBUTES, _attributes(sheets)),
        )
        if texts
    }
    names = _category_names(_records(sheets, "Categories"))
    place = header.index("categories") if names and "categories" in header else None
    # What everybody pays for one piece; other discounts are for larger quantities.
    of_one = (record for record in _records(sheets, "Discounts") if _number(record, "quantity") == 1)
    discounts = _prices((record for record in of_one if record.get(_GROUP, "") == group), group)
    of_price = header.index(_PRICE) if discounts and _PRICE in header else None
    yield [CATEGORIES if at == place else name for at, name in enumerate(header)] + list(added)
    for row in rows:
        if not any(row):
            yield row
            continue
        whole = [*row, *[""] * (len(header) - len(row))]
        if place is not None:
            whole[place] = "\n".join(filter(None, (_path(number.strip(), names) for number in whole[place].split(","))))
        if of_price is not None:
            whole[of_price] = discounts.get(whole[key], whole[of_price])
        yield whole + [texts.get(whole[key], "") for texts in added.values()]


def _records(sheets: Mapping[str, Callable[[], _Rows]], name: str) -> Iterator[dict[str, str]]:
    """The records of a sheet; none where the workbook does not have it."""
    rows = iter(sheets[name]() if name in sheets else ())
    header = next(rows, [])
    return (dict(zip(header, row, strict=False)) for row in rows)


def _images(records: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The further photos of each product, a line each, in their order."""
    found: dict[str, list[tuple[Decimal, str]]] = {}
    for record in records:
        if image := record.get("image", ""):
            found.setdefault(record.get("product_id", ""), []).append((_number(record, "sort_order"), image))
    return {product: "\n".join(image for _, image in sorted(images)) for product, images in found.items()}


@dataclass(frozen=True, slots=True, order=True)
class _Special:
    """A special price or a discount, the one that counts first."""

    priority: Decimal
    price: Decimal
    text: str


def _group_of_everybody(sheets: Mapping[str, Callable[[], _Rows]]) -> str:
    """The group of customers that visitors of the shop are in: the default one, which may have another name, not a reseller's."""
    found = dict.fromkeys(
        group for name in _SHEETS_OF_GROUPS for record in _records(sheets, name) if (group := record.get(_GROUP, ""))
    )
    if _DEFAULT_GROUP in found:
        return _DEFAULT_GROUP
    return next((group for group in found if not _RESELLERS.search(group)), "")


def _prices(records: Iterable[Mapping[str, str]], group: str) -> dict[str, str]:
    """The price of each product that has one now, for a group of customers."""
    found: dict[str, list[_Special]] = {}
    for record in records:
        text = record.get("price", "")
        if record.get(_GROUP, "") == group and (price := amount(text, ".")) is not None and _is_now(record):
            found.setdefault(record.get("product_id", ""), []).append(
                _Special(_number(record, "priority"), price, text)
            )
    return {product: min(specials).text for product, specials in found.items()}


def _attributes(sheets: Mapping[str, Callable[[], _Rows]]) -> dict[str, str]:
    """The attributes of each product and the values of its options, a line each, with a tab behind the name."""
    # Options are no variants: they have no SKU, and those of several options are chosen independently of each other.
    found: dict[str, list[str]] = {}
    for sheet, name, text in (
        ("ProductAttributes", "attribute", "text"),
        ("ProductOptionValues", "option", "option_value"),
    ):
        names, texts = (_names(sheets, each) for each in (name, text))
        for record in _records(sheets, sheet):
            pair = [
                " ".join(each.split())
                for each in (
                    _named(record, name, names),
                    _named(record, text, texts) or _in_shop_language(record, text),
                )
            ]
            if all(pair):
                found.setdefault(record.get("product_id", ""), []).append("\t".join(pair))
    return {product: "\n".join(lines) for product, lines in found.items()}


_SHEETS_OF_NAMES = {"attribute": "Attributes", "option": "Options", "option_value": "OptionValues"}


def _names(sheets: Mapping[str, Callable[[], _Rows]], kind: str) -> dict[str, str]:
    """The names of attributes, options or their values by their numbers, which the tool writes if it is set to."""
    records = _records(sheets, _SHEETS_OF_NAMES.get(kind, ""))
    return {record.get(f"{kind}_id", ""): _in_shop_language(record, "name") for record in records}


def _named(record: Mapping[str, str], kind: str, names: Mapping[str, str]) -> str:
    return record.get(kind, "") or names.get(record.get(f"{kind}_id", ""), "")


def _is_now(record: Mapping[str, str]) -> bool:
    with suppress(RowRejected):
        return lasts(record.get("date_start", ""), record.get("date_end", ""), datetime.now(UTC))
    return False


def _number(record: Mapping[str, str], name: str) -> Decimal:
    number = amount(record.get(name, ""), ".")
    return _LAST if number is None else number


def _category_names(records: Iterable[Mapping[str, str]]) -> dict[str, tuple[str, str]]:
    """Name and parent of each category, by its number."""
    found = {}
    for record in records:
        if name := _in_shop_language(record, "name"):
            found[record.get("category_id", "")] = (name, record.get("parent_id", ""))
    return found


def _in_shop_language(record: Mapping[str, str], column: str) -> str:
    """The text of a column that there is for each language: `name(en-gb)`."""
    return record.get(of_shop_language([name for name in record if name.partition("(")[0] == column]), "")


def _path(number: str, names: Mapping[str, tuple[str, str]]) -> str:
    """The names of a category and those that it is in, from the root down; "" for one without a name."""
    levels: list[str] = []
    while number in names and len(levels) < _MAX_LEVELS:
        name, number = names[number]
        levels.insert(0, name)
    return " > ".join(levels)
