"""Finds columns that no name is known for, by a word of their name and by what is in them: prices, and links to products."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from product_files.columns.header_names import key_of
from product_files.mapping import Record, says_nothing
from product_files.photo_files import is_link
from product_files.product_data import SKU_LENGTH
from product_files.rows import RowRejected
from product_files.values.availability import parse_availability
from product_files.values.cell_lists import first_photo
from product_files.values.prices import parse_price

# Words for a price, as keys of names have them, and those that say that it is not what people pay, or no price at all.
_PRICE = re.compile(
    "price|preis|prix|tarif|precio|prezzo|prijs|cena|preco|pris$|^pris|hinta|fiyat|pret$|^pret|harga"
    "|цена|цены|ціна|τιμη|価格|值|价格|售价|價格|售價|가격|판매가|السعر"
)
_NOT_TO_PAY = re.compile(
    "cost|purchase|buying|wholesale|dealer|supplier|einkauf|^ek|achat|grossiste|compra|acquisto|inkoop|zakup|закуп|опт|alis"
    "|sale|offer|special|promo|net|excl|without|ohne|sans|^ht|ht$|shipping|versand|livraison|envio"
    "|min|max|from|range|type|unit|per|currency|change|diff|discount|saving|percent|avg|average|mean|history|date|count|list|id$"
    "|(?<!p)cs$|cents?$|^cent(?!er|r)|minor|pence|kopek|grosz|level|group|class|tier|band|zone|code|gruppe|stufe|klasse|groupe|grupo|gruppo|groep|grupa"
)
_NESTED = re.compile(r"\w[./]\w")
# Names of what identifies a variant.
_OF_VARIANTS = re.compile(r"variant\w*(?:sku|id|code)")
# The same where the column of SKUs has another name than `sku`; beside one of this name, a style is what variants have in common.
_PERHAPS_OF_VARIANTS = re.compile(rf"{_OF_VARIANTS.pattern}|^sku(?:id|code)|^styleid|^sku$")
# Names of lists of photos, of sizes in their order from the largest, and of what is too small.
_PHOTOS = re.compile("image|photo|picture|imagen|imagem|foto|media|bild|gallery|pictures|assets")
_SIZES = ("original", "superbig", "full", "max", "zoom", "xl", "big", "large", "grand", "url", "src", "medium")
_SMALL = re.compile("thumb|small|tiny|icon|preview|pequen|square|swatch|^tm$|c246", re.IGNORECASE)
# Names of the amount in the object of a price.
_AMOUNTS = frozenset(("amount", "value", "raw", "gross", "current", "price", "net"))
_IN_UNITS = re.compile(r"\d+[.,]\d{1,2}")
_MIN_SHARE = 0.5
_MIN_DIFFERENT = 0.9
_HIGHEST_TAX = Decimal("1.3")
# Of a number that products of a category are counted by.
_MAX_DIGITS = 6


def likely_price(headers: Iterable[str], sample: Sequence[Record]) -> str:
    """The only column that has a word for a price in its name, and prices in its cells.

    Args:
        headers: columns that are nothing else.
        sample: some records.

    Returns:
        The column; "" where there is none, or several.
    """
    found = [header for header in headers if may_be_price(header) and has_prices(header, sample)]
    return found[0] if len(found) == 1 else ""


def has_prices(column: str, sample: Iterable[Record]) -> bool:
    """Whether most texts of a column are prices.

    Args:
        column: its name.
        sample: some records.

    Returns:
        False where it is empty.
    """
    texts = [text for record in sample if (text := "".join(record.get(column, "")).strip()) and not says_nothing(text)]
    return bool(texts) and sum(map(_is_price, texts)) > _MIN_SHARE * len(texts)


def may_be_price(header: str) -> bool:
    """Whether a name has a word for a price, and none that says that people pay another one."""
    # What is nested in JSON may be in cents.
    key = "" if _NESTED.search(header) else key_of(header)
    return bool(_PRICE.search(key)) and not _NOT_TO_PAY.search(key)


def identifies_products(column: str, sample: Sequence[Record]) -> bool:
    """Whether a column of links keeps products apart: nearly each has its own, which is short enough for a SKU.

    Args:
        column: its name.
        sample: some records.

    Returns:
        False where a product has no link.
    """
    links = ["".join(record.get(column, "")).strip() for record in sample]
    return len(set(links)) > _MIN_DIFFERENT * len(links) and all(
        is_link(link) and len(link) <= SKU_LENGTH for link in links
    )


def are_with_tax(gross: str, net: str, sample: Iterable[Record]) -> bool:
    """Whether the prices of a column are those of another with a tax on top.

    Args:
        gross: the column.
        net: the other one.
        sample: some records.

    Returns:
        True where each is higher, and by no more than any country adds. One that is the same in all records, while the others
        differ, is a rate of tax.
    """
    pairs = [
        (_amount(record.get(gross, "")), without) for record in sample if (without := _amount(record.get(net, "")))
    ]
    is_rate = len({with_tax for with_tax, _ in pairs}) == 1 < len({without for _, without in pairs})
    return (
        bool(pairs) and not is_rate and all(without < with_tax <= without * _HIGHEST_TAX for with_tax, without in pairs)
    )


def keeps_apart(column: str, sample: Sequence[Record]) -> bool:
    """Whether nearly each record has a text of its own in a column."""
    texts = ["".join(record.get(column, "")).strip() for record in sample]
    return all(texts) and len(set(texts)) > _MIN_DIFFERENT * len(texts)


def largest_photo(names: Iterable[str], sample: Sequence[Record]) -> str:
    """Of photos in several sizes, `images.big` and `images.small`, the names of the largest ones.

    Args:
        names: nested, with dots between their levels.
        sample: some records.

    Returns:
        One of them, with links; "" for none.
    """
    found = []
    for name in names:
        *around, last = name.split(".")
        if _SMALL.search(last) or not any(_PHOTOS.search(key_of(each)) for each in around):
            continue
        values = (value for record in sample if (value := record.get(name)))
        first = next((text for value in values for text in ([value] if isinstance(value, str) else value)), "")
        if is_link(first):
            place = next((number for number, size in enumerate(_SIZES) if size in key_of(last)), len(_SIZES))
            found.append((place, len(around), name))
    return min(found)[2] if found else ""


def price_in_units(names: Iterable[str], sample: Sequence[Record]) -> str:
    """The only price that is an object, `price.amount`, and has decimals in any record, so that it is in no cents.

    Args:
        names: nested, with dots between their levels.
        sample: some records.

    Returns:
        Its name; "" for none, or several.
    """
    found = []
    for name in names:
        *around, last = name.split(".")
        if around and may_be_price(around[-1]) and key_of(last) in _AMOUNTS:
            texts = [text for record in sample if isinstance(text := record.get(name, ""), str) and text.strip()]
            if any(_IN_UNITS.fullmatch(text.strip()) for text in texts) and all(map(_is_price, texts)):
                found.append(name)
    return found[0] if len(found) == 1 else ""


def lacks_last_cell(
    headers: Sequence[str], lines: Sequence[Sequence[str]], columns: Mapping[str, Sequence[str]]
) -> bool:
    """Whether it is the last cell that all lines of a table lack, or one that makes no difference.

    Args:
        headers: of the table.
        lines: cells of lines that have one less each.
        columns: of each field, by their names.

    Returns:
        True where prices, stocks and photos are what such columns have, and no missing cell further to the left would make them so.
    """
    places = {name: headers.index(columns[name][0]) for name in _CHECKS if name in columns}
    if "price" not in places or len(places) == 1:
        return False

    def fits(missing: int) -> bool:
        for name, place in places.items():
            found = (
                cells[place - (place > missing)] if place != missing else "" for cells in lines if len(cells) >= place
            )
            texts = [text for text in map(str.strip, found) if text]
            if not texts or sum(map(_CHECKS[name], texts)) < _MIN_DIFFERENT * len(texts):
                return False
        return True

    used = max(headers.index(column) for found in columns.values() for column in found)
    return used < len(headers) - 1 and fits(len(headers) - 1) and not any(map(fits, range(used)))


def numbers_restart(column: str, category: str, title: str, sample: Sequence[Record]) -> bool:
    """Whether products are numbered within each category, so that a number alone does not identify one.

    Args:
        column: of the numbers.
        category: column of the categories.
        title: column of the titles.
        sample: some records.

    Returns:
        True where all categories, which are several, begin with the same number, no category has a number twice, and no product
        is in two categories: none of the same number has the same title.
    """
    by_category: dict[str, list[str]] = {}
    products: set[tuple[str, str]] = set()
    for record in sample:
        number, name, text = ("".join(record.get(each, "")).strip() for each in (column, category, title))
        if not number or not name or (number, text) in products:
            return False
        products.add((number, text))
        by_category.setdefault(name, []).append(number)
    numbers = [each for found in by_category.values() for each in found]
    if not all(each.isascii() and each.isdigit() and len(each) < _MAX_DIGITS for each in numbers):
        return False
    firsts = [min(map(int, found)) for found in by_category.values()]
    return (
        len(firsts) > 1
        and len(set(firsts)) == 1
        and all(len(set(found)) == len(found) for found in by_category.values())
    )


def sku_of_variants(sku: str, headers: Iterable[str], sample: Sequence[Record]) -> str:
    """The column that identifies variants, where that of SKUs has the same text for those of a product.

    Args:
        sku: the column that is known for SKUs.
        headers: columns that are nothing else.
        sample: some records.

    Returns:
        A column whose name says that it is of variants, and in which no two records have the same; "" where there is none.
    """
    texts = ["".join(record.get(sku, "")).strip() for record in sample]
    if not texts or len(set(texts)) > _MIN_DIFFERENT * len(texts):
        return ""
    names = _OF_VARIANTS if key_of(sku) == "sku" else _PERHAPS_OF_VARIANTS
    for header in headers:
        own = ["".join(record.get(header, "")).strip() for record in sample]
        if names.search(key_of(header)) and all(own) and len(set(own)) == len(own):
            return header
    return ""


def _is_availability(text: str) -> bool:
    try:
        parse_availability(text)
    except RowRejected:
        return False
    return True


def _amount(value: str | Sequence[str]) -> Decimal:
    try:
        price = parse_price("".join(value), others=".")
    except RowRejected:
        price = None
    return Decimal(0) if price is None else price.amount


def _is_price(text: str) -> bool:
    try:
        return parse_price(text, others=".") is not None
    except RowRejected:
        return False


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "price": _is_price,
    "available": _is_availability,
    "image": lambda text: bool(first_photo(text)),
}
