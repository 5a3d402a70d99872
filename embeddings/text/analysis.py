"""From a text to words: the same code for products and for what people type, whatever engine holds the vectors."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any

from embeddings.text.languages import LANGUAGES, Language

# Of a text; longer ones are descriptions that nobody wrote for people.
MAX_CHARACTERS = 20_000
MAX_WORD = 64
GRAM = 3
# The term that every document has: its document frequency is the number of documents.
EVERY_DOCUMENT = 0

# Vowel signs of Hindi, points of Arabic and the like: parts of a word that Python's `\w` does not know.
_MARKS = "".join(chr(code) for code in range(0x0300, 0x1E00) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
_RUN = re.compile(rf"(?:[^\W_][{_MARKS}]*)+")
_ASCII_RUN = re.compile("[a-z0-9]+")
# What `casefold` makes two characters of, a letter and a dot above it.
_DOTTED_I = "\u0130"
# Where a fraction of one sign begins behind a whole number: `5\u00bd` is `5 1/2`, and no 51.
_BEFORE_FRACTION = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215f\u2189])")
# Letters that Unicode does not take apart, and that people without a key for them write as these.
_PLAIN_LETTERS = str.maketrans("ıłøđ", "ilod")
# Of a word whose stem is stemmed again: letters that are left of it, since fewer are left of many words; and how often at most.
_MIN_STEM = 3
_MAX_STEMMINGS = 8
# Scripts without spaces between words: each two neighbouring characters are a word.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
_CODE = re.compile(r"[^0-9a-z]")
# Whose terms a process keeps.
CACHED_WORDS = 100_000

_stemming = Lock()
_stemmers: dict[str, Any] = {}


def split_words(text: str) -> list[str]:
    """The words of a text as they are written, in lower case.

    Args:
        text: of which the first MAX_CHARACTERS count.

    Returns:
        Runs of letters and digits; of scripts without spaces, each two neighbouring characters.
    """
    counted = text[:MAX_CHARACTERS]
    if counted.isascii():
        # The same as below, in half the time.
        return [word[:MAX_WORD] for word in _ASCII_RUN.findall(counted.lower())]
    apart = _BEFORE_FRACTION.sub(" ", counted)
    folded = unicodedata.normalize("NFKC", apart).replace(_DOTTED_I, "i").casefold()
    return [word[:MAX_WORD] for run in _RUN.findall(folded) for word in ((run,) if run.isascii() else _spaced(run))]


def terms_of(text: str, language: str) -> list[str]:
    """The terms of a text: its words without stop words, stemmed, without accents.

    Args:
        text: of a product, or a query.
        language: a key of LANGUAGES.

    Returns:
        Terms in the order of the text, repetitions included.
    """
    return [term for word in split_words(text) if (term := term_of(word, language))]


@lru_cache(maxsize=CACHED_WORDS)
def term_of(word: str, language: str) -> str:
    """The term of a word from `split_words`; "" for a stop word."""
    about = LANGUAGES[language]
    if word in about.stop_words:
        return ""
    return without_accents(_stem(word, about) if about.algorithm else word)


def without_accents(word: str) -> str:
    """A word with its Latin letters without accents and strokes: people leave them out."""
    if word.isascii():
        return word
    kept: list[str] = []
    for letter in unicodedata.normalize("NFD", word.translate(_PLAIN_LETTERS)):
        if not (unicodedata.combining(letter) and kept and kept[-1].isascii()):
            kept.append(letter)
    return unicodedata.normalize("NFC", "".join(kept))


def grams_of(word: str, *, is_whole: bool = True) -> list[str]:
    """The character n-grams of a word, with its edges marked.

    Args:
        word: from `split_words`.
        is_whole: False for the beginning of a word that is still being typed, whose end is open.

    Returns:
        Each once, in order; a word with an error in the middle shares those at its ends with the right one.
    """
    marked = f"^{without_accents(word)}{'$' if is_whole else ''}"
    return [*dict.fromkeys(marked[start : start + GRAM] for start in range(max(1, len(marked) - GRAM + 1)))]


def code_of(text: str) -> str:
    """An article number or barcode as it is compared: `MBS-100 ` and `mbs100` are the same; "" where nothing is left."""
    return _CODE.sub("", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=CACHED_WORDS)
def term_id(term: str, language: str) -> int:
    """The index of a term in a sparse vector. Terms of two languages never meet, so that an index may be rewritten in place.

    Args:
        term: from `terms_of`, or an n-gram or code under a `language` of its own.
        language: a key of LANGUAGES, or what kind of term it is.

    Returns:
        1 to 2**32 - 1.
    """
    return zlib.crc32(f"{language}:{term}".encode()) or 1


def _spaced(run: str) -> Iterator[str]:
    position = 0
    for match in _UNSPACED.finditer(run):
        if match.start() > position:
            yield run[position : match.start()]
        word = match.group()
        yield from (word[start : start + 2] for start in range(max(1, len(word) - 1)))
        position = match.end()
    if position < len(run):
        yield run[position:]


def _stem(word: str, language: Language) -> str:
    # A stemmer keeps the word that it is at.
    with _stemming:
        stemmer = _stemmers.get(language.algorithm)
        if stemmer is None:
            # Its modules of all languages are read by processes that index or search texts alone.
            import snowballstemmer

            stemmer = _stemmers[language.algorithm] = snowballstemmer.stemmer(language.algorithm)
        stem: str = stemmer.stemWord(word)
        if not language.stems_again:
            return stem
        for _ in range(_MAX_STEMMINGS):
            if stem == word or len(stem) < _MIN_STEM:
                break
            word, stem = stem, stemmer.stemWord(stem)
    return word
