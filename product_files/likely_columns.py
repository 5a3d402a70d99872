"""Finds columns that no name is known for, by a word of their name and by what is in them: prices, and links to products."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from product_files.header_names import key_of
from product_files.mapping import Record, says_nothing
from product_files.photo_files import is_link
from product_files.product_data import SKU_LENGTH
from product_files.rows import RowRejected
from product_files.values import parse_price

# Words for a price, as keys of names have them, and those that say that it is not what people pay, or no price at all.
_PRICE = re.compile(
    "price|preis|prix|tarif|precio|prezzo|prijs|cena|preco|pris$|^pris|hinta|fiyat|pret$|^pret|harga"
    "|цена|цены|ціна|τιμη|価格|值|价格|售价|價格|售價|가격|판매가|السعر"
)
_NOT_TO_PAY = re.compile(
    "cost|purchase|buying|wholesale|dealer|supplier|einkauf|^ek|achat|grossiste|compra|acquisto|inkoop|zakup|закуп|опт|alis"
    "|sale|offer|special|promo|net|excl|without|ohne|sans|^ht|ht$|shipping|versand|livraison|envio"
    "|min|max|from|range|type|unit|per|currency|change|diff|discount|saving|percent|avg|average|mean|history|date|count|list|id$"
    "|level|group|class|tier|band|zone|code|gruppe|stufe|klasse|groupe|grupo|gruppo|groep|grupa"
)
_NESTED = re.compile(r"\w[./]\w")
# Names of what identifies a variant.
_OF_VARIANTS = re.compile(r"variant\w*(?:sku|id|code)")
# The same where the column of SKUs has another name than `sku`; beside one of this name, a style is what variants have in common.
_PERHAPS_OF_VARIANTS = re.compile(rf"{_OF_VARIANTS.pattern}|^sku(?:id|code)|^styleid|^sku$")
_MIN_SHARE = 0.5
_MIN_DIFFERENT = 0.9


def likely_price(headers: Iterable[str], sample: Sequence[Record]) -> str:
    """The only column that has a word for a price in its name, and prices in its cells.

    Args:
        headers: columns that are nothing else.
        sample: some records.

    Returns:
        The column; "" where there is none, or several.
    """
    found = [header for header in headers if may_be_price(header) and _are_mostly_prices(header, sample)]
    return found[0] if len(found) == 1 else ""


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


def _are_mostly_prices(column: str, sample: Iterable[Record]) -> bool:
    texts = [text for record in sample if (text := "".join(record.get(column, "")).strip()) and not says_nothing(text)]
    return bool(texts) and sum(map(_is_price, texts)) > _MIN_SHARE * len(texts)


def _is_price(text: str) -> bool:
    try:
        return parse_price(text, usual_decimal=".") is not None
    except RowRejected:
        return False
