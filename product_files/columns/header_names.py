"""Names of columns, so that they can be compared: without case and accents, and what a name ends with: a currency, a language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from django.conf import settings

from product_files.values.currencies import currencies_of
from product_files.values.languages import LANGUAGE_NAMES, LANGUAGES

# Of a name: where a table has none, whole descriptions stand in its first line.
MAX_CHARACTERS = 200
# Codes of currencies only where they are in capitals: `price_all`, `price_top`.
_CODES_THAT_ARE_WORDS = frozenset(("all", "top", "try", "cup", "mad", "gel", "lak", "bam"))
# Of Google's attributes, of Salsify's, and of eBay's, which marks those that are required.
_PREFIX = re.compile(r"\*?\s*(?:g:|c:|salsify:)?\s*")
_CURRENCY_AT_END = re.compile(
    r"(?P<name>.*?\w),?[\s_\-(\[/]+(?:(?:in|en|em|в)[\s_])?(?P<mark>[A-Za-z]{3}|[^\w\s()\[\]]{1,3}|zł|kr|Kč|Rp|RM|Ft|TL|lei|Rs\.?|(?i:руб\.?|рубл[а-я]+|грн\.?|гривнях))[)\]]?"
)
_NUMBER = re.compile(r"(?<!\d)\d{1,2}(?!\d)")
# Of several photos in tables of Meta: `image[0].url`.
_INDEX = re.compile(r"\[\d{1,2}\]")
# The language of a text, with its country, and the channel that it is for: `name.en`, `name-en_US-print`, `titel_de`, `Name (FR)`.
_LANGUAGE_AT_END = re.compile(
    r"(?P<name>.*?\w)\s*[\s._\-(\[:](?P<language>[A-Za-z]{2})(?:[_\-](?P<country>[A-Za-z]{2}))?[)\]]?(?:-[a-z_]+)?"
)
# A language by its name, or three letters: `Product Name(English)`, `/description/name[pol]`.
_LANGUAGE_IN_BRACKETS = re.compile(r"(?P<name>.*?\w)\s*[(\[](?P<language>[^\W\d_]{3,20})[)\]]")
# What two letters mean in the name of a column that says no country: an identifier, a number.
_NO_LANGUAGES = frozenset(("id", "no", "nr", "is", "in", "as", "or", "to", "of", "by", "on", "up"))
_WORD = re.compile(r"[^\W_]+")
# The longer ones first.
_PRODUCT_WORDS = (
    "products",
    "produktu",
    "product",
    "produkt",
    "produits",
    "produit",
    "productos",
    "producto",
    "produtos",
    "produto",
    "prodotti",
    "prodotto",
    "artikel",
    "articolo",
    "articulo",
    "article",
    "items",
    "item",
    "tuote",
    "termek",
    "urun",
    "vare",
)


def shop_language() -> str:
    """The two letters of the shop's language."""
    return settings.LANGUAGE_CODE.partition("-")[0]


def of_shop_language(headers: Sequence[str]) -> str:
    """Of columns of one text in several languages, the one in that of the shop, or else the first.

    Args:
        headers: the columns.

    Returns:
        One of them; "" if there is none.
    """
    own = shop_language()
    return next((header for header in headers if without_language(header)[1] == own), next(iter(headers), ""))


def without_language(header: str) -> tuple[str, str]:
    """A name without the language that it ends with: `name.en`, `description-de_DE-print`, `Titel (fr)`, `Name (English)`.

    Args:
        header: the name.

    Returns:
        The name, and the two letters of the language; "" for none.
    """
    if (named := _LANGUAGE_IN_BRACKETS.fullmatch(header.strip(" *"))) and named["language"].lower() in LANGUAGE_NAMES:
        return named["name"], LANGUAGE_NAMES[named["language"].lower()]
    match = _LANGUAGE_AT_END.fullmatch(header.strip())
    if match is None:
        return header, ""
    language = match["language"].lower()
    known = match["country"] is not None or language not in _NO_LANGUAGES
    return (match["name"], language) if known and language in LANGUAGES else (header, "")


def numbered_key(header: str) -> str:
    """The key of a name without its number, `image 2`; "" for one without a number."""
    if _INDEX.search(header):
        return key_of(_INDEX.sub("", header))
    key = key_of(header)
    return _NUMBER.sub("", key, count=1) if _NUMBER.search(key) else ""


def without_currency(header: str) -> tuple[str, str]:
    """A name without the currency that it ends with: `Price (EUR)`, `price_usd`, `Prix en €`.

    Args:
        header: the name.

    Returns:
        The name, and the code of the currency; "" for none.
    """
    # Templates mark columns that are required.
    match = _CURRENCY_AT_END.fullmatch(header.strip(" *"))
    mark = match["mark"] if match else ""
    codes = () if mark.lower() in _CODES_THAT_ARE_WORDS and not mark.isupper() else currencies_of(mark)
    return (match["name"], codes[0]) if match and codes else (header, "")


def key_of(text: str) -> str:
    """A name without case, accents, spaces and punctuation; "" for a text that is too long for one."""
    name = text.strip()
    return _key_of_name(name) if len(name) <= MAX_CHARACTERS else ""


# Letters that Unicode does not take apart.
_LETTERS = str.maketrans({"ł": "l", "ß": "ss", "\u0131": "i", "đ": "d"})


# Here and below: each column is looked at for each field.
@lru_cache(4096)
def _key_of_name(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", _PREFIX.sub("", text.lower()).translate(_LETTERS))
    return "".join(each for each in decomposed if each.isalnum())


@lru_cache(4096)
def product_key(header: str) -> str:
    """A name without the word for a product in it, `immagine_prodotto`, `productprice`; "" for one that has none or no other."""
    words = _WORD.findall(header)
    others = [word for word in words if key_of(word) not in _PRODUCT_WORDS]
    if len(others) < len(words):
        return key_of("".join(others))
    key = key_of(header)
    return next((key.removeprefix(word) for word in _PRODUCT_WORDS if key.startswith(word)), "")


def keys_of(texts: Iterable[str]) -> dict[str, None]:
    """The keys of names with commas between them, in their order."""
    return dict.fromkeys(key for text in texts for name in text.split(",") if (key := key_of(name)))
