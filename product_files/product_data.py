"""A product as a source gives it, and what is true of it wherever it comes from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.text import slugify

SKU_LENGTH = 255
# Of a product whose source names none.
DEFAULT_CURRENCY = "EUR"

# Signs that are part of a name: C++ and C# are not C.
_SIGN_WORDS = {"+": "plus", "#": "sharp", "%": "percent", "@": "at", "*": "star", "=": "equals", "$": "dollar"}
_HARMLESS_SIGNS = frozenset("©®™℠")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[^\w\s](?=\d)")
_BETWEEN_LETTERS = re.compile(r"(?<=\w)[&/](?=\w)")
_MINUS = re.compile(r"(?<!\S)[-\u2212](?=\d)")


@dataclass(frozen=True, slots=True)
class ProductData:
    """The data of a product in a source.

    Attributes:
        category: names from the root down, e.g. ("Clothing", "Shirts").
        other_categories: names of each further category, from the root down.
        price: in units of the currency; None if unknown.
        list_price: the price before a reduction; None without one.
        currency: ISO 4217 code.
        active: whether the product is shown.
        family: code of its family, "" for none; the product whose SKU is the code is the main one, otherwise the first.
    """

    sku: str
    title: str
    description: str = ""
    category: Sequence[str] = ()
    other_categories: Sequence[Sequence[str]] = ()
    brand: str = ""
    price: Decimal | None = None
    list_price: Decimal | None = None
    currency: str = DEFAULT_CURRENCY
    available: bool = True
    tags: Sequence[str] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    active: bool = True
    family: str = ""


def category_slug(name: str) -> str:
    """The slug of a category: a function of its name alone, so that it is the same in every import.

    Names that differ in signs only have different slugs: `1.5 L` and `15 L`, `C`, `C++` and `C#`, `R&B` and `RB`. Other
    punctuation, case and spaces make no difference.

    Args:
        name: of the category.

    Returns:
        The slug, never empty.
    """
    text = unicodedata.normalize("NFKC", name)
    text = _BETWEEN_LETTERS.sub("-", _BETWEEN_DIGITS.sub("-", _MINUS.sub(" minus ", text)))
    text = "".join(f" {word} " if (word := _sign_word(sign)) else sign for sign in text)
    return slugify(text, allow_unicode=True)[:120] or "other"


def _sign_word(sign: str) -> str:
    if sign.isascii():
        return _SIGN_WORDS.get(sign, "")
    is_symbol = unicodedata.category(sign) in ("Sc", "Sm", "So") and sign not in _HARMLESS_SIGNS
    return unicodedata.name(sign, "").lower() if is_symbol else ""
